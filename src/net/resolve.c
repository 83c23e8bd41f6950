/*
 * What is known without asking anybody, who asks if it is not, and in which order answers are to be
 * tried; lookup.c asks.
 *
 * A name that several tasks of one thread want is looked up by the first of them, for all: a
 * flight, which the others follow. If it ends because its leader does not want any more (cancelled,
 * or out of time), the next follower leads another. Threads share answers, by the cache, and no
 * flights.
 */
#include "net/resolve.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "net/lookup.h"
#include "task/sched.h"

/* In place of none. */
static struct fy_resolver ignorant;

int fy_resolver_init(struct fy_resolver *resolver, const char *const *entries, int64_t cache_ms)
{
    *resolver = (struct fy_resolver){0};
    if (fy_host_entries_read(&resolver->entries, entries) != 0) {
        goto fail;
    }
    if (cache_ms >= 0) {
        resolver->cache = fy_dns_cache_new(cache_ms);
        if (resolver->cache == NULL) {
            goto fail;
        }
    }
    return 0;
fail:
    fy_host_entries_free(&resolver->entries);
    return -1;
}

void fy_resolver_destroy(struct fy_resolver *resolver)
{
    fy_dns_cache_free(resolver->cache);
    fy_host_entries_free(&resolver->entries);
}

void fy_resolve_suspect(struct fy_resolver *resolver, const char *host)
{
    if (resolver != NULL && resolver->cache != NULL) {
        fy_dns_cache_drop(resolver->cache, host);
    }
}

#define COUNT(resolver, counter) \
    atomic_fetch_add_explicit(&(resolver)->counter, 1, memory_order_relaxed)

/* ------------------------------------------------------------------------------ without asking */

/* "localhost" and all below it are this machine, whatever a name server says (RFC 6761 section
 * 6.3). */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    const size_t name_len = sizeof name - 1;
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

static int add_loopback(struct fy_addresses *addresses, uint16_t port)
{
    const struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr_in ipv4 = {.sin_family = AF_INET,
                                     .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    if (fy_addresses_add(addresses, (const struct sockaddr *)&ipv6, port) != 0) {
        return -1;
    }
    return fy_addresses_add(addresses, (const struct sockaddr *)&ipv4, port);
}

/* 1, 0: not kept, or -1 and *err. */
static int find_kept(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
                     uint16_t port, ferry_error *err)
{
    if (resolver->cache == NULL) {
        return 0;
    }
    int found = fy_dns_cache_find(resolver->cache, host, fy_dns_cache_now(), addresses, port);
    if (found > 0) {
        COUNT(resolver, cache_hits);
    }
    return found < 0 ? fy_fail_memory(err) : found;
}

/* Likewise. What the user says goes before all else, literals included. */
static int find_known(struct fy_resolver *resolver, struct fy_addresses *addresses,
                      const char *host, uint16_t port, ferry_error *err)
{
    struct fy_address literal;
    const struct fy_addresses *given = fy_host_entries_find(&resolver->entries, host, port);
    if (given != NULL) {
        return fy_addresses_copy(addresses, given, port) == 0 ? 1 : fy_fail_memory(err);
    }
    if (fy_address_parse(&literal, host, port)) {
        const struct sockaddr *sockaddr = (const struct sockaddr *)&literal.sockaddr;
        return fy_addresses_add(addresses, sockaddr, port) == 0 ? 1 : fy_fail_memory(err);
    }
    return find_kept(resolver, addresses, host, port, err);
}

/* -------------------------------------------------------------------------------------- flights */

/* One lookup and those who wait for it, all tasks of one scheduler. */
struct flight {
    struct fy_link link;      /* in sched->lookups while it is under way */
    struct fy_exit_hook exit; /* a thread that ends may have discarded them all */
    const struct fy_resolver *resolver;
    uint64_t flushes;    /* of the resolver's cache, when it began */
    char *name;          /* allocated */
    int holds;           /* the leader's and each follower's */
    struct fy_chan over; /* closes, and from then on this is valid: */
    int result;
    struct fy_addresses addresses; /* with port 0, in order */
    ferry_error err;
};

static void flight_free(struct flight *flight)
{
    fy_list_remove(&flight->link);
    fy_list_remove(&flight->exit.link);
    fy_addresses_free(&flight->addresses);
    free(flight->name);
    free(flight);
}

static void flight_release(struct flight *flight)
{
    if (--flight->holds == 0) {
        flight_free(flight);
    }
}

static void flight_exit(struct fy_exit_hook *hook)
{
    flight_free(FY_CONTAINER(hook, struct flight, exit));
}

static const struct fy_exit_kind flight_lost = {.run = flight_exit};

static uint64_t flushes_of(const struct fy_resolver *resolver)
{
    return resolver->cache != NULL ? fy_dns_cache_flushes(resolver->cache) : 0;
}

static struct flight *flight_new(const struct fy_resolver *resolver, const char *name)
{
    struct fy_sched *sched = fy_sched_running();
    struct flight *flight = calloc(1, sizeof *flight);
    if (flight == NULL) {
        return NULL;
    }
    flight->name = strdup(name);
    if (flight->name == NULL) {
        free(flight);
        return NULL;
    }
    flight->resolver = resolver;
    flight->flushes = flushes_of(resolver);
    flight->holds = 1;
    flight->exit.kind = &flight_lost;
    fy_chan_init(&flight->over, NULL, 0);
    fy_list_push_front(&sched->lookups, &flight->link);
    fy_list_push_front(&sched->leftovers, &flight->exit.link);
    return flight;
}

/* What began before a flush may ask whom nobody is to ask any more. */
static struct flight *flight_find(const struct fy_resolver *resolver, const char *name)
{
    const uint64_t flushes = flushes_of(resolver);
    FY_LIST_EACH(link, &fy_sched_running()->lookups)
    {
        struct flight *flight = FY_CONTAINER(link, struct flight, link);
        if (flight->resolver == resolver && flight->flushes == flushes &&
            strcasecmp(flight->name, name) == 0) {
            return flight;
        }
    }
    return NULL;
}

/* What a flight has brought, for one of those who waited for it. */
static int share(const struct flight *flight, struct fy_addresses *addresses, uint16_t port,
                 ferry_error *err)
{
    if (flight->result != 0) {
        *err = flight->err;
        return -1;
    }
    return fy_addresses_copy(addresses, &flight->addresses, port) == 0 ? 0 : fy_fail_memory(err);
}

static int lead(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
                uint16_t port, int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    struct fy_dns_cache *cache = resolver->cache;
    int64_t ttl = 0;
    struct flight *flight = flight_new(resolver, host);
    if (flight == NULL) {
        return fy_fail_memory(err);
    }
    COUNT(resolver, lookups);
    flight->result = fy_lookup(&flight->addresses, &ttl, host, deadline, canceled, &flight->err);
    if (flight->result == 0) {
        fy_addresses_interleave(&flight->addresses);
        if (cache != NULL) {
            fy_dns_cache_keep(cache, host, fy_dns_cache_now(), &flight->addresses, ttl,
                              flight->flushes);
        }
    }
    fy_list_remove(&flight->link);
    fy_chan_close(&flight->over);
    int result = share(flight, addresses, port, err);
    flight_release(flight);
    return result;
}

/* 1; -1 and *err; 0: the flight has ended without an answer for anybody. */
static int follow(struct fy_resolver *resolver, struct flight *flight,
                  struct fy_addresses *addresses, uint16_t port, int64_t deadline,
                  struct fy_chan *canceled, ferry_error *err)
{
    struct fy_case cases[] = {FY_RECEIVE_FROM(canceled), FY_RECEIVE_FROM(&flight->over)};
    int result = 0;
    flight->holds++;
    switch (fy_select(cases, 2, deadline, "waiting for another's name lookup")) {
    case 0: result = fy_fail(err, FERRY_ECANCELED, 0, "canceled"); break;
    case 1:
        if (flight->err.code != FERRY_ECANCELED && flight->err.code != FERRY_ETIMEOUT) {
            result = share(flight, addresses, port, err) == 0 ? 1 : -1;
        }
        break;
    default: result = fy_fail(err, FERRY_ETIMEOUT, 0, "i/o timeout"); break;
    }
    if (result > 0) {
        COUNT(resolver, cache_hits);
    }
    flight_release(flight);
    return result;
}

static int look_up(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
                   uint16_t port, int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    struct flight *flight;
    while ((flight = flight_find(resolver, host)) != NULL) {
        int followed = follow(resolver, flight, addresses, port, deadline, canceled, err);
        if (followed != 0) {
            return followed > 0 ? 0 : -1;
        }
    }
    return lead(resolver, addresses, host, port, deadline, canceled, err);
}

/* ------------------------------------------------------------------------------------ all of it */

/* Meant as an address: no domain at the top is a number. */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot != NULL ? dot + 1 : host;
    return *last != '\0' &&
           (last[strspn(last, "0123456789")] == '\0' || strncasecmp(last, "0x", 2) == 0);
}

static int fail(struct fy_addresses *addresses, const char *host, ferry_error *err)
{
    fy_addresses_free(addresses);
    if (err->code == FERRY_ERESOLVE && ends_in_number(host)) {
        fy_error_suffix(err, "; an IPv4 address has four numbers, of 0 to 255: 127.0.0.1");
    }
    fy_error_prefix(err, "lookup %s", host);
    return -1;
}

int fy_resolve_at_once(struct fy_resolver *resolver, struct fy_addresses *addresses,
                       const char *host, uint16_t port, ferry_error *err)
{
    *addresses = (struct fy_addresses){0};
    if (resolver == NULL) {
        resolver = &ignorant;
    }
    if (resolver->entries.refused.code != 0) {
        *err = resolver->entries.refused;
        return -1;
    }
    int found = find_known(resolver, addresses, host, port, err);
    return found < 0 ? fail(addresses, host, err) : found;
}

static int find(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
                uint16_t port, int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    if (is_localhost(host)) {
        return add_loopback(addresses, port) == 0 ? 0 : fy_fail_memory(err);
    }
    if (host[0] == '\0' || strchr(host, ':') != NULL || strchr(host, '%') != NULL) {
        /* An address with a mistake in it, or with a zone that this machine does not have. */
        return fy_fail(err, FERRY_ERESOLVE, 0, "no such host");
    }
    return look_up(resolver, addresses, host, port, deadline, canceled, err);
}

int fy_resolve(struct fy_resolver *resolver, struct fy_addresses *addresses, const char *host,
               uint16_t port, int64_t deadline, struct fy_chan *canceled, ferry_error *err)
{
    if (resolver == NULL) {
        resolver = &ignorant;
    }
    int known = fy_resolve_at_once(resolver, addresses, host, port, err);
    if (known != 0) {
        return known > 0 ? 0 : -1;
    }
    if (find(resolver, addresses, host, port, deadline, canceled, err) != 0) {
        return fail(addresses, host, err);
    }
    return 0;
}
