/*
 * The request object: made, set up and freed by its caller, read by the tasks that send it.
 * Everything that could break a message on the wire is refused here, so that the writer has nothing
 * left to check. A refusal is remembered and reported by the send, the first one only: later ones
 * tend to follow from it.
 */
#include "http/request.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/errno.h"
#include "base/error.h"
#include "http/bytes.h"
#include "http/trailer.h"
#include "task/chan.h"
#include "task/sched.h"

/* Fields that were replaced this many bytes over are worth the copying of those that remain. */
#define STALE_MAX ((size_t)16 * 1024)

static int refuse(ferry_request *req, const ferry_error *err)
{
    if (req->refused.code == FERRY_OK) {
        req->refused = *err;
    }
    return -1;
}

#define REFUSE(req, ...)                                 \
    do {                                                 \
        ferry_error refusal = {0};                       \
        fy_fail(&refusal, FERRY_EINVAL, 0, __VA_ARGS__); \
        return refuse(req, &refusal);                    \
    } while (0)

static int refuse_memory(ferry_request *req)
{
    ferry_error refusal = {0};
    fy_fail_memory(&refusal);
    return refuse(req, &refusal);
}

/* Its method lies behind it, and so do the strings of its URL where their length is known at once:
 * a redirect gives it others, and puts these back. */
ferry_request *ferry_request_new(const char *method, const char *url, ferry_error *err)
{
    struct fy_url_plain plain;
    err = FY_ERROR(err);
    if (method == NULL || *method == '\0') {
        method = "GET";
    }
    size_t method_len = strlen(method);
    if (!fy_is_token(method, method_len)) {
        fy_fail(err, FERRY_EINVAL, 0, "the method \"%.40s\" is no token", method);
        return NULL;
    }
    bool is_plain = fy_url_take_plain(&plain, url);
    ferry_request *req =
        malloc(sizeof *req + method_len + 1 + (is_plain ? fy_url_plain_bytes(&plain) : 0));
    if (req == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    memset(req, 0, offsetof(struct ferry_request, url));
    req->trace.size = 0;
    req->refused.code = FERRY_OK;
    req->method = memcpy(req + 1, method, method_len + 1);
    if (is_plain) {
        fy_url_lay_out(&req->url, &plain, (char *)(req + 1) + method_len + 1);
        req->url.block_is_lent = true;
    } else if (fy_url_parse(&req->url, url, err) != 0) {
        free(req);
        return NULL;
    }
    return req;
}

void fy_request_await_writing(ferry_request *req, const char *why)
{
    struct fy_chan *writing = req->writing;
    if (writing != NULL && req->written_on == fy_sched_running()) {
        fy_chan_receive(writing, NULL, why);
    }
    while (req->writing != NULL) {
        /* It was sent on another thread, and no channel leads from there to here. */
        fy_select(NULL, 0, fy_after_ms(1), why);
    }
}

void fy_request_join_writing(ferry_request *req, const char *why)
{
    if (req->writing != NULL && fy_enter() != NULL) {
        fy_request_await_writing(req, why);
        fy_leave();
    }
    while (req->writing != NULL) {
        ferry_sleep(1); /* there is no memory for a scheduler */
    }
}

struct fy_sched *fy_request_lock_writing(const ferry_request *req)
{
    if (req->writing == NULL) {
        return NULL;
    }
    struct fy_sched *sched = req->written_on;
    fy_sched_lock(sched);
    return sched;
}

void fy_request_unlock_writing(struct fy_sched *locked)
{
    if (locked != NULL) {
        fy_sched_unlock(locked);
    }
}

void ferry_request_free(ferry_request *req)
{
    if (req == NULL) {
        return;
    }
    fy_request_join_writing(req, "waiting for a request to be written, to let its body go");
    fy_arena_free(&req->arena);
    fy_url_free(&req->url);
    fy_request_trailer_free(req->trailer);
    free(req->own_body);
    free(req->target);
    free(req);
}

const char *ferry_request_method(const ferry_request *req)
{
    return req != NULL ? req->method : "";
}

const char *ferry_request_url(const ferry_request *req)
{
    return req != NULL ? req->url.text : "";
}

const char *ferry_request_header(const ferry_request *req, const char *name)
{
    if (req == NULL || name == NULL) {
        return NULL;
    }
    const char *value = fy_header_get(&req->header, name);
    if (value != NULL || !fy_text_is(name, strlen(name), "User-Agent")) {
        return value;
    }
    /* The client's, while one sends it: as a transport would write it. */
    const char *agent = req->send.user_agent;
    return agent != NULL && agent[0] != '\0' && !req->no_user_agent ? agent : NULL;
}

/* Moves the fields into a new arena once the removed ones weigh too much, so that a request that
 * is sent for years, each time with another field, does not grow. */
static void compact(ferry_request *req)
{
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    for (size_t i = 0; i < req->header.count; i++) {
        const struct fy_field *field = &req->header.fields[i];
        if (fy_header_add(&header, &arena, field->name, field->name_len, field->value,
                          field->value_len) != 0) {
            fy_arena_free(&arena);
            return; /* out of memory: the request merely stays as large as it is */
        }
    }
    fy_arena_free(&req->arena);
    req->arena = arena;
    req->header = header;
    req->stale = 0;
}

/* The bytes of a list's fields, roughly as the arena has them. */
static size_t weight(const struct fy_header *header)
{
    size_t sum = 0;
    for (size_t i = 0; i < header->count; i++) {
        sum += header->fields[i].name_len + header->fields[i].value_len + 16;
    }
    return sum;
}

static void remove_fields(ferry_request *req, const char *name)
{
    size_t before = weight(&req->header);
    if (fy_header_remove(&req->header, name) > 0) {
        req->stale += before - weight(&req->header);
    }
}

static int add_field(ferry_request *req, const char *name, const char *value, size_t value_len)
{
    if (fy_header_add(&req->header, &req->arena, name, strlen(name), value, value_len) != 0) {
        return refuse_memory(req);
    }
    /* Not before: name and value may be the old arena's own. */
    if (req->stale > STALE_MAX && req->stale > weight(&req->header)) {
        compact(req);
    }
    return 0;
}

/* Connection: the tokens for whoever receives the message next, of which "close" and
 * "keep-alive" are the connection's and become req->close, or nothing. */
static int add_connection(ferry_request *req, const char *value)
{
    struct fy_buffer kept = {0};
    const char *rest = value;
    const char *element;
    size_t len;
    while (fy_next_element(&rest, &element, &len)) {
        if (!fy_is_token(element, len)) {
            fy_buffer_free(&kept);
            REFUSE(req, "the field Connection takes tokens, not \"%.*s\"",
                   (int)(len < 40 ? len : 40), element);
        }
        if (fy_text_is(element, len, "close")) {
            req->close = true;
        } else if (!fy_text_is(element, len, "keep-alive")) {
            fy_buffer_append_text(&kept, kept.len > 0 ? ", " : "");
            fy_buffer_append(&kept, element, len);
        }
    }
    int failed = 0;
    if (kept.failed) {
        failed = refuse_memory(req);
    } else if (kept.len > 0) {
        failed = add_field(req, "Connection", kept.bytes, kept.len);
    }
    fy_buffer_free(&kept);
    return failed;
}

/* Host: what the URL parser makes of it, with its port as given. Anything behind the host would
 * be somebody's attempt at the rest of the head, or a mistake; neither is cut off in silence. */
static int set_host(ferry_request *req, const char *value, size_t len)
{
    struct fy_buffer text = {0};
    struct fy_url url = {0};
    ferry_error err = {0};
    int failed = -1;
    fy_buffer_append_text(&text, "http://");
    fy_buffer_append(&text, value, len);
    fy_buffer_append_byte(&text, '\0');
    if (text.failed) {
        failed = refuse_memory(req);
        goto done;
    }
    if (strcspn(text.bytes + strlen("http://"), "/?#@ \t") != len) {
        fy_fail(&err, FERRY_EINVAL, 0, "the field Host takes a host and a port, not \"%.*s\"",
                (int)(len < 100 ? len : 100), value);
        failed = refuse(req, &err);
        goto done;
    }
    if (fy_url_parse(&url, text.bytes, &err) != 0) {
        fy_error_prefix(&err, "the field Host");
        failed = refuse(req, &err);
        goto done;
    }
    const char *bracket = memrchr(value, ']', len);
    const char *from = bracket == NULL ? value : bracket;
    const char *port = memchr(from, ':', (size_t)(value + len - from));
    size_t host_len = strlen(url.authority);
    const char *authority_port =
        bracket == NULL ? strchr(url.authority, ':') : strchr(strchr(url.authority, ']'), ':');
    text.len = 0;
    fy_buffer_append(&text, url.authority,
                     authority_port == NULL ? host_len : (size_t)(authority_port - url.authority));
    if (port != NULL) {
        fy_buffer_append(&text, port, (size_t)(value + len - port));
    }
    remove_fields(req, "Host");
    failed = text.failed ? refuse_memory(req) : add_field(req, "Host", text.bytes, text.len);
done:
    fy_url_free(&url);
    fy_buffer_free(&text);
    return failed;
}

/* ferry's own to write; NULL, or the name's proper spelling. */
static const char *framing_field(const char *name)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Trailer"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (fy_text_is(name, strlen(name), names[i])) {
            return names[i];
        }
    }
    return NULL;
}

/* What follows for the fields that ferry would add by itself, when the caller sets (true) or
 * removes them. */
static void note_own_field(ferry_request *req, const char *name, bool set)
{
    if (fy_text_is(name, strlen(name), "User-Agent")) {
        req->no_user_agent = !set;
    } else if (fy_text_is(name, strlen(name), "Authorization")) {
        req->no_authorization = !set;
    } else if (fy_text_is(name, strlen(name), "Accept-Encoding")) {
        req->no_accept_encoding = !set;
    }
}

static int put_header(ferry_request *req, const char *name, const char *value, bool replace)
{
    if (req == NULL) {
        return -1;
    }
    if (name == NULL || !fy_is_token(name, strlen(name))) {
        REFUSE(req, "the field name \"%.60s\" is no token", name == NULL ? "" : name);
    }
    if (value != NULL && !fy_is_field_value(value, strlen(value))) {
        REFUSE(req, "the value of the field %.60s has a control byte in it", name);
    }
    const char *framing = framing_field(name);
    if (framing != NULL && value != NULL) {
        REFUSE(req, "the field %s follows from the body and cannot be set", framing);
    }
    bool connection = fy_text_is(name, strlen(name), "Connection");
    bool host = fy_text_is(name, strlen(name), "Host");
    size_t len = 0;
    if (value != NULL) {
        value += strspn(value, " \t");
        len = strlen(value);
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
            len--;
        }
    }
    if (value != NULL && len > 0 && host) {
        return set_host(req, value, len);
    }
    if (replace || host) {
        if (connection) {
            req->close = false;
        }
        remove_fields(req, name);
    }
    if (value == NULL || (len == 0 && (host || fy_text_is(name, strlen(name), "User-Agent")))) {
        /* Neither of the two has an empty form. */
        note_own_field(req, name, false);
        return 0;
    }
    note_own_field(req, name, true);
    return connection ? add_connection(req, value) : add_field(req, name, value, len);
}

int ferry_request_set_header(ferry_request *req, const char *name, const char *value)
{
    return put_header(req, name, value, true);
}

int ferry_request_add_header(ferry_request *req, const char *name, const char *value)
{
    if (req != NULL && value == NULL) {
        REFUSE(req, "the field %.60s is added without a value", name == NULL ? "" : name);
    }
    return put_header(req, name, value, false);
}

/* Puts a body in the place of the one before it, which is its owner's again when this returns. Who
 * is told when ferry is done with it stays. */
static int put_body(ferry_request *req, struct fy_request_body body)
{
    fy_request_join_writing(req, "waiting for a request to be written, to let its body go");
    body.done = req->body.done;
    body.done_arg = req->body.done_arg;
    free(req->own_body);
    req->own_body = NULL;
    req->body_read = false;
    req->handed_begun = false;
    req->body = body;
    return 0;
}

int ferry_request_set_body(ferry_request *req, const void *data, size_t len)
{
    if (req == NULL) {
        return -1;
    }
    if (data == NULL && len > 0) {
        REFUSE(req, "a body of %zu bytes without its bytes", len);
    }
    if (len > INT64_MAX) {
        REFUSE(req, "a body of %zu bytes is too long", len);
    }
    return put_body(
        req, (struct fy_request_body){.kind = len == 0 ? FY_REQUEST_NO_BODY : FY_REQUEST_MEMORY,
                                      .given = data != NULL,
                                      .len = (int64_t)len,
                                      .data = data,
                                      .fd = -1});
}

int ferry_request_set_body_fd(ferry_request *req, int fd, int64_t offset, int64_t len)
{
    if (req == NULL) {
        return -1;
    }
    struct stat status;
    if (offset < 0 || len < -1 || (len > 0 && offset > INT64_MAX - len)) {
        REFUSE(req, "a body of %lld bytes from offset %lld of a file", (long long)len,
               (long long)offset);
    }
    if (fstat(fd, &status) != 0) {
        ferry_error refusal = {0};
        fy_fail(&refusal, FERRY_EINVAL, errno, "the body's descriptor %d: %s", fd,
                fy_errno_text(errno));
        return refuse(req, &refusal);
    }
    if (!S_ISREG(status.st_mode)) {
        REFUSE(req, "the body's descriptor %d is no file: use a reader", fd);
    }
    if (offset > status.st_size || (len >= 0 && len > status.st_size - offset)) {
        REFUSE(req, "the body ends behind the end of its file, which has %lld bytes",
               (long long)status.st_size);
    }
    if (len < 0) {
        len = status.st_size - offset;
    }
    return put_body(
        req, (struct fy_request_body){.kind = len == 0 ? FY_REQUEST_NO_BODY : FY_REQUEST_FILE,
                                      .given = true,
                                      .len = len,
                                      .fd = fd,
                                      .offset = offset});
}

int ferry_request_set_body_reader(ferry_request *req, ferry_read_fn read, int (*rewind)(void *arg),
                                  void *arg, int64_t len)
{
    if (req == NULL) {
        return -1;
    }
    if (read == NULL) {
        REFUSE(req, "a body's reader without a function");
    }
    if (len < -1) {
        REFUSE(req, "a body of %lld bytes", (long long)len);
    }
    return put_body(req, (struct fy_request_body){.kind = FY_REQUEST_READER,
                                                  .given = true,
                                                  .len = len,
                                                  .fd = -1,
                                                  .read = read,
                                                  .rewind = rewind,
                                                  .arg = arg});
}

void ferry_request_set_body_done(ferry_request *req, void (*done)(void *arg), void *arg)
{
    if (req != NULL) {
        req->body.done = done;
        req->body.done_arg = arg;
    }
}

void ferry_request_set_timeout(ferry_request *req, int64_t ms)
{
    if (req != NULL) {
        req->timeout_ms = ms > 0 ? ms : 0;
    }
}

void ferry_request_set_close(ferry_request *req, int close)
{
    if (req != NULL) {
        req->close = close != 0;
    }
}

void ferry_request_set_http_1_0(ferry_request *req, int yes)
{
    if (req != NULL) {
        req->http_1_0 = yes != 0;
    }
}

void ferry_request_set_raw_body(ferry_request *req, int yes)
{
    if (req != NULL) {
        req->raw_body = yes != 0;
    }
}

int ferry_request_set_target(ferry_request *req, const char *target)
{
    if (req == NULL) {
        return -1;
    }
    if (target != NULL) {
        size_t len = strlen(target);
        if (len == 0 || memchr(target, ' ', len) != NULL || memchr(target, '\t', len) != NULL ||
            !fy_is_field_value(target, len)) {
            REFUSE(req, "the request target is empty, or has a space or a control byte in it");
        }
        target = strdup(target);
        if (target == NULL) {
            return refuse_memory(req);
        }
    }
    free(req->target);
    req->target = (char *)target;
    return 0;
}

void ferry_request_set_context(ferry_request *req, ferry_context *context)
{
    if (req != NULL) {
        req->context = context;
    }
}

void ferry_request_set_trace(ferry_request *req, const ferry_trace *trace, void *arg)
{
    if (req == NULL) {
        return;
    }
    req->trace = (ferry_trace){0};
    req->trace_arg = arg;
    if (trace == NULL) {
        return;
    }
    if (trace->size < sizeof(trace->size)) {
        ferry_error refusal = {0};
        fy_fail(&refusal, FERRY_EINVAL, 0, "a ferry_trace without its size: use FERRY_TRACE()");
        refuse(req, &refusal);
        return;
    }
    /* The program may have been compiled with another version of the struct: what it does not
     * know is none, what only it knows nobody would call. */
    memcpy(&req->trace, trace, trace->size < sizeof(*trace) ? trace->size : sizeof(*trace));
    req->trace.size = sizeof(req->trace);
}

int fy_fail_without_request(ferry_error *err)
{
    return fy_fail(
        err, FERRY_EINVAL, 0,
        "there is no request to send: ferry_request_new() has failed, and the error that "
        "it was given says why");
}

bool fy_request_rewindable(const ferry_request *req)
{
    return req->body.kind != FY_REQUEST_READER || req->body.len == 0 || req->body.rewind != NULL;
}

bool fy_request_replayable(const ferry_request *req)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
    if (!fy_request_rewindable(req)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
        if (strcmp(req->method, safe[i]) == 0) {
            return true;
        }
    }
    return fy_header_get(&req->header, "Idempotency-Key") != NULL ||
           fy_header_get(&req->header, "X-Idempotency-Key") != NULL;
}

const char *fy_request_verb(const ferry_request *req, char buffer[32])
{
    size_t len = strnlen(req->method, 31);
    for (size_t i = 0; i < len; i++) {
        char c = req->method[i];
        buffer[i] = i > 0 && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    buffer[len] = '\0';
    return buffer;
}
