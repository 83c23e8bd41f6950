/*
 * The scheduler: one per thread that calls ferry.
 *
 * One rule holds everywhere. A scheduler is guarded by one lock; whoever runs or touches anything
 * in it holds that lock. Its thread drops the lock while it sleeps in the poller and whenever it is
 * outside ferry: public functions begin with fy_enter() and end with fy_leave(), and a call out to
 * a function of the user's is put between fy_leave() and fy_enter(). Nobody ever holds the locks of
 * two threads' schedulers: what moves from one to another is taken out of the first under its lock,
 * and put into the second under that one's. (Of one that has no thread the lock may be taken under
 * one's own: who holds that waits for nobody.) What lies under more than one scheduler (a
 * transport's pool) has a lock of its own, taken last and never held while parking.
 *
 * The lock is handed from task to task at a switch, so it has no owner: it is a semaphore.
 */
#ifndef FY_TASK_SCHED_H
#define FY_TASK_SCHED_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "task/chan.h"
#include "task/poller.h"
#include "task/sanitizer.h"
#include "task/spare.h"
#include "task/stock.h"
#include "task/switch.h"
#include "task/timer.h"

struct fy_snapshot_connection;
struct fy_lookup_channel;

enum fy_task_kind {
    FY_TASK_THREAD,  /* a thread itself: its scheduler's root */
    FY_TASK_LIBRARY, /* a loop, a dial */
    FY_TASK_USER     /* started with ferry_go or in a group */
};

/* What a loop's turn ends in. */
enum fy_turn {
    FY_TURN_OVER, /* the loop has ended */
    FY_TURN_REST /* it has said what it waits for (fy_task_rest): its next turn is when that comes */
};

/* From a slab, but for a thread's own. What is touched whenever it parks and goes on comes first: with
 * thousands of tasks that is not in the processor's cache. */
struct fy_task {
    struct fy_link ready;   /* in sched->ready when it can go on, else alone */
    struct fy_sched *sched; /* changes only between fy_task_detach() and fy_task_attach() */
    struct fy_stack *stack; /* NULL: it has none, for it is a loop between two turns */
    fy_stopped stopped;     /* where it goes on; valid while it has a stack and is not running */
    enum fy_task_kind kind;
    bool woken; /* fy_wake came since it last parked */
    bool
        unattended; /* parked where the monitor may run it: no function of the user's is on its way */
    enum fy_turn (*turn)(void *arg); /* of a loop, which has no fn; NULL: it is none */
    void *arg;
    const char *on;          /* how it is parked, in Go's words: "select", "IO wait"; static */
    const char *why;         /* what it is parked on; static; NULL: not parked */
    int64_t since;           /* when it parked */
    struct fy_select select; /* while it is parked in one */
    struct fy_link all;      /* in sched->tasks */
    void (*fn)(void *arg);
    /* For the dump. */
    uint64_t number;     /* 1, 2, 3 ... in the order of their beginning, in the whole process */
    const char *name;    /* "read loop"; static */
    uint64_t connection; /* the connection it serves; 0: none */
    void (*function)(void *arg); /* the user's own, of a user's task; NULL: the library's */
    uint64_t creator;            /* the number of the task that started it; 0: none did */
    const char *file;            /* and where, of a user's task; static; NULL: unknown */
    int line;
    /* watch/snapshot.h's: says what connection it stands for; NULL: for none. */
    void (*describe)(const struct fy_task *task, struct fy_snapshot_connection *connection);
};

/* Something to be done in a scheduler, left there by another thread. Lives in whoever posts it,
 * until run is called (under the lock). */
struct fy_post {
    struct fy_post *next;
    void (*run)(struct fy_post *post);
};

struct fy_exit_kind;

/* Something to be done when the scheduler's thread ends: in sched->exit_hooks, closed (a
 * connection, a dial); in sched->farewells and sched->leftovers, let go, because the task that held it
 * is discarded. */
struct fy_exit_hook {
    struct fy_link link;
    const struct fy_exit_kind *kind;
};

/* What that is. */
struct fy_exit_kind {
    void (*run)(struct fy_exit_hook *hook);
    /* In sched->exit_hooks, tried before: moves what the hook belongs to from the thread's scheduler
     * into the running one, the harbour, under the locks of both. False: it cannot, and run is
     * called. NULL: it never can. */
    bool (*outlive)(struct fy_exit_hook *hook);
    /* In sched->exit_hooks: parks until what the hook belongs to has come to its end by itself, and
     * perhaps left behind what does outlive the thread; the hook may be gone then. False: the
     * deadline has passed. NULL: there is no point in that. */
    bool (*settle)(struct fy_exit_hook *hook, int64_t deadline);
    bool (*settles)(const struct fy_exit_hook *hook); /* whether it would; with settle */
    /* What is to be done in the child of a fork, on the scheduler of the thread that forked
     * (task/fork.h); in sched->leftovers: on every other's. NULL: nothing. */
    void (*forked)(struct fy_exit_hook *hook);
};

struct fy_sched {
    sem_t lock;
    pthread_mutex_t turn; /* whoever finds the lock taken waits for it one at a time, in here */
    atomic_int outsiders; /* other threads that want the lock: its own lets them go first */
    struct fy_task root;  /* the thread itself */
    struct fy_stack root_stack;
    pid_t thread_id;         /* the system's name for it */
    struct fy_task *current; /* who runs */
    struct fy_task *guest; /* the monitor, while it runs unattended tasks here; NULL: it does not */
    bool sleeps;           /* the thread is in the poller, and sees to everything itself */
    struct fy_stack *previous; /* the one in use before the last switch */
    struct fy_stack *left;     /* was left for good: goes back once another one is in use */
    struct fy_task *over;      /* and this one has ended on it; NULL: none has */
    struct fy_stock stock;     /* stacks at hand for the turns of loops */
    struct fy_link ready;      /* of fy_task: can go on, in order */
    struct fy_task *heir;      /* in ready as well: goes on before the others, because the running
                                 task has just handed it something; NULL: none */
    unsigned inherited;        /* how often in a row one has */
    struct fy_link tasks;      /* of fy_task: all, the root included */
    atomic_int task_count;     /* written under the lock, read by anybody */
    unsigned picks;            /* counts up, so that a busy queue is interrupted by a poll */
    struct fy_poller poller;
    struct fy_poller_batch batch; /* of whoever polls: one at a time */
    struct fy_timers timers;
    struct fy_timer calm;          /* calm.c's: looks whether loops have had turns meanwhile */
    int64_t last_turn;             /* when one of them last came to rest */
    int64_t now;                   /* the time of the last poll: good enough for "since when" */
    struct fy_spares spares;       /* buffers for connections that have something to read */
    struct fy_spares exchanges;    /* transport/exchange.c's, which sets its size */
    struct fy_spares responses;    /* http/response.c's, likewise */
    unsigned tls_buffers;          /* net/tls_buffers.c's: how many streams keep theirs */
    unsigned handshakes;           /* net/tls_pace.c's: how many count as under way, and */
    struct fy_chan handshake_over; /* where those who wait for their turn are told of it */
    struct fy_link cancels;        /* of fy_cancel: requests that watch a context */
    struct fy_link exit_hooks;     /* of fy_exit_hook, newest first */
    struct fy_link farewells; /* of fy_exit_hook: run when none of the tasks goes on any more, and
                                 their stacks are still there: what is the user's is let go */
    struct fy_link leftovers; /* of fy_exit_hook: run once the thread's tasks are no more */
    struct fy_link open_responses; /* watch/ledger.c's; outlives the thread, as a response may */
    struct fy_link lookups;        /* net/resolve.c's: names that are being looked up */
    /* net/lookup_channel.c's: kept for the next lookup; NULL: none. */
    struct fy_lookup_channel *lookup_channel;
    /* Touched without the lock, from other threads and from signal handlers. */
    int wake_fd;                     /* an eventfd in the poller */
    _Atomic(struct fy_post *) posts; /* newest first */
    atomic_bool poked;               /* wake_fd has been written since the last look */
    atomic_bool look_at_contexts;    /* some context was cancelled */
    atomic_int poking;     /* how many are between finding this scheduler and having written */
    atomic_bool alive;     /* it has a thread */
    bool is_harbour;       /* it never has one: harbour.c */
    struct fy_sched *next; /* in the list of all there ever were; used again, never freed */
    /* What this thread has taken out of another scheduler and not yet put into its own; for a fork that
     * comes in between. Set under the other's lock, cleared under this one's. NULL: nothing. */
    struct fy_io *arriving_io;
    struct fy_exit_hook *arriving;
};

/* Takes the lock of this thread's scheduler, which is made at the first call. NULL when out of
 * memory (or descriptors), with errno. */
struct fy_sched *fy_enter(void);
void fy_leave(void);

/* The scheduler whose lock this thread holds. Not to be kept in a variable across a point that may
 * park. */
struct fy_sched *fy_sched_running(void);

/* The running task. */
struct fy_task *fy_self(void);

/* The lock of some scheduler, most often another thread's, for a thread that holds none. */
void fy_sched_lock(struct fy_sched *sched);
void fy_sched_unlock(struct fy_sched *sched);

/* Starts a task on the running scheduler, at the end of its queue. NULL when out of memory. name is
 * static. */
struct fy_task *fy_task_start(enum fy_task_kind kind, enum fy_stack_kind stack, const char *name,
                              void (*fn)(void *arg), void *arg);

/* Starts a loop: a task of the library's that has a stack only while it has something to do. In each
 * of its turns, of which the first is at the end of the queue, turn(arg) is called anew, on whatever
 * stack is at hand, and is a function like any other: it may park anywhere. It returns when it has
 * nothing to do but to wait (FY_TURN_REST), or nothing any more (FY_TURN_OVER). A stack of the small
 * kind is promised to it for as long as it lives: so it need not fear that there is none when it is
 * woken. NULL when out of memory. */
struct fy_task *fy_loop_start(const char *name, enum fy_turn (*turn)(void *arg), void *arg);

/* Gives a loop at rest that has been woken its turn here and now, on the running task's stack: for a task
 * that would only wait for it, and two switches less. Not for a turn that may park, since that stack
 * cannot go on without its task. */
void fy_loop_turn_here(struct fy_task *loop);

/* What the dump says of a user's task that was just started: its function, and the place in the
 * program that started it (file is static; NULL: unknown). */
void fy_task_tell(struct fy_task *task, void (*function)(void *arg), const char *file, int line);

/* Stops until fy_wake(); at once if that came since the last time. Both are static and for the dump:
 * on is the kind of wait ("select"), why says what is waited for. */
void fy_park(const char *on, const char *why);

/* Of the running loop, which is about to end its turn with FY_TURN_REST: what it waits for, in the same
 * words. From here to its return nothing may park. */
void fy_task_rest(const char *on, const char *why);

/* Lets a task that is, or will be, parked go on. Under its scheduler's lock. */
void fy_wake(struct fy_task *task);

/* The same from a task that is about to park, for one which it has handed something: that goes on
 * next, while what it was handed is in the processor's cache. The others get their turn all the same,
 * after a few such hand-overs in a row. */
void fy_wake_next(struct fy_task *task);

/* In the child of a fork, in the hooks of the scheduler that is the child's: whether a task goes on there.
 * The one that forked does, and the thread itself. */
bool fy_task_survives(const struct fy_task *task);

/* Whether a task is parked or at rest, be it woken by now and waiting for its turn: then it can be taken
 * elsewhere. Else it is in a function of the user's. Under its scheduler's lock, and not of the
 * running task. */
bool fy_task_is_parked(const struct fy_task *task);

/* Takes a parked task out of its scheduler's books, under that one's lock; and enters it into the
 * running scheduler's, where it goes on when it is woken. In between nobody may wake it. */
void fy_task_detach(struct fy_task *task);
void fy_task_attach(struct fy_task *task);

/* To the end of the queue. */
void fy_yield(void);

/* Collects what is ready and fires what is due, without waiting. */
void fy_poll_now(void);

/* Has post->run called in that scheduler, soon: at once if it sleeps in its poller, else when it
 * next polls. From any thread, with or without locks. The scheduler must have its thread. */
void fy_sched_post(struct fy_sched *sched, struct fy_post *post);

/* The same for a scheduler whose thread may have ended: then it is done here and now, under that
 * one's lock. The caller holds no lock but perhaps its own scheduler's. */
void fy_sched_post_home(struct fy_sched *sched, struct fy_post *post);

/* Ends the scheduler's sleep in its poller, or its host loop's. Safe in a signal handler. */
void fy_sched_poke(struct fy_sched *sched);

/* Makes every scheduler look at its contexts. Safe in a signal handler. */
void fy_sched_contexts_changed(void);

/* context.c's: ends what watches a context that has ended. */
void fy_cancels_check(struct fy_sched *sched);

/* context.c's: lets go of the contexts that are still watched, by tasks which are being discarded. */
void fy_cancels_forget(struct fy_sched *sched);

/* Who is to be told, in the child of a fork, of each scheduler that was there: what it has besides tasks is
 * the parent's. Static; entered by a constructor. */
struct fy_fork_listener {
    struct fy_fork_listener *next;
    void (*inherited)(struct fy_sched *sched);
};
void fy_fork_listen(struct fy_fork_listener *listener);

/* Calls visit for each scheduler, those without a thread too, under its lock; the caller holds
 * none. */
void fy_sched_each(void (*visit)(struct fy_sched *sched, void *arg), void *arg);

/* go.c's: as ferry_num_tasks(), but the caller does not become one: for those who only look. */
int fy_count_tasks(void);

#endif
