/*
 * The example programs: the ways to a server.
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

#include "certs.h"
#include "dead_end.h"
#include "example.h"
#include "origin.h"

/* A PEM file in the temporary folder: a certificate, and its key if it is somebody's own. */
static const char *pem_file(char path[TEMP_DIR_SIZE + 16], const char *name,
                            const struct cert *cert, bool with_key)
{
    snprintf(path, TEMP_DIR_SIZE + 16, "%s/%s.pem", temp_dir, name);
    cert_write(path, (const struct cert *const[]){cert, NULL}, with_key ? cert : NULL, NULL);
    return path;
}

static void https(void **state)
{
    char ca_file[TEMP_DIR_SIZE + 16], server_file[TEMP_DIR_SIZE + 16],
        client_file[TEMP_DIR_SIZE + 16], lines[300], why[NGINX_WHY_SIZE];
    struct run_result result;
    struct cert *ca = cert_make(&(struct cert_options){.name = "Own CA", .is_ca = true});
    struct cert *server =
        cert_make(&(struct cert_options){.name = "server", .names = "DNS:localhost", .issuer = ca});
    struct cert *client =
        cert_make(&(struct cert_options){.name = "me", .usage = "clientAuth", .issuer = ca});

    (void)state;
    pem_file(ca_file, "ca", ca, false);
    pem_file(server_file, "server", server, true);
    pem_file(client_file, "client", client, true);
    snprintf(lines, sizeof lines,
             "ssl_client_certificate %s; ssl_verify_client optional;\n"
             "location = /who { return 200 'hello $ssl_client_s_dn\\n'; }",
             ca_file);
    struct nginx *secure =
        nginx_start(&(struct nginx_options){.tls_certificate = server_file, .server = lines}, why);
    if (secure == NULL) {
        fail_msg("%s", why);
    }
    const char *url = nginx_tls_url(secure, "/who");
    EXAMPLE(&result, "https", url, ca_file);
    assert_non_null(strstr(result.err, "TLSv1.3, TLS_AES_256_GCM_SHA384, CN = server (by CN = "
                                       "Own CA) until "));
    assert_non_null(strstr(result.err, ", verified\n"));
    succeeds(&result, "hello \n", NULL);
    EXAMPLE(&result, "https", url, ca_file, client_file);
    succeeds(&result, "hello CN=me\n", NULL);
    EXAMPLE(&result, "https", url);
    fails(&result, "certificate \"server\" has an unknown issuer: \"Own CA\" is not trusted");
    EXAMPLE(&result, "https", "--insecure", url);
    assert_non_null(strstr(result.err, ", NOT VERIFIED\n"));
    succeeds(&result, "hello \n", NULL);
    EXAMPLE(&result, "https", nginx_url(secure, "/who"), ca_file);
    succeeds(&result, "hello \n", "no TLS: everybody on the way can read and change this\n");
    nginx_stop(secure);
    cert_free(client);
    cert_free(server);
    cert_free(ca);
}

static void unix_socket(void **state)
{
    struct run_result result;
    char missing[TEMP_DIR_SIZE + 16];

    (void)state;
    EXAMPLE(&result, "unix_socket", nginx_socket_path(nginx), "http://any.example/hello.txt");
    succeeds(&result, "hello\n", "");
    snprintf(missing, sizeof missing, "%s/none", temp_dir);
    EXAMPLE(&result, "unix_socket", missing, "http://any.example/hello.txt");
    fails(&result, "no such file or directory");
}

static void resolve(void **state)
{
    struct run_result result;
    int port = nginx_port(nginx);
    char entry[64];
    char url[64];

    (void)state;
    snprintf(entry, sizeof entry, "any.example:%d:127.0.0.1", port);
    snprintf(url, sizeof url, "http://any.example:%d/hello.txt", port);
    EXAMPLE(&result, "resolve", entry, url);
    succeeds(&result, "hello\n", "");
    EXAMPLE(&result, "resolve", "any.example:x:127.0.0.1", url);
    fails(&result, "has no port from 1 to 65535");
}

static void wire(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 Fine\r\nX-Odd:  value\r\nContent-Length: 0\r\n\r\n");
    struct run_result result;
    char detour[64];
    char expected[400];

    (void)state;
    snprintf(detour, sizeof detour, "a.example:80:127.0.0.1:%d", origin_port(origin));
    EXAMPLE(&result, "wire", "http://a.example/b", detour);
    snprintf(expected, sizeof expected,
             "* connection to %s, request 1 on it\n> GET /b HTTP/1.1\n> Host: a.example\n",
             origin_host(origin));
    assert_memory_equal(result.out, expected, strlen(expected));
    assert_non_null(strstr(result.out, "> \n< HTTP/1.1 200 Fine\n< X-Odd:  value\n"
                                       "< Content-Length: 0\n< \n"));
    assert_int_equal(result.status, 0);
    run_free(&result);
    EXAMPLE(&result, "wire", "http://a.example/b", "a.example:80");
    fails(&result, "write host:port:to-host:to-port");
    assert_true(origin_stop(origin));
}

/* The origin plays the proxy, and nginx is what is reached directly. */
static void proxy_for_a_domain(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nproxied\n");
    struct run_result result;

    (void)state;
    assert_non_null(origin);
    const char *through = origin_url(origin, "");
    EXAMPLE(&result, "proxy", through, "corp.example", "http://wiki.corp.example/a");
    succeeds(&result, "proxied\n", "");
    assert_int_equal(
        strncmp(origin_request(origin, 0).head, "GET http://wiki.corp.example/a HTTP/1.1\r\n", 41),
        0);
    EXAMPLE(&result, "proxy", through, "corp.example", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, "hello\n", "");
    EXAMPLE(&result, "proxy", "http://bob:secret@127.0.0.1:1", "example", "http://a.example/");
    fails(&result, "Get \"http://a.example/\": proxy 127.0.0.1:1: dial tcp 127.0.0.1:1: "
                   "connection refused");
    assert_int_equal(origin_counts(origin).requests, 1);
    assert_true(origin_stop(origin));
}

/* (tests/client/test_https.c has hosts that ask for it; the certificates here are nobody's.) */
static void hsts(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=9\r\n"
                           "Content-Length: 0\r\n\r\n");
    struct dead_end refusing;
    struct run_result result;
    char path[TEMP_DIR_SIZE + 16];
    char expected[300];
    char url[128];

    (void)state;
    snprintf(path, sizeof path, "%s/hsts", temp_dir);
    EXAMPLE(&result, "hsts", path, origin_url(origin, "/")); /* http teaches nothing */
    snprintf(expected, sizeof expected, "200 from %s\n", origin_url(origin, "/"));
    succeeds(&result, expected, "");
    assert_true(temp_file_write(path, BYTES("localhost \"unlimited\"\n")));
    assert_true(dead_end_refuse(&refusing));
    snprintf(url, sizeof url, "http://localhost%s", strrchr(refusing.url, ':'));
    EXAMPLE(&result, "hsts", path, url);
    fails(&result, "Get \"https://localhost:");
    dead_end_close(&refusing);
    assert_true(origin_stop(origin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https), cmocka_unit_test(unix_socket),        cmocka_unit_test(resolve),
        cmocka_unit_test(wire),  cmocka_unit_test(proxy_for_a_domain), cmocka_unit_test(hsts),
    };
    return cmocka_run_group_tests(tests, start_examples, stop_examples);
}
