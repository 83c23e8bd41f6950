/*
 * The response object and its public functions.
 */
#include "http/response.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "task/clock.h"
#include "task/sched.h"

ferry_response *fy_response_new(void)
{
    ferry_response *res = calloc(1, sizeof *res);
    if (res == NULL) {
        return NULL;
    }
    res->sched = fy_sched_running();
    res->reason = "";
    res->url = "";
    res->minor = 1;
    res->length = -1;
    fy_list_init(&res->entry.link);
    return res;
}

void fy_response_free(ferry_response *res)
{
    fy_arena_free(&res->arena);
    free(res->failure);
    free(res);
}

/* ----------------------------------------------------------------------------------- the head */

FERRY_API int ferry_response_status(const ferry_response *res)
{
    return res->status;
}

FERRY_API const char *ferry_response_reason(const ferry_response *res)
{
    return res->reason;
}

FERRY_API const char *ferry_response_proto(const ferry_response *res)
{
    return res->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

FERRY_API const char *ferry_response_url(const ferry_response *res)
{
    return res->url;
}

FERRY_API int64_t ferry_response_length(const ferry_response *res)
{
    return res->length;
}

FERRY_API const char *ferry_response_header(const ferry_response *res, const char *name)
{
    return fy_header_get(&res->header, name);
}

FERRY_API size_t ferry_response_header_count(const ferry_response *res)
{
    return res->header.count;
}

FERRY_API void ferry_response_header_at(const ferry_response *res, size_t i, const char **name,
                                        const char **value)
{
    const struct fy_field *field = i < res->header.count ? &res->header.fields[i] : NULL;
    if (name != NULL) {
        *name = field != NULL ? field->name : NULL;
    }
    if (value != NULL) {
        *value = field != NULL ? field->value : NULL;
    }
}

FERRY_API const char *ferry_response_trailer(const ferry_response *res, const char *name)
{
    return res->ended ? fy_header_get(&res->trailer, name) : NULL;
}

/* ----------------------------------------------------------------------------------- the body */

/* Under the lock, on the response's thread. */
static ssize_t read_body(ferry_response *res, void *buf, size_t len, ferry_error *err)
{
    if (res->failure != NULL) {
        *err = *res->failure;
        return -1;
    }
    if (res->ended || len == 0) {
        return 0;
    }
    ssize_t got = res->ops->read(res->body, buf, len, err);
    res->entry.last_read = fy_now();
    if (got > 0) {
        res->entry.bytes_read += got;
    } else if (got == 0) {
        res->ended = true;
    } else {
        res->failure = malloc(sizeof *res->failure);
        if (res->failure != NULL) {
            *res->failure = *err;
        } else {
            res->ended = true; /* the caller has this error; a later read cannot be told it again */
        }
    }
    return got;
}

/* Enters the scheduler of a response that is about to be read or written: NULL and *err when this
 * is another thread's. */
static struct fy_sched *enter_for(const ferry_response *res, ferry_error *err)
{
    struct fy_sched *sched = fy_enter();
    if (sched == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    if (sched != res->sched) {
        fy_leave();
        fy_fail(err, FERRY_ETHREAD, 0,
                "the response to %s is used on a thread that did not open it", res->url);
        return NULL;
    }
    return sched;
}

FERRY_API ssize_t ferry_response_read(ferry_response *res, void *buf, size_t len, ferry_error *err)
{
    err = FY_ERROR(err);
    if (enter_for(res, err) == NULL) {
        return -1;
    }
    ssize_t got = read_body(res, buf, len, err);
    fy_leave();
    return got;
}

FERRY_API ssize_t ferry_response_write(ferry_response *res, const void *buf, size_t len,
                                       ferry_error *err)
{
    err = FY_ERROR(err);
    if (enter_for(res, err) == NULL) {
        return -1;
    }
    ssize_t written = -1;
    if (res->ops->write != NULL) {
        written = res->ops->write(res->body, buf, len, err);
    } else {
        fy_fail(err, FERRY_EUNSUPPORTED, 0,
                "the response to %s cannot be written to: it has status %d and did not switch "
                "protocols",
                res->url, res->status);
    }
    fy_leave();
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

FERRY_API char *ferry_response_read_all(ferry_response *res, size_t max, size_t *len,
                                        ferry_error *err)
{
    err = FY_ERROR(err);
    size_t capacity = first_capacity(res, max);
    size_t used = 0;
    char *all = malloc(capacity);
    for (;;) {
        if (all == NULL) {
            fy_fail_memory(err);
            return NULL;
        }
        ssize_t got = ferry_response_read(res, all + used, capacity - used - 1, err);
        if (got < 0) {
            break;
        }
        if (got == 0) {
            all[used] = '\0';
            if (len != NULL) {
                *len = used;
            }
            return all;
        }
        used += (size_t)got;
        if (used > max) {
            fy_fail(err, FERRY_ETOOBIG, 0, "the body of %s is longer than %zu bytes", res->url,
                    max);
            break;
        }
        if (used + 1 >= capacity) {
            char *larger = grow(all, &capacity, max);
            if (larger == NULL) {
                fy_fail_memory(err);
                break;
            }
            all = larger;
        }
    }
    free(all);
    return NULL;
}

/* Writes all of it; a non-blocking descriptor is waited for. */
static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written >= 0) {
            bytes += written;
            len -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

#define SAVE_BUFFER ((size_t)64 * 1024)

FERRY_API int64_t ferry_response_save(ferry_response *res, int fd, ferry_error *err)
{
    err = FY_ERROR(err);
    char *buffer = malloc(SAVE_BUFFER);
    int64_t saved = 0;
    if (buffer == NULL) {
        return fy_fail_memory(err);
    }
    for (;;) {
        ssize_t got = ferry_response_read(res, buffer, SAVE_BUFFER, err);
        if (got <= 0) {
            saved = got < 0 ? -1 : saved;
            break;
        }
        if (write_all(fd, buffer, (size_t)got) != 0) {
            int cause = errno;
            saved = fy_fail(err, FERRY_EWRITE, cause, "saving the body of %s: %s", res->url,
                            fy_errno_text(cause));
            break;
        }
        saved += got;
    }
    free(buffer);
    return saved;
}

/* ---------------------------------------------------------------------------------- the close */

void fy_response_close(ferry_response *res)
{
    fy_ledger_close(&res->entry);
    res->ops->close(res->body, true);
    fy_response_free(res);
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
    /* Another thread's: what has to happen is left in its scheduler, and happens when it next runs.
     */
    sched = res->sched;
    fy_sched_lock(sched);
    fy_ledger_close(&res->entry);
    res->ops->close(res->body, false);
    fy_response_free(res);
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
    if (status < 100 || status > 999 || fy_enter() == NULL) {
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
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);
    if (!fy_is_token(name, name_len) || !fy_is_field_value(value, value_len)) {
        return -1;
    }
    return fy_header_add(&res->header, &res->arena, name, name_len, value, value_len);
}
