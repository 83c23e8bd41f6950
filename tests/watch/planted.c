/*
 * Leaks of every kind, for test_planted.c: planted URL prints the ledger, after everything below has been
 * done. With LEAKING defined nothing of it is closed; without, all of it is, and this is the clean twin.
 * It is compiled as C and as C++ (planted.cc).
 *
 * A line that opens what then leaks says "planted" in a comment, and how many times it is run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <ferry.h>

#ifdef LEAKING
#define CLOSE(res) ((void)(res))
#define CLOSED_BY_SCOPE
#else
#define CLOSE(res) ferry_response_close(res)
#define CLOSED_BY_SCOPE FERRY_AUTO
#endif

static const char *origin; /* "http://127.0.0.1:8080" */
static char url_a[200], url_b[200], url_missing[200], url_moved[200], url_silent[200];

static ferry_response *must(ferry_response *res, const ferry_error *err)
{
    if (res == NULL) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
    return res;
}

/* --------------------------------------------------------------------------- on the first thread */

static void read_to_its_end(void)
{
    ferry_error err;
    ferry_response *res = must(ferry_get(url_a, &err), &err); /* planted: 1 */
    free(ferry_response_read_all(res, 1000, NULL, NULL));
    CLOSE(res);
}

static void read_in_part(void)
{
    char some[3];
    ferry_error err;
    ferry_response *res = must(ferry_get(url_b, &err), &err); /* planted: 1 */
    (void)!ferry_response_read(res, some, sizeof some, NULL);
    CLOSE(res);
}

static void not_read(void)
{
    ferry_error err;
    ferry_response *res =
        must(ferry_post(url_a, "text/plain", "hi", 2, &err), &err); /* planted: 1 */
    CLOSE(res);
}

static void without_a_body(void)
{
    ferry_error err;
    ferry_response *res = must(ferry_head(url_a, &err), &err); /* planted: 1 */
    CLOSE(res);
}

/* The way out that was forgotten. */
static int status_of(const char *url)
{
    ferry_error err;
    ferry_response *res = must(ferry_get(url, &err), &err); /* planted: 1 */
    if (ferry_response_status(res) != 200) {
        CLOSE(res);
        return -1;
    }
    ferry_response_close(res);
    return 0;
}

static void in_a_scope(void)
{
    ferry_error err;
    CLOSED_BY_SCOPE ferry_response *res = must(ferry_get(url_moved, &err), &err); /* planted: 1 */
    (void)ferry_response_status(res);
}

/* The first is lost when the second comes. */
static void a_variable_used_again(void)
{
    ferry_error err;
    ferry_response *res = must(ferry_get(url_a, &err), &err); /* planted: 1 */
    CLOSE(res);
    res = must(ferry_get(url_b, &err), &err);
    ferry_response_close(res);
}

/* The ledger names the line that called ferry: the helper's, whoever called that. */
static ferry_response *helper(const char *url)
{
    ferry_error err;
    return must(ferry_get(url, &err), &err); /* planted: 2 */
}

static void by_a_helper(void)
{
    ferry_response *res = helper(url_a);
    CLOSE(res);
    res = helper(url_b);
    CLOSE(res);
    ferry_response_close(helper(url_a));
}

static void by_a_client(void)
{
    ferry_error err;
    ferry_request *req = ferry_request_new("GET", url_b, &err);
    ferry_response *res = must(ferry_client_do(NULL, req, &err), &err); /* planted: 1 */
    CLOSE(res);
    ferry_request_free(req);
}

static void by_a_transport(void)
{
    ferry_error err;
    ferry_transport *plain = ferry_default_transport();
    ferry_request *req = ferry_request_new("GET", url_a, &err);
    ferry_response *res = ferry_transport_round_trip(plain, req, &err); /* planted: 1 */
    (void)must(res, &err);
    CLOSE(res);
    ferry_request_free(req);
}

/* ------------------------------------------------------------------------------ tasks and threads */

static void task(void *arg)
{
    ferry_error err;
    ferry_response *res = must(ferry_get((const char *)arg, &err), &err); /* planted: 4 */
    CLOSE(res);
}

static void in_tasks(void)
{
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < 3; i++) {
        ferry_group_go(group, task, i % 2 == 0 ? url_a : url_b);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

static void *thread(void *arg)
{
    ferry_error err;
    ferry_response *res = must(ferry_get((const char *)arg, &err), &err); /* planted: 2 */
    free(ferry_response_read_all(res, 1000, NULL, NULL));
    CLOSE(res);
    return NULL;
}

static void *thread_with_a_task(void *arg)
{
    ferry_group *group = ferry_group_new();
    ferry_group_go(group, task, arg);
    ferry_group_wait(group);
    ferry_group_free(group);
    return NULL;
}

static void in_threads(void)
{
    pthread_t ids[3];
    if (pthread_create(&ids[0], NULL, thread, url_a) != 0 ||
        pthread_create(&ids[1], NULL, thread, url_b) != 0 ||
        pthread_create(&ids[2], NULL, thread_with_a_task, url_a) != 0) {
        exit(1);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(ids[i], NULL);
    }
}

/* What fails opens nothing. */
static void what_has_failed(void)
{
    ferry_error err;
    ferry_response *res = ferry_get(url_silent, &err);
    if (res != NULL) {
        exit(1);
    }
}

static void fill(char *url, const char *path)
{
    snprintf(url, 200, "%s%s", origin, path);
}

int main(int argc, char **argv)
{
    origin = argc > 1 ? argv[1] : "";
    fill(url_a, "/a");
    fill(url_b, "/b");
    fill(url_missing, "/missing");
    fill(url_moved, "/moved");
    fill(url_silent, "/silent");
    read_to_its_end();
    read_in_part();
    not_read();
    without_a_body();
    (void)status_of(url_a);
    (void)status_of(url_missing);
    in_a_scope();
    a_variable_used_again();
    by_a_helper();
    by_a_client();
    by_a_transport();
    in_tasks();
    in_threads();
    what_has_failed();
    ferry_open_responses(stdout);
    return 0;
}
