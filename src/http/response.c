/*
 * The response object and its public functions.
 */
#include "http/response.h"

#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "base/seldom.h"
#include "task/clock.h"
#include "task/sched.h"

/* How many a scheduler keeps: as many as end and begin between two polls. */
#define SPARE_RESPONSES 64

FY_SLAB_STATIC(responses, FY_RESPONSE_BYTES, FY_SLAB_CHUNK)

/* The failure of a read for which there was no memory. */
static const ferry_error failure_not_kept = {
    .code = FERRY_ENOMEM, .os_errno = ENOMEM, .message = "out of memory"};

static void forget_users(struct fy_exit_hook *hook);
static void forget_lost_users(struct fy_exit_hook *hook);

static const struct fy_exit_kind lost_users = {.run = forget_users, .forked = forget_lost_users};

/* For the ledger. */
static size_t memory(const struct fy_ledger_entry *entry)
{
    const ferry_response *res = FY_CONTAINER(entry, ferry_response, entry);
    return sizeof *res + fy_arena_bytes(&res->arena);
}

ferry_response *fy_response_new(void)
{
    struct fy_sched *sched = fy_sched_running();
    struct fy_spares *spares = &sched->responses;
    spares->slab = &responses;
    spares->most = SPARE_RESPONSES;
    ferry_response *res = fy_spare_take(spares);
    if (res == NULL) {
        return NULL;
    }
    *res = (ferry_response){.sched = sched,
                            .reason = "",
                            .url = "",
                            .minor = 1,
                            .length = -1,
                            .leftover.kind = &lost_users};
    fy_arena_lend(&res->arena, res->room, FY_RESPONSE_BYTES - sizeof *res);
    fy_list_init(&res->entry.link);
    res->entry.memory = memory;
    fy_list_init(&res->leftover.link);
    return res;
}

void fy_response_free(ferry_response *res)
{
    if (res->tls_release != NULL) {
        res->tls_release(res->tls_held);
    }
    if (res->failure != &failure_not_kept) {
        free((void *)res->failure);
    }
    fy_arena_free(&res->arena);
    fy_spare_give(&res->sched->responses, res);
}

/* ----------------------------------------------------------------------------------- the head */

FERRY_API int ferry_response_status(const ferry_response *res)
{
    return res != NULL ? res->status : 0;
}

FERRY_API const char *ferry_response_reason(const ferry_response *res)
{
    return res != NULL ? res->reason : "";
}

FERRY_API int ferry_response_tls(const ferry_response *res, ferry_tls_info *info)
{
    bool is_tls = res != NULL && res->tls != NULL;
    if (info != NULL) {
        ferry_tls_info all = is_tls ? *res->tls : (ferry_tls_info){0};
        size_t size = info->size;
        all.size = size;
        memcpy(info, &all, size < sizeof all ? size : sizeof all);
    }
    return is_tls;
}

FERRY_API const char *ferry_response_proto(const ferry_response *res)
{
    if (res == NULL) {
        return "";
    }
    return res->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

FERRY_API const char *ferry_response_url(const ferry_response *res)
{
    return res != NULL ? res->url : "";
}

FERRY_API int64_t ferry_response_length(const ferry_response *res)
{
    return res != NULL ? res->length : -1;
}

FERRY_API int ferry_response_decoded(const ferry_response *res)
{
    return res != NULL && res->decoded;
}

FERRY_API const char *ferry_response_header(const ferry_response *res, const char *name)
{
    return res != NULL && name != NULL ? fy_header_get(&res->header, name) : NULL;
}

FERRY_API size_t ferry_response_header_count(const ferry_response *res)
{
    return res != NULL ? res->header.count : 0;
}

FERRY_API void ferry_response_header_at(const ferry_response *res, size_t i, const char **name,
                                        const char **value)
{
    const struct fy_field *field =
        res != NULL && i < res->header.count ? &res->header.fields[i] : NULL;
    if (name != NULL) {
        *name = field != NULL ? field->name : NULL;
    }
    if (value != NULL) {
        *value = field != NULL ? field->value : NULL;
    }
}

/* ----------------------------------------------------------------------------------- the body */

/* The last to leave a closed response frees it. */
static void drop_use(ferry_response *res)
{
    if (--res->users > 0) {
        return;
    }
    fy_list_remove(&res->leftover.link);
    if (res->closed) {
        if (res->ops->release != NULL) {
            res->ops->release(res->body);
        }
        fy_response_free(res);
    }
}

/* The thread has ended, and with it the tasks that were in the response. */
static void forget_users(struct fy_exit_hook *hook)
{
    ferry_response *res = FY_CONTAINER(hook, ferry_response, leftover);
    res->users = 1;
    res->reading = false;
    drop_use(res);
}

/* In the child of a fork: likewise, where the thread is not there. */
static void forget_lost_users(struct fy_exit_hook *hook)
{
    ferry_response *res = FY_CONTAINER(hook, ferry_response, leftover);
    if (!atomic_load(&res->sched->alive)) {
        forget_users(hook);
    }
}

static void hold_use(ferry_response *res)
{
    if (res->users++ == 0) {
        fy_list_push_front(&res->sched->leftovers, &res->leftover.link);
    }
}

/* Enters the scheduler of a response and keeps the response from being freed by a close that comes
 * from another task meanwhile. NULL and *err when there is none, or it is another thread's. */
struct fy_sched *fy_response_begin_use(ferry_response *res, ferry_error *err)
{
    if (res == NULL) {
        fy_fail(err, FERRY_EINVAL, 0,
                "there is no response to read or write: the call that was to bring it says why");
        return NULL;
    }
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    if (res->entry.inherited) {
        fy_leave();
        fy_fail(
            err, FERRY_ETHREAD, 0,
            "the response to %s was opened before the process was forked, and only the parent can "
            "use it: send the request again in the child",
            res->url);
        return NULL;
    }
    if (sched != res->sched) {
        fy_leave();
        fy_fail(err, FERRY_ETHREAD, 0,
                "the response to %s is used on a thread that did not open it", res->url);
        return NULL;
    }
    hold_use(res);
    return sched;
}

void fy_response_end_use(ferry_response *res)
{
    drop_use(res);
    fy_leave();
}

/* A failure is told again by every later read. This read's caller has it; where there is no memory to
 * tell it twice, the next one is told that, and of no clean end. */
static void keep_failure(ferry_response *res, const ferry_error *err)
{
    ferry_error *copy = malloc(sizeof *copy);
    res->failure = &failure_not_kept;
    if (copy != NULL) {
        *copy = *err;
        res->failure = copy;
    }
}

/* Another task, or another thread, has closed what this one is in the middle of using. */
static int fail_closed(const ferry_response *res, const char *use, ferry_error *err)
{
    return fy_fail(err, FERRY_ECLOSED, 0, "the response to %s was closed while it was %s", res->url,
                   use);
}

/* Between the beginning of a use and its end: reads into buf, or moves into the pipe where buf is
 * NULL. */
static ssize_t take_body(ferry_response *res, void *buf, int pipe, size_t len, ferry_error *err)
{
    if (res->closed) {
        return fail_closed(res, "read", err); /* between two reads of one call */
    }
    if (res->failure != NULL) {
        *err = *res->failure;
        return -1;
    }
    if (res->ended || len == 0) {
        return 0;
    }
    if (res->reading) {
        return fy_fail(err, FERRY_EINVAL, 0, "the response to %s is being read by another task",
                       res->url);
    }
    res->reading = true;
    ssize_t got = buf != NULL ? res->ops->read(res->body, buf, len, err)
                              : res->ops->move(res->body, pipe, len, err);
    res->reading = false;
    if (got == FY_MOVE_NOT) {
        return got;
    }
    res->entry.last_read = res->sched->now;
    if (res->closed) {
        return fail_closed(res, "read", err);
    }
    if (got > 0) {
        res->entry.bytes_read += got;
    } else if (got == 0) {
        res->ended = true;
    } else {
        keep_failure(res, err);
    }
    return got;
}

ssize_t fy_response_read_body(ferry_response *res, void *buf, size_t len, ferry_error *err)
{
    return take_body(res, buf, -1, len, err);
}

ssize_t fy_response_move_body(ferry_response *res, int pipe, size_t len, ferry_error *err)
{
    return res->ops->move != NULL ? take_body(res, NULL, pipe, len, err) : FY_MOVE_NOT;
}

static ssize_t read_some(ferry_response *res, void *buf, size_t len, ferry_error *err)
{
    if (fy_response_begin_use(res, err) == NULL) {
        return -1;
    }
    ssize_t got = buf != NULL || len == 0 ? fy_response_read_body(res, buf, len, err)
                                          : fy_fail_null(err, "a buffer");
    fy_response_end_use(res);
    return got;
}

static FY_SELDOM ssize_t read_unexplained(ferry_response *res, void *buf, size_t len)
{
    ferry_error unwanted;
    return read_some(res, buf, len, &unwanted);
}

FERRY_API ssize_t ferry_response_read(ferry_response *res, void *buf, size_t len, ferry_error *err)
{
    return err != NULL ? read_some(res, buf, len, err) : read_unexplained(res, buf, len);
}

FERRY_API ssize_t ferry_response_write(ferry_response *res, const void *buf, size_t len,
                                       ferry_error *err)
{
    err = FY_ERROR(err);
    if (fy_response_begin_use(res, err) == NULL) {
        return -1;
    }
    ssize_t written = -1;
    if (buf == NULL && len > 0) {
        fy_fail_null(err, "what is to be written");
    } else if (res->ops->write != NULL) {
        written = res->ops->write(res->body, buf, len, err);
        if (res->closed) {
            written = fail_closed(res, "written to", err);
        }
    } else {
        fy_fail(err, FERRY_EUNSUPPORTED, 0,
                "the response to %s cannot be written to: it has status %d and did not switch "
                "protocols",
                res->url, res->status);
    }
    fy_response_end_use(res);
    return written;
}

#define READ_ALL_FIRST 4096

/* Room for more of the body, and its NUL; at most one byte more than max, which shows that there is
 * more. */
static char *grow(char *all, size_t *capacity, size_t max)
{
    size_t limit = max < SIZE_MAX - 2 ? max + 2 : SIZE_MAX;
    size_t wanted = *capacity < SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    *capacity = wanted < limit ? wanted : limit;
    return realloc(all, *capacity);
}

/* The first buffer: just right for an announced length that can be believed. */
static size_t first_capacity(const ferry_response *res, size_t max)
{
    size_t capacity = READ_ALL_FIRST;
    if (res->length >= 0 && (uint64_t)res->length < ((uint64_t)1 << 20)) {
        capacity = (size_t)res->length + 2;
    }
    return capacity < max || max > SIZE_MAX - 2 ? capacity : max + 2;
}

/* The rest of the body, in one use of it. */
static char *read_rest(ferry_response *res, size_t max, size_t *len, ferry_error *err)
{
    size_t capacity = first_capacity(res, max);
    size_t used = 0;
    char *all = malloc(capacity);
    if (all == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    ssize_t got;
    while ((got = fy_response_read_body(res, all + used, capacity - used - 1, err)) > 0) {
        used += (size_t)got;
        if (used > max) {
            got = fy_fail(err, FERRY_ETOOBIG, 0, "the body of %s is longer than %zu bytes",
                          res->url, max);
            break;
        }
        if (used + 1 >= capacity) {
            char *larger = grow(all, &capacity, max);
            if (larger == NULL) {
                got = fy_fail_memory(err);
                break;
            }
            all = larger;
        }
    }
    if (got < 0) {
        free(all);
        return NULL;
    }
    all[used] = '\0';
    *len = used;
    return all;
}

FERRY_API char *ferry_response_read_all(ferry_response *res, size_t max, size_t *len,
                                        ferry_error *err)
{
    size_t unwanted;
    err = FY_ERROR(err);
    if (fy_response_begin_use(res, err) == NULL) {
        return NULL;
    }
    char *all = read_rest(res, max, len != NULL ? len : &unwanted, err);
    fy_response_end_use(res);
    return all;
}

/* ---------------------------------------------------------------------------------- the close */

static void close_now(ferry_response *res, bool may_park)
{
    fy_ledger_close(&res->entry);
    hold_use(res);
    res->closed = true;
    res->ops->close(res->body, may_park);
    drop_use(res);
}

void fy_response_close(ferry_response *res)
{
    close_now(res, true);
}

FERRY_API void ferry_response_close(ferry_response *res)
{
    if (res == NULL) {
        return;
    }
    struct fy_sched *sched = fy_enter();
    if (sched == res->sched) {
        fy_response_close(res);
        fy_leave();
        return;
    }
    if (sched != NULL) {
        fy_leave();
    }
    /* Another thread's: what has to happen is left in its scheduler, and happens when it next runs. */
    sched = res->sched;
    fy_sched_lock(sched);
    close_now(res, false);
    fy_sched_unlock(sched);
}

/* ------------------------------------------------------------- responses without a connection */

/* A body in memory, in the response's own arena. */
struct memory_body {
    const char *bytes;
    size_t left;
};

static ssize_t memory_read(void *self, void *buf, size_t len, ferry_error *err)
{
    (void)err;
    struct memory_body *body = self;
    size_t taken = len < body->left ? len : body->left;
    memcpy(buf, body->bytes, taken);
    body->bytes += taken;
    body->left -= taken;
    return (ssize_t)taken;
}

static void memory_close(void *self, bool may_park)
{
    (void)self; /* in the arena, which goes with the response */
    (void)may_park;
}

static const struct fy_body_ops memory_ops = {.read = memory_read, .close = memory_close};

FERRY_API ferry_response *ferry_response_new(int status, const void *bytes, size_t len)
{
    if (status < 100 || status > 999 || (bytes == NULL && len > 0) || fy_enter() == NULL) {
        return NULL;
    }
    ferry_response *res = fy_response_new();
    struct memory_body *body = NULL;
    char *copy = NULL;
    if (res != NULL) {
        body = fy_arena_alloc(&res->arena, sizeof *body);
        copy = fy_arena_copy(&res->arena, len > 0 ? bytes : "", len);
    }
    if (body == NULL || copy == NULL) {
        if (res != NULL) {
            fy_response_free(res);
        }
        fy_leave();
        return NULL;
    }
    *body = (struct memory_body){.bytes = copy, .left = len};
    res->status = status;
    res->length = (int64_t)len;
    res->ops = &memory_ops;
    res->body = body;
    res->entry.url = res->url;
    res->entry.length = res->length;
    fy_ledger_open(res->sched, &res->entry);
    fy_leave();
    return res;
}

FERRY_API int ferry_response_add_header(ferry_response *res, const char *name, const char *value)
{
    if (res == NULL || name == NULL || value == NULL) {
        return -1;
    }
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    if (!fy_is_token(name, name_len) || !fy_is_field_value(value, value_len)) {
        return -1;
    }
    return fy_header_add(&res->header, &res->arena, name, name_len, value, value_len);
}
