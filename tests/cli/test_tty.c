/*
 * The command on a terminal, which is a pseudo-terminal here: progress, bold names, what it does not
 * print there, and passwords that are asked for.
 */
#include "bytes.h"
#include "command.h"
#include "origin.h"
#include "own_folder.h"

#include <errno.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Name: a\r\n\r\nhello\n"

/* What the terminal showed, and how the command ended. When "Enter" has been shown, input is typed. */
struct shown {
    char text[8192];
    int status;
};

static void on_terminal(struct shown *shown, const char *input, const char *const *argv)
{
    struct winsize size = {.ws_row = 24, .ws_col = 100};
    size_t used = 0;
    int terminal, status;
    pid_t child = forkpty(&terminal, NULL, NULL, &size);

    assert_true(child >= 0);
    if (child == 0) {
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (;;) {
        ssize_t n = read(terminal, shown->text + used, sizeof shown->text - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* EIO: the other end is closed */
            break;
        used += (size_t)n;
        shown->text[used] = '\0';
        if (input && strstr(shown->text, "Enter")) {
            assert_int_equal(write(terminal, input, strlen(input)), (ssize_t)strlen(input));
            input = NULL;
        }
        assert_true(used < sizeof shown->text - 1);
    }
    shown->text[used] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    shown->status = WEXITSTATUS(status);
    close(terminal);
}

#define ON_TERMINAL(shown, input, ...) \
    on_terminal((shown), (input), (const char *const[]){FERRY_COMMAND, __VA_ARGS__, NULL})

static void names_in_heads_are_bold(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct shown shown;

    (void)state;
    assert_non_null(origin);
    ON_TERMINAL(&shown, NULL, "-i", origin_url(origin, "/"));
    assert_int_equal(shown.status, 0);
    assert_non_null(strstr(shown.text, "\033[1mX-Name\033[0m: a"));
    ON_TERMINAL(&shown, NULL, "-i", "--no-styled-output", origin_url(origin, "/"));
    assert_null(strstr(shown.text, "\033["));
    assert_non_null(strstr(shown.text, "X-Name: a"));
    assert_true(origin_stop(origin));
}

static void a_binary_body_is_kept_off(void **state)
{
    struct origin *origin;
    static const struct origin_reply reply = {
        .bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nab\0cd\r\n0\r\n\r\n",
        .len = sizeof "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5\r\nab\0cd\r\n0\r\n\r\n" -
               1};
    struct shown shown;

    (void)state;
    origin = origin_start_replies(&reply, 1);
    assert_non_null(origin);
    ON_TERMINAL(&shown, NULL, origin_url(origin, "/"));
    assert_int_equal(shown.status, 23);
    assert_non_null(strstr(shown.text, "the body is binary"));
    assert_true(origin_stop(origin));
}

/* At 5 bytes a second a bar has time to be drawn. */
static void a_file_gets_a_bar(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct shown shown;

    (void)state;
    assert_non_null(origin);
    ON_TERMINAL(&shown, NULL, "--limit-rate", "5", "-o", own_path("slow"), origin_url(origin, "/"));
    assert_int_equal(shown.status, 0);
    assert_non_null(strstr(shown.text, "100%"));
    assert_non_null(strstr(shown.text, "6 B, "));
    ON_TERMINAL(&shown, NULL, "-s", "--limit-rate", "5", "-o", own_path("slow"),
                origin_url(origin, "/"));
    assert_string_equal(shown.text, "");
    ON_TERMINAL(&shown, NULL, "-Z", "--limit-rate", "5", "-o", own_path("f#1"),
                origin_url(origin, "/[1-2]"));
    assert_int_equal(shown.status, 0);
    assert_non_null(strstr(shown.text, "f1"));
    assert_non_null(strstr(shown.text, "f2"));
    assert_true(origin_stop(origin));
}

static void a_password_is_asked_for_and_not_shown(void **state)
{
    struct origin *origin = origin_start_reply(OK_REPLY);
    struct shown shown;

    (void)state;
    assert_non_null(origin);
    ON_TERMINAL(&shown, "secret\n", "-u", "user", origin_url(origin, "/"));
    assert_int_equal(shown.status, 0);
    assert_non_null(strstr(shown.text, "Enter host password for user 'user':"));
    assert_null(strstr(shown.text, "secret"));
    assert_non_null(strstr(shown.text, "hello"));
    assert_non_null(
        strstr(origin_request(origin, 0).head, "\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"));
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_heads_are_bold),
        cmocka_unit_test(a_binary_body_is_kept_off),
        cmocka_unit_test(a_file_gets_a_bar),
        cmocka_unit_test(a_password_is_asked_for_and_not_shown),
    };

    return cmocka_run_group_tests(tests, own_folder_make, own_folder_remove);
}
