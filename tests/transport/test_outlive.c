/*
 * Idle connections outlive their threads: programs whose threads come and go, one for each request, dial
 * no more often than others. And what lies there without a thread is watched, counted, and let go like
 * any other.
 */
#include "https_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 200

/* One request on a thread of its own, which has ended when this returns. */
static struct outcome get_on_a_thread(ferry_transport *transport, const char *url)
{
    struct call call = {.transport = transport, .url = url};
    run_elsewhere(run_call, &call);
    return call.outcome;
}

/* No call in here lets this thread's tasks run. */
static bool away_until_connections(ferry_transport *transport, uint64_t count)
{
    int64_t until = now_ms() + SOON_MS;
    while (stats_of(transport).connections != count && now_ms() < until) {
        usleep(1000);
    }
    return stats_of(transport).connections == count;
}

/* --------------------------------------------------------------------------- a thread a request */

static void test_one_after_the_other(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    int before = 0;

    for (int i = 0; i < THREADS; i++) {
        assert_got(get_on_a_thread(transport, origin_url(origin, "/")), 200, "1");
        if (i == 0) {
            before = process_descriptors();
        }
    }
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).idle, 1);
    assert_int_equal(process_descriptors(), before);
    assert_int_equal(ferry_num_tasks(), 3); /* the loops, and this thread */
}

#define AT_A_TIME 8

/* What a swarm of threads shares. */
struct swarm {
    ferry_transport *transport;
    const char *url;
    const char *body;  /* what each must get; NULL: anything */
    atomic_int places; /* free */
    atomic_int good;
};

static void *one_of_the_swarm(void *arg)
{
    struct swarm *swarm = arg;
    struct outcome outcome = get(swarm->transport, swarm->url);
    swarm->good +=
        outcome.status == 200 && (swarm->body == NULL || strcmp(outcome.body, swarm->body) == 0);
    swarm->places++; /* from now on the next may come, whether this thread has ended or not */
    return NULL;
}

static void run_swarm(struct swarm *swarm)
{
    pthread_t threads[THREADS];
    swarm->places = AT_A_TIME;
    for (int i = 0; i < THREADS; i++) {
        while (atomic_load(&swarm->places) == 0) {
            sched_yield();
        }
        swarm->places--;
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_the_swarm, swarm), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(swarm->good, THREADS);
}

static void test_some_at_a_time(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_idle_per_host = THREADS));
    struct swarm swarm = {.transport = transport, .url = origin_url(origin, "/")};

    for (int i = 0; i < 5; i++) {
        swarm.good = 0;
        run_swarm(&swarm);
    }
    assert_in_range(stats_of(transport).dials, 1, AT_A_TIME);
    assert_in_range(origin_counts(origin).accepted, 1, AT_A_TIME);
}

/* With one place for all, each waits until the thread before it gives the connection back, and ends. */
static void test_a_promise_of_a_thread_that_ends(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    struct swarm swarm = {.transport = transport, .url = origin_url(origin, "/"), .body = "1"};

    for (int i = 0; i < 5; i++) {
        swarm.good = 0;
        run_swarm(&swarm);
    }
    assert_int_equal(stats_of(transport).dials, 1);
}

/* On a thread: holds the only connection, waits for it a second time, behind somebody else, and lets
 * it go; ends with the second response open. */
struct holder {
    struct call first, second;
    struct gate holds, may_wait, let_go;
};

static void *hold_and_wait(void *arg)
{
    struct holder *holder = arg;
    run_call(&holder->first);
    gate_open(&holder->holds);
    gate_wait(&holder->may_wait, SOON_MS);
    start_call(&holder->second);
    (void)eventually(stats_of(holder->first.transport).waiting == 2);
    read_body(holder->first.res, &holder->first.outcome);
    ferry_response_close(holder->first.res);
    gate_open(&holder->let_go);
    (void)eventually(holder->second.done);
    return NULL;
}

#define PATIENCE_MS 200

/* False: while this thread was away, the monitor has told its request, which was in time for once. */
static bool comes_home(ferry_transport *transport, const char *url)
{
    struct call held = {.transport = transport, .url = url, .keep_open = true};
    struct holder holder = {.first = held, .second = held};
    struct call impatient = {.transport = transport, .url = url, .timeout_ms = PATIENCE_MS};
    uint64_t dials = stats_of(transport).dials;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, hold_and_wait, &holder), 0);
    assert_true(gate_wait(&holder.holds, SOON_MS));
    start_call(&impatient);
    assert_eventually(stats_of(transport).waiting == 1);
    int64_t over = now_ms() + PATIENCE_MS;
    gate_open(&holder.may_wait);
    assert_true(gate_wait(&holder.let_go, SOON_MS));
    while (now_ms() <= over) {
        usleep(1000);
    }
    assert_eventually(impatient.done);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(holder.second.done && holder.second.res != NULL);
    assert_int_equal(stats_of(transport).connections, 0);
    ferry_response_close(holder.second.res);
    return stats_of(transport).dials == dials + 1;
}

/* A connection that was promised to a request on another thread, which had given up, goes to the next
 * one in line, on the thread that it never left. It is one in use there like any other, and ends with
 * the thread. */
static void test_a_promise_that_comes_home(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *other = transport_with(state, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    int tries = 0;

    assert_got(get(other, origin_url(origin, "/")), 200, "1"); /* has the monitor started */
    transport_done(state, other);
    while (!comes_home(transport, origin_url(origin, "/"))) {
        assert_in_range(++tries, 0, 9);
    }
}

static void test_with_tls(void **state)
{
    struct tls_server *server = https_ok_server();
    const char *url = https_url(tls_server_port(server), "/");
    ferry_transport *transport = https_transport(state, TRUSTING());

    for (int i = 0; i < 20; i++) {
        assert_got(get_on_a_thread(transport, url), 200, "ok");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    transport_done(state, transport);
    tls_server_stop(server);
}

/* More than shake hands at a time. */
#define HANDSHAKES 20

static void serve_silence(struct origin_conn *conn, void *arg)
{
    (void)arg;
    origin_wait_eof(conn, -1);
}

struct silence {
    ferry_transport *transport;
    const char *url;
    int timeouts;
};

static void shake_hands_in_vain(void *arg)
{
    struct silence *silence = arg;
    struct call calls[HANDSHAKES];
    for (int i = 0; i < HANDSHAKES; i++) {
        calls[i] =
            (struct call){.transport = silence->transport, .url = silence->url, .timeout_ms = 10};
    }
    run_calls(calls, HANDSHAKES);
    for (int i = 0; i < HANDSHAKES; i++) {
        silence->timeouts += calls[i].outcome.err.code == FERRY_ETIMEOUT;
    }
}

/* Their requests have given up, some of them while their handshakes waited for their turn. */
static void test_handshakes_end_with_the_thread(void **state)
{
    struct origin *origin = serve_with(state, serve_silence, NULL);
    struct silence silence = {.transport = https_transport(state, TRUSTING()),
                              .url = https_url(origin_port(origin), "/")};

    run_elsewhere(shake_hands_in_vain, &silence);
    assert_int_equal(silence.timeouts, HANDSHAKES);
    assert_int_equal(stats_of(silence.transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_true(origin_await_open(origin, 0, SOON_MS));
    transport_done(state, silence.transport);
}

/* --------------------------------------------------------------------------- watched, and let go */

static void test_server_closes(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);

    assert_got(get_on_a_thread(transport, origin_url(origin, "/close")), 200, "1");
    assert_true(away_until_connections(transport, 0));
    assert_int_equal(stats_of(transport).idle, 0);
    assert_got(get_on_a_thread(transport, origin_url(origin, "/")), 200, "2");
}

static void test_idle_for_too_long(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 50));

    assert_got(get_on_a_thread(transport, origin_url(origin, "/")), 200, "1");
    assert_true(away_until_connections(transport, 0));
    assert_true(origin_await_open(origin, 0, SOON_MS));
}

/* Others close it: a pool that is too small, whoever wants all idle ones closed, and the end. */
static void test_closed_by_others(void **state)
{
    struct origin *first = serve_with(state, serve_identity, NULL);
    struct origin *second = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_idle = 1));

    assert_got(get_on_a_thread(transport, origin_url(first, "/")), 200, "1");
    assert_got(get_on_a_thread(transport, origin_url(second, "/")), 200, "1");
    assert_int_equal(stats_of(transport).connections, 1);
    assert_true(origin_await_open(first, 0, SOON_MS));
    ferry_transport_close_idle(transport);
    assert_int_equal(stats_of(transport).connections, 0);
    assert_got(get_on_a_thread(transport, origin_url(first, "/")), 200, "2");
    transport_done(state, transport);
    assert_int_equal(ferry_num_tasks(), 1); /* at once, as those of this thread */
    assert_true(origin_await_open(first, 0, SOON_MS));
}

static void test_not_without_the_monitor(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.disable_monitor = true));

    assert_got(get_on_a_thread(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(stats_of(transport).connections, 0);
    assert_int_equal(ferry_num_tasks(), 1);
    assert_true(origin_await_open(origin, 0, SOON_MS));
}

static void close_all_idle(void *transport)
{
    ferry_transport_close_idle(transport);
}

/* Threads that end while another closes whatever idles. */
static void test_closing_while_threads_end(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct swarm swarm = {.transport = transport, .url = origin_url(origin, "/")};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_the_swarm, &swarm), 0);
        if (i % 4 == 3) {
            close_all_idle(transport);
        }
        if (i >= AT_A_TIME) {
            assert_int_equal(pthread_join(threads[i - AT_A_TIME], NULL), 0);
        }
    }
    for (int i = THREADS - AT_A_TIME; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(swarm.good, THREADS);
    close_all_idle(transport);
    assert_int_equal(stats_of(transport).connections, 0);
}

/* ------------------------------------------------------------------------------------ looked at */

static void test_in_the_dump(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    char *text = NULL;
    size_t len = 0;

    assert_got(get_on_a_thread(transport, origin_url(origin, "/")), 200, "1");
    FILE *memory = open_memstream(&text, &len);
    ferry_dump_tasks(memory);
    fclose(memory);
    const char *loop = strstr(text, "read loop");
    assert_non_null(loop);
    assert_non_null(strstr(loop, ", on a thread that has ended"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_one_after_the_other),
        TRANSPORT_TEST(test_some_at_a_time),
        TRANSPORT_TEST(test_a_promise_of_a_thread_that_ends),
        TRANSPORT_TEST(test_a_promise_that_comes_home),
        TRANSPORT_TEST(test_with_tls),
        TRANSPORT_TEST(test_handshakes_end_with_the_thread),
        TRANSPORT_TEST(test_server_closes),
        TRANSPORT_TEST(test_idle_for_too_long),
        TRANSPORT_TEST(test_closed_by_others),
        TRANSPORT_TEST(test_not_without_the_monitor),
        TRANSPORT_TEST(test_closing_while_threads_end),
        TRANSPORT_TEST(test_in_the_dump),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
