/*
 * Threads come and go, a few hundred of them, a dozen at a time. Each has some tasks that send some
 * requests, and ends: with idle connections, which others take along, with responses that others
 * close, in the midst of what a canceled request leaves behind. Connections idle for milliseconds,
 * over TCP and TLS; servers close when they like; what is kept at hand is given back every millisecond;
 * some threads are away for long enough that the monitor sees to their connections; and now and then an
 * allocation fails, or all of them do for a while. Every call must return, with a response or a
 * sensible error, and nothing may be left.
 *
 * FERRY_STRESS multiplies how many threads there are; the seed is printed, and FERRY_STRESS_SEED
 * sets it; what threads make of it is another matter.
 */
#include "scale.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "certs.h"
#include "failing_alloc.h"
#include "origin.h"

#include "task/calm.h"
#include "task/clock.h"

/* So many threads live at a time. */
#define LANES 12

#define MOST_TASKS 6

static struct {
    ferry_transport *transport;
    ferry_client *client;
    struct origin *plain, *tls;
    uint64_t seed;
    int lives; /* of each lane */
    bool out_of_memory;
    atomic_long sent, responses, errors, failed, wrong;
    atomic_int lanes_left;
    ferry_error first_wrong; /* of whoever raised wrong from 0 */
} all;

static SSL_CTX *tls_side; /* the TLS origin's */

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % limit;
}

static bool one_in(uint64_t *state, uint32_t count)
{
    return random_below(state, count) == 0;
}

/* ----------------------------------------------------------------------------------- the servers */

/* What the servers answer, by the request's target, and whether they close then, whatever they said. */
static const struct {
    const char *target, *bytes;
    bool closes;
} answers[] = {
    {"/", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
    {"/empty", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     false},
    {"/late-close", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
    {"/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", true},
    {"/more", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n", false},
    {"/silent", "", true},
};
#define ANSWERS (sizeof answers / sizeof answers[0])

static size_t find_answer(const char *head)
{
    const char *target = strchr(head, ' ');
    for (size_t i = 0; target != NULL && i < ANSWERS; i++) {
        size_t len = strlen(answers[i].target);
        if (strncmp(target + 1, answers[i].target, len) == 0 && target[1 + len] == ' ') {
            return i;
        }
    }
    return ANSWERS - 1;
}

static void serve_plain(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        size_t i = find_answer(origin_conn_request(conn).head);
        if (!origin_send_text(conn, answers[i].bytes) || answers[i].closes) {
            return;
        }
    }
}

/* Small requests come whole. */
static void serve_tls(struct origin_conn *conn, void *arg)
{
    char head[2048];
    (void)arg;
    SSL *ssl = SSL_new(tls_side);
    SSL_set_fd(ssl, origin_conn_fd(conn));
    bool open = SSL_accept(ssl) == 1;
    while (open) {
        int got = SSL_read(ssl, head, sizeof head - 1);
        head[got > 0 ? got : 0] = '\0';
        size_t i = find_answer(head);
        int len = (int)strlen(answers[i].bytes);
        open = got > 0 && (len == 0 || SSL_write(ssl, answers[i].bytes, len) == len) &&
               !answers[i].closes;
        if (got > 0 && !open && i % 2 == 0) {
            SSL_shutdown(ssl);
        }
    }
    SSL_free(ssl);
}

/* ----------------------------------------------------------------------------------- the clients */

/* A place for one response: who finds one in it closes that and may leave another. Fewer than the
 * connections that a host has: what lies here holds one. */
static _Atomic(ferry_response *) handed[2];

static bool is_sensible(int code)
{
    switch (code) {
    case FERRY_ENOMEM: return all.out_of_memory;
    case FERRY_ETIMEOUT:
    case FERRY_ECANCELED:
    case FERRY_ECONNECT:
    case FERRY_EPROTOCOL:
    case FERRY_ETRUNCATED:
    case FERRY_ESERVERCLOSED:
    case FERRY_EREAD:
    case FERRY_EWRITE: return true;
    default: return false;
    }
}

static void note_error(const ferry_error *err)
{
    atomic_fetch_add(&all.errors, 1);
    if (!is_sensible(err->code) && atomic_fetch_add(&all.wrong, 1) == 0) {
        all.first_wrong = *err;
    }
}

static void note_no_memory(const char *where)
{
    ferry_error err = {.code = FERRY_ENOMEM};
    snprintf(err.message, sizeof err.message, "%s", where);
    note_error(&err);
}

static void finish(ferry_response *res, uint64_t *state)
{
    char buffer[64];
    ferry_error err = {0};
    ssize_t got = 1;
    atomic_fetch_add(&all.responses, 1);
    switch (random_below(state, 8)) {
    case 0: break;
    case 1: res = atomic_exchange(&handed[random_below(state, 2)], res); break;
    default:
        while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {}
        if (got < 0) {
            note_error(&err);
        }
    }
    ferry_response_close(res);
}

static ferry_request *random_request(uint64_t *state, ferry_error *err)
{
    char url[64];
    bool tls = one_in(state, 3);
    snprintf(url, sizeof url, "http%s://127.0.0.1:%d%s", tls ? "s" : "",
             origin_port(tls ? all.tls : all.plain),
             answers[one_in(state, 2) ? 0 : random_below(state, ANSWERS)].target);
    ferry_request *req = ferry_request_new("GET", url, err);
    ferry_request_set_timeout(req, one_in(state, 8) ? 1 + (int)random_below(state, 10)
                                                    : scaled(10000, 40000));
    return req;
}

struct canceler {
    ferry_context *context; /* the request's, which waits for this task to end */
    int after_ms;
};

static void cancel_later(void *arg)
{
    struct canceler *canceler = arg;
    ferry_sleep(canceler->after_ms);
    ferry_context_cancel(canceler->context);
}

static void send_one(uint64_t *state)
{
    ferry_error err = {0};
    struct canceler canceler = {.after_ms = (int)random_below(state, 5)};
    ferry_group *group = ferry_group_new();
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req = random_request(state, &err);
    if (group == NULL || context == NULL || req == NULL) {
        note_no_memory("what a request needs");
        goto done;
    }
    canceler.context = context;
    ferry_request_set_context(req, context);
    if (one_in(state, 4) && ferry_group_go(group, cancel_later, &canceler) != 0) {
        note_no_memory("a canceler");
    }
    atomic_fetch_add(&all.sent, 1);
    ferry_response *res = ferry_client_do(all.client, req, &err);
    if (res != NULL) {
        finish(res, state);
    } else {
        note_error(&err);
    }
done:
    if (group != NULL) {
        ferry_group_wait(group);
    }
    ferry_group_free(group);
    ferry_context_free(context);
    ferry_request_free(req);
}

/* From here on one allocation of this thread fails, or all; or none any more. */
static void change_memory(uint64_t *state)
{
    if (all.out_of_memory) {
        atomic_fetch_add(&all.failed, alloc_fail_none());
        switch (random_below(state, 6)) {
        case 0: alloc_fail_at(1 + random_below(state, 100), true); break;
        case 1:
        case 2: alloc_fail_at(1 + random_below(state, 300), false); break;
        default: break;
        }
    }
}

static void send_some(void *arg)
{
    uint64_t *state = arg;
    for (uint32_t left = 1 + random_below(state, 6); left > 0; left--) {
        change_memory(state);
        send_one(state);
    }
}

/* A thread's life, to whose end memory may be short. */
static void *live(void *arg)
{
    uint64_t *state = arg;
    uint64_t states[MOST_TASKS];
    uint32_t tasks = random_below(state, MOST_TASKS + 1);
    ferry_group *group = ferry_group_new();
    for (uint32_t i = 0; group != NULL && i < tasks; i++) {
        states[i] = *state + i + 1;
        if (ferry_group_go(group, send_some, &states[i]) != 0) {
            note_no_memory("a task");
        }
    }
    send_some(state);
    if (group != NULL) {
        ferry_group_wait(group);
    }
    ferry_group_free(group);
    if (one_in(state, 4)) {
        usleep(1000 * random_below(state, one_in(state, 8) ? 1000 : 30)); /* away */
    }
    atomic_fetch_add(&all.failed, alloc_fail_none());
    change_memory(state);
    return NULL;
}

static void *run_lane(void *arg)
{
    uint64_t state = all.seed + (uint64_t)(uintptr_t)arg * 1000;
    for (int i = 0; i < all.lives; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live, &state) == 0) {
            pthread_join(thread, NULL);
        } else {
            note_no_memory("a thread");
        }
    }
    atomic_fetch_sub(&all.lanes_left, 1);
    return NULL;
}

static void run_lanes(void)
{
    pthread_t lanes[LANES];
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    atomic_store(&all.lanes_left, LANES);
    for (uintptr_t i = 0; i < LANES; i++) {
        assert_int_equal(pthread_create(&lanes[i], NULL, run_lane, (void *)(i + 1)), 0);
    }
    for (int i = 0; atomic_load(&all.lanes_left) > 0; i++) {
        ferry_sleep(scaled(10, 50));
        ferry_dump_tasks(nowhere);
        if (i % 8 == 0) {
            ferry_transport_close_idle(all.transport);
        }
    }
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(lanes[i], NULL), 0);
    }
    fclose(nowhere);
}

/* --------------------------------------------------------------------------------------- the runs */

static struct cert *cert;

static int make_certificate(void **state)
{
    (void)state;
    fy_calm_after = FY_MILLISECOND;
    cert = cert_make(&(struct cert_options){.name = "server", .names = "IP:127.0.0.1"});
    tls_side = SSL_CTX_new(TLS_server_method());
    return cert != NULL && tls_side != NULL && SSL_CTX_use_certificate(tls_side, cert->x509) == 1 &&
                   SSL_CTX_use_PrivateKey(tls_side, cert->key) == 1
               ? 0
               : -1;
}

static int free_certificate(void **state)
{
    (void)state;
    SSL_CTX_free(tls_side);
    cert_free(cert);
    return 0;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void run(bool out_of_memory, const ferry_transport_options *options)
{
    struct held before = held_now();
    int times = (int)number_from("FERRY_STRESS", 1);
    memset(&all, 0, sizeof all);
    watch_for_hang(scaled(30, 240) * times + 60);
    all.seed = number_from("FERRY_STRESS_SEED", 20260101);
    all.lives = scaled(20, 4) * times;
    all.out_of_memory = out_of_memory;
    all.plain = origin_start(&(struct origin_script){.serve = serve_plain});
    all.tls = origin_start(&(struct origin_script){.serve = serve_tls});
    all.transport = ferry_transport_new(options);
    all.client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = all.transport));
    assert_true(all.plain != NULL && all.tls != NULL && all.client != NULL);
    print_message("seed %llu, %d threads at a time, %d one after the other\n",
                  (unsigned long long)all.seed, LANES, all.lives);
    run_lanes();
    for (size_t i = 0; i < sizeof handed / sizeof handed[0]; i++) {
        ferry_response_close(atomic_exchange(&handed[i], NULL));
    }
    ferry_stats stats = stats_of(all.transport);
    print_message(
        "%ld requests, %ld responses, %ld errors, %ld allocations failed; %d dials, %d reuses\n",
        atomic_load(&all.sent), atomic_load(&all.responses), atomic_load(&all.errors),
        atomic_load(&all.failed), (int)stats.dials, (int)stats.reuses);
    if (atomic_load(&all.wrong) != 0) {
        fail_msg("%ld ended in a way they must not, the first with %s: %s", atomic_load(&all.wrong),
                 ferry_strerror(all.first_wrong.code), all.first_wrong.message);
    }
    assert_true(atomic_load(&all.responses) > 0);
    assert_int_equal(stats.open_responses, 0);
    assert_int_equal(stats.waiting, 0);
    ferry_client_free(all.client);
    ferry_transport_free(all.transport);
    assert_true(origin_await_open(all.plain, 0, 60000) && origin_await_open(all.tls, 0, 60000));
    assert_true(origin_stop(all.plain) && origin_stop(all.tls));
    watch_for_hang(0);
    assert_given_back(before);
}

static const ferry_tls_options trusting = {.size = sizeof trusting, .insecure_skip_verify = 1};

static void test_threads_come_and_go(void **state)
{
    (void)state;
    run(false, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 20, .drain_ms = 5, .tls = &trusting));
}

static void test_few_connections(void **state)
{
    (void)state;
    run(false, FERRY_TRANSPORT_OPTIONS(.max_per_host = 3, .idle_timeout_ms = 5, .tls = &trusting));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    run(true, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 20, .drain_ms = 5, .tls = &trusting));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_few_connections),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, make_certificate, free_certificate);
}
