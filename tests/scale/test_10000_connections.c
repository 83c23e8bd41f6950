/*
 * Ten thousand connections at once from one thread: all requests are under way together, every response
 * is open and unread before the first is read, all connections are then idle together, and serve a
 * second time; at the end nothing of them is left.
 */
#include "scale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mass.h"
#include "process.h"

#define REPLY "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"

/* One request, its response, and what became of it. */
struct one {
    ferry_client *client;
    const char *url;
    ferry_response *res;
    ferry_error err;
};

/* Without the kernel's guard markers each stack costs two of the 65,530 mappings that a process has. */
static bool guards_are_free(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *place = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool known =
        place != MAP_FAILED && madvise(place, page, -1) != 0 && madvise(place, page, 102) == 0;
    if (place != MAP_FAILED) {
        munmap(place, page);
    }
    return known;
}

/* As many as this system's limits allow, 10,000 at most. */
static int how_many(void)
{
    int most = scaled(guards_are_free() ? 10000 : 5000, 300);
    size_t descriptors = process_raise_descriptors();
    return (size_t)most + 100 < descriptors ? most : (int)descriptors - 100;
}

static void open_one(void *arg)
{
    struct one *one = arg;
    ferry_request *req = ferry_request_new("GET", one->url, &one->err);
    if (req != NULL) {
        one->res = ferry_client_do(one->client, req, &one->err);
    }
    ferry_request_free(req);
}

/* Sends all requests at once; every response stays open. */
static void open_all(struct one *all, int count)
{
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ferry_group_go(group, open_one, &all[i]), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    for (int i = 0; i < count; i++) {
        if (all[i].res == NULL) {
            fail_msg("request %d: %s", i, all[i].err.message);
        }
        assert_int_equal(ferry_response_status(all[i].res), 200);
    }
}

static void read_all(struct one *all, int count)
{
    for (int i = 0; i < count; i++) {
        size_t len;
        char *body = ferry_response_read_all(all[i].res, 100, &len, &all[i].err);
        if (body == NULL) {
            fail_msg("response %d: %s", i, all[i].err.message);
        }
        assert_int_equal(len, 10);
        assert_string_equal(body, "0123456789");
        free(body);
        ferry_response_close(all[i].res);
        all[i].res = NULL;
    }
}

/* Opens, holds, reads; the connections are idle afterwards, and all of them are the transport's. */
static void round_of(struct one *all, int count, const ferry_transport *transport,
                     const struct mass *mass, unsigned rounds)
{
    int tasks = ferry_num_tasks() - 2 * (int)stats_of(transport).connections;
    open_all(all, count);
    ferry_stats stats = stats_of(transport);
    assert_int_equal(stats.connections, count);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.open_responses, count);
    assert_int_equal(ferry_open_responses(NULL), count);
    assert_int_equal(ferry_num_tasks(), tasks + 2 * count);
    assert_int_equal(mass_counts(mass).peak, count);
    assert_int_equal(mass_counts(mass).requests, rounds * (unsigned)count);
    read_all(all, count);
    stats = stats_of(transport);
    assert_int_equal(stats.idle, count);
    assert_int_equal(stats.connections, count);
    assert_int_equal(stats.dials, count);
    assert_int_equal(stats.reuses, (rounds - 1) * (unsigned)count);
    assert_int_equal(stats.open_responses, 0);
}

/* Returns what a connection costs while it is idle, in bytes; 0 where that cannot be measured. */
static size_t connect_all(int count)
{
    struct mass *mass = mass_start(REPLY);
    assert_non_null(mass);
    struct held before = held_now();
    size_t resident = process_resident();
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.max_idle = count, .max_idle_per_host = count,
                                                    .dial_timeout_ms = -1));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    struct one *all = calloc((size_t)count, sizeof *all);
    assert_non_null(client);
    assert_non_null(all);
    for (int i = 0; i < count; i++) {
        all[i] = (struct one){.client = client, .url = mass_url(mass)};
    }

    round_of(all, count, transport, mass, 1);
    size_t idle_cost = process_resident();
    idle_cost = idle_cost > resident ? (idle_cost - resident) / (size_t)count : 0;
    round_of(all, count, transport, mass, 2);

    ferry_client_free(client);
    ferry_transport_free(transport);
    assert_given_back(before);
    assert_true(mass_await_open(mass, 0, 20000));
    assert_int_equal(mass_counts(mass).refused, 0);
    free(all);
    mass_stop(mass);
    return idle_cost;
}

static void test_all_at_once_and_nothing_left(void **state)
{
    (void)state;
    int count = how_many();
    watch_for_hang(scaled(50, 250));
    /* What stays after the first time (spare stacks, the allocator's) serves the second. */
    size_t idle_cost = connect_all(count);
    size_t resident = process_resident();
    connect_all(count);
    if (memory_is_plain()) {
        print_message("%d connections: %zu KiB resident for each while idle\n", count,
                      idle_cost / 1024);
        assert_in_range(idle_cost, 1, (uintmax_t)64 << 10);
        assert_in_range(process_resident(), 1, resident + ((size_t)16 << 20));
    }
    watch_for_hang(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once_and_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
