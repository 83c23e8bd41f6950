/*
 * Dialing: over TCP by name, over Unix sockets, by the user's own function.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "dead_end.h"
#include "dns_server.h"
#include "net/dial.h"
#include "net/lookup.h"
#include "net_test.h"
#include "task/clock.h"
#include "task/sched.h"
#include "temp_dir.h"

static struct dns_server server;

/* What the trace has heard. */
static char heard[1000];

static void note(const char *what, const char *about, const ferry_error *err)
{
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof heard - len, "%s%s %s%s", len > 0 ? ", " : "", what, about,
             err != NULL ? " failed" : "");
}

static void dns_start(void *arg, const char *host)
{
    (void)arg;
    note("lookup", host, NULL);
}

static void dns_done(void *arg, size_t addresses, const ferry_error *err)
{
    (void)arg;
    char count[20];
    snprintf(count, sizeof count, "%zu", addresses);
    note("found", count, err);
}

static void connect_start(void *arg, const char *network, const char *address)
{
    (void)arg;
    (void)address;
    note("start", network, NULL);
}

static void connect_done(void *arg, const char *network, const char *address,
                         const ferry_error *err)
{
    (void)arg;
    (void)address;
    note("done", network, err);
}

static const ferry_trace trace = {.dns_start = dns_start,
                                  .dns_done = dns_done,
                                  .connect_start = connect_start,
                                  .connect_done = connect_done};

static int set_up(void **state)
{
    fy_lookup_ask(server.address, 2000, 2);
    heard[0] = '\0';
    return net_test_enter(state);
}

static struct fy_dial to(const char *host, int port)
{
    static char host_port[300];
    snprintf(host_port, sizeof host_port, "%s:%d", host, port);
    return (struct fy_dial){.host = host,
                            .host_port = host_port,
                            .port = (uint16_t)port,
                            .deadline = FY_NEVER,
                            .request_deadline = FY_NEVER,
                            .keep_alive_probe_ms = 15000,
                            .trace = &trace};
}

/* It connects; and nothing else is left. */
static void expect_connection(const struct fy_dial *dial, int listener)
{
    ferry_error err = {0};
    char byte;
    struct fy_stream *stream = fy_dial(dial, &err);
    assert_string_equal(err.message, "");
    assert_non_null(stream);
    assert_int_equal(net_test_tasks(), 1);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_int_equal(send(peer, "x", 1, 0), 1);
    assert_int_equal(stream->ops->read(stream, &byte, 1, "test"), 1);
    stream->ops->free(stream);
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    close(peer);
}

static ferry_error expect_failure(const struct fy_dial *dial, int code)
{
    ferry_error err = {0};
    assert_null(fy_dial(dial, &err));
    if (err.code != code) {
        fail_msg("%s: %s", ferry_strerror(err.code), err.message);
    }
    return err;
}

/* ---------------------------------------------------------------------------------------- TCP */

static void literal(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    struct fy_dial dial = to("127.0.0.1", port);
    expect_connection(&dial, listener);
    assert_string_equal(heard, "start tcp, done tcp");
    close(listener);
}

static void localhost_listening_on_one_family(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    struct fy_dial dial = to("localhost", port);
    expect_connection(&dial, listener);
    assert_string_equal(heard, "lookup localhost, found 2, start tcp, done tcp failed, start tcp, "
                               "done tcp");
    close(listener);
    listener = net_test_listen("::1", &port);
    if (listener >= 0) {
        dial = to("localhost", port);
        expect_connection(&dial, listener);
        close(listener);
    }
}

static void name(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    (void)state;
    struct fy_dial dial = to("both.test.", port);
    expect_connection(&dial, listener);
    assert_non_null(strstr(heard, "lookup both.test., found 3, start tcp"));
    close(listener);
}

/* What is kept is not traced as a lookup, and is forgotten when nobody answers at it. */
static void kept_name(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    struct fy_resolver resolver;
    (void)state;
    assert_int_equal(fy_resolver_init(&resolver, NULL, 60000), 0);
    struct fy_dial dial = to("four.test.", port);
    dial.resolver = &resolver;
    expect_connection(&dial, listener);
    assert_string_equal(heard, "lookup four.test., found 1, start tcp, done tcp");
    heard[0] = '\0';
    expect_connection(&dial, listener);
    assert_string_equal(heard, "start tcp, done tcp");
    close(listener);
    heard[0] = '\0';
    expect_failure(&dial, FERRY_ECONNECT);
    assert_string_equal(heard, "start tcp, done tcp failed");
    heard[0] = '\0';
    expect_failure(&dial, FERRY_ECONNECT);
    assert_string_equal(heard, "lookup four.test., found 1, start tcp, done tcp failed");
    fy_resolver_destroy(&resolver);
}

static void no_such_name(void **state)
{
    (void)state;
    struct fy_dial dial = to("nosuch.test.", 80);
    ferry_error err = expect_failure(&dial, FERRY_ERESOLVE);
    assert_string_equal(err.message, "dial tcp: lookup nosuch.test.: no such host");
    assert_string_equal(heard, "lookup nosuch.test., found 0 failed");
}

static void refused(void **state)
{
    struct dead_end refusing;
    char wanted[100];
    (void)state;
    assert_true(dead_end_refuse(&refusing));
    struct fy_dial dial = to("127.0.0.1", refusing.port);
    ferry_error err = expect_failure(&dial, FERRY_ECONNECT);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: connection refused", refusing.port);
    assert_string_equal(err.message, wanted);
    dead_end_close(&refusing);
}

static void keep_alive_probes(void **state)
{
    uint16_t port;
    int listener = net_test_listen("127.0.0.1", &port);
    struct fy_dial dial = to("127.0.0.1", port);
    ferry_error err;
    (void)state;
    for (int probing = 0; probing < 2; probing++) {
        dial.keep_alive_probe_ms = probing ? 7000 : -1;
        int fd = dup(listener); /* the next free one: a literal takes no other */
        close(fd);
        struct fy_stream *stream = fy_dial(&dial, &err);
        assert_non_null(stream);
        int value = -1;
        socklen_t len = sizeof value;
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len);
        assert_int_equal(value, probing);
        if (probing) {
            getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &len);
            assert_int_equal(value, 7);
        }
        stream->ops->free(stream);
    }
    close(listener);
}

static void deadline_and_cancel(void **state)
{
    struct net_test_canceler canceler;
    struct dead_end silent;
    char wanted[100];
    (void)state;
    assert_true(dead_end_silence(&silent));
    struct fy_dial dial = to("127.0.0.1", silent.port);
    dial.deadline = fy_after_ms(10);
    ferry_error err = expect_failure(&dial, FERRY_ETIMEOUT);
    snprintf(wanted, sizeof wanted, "dial tcp 127.0.0.1:%d: i/o timeout", silent.port);
    assert_string_equal(err.message, wanted);

    dial = to("silent.test.", 80);
    dial.deadline = fy_after_ms(10);
    err = expect_failure(&dial, FERRY_ETIMEOUT);
    assert_string_equal(err.message, "dial tcp: lookup silent.test.: i/o timeout");

    dial = to("silent.test.", 80);
    net_test_cancel_soon(&canceler);
    dial.canceled = &canceler.canceled;
    err = expect_failure(&dial, FERRY_ECANCELED);
    assert_string_equal(err.message, "dial tcp: lookup silent.test.: canceled");

    err = expect_failure(&dial, FERRY_ECANCELED); /* before it began */
    assert_string_equal(err.message, "dial tcp silent.test.:80: canceled");
    dead_end_close(&silent);
}

/* ------------------------------------------------------------------------------- Unix sockets */

/* Abstract if the path begins with '@'. */
static int listen_unix(const char *path, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool abstract = path[0] == '@';
    strcpy(address.sun_path, path);
    if (abstract) {
        address.sun_path[0] = '\0';
    }
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + !abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void unix_socket(void **state)
{
    char directory[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    struct fy_dial dial = to("ignored.test", 80);
    (void)state;
    assert_true(temp_dir_make(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    dial.unix_socket = path;
    ferry_error err = expect_failure(&dial, FERRY_ECONNECT);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "dial unix %s: no such file or directory", path);
    assert_string_equal(err.message, wanted);
    assert_string_equal(heard, "start unix, done unix failed");

    int listener = listen_unix(path, 16);
    expect_connection(&dial, listener);
    close(listener);
    err = expect_failure(&dial, FERRY_ECONNECT);
    assert_int_equal(err.os_errno, ECONNREFUSED);

    snprintf(path, sizeof path, "@ferry-test-%d", (int)getpid());
    listener = listen_unix(path, 16);
    expect_connection(&dial, listener);
    close(listener);

    char too_long[200];
    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    dial.unix_socket = too_long;
    assert_int_equal(expect_failure(&dial, FERRY_ECONNECT).os_errno, ENAMETOOLONG);
    dial.unix_socket = "";
    assert_int_equal(expect_failure(&dial, FERRY_ECONNECT).os_errno, ENOENT);
    temp_dir_remove(directory);
}

struct accepter {
    int listener;
    int turns; /* until it accepts all that wait */
};

static void accepter(void *arg)
{
    struct accepter *self = arg;
    for (int i = 0; i < self->turns; i++) {
        fy_yield();
    }
    close(accept4(self->listener, NULL, NULL, SOCK_CLOEXEC));
}

static void unix_queue_is_full(void **state)
{
    struct net_test_canceler canceler;
    char directory[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    struct fy_stream *queued[10];
    size_t count = 0;
    struct fy_dial dial = to("ignored.test", 80);
    ferry_error err;
    (void)state;
    assert_true(temp_dir_make(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    dial.unix_socket = path;
    int listener = listen_unix(path, 0);
    do {
        assert_true(count < 10);
        dial.deadline = fy_after_ms(20);
        queued[count] = fy_dial(&dial, &err);
    } while (queued[count++] != NULL);
    count--;
    assert_true(count > 0);
    assert_int_equal(err.code, FERRY_ETIMEOUT);

    dial.deadline = FY_NEVER;
    net_test_cancel_soon(&canceler);
    dial.canceled = &canceler.canceled;
    expect_failure(&dial, FERRY_ECANCELED);

    struct accepter accepting = {.listener = listener, .turns = 5};
    dial.canceled = NULL;
    net_test_go(accepter, &accepting);
    queued[count] = fy_dial(&dial, &err);
    assert_non_null(queued[count]);
    for (size_t i = 0; i <= count; i++) {
        queued[i]->ops->free(queued[i]);
    }
    close(listener);
    temp_dir_remove(directory);
}

/* ------------------------------------------------------------------------- the user's function */

struct user {
    int fd;                   /* to be returned */
    ferry_error err;          /* to be reported with -1 */
    ferry_dial_target target; /* as it was given */
    char address[100], host[100], network[10];
    int calls;
};

static int user_dial(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct user *user = arg;
    user->calls++;
    user->target = *target;
    snprintf(user->address, sizeof user->address, "%s", target->address);
    snprintf(user->host, sizeof user->host, "%s", target->host);
    snprintf(user->network, sizeof user->network, "%s", target->network);
    ferry_yield(); /* it may call ferry: the lock is free */
    *err = user->err;
    return user->fd;
}

static void by_user(void **state)
{
    int ends[2];
    struct user user;
    struct fy_dial dial = to("both.test.", 80);
    ferry_error err = {0};
    char byte;
    (void)state;
    net_test_unix_pair(ends);
    user = (struct user){.fd = ends[0]};
    dial.dial = user_dial;
    dial.dial_arg = &user;
    struct fy_stream *stream = fy_dial(&dial, &err);
    assert_non_null(stream);
    assert_int_equal(user.target.size, sizeof user.target);
    assert_string_equal(user.network, "tcp");
    assert_string_equal(user.address, "both.test.:80");
    assert_string_equal(user.host, "both.test.");
    assert_int_equal(user.target.port, 80);
    assert_null(user.target.context);
    assert_int_equal(user.target.timeout_ms, -1);
    assert_string_equal(heard, "");
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    assert_int_equal(stream->ops->read(stream, &byte, 1, "test"), 1);
    stream->ops->free(stream);
    close(ends[1]);
}

static void by_user_unix(void **state)
{
    struct user user = {.fd = -1};
    struct fy_dial dial = to("both.test.", 80);
    (void)state;
    dial.dial = user_dial;
    dial.dial_arg = &user;
    dial.unix_socket = "/run/nosuch.sock";
    dial.deadline = fy_after_ms(10000);
    ferry_error err = expect_failure(&dial, FERRY_ECONNECT);
    assert_string_equal(err.message, "dial unix /run/nosuch.sock: the dial function failed");
    assert_string_equal(user.network, "unix");
    assert_string_equal(user.address, "/run/nosuch.sock");
    assert_string_equal(user.host, "localhost");
    assert_int_equal(user.target.port, 0);
    assert_in_range(user.target.timeout_ms, 1, 10000);
}

static void by_user_failing(void **state)
{
    struct user user = {.fd = -1};
    struct fy_dial dial = to("both.test.", 80);
    (void)state;
    dial.dial = user_dial;
    dial.dial_arg = &user;

    fy_fail(&user.err, FERRY_EUNSUPPORTED, EXDEV, "no way");
    ferry_error err = expect_failure(&dial, FERRY_EUNSUPPORTED);
    assert_string_equal(err.message, "dial tcp both.test.:80: no way");
    assert_int_equal(err.os_errno, EXDEV);

    fy_fail(&user.err, FERRY_ECONNECT, 0, "dial special: no way");
    err = expect_failure(&dial, FERRY_ECONNECT);
    assert_string_equal(err.message, "dial special: no way");

    dial.deadline = fy_now();
    int calls = user.calls;
    err = expect_failure(&dial, FERRY_ETIMEOUT);
    assert_string_equal(err.message, "dial tcp both.test.:80: i/o timeout");
    assert_int_equal(user.calls, calls);
}

static void by_user_unusable(void **state)
{
    int ends[2];
    struct user user = {.fd = -1};
    struct fy_dial dial = to("both.test.", 80);
    (void)state;
    dial.dial = user_dial;
    dial.dial_arg = &user;

    user.fd = 1000000;
    ferry_error err = expect_failure(&dial, FERRY_EINVAL);
    assert_string_equal(err.message, "dial tcp both.test.:80: what the dial function returned is "
                                     "unusable: bad file descriptor");
    assert_int_equal(pipe(ends), 0);
    user.fd = ends[0];
    err = expect_failure(&dial, FERRY_EINVAL);
    assert_int_equal(err.os_errno, ENOTSOCK);
    close(ends[1]);
    user.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    err = expect_failure(&dial, FERRY_EINVAL);
    assert_non_null(strstr(err.message, "not a stream socket"));
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
        TEST(literal),
        TEST(localhost_listening_on_one_family),
        TEST(name),
        TEST(kept_name),
        TEST(no_such_name),
        TEST(refused),
        TEST(keep_alive_probes),
        TEST(deadline_and_cancel),
        TEST(unix_socket),
        TEST(unix_queue_is_full),
        TEST(by_user),
        TEST(by_user_unix),
        TEST(by_user_failing),
        TEST(by_user_unusable),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
