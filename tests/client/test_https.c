/*
 * What a client does with https that it does not with http, over real TLS: secrets that stay behind
 * on the way down to http, HSTS that is only learned from whom one knows. Names and ports are what
 * the test says, since its dial function decides where a connection goes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "certs.h"
#include "client_test.h"
#include "temp_dir.h"
#include "tls_server.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HSTS(value) \
    "HTTP/1.1 200 OK\r\nStrict-Transport-Security: " value "\r\nContent-Length: 2\r\n\r\nok"

static struct cert *ca, *cert;
static char directory[TEMP_DIR_SIZE], ca_file[TEMP_DIR_SIZE + 16];

static int make_certificates(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    cert = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:a.test,DNS:*.a.test,IP:127.0.0.1", .issuer = ca});
    if (!temp_dir_make(directory)) {
        return -1;
    }
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", directory);
    cert_write(ca_file, (const struct cert *const[]){ca, NULL}, NULL, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    cert_free(cert);
    cert_free(ca);
    temp_dir_remove(directory);
    return 0;
}

/* An https server, what it answers in turn, and what it was asked: to be looked at when it is
 * stopped. */
struct site {
    const char *replies[4]; /* the last one repeats */
    char heads[8][1024];
    int count;
    struct tls_server *server;
};

static void serve(SSL *ssl, int fd, void *arg)
{
    struct site *site = arg;
    int got;
    (void)fd;
    while (site->count < 8 && (got = SSL_read(ssl, site->heads[site->count], 1023)) > 0) {
        int reply = site->count < 4 ? site->count : 3;
        site->heads[site->count++][got] = '\0'; /* small requests come whole */
        while (site->replies[reply] == NULL) {
            reply--;
        }
        SSL_write(ssl, site->replies[reply], (int)strlen(site->replies[reply]));
    }
    SSL_shutdown(ssl);
}

static void open_site(struct site *site)
{
    site->server =
        tls_server_start(&(struct tls_server_options){.cert = cert, .serve = serve, .arg = site});
    assert_non_null(site->server);
}

/* Where dials go: the first ones to the site, the others to the origin. */
struct ways {
    int to_site;
    int site_port, origin_port;
    int dials;
};

static int dial(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct ways *ways = arg;
    struct dial_hook hook = {.port = ways->dials++ < ways->to_site ? ways->site_port
                                                                   : ways->origin_port};
    return dial_hook(&hook, target, err);
}

static ferry_transport *transport_by(void **state, struct ways *ways,
                                     const struct ferry_tls_options *tls)
{
    return transport_with(state,
                          FERRY_TRANSPORT_OPTIONS(.tls = tls, .dial = dial, .dial_arg = ways));
}
#define TRUSTING FERRY_TLS_OPTIONS(.ca_file = ca_file)
#define BLIND FERRY_TLS_OPTIONS(.insecure_skip_verify = 1)

/* --------------------------------------------------------------------------- on the way down to http */

#define DOWN "HTTP/1.1 302 X\r\nLocation: http://a.test:7777/down\r\nContent-Length: 0\r\n\r\n"

/* Sends one request to https://a.test:7777/, which leads to http://a.test:7777/down: the same host, the
 * same port, and anybody may read along. */
static void go_down(void **state, ferry_client_options options, void (*prepare)(ferry_request *req),
                    const char *user_info, struct origin *origin, struct site *site)
{
    struct ways *ways = KEPT(state, struct ways, .to_site = 1, .origin_port = origin_port(origin));
    char url[64];
    open_site(site);
    ways->site_port = tls_server_port(site->server);
    ferry_transport *transport = transport_by(state, ways, TRUSTING);
    ferry_client *client = client_with(transport, options);
    snprintf(url, sizeof url, "https://%sa.test:7777/", user_info);
    ferry_request *req = request("GET", url);
    prepare(req);
    assert_got(do_request(client, req), 200, "ok");
    ferry_request_free(req);
    ferry_client_free(client);
    transport_done(state, transport);
    tls_server_stop(site->server);
    assert_int_equal(origin_counts(origin).requests, 1);
    assert_true(has_field(origin, 0, "GET /down HTTP/1.1\r\nHost: a.test:7777\r\n"));
    assert_false(has_field(origin, 0, "secret"));
    assert_false(has_field(origin, 0, "Authorization"));
    assert_false(has_field(origin, 0, "Cookie"));
    assert_false(has_field(origin, 0, "Referer")); /* RFC 9110 section 10.1.3 */
}

static void with_secrets(ferry_request *req)
{
    assert_int_equal(ferry_request_set_bearer(req, "secret1"), 0);
    assert_int_equal(ferry_request_set_header(req, "Cookie", "sid=secret2"), 0);
    assert_int_equal(ferry_request_set_header(req, "X-Plain", "goes along"), 0);
}

static void with_nothing(ferry_request *req)
{
    (void)req;
}

static void test_secrets_of_the_request(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    struct site site = {.replies = {DOWN}};
    go_down(state, (ferry_client_options){0}, with_secrets, "", origin, &site);
    assert_non_null(strstr(site.heads[0], "Authorization: Bearer secret1\r\n"));
    assert_non_null(strstr(site.heads[0], "Cookie: sid=secret2\r\n"));
    assert_true(has_field(origin, 0, "X-Plain: goes along\r\n"));
}

static void test_secrets_of_the_url(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    struct site site = {.replies = {DOWN}};
    go_down(state, (ferry_client_options){0}, with_nothing, "bob:secret@", origin, &site);
    assert_non_null(strstr(site.heads[0], "Authorization: Basic Ym9iOnNlY3JldA==\r\n"));
}

static void test_secrets_of_a_netrc(void **state)
{
    static const char text[] = "machine a.test login bob password secret\n";
    char path[TEMP_DIR_SIZE + 16];
    struct origin *origin = serve_reply(state, OK);
    struct site site = {.replies = {DOWN}};
    snprintf(path, sizeof path, "%s/netrc", directory);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    go_down(state, (ferry_client_options){.netrc = path}, with_nothing, "", origin, &site);
    assert_non_null(strstr(site.heads[0], "Authorization: Basic Ym9iOnNlY3JldA==\r\n"));
}

/* A server in the middle asks for what only the real one may have. */
static void test_secrets_of_a_jar_and_digest(void **state)
{
#define ASK                                                                             \
    "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"" \
    "\r\nSet-Cookie: sid=secret; Secure; Path=/\r\nContent-Length: 2\r\n\r\nok"
    struct origin *origin = serve_reply(state, OK);
    struct site site = {.replies = {ASK, DOWN}};
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    assert_non_null(jar);
    go_down(state,
            (ferry_client_options){
                .digest_user = "bob", .digest_password = "secret", .cookie_jar = jar},
            with_nothing, "", origin, &site);
    assert_non_null(strstr(site.heads[1], "Authorization: Digest username=\"bob\""));
    assert_non_null(strstr(site.heads[1], "Cookie: sid=secret\r\n"));
    ferry_cookie_jar_free(jar);
}

static void test_digest_is_not_answered_over_http(void **state)
{
    struct origin *origin = serve_reply(state, ASK);
    struct site site = {.replies = {DOWN}};
    struct ways *ways = KEPT(state, struct ways, .to_site = 1, .origin_port = origin_port(origin));
    open_site(&site);
    ways->site_port = tls_server_port(site.server);
    ferry_transport *transport = transport_by(state, ways, TRUSTING);
    ferry_client *client = client_with(
        transport, (ferry_client_options){.digest_user = "bob", .digest_password = "x"});
    assert_got(client_get(client, "https://a.test:7777/"), 401, "ok");
    assert_int_equal(origin_counts(origin).requests, 1);
    ferry_client_free(client);
    transport_done(state, transport);
    tls_server_stop(site.server);
}

/* With HSTS there is no way down: the same redirect goes on over https, secrets and all. */
static void test_no_way_down(void **state)
{
    struct site site = {.replies = {DOWN, OK}};
    struct ways *ways = KEPT(state, struct ways, .to_site = 9);
    ferry_hsts *hsts = ferry_hsts_new();
    assert_int_equal(ferry_hsts_set(hsts, "https://a.test/", "max-age=100", NULL), 0);
    open_site(&site);
    ways->site_port = tls_server_port(site.server);
    ferry_transport *transport = transport_by(state, ways, TRUSTING);
    ferry_client *client = client_with(transport, (ferry_client_options){.hsts = hsts});
    ferry_request *req = request("GET", "http://a.test:7777/");
    with_secrets(req);
    assert_got(do_request(client, req), 200, "ok");
    ferry_request_free(req);
    ferry_client_free(client);
    transport_done(state, transport);
    tls_server_stop(site.server);
    ferry_hsts_free(hsts);
    assert_int_equal(site.count, 2);
    assert_non_null(strstr(site.heads[1], "GET /down HTTP/1.1\r\n"));
    assert_non_null(strstr(site.heads[1], "Authorization: Bearer secret1\r\n"));
    assert_non_null(strstr(site.heads[1], "Referer: https://a.test:7777/\r\n"));
}

/* ------------------------------------------------------------------------------------------- HSTS */

/* GETs of each URL by one client over a transport with these TLS options. */
static void get_all(void **state, ferry_hsts *hsts, const struct ferry_tls_options *tls,
                    struct site *site, const char *const urls[])
{
    struct ways *ways = KEPT(state, struct ways, .to_site = 99);
    open_site(site);
    ways->site_port = tls_server_port(site->server);
    ferry_transport *transport = transport_by(state, ways, tls);
    ferry_client *client = client_with(transport, (ferry_client_options){.hsts = hsts});
    for (; *urls != NULL; urls++) {
        assert_got(client_get(client, *urls), 200, "ok");
        ferry_transport_close_idle(transport); /* the server has one connection at a time */
    }
    ferry_client_free(client);
    transport_done(state, transport);
    tls_server_stop(site->server);
}

/* Learned from one response, gone by for all that lies inside the host, forgotten when it says so. */
static void test_learned_from_a_verified_server(void **state)
{
    ferry_hsts *hsts = ferry_hsts_new();
    assert_non_null(hsts);
    struct site site = {.replies = {HSTS("max-age=100; includeSubDomains"), OK, HSTS("max-age=0")}};
    get_all(state, hsts, TRUSTING, &site,
            (const char *const[]){"https://a.test/", "http://x.a.test/inside",
                                  "http://a.test:8080/bye", NULL});
    assert_non_null(strstr(site.heads[1], "GET /inside HTTP/1.1\r\nHost: x.a.test\r\n"));
    assert_non_null(strstr(site.heads[2], "GET /bye HTTP/1.1\r\nHost: a.test:8080\r\n"));
    assert_int_equal(ferry_hsts_count(hsts), 0);
    ferry_hsts_free(hsts);
}

static void test_not_learned_from_anybody(void **state)
{
    struct site blind = {.replies = {HSTS("max-age=100")}};
    struct site address = {.replies = {HSTS("max-age=100")}};
    struct site known = {.replies = {HSTS("max-age=0")}};
    ferry_hsts *hsts = ferry_hsts_new();
    assert_non_null(hsts);
    get_all(state, hsts, BLIND, &blind, (const char *const[]){"https://a.test/", NULL});
    assert_int_equal(ferry_hsts_count(hsts), 0);
    get_all(state, hsts, TRUSTING, &address, (const char *const[]){"https://127.0.0.1/", NULL});
    assert_int_equal(ferry_hsts_count(hsts), 0);
    /* Nor does anybody make it forget. */
    assert_int_equal(ferry_hsts_set(hsts, "https://a.test/", "max-age=100", NULL), 0);
    get_all(state, hsts, BLIND, &known, (const char *const[]){"https://a.test/", NULL});
    assert_true(ferry_hsts_has(hsts, "a.test"));
    ferry_hsts_free(hsts);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_secrets_of_the_request),
        TRANSPORT_TEST(test_secrets_of_the_url),
        TRANSPORT_TEST(test_secrets_of_a_netrc),
        TRANSPORT_TEST(test_secrets_of_a_jar_and_digest),
        TRANSPORT_TEST(test_digest_is_not_answered_over_http),
        TRANSPORT_TEST(test_no_way_down),
        TRANSPORT_TEST(test_learned_from_a_verified_server),
        TRANSPORT_TEST(test_not_learned_from_anybody),
    };
    return cmocka_run_group_tests_name("client: https", tests, make_certificates,
                                       free_certificates);
}
