/*
 * The task dump: one paragraph a task, as Go prints its goroutines.
 */
#include <ferry.h>

#include <inttypes.h>

#include "base/buffer.h"
#include "task/clock.h"
#include "task/sched.h"

static void write_task(struct fy_buffer *text, const struct fy_sched *sched,
                       const struct fy_task *task)
{
    fy_buffer_printf(text, "task %" PRIu64 ": %s", task->number, task->name);
    if (task->connection != 0) {
        fy_buffer_printf(text, ", connection %" PRIu64, task->connection);
    }
    if (task->why != NULL) {
        double seconds = (double)(fy_now() - task->since) / 1e9;
        fy_buffer_printf(text, "\n    %s, for %.3f s\n\n", task->why, seconds > 0 ? seconds : 0);
    } else if (task == sched->current) {
        fy_buffer_append_text(text, "\n    running\n\n");
    } else {
        fy_buffer_append_text(text, "\n    ready to go on\n\n");
    }
}

static void visit(struct fy_sched *sched, void *arg)
{
    FY_LIST_EACH(link, &sched->tasks)
    {
        write_task(arg, sched, FY_CONTAINER(link, struct fy_task, all));
    }
}

FERRY_API void ferry_dump_tasks(FILE *out)
{
    struct fy_buffer text = {0};
    fy_sched_each(visit, &text);
    if (text.len > 0) {
        fwrite(text.bytes, 1, text.len, out != NULL ? out : stderr);
    }
    fy_buffer_free(&text);
}
