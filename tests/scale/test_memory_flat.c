/*
 * Memory does not grow with the number of requests, whatever becomes of them. Bytes in use say so to the
 * byte, resident memory says that nothing is torn into ever smaller pieces either.
 */
#include "scale.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "dead_end.h"
#include "mass.h"
#include "origin.h"
#include "process.h"

#define TASKS 16

/* Where requests go, and which of them are next. */
struct load {
    ferry_client *client;
    struct mass *mass;
    int port; /* the origin's */
    struct dead_end refusing;
    int left, failed_wrongly;
    ferry_error wrong; /* of the first that failed wrongly */
};

enum fate { READ, CLOSED_EARLY, REFUSED, TIMED_OUT, CANCELED, TRUNCATED, POSTED };

/* Most are simple; each of the other ways comes along all the time. */
static enum fate fate_of(int number)
{
    switch (number % 50) {
    case 7: return REFUSED;
    case 13: return CANCELED;
    case 19: return TRUNCATED;
    case 29: return number % 500 == 29 ? TIMED_OUT : READ;
    case 31:
    case 37: return CLOSED_EARLY;
    case 41: return POSTED;
    default: return READ;
    }
}

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        if (strncmp(head, "GET /cut ", 9) == 0) {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
            return;
        }
        if (strncmp(head, "GET /never ", 11) == 0) {
            origin_wait_eof(conn, -1);
            return;
        }
        origin_send_text(conn, "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n0\r\nSum: 1\r\n\r\n");
    }
}

/* The origin keeps all that it is sent: it has a process of its own, like the mass server, so that this
 * one's memory is ferry's. */
static pid_t fork_origin(int *port)
{
    static const int none[3] = {-1, -1, -1};
    int ends[2];
    pid_t parent = getpid();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        int told = child_detach(parent, none, ends[1]);
        struct origin *origin = origin_start(&(struct origin_script){.serve = serve});
        int number = origin != NULL ? origin_port(origin) : 0;
        if (write(told, &number, sizeof number) == (ssize_t)sizeof number) {
            for (;;) {
                pause();
            }
        }
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(read(ends[0], port, sizeof *port), sizeof *port);
    assert_int_not_equal(*port, 0);
    close(ends[0]);
    close(ends[1]);
    return child;
}

static const char *url_for(const struct load *load, enum fate fate, char url[64])
{
    const char *path = NULL;
    switch (fate) {
    case REFUSED: return load->refusing.url;
    case TIMED_OUT: path = "/never"; break;
    case TRUNCATED: path = "/cut"; break;
    case POSTED: path = "/post"; break;
    default: return mass_url(load->mass);
    }
    snprintf(url, 64, "http://127.0.0.1:%d%s", load->port, path);
    return url;
}

/* What the send or the reading must end with. */
static int code_for(enum fate fate)
{
    switch (fate) {
    case REFUSED: return FERRY_ECONNECT;
    case TIMED_OUT: return FERRY_ETIMEOUT;
    case CANCELED: return FERRY_ECANCELED;
    case TRUNCATED: return FERRY_ETRUNCATED;
    default: return FERRY_OK;
    }
}

static int send_and_end(struct load *load, ferry_request *req, enum fate fate, ferry_error *err)
{
    char buffer[256];
    ssize_t got = -1;
    ferry_response *res = ferry_client_do(load->client, req, err);
    if (res == NULL) {
        return err->code;
    }
    do {
        got = fate == CLOSED_EARLY ? 0 : ferry_response_read(res, buffer, sizeof buffer, err);
    } while (got > 0);
    ferry_response_close(res);
    return got < 0 ? err->code : FERRY_OK;
}

static void one(struct load *load, enum fate fate)
{
    char url[64];
    ferry_error err = {0};
    ferry_context *context = ferry_context_new(-1);
    ferry_request *req =
        ferry_request_new(fate == POSTED ? "POST" : "GET", url_for(load, fate, url), &err);
    int code = err.code;
    if (req != NULL) {
        ferry_request_set_header(req, "X-Fate", "some value");
        ferry_request_set_context(req, context);
        if (fate == POSTED) {
            ferry_request_set_body(req, "body", 4);
        } else if (fate == TIMED_OUT) {
            ferry_request_set_timeout(req, 1);
        } else if (fate == CANCELED) {
            ferry_context_cancel(context);
        }
        code = send_and_end(load, req, fate, &err);
    }
    if (code != code_for(fate) && load->failed_wrongly++ == 0) {
        load->wrong = err;
    }
    ferry_request_free(req);
    ferry_context_free(context);
}

static void work(void *arg)
{
    struct load *load = arg;
    while (load->left > 0) {
        one(load, fate_of(load->left--));
    }
}

static void send_many(struct load *load, int count)
{
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    load->left = count;
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(ferry_group_go(group, work, load), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    if (load->failed_wrongly > 0) {
        fail_msg("%d requests ended wrongly, the first with %s: %s", load->failed_wrongly,
                 ferry_strerror(load->wrong.code), load->wrong.message);
    }
}

/* With every connection gone, so that what is in use does not depend on how many there happened to be. */
static size_t in_use(ferry_transport *transport)
{
    ferry_transport_close_idle(transport);
    ferry_sleep(1);
    return mallinfo2().uordblks;
}

static void test_many_requests_leave_no_memory(void **state)
{
    (void)state;
    int count = scaled(200000, 1500);
    struct load load = {.mass =
                            mass_start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")};
    assert_non_null(load.mass);
    pid_t origin = fork_origin(&load.port);
    assert_true(dead_end_refuse(&load.refusing));
    struct held before = held_now();
    ferry_transport *transport = ferry_transport_new(NULL);
    load.client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    assert_non_null(load.client);
    watch_for_hang(scaled(55, 250));

    send_many(&load, count / 10);
    size_t used = in_use(transport);
    size_t resident = process_resident();
    send_many(&load, count - count / 10);
    size_t used_later = in_use(transport);
    size_t resident_later = process_resident();

    if (memory_is_plain()) {
        print_message("in use: %zu, then %zu bytes; resident: %zu, then %zu KiB\n", used,
                      used_later, resident / 1024, resident_later / 1024);
        /* A byte for each request would be 180,000. */
        assert_in_range(used_later, 0, used + 16384);
        assert_in_range(resident_later, 0, resident + ((size_t)2 << 20));
    }
    ferry_client_free(load.client);
    ferry_transport_free(transport);
    watch_for_hang(0);
    assert_given_back(before);
    dead_end_close(&load.refusing);
    mass_stop(load.mass);
    child_stop(origin, SIGKILL, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_requests_leave_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
