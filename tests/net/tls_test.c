/*
 * What the tests of TLS share.
 */
#include "tls_test.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket_stream.h"

struct tls_world world;

static struct fy_tls_info *last_info;

int tls_world_make(void **state)
{
    (void)state;
    unsetenv("SSLKEYLOGFILE");
    world.ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    world.intermediate = cert_make(
        &(struct cert_options){.name = "Test Intermediate", .is_ca = true, .issuer = world.ca});
    world.server = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost,IP:127.0.0.1", .issuer = world.ca});
    world.client = cert_make(
        &(struct cert_options){.name = "client", .usage = "clientAuth", .issuer = world.ca});
    if (!temp_dir_make(world.directory)) {
        return -1;
    }
    snprintf(world.ca_file, sizeof world.ca_file, "%s/ca.pem", world.directory);
    cert_write(world.ca_file, (const struct cert *const[]){world.ca, NULL}, NULL, NULL);
    return 0;
}

int tls_world_free(void **state)
{
    (void)state;
    fy_tls_info_release(last_info);
    cert_free(world.client);
    cert_free(world.server);
    cert_free(world.intermediate);
    cert_free(world.ca);
    temp_dir_remove(world.directory);
    return 0;
}

const char *tls_path(const char *name)
{
    static char paths[8][TEMP_DIR_SIZE + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", world.directory, name);
    return path;
}

struct fy_stream *tls_test_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct fy_stream *stream = fy_socket_stream_new(fd);
    assert_non_null(stream);
    return stream;
}

struct fy_tls_config *tls_test_config(const ferry_tls_options *options)
{
    ferry_error err = {0};
    struct fy_tls_config *config = fy_tls_config_new(options, &err);
    assert_string_equal(err.message, "");
    assert_non_null(config);
    return config;
}

struct fy_stream *tls_test_client(struct fy_tls_config *config, uint16_t port, const char *host,
                                  ferry_error *err)
{
    struct fy_stream *below = tls_test_connect(port);
    struct fy_stream *stream = fy_tls_client(config, below, host, "test:443", FY_NEVER, NULL, err);
    if (stream == NULL) {
        tls_test_free(below);
    }
    return stream;
}

struct fy_stream *tls_test_dial(const ferry_tls_options *options, uint16_t port, const char *host,
                                ferry_error *err)
{
    struct fy_tls_config *config = tls_test_config(options);
    struct fy_stream *stream = tls_test_client(config, port, host, err);
    fy_tls_config_release(config);
    return stream;
}

struct fy_stream *tls_test_open(const ferry_tls_options *options, uint16_t port)
{
    ferry_error err = {0};
    struct fy_stream *stream = tls_test_dial(options, port, "localhost", &err);
    assert_string_equal(err.message, "");
    assert_non_null(stream);
    return stream;
}

struct fy_stream *tls_test_open_to(const struct tls_server *server)
{
    return tls_test_open(&(ferry_tls_options){.ca_file = world.ca_file}, tls_server_port(server));
}

struct tls_server *tls_test_serve(void (*fn)(SSL *ssl, int fd, void *arg), void *arg)
{
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = world.server, .serve = fn, .arg = arg});
    assert_non_null(server);
    return server;
}

ferry_tls_info tls_test_info(const struct fy_stream *stream)
{
    fy_tls_info_release(last_info);
    last_info = fy_tls_info_new(stream);
    assert_non_null(last_info);
    return last_info->shown;
}

ssize_t tls_test_read(struct fy_stream *stream, void *buf, size_t len)
{
    return stream->ops->read(stream, buf, len, "test read");
}

void tls_test_write(struct fy_stream *stream, const char *text)
{
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
    assert_int_equal(fy_stream_write_all(stream, &iov, 1, "test write"), 0);
}

void tls_test_expect(struct fy_stream *stream, const char *text)
{
    char buf[256];
    size_t len = strlen(text);
    size_t there = 0;
    assert_true(len < sizeof buf);
    while (there < len) {
        ssize_t got = tls_test_read(stream, buf + there, len - there);
        assert_true(got > 0);
        there += (size_t)got;
    }
    buf[there] = '\0';
    assert_string_equal(buf, text);
}

void tls_test_free(struct fy_stream *stream)
{
    stream->ops->free(stream);
}
