/*
 * What is counted host by host, the histograms, and all of it as Prometheus text, which Prometheus'
 * own promtool has to accept.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ferry.h>

#include "dead_end.h"
#include "gate.h"
#include "origin.h"
#include "run.h"
#include "watch_test.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define MICROSECOND INT64_C(1000)
#define SECOND INT64_C(1000000000)

static char *metrics_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(ferry_metrics(out), 0);
    fclose(out);
    return text;
}

/* ----------------------------------------------------------------------------------- histograms */

static void buckets_are_even_steps_on_a_logarithmic_scale(void **state)
{
    (void)state;
    assert_int_equal(ferry_histogram_bound(0), 50 * MICROSECOND);
    assert_int_equal(ferry_histogram_bound(4), 1000 * MICROSECOND);
    assert_int_equal(ferry_histogram_bound(FERRY_HISTOGRAM_BUCKETS - 2), 50 * SECOND);
    assert_int_equal(ferry_histogram_bound(FERRY_HISTOGRAM_BUCKETS - 1), INT64_MAX);
    assert_int_equal(ferry_histogram_bound(-1), INT64_MAX);
    for (int i = 1; i < FERRY_HISTOGRAM_BUCKETS - 1; i++) {
        int64_t low = ferry_histogram_bound(i - 1);
        int64_t high = ferry_histogram_bound(i);
        assert_true(high == 2 * low || 2 * high == 5 * low);
    }
}

static void quantiles_lie_in_their_bucket(void **state)
{
    const ferry_histogram none = {.count = 0};
    const ferry_histogram some = {.counts = {[1] = 90, [4] = 10}, .count = 100};
    const ferry_histogram long_ones = {.counts = {[FERRY_HISTOGRAM_BUCKETS - 1] = 3}, .count = 3};

    (void)state;
    assert_int_equal(ferry_histogram_quantile(&none, 0.5), -1);
    assert_in_range(ferry_histogram_quantile(&some, 0.5), 50 * MICROSECOND, 100 * MICROSECOND);
    assert_int_equal(ferry_histogram_quantile(&some, 0.9), 100 * MICROSECOND);
    assert_in_range(ferry_histogram_quantile(&some, 0.95), 500 * MICROSECOND, 1000 * MICROSECOND);
    assert_int_equal(ferry_histogram_quantile(&some, 1), 1000 * MICROSECOND);
    assert_int_equal(ferry_histogram_quantile(&long_ones, 0.5), 50 * SECOND);
}

static void each_step_is_timed_once(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = ferry_transport_new(NULL);

    (void)state;
    get_whole(transport, origin_url(origin, "/"));
    get_whole(transport, origin_url(origin, "/"));
    ferry_response_close(get_unread(transport, origin_url(origin, "/"))); /* its end had arrived */
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 0); /* an address needs no lookup */
    assert_int_equal(stats.connect.count, 1);
    assert_int_equal(stats.tls.count, 0);
    assert_int_equal(stats.first_byte.count, 3);
    assert_in_range(stats.body.count, 2, 3); /* the third's is read on, perhaps by the read loop */
    assert_true(stats.connect.sum_ns > 0);
    uint64_t all = 0;
    for (int i = 0; i < FERRY_HISTOGRAM_BUCKETS; i++) {
        all += stats.first_byte.counts[i];
    }
    assert_int_equal(all, 3);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void take_time(void)
{
    (void)poll(NULL, 0, 60);
}

static void dawdle(struct origin_conn *conn, void *head_is_there)
{
    (void)origin_read_request(conn);
    take_time();
    origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    (void)origin_wait(conn, head_is_there); /* from when on the body is timed */
    take_time();
    origin_send(conn, BYTES("hello"));
    (void)origin_wait_eof(conn, -1);
}

/* The server takes its time twice, before the head and before the body: each is found where it
 * belongs, and not in a bucket that ends below it. */
static void a_slow_server_is_seen_in_the_right_histogram(void **state)
{
    struct gate head_is_there = {0};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = dawdle, .arg = &head_is_there});
    ferry_transport *transport = ferry_transport_new(NULL);

    (void)state;
    ferry_response *res = get_unread(transport, origin_url(origin, "/"));
    gate_open(&head_is_there);
    char *body = ferry_response_read_all(res, 1000, NULL, NULL);
    assert_non_null(body);
    free(body);
    ferry_response_close(res);
    ferry_stats stats = stats_of(transport);
    assert_true(stats.first_byte.sum_ns >= 50000 * MICROSECOND);
    assert_true(stats.body.sum_ns >= 50000 * MICROSECOND);
    for (int i = 0; ferry_histogram_bound(i) <= 50000 * MICROSECOND; i++) {
        assert_int_equal(stats.first_byte.counts[i], 0);
        assert_int_equal(stats.body.counts[i], 0);
    }
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ---------------------------------------------------------------------------------- by the host */

struct seen {
    ferry_host_stats host[4];
    size_t count;
};

static void see(void *arg, const ferry_host_stats *stats)
{
    struct seen *seen = arg;
    if (seen->count < 4) {
        seen->host[seen->count] = *stats;
    }
    seen->count++;
}

static void hosts_are_counted_apart(void **state)
{
    struct origin *one = origin_start_reply(HELLO);
    struct origin *other = origin_start_reply(HELLO);
    struct dead_end refusing;
    struct seen seen = {0};
    ferry_transport *transport = ferry_transport_new(NULL);

    (void)state;
    assert_int_equal(ferry_transport_each_host(transport, see, &seen), 0);
    assert_int_equal(seen.count, 0);
    get_whole(transport, origin_url(one, "/"));
    get_whole(transport, origin_url(one, "/"));
    ferry_response *res = get_unread(transport, origin_url(other, "/"));
    assert_true(dead_end_refuse(&refusing));
    assert_null(get_unread(transport, refusing.url));
    dead_end_close(&refusing);

    assert_int_equal(ferry_transport_each_host(transport, see, &seen), 3);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.host[0].scheme, "http");
    assert_string_equal(seen.host[0].host, origin_host(one));
    assert_string_equal(seen.host[0].proxy, "");
    assert_int_equal(seen.host[0].requests, 2);
    assert_int_equal(seen.host[0].dials, 1);
    assert_int_equal(seen.host[0].reuses, 1);
    assert_int_equal(seen.host[0].puts, 2);
    assert_int_equal(seen.host[0].connections, 1);
    assert_int_equal(seen.host[0].idle, 1);
    assert_int_equal(seen.host[0].open_responses, 0);
    assert_int_equal(seen.host[0].first_byte.count, 2);
    assert_int_equal(seen.host[0].body.count, 2);
    assert_string_equal(seen.host[1].host, origin_host(other));
    assert_int_equal(seen.host[1].connections, 1);
    assert_int_equal(seen.host[1].idle, 0);
    assert_int_equal(seen.host[1].open_responses, 1);
    assert_int_equal(seen.host[1].body.count, 0);
    assert_int_equal(seen.host[2].dials, 1);
    assert_int_equal(seen.host[2].dial_failures, 1);
    assert_int_equal(seen.host[2].requests, 0);

    ferry_stats all = stats_of(transport);
    assert_int_equal(all.dials, 3);
    assert_int_equal(all.reuses, 1);
    assert_int_equal(all.first_byte.count, 3);
    ferry_response_close(res);
    ferry_transport_close_idle(transport);
    seen.count = 0;
    (void)ferry_transport_each_host(transport, see, &seen); /* what has been is still told */
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.host[0].requests, 2);
    assert_int_equal(seen.host[0].idle, 0);
    assert_int_equal(seen.host[0].connections, 0);
    ferry_transport_free(transport);
    assert_true(origin_stop(one));
    assert_true(origin_stop(other));
}

static void a_crawler_is_counted_with_the_others(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    const char *port = strrchr(origin_host(origin), ':') + 1;
    char entry[64];
    struct seen seen = {0};

    (void)state;
    snprintf(entry, sizeof entry, "*:%s:127.0.0.1", port);
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){entry, NULL}));
    for (int i = 0; i < FERRY_HOSTS_COUNTED + 3; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://h%d.example:%s/", i, port);
        get_whole(transport, url);
        ferry_transport_close_idle(transport);
    }
    assert_int_equal(ferry_transport_each_host(transport, see, &seen), FERRY_HOSTS_COUNTED + 1);
    assert_string_equal(seen.host[0].host, "(others)");
    assert_int_equal(seen.host[0].requests, 3);
    assert_int_equal(seen.host[1].requests, 1);
    ferry_stats all = stats_of(transport);
    assert_int_equal(all.dials, FERRY_HOSTS_COUNTED + 3);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

static void a_proxys_password_is_not_told(void **state)
{
    struct origin *proxy = origin_start_reply(HELLO);
    char setting[100];
    char wanted[100];
    struct seen seen = {0};

    (void)state;
    snprintf(setting, sizeof setting, "http://me:secret@%s", origin_host(proxy));
    snprintf(wanted, sizeof wanted, "http://%s", origin_host(proxy));
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.proxy = setting));
    get_whole(transport, "http://any.example/");
    assert_int_equal(ferry_transport_each_host(transport, see, &seen), 1);
    assert_null(strstr(seen.host[0].proxy, "secret"));
    assert_non_null(strstr(seen.host[0].proxy, origin_host(proxy)));
    assert_string_equal(seen.host[0].host, "");
    char *text = metrics_text();
    assert_null(strstr(text, "secret"));
    free(text);
    ferry_transport_free(transport);
    assert_true(origin_stop(proxy));
}

static void hang_up(struct origin_conn *conn, void *arg)
{
    (void)origin_read_request(conn);
    origin_send(conn, BYTES(HELLO));
    (void)origin_wait(conn, arg);
}

static void a_server_that_hangs_up_is_counted(void **state)
{
    struct gate is_idle = {0};
    struct origin *origin =
        origin_start(&(struct origin_script){.serve = hang_up, .arg = &is_idle});
    ferry_transport *transport = ferry_transport_new(NULL);

    (void)state;
    get_whole(transport, origin_url(origin, "/"));
    assert_int_equal(stats_of(transport).idle, 1);
    gate_open(&is_idle);
    AWAIT(stats_of(transport).connections == 0);
    assert_int_equal(stats_of(transport).close_waits, 1);
    ferry_transport_free(transport);
    assert_true(origin_stop(origin));
}

/* ---------------------------------------------------------------------------------- Prometheus */

static void the_text_has_the_numbers(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    char line[300];

    (void)state;
    get_whole(NULL, origin_url(origin, "/"));
    get_whole(NULL, origin_url(origin, "/"));
    char *text = metrics_text();
    assert_true(has_line(text, "ferry_tasks 3", ""));
    assert_true(has_line(text, "ferry_ledger_responses 0", ""));
    assert_true(has_line(text, "# TYPE ferry_first_byte_seconds histogram", ""));
    snprintf(
        line, sizeof line,
        "ferry_idle_connections{transport=\"default\",scheme=\"http\",host=\"%s\",proxy=\"\"} 1",
        origin_host(origin));
    assert_true(has_line(text, line, ""));
    snprintf(line, sizeof line,
             "ferry_puts_total{transport=\"default\",scheme=\"http\",host=\"%s\",proxy=\"\","
             "result=\"ok\"} 2",
             origin_host(origin));
    assert_true(has_line(text, line, ""));
    snprintf(line, sizeof line,
             "ferry_first_byte_seconds_bucket{transport=\"default\",scheme=\"http\",host=\"%s\","
             "proxy=\"\",le=\"+Inf\"} 2",
             origin_host(origin));
    assert_true(has_line(text, line, ""));
    assert_non_null(strstr(text, "le=\"0.000050\"} "));
    free(text);
    assert_true(origin_stop(origin));
}

static void promtool_accepts_it(void **state)
{
    struct origin *origin = origin_start_reply(HELLO);
    ferry_transport *transport = ferry_transport_new(NULL);
    struct run_result result;

    (void)state;
    get_whole(NULL, origin_url(origin, "/"));
    get_whole(transport, origin_url(origin, "/"));
    ferry_response *res = get_unread(transport, origin_url(origin, "/"));
    char *text = metrics_text();
    ferry_response_close(res);
    bool started = run(
        &(struct run_options){.argv = (const char *const[]){"promtool", "check", "metrics", NULL},
                              .input = text,
                              .input_len = strlen(text)},
        &result);
    ferry_transport_free(transport);
    bool served = origin_stop(origin);
    if (started && (result.status != 0 || result.err_len != 0)) {
        fail_msg("promtool ends with %d and says:\n%s%s\nof\n%s", result.status, result.out,
                 result.err, text);
    }
    run_free(&result);
    free(text);
    assert_true(served);
    if (!started) {
        skip(); /* Prometheus is not installed */
    }
}

static void writing_that_fails_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    if (full == NULL) {
        skip();
    }
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(ferry_metrics(full), -1);
    fclose(full);
}

#define METRICS_TEST(name) cmocka_unit_test_teardown(name, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(buckets_are_even_steps_on_a_logarithmic_scale),
        METRICS_TEST(quantiles_lie_in_their_bucket),
        METRICS_TEST(each_step_is_timed_once),
        METRICS_TEST(a_slow_server_is_seen_in_the_right_histogram),
        METRICS_TEST(hosts_are_counted_apart),
        METRICS_TEST(a_crawler_is_counted_with_the_others),
        METRICS_TEST(a_proxys_password_is_not_told),
        METRICS_TEST(a_server_that_hangs_up_is_counted),
        METRICS_TEST(the_text_has_the_numbers),
        METRICS_TEST(promtool_accepts_it),
        METRICS_TEST(writing_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
