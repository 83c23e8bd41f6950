/*
 * Against openssl s_server, a program that we did not write: it shows on a page how it sees us.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "net_test.h"
#include "tls_test.h"

struct s_server {
    pid_t pid;
    FILE *output;
    uint16_t port;
};

/* What it prints when it listens ends in its port. False: it ended before. */
static bool read_port(struct s_server *server)
{
    char line[256];
    while (fgets(line, sizeof line, server->output) != NULL) {
        if (strncmp(line, "ACCEPT ", 7) == 0 && strrchr(line, ':') != NULL) {
            server->port = (uint16_t)atoi(strrchr(line, ':') + 1);
            return server->port != 0;
        }
    }
    return false;
}

/* options: up to six, NULL at the end. */
static struct s_server start(const char *const *options)
{
    struct s_server server = {0};
    const char *pem = tls_path("s_server.pem");
    const char *argv[20] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert",
                            pem,       "-key",     pem};
    int ends[2];
    for (int i = 0; options[i] != NULL; i++) {
        argv[9 + i] = options[i];
    }
    cert_write(pem, (const struct cert *const[]){world.server, NULL}, world.server, NULL);
    assert_int_equal(pipe(ends), 0);
    server.output = fdopen(ends[0], "r");
    server.pid = child_start(&(struct child_options){.argv = argv, .standard = {-1, ends[1], -1}});
    close(ends[1]);
    assert_true(server.pid > 0);
    assert_true(read_port(&server));
    return server;
}

static void stop(struct s_server *server)
{
    child_stop(server->pid, SIGTERM, 5000);
    fclose(server->output);
}

/* Its page, to be freed; it ends with close_notify. */
static char *page(struct fy_tls_config *config, struct s_server *server)
{
    ferry_error err = {0};
    char *text = calloc(1, 65536);
    size_t len = 0;
    ssize_t got;
    struct fy_stream *stream = tls_test_client(config, server->port, "localhost", &err);
    assert_string_equal(err.message, "");
    tls_test_write(stream, "GET / HTTP/1.0\r\n\r\n");
    while ((got = tls_test_read(stream, text + len, 65535 - len)) > 0) {
        len += (size_t)got;
    }
    assert_int_equal(got, 0);
    tls_test_free(stream);
    return text;
}

static void resumes(void **state)
{
    (void)state;
    static const char *const versions[][2] = {{"-tls1_2", "TLSv1.2"}, {"-tls1_3", "TLSv1.3"}};
    for (int i = 0; i < 2; i++) {
        char expected[64];
        struct s_server server = start((const char *const[]){versions[i][0], NULL});
        struct fy_tls_config *config =
            tls_test_config(&(ferry_tls_options){.ca_file = world.ca_file});
        for (int round = 0; round < 3; round++) {
            snprintf(expected, sizeof expected, "%s, %s, Cipher is", round == 0 ? "New" : "Reused",
                     versions[i][1]);
            char *text = page(config, &server);
            assert_memory_equal(text, "HTTP/1.0 200 ok", 15);
            assert_non_null(strstr(text, expected));
            free(text);
        }
        fy_tls_config_release(config);
        stop(&server);
    }
}

static void wants_a_certificate(void **state)
{
    (void)state;
    const char *file = tls_path("client.pem");
    cert_write(file, (const struct cert *const[]){world.client, NULL}, world.client, NULL);
    struct s_server server = start((const char *const[]){"-Verify", "2", "-CAfile", world.ca_file,
                                                         "-verify_return_error", NULL});
    struct fy_tls_config *config =
        tls_test_config(&(ferry_tls_options){.ca_file = world.ca_file, .certificate_file = file});
    char *text = page(config, &server);
    assert_non_null(strstr(text, "\nClient certificate\n"));
    free(text);
    fy_tls_config_release(config);

    char buf[4];
    struct fy_stream *stream =
        tls_test_open(&(ferry_tls_options){.ca_file = world.ca_file}, server.port);
    assert_int_equal(tls_test_read(stream, buf, sizeof buf), -EPROTO);
    assert_string_equal(stream->ops->failure(stream),
                        "the server refused: certificate required (the client has none)");
    tls_test_free(stream);
    stop(&server);
}

static void speaks_tls_1_1_only(void **state)
{
    (void)state;
    ferry_error err = {0};
    struct s_server server =
        start((const char *const[]){"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", NULL});
    assert_null(tls_test_dial(&(ferry_tls_options){.ca_file = world.ca_file}, server.port,
                              "localhost", &err));
    assert_string_equal(err.message,
                        "tls test:443: the server refused: protocol version (none in common)");
    stop(&server);
}

static void is_not_trusted(void **state)
{
    (void)state;
    ferry_error err = {0};
    struct s_server server = start((const char *const[]){NULL});
    assert_null(tls_test_dial(&(ferry_tls_options){0}, server.port, "localhost", &err));
    assert_int_equal(err.code, FERRY_ECERTIFICATE);
    stop(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(resumes),
        TEST(wants_a_certificate),
        TEST(speaks_tls_1_1_only),
        TEST(is_not_trusted),
    };
    if (access("/usr/bin/openssl", X_OK) != 0) {
        return 77;
    }
    return cmocka_run_group_tests_name("tls server", tests, tls_world_make, tls_world_free);
}
