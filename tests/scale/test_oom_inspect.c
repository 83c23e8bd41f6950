/*
 * Memory runs out while a snapshot is taken and written as JSON, and while the inspector's page is
 * started. (How it is set up: test_oom.c. The ledger and the metrics: test_oom_watch.c.)
 */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "origin.h"
#include "process.h"

#ifdef WITH_INSPECT
#include <ferry_inspect.h>
#endif

static struct origin *origin;

static void serve(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
}

/* Looks at a response that nobody has read. Each look is complete, or says that memory was short.
 * */
typedef ferry_error (*look_fn)(void);

static ferry_error look_at_one(ferry_transport *transport, look_fn look)
{
    char url[64];
    ferry_error err = {0};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    if (client == NULL) {
        return oom_error("client");
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", origin_port(origin));
    ferry_request *req = ferry_request_new("GET", url, &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    ferry_request_free(req);
    if (res != NULL) {
        err = look();
    }
    ferry_response_close(res);
    ferry_client_free(client);
    return err;
}

static ferry_error check_text(char *text, const char *begins, const char *ends)
{
    ferry_error err = {0};
    size_t len = text != NULL ? strlen(text) : 0;
    if (text == NULL) {
        err = oom_error("a text");
    } else if (strncmp(text, begins, strlen(begins)) != 0 || len < strlen(ends) ||
               strcmp(text + len - strlen(ends), ends) != 0) {
        err = oom_wrong(text);
    }
    free(text);
    return err;
}

static ferry_error snapshot(void)
{
    ferry_error err = check_text(ferry_tasks_json(), "[\n {\"task\": ", "}]\n");
    if (err.code == FERRY_OK) {
        err = check_text(ferry_connections_json(), "[\n {\"connection\": ", "}}]\n");
    }
    return err.code != FERRY_OK ? err
                                : check_text(ferry_snapshot_json(0), "{\"program\": ", "]}}\n");
}

static ferry_error run_snapshot(ferry_transport *transport)
{
    return look_at_one(transport, snapshot);
}

static void run_out(oom_scenario run)
{
    oom_run(serve, &origin, &(struct oom_sweep){.run = run, .for_good_too = true});
}

static void test_snapshot(void **state)
{
    (void)state;
    run_out(run_snapshot);
}

#ifdef WITH_INSPECT
/* Not by oom_run(): its threads free what this one has allocated, and the other way round. */
static void test_inspect(void **state)
{
    long failed = 1;
    int tasks = ferry_num_tasks();
    int sockets = process_sockets(); /* libmicrohttpd, out of memory, may forget an eventfd */
    (void)state;
    for (long number = 1; failed > 0; number++) {
        ferry_error err = {0};
        alloc_fail_at(number, number % 2 == 0);
        int started = ferry_inspect_start("127.0.0.1:0", NULL, &err);
        failed = alloc_fail_none();
        if (started != 0 && (err.code != FERRY_ENOMEM || failed == 0)) {
            fail_msg("allocation %ld fails: %s", number, err.message);
        }
        assert_int_equal(ferry_inspect_url() != NULL, started == 0);
        ferry_inspect_stop();
        assert_int_equal(ferry_num_tasks(), tasks);
        assert_int_equal(process_sockets(), sockets);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot),
#ifdef WITH_INSPECT
        cmocka_unit_test(test_inspect),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
