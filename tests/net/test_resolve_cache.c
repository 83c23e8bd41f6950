/*
 * Names that are not looked up: answers that are kept, or just on their way for another task, and
 * addresses that the user gave. Against a name server of the test's own, which counts what it is
 * asked: two questions (A, AAAA) for each lookup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns_server.h"
#include "net/lookup.h"
#include "net/lookup_channel.h"
#include "net/resolve.h"
#include "net_test.h"
#include "process.h"
#include "task/clock.h"
#include "task/sched.h"
#include "temp_dir.h"

#define SECOND INT64_C(1000000000)

static struct dns_server server;
static struct fy_resolver resolver;

struct answer {
    int result;
    char text[400]; /* the addresses, with spaces between them */
    ferry_error err;
};

static struct answer ask(const char *host, int64_t deadline, struct fy_chan *canceled)
{
    struct fy_addresses addresses;
    struct answer answer = {0};
    answer.result = fy_resolve(&resolver, &addresses, host, 80, deadline, canceled, &answer.err);
    for (size_t i = 0; i < addresses.count; i++) {
        char text[FY_ADDRESS_TEXT];
        fy_address_text(&addresses.list[i], text);
        strcat(strcat(answer.text, i > 0 ? " " : ""), text);
    }
    fy_addresses_free(&addresses);
    return answer;
}

static void expect(const char *host, const char *text)
{
    struct answer answer = ask(host, FY_NEVER, NULL);
    assert_string_equal(answer.err.message, "");
    assert_string_equal(answer.text, text);
}

/* So many lookups, and names that needed none; and what the name server knows of that. */
static void expect_counts(int lookups, int hits)
{
    assert_int_equal(atomic_load(&resolver.lookups), lookups);
    assert_int_equal(atomic_load(&resolver.cache_hits), hits);
    assert_int_equal(atomic_load(&server.questions), 2 * lookups);
}

static bool all_have_come(void *lookups)
{
    return atomic_load(&server.questions) == 2 * *(int *)lookups;
}

/* Where nobody waits for answers, the questions may still be on their way. */
static void expect_questions_of(int lookups)
{
    assert_true(expect_eventually(all_have_come, &lookups, 10000));
}

/* Whether the answer for a name is kept so many seconds from now. */
static bool kept_after(const char *name, int64_t seconds)
{
    struct fy_addresses addresses = {0};
    int found = fy_dns_cache_find(resolver.cache, name, fy_dns_cache_now() + seconds * SECOND,
                                  &addresses, 80);
    fy_addresses_free(&addresses);
    return found > 0;
}

/* Begins with another resolver. */
static void begin_with(const char *const *entries, int64_t cache_ms)
{
    fy_resolver_destroy(&resolver);
    assert_int_equal(fy_resolver_init(&resolver, entries, cache_ms), 0);
    atomic_store(&server.questions, 0);
}

static int set_up(void **state)
{
    fy_lookup_ask(server.address, 60000, 2);
    atomic_store(&server.hold, 0);
    begin_with(NULL, 3600000);
    return net_test_enter(state);
}

static int tear_down(void **state)
{
    fy_resolver_destroy(&resolver);
    resolver = (struct fy_resolver){0};
    return net_test_leave(state);
}

/* ---------------------------------------------------------------------------------------- kept */

static void asked_once(void **state)
{
    struct fy_addresses addresses;
    char text[FY_ADDRESS_TEXT];
    (void)state;
    expect("four.test.", "127.0.0.1:80");
    expect("four.test.", "127.0.0.1:80");
    expect("FOUR.test.", "127.0.0.1:80");
    expect_counts(1, 2);
    assert_int_equal(fy_resolve(&resolver, &addresses, "four.test.", 8080, FY_NEVER, NULL, NULL),
                     0);
    fy_address_text(&addresses.list[0], text);
    assert_string_equal(text, "127.0.0.1:8080");
    fy_addresses_free(&addresses);
    expect_counts(1, 3);
}

static void order_stays(void **state)
{
    (void)state;
    struct answer first = ask("both.test.", FY_NEVER, NULL);
    struct answer second = ask("both.test.", FY_NEVER, NULL);
    assert_non_null(strstr(first.text, "[::1]:80"));
    assert_string_equal(first.text, second.text);
    expect_counts(1, 1);
}

static void smallest_time_to_live(void **state)
{
    (void)state;
    expect("four.test.", "127.0.0.1:80");
    assert_true(kept_after("four.test.", 50));
    assert_false(kept_after("four.test.", 60));
    assert_int_equal(ask("short.test.", FY_NEVER, NULL).result, 0);
    assert_true(kept_after("short.test.", 15));
    assert_false(kept_after("short.test.", 20)); /* the AAAA's; the A has 30 */
    expect("alias.test.", "127.0.0.1:80");
    assert_true(kept_after("alias.test.", 5));
    assert_false(kept_after("alias.test.", 10)); /* the alias' */
}

static void at_most_as_long_as_wanted(void **state)
{
    (void)state;
    begin_with(NULL, 5000);
    expect("four.test.", "127.0.0.1:80");
    assert_true(kept_after("four.test.", 1));
    assert_false(kept_after("four.test.", 5));
    expect("four.test.", "127.0.0.1:80");
    expect_counts(2, 0);
}

static void no_time_to_live(void **state)
{
    (void)state;
    expect("moment.test.", "127.0.0.1:80");
    expect("moment.test.", "127.0.0.1:80");
    expect("past.test.", "127.0.0.1:80");
    expect("past.test.", "127.0.0.1:80");
    expect_counts(4, 0);
}

static void no_cache(void **state)
{
    (void)state;
    begin_with(NULL, -1);
    expect("four.test.", "127.0.0.1:80");
    expect("four.test.", "127.0.0.1:80");
    expect_counts(2, 0);
}

static void failures_are_not_kept(void **state)
{
    (void)state;
    for (int i = 1; i <= 2; i++) {
        struct answer answer = ask("nosuch.test.", FY_NEVER, NULL);
        assert_string_equal(answer.err.message, "lookup nosuch.test.: no such host");
        expect_counts(i, 0);
    }
}

static void hosts_file_is_not_kept(void **state)
{
    static const char *const texts[] = {"10.1.2.3 ferry.test\n", "10.1.2.4 ferry.test\n"};
    static const char *const expected[] = {"10.1.2.3:80", "10.1.2.4:80"};
    char directory[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    (void)state;
    assert_true(temp_dir_make(directory));
    snprintf(path, sizeof path, "%s/hosts", directory);
    setenv("CARES_HOSTS", path, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(temp_file_write(path, texts[i], strlen(texts[i])));
        expect("ferry.test", expected[i]);
    }
    assert_int_equal(atomic_load(&server.questions), 0);
    assert_int_equal(atomic_load(&resolver.lookups), 2);
    unsetenv("CARES_HOSTS");
    temp_dir_remove(directory);
}

static void suspects(void **state)
{
    (void)state;
    expect("four.test.", "127.0.0.1:80");
    expect("six.test.", "[::1]:80");
    fy_resolve_suspect(&resolver, "four.test.");
    expect("six.test.", "[::1]:80");
    expect_counts(2, 1);
    expect("four.test.", "127.0.0.1:80");
    expect_counts(3, 1);
}

/* ----------------------------------------------------------------------------------- in company */

struct asker {
    const char *host;
    int64_t deadline;
    struct fy_chan *canceled;
    struct answer answer;
    struct fy_chan *done;
};

static void asker(void *arg)
{
    struct asker *self = arg;
    self->answer = ask(self->host, self->deadline, self->canceled);
    fy_chan_send(self->done, self, "done");
}

static void await(struct fy_chan *done, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(fy_chan_receive(done, NULL, "test"));
    }
    net_test_yield(); /* they have ended, too */
}

static void one_lookup_for_all(void **state)
{
    enum { COUNT = 40 };
    static struct asker askers[COUNT];
    struct fy_chan done;
    (void)state;
    begin_with(NULL, -1);
    fy_chan_init(&done, NULL, 0);
    for (int i = 0; i < COUNT; i++) {
        askers[i] = (struct asker){
            .host = i % 2 ? "both.test." : "nosuch.test.", .deadline = FY_NEVER, .done = &done};
        net_test_go(asker, &askers[i]);
    }
    await(&done, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(askers[i].answer.text, askers[i % 2].answer.text);
        assert_string_equal(askers[i].answer.err.message,
                            i % 2 ? "" : "lookup nosuch.test.: no such host");
    }
    assert_string_not_equal(askers[1].answer.text, "");
    expect_counts(2, COUNT / 2 - 1);
}

/* A leader that does not want any more, and one whose time is over; both followed by another. */
static void leader_gives_up(void **state)
{
    for (int late = 0; late < 2; late++) {
        struct fy_chan canceled;
        struct fy_chan done;
        (void)state;
        begin_with(NULL, -1);
        atomic_store(&server.hold, 2);
        fy_chan_init(&canceled, NULL, 0);
        fy_chan_init(&done, NULL, 0);
        struct asker leader = {.host = "held.test.",
                               .deadline = late ? fy_after_ms(10) : FY_NEVER,
                               .canceled = &canceled,
                               .done = &done};
        struct asker follower = {.host = "held.test.", .deadline = FY_NEVER, .done = &done};
        net_test_go(asker, &leader);
        net_test_go(asker, &follower);
        fy_yield();
        if (!late) {
            fy_chan_close(&canceled);
        }
        await(&done, 2);
        assert_string_equal(leader.answer.err.message, late ? "lookup held.test.: i/o timeout"
                                                            : "lookup held.test.: canceled");
        assert_string_equal(follower.answer.err.message, "");
        assert_string_equal(follower.answer.text, "127.0.0.1:80");
        expect_counts(2, 0);
    }
}

static void followers_give_up(void **state)
{
    struct fy_chan canceled;
    struct fy_chan done;
    (void)state;
    begin_with(NULL, -1);
    fy_chan_init(&canceled, NULL, 0);
    fy_chan_init(&done, NULL, 0);
    struct asker leader = {
        .host = "silent.test.", .deadline = FY_NEVER, .canceled = &canceled, .done = &done};
    net_test_go(asker, &leader);
    fy_yield();
    struct answer answer = ask("silent.test.", fy_now(), NULL);
    assert_int_equal(answer.err.code, FERRY_ETIMEOUT);
    assert_string_equal(answer.err.message, "lookup silent.test.: i/o timeout");
    struct net_test_canceler canceler;
    net_test_cancel_soon(&canceler);
    answer = ask("silent.test.", FY_NEVER, &canceler.canceled);
    assert_int_equal(answer.err.code, FERRY_ECANCELED);
    assert_string_equal(answer.err.message, "lookup silent.test.: canceled");
    assert_int_equal(leader.answer.result, 0); /* it waits on */
    assert_int_equal(atomic_load(&resolver.lookups), 1);
    fy_chan_close(&canceled);
    await(&done, 1);
    assert_int_equal(leader.answer.err.code, FERRY_ECANCELED);
    expect_questions_of(1);
}

static void flushed_meanwhile(void **state)
{
    struct fy_chan done;
    (void)state;
    fy_chan_init(&done, NULL, 0);
    struct asker self = {.host = "four.test.", .deadline = FY_NEVER, .done = &done};
    net_test_go(asker, &self);
    fy_yield();
    fy_dns_cache_flush(resolver.cache);
    await(&done, 1);
    assert_string_equal(self.answer.text, "127.0.0.1:80");
    expect("four.test.", "127.0.0.1:80");
    expect_counts(2, 0);
}

/* ----------------------------------------------------------------------------------- the user's */

static void given(void **state)
{
    (void)state;
    begin_with((const char *const[]){"four.test:80:10.0.0.2,[::2],10.0.0.1",
                                     "localhost:80:10.0.0.3", "127.0.0.1:80:10.0.0.4",
                                     "four.test:81:10.0.0.5", NULL},
               3600000);
    expect("four.test.", "10.0.0.2:80 [::2]:80 10.0.0.1:80"); /* as given, not in turn */
    expect("localhost", "10.0.0.3:80");
    expect("127.0.0.1", "10.0.0.4:80");
    expect("app.localhost", "[::1]:80 127.0.0.1:80");
    expect_counts(0, 0);
    expect("six.test.", "[::1]:80");
    expect_counts(1, 0);
}

static void given_wrongly(void **state)
{
    (void)state;
    begin_with((const char *const[]){"four.test:80", NULL}, 3600000);
    struct answer answer = ask("127.0.0.1", FY_NEVER, NULL);
    assert_int_equal(answer.err.code, FERRY_EINVAL);
    assert_string_equal(answer.err.message,
                        "the transport's resolve entry \"four.test:80\" has no address where one "
                        "should be: write host:port:address[,address]");
    expect_counts(0, 0);
}

/* ------------------------------------------------------------------------------ c-ares' channel */

static void channel_is_kept(void **state)
{
    struct fy_sched *sched = fy_sched_running();
    (void)state;
    begin_with(NULL, -1);
    expect("four.test.", "127.0.0.1:80");
    struct fy_lookup_channel *kept = sched->lookup_channel;
    assert_non_null(kept);
    expect("six.test.", "[::1]:80");
    assert_ptr_equal(sched->lookup_channel, kept);
    (void)ask("nosuch.test.", FY_NEVER, NULL); /* that is an answer, too */
    assert_ptr_equal(sched->lookup_channel, kept);
    expect_counts(3, 0);
    (void)ask("silent.test.", fy_now(), NULL); /* it has a question open */
    assert_null(sched->lookup_channel);
    expect_questions_of(4);
}

/* The configuration was another one when it was read. */
static void channel_is_made_anew(void **state)
{
    struct fy_sched *sched = fy_sched_running();
    (void)state;
    begin_with(NULL, -1);
    for (size_t i = 0; i < FY_LOOKUP_FILES; i++) {
        expect("four.test.", "127.0.0.1:80");
        struct stat *file = &sched->lookup_channel->read[i];
        struct stat was = *file;
        file->st_mtim.tv_nsec++;
        expect("four.test.", "127.0.0.1:80");
        assert_memory_equal(&sched->lookup_channel->read[i].st_mtim, &was.st_mtim,
                            sizeof was.st_mtim);
    }
    expect_counts(2 * FY_LOOKUP_FILES, 0);
    fy_lookup_ask("127.0.0.1:1", 50, 1); /* a port that nobody listens on */
    assert_int_equal(ask("four.test.", FY_NEVER, NULL).err.code, FERRY_ERESOLVE);
}

static int start_server(void **state)
{
    (void)state;
    dns_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    dns_server_stop(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asked_once),
        TEST(order_stays),
        TEST(smallest_time_to_live),
        TEST(at_most_as_long_as_wanted),
        TEST(no_time_to_live),
        TEST(no_cache),
        TEST(failures_are_not_kept),
        TEST(hosts_file_is_not_kept),
        TEST(suspects),
        TEST(one_lookup_for_all),
        TEST(leader_gives_up),
        TEST(followers_give_up),
        TEST(flushed_meanwhile),
        TEST(given),
        TEST(given_wrongly),
        TEST(channel_is_kept),
        TEST(channel_is_made_anew),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
