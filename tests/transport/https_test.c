/*
 * What the tests of https against real servers share.
 */
#include "https_test.h"

#include <stdio.h>
#include <stdlib.h>

struct https_world world;

static char *paths[64];
static int path_count;

const char *https_path(const char *name)
{
    char *path = NULL;
    assert_true(path_count < 64);
    assert_true(asprintf(&path, "%s/%s", world.directory, name) > 0);
    paths[path_count++] = path;
    return path;
}

const char *https_write(const char *name, const struct cert *cert, const struct cert *const *chain)
{
    const struct cert *certs[8] = {cert};
    const char *path = https_path(name);
    for (int i = 0; chain != NULL && chain[i] != NULL && i < 6; i++) {
        certs[i + 1] = chain[i];
    }
    cert_write(path, certs, cert, NULL);
    return path;
}

int https_world_make(void **state)
{
    (void)state;
    if (!temp_dir_make(world.directory)) {
        return -1;
    }
    world.ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    world.server = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost,IP:127.0.0.1,IP:::1", .issuer = world.ca});
    world.client = cert_make(
        &(struct cert_options){.name = "client", .usage = "clientAuth", .issuer = world.ca});
    world.ca_file = https_path("ca.pem");
    cert_write(world.ca_file, (const struct cert *const[]){world.ca, NULL}, NULL, NULL);
    world.server_file = https_write("server.pem", world.server, NULL);
    world.client_file = https_write("client.pem", world.client, NULL);
    return 0;
}

int https_world_free(void **state)
{
    (void)state;
    cert_free(world.client);
    cert_free(world.server);
    cert_free(world.ca);
    temp_dir_remove(world.directory);
    while (path_count > 0) {
        free(paths[--path_count]);
    }
    return 0;
}

struct nginx *https_nginx(const struct nginx_options *options)
{
    char why[NGINX_WHY_SIZE];
    struct nginx_options with_tls = options != NULL ? *options : (struct nginx_options){0};
    if (with_tls.tls_certificate == NULL) {
        with_tls.tls_certificate = world.server_file;
    }
    struct nginx *nginx = nginx_start(&with_tls, why);
    if (nginx == NULL) {
        fail_msg("%s", why);
    }
    return nginx;
}

struct s_server *https_s_server(enum s_server_mode mode, const char *const *arguments)
{
    char why[S_SERVER_WHY_SIZE];
    const char *all[24] = {"-cert", world.server_file, "-key", world.server_file};
    for (int i = 0; arguments[i] != NULL && i < 16; i++) {
        all[4 + i] = arguments[i];
    }
    struct s_server *server = s_server_start(mode, all, why);
    if (server == NULL) {
        fail_msg("%s", why);
    }
    return server;
}

struct tls_server *https_ok_server(void)
{
    struct tls_server *server = tls_server_start(
        &(struct tls_server_options){.cert = world.server,
                                     .serve = tls_serve_each,
                                     .arg = (void *)"HTTP/1.1 200 OK\r\n"
                                                    "Content-Length: 2\r\n\r\nok"});
    assert_non_null(server);
    return server;
}

const char *https_url(int port, const char *path)
{
    static char urls[8][128];
    static int last;
    last = (last + 1) % 8;
    snprintf(urls[last], sizeof urls[last], "https://localhost:%d%s", port, path);
    return urls[last];
}

ferry_transport *https_transport(void **state, const ferry_tls_options *tls)
{
    return transport_with(state, FERRY_TRANSPORT_OPTIONS(.tls = tls));
}

ferry_tls_info https_agreed(ferry_transport *transport, const char *url)
{
    static char texts[7][128];
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    struct outcome outcome = {0};
    ferry_response *res = open_get(transport, url);
    read_body(res, &outcome);
    assert_string_equal(outcome.err.message, "");
    assert_int_equal(ferry_response_tls(res, &info), 1);
    const char **strings[] = {&info.version, &info.cipher,     &info.alpn,     &info.subject,
                              &info.issuer,  &info.not_before, &info.not_after};
    for (size_t i = 0; i < 7; i++) {
        snprintf(texts[i], sizeof texts[i], "%s", *strings[i]);
        *strings[i] = texts[i];
    }
    ferry_response_close(res);
    return info;
}

void https_read_pattern(ferry_response *res, uint64_t len)
{
    static char buf[50000];
    uint64_t total = 0;
    ssize_t got;
    ferry_error err = {0};
    while ((got = ferry_response_read(res, buf, sizeof buf, &err)) > 0) {
        assert_int_equal(pattern_match(buf, (size_t)got, total), got);
        total += (uint64_t)got;
    }
    assert_string_equal(err.message, "");
    assert_int_equal(total, len);
}
