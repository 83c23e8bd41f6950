/*
 * The histograms of names' lookups and TLS handshakes, with real ones: a name server of the test's own,
 * and nginx. (tests/watch/test_metrics.c has the other steps.)
 */
#include "https_test.h"

#include <stdio.h>
#include <string.h>

#include "dns_server.h"
#include "events.h"
#include "net/lookup.h"

#define MILLISECOND INT64_C(1000000)

static struct dns_server server;

static int begin(void **state)
{
    dns_server_start(&server);
    fy_lookup_ask(server.address, 40, 20); /* asks again after 40 ms */
    return https_world_make(state);
}

static int end(void **state)
{
    fy_lookup_ask(NULL, 0, 0);
    dns_server_stop(&server);
    return https_world_free(state);
}

/* nginx under names that the name server knows. */
static struct nginx *named_nginx(const char **file)
{
    struct cert *cert = cert_make(&(struct cert_options){
        .name = "named", .names = "DNS:four.test,DNS:held.test", .issuer = world.ca});
    *file = https_write("named", cert, NULL);
    cert_free(cert);
    struct nginx *nginx = https_nginx(&(struct nginx_options){.tls_certificate = *file});
    assert_true(nginx_write_file(nginx, "a", BYTES("hello")));
    return nginx;
}

static const char *url_of(struct nginx *nginx, const char *name)
{
    static char url[100];
    const char *port = strrchr(nginx_tls_url(nginx, "/a"), ':'); /* ":port/a" */
    snprintf(url, sizeof url, "https://%s%s", name, port);
    return url;
}

static void of_the_host(void *arg, const ferry_host_stats *stats)
{
    memcpy(arg, stats, sizeof *stats);
}

static void test_each_lookup_and_each_handshake_is_timed(void **state)
{
    const char *file;
    struct nginx *nginx = named_nginx(&file);
    ferry_transport *transport = https_transport(state, TRUSTING(.min_version = FERRY_TLS_1_2));
    int64_t before = events_now();
    ferry_host_stats host;

    assert_got(get(transport, url_of(nginx, "four.test")), 200, "hello");
    assert_got(get(transport, url_of(nginx, "four.test")), 200, "hello"); /* the same connection */
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 1);
    assert_int_equal(stats.connect.count, 1);
    assert_int_equal(stats.tls.count, 1);
    assert_true(stats.dns.sum_ns > 0 && stats.connect.sum_ns > 0 && stats.tls.sum_ns > 0);

    ferry_transport_close_idle(transport);
    assert_got(get(transport, url_of(nginx, "four.test")), 200, "hello");
    int64_t took_ns = (events_now() - before + 1) * MILLISECOND;
    stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 1); /* the answer was kept: that is no lookup */
    assert_int_equal(stats.connect.count, 2);
    assert_int_equal(stats.tls.count, 2);
    assert_true(stats.dns.sum_ns + stats.connect.sum_ns + stats.tls.sum_ns <= (uint64_t)took_ns);

    assert_int_equal(ferry_transport_each_host(transport, of_the_host, &host), 1);
    assert_int_equal(host.dns.count, 1);
    assert_int_equal(host.tls.count, 2);
    assert_int_equal(host.tls.sum_ns, stats.tls.sum_ns);
    nginx_stop(nginx);
}

/* The name server does not answer the first two questions (A and AAAA): the time until they are asked
 * again belongs to the lookup, and to nothing else. */
static void test_a_slow_lookup_is_seen_where_it_belongs(void **state)
{
    const char *file;
    struct nginx *nginx = named_nginx(&file);
    ferry_transport *transport = https_transport(state, TRUSTING(.min_version = FERRY_TLS_1_2));

    atomic_store(&server.hold, 2);
    assert_got(get(transport, url_of(nginx, "held.test")), 200, "hello");
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 1);
    assert_true(stats.dns.sum_ns >= 30 * MILLISECOND);
    assert_true(ferry_histogram_quantile(&stats.dns, 1) >= 30 * MILLISECOND);
    assert_int_equal(stats.tls.count, 1);
    nginx_stop(nginx);
}

static void test_what_fails_is_not_timed(void **state)
{
    const char *file;
    struct nginx *nginx = named_nginx(&file);
    ferry_transport *transport = https_transport(state, TRUSTING(.min_version = FERRY_TLS_1_2));
    ferry_request *req = request("GET", url_of(nginx, "both.test")); /* not in the certificate */

    assert_int_equal(send_and_read(transport, req).err.code, FERRY_ECERTIFICATE);
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 1);
    assert_int_equal(stats.connect.count, 1);
    assert_int_equal(stats.tls.count, 0);
    ferry_request_free(req);

    req = request("GET", url_of(nginx, "nowhere.test"));
    assert_int_equal(send_and_read(transport, req).err.code, FERRY_ERESOLVE);
    stats = stats_of(transport);
    assert_int_equal(stats.dns.count, 1);
    assert_int_equal(stats.dns_lookups, 2);
    ferry_request_free(req);
    nginx_stop(nginx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_each_lookup_and_each_handshake_is_timed),
        TRANSPORT_TEST(test_a_slow_lookup_is_seen_where_it_belongs),
        TRANSPORT_TEST(test_what_fails_is_not_timed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
