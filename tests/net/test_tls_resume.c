/*
 * Sessions of earlier connections, used again: both versions, and whose they are.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_test.h"
#include "task/sched.h"
#include "tls_test.h"

static struct tls_server *serve(int version)
{
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = world.server, .max_version = version});
    assert_non_null(server);
    return server;
}

/* One connection, used and closed; whether it resumed a session. */
static bool resumes(struct fy_tls_config *config, struct tls_server *server, const char *host)
{
    ferry_error err = {0};
    struct fy_stream *stream = tls_test_client(config, tls_server_port(server), host, &err);
    assert_string_equal(err.message, "");
    tls_test_write(stream, "hello"); /* behind the answer there are the tickets */
    tls_test_expect(stream, "hello");
    ferry_tls_info info = tls_test_info(stream);
    assert_string_equal(info.subject, "CN = server");
    tls_test_free(stream);
    return info.resumed;
}

static struct fy_tls_config *trusting(ferry_tls_options options)
{
    options.ca_file = world.ca_file;
    return tls_test_config(&options);
}

static void both_versions(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_server *server = serve(version);
        struct fy_tls_config *config = trusting((ferry_tls_options){0});
        assert_false(resumes(config, server, "localhost"));
        for (int i = 0; i < 10; i++) {
            assert_true(resumes(config, server, "localhost"));
        }
        fy_tls_config_release(config);
        tls_server_stop(server);
    }
}

static void each_host_has_its_own(void **state)
{
    (void)state;
    struct tls_server *server = serve(0);
    struct fy_tls_config *config = trusting((ferry_tls_options){0});
    assert_false(resumes(config, server, "localhost"));
    assert_false(resumes(config, server, "127.0.0.1"));
    assert_true(resumes(config, server, "127.0.0.1"));
    assert_true(resumes(config, server, "localhost"));
    fy_tls_config_release(config);
    tls_server_stop(server);
}

static void disabled(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_server *server = serve(version);
        struct fy_tls_config *config = trusting((ferry_tls_options){.disable_resumption = true});
        assert_false(resumes(config, server, "localhost"));
        assert_false(resumes(config, server, "localhost"));
        fy_tls_config_release(config);
        tls_server_stop(server);
    }
}

/* A server that has forgotten us, as after a restart, gets a handshake in full. */
static void forgotten(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct fy_tls_config *config = trusting((ferry_tls_options){0});
        for (int i = 0; i < 3; i++) {
            struct tls_server *server = serve(version);
            assert_false(resumes(config, server, "localhost"));
            tls_server_stop(server);
        }
        fy_tls_config_release(config);
    }
}

static void cut_off(SSL *ssl, int fd, void *arg)
{
    char buf[16];
    int got = SSL_read(ssl, buf, sizeof buf);
    (void)arg;
    SSL_write(ssl, buf, got);
    shutdown(fd, SHUT_WR);
}

/* A connection that was cut off says nothing against its session. */
static void after_truncation(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        char buf[4];
        ferry_error err = {0};
        struct tls_server *server = tls_server_start(&(struct tls_server_options){
            .cert = world.server, .max_version = version, .serve = cut_off});
        struct fy_tls_config *config = trusting((ferry_tls_options){0});
        struct fy_stream *stream =
            tls_test_client(config, tls_server_port(server), "localhost", &err);
        assert_non_null(stream);
        tls_test_write(stream, "x");
        tls_test_expect(stream, "x");
        assert_int_equal(tls_test_read(stream, buf, sizeof buf), -FY_TRUNCATED);
        tls_test_free(stream);
        assert_true(resumes(config, server, "localhost"));
        fy_tls_config_release(config);
        tls_server_stop(server);
    }
}

/* More hosts than are kept. */
static void many_hosts(void **state)
{
    (void)state;
    char names[8192] = "DNS:localhost";
    size_t len = strlen(names);
    for (int i = 0; i < 300; i++) {
        len += (size_t)snprintf(names + len, sizeof names - len, ",DNS:h%d.example", i);
    }
    struct cert *cert =
        cert_make(&(struct cert_options){.name = "server", .names = names, .issuer = world.ca});
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = cert, .max_version = TLS1_2_VERSION});
    struct fy_tls_config *config = trusting((ferry_tls_options){0});
    for (int i = 0; i < 300; i++) {
        char host[32];
        snprintf(host, sizeof host, "h%d.example", i);
        assert_false(resumes(config, server, host));
    }
    assert_true(resumes(config, server, "h299.example"));
    assert_false(resumes(config, server, "h0.example"));
    fy_tls_config_release(config);
    tls_server_stop(server);
    cert_free(cert);
}

struct user {
    struct fy_tls_config *config;
    struct tls_server *server;
    int resumed;
};

static void *use(void *arg)
{
    struct user *user = arg;
    if (fy_enter() != NULL) {
        for (int i = 0; i < 10; i++) {
            user->resumed += resumes(user->config, user->server, "localhost");
        }
        fy_leave();
    }
    fy_tls_config_release(user->config);
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        pthread_t threads[4];
        struct user users[4];
        struct tls_server *server = serve(version);
        struct fy_tls_config *config = trusting((ferry_tls_options){0});
        resumes(config, server, "localhost");
        for (int i = 0; i < 4; i++) {
            users[i] = (struct user){.config = fy_tls_config_hold(config), .server = server};
            assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
        }
        fy_tls_config_release(config);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            assert_true(users[i].resumed >= 5);
        }
        tls_server_stop(server);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, net_test_enter, net_test_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_versions), TEST(each_host_has_its_own), TEST(disabled),
        TEST(forgotten),     TEST(after_truncation),      TEST(many_hosts),
        TEST(many_threads),
    };
    return cmocka_run_group_tests_name("tls resume", tests, tls_world_make, tls_world_free);
}
