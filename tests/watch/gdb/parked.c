/*
 * A program for the debugger: parked URL URL URL. Two threads, tasks that are parked in several ways, below
 * functions whose names test_gdb.c looks for in their stacks, and a response that stays open. Stops at
 * everything_is_parked(), for a breakpoint, and ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry.h>

#define HOUR 3600000

/* What the functions below do after their calls, so that those are no jumps. */
static volatile int calls_done;

static __attribute__((noinline)) void innermost(int64_t ms)
{
    ferry_sleep(ms);
    calls_done++;
}

static void sleeps(void *arg)
{
    int in_the_frame_of_sleeps = 4711;
    calls_done = in_the_frame_of_sleeps;
    innermost(*(int64_t *)arg);
    calls_done++;
}

static void gets(void *arg)
{
    ferry_response_close(ferry_get(arg, NULL));
    calls_done++;
}

static void waits_for_a_group(void *arg)
{
    ferry_group_wait(arg);
    calls_done++;
}

static __attribute__((noinline)) void *other_thread(void *arg)
{
    (void)ferry_go(sleeps, arg);
    ferry_sleep(*(int64_t *)arg);
    calls_done++;
    return NULL;
}

static __attribute__((noinline)) void everything_is_parked(void)
{
    __asm__ volatile("");
}

/* How many tasks wait for others; -1: no response's head has begun yet. */
static int waiting(void)
{
    char *text = NULL;
    size_t len = 0;
    int count = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        abort();
    }
    ferry_dump_tasks(out);
    fclose(out);
    for (const char *at = text; *at != '\0'; at++) {
        count += *at == '[' && at[1] != 'r' && at[1] != 'I'; /* neither runs nor is about to */
    }
    if (strstr(text, "reading a response's head") == NULL) {
        count = -1;
    }
    free(text);
    return count;
}

int main(int argc, char **argv)
{
    static int64_t hour = HOUR;
    pthread_t other;
    ferry_group *group = ferry_group_new();
    ferry_response *res = NULL;
    if (group == NULL || argc < 4 || pthread_create(&other, NULL, other_thread, &hour) != 0) {
        return 2;
    }
    res = ferry_get(argv[1], NULL);
    if (res == NULL || ferry_group_go(group, sleeps, &hour) != 0 ||
        ferry_go(waits_for_a_group, group) != 0 || ferry_go(gets, argv[2]) != 0 ||
        ferry_go(gets, argv[3]) != 0) {
        return 2;
    }
    /* The first one's two loops, four tasks, the write loops of the other two, the other thread and its
     * task; the other two's read loops are in IO wait. */
    while (waiting() < 10) {
        ferry_sleep(1);
    }
    everything_is_parked();
    fflush(NULL);
    _Exit(0); /* nothing is left in order: that is the point */
}
