/*
 * Adding up what a held connection takes. Under the scheduler's lock.
 */
#include "transport/held_memory.h"

#include <stdint.h>
#include <unistd.h>

#include "transport/exchange.h"
#include "transport/persist_conn.h"

/* The pages between a parked task's stack pointer and the top of its stack, if it has one. (Where
 * switching is ucontext's, what is known of it lies at the top: then it is one page.) */
static size_t stack_pages(const struct fy_task *task)
{
    if (task == NULL || task->stack == NULL) {
        return 0;
    }
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = ((uintptr_t)task->stack->high + page - 1) & ~(page - 1);
    uintptr_t stopped = (uintptr_t)task->stopped;
    if (stopped < (uintptr_t)task->stack->low || stopped >= (uintptr_t)task->stack->high) {
        return page;
    }
    return end - (stopped & ~(page - 1));
}

size_t fy_held_memory(const struct fy_ledger_entry *entry)
{
    const struct fy_exchange *exchange = entry->holder;
    const struct fy_persist_conn *conn = exchange->conn;
    if (conn == NULL || conn->read_loop_over) {
        return sizeof *exchange;
    }
    return sizeof *exchange + sizeof *conn + conn->input.capacity + stack_pages(conn->read_task) +
           stack_pages(conn->write_task);
}
