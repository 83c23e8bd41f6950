/* The nginx fixture: a real server answers, its log counts, and nothing of it stays behind. */
#include "nginx.h"
#include "plain_client.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct nginx *start(const struct nginx_options *options)
{
    char why[NGINX_WHY_SIZE];
    struct nginx *nginx = nginx_start(options, why);

    if (nginx == NULL)
        fail_msg("%s", why);
    return nginx;
}

/* Sends a GET that closes, and returns the whole response, to be freed. */
static char *get(int fd, const char *path, size_t *len)
{
    size_t size = 4 << 20;
    char *response = malloc(size);
    char request[256];

    assert_true(fd >= 0);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
             path);
    plain_send(fd, request);
    *len = plain_read_all(fd, response, size);
    close(fd);
    return response;
}

static void files_are_served(void **state)
{
    struct nginx *nginx = start(NULL);
    char *response;
    char *body;
    size_t len;

    (void)state;
    assert_true(nginx_write_file(nginx, "a/b.txt", BYTES("hello\n")));
    assert_true(nginx_write_pattern(nginx, "big.bin", 3000000));

    response = get(plain_connect(nginx_port(nginx)), "/a/b.txt", &len);
    assert_memory_equal(response, "HTTP/1.1 200 OK\r\n", 17);
    assert_string_equal(strstr(response, "\r\n\r\n"), "\r\n\r\nhello\n");
    free(response);

    response = get(plain_connect(nginx_port(nginx)), "/big.bin", &len);
    body = strstr(response, "\r\n\r\n") + 4;
    assert_int_equal(len - (size_t)(body - response), 3000000);
    assert_int_equal(pattern_match(body, 3000000, 0), 3000000);
    free(response);

    response = get(plain_connect_unix(nginx_socket_path(nginx)), "/none", &len);
    assert_memory_equal(response, "HTTP/1.1 404 Not Found\r\n", 24);
    free(response);
    nginx_stop(nginx);
}

/* One response, the body of which is len bytes, on a connection that stays open. */
static void expect_response(int fd, const char *start, size_t len)
{
    char got[4096];
    size_t have = 0;

    do {
        assert_true(plain_recv(fd, got + have, 1) == 1);
        got[++have] = '\0';
    } while (strstr(got, "\r\n\r\n") == NULL);
    assert_memory_equal(got, start, strlen(start));
    for (; len > 0; len--)
        assert_int_equal(plain_recv(fd, got, 1), 1);
}

static void the_log_counts_connections(void **state)
{
    struct nginx *nginx = start(
        &(struct nginx_options){.server = "location = /tea { return 418 \"short and stout\"; }",
                                .keepalive_timeout = "20s"});
    char *log;
    int fd = plain_connect(nginx_port(nginx));

    (void)state;
    for (int i = 0; i < 2; i++) {
        plain_send(fd, "HEAD /tea HTTP/1.1\r\nHost: a\r\n\r\n");
        expect_response(fd, "HTTP/1.1 418 ", 0);
    }
    close(fd);
    fd = plain_connect(nginx_port(nginx));
    plain_send(fd, "GET /tea HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_response(fd, "HTTP/1.1 418 ", strlen("short and stout"));
    close(fd);
    assert_true(nginx_await_requests(nginx, 3, 10000));
    assert_int_equal(nginx_counts(nginx).requests, 3);
    assert_int_equal(nginx_counts(nginx).connections, 2);
    log = nginx_access_log(nginx);
    assert_non_null(strstr(log, " 2 418 \"HEAD /tea HTTP/1.1\"\n"));
    free(log);
    nginx_stop(nginx);
}

static void two_run_side_by_side(void **state)
{
    struct nginx *first = start(NULL);
    struct nginx *second = start(NULL);
    char url[64];

    (void)state;
    assert_int_not_equal(nginx_port(first), nginx_port(second));
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", nginx_port(second));
    assert_string_equal(nginx_url(second, "/x"), url);
    nginx_stop(first);
    nginx_stop(second);
}

static void nothing_stays_behind(void **state)
{
    struct nginx *nginx = start(NULL);
    char path[256];
    pid_t pid = nginx_pid(nginx);
    int port = nginx_port(nginx);

    (void)state;
    snprintf(path, sizeof(path), "%s", nginx_socket_path(nginx));
    nginx_stop(nginx);
    nginx_stop(NULL);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(plain_connect(port), -1);
    *strrchr(path, '/') = '\0';
    assert_int_equal(access(path, F_OK), -1);
}

static void a_wrong_configuration_is_explained(void **state)
{
    char why[NGINX_WHY_SIZE] = "";

    (void)state;
    assert_null(nginx_start(&(struct nginx_options){.server = "no_such_directive on;"}, why));
    assert_non_null(strstr(why, "unknown directive \"no_such_directive\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_served),
        cmocka_unit_test(the_log_counts_connections),
        cmocka_unit_test(two_run_side_by_side),
        cmocka_unit_test(nothing_stays_behind),
        cmocka_unit_test(a_wrong_configuration_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
