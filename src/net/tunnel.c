/*
 * CONNECT, the client's side: one request, one answer, and then the stream is the target's. Nothing
 * may follow the answer: the target speaks only when it was spoken to, so that such bytes are the
 * proxy's, and would be taken for the target's.
 */
#include "net/tunnel.h"

#include <string.h>

#include "base/error.h"
#include "http/bytes.h"
#include "net/talk.h"
#include "task/sched.h"

#define FIRST_READ ((size_t)1024)

/* ----------------------------------------------------------------------------------- the answer */

static enum fy_parse_result bad(struct fy_tunnel_answer *answer, const char *problem)
{
    answer->problem = problem;
    return FY_PARSE_BAD;
}

static enum fy_parse_result take_status_line(struct fy_tunnel_answer *answer,
                                             struct fy_parse *parse)
{
    struct fy_status_line line;
    enum fy_parse_result result = fy_parse_status_line(parse, &line);
    if (result == FY_PARSE_DONE) {
        answer->status = line.status;
        answer->reason = fy_arena_copy(&answer->arena, line.reason.bytes, line.reason.len);
        if (answer->reason == NULL) {
            return bad(answer, NULL);
        }
        if (line.status == 101) {
            return bad(answer, "101 to a CONNECT");
        }
    }
    return result;
}

static enum fy_parse_result take_field(struct fy_tunnel_answer *answer, struct fy_parse *parse)
{
    struct fy_field field;
    enum fy_parse_result result = fy_parse_field(parse, &field);
    if (result == FY_PARSE_DONE) {
        if (++answer->fields > answer->max_fields) {
            return bad(answer, "a head of too many fields");
        }
        if (fy_header_add(&answer->header, &answer->arena, field.name, field.name_len, field.value,
                          field.value_len) != 0) {
            return bad(answer, NULL);
        }
    }
    return result;
}

/* An interim answer (RFC 9110 section 15.2) is over. */
static void pass_over(struct fy_tunnel_answer *answer)
{
    fy_arena_free(&answer->arena);
    answer->header = (struct fy_header){0};
    answer->status = 0;
    answer->reason = NULL;
}

enum fy_parse_result fy_tunnel_parse(struct fy_tunnel_answer *answer, const char *bytes, size_t len)
{
    struct fy_parse parse = {.bytes = bytes, .len = len, .at = answer->at};
    enum fy_parse_result result = FY_PARSE_DONE;
    answer->problem = "";
    while (result == FY_PARSE_DONE) {
        result =
            answer->status == 0 ? take_status_line(answer, &parse) : take_field(answer, &parse);
        if (result == FY_PARSE_END && answer->status < 200) {
            pass_over(answer);
            result = FY_PARSE_DONE;
        }
        if (result == FY_PARSE_DONE || result == FY_PARSE_END) {
            answer->at = parse.at;
        }
        if (answer->at > answer->max_bytes ||
            (result == FY_PARSE_MORE && len >= answer->max_bytes)) {
            return bad(answer, "a head that is too long");
        }
    }
    if (result == FY_PARSE_BAD && answer->problem != NULL && answer->problem[0] == '\0') {
        answer->problem = parse.reason;
    }
    return result;
}

static void trace_written(const struct fy_tunnel *tunnel, const struct fy_buffer *head)
{
    if (tunnel->trace != NULL && tunnel->trace->tunnel_wrote_head_text != NULL) {
        fy_leave();
        tunnel->trace->tunnel_wrote_head_text(tunnel->trace_arg, head->bytes, head->len);
        (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    }
}

static void trace_heard(const struct fy_tunnel *tunnel, const struct fy_tunnel_answer *answer,
                        const struct fy_buffer *bytes)
{
    if (tunnel->trace != NULL && tunnel->trace->tunnel_got_head_text != NULL) {
        fy_leave();
        tunnel->trace->tunnel_got_head_text(tunnel->trace_arg, answer->status, bytes->bytes,
                                            answer->at);
        (void)fy_enter();
    }
}

/* Hears the answer, and nothing behind it. */
static int hear(struct fy_talk *talk, const struct fy_tunnel *tunnel,
                struct fy_tunnel_answer *answer)
{
    struct fy_buffer bytes = {0};
    enum fy_parse_result result = FY_PARSE_MORE;
    while (result == FY_PARSE_MORE) {
        char *room = fy_buffer_reserve(&bytes, FIRST_READ);
        ssize_t got = room != NULL ? fy_talk_hear(talk, room, FIRST_READ) : -1;
        if (got < 0) {
            if (room == NULL) {
                fy_fail_memory(talk->err);
            }
            fy_buffer_free(&bytes);
            return -1;
        }
        bytes.len += (size_t)got;
        result = fy_tunnel_parse(answer, bytes.bytes, bytes.len);
    }
    size_t beyond = bytes.len - answer->at;
    if (result != FY_PARSE_BAD) {
        trace_heard(tunnel, answer, &bytes);
    }
    fy_buffer_free(&bytes);
    if (result == FY_PARSE_BAD) {
        return answer->problem == NULL
                   ? fy_fail_memory(talk->err)
                   : fy_fail(talk->err, FERRY_EPROXY, 0, "it answered with %s", answer->problem);
    }
    /* A refusal may have a body. A Content-Length or Transfer-Encoding in a 2xx means nothing. */
    if (beyond > 0 && answer->status < 300) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it sent bytes behind its answer, before anything was asked of the target");
    }
    return 0;
}

/* --------------------------------------------------------------------------------- the question */

/* RFC 9110 section 9.3.6: the host without a zone, which is this machine's, and always a port. */
static void append_target(struct fy_buffer *out, const struct fy_tunnel *tunnel)
{
    bool six = strchr(tunnel->host, ':') != NULL;
    fy_buffer_append_text(out, six ? "[" : "");
    fy_buffer_append(out, tunnel->host, strcspn(tunnel->host, six ? "%" : ""));
    fy_buffer_printf(out, "%s:%d", six ? "]" : "", tunnel->port);
}

static bool has_field(const struct fy_tunnel *tunnel, const char *name)
{
    return tunnel->fields != NULL && fy_header_find(tunnel->fields, name, NULL) != NULL;
}

static int append_credentials(struct fy_buffer *out, const struct fy_tunnel *tunnel,
                              const char *target, ferry_error *err)
{
    struct fy_buffer value = {0};
    int failed = has_field(tunnel, "Proxy-Authorization")
                     ? 0
                     : fy_proxy_authorize(tunnel->proxy, "CONNECT", target, &value, err);
    if (failed == 0 && value.len > 0) {
        fy_buffer_append_text(out, "Proxy-Authorization: ");
        fy_buffer_append(out, value.bytes, value.len);
        fy_buffer_append_text(out, "\r\n");
    }
    fy_buffer_free(&value);
    return failed;
}

static int write_request(struct fy_buffer *out, const struct fy_tunnel *tunnel, const char *target,
                         ferry_error *err)
{
    fy_buffer_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    if (tunnel->user_agent != NULL && tunnel->user_agent[0] != '\0' &&
        !has_field(tunnel, "User-Agent")) {
        fy_buffer_printf(out, "User-Agent: %s\r\n", tunnel->user_agent);
    }
    if (append_credentials(out, tunnel, target, err) != 0) {
        return -1;
    }
    for (size_t i = 0; tunnel->fields != NULL && i < tunnel->fields->count; i++) {
        const struct fy_field *field = &tunnel->fields->fields[i];
        fy_buffer_printf(out, "%s: %s\r\n", field->name, field->value);
    }
    fy_buffer_append_text(out, "\r\n");
    return out->failed ? fy_fail_memory(err) : 0;
}

/* ----------------------------------------------------------------------------- what it leads to */

/* Whether a challenge of that scheme may be among those of a 407 (RFC 9110 section 11.6.1), which
 * commas separate; in a quoted string there might be one that is none. */
static bool offers(const struct fy_header *header, const char *scheme)
{
    const size_t len = strlen(scheme);
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(header, "Proxy-Authenticate", field)) != NULL) {
        for (const char *at = field->value; *at != '\0'; at += strcspn(at, ",")) {
            at += strspn(at, ", \t");
            if (strnlen(at, len) == len && fy_equal_fold(at, scheme, len) &&
                strchr(" \t,", at[len]) != NULL) {
                return true;
            }
        }
    }
    return false;
}

/* 407 (RFC 9110 section 15.5.8): what to do about it. */
static enum fy_tunnel_result judge_407(const struct fy_tunnel *tunnel,
                                       const struct fy_tunnel_answer *answer, ferry_error *err)
{
    const struct fy_proxy *proxy = tunnel->proxy;
    bool known = proxy->user != NULL || proxy->password != NULL;
    bool basic = offers(&answer->header, "Basic");
    bool digest = offers(&answer->header, "Digest");
    bool any = fy_header_get(&answer->header, "Proxy-Authenticate") != NULL;
    enum fy_digest_found found = fy_proxy_challenged(tunnel->proxy, &answer->header, err);
    if (found == FY_DIGEST_FAILED) {
        return FY_TUNNEL_FAILED;
    }
    if (has_field(tunnel, "Proxy-Authorization")) {
        fy_fail(err, FERRY_EPROXY, 0, "it refused the Proxy-Authorization of proxy_fields (407)");
    } else if (!known) {
        fy_fail(err, FERRY_EPROXY, 0,
                "it wants credentials (407): put user:password@ into the proxy's URL");
    } else if (any && !basic && !digest) {
        fy_fail(err, FERRY_EPROXY, 0,
                "it wants credentials of a kind that is not known here (407): neither Basic nor "
                "Digest ones");
    } else if (proxy->digest && found == FY_DIGEST_NONE) {
        fy_fail(err, FERRY_EPROXY, 0,
                "it wants other credentials than Digest ones (407): leave proxy_digest out");
    } else if (!proxy->digest && digest && !basic) {
        fy_fail(err, FERRY_EPROXY, 0, "it wants Digest credentials (407): set proxy_digest");
    } else {
        fy_fail(err, FERRY_EPROXY, 0,
                "it refused the name and password (407): correct them in the proxy's URL");
    }
    return found == FY_DIGEST_FOUND && !has_field(tunnel, "Proxy-Authorization")
               ? FY_TUNNEL_CHALLENGED
               : FY_TUNNEL_FAILED;
}

static enum fy_tunnel_result judge(const struct fy_tunnel *tunnel, const char *target,
                                   const struct fy_tunnel_answer *answer, ferry_error *err)
{
    if (answer->status < 300) {
        return FY_TUNNEL_OPEN;
    }
    if (answer->status == 407) {
        return judge_407(tunnel, answer, err);
    }
    fy_fail(err, FERRY_EPROXY, 0, "CONNECT %.100s was refused with status %d%s%.80s", target,
            answer->status, answer->reason[0] != '\0' ? " " : ", and no reason", answer->reason);
    return FY_TUNNEL_FAILED;
}

enum fy_tunnel_result fy_tunnel_connect(struct fy_stream *stream, const struct fy_tunnel *tunnel,
                                        ferry_error *err)
{
    struct fy_talk talk;
    struct fy_buffer target = {0};
    struct fy_buffer request = {0};
    struct fy_tunnel_answer answer = {.max_bytes = tunnel->max_header_bytes,
                                      .max_fields = (size_t)tunnel->max_header_fields};
    int result = FY_TUNNEL_FAILED;
    append_target(&target, tunnel);
    fy_buffer_append_byte(&target, '\0');
    if (target.failed) {
        fy_fail_memory(err);
        goto done;
    }
    if (write_request(&request, tunnel, target.bytes, err) != 0 ||
        fy_talk_begin(&talk, stream, tunnel->deadline, tunnel->canceled, err) != 0) {
        goto done;
    }
    if (fy_talk_say(&talk, request.bytes, request.len) == 0) {
        trace_written(tunnel, &request);
        if (hear(&talk, tunnel, &answer) == 0) {
            result = judge(tunnel, target.bytes, &answer, err);
        }
    }
    result = fy_talk_end(&talk, result);
done:
    fy_arena_free(&answer.arena);
    fy_buffer_free(&request);
    fy_buffer_free(&target);
    return result;
}
