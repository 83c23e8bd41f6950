/*
 * Very many tasks at once, and that nothing of them stays: neither memory nor mappings.
 */
#include "checked.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "task/chan.h"
#include "task/sanitizer.h"
#include "task/stack.h"

#ifdef FY_ASAN
#include <sanitizer/lsan_interface.h>
#endif

static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int lines = 0;
    int c;
    if (maps == NULL) {
        return -1;
    }
    while ((c = getc(maps)) != EOF) {
        lines += c == '\n';
    }
    fclose(maps);
    return lines;
}

/* Whether guard pages come without splitting a mapping: else each task costs two of the 65,530
 * that a process has. */
static bool guards_are_free(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *place = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* Who says yes to any advice has understood none. */
    bool known =
        place != MAP_FAILED && madvise(place, page, -1) != 0 && madvise(place, page, 102) == 0;
    if (place != MAP_FAILED) {
        munmap(place, page);
    }
    return known;
}

static struct fy_chan gate;
static int begun, ended;

static void wait_at_gate(void *arg)
{
    (void)arg;
    check_enter();
    begun++;
    fy_chan_receive(&gate, NULL, "waiting at the gate");
    ended++;
    fy_leave();
}

static void run_many(int count)
{
    ferry_group *group = ferry_group_new();
    int before = ferry_num_tasks();
    fy_chan_init(&gate, NULL, 0);
    begun = ended = 0;
    for (int i = 0; i < count; i++) {
        if (!CHECK_INT(ferry_group_go(group, wait_at_gate, NULL), 0)) {
            break;
        }
    }
    ferry_yield();
    CHECK_INT(begun, count);
    CHECK_INT(ended, 0);
    CHECK_INT(ferry_num_tasks(), before + count);
    if (guards_are_free() && check_scale(1, 0) == 1) {
        CHECK(mappings() < count / 2 + 1000);
    }
    check_enter();
    fy_chan_close(&gate);
    fy_leave();
    ferry_group_wait(group);
    ferry_group_free(group);
    CHECK_INT(ended, count);
    CHECK_INT(ferry_num_tasks(), before);
}

static void many_tasks_leave_nothing(void)
{
    int count = check_scale(guards_are_free() ? 100000 : 20000, 400);
    run_many(10); /* what is made once is there before the counting */
    size_t resident = process_resident();
    int mapped = mappings();
    run_many(count);
    /* A slab of free stacks and the warm ones stay, whatever the number was. (A sanitizer's own
     * memory cannot be told from that.) */
    if (check_scale(1, 0) == 1) {
        CHECK(mappings() < mapped + 64);
        CHECK(process_resident() < resident + ((size_t)32 << 20));
    }
}

/* Stacks that are free give their pages back, even where a neighbour in use keeps their slab. */
static void free_stacks_cost_no_memory(void)
{
    enum { COUNT = 2000, TOUCHED = 32768, IN_USE = 16 };
    static struct fy_stack *stacks[COUNT];
    if (check_scale(1, 0) == 0) {
        return; /* what else is there takes more than that and cannot be told from it */
    }
    size_t resident = process_resident();
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = fy_stack_new(FY_STACK_LARGE);
        CHECK(stacks[i] != NULL);
        memset(stacks[i]->high - TOUCHED, 1, TOUCHED);
    }
    size_t all = (size_t)COUNT * TOUCHED;
    CHECK(process_resident() > resident + all / 2);
    for (int i = 0; i < COUNT; i++) {
        if (i % IN_USE != 0) {
            fy_stack_free(stacks[i]);
        }
    }
    CHECK(process_resident() < resident + all / 4);
    for (int i = 0; i < COUNT; i += IN_USE) {
        fy_stack_free(stacks[i]);
    }
}

/* Who looks for leaks at the end of a program does not look into the stacks of its parked tasks: what
 * they hold has to be known elsewhere. */
static void stacks_in_use_are_no_leak(void)
{
#ifdef FY_ASAN
    enum { COUNT = 200 };
    const size_t bytes = COUNT * sizeof(struct fy_stack *);
    struct fy_stack **stacks =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stacks != MAP_FAILED);
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = fy_stack_new(FY_STACK_SMALL);
        CHECK(stacks[i] != NULL);
    }
    CHECK_INT(__lsan_do_recoverable_leak_check(), 0);
    for (int i = 0; i < COUNT; i++) {
        fy_stack_free(stacks[i]);
    }
    munmap(stacks, bytes);
#endif
}

/* Each is over before the next few begin, and leaves its stack to them. */
static int passed;

static void pass(void *arg)
{
    (void)arg;
    passed++;
}

static void many_tasks_one_after_another(void)
{
    int count = check_scale(1000000, 2000);
    int mapped = mappings();
    passed = 0;
    for (int i = 0; i < count; i++) {
        if (!CHECK_INT(ferry_go(pass, NULL), 0)) {
            break;
        }
        if (i % 16 == 0) {
            ferry_yield();
        }
    }
    ferry_yield();
    CHECK_INT(passed, count);
    CHECK(check_scale(1, 0) == 0 || mappings() < mapped + 64);
}

/* ------------------------------------------------------------------------------ out of memory */

/* In a process of its own. Its exit status: 0 when all went well. */
static int start_until_memory_is_out(void)
{
    struct rlimit limit = {(rlim_t)256 << 20, (rlim_t)256 << 20};
    ferry_group *group = ferry_group_new();
    int started = 0;
    fy_chan_init(&gate, NULL, 0);
    begun = ended = 0;
    setrlimit(RLIMIT_AS, &limit);
    while (started < 10000 && ferry_group_go(group, wait_at_gate, NULL) == 0) {
        started++;
    }
    if (errno != ENOMEM || started == 0 || started == 10000) {
        return 1;
    }
    ferry_yield();
    if (begun != started) {
        return 2;
    }
    check_enter();
    fy_chan_close(&gate);
    fy_leave();
    ferry_group_wait(group);
    /* And what was given back can be had again. */
    if (ended != started || ferry_group_go(group, pass, NULL) != 0) {
        return 3;
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    return 0;
}

static void out_of_memory_is_an_error(void)
{
    if (check_scale(1, 0) == 0) {
        return; /* what slows a program down also takes more address space than there is here */
    }
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(start_until_memory_is_out());
    }
    CHECK(child > 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_tasks_leave_nothing),  TEST(free_stacks_cost_no_memory),
        TEST(stacks_in_use_are_no_leak), TEST(many_tasks_one_after_another),
        TEST(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
