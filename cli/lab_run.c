/*
 * lab_run.c: the experiment itself, over real sockets. Every row has a transport of its own, so
 * that its counts are its own; and it ends with one task, this one, or it is an error. Nothing
 * here computes a count: they are asked of the running system.
 */
#include <ferry.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"
#include "options.h"
#include "origin.h"

#define COMMAND "ferry lab"
#define SOME_BYTES 10
#define BUFFER_BYTES 65536
#define SETTLE_MS 5000 /* what still has to end after a row may take this long, and not longer */
#define SETTLE_STEP_MS 2

/* Reads up to len bytes; fewer only at the end. Returns how many, -1 on error. */
static int64_t read_bytes(struct lab_program *run, ferry_response *res, int64_t len,
                          ferry_error *err)
{
    int64_t done = 0;
    while (done < len) {
        int64_t want = len - done < BUFFER_BYTES ? len - done : BUFFER_BYTES;
        ssize_t n = ferry_response_read(res, run->buffer, (size_t)want, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += n;
    }
    return done;
}

/* Reads as much of the body as the row says. "exact" must not ask once more than it has to: that
 * the end is known with the last announced byte is what it is there to show. */
static int64_t read_body(struct lab_program *run, ferry_response *res, enum lab_read how,
                         ferry_error *err)
{
    switch (how) {
    case LAB_READ_SOME: return read_bytes(run, res, SOME_BYTES, err);
    case LAB_READ_EXACT:
        if (ferry_response_length(res) < 0) {
            snprintf(err->message, sizeof err->message,
                     "the response does not announce its length");
            return -1;
        }
        return read_bytes(run, res, ferry_response_length(res), err);
    case LAB_READ_ALL: return read_bytes(run, res, INT64_MAX, err);
    default: return 0;
    }
}

static void pace(struct lab_program *run, enum lab_step step)
{
    if (run->pace)
        run->pace(run->pace_arg, step);
}

/* The program that the puzzle is about, one turn of its loop. The response that it forgets is
 * the leak, and the ledger names the line that sent its request. */
static int visit(struct lab_program *run, const struct lab_row *row, const char *url,
                 ferry_error *err)
{
    pace(run, LAB_STEP_REQUEST);
    ferry_request *req = ferry_request_new("GET", url, err);
    if (!req)
        return -1;
    ferry_response *res = ferry_client_do(run->client, req, err);
    ferry_request_free(req);
    if (!res)
        return -1;
    if (row->read != LAB_READ_NONE)
        pace(run, LAB_STEP_READ);
    int64_t n = read_body(run, res, row->read, err);
    if (row->closed)
        pace(run, LAB_STEP_CLOSE);
    if (row->closed || n < 0)
        ferry_response_close(res);
    else
        run->forgotten[run->forgotten_count++] = res;
    return n < 0 ? -1 : 0;
}

int lab_begin(struct lab_program *run, const struct lab_row *row, enum lab_drain drain,
              int64_t timeout_ms)
{
    run->transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.drain_bytes = drain == LAB_DRAIN ? 0 : -1));
    if (run->transport)
        run->client = ferry_client_new(
            FERRY_CLIENT_OPTIONS(.transport = run->transport, .timeout_ms = timeout_ms));
    run->forgotten = calloc((size_t)row->num, sizeof(ferry_response *));
    run->buffer = malloc(BUFFER_BYTES);
    if (run->client && run->forgotten && run->buffer)
        return 0;
    cli_complain(COMMAND, "out of memory");
    return -1;
}

static const char *url_of(const struct lab_target *target, const struct lab_row *row, int i)
{
    if (target->url)
        return target->url;
    return origin_url(target->origin, i % row->hosts, lab_body_names[row->body]);
}

int lab_turn(struct lab_program *run, const struct lab_target *target, const struct lab_row *row,
             int i, ferry_error *err)
{
    return visit(run, row, url_of(target, row, i), err);
}

static int request_all(struct lab_program *run, const struct lab_target *target,
                       const struct lab_row *row)
{
    ferry_error err = {0};
    for (int i = 0; i < row->num; i++) {
        if (lab_turn(run, target, row, i, &err) < 0) {
            cli_complain(COMMAND, "request %d of %d failed: %s", i + 1, row->num, err.message);
            return -1;
        }
    }
    return 0;
}

void lab_count(const struct lab_program *run, struct lab_result *result)
{
    ferry_stats stats = {.size = sizeof stats};
    result->tasks = ferry_num_tasks();
    ferry_transport_stats(run->transport, &stats);
    result->connections = stats.connections;
    result->idle = stats.idle;
    result->dials = stats.dials;
    result->reuses = stats.reuses;
    result->open_responses = stats.open_responses;
}

/* The ledger as text, or NULL. */
static char *copy_ledger(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    ferry_open_responses(out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The server must have accepted what the transport says that it dialed. A connection that nobody
 * sent a request on may be accepted a little later than it was made, so there is some patience
 * here; but never one too many. */
static int compare_dials(const struct lab_target *target, uint64_t accepted_before,
                         const struct lab_result *result)
{
    if (!target->origin)
        return 0;
    uint64_t accepted = 0;
    for (int ms = 0; ms <= SETTLE_MS; ms += SETTLE_STEP_MS) {
        accepted = origin_accepted(target->origin) - accepted_before;
        if (accepted >= result->dials)
            break;
        ferry_sleep(SETTLE_STEP_MS);
    }
    if (accepted == result->dials)
        return 0;
    cli_complain(COMMAND,
                 "the transport counts %" PRIu64 " dials, and the server has accepted %" PRIu64
                 " connections",
                 result->dials, accepted);
    return -1;
}

/* Everything that the row began must come to its end: one task is left, the one that asks. */
int lab_settle(void)
{
    int tasks = ferry_num_tasks();
    for (int ms = 0; tasks != 1 && ms < SETTLE_MS; ms += SETTLE_STEP_MS) {
        ferry_sleep(SETTLE_STEP_MS);
        tasks = ferry_num_tasks();
    }
    if (tasks == 1)
        return 0;
    cli_complain(COMMAND,
                 "%d tasks are left after a row that has closed everything; 1 should be:", tasks);
    ferry_dump_tasks(stderr);
    return -1;
}

void lab_end(struct lab_program *run)
{
    for (int i = 0; i < run->forgotten_count; i++)
        ferry_response_close(run->forgotten[i]);
    ferry_client_free(run->client);
    ferry_transport_free(run->transport);
    free(run->forgotten);
    free(run->buffer);
    *run = (struct lab_program){0};
}

int lab_run(const struct lab_target *target, const struct lab_row *row, enum lab_drain drain,
            struct lab_result *result, char **ledger)
{
    struct lab_program run = {0};
    uint64_t accepted_before = target->origin ? origin_accepted(target->origin) : 0;
    int status = lab_begin(&run, row, drain, LAB_REQUEST_MS);
    if (status == 0)
        status = request_all(&run, target, row);
    if (status == 0) {
        lab_count(&run, result);
        if (ledger)
            *ledger = copy_ledger();
        status = compare_dials(target, accepted_before, result);
    }
    lab_end(&run);
    return status == 0 ? lab_settle() : status;
}
