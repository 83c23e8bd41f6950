/*
 * A request ended at every stage of its way (queueing, dialing, writing, waiting for 100 Continue,
 * waiting for the head, in the middle of it, reading the body) by everything that can end it: a
 * cancel from a task, from another thread, from a signal handler, and a deadline. Each time the
 * error says which it was, and neither task, socket nor byte is left when the call has returned.
 */
#include "transport_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "dead_end.h"
#include "temp_dir.h"

#define MEGABYTES ((size_t)16 << 20)

/* What a stage needs besides its request. */
struct scene {
    void **state;
    struct origin *origin;
    ferry_transport *transport;
    ferry_request *req;
    struct call call;  /* the request that is ended */
    struct gate *go;   /* the origin's */
    struct gate *come; /* opened by the origin once it has come as far as the stage says */
    struct dial_hook *hook;
    struct dead_end dead_end;
    ferry_response *holder; /* of the one connection */
    char *body;
    int file;
};

struct stage {
    void (*arrange)(struct scene *scene);
    bool (*reached)(struct scene *scene);
    const char *says; /* the end of the message */
};

/* ------------------------------------------------------------------------------------ the server */

/* What the origin does with a connection: reads the head, sends this, and waits until the client is
 * gone. It does not read a body before it is let go. */
struct answer {
    const char *bytes;
    struct gate come, go;
    bool deaf;
};

static void serve_answer(struct origin_conn *conn, void *arg)
{
    struct answer *answer = arg;
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) <= 0) {
        return;
    }
    origin_send_text(conn, answer->bytes);
    gate_open(&answer->come);
    if (!answer->deaf || origin_wait(conn, &answer->go)) {
        origin_wait_eof(conn, -1);
    }
}

static void arrange_answer(struct scene *scene, const char *bytes, bool deaf,
                           const ferry_transport_options *options)
{
    struct answer *answer = KEPT(scene->state, struct answer, .bytes = bytes, .deaf = deaf);
    scene->come = &answer->come;
    scene->go = &answer->go;
    scene->origin = serve_script(
        scene->state, &(struct origin_script){
                          .serve = serve_answer, .arg = answer, .receive_buffer = deaf ? 4096 : 0});
    scene->transport = transport_with(scene->state, options);
    scene->req = request("PUT", origin_url(scene->origin, "/"));
}

static bool has_come(struct scene *scene)
{
    return gate_is_open(scene->come);
}

/* ------------------------------------------------------------------------------------ the stages */

static void arrange_queueing(struct scene *scene)
{
    scene->origin = serve_with(scene->state, serve_identity, NULL);
    scene->transport = transport_with(scene->state, FERRY_TRANSPORT_OPTIONS(.max_per_host = 1));
    scene->holder = open_get(scene->transport, origin_url(scene->origin, "/"));
    scene->req = request("GET", origin_url(scene->origin, "/"));
}

static bool queued(struct scene *scene)
{
    return stats_of(scene->transport).waiting == 1;
}

static const struct stage queueing = {arrange_queueing, queued, " while waiting for a connection"};

static void arrange_dialing(struct scene *scene)
{
    scene->origin = serve_with(scene->state, serve_identity, NULL);
    scene->hook = KEPT(scene->state, struct dial_hook, .port = origin_port(scene->origin));
    scene->hook->stall_from = 1;
    scene->transport = transport_with(
        scene->state, FERRY_TRANSPORT_OPTIONS(.dial = dial_hook, .dial_arg = scene->hook));
    scene->req = request("GET", origin_url(scene->origin, "/"));
}

static bool dialing_began(struct scene *scene)
{
    return scene->hook->begun == 1;
}

static const struct stage dialing = {arrange_dialing, dialing_began,
                                     " while waiting for a connection"};

static void arrange_black_hole(struct scene *scene)
{
    assert_true(dead_end_silence(&scene->dead_end));
    scene->transport = transport_with(scene->state, NULL);
    scene->req = request("GET", scene->dead_end.url);
}

static bool connecting(struct scene *scene)
{
    return stats_of(scene->transport).dials == 1;
}

static const struct stage black_hole = {arrange_black_hole, connecting,
                                        " while waiting for a connection"};

static void arrange_writing(struct scene *scene)
{
    arrange_answer(scene, "", true, NULL);
    scene->body = calloc(1, MEGABYTES);
    ferry_request_set_body(scene->req, scene->body, MEGABYTES);
}

static const struct stage writing = {arrange_writing, has_come, " while waiting for the response"};

static void arrange_sending_a_file(struct scene *scene)
{
    char directory[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    arrange_answer(scene, "", true, NULL);
    assert_true(temp_dir_make(directory));
    snprintf(path, sizeof path, "%s/body", directory);
    scene->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    temp_dir_remove(directory);
    assert_true(scene->file > 0);
    assert_int_equal(ftruncate(scene->file, (off_t)MEGABYTES), 0);
    ferry_request_set_body_fd(scene->req, scene->file, 0, -1);
}

static const struct stage sending_a_file = {arrange_sending_a_file, has_come,
                                            " while waiting for the response"};

static void arrange_waiting_for_100(struct scene *scene)
{
    arrange_answer(scene, "", false,
                   FERRY_TRANSPORT_OPTIONS(.expect_continue_timeout_ms = SOON_MS));
    ferry_request_set_header(scene->req, "Expect", "100-continue");
    ferry_request_set_body(scene->req, "body", 4);
}

static const struct stage waiting_for_100 = {arrange_waiting_for_100, has_come,
                                             " while waiting for the response"};

static void arrange_awaiting_the_head(struct scene *scene)
{
    arrange_answer(scene, "", false, NULL);
}

static const struct stage awaiting_the_head = {arrange_awaiting_the_head, has_come,
                                               " while waiting for the response"};

static void arrange_in_the_head(struct scene *scene)
{
    arrange_answer(scene, "HTTP/1.1 200 OK\r\nContent-Le", false, NULL);
}

static const struct stage in_the_head = {arrange_in_the_head, has_come,
                                         " while waiting for the response"};

static void arrange_after_an_interim_response(struct scene *scene)
{
    arrange_answer(scene, "HTTP/1.1 103 Early Hints\r\n\r\n", false, NULL);
}

static const struct stage after_an_interim_response = {arrange_after_an_interim_response, has_come,
                                                       " while waiting for the response"};

static bool response_came(struct scene *scene)
{
    return stats_of(scene->transport).responses == 1;
}

static void arrange_reading_sized(struct scene *scene)
{
    arrange_answer(scene, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", false, NULL);
}

static const struct stage reading_sized = {arrange_reading_sized, response_came,
                                           " while reading the body"};

static void arrange_reading_chunked(struct scene *scene)
{
    arrange_answer(scene, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5",
                   false, NULL);
}

static const struct stage reading_chunked = {arrange_reading_chunked, response_came,
                                             " while reading the body"};

static void arrange_reading_until_close(struct scene *scene)
{
    arrange_answer(scene, "HTTP/1.1 200 OK\r\n\r\nsome", false, NULL);
}

static const struct stage reading_until_close = {arrange_reading_until_close, response_came,
                                                 " while reading the body"};

/* ----------------------------------------------------------------------------------- the endings */

enum ending { BY_TASK, BY_THREAD, BY_SIGNAL, BY_DEADLINE };

static ferry_context *_Atomic signalled;
static pthread_t main_thread;

static void cancel_in_handler(int number)
{
    (void)number;
    ferry_context_cancel(signalled);
}

static void cancel_it(void *context)
{
    ferry_context_cancel(context);
}

static void send_signal(void *context)
{
    (void)context;
    pthread_kill(main_thread, SIGUSR1);
}

static void end_by(enum ending ending, ferry_context *context)
{
    struct sigaction action = {.sa_handler = cancel_in_handler};
    struct sigaction former;
    struct side side;
    switch (ending) {
    case BY_TASK: assert_int_equal(ferry_go(cancel_it, context), 0); break;
    case BY_THREAD:
        start_side(&side, cancel_it, context);
        end_side(&side);
        break;
    case BY_SIGNAL:
        signalled = context;
        main_thread = pthread_self();
        assert_int_equal(sigaction(SIGUSR1, &action, &former), 0);
        start_side(&side, send_signal, NULL);
        end_side(&side);
        assert_eventually(ferry_context_error(context) != 0);
        assert_int_equal(sigaction(SIGUSR1, &former, NULL), 0);
        break;
    case BY_DEADLINE: break;
    }
}

static void clean_up(struct scene *scene)
{
    if (scene->hook != NULL) {
        scene->hook->let_go = DIAL_HOOK_MOST;
        assert_eventually(scene->hook->ended == scene->hook->begun);
    }
    if (scene->go != NULL) {
        gate_open(scene->go);
    }
    ferry_response_close(scene->holder);
    ferry_request_free(scene->req);
    free(scene->body);
    if (scene->file > 0) {
        close(scene->file);
    }
    if (scene->dead_end.url[0] != '\0') {
        dead_end_close(&scene->dead_end);
    }
}

/* Returns false when the deadline came before the stage was reached. */
static bool run_scene(struct scene *scene, const struct stage *stage, enum ending ending,
                      int64_t timeout_ms)
{
    ferry_context *context = ferry_context_new(-1);
    struct call *call = &scene->call;
    stage->arrange(scene);
    uint64_t held = stats_of(scene->transport).connections;
    ferry_request_set_context(scene->req, context);
    *call = (struct call){.transport = scene->transport, .req = scene->req};
    if (ending == BY_DEADLINE) {
        ferry_request_set_timeout(scene->req, timeout_ms);
    }
    start_call(call);
    bool in_time = eventually(stage->reached(scene) || call->done) && !call->done;
    if (ending != BY_DEADLINE) {
        assert_true(in_time);
        ferry_sleep(2); /* parked where the stage says */
        end_by(ending, context);
    }
    assert_eventually(call->done);
    /* Of the request nothing is left, at once: only a user's own dial function goes on. */
    assert_int_equal(stats_of(scene->transport).connections, held);
    assert_int_equal(stats_of(scene->transport).waiting, 0);
    in_time = in_time && strstr(call->outcome.err.message, stage->says) != NULL;
    if (ending != BY_DEADLINE) {
        assert_failed(call->outcome, FERRY_ECANCELED, "request canceled");
        assert_failed(call->outcome, FERRY_ECANCELED, stage->says);
    } else {
        assert_failed(call->outcome, FERRY_ETIMEOUT, "request timeout exceeded");
    }
    ferry_request_set_context(scene->req, NULL);
    ferry_context_free(context);
    clean_up(scene);
    if (scene->origin != NULL && scene->holder == NULL) {
        assert_eventually(origin_counts(scene->origin).open == (scene->hook != NULL));
    }
    return in_time;
}

static void end_at(void **state, const struct stage *stage, enum ending ending)
{
    /* A deadline that came too soon on a slow machine says nothing about the stage. */
    for (int64_t timeout_ms = 30; timeout_ms < SOON_MS; timeout_ms *= 4) {
        struct scene scene = {.state = state};
        if (run_scene(&scene, stage, ending, timeout_ms)) {
            return;
        }
    }
    fail_msg("no deadline came late enough");
}

#define STAGE(stage)                                            \
    static void test_##stage##_canceled_by_task(void **state)   \
    {                                                           \
        end_at(state, &(stage), BY_TASK);                       \
    }                                                           \
    static void test_##stage##_canceled_by_thread(void **state) \
    {                                                           \
        end_at(state, &(stage), BY_THREAD);                     \
    }                                                           \
    static void test_##stage##_canceled_by_signal(void **state) \
    {                                                           \
        end_at(state, &(stage), BY_SIGNAL);                     \
    }                                                           \
    static void test_##stage##_deadline(void **state)           \
    {                                                           \
        end_at(state, &(stage), BY_DEADLINE);                   \
    }                                                           \
    static const struct CMUnitTest stage##_tests[] = {          \
        TRANSPORT_TEST(test_##stage##_canceled_by_task),        \
        TRANSPORT_TEST(test_##stage##_canceled_by_thread),      \
        TRANSPORT_TEST(test_##stage##_canceled_by_signal),      \
        TRANSPORT_TEST(test_##stage##_deadline),                \
    };

STAGE(queueing)
STAGE(dialing)
STAGE(black_hole)
STAGE(writing)
STAGE(sending_a_file)
STAGE(waiting_for_100)
STAGE(awaiting_the_head)
STAGE(in_the_head)
STAGE(after_an_interim_response)
STAGE(reading_sized)
STAGE(reading_chunked)
STAGE(reading_until_close)

#define RUN(stage) cmocka_run_group_tests_name(#stage, stage##_tests, NULL, NULL)

int main(void)
{
    return RUN(queueing) + RUN(dialing) + RUN(black_hole) + RUN(writing) + RUN(sending_a_file) +
           RUN(waiting_for_100) + RUN(awaiting_the_head) + RUN(in_the_head) +
           RUN(after_an_interim_response) + RUN(reading_sized) + RUN(reading_chunked) +
           RUN(reading_until_close);
}
