/*
 * What an idle connection costs: resident memory for each of 2,000, both tasks included, at once and when
 * they have been idle for some seconds. And that a burst of them leaves nothing behind.
 */
#include "scale.h"

#include <malloc.h>
#include <stdlib.h>

#include "mass.h"
#include "process.h"

#define COUNT 2000

/* Measured are 1.9 KiB on x86-64. Two pages of stack would be 8. */
#define MOST_AT_REST ((size_t)3 * 1024)

#define REPLY "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"

struct one {
    ferry_client *client;
    const char *url;
    ferry_response *res;
};

static void open_one(void *arg)
{
    struct one *one = arg;
    ferry_request *req = ferry_request_new("GET", one->url, NULL);
    one->res = ferry_client_do(one->client, req, NULL);
    ferry_request_free(req);
}

/* All responses are open together, then all are read: so many connections are idle then. */
static void connect_all(struct one *all, int count)
{
    ferry_group *group = ferry_group_new();
    assert_non_null(group);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ferry_group_go(group, open_one, &all[i]), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    for (int i = 0; i < count; i++) {
        char buffer[100];
        assert_non_null(all[i].res);
        assert_int_equal(ferry_response_read(all[i].res, buffer, sizeof buffer, NULL), 10);
        ferry_response_close(all[i].res);
    }
}

/* What malloc() keeps of what is free is not ours: but it can only give back whole pages, so that this
 * also tells whether what is kept lies in between. */
static size_t resident_now(void)
{
    malloc_trim(0);
    return process_resident();
}

/* Lets the scheduler do what it does when nothing happens, until no more than so much is resident. */
static bool await_resident(size_t most)
{
    int64_t until = now_ms() + 20000;
    while (resident_now() > most && now_ms() < until) {
        ferry_sleep(50);
    }
    return resident_now() <= most;
}

static void test_idle_connections_cost_little(void **state)
{
    struct one *all = calloc(COUNT, sizeof *all);
    (void)state;
    if (!memory_is_plain() || process_raise_descriptors() < COUNT + 100) {
        free(all);
        skip();
    }
    watch_for_hang(100);
    struct mass *mass = mass_start(REPLY);
    ferry_transport *transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.max_idle = COUNT, .max_idle_per_host = COUNT));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    assert_non_null(mass);
    assert_non_null(client);
    for (int i = 0; i < COUNT; i++) {
        all[i] = (struct one){.client = client, .url = mass_url(mass)};
    }
    struct held before = held_now();
    connect_all(all, 1);
    size_t resident = resident_now();
    connect_all(all, COUNT);
    assert_int_equal(stats_of(transport).idle, COUNT);
    size_t right_away = resident_now() - resident;
    bool little = await_resident(resident + COUNT * MOST_AT_REST);
    print_message("resident for each idle connection: %zu bytes right away, %zu at rest\n",
                  right_away / COUNT, (resident_now() - resident) / COUNT);
    assert_true(right_away <= COUNT * MOST_AT_REST);
    assert_true(little);

    connect_all(all, COUNT); /* from their rest */
    assert_int_equal(stats_of(transport).dials, COUNT);
    ferry_transport_close_idle(transport);
    assert_given_back(before);
    assert_true(await_resident(resident + ((size_t)2 << 20)));
    ferry_client_free(client);
    ferry_transport_free(transport);
    mass_stop(mass);
    free(all);
    watch_for_hang(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connections_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
