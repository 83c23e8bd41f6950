/*
 * https against nginx: bodies of all kinds up and down, connections used again, sessions resumed, servers
 * that close, clients that show certificates, and everything else that the whole stack does over TLS.
 */
#include "https_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

/* Both versions, for what differs inside. */
static const struct version {
    int number;
    const char *name;
} versions[] = {{FERRY_TLS_1_2, "TLSv1.2"}, {FERRY_TLS_1_3, "TLSv1.3"}};

static ferry_transport *speaking(void **state, const struct version *version)
{
    return https_transport(
        state, TRUSTING(.min_version = version->number, .max_version = version->number));
}

/* ------------------------------------------------------------------------------------- downloads */

static void download(ferry_transport *transport, struct nginx *nginx)
{
    ferry_response *res = open_get(transport, nginx_tls_url(nginx, "/big"));
    assert_int_equal(ferry_response_length(res), 10 * MIB);
    https_read_pattern(res, 10 * MIB);
    ferry_response_close(res);

    ferry_request *req = request("HEAD", nginx_tls_url(nginx, "/big"));
    assert_got(send_and_read(transport, req), 200, "");
    ferry_request_free(req);

    res = open_get(transport, nginx_tls_url(nginx, "/big.html")); /* chunked: it passes a filter */
    assert_int_equal(ferry_response_length(res), -1);
    https_read_pattern(res, 10 * MIB);
    ferry_response_close(res);
    assert_got(get(transport, nginx_tls_url(nginx, "/small")), 200, "small");
    assert_int_equal(get(transport, nginx_tls_url(nginx, "/missing")).status, 404);
    assert_int_equal(stats_of(transport).dials, 1); /* all of it on one connection */
    assert_int_equal(stats_of(transport).idle, 1);
}

static void test_downloads(void **state)
{
    struct nginx *nginx = https_nginx(
        &(struct nginx_options){.server = "location = /big.html { add_after_body /tail; }\n"
                                          "location = /tail { return 200 ''; }"});
    assert_true(nginx_write_pattern(nginx, "big", 10 * MIB));
    assert_true(nginx_write_pattern(nginx, "big.html", 10 * MIB));
    assert_true(nginx_write_file(nginx, "small", BYTES("small")));
    for (size_t i = 0; i < 2; i++) {
        ferry_transport *transport = speaking(state, &versions[i]);
        download(transport, nginx);
        transport_done(state, transport);
    }
    nginx_stop(nginx);
}

static void test_early_close_is_drained(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    char byte;
    assert_true(nginx_write_pattern(nginx, "short", 20000));
    assert_true(nginx_write_pattern(nginx, "long", 4 * MIB));
    for (int i = 0; i < 3; i++) {
        ferry_response *res = open_get(transport, nginx_tls_url(nginx, "/short"));
        read_exactly(res, &byte, 1);
        ferry_response_close(res);
        assert_eventually(stats_of(transport).idle == 1);
    }
    assert_int_equal(stats_of(transport).dials, 1);
    ferry_response *res = open_get(transport, nginx_tls_url(nginx, "/long"));
    read_exactly(res, &byte, 1);
    ferry_response_close(res); /* too much is left: nothing of the connection is */
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    nginx_stop(nginx);
}

/* --------------------------------------------------------------------------------------- uploads */

#define DAV "location /dav/ { dav_methods PUT; create_full_put_path on; }"

/* Gives the pattern in pieces of a size that no record has. */
struct reader {
    uint64_t given, len;
};

static ssize_t read_pattern_piece(void *arg, void *buf, size_t len)
{
    struct reader *reader = arg;
    uint64_t left = reader->len - reader->given;
    size_t piece = len < 10007 ? len : 10007;
    piece = left < piece ? (size_t)left : piece;
    pattern_fill(buf, piece, reader->given);
    reader->given += piece;
    return (ssize_t)piece;
}

/* Sends the body, asks first where it is told to, and looks at what has arrived. */
static void put(ferry_transport *transport, struct nginx *nginx, const char *path,
                void (*set_body)(ferry_request *req, void *arg), void *arg)
{
    ferry_request *req = request("PUT", nginx_tls_url(nginx, path));
    set_body(req, arg);
    assert_int_equal(send_and_read(transport, req).status, 201);
    ferry_response *res = open_get(transport, nginx_tls_url(nginx, path));
    https_read_pattern(res, 10 * MIB);
    ferry_response_close(res);
    ferry_request_free(req);
}

static void from_memory(ferry_request *req, void *bytes)
{
    assert_int_equal(ferry_request_set_body(req, bytes, 10 * MIB), 0);
}

static void from_memory_if_wanted(ferry_request *req, void *bytes)
{
    from_memory(req, bytes);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
}

static void from_file(ferry_request *req, void *fd)
{
    assert_int_equal(ferry_request_set_body_fd(req, *(int *)fd, 0, -1), 0);
}

static void from_reader(ferry_request *req, void *reader)
{
    assert_int_equal(ferry_request_set_body_reader(req, read_pattern_piece, NULL, reader, -1), 0);
}

static void from_sized_reader(ferry_request *req, void *reader)
{
    assert_int_equal(ferry_request_set_body_reader(req, read_pattern_piece, NULL, reader, 10 * MIB),
                     0);
}

static void upload(ferry_transport *transport, struct nginx *nginx, void *bytes, int fd)
{
    struct reader chunked = {.len = 10 * MIB};
    struct reader sized = {.len = 10 * MIB};
    char path[5][64];
    for (int i = 0; i < 5; i++) { /* 201 is for new files */
        snprintf(path[i], sizeof path[i], "/dav/%d/%p", i, (void *)transport);
    }
    put(transport, nginx, path[0], from_memory, bytes);
    put(transport, nginx, path[1], from_memory_if_wanted, bytes);
    put(transport, nginx, path[2], from_file, &fd);
    put(transport, nginx, path[3], from_reader, &chunked);
    put(transport, nginx, path[4], from_sized_reader, &sized);
    assert_int_equal(stats_of(transport).dials, 1);
}

static void test_uploads(void **state)
{
    char why[NGINX_WHY_SIZE];
    struct nginx *nginx = nginx_start(
        &(struct nginx_options){.server = DAV, .tls_certificate = world.server_file}, why);
    if (nginx == NULL) {
        skip(); /* an nginx without the dav module */
    }
    const char *file = https_path("upload");
    void *bytes = malloc(10 * MIB);
    assert_non_null(bytes);
    pattern_fill(bytes, 10 * MIB, 0);
    assert_true(temp_file_write(file, bytes, 10 * MIB));
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < 2; i++) {
        ferry_transport *transport = speaking(state, &versions[i]);
        upload(transport, nginx, bytes, fd);
        transport_done(state, transport);
    }
    close(fd);
    free(bytes);
    nginx_stop(nginx);
}

/* It reads a request's whole body before it finds that there is nobody to pass it on to. */
#define READS "location = /reads { proxy_pass http://127.0.0.1:1; }\n"

/* Told before the body goes that it is not wanted. */
static void test_body_that_is_not_wanted(void **state)
{
    struct nginx *nginx =
        https_nginx(&(struct nginx_options){.server = READS "client_max_body_size 1k;"});
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct reader reader = {.len = 10 * MIB};
    ferry_request *req = request("POST", nginx_tls_url(nginx, "/"));
    from_sized_reader(req, &reader);
    assert_int_equal(ferry_request_set_header(req, "Expect", "100-continue"), 0);
    assert_int_equal(send_and_read(transport, req).status, 413);
    assert_int_equal(reader.given, 0);
    ferry_request_free(req);

    /* And in the middle of it. */
    req = request("POST", nginx_tls_url(nginx, "/reads"));
    from_reader(req, &reader);
    assert_int_equal(send_and_read(transport, req).status, 413);
    ferry_request_free(req);
    nginx_stop(nginx);
}

/* ------------------------------------------------------------------------ connections and sessions */

/* Tickets come behind the handshake, and behind responses: a connection is as good as it was. */
static void test_tickets_spoil_no_connection(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = speaking(state, &versions[1]);
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    for (int i = 0; i < 20; i++) {
        assert_got(get(transport, nginx_tls_url(nginx, "/a")), 200, "a");
        ferry_sleep(i % 3); /* now and then the read loop looks, and now and then it does not */
        assert_int_equal(stats_of(transport).idle, 1);
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).reuses, 19);
    assert_true(nginx_await_requests(nginx, 20, SOON_MS));
    assert_int_equal(nginx_counts(nginx).connections, 1);
    nginx_stop(nginx);
}

/* Asks five times, with a connection each. How many of these resumed a session, as both sides see it. */
static int count_resumed(void **state, struct nginx *nginx, const ferry_tls_options *tls)
{
    int resumed = 0;
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls = tls, .disable_keep_alives = 1));
    for (int i = 0; i < 5; i++) {
        struct outcome outcome = {0};
        ferry_tls_info info = FERRY_TLS_INFO_INIT;
        ferry_response *res = open_get(transport, nginx_tls_url(nginx, "/how"));
        read_body(res, &outcome);
        assert_int_equal(ferry_response_tls(res, &info), 1);
        assert_string_equal(outcome.body, info.resumed ? "r" : ".");
        assert_string_equal(info.subject, "CN = server");
        assert_true(info.verified);
        resumed += info.resumed;
        ferry_response_close(res);
    }
    assert_int_equal(stats_of(transport).dials, 5);
    transport_done(state, transport);
    return resumed;
}

#define BURST 64

/* So many connections at once are not so many full handshakes: the first ones bring sessions for those
 * that wait for their turn. */
static void test_a_burst_resumes_sessions(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct call calls[BURST];
    int resumed = 0;
    for (int i = 0; i < BURST; i++) {
        calls[i] = (struct call){
            .transport = transport, .url = nginx_tls_url(nginx, "/"), .keep_open = true};
    }
    run_calls(calls, BURST);
    for (int i = 0; i < BURST; i++) {
        ferry_tls_info info = FERRY_TLS_INFO_INIT;
        assert_int_equal(ferry_response_tls(calls[i].res, &info), 1);
        resumed += info.resumed;
        ferry_response_close(calls[i].res);
    }
    assert_int_equal(stats_of(transport).dials, BURST);
    print_message("%d of %d have resumed a session\n", resumed, BURST);
    assert_true(resumed > 0);
    transport_done(state, transport);
    nginx_stop(nginx);
}

static void test_sessions_are_resumed(void **state)
{
    static const char *const caches[] = {
        "location = /how { return 200 $ssl_session_reused; }",
        "location = /how { return 200 $ssl_session_reused; }\n"
        "ssl_session_tickets off; ssl_session_cache shared:a:1m;",
    };
    for (size_t i = 0; i < 2; i++) {
        struct nginx *nginx = https_nginx(&(struct nginx_options){.server = caches[i]});
        for (size_t j = 0; j < 2; j++) {
            int version = versions[j].number;
            assert_int_equal(
                count_resumed(state, nginx,
                              TRUSTING(.min_version = version, .max_version = version)),
                4);
            assert_int_equal(count_resumed(state, nginx,
                                           TRUSTING(.min_version = version, .max_version = version,
                                                    .disable_resumption = 1)),
                             0);
        }
        nginx_stop(nginx);
    }
}

/* A server that knows nothing of our session any more makes a full handshake. */
static void test_session_that_the_server_forgot(void **state)
{
    struct nginx_options options = {.server =
                                        "location = /how { return 200 $ssl_session_reused; }"};
    struct nginx *first = https_nginx(&options);
    struct nginx *second = https_nginx(&options);
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = nginx_tls_port(first));
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls = TRUSTING(), .disable_keep_alives = 1,
                                                      .dial = dial_hook, .dial_arg = hook));
    assert_got(get(transport, "https://localhost/how"), 200, ".");
    assert_got(get(transport, "https://localhost/how"), 200, "r");
    hook->port = nginx_tls_port(second);
    assert_got(get(transport, "https://localhost/how"), 200, ".");
    assert_got(get(transport, "https://localhost/how"), 200, "r");
    nginx_stop(first);
    nginx_stop(second);
}

static void test_server_closes_idle_connections(void **state)
{
    struct nginx *nginx = https_nginx(&(struct nginx_options){.keepalive_timeout = "100ms"});
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    for (size_t i = 0; i < 2; i++) {
        ferry_transport *transport = speaking(state, &versions[i]);
        assert_got(get(transport, nginx_tls_url(nginx, "/a")), 200, "a");
        assert_int_equal(stats_of(transport).idle, 1);
        assert_eventually(stats_of(transport).connections == 0); /* noticed, though nobody asked */
        assert_eventually(ferry_num_tasks() == 1);
        assert_got(get(transport, nginx_tls_url(nginx, "/a")), 200, "a");
        assert_int_equal(stats_of(transport).retries, 0);
        assert_int_equal(stats_of(transport).errors, 0);
        assert_int_equal(stats_of(transport).dials, 2);
        transport_done(state, transport);
    }
    nginx_stop(nginx);
}

/* The same while the program is outside ferry: noticed by the request that would have used it, or, where
 * the server takes its time to stop, by the monitor. */
static void test_server_closes_behind_our_back(void **state)
{
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    assert_true(nginx_write_file(nginx, "a", BYTES("a")));
    assert_got(get(transport, nginx_tls_url(nginx, "/a")), 200, "a");
    int port = nginx_tls_port(nginx);
    nginx_stop(nginx);
    assert_failed(get(transport, https_url(port, "/a")), FERRY_ECONNECT, "connection refused");
    assert_int_equal(stats_of(transport).dials, 2);
}

/* ------------------------------------------------------------------------------------ who is asked */

#define WHO "location = /who { return 200 '$ssl_server_name $host $ssl_alpn_protocol'; }"

static void test_names_that_the_server_is_told(void **state)
{
    struct nginx *nginx = https_nginx(&(struct nginx_options){.server = WHO});
    struct dial_hook *hook = KEPT(state, struct dial_hook, .port = nginx_tls_port(nginx));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = hook, .tls = TRUSTING()));
    assert_got(get(transport, "https://localhost/who"), 200, "localhost localhost http/1.1");
    /* The dot of the root is no part of what is certified or asked for (RFC 6066 section 3). */
    assert_got(get(transport, "https://localhost./who"), 200, "localhost localhost http/1.1");
    assert_got(get(transport, "https://127.0.0.1/who"), 200, " 127.0.0.1 http/1.1");
    assert_got(get(transport, "https://[::1]/who"), 200, " [::1] http/1.1");

    /* Another Host field is between HTTP's ends, and nothing to TLS. */
    ferry_request *req = request("GET", "https://localhost/who");
    assert_int_equal(ferry_request_set_header(req, "Host", "other.example"), 0);
    assert_got(send_and_read(transport, req), 200, "localhost other.example http/1.1");
    ferry_request_free(req);
    transport_done(state, transport);

    transport = https_transport(state, TRUSTING(.alpn = ""));
    assert_got(get(transport, nginx_tls_url(nginx, "/who")), 200, "localhost localhost ");
    ferry_tls_info info = https_agreed(transport, nginx_tls_url(nginx, "/who"));
    assert_string_equal(info.alpn, "");
    nginx_stop(nginx);
}

static void test_unix_socket(void **state)
{
    struct nginx *nginx = https_nginx(&(struct nginx_options){.server = WHO});
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.unix_socket = nginx_tls_socket_path(nginx),
                                                      .tls = TRUSTING()));
    for (int i = 0; i < 3; i++) {
        assert_got(get(transport, "https://localhost/who"), 200, "localhost localhost http/1.1");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_failed(get(transport, "https://other.example/who"), FERRY_ECERTIFICATE,
                  "tls other.example:443: certificate \"server\" is for localhost, 127.0.0.1, ::1, "
                  "not for other.example");
    nginx_stop(nginx);
}

static void test_schemes_mixed_up(void **state)
{
    char url[128];
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct outcome outcome = get(transport, https_url(nginx_port(nginx), "/"));
    snprintf(url, sizeof url,
             "tls localhost:%d: the server answered in plain HTTP: is the "
             "URL's scheme http?",
             nginx_port(nginx));
    assert_failed(outcome, FERRY_ETLS, url);

    snprintf(url, sizeof url, "http://localhost:%d/", nginx_tls_port(nginx));
    outcome = get(transport, url);
    assert_int_equal(outcome.status, 400);
    assert_non_null(strstr(outcome.body, "The plain HTTP request was sent to HTTPS port"));
    nginx_stop(nginx);
}

/* ----------------------------------------------------------------------------- client certificates */

static void test_client_certificate(void **state)
{
    char server[512];
    snprintf(server, sizeof server,
             "ssl_client_certificate %s;\nssl_verify_client on;\n"
             "location = /who { return 200 '$ssl_client_verify $ssl_client_s_dn'; }",
             world.ca_file);
    struct nginx *nginx = https_nginx(&(struct nginx_options){.server = server});
    const char *url = nginx_tls_url(nginx, "/who");
    for (size_t i = 0; i < 2; i++) {
        int version = versions[i].number;
        ferry_transport *with = https_transport(
            state, TRUSTING(.certificate_file = world.client_file, .max_version = version));
        assert_got(get(with, url), 200, "SUCCESS CN=client");
        ferry_transport_close_idle(with);
        assert_got(get(with, url), 200, "SUCCESS CN=client"); /* resumed */
        assert_int_equal(stats_of(with).dials, 2);
        transport_done(state, with);

        /* nginx is polite, and says it in HTTP. */
        ferry_transport *without = https_transport(state, TRUSTING(.max_version = version));
        struct outcome outcome = get(without, url);
        assert_int_equal(outcome.status, 400);
        assert_non_null(strstr(outcome.body, "No required SSL certificate was sent"));
        transport_done(state, without);

        /* The server's own is not for clients. */
        ferry_transport *wrong = https_transport(
            state, TRUSTING(.certificate_file = world.server_file, .max_version = version));
        assert_int_equal(get(wrong, url).status, 400);
        transport_done(state, wrong);
    }
    nginx_stop(nginx);
}

/* ----------------------------------------------------------------------------------- many at once */

#define REQUESTS 20

struct worker {
    ferry_transport *transport;
    const char *url;
    int answered;
    ferry_error err; /* the last */
};

/* Every third request ends its connection, so that there are handshakes all the time. */
static void ask_often(void *arg)
{
    struct worker *worker = arg;
    for (int i = 0; i < REQUESTS; i++) {
        struct outcome outcome = {0};
        ferry_request *req = ferry_request_new("GET", worker->url, &worker->err);
        ferry_request_set_close(req, i % 3 == 0);
        ferry_response *res = ferry_transport_round_trip(worker->transport, req, &worker->err);
        if (res != NULL) {
            read_body(res, &outcome);
            worker->answered += strcmp(outcome.body, "hello") == 0;
            ferry_response_close(res);
        }
        ferry_request_free(req);
    }
}

static void test_many_threads(void **state)
{
    enum { THREADS = 6 };
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct worker workers[THREADS];
    struct side sides[THREADS];
    assert_true(nginx_write_file(nginx, "hello", BYTES("hello")));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.transport = transport, .url = nginx_tls_url(nginx, "/hello")};
        start_side(&sides[i], ask_often, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        end_side(&sides[i]);
        assert_string_equal(workers[i].err.message, "");
        assert_int_equal(workers[i].answered, REQUESTS);
    }
    ferry_transport_close_idle(transport); /* what their threads have left to the next */
    assert_eventually(stats_of(transport).connections == 0);
    nginx_stop(nginx);
}

static void test_many_tasks(void **state)
{
    enum { TASKS = 50 };
    struct nginx *nginx = https_nginx(NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls = TRUSTING(), .max_per_host = 10));
    struct worker workers[TASKS];
    ferry_group *group = ferry_group_new();
    assert_true(nginx_write_file(nginx, "hello", BYTES("hello")));
    for (int i = 0; i < TASKS; i++) {
        workers[i] = (struct worker){.transport = transport, .url = nginx_tls_url(nginx, "/hello")};
        assert_int_equal(ferry_group_go(group, ask_often, &workers[i]), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    for (int i = 0; i < TASKS; i++) {
        assert_string_equal(workers[i].err.message, "");
        assert_int_equal(workers[i].answered, REQUESTS);
    }
    assert_in_range(stats_of(transport).connections, 0, 10);
    nginx_stop(nginx);
}

/* ------------------------------------------------------------------------------ a server that dies */

struct killer {
    struct nginx *nginx;
    int pieces;
};

/* Kills the server in the middle of the body, and gives more of it. */
static ssize_t kill_and_read(void *arg, void *buf, size_t len)
{
    struct killer *killer = arg;
    if (++killer->pieces == 10) {
        kill(nginx_pid(killer->nginx), SIGKILL);
    }
    memset(buf, 'x', len);
    return killer->pieces < 10000 ? (ssize_t)len : 0;
}

/* SIGPIPE would end this process. */
static void test_server_dies_under_a_write(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct nginx *nginx = https_nginx(&(struct nginx_options){.server = READS});
        struct killer killer = {.nginx = nginx};
        ferry_transport *transport = speaking(state, &versions[i]);
        ferry_request *req = request("PUT", nginx_tls_url(nginx, "/reads"));
        ferry_request_set_body_reader(req, kill_and_read, NULL, &killer, -1);
        struct outcome outcome = send_and_read(transport, req);
        assert_int_equal(outcome.status, 0);
        assert_in_range(killer.pieces, 10, 9999);
        assert_true(outcome.err.code == FERRY_EWRITE || outcome.err.code == FERRY_EREAD ||
                    outcome.err.code == FERRY_ESERVERCLOSED);
        assert_int_equal(stats_of(transport).connections, 0);
        ferry_request_free(req);
        transport_done(state, transport);
        nginx_stop(nginx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_downloads),
        TRANSPORT_TEST(test_early_close_is_drained),
        TRANSPORT_TEST(test_uploads),
        TRANSPORT_TEST(test_body_that_is_not_wanted),
        TRANSPORT_TEST(test_tickets_spoil_no_connection),
        TRANSPORT_TEST(test_sessions_are_resumed),
        TRANSPORT_TEST(test_a_burst_resumes_sessions),
        TRANSPORT_TEST(test_session_that_the_server_forgot),
        TRANSPORT_TEST(test_server_closes_idle_connections),
        TRANSPORT_TEST(test_server_closes_behind_our_back),
        TRANSPORT_TEST(test_names_that_the_server_is_told),
        TRANSPORT_TEST(test_unix_socket),
        TRANSPORT_TEST(test_schemes_mixed_up),
        TRANSPORT_TEST(test_client_certificate),
        TRANSPORT_TEST(test_many_threads),
        TRANSPORT_TEST(test_many_tasks),
        TRANSPORT_TEST(test_server_dies_under_a_write),
    };
    signal(SIGPIPE, SIG_DFL); /* whatever started this test may have ignored it */
    return cmocka_run_group_tests_name("https: nginx", tests, https_world_make, https_world_free);
}
