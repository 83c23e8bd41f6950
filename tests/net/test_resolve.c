/*
 * Names to addresses: what is known without asking, and lookups at a name server of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns_server.h"
#include "net/lookup.h"
#include "net/resolve.h"
#include "net_test.h"
#include "process.h"
#include "task/clock.h"
#include "task/sched.h"
#include "temp_dir.h"

static struct dns_server server;
static struct fy_resolver *resolver; /* NULL: nothing is kept */

struct answer {
    int result;
    char text[400]; /* the addresses, with spaces between them */
    ferry_error err;
};

static struct answer ask(const char *host, int64_t deadline, struct fy_chan *canceled)
{
    struct fy_addresses addresses;
    struct answer answer = {0};
    answer.result = fy_resolve(resolver, &addresses, host, 80, deadline, canceled, &answer.err);
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
    struct answer answer = ask(host, fy_after_ms(20000), NULL);
    assert_string_equal(answer.err.message, "");
    assert_int_equal(answer.result, 0);
    assert_string_equal(answer.text, text);
}

static void expect_failure(const char *host, int code, const char *message)
{
    struct answer answer = ask(host, FY_NEVER, NULL);
    assert_int_equal(answer.result, -1);
    assert_string_equal(answer.text, "");
    assert_string_equal(answer.err.message, message);
    assert_int_equal(answer.err.code, code);
}

/* c-ares asks again only after the longest deadline here: an answer that comes is taken when it
 * comes. */
static int set_up(void **state)
{
    fy_lookup_ask(server.address, 60000, 2);
    return net_test_enter(state);
}

/* ------------------------------------------------------------------------------ without asking */

static void literals(void **state)
{
    (void)state;
    int before = atomic_load(&server.questions);
    expect("127.0.0.1", "127.0.0.1:80");
    expect("::1", "[::1]:80");
    expect("fe80::1%lo", "[fe80::1%lo]:80");
    expect_failure("fe80::1%nosuch", FERRY_ERESOLVE, "lookup fe80::1%nosuch: no such host");
    expect_failure("1:2", FERRY_ERESOLVE, "lookup 1:2: no such host");
    expect_failure("", FERRY_ERESOLVE, "lookup : no such host");
    assert_int_equal(atomic_load(&server.questions), before);
}

static void localhost(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost", "localhost.", "app.localhost",
                                        "a.b.localhost."};
    (void)state;
    int before = atomic_load(&server.questions);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect(names[i], "[::1]:80 127.0.0.1:80");
    }
    assert_int_equal(atomic_load(&server.questions), before);
    assert_int_equal(ask("nolocalhost", FY_NEVER, NULL).result, -1);
    assert_true(atomic_load(&server.questions) > before);
}

static void hosts_file(void **state)
{
    char directory[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    const char *text = "# comment\n10.1.2.3 ferry.test alias.test\n::7 six.test\n";
    (void)state;
    assert_true(temp_dir_make(directory));
    snprintf(path, sizeof path, "%s/hosts", directory);
    assert_true(temp_file_write(path, text, strlen(text)));
    setenv("CARES_HOSTS", path, 1);
    int before = atomic_load(&server.questions);
    expect("ferry.test", "10.1.2.3:80");
    expect("alias.test", "10.1.2.3:80");
    assert_int_equal(atomic_load(&server.questions), before);
    unsetenv("CARES_HOSTS");
    temp_dir_remove(directory);
}

/* ---------------------------------------------------------------------------------- by asking */

static void both_families(void **state)
{
    (void)state;
    struct answer answer = ask("both.test.", FY_NEVER, NULL);
    assert_int_equal(answer.result, 0);
    /* RFC 6724 puts IPv6 first, where there is IPv6. Either way families take turns. */
    if (answer.text[0] == '[') {
        assert_true(strncmp(answer.text, "[::1]:80 127.0.0.", 17) == 0);
    } else {
        assert_non_null(strstr(answer.text, " [::1]:80 "));
    }
    assert_non_null(strstr(answer.text, "127.0.0.1:80"));
    assert_non_null(strstr(answer.text, "127.0.0.2:80"));
}

static void one_family(void **state)
{
    (void)state;
    expect("four.test.", "127.0.0.1:80");
    expect("six.test.", "[::1]:80");
}

static void too_long_for_udp(void **state)
{
    (void)state;
    struct answer answer = ask("long.test.", fy_after_ms(20000), NULL);
    assert_string_equal(answer.err.message, "");
    assert_non_null(strstr(answer.text, "127.0.0.2:80"));
    assert_non_null(strstr(answer.text, "[::1]:80"));
}

static void failures(void **state)
{
    char long_name[300];
    (void)state;
    expect_failure("nosuch.test.", FERRY_ERESOLVE, "lookup nosuch.test.: no such host");
    /* What some programs take for an address: it is asked for, and then explained. */
    expect_failure("127.1", FERRY_ERESOLVE,
                   "lookup 127.1: no such host; an IPv4 address has four numbers, of 0 to 255: "
                   "127.0.0.1");
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    struct answer answer = ask(long_name, FY_NEVER, NULL);
    assert_int_equal(answer.err.code, FERRY_ERESOLVE);
    assert_int_equal(ask("a..b", FY_NEVER, NULL).err.code, FERRY_ERESOLVE);

    /* Which of its words c-ares has for these depends on its version. */
    answer = ask("fail.test.", FY_NEVER, NULL);
    assert_int_equal(answer.err.code, FERRY_ERESOLVE);
    assert_non_null(strstr(answer.err.message, "lookup fail.test.: "));
    assert_non_null(strstr(answer.err.message, "name server"));
    answer = ask("cut.test.", FY_NEVER, NULL);
    assert_int_equal(answer.err.code, FERRY_ERESOLVE);
    assert_non_null(strstr(answer.err.message, "name server"));
}

static void no_server(void **state)
{
    (void)state;
    fy_lookup_ask("127.0.0.1:1", 50, 1); /* a port that nobody listens on */
    struct answer answer = ask("both.test.", FY_NEVER, NULL);
    assert_int_equal(answer.err.code, FERRY_ERESOLVE);
    assert_non_null(strstr(answer.err.message, "no name server"));
}

static void silent_server(void **state)
{
    (void)state;
    fy_lookup_ask(server.address, 20, 2);
    expect_failure("silent.test.", FERRY_ERESOLVE, "lookup silent.test.: no name server answered");
}

/* ----------------------------------------------------------------------- while it is under way */

static void deadline(void **state)
{
    (void)state;
    struct answer answer = ask("silent.test.", fy_after_ms(10), NULL);
    assert_int_equal(answer.err.code, FERRY_ETIMEOUT);
    assert_string_equal(answer.err.message, "lookup silent.test.: i/o timeout");
    answer = ask("silent.test.", fy_now(), NULL);
    assert_int_equal(answer.err.code, FERRY_ETIMEOUT);
}

static void canceled_while_others_run(void **state)
{
    struct net_test_canceler canceler;
    (void)state;
    net_test_cancel_soon(&canceler);
    struct answer answer = ask("silent.test.", FY_NEVER, &canceler.canceled);
    assert_int_equal(answer.err.code, FERRY_ECANCELED);
    assert_string_equal(answer.err.message, "lookup silent.test.: canceled");
    assert_int_equal(canceler.turns, 20);
    answer = ask("silent.test.", FY_NEVER, &canceler.canceled); /* before it began */
    assert_int_equal(answer.err.code, FERRY_ECANCELED);
}

struct asker {
    const char *host;
    struct answer answer;
    struct fy_chan *done;
};

static void asker(void *arg)
{
    struct asker *self = arg;
    self->answer = ask(self->host, FY_NEVER, NULL);
    fy_chan_send(self->done, self, "done");
}

static void many_at_once(void **state)
{
    enum { COUNT = 20 };
    static struct asker askers[COUNT];
    struct fy_chan done;
    (void)state;
    fy_chan_init(&done, NULL, 0);
    for (int i = 0; i < COUNT; i++) {
        askers[i] = (struct asker){.host = i % 2 ? "four.test." : "nosuch.test.", .done = &done};
        net_test_go(asker, &askers[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(fy_chan_receive(&done, NULL, "test"));
    }
    net_test_yield();
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(askers[i].answer.text, i % 2 ? "127.0.0.1:80" : "");
    }
}

static void *asking_thread(void *arg)
{
    struct answer *answer = arg;
    if (fy_enter() != NULL) {
        *answer = ask("four.test.", FY_NEVER, NULL);
        fy_leave();
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    struct answer answers[COUNT];
    (void)state;
    memset(answers, 0, sizeof answers);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, asking_thread, &answers[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(answers[i].text, "127.0.0.1:80");
    }
}

/* Every point at which a descriptor can be lacking, one after the other. */
static void no_descriptors_left(void **state)
{
    struct rlimit before;
    int failures = 0;
    (void)state;
    assert_int_equal(ask("four.test.", FY_NEVER, NULL).result, 0);
    getrlimit(RLIMIT_NOFILE, &before);
    int used = process_descriptors();
    int next = dup(server.stop); /* the limit is one on their numbers */
    close(next);
    for (int more = 0; more < 10; more++) {
        struct rlimit limit = {.rlim_cur = (rlim_t)(next + more), .rlim_max = before.rlim_max};
        fy_lookup_ask(server.address, 50, 1);
        setrlimit(RLIMIT_NOFILE, &limit);
        struct answer answer = ask("four.test.", FY_NEVER, NULL);
        setrlimit(RLIMIT_NOFILE, &before);
        if (answer.result != 0) {
            failures++;
            assert_true(answer.err.code == FERRY_ENOMEM || answer.err.code == FERRY_ERESOLVE);
            assert_string_not_equal(answer.err.message, "");
        }
        assert_int_equal(process_descriptors(), used);
    }
    assert_true(failures > 0);
    fy_lookup_ask(server.address, 2000, 2);
    assert_int_equal(ask("four.test.", FY_NEVER, NULL).result, 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(literals),
        TEST(localhost),
        TEST(hosts_file),
        TEST(both_families),
        TEST(one_family),
        TEST(too_long_for_udp),
        TEST(failures),
        TEST(no_server),
        TEST(silent_server),
        TEST(deadline),
        TEST(canceled_while_others_run),
        TEST(many_at_once),
        TEST(many_threads),
        TEST(no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
