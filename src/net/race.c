/*
 * The race (RFC 8305 section 5): addresses are tried in order, the next one as soon as the last has
 * failed, or a quarter of a second after it was begun; the first connection wins. If the caller wants
 * them one after the other, each is given up after its share of the time. Connecting is
 * begun by the task that dials; where it does not succeed or fail on the spot, a small task waits
 * for it and reports. So all of the race's state belongs to the one task, and calls to a trace come
 * one after the other. A report never waits for being read: when it has been, the task that sent it
 * is over.
 */
#include "net/race.h"

#include <stdlib.h>

#include "base/errno.h"
#include "base/error.h"
#include "net/socket_stream.h"
#include "task/chan.h"
#include "task/clock.h"
#include "task/sched.h"

/* "Connection Attempt Delay", RFC 8305 section 8. */
#define ATTEMPT_DELAY_MS 250

/* Nobody's share is less, if there is that much: the system sends a SYN again after a second. */
#define SHARE_LEAST_MS 2000

#define FEW 4

struct attempt {
    struct race *race;
    const struct fy_address *address;
    struct fy_stream *stream; /* connecting or connected; NULL: not begun, failed, or handed on */
    bool running;             /* a task waits for it, and has not reported */
    int result;               /* 0 or -errno; valid when it does not run */
};

/* What explains a failure best, the least first: that this machine has no way to such an address
 * (no IPv6, no network, no zone); another address' refusal; that this process has run out of memory
 * or descriptors, for then the others may well have answered; that the race was stopped. */
enum telling { TELLS_NO_WAY, TELLS_REFUSAL, TELLS_EXHAUSTION, TELLS_STOP };

struct race {
    const struct fy_dial *dial;
    struct attempt *attempts; /* one for each address */
    size_t count, begun, running;
    struct fy_chan reports;   /* of struct attempt *; room for all */
    struct fy_stream *winner; /* NULL: none yet */
    bool over;                /* nobody can win any more */
    ferry_error error;        /* of the attempt that is told if all fail; code 0: none has failed */
    enum telling telling;     /* how much that one says */
};

/* ---------------------------------------------------------------- telling what became of them */

static int code_of(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return FERRY_ENOMEM;
    case ECANCELED: return FERRY_ECANCELED;
    default: return FERRY_ECONNECT;
    }
}

void fy_connect_failed(const struct fy_dial *dial, ferry_error *err, int error, const char *network,
                       const char *address)
{
    char from[FY_LOCAL_END_TEXT] = "";
    (void)fy_local_end_explains(dial->local, error, from);
    fy_fail(err, code_of(error), error, "dial %s %s%s: %s", network, address, from,
            error == ECANCELED ? "canceled" : fy_errno_text(error));
}

void fy_trace_connect_start(const struct fy_dial *dial, const char *network, const char *address)
{
    if (dial->trace != NULL && dial->trace->connect_start != NULL) {
        fy_leave();
        dial->trace->connect_start(dial->trace_arg, network, address);
        (void)fy_enter(); /* cannot fail: this thread has its scheduler */
    }
}

void fy_trace_connect_done(const struct fy_dial *dial, const char *network, const char *address,
                           const ferry_error *err)
{
    if (dial->trace != NULL && dial->trace->connect_done != NULL) {
        fy_leave();
        dial->trace->connect_done(dial->trace_arg, network, address, err);
        (void)fy_enter();
    }
}

static enum telling telling_of(int error)
{
    switch (error) {
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EHOSTUNREACH:
    case EINVAL:
    case ENETUNREACH: return TELLS_NO_WAY;
    default: return code_of(error) == FERRY_ENOMEM ? TELLS_EXHAUSTION : TELLS_REFUSAL;
    }
}

/* An address is made into text only for those who read it. */
static bool is_traced(const struct fy_dial *dial)
{
    return dial->trace != NULL &&
           (dial->trace->connect_start != NULL || dial->trace->connect_done != NULL);
}

/* Enters the result of an attempt that is over. */
static void conclude(struct race *race, struct attempt *attempt)
{
    char text[FY_ADDRESS_TEXT];
    ferry_error error;
    bool failed = attempt->result != 0;
    bool traced = is_traced(race->dial);
    if (failed || traced) {
        fy_address_text(attempt->address, text);
    }
    if (failed) {
        fy_connect_failed(race->dial, &error, -attempt->result, "tcp", text);
        enum telling telling = telling_of(-attempt->result);
        if (race->error.code == 0 || telling > race->telling) {
            race->error = error;
            race->telling = telling;
        }
    }
    if (!failed && race->winner == NULL && !race->over) {
        race->winner = attempt->stream;
    } else if (attempt->stream != NULL) {
        attempt->stream->ops->free(attempt->stream);
    }
    attempt->stream = NULL;
    if (traced) {
        fy_trace_connect_done(race->dial, "tcp", text, failed ? &error : NULL);
    }
}

/* ----------------------------------------------------------------------------------- attempts */

static void wait_for_connect(void *arg)
{
    struct attempt *attempt = arg;
    attempt->result = fy_socket_stream_finish_connect(attempt->stream, "connecting");
    fy_chan_send(&attempt->race->reports, attempt, "reporting a connect");
}

/* False: it is over already. */
static bool begin_next(struct race *race)
{
    struct attempt *attempt = &race->attempts[race->begun++];
    if (is_traced(race->dial)) {
        char text[FY_ADDRESS_TEXT];
        fy_address_text(attempt->address, text);
        fy_trace_connect_start(race->dial, "tcp", text);
    }
    attempt->result = fy_socket_stream_connect(&attempt->stream,
                                               (const struct sockaddr *)&attempt->address->sockaddr,
                                               attempt->address->len, race->dial->local);
    if (attempt->result == -EINPROGRESS) {
        if (fy_task_start(FY_TASK_LIBRARY, FY_STACK_SMALL, "connect", wait_for_connect, attempt) !=
            NULL) {
            attempt->running = true;
            race->running++;
            return true;
        }
        attempt->result = -ENOMEM;
    }
    conclude(race, attempt);
    return false;
}

static void reported(struct race *race, struct attempt *attempt)
{
    attempt->running = false;
    race->running--;
    conclude(race, attempt);
}

/* Ends every attempt that still runs. */
static void end_losers(struct race *race)
{
    race->over = true;
    for (size_t i = 0; i < race->begun; i++) {
        if (race->attempts[i].running) {
            race->attempts[i].stream->ops->close(race->attempts[i].stream);
        }
    }
    while (race->running > 0) {
        void *attempt;
        fy_chan_receive(&race->reports, &attempt, "ending the other connects");
        reported(race, attempt);
    }
}

/* The race was stopped: the address that it has waited for the longest is told. */
static void stopped(struct race *race, int code, const char *text)
{
    char address[FY_ADDRESS_TEXT];
    size_t i = 0;
    while (i + 1 < race->begun && !race->attempts[i].running) {
        i++;
    }
    fy_address_text(race->attempts[i].address, address);
    fy_fail(&race->error, code, 0, "dial tcp %s: %s", address, text);
    race->telling = TELLS_STOP; /* no attempt that ends because of it replaces that */
}

/* When the next address has its turn: in a row, when the one just begun has had its share of the time,
 * which is what is left, divided by the addresses that are left. */
static int64_t turn_ends(const struct race *race)
{
    const struct fy_dial *dial = race->dial;
    if (dial->attempt_delay_ms >= 0) {
        return fy_after_ms(dial->attempt_delay_ms != 0 ? dial->attempt_delay_ms : ATTEMPT_DELAY_MS);
    }
    if (dial->deadline == FY_NEVER) {
        return FY_NEVER;
    }
    int64_t now = fy_now();
    int64_t share = (dial->deadline - now) / (int64_t)(race->count - race->begun + 1);
    int64_t least = SHARE_LEAST_MS * FY_MILLISECOND;
    return now + (share > least ? share : least);
}

/* One of several in a row has had its share of the time. */
static void give_up(struct race *race, struct attempt *attempt)
{
    void *report;
    attempt->stream->ops->close(attempt->stream);
    fy_chan_receive(&race->reports, &report, "giving up a connect");
    if (attempt->result == -ECANCELED) {
        attempt->result = -ETIMEDOUT;
    }
    reported(race, attempt);
}

/* Until one has won, all have failed, or the race is stopped. */
static void run(struct race *race)
{
    const int64_t deadline = race->dial->deadline;
    struct fy_case cases[] = {FY_RECEIVE_FROM(&race->reports),
                              FY_RECEIVE_FROM(race->dial->canceled)};
    int64_t next = INT64_MIN; /* when the next address has its turn, if none has failed before */
    while (race->winner == NULL) {
        if (race->begun < race->count && (race->running == 0 || fy_now() >= next)) {
            next = begin_next(race) ? turn_ends(race) : INT64_MIN;
            continue;
        }
        if (race->running == 0) {
            return;
        }
        int64_t until = race->begun < race->count && next < deadline ? next : deadline;
        switch (fy_select(cases, 2, until, "connecting")) {
        case 0:
            reported(race, cases[0].value);
            next = INT64_MIN;
            break;
        case 1: stopped(race, FERRY_ECANCELED, "canceled"); return;
        default:
            if (fy_now() >= deadline) {
                stopped(race, FERRY_ETIMEOUT, "i/o timeout");
                return;
            }
            if (race->dial->attempt_delay_ms < 0) {
                give_up(race, &race->attempts[race->begun - 1]);
            }
        }
    }
}

struct fy_stream *fy_race(const struct fy_dial *dial, const struct fy_addresses *addresses,
                          ferry_error *err)
{
    struct race race = {.dial = dial, .count = addresses->count};
    if (race.count > UINT16_MAX) {
        race.count = UINT16_MAX; /* as many as a channel has room for: hours of them */
    }
    /* Most hosts have few addresses: for these nothing is allocated. */
    void *few_places[FEW];
    struct attempt few_attempts[FEW];
    bool few = race.count <= FEW;
    void **places = few ? few_places : malloc(race.count * sizeof *places);
    race.attempts = few ? few_attempts : malloc(race.count * sizeof *race.attempts);
    if (places == NULL || race.attempts == NULL) {
        fy_fail_memory(err);
        goto out;
    }
    fy_chan_init(&race.reports, places, (uint16_t)race.count);
    for (size_t i = 0; i < race.count; i++) {
        race.attempts[i] = (struct attempt){.race = &race, .address = &addresses->list[i]};
    }
    run(&race);
    end_losers(&race);
    if (race.winner == NULL) {
        *err = race.error;
    }
out:
    if (!few) {
        free(race.attempts);
        free(places);
    }
    return race.winner;
}
