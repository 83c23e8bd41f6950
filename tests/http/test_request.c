/*
 * The request object: what its setters take, what they refuse, and that a refusal is remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "http/request.h"

static ferry_request *make(const char *method, const char *url)
{
    ferry_error err = {0};
    ferry_request *req = ferry_request_new(method, url, &err);
    if (req == NULL) {
        fail_msg("%s", err.message);
    }
    return req;
}

static ssize_t read_nothing(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return 0;
}

static int rewind_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void test_new_requests(void **state)
{
    (void)state;
    ferry_request *req = make(NULL, "http://u:p@Example.org/a b");
    assert_string_equal(ferry_request_method(req), "GET");
    assert_string_equal(ferry_request_url(req), "http://example.org/a%20b");
    ferry_request_free(req);
    req = make("", "http://h/");
    assert_string_equal(ferry_request_method(req), "GET");
    ferry_request_free(req);
    req = make("M-SEARCH", "http://h/");
    assert_string_equal(ferry_request_method(req), "M-SEARCH");
    ferry_request_free(req);
    ferry_request_free(NULL);
}

static void test_refused_methods_and_urls(void **state)
{
    (void)state;
    ferry_error err = {0};
    assert_null(ferry_request_new("GET /x", "http://h/", &err));
    assert_int_equal(err.code, FERRY_EINVAL);
    assert_string_equal(err.message, "the method \"GET /x\" is no token");
    assert_null(ferry_request_new("GE\r\nT", "http://h/", &err));
    assert_null(ferry_request_new("GET", "http://:80/", &err));
    assert_int_equal(err.code, FERRY_EURL);
    assert_string_equal(err.message, "parse \"http://:80/\": no host");
    assert_null(ferry_request_new("GET", NULL, NULL));
}

static void test_header_fields(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    assert_null(ferry_request_header(req, "X-A"));
    assert_int_equal(ferry_request_set_header(req, "X-A", " one\t"), 0);
    assert_int_equal(ferry_request_add_header(req, "x-a", "two"), 0);
    assert_string_equal(ferry_request_header(req, "x-A"), "one");
    assert_int_equal(req->header.count, 2);
    assert_int_equal(ferry_request_set_header(req, "X-A", ferry_request_header(req, "X-A")), 0);
    assert_int_equal(req->header.count, 1);
    assert_string_equal(ferry_request_header(req, "X-A"), "one");
    assert_int_equal(ferry_request_set_header(req, "X-A", NULL), 0);
    assert_null(ferry_request_header(req, "X-A"));
    assert_int_equal(req->refused.code, FERRY_OK);
    ferry_request_free(req);
}

static void test_refused_fields_are_remembered(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        const char *message;
    } cases[] = {
        {"X A", "v", "the field name \"X A\" is no token"},
        {"", "v", "the field name \"\" is no token"},
        {NULL, "v", "the field name \"\" is no token"},
        {"X:", "v", "the field name \"X:\" is no token"},
        {"X", "a\r\nY: b", "the value of the field X has a control byte in it"},
        {"X", "a\rb", "the value of the field X has a control byte in it"},
        {"X", "\x7f", "the value of the field X has a control byte in it"},
        {"content-length", "5", "the field Content-Length follows from the body and cannot be set"},
        {"Transfer-Encoding", "chunked",
         "the field Transfer-Encoding follows from the body and cannot be set"},
        {"Trailer", "X", "the field Trailer follows from the body and cannot be set"},
        {"Connection", "a b", "the field Connection takes tokens, not \"a b\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ferry_request *req = make("GET", "http://h/");
        assert_int_equal(ferry_request_set_header(req, cases[i].name, cases[i].value), -1);
        assert_int_equal(req->refused.code, FERRY_EINVAL);
        assert_string_equal(req->refused.message, cases[i].message);
        assert_int_equal(ferry_request_add_header(req, "A B", "later"), -1);
        assert_string_equal(req->refused.message,
                            cases[i].message); /* the first is the one to know of */
        assert_int_equal(req->header.count, 0);
        ferry_request_free(req);
    }
    ferry_request *req = make("GET", "http://h/");
    assert_int_equal(ferry_request_add_header(req, "X", NULL), -1);
    ferry_request_free(req);
    req = make("GET", "http://h/");
    assert_int_equal(ferry_request_set_header(req, "Content-Length", NULL),
                     0); /* nothing to remove is no mistake */
    assert_int_equal(req->refused.code, FERRY_OK);
    ferry_request_free(req);
}

/* RQ-032, HT-002: a Host can hold a host and a port and nothing else. Go cuts the rest off;
 * ferry says so. */
static void test_RQ_032_HT_002_host_fields(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *host; /* NULL: refused */
    } cases[] = {
        {"www.Example.org", "www.example.org"},
        {"example.org:80", "example.org:80"}, /* the port stays as given */
        {"example.org:8080", "example.org:8080"},
        {"[::1]", "[::1]"},
        {"[2001:db8::1]:8080", "[2001:db8::1]:8080"},
        {"[fe80::1%eth0]:80", "[fe80::1]:80"},
        {" h ", "h"},
#ifdef FERRY_WITH_IDN
        {"G\xc3\xbcnther.example:8080", "xn--gnther-3ya.example:8080"},
        {"goph\xc3\xa9r.example", "xn--gophr-esa.example"},
        {"gophe\xcc\x81r.example:1", "xn--gophr-esa.example:1"}, /* NFC of two code points */
        {"\xd0\xb3\xd0\xbe\xd1\x84\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84", "xn--c1ae0ajs.xn--p1ai"},
#endif
        {"www.example.org foo/bar", NULL},
        {"example.org/foo", NULL},
        {"example.org?", NULL},
        {"example.org#", NULL},
        {"u@example.org", NULL},
        {"a,b c", NULL},
        {"h:80:90", NULL},
        {"h:99999", NULL},
        {"::1", NULL},
        {"[::1", NULL},
        {"a\tb", NULL},
        {":80", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ferry_request *req = make("GET", "http://h/");
        int rc = ferry_request_set_header(req, "host", cases[i].value);
        if (cases[i].host == NULL) {
            assert_int_equal(rc, -1);
            assert_true(req->refused.code == FERRY_EINVAL || req->refused.code == FERRY_EURL);
            assert_non_null(strstr(req->refused.message, "the field Host"));
            assert_null(ferry_request_header(req, "Host"));
        } else {
            assert_int_equal(rc, 0);
            assert_string_equal(ferry_request_header(req, "Host"), cases[i].host);
            assert_int_equal(ferry_request_add_header(req, "Host", "other"),
                             0); /* there is never a second */
            assert_string_equal(ferry_request_header(req, "Host"), "other");
            assert_int_equal(req->header.count, 1);
            assert_int_equal(ferry_request_set_header(req, "Host", ""), 0); /* back to the URL's */
            assert_null(ferry_request_header(req, "Host"));
        }
        ferry_request_free(req);
    }
}

static void test_connection_fields(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    assert_int_equal(ferry_request_set_header(req, "Connection", "Close"), 0);
    assert_true(req->close);
    assert_null(ferry_request_header(req, "Connection"));
    assert_int_equal(
        ferry_request_set_header(req, "connection", "Keep-Alive, Upgrade,, HTTP2-Settings"), 0);
    assert_false(req->close); /* whoever spoke last */
    assert_string_equal(ferry_request_header(req, "Connection"), "Upgrade, HTTP2-Settings");
    assert_int_equal(ferry_request_add_header(req, "Connection", "close"), 0);
    assert_true(req->close);
    assert_string_equal(ferry_request_header(req, "Connection"), "Upgrade, HTTP2-Settings");
    ferry_request_set_close(req, 0);
    assert_false(req->close);
    ferry_request_set_close(req, 1);
    assert_int_equal(ferry_request_set_header(req, "Connection", NULL), 0);
    assert_false(req->close);
    assert_null(ferry_request_header(req, "Connection"));
    ferry_request_free(req);
}

/* A request that lives for years, each time with another field. */
static void test_setting_a_field_again_and_again_does_not_grow(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    char value[200];
    assert_int_equal(ferry_request_set_header(req, "X-Kept", "kept"), 0);
    for (int i = 0; i < 100000; i++) {
        snprintf(value, sizeof(value), "%0150d", i);
        assert_int_equal(ferry_request_set_header(req, "X-Date", value), 0);
        assert_true(req->stale < 64 * 1024);
    }
    assert_string_equal(ferry_request_header(req, "X-Date"), value);
    assert_string_equal(ferry_request_header(req, "X-Kept"), "kept");
    ferry_request_free(req);
}

static void test_bodies_from_memory(void **state)
{
    (void)state;
    ferry_request *req = make("POST", "http://h/");
    assert_int_equal(ferry_request_set_body(req, "hello", 5), 0);
    assert_int_equal(req->body.kind, FY_REQUEST_MEMORY);
    assert_int_equal(req->body.len, 5);
    assert_int_equal(ferry_request_set_body(req, NULL, 0), 0);
    assert_int_equal(req->body.kind, FY_REQUEST_NO_BODY);
    assert_int_equal(req->refused.code, FERRY_OK);
    assert_int_equal(ferry_request_set_body(req, NULL, 5), -1);
    assert_int_equal(req->refused.code, FERRY_EINVAL);
    ferry_request_free(req);
}

static void test_bodies_from_files(void **state)
{
    (void)state;
    char path[] = "/tmp/ferry-request-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);

    ferry_request *req = make("PUT", "http://h/");
    assert_int_equal(ferry_request_set_body_fd(req, fd, 0, -1), 0);
    assert_int_equal(req->body.kind, FY_REQUEST_FILE);
    assert_int_equal(req->body.len, 10);
    assert_int_equal(ferry_request_set_body_fd(req, fd, 4, -1), 0);
    assert_int_equal(req->body.len, 6);
    assert_int_equal(req->body.offset, 4);
    assert_int_equal(ferry_request_set_body_fd(req, fd, 4, 2), 0);
    assert_int_equal(req->body.len, 2);
    assert_int_equal(ferry_request_set_body_fd(req, fd, 10, -1), 0);
    assert_int_equal(req->body.kind, FY_REQUEST_NO_BODY);
    assert_int_equal(req->refused.code, FERRY_OK);
    ferry_request_free(req);

    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    const struct {
        int fd;
        int64_t offset;
        int64_t len;
        int os_errno;
    } refused[] = {
        {-1, 0, -1, EBADF}, {fd, -1, -1, 0}, {fd, 0, 11, 0},         {fd, 11, -1, 0},
        {fd, 5, 6, 0},      {fd, 0, -2, 0},  {pipe_fds[0], 0, 5, 0}, {fd, INT64_MAX, INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        req = make("PUT", "http://h/");
        assert_int_equal(
            ferry_request_set_body_fd(req, refused[i].fd, refused[i].offset, refused[i].len), -1);
        assert_int_equal(req->refused.code, FERRY_EINVAL);
        assert_int_equal(req->refused.os_errno, refused[i].os_errno);
        assert_int_equal(req->body.kind, FY_REQUEST_NO_BODY);
        ferry_request_free(req);
    }
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(fd);
}

static void note_done(void *arg)
{
    ++*(int *)arg;
}

static void test_bodies_from_readers(void **state)
{
    (void)state;
    int done = 0;
    ferry_request *req = make("POST", "http://h/");
    ferry_request_set_body_done(req, note_done, &done);
    assert_int_equal(ferry_request_set_body_reader(req, read_nothing, rewind_nothing, req, -1), 0);
    assert_int_equal(req->body.kind, FY_REQUEST_READER);
    assert_int_equal(req->body.len, -1);
    assert_ptr_equal(req->body.arg, req);
    assert_ptr_equal(req->body.done,
                     note_done); /* set before the reader, with an argument of its own */
    assert_ptr_equal(req->body.done_arg, &done);
    assert_int_equal(req->refused.code, FERRY_OK);
    assert_int_equal(ferry_request_set_body_reader(req, NULL, NULL, NULL, -1), -1);
    assert_int_equal(ferry_request_set_body_reader(req, read_nothing, NULL, NULL, -2), -1);
    assert_int_equal(req->body.kind, FY_REQUEST_READER);
    ferry_request_free(req);
    assert_int_equal(done, 0); /* calling it is the send's */
}

/* RQ-041: a body in memory can be had again as often as it is asked for. */
static void test_TR_118_RQ_041_replayable(void **state)
{
    (void)state;
    enum { NONE, EMPTY, MEMORY, ONE_SHOT, REWINDABLE };
    static const struct {
        const char *method;
        int body;
        const char *field;
        bool replayable;
    } cases[] = {
        {"GET", NONE, NULL, true},
        {"GET", EMPTY, NULL, true},
        {"GET", MEMORY, NULL, true},
        {"GET", ONE_SHOT, NULL, false},
        {"GET", REWINDABLE, NULL, true},
        {"HEAD", NONE, NULL, true},
        {"OPTIONS", NONE, NULL, true},
        {"TRACE", NONE, NULL, true},
        {"POST", NONE, NULL, false},
        {"POST", MEMORY, NULL, false},
        {"PUT", MEMORY, NULL, false},
        {"DELETE", NONE, NULL, false},
        {"get", NONE, NULL, false},
        {"POST", NONE, "Idempotency-Key", true},
        {"POST", NONE, "X-Idempotency-Key", true},
        {"POST", MEMORY, "idempotency-key", true},
        {"POST", ONE_SHOT, "Idempotency-Key", false},
        {"POST", REWINDABLE, "Idempotency-Key", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ferry_request *req = make(cases[i].method, "http://h/");
        switch (cases[i].body) {
        case EMPTY: assert_int_equal(ferry_request_set_body(req, "", 0), 0); break;
        case MEMORY: assert_int_equal(ferry_request_set_body(req, "x", 1), 0); break;
        case ONE_SHOT:
            assert_int_equal(ferry_request_set_body_reader(req, read_nothing, NULL, NULL, -1), 0);
            break;
        case REWINDABLE:
            assert_int_equal(
                ferry_request_set_body_reader(req, read_nothing, rewind_nothing, NULL, 3), 0);
            break;
        }
        if (cases[i].field != NULL) {
            assert_int_equal(ferry_request_set_header(req, cases[i].field, "some-key"), 0);
        }
        if (fy_request_replayable(req) != cases[i].replayable) {
            fail_msg("case %zu", i);
        }
        ferry_request_free(req);
    }
}

static void note_status(void *arg, int status)
{
    *(int *)arg = status;
}

static void note_put(void *arg, int result)
{
    (void)arg;
    (void)result;
}

/* A program may have been compiled with an older or a newer header. */
static void test_traces_of_other_sizes(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    int seen = 0;
    ferry_request_set_trace(req, FERRY_TRACE(.got_1xx = note_status, .put_idle_conn = note_put),
                            &seen);
    assert_ptr_equal(req->trace.got_1xx, note_status);
    assert_ptr_equal(req->trace.put_idle_conn, note_put);
    assert_ptr_equal(req->trace_arg, &seen);

    size_t older = offsetof(ferry_trace, got_first_byte);
    char *bytes = malloc(older); /* no byte more, for a sanitizer to see */
    assert_non_null(bytes);
    memset(bytes, 0, older);
    memcpy(bytes, &older, sizeof(older));
    ferry_request_set_trace(req, (const ferry_trace *)(void *)bytes, NULL);
    assert_null(req->trace.put_idle_conn);
    free(bytes);

    struct {
        ferry_trace known;
        void (*unknown)(void);
    } newer = {.known = {.size = sizeof(newer), .got_1xx = note_status}};
    ferry_request_set_trace(req, &newer.known, NULL);
    assert_ptr_equal(req->trace.got_1xx, note_status);
    assert_int_equal(req->trace.size, sizeof(ferry_trace));
    assert_int_equal(req->refused.code, FERRY_OK);

    ferry_request_set_trace(req, NULL, NULL);
    assert_null(req->trace.got_1xx);
    ferry_request_set_trace(req, &(const ferry_trace){.got_1xx = note_status},
                            NULL); /* without its size */
    assert_null(req->trace.got_1xx);
    assert_int_equal(req->refused.code, FERRY_EINVAL);
    ferry_request_free(req);
}

static void test_targets(void **state)
{
    (void)state;
    ferry_request *req = make("OPTIONS", "http://h/");
    assert_int_equal(ferry_request_set_target(req, "*"), 0);
    assert_string_equal(req->target, "*");
    assert_int_equal(ferry_request_set_target(req, NULL), 0);
    assert_null(req->target);
    static const char *const refused[] = {"", "/a b", "/a\tb", "/a\r\nX: y", "/\x7f", "/ HTTP/1.1"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(ferry_request_set_target(req, refused[i]), -1);
        assert_null(req->target);
    }
    assert_int_equal(req->refused.code, FERRY_EINVAL);
    ferry_request_free(req);
}

static void test_times(void **state)
{
    (void)state;
    ferry_request *req = make("GET", "http://h/");
    ferry_request_set_timeout(req, 1500);
    assert_int_equal(req->timeout_ms, 1500);
    ferry_request_set_timeout(req, -1);
    assert_int_equal(req->timeout_ms, 0);
    ferry_request_free(req);
}

/* After a ferry_request_new() that failed, a chain of setters does nothing; the send reports it. */
static void test_setters_take_null_requests(void **state)
{
    (void)state;
    assert_int_equal(ferry_request_set_header(NULL, "A", "b"), -1);
    assert_int_equal(ferry_request_add_header(NULL, "A", "b"), -1);
    assert_int_equal(ferry_request_add_header(NULL, "A", NULL), -1);
    assert_int_equal(ferry_request_set_body(NULL, "", 0), -1);
    assert_int_equal(ferry_request_set_body_fd(NULL, 0, 0, 0), -1);
    assert_int_equal(ferry_request_set_body_reader(NULL, read_nothing, NULL, NULL, 0), -1);
    assert_int_equal(ferry_request_set_target(NULL, "*"), -1);
    ferry_request_set_body_done(NULL, NULL, NULL);
    ferry_request_set_timeout(NULL, 1);
    ferry_request_set_close(NULL, 1);
    ferry_request_set_context(NULL, NULL);
    ferry_request_set_trace(NULL, NULL, NULL);
}

static void test_verbs(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"GET", "Get"},
        {"POST", "Post"},
        {"patch", "patch"},
        {"M-SEARCH", "M-search"},
        {"AVERYVERYVERYVERYVERYVERYLONGMETHOD", "Averyveryveryveryveryverylongme"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buffer[32];
        ferry_request *req = make(cases[i][0], "http://h/");
        assert_string_equal(fy_request_verb(req, buffer), cases[i][1]);
        ferry_request_free(req);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_requests),
        cmocka_unit_test(test_refused_methods_and_urls),
        cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_refused_fields_are_remembered),
        cmocka_unit_test(test_RQ_032_HT_002_host_fields),
        cmocka_unit_test(test_connection_fields),
        cmocka_unit_test(test_setting_a_field_again_and_again_does_not_grow),
        cmocka_unit_test(test_bodies_from_memory),
        cmocka_unit_test(test_bodies_from_files),
        cmocka_unit_test(test_bodies_from_readers),
        cmocka_unit_test(test_TR_118_RQ_041_replayable),
        cmocka_unit_test(test_traces_of_other_sizes),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_setters_take_null_requests),
        cmocka_unit_test(test_verbs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
