/*
 * What the transport's tests share: a fixture that hands out origins and transports and, at the end
 * of each test, holds the library to its promise that nothing is left; requests in a line; tasks
 * that send; a dial function under the test's control.
 *
 *     static void test_keeps_a_connection(void **state)
 *     {
 *         struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
 *         ferry_transport *transport = transport_with(state, NULL);
 *
 *         assert_got(get(transport, origin_url(origin, "/")), 200, "ok");
 *         assert_int_equal(stats_of(transport).idle, 1);
 *     }
 *     …
 *     TRANSPORT_TEST(test_keeps_a_connection),
 *
 * cmocka's assertions leave by longjmp, which must not cross from one stack to another: they are for
 * the test's own thread, never for a task or another thread. Those keep what they found, and the
 * test asserts it afterwards.
 *
 * A wait for something that another thread brings about goes through assert_eventually, which lets
 * ferry's tasks run meanwhile; gate_wait does not.
 */
#ifndef TRANSPORT_TEST_H
#define TRANSPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "gate.h"
#include "origin.h"
#include "process.h"

/* What a condition that must come true is given before the test fails; one that must not come true
 * is watched for a moment. */
#define SOON_MS 10000
#define MOMENT_MS 20

/* ---- The fixture: state is a test's own argument ---- */

#define TRANSPORT_TEST(test) \
    cmocka_unit_test_setup_teardown(test, transport_test_setup, transport_test_teardown)

int transport_test_setup(void **state);

/* Frees the transports, stops the origins, and fails unless tasks, open responses, connections and
 * descriptors are back to what they were. */
int transport_test_teardown(void **state);

/* An origin, or a transport, that lives until the end of the test. They fail the test when there is
 * none to be had. */
struct origin *serve_with(void **state, void (*serve)(struct origin_conn *conn, void *arg),
                          void *arg);
struct origin *serve_script(void **state, const struct origin_script *script);
struct origin *serve_reply(void **state, const char *bytes);
struct origin *serve_replies(void **state, const struct origin_reply *replies, size_t count);
ferry_transport *transport_with(void **state, const ferry_transport_options *options);

/* A zero-filled struct, or one with these members, that lives until the origins have stopped: what a
 * serve function works with must not go with the test's own frame.
 * struct gates *gates = KEPT(state, struct gates); */
#define KEPT(state, type, ...) ((type *)keep_copy((state), &(type){__VA_ARGS__}, sizeof(type)))
void *keep_copy(void **state, const void *initial, size_t size);

/* Frees a transport before the end of the test; what it left is still looked at there. */
void transport_done(void **state, ferry_transport *transport);

/* ---- What origins do ---- */

/* Answers every request with the connection's serial number, in the field Peer and as the body:
 * "1" is the first connection. Ends a connection after the reply when the path is /close. */
void serve_identity(struct origin_conn *conn, void *arg);

/* The same, but each request waits at the gate that its path names, "/0" to "/7"; arg is a struct
 * gates. */
struct gates {
    struct gate arrived[8], go[8];
};
void serve_gated(struct origin_conn *conn, void *gates);

/* Opens every gate, for the end of a test. */
void gates_open(struct gates *gates);

/* ---- Waiting ---- */

/* Lets tasks run until the expression is true; false when it was not within SOON_MS. */
#define eventually(expression)                \
    __extension__({                           \
        int64_t until_ = now_ms() + SOON_MS;  \
        bool true_ = (expression);            \
        while (!true_ && now_ms() < until_) { \
            ferry_sleep(1);                   \
            true_ = (expression);             \
        }                                     \
        true_;                                \
    })
#define assert_eventually(expression)                     \
    do {                                                  \
        if (!eventually(expression)) {                    \
            fail_msg("never came true: %s", #expression); \
        }                                                 \
    } while (0)

int64_t now_ms(void);

/* ---- A request and what came of it ---- */

struct outcome {
    int status;       /* 0: no response; err tells */
    char body[1024];  /* what was read of it, with a NUL behind it */
    ssize_t body_len; /* -1: reading it failed; err tells */
    char peer[32];    /* the response's field of that name, "" if there is none */
    ferry_error err;
};

/* Sends a GET, reads the body to its end, and closes. */
struct outcome get(ferry_transport *transport, const char *url);

/* Likewise, a request of the caller's. */
struct outcome send_and_read(ferry_transport *transport, ferry_request *req);

/* Reads the body into the outcome, as far as it goes; does not close. */
void read_body(ferry_response *res, struct outcome *outcome);

#define assert_got(outcome, wanted_status, wanted_body) \
    assert_got_at((outcome), (wanted_status), (wanted_body), __FILE__, __LINE__)
/* text: a part of the message; NULL: any. */
#define assert_failed(outcome, code, text) \
    assert_failed_at((outcome), (code), (text), __FILE__, __LINE__)
#define assert_error(err, code, text) assert_error_at((err), (code), (text), __FILE__, __LINE__)
void assert_got_at(struct outcome outcome, int status, const char *body, const char *file,
                   int line);
void assert_failed_at(struct outcome outcome, int code, const char *text, const char *file,
                      int line);
void assert_error_at(const ferry_error *err, int code, const char *text, const char *file,
                     int line);

/* A request that must be possible to make; a GET that must bring a response, not read, not closed. */
ferry_request *request(const char *method, const char *url);
ferry_response *open_get(ferry_transport *transport, const char *url);

/* Reads exactly len bytes, and fails the test unless they come. */
void read_exactly(ferry_response *res, char *buf, size_t len);

ferry_stats stats_of(const ferry_transport *transport);

/* How many idle connections the pool has for an origin, or for "host:port". */
int idle_of(ferry_transport *transport, const struct origin *origin);
int idle_at(ferry_transport *transport, const char *host_port);

/* ---- Tasks that send ---- */

/* One send in a task, or a thread, of its own. Zero-filled, then what is wanted. */
struct call {
    ferry_transport *transport;
    const char *url;        /* a GET of it, unless there is a req */
    ferry_request *req;     /* borrowed; NULL: none */
    ferry_context *context; /* for the GET; NULL: none */
    int64_t timeout_ms;     /* likewise; 0: none */
    bool keep_open;         /* the response is not read and not closed: it is left in res */
    ferry_response *res;
    struct outcome outcome;
    int order;        /* 1 for the first call that ended, counted in *ended */
    int *ended;       /* NULL: not counted */
    atomic_bool done; /* set last */
};

/* To ferry_go or ferry_group_go. */
void run_call(void *call);

/* Starts it in a task of this thread's. */
void start_call(struct call *call);

/* Starts all and returns when all are done. */
void run_calls(struct call *calls, size_t count);

/* ---- What a trace has told ---- */

struct trace_text {
    char text[4096];
};

/* Adds to the text. told: a struct trace_text, or a struct that begins with one, as traces get it. */
void tell(void *told, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Threads ---- */

struct side {
    void (*run)(void *arg);
    void *arg;
    atomic_bool done;
    unsigned long thread;
};

/* Runs a function on a thread of its own; end_side lets this thread's tasks run until it has ended. */
void start_side(struct side *side, void (*run)(void *arg), void *arg);
void end_side(struct side *side);

/* The same until it has ended; this thread is not in ferry at all meanwhile. */
void run_elsewhere(void (*run)(void *arg), void *arg);

/* ---- A dial function that the test directs ---- */

#define DIAL_HOOK_MOST 32

/* Zero-filled but for port (or pairs): every dial connects at once. .dial = dial_hook, .dial_arg =
 * &hook. */
struct dial_hook {
    int port;              /* of 127.0.0.1, whatever the URL says */
    bool pairs;            /* instead: one end of a socket pair; the other is in peer[] */
    atomic_int stall_from; /* dials from this one on (1 is the first) wait to be let go; 0: none */
    atomic_int let_go;     /* ... until this many dials in all have been let go */
    atomic_int fail_from;  /* dials from this one on fail once let go, with ECONNREFUSED; 0: none */
    atomic_int begun, ended;   /* how many there have been */
    int peer[DIAL_HOOK_MOST];  /* of a pair, blocking; the test's to close; by the order of dials */
    void (*during)(void *arg); /* called in each dial before it goes on; NULL: none */
    void *during_arg;
};

int dial_hook(void *arg, const ferry_dial_target *target, ferry_error *err);

/* Closes the test's ends of the pairs. */
void dial_hook_close(struct dial_hook *hook);

#endif
