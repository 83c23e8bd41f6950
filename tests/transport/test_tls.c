/*
 * https through the whole transport: what is agreed, refused and truncated, against OpenSSL's own
 * server side. (tests/net/test_tls_*.c have the stream alone.)
 */
#include "transport_test.h"

#include <stdio.h>

#include "certs.h"
#include "gate.h"
#include "temp_dir.h"
#include "tls_server.h"

static struct cert *ca, *cert, *client;
static char directory[TEMP_DIR_SIZE], ca_file[TEMP_DIR_SIZE + 16], client_file[TEMP_DIR_SIZE + 16];

static int make_certificates(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    cert = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
    client =
        cert_make(&(struct cert_options){.name = "client", .usage = "clientAuth", .issuer = ca});
    if (!temp_dir_make(directory)) {
        return -1;
    }
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", directory);
    snprintf(client_file, sizeof client_file, "%s/client.pem", directory);
    cert_write(ca_file, (const struct cert *const[]){ca, NULL}, NULL, NULL);
    cert_write(client_file, (const struct cert *const[]){client, NULL}, client, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    cert_free(client);
    cert_free(cert);
    cert_free(ca);
    temp_dir_remove(directory);
    return 0;
}

/* ---------------------------------------------------------------------------------- the server */

/* Answers one and says that it ends (RFC 8446 section 6.1). */
static void serve_and_end(SSL *ssl, int fd, void *arg)
{
    char buf[4096];
    (void)fd;
    if (SSL_read(ssl, buf, sizeof buf) > 0) {
        tls_serve_text(ssl, fd, arg);
    }
}

/* Answers one, and the connection just ends, as if somebody had cut it. */
static void serve_and_cut(SSL *ssl, int fd, void *arg)
{
    char buf[4096];
    const char *reply = arg;
    (void)fd;
    if (SSL_read(ssl, buf, sizeof buf) > 0) {
        SSL_write(ssl, reply, (int)strlen(reply));
        SSL_set_quiet_shutdown(ssl, 1);
    }
}

static struct tls_server *serve(void (*how)(SSL *ssl, int fd, void *arg), const char *reply)
{
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = cert, .serve = how, .arg = (void *)reply});
    assert_non_null(server);
    return server;
}

static const char *url_of(const struct tls_server *server)
{
    static char url[64];
    snprintf(url, sizeof url, "https://localhost:%u/", tls_server_port(server));
    return url;
}

static ferry_transport *trusting(void **state)
{
    return transport_with(state,
                          FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = ca_file)));
}

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---------------------------------------------------------------------------------- what works */

static void test_one_connection_serves_request_after_request(void **state)
{
    struct tls_server *server = serve(tls_serve_each, OK_REPLY);
    ferry_transport *transport = trusting(state);
    for (int i = 0; i < 20; i++) {
        assert_got(get(transport, url_of(server)), 200, "ok");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).reuses, 19);
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_response_tells_what_was_agreed(void **state)
{
    struct tls_server *server = serve(tls_serve_each, OK_REPLY);
    ferry_transport *transport = trusting(state);
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    ferry_response *res = open_get(transport, url_of(server));
    ferry_transport_close_idle(transport);
    assert_int_equal(ferry_response_tls(res, &info), 1);
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.subject, "CN = server");
    assert_string_equal(info.issuer, "CN = Test CA");
    assert_true(info.verified);
    assert_false(info.resumed);
    ferry_response_close(res);

    struct origin *plain = serve_reply(state, OK_REPLY);
    res = open_get(transport, origin_url(plain, "/"));
    assert_int_equal(ferry_response_tls(res, &info), 0);
    assert_null(info.version);
    ferry_response_close(res);
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_http_and_https_share_no_connection(void **state)
{
    struct tls_server *server = serve(tls_serve_each, OK_REPLY);
    ferry_transport *transport = trusting(state);
    char plain[64];
    struct call call = {.url = plain, .timeout_ms = 50};
    assert_got(get(transport, url_of(server)), 200, "ok");
    snprintf(plain, sizeof plain, "http://localhost:%u/", tls_server_port(server));
    call.transport = transport;
    run_call(&call);
    assert_failed(call.outcome, FERRY_ETIMEOUT, NULL); /* the server talks to one at a time */
    assert_int_equal(stats_of(transport).dials, 2);
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_next_connection_resumes_the_session(void **state)
{
    struct tls_server *server = serve(serve_and_end, OK_REPLY);
    ferry_transport *transport = trusting(state);
    for (int i = 0; i < 3; i++) {
        ferry_tls_info info = FERRY_TLS_INFO_INIT;
        ferry_response *res = open_get(transport, url_of(server));
        assert_int_equal(ferry_response_tls(res, &info), 1);
        assert_int_equal(info.resumed, i > 0);
        assert_string_equal(info.subject, "CN = server");
        ferry_response_close(res);
        ferry_transport_close_idle(transport);
    }
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_client_certificate_is_shown(void **state)
{
    struct tls_server *server = tls_server_start(&(struct tls_server_options){
        .cert = cert, .client_ca = ca, .serve = tls_serve_each, .arg = (void *)OK_REPLY});
    assert_non_null(server);
    ferry_transport *without = trusting(state);
    assert_failed(get(without, url_of(server)), FERRY_ETLS,
                  "tls: the server refused: certificate required (the client has none)");
    transport_done(state, without);
    ferry_transport *with = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = ca_file,
                                                                .certificate_file = client_file)));
    assert_got(get(with, url_of(server)), 200, "ok");
    transport_done(state, with);
    tls_server_stop(server);
}

/* ------------------------------------------------------------------------------- what is refused */

static void test_unknown_certificate_unless_told_CL_020(void **state)
{
    struct tls_server *server = serve(tls_serve_each, OK_REPLY);
    ferry_transport *standard = transport_with(state, NULL);
    assert_failed(get(standard, url_of(server)), FERRY_ECERTIFICATE, "\"Test CA\" is not trusted");
    assert_int_equal(stats_of(standard).dial_failures, 1);
    assert_eventually(tls_server_failures(server) == 1); /* it is told so */
    transport_done(state, standard);
    ferry_transport *blind = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.insecure_skip_verify = 1)));
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    ferry_response *res = open_get(blind, url_of(server));
    assert_int_equal(ferry_response_status(res), 200);
    assert_int_equal(ferry_response_tls(res, &info), 1);
    assert_false(info.verified);
    ferry_response_close(res);
    transport_done(state, blind);
    assert_int_equal(tls_server_failures(server), 1);
    tls_server_stop(server);
}

static void test_unusable_options_are_told_by_each_request(void **state)
{
    struct origin *plain = serve_reply(state, OK_REPLY);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = "/nowhere/ca.pem")));
    for (int i = 0; i < 2; i++) {
        assert_failed(get(transport, "https://127.0.0.1:1/"), FERRY_EINVAL, "/nowhere/ca.pem");
    }
    assert_got(get(transport, origin_url(plain, "/")), 200, "ok");
}

static void test_handshake_has_its_time(void **state)
{
    struct gate *never = KEPT(state, struct gate);
    struct origin *mute =
        serve_script(state, &(struct origin_script){.serve = serve_identity, .accept_gate = never});
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", origin_port(mute));
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls_handshake_timeout_ms = 30));
    assert_failed(get(transport, url), FERRY_ETIMEOUT, "handshake timeout");
}

/* Answers one, and nothing more, until the client goes. */
static void serve_and_stall(SSL *ssl, int fd, void *arg)
{
    char buf[4096];
    const char *reply = arg;
    (void)fd;
    if (SSL_read(ssl, buf, sizeof buf) > 0) {
        SSL_write(ssl, reply, (int)strlen(reply));
        (void)SSL_read(ssl, buf, sizeof buf);
    }
}

static void test_body_read_has_its_time(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: ",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct tls_server *server = serve(serve_and_stall, replies[i]);
        ferry_transport *transport = transport_with(
            state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = ca_file),
                                           .body_read_timeout_ms = 30));
        ferry_response *res = open_get(transport, url_of(server));
        char buf[16];
        ferry_error err;
        read_exactly(res, buf, 5);
        assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), -1);
        assert_error(&err, FERRY_ETIMEOUT, "timeout of 30 ms exceeded while waiting for more");
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_response_close(res);
        transport_done(state, transport);
        tls_server_stop(server);
    }
}

/* A dial function that brings its connection when the request has been cancelled: there is nobody to
 * shake hands for. */
static void test_TR_090_late_connection_makes_no_handshake(void **state)
{
    struct tls_server *server = serve(tls_serve_each, OK_REPLY);
    struct dial_hook hook = {.port = tls_server_port(server), .stall_from = 1};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = ca_file),
                                                      .dial = dial_hook, .dial_arg = &hook));
    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = transport, .url = "https://localhost/", .context = context};
    start_call(&call);
    assert_eventually(hook.begun == 1);
    ferry_context_cancel(context);
    assert_eventually(atomic_load(&call.done));
    assert_error(&call.outcome.err, FERRY_ECANCELED, "while waiting for a connection");
    assert_int_equal(hook.ended, 0);
    hook.let_go = 2;
    assert_eventually(hook.ended == 1 && ferry_num_tasks() == 1);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_got(get(transport, "https://localhost/"), 200, "ok");
    assert_int_equal(hook.begun, 2);
    ferry_context_free(context);
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_h2_that_was_offered_is_not_spoken(void **state)
{
    struct tls_server *server = tls_server_start(&(struct tls_server_options){
        .cert = cert, .alpn = "h2", .serve = tls_serve_each, .arg = (void *)OK_REPLY});
    assert_non_null(server);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_file = ca_file,
                                                                .alpn = "h2,http/1.1")));
    assert_failed(get(transport, url_of(server)), FERRY_EUNSUPPORTED, "HTTP/2");
    transport_done(state, transport);
    tls_server_stop(server);
}

/* --------------------------------------------------------------------------------- truncation */

/* What is known to be whole is, however the connection ends. */
static void test_cut_after_a_body_of_known_length(void **state)
{
    struct tls_server *server = serve(serve_and_cut, OK_REPLY);
    ferry_transport *transport = trusting(state);
    assert_got(get(transport, url_of(server)), 200, "ok");
    assert_got(get(transport, url_of(server)), 200, "ok");
    transport_done(state, transport);
    tls_server_stop(server);
}

/* A body that goes on until the close is whole only if TLS says so. */
static void test_close_that_ends_a_body_must_be_said(void **state)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it?";
    struct tls_server *server = serve(serve_and_end, reply);
    ferry_transport *transport = trusting(state);
    assert_got(get(transport, url_of(server)), 200, "all of it?");
    transport_done(state, transport);
    tls_server_stop(server);

    server = serve(serve_and_cut, reply);
    transport = trusting(state);
    struct outcome outcome = get(transport, url_of(server));
    assert_int_equal(outcome.status, 200);
    assert_string_equal(outcome.body, "all of it?");
    assert_int_equal(outcome.body_len, -1);
    assert_error(&outcome.err, FERRY_ETRUNCATED, "close_notify");
    transport_done(state, transport);
    tls_server_stop(server);
}

static void test_cut_in_the_middle(void **state)
{
    struct tls_server *server =
        serve(serve_and_cut, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
    ferry_transport *transport = trusting(state);
    struct outcome outcome = get(transport, url_of(server));
    assert_int_equal(outcome.body_len, -1);
    assert_error(&outcome.err, FERRY_ETRUNCATED,
                 "the connection ended before the response's body did");
    transport_done(state, transport);
    tls_server_stop(server);

    server = serve(serve_and_cut, "HTTP/1.1 200 OK\r\nConte");
    transport = trusting(state);
    assert_failed(get(transport, url_of(server)), FERRY_ETRUNCATED,
                  "in the middle of the response's head");
    transport_done(state, transport);
    tls_server_stop(server);
}

#ifdef FERRY_WITH_ZLIB
/* "hello", in a chunk of its own; what ends the body waits for the gate. */
static void serve_gzip_and_end_late(SSL *ssl, int fd, void *arg)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n19\r\n"
                                "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07"
                                "\x00\x86\xa6\x10\x36\x05\x00\x00\x00\r\n";
    char buf[4096];
    (void)fd;
    while (SSL_read(ssl, buf, sizeof buf) > 0) {
        SSL_write(ssl, reply, sizeof reply - 1);
        gate_wait(arg, SOON_MS);
        SSL_write(ssl, "0\r\n\r\n", 5);
    }
    SSL_shutdown(ssl);
}

/* TR-091: a wait for the end that is given up takes nothing from the stream, TLS or not. */
static void test_TR_091_decoded_with_a_late_end(void **state)
{
    struct gate *end = KEPT(state, struct gate, 0);
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = cert, .serve = serve_gzip_and_end_late, .arg = end});
    ferry_transport *transport = trusting(state);
    char buf[100];
    ferry_error err;
    ferry_response *res = open_get(transport, url_of(server));
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(stats_of(transport).idle, 0);
    gate_open(end);
    assert_int_equal(ferry_response_read(res, buf, sizeof buf, &err), 0);
    assert_int_equal(stats_of(transport).idle, 1);
    ferry_response_close(res);
    assert_got(get(transport, url_of(server)), 200, "hello");
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
    tls_server_stop(server);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_one_connection_serves_request_after_request),
        TRANSPORT_TEST(test_response_tells_what_was_agreed),
        TRANSPORT_TEST(test_http_and_https_share_no_connection),
        TRANSPORT_TEST(test_next_connection_resumes_the_session),
        TRANSPORT_TEST(test_client_certificate_is_shown),
        TRANSPORT_TEST(test_unknown_certificate_unless_told_CL_020),
        TRANSPORT_TEST(test_unusable_options_are_told_by_each_request),
        TRANSPORT_TEST(test_handshake_has_its_time),
        TRANSPORT_TEST(test_body_read_has_its_time),
        TRANSPORT_TEST(test_TR_090_late_connection_makes_no_handshake),
        TRANSPORT_TEST(test_h2_that_was_offered_is_not_spoken),
        TRANSPORT_TEST(test_cut_after_a_body_of_known_length),
        TRANSPORT_TEST(test_close_that_ends_a_body_must_be_said),
        TRANSPORT_TEST(test_cut_in_the_middle),
#ifdef FERRY_WITH_ZLIB
        TRANSPORT_TEST(test_TR_091_decoded_with_a_late_end),
#endif
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
