/*
 * Whom libferry-inspect lets in, and at which addresses.
 */
#include "inspect_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "temp_dir.h"

#define TOKEN "a-token_of.20~letters"

/* ---- Who is let in ---- */

static void nothing_can_be_changed(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct answer answer = ask(methods[i], at("/tasks"), NULL, NULL);
        assert_int_equal(answer.status, 405);
        assert_string_equal(ferry_response_header(answer.res, "Allow"), "GET, HEAD");
        drop(&answer);
    }
    expect("HEAD", "/tasks", NULL, NULL, 200);
    expect("GET", "/nothing", NULL, NULL, 404);
    expect("GET", "/../etc/passwd", NULL, NULL, 404);
}

static void other_names_are_refused(void **state)
{
    char host[64];
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    const char *port = strrchr(ferry_inspect_url(), ':') + 1;
    expect("GET", "/", "Host", "evil.example", 403);
    expect("GET", "/tasks", "Host", "127.0.0.1", 403);
    snprintf(host, sizeof host, "evil.example:%.*s", (int)strcspn(port, "/"), port);
    expect("GET", "/tasks", "Host", host, 403);
    snprintf(host, sizeof host, "LocalHost:%.*s", (int)strcspn(port, "/"), port);
    expect("GET", "/tasks", "Host", host, 200);
}

/* The address as it stands in brackets, and the same port by name. */
static void names_of_an_ipv6_address(void **state)
{
    char host[64];
    (void)state;
    inspect_start("[::1]:0", NULL);
    int port = atoi(strstr(ferry_inspect_url(), "]:") + 2);
    snprintf(host, sizeof host, "[::1]:%d", port);
    expect("GET", "/tasks", "Host", host, 200);
    snprintf(host, sizeof host, "localhost:%d", port);
    expect("GET", "/tasks", "Host", host, 200);
    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    expect("GET", "/tasks", "Host", host, 403);
    expect("GET", "/tasks", "Host", "localhost", 403);
}

/* A browser's own word on whose behalf it asks. */
static void other_sites_are_refused(void **state)
{
    (void)state;
    inspect_start("127.0.0.1:0", NULL);
    expect("GET", "/events", "Sec-Fetch-Site", "cross-site", 403);
    expect("GET", "/page.js", "Sec-Fetch-Site", "same-site", 403);
    expect("GET", "/tasks", "Sec-Fetch-Site", "same-origin", 200);
    expect("GET", "/tasks", "Sec-Fetch-Site", "none", 200);
}

static void a_token_is_asked_for(void **state)
{
    (void)state;
    inspect_start("127.0.0.1:0", TOKEN);
    expect("GET", "/", NULL, NULL, 401);
    expect("GET", "/page.css", NULL, NULL, 401);
    expect("GET", "/events", NULL, NULL, 401);
    expect("GET", "/tasks?token=" TOKEN "x", NULL, NULL, 401);
    expect("GET", "/tasks?token=", NULL, NULL, 401);
    expect("GET", "/tasks", "Authorization", "Bearer a-token_of.20~letterz", 401);
    expect("GET", "/tasks", "Authorization", "Bearer " TOKEN, 200);
    expect("GET", "/tasks?token=" TOKEN, NULL, NULL, 200);
    struct answer page = ask("GET", ferry_inspect_url(), NULL, NULL);
    assert_int_equal(page.status, 200);
    assert_non_null(strstr(page.body, "src=\"page.js?token=" TOKEN "\""));
    drop(&page);
}

/* Where others can reach it, it has any name, and nobody comes in without the token. */
static void with_a_token_at_any_address(void **state)
{
    char url[256];
    (void)state;
    inspect_start("0.0.0.0:0", TOKEN);
    int port = atoi(strrchr(ferry_inspect_url(), ':') + 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/tasks", port);
    struct answer answer = ask("GET", url, "Host", "desk.example");
    assert_int_equal(answer.status, 401);
    drop(&answer);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/tasks?token=" TOKEN, port);
    answer = ask("GET", url, "Host", "desk.example");
    assert_int_equal(answer.status, 200);
    drop(&answer);
}

static void refuses(const char *address, const char *token, const char *part)
{
    ferry_error err = {0};
    assert_int_equal(ferry_inspect_start(address, FERRY_INSPECT_OPTIONS(.token = token), &err), -1);
    assert_int_not_equal(err.code, 0);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
    assert_null(ferry_inspect_url());
}

static void addresses_that_will_not_do(void **state)
{
    ferry_error err = {0};
    (void)state;
    refuses("0.0.0.0:0", NULL, "only with a token");
    refuses("[::]:0", NULL, "only with a token");
    refuses("[::ffff:127.0.0.1]:0", NULL, "only with a token");
    refuses("128.0.0.1:0", NULL, "only with a token");
    refuses("example.org:80", NULL, "no address");
    refuses("127.0.0.1.example.org:80", NULL, "no address");
    refuses("localhost.example.org:80", NULL, "no address");
    refuses("127.1:80", NULL, "no address");
    refuses("[::1:80", NULL, "no address");
    refuses("[]:80", NULL, "no address");
    refuses(":80", NULL, "no address");
    refuses("127.0.0.1:-1", NULL, "no address");
    refuses("127.0.0.1: 80", NULL, "no address");
    refuses("127.0.0.1:80/", NULL, "no address");
    refuses("127.0.0.1", NULL, "no address");
    refuses("127.0.0.1:65536", NULL, "no address");
    refuses("127.0.0.1:0", "short", "a token has");
    refuses("127.0.0.1:0", "\"><script>alert(1)", "a token has");
    refuses("unix:", NULL, "1 to");
    refuses("unix:/nowhere/at/all", NULL, "No such file");
    /* Without its size nobody knows that a token is asked for. */
    assert_int_equal(
        ferry_inspect_start("127.0.0.1:0", &(ferry_inspect_options){.token = TOKEN}, &err), -1);
    assert_non_null(strstr(err.message, "without their size"));
    assert_null(ferry_inspect_url());
    inspect_start("127.0.0.1:0", NULL);
    assert_int_equal(ferry_inspect_start("127.0.0.1:0", NULL, &err), -1);
    assert_non_null(strstr(err.message, "serves already"));
}

/* ---- The socket ---- */

static void on_a_unix_socket(void **state)
{
    char folder[TEMP_DIR_SIZE], path[TEMP_DIR_SIZE + 8], address[TEMP_DIR_SIZE + 16];
    struct stat status;
    ferry_error err = {0};
    (void)state;
    assert_true(temp_dir_make(folder));
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    inspect_start(address, NULL);
    assert_string_equal(ferry_inspect_url(), address);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.unix_socket = path));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_request *req = ferry_request_new("GET", "http://localhost/tasks", &err);
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(ferry_response_status(res), 200);
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);

    ferry_inspect_stop();
    assert_int_equal(stat(path, &status), -1);
    assert_true(temp_file_write(path, "not a socket", 12));
    refuses(address, NULL, "in use");
    temp_dir_remove(folder);
}

/* What a program that was killed has left is replaced; what another one has put there meanwhile is
 * not removed. */
static void a_dead_socket_is_replaced(void **state)
{
    char folder[TEMP_DIR_SIZE], address[TEMP_DIR_SIZE + 16];
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    struct stat status;
    (void)state;
    assert_true(temp_dir_make(folder));
    snprintf(place.sun_path, sizeof place.sun_path, "%s/s", folder);
    snprintf(address, sizeof address, "unix:%s", place.sun_path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&place, sizeof place), 0);
    close(dead);
    inspect_start(address, NULL);

    assert_int_equal(unlink(place.sun_path), 0);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&place, sizeof place), 0);
    assert_int_equal(listen(other, 1), 0);
    ferry_inspect_stop();
    assert_int_equal(stat(place.sun_path, &status), 0);
    refuses(address, NULL, "in use"); /* it is alive */

    /* And still is when so many wait for it that it takes no more. */
    int waiting[8];
    for (int i = 0; i < 8; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(waiting[i], (struct sockaddr *)&place, sizeof place);
    }
    assert_int_equal(errno, EAGAIN);
    refuses(address, NULL, "in use");
    for (int i = 0; i < 8; i++)
        close(waiting[i]);
    close(other);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_can_be_changed, inspect_stop),
        cmocka_unit_test_teardown(other_names_are_refused, inspect_stop),
        cmocka_unit_test_teardown(names_of_an_ipv6_address, inspect_stop),
        cmocka_unit_test_teardown(other_sites_are_refused, inspect_stop),
        cmocka_unit_test_teardown(a_token_is_asked_for, inspect_stop),
        cmocka_unit_test_teardown(with_a_token_at_any_address, inspect_stop),
        cmocka_unit_test_teardown(addresses_that_will_not_do, inspect_stop),
        cmocka_unit_test_teardown(on_a_unix_socket, inspect_stop),
        cmocka_unit_test_teardown(a_dead_socket_is_replaced, inspect_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
