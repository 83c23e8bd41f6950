/*
 * The handshake: what is agreed, what is sent about us, and each way in which it fails or is ended.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"
#include "net_test.h"
#include "tls_test.h"

static struct tls_server *serve(struct tls_server_options options)
{
    options.cert = world.server;
    struct tls_server *server = tls_server_start(&options);
    assert_non_null(server);
    return server;
}

/* A handshake that must succeed, and what was agreed in it. */
static ferry_tls_info agree(struct tls_server_options server_options, ferry_tls_options options)
{
    struct tls_server *server = serve(server_options);
    options.ca_file = world.ca_file;
    struct fy_stream *stream = tls_test_open(&options, tls_server_port(server));
    tls_test_write(stream, "hello");
    tls_test_expect(stream, "hello");
    ferry_tls_info info = tls_test_info(stream);
    tls_test_free(stream);
    tls_server_stop(server);
    return info;
}

/* One that must not. */
static void refuse(struct tls_server_options server_options, ferry_tls_options options,
                   const char *message)
{
    ferry_error err = {0};
    struct tls_server *server = serve(server_options);
    options.ca_file = world.ca_file;
    struct fy_stream *stream = tls_test_dial(&options, tls_server_port(server), "localhost", &err);
    assert_null(stream);
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, FERRY_ETLS);
    tls_server_stop(server);
}

/* ------------------------------------------------------------------------------ what is agreed */

static void newest_version(void **state)
{
    (void)state;
    ferry_tls_info info =
        agree((struct tls_server_options){.alpn = "http/1.1"}, (ferry_tls_options){0});
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.alpn, "http/1.1");
    assert_string_equal(info.subject, "CN = server");
    assert_string_equal(info.issuer, "CN = Test CA");
    assert_int_equal(strlen(info.not_after), strlen("2026-01-02 03:04:05 UTC"));
    assert_true(info.verified);
    assert_false(info.resumed);
}

static void versions(void **state)
{
    (void)state;
    ferry_tls_info info =
        agree((struct tls_server_options){0}, (ferry_tls_options){.max_version = FERRY_TLS_1_2});
    assert_string_equal(info.version, "TLSv1.2");
    info =
        agree((struct tls_server_options){.max_version = TLS1_2_VERSION}, (ferry_tls_options){0});
    assert_string_equal(info.version, "TLSv1.2");
    info = agree((struct tls_server_options){0}, (ferry_tls_options){.min_version = FERRY_TLS_1_3});
    assert_string_equal(info.version, "TLSv1.3");
    refuse((struct tls_server_options){.max_version = TLS1_2_VERSION},
           (ferry_tls_options){.min_version = FERRY_TLS_1_3},
           "tls test:443: the server refused: protocol version (none in common)");
}

static void old_version_only(void **state)
{
    (void)state;
    refuse((struct tls_server_options){.max_version = TLS1_1_VERSION}, (ferry_tls_options){0},
           "tls test:443: the server refused: protocol version (none in common)");
}

static void ciphers(void **state)
{
    (void)state;
    ferry_tls_info info =
        agree((struct tls_server_options){0},
              (ferry_tls_options){.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256"});
    assert_string_equal(info.cipher, "TLS_CHACHA20_POLY1305_SHA256");
    info = agree((struct tls_server_options){.max_version = TLS1_2_VERSION},
                 (ferry_tls_options){.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"});
    assert_string_equal(info.cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
    refuse(
        (struct tls_server_options){.max_version = TLS1_2_VERSION,
                                    .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"},
        (ferry_tls_options){.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"},
        "tls test:443: the server refused: handshake failure (no cipher in common, or it wants a "
        "client certificate)");
}

static void application_protocols(void **state)
{
    (void)state;
    ferry_tls_info info = agree((struct tls_server_options){.alpn = "http/1.1"},
                                (ferry_tls_options){.alpn = "h2,http/1.1"});
    assert_string_equal(info.alpn, "http/1.1");
    info = agree((struct tls_server_options){0}, (ferry_tls_options){0});
    assert_string_equal(info.alpn, "");
    info = agree((struct tls_server_options){.alpn = "h2"}, (ferry_tls_options){.alpn = ""});
    assert_string_equal(info.alpn, "");
    refuse((struct tls_server_options){.alpn = "h2"}, (ferry_tls_options){0},
           "tls test:443: the server refused: no application protocol in common (ALPN)");
}

static void server_name(void **state)
{
    (void)state;
    static const struct {
        const char *host, *asked_for;
    } cases[] = {{"localhost", "localhost"}, {"localhost.", "localhost"}, {"127.0.0.1", ""}};
    struct fy_tls_config *config = tls_test_config(&(ferry_tls_options){.ca_file = world.ca_file});
    struct tls_server *server = serve((struct tls_server_options){0});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_error err = {0};
        struct fy_stream *stream =
            tls_test_client(config, tls_server_port(server), cases[i].host, &err);
        assert_string_equal(err.message, "");
        tls_test_write(stream, "x");
        tls_test_expect(stream, "x");
        assert_string_equal(tls_server_asked_for(server), cases[i].asked_for);
        tls_test_free(stream);
    }
    tls_server_stop(server);
    fy_tls_config_release(config);
}

static void no_tls_stream(void **state)
{
    (void)state;
    int ends[2];
    net_test_unix_pair(ends);
    struct fy_stream *stream = fy_socket_stream_new(ends[0]);
    assert_null(fy_tls_info_new(stream));
    tls_test_free(stream);
    close(ends[1]);
}

/* --------------------------------------------------------------------------------- who we are */

static void client_certificate(void **state)
{
    (void)state;
    const char *file = tls_path("client.pem");
    size_t len;
    cert_write(file, (const struct cert *const[]){world.client, NULL}, world.client, NULL);
    char *pem = temp_file_read(file, &len);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        const struct tls_server_options server = {.client_ca = world.ca, .max_version = version};
        agree(server, (ferry_tls_options){.certificate_file = file});
        agree(server, (ferry_tls_options){.certificate = pem, .certificate_len = len});
    }
    free(pem);
}

static void encrypted_client_key(void **state)
{
    (void)state;
    const char *chain = tls_path("client-chain.pem");
    const char *key = tls_path("client-key.pem");
    struct cert *deep = cert_make(&(struct cert_options){
        .name = "deep client", .usage = "clientAuth", .issuer = world.intermediate});
    cert_write(chain, (const struct cert *const[]){deep, world.intermediate, NULL}, NULL, NULL);
    cert_write(key, (const struct cert *const[]){NULL}, deep, "secret");
    agree(
        (struct tls_server_options){.client_ca = world.ca},
        (ferry_tls_options){.certificate_file = chain, .key_file = key, .key_password = "secret"});
    cert_free(deep);
}

static void client_certificate_missing(void **state)
{
    (void)state;
    char buf[4];
    refuse(
        (struct tls_server_options){.client_ca = world.ca, .max_version = TLS1_2_VERSION},
        (ferry_tls_options){0},
        "tls test:443: the server refused: handshake failure (no cipher in common, or it wants a "
        "client certificate)");
    /* With TLS 1.3 the client's handshake is over before the server says so. */
    struct tls_server *server = serve((struct tls_server_options){.client_ca = world.ca});
    struct fy_stream *stream =
        tls_test_open(&(ferry_tls_options){.ca_file = world.ca_file}, tls_server_port(server));
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -EPROTO);
    assert_string_equal(stream->ops->failure(stream),
                        "the server refused: certificate required (the client has none)");
    tls_test_free(stream);
    tls_server_stop(server);
}

static void client_certificate_unknown(void **state)
{
    (void)state;
    const char *file = tls_path("stranger.pem");
    struct cert *stranger = cert_make(&(struct cert_options){.name = "stranger"});
    cert_write(file, (const struct cert *const[]){stranger, NULL}, stranger, NULL);
    refuse((struct tls_server_options){.client_ca = world.ca, .max_version = TLS1_2_VERSION},
           (ferry_tls_options){.certificate_file = file},
           "tls test:443: the server refused: unknown CA (the client certificate's)");
    cert_free(stranger);
}

static void key_log(void **state)
{
    (void)state;
    const char *by_option = tls_path("keys.log");
    const char *by_environment = tls_path("environment.log");
    agree((struct tls_server_options){0}, (ferry_tls_options){.key_log_file = by_option});
    char *text = temp_file_read(by_option, NULL);
    assert_non_null(strstr(text, "CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
    assert_non_null(strstr(text, "\nSERVER_TRAFFIC_SECRET_0 "));
    free(text);
    setenv("SSLKEYLOGFILE", by_environment, 1);
    agree((struct tls_server_options){.max_version = TLS1_2_VERSION}, (ferry_tls_options){0});
    unsetenv("SSLKEYLOGFILE");
    text = temp_file_read(by_environment, NULL);
    assert_non_null(text);
    assert_memory_equal(text, "CLIENT_RANDOM ", 14);
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

/* ----------------------------------------------------------------------------- how it is ended */

/* A handshake with the other end of a socket, which has this to say, and then nothing (or ends). */
static void shake_hands_with(const char *text, bool ends_then, int64_t deadline,
                             struct fy_chan *canceled, ferry_error *err)
{
    int ends[2];
    net_test_tcp_pair(ends);
    struct fy_stream *below = fy_socket_stream_new(ends[0]);
    struct fy_tls_config *config = tls_test_config(&(ferry_tls_options){0});
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    if (ends_then) {
        shutdown(ends[1], SHUT_WR);
    }
    *err = (ferry_error){0};
    assert_null(fy_tls_client(config, below, "localhost", "test:443", deadline, canceled, err));
    tls_test_free(below);
    fy_tls_config_release(config);
    close(ends[1]);
}

static void no_tls_server(void **state)
{
    (void)state;
    ferry_error err;
    shake_hands_with("HTTP/1.1 400 Bad Request\r\n\r\n", false, FY_NEVER, NULL, &err);
    assert_string_equal(err.message,
                        "tls test:443: the server answered in plain HTTP: is the URL's "
                        "scheme http?");
    assert_int_equal(err.code, FERRY_ETLS);
    shake_hands_with("SSH-2.0-example\r\n", false, FY_NEVER, NULL, &err);
    assert_string_equal(err.message, "tls test:443: what the server sent is not TLS, or a version "
                                     "that is not allowed here");
    assert_int_equal(err.code, FERRY_ETLS);
    shake_hands_with("", true, FY_NEVER, NULL, &err);
    assert_string_equal(err.message,
                        "tls test:443: the server closed the connection during the handshake");
    assert_int_equal(err.code, FERRY_ETLS);
    assert_int_equal(err.os_errno, ECONNRESET);
    shake_hands_with("\x16\x03\x03", true, FY_NEVER, NULL, &err);
    assert_string_equal(err.message,
                        "tls test:443: the server closed the connection during the handshake");
}

static void silent_server(void **state)
{
    (void)state;
    ferry_error err;
    shake_hands_with("", false, fy_after_ms(10), NULL, &err);
    assert_string_equal(err.message, "tls test:443: handshake timeout");
    assert_int_equal(err.code, FERRY_ETIMEOUT);
    shake_hands_with("\x16\x03\x03", false, fy_after_ms(10), NULL, &err);
    assert_int_equal(err.code, FERRY_ETIMEOUT);
}

static void canceled(void **state)
{
    (void)state;
    ferry_error err;
    struct net_test_canceler canceler;
    net_test_cancel_soon(&canceler);
    shake_hands_with("", false, FY_NEVER, &canceler.canceled, &err);
    assert_true(canceler.turns > 0);
    assert_string_equal(err.message, "tls test:443: canceled");
    assert_int_equal(err.code, FERRY_ECANCELED);
    shake_hands_with("", false, FY_NEVER, &canceler.canceled, &err); /* before it began */
    assert_int_equal(err.code, FERRY_ECANCELED);
    net_test_yield();
}

static void not_canceled(void **state)
{
    (void)state;
    ferry_error err = {0};
    struct fy_chan never;
    fy_chan_init(&never, NULL, 0);
    struct tls_server *server = serve((struct tls_server_options){0});
    struct fy_tls_config *config = tls_test_config(&(ferry_tls_options){.ca_file = world.ca_file});
    struct fy_stream *stream =
        fy_tls_client(config, tls_test_connect(tls_server_port(server)), "localhost", "test:443",
                      fy_after_ms(10000), &never, &err);
    assert_string_equal(err.message, "");
    fy_tls_config_release(config);
    net_test_yield();
    assert_int_equal(net_test_tasks(), 1);
    tls_test_write(stream, "x");
    tls_test_expect(stream, "x");
    tls_test_free(stream);
    tls_server_stop(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(newest_version),
        TEST(versions),
        TEST(old_version_only),
        TEST(ciphers),
        TEST(application_protocols),
        TEST(server_name),
        TEST(no_tls_stream),
        TEST(client_certificate),
        TEST(encrypted_client_key),
        TEST(client_certificate_missing),
        TEST(client_certificate_unknown),
        TEST(key_log),
        TEST(no_tls_server),
        TEST(silent_server),
        TEST(canceled),
        TEST(not_canceled),
    };
    return cmocka_run_group_tests_name("tls handshake", tests, tls_world_make, tls_world_free);
}
