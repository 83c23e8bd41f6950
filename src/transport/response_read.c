/*
 * A head is read line by line, each copied into the response's arena as it comes: straight-line
 * code, for a task that parks wherever more is needed. The parsing itself is
 * http/response_parse.c's.
 */
#include "transport/response_read.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "http/request.h"
#include "http/response_parse.h"
#include "transport/body.h"
#include "transport/decoded_body.h"
#include "transport/persist_conn.h"
#include "transport/trace.h"

/* One head under way; the limits count over the interim responses before it, too. */
struct reading {
    struct fy_persist_conn *conn;
    struct fy_exchange *exchange;
    size_t head_bytes;
    struct fy_buffer text; /* the present head as it came, if a trace wants it */
    ferry_error *err;
};

static int fail_too_long(struct reading *r)
{
    return fy_fail(r->err, FERRY_ETOOBIG, 0, "the response head is longer than %zu bytes",
                   r->conn->transport->set.max_header_bytes);
}

static int fail_malformed(struct reading *r, const struct fy_parse *parse)
{
    return fy_fail(r->err, FERRY_EPROTOCOL, 0, "malformed response: %s (byte %zu of the head)",
                   parse->reason, r->head_bytes + parse->bad_at);
}

static int fill(struct reading *r)
{
    struct fy_persist_conn *conn = r->conn;
    size_t max = conn->transport->set.max_header_bytes - r->head_bytes;
    ssize_t got =
        fy_conn_input_len(&conn->input) >= max
            ? -EMSGSIZE
            : fy_conn_input_fill(&conn->input, conn->stream, max, "reading a response's head");
    if (got > 0) {
        return 0;
    }
    if (got == -EMSGSIZE) {
        return fail_too_long(r);
    }
    return fy_persist_conn_fail_read(
        conn, got, "the connection ended in the middle of the response's head", r->err);
}

static struct fy_parse parse_begin(const struct fy_persist_conn *conn)
{
    return (struct fy_parse){.bytes = fy_conn_input_bytes(&conn->input),
                             .len = fy_conn_input_len(&conn->input)};
}

/* A line, or several, have been parsed and copied. What a trace gets is the input's own bytes: in the
 * copy the strings may have been ended already. */
static int line_taken(struct reading *r, const struct fy_parse *parse)
{
    if (r->exchange->req->trace.got_head_text != NULL) {
        fy_buffer_append(&r->text, fy_conn_input_bytes(&r->conn->input), parse->at);
        if (r->text.failed) {
            return fy_fail_memory(r->err);
        }
    }
    fy_conn_input_take(&r->conn->input, parse->at);
    r->head_bytes += parse->at;
    return r->head_bytes > r->conn->transport->set.max_header_bytes ? fail_too_long(r) : 0;
}

static int read_status_line(struct reading *r, ferry_response *res)
{
    for (;;) {
        struct fy_status_line line;
        struct fy_parse parse = parse_begin(r->conn);
        switch (fy_parse_status_line(&parse, &line)) {
        case FY_PARSE_DONE:
            res->status = line.status;
            res->minor = line.minor;
            res->reason = fy_arena_copy(&res->arena, line.reason.bytes, line.reason.len);
            return res->reason != NULL ? line_taken(r, &parse) : fy_fail_memory(r->err);
        case FY_PARSE_MORE:
            if (fill(r) != 0) {
                return -1;
            }
            break;
        default: return fail_malformed(r, &parse);
        }
    }
}

/* Before each field. */
static int check_count(struct reading *r, const ferry_response *res)
{
    int most = r->conn->transport->set.max_header_fields;
    if (res->header.count >= (size_t)most) {
        return fy_fail(r->err, FERRY_ETOOBIG, 0, "the response head has more than %d fields", most);
    }
    return 0;
}

static int keep_field(struct reading *r, ferry_response *res, struct fy_slice name,
                      struct fy_slice value)
{
    if (check_count(r, res) != 0) {
        return -1;
    }
    if (fy_header_add(&res->header, &res->arena, name.bytes, name.len, value.bytes, value.len) !=
        0) {
        return fy_fail_memory(r->err);
    }
    return 0;
}

/* The length of the field lines up to and with the empty one, and how many there are before that;
 * 0: they are not all here. */
static size_t whole_fields(const char *bytes, size_t len, size_t *lines)
{
    const char *end = bytes + len;
    const char *at = bytes;
    *lines = 0;
    while (end - at >= 2 && *at != '\r') {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) {
            return 0;
        }
        at = line_end + 1;
        ++*lines;
    }
    return end - at >= 2 ? (size_t)(at + 2 - bytes) : 0;
}

/* All field lines at once, which is how they mostly come: one copy, in which the strings are then
 * ended in place. 1: done; 0: they are not all here, and nothing is taken; -1. */
static int read_whole_fields(struct reading *r, ferry_response *res)
{
    struct fy_conn_input *input = &r->conn->input;
    struct fy_slice name;
    struct fy_slice value;
    size_t lines;
    size_t len = whole_fields(fy_conn_input_bytes(input), fy_conn_input_len(input), &lines);
    if (len == 0 || len > r->conn->transport->set.max_header_bytes - r->head_bytes) {
        return 0;
    }
    char *copy = fy_arena_copy(&res->arena, fy_conn_input_bytes(input), len);
    if (copy == NULL || fy_header_reserve(&res->header, &res->arena, lines) != 0) {
        return fy_fail_memory(r->err);
    }
    struct fy_parse parse = {.bytes = copy, .len = len};
    enum fy_parse_result result;
    while ((result = fy_parse_field(&parse, &name, &value)) == FY_PARSE_DONE) {
        if (check_count(r, res) != 0) {
            return -1;
        }
        copy[name.bytes + name.len - copy] = '\0';
        copy[value.bytes + value.len - copy] = '\0';
        fy_header_take(&res->header,
                       (struct fy_field){name.bytes, value.bytes, name.len, value.len});
    }
    if (result != FY_PARSE_END) {
        return fail_malformed(r, &parse);
    }
    return line_taken(r, &parse) == 0 ? 1 : -1;
}

static int read_fields(struct reading *r, ferry_response *res)
{
    int whole = read_whole_fields(r, res);
    if (whole != 0) {
        return whole < 0 ? -1 : 0;
    }
    for (;;) {
        struct fy_slice name;
        struct fy_slice value;
        struct fy_parse parse = parse_begin(r->conn);
        switch (fy_parse_field(&parse, &name, &value)) {
        case FY_PARSE_DONE:
            if (keep_field(r, res, name, value) != 0 || line_taken(r, &parse) != 0) {
                return -1;
            }
            break;
        case FY_PARSE_END: return line_taken(r, &parse);
        case FY_PARSE_MORE:
            if (fill(r) != 0) {
                return -1;
            }
            break;
        default: return fail_malformed(r, &parse);
        }
    }
}

static ferry_response *read_head(struct reading *r)
{
    ferry_response *res = fy_response_new();
    if (res == NULL) {
        fy_fail_memory(r->err);
        return NULL;
    }
    r->text.len = 0;
    if (read_status_line(r, res) != 0 || read_fields(r, res) != 0) {
        fy_response_free(res);
        return NULL;
    }
    FY_TRACE(r->exchange->req, got_head_text, r->text.bytes, r->text.len);
    return res;
}

static void note_interim(struct fy_exchange *exchange, const ferry_response *interim)
{
    if (interim->status == 100) {
        if (exchange->expects_continue) {
            (void)fy_chan_try_send(&exchange->go_on, exchange);
        }
        FY_TRACE_PLAIN(exchange->req, got_100_continue);
    }
    FY_TRACE(exchange->req, got_1xx, interim->status);
    FY_TRACE(exchange->req, got_interim, interim);
}

static int frame(struct reading *r, ferry_response *res)
{
    char detail[64];
    const ferry_request *req = r->exchange->req;
    struct fy_framing *framing = &r->exchange->framing;
    bool ignore_length = r->exchange->transport->set.ignore_content_length;
    const char *refused = fy_framing_decide(framing, req->method, res->minor, res->status,
                                            &res->header, ignore_length, detail);
    if (refused != NULL) {
        return fy_fail(r->err, FERRY_EPROTOCOL, 0, "malformed response: %s%s%s", refused,
                       detail[0] != '\0' ? " " : "", detail);
    }
    if (req->http_1_0 && !fy_header_lists(&res->header, "Connection", "keep-alive")) {
        framing->keep_alive = false; /* it answers with 1.1, but to a request that cannot persist */
    }
    res->length = framing->announced;
    if (framing->kind == FY_BODY_CHUNKED && fy_response_announce_trailers(res) != 0) {
        return fy_fail_memory(r->err);
    }
    return 0;
}

static int finish(struct reading *r, ferry_response *res)
{
    const struct fy_url *url = &r->exchange->req->url;
    res->url = fy_arena_copy(&res->arena, url->text, strlen(url->text));
    if (res->url == NULL) {
        return fy_fail_memory(r->err);
    }
    res->entry.url = res->url;
    return frame(r, res);
}

/* The coding that the request has asked for by itself is taken off again. What is not a body, or is
 * a tunnel, has none. */
static int prepare_decoding(struct reading *r, ferry_response *res,
                            struct fy_decoded_body **decoded)
{
    const struct fy_framing *framing = &r->exchange->framing;
    if (!r->exchange->decodes || framing->kind == FY_BODY_NONE || framing->kind == FY_BODY_TUNNEL) {
        return 0;
    }
    int64_t max = r->conn->transport->set.max_decoded_bytes;
    return fy_decoded_body_new(res, max, decoded) == 0 ? 0 : fy_fail_memory(r->err);
}

static ferry_response *read_answer(struct reading *r)
{
    struct fy_exchange *exchange = r->exchange;
    for (;;) {
        ferry_response *res = read_head(r);
        if (res == NULL) {
            return NULL;
        }
        /* 101 is an answer: from then on the connection speaks another protocol. */
        if (res->status >= 200 || res->status == 101) {
            struct fy_decoded_body *decoded = NULL;
            if (finish(r, res) != 0 || prepare_decoding(r, res, &decoded) != 0) {
                fy_response_free(res);
                return NULL;
            }
            if (exchange->expects_continue) {
                (void)fy_chan_try_send(&exchange->go_on, NULL); /* no effect after a 100 */
            }
            res->entry.length = res->length;
            fy_body_attach(exchange, res);
            fy_decoded_body_attach(decoded);
            return res;
        }
        note_interim(exchange, res);
        fy_response_free(res);
    }
}

ferry_response *fy_response_read(struct fy_exchange *exchange, ferry_error *err)
{
    struct reading r = {.conn = exchange->conn, .exchange = exchange, .err = err};
    ferry_response *res = read_answer(&r);
    fy_buffer_free(&r.text);
    return res;
}
