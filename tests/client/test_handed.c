/*
 * What a round tripper can learn of a request that it is handed: its URL, of whatever scheme; its
 * body; the time that it has. And what a dial function is told of it.
 */
#include "client_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

/* ------------------------------------------------------------------------ a scheme of one's own */

/* Answers "notes://…" by itself and leaves all else to a transport. */
struct notes {
    ferry_transport *transport;
    char url[128];
    int answered;
};

static ferry_response *answer_notes(void *self, ferry_request *req, ferry_error *err)
{
    struct notes *notes = self;
    if (strncmp(ferry_request_url(req), "notes://", 8) != 0) {
        return ferry_transport_round_trip(notes->transport, req, err);
    }
    snprintf(notes->url, sizeof notes->url, "%s", ferry_request_url(req));
    notes->answered++;
    ferry_response *res = ferry_response_new(200, "a note", 6);
    ferry_response_add_header(res, "X-Kept", "yes");
    return res;
}

static void test_TR_048_a_scheme_of_ones_own(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    struct notes notes = {.transport = transport_with(state, NULL)};
    const ferry_round_tripper tripper = {.round_trip = answer_notes, .self = &notes};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = request("GET", "notes://desk:7/today?first#second");
    ferry_error err = {0};
    ferry_response *res = ferry_client_do(client, req, &err);
    assert_non_null(res);
    assert_string_equal(notes.url, "notes://desk:7/today?first");
    assert_string_equal(ferry_response_url(res), "notes://desk:7/today?first");
    assert_string_equal(ferry_response_header(res, "x-kept"), "yes");
    char *body = ferry_response_read_all(res, 100, NULL, &err);
    assert_string_equal(body, "a note");
    free(body);
    ferry_response_close(res);
    ferry_request_free(req);
    assert_got(client_get(client, origin_url(origin, "/")), 204, "");
    assert_int_equal(notes.answered, 1);
    ferry_client_free(client);
    /* A transport, by itself, knows nothing of it. */
    assert_failed(get(notes.transport, "notes://desk/"), FERRY_ESCHEME,
                  "unsupported protocol scheme \"notes\"");
}

/* ------------------------------------------------------------------------------------- its time */

/* Waits until it is told to end, and says so in its own words. */
struct patience {
    int64_t left; /* time left when it was asked */
    int asked;    /* and afterwards */
    int64_t at_end;
    atomic_bool waits;
};

static ferry_response *wait_for_the_end(void *self, ferry_request *req, ferry_error *err)
{
    struct patience *patience = self;
    ferry_error why = {0};
    patience->left = ferry_request_time_left(req);
    patience->waits = true;
    if (ferry_request_sleep(req, -1, &why) == 0) {
        return ferry_response_new(200, "never", 5);
    }
    patience->asked = ferry_request_sleep(req, 0, NULL);
    patience->at_end = ferry_request_time_left(req);
    err->code = why.code;
    snprintf(err->message, sizeof err->message, "no note was written: %.100s", why.message);
    return NULL;
}

static void test_TR_127_the_deadline_reaches_a_round_tripper(void **state)
{
    struct patience patience = {0};
    const ferry_round_tripper tripper = {.round_trip = wait_for_the_end, .self = &patience};
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .timeout_ms = 1));
    (void)state;
    struct outcome outcome = client_get(client, "notes://desk/");
    assert_failed(outcome, FERRY_ETIMEOUT, NULL);
    assert_string_equal(outcome.err.message, "Get \"notes://desk/\": no note was written: client "
                                             "timeout exceeded");
    assert_in_range(patience.left, 0, 1);
    assert_int_equal(patience.asked, -1);
    assert_int_equal(patience.at_end, 0);
    ferry_client_free(client);
}

static void cancel_when_it_waits(void *arg)
{
    void **both = arg;
    struct patience *patience = both[0];
    while (!patience->waits) {
        usleep(1000);
    }
    ferry_context_cancel(both[1]);
}

static void test_a_cancel_reaches_a_round_tripper(void **state)
{
    struct patience patience = {0};
    const ferry_round_tripper tripper = {.round_trip = wait_for_the_end, .self = &patience};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = request("GET", "notes://desk/");
    ferry_context *context = ferry_context_new(-1);
    void *both[] = {&patience, context};
    struct side side = {0};
    (void)state;
    ferry_request_set_context(req, context);
    start_side(&side, cancel_when_it_waits, both);
    assert_failed(do_request(client, req), FERRY_ECANCELED,
                  "no note was written: request canceled");
    end_side(&side);
    assert_int_equal(patience.left, -1);
    assert_int_equal(patience.at_end, 0);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

static ferry_response *tell_time(void *self, ferry_request *req, ferry_error *err)
{
    *(int64_t *)self = ferry_request_time_left(req);
    return ferry_request_sleep(req, 1, err) == 0 ? ferry_response_new(204, NULL, 0) : NULL;
}

/* The nearest of all that there may be. */
static void test_time_left(void **state)
{
    static const struct {
        int64_t client_ms, request_ms, context_ms;
        int64_t low, high;
    } cases[] = {
        {0, 0, -1, -1, -1},
        {600000, 0, -1, 1, 600000},
        {0, 500000, -1, 1, 500000},
        {0, 0, 400000, 1, 400000},
        {600000, 500000, 400000, 1, 400000},
        {400000, 600000, 500000, 1, 400000},
        {500000, 400000, 600000, 1, 400000},
    };
    int64_t told;
    const ferry_round_tripper tripper = {.round_trip = tell_time, .self = &told};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ferry_client *client = ferry_client_new(
            FERRY_CLIENT_OPTIONS(.round_tripper = &tripper, .timeout_ms = cases[i].client_ms));
        ferry_context *context = ferry_context_new(cases[i].context_ms);
        ferry_request *req = request("GET", "notes://desk/");
        ferry_request_set_timeout(req, cases[i].request_ms);
        ferry_request_set_context(req, context);
        assert_got(do_request(client, req), 204, "");
        if (told < cases[i].low || told > cases[i].high) {
            fail_msg("case %zu: %lld ms", i, (long long)told);
        }
        ferry_request_free(req);
        ferry_context_free(context);
        ferry_client_free(client);
    }
}

/* ------------------------------------------------------------------------------------- its body */

/* Reads the body, in bites, and passes the request on. */
struct reader {
    ferry_transport *transport;
    size_t bite;
    bool half; /* stops after a bite */
    int64_t length;
    char seen[256];
    int trips;
    ferry_error err;
};

static ferry_response *read_and_decline(void *self, ferry_request *req, ferry_error *err)
{
    struct reader *reader = self;
    size_t len = 0;
    ssize_t got;
    reader->trips++;
    reader->length = ferry_request_body_length(req);
    while ((got = ferry_request_read_body(req, reader->seen + len, reader->bite, &reader->err)) >
           0) {
        len += (size_t)got;
        if (reader->half) {
            break;
        }
    }
    reader->seen[len] = '\0';
    if (got < 0) {
        *err = reader->err;
        return NULL;
    }
    return ferry_transport_round_trip(reader->transport, req, err);
}

/* Gives what it has, 4 bytes at most at a time. */
struct text {
    const char *bytes;
    size_t at;
    int rewinds;
};

static ssize_t read_text(void *arg, void *buf, size_t len)
{
    struct text *text = arg;
    size_t left = strlen(text->bytes + text->at);
    left = left > 4 ? 4 : left;
    left = left > len ? len : left;
    memcpy(buf, text->bytes + text->at, left);
    text->at += left;
    return (ssize_t)left;
}

static int rewind_text(void *arg)
{
    struct text *text = arg;
    text->at = 0;
    text->rewinds++;
    return 0;
}

#define BODY "the body, all of it"

/* The i-th of all bodies there may be. */
static bool set_body(ferry_request *req, size_t i, struct text *text, FILE *file)
{
    *text = (struct text){.bytes = BODY};
    int64_t len = (int64_t)strlen(BODY);
    switch (i) {
    case 0: return ferry_request_set_body(req, BODY, (size_t)len) == 0;
    case 1: return ferry_request_set_body_fd(req, fileno(file), 2, len) == 0;
    case 2: return ferry_request_set_body_reader(req, read_text, rewind_text, text, len) == 0;
    case 3: return ferry_request_set_body_reader(req, read_text, rewind_text, text, -1) == 0;
    default: return false;
    }
}

static void test_TR_128_declined_after_its_body_was_read(void **state)
{
    static const struct origin_reply replies[] = {
        {.bytes = "HTTP/1.1 307 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = NO_CONTENT},
    };
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("--" BODY "--", file);
    fflush(file);
    for (size_t i = 0; i < 8; i++) {
        struct origin *origin = serve_replies(state, replies, 2);
        struct reader reader = {
            .transport = transport_with(state, NULL), .bite = i % 2 + 3, .half = i >= 4};
        const ferry_round_tripper tripper = {.round_trip = read_and_decline, .self = &reader};
        ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
        ferry_request *req = request("POST", origin_url(origin, "/"));
        struct text text;
        assert_true(set_body(req, i % 4, &text, file));
        assert_got(do_request(client, req), 204, "");
        assert_int_equal(reader.trips, 2); /* the redirect's, too, began at the beginning */
        assert_int_equal(strncmp(reader.seen, BODY, strlen(reader.seen)), 0);
        assert_true(reader.half ? strlen(reader.seen) > 0 : strcmp(reader.seen, BODY) == 0);
        assert_int_equal(reader.length, i % 4 == 3 ? -1 : (int64_t)strlen(BODY));
        assert_string_equal(origin_request(origin, 0).body, BODY);
        assert_string_equal(origin_request(origin, 1).body, BODY);
        ferry_request_free(req);
        ferry_client_free(client);
    }
    fclose(file);
}

/* A body that can be read only once has been. */
static void test_declined_and_not_to_be_read_again(void **state)
{
    struct origin *origin = serve_reply(state, NO_CONTENT);
    struct reader reader = {.transport = transport_with(state, NULL), .bite = 4};
    const ferry_round_tripper tripper = {.round_trip = read_and_decline, .self = &reader};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = request("POST", origin_url(origin, "/"));
    struct text text = {.bytes = BODY};
    assert_int_equal(ferry_request_set_body_reader(req, read_text, NULL, &text, -1), 0);
    fails(client, req, FERRY_EBODY,
          "the request's body has been read and cannot be rewound to be sent again");
    assert_string_equal(reader.seen, BODY);
    fails(client, req, FERRY_EBODY, "the request's body has been read and cannot be rewound");
    assert_int_equal(origin_counts(origin).requests, 0);
    ferry_request_free(req);
    ferry_client_free(client);
}

static ssize_t read_badly(void *arg, void *buf, size_t len)
{
    (void)buf;
    errno = EIO;
    return *(int *)arg == 1 ? -1 : (ssize_t)len + 1;
}

static int refuse_to_rewind(void *arg)
{
    (void)arg;
    return -1;
}

static void test_bodies_that_fail(void **state)
{
    struct reader reader = {.bite = 4};
    const ferry_round_tripper tripper = {.round_trip = read_and_decline, .self = &reader};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &tripper));
    ferry_request *req = request("POST", "notes://desk/");
    struct text text = {.bytes = "short"};
    int way = 1;
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    assert_int_equal(ferry_request_set_body_reader(req, read_badly, NULL, &way, -1), 0);
    fails(client, req, FERRY_EBODY, "reading the request's body: input/output error");
    assert_int_equal(reader.err.os_errno, EIO);
    way = 2;
    assert_int_equal(ferry_request_set_body_reader(req, read_badly, NULL, &way, -1), 0);
    fails(client, req, FERRY_EBODY, "its reader claims more bytes than there was room for");
    assert_int_equal(ferry_request_set_body_reader(req, read_text, refuse_to_rewind, &text, 9), 0);
    fails(client, req, FERRY_EBODY, "the request's body ended after 5 bytes of the 9 announced");
    fails(client, req, FERRY_EBODY, "rewinding the request's body failed");
    fputs("0123456789", file);
    fflush(file);
    assert_int_equal(ferry_request_set_body_fd(req, fileno(file), 0, -1), 0);
    assert_int_equal(ftruncate(fileno(file), 6), 0);
    fails(client, req, FERRY_EBODY, "the request's body: the file ended 4 bytes early");
    assert_string_equal(reader.seen, "012345");
    fclose(file);
    ferry_request_free(req);
    ferry_client_free(client);
}

/* ----------------------------------------------------------------------------- dial functions */

/* Notes what it is told, and connects to nothing. */
struct told {
    ferry_context *context;
    int64_t timeout_ms;
    int64_t request_ms;
    int dials;
};

static int note_and_fail(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct told *told = arg;
    told->context = target->context;
    told->timeout_ms = target->timeout_ms;
    told->request_ms = target->request_ms;
    told->dials++;
    (void)err;
    return -1;
}

static void test_TR_067_CL_051_a_dial_function_is_told(void **state)
{
    struct told told = {0};
    ferry_transport *transport =
        transport_with(state, FERRY_TRANSPORT_OPTIONS(.dial = note_and_fail, .dial_arg = &told));
    ferry_client *client = client_with(transport, (ferry_client_options){.timeout_ms = 5000});
    ferry_request *req = request("GET", "http://example.tld/");
    ferry_context *context = ferry_context_new(-1);
    fails(client, req, FERRY_ECONNECT, "the dial function failed");
    assert_null(told.context);
    assert_in_range(told.request_ms, 1, 5000);
    assert_in_range(told.timeout_ms, 5001, 30000); /* its connection may serve others, later */
    ferry_request_set_context(req, context);
    fails(client, req, FERRY_ECONNECT, "the dial function failed");
    assert_ptr_equal(told.context, context);
    /* Without a client, and without any limit. */
    assert_failed(send_and_read(transport, req), FERRY_ECONNECT, NULL);
    assert_ptr_equal(told.context, context);
    assert_int_equal(told.request_ms, -1);
    ferry_request_set_timeout(req, 4000);
    assert_failed(send_and_read(transport, req), FERRY_ECONNECT, NULL);
    assert_in_range(told.request_ms, 1, 4000);
    assert_int_equal(told.dials, 4);
    ferry_request_free(req);
    ferry_context_free(context);
    ferry_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(test_TR_048_a_scheme_of_ones_own),
        TRANSPORT_TEST(test_TR_127_the_deadline_reaches_a_round_tripper),
        TRANSPORT_TEST(test_a_cancel_reaches_a_round_tripper),
        TRANSPORT_TEST(test_time_left),
        TRANSPORT_TEST(test_TR_128_declined_after_its_body_was_read),
        TRANSPORT_TEST(test_declined_and_not_to_be_read_again),
        TRANSPORT_TEST(test_bodies_that_fail),
        TRANSPORT_TEST(test_TR_067_CL_051_a_dial_function_is_told),
    };
    return cmocka_run_group_tests_name("client: what a request shows", tests, NULL, NULL);
}
