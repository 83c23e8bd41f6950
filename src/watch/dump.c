/*
 * The task dump: a paragraph for each task, in the manner of Go's goroutine dump. Written from a
 * snapshot, so that nobody is held up while it is put into words.
 */
#include <ferry.h>

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "watch/snapshot.h"

/* More tasks than this are counted up first. */
#define OVERVIEW_FROM 20

/* What an overview tells apart; there are not that many. */
#define MAX_KINDS 64

/* So many paragraphs, some two megabytes, and no more. */
#define MAX_PARAGRAPHS 10000

struct dump {
    struct fy_buffer text;
    struct fy_snapshot *snapshot; /* sorted */
    size_t threads;
};

/* ------------------------------------------------------------------------------------ in order */

static int compare(uint64_t left, uint64_t right)
{
    return (left > right) - (left < right);
}

static int rank(const struct fy_snapshot_task *task)
{
    switch (task->kind) {
    case FY_SNAPSHOT_THREAD: return 0;
    case FY_SNAPSHOT_USER: return 1;
    default: return 2;
    }
}

/* A thread is followed by its tasks: the user's, then the library's, connection by connection. */
static int compare_tasks(const void *a, const void *b)
{
    const struct fy_snapshot_task *left = a;
    const struct fy_snapshot_task *right = b;
    int order = compare(left->thread, right->thread);
    order = order != 0 ? order : rank(left) - rank(right);
    order = order != 0 ? order : compare(left->connection, right->connection);
    return order != 0 ? order : compare(left->number, right->number);
}

static int compare_connections(const void *a, const void *b)
{
    const struct fy_snapshot_connection *left = a;
    const struct fy_snapshot_connection *right = b;
    return compare(left->number, right->number);
}

/* A response whose body has ended names a connection that may serve another by now. */
static int compare_responses(const void *a, const void *b)
{
    const struct fy_open_response *left = a;
    const struct fy_open_response *right = b;
    int order = right->holds_connection - left->holds_connection;
    return order != 0 ? order : compare(left->connection, right->connection);
}

/* qsort and bsearch want an array even for no elements. */
static void sort(void *array, size_t count, size_t size, int (*order)(const void *, const void *))
{
    if (count > 1) {
        qsort(array, count, size, order);
    }
}

static void *find(const void *key, const void *array, size_t count, size_t size,
                  int (*order)(const void *, const void *))
{
    return count > 0 ? bsearch(key, array, count, size, order) : NULL;
}

static void put_in_order(struct dump *dump)
{
    struct fy_snapshot *all = dump->snapshot;
    sort(all->tasks, all->task_count, sizeof *all->tasks, compare_tasks);
    sort(all->connections, all->connection_count, sizeof *all->connections, compare_connections);
    sort(all->responses.list, all->responses.count, sizeof *all->responses.list, compare_responses);
    for (size_t i = 0; i < all->task_count; i++) {
        dump->threads += all->tasks[i].kind == FY_SNAPSHOT_THREAD;
    }
}

static const struct fy_snapshot_connection *connection_of(const struct fy_snapshot *all,
                                                          const struct fy_snapshot_task *task)
{
    const struct fy_snapshot_connection key = {.number = task->connection};
    return task->connection == 0 ? NULL
                                 : find(&key, all->connections, all->connection_count, sizeof key,
                                        compare_connections);
}

static const struct fy_open_response *response_on(const struct fy_snapshot *all,
                                                  uint64_t connection)
{
    const struct fy_open_response key = {.connection = connection, .holds_connection = true};
    return find(&key, all->responses.list, all->responses.count, sizeof key, compare_responses);
}

/* ---------------------------------------------------------------------------------- a paragraph */

static const char *state_of(const struct fy_snapshot_task *task)
{
    if (task->on != NULL) {
        return task->on;
    }
    return task->running ? "running" : "runnable";
}

static void write_duration(struct fy_buffer *text, int64_t ns)
{
    int64_t seconds = ns / 1000000000;
    if (seconds < 1) {
        fy_buffer_printf(text, "%" PRId64 " ms", ns / 1000000);
    } else if (seconds < 60) {
        fy_buffer_printf(text, "%.1f s", (double)ns / 1e9);
    } else if (seconds < 3600) {
        fy_buffer_printf(text, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    } else {
        fy_buffer_printf(text, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
    }
}

/* task 7 [chan receive, 2.0 s]: */
static void write_heading(struct fy_buffer *text, const struct fy_snapshot_task *task)
{
    fy_buffer_printf(text, "task %" PRIu64 " [%s", task->number, state_of(task));
    if (task->parked.why != NULL) {
        fy_buffer_append_text(text, ", ");
        write_duration(text, task->parked.ns);
    }
    fy_buffer_append_text(text, "]:\n    ");
}

/* As the dynamic linker knows it: its name if the program exports it, and where to ask addr2line. */
static void write_function(struct fy_buffer *text, void (*function)(void *arg))
{
    Dl_info info = {0};
    void *address;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        fy_buffer_printf(text, ", runs %p", address);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    fy_buffer_append_text(text, ", runs ");
    if (info.dli_sname != NULL && info.dli_saddr == address) {
        fy_buffer_printf(text, "%s, ", info.dli_sname);
    }
    fy_buffer_printf(text, "%s+0x%zx", slash != NULL ? slash + 1 : info.dli_fname,
                     (size_t)((char *)address - (char *)info.dli_fbase));
}

static void write_connection(struct fy_buffer *text, const struct fy_snapshot_task *task,
                             const struct fy_snapshot_connection *connection)
{
    fy_buffer_printf(text, " of connection %" PRIu64, task->connection);
    if (connection != NULL && connection->host[0] != '\0') {
        fy_buffer_printf(text, " to %s", connection->host);
    }
}

/* What it serves, and for whom. */
static void write_service(struct fy_buffer *text, const struct fy_snapshot *all,
                          const struct fy_snapshot_connection *connection)
{
    if (connection == NULL || connection->url == NULL) {
        return;
    }
    fy_buffer_printf(text, "\n    serves %s", connection->url);
    const struct fy_open_response *response = response_on(all, connection->number);
    if (response != NULL && response->file != NULL) {
        fy_buffer_printf(text, ", opened at %s:%d", response->file, response->line);
    }
}

static void write_origin(struct fy_buffer *text, const struct dump *dump,
                         const struct fy_snapshot_task *task)
{
    if (task->creator != 0) {
        fy_buffer_printf(text, "\n    created by task %" PRIu64, task->creator);
        if (task->file != NULL) {
            fy_buffer_printf(text, " at %s:%d", task->file, task->line);
        }
        if (task->thread == 0) {
            fy_buffer_append_text(text, ", on a thread that has ended");
        } else if (dump->threads > 1) {
            fy_buffer_printf(text, ", on the thread of task %" PRIu64, task->thread);
        }
    }
}

static void write_task(struct dump *dump, const struct fy_snapshot_task *task)
{
    struct fy_buffer *text = &dump->text;
    const struct fy_snapshot_connection *connection = connection_of(dump->snapshot, task);
    write_heading(text, task);
    fy_buffer_append_text(text, task->name);
    if (task->kind == FY_SNAPSHOT_THREAD) {
        fy_buffer_printf(text, " %" PRId64, task->thread_id);
    }
    if (task->function != NULL) {
        write_function(text, task->function);
    }
    if (task->connection != 0) {
        write_connection(text, task, connection);
    }
    if (task->parked.why != NULL) {
        fy_buffer_printf(text, "\n    %s", task->parked.why);
    }
    write_service(text, dump->snapshot, connection);
    write_origin(text, dump, task);
    fy_buffer_append_text(text, "\n\n");
}

/* --------------------------------------------------------------------------------- the overview */

/* Tasks of which the same is to be said. */
struct kind {
    const struct fy_snapshot_task *like;
    size_t count;
};

static bool alike(const struct fy_snapshot_task *left, const struct fy_snapshot_task *right)
{
    const char *left_why = left->parked.why != NULL ? left->parked.why : "";
    const char *right_why = right->parked.why != NULL ? right->parked.why : "";
    return strcmp(left->name, right->name) == 0 && strcmp(state_of(left), state_of(right)) == 0 &&
           strcmp(left_why, right_why) == 0;
}

static int most_first(const void *a, const void *b)
{
    return compare(((const struct kind *)b)->count, ((const struct kind *)a)->count);
}

static size_t count_kinds(const struct fy_snapshot *all, struct kind kinds[MAX_KINDS])
{
    size_t count = 0;
    for (size_t i = 0; i < all->task_count; i++) {
        size_t at = 0;
        while (at < count && !alike(kinds[at].like, &all->tasks[i])) {
            at++;
        }
        if (at == MAX_KINDS) {
            continue;
        }
        if (at == count) {
            kinds[count++] = (struct kind){.like = &all->tasks[i]};
        }
        kinds[at].count++;
    }
    sort(kinds, count, sizeof *kinds, most_first);
    return count;
}

static void write_overview(struct dump *dump)
{
    struct kind kinds[MAX_KINDS];
    size_t count = count_kinds(dump->snapshot, kinds);
    fy_buffer_printf(&dump->text, "%zu tasks on %zu thread%s:\n", dump->snapshot->task_count,
                     dump->threads, dump->threads == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        const struct fy_snapshot_task *task = kinds[i].like;
        fy_buffer_printf(&dump->text, "%8zu %s [%s]%s%s\n", kinds[i].count, task->name,
                         state_of(task), task->parked.why != NULL ? ": " : "",
                         task->parked.why != NULL ? task->parked.why : "");
    }
    fy_buffer_append_text(&dump->text, "\n");
}

static void write_all(struct dump *dump)
{
    const struct fy_snapshot *all = dump->snapshot;
    if (all->task_count > OVERVIEW_FROM) {
        write_overview(dump);
    }
    for (size_t i = 0; i < all->task_count && i < MAX_PARAGRAPHS; i++) {
        write_task(dump, &all->tasks[i]);
    }
    if (all->task_count > MAX_PARAGRAPHS) {
        fy_buffer_printf(&dump->text, "(and %zu more)\n", all->task_count - MAX_PARAGRAPHS);
    }
}

FERRY_API void ferry_dump_tasks(FILE *out)
{
    struct dump dump = {.snapshot = fy_snapshot_take()};
    FILE *to = out != NULL ? out : stderr;
    if (dump.snapshot != NULL) {
        put_in_order(&dump);
        write_all(&dump);
    }
    if (dump.text.len > 0) {
        fwrite(dump.text.bytes, 1, dump.text.len, to);
    }
    if (dump.snapshot == NULL || dump.text.failed) {
        fputs("(out of memory: these are not all tasks)\n", to);
    }
    fy_buffer_free(&dump.text);
    fy_snapshot_free(dump.snapshot);
}
