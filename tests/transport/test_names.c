/*
 * Names as a transport's user sees them: answers that are kept, lookups that are shared, addresses
 * that were given. The name server is the test's own; it gets two questions (A, AAAA) for a lookup.
 */
#include "transport_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns_server.h"
#include "net/lookup.h"

static struct dns_server server;

static int start_server(void **state)
{
    (void)state;
    dns_server_start(&server);
    fy_lookup_ask(server.address, 60000, 2);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    fy_lookup_ask(NULL, 0, 0);
    dns_server_stop(&server);
    return 0;
}

/* Each request is answered on a connection of its own, so that each dials. */
static struct origin *serve_once(void **state)
{
    atomic_store(&server.questions, 0);
    return serve_reply(state,
                       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
}

/* The origin under another name, in the given place. */
static const char *named(char *url, size_t size, const char *name, struct origin *origin)
{
    snprintf(url, size, "http://%s:%d/", name, origin_port(origin));
    return url;
}

static void expect_counts(const ferry_transport *transport, int lookups, int hits)
{
    assert_int_equal(stats_of(transport).dns_lookups, lookups);
    assert_int_equal(stats_of(transport).dns_cache_hits, hits);
    assert_int_equal(atomic_load(&server.questions), 2 * lookups);
}

/* ---------------------------------------------------------------------------------------- kept */

static void count_start(void *count, const char *host)
{
    *(int *)count += strcmp(host, "four.test") == 0 ? 1 : 1000;
}

static void count_done(void *count, size_t addresses, const ferry_error *err)
{
    *(int *)count += addresses == 1 && err == NULL ? 10 : 1000;
}

static void test_a_name_is_asked_for_once(void **state)
{
    struct origin *origin = serve_once(state);
    ferry_transport *transport = transport_with(state, NULL);
    char url[64];
    int traced = 0;
    ferry_request *req = request("GET", named(url, sizeof url, "four.test", origin));

    ferry_request_set_trace(req, FERRY_TRACE(.dns_start = count_start, .dns_done = count_done),
                            &traced);
    for (int i = 0; i < 3; i++) {
        assert_got(send_and_read(transport, req), 200, "ok");
        assert_int_equal(traced, 11); /* a kept answer is no lookup */
    }
    expect_counts(transport, 1, 2);
    ferry_transport_flush_dns(transport);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_int_equal(traced, 22);
    expect_counts(transport, 2, 2);
    ferry_request_free(req);
}

static void test_each_transport_keeps_its_own(void **state)
{
    struct origin *origin = serve_once(state);
    ferry_transport *one = transport_with(state, NULL);
    ferry_transport *none = transport_with(state, FERRY_TRANSPORT_OPTIONS(.dns_cache_ms = -1));
    char url[64];

    named(url, sizeof url, "four.test", origin);
    assert_got(get(one, url), 200, "ok");
    assert_got(get(none, url), 200, "ok");
    assert_got(get(none, url), 200, "ok");
    assert_got(get(one, url), 200, "ok");
    assert_int_equal(stats_of(one).dns_lookups, 1);
    assert_int_equal(stats_of(one).dns_cache_hits, 1);
    assert_int_equal(stats_of(none).dns_lookups, 2);
    assert_int_equal(stats_of(none).dns_cache_hits, 0);
    assert_int_equal(atomic_load(&server.questions), 6);
}

/* After a millisecond it is not kept any more, whatever DNS says. */
static void test_at_most_as_long_as_wanted(void **state)
{
    struct origin *origin = serve_once(state);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.dns_cache_ms = 1));
    char url[64];

    named(url, sizeof url, "four.test", origin);
    assert_got(get(transport, url), 200, "ok");
    ferry_sleep(2);
    assert_got(get(transport, url), 200, "ok");
    expect_counts(transport, 2, 0);
}

/* ----------------------------------------------------------------------------------- in company */

#define CALLS 20

static void test_requests_share_a_lookup(void **state)
{
    struct origin *origin = serve_once(state);
    ferry_transport *transport = transport_with(state, FERRY_TRANSPORT_OPTIONS(.dns_cache_ms = -1));
    struct call calls[CALLS] = {0};
    char url[64];

    named(url, sizeof url, "four.test", origin);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){.transport = transport, .url = url};
    }
    run_calls(calls, CALLS);
    for (int i = 0; i < CALLS; i++) {
        assert_got(calls[i].outcome, 200, "ok");
    }
    expect_counts(transport, 1, CALLS - 1);
}

/* The one whose lookup the other waits for is cancelled: the server did not answer that one. (With
 * one port for both its dial would go on, for the other.) */
static void test_a_cancel_is_nobody_elses(void **state)
{
    struct origin *origins[] = {serve_once(state), serve_once(state)};
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call first = {.transport = transport, .context = context};
    struct call second = {.transport = transport};
    char urls[2][64];

    atomic_store(&server.hold, 2);
    first.url = named(urls[0], sizeof urls[0], "held.test", origins[0]);
    second.url = named(urls[1], sizeof urls[1], "held.test", origins[1]);
    start_call(&first);
    start_call(&second);
    assert_eventually(atomic_load(&server.questions) == 2 && stats_of(transport).dials == 2);
    ferry_context_cancel(context);
    assert_eventually(first.done && second.done);
    assert_failed(first.outcome, FERRY_ECANCELED, NULL);
    assert_got(second.outcome, 200, "ok");
    expect_counts(transport, 2, 0);
    ferry_context_free(context);
}

/* A lookup that began before a flush is not waited for by who comes after it. */
static void test_a_flush_parts_lookups(void **state)
{
    struct origin *origins[] = {serve_once(state), serve_once(state)};
    ferry_transport *transport = transport_with(state, NULL);
    ferry_context *context = ferry_context_new(-1);
    struct call first = {.transport = transport, .context = context};
    struct call second = {.transport = transport, .timeout_ms = SOON_MS};
    char urls[2][64];

    atomic_store(&server.hold, 2);
    first.url = named(urls[0], sizeof urls[0], "held.test", origins[0]);
    second.url = named(urls[1], sizeof urls[1], "held.test", origins[1]);
    start_call(&first);
    assert_eventually(atomic_load(&server.questions) == 2);
    ferry_transport_flush_dns(transport);
    run_call(&second);
    ferry_context_cancel(context);
    assert_eventually(first.done);
    assert_got(second.outcome, 200, "ok");
    assert_failed(first.outcome, FERRY_ECANCELED, NULL);
    ferry_context_free(context);
}

struct crowd {
    ferry_transport *transport;
    struct origin *origin;
    atomic_int good;
};

static void gets_in_a_crowd(void *arg)
{
    static const char *const names[] = {"four.test", "both.test", "short.test", "moment.test"};
    struct crowd *crowd = arg;
    char url[64];
    for (int i = 0; i < 12; i++) {
        named(url, sizeof url, names[i % 4], crowd->origin);
        struct outcome outcome = get(crowd->transport, url);
        atomic_fetch_add(&crowd->good, outcome.status == 200);
        if (i % 5 == 0) {
            ferry_transport_flush_dns(crowd->transport);
        }
    }
}

static void *crowded_thread(void *arg)
{
    ferry_group *group = ferry_group_new();
    for (int i = 0; i < 4; i++) {
        (void)ferry_group_go(group, gets_in_a_crowd, arg);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    return NULL;
}

static void test_many_threads(void **state)
{
    struct crowd crowd = {.origin = serve_once(state), .transport = transport_with(state, NULL)};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowded_thread, &crowd), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.good), 4 * 4 * 12);
    ferry_stats stats = stats_of(crowd.transport);
    assert_int_equal(stats.dns_lookups + stats.dns_cache_hits, stats.dials);
    assert_int_equal(atomic_load(&server.questions), 2 * stats.dns_lookups);
}

struct three_calls {
    struct call all[3];
};

/* Its tasks go with it, one that looks up and others that wait for that. */
static void *thread_that_ends(void *arg)
{
    struct call *calls = arg;
    for (int i = 0; i < 3; i++) {
        start_call(&calls[i]);
    }
    for (int i = 0; i < 10; i++) {
        ferry_yield();
    }
    return NULL;
}

static void test_a_thread_ends_meanwhile(void **state)
{
    ferry_transport *transport = transport_with(state, NULL);
    struct three_calls *kept = KEPT(state, struct three_calls);
    struct call *calls = kept->all;
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        calls[i] =
            (struct call){.transport = transport, .req = request("GET", "http://silent.test/")};
    }
    atomic_store(&server.questions, 0);
    assert_int_equal(pthread_create(&thread, NULL, thread_that_ends, calls), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_false(calls[i].done);
        ferry_request_free(calls[i].req);
    }
    assert_int_equal(stats_of(transport).dials, 3);
    assert_eventually(atomic_load(&server.questions) == 2); /* all of them have come */
}

/* ---------------------------------------------------------------------------------------- given */

static void test_addresses_of_the_users(void **state)
{
    struct origin *origin = serve_once(state);
    char url[64];
    char entry[64];
    char host[64];

    snprintf(entry, sizeof entry, "example.org:%d:127.0.0.1", origin_port(origin));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){entry, NULL}));
    memset(entry, 'x', sizeof entry); /* it was copied */
    int traced = 0;
    ferry_request *req = request("GET", named(url, sizeof url, "example.org", origin));
    ferry_request_set_trace(req, FERRY_TRACE(.dns_start = count_start, .dns_done = count_done),
                            &traced);
    assert_got(send_and_read(transport, req), 200, "ok");
    assert_int_equal(traced, 0);
    snprintf(host, sizeof host, "\r\nHost: example.org:%d\r\n", origin_port(origin));
    assert_non_null(strstr(origin_request(origin, 0).head, host));
    expect_counts(transport, 0, 0);
    assert_got(get(transport, named(url, sizeof url, "four.test", origin)), 200, "ok");
    expect_counts(transport, 1, 0);
    ferry_transport_flush_dns(transport);
    assert_got(send_and_read(transport, req), 200, "ok"); /* it is still given */
    ferry_request_free(req);
}

static void test_every_host(void **state)
{
    struct origin *origin = serve_once(state);
    char url[64];
    char entry[64];

    snprintf(entry, sizeof entry, "*:%d:127.0.0.1", origin_port(origin));
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){entry, NULL}));
    assert_got(get(transport, named(url, sizeof url, "nosuch.test", origin)), 200, "ok");
    assert_got(get(transport, named(url, sizeof url, "192.0.2.1", origin)), 200, "ok");
    expect_counts(transport, 0, 0);
}

static void test_an_entry_that_is_none(void **state)
{
    struct origin *origin = serve_once(state);
    ferry_transport *transport = transport_with(
        state, FERRY_TRANSPORT_OPTIONS(.resolve = (const char *const[]){"example.org:80", NULL}));

    assert_failed(
        get(transport, origin_url(origin, "/")), FERRY_EINVAL,
        "the transport's resolve entry \"example.org:80\" has no address where one should "
        "be: write host:port:address[,address]");
    assert_int_equal(stats_of(transport).dial_failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_a_name_is_asked_for_once),
        TRANSPORT_TEST(test_each_transport_keeps_its_own),
        TRANSPORT_TEST(test_at_most_as_long_as_wanted),
        TRANSPORT_TEST(test_requests_share_a_lookup),
        TRANSPORT_TEST(test_a_cancel_is_nobody_elses),
        TRANSPORT_TEST(test_a_flush_parts_lookups),
        TRANSPORT_TEST(test_many_threads),
        TRANSPORT_TEST(test_a_thread_ends_meanwhile),
        TRANSPORT_TEST(test_addresses_of_the_users),
        TRANSPORT_TEST(test_every_host),
        TRANSPORT_TEST(test_an_entry_that_is_none),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
