/*
 * Channels and select. A parked select has each of its cases in the queue of its channel. Who can
 * complete one of them does it on the spot: moves the value, takes all the cases out of their
 * queues, disarms the timer, wakes the task. So a woken task has nothing left to undo, and no case
 * can be completed twice.
 */
#include "task/chan.h"

#include "task/sched.h"

static void finish(struct fy_task *task, int chosen, void (*wake)(struct fy_task *task))
{
    struct fy_select *select = &task->select;
    for (int i = 0; i < select->count; i++) {
        if (select->cases[i].chan != NULL) {
            fy_list_remove(&select->cases[i].link);
        }
    }
    fy_timer_disarm(&task->sched->timers, &select->timer);
    select->chosen = (int16_t)chosen;
    wake(task);
}

static void finish_case(struct fy_case *parked, bool ok, void (*wake)(struct fy_task *task))
{
    parked->ok = ok;
    finish(parked->task, (int)(parked - parked->task->select.cases), wake);
}

static struct fy_case *case_of(struct fy_link *link)
{
    return FY_CONTAINER(link, struct fy_case, link);
}

/* The first that is parked to receive, or to send; NULL: none is. If the very first is not, none is, but
 * of the same select. */
static struct fy_case *first_case(struct fy_chan *chan, enum fy_direction direction)
{
    FY_LIST_EACH(link, &chan->parked)
    {
        struct fy_case *parked = case_of(link);
        if (parked->direction == direction) {
            return parked;
        }
        if (parked->task != case_of(chan->parked.next)->task) {
            return NULL;
        }
    }
    return NULL;
}

/* The place that is so many behind the head. */
static uint16_t place_of(const struct fy_chan *chan, unsigned behind)
{
    unsigned place = chan->head + behind;
    return (uint16_t)(place < chan->capacity ? place : place - chan->capacity);
}

static void push(struct fy_chan *chan, void *value)
{
    chan->buffer[place_of(chan, chan->count++)] = value;
}

static void *pop(struct fy_chan *chan)
{
    void *value = chan->buffer[chan->head];
    chan->head = place_of(chan, 1);
    chan->count--;
    return value;
}

/* Whether the case can go on now; if so it has. */
static bool try_send(struct fy_case *self)
{
    struct fy_chan *chan = self->chan;
    struct fy_case *receiver;
    self->ok = !chan->closed;
    if (chan->closed) {
        return true;
    }
    if ((receiver = first_case(chan, FY_RECEIVE)) != NULL) {
        receiver->value = self->value;
        finish_case(receiver, true, fy_wake_next);
        return true;
    }
    if (chan->count < chan->capacity) {
        push(chan, self->value);
        return true;
    }
    return false;
}

static bool try_receive(struct fy_case *self)
{
    struct fy_chan *chan = self->chan;
    struct fy_case *sender = first_case(chan, FY_SEND);
    if (chan->count > 0) {
        self->value = pop(chan);
        if (sender != NULL) {
            push(chan, sender->value);
            finish_case(sender, true, fy_wake_next);
        }
        self->ok = true;
        return true;
    }
    if (sender != NULL) {
        self->value = sender->value;
        finish_case(sender, true, fy_wake_next);
        self->ok = true;
        return true;
    }
    if (chan->closed) {
        self->value = NULL;
        self->ok = false;
        return true;
    }
    return false;
}

static bool try_case(struct fy_case *self)
{
    if (self->chan == NULL) {
        return false;
    }
    return self->direction == FY_SEND ? try_send(self) : try_receive(self);
}

static void time_out(struct fy_timer *timer)
{
    finish(FY_CONTAINER(timer, struct fy_task, select.timer), FY_SELECT_TIMED_OUT, fy_wake);
}

/* In Go's words. */
static const char *kind_of_wait(const struct fy_case *cases, int count)
{
    if (count != 1) {
        return "select";
    }
    return cases->direction == FY_SEND ? "chan send" : "chan receive";
}

/* The first that can go on now, and has; FY_SELECT_TIMED_OUT: none can. */
static int try_cases(struct fy_case *cases, int count)
{
    for (int i = 0; i < count; i++) {
        if (try_case(&cases[i])) {
            return i;
        }
    }
    return FY_SELECT_TIMED_OUT;
}

static void enlist(struct fy_task *task, struct fy_case *cases, int count)
{
    task->select.cases = cases;
    task->select.count = (uint16_t)count;
    for (int i = 0; i < count; i++) {
        struct fy_case *self = &cases[i];
        struct fy_chan *chan = self->chan;
        if (chan != NULL) {
            self->task = task;
            fy_list_push_back(&chan->parked, &self->link);
        }
    }
}

int fy_select(struct fy_case *cases, int count, int64_t deadline, const char *why)
{
    int ready = try_cases(cases, count);
    if (ready >= 0 || deadline == FY_AT_ONCE) {
        return ready;
    }
    struct fy_task *task = fy_self();
    enlist(task, cases, count);
    if (deadline != FY_NEVER) {
        fy_timer_arm(&task->sched->timers, &task->select.timer, deadline, time_out);
    }
    fy_park(kind_of_wait(cases, count), why);
    return task->select.chosen;
}

int fy_select_rest(struct fy_case *cases, int count, const char *why)
{
    struct fy_task *task = fy_self();
    if (task->select.rests) {
        task->select.rests = false;
        return task->select.chosen;
    }
    int ready = try_cases(cases, count);
    if (ready >= 0) {
        return ready;
    }
    enlist(task, cases, count);
    task->select.rests = true;
    fy_task_rest(kind_of_wait(cases, count), why);
    return FY_SELECT_RESTS;
}

bool fy_chan_send(struct fy_chan *chan, void *value, const char *why)
{
    struct fy_case self = FY_SEND_TO(chan, value);
    fy_select(&self, 1, FY_NEVER, why);
    return self.ok;
}

bool fy_chan_receive(struct fy_chan *chan, void **value, const char *why)
{
    struct fy_case self = FY_RECEIVE_FROM(chan);
    fy_select(&self, 1, FY_NEVER, why);
    if (value != NULL) {
        *value = self.value;
    }
    return self.ok;
}

bool fy_chan_try_send(struct fy_chan *chan, void *value)
{
    struct fy_case self = FY_SEND_TO(chan, value);
    return try_case(&self) && self.ok;
}

static bool is_one(const struct fy_link *queue)
{
    return queue->next != queue && queue->next->next == queue;
}

void fy_chan_close(struct fy_chan *chan)
{
    struct fy_case *parked;
    if (chan->closed) {
        return;
    }
    chan->closed = true;
    /* Several go on in the order in which they came. */
    void (*wake)(struct fy_task * task) = is_one(&chan->parked) ? fy_wake_next : fy_wake;
    while ((parked = first_case(chan, FY_RECEIVE)) != NULL) {
        parked->value = NULL;
        finish_case(parked, false, wake);
    }
    while ((parked = first_case(chan, FY_SEND)) != NULL) {
        finish_case(parked, false, wake);
    }
}
