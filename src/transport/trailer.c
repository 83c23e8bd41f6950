/*
 * Reading trailers.
 */
#include "transport/trailer.h"

#include "base/errno.h"
#include "base/error.h"
#include "http/response.h"
#include "http/response_parse.h"
#include "http/trailer.h"
#include "transport/body.h"
#include "transport/persist_conn.h"

static int keep(struct fy_exchange *exchange, const struct fy_field *field, ferry_error *err)
{
    const struct fy_transport_settings *set = &exchange->transport->set;
    if (++exchange->trailer_fields > set->max_header_fields) {
        return fy_fail(err, FERRY_ETOOBIG, 0, "the trailer section has more than %d fields",
                       set->max_header_fields);
    }
    ferry_response *res = exchange->res; /* NULL when the body is drained after its close */
    if (res != NULL && fy_trailer_allows(field->name, field->name_len) &&
        fy_header_add(&res->trailer, &res->arena, field->name, field->name_len, field->value,
                      field->value_len) != 0) {
        return fy_fail_memory(err);
    }
    return 0;
}

static int fill(struct fy_exchange *exchange, bool may_park, ferry_error *err)
{
    struct fy_persist_conn *conn = exchange->conn;
    size_t max = exchange->transport->set.max_header_bytes;
    if (!may_park && !conn->stream->ops->has_input(conn->stream)) {
        return FY_BODY_WOULD_PARK;
    }
    ssize_t got =
        fy_conn_input_fill(&conn->input, conn->stream, max, "reading a response's trailers");
    if (got > 0) {
        return 0;
    }
    if (got == -EMSGSIZE) {
        return fy_fail(err, FERRY_ETOOBIG, 0, "the trailer section is longer than %zu bytes", max);
    }
    return fy_persist_conn_fail_read(conn, got,
                                     "the connection ended before the response's body did", err);
}

int fy_trailer_read(struct fy_exchange *exchange, bool may_park, ferry_error *err)
{
    struct fy_conn_input *input = &exchange->conn->input;
    while (!exchange->body_over) {
        struct fy_field field;
        struct fy_parse parse = {.bytes = fy_conn_input_bytes(input),
                                 .len = fy_conn_input_len(input)};
        switch (fy_parse_field(&parse, &field)) {
        case FY_PARSE_MORE: {
            int filled = fill(exchange, may_park && exchange->lines.len == 0, err);
            if (filled < 0) {
                return filled;
            }
            continue;
        }
        case FY_PARSE_BAD:
            return fy_fail(err, FERRY_EPROTOCOL, 0, "malformed trailer section: %s", parse.reason);
        case FY_PARSE_DONE:
            if (keep(exchange, &field, err) != 0) {
                return -1;
            }
            break;
        case FY_PARSE_END: exchange->body_over = true; break;
        }
        if (exchange->raw) {
            fy_buffer_append(&exchange->lines, parse.bytes, parse.at);
        }
        fy_conn_input_take(input, parse.at);
        exchange->trailer_bytes += parse.at;
        if (exchange->trailer_bytes > exchange->transport->set.max_header_bytes) {
            return fy_fail(err, FERRY_ETOOBIG, 0, "the trailer section is longer than %zu bytes",
                           exchange->transport->set.max_header_bytes);
        }
    }
    return 0;
}
