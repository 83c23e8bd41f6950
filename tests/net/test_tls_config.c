/*
 * Configurations that cannot be: each refused with what is wrong with it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_test.h"
#include "tls_test.h"

static void refuse(const ferry_tls_options *options, int code, const char *message)
{
    ferry_error err = {0};
    assert_null(fy_tls_config_new(options, &err));
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
}

/* As refuse(), of a message that has a path in it. */
static void refuse_file(const ferry_tls_options *options, int code, const char *before,
                        const char *path, const char *after)
{
    char message[240];
    snprintf(message, sizeof message, "%s%s%s", before, path, after);
    refuse(options, code, message);
}

static void versions(void **state)
{
    (void)state;
    refuse(&(ferry_tls_options){.min_version = 0x0302}, FERRY_EINVAL,
           "tls: versions are TLS 1.2 and TLS 1.3");
    refuse(&(ferry_tls_options){.max_version = 0x0305}, FERRY_EINVAL,
           "tls: versions are TLS 1.2 and TLS 1.3");
    refuse(&(ferry_tls_options){.min_version = FERRY_TLS_1_3, .max_version = FERRY_TLS_1_2},
           FERRY_EINVAL, "tls: the highest version is below the lowest");
}

static void ciphers_and_protocols(void **state)
{
    (void)state;
    refuse(&(ferry_tls_options){.ciphers = "NOSUCH"}, FERRY_EINVAL, "tls: no such ciphers: NOSUCH");
    refuse(&(ferry_tls_options){.cipher_suites = "NOSUCH"}, FERRY_EINVAL,
           "tls: no such cipher suites: NOSUCH");
    refuse(&(ferry_tls_options){.alpn = "h2,,http/1.1"}, FERRY_EINVAL,
           "tls: protocol names (ALPN) are unusable: ,http/1.1");
}

static void pins(void **state)
{
    (void)state;
    char pin[CERT_PIN_TEXT];
    char two[2 * CERT_PIN_TEXT];
    cert_pin(world.server, pin);
    static const char *const bad[] = {"", "sha256//", "sha1//AAAA",
                                      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse_file(&(ferry_tls_options){.pinned_public_keys = bad[i]}, FERRY_EINVAL,
                    "tls: a pinned public key is \"sha256//\" and 32 bytes in base64: ", bad[i],
                    "");
    }
    snprintf(two, sizeof two, "%s;", pin);
    refuse(&(ferry_tls_options){.pinned_public_keys = two}, FERRY_EINVAL,
           "tls: a pinned public key is \"sha256//\" and 32 bytes in base64: ");
    fy_tls_config_release(tls_test_config(&(ferry_tls_options){.pinned_public_keys = pin}));
}

static void trust(void **state)
{
    (void)state;
    const char *none = tls_path("none.pem");
    const char *empty = tls_path("empty.pem");
    assert_true(temp_file_write(empty, "nothing\n", 8));
    refuse_file(&(ferry_tls_options){.ca_file = none}, FERRY_EINVAL, "tls: CA certificates ", none,
                ": no such file or directory");
    refuse_file(&(ferry_tls_options){.ca_file = empty}, FERRY_ETLS, "tls: CA certificates ", empty,
                ": no certificate in it (PEM)");
    refuse(&(ferry_tls_options){.ca_bytes = "x", .ca_len = 1}, FERRY_ETLS,
           "tls: CA certificates: no certificate in it (PEM)");
    refuse_file(&(ferry_tls_options){.ca_directory = none}, FERRY_EINVAL, "tls: CA directory ",
                none, ": no such file or directory");
    refuse_file(&(ferry_tls_options){.ca_directory = empty}, FERRY_EINVAL, "tls: CA directory ",
                empty, ": not a directory");
    refuse_file(&(ferry_tls_options){.crl_file = none}, FERRY_EINVAL, "tls: CRL ", none,
                ": no such file or directory");
    refuse_file(&(ferry_tls_options){.crl_file = empty}, FERRY_ETLS, "tls: CRL ", empty,
                ": no revocation list in it (PEM)");
    refuse_file(&(ferry_tls_options){.key_log_file = world.directory}, FERRY_EINVAL,
                "tls: key log ", world.directory, ": is a directory");
}

static void broken_certificate(void **state)
{
    (void)state;
    static const char text[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    ferry_error err = {0};
    assert_null(
        fy_tls_config_new(&(ferry_tls_options){.ca_bytes = text, .ca_len = strlen(text)}, &err));
    assert_int_equal(err.code, FERRY_ETLS);
    assert_memory_equal(err.message, "tls: CA certificates: ", 22);
}

static void client_certificates(void **state)
{
    (void)state;
    const char *certificate = tls_path("certificate.pem");
    const char *key = tls_path("key.pem");
    const char *other = tls_path("other.pem");
    const struct cert *const chain[] = {world.client, NULL};
    cert_write(certificate, chain, NULL, NULL);
    cert_write(key, (const struct cert *const[]){NULL}, world.client, "secret");
    cert_write(other, (const struct cert *const[]){NULL}, world.server, NULL);
    refuse_file(&(ferry_tls_options){.key_file = key}, FERRY_EINVAL, "tls: client key ", key,
                ": it has no client certificate");
    refuse_file(&(ferry_tls_options){.certificate_file = certificate}, FERRY_ETLS,
                "tls: client key ", certificate, ": no private key in it (PEM)");
    refuse_file(&(ferry_tls_options){.certificate_file = other}, FERRY_ETLS,
                "tls: client certificate ", other, ": no certificate in it (PEM)");
    ferry_tls_options options = {.certificate_file = certificate, .key_file = key};
    refuse_file(&options, FERRY_ETLS, "tls: client key ", key,
                ": it is encrypted, and no password is given");
    options.key_password = "wrong";
    refuse_file(&options, FERRY_ETLS, "tls: client key ", key,
                ": it cannot be decrypted (is the password right?)");
    options.key_password = "secret";
    fy_tls_config_release(tls_test_config(&options));
    options.key_file = other;
    refuse_file(&options, FERRY_ETLS, "tls: client key ", other, ": key values mismatch");
}

static void released_null(void **state)
{
    (void)state;
    fy_tls_config_release(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(versions),           TEST(ciphers_and_protocols), TEST(pins),          TEST(trust),
        TEST(broken_certificate), TEST(client_certificates),   TEST(released_null),
    };
    return cmocka_run_group_tests_name("tls config", tests, tls_world_make, tls_world_free);
}
