/*
 * Server-Sent Events over a response, and over as many responses as it takes: when the connection
 * ends, the request is sent again after the time that the server has named, with the last event's
 * id, as the WHATWG HTML standard (section 9.2.3) has it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "client/event_parser.h"
#include "client/retry_policy.h"
#include "http/bytes.h"
#include "http/request.h"

#define INPUT ((size_t)16 * 1024)
#define RETRY_MS 3000       /* until the server names another */
#define RETRY_LEAST_MS 100  /* what failures in a row stretch, however little it names */
#define RETRY_MOST_MS 60000 /* how far they stretch it */

/* One caller's. */
struct ferry_event_stream {
    ferry_client *client; /* NULL: the default one */
    ferry_request *req;   /* borrowed; NULL: made over a response, which is all there is */
    int reconnects;       /* in a row, without an event between them; -1: no limit */
    int failures;         /* in a row */
    int64_t asked_ms;     /* what the last failure's Retry-After asks for; -1: nothing */
    ferry_response *res;  /* NULL: the next next() connects */
    bool over;            /* the server has said that there is no more, or nobody may reconnect */
    struct fy_event_parser parser;
    char input[INPUT];
    size_t input_at, input_len; /* what the parser has not taken */
};

static ferry_event_stream *new_stream(ferry_error *err)
{
    ferry_event_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    stream->parser.retry_ms = -1;
    stream->parser.max = FY_EVENT_MAX;
    stream->asked_ms = -1;
    return stream;
}

FERRY_API ferry_event_stream *ferry_event_stream_new(ferry_response *res, ferry_error *err)
{
    err = FY_ERROR(err);
    if (res == NULL) {
        fy_fail(err, FERRY_EINVAL, 0, "an event stream over no response");
        return NULL;
    }
    ferry_event_stream *stream = new_stream(err);
    if (stream != NULL) {
        stream->res = res;
    }
    return stream;
}

FERRY_API ferry_event_stream *ferry_event_stream_open(ferry_client *client, ferry_request *req,
                                                      int reconnects, ferry_error *err)
{
    err = FY_ERROR(err);
    if (req == NULL) {
        fy_fail_without_request(err);
        return NULL;
    }
    ferry_event_stream *stream = new_stream(err);
    if (stream == NULL) {
        return NULL;
    }
    const char *id = ferry_request_header(req, "Last-Event-ID");
    if (id != NULL && fy_event_parser_resume(&stream->parser, id) != 0) {
        ferry_event_stream_free(stream);
        fy_fail_memory(err);
        return NULL;
    }
    stream->client = client;
    stream->req = req;
    stream->reconnects = reconnects;
    if (ferry_request_header(req, "Accept") == NULL) {
        (void)ferry_request_set_header(req, "Accept", "text/event-stream");
    }
    if (ferry_request_header(req, "Cache-Control") == NULL) {
        (void)ferry_request_set_header(req, "Cache-Control",
                                       "no-cache"); /* what is old is no event */
    }
    return stream;
}

FERRY_API void ferry_event_stream_free(ferry_event_stream *stream)
{
    if (stream != NULL) {
        ferry_response_close(stream->res);
        fy_event_parser_free(&stream->parser);
        free(stream);
    }
}

FERRY_API const char *ferry_event_stream_last_id(const ferry_event_stream *stream)
{
    if (stream == NULL) {
        return "";
    }
    const struct fy_buffer *id = &stream->parser.last_id;
    return id->len > 0 ? id->bytes : "";
}

FERRY_API ferry_response *ferry_event_stream_response(ferry_event_stream *stream)
{
    return stream != NULL ? stream->res : NULL;
}

FERRY_API void ferry_event_stream_set_max_event(ferry_event_stream *stream, size_t bytes)
{
    if (stream != NULL) {
        stream->parser.max = bytes > 0 ? bytes : FY_EVENT_MAX;
    }
}

/* The media type, whatever its parameters. */
static bool is_event_stream(const ferry_response *res)
{
    const char *type = ferry_response_header(res, "Content-Type");
    return type != NULL && fy_text_is(type, strcspn(type, "; \t"), "text/event-stream");
}

/* What no further try will change: the caller's mistakes and decisions. */
static bool is_final(const ferry_event_stream *stream, const ferry_error *err)
{
    if (err->code == FERRY_ETIMEOUT) { /* a connection's, or everything's */
        return stream->req != NULL && stream->req->context != NULL &&
               ferry_context_error(stream->req->context) != 0;
    }
    return !fy_retry_other_connection(err->code, err->os_errno);
}

/* What a server, or what stands before it, says when it is busy or restarting. A browser gives up
 * at these as well; whoever allows for reconnects in a program means them. */
static bool is_passing(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Whether a failure, final or not, is followed by another try. */
static bool goes_on(ferry_event_stream *stream, bool final)
{
    if (stream->req == NULL || final) {
        return false;
    }
    stream->failures++;
    return stream->reconnects < 0 || stream->failures <= stream->reconnects;
}

/* The time that the failure asks for, or the stream, and on top, from the second failure in a row
 * on, more and more of a chance wait. */
static int64_t wait_ms(const ferry_event_stream *stream)
{
    int64_t ms = stream->asked_ms >= 0          ? stream->asked_ms
                 : stream->parser.retry_ms >= 0 ? stream->parser.retry_ms
                                                : RETRY_MS;
    if (stream->failures > 1) {
        ms += fy_backoff_ms(ms > RETRY_LEAST_MS ? ms : RETRY_LEAST_MS, RETRY_MOST_MS,
                            stream->failures - 1, fy_jitter());
    }
    return ms;
}

/* Sleeps before a reconnect. Ends early with the request's context. */
static int wait_to_reconnect(ferry_event_stream *stream, ferry_error *err)
{
    return fy_request_sleep(stream->req, wait_ms(stream),
                            "waiting to connect to an event stream again", err);
}

static void drop(ferry_event_stream *stream)
{
    ferry_response_close(stream->res);
    stream->res = NULL;
}

/* 1: the response is there; 0: the server has ended the stream for good; -1, and *final: another
 * try would do no better. */
static int connect_once(ferry_event_stream *stream, bool *final, ferry_error *err)
{
    const char *id = ferry_event_stream_last_id(stream);
    fy_event_parser_restart(&stream->parser);
    stream->input_len = 0;
    stream->asked_ms = -1;
    /* What no field can hold cannot be sent, and what came before it would be wrong. */
    bool sent = *id != '\0' && fy_is_field_value(id, strlen(id));
    (void)ferry_request_set_header(stream->req, "Last-Event-ID", sent ? id : NULL);
    stream->res = (ferry_client_do)(stream->client, stream->req, err);
    if (stream->res == NULL) {
        *final = is_final(stream, err);
        return -1;
    }
    int status = ferry_response_status(stream->res);
    if (status == 204) {
        drop(stream);
        return 0;
    }
    if (status != 200 || !is_event_stream(stream->res)) {
        const char *type = ferry_response_header(stream->res, "Content-Type");
        *final = !is_passing(status);
        stream->asked_ms = fy_retry_after_ms(ferry_response_header(stream->res, "Retry-After"),
                                             (int64_t)time(NULL));
        return fy_fail(err, FERRY_EUNSUPPORTED, 0,
                       "%s is no event stream: it answered with status %d and the type \"%.60s\"",
                       stream->req->url.shown, status, type != NULL ? type : "");
    }
    return 1;
}

/* As connect_once, with as many tries as are allowed. */
static int connect_somehow(ferry_event_stream *stream, ferry_error *err)
{
    for (;;) {
        if (stream->failures > 0 && wait_to_reconnect(stream, err) != 0) {
            return -1;
        }
        bool final = false;
        int result = connect_once(stream, &final, err);
        if (result >= 0 || !goes_on(stream, final)) {
            return result;
        }
        drop(stream);
    }
}

/* Reads on. 1: there is input; 0: the end, nothing will follow; -1. */
static int more_input(ferry_event_stream *stream, ferry_error *err)
{
    for (;;) {
        if (stream->res == NULL) {
            int result = connect_somehow(stream, err);
            if (result != 1) {
                return result;
            }
        }
        ssize_t got = ferry_response_read(stream->res, stream->input, INPUT, err);
        if (got > 0) {
            stream->input_at = 0;
            stream->input_len = (size_t)got;
            return 1;
        }
        bool final = got < 0 && is_final(stream, err);
        bool again = goes_on(stream, final);
        drop(stream);
        if (!again) {
            return (int)got;
        }
    }
}

FERRY_API int ferry_event_stream_next(ferry_event_stream *stream, ferry_event *event,
                                      ferry_error *err)
{
    if (stream == NULL) {
        return fy_fail(FY_ERROR(err), FERRY_EINVAL, 0,
                       "there is no event stream: the call that was to open it says why");
    }
    if (event == NULL) {
        return fy_fail_null(FY_ERROR(err), "a ferry_event to fill");
    }
    ferry_error cause = {0}; /* a try's: when the next succeeds there is no error */
    /* A response that is no event stream stays: its body may say why. */
    while (!stream->over) {
        size_t taken;
        int result = fy_event_parser_feed(&stream->parser, stream->input + stream->input_at,
                                          stream->input_len, &taken, event, &cause);
        stream->input_at += taken;
        stream->input_len -= taken;
        if (result > 0) {
            stream->failures = 0;
            return 1;
        }
        if (result < 0) {
            drop(stream);
        } else {
            result = more_input(stream, &cause);
        }
        if (result <= 0) {
            stream->over = true;
            if (result < 0 && err != NULL) {
                *err = cause;
            }
            return result;
        }
    }
    return 0;
}
