/*
 * The origin as a table: every request gets the next reply. Built on origin_start, for tests whose server
 * needs no more than that.
 */
#include "origin_internal.h"

#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The arg of serve_replies; freed by origin_stop, with the copy of a single reply behind it. */
struct table {
    const struct origin_reply *replies; /* the caller's, or &single */
    size_t count;                       /* of replies */
    size_t next;                        /* whose turn it is; under the lock of events.h */
    struct origin_reply single;         /* for origin_start_reply */
    char bytes[];                       /* what single sends */
};

static const struct origin_reply *take_reply(struct table *table)
{
    const struct origin_reply *reply;

    events_lock();
    reply = &table->replies[table->next];
    if (table->next + 1 < table->count)
        table->next++;
    events_unlock();
    return reply;
}

static void serve_replies(struct origin_conn *conn, void *arg)
{
    while (origin_read_request(conn)) {
        const struct origin_reply *reply = take_reply(arg);
        size_t len = reply->len > 0 ? reply->len : strlen(reply->bytes);

        if (!origin_send(conn, reply->bytes, len))
            return;
        switch (reply->then) {
        case ORIGIN_THEN_KEEP: break;
        case ORIGIN_THEN_CLOSE: return;
        case ORIGIN_THEN_RESET: origin_reset(conn); return;
        case ORIGIN_THEN_HOLD: origin_wait_eof(conn, -1); return;
        }
    }
}

/* Takes the table over. */
static struct origin *start(struct table *table)
{
    struct origin *origin;

    origin = origin_start(&(struct origin_script){.serve = serve_replies, .arg = table});
    if (origin == NULL)
        free(table);
    else
        origin->table = table;
    return origin;
}

struct origin *origin_start_replies(const struct origin_reply *replies, size_t count)
{
    struct table *table;

    if (count == 0) {
        errno = EINVAL;
        return NULL;
    }
    table = calloc(1, sizeof(*table));
    if (table == NULL)
        return NULL;
    table->replies = replies;
    table->count = count;
    return start(table);
}

struct origin *origin_start_reply(const char *bytes)
{
    size_t len = strlen(bytes);
    struct table *table = calloc(1, sizeof(*table) + len + 1);

    if (table == NULL)
        return NULL;
    memcpy(table->bytes, bytes, len);
    table->single = (struct origin_reply){.bytes = table->bytes, .len = len};
    table->replies = &table->single;
    table->count = 1;
    return start(table);
}
