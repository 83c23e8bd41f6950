/*
 * A head stays in the connection's input until it is there to its end, and is parsed as it comes:
 * straight-line code, for a task that parks wherever more is needed. Then its text goes into the
 * response's arena in one piece. The parsing itself is http/response_parse.c's.
 */
#include "transport/response_read.h"

#include <string.h>

#include "base/errno.h"
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
    size_t former_bytes;   /* of the heads before this one */
    size_t most_bytes;     /* how many this one may have */
    struct fy_parse parse; /* stands in the connection's input, as the present head's strings do */
    size_t reason_len;
    ferry_error *err;
};

static int fail_too_long(struct reading *r)
{
    return fy_fail(r->err, FERRY_ETOOBIG, 0, "the response head is longer than %zu bytes",
                   r->conn->transport->set.max_header_bytes);
}

static int fail_malformed(struct reading *r)
{
    return fy_fail(r->err, FERRY_EPROTOCOL, 0, "malformed response: %s (byte %zu of the head)",
                   r->parse.reason, r->former_bytes + r->parse.bad_at);
}

/* Reads more of the head. That may move what is there, and the strings that were found follow. */
static int fill(struct reading *r, ferry_response *res)
{
    struct fy_persist_conn *conn = r->conn;
    ssize_t got = r->parse.len >= r->most_bytes
                      ? -EMSGSIZE
                      : fy_conn_input_fill(&conn->input, conn->stream, r->most_bytes,
                                           "reading a response's head");
    if (got == -EMSGSIZE) {
        return fail_too_long(r);
    }
    if (got <= 0) {
        return fy_persist_conn_fail_read(
            conn, got, "the connection ended in the middle of the response's head", r->err);
    }
    const char *from = r->parse.bytes;
    const char *to = fy_conn_input_bytes(&conn->input);
    r->parse.bytes = to;
    r->parse.len = fy_conn_input_len(&conn->input);
    if (to != from) {
        res->reason = to + (res->reason - from);
        for (size_t i = 0; i < res->header.count; i++) {
            struct fy_field *field = &res->header.fields[i];
            field->name = to + (field->name - from);
            field->value = to + (field->value - from);
        }
    }
    return 0;
}

static int read_status_line(struct reading *r, ferry_response *res)
{
    struct fy_status_line line;
    enum fy_parse_result result;
    while ((result = fy_parse_status_line(&r->parse, &line)) == FY_PARSE_MORE) {
        if (fill(r, res) != 0) {
            return -1;
        }
    }
    if (result != FY_PARSE_DONE) {
        return fail_malformed(r);
    }
    res->status = line.status;
    res->minor = line.minor;
    res->reason = line.reason.bytes;
    r->reason_len = line.reason.len;
    return r->parse.at > r->most_bytes ? fail_too_long(r) : 0;
}

static int fail_too_many(struct reading *r)
{
    return fy_fail(r->err, FERRY_ETOOBIG, 0, "the response head has more than %d fields",
                   r->conn->transport->set.max_header_fields);
}

static int read_fields(struct reading *r, ferry_response *res)
{
    struct fy_header *header = &res->header;
    const size_t most_fields = (size_t)r->conn->transport->set.max_header_fields;
    for (;;) {
        if (header->count == header->capacity && fy_header_grow(header, &res->arena) != 0) {
            return fy_fail_memory(r->err);
        }
        size_t room = header->capacity <= most_fields ? header->capacity : most_fields + 1;
        enum fy_parse_result result =
            fy_parse_fields(&r->parse, r->most_bytes, header->fields, room, &header->count);
        if (result == FY_PARSE_BAD) {
            return fail_malformed(r);
        }
        if (header->count > most_fields) {
            return fail_too_many(r);
        }
        if (r->parse.at > r->most_bytes) {
            return fail_too_long(r);
        }
        if (result == FY_PARSE_END) {
            return 0;
        }
        if (result == FY_PARSE_MORE && fill(r, res) != 0) {
            return -1;
        }
    }
}

/* The head is whole. The next one may have the connection's input: this one gets a copy of its own,
 * in which its strings are ended. */
static int keep_text(struct reading *r, ferry_response *res)
{
    const char *from = r->parse.bytes;
    size_t len = r->parse.at;
    FY_TRACE(r->exchange->req, got_head_text, from, len);
    char *to = fy_arena_copy(&res->arena, from, len);
    if (to == NULL) {
        return fy_fail_memory(r->err);
    }
    fy_conn_input_take(&r->conn->input, len);
    r->former_bytes += len;
    char *reason = to + (res->reason - from);
    reason[r->reason_len] = '\0';
    res->reason = reason;
    fy_header_keep(&res->header, from, to);
    return 0;
}

static ferry_response *read_head(struct reading *r)
{
    ferry_response *res = fy_response_new();
    if (res == NULL) {
        fy_fail_memory(r->err);
        return NULL;
    }
    r->most_bytes = r->conn->transport->set.max_header_bytes - r->former_bytes;
    r->parse = (struct fy_parse){.bytes = fy_conn_input_bytes(&r->conn->input),
                                 .len = fy_conn_input_len(&r->conn->input)};
    res->reason = r->parse.bytes; /* there is none yet, but it follows what moves */
    if (read_status_line(r, res) != 0 || read_fields(r, res) != 0 || keep_text(r, res) != 0) {
        fy_response_free(res);
        return NULL;
    }
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
    const size_t most_trailers = (size_t)r->exchange->transport->set.max_header_fields;
    if (framing->kind == FY_BODY_CHUNKED &&
        fy_response_announce_trailers(res, most_trailers) != 0) {
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
    if (!r->exchange->decodes || !framing->coded || framing->kind == FY_BODY_NONE ||
        framing->kind == FY_BODY_TUNNEL) {
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
    return read_answer(&r);
}
