/*
 * What the transport's tests share.
 */
#include "transport_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "task/sched.h"
#include "transport/idle_pool.h"
#include "transport/transport.h"

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --------------------------------------------------------------------------------- the fixture */

#define MOST 24

/* One test's. */
struct fixture {
    int descriptors; /* before it */
    struct origin *origins[MOST];
    int origin_count;
    ferry_transport *transports[MOST]; /* each with a hold, so that what it left can be looked at */
    bool freed[MOST];
    int transport_count;
    void *kept[MOST];
    int kept_count;
};

int transport_test_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) {
        return -1;
    }
    if (ferry_num_tasks() != 1) { /* and the thread has its scheduler, with its descriptors */
        print_error("there are %d tasks before the test\n", ferry_num_tasks());
        return -1;
    }
    fixture->descriptors = process_descriptors();
    *state = fixture;
    return 0;
}

static uint64_t connections(const struct fixture *fixture)
{
    uint64_t count = 0;
    for (int i = 0; i < fixture->transport_count; i++) {
        count += stats_of(fixture->transports[i]).connections;
    }
    return count;
}

/* Hosts without connections and waiters are forgotten. */
static bool hosts_left(const struct fixture *fixture)
{
    bool left = false;
    for (int i = 0; i < fixture->transport_count; i++) {
        ferry_transport *transport = fixture->transports[i];
        pthread_mutex_lock(&transport->pool.lock);
        left = left || transport->pool.hosts != NULL;
        pthread_mutex_unlock(&transport->pool.lock);
    }
    return left;
}

int transport_test_teardown(void **state)
{
    struct fixture *fixture = *state;
    int result = 0;
    for (int i = 0; i < fixture->transport_count; i++) {
        if (!fixture->freed[i]) {
            ferry_transport_free(fixture->transports[i]);
        }
    }
    bool gone = eventually(ferry_num_tasks() == 1 && connections(fixture) == 0);
    bool hosts = hosts_left(fixture);
    for (int i = 0; i < fixture->origin_count; i++) {
        if (!origin_stop(fixture->origins[i])) {
            print_error("an origin's serve function did not end\n");
            result = -1;
        }
    }
    int left = (int)connections(fixture);
    (void)fy_enter();
    for (int i = 0; i < fixture->transport_count; i++) {
        fy_transport_release(fixture->transports[i]);
    }
    fy_leave();
    bool closed = eventually(process_descriptors() == fixture->descriptors);
    if (!gone || !closed || hosts || ferry_open_responses(NULL) != 0) {
        print_error("left behind: %d tasks, %d connections, %d descriptors%s; open responses:\n",
                    ferry_num_tasks() - 1, left, process_descriptors() - fixture->descriptors,
                    hosts ? ", a host" : "");
        ferry_open_responses(stderr);
        ferry_dump_tasks(stderr);
        result = -1;
    }
    for (int i = 0; i < fixture->kept_count; i++) {
        free(fixture->kept[i]);
    }
    free(fixture);
    return result;
}

static struct origin *keep(void **state, struct origin *origin)
{
    struct fixture *fixture = *state;
    assert_non_null(origin);
    assert_true(fixture->origin_count < MOST);
    fixture->origins[fixture->origin_count++] = origin;
    return origin;
}

struct origin *serve_script(void **state, const struct origin_script *script)
{
    return keep(state, origin_start(script));
}

struct origin *serve_with(void **state, void (*serve)(struct origin_conn *conn, void *arg),
                          void *arg)
{
    return serve_script(state, &(struct origin_script){.serve = serve, .arg = arg});
}

struct origin *serve_reply(void **state, const char *bytes)
{
    return keep(state, origin_start_reply(bytes));
}

struct origin *serve_replies(void **state, const struct origin_reply *replies, size_t count)
{
    return keep(state, origin_start_replies(replies, count));
}

ferry_transport *transport_with(void **state, const ferry_transport_options *options)
{
    struct fixture *fixture = *state;
    ferry_transport *transport = ferry_transport_new(options);
    assert_non_null(transport);
    assert_true(fixture->transport_count < MOST);
    fy_transport_hold(transport);
    fixture->transports[fixture->transport_count++] = transport;
    return transport;
}

void *keep_copy(void **state, const void *initial, size_t size)
{
    struct fixture *fixture = *state;
    void *copy = malloc(size);
    assert_non_null(copy);
    assert_true(fixture->kept_count < MOST);
    fixture->kept[fixture->kept_count++] = copy;
    return memcpy(copy, initial, size);
}

void transport_done(void **state, ferry_transport *transport)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < fixture->transport_count; i++) {
        if (fixture->transports[i] == transport) {
            fixture->freed[i] = true;
        }
    }
    ferry_transport_free(transport);
}

/* ------------------------------------------------------------------------- what origins do */

static bool send_identity(struct origin_conn *conn, const char *more)
{
    char body[16];
    int len = snprintf(body, sizeof body, "%u", origin_conn_serial(conn));
    return origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nPeer: %s\r\n%s\r\n%s", len,
                        body, more, body);
}

static const char *path_of(struct origin_conn *conn)
{
    const char *path = strchr(origin_conn_request(conn).head, '/');
    return path != NULL ? path : "/";
}

void serve_identity(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        bool last = strncmp(path_of(conn), "/close ", strlen("/close ")) == 0;
        if (!send_identity(conn, last ? "Connection: close\r\n" : "") || last) {
            return;
        }
    }
}

void serve_gated(struct origin_conn *conn, void *arg)
{
    struct gates *gates = arg;
    while (origin_read_request(conn)) {
        int gate = (path_of(conn)[1] - '0') & 7;
        gate_open(&gates->arrived[gate]);
        if (!origin_wait(conn, &gates->go[gate]) || !send_identity(conn, "")) {
            return;
        }
    }
}

void gates_open(struct gates *gates)
{
    for (int i = 0; i < 8; i++) {
        gate_open(&gates->go[i]);
    }
}

/* ------------------------------------------------------------------- a request and its outcome */

void read_body(ferry_response *res, struct outcome *outcome)
{
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && used < sizeof outcome->body - 1) {
        got = ferry_response_read(res, outcome->body + used, sizeof outcome->body - 1 - used,
                                  &outcome->err);
        used += got > 0 ? (size_t)got : 0;
    }
    outcome->body[used] = '\0';
    outcome->body_len = got < 0 ? -1 : (ssize_t)used;
}

static void note_head(ferry_response *res, struct outcome *outcome)
{
    const char *peer = ferry_response_header(res, "Peer");
    outcome->status = ferry_response_status(res);
    snprintf(outcome->peer, sizeof outcome->peer, "%s", peer != NULL ? peer : "");
}

static struct outcome send_with(ferry_transport *transport, ferry_request *req,
                                ferry_response **keep_open)
{
    struct outcome outcome = {0};
    ferry_response *res = ferry_transport_round_trip(transport, req, &outcome.err);
    if (res == NULL) {
        return outcome;
    }
    note_head(res, &outcome);
    if (keep_open != NULL) {
        *keep_open = res;
    } else {
        read_body(res, &outcome);
        ferry_response_close(res);
    }
    return outcome;
}

struct outcome send_and_read(ferry_transport *transport, ferry_request *req)
{
    return send_with(transport, req, NULL);
}

static struct outcome get_with(ferry_transport *transport, const char *url, ferry_context *context,
                               int64_t timeout_ms, ferry_response **keep_open)
{
    struct outcome outcome = {0};
    ferry_request *req = ferry_request_new("GET", url, &outcome.err);
    if (req != NULL) {
        ferry_request_set_context(req, context);
        ferry_request_set_timeout(req, timeout_ms);
        outcome = send_with(transport, req, keep_open);
        ferry_request_free(req);
    }
    return outcome;
}

struct outcome get(ferry_transport *transport, const char *url)
{
    return get_with(transport, url, NULL, 0, NULL);
}

void assert_got_at(struct outcome outcome, int status, const char *body, const char *file, int line)
{
    if (outcome.status == 0 || outcome.body_len < 0) {
        print_error("%s:%d: %s: %s\n", file, line, ferry_strerror(outcome.err.code),
                    outcome.err.message);
    }
    _assert_int_equal((uintmax_t)outcome.status, (uintmax_t)status, file, line);
    _assert_int_equal((uintmax_t)outcome.err.code, FERRY_OK, file, line);
    _assert_string_equal(outcome.body, body, file, line);
}

void assert_error_at(const ferry_error *err, int code, const char *text, const char *file, int line)
{
    if (err->code != code) {
        print_error("%s:%d: %s: %s\n", file, line, ferry_strerror(err->code), err->message);
    }
    _assert_string_equal(ferry_strerror(err->code), ferry_strerror(code), file, line);
    if (text != NULL && strstr(err->message, text) == NULL) {
        print_error("%s:%d: \"%s\" does not say \"%s\"\n", file, line, err->message, text);
        _fail(file, line);
    }
}

void assert_failed_at(struct outcome outcome, int code, const char *text, const char *file,
                      int line)
{
    assert_error_at(&outcome.err, code, text, file, line);
}

ferry_request *request(const char *method, const char *url)
{
    ferry_error err = {0};
    ferry_request *req = ferry_request_new(method, url, &err);
    if (req == NULL) {
        fail_msg("%s", err.message);
    }
    return req;
}

ferry_response *open_get(ferry_transport *transport, const char *url)
{
    ferry_response *res = NULL;
    struct outcome outcome = get_with(transport, url, NULL, 0, &res);
    if (res == NULL) {
        fail_msg("%s", outcome.err.message);
    }
    return res;
}

void read_exactly(ferry_response *res, char *buf, size_t len)
{
    ferry_error err = {0};
    size_t used = 0;
    while (used < len) {
        ssize_t got = ferry_response_read(res, buf + used, len - used, &err);
        if (got <= 0) {
            fail_msg("%zu of %zu bytes, then %s", used, len, got < 0 ? err.message : "the end");
        }
        used += (size_t)got;
    }
}

ferry_stats stats_of(const ferry_transport *transport)
{
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(transport, &stats);
    return stats;
}

int idle_of(ferry_transport *transport, const struct origin *origin)
{
    return idle_at(transport, origin_host(origin));
}

int idle_at(ferry_transport *transport, const char *host_port)
{
    (void)fy_enter();
    int count = fy_pool_idle_count(transport, host_port);
    fy_leave();
    return count;
}

/* ---------------------------------------------------------------------------- tasks that send */

void run_call(void *arg)
{
    struct call *call = arg;
    ferry_response **keep_open = call->keep_open ? &call->res : NULL;
    call->outcome = call->req != NULL ? send_with(call->transport, call->req, keep_open)
                                      : get_with(call->transport, call->url, call->context,
                                                 call->timeout_ms, keep_open);
    if (call->ended != NULL) {
        call->order = ++*call->ended;
    }
    atomic_store(&call->done, true);
}

void start_call(struct call *call)
{
    assert_int_equal(ferry_go(run_call, call), 0);
}

void run_calls(struct call *calls, size_t count)
{
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ferry_group_go(group, run_call, &calls[i]), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

/* -------------------------------------------------------------------------------------- traces */

void tell(void *told, const char *format, ...)
{
    char *text = ((struct trace_text *)told)->text;
    va_list arguments;
    size_t len = strlen(text);
    va_start(arguments, format);
    vsnprintf(text + len, sizeof(struct trace_text) - len, format, arguments);
    va_end(arguments);
}

/* ------------------------------------------------------------------------------------- threads */

static void *run_side(void *arg)
{
    struct side *side = arg;
    side->run(side->arg);
    atomic_store(&side->done, true);
    return NULL;
}

void start_side(struct side *side, void (*run)(void *arg), void *arg)
{
    side->run = run;
    side->arg = arg;
    atomic_store(&side->done, false);
    assert_int_equal(pthread_create(&side->thread, NULL, run_side, side), 0);
}

void end_side(struct side *side)
{
    assert_eventually(atomic_load(&side->done));
    assert_int_equal(pthread_join(side->thread, NULL), 0);
}

void run_elsewhere(void (*run)(void *arg), void *arg)
{
    struct side side = {.run = run, .arg = arg};
    assert_int_equal(pthread_create(&side.thread, NULL, run_side, &side), 0);
    assert_int_equal(pthread_join(side.thread, NULL), 0);
}

/* ------------------------------------------------------------------------------ the dial hook */

/* A socket connected to the port, or -1 with errno. Loopback: it does not block for long. */
static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int cause = errno;
        close(fd);
        errno = cause;
        fd = -1;
    }
    return fd;
}

static int make_pair(struct dial_hook *hook, int number)
{
    int ends[2];
    if (number > DIAL_HOOK_MOST) {
        errno = EMFILE;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    hook->peer[number - 1] = ends[1];
    return ends[0];
}

int dial_hook(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct dial_hook *hook = arg;
    int number = atomic_fetch_add(&hook->begun, 1) + 1;
    int fd = -1;
    if (hook->during != NULL) {
        hook->during(hook->during_arg);
    }
    int stall_from = atomic_load(&hook->stall_from);
    while (stall_from != 0 && number >= stall_from && number > atomic_load(&hook->let_go)) {
        ferry_sleep(1);
    }
    int fail_from = atomic_load(&hook->fail_from);
    if (fail_from != 0 && number >= fail_from) {
        errno = ECONNREFUSED;
    } else {
        fd = hook->pairs ? make_pair(hook, number) : connect_to(hook->port);
    }
    if (fd < 0) {
        err->code = FERRY_ECONNECT;
        err->os_errno = errno;
        snprintf(err->message, sizeof err->message, "dial %s: the test's dial failed",
                 target->network);
    }
    atomic_fetch_add(&hook->ended, 1);
    return fd;
}

void dial_hook_close(struct dial_hook *hook)
{
    for (int i = 0; i < DIAL_HOOK_MOST; i++) {
        if (hook->peer[i] > 0) {
            close(hook->peer[i]);
            hook->peer[i] = 0;
        }
    }
}
