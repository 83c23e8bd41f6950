/*
 * A task that needs more stack than it has dies at its guard, and its neighbour keeps what it had.
 * Each case runs in a child process, whose handler for SIGSEGV looks at the damage.
 */
#include "checked.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASKS 12

/* How the child ends: anything else is a crash elsewhere or none at all. */
enum { AT_THE_GUARD = 40, ELSEWHERE, NEIGHBOUR_DAMAGED, SURVIVED, NO_NEIGHBOURS };

/* All in the child. */
static struct {
    char *low, *high;                /* its stack, as the task runtime has it */
    volatile unsigned char *pattern; /* on it, as long as the task is parked */
    size_t pattern_bytes;
} stacks[TASKS];
static int victim, neighbour;
static size_t page;

static unsigned char pattern_byte(int task, size_t offset)
{
    return (unsigned char)(offset * 7 + (size_t)task * 31 + 1);
}

static bool pattern_holds(int task)
{
    for (size_t i = 0; i < stacks[task].pattern_bytes; i++) {
        if (stacks[task].pattern[i] != pattern_byte(task, i)) {
            return false;
        }
    }
    return true;
}

static void look_at_damage(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    char *address = info->si_addr;
    if (address < stacks[neighbour].high || address >= stacks[victim].low) {
        _exit(ELSEWHERE);
    }
    _exit(pattern_holds(neighbour) ? AT_THE_GUARD : NEIGHBOUR_DAMAGED);
}

static void handle_faults(void)
{
    static char handler_stack[1 << 16];
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    struct sigaction action = {.sa_sigaction = look_at_damage, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* ------------------------------------------------------------------- ways to run out of stack */

static __attribute__((noinline)) unsigned by_small_frames(unsigned depth)
{
    volatile unsigned char frame[200];
    memset((void *)(uintptr_t)frame, 0, sizeof frame);
    return depth == UINT32_MAX ? 0 : by_small_frames(depth + 1) + frame[depth % sizeof frame];
}

/* Frames of several pages, of which the function itself touches only the lowest: it is the compiler
 * (-fstack-clash-protection) that must not let it step over the guard. */
static __attribute__((noinline)) unsigned by_large_frames(unsigned depth)
{
    volatile unsigned char frame[20000];
    frame[0] = (unsigned char)depth;
    return depth == UINT32_MAX ? 0 : by_large_frames(depth + 1) + frame[0];
}

static unsigned (*overflow)(unsigned depth);
static size_t head_start; /* bytes of stack used before, so that frames fall differently */

static void fill_and_park(void *arg)
{
    int self = (int)(intptr_t)arg;
    unsigned char pattern[40000];
    check_enter();
    stacks[self].low = fy_self()->stack->low;
    stacks[self].high = fy_self()->stack->high;
    stacks[self].pattern = pattern;
    stacks[self].pattern_bytes = sizeof pattern;
    for (size_t i = 0; i < sizeof pattern; i++) {
        stacks[self].pattern[i] = pattern_byte(self, i);
    }
    fy_park("a test", "waiting for a test");
    fy_leave();
    if (self == victim) {
        volatile char *used = __builtin_alloca(head_start + 1);
        *used = 1;
        (void)overflow(0);
        _exit(SURVIVED);
    }
}

/* Two stacks with nothing between them but a guard: a page, or as much as a compiler may take it
 * for. (And what the lower one leaves free of its highest page.) */
static bool find_neighbours(void)
{
    for (victim = 0; victim < TASKS; victim++) {
        for (neighbour = 0; neighbour < TASKS; neighbour++) {
            ptrdiff_t apart = stacks[victim].low - stacks[neighbour].high;
            if (apart >= (ptrdiff_t)page && apart <= 65536 + (ptrdiff_t)page) {
                return true;
            }
        }
    }
    return false;
}

static int run_child(bool handle)
{
    struct fy_task *tasks[TASKS];
    page = (size_t)sysconf(_SC_PAGESIZE);
    struct fy_sched *sched = check_enter();
    for (intptr_t i = 0; i < TASKS; i++) {
        tasks[i] = fy_task_start(FY_TASK_USER, FY_STACK_LARGE, "test", fill_and_park, (void *)i);
        if (tasks[i] == NULL) {
            return NO_NEIGHBOURS;
        }
    }
    check_settle();
    (void)sched;
    if (!find_neighbours()) {
        return NO_NEIGHBOURS;
    }
    if (handle) {
        handle_faults();
    }
    fy_wake(tasks[victim]);
    fy_park("a test", "waiting for the end");
    return SURVIVED;
}

static int child_status(bool handle)
{
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(run_child(handle));
    }
    CHECK(child > 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    return status;
}

static void meets_the_guard(unsigned (*how)(unsigned depth))
{
    overflow = how;
    int status = child_status(true);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), AT_THE_GUARD);
}

static void small_frames_meet_the_guard(void)
{
    meets_the_guard(by_small_frames);
}

/* Wherever the frames fall: without probes, one in several would miss the guard. */
static void large_frames_meet_the_guard(void)
{
    for (head_start = 0; head_start < 20000; head_start += 2048) {
        meets_the_guard(by_large_frames);
    }
    head_start = 0;
}

/* Without a handler the process dies; under ASan and TSan by their report. */
static void the_process_dies(void)
{
    overflow = by_small_frames;
#if defined(FY_ASAN) || defined(FY_TSAN)
    int saved = dup(STDERR_FILENO); /* the report would look like a failure of this test */
    if (freopen("/dev/null", "w", stderr) == NULL) {
        abort();
    }
    int status = child_status(false);
    dup2(saved, STDERR_FILENO);
    close(saved);
    CHECK(WIFSIGNALED(status) ||
          (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) < AT_THE_GUARD) ||
          (WIFEXITED(status) && WEXITSTATUS(status) > NO_NEIGHBOURS));
#else
    int status = child_status(false);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
#endif
}

/* ------------------------------------------------------------------------------- the stacks */

/* Where they lie: apart by a guard at least, aligned to cache lines, as large as promised. */
static void stacks_lie_apart(void)
{
    enum { COUNT = 200 };
    struct fy_stack *some[COUNT];
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < COUNT; i++) {
        enum fy_stack_kind kind = i % 2 == 0 ? FY_STACK_SMALL : FY_STACK_LARGE;
        some[i] = fy_stack_new(kind);
        CHECK(some[i] != NULL);
        size_t bytes = (size_t)(some[i]->high - some[i]->low);
        CHECK(bytes + 2 * page > (kind == FY_STACK_SMALL ? 64 : 256) * (size_t)1024);
        CHECK_INT((uintptr_t)some[i]->low % page, 0);
        CHECK_INT((uintptr_t)some[i]->high % 64, 0);
        *some[i]->low = 1; /* the lowest and the highest byte are usable */
        some[i]->high[-1] = 1;
        for (int j = 0; j < i; j++) {
            CHECK(some[i]->high + page <= some[j]->low || some[j]->high + page <= some[i]->low);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        fy_stack_free(some[(i * 7) % COUNT]);
    }
}

/* Whether the byte can be read, asked of the kernel. */
static bool readable(const char *byte)
{
    int ends[2];
    bool can = false;
    if (pipe(ends) == 0) {
        can = write(ends[1], byte, 1) == 1;
        close(ends[0]);
        close(ends[1]);
    }
    return can;
}

static void guards_outlive_their_tasks(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (int kind = 0; kind < FY_STACK_KINDS; kind++) {
        for (int i = 0; i < 3; i++) {
            struct fy_stack *stack = fy_stack_new((enum fy_stack_kind)kind);
            CHECK(stack != NULL);
            CHECK(readable(stack->low));
            CHECK(!readable(stack->low - 1));
            CHECK(!readable(stack->low - page));
            fy_stack_free(stack);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stacks_lie_apart),
        TEST(guards_outlive_their_tasks),
        TEST(small_frames_meet_the_guard),
        TEST(large_frames_meet_the_guard),
        TEST(the_process_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
