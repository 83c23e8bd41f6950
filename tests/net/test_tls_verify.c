/*
 * Certificates that are right and wrong in each way: accepted, or refused with the sentence that says
 * which check failed on which certificate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/tls_internal.h"
#include "net_test.h"
#include "tls_test.h"

#define DAY (24 * 60 * 60L)

/* What a server shows, and what is wanted of it. */
struct show {
    const struct cert *cert;
    const struct cert *const *chain;
    const ferry_tls_options *options; /* NULL: the test's CA is trusted */
    const char *host;                 /* NULL: localhost */
};

/* NULL: accepted. Else the message that it must be refused with, behind "tls test:443: ". */
static void expect(const struct show *show, const char *message)
{
    const ferry_tls_options trusting = {.ca_file = world.ca_file};
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = show->cert, .chain = show->chain});
    assert_non_null(server);
    ferry_error err = {0};
    struct fy_stream *stream =
        tls_test_dial(show->options != NULL ? show->options : &trusting, tls_server_port(server),
                      show->host != NULL ? show->host : "localhost", &err);
    if (message == NULL) {
        assert_string_equal(err.message, "");
        assert_non_null(stream);
        tls_test_write(stream, "hello");
        tls_test_expect(stream, "hello");
        tls_test_free(stream);
    } else {
        char whole[512];
        snprintf(whole, sizeof whole, "tls test:443: %s", message);
        assert_null(stream);
        assert_string_equal(err.message, whole);
        assert_int_equal(err.code, FERRY_ECERTIFICATE);
    }
    tls_server_stop(server);
}

/* expect(), of a certificate that is made for it. */
static void expect_made(const struct cert_options *options, const char *host, const char *message)
{
    struct cert *cert = cert_make(options);
    expect(&(struct show){.cert = cert, .host = host}, message);
    cert_free(cert);
}

static void good(void **state)
{
    (void)state;
    expect(&(struct show){.cert = world.server}, NULL);
    expect(&(struct show){.cert = world.server, .host = "127.0.0.1"}, NULL);
    expect(&(struct show){.cert = world.server, .host = "localhost."}, NULL);
    expect(&(struct show){.cert = world.server, .host = "LOCALHOST"}, NULL);
    expect_made(
        &(struct cert_options){
            .name = "rsa", .names = "DNS:localhost", .issuer = world.ca, .rsa_bits = 2048},
        NULL, NULL);
}

static void expired(void **state)
{
    (void)state;
    char message[128];
    char date[FY_TLS_TIME_TEXT];
    struct cert *cert = cert_make(&(struct cert_options){.name = "server",
                                                         .names = "DNS:localhost",
                                                         .issuer = world.ca,
                                                         .from = -2 * DAY,
                                                         .until = -DAY});
    fy_tls_time_text(X509_get0_notAfter(cert->x509), date);
    snprintf(message, sizeof message, "certificate \"server\" expired on %s", date);
    expect(&(struct show){.cert = cert}, message);
    cert_free(cert);
}

static void not_yet_valid(void **state)
{
    (void)state;
    char message[128];
    char date[FY_TLS_TIME_TEXT];
    struct cert *cert = cert_make(&(struct cert_options){.name = "server",
                                                         .names = "DNS:localhost",
                                                         .issuer = world.ca,
                                                         .from = DAY,
                                                         .until = 2 * DAY});
    fy_tls_time_text(X509_get0_notBefore(cert->x509), date);
    snprintf(message, sizeof message, "certificate \"server\" is not valid before %s", date);
    expect(&(struct show){.cert = cert}, message);
    cert_free(cert);
}

static void wrong_host(void **state)
{
    (void)state;
    expect(&(struct show){.cert = world.server, .host = "example.com"},
           "certificate \"server\" is for localhost, 127.0.0.1, not for example.com");
    expect(&(struct show){.cert = world.server, .host = "127.0.0.2"},
           "certificate \"server\" is for localhost, 127.0.0.1, not for 127.0.0.2");
    expect_made(&(struct cert_options){.name = "many",
                                       .names = "DNS:a.example,DNS:b.example,DNS:*.c.example,"
                                                "DNS:d.example,DNS:e.example",
                                       .issuer = world.ca},
                "c.example",
                "certificate \"many\" is for a.example, b.example, *.c.example and 2 more, not for "
                "c.example");
}

static void common_name_does_not_count(void **state)
{
    (void)state;
    expect_made(&(struct cert_options){.name = "localhost", .issuer = world.ca}, NULL,
                "certificate \"localhost\" is for no host, not for localhost");
}

static void wildcards(void **state)
{
    (void)state;
    const struct cert_options options = {
        .name = "wild", .names = "DNS:*.b.example,DNS:w*.c.example", .issuer = world.ca};
    expect_made(&options, "a.b.example", NULL);
    expect_made(&options, "a.a.b.example",
                "certificate \"wild\" is for *.b.example, w*.c.example, not for a.a.b.example");
    expect_made(&options, "www.c.example",
                "certificate \"wild\" is for *.b.example, w*.c.example, not for www.c.example");
}

static void addresses(void **state)
{
    (void)state;
    const struct cert_options options = {
        .name = "addresses", .names = "IP:10.0.0.1,IP:fe80::1", .issuer = world.ca};
    expect_made(&options, "10.0.0.1", NULL);
    expect_made(&options, "fe80::1", NULL);
    expect_made(&options, "fe80::1%lo", NULL);
    expect_made(&options, "::1", "certificate \"addresses\" is for 10.0.0.1, fe80::1, not for ::1");
    /* A name that looks like an address is none. */
    expect_made(
        &(struct cert_options){.name = "name", .names = "DNS:127.0.0.1", .issuer = world.ca},
        "127.0.0.1", "certificate \"name\" is for 127.0.0.1, not for 127.0.0.1");
}

static void wrong_purpose(void **state)
{
    (void)state;
    expect_made(
        &(struct cert_options){
            .name = "server", .names = "DNS:localhost", .issuer = world.ca, .usage = "clientAuth"},
        NULL, "certificate \"server\" is not for servers (extended key usage)");
}

static void self_signed(void **state)
{
    (void)state;
    struct cert *cert = cert_make(&(struct cert_options){.name = "self", .names = "DNS:localhost"});
    expect(&(struct show){.cert = cert},
           "certificate \"self\" is self-signed, and not one of those trusted");
    cert_write(tls_path("self.pem"), (const struct cert *const[]){cert, NULL}, NULL, NULL);
    const ferry_tls_options trusting = {.ca_file = tls_path("self.pem")};
    expect(&(struct show){.cert = cert, .options = &trusting}, NULL);
    cert_free(cert);
}

static void unknown_authority(void **state)
{
    (void)state;
    struct cert *other = cert_make(&(struct cert_options){.name = "Other CA", .is_ca = true});
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "server", .names = "DNS:localhost", .issuer = other});
    expect(&(struct show){.cert = cert},
           "certificate \"server\" has an unknown issuer: \"Other CA\" is not trusted, and the "
           "server did not send its certificate");
    expect(&(struct show){.cert = cert, .chain = (const struct cert *const[]){other, NULL}},
           "authority's certificate \"Other CA\" is a root that is not trusted (unknown "
           "authority)");
    cert_free(cert);
    cert_free(other);
}

/* An authority of the same name, but not the same key. */
static void forged_authority(void **state)
{
    (void)state;
    struct cert *other = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "server", .names = "DNS:localhost", .issuer = other});
    expect(&(struct show){.cert = cert},
           "certificate \"server\" has an unknown issuer: \"Test CA\" is not trusted, and the "
           "server did not send its certificate");
    cert_free(cert);
    cert_free(other);
}

static void intermediates(void **state)
{
    (void)state;
    struct cert *cert = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost", .issuer = world.intermediate});
    const struct cert *const chain[] = {world.intermediate, NULL};
    expect(&(struct show){.cert = cert, .chain = chain}, NULL);
    expect(
        &(struct show){.cert = cert},
        "certificate \"server\" has an unknown issuer: \"Test Intermediate\" is not trusted, and "
        "the server did not send its certificate");
    cert_write(tls_path("middle.pem"), chain, NULL, NULL);
    const ferry_tls_options trusting = {.ca_file = tls_path("middle.pem")};
    expect(&(struct show){.cert = cert, .options = &trusting}, NULL);
    cert_free(cert);
}

static void issuer_that_is_no_authority(void **state)
{
    (void)state;
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "evil", .names = "DNS:localhost", .issuer = world.server});
    expect(&(struct show){.cert = cert, .chain = (const struct cert *const[]){world.server, NULL}},
           "authority's certificate \"server\" is no authority's, and may not issue others");
    cert_free(cert);
}

static void weak_key(void **state)
{
    (void)state;
    const struct cert_options options = {
        .name = "weak", .names = "DNS:localhost", .issuer = world.ca, .rsa_bits = 1024};
    struct cert *cert = cert_make(&options);
    expect(&(struct show){.cert = cert},
           "certificate \"weak\" has a key that is too weak (rsaEncryption, 1024 bits)");
    const ferry_tls_options lax = {.ca_file = world.ca_file, .ciphers = "DEFAULT@SECLEVEL=1"};
    expect(&(struct show){.cert = cert, .options = &lax}, NULL);
    cert_free(cert);
}

static void name_constraints(void **state)
{
    (void)state;
    struct cert *limited =
        cert_make(&(struct cert_options){.name = "Limited CA",
                                         .is_ca = true,
                                         .issuer = world.ca,
                                         .constraints = "critical,permitted;DNS:good.example"});
    const struct cert *const chain[] = {limited, NULL};
    struct cert *good_one = cert_make(
        &(struct cert_options){.name = "www", .names = "DNS:www.good.example", .issuer = limited});
    struct cert *bad_one = cert_make(
        &(struct cert_options){.name = "evil", .names = "DNS:localhost", .issuer = limited});
    expect(&(struct show){.cert = good_one, .chain = chain, .host = "www.good.example"}, NULL);
    expect(&(struct show){.cert = bad_one, .chain = chain},
           "certificate \"evil\" is for a name that its authority may not issue for (name "
           "constraints)");
    cert_free(good_one);
    cert_free(bad_one);
    cert_free(limited);
}

static void revoked(void **state)
{
    (void)state;
    char message[128];
    char date[FY_TLS_TIME_TEXT];
    const char *file = tls_path("list.crl");
    const ferry_tls_options options = {.ca_file = world.ca_file, .crl_file = file};
    cert_write_crl(file, world.ca, NULL, DAY);
    expect(&(struct show){.cert = world.server, .options = &options}, NULL);
    cert_write_crl(file, world.ca, world.client, DAY); /* another one */
    expect(&(struct show){.cert = world.server, .options = &options}, NULL);
    cert_write_crl(file, world.ca, world.server, DAY);
    ASN1_TIME *yesterday = X509_gmtime_adj(NULL, -DAY);
    fy_tls_time_text(yesterday, date);
    ASN1_TIME_free(yesterday);
    date[strlen("2026-01-02")] = '\0'; /* the seconds may have gone on */
    snprintf(message, sizeof message, "tls test:443: certificate \"server\" was revoked on %s",
             date);
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = world.server});
    ferry_error err = {0};
    assert_null(tls_test_dial(&options, tls_server_port(server), "localhost", &err));
    tls_server_stop(server);
    assert_int_equal(err.code, FERRY_ECERTIFICATE);
    assert_memory_equal(err.message, message, strlen(message));
}

static void revocation_unknown(void **state)
{
    (void)state;
    char message[160];
    char date[FY_TLS_TIME_TEXT];
    const char *file = tls_path("other.crl");
    const ferry_tls_options options = {.ca_file = world.ca_file, .crl_file = file};
    cert_write_crl(file, world.intermediate, NULL, DAY);
    expect(&(struct show){.cert = world.server, .options = &options},
           "certificate \"server\" cannot be checked: there is no revocation list of \"Test CA\"");
    cert_write_crl(file, world.ca, NULL, -DAY);
    ASN1_TIME *yesterday = X509_gmtime_adj(NULL, -DAY);
    fy_tls_time_text(yesterday, date);
    ASN1_TIME_free(yesterday);
    date[strlen("2026-01-02")] = '\0';
    snprintf(message, sizeof message,
             "tls test:443: certificate \"server\" cannot be checked: its issuer's revocation list "
             "expired on "
             "%s",
             date);
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = world.server});
    ferry_error err = {0};
    assert_null(tls_test_dial(&options, tls_server_port(server), "localhost", &err));
    tls_server_stop(server);
    assert_memory_equal(err.message, message, strlen(message));
}

static void pins(void **state)
{
    (void)state;
    char right[CERT_PIN_TEXT];
    char wrong[CERT_PIN_TEXT];
    char both[2 * CERT_PIN_TEXT + 1];
    cert_pin(world.server, right);
    cert_pin(world.client, wrong);
    snprintf(both, sizeof both, "%s;%s", wrong, right);
    ferry_tls_options options = {.ca_file = world.ca_file, .pinned_public_keys = right};
    const char *refused = "certificate \"server\" has a public key that is none of the pinned ones";
    expect(&(struct show){.cert = world.server, .options = &options}, NULL);
    options.pinned_public_keys = both;
    expect(&(struct show){.cert = world.server, .options = &options}, NULL);
    options.pinned_public_keys = wrong;
    expect(&(struct show){.cert = world.server, .options = &options}, refused);
    options.insecure_skip_verify = true;
    expect(&(struct show){.cert = world.server, .options = &options}, refused);
    options.pinned_public_keys = right;
    expect(&(struct show){.cert = world.server, .options = &options, .host = "elsewhere"}, NULL);
}

static void verification_off(void **state)
{
    (void)state;
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "self", .from = -2 * DAY, .until = -DAY, .rsa_bits = 1024});
    const ferry_tls_options options = {.insecure_skip_verify = true};
    expect(&(struct show){.cert = cert, .options = &options}, NULL);
    cert_free(cert);
}

/* Its own text must not steer a terminal, or end our quotes. */
static void names_are_tamed(void **state)
{
    (void)state;
    expect_made(&(struct cert_options){.name = "a\x1b[31m\"\n", .issuer = world.ca}, NULL,
                "certificate \"a?[31m??\" is for no host, not for localhost");
}

static void where_trust_comes_from(void **state)
{
    (void)state;
    ferry_tls_options options = {0};
    const struct show show = {.cert = world.server, .options = &options};
    const char *refused =
        "certificate \"server\" has an unknown issuer: \"Test CA\" is not trusted, and the server "
        "did not send its certificate";
    char name[64];
    size_t len;
    expect(&show, refused);
    setenv("SSL_CERT_FILE", world.ca_file, 1);
    expect(&show, NULL);
    options.ca_file = tls_path("unrelated.pem");
    struct cert *other = cert_make(&(struct cert_options){.name = "Other CA", .is_ca = true});
    cert_write(options.ca_file, (const struct cert *const[]){other, NULL}, NULL, NULL);
    cert_free(other);
    expect(&show, refused);
    options.ca_and_system = true;
    expect(&show, NULL);
    unsetenv("SSL_CERT_FILE");
    expect(&show, refused);

    char *pem = temp_file_read(world.ca_file, &len);
    assert_non_null(pem);
    options = (ferry_tls_options){.ca_bytes = pem, .ca_len = len};
    expect(&show, NULL);

    snprintf(name, sizeof name, "hashed/%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(world.ca->x509), NULL, NULL, NULL));
    assert_true(temp_file_write(tls_path(name), pem, len));
    options = (ferry_tls_options){.ca_directory = tls_path("hashed")};
    expect(&show, NULL);
    options.ca_directory = NULL;
    setenv("SSL_CERT_DIR", tls_path("hashed"), 1);
    expect(&show, NULL);
    unsetenv("SSL_CERT_DIR");
    free(pem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good),
        TEST(expired),
        TEST(not_yet_valid),
        TEST(wrong_host),
        TEST(common_name_does_not_count),
        TEST(wildcards),
        TEST(addresses),
        TEST(wrong_purpose),
        TEST(self_signed),
        TEST(unknown_authority),
        TEST(forged_authority),
        TEST(intermediates),
        TEST(issuer_that_is_no_authority),
        TEST(weak_key),
        TEST(name_constraints),
        TEST(revoked),
        TEST(revocation_unknown),
        TEST(pins),
        TEST(verification_off),
        TEST(names_are_tamed),
        TEST(where_trust_comes_from),
    };
    return cmocka_run_group_tests_name("tls verify", tests, tls_world_make, tls_world_free);
}
