/*
 * Certificates that are right, and wrong in each way, shown by real servers: nginx and openssl s_server.
 * Each is accepted, or refused with the sentence that a client's caller reads, to the letter.
 */
#include "https_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct cert *unknown_ca; /* nobody trusts it */
static struct cert *intermediate;

static int make_world(void **state)
{
    if (https_world_make(state) != 0) {
        return -1;
    }
    unknown_ca = cert_make(&(struct cert_options){.name = "Unknown CA", .is_ca = true});
    intermediate = cert_make(
        &(struct cert_options){.name = "Intermediate", .is_ca = true, .issuer = world.ca});
    return 0;
}

static int free_world(void **state)
{
    cert_free(intermediate);
    cert_free(unknown_ca);
    return https_world_free(state);
}

/* ------------------------------------------------------------------------- a server and its answer */

/* What a server shows, and how it is asked. */
struct show {
    const struct cert *cert;
    const struct cert *const *chain;
    const char *host;             /* NULL: localhost */
    const ferry_tls_options *tls; /* NULL: the test's CA is trusted */
};

/* Whatever the URL's host, the connection goes to the port. */
static void ask(void **state, const struct show *show, int port, const char *message)
{
    char url[128];
    char wanted[512];
    ferry_error err = {0};
    const char *host = show->host != NULL ? show->host : "localhost";
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = port);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook,
                                       .tls = show->tls != NULL ? show->tls : TRUSTING()));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    snprintf(url, sizeof url, "https://%s/hello", host);
    ferry_request *req = request("GET", url);
    ferry_response *res = ferry_client_do(client, req, &err);
    if (message == NULL) {
        struct outcome outcome = {0};
        assert_string_equal(err.message, "");
        read_body(res, &outcome);
        assert_string_equal(outcome.body, "hello");
        ferry_response_close(res);
        assert_int_equal(hook->begun, 1);
    } else {
        assert_null(res);
        snprintf(wanted, sizeof wanted, "Get \"%s\": tls %s:443: %s", url, host, message);
        assert_string_equal(err.message, wanted);
        assert_string_equal(ferry_strerror(err.code), "FERRY_ECERTIFICATE");
        assert_int_equal(stats_of(transport).dial_failures, 1);
        assert_int_equal(hook->begun, 1); /* and is not tried again */
    }
    ferry_request_free(req);
    ferry_client_free(client);
    transport_done(state, transport);
}

/* What is too weak for us is too weak for the servers, unless they are told. */
#define ANYTHING_GOES "DEFAULT@SECLEVEL=0"

static void expect(void **state, const struct show *show, const char *message)
{
    const char *pem = https_write("shown.pem", show->cert, show->chain);
    struct nginx *nginx = https_nginx(&(struct nginx_options){
        .tls_certificate = pem, .server = "ssl_ciphers " ANYTHING_GOES ";"});
    assert_true(nginx_write_file(nginx, "hello", BYTES("hello")));
    ask(state, show, nginx_tls_port(nginx), message);
    nginx_stop(nginx);

    /* The later ones of these arguments count. */
    struct s_server *server = S_SERVER(S_SERVER_HTTP, "-cert", pem, "-key", pem, "-cert_chain", pem,
                                       "-cipher", ANYTHING_GOES);
    assert_true(s_server_write_file(server, "hello",
                                    BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")));
    ask(state, show, s_server_port(server), message);
    s_server_stop(server);
}

static void expect_made(void **state, const struct cert_options *options, const char *message)
{
    struct cert *cert = cert_make(options);
    expect(state, &(struct show){.cert = cert}, message);
    cert_free(cert);
}

/* A day from now, or some, as messages show it. */
static const char *date_of(const ASN1_TIME *time)
{
    static char text[32];
    struct tm tm;
    assert_int_equal(ASN1_TIME_to_tm(time, &tm), 1);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm);
    return text;
}

/* ------------------------------------------------------------------------------------ the matrix */

static void test_good(void **state)
{
    expect(state, &(struct show){.cert = world.server}, NULL);
    expect_made(state,
                &(struct cert_options){
                    .name = "rsa", .names = "DNS:localhost", .issuer = world.ca, .rsa_bits = 2048},
                NULL);
}

static void test_expired(void **state)
{
    char message[128];
    struct cert *cert = cert_make(&(struct cert_options){.name = "old",
                                                         .names = "DNS:localhost",
                                                         .issuer = world.ca,
                                                         .from = -2 * DAY,
                                                         .until = -DAY});
    snprintf(message, sizeof message, "certificate \"old\" expired on %s",
             date_of(X509_get0_notAfter(cert->x509)));
    expect(state, &(struct show){.cert = cert}, message);
    cert_free(cert);
}

static void test_not_yet_valid(void **state)
{
    char message[128];
    struct cert *cert = cert_make(&(struct cert_options){.name = "early",
                                                         .names = "DNS:localhost",
                                                         .issuer = world.ca,
                                                         .from = DAY,
                                                         .until = 2 * DAY});
    snprintf(message, sizeof message, "certificate \"early\" is not valid before %s",
             date_of(X509_get0_notBefore(cert->x509)));
    expect(state, &(struct show){.cert = cert}, message);
    cert_free(cert);
}

static void test_wrong_host(void **state)
{
    expect(state, &(struct show){.cert = world.server, .host = "www.example.com"},
           "certificate \"server\" is for localhost, 127.0.0.1, ::1, not for "
           "www.example.com");
    expect_made(state, &(struct cert_options){.name = "localhost", .issuer = world.ca},
                "certificate \"localhost\" is for no host, not for localhost");
}

static void test_names(void **state)
{
    struct cert *cert = cert_make(&(struct cert_options){
        .name = "wild", .names = "DNS:*.b.example,DNS:xn--bcher-kva.example", .issuer = world.ca});
    expect(state, &(struct show){.cert = cert, .host = "a.b.example"}, NULL);
    expect(state, &(struct show){.cert = cert, .host = "a.b.example."}, NULL);
    expect(state, &(struct show){.cert = cert, .host = "xn--bcher-kva.example"}, NULL);
    expect(state, &(struct show){.cert = cert, .host = "b.example"},
           "certificate \"wild\" is for *.b.example, xn--bcher-kva.example, not for b.example");
    cert_free(cert);
}

static void test_addresses(void **state)
{
    expect(state, &(struct show){.cert = world.server, .host = "127.0.0.1"}, NULL);
    expect(state, &(struct show){.cert = world.server, .host = "[::1]"}, NULL);
    expect(state, &(struct show){.cert = world.server, .host = "[0:0::0:1]"}, NULL);
    expect(state, &(struct show){.cert = world.server, .host = "127.0.0.2"},
           "certificate \"server\" is for localhost, 127.0.0.1, ::1, not for "
           "127.0.0.2");
    expect(state, &(struct show){.cert = world.server, .host = "[::2]"},
           "certificate \"server\" is for localhost, 127.0.0.1, ::1, not for ::2");
    /* An address is no name. */
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "127.0.0.1", .names = "DNS:127.0.0.1", .issuer = world.ca});
    expect(state, &(struct show){.cert = cert, .host = "127.0.0.1"},
           "certificate \"127.0.0.1\" is for 127.0.0.1, not for 127.0.0.1");
    cert_free(cert);
}

static void test_wrong_purpose(void **state)
{
    expect_made(state,
                &(struct cert_options){.name = "for mail",
                                       .names = "DNS:localhost",
                                       .issuer = world.ca,
                                       .usage = "emailProtection"},
                "certificate \"for mail\" is not for servers (extended key usage)");
    expect_made(state,
                &(struct cert_options){.name = "for clients",
                                       .names = "DNS:localhost",
                                       .issuer = world.ca,
                                       .usage = "clientAuth"},
                "certificate \"for clients\" is not for servers (extended key usage)");
}

static void test_self_signed(void **state)
{
    struct cert *cert = cert_make(&(struct cert_options){.name = "self", .names = "DNS:localhost"});
    expect(state, &(struct show){.cert = cert},
           "certificate \"self\" is self-signed, and not one of those trusted");
    const char *own = https_path("self.pem");
    cert_write(own, (const struct cert *const[]){cert, NULL}, NULL, NULL);
    expect(state, &(struct show){.cert = cert, .tls = FERRY_TLS_OPTIONS(.ca_file = own)}, NULL);
    cert_free(cert);
}

static void test_unknown_authority(void **state)
{
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "server", .names = "DNS:localhost", .issuer = unknown_ca});
    expect(state, &(struct show){.cert = cert},
           "certificate \"server\" has an unknown issuer: \"Unknown CA\" is not trusted, and the "
           "server did not send its certificate");
    expect(state,
           &(struct show){.cert = cert, .chain = (const struct cert *const[]){unknown_ca, NULL}},
           "authority's certificate \"Unknown CA\" is a root that is not trusted (unknown "
           "authority)");
    cert_free(cert);
}

static void test_intermediates(void **state)
{
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "deep", .names = "DNS:localhost", .issuer = intermediate});
    expect(state, &(struct show){.cert = cert},
           "certificate \"deep\" has an unknown issuer: \"Intermediate\" is not trusted, and the "
           "server did not send its certificate");
    expect(state,
           &(struct show){.cert = cert, .chain = (const struct cert *const[]){intermediate, NULL}},
           NULL);
    cert_free(cert);
}

static void test_issuer_that_is_no_authority(void **state)
{
    struct cert *cert = cert_make(
        &(struct cert_options){.name = "forged", .names = "DNS:localhost", .issuer = world.server});
    expect(state,
           &(struct show){.cert = cert, .chain = (const struct cert *const[]){world.server, NULL}},
           "authority's certificate \"server\" is no authority's, and may not issue others");
    cert_free(cert);
}

static void test_weak_key(void **state)
{
    expect_made(state,
                &(struct cert_options){
                    .name = "weak", .names = "DNS:localhost", .issuer = world.ca, .rsa_bits = 1024},
                "certificate \"weak\" has a key that is too weak (rsaEncryption, 1024 bits)");
}

static void test_name_constraints(void **state)
{
    struct cert *bound = cert_make(&(struct cert_options){.name = "Bound CA",
                                                          .is_ca = true,
                                                          .issuer = world.ca,
                                                          .constraints = "permitted;DNS:.example"});
    struct cert *cert = cert_make(&(struct cert_options){
        .name = "two", .names = "DNS:localhost,DNS:a.example", .issuer = bound});
    const struct cert *const chain[] = {bound, NULL};
    expect(state, &(struct show){.cert = cert, .chain = chain},
           "certificate \"two\" is for a name that its authority may not issue for (name "
           "constraints)");
    cert_free(cert);
    cert =
        cert_make(&(struct cert_options){.name = "one", .names = "DNS:a.example", .issuer = bound});
    expect(state, &(struct show){.cert = cert, .chain = chain, .host = "a.example"}, NULL);
    cert_free(cert);
    cert_free(bound);
}

static void test_revoked(void **state)
{
    char message[160];
    char yesterday[32];
    time_t then = time(NULL) - DAY;
    const char *lists = https_path("crl.pem");
    const ferry_tls_options *tls = TRUSTING(.crl_file = lists);
    struct cert *revoked = cert_make(
        &(struct cert_options){.name = "revoked", .names = "DNS:localhost", .issuer = world.ca});
    cert_write_crl(lists, world.ca, revoked, DAY);
    expect(state, &(struct show){.cert = world.server, .tls = tls}, NULL);
    expect(state, &(struct show){.cert = revoked}, NULL); /* nobody said so */
    strftime(yesterday, sizeof yesterday, "%Y-%m-%d", gmtime(&then));
    struct nginx *nginx = https_nginx(
        &(struct nginx_options){.tls_certificate = https_write("revoked.pem", revoked, NULL)});
    ferry_transport *transport = https_transport(state, tls);
    struct outcome outcome = get(transport, nginx_tls_url(nginx, "/"));
    snprintf(message, sizeof message, "certificate \"revoked\" was revoked on %s ", yesterday);
    assert_failed(outcome, FERRY_ECERTIFICATE, message);
    nginx_stop(nginx);
    transport_done(state, transport);

    cert_write_crl(lists, unknown_ca, NULL, DAY);
    expect(state, &(struct show){.cert = world.server, .tls = tls},
           "certificate \"server\" cannot be checked: there is no revocation list of \"Test CA\"");
    cert_free(revoked);
}

static void test_pins(void **state)
{
    static const char wrong[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char none[] = "certificate \"server\" has a public key that is none of the pinned "
                               "ones";
    char pin[CERT_PIN_TEXT];
    char both[2 * CERT_PIN_TEXT];
    cert_pin(world.server, pin);
    snprintf(both, sizeof both, "%s;%s", wrong, pin);
    expect(state, &(struct show){.cert = world.server, .tls = TRUSTING(.pinned_public_keys = both)},
           NULL);
    expect(state,
           &(struct show){.cert = world.server, .tls = TRUSTING(.pinned_public_keys = wrong)},
           none);
    /* Without verification the pin is all that there is, and it counts. */
    expect(state,
           &(struct show){
               .cert = world.server,
               .host = "other.example",
               .tls = FERRY_TLS_OPTIONS(.insecure_skip_verify = 1, .pinned_public_keys = pin)},
           NULL);
    expect(state,
           &(struct show){
               .cert = world.server,
               .tls = FERRY_TLS_OPTIONS(.insecure_skip_verify = 1, .pinned_public_keys = wrong)},
           none);
    /* A pin does not stand for the checks. */
    expect(
        state,
        &(struct show){.cert = world.server, .tls = FERRY_TLS_OPTIONS(.pinned_public_keys = pin)},
        "certificate \"server\" has an unknown issuer: \"Test CA\" is not trusted, and the server "
        "did not send its certificate");
}

static void test_verification_off(void **state)
{
    struct cert *cert = cert_make(&(struct cert_options){
        .name = "self", .names = "DNS:other", .from = -2 * DAY, .until = -DAY});
    expect(state, &(struct show){.cert = cert, .tls = FERRY_TLS_OPTIONS(.insecure_skip_verify = 1)},
           NULL);
    cert_free(cert);
}

/* ------------------------------------------------------------------------ where trust comes from */

/* Writes the authority into a directory, under the name by which OpenSSL looks for it. */
static const char *hashed_directory(const struct cert *ca)
{
    char name[64];
    const char *directory = https_path("hashed");
    snprintf(name, sizeof name, "hashed/%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(ca->x509), NULL, NULL, NULL));
    (void)mkdir(directory, 0700);
    cert_write(https_path(name), (const struct cert *const[]){ca, NULL}, NULL, NULL);
    return directory;
}

static void test_trust_from_options(void **state)
{
    size_t len;
    char *pem = temp_file_read(world.ca_file, &len);
    expect(state,
           &(struct show){.cert = world.server,
                          .tls = FERRY_TLS_OPTIONS(.ca_bytes = pem, .ca_len = len)},
           NULL);
    free(pem);
    expect(state,
           &(struct show){.cert = world.server,
                          .tls = FERRY_TLS_OPTIONS(.ca_directory = hashed_directory(world.ca))},
           NULL);
}

static void test_trust_from_the_environment(void **state)
{
    static const char unknown[] =
        "certificate \"server\" has an unknown issuer: \"Test CA\" is not "
        "trusted, and the server did not send its certificate";
    const struct show standard = {.cert = world.server, .tls = FERRY_TLS_OPTIONS()};
    const char *directory = hashed_directory(world.ca);
    expect(state, &standard, unknown);
    setenv("SSL_CERT_FILE", world.ca_file, 1);
    expect(state, &standard, NULL);
    unsetenv("SSL_CERT_FILE");
    expect(state, &standard, unknown);
    setenv("SSL_CERT_DIR", directory, 1);
    expect(state, &standard, NULL);
    unsetenv("SSL_CERT_DIR");

    /* What the options name takes the environment's place, unless they want both. */
    const char *other = https_path("unknown.pem");
    cert_write(other, (const struct cert *const[]){unknown_ca, NULL}, NULL, NULL);
    setenv("SSL_CERT_FILE", world.ca_file, 1);
    expect(state, &(struct show){.cert = world.server, .tls = FERRY_TLS_OPTIONS(.ca_file = other)},
           unknown);
    expect(state,
           &(struct show){.cert = world.server,
                          .tls = FERRY_TLS_OPTIONS(.ca_file = other, .ca_and_system = 1)},
           NULL);
    unsetenv("SSL_CERT_FILE");
}

/* A transport without any TLS options of its own. */
static void test_trust_of_a_plain_transport(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    assert_true(nginx_write_file(nginx, "hello", BYTES("hello")));
    setenv("SSL_CERT_FILE", world.ca_file, 1);
    ferry_transport *transport = transport_with(state, NULL);
    assert_got(get(transport, nginx_tls_url(nginx, "/hello")), 200, "hello");
    unsetenv("SSL_CERT_FILE");
    assert_got(get(transport, nginx_tls_url(nginx, "/hello")), 200, "hello");
    nginx_stop(nginx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_good),
        TRANSPORT_TEST(test_expired),
        TRANSPORT_TEST(test_not_yet_valid),
        TRANSPORT_TEST(test_wrong_host),
        TRANSPORT_TEST(test_names),
        TRANSPORT_TEST(test_addresses),
        TRANSPORT_TEST(test_wrong_purpose),
        TRANSPORT_TEST(test_self_signed),
        TRANSPORT_TEST(test_unknown_authority),
        TRANSPORT_TEST(test_intermediates),
        TRANSPORT_TEST(test_issuer_that_is_no_authority),
        TRANSPORT_TEST(test_weak_key),
        TRANSPORT_TEST(test_name_constraints),
        TRANSPORT_TEST(test_revoked),
        TRANSPORT_TEST(test_pins),
        TRANSPORT_TEST(test_verification_off),
        TRANSPORT_TEST(test_trust_from_options),
        TRANSPORT_TEST(test_trust_from_the_environment),
        TRANSPORT_TEST(test_trust_of_a_plain_transport),
    };
    return cmocka_run_group_tests_name("https: certificates", tests, make_world, free_world);
}
