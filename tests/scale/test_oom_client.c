/*
 * Memory runs out in what a client wraps a round trip in: cookies, redirects, credentials, retries,
 * HSTS, and the parsers and files behind them. (test_oom.c has the round trip itself.)
 */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "temp_dir.h"

static struct origin *origin;
static char directory[TEMP_DIR_SIZE];

/* What a path asks for: "/303/end" redirects to "/end", "/401/x" wants Digest credentials, every other
 * request for "/busy" is answered with 503. */
static void serve(struct origin_conn *conn, void *arg)
{
    int busy = 0;
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        char path[64] = "";
        sscanf(head, "%*s %63s", path);
        if (strncmp(path, "/30", 3) == 0) {
            origin_sendf(conn,
                         "HTTP/1.1 %.3s X\r\nLocation: %s\r\nSet-Cookie: hop=%.3s; path=/\r\n"
                         "Set-Cookie: gone=; max-age=0\r\nContent-Length: 5\r\n\r\nmoved",
                         path + 1, path + 4, path + 1);
        } else if (strncmp(path, "/401", 4) == 0 && strstr(head, "\r\nAuthorization: ") == NULL) {
            origin_send_text(conn, "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", "
                                   "nonce=\"n\", qop=\"auth\"\r\nContent-Length: 2\r\n\r\nno");
        } else if (strcmp(path, "/busy") == 0 && busy++ % 2 == 0) {
            origin_send_text(conn, "HTTP/1.1 503 X\r\nSet-Cookie: s=1\r\nContent-Length: 4\r\n"
                                   "\r\nbusy");
        } else {
            origin_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
    }
}

/* ------------------------------------------------------------------------------- what is attempted */

/* One POST with body, header and cookie of its own to a path; the response's body must be "hello". */
static ferry_error post(const ferry_client_options *options, const char *path)
{
    ferry_error err = {0};
    char url[96];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", origin_port(origin), path);
    ferry_client *client = ferry_client_new(options);
    if (client == NULL) {
        return oom_error("client");
    }
    ferry_request *req = ferry_request_new("POST", url, &err);
    ferry_response *res = NULL;
    if (req != NULL) {
        ferry_request_set_body(req, "body", 4);
        ferry_request_set_header(req, "X-Own", "field");
        ferry_request_add_cookie(req, "own", "1");
        ferry_request_add_cookie(req, "gone", "2");
        res = ferry_client_do(client, req, &err);
    }
    if (res != NULL) {
        char *body = ferry_response_read_all(res, 1000, NULL, &err);
        char *location = ferry_response_location(res, &(ferry_error){0});
        if (body != NULL && strcmp(body, "hello") != 0) {
            err = oom_wrong("the body is not what was sent");
        } else if (location != NULL) {
            err = oom_wrong("there is no location");
        }
        free(location);
        free(body);
        ferry_response_close(res);
    }
    if (req != NULL && strcmp(ferry_request_method(req), "POST") != 0) {
        err = oom_wrong("the request is not what it was");
    }
    ferry_request_free(req);
    ferry_client_free(client);
    return err;
}

static ferry_error redirects(ferry_transport *transport)
{
    return post(FERRY_CLIENT_OPTIONS(.transport = transport), "/307/308/303/end");
}

/* A jar that is given a cookie, follows redirects, is saved and loaded. A cookie that there was no memory
 * for is just missing: that is no error of the send. */
static ferry_error cookies(ferry_transport *transport)
{
    ferry_error err = {0};
    char path[TEMP_DIR_SIZE + 16];
    char url[64];
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    if (jar == NULL) {
        return oom_error("jar");
    }
    snprintf(path, sizeof path, "%s/cookies", directory);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", origin_port(origin));
    if (ferry_cookie_jar_set(jar, url, "kept=1; max-age=100", &err) == 0) {
        err = post(FERRY_CLIENT_OPTIONS(.transport = transport, .cookie_jar = jar), "/302/303/end");
    }
    if (err.code == 0 && ferry_cookie_jar_save(jar, path, &err) == 0) {
        ferry_cookie_jar_clear(jar);
        (void)ferry_cookie_jar_load(jar, path, &err);
    }
    char *sent = err.code == 0 ? ferry_cookie_jar_get(jar, url, &err) : NULL;
    if (sent != NULL && strstr(sent, "kept=1") == NULL) {
        err = oom_wrong("the cookie is gone");
    }
    free(sent);
    ferry_cookie_jar_free(jar);
    return err;
}

static ferry_error digest(ferry_transport *transport)
{
    return post(FERRY_CLIENT_OPTIONS(.transport = transport, .digest_user = "bob",
                                     .digest_password = "secret"),
                "/401/x");
}

static ferry_error netrc(ferry_transport *transport)
{
    char path[TEMP_DIR_SIZE + 16];
    snprintf(path, sizeof path, "%s/netrc", directory);
    return post(FERRY_CLIENT_OPTIONS(.transport = transport, .netrc = path), "/401/x");
}

static int64_t at_once(void *arg, const ferry_retry *retry)
{
    (void)arg;
    (void)retry;
    return 0;
}

/* Along a redirect, with a jar and credentials. */
static ferry_error retries(ferry_transport *transport)
{
    static const int statuses[] = {503, 0};
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = oom_error("jar");
    if (jar != NULL) {
        err = post(FERRY_CLIENT_OPTIONS(.transport = transport, .cookie_jar = jar,
                                        .digest_user = "bob", .max_retries = 3,
                                        .retry_statuses = statuses, .retry_any_method = 1,
                                        .on_retry = at_once),
                   "/307/busy");
    }
    ferry_cookie_jar_free(jar);
    return err;
}

/* Answers without a network. */
static ferry_response *answer(void *self, ferry_request *req, ferry_error *err)
{
    int *calls = self;
    bool secure = strncmp(ferry_request_url(req), "https://", 8) == 0;
    ferry_response *res = secure ? ferry_response_new(*calls == 0 ? 302 : 200, "hello", 5) : NULL;
    if (!secure) {
        err->code = FERRY_EPROTOCOL;
        snprintf(err->message, sizeof err->message, "sent in the clear");
    } else if (res == NULL ||
               ferry_response_add_header(res, "Strict-Transport-Security", "max-age=9") != 0 ||
               (*calls == 0 &&
                ferry_response_add_header(res, "Location", "http://u:p@known.test/x") != 0)) {
        ferry_response_close(res);
        res = NULL;
        err->code = FERRY_ENOMEM;
        snprintf(err->message, sizeof err->message, "answer");
    }
    ++*calls;
    return res;
}

static ferry_error hsts_sends(ferry_hsts *hsts)
{
    ferry_error err = {0};
    int calls = 0;
    const ferry_round_tripper tripper = {answer, &calls};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .hsts = hsts));
    if (client == NULL) {
        return oom_error("client");
    }
    ferry_request *req = ferry_request_new("GET", "http://bob:pw@known.test/", &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    ferry_response_close(res);
    if (res != NULL && calls != 2) {
        err = oom_wrong("it was not redirected");
    }
    ferry_request_free(req);
    ferry_client_free(client);
    return err;
}

static ferry_error hsts(ferry_transport *transport)
{
    ferry_error err = {0};
    char path[TEMP_DIR_SIZE + 16];
    ferry_hsts *store = ferry_hsts_new();
    (void)transport;
    if (store == NULL) {
        return oom_error("store");
    }
    snprintf(path, sizeof path, "%s/hsts", directory);
    if (ferry_hsts_set(store, "https://known.test/", "max-age=99; includeSubDomains", &err) == 0 &&
        ferry_hsts_save(store, path, &err) == 0) {
        ferry_hsts_clear(store);
        if (ferry_hsts_load(store, path, &err) == 0) {
            err = ferry_hsts_has(store, "x.known.test") ? hsts_sends(store)
                                                        : oom_wrong("the host is gone");
        }
    }
    ferry_hsts_free(store);
    return err;
}

/* ---------------------------------------------------------------------------------------- the tests */

static void run_out(oom_scenario run)
{
    oom_run(serve, &origin, &(struct oom_sweep){.run = run, .for_good_too = true});
}

static void test_redirects(void **state)
{
    (void)state;
    run_out(redirects);
}

static void test_cookies(void **state)
{
    (void)state;
    run_out(cookies);
}

/* OpenSSL sets itself up with its first hash, once, and has no second try if that fails. */
static void test_digest(void **state)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    (void)state;
    assert_true(EVP_Digest("", 0, sum, NULL, EVP_md5(), NULL));
    run_out(digest);
}

static void test_netrc(void **state)
{
    (void)state;
    run_out(netrc);
}

static void test_retries(void **state)
{
    (void)state;
    run_out(retries);
}

static void test_hsts(void **state)
{
    (void)state;
    run_out(hsts);
}

static int make_files(void **state)
{
    static const char text[] = "machine 127.0.0.1 login \"bob\" password \"se cret\"\n";
    char path[TEMP_DIR_SIZE + 16];
    (void)state;
    if (!temp_dir_make(directory)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/netrc", directory);
    return temp_file_write(path, text, sizeof text - 1) ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    temp_dir_remove(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redirects), cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_digest),    cmocka_unit_test(test_netrc),
        cmocka_unit_test(test_retries),   cmocka_unit_test(test_hsts),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
