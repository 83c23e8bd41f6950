/*
 * https against openssl s_server, which can be made to insist on all that a server may: versions, ciphers,
 * names, client certificates; and to misbehave when that is typed.
 */
#include "https_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct s_server *serving_ok(const char *const *arguments)
{
    struct s_server *server = https_s_server(S_SERVER_HTTP, arguments);
    assert_true(s_server_write_file(server, "ok", BYTES(OK_REPLY)));
    return server;
}
#define SERVING_OK(...) serving_ok((const char *const[]){__VA_ARGS__, NULL})

static const char *url_of(const struct s_server *server, const char *path)
{
    return https_url(s_server_port(server), path);
}

/* A GET with these options must bring "ok", or fail with FERRY_ETLS and the sentence. */
static void expect(void **state, const struct s_server *server, const ferry_tls_options *tls,
                   const char *message)
{
    char wanted[512];
    ferry_transport *transport = https_transport(state, tls);
    struct outcome outcome = get(transport, url_of(server, "/ok"));
    if (message == NULL) {
        assert_got(outcome, 200, "ok");
    } else {
        snprintf(wanted, sizeof wanted, "tls localhost:%d: %s", s_server_port(server), message);
        assert_error(&outcome.err, FERRY_ETLS, NULL);
        assert_string_equal(outcome.err.message, wanted);
    }
    transport_done(state, transport);
}

/* ---------------------------------------------------------------------------- versions and ciphers */

static const char no_version[] = "the server refused: protocol version (none in common)";
static const char no_cipher[] =
    "the server refused: handshake failure (no cipher in common, or it wants a client certificate)";

static void test_versions(void **state)
{
    struct s_server *old = SERVING_OK("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0");
    struct s_server *one_two = SERVING_OK("-tls1_2");
    struct s_server *one_three = SERVING_OK("-tls1_3");
    expect(state, old, TRUSTING(), no_version);
    expect(state, one_two, TRUSTING(), NULL);
    expect(state, one_two, TRUSTING(.max_version = FERRY_TLS_1_2), NULL);
    expect(state, one_two, TRUSTING(.min_version = FERRY_TLS_1_3), no_version);
    expect(state, one_three, TRUSTING(), NULL);
    expect(state, one_three, TRUSTING(.min_version = FERRY_TLS_1_3), NULL);
    expect(state, one_three, TRUSTING(.max_version = FERRY_TLS_1_2), no_version);
    s_server_stop(old);
    s_server_stop(one_two);
    s_server_stop(one_three);
}

static void test_ciphers(void **state)
{
    static const char chosen[] = "ECDHE-ECDSA-CHACHA20-POLY1305";
    struct s_server *server = SERVING_OK("-tls1_2");
    ferry_transport *transport = https_transport(state, TRUSTING(.ciphers = chosen));
    ferry_tls_info info = https_agreed(transport, url_of(server, "/ok"));
    assert_string_equal(info.version, "TLSv1.2");
    assert_string_equal(info.cipher, chosen);
    expect(state, server, TRUSTING(.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"), no_cipher);
    s_server_stop(server);

    server = SERVING_OK("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256");
    transport = https_transport(state, TRUSTING());
    info = https_agreed(transport, url_of(server, "/ok"));
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.cipher, "TLS_CHACHA20_POLY1305_SHA256");
    expect(state, server, TRUSTING(.cipher_suites = "TLS_AES_128_GCM_SHA256"), no_cipher);
    s_server_stop(server);
}

static void test_protocols_and_names(void **state)
{
    struct s_server *server = SERVING_OK("-alpn", "http/1.1");
    ferry_transport *transport = https_transport(state, TRUSTING(.alpn = "other,http/1.1"));
    assert_string_equal(https_agreed(transport, url_of(server, "/ok")).alpn, "http/1.1");
    s_server_stop(server);

    server = SERVING_OK("-alpn", "h2");
    expect(state, server, TRUSTING(),
           "the server refused: no application protocol in common (ALPN)");
    expect(state, server, TRUSTING(.alpn = ""), NULL);
    s_server_stop(server);

    server = SERVING_OK("-servername", "other.example", "-servername_fatal", "-cert2",
                        world.server_file, "-key2", world.server_file);
    expect(state, server, TRUSTING(),
           "the server refused: unrecognized name (it serves no such host)");
    s_server_stop(server);
}

/* ----------------------------------------------------------------------------- client certificates */

static const char *const client_versions[] = {"-tls1_2", "-tls1_3"};

static void test_client_certificate_required(void **state)
{
    static const char *const missing[] = {
        no_cipher, "the server refused: certificate required (the client has none)"};
    size_t len;
    char *pem = temp_file_read(world.client_file, &len);
    const char *key = https_path("client.key");
    const char *locked = https_path("locked.key");
    cert_write(key, (const struct cert *const[]){NULL}, world.client, NULL);
    cert_write(locked, (const struct cert *const[]){NULL}, world.client, "sesame");
    for (int i = 0; i < 2; i++) {
        struct s_server *server = SERVING_OK(client_versions[i], "-Verify", "1", "-CAfile",
                                             world.ca_file, "-verify_return_error");
        expect(state, server, TRUSTING(.certificate_file = world.client_file), NULL);
        expect(state, server, TRUSTING(.certificate_file = world.client_file, .key_file = key),
               NULL);
        expect(state, server,
               TRUSTING(.certificate_file = world.client_file, .key_file = locked,
                        .key_password = "sesame"),
               NULL);
        expect(state, server, TRUSTING(.certificate = pem, .certificate_len = len), NULL);
        ferry_transport *without = https_transport(state, TRUSTING());
        struct outcome outcome = get(without, url_of(server, "/ok"));
        /* In TLS 1.3 we only hear of it when our side of the handshake is over. */
        assert_failed(outcome, FERRY_ETLS, missing[i]);
        transport_done(state, without);
        s_server_stop(server);
    }
    free(pem);
}

/* A body that is being written when the server's refusal comes: the refusal is told, not the broken
 * pipe. */
static void test_client_certificate_required_for_an_upload(void **state)
{
    static char bytes[4 << 20];
    struct s_server *server =
        SERVING_OK("-tls1_3", "-Verify", "1", "-CAfile", world.ca_file, "-verify_return_error");
    ferry_transport *transport = https_transport(state, TRUSTING());
    ferry_request *req = request("POST", url_of(server, "/ok"));
    assert_int_equal(ferry_request_set_body(req, bytes, sizeof bytes), 0);
    for (int i = 0; i < 3; i++) {
        struct outcome outcome = send_and_read(transport, req);
        /* Unless the server's reset has thrown it away. */
        if (outcome.err.code != FERRY_EWRITE && outcome.err.code != FERRY_EREAD) {
            assert_error(&outcome.err, FERRY_ETLS, "certificate required (the client has none)");
        }
        assert_int_equal(stats_of(transport).connections, 0);
    }
    ferry_request_free(req);
    s_server_stop(server);
}

static void test_client_certificate_refused(void **state)
{
    struct cert *own = cert_make(&(struct cert_options){.name = "me", .usage = "clientAuth"});
    const char *file = https_write("me.pem", own, NULL);
    for (int i = 0; i < 2; i++) {
        struct s_server *server = SERVING_OK(client_versions[i], "-Verify", "1", "-CAfile",
                                             world.ca_file, "-verify_return_error");
        ferry_transport *transport = https_transport(state, TRUSTING(.certificate_file = file));
        assert_failed(get(transport, url_of(server, "/ok")), FERRY_ETLS,
                      "the server refused: unknown CA (the client certificate's)");
        transport_done(state, transport);
        s_server_stop(server);
    }
    cert_free(own);
}

/* ------------------------------------------------------------------------------------- key logs */

/* Every line of a key log must be in the other, the server's own. */
static void compare_key_logs(const char *ours, const char *theirs)
{
    char *text = temp_file_read(ours, NULL);
    char *server_text = temp_file_read(theirs, NULL);
    int lines = 0;
    char *rest = NULL;
    assert_non_null(text);
    assert_non_null(server_text);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_non_null(strstr(server_text, line));
        lines++;
    }
    assert_true(lines >= 1);
    free(server_text);
    free(text);
}

static void test_key_log(void **state)
{
    const char *theirs = https_path("server.log");
    const char *by_option = https_path("option.log");
    const char *by_environment = https_path("environment.log");
    for (int i = 0; i < 2; i++) {
        struct s_server *server = SERVING_OK(client_versions[i], "-keylogfile", theirs);
        expect(state, server, TRUSTING(.key_log_file = by_option), NULL);
        compare_key_logs(by_option, theirs);
        setenv("SSLKEYLOGFILE", by_environment, 1);
        expect(state, server, TRUSTING(), NULL);
        unsetenv("SSLKEYLOGFILE");
        compare_key_logs(by_environment, theirs);
        s_server_stop(server);
    }
    char *text = temp_file_read(by_option, NULL);
    assert_non_null(strstr(text, "CLIENT_RANDOM "));           /* TLS 1.2 */
    assert_non_null(strstr(text, "CLIENT_TRAFFIC_SECRET_0 ")); /* TLS 1.3 */
    free(text);
}

/* -------------------------------------------------------------------------- bodies and sessions */

#define MIB ((uint64_t)1 << 20)

/* Up to the close, which is said to be one, in records of an odd size. */
static void test_body_up_to_the_close(void **state)
{
    struct s_server *server = S_SERVER(S_SERVER_FILES, "-max_send_frag", "1000");
    ferry_transport *transport = https_transport(state, TRUSTING());
    void *bytes = malloc(10 * MIB);
    pattern_fill(bytes, 10 * MIB, 0);
    assert_true(s_server_write_file(server, "big", bytes, 10 * MIB));
    ferry_response *res = open_get(transport, url_of(server, "/big"));
    assert_string_equal(ferry_response_proto(res), "HTTP/1.0");
    assert_int_equal(ferry_response_length(res), -1);
    https_read_pattern(res, 10 * MIB);
    ferry_response_close(res);
    free(bytes);
    s_server_stop(server);
}

/* Its page says how it sees the session. */
static void test_sessions_are_resumed(void **state)
{
    static const char *const arguments[][3] = {
        {"-tls1_2"}, {"-tls1_2", "-no_ticket"}, {"-tls1_3"}, {"-tls1_3", "-no_ticket"}};
    for (size_t i = 0; i < 4; i++) {
        struct s_server *server = https_s_server(S_SERVER_PAGE, arguments[i]);
        ferry_transport *transport = https_transport(state, TRUSTING());
        for (int j = 0; j < 4; j++) {
            ferry_tls_info info = FERRY_TLS_INFO_INIT;
            ferry_response *res = open_get(transport, url_of(server, "/"));
            char *page = ferry_response_read_all(res, 100000, NULL, NULL);
            assert_non_null(page);
            assert_int_equal(ferry_response_tls(res, &info), 1);
            assert_int_equal(info.resumed, j > 0);
            assert_non_null(strstr(page, j > 0 ? "Reused, TLSv1." : "New, TLSv1."));
            free(page);
            ferry_response_close(res);
        }
        transport_done(state, transport);
        s_server_stop(server);
    }
}

/* ------------------------------------------------------------------------------ what is typed */

/* A server to be typed at, and a request that it has got. */
struct dialogue {
    struct s_server *server;
    ferry_transport *transport;
    bool keep_open; /* the response is left in the call */
    struct call call;
    char url[64];
};

static bool has_printed(const struct s_server *server, const char *text)
{
    return s_server_await_output(server, text, 0);
}

/* Sends a GET of the path, which has to be another each time. */
static void begin(struct dialogue *dialogue, const char *path)
{
    char line[64];
    snprintf(dialogue->url, sizeof dialogue->url, "%s", url_of(dialogue->server, path));
    snprintf(line, sizeof line, "GET %s HTTP/1.1", path);
    dialogue->call = (struct call){
        .transport = dialogue->transport, .url = dialogue->url, .keep_open = dialogue->keep_open};
    start_call(&dialogue->call);
    assert_eventually(has_printed(dialogue->server, line));
}

static struct outcome answer(struct dialogue *dialogue, const char *text)
{
    assert_true(s_server_type(dialogue->server, text));
    assert_eventually(atomic_load(&dialogue->call.done));
    return dialogue->call.outcome;
}

/* The messages of TLS are printed, too. */
static struct dialogue dialogue_with(void **state, const char *version)
{
    return (struct dialogue){.server = S_SERVER(S_SERVER_TYPED, version, "-msg"),
                             .transport = https_transport(state, TRUSTING())};
}

static int count_printed(const struct s_server *server, const char *text)
{
    char *output = s_server_output(server);
    int count = 0;
    for (const char *at = output; at != NULL && (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    free(output);
    return count;
}

#define KEY_UPDATE " TLS 1.3, Handshake [length 0005], KeyUpdate"

/* The server changes its keys, and wants ours changed, while the connection idles: nothing of it can be
 * seen from above. */
static void test_key_updates(void **state)
{
    struct dialogue dialogue = dialogue_with(state, "-tls1_3");
    for (int i = 0; i < 6; i++) {
        char path[8];
        snprintf(path, sizeof path, "/%d", i);
        begin(&dialogue, path);
        assert_got(answer(&dialogue, OK_REPLY), 200, "ok");
        assert_true(s_server_type(dialogue.server, i % 2 == 0 ? "K\n" : "k\n"));
        assert_eventually(count_printed(dialogue.server, ">>>" KEY_UPDATE) == i + 1);
        assert_int_equal(stats_of(dialogue.transport).idle, 1);
    }
    assert_int_equal(stats_of(dialogue.transport).dials, 1);
    assert_int_equal(stats_of(dialogue.transport).reuses, 5);
    /* Ours follow the server's three wishes, each before a request of ours; the last may have had none. */
    assert_in_range(count_printed(dialogue.server, "<<<" KEY_UPDATE), 2, 3);
    transport_done(state, dialogue.transport);
    s_server_stop(dialogue.server);
}

/* Refused, as by everybody; s_server takes that for a failure and ends the connection. */
static void test_renegotiation(void **state)
{
    struct dialogue dialogue = dialogue_with(state, "-tls1_2");
    begin(&dialogue, "/1");
    assert_failed(answer(&dialogue, "r\n"), FERRY_ETLS, "handshake failure");
    assert_eventually(stats_of(dialogue.transport).connections == 0);

    dialogue.keep_open = true; /* in the middle of a body */
    begin(&dialogue, "/body");
    struct outcome outcome = answer(&dialogue, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    assert_int_equal(outcome.status, 200);
    assert_true(s_server_type(dialogue.server, "r\n"));
    read_body(dialogue.call.res, &outcome);
    ferry_response_close(dialogue.call.res);
    assert_error(&outcome.err, FERRY_ETLS, "handshake failure");
    assert_eventually(stats_of(dialogue.transport).connections == 0);
    dialogue.keep_open = false;

    begin(&dialogue, "/2");
    assert_got(answer(&dialogue, OK_REPLY), 200, "ok");
    assert_true(s_server_type(dialogue.server, "r\n"));
    assert_eventually(stats_of(dialogue.transport).connections == 0); /* it was idle */
    begin(&dialogue, "/3");
    assert_got(answer(&dialogue, OK_REPLY), 200, "ok");
    assert_int_equal(stats_of(dialogue.transport).retries, 0);
    assert_int_equal(stats_of(dialogue.transport).dials, 4);
    transport_done(state, dialogue.transport);
    s_server_stop(dialogue.server);
}

/* Plain text between the records. */
static void test_plain_text_inside(void **state)
{
    static const char *const version[] = {"-tls1_2", "-tls1_3"};
    for (int i = 0; i < 2; i++) {
        struct dialogue dialogue = dialogue_with(state, version[i]);
        begin(&dialogue, "/1");
        assert_failed(answer(&dialogue, "P\n"), FERRY_ETLS, "tls: ");
        transport_done(state, dialogue.transport);
        s_server_stop(dialogue.server);
    }
}

/* The connection is just cut: an end where the length is known, and none where it is not. */
static void test_cut_off(void **state)
{
    struct dialogue dialogue = dialogue_with(state, "-tls1_3");
    dialogue.keep_open = true;
    begin(&dialogue, "/1");
    struct outcome outcome = answer(&dialogue, "HTTP/1.1 200 OK\r\n\r\nall of it?");
    assert_int_equal(outcome.status, 200); /* head and body came in one record */
    kill(s_server_pid(dialogue.server), SIGKILL);
    read_body(dialogue.call.res, &outcome);
    ferry_response_close(dialogue.call.res);
    assert_string_equal(outcome.body, "all of it?");
    assert_int_equal(outcome.body_len, -1);
    assert_error(&outcome.err, FERRY_ETRUNCATED, "without TLS's close_notify");
    transport_done(state, dialogue.transport);
    s_server_stop(dialogue.server);
}

/* ------------------------------------------------------------- handshakes that do not come to an end */

/* The system accepts connections for a server that is stopped, and nothing comes. */
static void test_handshake_ended(void **state)
{
    struct s_server *server = SERVING_OK("-tls1_3");
    char url[64];
    snprintf(url, sizeof url, "%s", url_of(server, "/ok"));
    kill(s_server_pid(server), SIGSTOP);
    ferry_transport *transport = https_transport(state, TRUSTING());

    ferry_context *context = ferry_context_new(-1);
    struct call call = {.transport = transport, .url = url, .context = context};
    start_call(&call);
    for (int i = 0; i < 5; i++) {
        ferry_sleep(1);
    }
    assert_false(atomic_load(&call.done));
    ferry_context_cancel(context);
    assert_eventually(atomic_load(&call.done));
    assert_error(&call.outcome.err, FERRY_ECANCELED, "while waiting for a connection");
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_context_free(context);

    call = (struct call){.transport = transport, .url = url, .timeout_ms = 20};
    run_call(&call);
    assert_error(&call.outcome.err, FERRY_ETIMEOUT, "while waiting for a connection");
    assert_int_equal(ferry_num_tasks(), 1); /* neither the dial nor anything else is left */
    transport_done(state, transport);

    transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.tls = TRUSTING(), .tls_handshake_timeout_ms = 20));
    assert_failed(get(transport, url), FERRY_ETIMEOUT, "handshake timeout");
    kill(s_server_pid(server), SIGCONT);
    s_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_versions),
        TRANSPORT_TEST(test_ciphers),
        TRANSPORT_TEST(test_protocols_and_names),
        TRANSPORT_TEST(test_client_certificate_required),
        TRANSPORT_TEST(test_client_certificate_required_for_an_upload),
        TRANSPORT_TEST(test_client_certificate_refused),
        TRANSPORT_TEST(test_key_log),
        TRANSPORT_TEST(test_body_up_to_the_close),
        TRANSPORT_TEST(test_sessions_are_resumed),
        TRANSPORT_TEST(test_key_updates),
        TRANSPORT_TEST(test_renegotiation),
        TRANSPORT_TEST(test_plain_text_inside),
        TRANSPORT_TEST(test_cut_off),
        TRANSPORT_TEST(test_handshake_ended),
    };
    signal(SIGPIPE, SIG_DFL); /* whatever started this test may have ignored it */
    return cmocka_run_group_tests_name("https: openssl s_server", tests, https_world_make,
                                       https_world_free);
}
