/*
 * What a trace tells of an https request: the handshake in its place, between the connection and the
 * request's having it, and what became of it.
 */
#include "https_test.h"

#include <stdio.h>

/* All events so far, in a row. */
struct events {
    struct trace_text told;
    char handshake[512]; /* what its end told */
};

static void note(struct events *events, const char *event)
{
    tell(events, "%s%s", events->told.text[0] != '\0' ? " " : "", event);
}

static void on_get_conn(void *arg, const char *host_port)
{
    (void)host_port;
    note(arg, "get_conn");
}

static void on_got_conn(void *arg, int reused, int64_t idle_ms)
{
    (void)idle_ms;
    note(arg, reused ? "got_conn(reused)" : "got_conn");
}

static void on_connect_start(void *arg, const char *network, const char *address)
{
    (void)network;
    (void)address;
    note(arg, "connect_start");
}

static void on_connect_done(void *arg, const char *network, const char *address,
                            const ferry_error *err)
{
    (void)network;
    (void)address;
    note(arg, err == NULL ? "connect_done" : "connect_done(failed)");
}

static void on_tls_start(void *arg)
{
    ferry_sleep(0); /* it may wait in ferry, as every callback may */
    note(arg, "tls_start");
}

static void on_tls_done(void *arg, const ferry_tls_info *info, const ferry_error *err)
{
    struct events *events = arg;
    ferry_sleep(0);
    note(events, err == NULL ? "tls_done" : "tls_done(failed)");
    if (err != NULL) {
        snprintf(events->handshake, sizeof events->handshake, "%s: %s%s", ferry_strerror(err->code),
                 err->message, info != NULL ? " (and what was agreed)" : "");
    } else if (info != NULL) {
        snprintf(events->handshake, sizeof events->handshake, "%s, %s, %s, %s%s", info->version,
                 info->alpn, info->subject, info->issuer, info->resumed ? ", resumed" : "");
    }
}

static void on_wrote_head(void *arg)
{
    note(arg, "wrote_head");
}

static void on_wrote_request(void *arg, const ferry_error *err)
{
    note(arg, err == NULL ? "wrote_request" : "wrote_request(failed)");
}

static void on_first_byte(void *arg)
{
    note(arg, "got_first_byte");
}

static void on_put(void *arg, int result)
{
    note(arg, result == FERRY_PUT_OK ? "put_idle_conn" : "put_idle_conn(refused)");
}

static const ferry_trace *follow(void)
{
    static const ferry_trace trace = {.size = sizeof trace,
                                      .get_conn = on_get_conn,
                                      .got_conn = on_got_conn,
                                      .connect_start = on_connect_start,
                                      .connect_done = on_connect_done,
                                      .tls_handshake_start = on_tls_start,
                                      .tls_handshake_done = on_tls_done,
                                      .wrote_head = on_wrote_head,
                                      .wrote_request = on_wrote_request,
                                      .got_first_byte = on_first_byte,
                                      .put_idle_conn = on_put};
    return &trace;
}

/* A GET of the server's "/a", with what was told of it. */
static struct events trace_get(ferry_transport *transport, const char *origin, int port,
                               struct outcome *outcome)
{
    char url[64];
    struct events events = {0};
    snprintf(url, sizeof url, "%s:%d/a", origin, port);
    ferry_request *req = request("GET", url);
    ferry_request_set_trace(req, follow(), &events);
    *outcome = send_and_read(transport, req);
    ferry_request_free(req);
    return events;
}

#define BEFORE "get_conn connect_start connect_done "
#define BEHIND " wrote_head wrote_request got_first_byte put_idle_conn"

static void test_handshake_in_its_place_TR_094(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct outcome outcome;
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    int port = nginx_tls_port(nginx);

    struct events events = trace_get(transport, "https://127.0.0.1", port, &outcome);
    assert_got(outcome, 200, "a");
    assert_string_equal(events.told.text, BEFORE "tls_start tls_done got_conn" BEHIND);
    assert_string_equal(events.handshake, "TLSv1.3, http/1.1, CN = server, CN = Test CA");

    events = trace_get(transport, "https://127.0.0.1", port, &outcome);
    assert_string_equal(events.told.text, "get_conn got_conn(reused)" BEHIND);
    assert_string_equal(events.handshake, "");

    ferry_transport_close_idle(transport);
    events = trace_get(transport, "https://127.0.0.1", port, &outcome);
    assert_string_equal(events.told.text, BEFORE "tls_start tls_done got_conn" BEHIND);
    assert_string_equal(events.handshake, "TLSv1.3, http/1.1, CN = server, CN = Test CA, resumed");

    events = trace_get(transport, "http://127.0.0.1", nginx_port(nginx), &outcome);
    assert_string_equal(events.told.text, BEFORE "got_conn" BEHIND);
    nginx_stop(nginx);
}

static void test_handshake_that_fails(void **state)
{
    char wanted[512];
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct outcome outcome;
    int port = nginx_tls_port(nginx);
    struct events events = trace_get(transport, "https://127.0.0.1", port, &outcome);
    assert_failed(outcome, FERRY_ECERTIFICATE, "\"Test CA\" is not trusted");
    assert_string_equal(events.told.text, BEFORE "tls_start tls_done(failed)");
    snprintf(wanted, sizeof wanted, "FERRY_ECERTIFICATE: %s", outcome.err.message);
    assert_string_equal(events.handshake, wanted);

    /* One that never began. */
    nginx_stop(nginx);
    events = trace_get(transport, "https://127.0.0.1", port, &outcome);
    assert_string_equal(events.told.text, "get_conn connect_start connect_done(failed)");
}

/* With a dial function of the program's own, which nothing is told of, the handshake still is. */
static void test_handshake_over_a_dial_of_the_programs_own(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = nginx_tls_port(nginx));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook, .tls = TRUSTING()));
    struct outcome outcome;
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    struct events events = trace_get(transport, "https://localhost", 1, &outcome);
    assert_got(outcome, 200, "a");
    assert_string_equal(events.told.text, "get_conn tls_start tls_done got_conn" BEHIND);
    nginx_stop(nginx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_handshake_in_its_place_TR_094),
        TRANSPORT_TEST(test_handshake_that_fails),
        TRANSPORT_TEST(test_handshake_over_a_dial_of_the_programs_own),
    };
    return cmocka_run_group_tests_name("https: traces", tests, https_world_make, https_world_free);
}
