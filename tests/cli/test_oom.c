/*
 * Memory runs out under the command, at each of its allocations once. It must say so and fail, or do all
 * that it was told to: never half of it with status 0, and never send a request that is another one for
 * want of memory.
 */
#include "bytes.h"
#include "origin.h"
#include "own_folder.h"
#include "run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A process is started for each, which takes longer under a sanitizer. */
#ifdef TESTS_SANITIZED
#define STEP 4
#else
#define STEP 1
#endif
#define MOST_ARGUMENTS 40
#define MOST_ALLOCATIONS 2000
#define MOST_REQUESTS 8

/* What one run has sent and printed. */
struct outcome {
    struct run_result result;
    const char *heads[MOST_REQUESTS], *bodies[MOST_REQUESTS]; /* the origin's */
    size_t requests;
    bool had_all;
};

static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: /there#part\r\nContent-Length: 6\r\n"
                            "Set-Cookie: set=1; path=/\r\nX-Field: value\r\n\r\nmoved\n";
static const char there[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nETag: \"1\"\r\n\r\nthere\n";

static struct origin *origin;
static unsigned seen; /* requests of earlier runs */

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        bool found = strstr(origin_conn_request(conn).head, " /there ") != NULL;
        origin_send_text(conn, found ? there : moved);
    }
}

static int start(void **state)
{
    origin = origin_start(&(struct origin_script){.serve = serve});
    return origin && own_folder_make(state) == 0 &&
                   temp_file_write(own_path("data"), BYTES("what is in a file\n"))
               ? 0
               : -1;
}

static int stop(void **state)
{
    bool ended = origin_stop(origin);
    return own_folder_remove(state) == 0 && ended ? 0 : -1;
}

/* Who comes before has been let in by the time that this one is answered: then nobody is open but those
 * whose requests are still being read. */
static void let_all_in(void)
{
    static const char request[] = "POKE /there HTTP/1.1\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)origin_port(origin)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    close(fd);
    assert_true(origin_await_open(origin, 0, 10000));
}

static void run_with_failing(long number, const char *const *args, struct outcome *outcome)
{
    char fail_at[40], had_all[TEMP_DIR_SIZE + 60], home[TEMP_DIR_SIZE + 10];
    const char *env[] = {fail_at, had_all, home, NULL};
    const char *path = own_path("had-all");

    *outcome = (struct outcome){0};
    (void)unlink(path);
    snprintf(fail_at, sizeof fail_at, "FERRY_TEST_FAIL_AT=%ld", number);
    snprintf(had_all, sizeof had_all, "FERRY_TEST_HAD_ALL=%s", path);
    snprintf(home, sizeof home, "HOME=%s", own_folder);
    if (!run(&(struct run_options){.argv = args, .env = env, .directory = own_folder},
             &outcome->result))
        fail_msg("%s: %s", args[0], strerror(outcome->result.os_errno));
    let_all_in();
    outcome->had_all = access(path, F_OK) == 0;
    for (unsigned all = origin_counts(origin).requests; seen < all; seen++) {
        struct origin_request request = origin_request(origin, seen);
        if (strncmp(request.head, "POKE", 4) == 0)
            continue;
        assert_true(outcome->requests < MOST_REQUESTS);
        outcome->heads[outcome->requests] = request.head;
        outcome->bodies[outcome->requests++] = request.body ? request.body : "";
    }
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* A request whose body did not come to its end is none. */
static void sent_nothing_else(const struct outcome *outcome, const struct outcome *whole, long at)
{
    for (size_t i = 0; i < outcome->requests; i++) {
        bool known = false;
        for (size_t j = 0; j < whole->requests; j++)
            known |= same(outcome->heads[i], whole->heads[j]) &&
                     (outcome->bodies[i][0] == '\0' || same(outcome->bodies[i], whole->bodies[j]));
        if (!known)
            fail_msg("allocation %ld: it sent %s%s", at, outcome->heads[i], outcome->bodies[i]);
    }
}

static void says_so_or_is_whole(const struct outcome *outcome, const struct outcome *whole, long at)
{
    const struct run_result *result = &outcome->result;

    if (result->signal != 0 || result->timed_out || strstr(result->err, "Sanitizer"))
        fail_msg("allocation %ld: signal %d, %s", at, result->signal, result->err);
    sent_nothing_else(outcome, whole, at);
    if (result->status != 0 ||
        result->err[0] != '\0') { /* of several the last one's status counts */
        if (strncmp(result->err, "ferry: ", 7) != 0)
            fail_msg("allocation %ld: status %d, and it says \"%s\"", at, result->status,
                     result->err);
        return;
    }
    if (outcome->requests < whole->requests || !same(result->out, whole->result.out))
        fail_msg("allocation %ld: status 0, %zu requests, and it printed \"%s\"", at,
                 outcome->requests, result->out);
}

/* The arguments, in which "@" before a path stands for the origin's URL. */
static void each_allocation_fails(const char *const *given)
{
    const char *args[MOST_ARGUMENTS] = {FAILING_FERRY, "-sS"};
    struct outcome whole, outcome = {0};
    long at = 1;

    for (size_t i = 0; given[i]; i++)
        args[i + 2] = given[i][0] == '@' ? origin_url(origin, given[i] + 1) : given[i];
    run_with_failing(0, args, &whole);
    if (whole.result.status != 0)
        fail_msg("status %d: %s", whole.result.status, whole.result.err);
    assert_true(whole.requests > 0);
    for (; !outcome.had_all && at < MOST_ALLOCATIONS; at += STEP) {
        run_with_failing(at, args, &outcome);
        says_so_or_is_whole(&outcome, &whole, at);
        run_free(&outcome.result);
    }
    assert_true(at > 40 && at < MOST_ALLOCATIONS);
    run_free(&whole.result);
}

#define EACH(...) each_allocation_fails((const char *const[]){__VA_ARGS__, NULL})

static void fields_and_what_is_printed(void **state)
{
    (void)state;
    EACH("-H", "X-Own: yes", "-b", "given=1", "-u", "user:secret", "-e", "http://from.example/",
         "-r", "0-4", "-A", "me", "-c", "-", "-w",
         "%{http_code} %{url_effective} %{redirect_url} %header{x-field}", "@/a");
}

static void redirects(void **state)
{
    (void)state;
    EACH("-L", "-i", "-e", ";auto", "-u", "user:secret", "-b", "", "-d", "x", "--etag-save", "-",
         "-w", "%{url_effective}", "@/b");
}

static void bodies(void **state)
{
    (void)state;
    EACH("-d", "a=b", "-d", "@data", "--data-urlencode", "c= d", "--url-query", "q=r s", "@/c",
         "--next", "-T", "data", "-H", "Expect:", "-C", "5", "-w", "%{size_upload}", "@/d/");
}

static void patterns_and_a_proxy(void **state)
{
    (void)state;
    EACH("-x", origin_host(origin), "-U", "user:secret", "--proxy-header", "X-P: 1", "-w",
         "%{urlnum} %{url}\n", "--resolve", "some.test:80:127.0.0.1",
         "http://some.test/{a,b}[1-2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_what_is_printed),
        cmocka_unit_test(redirects),
        cmocka_unit_test(bodies),
        cmocka_unit_test(patterns_and_a_proxy),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
