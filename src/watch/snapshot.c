/*
 * Taking a snapshot. Out of memory in the middle means no snapshot: half of one would be a lie.
 */
#include "watch/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "task/clock.h"
#include "task/sched.h"
#include "watch/sources.h"

/* While it is being taken. */
struct taking {
    struct fy_snapshot *snapshot;
    size_t task_room, connection_room;
    bool failed; /* out of memory */
};

/* Room for one more in an array of elements: the place, zero-filled, or NULL. */
static void *grow(struct taking *taking, void *array_of_pointers, size_t size, size_t *count,
                  size_t *room)
{
    char *array;
    memcpy(&array, array_of_pointers, sizeof array);
    if (*count == *room) {
        size_t more = *room > 0 ? *room * 2 : 16;
        char *bigger = taking->failed ? NULL : realloc(array, more * size);
        if (bigger == NULL) {
            taking->failed = true;
            return NULL;
        }
        array = bigger;
        *room = more;
        memcpy(array_of_pointers, &array, sizeof array);
    }
    char *place = array + *count * size;
    memset(place, 0, size);
    ++*count;
    return place;
}

static char *copy(struct taking *taking, const char *text)
{
    char *own = text != NULL ? strdup(text) : NULL;
    taking->failed = taking->failed || (text != NULL && own == NULL);
    return own;
}

struct fy_snapshot_parked fy_snapshot_parked(const struct fy_task *task, int64_t now)
{
    struct fy_snapshot_parked parked = {0};
    if (task != NULL) {
        parked.task = task->number;
        parked.why = task->why;
        parked.ns = task->why != NULL && now > task->since ? now - task->since : 0;
    }
    return parked;
}

static void take_connection(struct taking *taking, const struct fy_task *task)
{
    struct fy_snapshot *snapshot = taking->snapshot;
    struct fy_snapshot_connection *connection =
        grow(taking, &snapshot->connections, sizeof *connection, &snapshot->connection_count,
             &taking->connection_room);
    if (connection != NULL) {
        connection->thread = task->sched->root.number;
        task->describe(task, connection);
        connection->host = copy(taking, connection->host != NULL ? connection->host : "");
        connection->url = copy(taking, connection->url);
    }
}

static void take_task(struct taking *taking, const struct fy_task *task)
{
    struct fy_snapshot *snapshot = taking->snapshot;
    struct fy_snapshot_task *taken =
        grow(taking, &snapshot->tasks, sizeof *taken, &snapshot->task_count, &taking->task_room);
    if (taken != NULL) {
        taken->number = task->number;
        taken->kind = task->kind == FY_TASK_THREAD ? FY_SNAPSHOT_THREAD
                      : task->kind == FY_TASK_USER ? FY_SNAPSHOT_USER
                                                   : FY_SNAPSHOT_LIBRARY;
        taken->thread_id = task->sched->thread_id;
        taken->on = task->why == NULL ? NULL : task->woken ? "runnable" : task->on;
        taken->function = task->function;
        taken->creator = task->creator;
        taken->file = task->file;
        taken->line = task->line;
        taken->thread = task->sched->root.number;
        taken->name = task->name;
        taken->connection = task->connection;
        taken->running = task == task->sched->current && task->why == NULL;
        taken->parked = fy_snapshot_parked(task, snapshot->taken);
    }
    if (task->describe != NULL) {
        take_connection(taking, task);
    }
}

static void visit(struct fy_sched *sched, void *arg)
{
    struct taking *taking = arg;
    if (atomic_load(&sched->alive) || sched->is_harbour) {
        FY_LIST_EACH(link, &sched->tasks)
        {
            take_task(taking, FY_CONTAINER(link, struct fy_task, all));
        }
    }
    fy_open_responses_add(&taking->snapshot->responses, sched);
}

struct fy_snapshot *fy_snapshot_take(void)
{
    struct taking taking = {.snapshot = calloc(1, sizeof *taking.snapshot)};
    if (taking.snapshot == NULL) {
        return NULL;
    }
    struct fy_open_responses *responses = &taking.snapshot->responses;
    taking.snapshot->taken = fy_now();
    fy_sched_each(visit, &taking);
    fy_open_responses_sort(responses);
    fy_stats_total(&taking.snapshot->total);
    if (taking.failed || responses->count < responses->open) {
        fy_snapshot_free(taking.snapshot);
        return NULL;
    }
    return taking.snapshot;
}

void fy_snapshot_free(struct fy_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    for (size_t i = 0; i < snapshot->connection_count; i++) {
        free((char *)snapshot->connections[i].host);
        free((char *)snapshot->connections[i].url);
    }
    free(snapshot->tasks);
    free(snapshot->connections);
    fy_open_responses_free(&snapshot->responses);
    free(snapshot);
}
