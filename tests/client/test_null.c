/*
 * NULL for each pointer of each public function in turn, as ferry.h's conventions have it. A function
 * without a row here, or a pointer that no row has passed NULL for, fails the last test.
 */
#include "null_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ferry_test.h>

/* ------------------------------------------------------------------------------------- responses */

static void test_null_response(void **state)
{
    ferry_error err;
    const char *name = "";
    const char *value = "";
    char byte;
    size_t len;
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    (void)state;
    GIVES(0, ferry_response_status, (NULL));
    SAYS("", ferry_response_reason, (NULL));
    SAYS("", ferry_response_proto, (NULL));
    SAYS("", ferry_response_url, (NULL));
    BRINGS_NONE(ferry_response_location, (NULL, &err));
    NOTHING(ferry_response_location, (NULL, NULL));
    GIVES(0, ferry_response_decoded, (NULL));
    GIVES(-1, ferry_response_length, (NULL));
    NOTHING(ferry_response_header, (NULL, "Date"));
    GIVES(0, ferry_response_header_count, (NULL));
    DOES(ferry_response_header_at, (NULL, 0, &name, &value));
    assert_true(name == NULL && value == NULL);
    info.version = "stale";
    GIVES(0, ferry_response_tls, (NULL, &info));
    assert_null(info.version);
    assert_int_equal(info.size, sizeof info);
    NOTHING(ferry_response_trailer, (NULL, "Digest"));
    GIVES(0, ferry_response_trailer_count, (NULL));
    name = value = "";
    DOES(ferry_response_trailer_at, (NULL, 0, &name, &value));
    assert_true(name == NULL && value == NULL);
    DOES(ferry_response_close, (NULL));
    FAILS(ferry_response_read, (NULL, &byte, 1, &err));
    GIVES(-1, ferry_response_read, (NULL, &byte, 1, NULL));
    BRINGS_NONE(ferry_response_read_all, (NULL, 1, &len, &err));
    NOTHING(ferry_response_read_all, (NULL, 1, NULL, NULL));
    FAILS(ferry_response_save, (NULL, 1, &err));
    GIVES(-1, ferry_response_save, (NULL, 1, NULL));
    FAILS(ferry_response_write, (NULL, "x", 1, &err));
    GIVES(-1, ferry_response_write, (NULL, "x", 1, NULL));
    GIVES(-1, ferry_response_add_header, (NULL, "Name", "value"));
}

static void test_null_to_a_response(void **state)
{
    ferry_error err;
    const char *name;
    char byte;
    ferry_response *res;
    (void)state;
    NOTHING(ferry_response_new, (200, NULL, 1));
    BRINGS(res, ferry_response_new, (200, NULL, 0));
    ferry_response_close(res);
    res = ferry_response_new(200, "ab", 2);
    GIVES(-1, ferry_response_add_header, (res, NULL, "value"));
    GIVES(-1, ferry_response_add_header, (res, "Name", NULL));
    GIVES(0, ferry_response_add_header, (res, "Name", "value"));
    NOTHING(ferry_response_header, (res, NULL));
    DOES(ferry_response_header_at, (res, 0, &name, NULL));
    assert_string_equal(name, "Name");
    DOES(ferry_response_header_at, (res, 0, NULL, &name));
    assert_string_equal(name, "value");
    GIVES(0, ferry_response_tls, (res, NULL));
    FAILS(ferry_response_read, (res, NULL, 1, &err));
    GIVES(1, ferry_response_read, (res, &byte, 1, NULL)); /* the refusal is not the body's end */
    FAILS(ferry_response_write, (res, NULL, 1, &err));
    char *rest = ferry_response_read_all(res, 10, NULL, NULL);
    assert_string_equal(rest, "b");
    free(rest);
    NOTHING(ferry_response_trailer, (res, NULL));
    DOES(ferry_response_trailer_at, (res, 0, &name, NULL));
    DOES(ferry_response_trailer_at, (res, 0, NULL, &name));
    ferry_response_close(res);
}

/* -------------------------------------------------------------------------------------- requests */

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

static void do_nothing(void *arg)
{
    (void)arg;
}

static void test_null_request(void **state)
{
    ferry_error err;
    char byte;
    const ferry_field field = {"a", "b"};
    ferry_context *context = ferry_context_new(-1);
    ferry_form *form = ferry_form_new(NULL);
    (void)state;
    DOES(ferry_request_free, (NULL));
    SAYS("", ferry_request_method, (NULL));
    SAYS("", ferry_request_url, (NULL));
    NOTHING(ferry_request_header, (NULL, "Date"));
    GIVES(0, ferry_request_body_length, (NULL));
    FAILS(ferry_request_read_body, (NULL, &byte, 1, &err));
    GIVES(-1, ferry_request_read_body, (NULL, &byte, 1, NULL));
    GIVES(-1, ferry_request_time_left, (NULL));
    FAILS(ferry_request_sleep, (NULL, 0, &err));
    GIVES(-1, ferry_request_sleep, (NULL, 0, NULL));
    GIVES(-1, ferry_request_set_header, (NULL, "Name", "value"));
    GIVES(-1, ferry_request_add_header, (NULL, "Name", "value"));
    GIVES(-1, ferry_request_set_body, (NULL, "x", 1));
    GIVES(-1, ferry_request_set_body_fd, (NULL, 0, 0, 0));
    GIVES(-1, ferry_request_set_body_reader, (NULL, read_nothing, rewind_nothing, &byte, -1));
    GIVES(-1, ferry_request_set_trailer, (NULL, "Name", "value"));
    NOTHING(ferry_request_trailer, (NULL, "Name"));
    DOES(ferry_request_set_body_done, (NULL, do_nothing, &byte));
    DOES(ferry_request_set_timeout, (NULL, 1));
    DOES(ferry_request_set_close, (NULL, 1));
    GIVES(-1, ferry_request_set_target, (NULL, "*"));
    DOES(ferry_request_set_http_1_0, (NULL, 1));
    DOES(ferry_request_set_raw_body, (NULL, 1));
    DOES(ferry_request_set_context, (NULL, context));
    GIVES(-1, ferry_request_set_basic_auth, (NULL, "user", "password"));
    GIVES(-1, ferry_request_set_bearer, (NULL, "token"));
    GIVES(-1, ferry_request_add_cookie, (NULL, "name", "value"));
    DOES(ferry_request_set_trace, (NULL, FERRY_TRACE(), &byte));
    GIVES(-1, ferry_request_set_urlencoded, (NULL, &field, 1));
    GIVES(-1, ferry_request_set_form, (NULL, form));
    ferry_form_free(form);
    ferry_context_free(context);
}

/* What a setter has refused is told by the send, in a sentence. */
static void assert_refused(ferry_request *req)
{
    ferry_error err = {0};
    assert_null(ferry_client_do(NULL, req, &err));
    assert_int_equal(err.code, FERRY_EINVAL);
    assert_string_not_equal(err.message, "");
    ferry_request_free(req);
}

/* Nobody speaks it: a send gets as far as that, and to no network. */
#define URL "nothing://nowhere/"

#define REFUSES(function, arguments)    \
    do {                                \
        req = request(NULL, URL);       \
        GIVES(-1, function, arguments); \
        assert_refused(req);            \
    } while (0)

static void test_null_to_a_request(void **state)
{
    ferry_error err;
    char byte;
    ferry_request *req;
    (void)state;
    BRINGS(req, ferry_request_new, (NULL, URL, NULL));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_request_new, ("GET", NULL, &err));
    NOTHING(ferry_request_header, (req, NULL));
    NOTHING(ferry_request_trailer, (req, NULL));
    GIVES(0, ferry_request_sleep, (req, 0, NULL));
    GIVES(0, ferry_request_set_header, (req, "Name", NULL));
    GIVES(0, ferry_request_set_body, (req, NULL, 0));
    GIVES(0, ferry_request_set_trailer, (req, "Name", NULL));
    GIVES(0, ferry_request_set_trailer, (req, NULL, "value"));
    DOES(ferry_request_set_body_done, (req, NULL, &byte));
    DOES(ferry_request_set_body_done, (req, do_nothing, NULL));
    GIVES(0, ferry_request_set_target, (req, NULL));
    DOES(ferry_request_set_context, (req, NULL));
    GIVES(0, ferry_request_set_basic_auth, (req, NULL, "password"));
    GIVES(0, ferry_request_set_basic_auth, (req, "user", NULL));
    GIVES(0, ferry_request_set_bearer, (req, NULL));
    DOES(ferry_request_set_trace, (req, NULL, &byte));
    DOES(ferry_request_set_trace, (req, FERRY_TRACE(), NULL));
    GIVES(0, ferry_request_set_urlencoded, (req, NULL, 0));
    GIVES(0, ferry_request_set_body_reader, (req, read_nothing, NULL, NULL, -1));
    GIVES(0, ferry_request_read_body, (req, &byte, 1, NULL));
    GIVES(0, ferry_request_set_body, (req, "x", 1));
    FAILS(ferry_request_read_body, (req, NULL, 1, &err));
    BRINGS_NONE_WITH(FERRY_ESCHEME, ferry_client_do, (NULL, req, &err));
    ferry_request_free(req);

    REFUSES(ferry_request_set_header, (req, NULL, "value"));
    REFUSES(ferry_request_add_header, (req, NULL, "value"));
    REFUSES(ferry_request_add_header, (req, "Name", NULL));
    REFUSES(ferry_request_set_body, (req, NULL, 1));
    REFUSES(ferry_request_set_body_reader, (req, NULL, rewind_nothing, &byte, -1));
    REFUSES(ferry_request_add_cookie, (req, NULL, "value"));
    REFUSES(ferry_request_add_cookie, (req, "name", NULL));
    REFUSES(ferry_request_set_urlencoded, (req, NULL, 1));
    REFUSES(ferry_request_set_form, (req, NULL));
}

/* ----------------------------------------------------------------------------------------- sends */

static void test_null_send(void **state)
{
    ferry_error err;
    const ferry_field field = {"a", "b"};
    const ferry_round_tripper no_function = {0};
    ferry_client *client;
    ferry_transport *transport;
    (void)state;
    BRINGS_NONE_WITH(FERRY_EURL, ferry_get, (NULL, &err));
    NOTHING(ferry_get, (URL, NULL));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_head, (NULL, &err));
    NOTHING(ferry_head, (URL, NULL));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_post, (NULL, "text/plain", "x", 1, &err));
    BRINGS_NONE_WITH(FERRY_ESCHEME, ferry_post, (URL, NULL, "x", 1, &err));
    BRINGS_NONE(ferry_post, (URL, "text/plain", NULL, 1, &err));
    NOTHING(ferry_post, (URL, "text/plain", "x", 1, NULL));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_post_form, (NULL, &field, 1, &err));
    BRINGS_NONE(ferry_post_form, (URL, NULL, 1, &err));
    NOTHING(ferry_post_form, (URL, &field, 1, NULL));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_get_at, (NULL, &err, NULL, 0));
    NOTHING(ferry_get_at, (URL, NULL, __FILE__, __LINE__));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_head_at, (NULL, &err, NULL, 0));
    NOTHING(ferry_head_at, (URL, NULL, __FILE__, __LINE__));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_post_at, (NULL, NULL, "x", 1, &err, NULL, 0));
    BRINGS_NONE(ferry_post_at, (URL, "text/plain", NULL, 1, &err, __FILE__, __LINE__));
    NOTHING(ferry_post_at, (URL, "text/plain", "x", 1, NULL, __FILE__, __LINE__));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_post_form_at, (NULL, &field, 1, &err, NULL, 0));
    BRINGS_NONE(ferry_post_form_at, (URL, NULL, 1, &err, __FILE__, __LINE__));
    NOTHING(ferry_post_form_at, (URL, &field, 1, NULL, __FILE__, __LINE__));

    ferry_request *req = request("GET", URL);
    BRINGS(client, ferry_client_new, (NULL));
    BRINGS(transport, ferry_transport_new, (NULL));
    BRINGS_NONE(ferry_client_do, (client, NULL, &err));
    NOTHING(ferry_client_do, (client, req, NULL));
    BRINGS_NONE(ferry_client_do_at, (client, NULL, &err, NULL, 0));
    NOTHING(ferry_client_do_at, (NULL, req, NULL, __FILE__, __LINE__));
    BRINGS_NONE(ferry_transport_round_trip, (transport, NULL, &err));
    NOTHING(ferry_transport_round_trip, (NULL, req, NULL));
    BRINGS_NONE(ferry_transport_round_trip_at, (transport, NULL, &err, NULL, 0));
    NOTHING(ferry_transport_round_trip_at, (NULL, req, NULL, __FILE__, __LINE__));
    ferry_client_free(client);
    ferry_transport_free(transport);

    /* What was to keep requests from the network does not let them out to it. */
    client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &no_function));
    BRINGS_NONE(ferry_client_do, (client, req, &err));
    assert_non_null(strstr(err.message, "round tripper"));
    ferry_client_free(client);
    ferry_request_free(req);
}

static void count_host(void *arg, const ferry_host_stats *stats)
{
    (void)stats;
    ++*(size_t *)arg;
}

static void test_null_client_and_transport(void **state)
{
    size_t hosts = 0;
    ferry_stats stats = FERRY_STATS_INIT;
    (void)state;
    DOES(ferry_client_free, (NULL));
    DOES(ferry_transport_free, (NULL));
    DOES(ferry_transport_close_idle, (NULL));
    DOES(ferry_transport_flush_dns, (NULL));
    DOES(ferry_transport_stats, (NULL, &stats));
    DOES(ferry_transport_stats, (ferry_default_transport(), NULL));
    size_t counted = ferry_transport_each_host(ferry_default_transport(), count_host, &hosts);
    GIVES(counted, ferry_transport_each_host, (NULL, NULL, NULL));
    assert_int_equal(hosts, counted);
    GIVES(-1, ferry_histogram_quantile, (NULL, 0.5));
    DOES(ferry_context_cancel, (NULL));
    GIVES(0, ferry_context_error, (NULL));
    DOES(ferry_context_free, (NULL));
}

/* Lengths whose bytes are NULL, in options, are told by the requests that they are for. */
static void test_null_in_options(void **state)
{
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.ca_len = 10), .proxy = "", .dial = NULL));
    (void)state;
    assert_failed(get(transport, "https://127.0.0.1:1/"), FERRY_EINVAL, "NULL");
    ferry_transport_free(transport);
    transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.tls = FERRY_TLS_OPTIONS(.certificate_len = 10), .proxy = ""));
    assert_failed(get(transport, "https://127.0.0.1:1/"), FERRY_EINVAL, "NULL");
    ferry_transport_free(transport);
    transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.proxy = "http://127.0.0.1:1", .proxy_field_count = 1));
    assert_failed(get(transport, "http://127.0.0.1:1/"), FERRY_EINVAL, "NULL");
    ferry_transport_free(transport);
}

/* ------------------------------------------------------------------------------ jars and stores */

static void see_cookie(void *arg, const ferry_cookie *cookie)
{
    (void)arg;
    (void)cookie;
}

static void test_null_cookie_jar(void **state)
{
    ferry_error err;
    char *text;
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    (void)state;
    DOES(ferry_cookie_jar_free, (NULL));
    FAILS(ferry_cookie_jar_load, (NULL, "/dev/null", &err));
    FAILS(ferry_cookie_jar_load, (jar, NULL, &err));
    GIVES(0, ferry_cookie_jar_load, (jar, "/dev/null", NULL));
    FAILS(ferry_cookie_jar_save, (NULL, "/dev/null", &err));
    FAILS(ferry_cookie_jar_save, (jar, NULL, &err));
    GIVES(0, ferry_cookie_jar_save, (jar, "/dev/null", NULL));
    FAILS(ferry_cookie_jar_set, (NULL, "http://a.test/", "a=1", &err));
    FAILS_WITH(FERRY_EURL, ferry_cookie_jar_set, (jar, NULL, "a=1", &err));
    FAILS(ferry_cookie_jar_set, (jar, "http://a.test/", NULL, &err));
    GIVES(0, ferry_cookie_jar_set, (jar, "http://a.test/", "a=1", NULL));
    BRINGS_NONE(ferry_cookie_jar_get, (NULL, "http://a.test/", &err));
    BRINGS_NONE_WITH(FERRY_EURL, ferry_cookie_jar_get, (jar, NULL, &err));
    BRINGS(text, ferry_cookie_jar_get, (jar, "http://a.test/", NULL));
    assert_string_equal(text, "a=1");
    free(text);
    DOES(ferry_cookie_jar_clear, (NULL));
    GIVES(0, ferry_cookie_jar_count, (NULL));
    GIVES(-1, ferry_cookie_jar_each, (NULL, see_cookie, &err));
    GIVES(-1, ferry_cookie_jar_each, (jar, NULL, &err));
    GIVES(0, ferry_cookie_jar_each, (jar, see_cookie, NULL));
    ferry_cookie_jar_free(jar);
}

static void test_null_hsts_store(void **state)
{
    ferry_error err;
    ferry_hsts *hsts = ferry_hsts_new();
    (void)state;
    DOES(ferry_hsts_free, (NULL));
    FAILS(ferry_hsts_load, (NULL, "/dev/null", &err));
    FAILS(ferry_hsts_load, (hsts, NULL, &err));
    GIVES(0, ferry_hsts_load, (hsts, "/dev/null", NULL));
    FAILS(ferry_hsts_save, (NULL, "/dev/null", &err));
    FAILS(ferry_hsts_save, (hsts, NULL, &err));
    GIVES(0, ferry_hsts_save, (hsts, "/dev/null", NULL));
    FAILS(ferry_hsts_set, (NULL, "https://a.test/", "max-age=9", &err));
    FAILS_WITH(FERRY_EURL, ferry_hsts_set, (hsts, NULL, "max-age=9", &err));
    FAILS(ferry_hsts_set, (hsts, "https://a.test/", NULL, &err));
    GIVES(0, ferry_hsts_set, (hsts, "https://a.test/", "max-age=9", NULL));
    GIVES(0, ferry_hsts_has, (NULL, "a.test"));
    GIVES(0, ferry_hsts_has, (hsts, NULL));
    DOES(ferry_hsts_clear, (NULL));
    GIVES(0, ferry_hsts_count, (NULL));
    ferry_hsts_free(hsts);
}

/* ------------------------------------------------------------------------- forms, event streams */

static void test_null_form(void **state)
{
    ferry_error err;
    char byte;
    char *text;
    ferry_form *form;
    (void)state;
    BRINGS(form, ferry_form_new, (NULL));
    DOES(ferry_form_free, (NULL));
    FAILS(ferry_form_add_field, (form, "Name", "value", &err)); /* of no part */
    FAILS(ferry_form_add_text, (NULL, "a", "b", &err));
    FAILS(ferry_form_add_text, (form, NULL, "b", &err));
    FAILS(ferry_form_add_text, (form, "a", NULL, &err));
    GIVES(0, ferry_form_add_text, (form, "a", "b", NULL));
    FAILS(ferry_form_add_data, (NULL, "a", "b", 1, NULL, NULL, &err));
    FAILS(ferry_form_add_data, (form, NULL, "b", 1, NULL, NULL, &err));
    FAILS(ferry_form_add_data, (form, "a", NULL, 1, NULL, NULL, &err));
    GIVES(0, ferry_form_add_data, (form, "a", "b", 1, NULL, NULL, NULL));
    FAILS(ferry_form_add_file, (NULL, "a", "/dev/null", NULL, NULL, &err));
    FAILS(ferry_form_add_file, (form, NULL, "/dev/null", NULL, NULL, &err));
    FAILS(ferry_form_add_file, (form, "a", NULL, NULL, NULL, &err));
    GIVES(-1, ferry_form_add_file, (form, "a", "/dev/null", NULL, NULL, NULL));
    FAILS(ferry_form_add_reader, (NULL, "a", read_nothing, NULL, &byte, -1, NULL, NULL, &err));
    FAILS(ferry_form_add_reader, (form, NULL, read_nothing, NULL, &byte, -1, NULL, NULL, &err));
    FAILS(ferry_form_add_reader, (form, "a", NULL, NULL, &byte, -1, NULL, NULL, &err));
    GIVES(0, ferry_form_add_reader, (form, "a", read_nothing, NULL, NULL, -1, NULL, NULL, NULL));
    FAILS(ferry_form_add_field, (NULL, "Name", "value", &err));
    FAILS(ferry_form_add_field, (form, NULL, "value", &err));
    FAILS(ferry_form_add_field, (form, "Name", NULL, &err));
    GIVES(0, ferry_form_add_field, (form, "Name", "value", NULL));
    ferry_form_free(form);

    NOTHING(ferry_urlencode, (NULL, 1));
    BRINGS(text, ferry_urlencode, (NULL, 0));
    assert_string_equal(text, "");
    free(text);
    NOTHING(ferry_urlencode_fields, (NULL, 1));
    BRINGS(text, ferry_urlencode_fields, (NULL, 0));
    assert_string_equal(text, "");
    free(text);
}

static void test_null_event_stream(void **state)
{
    ferry_error err;
    ferry_event event;
    ferry_event_stream *stream;
    ferry_client *client = ferry_client_new(NULL);
    ferry_request *req = request("GET", URL);
    (void)state;
    BRINGS_NONE(ferry_event_stream_new, (NULL, &err));
    BRINGS_NONE(ferry_event_stream_open, (client, NULL, 0, &err));
    FAILS(ferry_event_stream_next, (NULL, &event, &err));
    NOTHING(ferry_event_stream_response, (NULL));
    DOES(ferry_event_stream_set_max_event, (NULL, 1));
    SAYS("", ferry_event_stream_last_id, (NULL));
    DOES(ferry_event_stream_free, (NULL));
    BRINGS(stream, ferry_event_stream_open, (NULL, req, 0, NULL));
    FAILS(ferry_event_stream_next, (stream, NULL, &err));
    GIVES(-1, ferry_event_stream_next, (stream, &event, NULL));
    ferry_event_stream_free(stream);
    ferry_request_free(req);
    ferry_client_free(client);
    BRINGS(stream, ferry_event_stream_new, (ferry_response_new(200, "data: a\n\n", 9), NULL));
    FAILS(ferry_event_stream_next, (stream, NULL, &err));
    GIVES(1, ferry_event_stream_next, (stream, &event, NULL));
    assert_string_equal(event.data, "a");
    ferry_event_stream_free(stream);
}

/* -------------------------------------------------------------------- tasks, and being looked at */

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void test_null_task(void **state)
{
    int ran = 0;
    ferry_group *group = ferry_group_new();
    (void)state;
    GIVES(-1, ferry_go, (NULL, &ran));
    assert_int_equal(errno, EINVAL);
    GIVES(0, ferry_go, (do_nothing, NULL));
    GIVES(-1, ferry_go_at, (__FILE__, __LINE__, NULL, &ran));
    GIVES(0, ferry_go_at, (NULL, 0, do_nothing, NULL));
    GIVES(-1, ferry_group_go, (NULL, count_up, &ran));
    GIVES(-1, ferry_group_go, (group, NULL, &ran));
    assert_int_equal(errno, EINVAL);
    GIVES(0, ferry_group_go, (group, do_nothing, NULL));
    GIVES(-1, ferry_group_go_at, (__FILE__, __LINE__, NULL, count_up, &ran));
    GIVES(-1, ferry_group_go_at, (__FILE__, __LINE__, group, NULL, &ran));
    GIVES(0, ferry_group_go_at, (NULL, 0, group, do_nothing, NULL));
    DOES(ferry_group_wait, (NULL));
    DOES(ferry_group_free, (NULL));
    ferry_group_wait(group);
    ferry_group_free(group);
    ferry_yield();
    assert_int_equal(ran, 0);
}

static void test_null_output(void **state)
{
    char *text;
    int saved = dup(2);
    FILE *nowhere = fopen("/dev/null", "w");
    (void)state;
    /* To standard error: that there is something is another test's. */
    dup2(fileno(nowhere), 2);
    DOES(ferry_dump_tasks, (NULL));
    dup2(saved, 2);
    close(saved);
    fclose(nowhere);
    GIVES(-1, ferry_metrics, (NULL));
    assert_int_equal(errno, EINVAL);
    GIVES(0, ferry_open_responses, (NULL));
    BRINGS(text, ferry_open_responses_text, (NULL));
    free(text);
    BRINGS(text, ferry_open_responses_json, (NULL));
    free(text);
}

static void test_null_in_ferry_test_h(void **state)
{
    (void)state;
    GIVES(0, ferry_test_teardown, (NULL));
}

static void test_every_pointer_of_every_function_has_been_null(void **state)
{
    (void)state;
    null_rows_are_complete();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_null_response),
        TRANSPORT_TEST(test_null_to_a_response),
        TRANSPORT_TEST(test_null_request),
        TRANSPORT_TEST(test_null_to_a_request),
        TRANSPORT_TEST(test_null_send),
        TRANSPORT_TEST(test_null_client_and_transport),
        TRANSPORT_TEST(test_null_in_options),
        TRANSPORT_TEST(test_null_cookie_jar),
        TRANSPORT_TEST(test_null_hsts_store),
        TRANSPORT_TEST(test_null_form),
        TRANSPORT_TEST(test_null_event_stream),
        TRANSPORT_TEST(test_null_task),
        TRANSPORT_TEST(test_null_output),
        TRANSPORT_TEST(test_null_in_ferry_test_h),
        TRANSPORT_TEST(test_every_pointer_of_every_function_has_been_null),
    };
    return cmocka_run_group_tests_name("NULL for everything", tests, NULL, NULL);
}
