/*
 * Many threads, many tasks on each, several hosts, one transport, and everything that can go wrong going
 * wrong at random: cancels from other tasks and other threads, early closes, closes on another thread,
 * timeouts, resets, connections cut off, idle ones that time out or are closed under everybody's hands, a
 * limit per host that makes requests wait. Every call must return, with a response or a sensible error, and
 * nothing may be left at the end. And once without the weather: then there are no more dials than requests
 * were in flight at a time, but for those who have waited for another's dial as long as anybody has to.
 *
 * Bounded in what it sends, which FERRY_STRESS multiplies: FERRY_STRESS=50. The seed of what is random is
 * printed, and FERRY_STRESS_SEED sets it; what threads make of it is another matter.
 */
#include "scale.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dead_end.h"
#include "origin.h"

#define THREADS 32
#define TASKS 64
#define HOSTS 8

/* Of the calm: how many requests to a host are in flight at a time. */
#define PLACES 4

/* Who has waited this long for a connection may have relied on another's dial in vain, and then have begun
 * one of its own: a little less than the 250 ms after which it does. */
#define LONG_WAIT_MS 240

/* What all of them share. */
static struct {
    ferry_transport *transport;
    ferry_client *client;
    struct origin *origins[HOSTS];
    struct dead_end refusing;
    uint64_t seed;
    int requests; /* of each task */
    atomic_int places[HOSTS];
    atomic_int long_waits[HOSTS]; /* of the calm */
    atomic_long sent, responses, errors, wrong;
    atomic_int threads_left;
    ferry_error first_wrong; /* of whoever raised wrong from 0 */
} all;

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % limit;
}

/* ----------------------------------------------------------------------------------- the servers */

static bool asks(const char *head, const char *path)
{
    const char *target = strchr(head, ' ');
    return target != NULL && strncmp(target + 1, path, strlen(path)) == 0;
}

/* True: the connection serves on. */
static bool answer(struct origin_conn *conn, const char *head)
{
    if (asks(head, "/chunked")) {
        return origin_send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "5\r\nhello\r\n") &&
               origin_send_text(conn, "6\r\n world\r\n0\r\n\r\n");
    }
    if (asks(head, "/big")) {
        return origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n") &&
               origin_send_pattern(conn, 400000);
    }
    if (asks(head, "/close")) {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
        return false;
    }
    if (asks(head, "/late-close")) { /* kept, as far as the client can tell */
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        return false;
    }
    if (asks(head, "/reset")) {
        origin_reset(conn);
        return false;
    }
    if (asks(head, "/cut")) {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        return false;
    }
    if (asks(head, "/rubbish")) {
        origin_send_text(conn, "220 not the protocol you are looking for\r\n\r\n");
        return false;
    }
    if (asks(head, "/more")) {
        return origin_send_text(conn, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n");
    }
    if (asks(head, "/never")) {
        origin_wait_eof(conn, -1);
        return false;
    }
    if (asks(head, "/slow")) {
        return origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234") &&
               origin_sleep(conn, 2) && origin_send_text(conn, "56789");
    }
    return origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn) && answer(conn, origin_conn_request(conn).head)) {}
}

/* ------------------------------------------------------------------------- closing on another thread */

/* A place for one response: who finds one in it closes that and may leave another. */
static _Atomic(ferry_response *) handed[4];

static void close_elsewhere(ferry_response *res, uint32_t place)
{
    ferry_response_close(atomic_exchange(&handed[place], res));
}

/* ----------------------------------------------------------------------------------- the clients */

static void note_error(const ferry_error *err)
{
    switch (err->code) {
    case FERRY_ETIMEOUT:
    case FERRY_ECANCELED:
    case FERRY_ECONNECT:
    case FERRY_EPROTOCOL:
    case FERRY_ETRUNCATED:
    case FERRY_ESERVERCLOSED:
    case FERRY_EREAD:
    case FERRY_EWRITE: atomic_fetch_add(&all.errors, 1); break;
    default:
        if (atomic_fetch_add(&all.wrong, 1) == 0) {
            all.first_wrong = *err;
        }
    }
}

/* Reads on to the end, or so many pieces. */
static void read_some(ferry_response *res, int pieces)
{
    char buffer[8192];
    ferry_error err = {0};
    ssize_t got = 1;
    for (int i = 0; got > 0 && (pieces < 0 || i < pieces); i++) {
        got = ferry_response_read(res, buffer, sizeof buffer, &err);
    }
    if (got < 0) {
        note_error(&err);
    }
}

static void finish(ferry_response *res, uint64_t *state)
{
    atomic_fetch_add(&all.responses, 1);
    switch (random_below(state, 8)) {
    case 0: break;
    case 1: read_some(res, 1); break;
    case 2: close_elsewhere(res, random_below(state, 4)); return;
    case 3: ferry_yield(); break;
    default: read_some(res, -1); break;
    }
    ferry_response_close(res);
}

/* Contexts of requests under way, for whoever wants to cancel one from another thread. */
static struct {
    pthread_mutex_t lock;
    ferry_context *context; /* NULL: none */
} shared[8];

static bool share(ferry_context *context, uint32_t place)
{
    pthread_mutex_lock(&shared[place].lock);
    bool free = shared[place].context == NULL;
    if (free) {
        shared[place].context = context;
    }
    pthread_mutex_unlock(&shared[place].lock);
    return free;
}

static void take_back(uint32_t place)
{
    pthread_mutex_lock(&shared[place].lock);
    shared[place].context = NULL;
    pthread_mutex_unlock(&shared[place].lock);
}

static void cancel_somebody(uint32_t place)
{
    pthread_mutex_lock(&shared[place].lock);
    ferry_context_cancel(shared[place].context);
    pthread_mutex_unlock(&shared[place].lock);
}

struct canceler {
    ferry_context *context; /* the request's, which waits for this task to end */
    int after_ms;
};

static void cancel_later(void *arg)
{
    struct canceler *canceler = arg;
    if (canceler->after_ms > 0) {
        ferry_sleep(canceler->after_ms);
    }
    ferry_context_cancel(canceler->context);
}

static const char *random_url(uint64_t *state, char url[128])
{
    static const char *const paths[] = {"/",      "/",      "/",          "/chunked", "/big",
                                        "/close", "/reset", "/cut",       "/rubbish", "/more",
                                        "/never", "/slow",  "/late-close"};
    const char *path = paths[random_below(state, sizeof paths / sizeof paths[0])];
    if (random_below(state, 40) == 0) {
        return all.refusing.url;
    }
    const struct origin *origin = all.origins[random_below(state, HOSTS)];
    snprintf(url, 128, "http://127.0.0.1:%d%s", origin_port(origin), path);
    return url;
}

/* A few give up at once, or soon; nobody waits long where no answer comes. */
static int64_t random_timeout(uint64_t *state, const char *url)
{
    uint32_t chosen = random_below(state, 8);
    int64_t soon = 1 + random_below(state, 30);
    return chosen == 0                                    ? 1
           : chosen == 1 || strstr(url, "/never") != NULL ? soon
                                                          : scaled(5000, 20000);
}

static void send_one(uint64_t *state)
{
    char place[128];
    const char *url = random_url(state, place);
    ferry_error err = {0};
    struct canceler canceler;
    bool post = random_below(state, 6) == 0;
    ferry_request *req = ferry_request_new(post ? "POST" : "GET", url, &err);
    ferry_context *context = ferry_context_new(-1);
    ferry_group *group = ferry_group_new();
    if (req == NULL || context == NULL || group == NULL) {
        note_error(&err);
        goto done;
    }
    if (post) {
        ferry_request_set_body(req, "a body", 6);
    }
    ferry_request_set_timeout(req, random_timeout(state, url));
    ferry_request_set_context(req, context);
    if (random_below(state, 4) == 0) {
        canceler = (struct canceler){context, (int)random_below(state, 6)};
        if (ferry_group_go(group, cancel_later, &canceler) != 0) {
            atomic_fetch_add(&all.wrong, 1);
        }
    }
    atomic_fetch_add(&all.sent, 1);
    uint32_t slot = random_below(state, sizeof shared / sizeof shared[0]);
    bool is_shared = share(context, slot);
    ferry_response *res = ferry_client_do(all.client, req, &err);
    if (res != NULL) {
        finish(res, state);
    } else {
        note_error(&err);
    }
    if (is_shared) {
        take_back(slot);
    } else if (random_below(state, 16) == 0) {
        cancel_somebody(slot);
    }
done:
    if (group != NULL) {
        ferry_group_wait(group);
    }
    ferry_group_free(group);
    ferry_context_free(context);
    ferry_request_free(req);
}

static void weather(void *arg)
{
    for (int i = 0; i < all.requests; i++) {
        send_one(arg);
    }
}

/* A place at any host, as soon as there is one. */
static int take_place(uint64_t *state)
{
    for (;;) {
        int host = (int)random_below(state, HOSTS);
        if (atomic_fetch_sub(&all.places[host], 1) > 0) {
            return host;
        }
        atomic_fetch_add(&all.places[host], 1);
        ferry_sleep(1 + random_below(state, 40));
    }
}

/* A request's wait for its connection, in the calm. */
struct wait {
    int host;
    int64_t since; /* of now_ms() */
};

static void wait_begins(void *arg, const char *host_port)
{
    struct wait *wait = arg;
    (void)host_port;
    wait->since = now_ms();
}

static void wait_ends(void *arg, int reused, int64_t idle_ms)
{
    const struct wait *wait = arg;
    (void)reused;
    (void)idle_ms;
    if (now_ms() - wait->since >= LONG_WAIT_MS) {
        atomic_fetch_add(&all.long_waits[wait->host], 1);
    }
}

/* The place is given back when the call that ended the body has returned: then the connection is in the
 * pool, for every thread. */
static void calm(void *arg)
{
    char url[64];
    char body[16];
    for (int i = 0; i < all.requests; i++) {
        ferry_error err = {0};
        struct wait wait = {.host = take_place(arg)};
        snprintf(url, sizeof url, "http://127.0.0.1:%d/", origin_port(all.origins[wait.host]));
        ferry_request *req = ferry_request_new("GET", url, &err);
        ferry_request_set_trace(req, FERRY_TRACE(.get_conn = wait_begins, .got_conn = wait_ends),
                                &wait);
        ferry_response *res = ferry_client_do(all.client, req, &err);
        bool good = res != NULL && ferry_response_read(res, body, sizeof body, &err) == 5;
        ferry_response_close(res);
        ferry_request_free(req);
        atomic_fetch_add(&all.places[wait.host], 1);
        atomic_fetch_add(good ? &all.responses : &all.wrong, 1);
        if (!good) {
            all.first_wrong = err;
        }
    }
}

struct crew {
    void (*work)(void *arg);
    uint64_t number; /* 1, 2, 3 ... */
};

static void *run_thread(void *arg)
{
    const struct crew *crew = arg;
    uint64_t states[TASKS];
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < TASKS; i++) {
        states[i] = all.seed + crew->number * 1000 + (uint64_t)i;
        if (ferry_group_go(group, crew->work, &states[i]) != 0) {
            atomic_fetch_add(&all.wrong, 1);
        }
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    atomic_fetch_sub(&all.threads_left, 1);
    return NULL;
}

/* Closes idle connections under everybody's hands, and takes statistics and dumps. */
static void disturb(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    while (atomic_load(&all.threads_left) > 0) {
        ferry_sleep(scaled(40, 400));
        ferry_transport_close_idle(all.transport);
        (void)stats_of(all.transport);
        (void)ferry_open_responses(nowhere);
        ferry_dump_tasks(nowhere);
    }
    if (nowhere != NULL) {
        fclose(nowhere);
    }
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void start(const ferry_transport_options *options, int requests)
{
    memset(&all, 0, sizeof all);
    all.seed = number_from("FERRY_STRESS_SEED", 20260101);
    all.requests = requests * (int)number_from("FERRY_STRESS", 1);
    all.transport = ferry_transport_new(options);
    all.client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = all.transport));
    assert_non_null(all.client);
    for (int i = 0; i < HOSTS; i++) {
        all.origins[i] = origin_start(&(struct origin_script){.serve = serve});
        assert_non_null(all.origins[i]);
        atomic_store(&all.places[i], PLACES);
    }
    assert_true(dead_end_refuse(&all.refusing));
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        pthread_mutex_init(&shared[i].lock, NULL);
    }
    atomic_store(&all.threads_left, THREADS);
    print_message("seed %llu, %d threads of %d tasks that send %d requests each\n",
                  (unsigned long long)all.seed, THREADS, TASKS, all.requests);
}

static void run_threads(void (*work)(void *arg), void (*meanwhile)(void))
{
    pthread_t threads[THREADS];
    struct crew crews[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crews[i] = (struct crew){work, (uint64_t)i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &crews[i]), 0);
    }
    meanwhile();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void assert_nothing_wrong(void)
{
    ferry_stats stats = stats_of(all.transport);
    print_message("%ld requests, %ld responses, %ld errors; %d dials, %d reuses\n",
                  atomic_load(&all.sent), atomic_load(&all.responses), atomic_load(&all.errors),
                  (int)stats.dials, (int)stats.reuses);
    if (atomic_load(&all.wrong) != 0) {
        fail_msg("%ld ended in a way they must not, the first with %s: %s", atomic_load(&all.wrong),
                 ferry_strerror(all.first_wrong.code), all.first_wrong.message);
    }
    assert_int_equal(stats.open_responses, 0);
    assert_int_equal(stats.waiting, 0);
}

static void finish_all(struct held before)
{
    ferry_client_free(all.client);
    ferry_transport_free(all.transport);
    for (int i = 0; i < HOSTS; i++) {
        /* It may still be accepting what was given up long ago, while in its queue. */
        assert_true(origin_await_open(all.origins[i], 0, 60000));
        assert_true(origin_stop(all.origins[i]));
    }
    dead_end_close(&all.refusing);
    watch_for_hang(0);
    assert_given_back(before);
}

static int patience(int seconds)
{
    return seconds * (int)number_from("FERRY_STRESS", 1) + 60;
}

static void run_weather(int max_per_host)
{
    struct held before = held_now();
    watch_for_hang(patience(scaled(25, 240)));
    start(FERRY_TRANSPORT_OPTIONS(.max_per_host = max_per_host, .max_idle_per_host = 2,
                                  .idle_timeout_ms = 15, .drain_ms = 5),
          scaled(8, 1));
    run_threads(weather, disturb);
    for (size_t i = 0; i < sizeof handed / sizeof handed[0]; i++) {
        ferry_response_close(atomic_exchange(&handed[i], NULL));
    }
    assert_nothing_wrong();
    assert_true(atomic_load(&all.responses) > 0);
    assert_true(atomic_load(&all.errors) > 0);
    ferry_stats stats = stats_of(all.transport);
    assert_in_range(stats.dials, 1, stats.requests + stats.retries);
    finish_all(before);
}

static void test_few_connections_a_host(void **state)
{
    (void)state;
    run_weather(3);
}

static void test_many_connections_a_host(void **state)
{
    (void)state;
    run_weather(32);
}

/* For whoever is only there to be waited for. */
static void look_on(void)
{
    while (atomic_load(&all.threads_left) > 0) {
        ferry_sleep(10);
    }
}

/* A connection goes to whichever thread asks next: no thread dials while another's idles. */
static void test_dials_are_no_more_than_requests_in_flight(void **state)
{
    (void)state;
    struct held before = held_now();
    watch_for_hang(patience(scaled(25, 240)));
    start(NULL, scaled(4, 1));
    run_threads(calm, look_on);
    assert_nothing_wrong();
    assert_int_equal(atomic_load(&all.responses), (long)THREADS * TASKS * all.requests);
    int dials = 0;
    for (int i = 0; i < HOSTS; i++) {
        int most = PLACES + atomic_load(&all.long_waits[i]);
        assert_in_range(origin_counts(all.origins[i]).accepted, 1, most);
        dials += most;
    }
    assert_in_range(stats_of(all.transport).dials, 1, dials);
    finish_all(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dials_are_no_more_than_requests_in_flight),
        cmocka_unit_test(test_few_connections_a_host),
        cmocka_unit_test(test_many_connections_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
