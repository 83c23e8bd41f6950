/*
 * Schedulers and their threads. A scheduler's struct is never freed: a signal handler may be
 * walking the list of them at any time. When its thread has ended it waits in the list for the next
 * new thread.
 */
#include "task/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ferry.h>

#include "base/debug.h"
#include "base/errno.h"
#include "task/clock.h"
#include "task/exceptions.h"
#include "task/harbour.h"
#include "task/io.h"
#include "task/poll.h"

/* All schedulers there ever were; only ever grows at its front. */
static _Atomic(struct fy_sched *) all;

/* Serialises the taking and giving back of schedulers. Taken before a scheduler's own lock. */
static pthread_mutex_t lives = PTHREAD_MUTEX_INITIALIZER;

FY_SLAB_STATIC(buffers, FY_SPARE_BYTES, 16 * FY_SPARE_BYTES)

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key; /* its destructor sees a thread end */
static bool key_made;

static _Thread_local struct fy_sched *mine;

/* A task may park on one thread and go on on another, so nobody may keep the address of the
 * thread-local itself: what reads or writes it is not inlined, and opaque. */
#define TOUCHES_MINE __attribute__((noinline))
#define OPAQUE() __asm__ volatile("")

static TOUCHES_MINE void mine_set(struct fy_sched *sched)
{
    OPAQUE();
    mine = sched;
}

TOUCHES_MINE struct fy_sched *fy_sched_running(void)
{
    OPAQUE();
    return mine;
}

TOUCHES_MINE struct fy_task *fy_self(void)
{
    OPAQUE();
    return mine->current;
}

/* Semaphores are for whoever comes first, and that is the thread which has just let go, if it wants
 * the lock again. So who has to wait does so inside a mutex: the next to come stand behind it. */
static __attribute__((noinline)) void lock_in_turn(struct fy_sched *sched)
{
    pthread_mutex_lock(&sched->turn);
    while (sem_wait(&sched->lock) != 0) {
        /* EINTR */
    }
    pthread_mutex_unlock(&sched->turn);
}

/* The scheduler's own thread. */
static inline void lock_own(struct fy_sched *sched)
{
    if (atomic_load(&sched->outsiders) > 0 || sem_trywait(&sched->lock) != 0) {
        lock_in_turn(sched);
    }
}

void fy_sched_lock(struct fy_sched *sched)
{
    if (sched == fy_sched_running()) {
        lock_own(sched);
        return;
    }
    atomic_fetch_add(&sched->outsiders, 1);
    lock_in_turn(sched);
    atomic_fetch_sub(&sched->outsiders, 1);
}

void fy_sched_unlock(struct fy_sched *sched)
{
    sem_post(&sched->lock);
}

/* ------------------------------------------------------------------------------------ the end */

static void run_hooks(struct fy_link *hooks)
{
    struct fy_link *link;
    while ((link = fy_list_pop_front(hooks)) != NULL) {
        struct fy_exit_hook *hook = FY_CONTAINER(link, struct fy_exit_hook, link);
        hook->kind->run(hook);
    }
}

/* What functions of the user's have begun while others were ended is ended likewise, so often. */
#define ROUNDS 8

/* Closes what does not outlive the thread. Its library tasks see their connections closed and end;
 * users' tasks that are still parked are discarded, as goroutines are when a program ends. */
static void end_tasks(struct fy_sched *sched)
{
    int round = 0;
    do {
        run_hooks(&sched->exit_hooks);
        fy_poll_now(); /* and what they were about to post when the hooks stopped them */
        fy_tasks_finish(sched);
        run_hooks(&sched->farewells);
    } while (!fy_list_empty(&sched->exit_hooks) && ++round < ROUNDS);
    run_hooks(&sched->exit_hooks);
    fy_tasks_discard(sched);
    run_hooks(&sched->leftovers);
}

static void detach(void *arg)
{
    struct fy_sched *sched = arg;
    mine_set(sched);
    fy_sched_lock(sched);
    fy_poll_now(); /* what others have posted is done while what it is about still stands */
    fy_harbour_leave_all(sched);
    end_tasks(sched);
    fy_sched_unlock(sched); /* the other comes first */
    pthread_mutex_lock(&lives);
    fy_sched_lock(sched);
    atomic_store(&sched->alive, false);
    fy_posts_run(sched); /* from now on whoever posts finds it dead, and sees to that */
    /* Whoever found it alive a moment ago may still be about to write to its descriptor. */
    while (atomic_load(&sched->poking) != 0) {
        sched_yield();
    }
    atomic_store(&sched->poked, false);
    close(sched->wake_fd);
    fy_poller_close(&sched->poller);
    fy_switch_forget(&sched->root.stopped);
    fy_spares_free(&sched->spares);
    fy_spares_free(&sched->exchanges);
    fy_spares_free(&sched->responses);
    atomic_store(&sched->task_count, 0);
    fy_sched_unlock(sched);
    pthread_mutex_unlock(&lives);
    mine_set(NULL);
}

/* ------------------------------------------------------------------------------ the beginning */

static void make_key(void)
{
    key_made = pthread_key_create(&exit_key, detach) == 0;
}

/* A new one at the front of the list. */
static struct fy_sched *make(bool is_harbour)
{
    struct fy_sched *sched = calloc(1, sizeof *sched);
    if (sched == NULL) {
        return NULL;
    }
    sem_init(&sched->lock, 0, 1);
    pthread_mutex_init(&sched->turn, NULL); /* with default attributes it cannot fail on Linux */
    fy_list_init(&sched->ready);
    fy_list_init(&sched->tasks);
    fy_list_init(&sched->cancels);
    fy_list_init(&sched->exit_hooks);
    fy_list_init(&sched->farewells);
    fy_list_init(&sched->leftovers);
    fy_list_init(&sched->lookups);
    fy_list_init(&sched->open_responses);
    fy_chan_init(&sched->handshake_over, NULL, 0);
    fy_stock_init(&sched->stock);
    sched->spares = (struct fy_spares){.most = 16, .slab = &buffers};
    sched->wake_fd = -1;
    sched->poller.fd = -1;
    sched->is_harbour = is_harbour;
    sched->next = atomic_load(&all);
    atomic_store(&all, sched);
    return sched;
}

/* One that has lost its thread, or a new one. */
static struct fy_sched *find_or_make(void)
{
    if (!fy_harbour_is_there()) {
        fy_harbour_set(make(true));
    }
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = sched->next) {
        if (!atomic_load(&sched->alive) && !sched->is_harbour) {
            return sched;
        }
    }
    return make(false);
}

/* The wake descriptor's place in the poller: it only has to end the sleep. */
static int watch_wake_fd(struct fy_sched *sched)
{
    struct fy_io wake = {.fd = sched->wake_fd};
    if (fy_poller_add(&sched->poller, &wake) != 0) {
        return -1;
    }
    fy_poller_remove(&sched->poller, &wake); /* its events find no one, which is all right */
    return 0;
}

static void adopt_thread(struct fy_sched *sched)
{
    sched->root_stack = (struct fy_stack){0};
    sched->root = (struct fy_task){.kind = FY_TASK_THREAD,
                                   .name = "thread",
                                   .stack = &sched->root_stack,
                                   .stopped = sched->root.stopped};
    fy_sanitizer_adopt(&sched->root_stack.sanitizer);
    sched->thread_id = (pid_t)syscall(SYS_gettid);
    sched->current = &sched->root;
    sched->previous = &sched->root_stack;
    sched->now = fy_now();
    atomic_store(&sched->task_count, 0);
    fy_task_register(&sched->root, sched);
}

/* Under lives. */
static int open_scheduler(struct fy_sched *sched)
{
    if (fy_poller_open(&sched->poller) != 0) {
        return -1;
    }
    sched->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sched->wake_fd < 0) {
        goto no_wake_fd;
    }
    if (watch_wake_fd(sched) != 0 || fy_switch_adopt(&sched->root.stopped) != 0) {
        goto no_root;
    }
    return 0;
no_root:
    close(sched->wake_fd);
    sched->wake_fd = -1;
no_wake_fd:
    fy_poller_close(&sched->poller);
    return -1;
}

/* For a thread that comes for the first time. */
static __attribute__((noinline)) struct fy_sched *attach(void)
{
    pthread_once(&key_once, make_key);
    if (!key_made) {
        errno = EAGAIN;
        return NULL;
    }
    fy_exceptions_look();
    pthread_mutex_lock(&lives);
    struct fy_sched *sched = find_or_make();
    if (sched == NULL || open_scheduler(sched) != 0) {
        goto fail;
    }
    if (pthread_setspecific(exit_key, sched) != 0) {
        close(sched->wake_fd);
        fy_poller_close(&sched->poller);
        fy_switch_forget(&sched->root.stopped);
        errno = ENOMEM;
        goto fail;
    }
    fy_sched_lock(sched);
    adopt_thread(sched);
    atomic_store(&sched->alive, true);
    fy_sched_unlock(sched);
    pthread_mutex_unlock(&lives);
    mine_set(sched);
    return sched;
fail:
    pthread_mutex_unlock(&lives);
    return NULL;
}

TOUCHES_MINE struct fy_sched *fy_enter(void)
{
    OPAQUE();
    struct fy_sched *sched = mine;
    if (sched == NULL) {
        sched = attach();
        if (sched == NULL) {
            return NULL;
        }
    }
    lock_own(sched);
    return sched;
}

TOUCHES_MINE void fy_leave(void)
{
    OPAQUE();
    fy_sched_unlock(mine);
}

/* ----------------------------------------------------------------------------- while it is away */

static void attend_if_away(struct fy_sched *sched, struct fy_task *guest)
{
    if (sem_trywait(&sched->lock) != 0) {
        return; /* somebody is at it */
    }
    if (sched->is_harbour) {
        fy_harbour_visit(sched, guest);
    } else if (atomic_load(&sched->alive) && !sched->sleeps) {
        mine_set(sched);
        fy_sched_attend(sched, guest);
        mine_set(NULL);
    }
    fy_sched_unlock(sched);
}

void fy_scheds_attend(struct fy_task *guest)
{
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = sched->next) {
        attend_if_away(sched, guest);
    }
}

/* ---------------------------------------------------------------------------- between threads */

void fy_sched_poke(struct fy_sched *sched)
{
    int saved_errno = errno;
    atomic_fetch_add(&sched->poking, 1);
    if (atomic_load(&sched->alive) && !atomic_exchange(&sched->poked, true)) {
        uint64_t one = 1;
        ssize_t written = write(sched->wake_fd, &one, sizeof one);
        (void)written; /* it fails only when the counter is full, and then it is readable already */
    }
    atomic_fetch_sub(&sched->poking, 1);
    errno = saved_errno;
}

void fy_thread_drain_pokes(struct fy_sched *sched)
{
    uint64_t count;
    ssize_t got = read(sched->wake_fd, &count, sizeof count);
    (void)got; /* whoever set the flag may not have written yet: then the next poll drains it */
}

void fy_sched_post(struct fy_sched *sched, struct fy_post *post)
{
    struct fy_post *newest = atomic_load(&sched->posts);
    do {
        post->next = newest;
    } while (!atomic_compare_exchange_weak(&sched->posts, &newest, post));
    fy_sched_poke(sched);
}

void fy_sched_post_home(struct fy_sched *sched, struct fy_post *post)
{
    fy_sched_post(sched, post);
    if (!atomic_load(&sched->alive)) {
        fy_sched_lock(sched);
        if (!atomic_load(&sched->alive)) {
            fy_posts_run(sched); /* its thread has ended: nobody else would */
        }
        fy_sched_unlock(sched);
    }
}

void fy_sched_contexts_changed(void)
{
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = sched->next) {
        atomic_store(&sched->look_at_contexts, true);
        fy_sched_poke(sched);
    }
}

void fy_sched_each(void (*visit)(struct fy_sched *sched, void *arg), void *arg)
{
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = sched->next) {
        fy_sched_lock(sched);
        visit(sched, arg);
        fy_sched_unlock(sched);
    }
}

/* ------------------------------------------------------------------------------------- a fork */

static void each_alive(bool alive, void (*visit)(struct fy_sched *sched))
{
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = sched->next) {
        if (atomic_load(&sched->alive) == alive) {
            visit(sched);
        }
    }
}

/* Whoever holds the lock of one that has a thread may wait for that of one that has none
 * (fy_sched_post_home, fy_harbour_leave_all), and not the other way round. */
void fy_scheds_freeze(void)
{
    pthread_mutex_lock(&lives);
    each_alive(true, fy_sched_lock);
    each_alive(false, fy_sched_lock);
}

void fy_scheds_thaw(void)
{
    each_alive(true, fy_sched_unlock);
    each_alive(false, fy_sched_unlock);
    pthread_mutex_unlock(&lives);
}

struct fy_sched *fy_scheds_keep(struct fy_sched *own)
{
    struct fy_sched *lost = NULL;
    struct fy_sched *next;
    for (struct fy_sched *sched = atomic_load(&all); sched != NULL; sched = next) {
        next = sched->next;
        if (sched != own) {
            sched->next = lost;
            lost = sched;
        }
    }
    if (own != NULL) {
        own->next = NULL;
    }
    atomic_store(&all, own);
    fy_harbour_set(NULL); /* the next thread makes another */
    return lost;
}

/* Where this fails the scheduler can wait for nothing, and every dial says so. */
void fy_sched_reopen(struct fy_sched *sched, int number)
{
    fy_poller_reopen(&sched->poller, number);
    sched->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sched->wake_fd >= 0) {
        (void)watch_wake_fd(sched);
    }
    atomic_store(&sched->poked, false);
    fy_sched_poke(sched);
}

void fy_sched_become(struct fy_sched *sched)
{
    mine_set(sched);
}

/* ------------------------------------------------------------------------------ for a debugger */

extern FERRY_API const struct fy_debug_entry ferry_debug_tasks[];
const struct fy_debug_entry ferry_debug_tasks[] = {
    FY_DEBUG_VARIABLE("schedulers", all),
    FY_DEBUG_FIELD(fy_sched, next),
    FY_DEBUG_FIELD(fy_sched, alive),
    FY_DEBUG_FIELD(fy_sched, is_harbour),
    FY_DEBUG_FIELD(fy_sched, thread_id),
    FY_DEBUG_FIELD(fy_sched, root),
    FY_DEBUG_FIELD(fy_sched, current),
    FY_DEBUG_FIELD(fy_sched, guest),
    FY_DEBUG_FIELD(fy_sched, tasks),
    FY_DEBUG_FIELD(fy_sched, open_responses),
    FY_DEBUG_FIELD(fy_sched, now),
    FY_DEBUG_FIELD(fy_task, all),
    FY_DEBUG_FIELD(fy_task, stopped),
    FY_DEBUG_FIELD(fy_task, stack),
    FY_DEBUG_FIELD(fy_task, turn),
    FY_DEBUG_FIELD(fy_task, woken),
    FY_DEBUG_FIELD(fy_task, arg),
    FY_DEBUG_FIELD(fy_task, number),
    FY_DEBUG_FIELD(fy_task, name),
    FY_DEBUG_FIELD(fy_task, connection),
    FY_DEBUG_FIELD(fy_task, on),
    FY_DEBUG_FIELD(fy_task, why),
    FY_DEBUG_FIELD(fy_task, since),
    FY_DEBUG_FIELD(fy_task, function),
    FY_DEBUG_FIELD(fy_task, creator),
    FY_DEBUG_FIELD(fy_task, file),
    FY_DEBUG_FIELD(fy_task, line),
    FY_DEBUG_FIELD(fy_task, describe),
    FY_DEBUG_FIELD(fy_stack, high),
    FY_DEBUG_FIELD(fy_link, next),
    FY_DEBUG_END,
};
