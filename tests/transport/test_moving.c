/*
 * One pool for every thread: idle connections go where the next request is.
 *
 * Threads that answer to a stage, one after the other, so that each is out of ferry while another
 * works: what moves has to move without them.
 */
#include "https_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

/* ---- A thread that does one thing at a time, when it is told to ---- */

struct worker {
    pthread_t thread;
    sem_t told, done;
    void (*run)(void *arg); /* NULL: it is to end */
    void *arg;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (;;) {
        sem_wait(&worker->told);
        if (worker->run == NULL) {
            return NULL;
        }
        worker->run(worker->arg);
        sem_post(&worker->done);
    }
}

static void worker_start(struct worker *worker)
{
    sem_init(&worker->told, 0, 0);
    sem_init(&worker->done, 0, 0);
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

/* Has it done, while this thread is not in ferry either. */
static void worker_do(struct worker *worker, void (*run)(void *arg), void *arg)
{
    worker->run = run;
    worker->arg = arg;
    sem_post(&worker->told);
    sem_wait(&worker->done);
}

static void worker_end(struct worker *worker)
{
    worker->run = NULL;
    sem_post(&worker->told);
    pthread_join(worker->thread, NULL);
    sem_destroy(&worker->told);
    sem_destroy(&worker->done);
}

/* -------------------------------------------------------------------------- from hand to hand */

#define WORKERS 5

static void test_one_connection_serves_all_threads(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    struct worker workers[WORKERS];

    for (int i = 0; i < WORKERS; i++) {
        worker_start(&workers[i]);
    }
    for (int i = 0; i < 20 * WORKERS; i++) {
        worker_do(&workers[i * 7 % WORKERS], run_call, &call);
        assert_got(call.outcome, 200, "1");
    }
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    assert_int_equal(stats_of(transport).dials, 1);
    assert_int_equal(stats_of(transport).connections, 1);
    for (int i = 0; i < WORKERS; i++) {
        worker_end(&workers[i]);
    }
    assert_int_equal(stats_of(transport).connections, 1); /* it is this thread's now */
    assert_int_equal(ferry_num_tasks(), 3);
}

static void test_bodies_of_every_kind(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct origin *origin = serve_reply(state, replies[i]);
        ferry_transport *transport = transport_with(state, NULL);
        struct call call = {.transport = transport, .url = origin_url(origin, "/")};
        struct worker worker;
        worker_start(&worker);
        for (int n = 0; n < 5; n++) {
            worker_do(&worker, run_call, &call);
            assert_int_equal(call.outcome.status, i < 2 ? 200 : 204);
            assert_int_equal(get(transport, origin_url(origin, "/")).status, i < 2 ? 200 : 204);
        }
        assert_int_equal(stats_of(transport).dials, 1);
        worker_end(&worker);
    }
}

/* The puzzle's responses, read and not closed, keep nothing of a connection that has gone on. */
static void open_and_read(void *arg)
{
    struct call *call = arg;
    run_call(call);
    (void)!ferry_response_read(call->res, call->outcome.body, 1, NULL);
}

static void close_opened(void *arg)
{
    ferry_response_close(((struct call *)arg)->res);
}

static void test_response_closed_after_its_connection_has_moved(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct call first = {.transport = transport, .url = origin_url(origin, "/"), .keep_open = true};
    struct worker worker;

    worker_start(&worker);
    worker_do(&worker, open_and_read, &first);
    assert_int_equal(first.outcome.body[0], '1');
    assert_got(get(transport, origin_url(origin, "/")), 200, "1");
    ferry_transport_close_idle(transport);
    assert_int_equal(stats_of(transport).connections, 0);
    worker_do(&worker, close_opened, &first);
    assert_int_equal(ferry_open_responses(NULL), 0);
    worker_end(&worker);
}

/* The server has closed it while its thread was elsewhere. A POST cannot be sent twice, so that
 * must be seen before it is used. */
static void test_closed_connection_is_not_taken(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct call call = {.transport = transport, .url = origin_url(origin, "/close")};
    struct worker worker;

    worker_start(&worker);
    worker_do(&worker, run_call, &call);
    assert_got(call.outcome, 200, "1");
    assert_true(origin_await_open(origin, 0, SOON_MS));
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_body(req, "x", 1), 0);
    assert_got(send_and_read(transport, req), 200, "2");
    assert_int_equal(stats_of(transport).retries, 0);
    ferry_request_free(req);
    worker_end(&worker);
}

static void test_expired_connection_is_not_taken(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.idle_timeout_ms = 1));
    struct call call = {.transport = transport, .url = origin_url(origin, "/")};
    struct worker worker;

    worker_start(&worker);
    worker_do(&worker, run_call, &call);
    int64_t until = now_ms() + 3;
    while (now_ms() < until) {}
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    worker_end(&worker);
}

/* ------------------------------------------------------------------------------------ with TLS */

static void test_tls_connection_moves(void **state)
{
    struct tls_server *server = https_ok_server();
    const char *url = https_url(tls_server_port(server), "/");
    ferry_transport *transport = https_transport(state, TRUSTING());
    struct call call = {.transport = transport, .url = url};
    struct worker worker;

    worker_start(&worker);
    for (int i = 0; i < 5; i++) {
        worker_do(&worker, run_call, &call);
        assert_got(call.outcome, 200, "ok");
        assert_got(get(transport, url), 200, "ok");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    worker_end(&worker);
    transport_done(state, transport);
    tls_server_stop(server);
}

/* ------------------------------------------------------------------------------------- in turn */

/* A call on a thread that stays when it is done: its connection does not go with it. */
struct lingering {
    struct call call;
    struct gate leave;
};

static void run_and_linger(void *arg)
{
    struct lingering *lingering = arg;
    run_call(&lingering->call);
    gate_wait(&lingering->leave, SOON_MS);
}

/* A connection that comes free goes to the request that has waited for longest, on whichever
 * thread. */
static void test_turns_over_threads(void **state)
{
    enum { CALLS = 5 };
    struct gates *gates = KEPT(state, struct gates);
    struct origin *origin = serve_with(state, serve_gated, gates);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    struct lingering *calls = keep_copy(state, (struct lingering[CALLS]){0}, CALLS * sizeof *calls);
    char urls[CALLS][64];
    struct side sides[CALLS];

    for (int i = 0; i < CALLS; i++) {
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d/%d", origin_port(origin), i);
        calls[i].call = (struct call){.transport = transport, .url = urls[i]};
        if (i % 2 == 0) {
            start_side(&sides[i], run_and_linger, &calls[i]);
        } else {
            start_call(&calls[i].call); /* of this thread */
        }
        assert_eventually(i == 0 ? gate_is_open(&gates->arrived[0])
                                 : stats_of(transport).waiting == (uint64_t)i);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_eventually(gate_is_open(&gates->arrived[i]));
        assert_int_equal(stats_of(transport).waiting, CALLS - 1 - i);
        gate_open(&gates->go[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_eventually(calls[i].call.done);
        assert_got(calls[i].call.outcome, 200, "1");
    }
    assert_int_equal(stats_of(transport).dials, 1);
    for (int i = 0; i < CALLS; i += 2) {
        gate_open(&calls[i].leave);
        end_side(&sides[i]);
    }
}

/* While a trace's function keeps the read loop, the connection cannot leave its thread: the other
 * thread dials, and nothing is spoilt. */
struct slow_trace {
    struct gate in, go;
};

static void put_slowly(void *arg, int result)
{
    struct slow_trace *slow = arg;
    (void)result;
    gate_open(&slow->in);
    gate_wait(&slow->go, SOON_MS);
}

/* The same, but it waits in ferry: the loop is parked, and still in a function of the user's. */
static void put_dozing(void *arg, int result)
{
    struct slow_trace *slow = arg;
    (void)result;
    gate_open(&slow->in);
    while (!gate_is_open(&slow->go)) {
        ferry_sleep(1);
    }
}

static void stays_while(void **state, void (*put)(void *arg, int result))
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct slow_trace *slow = KEPT(state, struct slow_trace);
    struct call call = {.transport = transport, .req = request("GET", origin_url(origin, "/"))};
    struct side side;

    ferry_request_set_trace(call.req, FERRY_TRACE(.put_idle_conn = put), slow);
    start_side(&side, run_call, &call);
    assert_true(gate_wait(&slow->in, SOON_MS));
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    gate_open(&slow->go);
    end_side(&side);
    assert_got(call.outcome, 200, "1");
    assert_got(get(transport, origin_url(origin, "/")), 200, "2");
    ferry_request_free(call.req);
}

static void test_connection_busy_in_a_trace_stays(void **state)
{
    stays_while(state, put_slowly);
}

static void test_connection_dozing_in_a_trace_stays(void **state)
{
    stays_while(state, put_dozing);
}

/* ------------------------------------------------------------------------------------- in bulk */

/* With at most so many requests in flight at a time, so many connections are dialed, never one
 * more. */
#define IN_FLIGHT 3
#define CROWD 8
#define ROUNDS 150

struct crowd {
    ferry_transport *transport;
    const char *url;
    sem_t tickets, leave;
    atomic_int bad;
};

static void *crowd_thread(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char byte;
        sem_wait(&crowd->tickets);
        ferry_request *req = ferry_request_new("GET", crowd->url, NULL);
        ferry_response *res = ferry_transport_round_trip(crowd->transport, req, NULL);
        bool good = res != NULL && ferry_response_read(res, &byte, 1, NULL) == 1;
        /* The end has been met. Even those that close late, or in the middle of another's request. */
        if (i % 2 == 0) {
            ferry_response_close(res);
            sem_post(&crowd->tickets);
        } else {
            sem_post(&crowd->tickets);
            ferry_response_close(res);
        }
        ferry_request_free(req);
        atomic_fetch_add(&crowd->bad, good ? 0 : 1);
    }
    sem_wait(&crowd->leave); /* none ends, and takes connections along, while others are at it */
    return NULL;
}

static void test_no_more_connections_than_requests_in_flight(void **state)
{
    struct origin *origin = serve_with(state, serve_identity, NULL);
    ferry_transport *transport = transport_with(state, NULL);
    struct crowd crowd = {.transport = transport, .url = origin_url(origin, "/")};
    pthread_t threads[CROWD];

    sem_init(&crowd.tickets, 0, IN_FLIGHT);
    sem_init(&crowd.leave, 0, 0);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &crowd), 0);
    }
    while (stats_of(transport).responses < CROWD * ROUNDS) {
        ferry_sleep(1);
    }
    assert_in_range(stats_of(transport).dials, 1, IN_FLIGHT);
    for (int i = 0; i < CROWD; i++) {
        sem_post(&crowd.leave);
    }
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(crowd.bad, 0);
    sem_destroy(&crowd.tickets);
    sem_destroy(&crowd.leave);
}

/* Requests that wait on several threads, are cancelled at any moment, and threads that end: a
 * connection that was promised to one of them goes to the next. */
struct fickle {
    ferry_transport *transport;
    const char *url;
    int good, canceled;
};

static void fickle_task(void *arg)
{
    struct fickle *fickle = arg;
    for (int i = 0; i < 12; i++) {
        ferry_context *context = ferry_context_new(i % 3 == 0 ? 1 : -1);
        struct call call = {.transport = fickle->transport, .url = fickle->url, .context = context};
        run_call(&call);
        fickle->good += call.outcome.status == 200 && call.outcome.body_len == 1;
        fickle->canceled += call.outcome.err.code == FERRY_ETIMEOUT;
        ferry_context_free(context);
    }
}

static void fickle_thread(void *arg)
{
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < 4; i++) {
        (void)!ferry_group_go(group, fickle_task, arg);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

static void test_cancels_while_promised(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 2));
    struct fickle fickles[4];
    struct side sides[4];

    for (int i = 0; i < 4; i++) {
        fickles[i] = (struct fickle){.transport = transport, .url = origin_url(origin, "/")};
        start_side(&sides[i], fickle_thread, &fickles[i]);
    }
    for (int i = 0; i < 4; i++) {
        end_side(&sides[i]);
        assert_int_equal(fickles[i].good + fickles[i].canceled, 4 * 12);
    }
    assert_int_equal(stats_of(transport).waiting, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_one_connection_serves_all_threads),
        TRANSPORT_TEST(test_bodies_of_every_kind),
        TRANSPORT_TEST(test_response_closed_after_its_connection_has_moved),
        TRANSPORT_TEST(test_closed_connection_is_not_taken),
        TRANSPORT_TEST(test_expired_connection_is_not_taken),
        TRANSPORT_TEST(test_tls_connection_moves),
        TRANSPORT_TEST(test_turns_over_threads),
        TRANSPORT_TEST(test_connection_busy_in_a_trace_stays),
        TRANSPORT_TEST(test_connection_dozing_in_a_trace_stays),
        TRANSPORT_TEST(test_no_more_connections_than_requests_in_flight),
        TRANSPORT_TEST(test_cancels_while_promised),
    };
    return cmocka_run_group_tests(tests, https_world_make, https_world_free);
}
