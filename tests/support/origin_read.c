/*
 * Reading what a client sends: heads, bodies by length and by chunks, its end. Called by serve functions,
 * on the connection's own thread. Every byte that comes in is logged, every head becomes a record.
 */
#include "origin_internal.h"

#include "events.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Receives once into conn->in. Returns the bytes that came, 0 at the end, -1 on a reset. */
static ssize_t receive(struct origin_conn *conn)
{
    char piece[16384];
    ssize_t n;

    if (conn->fd < 0)
        return -1;
    do {
        n = recv(conn->fd, piece, sizeof(piece), 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n;

    bytes_append(&conn->in, piece, (size_t)n);
    events_lock();
    if (conn->received.len < ORIGIN_RECEIVED_LIMIT) {
        size_t room = ORIGIN_RECEIVED_LIMIT - conn->received.len;

        bytes_append(&conn->received, piece, (size_t)n < room ? (size_t)n : room);
    }
    events_unlock();
    return n;
}

static void log_head(struct origin_conn *conn, const char *head, size_t len)
{
    struct origin_record *record = calloc(1, sizeof(*record));
    struct origin *origin = conn->origin;
    struct bytes copy = {0};

    if (record == NULL)
        abort();
    bytes_append(&copy, head, len);
    conn->record = record;
    events_lock();
    record->request = (struct origin_request){.connection = conn->serial,
                                              .number = ++conn->requests,
                                              .head = copy.data,
                                              .head_len = copy.len};
    origin->records =
        array_grow(origin->records, origin->counts.requests, &origin->records_capacity);
    origin->records[origin->counts.requests++] = record;
    events_changed();
    events_unlock();
}

ssize_t origin_read_head(struct origin_conn *conn, char *buf, size_t size)
{
    const char *end = NULL;
    size_t searched = 0;
    size_t len;

    for (;;) {
        /* The empty line may straddle two reads. */
        if (conn->in.len >= 4)
            end = memmem(conn->in.data + searched, conn->in.len - searched, "\r\n\r\n", 4);
        if (end != NULL)
            break;
        searched = conn->in.len >= 4 ? conn->in.len - 3 : 0;
        if (conn->in.len >= size)
            return -1;
        ssize_t n = receive(conn);

        if (n <= 0)
            return n == 0 && conn->in.len == 0 ? 0 : -1;
    }
    len = (size_t)(end + 4 - conn->in.data);
    if (len >= size)
        return -1;
    memcpy(buf, conn->in.data, len);
    buf[len] = '\0';
    bytes_drop(&conn->in, len);
    log_head(conn, buf, len);
    return (ssize_t)len;
}

ssize_t origin_read_some(struct origin_conn *conn, void *buf, size_t size)
{
    size_t len;

    if (conn->in.len == 0) {
        ssize_t n = receive(conn);

        if (n <= 0)
            return n;
    }
    len = conn->in.len < size ? conn->in.len : size;
    if (buf != NULL)
        memcpy(buf, conn->in.data, len);
    bytes_drop(&conn->in, len);
    return (ssize_t)len;
}

bool origin_read_exact(struct origin_conn *conn, void *buf, size_t len)
{
    char *rest = buf;

    while (len > 0) {
        ssize_t n = origin_read_some(conn, rest, len);

        if (n <= 0)
            return false;
        if (rest != NULL)
            rest += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- Bodies ---- */

/* The value of the head's first field of that name, without blanks around it; false: there is none. */
static bool find_field(const char *head, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *start = line + name_len + 1 + strspn(line + name_len + 1, " \t");
        size_t len = strcspn(start, "\r\n");

        while (len > 0 && isblank((unsigned char)start[len - 1]))
            len--;
        snprintf(value, size, "%.*s", (int)len, start);
        return true;
    }
    return false;
}

/* Reads len bytes and adds them to both. What came before an early end is there, too. */
static bool read_into(struct origin_conn *conn, uint64_t len, struct bytes *raw, struct bytes *body)
{
    char piece[16384];

    while (len > 0) {
        ssize_t n =
            origin_read_some(conn, piece, len < sizeof(piece) ? (size_t)len : sizeof(piece));

        if (n <= 0)
            return false;
        bytes_append(raw, piece, (size_t)n);
        if (body != NULL)
            bytes_append(body, piece, (size_t)n);
        len -= (uint64_t)n;
    }
    return true;
}

/* Reads through the next CRLF. Returns where in raw the line starts, or -1. */
static ssize_t read_line(struct origin_conn *conn, struct bytes *raw)
{
    size_t start = raw->len;

    do {
        if (!read_into(conn, 1, raw, NULL))
            return -1;
    } while (raw->len - start < 2 || memcmp(raw->data + raw->len - 2, "\r\n", 2) != 0);
    return (ssize_t)start;
}

/* RFC 9112 section 7.1: chunks, the last of size 0, then trailer fields and an empty line. */
static bool read_chunks(struct origin_conn *conn, struct bytes *raw, struct bytes *body)
{
    for (;;) {
        ssize_t line = read_line(conn, raw);
        uint64_t size;
        char *end;

        if (line < 0 || !isxdigit((unsigned char)raw->data[line]))
            return false;
        size = strtoull(raw->data + line, &end, 16);
        if (*end != '\r' && *end != ';')
            return false;
        if (size == 0)
            break;
        if (!read_into(conn, size, raw, body) || !read_into(conn, 2, raw, NULL) ||
            memcmp(raw->data + raw->len - 2, "\r\n", 2) != 0)
            return false;
    }
    for (;;) {
        ssize_t line = read_line(conn, raw);

        if (line < 0)
            return false;
        if (raw->len - (size_t)line == 2)
            return true;
    }
}

ssize_t origin_read_body(struct origin_conn *conn)
{
    struct bytes raw = {0};
    struct bytes body = {0};
    char value[64];
    bool complete = true;
    ssize_t len;

    if (conn->record == NULL || conn->record->request.body != NULL)
        return -1;
    bytes_append(&raw, "", 0);
    bytes_append(&body, "", 0);
    if (find_field(conn->record->request.head, "Transfer-Encoding", value, sizeof(value)) &&
        strcasecmp(value, "chunked") == 0)
        complete = read_chunks(conn, &raw, &body);
    else if (find_field(conn->record->request.head, "Content-Length", value, sizeof(value)))
        complete = read_into(conn, strtoull(value, NULL, 10), &raw, &body);
    len = complete ? (ssize_t)body.len : -1;

    events_lock();
    conn->record->request.body = body.data;
    conn->record->request.body_len = body.len;
    conn->record->request.raw_body = raw.data;
    conn->record->request.raw_body_len = raw.len;
    conn->record->request.complete = complete;
    events_changed();
    events_unlock();
    return len;
}

bool origin_read_request(struct origin_conn *conn)
{
    size_t size = (size_t)1 << 20;
    char *head = malloc(size);
    ssize_t len;

    if (head == NULL)
        abort();
    len = origin_read_head(conn, head, size);
    free(head);
    return len > 0 && origin_read_body(conn) >= 0;
}

enum origin_end origin_wait_eof(struct origin_conn *conn, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    for (;;) {
        struct pollfd readable = {.fd = conn->fd, .events = POLLIN};
        int64_t left = deadline < 0 ? 0 : deadline - events_now();
        int ready;

        if (conn->fd < 0)
            return ORIGIN_NOT_ENDED;
        ready = poll(&readable, 1, deadline < 0 ? -1 : left > 0 ? (int)left : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ORIGIN_NOT_ENDED;
        ssize_t n = receive(conn);

        bytes_drop(&conn->in, conn->in.len);
        if (n == 0)
            return ORIGIN_EOF;
        if (n < 0)
            return ORIGIN_RESET;
    }
}
