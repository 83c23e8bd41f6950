/*
 * What a program may ask of TLS beyond the usual: groups, certificates that are not PEM, a pinned
 * key in a file, and a server's proof that its certificate is not revoked. Against openssl s_server.
 */
#include "https_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct s_server *serving_ok(const char *const *arguments)
{
    struct s_server *server = https_s_server(S_SERVER_HTTP, arguments);
    assert_true(s_server_write_file(server, "ok", BYTES(OK_REPLY)));
    return server;
}
#define SERVING_OK(...) serving_ok((const char *const[]){__VA_ARGS__, NULL})

/* A GET with these options must bring "ok", or fail with a code and a part of its sentence. */
static void expect(void **state, const struct s_server *server, const ferry_tls_options *tls,
                   int code, const char *message)
{
    ferry_transport *transport = https_transport(state, tls);
    struct outcome outcome = get(transport, https_url(s_server_port(server), "/ok"));
    if (message == NULL) {
        assert_got(outcome, 200, "ok");
    } else {
        assert_failed(outcome, code, message);
    }
    transport_done(state, transport);
}

/* --------------------------------------------------------------------------------------- groups */

static void test_groups(void **state)
{
    struct s_server *server = SERVING_OK("-groups", "P-384");
    expect(state, server, TRUSTING(.groups = "X25519:P-384"), 0, NULL);
    expect(state, server, TRUSTING(.groups = "X25519"), FERRY_ETLS, "the server refused");
    expect(state, server, TRUSTING(.groups = "nonsense"), FERRY_EINVAL,
           "tls: no such groups: nonsense");
    s_server_stop(server);
}

/* -------------------------------------------------------------------------- certificates' types */

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static const char *write_certificate_der(const char *name)
{
    const char *path = https_path(name);
    FILE *file = create(path);
    assert_true(i2d_X509_fp(file, world.client->x509) > 0);
    fclose(file);
    return path;
}

static const char *write_key_der(const char *name, const char *password)
{
    const char *path = https_path(name);
    FILE *file = create(path);
    assert_true(password != NULL
                    ? i2d_PKCS8PrivateKey_fp(file, world.client->key, EVP_aes_128_cbc(), password,
                                             (int)strlen(password), NULL, NULL) > 0
                    : i2d_PrivateKey_fp(file, world.client->key) > 0);
    fclose(file);
    return path;
}

static const char *write_p12(const char *name, const char *password)
{
    const char *path = https_path(name);
    FILE *file = create(path);
    PKCS12 *p12 =
        PKCS12_create(password, "me", world.client->key, world.client->x509, NULL, 0, 0, 0, 0, 0);
    assert_non_null(p12);
    assert_true(i2d_PKCS12_fp(file, p12) > 0);
    PKCS12_free(p12);
    fclose(file);
    return path;
}

static void test_client_certificates_of_other_types(void **state)
{
    struct s_server *server =
        SERVING_OK("-Verify", "1", "-CAfile", world.ca_file, "-verify_return_error");
    const char *der = write_certificate_der("client.der");
    const char *key = write_key_der("key.der", NULL);
    const char *locked = write_key_der("locked.der", "sesame");
    const char *p12 = write_p12("client.p12", "sesame");
    expect(state, server,
           TRUSTING(.certificate_file = der, .certificate_type = "DER", .key_file = key,
                    .key_type = "der"),
           0, NULL);
    expect(state, server,
           TRUSTING(.certificate_file = der, .certificate_type = "DER", .key_file = locked,
                    .key_type = "DER", .key_password = "sesame"),
           0, NULL);
    expect(state, server,
           TRUSTING(.certificate_file = world.client_file, .key_file = key, .key_type = "DER"), 0,
           NULL);
    expect(state, server,
           TRUSTING(.certificate_file = p12, .certificate_type = "P12", .key_password = "sesame"),
           0, NULL);
    s_server_stop(server);
}

static void test_client_certificates_that_are_none(void **state)
{
    struct s_server *server = SERVING_OK("-Verify", "1");
    const char *der = write_certificate_der("client.der");
    const char *locked = write_key_der("locked.der", "sesame");
    const char *p12 = write_p12("client.p12", "sesame");
    expect(state, server, TRUSTING(.certificate_file = der), FERRY_ETLS,
           "no certificate in it (PEM)");
    expect(state, server, TRUSTING(.certificate_file = der, .certificate_type = "CER"),
           FERRY_EINVAL, "type is PEM, DER or P12, and not CER");
    expect(state, server,
           TRUSTING(.certificate_file = world.client_file, .certificate_type = "DER"), FERRY_ETLS,
           "tls: client certificate ");
    expect(state, server,
           TRUSTING(.certificate_file = der, .certificate_type = "DER", .key_file = locked,
                    .key_type = "DER"),
           FERRY_ETLS, "no private key in it (DER)");
    expect(state, server,
           TRUSTING(.certificate_file = p12, .certificate_type = "P12", .key_password = "wrong"),
           FERRY_ETLS, "it cannot be opened (is the password right?)");
    expect(state, server,
           TRUSTING(.certificate_file = https_path("none.p12"), .certificate_type = "P12"),
           FERRY_EINVAL, "no such file or directory");
    s_server_stop(server);
}

/* ------------------------------------------------------------------------------ keys from files */

static void test_pinned_key_from_a_file(void **state)
{
    struct s_server *server = SERVING_OK("-tls1_3");
    const struct cert *const certs[] = {world.server, world.client};
    for (int i = 0; i < 2; i++) {
        const char *names[] = {https_path("key.pem"), https_path("key.spki"),
                               https_path("cert.pem"), https_path("cert.der")};
        FILE *files[4];
        for (int j = 0; j < 4; j++) {
            files[j] = create(names[j]);
        }
        assert_true(
            PEM_write_PUBKEY(files[0], certs[i]->key) && i2d_PUBKEY_fp(files[1], certs[i]->key) &&
            PEM_write_X509(files[2], certs[i]->x509) && i2d_X509_fp(files[3], certs[i]->x509));
        for (int j = 0; j < 4; j++) {
            fclose(files[j]);
            expect(state, server, TRUSTING(.pinned_public_key_file = names[j]), FERRY_ECERTIFICATE,
                   i == 0 ? NULL : "none of the pinned ones");
        }
    }
    char pin[CERT_PIN_TEXT];
    cert_pin(world.server, pin);
    expect(state, server,
           TRUSTING(.pinned_public_key_file = https_path("cert.der"), .pinned_public_keys = pin), 0,
           NULL);
    expect(state, server, TRUSTING(.pinned_public_key_file = https_path("no.pem")), FERRY_EINVAL,
           "no such file or directory");
    const char *nothing = https_path("nothing.pem");
    assert_true(temp_file_write(nothing, "nothing", 7));
    expect(state, server, TRUSTING(.pinned_public_key_file = nothing), FERRY_ETLS,
           "neither a public key nor a certificate");
    s_server_stop(server);
}

/* ---------------------------------------------------------------------------------- revocation */

/* What the status file says: of whom, by whom, from when until when (seconds from now). */
struct word {
    const struct cert *of, *by;
    int status; /* V_OCSP_CERTSTATUS_... */
    long from, until;
    int failure; /* OCSP_RESPONSE_STATUS_... instead; 0: none */
};

static const char *write_status(const char *name, const struct word *word)
{
    const char *path = https_path(name);
    FILE *file = create(path);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, word->of->x509, world.ca->x509);
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_adj(NULL, time(NULL), 0, word->from);
    ASN1_TIME *until = ASN1_GENERALIZEDTIME_adj(NULL, time(NULL), 0, word->until);
    ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_adj(NULL, time(NULL), 0, -1000);
    assert_non_null(OCSP_basic_add1_status(
        basic, id, word->status, 0, word->status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL,
        from, until));
    assert_true(OCSP_basic_sign(basic, word->by->x509, word->by->key, EVP_sha256(), NULL, 0));
    OCSP_RESPONSE *response =
        OCSP_response_create(word->failure, word->failure == 0 ? basic : NULL);
    assert_non_null(response);
    unsigned char *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    assert_true(len > 0 && fwrite(der, 1, (size_t)len, file) == (size_t)len);
    OPENSSL_free(der);
    fclose(file);
    OCSP_RESPONSE_free(response);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return path;
}

static void shows_status(void **state, const struct word *word, const char *message)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    const char *path = write_status("status", word);
    for (int i = 0; i < 2; i++) {
        struct s_server *server = SERVING_OK(versions[i], "-status_file", path);
        expect(state, server, TRUSTING(.require_status = 1), FERRY_ECERTIFICATE, message);
        s_server_stop(server);
    }
}

static void test_required_status(void **state)
{
    const struct word good = {.of = world.server, .by = world.ca, .from = -3600, .until = 3600};
    struct word word = good;
    shows_status(state, &word, NULL);
    word.status = V_OCSP_CERTSTATUS_REVOKED;
    shows_status(state, &word, "the word that it is revoked (OCSP), and a good status is required");
    word.status = V_OCSP_CERTSTATUS_UNKNOWN;
    shows_status(state, &word, "its issuer does not know it");
}

static void test_required_status_that_will_not_do(void **state)
{
    const struct word good = {.of = world.server, .by = world.ca, .from = -3600, .until = 3600};
    struct word word = good;
    word.of = world.client;
    shows_status(state, &word, "another certificate's status");
    word = good;
    word.by = world.client;
    shows_status(state, &word, "not signed");
    word = good;
    word.from = -7200;
    word.until = -3600;
    shows_status(state, &word, "out of date");
    word.from = 3600;
    word.until = 7200;
    shows_status(state, &word, "out of date");
    word = good;
    word.failure = OCSP_RESPONSE_STATUS_TRYLATER;
    shows_status(state, &word, "its responder's failure");
}

static void test_required_status_that_does_not_come(void **state)
{
    struct s_server *server = SERVING_OK("-tls1_3");
    expect(state, server, TRUSTING(.require_status = 1), FERRY_ECERTIFICATE,
           "no word on whether it is revoked");
    s_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_groups),
        TRANSPORT_TEST(test_client_certificates_of_other_types),
        TRANSPORT_TEST(test_client_certificates_that_are_none),
        TRANSPORT_TEST(test_pinned_key_from_a_file),
        TRANSPORT_TEST(test_required_status),
        TRANSPORT_TEST(test_required_status_that_will_not_do),
        TRANSPORT_TEST(test_required_status_that_does_not_come),
    };
    return cmocka_run_group_tests_name("choices of TLS", tests, https_world_make, https_world_free);
}
