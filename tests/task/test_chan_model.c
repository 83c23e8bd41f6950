/*
 * Random selects, and closes between them, on a few channels, against a model: the list of all
 * selects that wait, in the order in which they came, searched from its beginning each time.
 */
#include "checked.h"

#include <string.h>

#include "task/chan.h"
#include "task/clock.h"

#define CHANNELS 4
#define SELECTS 24
#define CASES 3
#define NIL CHANNELS /* a case without a channel */

/* One select: what it offers, what became of it in the model, and what in the real task. */
struct operation {
    int count;
    struct {
        int channel;
        bool send;
        intptr_t value;
    } offers[CASES];
    bool at_once;

    struct outcome {
        bool over;
        int chosen;
        bool ok;
        intptr_t value; /* received */
    } expected, real;
};

static struct operation operations[SELECTS];
static struct operation *waiting[SELECTS]; /* the model's, in the order of their coming */
static int waiting_count;

/* The model's channels. */
static struct {
    unsigned capacity;
    bool closed;
    intptr_t values[8];
    unsigned count;
} models[CHANNELS];

static struct fy_chan chans[CHANNELS];
static struct fy_chan
    quit; /* one more case of every real select: ends those that have no channel */
static void *buffers[CHANNELS][8];

/* ------------------------------------------------------------------------------------ the model */

static void conclude(struct operation *operation, int chosen, bool ok, intptr_t value)
{
    operation->expected = (struct outcome){true, chosen, ok, value};
    for (int i = 0; i < waiting_count; i++) {
        if (waiting[i] == operation) {
            waiting_count--;
            memmove(&waiting[i], &waiting[i + 1],
                    (size_t)(waiting_count - i) * sizeof(struct operation *));
            return;
        }
    }
}

/* The first that waits to send on, or to receive from, a channel. */
static struct operation *first_waiting(int channel, bool send, int *offer)
{
    for (int i = 0; i < waiting_count; i++) {
        for (*offer = 0; *offer < waiting[i]->count; ++*offer) {
            if (waiting[i]->offers[*offer].channel == channel &&
                waiting[i]->offers[*offer].send == send) {
                return waiting[i];
            }
        }
    }
    return NULL;
}

static bool model_send(struct operation *operation, int self)
{
    int channel = operation->offers[self].channel;
    intptr_t value = operation->offers[self].value;
    int offer;
    if (models[channel].closed) {
        conclude(operation, self, false, 0);
        return true;
    }
    struct operation *receiver = first_waiting(channel, false, &offer);
    if (receiver != NULL) {
        conclude(receiver, offer, true, value);
    } else if (models[channel].count < models[channel].capacity) {
        models[channel].values[models[channel].count++] = value;
    } else {
        return false;
    }
    conclude(operation, self, true, 0);
    return true;
}

static bool model_receive(struct operation *operation, int self)
{
    int channel = operation->offers[self].channel;
    int offer;
    struct operation *sender = first_waiting(channel, true, &offer);
    if (sender != NULL) {
        models[channel].values[models[channel].count++] = sender->offers[offer].value;
        conclude(sender, offer, true, 0);
    }
    if (models[channel].count > 0) {
        conclude(operation, self, true, models[channel].values[0]);
        models[channel].count--;
        memmove(&models[channel].values[0], &models[channel].values[1],
                models[channel].count * sizeof models[channel].values[0]);
        return true;
    }
    if (models[channel].closed) {
        conclude(operation, self, false, 0);
        return true;
    }
    return false;
}

static void model_select(struct operation *operation)
{
    for (int i = 0; i < operation->count; i++) {
        if (operation->offers[i].channel == NIL) {
            continue;
        }
        if (operation->offers[i].send ? model_send(operation, i) : model_receive(operation, i)) {
            return;
        }
    }
    if (operation->at_once) {
        conclude(operation, FY_SELECT_TIMED_OUT, false, 0);
    } else {
        waiting[waiting_count++] = operation;
    }
}

static void model_close(int channel)
{
    struct operation *operation;
    int offer;
    models[channel].closed = true;
    while ((operation = first_waiting(channel, false, &offer)) != NULL) {
        conclude(operation, offer, false, 0);
    }
    while ((operation = first_waiting(channel, true, &offer)) != NULL) {
        conclude(operation, offer, false, 0);
    }
}

/* ------------------------------------------------------------------------------- the real thing */

static void real_select(void *arg)
{
    struct operation *operation = arg;
    struct fy_case cases[CASES + 1];
    for (int i = 0; i < operation->count; i++) {
        int channel = operation->offers[i].channel;
        cases[i] = (struct fy_case){.chan = channel == NIL ? NULL : &chans[channel],
                                    .direction = operation->offers[i].send ? FY_SEND : FY_RECEIVE,
                                    .value = (void *)operation->offers[i].value};
    }
    cases[operation->count] = (struct fy_case)FY_RECEIVE_FROM(&quit);
    int chosen = fy_select(cases, operation->count + 1, operation->at_once ? FY_AT_ONCE : FY_NEVER,
                           "selecting at random");
    operation->real = (struct outcome){.over = true, .chosen = chosen};
    if (chosen >= 0 && chosen < operation->count) {
        operation->real.ok = cases[chosen].ok;
        operation->real.value = operation->offers[chosen].send ? 0 : (intptr_t)cases[chosen].value;
    }
}

static int queue_length(const struct fy_link *queue)
{
    int length = 0;
    FY_LIST_EACH(link, queue)
    {
        length++;
    }
    return length;
}

/* ------------------------------------------------------------------------------------ together */

static bool agree(void)
{
    int offered = 0;
    int queued = 0;
    bool good = true;
    for (int i = 0; i < SELECTS; i++) {
        const struct outcome *expected = &operations[i].expected;
        const struct outcome *real = &operations[i].real;
        good = CHECK_INT(real->over, expected->over) && CHECK_INT(real->chosen, expected->chosen) &&
               CHECK_INT(real->ok, expected->ok) && CHECK_INT(real->value, expected->value) && good;
    }
    for (int i = 0; i < waiting_count; i++) {
        for (int offer = 0; offer < waiting[i]->count; offer++) {
            offered += waiting[i]->offers[offer].channel != NIL;
        }
    }
    for (int i = 0; i < CHANNELS; i++) {
        good = CHECK_INT(chans[i].count, models[i].count) && good;
        queued += queue_length(&chans[i].parked);
    }
    return CHECK_INT(queued, offered) && good;
}

static struct operation *unused_operation(void)
{
    for (int i = 0; i < SELECTS; i++) {
        if (operations[i].expected.over) {
            return &operations[i];
        }
    }
    return NULL;
}

static void make_operation(struct operation *operation, uint64_t *random)
{
    static intptr_t next_value = 1;
    *operation = (struct operation){.count = 1 + (int)(check_random(random) % CASES),
                                    .at_once = check_random(random) % 4 == 0};
    for (int i = 0; i < operation->count; i++) {
        operation->offers[i].channel = (int)(check_random(random) % (CHANNELS + 1));
        operation->offers[i].send = check_random(random) % 2 == 0;
        operation->offers[i].value = operation->offers[i].send ? next_value++ : 0;
    }
}

static void make_channel(int channel, uint64_t *random)
{
    unsigned capacity = check_random(random) % 3 == 0 ? 0 : check_random(random) % 4;
    memset(&models[channel], 0, sizeof models[channel]);
    models[channel].capacity = capacity;
    fy_chan_init(&chans[channel], buffers[channel], capacity);
}

static void close_both(int channel)
{
    model_close(channel);
    fy_chan_close(&chans[channel]);
    check_settle();
}

static bool run_round(uint64_t *random)
{
    fy_chan_init(&quit, NULL, 0);
    waiting_count = 0;
    for (int i = 0; i < SELECTS; i++) {
        operations[i] = (struct operation){.expected.over = true, .real.over = true};
    }
    for (int i = 0; i < CHANNELS; i++) {
        make_channel(i, random);
    }
    for (int step = 0; step < 60; step++) {
        struct operation *operation = unused_operation();
        if (operation == NULL || check_random(random) % 40 == 0) {
            close_both((int)(check_random(random) % CHANNELS));
        } else {
            make_operation(operation, random);
            model_select(operation);
            check_spawn(real_select, operation);
            check_settle();
        }
        if (!agree()) {
            return false;
        }
    }
    for (int i = 0; i < CHANNELS; i++) {
        close_both(i);
    }
    /* By now none waits but those with no channel at all. */
    for (int i = 0; i < waiting_count; i++) {
        waiting[i]->expected = (struct outcome){.over = true, .chosen = waiting[i]->count};
    }
    waiting_count = 0;
    fy_chan_close(&quit);
    check_settle();
    return agree();
}

static void selects_do_as_the_model_says(void)
{
    int rounds = check_scale(3000, 150);
    uint64_t random = 42;
    check_enter();
    for (int round = 0; round < rounds; round++) {
        if (!run_round(&random)) {
            break;
        }
    }
    fy_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(selects_do_as_the_model_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
