/*
 * One client, jar and HSTS store for many threads: each request gets what is its own, and at the end
 * the books are right. (ThreadSanitizer is this test's other half.)
 */
#include <stdio.h>
#include <stdlib.h>

#include "client_test.h"
#include "temp_dir.h"

#define THREADS 6
#define ROUNDS 25

/* Digest for "/digest", 503 for the first of each two requests for "/busy", a cookie named after the
 * thread for everything. */
static void serve(struct origin_conn *conn, void *arg)
{
    unsigned busy = 0;
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        char path[32] = "";
        int thread = 0;
        sscanf(head, "GET %31[^?]?%d", path, &thread);
        if (strcmp(path, "/digest") == 0 && strstr(head, "\r\nAuthorization: Digest ") == NULL) {
            origin_send_text(conn, "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", "
                                   "nonce=\"n\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n");
        } else if (strcmp(path, "/busy") == 0 && busy++ % 2 == 0) {
            origin_send_text(conn, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
        } else if (strcmp(path, "/moved") == 0) {
            origin_sendf(conn,
                         "HTTP/1.1 302 X\r\nLocation: /busy?%d\r\nSet-Cookie: t%d=1\r\n"
                         "Content-Length: 0\r\n\r\n",
                         thread, thread);
        } else {
            origin_sendf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

struct visitor {
    struct side side;
    ferry_client *client;
    ferry_cookie_jar *jar;
    ferry_hsts *hsts;
    struct origin *origin;
    int number;
    int good; /* read when the thread has ended */
};

static bool gets_ok(struct visitor *visitor, const char *path)
{
    char url[96];
    ferry_error err;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s?%d", origin_port(visitor->origin), path,
             visitor->number);
    ferry_request *req = ferry_request_new("GET", url, &err);
    ferry_response *res = ferry_client_do(visitor->client, req, &err);
    bool good = res != NULL && ferry_response_status(res) == 200;
    ferry_response_close(res);
    ferry_request_free(req);
    return good;
}

static void visit(void *arg)
{
    struct visitor *visitor = arg;
    char host[64];
    for (int i = 0; i < ROUNDS; i++) {
        visitor->good += gets_ok(visitor, "/digest") && gets_ok(visitor, "/moved");
        snprintf(host, sizeof host, "https://h%d.t%d.test/", i, visitor->number);
        visitor->good += ferry_hsts_set(visitor->hsts, host, "max-age=99", NULL) == 0 &&
                         ferry_hsts_set(visitor->hsts, "https://all.test/",
                                        i % 2 == 0 ? "max-age=99" : "max-age=0", NULL) == 0;
        (void)ferry_hsts_has(visitor->hsts, "x.all.test");
        visitor->good += ferry_hsts_count(visitor->hsts) > 0;
        free(ferry_cookie_jar_get(visitor->jar, host, NULL));
    }
}

static int64_t at_once(void *arg, const ferry_retry *retry)
{
    (void)arg;
    (void)retry;
    return 0;
}

static void test_many_threads(void **state)
{
    struct origin *origin = serve_with(state, serve, NULL);
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_hsts *hsts = ferry_hsts_new();
    assert_true(jar != NULL && hsts != NULL);
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.cookie_jar = jar,
                                                                        .hsts = hsts,
                                                                        .digest_user = "bob",
                                                                        .digest_password = "pw",
                                                                        .max_retries = 9,
                                                                        .on_retry = at_once});
    struct visitor visitors[THREADS];
    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){
            .client = client, .jar = jar, .hsts = hsts, .origin = origin, .number = i};
        start_side(&visitors[i].side, visit, &visitors[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        end_side(&visitors[i].side);
        assert_int_equal(visitors[i].good, 3 * ROUNDS);
    }
    assert_int_equal(ferry_cookie_jar_count(jar), THREADS);
    assert_in_range(ferry_hsts_count(hsts), THREADS * ROUNDS, THREADS * ROUNDS + 1);
    ferry_client_free(client);
    ferry_hsts_free(hsts);
    ferry_cookie_jar_free(jar);
}

static void get_one(void *arg)
{
    struct visitor *visitor = arg;
    visitor->good = gets_ok(visitor, "/");
}

/* All of them want the file at once; it is read by one. */
static void test_one_netrc(void **state)
{
    static const char text[] = "machine 127.0.0.1 login bob password pw\n";
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 8];
    char value[512];
    struct origin *origin = serve_with(state, serve, NULL);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/netrc", dir);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    ferry_client *client =
        client_with(transport_with(state, NULL), (ferry_client_options){.netrc = path});
    struct visitor visitors[THREADS];
    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){.client = client, .origin = origin, .number = i};
        start_side(&visitors[i].side, get_one, &visitors[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        end_side(&visitors[i].side);
        assert_int_equal(visitors[i].good, 1);
    }
    for (unsigned i = 0; i < origin_counts(origin).requests; i++) {
        assert_string_equal(field_of(origin, i, "Authorization", value), "Basic Ym9iOnB3");
    }
    ferry_client_free(client);
    temp_dir_remove(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_many_threads),
        TRANSPORT_TEST(test_one_netrc),
    };
    return cmocka_run_group_tests_name("client: shared", tests, NULL, NULL);
}
