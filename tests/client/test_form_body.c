/*
 * The body that a form makes: piece by piece into buffers of any size, from memory, files and
 * functions, again and again; what is said when one of them lets it down; and how it is sent again.
 */
#include "client_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "http/request.h"
#include "temp_dir.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* ---- What functions give ---- */

/* A pattern's bytes, at most so many at a time. */
struct source {
    size_t size, at_once;
    size_t at;
    int rewinds;
    enum { FAITHFUL, FAILS, LIES } nature; /* what it does at its end */
};

static ssize_t read_source(void *arg, void *buf, size_t len)
{
    struct source *source = arg;
    size_t n = source->size - source->at;
    n = n < source->at_once ? n : source->at_once;
    n = n < len ? n : len;
    if (n == 0 && source->nature != FAITHFUL) {
        errno = source->nature == FAILS ? EIO : 0;
        return source->nature == FAILS ? -1 : (ssize_t)len + 1;
    }
    pattern_fill(buf, n, source->at);
    source->at += n;
    return (ssize_t)n;
}

static int rewind_source(void *arg)
{
    struct source *source = arg;
    source->at = 0;
    source->rewinds++;
    return 0;
}

/* ---- Forms made by chance, read with buffers of any size ---- */

static uint32_t chance(uint32_t *seed, uint32_t below)
{
    *seed = *seed * UINT32_C(1664525) + UINT32_C(1013904223);
    return (*seed >> 8) % below;
}

/* Any bytes but NUL. */
static void chance_name(uint32_t *seed, char *name, size_t size)
{
    size_t len = chance(seed, (uint32_t)size - 1);
    for (size_t i = 0; i < len; i++) {
        name[i] = (char)(1 + chance(seed, 255));
    }
    name[len] = '\0';
}

static void append_text(struct bytes *out, const char *text)
{
    bytes_append(out, text, strlen(text));
}

static void append_escaped(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const char *as = *text == '\r'   ? "%0D"
                         : *text == '\n' ? "%0A"
                         : *text == '"'  ? "%22"
                                         : NULL;
        bytes_append(out, as != NULL ? as : text, as != NULL ? 3 : 1);
    }
}

/* The body read to its end, by pieces of at most most bytes. */
static struct bytes read_whole(const ferry_request *req, uint32_t *seed, size_t most)
{
    struct bytes out = {0};
    char *buf = malloc(most);
    assert_non_null(buf);
    for (;;) {
        size_t len = 1 + chance(seed, (uint32_t)most);
        ssize_t got = req->body.read(req->body.arg, buf, len);
        if (got < 0) {
            fail_msg("%s", req->body.failure(req->body.arg)->message);
        }
        assert_true((size_t)got <= len);
        if (got == 0) {
            free(buf);
            return out;
        }
        bytes_append(&out, buf, (size_t)got);
    }
}

#define MOST_PARTS 12

/* Adds a part of a random kind to the form, and what it must look like to the expected body. */
static void chance_part(uint32_t *seed, ferry_form *form, struct bytes *expected, const char *dir,
                        struct source *source, bool first)
{
    static const size_t sizes[] = {0, 1, 2, 100, 4095, 70000};
    char name[20];
    char filename[20];
    char path[TEMP_DIR_SIZE + 20];
    size_t size = sizes[chance(seed, 6)];
    char *pattern = malloc(size + 1);
    ferry_error err = {0};
    chance_name(seed, name, sizeof name);
    chance_name(seed, filename, sizeof filename);
    pattern_fill(pattern, size, 0);
    uint32_t kind = chance(seed, 3);
    int result = -1;
    if (kind == 0) {
        result = ferry_form_add_data(form, name, pattern, size, filename, "a/b", &err);
    } else if (kind == 1) {
        snprintf(path, sizeof path, "%s/part", dir);
        assert_true(temp_file_write(path, pattern, size));
        result = ferry_form_add_file(form, name, path, filename, "a/b", &err);
        assert_int_equal(unlink(path), 0); /* it is open */
    } else {
        *source = (struct source){.size = size, .at_once = 1 + chance(seed, 5000)};
        result = ferry_form_add_reader(form, name, read_source, rewind_source, source,
                                       (int64_t)size, filename, "a/b", &err);
    }
    assert_int_equal(result, 0);
    append_text(expected, first ? "--@\r\n" : "\r\n--@\r\n");
    append_text(expected, "Content-Disposition: form-data; name=\"");
    append_escaped(expected, name);
    append_text(expected, "\"; filename=\"");
    append_escaped(expected, filename);
    append_text(expected, "\"\r\nContent-Type: a/b\r\n\r\n");
    bytes_append(expected, pattern, size);
    free(pattern);
}

/* The form's boundary in the place of each "--@" that begins a line of the form's own. */
static struct bytes with_boundary(const struct bytes *expected, const size_t *marks, size_t count,
                                  const char *boundary)
{
    struct bytes out = {0};
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        bytes_append(&out, expected->data + from, marks[i] - from);
        append_text(&out, boundary);
        from = marks[i] + 1;
    }
    bytes_append(&out, expected->data + from, expected->len - from);
    return out;
}

static void try_form(uint32_t seed, const char *dir)
{
    struct source sources[MOST_PARTS];
    size_t marks[MOST_PARTS + 1];
    struct bytes expected = {0};
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", "http://127.0.0.1/");
    size_t count = chance(&seed, MOST_PARTS + 1);
    for (size_t i = 0; i < count; i++) {
        marks[i] = expected.len + (i == 0 ? 2 : 4);
        chance_part(&seed, form, &expected, dir, &sources[i], i == 0);
    }
    marks[count] = expected.len + (count == 0 ? 2 : 4);
    append_text(&expected, count == 0 ? "--@--\r\n" : "\r\n--@--\r\n");
    assert_int_equal(ferry_request_set_form(req, form), 0);
    const char *boundary = strstr(ferry_request_header(req, "Content-Type"), "boundary=") + 9;
    struct bytes wanted = with_boundary(&expected, marks, count + 1, boundary);
    for (int time = 0; time < 3; time++) {
        struct bytes got = read_whole(req, &seed, time == 0 ? 65536 : 50);
        assert_int_equal(got.len, wanted.len);
        assert_int_equal(req->body.len, wanted.len);
        assert_memory_equal(got.data, wanted.data, got.len);
        assert_int_equal(req->body.rewind(req->body.arg), 0);
        bytes_free(&got);
    }
    bytes_free(&wanted);
    bytes_free(&expected);
    ferry_request_free(req);
    ferry_form_free(form);
}

static void test_forms_by_chance(void **state)
{
    char dir[TEMP_DIR_SIZE];
    (void)state;
    assert_true(temp_dir_make(dir));
    for (uint32_t seed = 1; seed <= 60; seed++) {
        try_form(seed, dir);
    }
    temp_dir_remove(dir);
}

/* ---- Large ones ---- */

/* As many bytes as are wanted, which nobody looks at. */
static ssize_t read_vast(void *arg, void *buf, size_t len)
{
    (void)buf;
    *(int64_t *)arg += (int64_t)len;
    return (ssize_t)len;
}

/* A form with a file of that size, and a function that gives that much; and a field behind them. */
static ferry_form *vast_form(const char *path, int64_t file, int64_t given, int64_t *count)
{
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    assert_int_equal(truncate(path, file), 0);
    assert_int_equal(
        ferry_form_add_reader(form, "r", read_vast, NULL, count, given, NULL, NULL, &err), 0);
    assert_int_equal(ferry_form_add_text(form, "between", "it", &err), 0);
    assert_int_equal(ferry_form_add_file(form, "f", path, NULL, NULL, &err), 0);
    return form;
}

static void test_more_than_four_gigabytes(void **state)
{
    (void)state;
    static const int64_t file = (INT64_C(1) << 31) + 5;
    static const int64_t given = (INT64_C(5) << 30) + 7;
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    ferry_error err = {0};
    int64_t count = 0;
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/sparse", dir);
    assert_true(temp_file_write(path, "", 0));
    ferry_request *req = request("POST", "http://127.0.0.1/");
    ferry_form *empty = vast_form(path, 0, 0, &count);
    assert_int_equal(ferry_request_set_form(req, empty), 0);
    int64_t around = req->body.len;
    ferry_form *form = vast_form(path, file, given, &count);
    /* Lengths do not wrap. */
    assert_int_equal(ferry_form_add_reader(form, "r", read_vast, NULL, &count, INT64_MAX - given,
                                           NULL, NULL, &err),
                     -1);
    assert_error(&err, FERRY_EINVAL, "with the field \"r\" the form is too long");
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_int_equal(req->body.len, around + given + file);
    /* What the function gives counts to its last byte, and the next part comes behind it. */
    size_t most = (size_t)1 << 20;
    char *buf = malloc(most);
    ssize_t got = 1;
    while (count < given && got > 0) {
        got = req->body.read(req->body.arg, buf, most);
    }
    assert_int_equal(count, given);
    got = req->body.read(req->body.arg, buf, 300);
    assert_int_equal(got, 300);
    assert_memory_equal(buf, "\r\n--", 4);
    assert_non_null(memmem(buf, 300, "name=\"between\"\r\n\r\nit\r\n--", 24));
    free(buf);
    ferry_request_free(req);
    ferry_form_free(form);
    ferry_form_free(empty);
    temp_dir_remove(dir);
}

static void test_many_parts(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(ferry_form_add_text(form, "n", "v", &err), 0);
    }
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_got(send_and_read(transport_with(state, NULL), req), 200, "");
    struct origin_request seen = origin_request(origin, 0);
    int parts = 0;
    for (const char *at = seen.body; (at = strstr(at, "name=\"n\"\r\n\r\nv\r\n--")) != NULL; at++) {
        parts++;
    }
    assert_int_equal(parts, 1000);
    ferry_request_free(req);
    ferry_form_free(form);
}

/* ---- What goes wrong ---- */

/* The last call of read failed, and says this. */
static void expect_failure(const ferry_request *req, int os_errno, const char *message)
{
    char buf[100];
    ssize_t got;
    while ((got = req->body.read(req->body.arg, buf, sizeof buf)) > 0) {}
    assert_int_equal(got, -1);
    const ferry_error *failure = req->body.failure(req->body.arg);
    assert_int_equal(failure->code, FERRY_EBODY);
    assert_int_equal(failure->os_errno, os_errno);
    assert_string_equal(failure->message, message);
}

static void test_files_that_change(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    char buf[500];
    ferry_error err = {0};
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    assert_true(temp_file_write(path, "0123456789", 10));
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", "http://127.0.0.1/");
    assert_int_equal(ferry_form_add_file(form, "f", path, NULL, NULL, &err), 0);
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_true(temp_file_write(path, "0123456789 and more", 19));
    ssize_t got = req->body.read(req->body.arg, buf, sizeof buf);
    assert_int_equal(got, req->body.len);
    assert_non_null(memmem(buf, (size_t)got, "\r\n\r\n0123456789\r\n--", 18));
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(req->body.rewind(req->body.arg), 0);
    expect_failure(req, 0,
                   "the file of the form's field \"f\" has 4 bytes, and had 10 when it was added");
    ferry_request_free(req);
    ferry_form_free(form);
    temp_dir_remove(dir);
}

static void test_readers_that_fail(void **state)
{
    static const struct {
        struct source source;
        int64_t len;
        int os_errno;
        const char *message;
    } cases[] = {
        {{.size = 3, .at_once = 2},
         5,
         0,
         "the reader of the form's field \"r\" ended after 3 bytes of the 5 announced"},
        {{.size = 3, .at_once = 2, .nature = FAILS},
         5,
         EIO,
         "the reader of the form's field \"r\": input/output error"},
        {{.size = 3, .at_once = 2, .nature = FAILS},
         -1,
         EIO,
         "the reader of the form's field \"r\": input/output error"},
        {{.size = 3, .at_once = 2, .nature = LIES},
         5,
         0,
         "the reader of the form's field \"r\" claims more bytes than there was room for"},
    };
    struct origin *origin = serve_reply(state, OK);
    ferry_client *client = client_with(transport_with(state, NULL), (ferry_client_options){0});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source = cases[i].source;
        char message[200];
        ferry_error err = {0};
        ferry_form *form = ferry_form_new(&err);
        ferry_request *req = request("POST", origin_url(origin, "/"));
        assert_int_equal(ferry_form_add_reader(form, "r", read_source, rewind_source, &source,
                                               cases[i].len, NULL, NULL, &err),
                         0);
        assert_int_equal(ferry_request_set_form(req, form), 0);
        expect_failure(req, cases[i].os_errno, cases[i].message);
        assert_int_equal(req->body.rewind(req->body.arg), 0);
        snprintf(message, sizeof message, "reading the request's body: %s", cases[i].message);
        fails(client, req, FERRY_EBODY, message);
        char buf[100]; /* a round tripper that reads it is told the same */
        ssize_t got;
        while ((got = ferry_request_read_body(req, buf, sizeof buf, &err)) > 0) {}
        assert_int_equal(got, -1);
        assert_int_equal(err.code, FERRY_EBODY);
        assert_int_equal(err.os_errno, cases[i].os_errno);
        assert_string_equal(err.message, message);
        ferry_request_free(req);
        ferry_form_free(form);
    }
    ferry_client_free(client);
}

static void test_refused_parts(void **state)
{
    (void)state;
    ferry_error err = {0};
    struct source source = {0};
    ferry_form *form = ferry_form_new(&err);
    assert_int_equal(ferry_form_add_text(form, NULL, "v", &err), -1);
    assert_error(&err, FERRY_EINVAL, "a form's field without a name");
    assert_int_equal(ferry_form_add_text(NULL, "n", "v", &err), -1);
    assert_error(&err, FERRY_EINVAL, "a form's field without a form");
    assert_int_equal(ferry_form_add_data(form, "n", NULL, 1, NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "1 bytes without its bytes");
    assert_int_equal(ferry_form_add_data(form, "n", "x", SIZE_MAX, NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "are too many");
    assert_int_equal(ferry_form_add_file(form, "n", NULL, NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "the path of a form's file");
    assert_int_equal(ferry_form_add_reader(form, "n", NULL, NULL, &source, 1, NULL, NULL, &err),
                     -1);
    assert_error(&err, FERRY_EINVAL, "a reader without a function");
    assert_int_equal(
        ferry_form_add_reader(form, "n", read_source, NULL, &source, -2, NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "a length below -1");
    ferry_request *req = request("POST", "http://127.0.0.1/");
    assert_int_equal(ferry_request_set_form(req, NULL), -1);
    assert_null(ferry_client_do(NULL, req, &err));
    assert_error(&err, FERRY_EINVAL, "a form that there is not");
    ferry_request_free(req);
    ferry_form_free(form);
}

/* ---- On the wire, and again ---- */

/* A length that nobody knows is sent chunked; the pieces are what the reader gave. */
static void test_reader_of_unknown_length(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    ferry_transport *transport = transport_with(state, NULL);
    struct source source = {.size = 12, .at_once = 5};
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_form_add_reader(form, "r", read_source, NULL, &source, -1, "name",
                                           "text/plain", &err),
                     0);
    assert_int_equal(ferry_form_add_text(form, "after", "it", &err), 0);
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_false(fy_request_rewindable(req));
    assert_got(send_and_read(transport, req), 200, "");
    struct origin_request seen = origin_request(origin, 0);
    assert_non_null(strstr(seen.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(seen.head, "Content-Length"));
    char *content = memmem(seen.body, seen.body_len, "\r\n\r\n", 4);
    assert_int_equal(pattern_match(content + 4, 12, 0), 12);
    assert_non_null(memmem(seen.raw_body, seen.raw_body_len, "\r\n5\r\n", 5));
    assert_non_null(memmem(seen.raw_body, seen.raw_body_len, "\r\n2\r\n", 5));
    assert_non_null(strstr(content + 16, "name=\"after\"\r\n\r\nit\r\n--"));
    /* It cannot be had again, in this request or in another. */
    assert_failed(send_and_read(transport, req), FERRY_EBODY, "cannot be rewound");
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_failed(send_and_read(transport, req), FERRY_EBODY, "cannot be rewound");
    ferry_request_free(req);
    ferry_form_free(form);
}

/* What is added once a request has the form is for when it is set again. */
static void test_added_after_it_was_set(void **state)
{
    struct origin *origin = serve_reply(state, OK);
    ferry_transport *transport = transport_with(state, NULL);
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_form_add_text(form, "a", "1", &err), 0);
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_int_equal(ferry_form_add_field(form, "X-Late", "1", &err), 0);
    assert_int_equal(ferry_form_add_field(form, "X-Later", "2", &err), 0);
    assert_int_equal(ferry_form_add_text(form, "b", "2", &err), 0);
    assert_int_equal(ferry_form_add_field(form, "X-B", "3", &err), 0);
    assert_got(send_and_read(transport, req), 200, "");
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_got(send_and_read(transport, req), 200, "");
    struct origin_request first = origin_request(origin, 0);
    struct origin_request second = origin_request(origin, 1);
    assert_null(strstr(first.body, "name=\"b\""));
    assert_null(strstr(first.body, "X-Late"));
    assert_string_equal(first.body + first.body_len - 4, "--\r\n");
    assert_non_null(strstr(second.body, "name=\"a\"\r\nX-Late: 1\r\nX-Later: 2\r\n\r\n1\r\n--"));
    assert_non_null(strstr(second.body, "name=\"b\"\r\nX-B: 3\r\n\r\n2\r\n--"));
    assert_string_equal(second.body + second.body_len - 4, "--\r\n");
    ferry_request_free(req);
    ferry_form_free(form);
}

/* A 307 has the form sent again from its beginning, readers and all; one that cannot be read again
 * is not sent again, and the redirect is the response. */
static void test_sent_again_after_307(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = OK},
    };
    for (int once = 0; once < 2; once++) {
        struct origin *origin = serve_replies(state, replies, 2);
        ferry_transport *transport = transport_with(state, NULL);
        ferry_client *client = client_with(transport, (ferry_client_options){0});
        struct source source = {.size = 100000, .at_once = 3000};
        ferry_error err = {0};
        ferry_form *form = ferry_form_new(&err);
        ferry_request *req = request("POST", origin_url(origin, "/a"));
        assert_int_equal(ferry_form_add_text(form, "a", "1", &err), 0);
        assert_int_equal(ferry_form_add_reader(form, "r", read_source, once ? NULL : rewind_source,
                                               &source, 100000, NULL, NULL, &err),
                         0);
        assert_int_equal(ferry_request_set_form(req, form), 0);
        assert_got(do_request(client, req), once ? 307 : 200, "");
        assert_int_equal(source.rewinds, once ? 0 : 1);
        assert_int_equal(origin_counts(origin).requests, once ? 1 : 2);
        if (!once) {
            struct origin_request first = origin_request(origin, 0);
            struct origin_request second = origin_request(origin, 1);
            assert_int_equal(strncmp(second.head, "POST /b ", 8), 0);
            assert_int_equal(first.body_len, second.body_len);
            assert_memory_equal(first.body, second.body, first.body_len);
            assert_true(second.complete);
        }
        ferry_request_free(req);
        ferry_form_free(form);
        ferry_client_free(client);
        transport_done(state, transport);
    }
}

/* The first connection serves one request, and dies of the second once it has read it. */
static void serve_one_then_die(struct origin_conn *conn, void *arg)
{
    (void)arg;
    for (int i = 0; origin_read_request(conn); i++) {
        if (i == 1 && origin_conn_serial(conn) == 1) {
            return;
        }
        origin_send_text(conn, OK);
    }
}

/* A body that was sent on a connection which turned out to be dead is sent again, whole, whatever
 * it is made of. RQ-041: and without the caller's doing. */
static void test_RQ_041_sent_again_on_another_connection(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    static const ferry_field fields[] = {{"a", "1"}, {"b", "2"}};
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    assert_true(temp_file_write(path, "in a file", 9));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (int kind = 0; kind < 4; kind++) {
        struct origin *origin = serve_with(state, serve_one_then_die, NULL);
        ferry_transport *transport = transport_with(state, NULL);
        struct source source = {.size = 5000, .at_once = 3000};
        ferry_error err = {0};
        ferry_form *form = ferry_form_new(&err);
        assert_int_equal(ferry_form_add_file(form, "f", path, NULL, NULL, &err), 0);
        assert_int_equal(ferry_form_add_reader(form, "r", read_source, rewind_source, &source, 5000,
                                               NULL, NULL, &err),
                         0);
        ferry_request *req = request("POST", origin_url(origin, "/"));
        ferry_request_set_header(req, "Idempotency-Key", "1");
        switch (kind) {
        case 0: ferry_request_set_body(req, "in memory", 9); break;
        case 1: ferry_request_set_body_fd(req, fd, 0, -1); break;
        case 2: ferry_request_set_urlencoded(req, fields, 2); break;
        default: ferry_request_set_form(req, form); break;
        }
        for (int i = 0; i < 2; i++) {
            assert_got(send_and_read(transport, req), 200, "");
        }
        assert_int_equal(stats_of(transport).retries, 1);
        assert_int_equal(origin_counts(origin).accepted, 2);
        struct origin_request first = origin_request(origin, 0);
        assert_true(first.body_len >= 7);
        for (size_t i = 1; i < 3; i++) {
            struct origin_request again = origin_request(origin, i);
            assert_int_equal(again.body_len, first.body_len);
            assert_memory_equal(again.body, first.body, first.body_len);
        }
        ferry_request_free(req);
        ferry_form_free(form);
        transport_done(state, transport);
    }
    close(fd);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_by_chance),
        cmocka_unit_test(test_more_than_four_gigabytes),
        TRANSPORT_TEST(test_many_parts),
        cmocka_unit_test(test_files_that_change),
        TRANSPORT_TEST(test_readers_that_fail),
        cmocka_unit_test(test_refused_parts),
        TRANSPORT_TEST(test_reader_of_unknown_length),
        TRANSPORT_TEST(test_added_after_it_was_set),
        TRANSPORT_TEST(test_sent_again_after_307),
        TRANSPORT_TEST(test_RQ_041_sent_again_on_another_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
