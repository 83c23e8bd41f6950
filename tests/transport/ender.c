/*
 * A program that test_ends.c runs: ender URL HOW opens everything that can be open, on three threads, and
 * ends in some way, with status 7. URL is of an origin that answers "/", half of "/half", and nothing else.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ferry.h>

#define STATUS 7
#define THREADS 2

static const char *url, *how;
static ferry_transport *transport; /* global: a leak checker is to find what it leads to */
static ferry_request *volatile requests[64]; /* whose sends are under way at the end */
static int request_count;
static ferry_response *responses[64];
static int response_count;
static pthread_t threads[THREADS];
static pthread_barrier_t open_now;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is(const char *what)
{
    return strcmp(how, what) == 0;
}

static void fail(const char *what, const ferry_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    _exit(1);
}

static ferry_request *new_request(const char *path)
{
    char text[256];
    ferry_error err = {0};
    snprintf(text, sizeof text, "%s%s", url, path);
    ferry_request *req = ferry_request_new("GET", text, &err);
    if (req == NULL) {
        fail(text, &err);
    }
    return req;
}

static ferry_response *send_to(const char *path)
{
    ferry_error err = {0};
    ferry_request *req = new_request(path);
    ferry_response *res = ferry_transport_round_trip(transport, req, &err);
    ferry_request_free(req);
    if (res == NULL) {
        fail(path, &err);
    }
    return res;
}

static void leave_idle(void)
{
    char buf[64];
    ferry_response *res = send_to("/");
    while (ferry_response_read(res, buf, sizeof buf, NULL) > 0) {}
    ferry_response_close(res);
}

static void leave_open(void)
{
    char byte;
    ferry_response *res = send_to("/half");
    (void)!ferry_response_read(res, &byte, 1, NULL);
    pthread_mutex_lock(&lock);
    responses[response_count++] = res;
    pthread_mutex_unlock(&lock);
}

static void wait_for_an_answer(void *arg)
{
    ferry_request *req = new_request("/never");
    (void)arg;
    pthread_mutex_lock(&lock);
    requests[request_count++] = req;
    pthread_mutex_unlock(&lock);
    ferry_response_close(ferry_transport_round_trip(transport, req, NULL));
}

static void sleep_long(void *arg)
{
    (void)arg;
    ferry_sleep(60000);
}

static void read_on(void *res)
{
    char buf[64];
    (void)!ferry_response_read(res, buf, sizeof buf, NULL);
}

static void open_everything(void)
{
    leave_open();
    leave_open();
    leave_idle();
    (void)ferry_go(sleep_long, NULL);
    (void)ferry_go(wait_for_an_answer, NULL);
    (void)ferry_go(read_on, responses[0]);
    ferry_sleep(5);
}

static void exit_in_a_task(void *arg)
{
    (void)arg;
    exit(STATUS);
}

static void exit_in_a_callback(void *arg)
{
    (void)arg;
    exit(STATUS);
}

static void *run_thread(void *arg)
{
    open_everything();
    pthread_barrier_wait(&open_now);
    if (is("exit-on-a-thread") && arg == NULL) {
        exit(STATUS);
    }
    if (is("threads-end-first") || is("threads-pthread-exit")) {
        if (is("threads-pthread-exit")) {
            pthread_exit(NULL);
        }
        return NULL;
    }
    ferry_sleep(60000);
    return NULL;
}

/* At the very end a program may still send requests, and free everything. */
static void use_at_exit(void)
{
    leave_idle();
    if (ferry_num_tasks() < 1) {
        _exit(1);
    }
}

static void free_at_exit(void)
{
    for (int i = 0; i < response_count; i++) {
        ferry_response_close(responses[i]);
    }
    ferry_transport_free(transport);
}

static void await(pid_t child)
{
    int status = -1;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != STATUS) {
        fprintf(stderr, "the child ended with wait status 0x%x\n", (unsigned)status);
        _exit(1);
    }
}

/* The child ends as any program does, with all that it has inherited. */
static void fork_and_end(bool use)
{
    pid_t child = fork();
    if (child == 0) {
        if (use) {
            leave_idle();
            leave_open();
        }
        if (ferry_open_responses(NULL) != (use ? 1 : 0)) {
            _exit(2);
        }
        exit(STATUS);
    }
    await(child);
}

static void end(void)
{
    if (is("exit")) {
        exit(STATUS);
    } else if (is("_exit")) {
        _exit(STATUS);
    } else if (is("quick_exit")) {
        quick_exit(STATUS);
    } else if (is("exit-in-a-task")) {
        (void)ferry_go(exit_in_a_task, NULL);
        ferry_sleep(60000);
    } else if (is("exit-in-a-callback")) {
        ferry_request *req = requests[request_count++] = new_request("/");
        ferry_request_set_trace(req, FERRY_TRACE(.got_first_byte = exit_in_a_callback), NULL);
        (void)!ferry_transport_round_trip(transport, req, NULL);
    } else if (is("exit-on-a-thread")) {
        pause();
    } else if (is("threads-end-first") || is("threads-pthread-exit")) {
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
    } else if (is("fork")) {
        fork_and_end(false);
    } else if (is("fork-and-use")) {
        fork_and_end(true);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 1;
    }
    url = argv[1];
    how = argv[2];
    transport = is("default") ? ferry_default_transport() : ferry_transport_new(NULL);
    pthread_barrier_init(&open_now, NULL, THREADS + 1);
    if (is("use-at-exit")) {
        atexit(use_at_exit);
    } else if (is("free-at-exit")) {
        atexit(free_at_exit);
    }
    for (intptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, run_thread, (void *)i) != 0) {
            return 1;
        }
    }
    open_everything();
    pthread_barrier_wait(&open_now);
    end();
    return STATUS;
}
