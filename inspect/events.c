/*
 * The events that the page lives on. While somebody watches, a thread of its own takes a snapshot
 * at every interval and writes it down once, for all; each stream sends it as fast as its reader
 * takes it, and leaves out what has been overtaken meanwhile. A stream that has sent everything is
 * suspended until the next snapshot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server.h"

#define BLOCK_BYTES 16384

/* Fewer than there may be connections, so that watchers keep nobody else away. Each may be sending
 * an event of its own, and no more than one, however slow it is. */
#define MAX_STREAMS 32

/* The most of a kind in one event: a page of thousands of lanes is of no use to anybody. The counts
 * beside them are of all. */
#define MAX_SHOWN 200

/* One watcher. Under the server's lock, but for what libmicrohttpd's thread alone uses. */
struct stream {
    struct server *server;
    struct MHD_Connection *connection;
    struct stream *next, **place; /* in server->streams */
    struct payload *sending;      /* a hold; NULL: nothing */
    size_t sent;                  /* bytes of it */
    uint64_t sequence;            /* of the last one that was begun */
    bool suspended;
};

/* ---- Payloads, under the lock ---- */

static void payload_release(struct payload *payload)
{
    if (payload != NULL && --payload->holds == 0) {
        free(payload->bytes);
        free(payload);
    }
}

/* One line: a line feed would end the event's data. Within JSON's strings there is none. */
static void put_line(FILE *out, const char *json)
{
    for (; *json != '\0'; json++) {
        putc(*json == '\n' ? ' ' : *json, out);
    }
}

static void put_event(FILE *out, const struct server *server, const char *snapshot,
                      const char *extra)
{
    fprintf(out, "data: {\"suspicious_ms\": %d, \"ferry\": ", server->suspicious_ms);
    put_line(out, snapshot);
    if (extra != NULL) {
        fprintf(out, ", \"%s\": ", server->extra.name);
        put_line(out, extra);
    }
    fputs("}\n\n", out);
}

/* Without the lock. NULL when out of memory: then this one is left out. */
static struct payload *payload_new(const struct server *server)
{
    bool has_extra = server->extra.json != NULL;
    bool complete = false;
    struct payload *payload = calloc(1, sizeof *payload);
    char *snapshot = ferry_snapshot_json(MAX_SHOWN);
    char *extra = has_extra ? server->extra.json(server->extra.arg) : NULL;
    if (payload != NULL && snapshot != NULL && (!has_extra || extra != NULL)) {
        FILE *out = open_memstream(&payload->bytes, &payload->len);
        if (out != NULL) {
            put_event(out, server, snapshot, extra);
            complete = fclose(out) == 0;
        }
        payload->holds = 1;
    }
    free(snapshot);
    free(extra);
    if (!complete && payload != NULL) {
        free(payload->bytes);
        free(payload);
        payload = NULL;
    }
    return payload;
}

/* ---- The ticker ---- */

static void publish(struct server *server, struct payload *payload)
{
    payload_release(server->latest);
    server->latest = payload;
    server->sequence++;
}

static void resume_all(struct server *server)
{
    for (struct stream *stream = server->streams; stream != NULL; stream = stream->next) {
        if (stream->suspended) {
            stream->suspended = false;
            MHD_resume_connection(stream->connection);
        }
    }
}

static struct timespec after_ms(int ms)
{
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += ms / 1000;
    when.tv_nsec += (long)(ms % 1000) * 1000000;
    if (when.tv_nsec >= 1000000000) {
        when.tv_nsec -= 1000000000;
        when.tv_sec++;
    }
    return when;
}

static void *tick(void *arg)
{
    struct server *server = arg;
    pthread_mutex_lock(&server->lock);
    while (!server->stopping) {
        if (server->streams == NULL) {
            pthread_cond_wait(&server->wanted, &server->lock);
            continue;
        }
        pthread_mutex_unlock(&server->lock);
        struct payload *payload = payload_new(server);
        pthread_mutex_lock(&server->lock);
        if (payload != NULL) {
            publish(server, payload);
        }
        resume_all(server);
        const struct timespec next = after_ms(server->interval_ms);
        int waited = 0;
        while (!server->stopping && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&server->wanted, &server->lock, &next);
        }
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

int events_start(struct server *server)
{
    int failed = pthread_create(&server->ticker, NULL, tick, server);
    server->has_ticker = failed == 0;
    return failed;
}

void events_stop(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->wanted);
    resume_all(server);
    pthread_mutex_unlock(&server->lock);
    if (server->has_ticker) {
        pthread_join(server->ticker, NULL);
    }
}

void events_free(struct server *server)
{
    payload_release(server->latest);
    server->latest = NULL;
}

/* ---- A stream ---- */

/* Under the lock: whether there is something to send. */
static bool take_latest(struct stream *stream)
{
    struct server *server = stream->server;
    if (stream->sending != NULL && stream->sent < stream->sending->len) {
        return true;
    }
    payload_release(stream->sending);
    stream->sending = NULL;
    if (stream->sequence == server->sequence) {
        return false;
    }
    stream->sequence = server->sequence;
    stream->sending = server->latest;
    stream->sending->holds++;
    stream->sent = 0;
    return true;
}

static ssize_t send_some(void *arg, uint64_t position, char *buf, size_t max)
{
    struct stream *stream = arg;
    struct server *server = stream->server;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&server->lock);
    if (server->stopping) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (take_latest(stream)) {
        size_t len = stream->sending->len - stream->sent;
        len = len < max ? len : max;
        memcpy(buf, stream->sending->bytes + stream->sent, len);
        stream->sent += len;
        result = (ssize_t)len;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&server->lock);
    return result;
}

static void forget(void *arg)
{
    struct stream *stream = arg;
    struct server *server = stream->server;
    pthread_mutex_lock(&server->lock);
    server->stream_count--;
    *stream->place = stream->next;
    if (stream->next != NULL) {
        stream->next->place = stream->place;
    }
    payload_release(stream->sending);
    pthread_mutex_unlock(&server->lock);
    free(stream);
}

/* Under the lock. */
static void enter(struct server *server, struct stream *stream)
{
    stream->sequence = server->sequence; /* what is old by now is not sent */
    stream->next = server->streams;
    stream->place = &server->streams;
    if (stream->next != NULL) {
        stream->next->place = &stream->next;
    }
    server->streams = stream;
    pthread_cond_broadcast(&server->wanted);
}

struct MHD_Response *events_response(struct server *server, struct MHD_Connection *connection)
{
    struct MHD_Response *response = NULL;
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->server = server;
    stream->connection = connection;
    pthread_mutex_lock(&server->lock);
    if (server->stream_count < MAX_STREAMS) {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, send_some,
                                                     stream, forget);
    }
    if (response != NULL) {
        server->stream_count++;
        enter(server, stream);
    }
    pthread_mutex_unlock(&server->lock);
    if (response == NULL) {
        free(stream);
    }
    return response;
}
