/*
 * Channels and select, case by case; chosen mixes of them run against a model in test_chan_model.c.
 */
#include "checked.h"

#include "task/chan.h"
#include "task/clock.h"

/* A task that does one operation, and what came of it. */
struct one {
    struct fy_chan *chan;
    void *value;
    bool over, ok;
    int turn; /* of all that are over, the how manieth */
};

static int turns;

static void send_one(void *arg)
{
    struct one *one = arg;
    one->ok = fy_chan_send(one->chan, one->value, "sending");
    one->turn = turns++;
    one->over = true;
}

static void receive_one(void *arg)
{
    struct one *one = arg;
    one->ok = fy_chan_receive(one->chan, &one->value, "receiving");
    one->turn = turns++;
    one->over = true;
}

static void begin(void (*fn)(void *arg), struct one *one, struct fy_chan *chan, intptr_t value)
{
    *one = (struct one){.chan = chan, .value = (void *)value};
    check_spawn(fn, one);
    check_settle();
}

static bool queues_are_empty(struct fy_chan *chan)
{
    return fy_list_empty(&chan->parked);
}

/* ------------------------------------------------------------------------ sending and receiving */

static void without_room_both_meet(void)
{
    struct fy_chan chan;
    struct one sender, receiver;
    fy_chan_init(&chan, NULL, 0);
    check_enter();
    begin(send_one, &sender, &chan, 1);
    CHECK(!sender.over);
    CHECK(!fy_chan_try_send(&chan, NULL));
    begin(receive_one, &receiver, &chan, 0);
    CHECK(sender.over && sender.ok);
    CHECK(receiver.over && receiver.ok);
    CHECK_INT((intptr_t)receiver.value, 1);

    begin(receive_one, &receiver, &chan, 0);
    CHECK(!receiver.over);
    begin(send_one, &sender, &chan, 2);
    CHECK(sender.over && receiver.over);
    CHECK_INT((intptr_t)receiver.value, 2);

    begin(receive_one, &receiver, &chan, 0);
    CHECK(fy_chan_try_send(&chan, (void *)3));
    CHECK(!fy_chan_try_send(&chan, (void *)4)); /* the receiver has its value, if not its turn */
    check_settle();
    CHECK_INT((intptr_t)receiver.value, 3);
    CHECK(queues_are_empty(&chan));
    fy_leave();
}

static void with_room_senders_go_on(void)
{
    void *buffer[3];
    struct fy_chan chan;
    struct one senders[5], receiver;
    fy_chan_init(&chan, buffer, 3);
    check_enter();
    for (int round = 0; round < 4; round++) { /* the ring comes round */
        for (int i = 0; i < 5; i++) {
            begin(send_one, &senders[i], &chan, i + 10);
            CHECK_INT(senders[i].over, i < 3);
        }
        CHECK(!fy_chan_try_send(&chan, NULL));
        for (int i = 0; i < 5; i++) {
            begin(receive_one, &receiver, &chan, 0);
            CHECK(receiver.over && receiver.ok);
            CHECK_INT((intptr_t)receiver.value, i + 10);
            CHECK_INT(senders[3].over, true);
            CHECK_INT(senders[4].over, i >= 1);
        }
        CHECK_INT(chan.count, 0);
        CHECK(fy_chan_try_send(&chan, (void *)9));
        begin(receive_one, &receiver, &chan, 0);
        CHECK_INT((intptr_t)receiver.value, 9);
    }
    CHECK(queues_are_empty(&chan));
    fy_leave();
}

static void first_come_first_served(void)
{
    struct fy_chan chan;
    struct one senders[8], receivers[8], other;
    fy_chan_init(&chan, NULL, 0);
    check_enter();
    turns = 0;
    for (int i = 0; i < 8; i++) {
        begin(receive_one, &receivers[i], &chan, 0);
    }
    for (int i = 0; i < 8; i++) {
        begin(send_one, &other, &chan, i);
        CHECK(receivers[i].over);
        CHECK_INT((intptr_t)receivers[i].value, i);
    }
    for (int i = 0; i < 8; i++) {
        begin(send_one, &senders[i], &chan, i);
    }
    for (int i = 0; i < 8; i++) {
        begin(receive_one, &other, &chan, 0);
        CHECK_INT((intptr_t)other.value, i);
        CHECK(senders[i].over);
        CHECK(i == 0 || senders[i].turn > senders[i - 1].turn);
    }
    fy_leave();
}

/* -------------------------------------------------------------------------------------- closing */

static void closing_ends_who_waits(void)
{
    struct fy_chan chan;
    struct one some[4];
    check_enter();
    fy_chan_init(&chan, NULL, 0);
    for (int i = 0; i < 4; i++) {
        begin(receive_one, &some[i], &chan, 5);
    }
    fy_chan_close(&chan);
    check_settle();
    for (int i = 0; i < 4; i++) {
        CHECK(some[i].over && !some[i].ok);
        CHECK(some[i].value == NULL);
        CHECK(i == 0 || some[i].turn > some[i - 1].turn);
    }
    fy_chan_init(&chan, NULL, 0);
    for (int i = 0; i < 4; i++) {
        begin(send_one, &some[i], &chan, i);
    }
    fy_chan_close(&chan);
    check_settle();
    for (int i = 0; i < 4; i++) {
        CHECK(some[i].over && !some[i].ok);
    }
    fy_chan_close(&chan); /* again: nothing happens */
    CHECK(queues_are_empty(&chan));
    fy_leave();
}

static void what_was_sent_before_the_close_is_received(void)
{
    void *buffer[2];
    struct fy_chan chan;
    struct one blocked;
    void *value = NULL;
    fy_chan_init(&chan, buffer, 2);
    check_enter();
    CHECK(fy_chan_try_send(&chan, (void *)1));
    CHECK(fy_chan_try_send(&chan, (void *)2));
    begin(send_one, &blocked, &chan, 3);
    fy_chan_close(&chan);
    check_settle();
    CHECK(blocked.over && !blocked.ok);
    CHECK(fy_chan_receive(&chan, &value, ""));
    CHECK_INT((intptr_t)value, 1);
    CHECK(fy_chan_receive(&chan, NULL, ""));
    for (int i = 0; i < 3; i++) {
        value = &chan;
        CHECK(!fy_chan_receive(&chan, &value, ""));
        CHECK(value == NULL);
    }
    CHECK(!fy_chan_send(&chan, NULL, ""));
    CHECK(!fy_chan_try_send(&chan, NULL));
    fy_leave();
}

/* --------------------------------------------------------------------------------------- select */

struct selecting {
    struct fy_case cases[4];
    int count;
    int64_t deadline;
    bool over;
    int chosen;
};

static void select_once(void *arg)
{
    struct selecting *self = arg;
    self->chosen = fy_select(self->cases, self->count, self->deadline, "selecting");
    self->over = true;
}

static void select_at_once_takes_what_is_ready(void)
{
    void *buffer[1];
    struct fy_chan empty, room;
    fy_chan_init(&empty, NULL, 0);
    fy_chan_init(&room, buffer, 1);
    check_enter();
    struct fy_case cases[] = {FY_RECEIVE_FROM(&empty), FY_SEND_TO(&empty, NULL),
                              FY_RECEIVE_FROM(NULL), FY_SEND_TO(&room, (void *)7),
                              FY_RECEIVE_FROM(&room)};
    CHECK_INT(fy_select(cases, 3, FY_AT_ONCE, ""), FY_SELECT_TIMED_OUT);
    CHECK_INT(fy_select(cases, 0, FY_AT_ONCE, ""), FY_SELECT_TIMED_OUT);
    CHECK(queues_are_empty(&empty));
    CHECK_INT(fy_select(cases, 5, FY_AT_ONCE, ""), 3);
    CHECK(cases[3].ok);
    CHECK_INT(fy_select(cases, 5, FY_AT_ONCE, ""), 4);
    CHECK(cases[4].ok);
    CHECK_INT((intptr_t)cases[4].value, 7);
    fy_chan_close(&empty);
    CHECK_INT(fy_select(cases, 5, FY_AT_ONCE, ""), 0);
    CHECK(!cases[0].ok);
    CHECK_INT(fy_select(&cases[1], 4, FY_AT_ONCE, ""), 0); /* sending on a closed one is ready */
    CHECK(!cases[1].ok);
    fy_leave();
}

static void the_first_in_order_goes(void)
{
    void *buffers[3][4];
    struct fy_chan chans[3];
    check_enter();
    for (int i = 0; i < 3; i++) {
        fy_chan_init(&chans[i], buffers[i], 4);
        for (intptr_t value = 0; value < 4; value++) {
            CHECK(fy_chan_try_send(&chans[i], (void *)(i * 10 + value)));
        }
    }
    /* All are ready, each time: the first until it is empty, then the second. */
    for (int i = 0; i < 12; i++) {
        struct fy_case cases[] = {FY_RECEIVE_FROM(&chans[2]), FY_RECEIVE_FROM(&chans[0]),
                                  FY_RECEIVE_FROM(&chans[1])};
        int chosen = fy_select(cases, 3, FY_NEVER, "");
        CHECK_INT(chosen, i / 4);
        CHECK_INT((intptr_t)cases[chosen].value, (i / 4 + 2) % 3 * 10 + i % 4);
    }
    fy_leave();
}

static void a_woken_select_leaves_nothing_behind(void)
{
    struct fy_chan a, b;
    struct one other;
    for (int how = 0; how < 5; how++) {
        fy_chan_init(&a, NULL, 0);
        fy_chan_init(&b, NULL, 0);
        struct fy_sched *sched = check_enter();
        struct selecting self = {.cases = {FY_RECEIVE_FROM(&a), FY_SEND_TO(&b, (void *)5),
                                           FY_RECEIVE_FROM(NULL), FY_SEND_TO(NULL, NULL)},
                                 .count = 4,
                                 .deadline = how == 4 ? fy_after_ms(1) : fy_after_ms(1000000)};
        self.cases[0].value = &self; /* of an earlier select */
        check_spawn(select_once, &self);
        check_settle();
        CHECK(how == 4 || !self.over);
        switch (how) {
        case 0: begin(send_one, &other, &a, 6); break;
        case 1: begin(receive_one, &other, &b, 0); break;
        case 2: fy_chan_close(&a); break;
        case 3: fy_chan_close(&b); break;
        default:
            while (!self.over) {
                check_settle();
            }
        }
        /* Before the woken task has run, even: nobody else can complete another of its cases. */
        CHECK(queues_are_empty(&a));
        CHECK(queues_are_empty(&b));
        CHECK(sched->timers.first == NULL);
        check_settle();
        CHECK(self.over);
        static const int chosen[] = {0, 1, 0, 1, FY_SELECT_TIMED_OUT};
        CHECK_INT(self.chosen, chosen[how]);
        if (self.chosen >= 0) {
            CHECK_INT(self.cases[self.chosen].ok, how < 2);
            CHECK(how != 2 || self.cases[0].value == NULL);
        }
        if (how < 2) {
            CHECK(other.over && other.ok);
            CHECK_INT((intptr_t)(how == 0 ? self.cases[0].value : other.value), how == 0 ? 6 : 5);
        }
        fy_leave();
    }
}

/* Two come for the same select in one go: one gets it, the other keeps waiting. */
static void one_case_is_completed_once(void)
{
    struct fy_chan a, b;
    fy_chan_init(&a, NULL, 0);
    fy_chan_init(&b, NULL, 0);
    check_enter();
    struct selecting self = {
        .cases = {FY_RECEIVE_FROM(&a), FY_RECEIVE_FROM(&b)}, .count = 2, .deadline = FY_NEVER};
    check_spawn(select_once, &self);
    check_settle();
    CHECK(fy_chan_try_send(&b, (void *)1));
    CHECK(!fy_chan_try_send(&a, (void *)2));
    CHECK(!fy_chan_try_send(&b, (void *)3));
    check_settle();
    CHECK_INT(self.chosen, 1);
    CHECK_INT((intptr_t)self.cases[1].value, 1);
    fy_leave();
}

static void a_select_meets_a_select(void)
{
    struct fy_chan a, b;
    fy_chan_init(&a, NULL, 0);
    fy_chan_init(&b, NULL, 0);
    check_enter();
    /* Both parties offer both directions on one channel, and do not meet themselves. */
    struct selecting first = {.cases = {FY_RECEIVE_FROM(&a), FY_SEND_TO(&a, (void *)1)},
                              .count = 2,
                              .deadline = FY_NEVER};
    struct selecting second = {
        .cases = {FY_RECEIVE_FROM(&b), FY_SEND_TO(&a, (void *)2), FY_RECEIVE_FROM(&a)},
        .count = 3,
        .deadline = FY_NEVER};
    check_spawn(select_once, &first);
    check_settle();
    CHECK(!first.over);
    check_spawn(select_once, &second);
    check_settle();
    CHECK(first.over && second.over);
    CHECK_INT(first.chosen, 0);
    CHECK_INT((intptr_t)first.cases[0].value, 2);
    CHECK_INT(second.chosen, 1);
    CHECK(queues_are_empty(&a));
    CHECK(queues_are_empty(&b));
    fy_leave();
}

static void a_deadline_ends_a_select(void)
{
    struct fy_chan chan;
    fy_chan_init(&chan, NULL, 0);
    check_enter();
    struct fy_case cases[] = {FY_RECEIVE_FROM(&chan)};
    CHECK_INT(fy_select(cases, 1, fy_after_ms(1), ""), FY_SELECT_TIMED_OUT);
    CHECK_INT(fy_select(cases, 1, 0, ""), FY_SELECT_TIMED_OUT); /* long past */
    CHECK_INT(fy_select(NULL, 0, fy_after_ms(1), ""), FY_SELECT_TIMED_OUT);
    CHECK(queues_are_empty(&chan));
    fy_chan_close(&chan);
    CHECK_INT(fy_select(cases, 1, 0, ""), 0); /* what is ready is taken, whatever the deadline */
    fy_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_room_both_meet),
        TEST(with_room_senders_go_on),
        TEST(first_come_first_served),
        TEST(closing_ends_who_waits),
        TEST(what_was_sent_before_the_close_is_received),
        TEST(select_at_once_takes_what_is_ready),
        TEST(the_first_in_order_goes),
        TEST(a_woken_select_leaves_nothing_behind),
        TEST(one_case_is_completed_once),
        TEST(a_select_meets_a_select),
        TEST(a_deadline_ends_a_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
