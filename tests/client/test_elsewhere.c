/*
 * A round tripper may send on another thread than its client's. Where the server answers before it has
 * the whole body, the write loop there still has the request when the send is over here; so what the
 * client then does with the request is under that thread's lock. The build with TSan sees whether it is;
 * without TSan it takes bad luck that a body's end is told never, or that the request is never free.
 */
#include "client_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define ROUNDS 200

#define EARLY "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

/* A thread that sends what it is handed, and goes on serving its connections afterwards. */
struct elsewhere {
    ferry_transport *transport;
    _Atomic(ferry_request *) req; /* to be sent; NULL again: it has been */
    ferry_response *res;
    ferry_error err;
    atomic_bool over;
};

static void *send_there(void *arg)
{
    struct elsewhere *there = arg;
    while (!atomic_load(&there->over)) {
        ferry_request *req = atomic_load(&there->req);
        if (req != NULL) {
            there->res = ferry_transport_round_trip(there->transport, req, &there->err);
            atomic_store(&there->req, NULL);
        }
        ferry_yield();
    }
    return NULL;
}

static ferry_response *send_elsewhere(void *self, ferry_request *req, ferry_error *err)
{
    struct elsewhere *there = self;
    there->err = (ferry_error){0};
    atomic_store(&there->req, req);
    while (atomic_load(&there->req) != NULL) {
        sched_yield();
    }
    *err = there->err;
    return there->res;
}

/* A body that ends when the response has come, or a little later. */
struct body {
    struct elsewhere *there;
    int turns; /* so many */
    int dones;
};

static ssize_t read_until_answered(void *arg, void *buf, size_t len)
{
    struct body *body = arg;
    (void)buf;
    (void)len;
    while (atomic_load(&body->there->req) != NULL) {
        ferry_yield();
    }
    for (volatile int i = 0; i < body->turns; i++) {}
    return 0;
}

static void note_done(void *arg)
{
    ((struct body *)arg)->dones++;
}

static void answer_early(struct origin_conn *conn, void *arg)
{
    (void)arg;
    if (origin_wait_read(conn, 10000)) {
        origin_send(conn, BYTES(EARLY));
        (void)origin_read_request(conn);
    }
}

static void assert_let_go(struct elsewhere *there, ferry_client *client, const char *url, int turns)
{
    struct body body = {.there = there, .turns = turns};
    ferry_request *req = request("POST", url);
    assert_int_equal(ferry_request_set_body_reader(req, read_until_answered, NULL, &body, -1), 0);
    ferry_request_set_body_done(req, note_done, &body);
    ferry_error err;
    ferry_response *res = ferry_client_do(client, req, &err);
    assert_non_null(res);
    ferry_request_free(req); /* waits for the write loop */
    assert_int_equal(body.dones, 1);
    ferry_response_close(res);
}

static void test_an_early_answer_to_a_request_sent_elsewhere(void **state)
{
    struct origin *origin = serve_with(state, answer_early, NULL);
    struct elsewhere there = {.transport = transport_with(state, NULL)};
    const ferry_round_tripper tripper = {.round_trip = send_elsewhere, .self = &there};
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    const char *url = origin_url(origin, "/");
    assert_int_equal(ferry_cookie_jar_set(jar, url, "a=1", NULL), 0);
    ferry_client *plain = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    /* A jar's cookie makes the hop another request than the caller's, which is put back afterwards. */
    ferry_client *cookies =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .cookie_jar = jar));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_there, &there), 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_let_go(&there, i % 2 == 0 ? plain : cookies, url, i * 50);
    }
    atomic_store(&there.over, true);
    pthread_join(thread, NULL);
    ferry_client_free(plain);
    ferry_client_free(cookies);
    ferry_cookie_jar_free(jar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_an_early_answer_to_a_request_sent_elsewhere),
    };
    return cmocka_run_group_tests_name("client: sent elsewhere", tests, NULL, NULL);
}
