/*
 * Forms: what they look like on the wire, and that they can be sent again.
 */
#include "transport_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bytes.h"
#include "http/request.h"
#include "temp_dir.h"

static void test_urlencode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *encoded;
    } cases[] = {
        {BYTES(""), ""},
        {BYTES("azAZ09*-._"), "azAZ09*-._"},
        {BYTES("a b"), "a+b"},
        {BYTES("a+b&c=d"), "a%2Bb%26c%3Dd"},
        {BYTES("\r\n\0~"), "%0D%0A%00%7E"},
        {BYTES("\xc3\xa4"), "%C3%A4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *encoded = ferry_urlencode(cases[i].text, cases[i].len);
        assert_string_equal(encoded, cases[i].encoded);
        free(encoded);
    }
    const ferry_field fields[] = {{"a", NULL}, {"b", "1"}, {NULL, "2"}};
    char *encoded = ferry_urlencode_fields(fields, 3);
    assert_string_equal(encoded, "a=&b=1&=2");
    free(encoded);
    assert_int_equal(ferry_request_set_urlencoded(NULL, fields, 3), -1);
}

/* CL-006: method, type, length, and the order of a field's values. */
static void test_CL_006_form_post(void **state)
{
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    static const ferry_field fields[] = {{"colour", "red"}, {"colour", "dark blue"}, {"n", "1"}};
    assert_int_equal(ferry_request_set_urlencoded(req, fields, 1), 0);
    assert_int_equal(ferry_request_set_urlencoded(req, fields, 3), 0);
    assert_int_equal(req->body.len, 31);
    assert_false(req->close);
    for (size_t i = 0; i < 2; i++) {
        assert_got(send_and_read(transport, req), 200, "");
        struct origin_request seen = origin_request(origin, i);
        assert_int_equal(strncmp(seen.head, "POST / HTTP/1.1\r\n", 17), 0);
        assert_non_null(
            strstr(seen.head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
        assert_non_null(strstr(seen.head, "\r\nContent-Length: 31\r\n"));
        assert_null(strstr(seen.head, "Connection:"));
        assert_string_equal(seen.body, "colour=red&colour=dark+blue&n=1");
    }
    ferry_request_free(req);
    ferry_error err = {0};
    ferry_response *res = ferry_post_form(origin_url(origin, "/"), fields, 2, &err);
    assert_non_null(res);
    ferry_response_close(res);
    struct origin_request posted = origin_request(origin, 2);
    assert_int_equal(strncmp(posted.head, "POST / HTTP/1.1\r\n", 17), 0);
    assert_non_null(strstr(posted.head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_non_null(strstr(posted.head, "\r\nContent-Length: 27\r\n"));
    assert_null(strstr(posted.head, "Connection:"));
    assert_string_equal(posted.body, "colour=red&colour=dark+blue");
    ferry_transport_close_idle(NULL);
}

/* The boundary is a new one each time: the tests look it up in the head. */
static const char *expected(const char *head, const char *format, char *out, size_t size)
{
    char boundary[40] = "";
    const char *at = strstr(head, "multipart/form-data; boundary=");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "multipart/form-data; boundary=%39[0-9a-f]", boundary), 1);
    assert_int_equal(strlen(boundary), 32);
    size_t used = 0;
    for (; *format != '\0' && used + sizeof boundary < size; format++) {
        if (*format == '@') {
            used += (size_t)sprintf(out + used, "%s", boundary);
        } else {
            out[used++] = *format;
        }
    }
    out[used] = '\0';
    return out;
}

static void test_multipart(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[200];
    char wanted[2000];
    ferry_error err = {0};
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/notes.txt", dir);
    assert_true(temp_file_write(path, "in a file", 9));
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_form *form = ferry_form_new(&err);
    assert_int_equal(ferry_form_add_text(form, "plain", "a value", &err), 0);
    assert_int_equal(ferry_form_add_text(form, "od\"d\r\nX: y", "", &err), 0);
    assert_int_equal(ferry_form_add_file(form, "file", path, NULL, NULL, &err), 0);
    assert_int_equal(ferry_form_add_file(form, "file", path, "an\"other", "text/plain", &err), 0);
    assert_int_equal(ferry_form_add_data(form, "data", "{}", 2, NULL, "application/json", &err), 0);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_true(fy_request_rewindable(req));
    for (size_t i = 0; i < 2; i++) {
        assert_got(send_and_read(transport, req), 200, "");
        struct origin_request seen = origin_request(origin, i);
        assert_null(strstr(seen.head, "chunked"));
        assert_string_equal(
            seen.body,
            expected(seen.head,
                     "--@\r\nContent-Disposition: form-data; name=\"plain\"\r\n\r\na value\r\n"
                     "--@\r\nContent-Disposition: form-data; name=\"od%22d%0D%0AX: y\"\r\n\r\n\r\n"
                     "--@\r\nContent-Disposition: form-data; name=\"file\"; "
                     "filename=\"notes.txt\"\r\nContent-Type: "
                     "application/octet-stream\r\n\r\nin a file\r\n"
                     "--@\r\nContent-Disposition: form-data; name=\"file\"; "
                     "filename=\"an%22other\"\r\nContent-Type: text/plain\r\n\r\nin a file\r\n"
                     "--@\r\nContent-Disposition: form-data; name=\"data\"\r\n"
                     "Content-Type: application/json\r\n\r\n{}\r\n--@--\r\n",
                     wanted, sizeof wanted));
    }
    ferry_request_free(req);
    ferry_form_free(form);
    temp_dir_remove(dir);
}

static void test_empty_and_large_forms(void **state)
{
    char dir[TEMP_DIR_SIZE];
    char path[200];
    char wanted[200];
    ferry_error err = {0};
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_form *form = ferry_form_new(&err);
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_got(send_and_read(transport, req), 200, "");
    assert_string_equal(origin_request(origin, 0).body,
                        expected(origin_request(origin, 0).head, "--@--\r\n", wanted, 200));
    size_t len = (size_t)1 << 20;
    char *pattern = malloc(len);
    pattern_fill(pattern, len, 0);
    assert_true(temp_dir_make(dir));
    snprintf(path, sizeof path, "%s/large", dir);
    assert_true(temp_file_write(path, pattern, len));
    assert_int_equal(ferry_form_add_file(form, "large", path, NULL, NULL, &err), 0);
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_got(send_and_read(transport, req), 200, "");
    struct origin_request seen = origin_request(origin, 1);
    const char *content = memmem(seen.body, seen.body_len, "\r\n\r\n", 4);
    assert_non_null(content);
    assert_int_equal(pattern_match(content + 4, len, 0), len);
    /* A file that has become shorter is an error of the send. */
    assert_int_equal(truncate(path, 100), 0);
    struct outcome outcome = send_and_read(transport, req);
    assert_failed(outcome, FERRY_EBODY, "reading the request's body");
    ferry_request_free(req);
    ferry_form_free(form);
    temp_dir_remove(dir);
    free(pattern);
}

static void test_fields_of_parts(void **state)
{
    char wanted[1000];
    ferry_error err = {0};
    struct origin *origin = serve_reply(state, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ferry_transport *transport = transport_with(state, NULL);
    ferry_form *form = ferry_form_new(&err);
    assert_int_equal(ferry_form_add_field(form, "X-A", "1", &err), -1);
    assert_error(&err, FERRY_EINVAL, "part that there is not");
    assert_int_equal(ferry_form_add_text(form, "a", "one", &err), 0);
    assert_int_equal(ferry_form_add_field(form, "X-A", "1", &err), 0);
    assert_int_equal(ferry_form_add_field(form, "X-B", "", &err), 0);
    assert_int_equal(ferry_form_add_text(form, "b", "two", &err), 0);
    assert_int_equal(ferry_form_add_field(form, "bad name", "1", &err), -1);
    assert_int_equal(ferry_form_add_field(form, "X-A", "1\r\nX: y", &err), -1);
    assert_error(&err, FERRY_EINVAL, "control byte");
    ferry_request *req = request("POST", origin_url(origin, "/"));
    assert_int_equal(ferry_request_set_form(req, form), 0);
    assert_got(send_and_read(transport, req), 200, "");
    struct origin_request seen = origin_request(origin, 0);
    assert_null(strstr(seen.head, "chunked"));
    assert_string_equal(
        seen.body,
        expected(
            seen.head,
            "--@\r\nContent-Disposition: form-data; name=\"a\"\r\nX-A: 1\r\nX-B: \r\n\r\none\r\n"
            "--@\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\ntwo\r\n--@--\r\n",
            wanted, sizeof wanted));
    ferry_request_free(req);
    ferry_form_free(form);
}

static void test_refused_parts(void **state)
{
    (void)state;
    ferry_error err = {0};
    ferry_form *form = ferry_form_new(&err);
    assert_int_equal(ferry_form_add_data(form, "a", "b", 1, NULL, "text/plain\r\nX: y", &err), -1);
    assert_error(&err, FERRY_EINVAL, "has a control byte in it");
    assert_int_equal(ferry_form_add_file(form, "a", "/nonexistent/file", NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EBODY, "/nonexistent/file: no such file");
    assert_int_equal(ferry_form_add_file(form, "a", "/", NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "is no regular file");
    assert_int_equal(ferry_form_add_text(form, "a", NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "the form's field \"a\" without a value");
    assert_int_equal(ferry_form_add_text(form, NULL, NULL, &err), -1);
    assert_error(&err, FERRY_EINVAL, "without a name");
    ferry_form_free(form);
    ferry_form_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urlencode),     TRANSPORT_TEST(test_CL_006_form_post),
        TRANSPORT_TEST(test_multipart),       TRANSPORT_TEST(test_empty_and_large_forms),
        TRANSPORT_TEST(test_fields_of_parts), cmocka_unit_test(test_refused_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
