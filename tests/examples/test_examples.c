/*
 * The example programs, run as a reader would run them: against a real nginx where a file will do,
 * against an origin of our own where it matters what is sent when.
 */
#include <setjmp.h>
#include <signal.h>
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

#include "certs.h"
#include "child.h"
#include "dead_end.h"
#include "nginx.h"
#include "origin.h"
#include "run.h"
#include "temp_dir.h"

#define BIG_BYTES (1024 * 1024 + 3)

static struct nginx *nginx;
static char temp_dir[TEMP_DIR_SIZE];

static int start(void **state)
{
    char why[NGINX_WHY_SIZE];

    (void)state;
    nginx = nginx_start(NULL, why);
    if (nginx == NULL) {
        print_error("%s\n", why);
        return -1;
    }
    return nginx_write_file(nginx, "hello.txt", BYTES("hello\n")) &&
                   nginx_write_file(nginx, "bye.txt", BYTES("bye\n")) &&
                   nginx_write_pattern(nginx, "big.bin", BIG_BYTES) && temp_dir_make(temp_dir)
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    nginx_stop(nginx);
    temp_dir_remove(temp_dir);
    return 0;
}

/* Runs EXAMPLES/name with the arguments, which end in NULL; every response must have been closed,
 * unless leaks is said. */
static void run_example(struct run_result *result, const char *leaks, const char *input,
                        const char *const *words)
{
    const char *argv[16];
    char program[300];
    size_t count = 0;

    snprintf(program, sizeof program, "%s/%s", EXAMPLES, words[0]);
    argv[count++] = program;
    while (words[count] != NULL) {
        argv[count] = words[count];
        count++;
    }
    argv[count] = NULL;
    struct run_options options = {
        .argv = argv,
        /* TSan, unless told, lets every process sleep for a second at its end. */
        .env = (const char *const[]){leaks, "TSAN_OPTIONS=halt_on_error=1:atexit_sleep_ms=0", NULL},
        .input = input,
        .input_len = input != NULL ? strlen(input) : 0,
    };
    if (!run(&options, result) || result->timed_out) {
        fail_msg("%s could not be run to its end", program);
    }
}

#define EXAMPLE(result, ...) \
    run_example(result, "FERRY_LEAKS=fatal", NULL, (const char *const[]){__VA_ARGS__, NULL})

/* It succeeded and printed just that; NULL: whatever it printed. */
static void succeeds(struct run_result *result, const char *out, const char *err)
{
    if (result->status != 0) {
        fail_msg("status %d, signal %d: %s", result->status, result->signal, result->err);
    }
    if (out != NULL) {
        assert_string_equal(result->out, out);
    }
    if (err != NULL) {
        assert_string_equal(result->err, err);
    }
    run_free(result);
}

/* It failed with a sentence that has the words in it. */
static void fails(struct run_result *result, const char *words)
{
    assert_int_equal(result->status, 1);
    if (strstr(result->err, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, result->err);
    }
    run_free(result);
}

static void get(void **state)
{
    struct dead_end refusing;
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "get", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, "hello\n", "");
    assert_true(dead_end_refuse(&refusing));
    EXAMPLE(&result, "get", refusing.url);
    fails(&result, "connection refused");
    dead_end_close(&refusing);
}

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

static void many(void **state)
{
    struct run_result result;
    struct nginx_counts before = nginx_counts(nginx);
    int connections = 0;
    int reuses = 0;

    (void)state;
    EXAMPLE(&result, "many", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/bye.txt"));
    if (sscanf(result.out,
               "200 requests, 200 answered 200, 1000 bytes, %d connections, %d reuses\n",
               &connections, &reuses) != 2) {
        fail_msg("%s%s", result.out, result.err);
    }
    assert_in_range(connections, 1, 8);
    assert_true(connections + reuses >= 200);
    succeeds(&result, NULL, "");
    assert_true(nginx_await_requests(nginx, before.requests + 200, 5000));
    assert_in_range(nginx_counts(nginx).connections - before.connections, 1, 8);

    EXAMPLE(&result, "many", nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/missing"));
    assert_non_null(strstr(result.out, "200 requests, 100 answered 200, "));
    assert_int_equal(result.status, 1);
    run_free(&result);
}

static void stream(void **state)
{
    struct origin *origin = origin_start_reply(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
        "Repr-Digest: sha-256=:x:\r\n\r\n");
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "stream", origin_url(origin, "/"));
    succeeds(&result, "abcde", "5 bytes, digest sha-256=:x:\n");
    assert_true(origin_stop(origin));

    origin = origin_start_replies(
        &(const struct origin_reply){.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                                     .then = ORIGIN_THEN_CLOSE},
        1);
    EXAMPLE(&result, "stream", origin_url(origin, "/"));
    assert_string_equal(result.out, "abc");
    fails(&result, "after 3 bytes: ");
    assert_true(origin_stop(origin));

    EXAMPLE(&result, "stream", nginx_url(nginx, "/big.bin"));
    assert_int_equal(result.out_len, BIG_BYTES);
    assert_int_equal(pattern_match(result.out, result.out_len, 0), BIG_BYTES);
    succeeds(&result, NULL, NULL);
}

/* Answers a request with "Expect: 100-continue" as it hopes for. */
static void take_upload(struct origin_conn *conn, void *arg)
{
    char head[4096];

    (void)arg;
    while (origin_read_head(conn, head, sizeof head) > 0) {
        if (strstr(head, "Expect: 100-continue\r\n") != NULL) {
            origin_send(conn, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
        }
        if (origin_read_body(conn) < 0) {
            return;
        }
        origin_send(conn, BYTES("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
    }
}

static void upload(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = take_upload});
    const char *url = origin_url(origin, "/up");
    char path[TEMP_DIR_SIZE + 16];
    struct run_result result;

    (void)state;
    snprintf(path, sizeof path, "%s/file", temp_dir);
    assert_true(temp_file_write(path, BYTES("from a file")));
    EXAMPLE(&result, "upload", url, path);
    succeeds(&result, "201 Created\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_int_equal(strncmp(request.head, "PUT /up HTTP/1.1\r\n", 18), 0);
    assert_non_null(strstr(request.head, "\r\nContent-Length: 11\r\n"));
    assert_string_equal(request.body, "from a file");

    run_example(&result, "FERRY_LEAKS=fatal", "from a pipe",
                (const char *const[]){"upload", url, "-", NULL});
    succeeds(&result, "201 Created\n", "");
    request = origin_request(origin, 1);
    assert_int_equal(strncmp(request.head, "POST /up HTTP/1.1\r\n", 19), 0);
    assert_non_null(strstr(request.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_string_equal(request.body, "from a pipe");

    EXAMPLE(&result, "upload", nginx_url(nginx, "/hello.txt"), path);
    assert_int_equal(result.status, 1);
    assert_string_equal(result.out, "405 Not Allowed\n");
    run_free(&result);
    assert_true(origin_stop(origin));
}

static void form(void **state)
{
    struct origin *origin =
        origin_start_reply("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntaken\n");
    char part[TEMP_DIR_SIZE + 32];
    struct run_result result;

    (void)state;
    snprintf(part, sizeof part, "%s/photo", temp_dir);
    assert_true(temp_file_write(part, BYTES("a picture")));
    snprintf(part, sizeof part, "photo=@%s/photo", temp_dir);
    EXAMPLE(&result, "form", origin_url(origin, "/"), "title=In the harbour", part);
    succeeds(&result, "taken\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_int_equal(strncmp(request.head, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(request.head, "\r\nContent-Length: "));
    assert_non_null(strstr(request.body, "name=\"title\"\r\n\r\nIn the harbour\r\n--"));
    assert_non_null(strstr(request.body, "name=\"photo\"; filename=\"photo\"\r\nContent-Type: "
                                         "application/octet-stream\r\n\r\na picture\r\n--"));

    run_example(&result, "FERRY_LEAKS=fatal", "from a pipe",
                (const char *const[]){"form", origin_url(origin, "/"), "log=-", NULL});
    succeeds(&result, "taken\n", "");
    request = origin_request(origin, 1);
    assert_non_null(strstr(request.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(request.body, "\r\n\r\nfrom a pipe\r\n--"));

    EXAMPLE(&result, "form", origin_url(origin, "/"), "photo=@/nonexistent");
    fails(&result, "the form's file /nonexistent: no such file");
    assert_true(origin_stop(origin));
}

#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

static void events(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = EVENTS "\r\nretry: 1\nid: 8\ndata: one\n\n", .then = ORIGIN_THEN_CLOSE},
        {.bytes = EVENTS "Content-Length: 36\r\n\r\nid: 9\nevent: add\ndata: two\ndata: 2\n\n"},
        {.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
        {.bytes = EVENTS "Content-Length: 38\r\n\r\ndata: An\n\ndata: answer\n\ndata: [DONE]\n\n"},
        {.bytes = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nno key at"},
    };
    struct origin *origin = origin_start_replies(replies, 5);
    const char *url = origin_url(origin, "/");
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "events", url, "7");
    succeeds(&result, "message: one\nadd: two\n2\n", "the last id is \"9\"\n");
    assert_non_null(strstr(origin_request(origin, 0).head, "\r\nLast-Event-ID: 7\r\n"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nLast-Event-ID: 8\r\n"));
    assert_non_null(strstr(origin_request(origin, 2).head, "\r\nLast-Event-ID: 9\r\n"));

    EXAMPLE(&result, "events", url, "-d", "{\"stream\": true}");
    succeeds(&result, "message: An\nmessage: answer\n", "");
    assert_string_equal(origin_request(origin, 3).body, "{\"stream\": true}");
    EXAMPLE(&result, "events", url, "-d", "{}");
    fails(&result, "status 401 and the type \"\"\nno key at\n");
    assert_true(origin_stop(origin));
}

static void trailers(void **state)
{
    struct origin *origin = origin_start_reply("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    struct run_result result;

    (void)state;
    run_example(&result, "FERRY_LEAKS=fatal", "Wikipedia",
                (const char *const[]){"trailers", origin_url(origin, "/"), NULL});
    succeeds(&result, "201 Created\n", "");
    struct origin_request request = origin_request(origin, 0);
    assert_non_null(strstr(request.head, "\r\nTrailer: X-Bytes, X-Adler-32\r\n"));
    assert_string_equal(request.raw_body, "9\r\nWikipedia\r\n0\r\nX-Bytes: 9\r\n"
                                          "X-Adler-32: 11e60398\r\n\r\n");
    assert_true(origin_stop(origin));
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

/* The origin plays the proxy, and nginx is what is reached directly. */
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

static void answer_nothing(struct origin_conn *conn, void *arg)
{
    char head[4096];

    (void)arg;
    (void)origin_read_head(conn, head, sizeof head);
    (void)origin_wait_eof(conn, -1);
}

/* The signal is sent when the request is there: by then its handler is, too. */
static void cancel_at_an_interrupt(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    FILE *errors = tmpfile();
    char said[400] = "";
    int status;

    (void)state;
    assert_non_null(errors);
    pid_t pid = child_start(&(struct child_options){
        .argv = (const char *const[]){EXAMPLES "/cancel", origin_url(origin, "/"), NULL},
        .standard = {-1, -1, fileno(errors)},
    });
    assert_true(pid > 0);
    assert_true(origin_await_requests(origin, 1, 20000));
    kill(pid, SIGINT);
    if (!child_wait(pid, 20000, &status)) {
        child_stop(pid, SIGKILL, 0);
        fail_msg("it does not end");
    }
    rewind(errors);
    assert_non_null(fgets(said, sizeof said, errors));
    assert_non_null(strstr(said, "FERRY_ECANCELED: Get \"http://127.0.0.1:"));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    fclose(errors);
    assert_true(origin_stop(origin));
}

static void cancel_when_time_is_over(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = answer_nothing});
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "cancel", origin_url(origin, "/"), "20");
    fails(&result, "FERRY_ETIMEOUT: ");
    EXAMPLE(&result, "cancel", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, "hello\n", "");
    assert_true(origin_stop(origin));
}

static void host_loop(const char *name)
{
    char expected[300];
    struct run_result result;

    EXAMPLE(&result, name, nginx_url(nginx, "/hello.txt"));
    snprintf(expected, sizeof expected, "%s: 200, 6 bytes\n", nginx_url(nginx, "/hello.txt"));
    succeeds(&result, expected, NULL);
    EXAMPLE(&result, name, nginx_url(nginx, "/hello.txt"), nginx_url(nginx, "/big.bin"));
    assert_non_null(strstr(result.out, expected));
    snprintf(expected, sizeof expected, "/big.bin: 200, %d bytes\n", BIG_BYTES);
    assert_non_null(strstr(result.out, expected));
    succeeds(&result, NULL, NULL);
}

static void epoll_loop(void **state)
{
    (void)state;
    host_loop("epoll_loop");
}

static void glib_loop(void **state)
{
    (void)state;
    if (access(EXAMPLES "/glib_loop", X_OK) != 0) {
        skip();
    }
    host_loop("glib_loop");
}

static void leaks(void **state)
{
    struct run_result result;
    const char *const words[] = {"leaks", nginx_url(nginx, "/hello.txt"), NULL};

    (void)state;
    run_example(&result, "FERRY_LEAKS", NULL, words);
    assert_int_equal(strncmp(result.out, "3 tasks\n", 8), 0);
    assert_non_null(strstr(result.out, "leaks.c:"));
    assert_non_null(strstr(result.out, " s, 6 of 6 bytes read, the last "));
    assert_non_null(strstr(result.out, " s ago, holds memory only ("));
    assert_non_null(
        strstr(result.out, " s, 0 of 6 bytes read, holds connection 1 and its 2 tasks ("));
    assert_non_null(strstr(result.out, " KiB)\n2 responses were never closed\n"));
    succeeds(&result, NULL, NULL);

    run_example(&result, "FERRY_LEAKS=fatal", NULL, words);
    assert_int_equal(result.status, 23);
    assert_non_null(strstr(result.err, "ferry: 2 responses were never closed:\n"));
    run_free(&result);
}

static void mock_needs_no_network(void **state)
{
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "mock");
    succeeds(&result,
             "oslo: -4\natlantis: -1000\nnowhere: -1000\nasked 3 times, 0 responses left open\n",
             "");
}

static void retry(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 4);
    struct run_result result;

    (void)state;
    EXAMPLE(&result, "retry", origin_url(origin, "/"));
    assert_non_null(strstr(result.err, ": 503, again in 0 ms\n"));
    assert_non_null(strstr(result.err, ": 429, again in "));
    succeeds(&result, "200 after 3 tries\n", NULL);
    EXAMPLE(&result, "retry", origin_url(origin, "/")); /* that long it does not wait */
    assert_string_equal(result.out, "503 after 1 tries\n");
    assert_int_equal(result.status, 1);
    run_free(&result);
    assert_true(origin_stop(origin));
}

/* Lets in who has the credentials that the path asks for. */
static void let_in(struct origin_conn *conn, void *arg)
{
    (void)arg;
    while (origin_read_request(conn)) {
        const char *head = origin_conn_request(conn).head;
        const char *wanted = strncmp(head, "GET /bearer", 11) == 0   ? "Bearer t0ken\r\n"
                             : strncmp(head, "GET /digest", 11) == 0 ? "Digest username=\"bob\""
                                                                     : "Basic Ym9iOnB3\r\n";
        const char *field = strstr(head, "\r\nAuthorization: ");
        bool good = field != NULL && strncmp(field + 17, wanted, strlen(wanted)) == 0;
        origin_sendf(conn, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n",
                     good ? "200 OK" : "401 Unauthorized",
                     good ? ""
                          : "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n");
    }
}

static void auth(void **state)
{
    struct origin *origin = origin_start(&(struct origin_script){.serve = let_in});
    struct run_result result;
    char path[TEMP_DIR_SIZE + 16];

    (void)state;
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "bob", "pw");
    succeeds(&result, "200 OK\n", "");
    EXAMPLE(&result, "auth", "bearer", origin_url(origin, "/bearer"), "", "t0ken");
    succeeds(&result, "200 OK\n", "");
    EXAMPLE(&result, "auth", "digest", origin_url(origin, "/digest"), "bob", "pw");
    succeeds(&result, "200 OK\n", "");
    snprintf(path, sizeof path, "%s/netrc", temp_dir);
    assert_true(temp_file_write(path, BYTES("machine 127.0.0.1 login bob password pw\n")));
    setenv("NETRC", path, 1);
    EXAMPLE(&result, "auth", "netrc", origin_url(origin, "/netrc"));
    succeeds(&result, "200 OK\n", "");
    unsetenv("NETRC");
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "eve", "pw");
    assert_string_equal(result.out, "401 Unauthorized\n");
    assert_int_equal(result.status, 1);
    run_free(&result);
    EXAMPLE(&result, "auth", "basic", origin_url(origin, "/basic"), "a:b", "pw");
    fails(&result, "a colon in the name");
    assert_true(origin_stop(origin));
}

static void cookies(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nSet-Cookie: visit=1; max-age=999\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nSet-Cookie: visit=2; max-age=999\r\n"
                  "Content-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 2);
    struct run_result result;
    char path[TEMP_DIR_SIZE + 16];

    (void)state;
    snprintf(path, sizeof path, "%s/cookies", temp_dir);
    EXAMPLE(&result, "cookies", path, origin_url(origin, "/"));
    succeeds(&result, "visit=1 for 127.0.0.1/\n", "");
    EXAMPLE(&result, "cookies", path, origin_url(origin, "/"), origin_url(origin, "/again"));
    succeeds(&result, "visit=2 for 127.0.0.1/\n", "");
    assert_null(strstr(origin_request(origin, 0).head, "Cookie"));
    assert_non_null(strstr(origin_request(origin, 1).head, "\r\nCookie: visit=1\r\n"));
    assert_non_null(strstr(origin_request(origin, 2).head, "\r\nCookie: visit=2\r\n"));
    EXAMPLE(&result, "cookies", "/nowhere/cookies", origin_url(origin, "/"));
    fails(&result, "saving cookies to /nowhere/cookies: no such file or directory");
    assert_true(origin_stop(origin));
}

static void redirects(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 301 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: http://elsewhere.test/c\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"},
    };
    struct origin *origin = origin_start_replies(replies, 4);
    struct run_result result;
    char expected[300];

    (void)state;
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"), "127.0.0.1");
    snprintf(expected, sizeof expected, "1. 301: GET http://%s/b\n200 from http://%s/b\n",
             origin_host(origin), origin_host(origin));
    succeeds(&result, expected, "");
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"), "127.0.0.1");
    snprintf(expected, sizeof expected,
             "1. 302: GET http://elsewhere.test/c\n"
             "302 from http://%s/a, which points to http://elsewhere.test/c\n",
             origin_host(origin));
    succeeds(&result, expected, "");
    EXAMPLE(&result, "redirects", origin_url(origin, "/a"));
    assert_non_null(strstr(result.out, "5. 302: GET "));
    fails(&result, "stopped after 5 redirects");
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
        cmocka_unit_test(get),
        cmocka_unit_test(https),
        cmocka_unit_test(many),
        cmocka_unit_test(stream),
        cmocka_unit_test(upload),
        cmocka_unit_test(form),
        cmocka_unit_test(events),
        cmocka_unit_test(trailers),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(resolve),
        cmocka_unit_test(wire),
        cmocka_unit_test(proxy_for_a_domain),
        cmocka_unit_test(cancel_at_an_interrupt),
        cmocka_unit_test(cancel_when_time_is_over),
        cmocka_unit_test(epoll_loop),
        cmocka_unit_test(glib_loop),
        cmocka_unit_test(leaks),
        cmocka_unit_test(mock_needs_no_network),
        cmocka_unit_test(retry),
        cmocka_unit_test(auth),
        cmocka_unit_test(cookies),
        cmocka_unit_test(redirects),
        cmocka_unit_test(hsts),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
