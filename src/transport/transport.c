/*
 * The transport object: its options, its holds, its statistics.
 */
#include "transport/transport.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "task/clock.h"
#include "task/sched.h"
#include "transport/idle_pool.h"
#include "transport/persist_conn.h"
#include "transport/want.h"

/* ------------------------------------------------------------------------------------- options */

static int64_t choose(int64_t given, int64_t standard)
{
    return given == 0 ? standard : given < 0 ? -1 : given;
}

/* As nanoseconds added to any time it is still a time. */
#define LONGEST_MS (INT64_MAX / FY_MILLISECOND / 2)

static int64_t choose_ms(int64_t given, int64_t standard)
{
    return given > LONGEST_MS ? LONGEST_MS : choose(given, standard);
}

static int choose_limit(int given, int standard)
{
    return given == 0 ? standard : given < 0 ? INT_MAX : given;
}

static int settle(struct fy_transport_settings *set, const ferry_transport_options *given)
{
    *set = (struct fy_transport_settings){
        .max_idle = choose_limit(given->max_idle, 1024),
        .max_idle_per_host = given->max_idle_per_host == 0 ? 256 : given->max_idle_per_host,
        .max_per_host = choose_limit(given->max_per_host, INT_MAX),
        .idle_timeout_ms = choose_ms(given->idle_timeout_ms, 90000),
        .dial_timeout_ms = choose_ms(given->dial_timeout_ms, 30000),
        .tls_handshake_timeout_ms = choose_ms(given->tls_handshake_timeout_ms, 10000),
        .response_header_timeout_ms = choose_ms(given->response_header_timeout_ms, -1),
        .expect_continue_timeout_ms = choose_ms(given->expect_continue_timeout_ms, 1000),
        .abandoned_ms = choose_ms(given->abandoned_ms, -1),
        .body_read_timeout_ms = choose_ms(given->body_read_timeout_ms, -1),
        .keep_alive_probe_ms = choose_ms(given->keep_alive_probe_ms, 15000),
        .max_header_bytes =
            given->max_header_bytes == 0 ? (size_t)256 * 1024 : given->max_header_bytes,
        .max_header_fields = choose_limit(given->max_header_fields, 200),
        .disable_keep_alives = given->disable_keep_alives != 0,
        .disable_compression = given->disable_compression != 0,
        .max_decoded_bytes = choose(given->max_decoded_bytes, -1),
        .drain_bytes = choose(given->drain_bytes, (int64_t)256 * 1024),
        .drain_ms = choose_ms(given->drain_ms, 50),
        .dial = given->dial,
        .dial_arg = given->dial_arg,
        .fallback_delay_ms = choose_ms(given->fallback_delay_ms, 250),
        .ignore_content_length = given->ignore_content_length != 0,
        .send_proxy_protocol = given->send_proxy_protocol != 0,
    };
    if (fy_local_end_init(&set->local, given) != 0 ||
        fy_detours_read(&set->detours, given->connect_to) != 0) {
        return -1;
    }
    if (given->unix_socket != NULL) {
        set->unix_socket = strdup(given->unix_socket);
        return set->unix_socket != NULL ? 0 : -1;
    }
    return 0;
}

static void unsettle(struct fy_transport_settings *set)
{
    fy_local_end_destroy(&set->local);
    fy_detours_free(&set->detours);
    free(set->unix_socket);
}

/* ------------------------------------------------------------------------------ birth and death */

static void fill_source(struct fy_stats_source *source, ferry_stats *stats);

FERRY_API ferry_transport *ferry_transport_new(const ferry_transport_options *options)
{
    ferry_transport_options given = {0};
    if (options != NULL) {
        /* The caller may have been compiled with a struct that was shorter, or will be longer. */
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    }
    ferry_transport *transport = calloc(1, sizeof *transport);
    if (transport == NULL) {
        return NULL;
    }
    atomic_init(&transport->holds, 1);
    if (settle(&transport->set, &given) != 0) {
        goto no_settings;
    }
    if (fy_transport_tls_init(&transport->tls, given.tls) != 0) {
        goto no_settings;
    }
    if (fy_resolver_init(&transport->resolver, given.resolve,
                         choose_ms(given.dns_cache_ms, 60000)) != 0) {
        goto no_resolver;
    }
    if (fy_proxies_init(&transport->proxies, &given) != 0) {
        goto no_proxies;
    }
    if (fy_pool_init(transport) != 0) {
        goto no_pool;
    }
    transport->set.without_size = options != NULL && options->size < sizeof options->size;
    transport->pool.monitored = !given.disable_monitor;
    fy_hosts_counted_init(&transport->hosts_counted);
    fy_stats_source_enter(&transport->source, fill_source);
    return transport;

no_pool:
    fy_proxies_destroy(&transport->proxies);
no_proxies:
    fy_resolver_destroy(&transport->resolver);
no_resolver:
    fy_transport_tls_destroy(&transport->tls);
no_settings:
    unsettle(&transport->set);
    free(transport);
    return NULL;
}

void fy_transport_hold(ferry_transport *transport)
{
    atomic_fetch_add_explicit(&transport->holds, 1, memory_order_relaxed);
}

void fy_transport_release(ferry_transport *transport)
{
    if (atomic_fetch_sub_explicit(&transport->holds, 1, memory_order_acq_rel) == 1) {
        fy_stats_source_leave(&transport->source);
        fy_hosts_counted_free(&transport->hosts_counted);
        fy_pool_destroy(transport);
        fy_proxies_destroy(&transport->proxies);
        fy_resolver_destroy(&transport->resolver);
        fy_transport_tls_destroy(&transport->tls);
        unsettle(&transport->set);
        free(transport);
    }
}

static _Atomic(ferry_transport *) standard;

/* Made by whoever comes first; a try for which there was no memory is not the last. */
FERRY_API ferry_transport *ferry_default_transport(void)
{
    ferry_transport *transport = atomic_load(&standard);
    if (transport != NULL) {
        return transport;
    }
    ferry_transport *made = ferry_transport_new(NULL);
    if (made != NULL && atomic_compare_exchange_strong(&standard, &transport, made)) {
        return made;
    }
    ferry_transport_free(made); /* another thread was faster, or there is no memory */
    return atomic_load(&standard);
}

/* Closes this thread's idle connections and waits until their loops have ended, so that the caller
 * finds them gone; then those of other threads, whose loops end when their threads next run. */
FERRY_API void ferry_transport_close_idle(ferry_transport *transport)
{
    if (transport == NULL) {
        transport = ferry_default_transport();
    }
    if (transport == NULL || fy_enter() == NULL) {
        return;
    }
    pthread_mutex_lock(&transport->pool.lock);
    transport->pool.close_idle = true;
    pthread_mutex_unlock(&transport->pool.lock);
    struct fy_persist_conn *conn;
    while ((conn = fy_pool_take_any(transport)) != NULL) {
        fy_persist_conn_close_for(conn, FY_TRIP_SERVER_CLOSED, FERRY_ESERVERCLOSED,
                                  "idle connections were closed");
        fy_persist_conn_wait_gone(conn);
        fy_persist_conn_release(conn);
    }
    fy_leave();
    fy_pool_close_idle(transport);
}

FERRY_API void ferry_transport_flush_dns(ferry_transport *transport)
{
    if (transport == NULL) {
        transport = ferry_default_transport();
    }
    if (transport != NULL && transport->resolver.cache != NULL) {
        fy_dns_cache_flush(transport->resolver.cache);
    }
}

FERRY_API void ferry_transport_free(ferry_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    bool is_standard = transport == standard;
    pthread_mutex_lock(&transport->pool.lock);
    transport->pool.freed = !is_standard;
    pthread_mutex_unlock(&transport->pool.lock);
    ferry_transport_close_idle(transport);
    if (!is_standard) {
        fy_transport_release(transport);
    }
}

/* --------------------------------------------------------------------------------- statistics */

#define READ(transport, counter) \
    (uint64_t) atomic_load_explicit(&(transport)->count.counter, memory_order_relaxed)

static void fill(ferry_transport *transport, ferry_stats *stats)
{
    stats->requests = READ(transport, requests);
    stats->responses = READ(transport, responses);
    stats->errors = READ(transport, errors);
    stats->retries = READ(transport, retries);
    stats->early_closes = READ(transport, early_closes);
    stats->drained = READ(transport, drained);
    stats->abandoned = READ(transport, abandoned);
    fy_hosts_counted_sum(&transport->hosts_counted, stats);
    stats->dns_lookups =
        (uint64_t)atomic_load_explicit(&transport->resolver.lookups, memory_order_relaxed);
    stats->dns_cache_hits =
        (uint64_t)atomic_load_explicit(&transport->resolver.cache_hits, memory_order_relaxed);
    stats->idle = (uint64_t)fy_pool_idle_count(transport, NULL);
    stats->waiting = (uint64_t)fy_wants_count(transport);
}

static void fill_source(struct fy_stats_source *source, ferry_stats *stats)
{
    fill(FY_CONTAINER(source, struct ferry_transport, source), stats);
}

FERRY_API void ferry_transport_stats(const ferry_transport *transport, ferry_stats *stats)
{
    ferry_stats all = {0};
    if (stats == NULL) {
        return;
    }
    size_t size = stats->size;
    /* The lock inside is what const does not know of: a transport is never a constant. */
    ferry_transport *asked =
        (ferry_transport *)(transport != NULL ? transport : ferry_default_transport());
    if (asked != NULL) {
        fill(asked, &all);
    }
    all.size = size;
    memcpy(stats, &all, size < sizeof all ? size : sizeof all);
}

/* In the child of a fork, once for each scheduler: what was open is the parent's. */
static void forget_open(struct fy_stats_source *source, void *arg)
{
    (void)arg;
    fy_host_counts_inherited(&FY_CONTAINER(source, struct ferry_transport, source)->hosts_counted);
}

static void inherited(struct fy_sched *sched)
{
    (void)sched;
    fy_stats_sources_each(forget_open, NULL);
}

static __attribute__((constructor)) void watch_forks(void)
{
    static struct fy_fork_listener listener = {.inherited = inherited};
    fy_fork_listen(&listener);
}

FERRY_API const char *ferry_put_result_string(int result)
{
    static const char *const texts[FERRY_PUT_RESULTS] = {
        [FERRY_PUT_OK] = "the connection is in the pool",
        [FERRY_PUT_KEEP_ALIVES_DISABLED] = "the transport keeps no connections",
        [FERRY_PUT_CONNECTION_BROKEN] = "the connection was closed, or bytes came on it unasked",
        [FERRY_PUT_CLOSE_IDLE] = "idle connections are being closed",
        [FERRY_PUT_TOO_MANY_IDLE] = "there are too many idle connections",
        [FERRY_PUT_TOO_MANY_IDLE_HOST] = "there are too many idle connections to the host",
        [FERRY_PUT_CLOSED_EARLY] = "the body was closed before its end",
        [FERRY_PUT_BODY_ERROR] = "the body ended in an error",
        [FERRY_PUT_CLOSE_ASKED] = "one side asked for the connection to be closed",
        [FERRY_PUT_REQUEST_NOT_WRITTEN] = "the response ended before the request was written",
        [FERRY_PUT_CANCELED] = "the request was canceled",
        [FERRY_PUT_TRANSPORT_FREED] = "the transport has been freed",
        [FERRY_PUT_PLACE_WANTED] = "another thread's request waits for the connection's place",
    };
    return result >= 0 && result < FERRY_PUT_RESULTS ? texts[result] : "?";
}
