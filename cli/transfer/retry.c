/*
 * retry.c: what may pass is tried again: 1 second later, then 2, 4 ... up to 10 minutes, unless the
 * server or the user names another time.
 */
#include "transfer/retry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "output/write_out.h"
#include "request/dates.h"

#define FIRST_WAIT_MS 1000
#define LONGEST_WAIT_MS INT64_C(600000)
#define DEFAULT_SPEED_MS 30000
#define LOOK_MS 100

static bool status_may_pass(int status)
{
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i] == status)
            return true;
    }
    return false;
}

static bool may_pass(const struct transfer *transfer)
{
    const struct config *config = transfer->config;
    const struct result *result = &transfer->result;
    if (result->status == CLI_TIMEOUT || result->status == 6 ||
        result->status == CLI_PROXY_NOT_FOUND)
        return true;
    if (result->status == 7 && config->retry_connection_refused)
        return true;
    if ((result->status == CLI_OK || result->status == CLI_STATUS) &&
        status_may_pass(result->response_code))
        return true;
    return result->status != CLI_OK && config->retry_all_errors;
}

/* Retry-After: seconds, or a date (RFC 9110 section 10.2.3); -1: it is not there. */
static int64_t retry_after_ms(const struct result *result)
{
    char *value = result->head ? head_field(result->head, "Retry-After") : NULL;
    int64_t ms = -1;
    time_t when;
    if (value && isdigit((unsigned char)value[0]) && strlen(value) < 10 &&
        value[strspn(value, "0123456789")] == '\0')
        ms = (int64_t)atoll(value) * 1000;
    else if (value && date_parse(value, &when))
        ms = when > time(NULL) ? (int64_t)(when - time(NULL)) * 1000 : 0;
    free(value);
    return ms;
}

static int64_t next_wait(const struct retry *retry, const struct transfer *transfer)
{
    int64_t asked = retry_after_ms(&transfer->result);
    if (asked > 0)
        return asked;
    if (transfer->config->retry_delay_ms > 0)
        return transfer->config->retry_delay_ms;
    if (retry->wait_ms == 0)
        return FIRST_WAIT_MS;
    return retry->wait_ms * 2 < LONGEST_WAIT_MS ? retry->wait_ms * 2 : LONGEST_WAIT_MS;
}

bool retry_wanted(struct retry *retry, struct transfer *transfer)
{
    int64_t most = transfer->config->retry_max_time_ms;
    if (retry->left <= 0 || !may_pass(transfer))
        return false;
    int64_t wait = next_wait(retry, transfer);
    int64_t elapsed = (clock_us() - retry->started_us) / 1000;
    if (most > 0 && elapsed + wait > most)
        return false;
    retry->wait_ms = wait;
    return true;
}

void retry_wait(struct retry *retry, struct transfer *transfer)
{
    const struct result *result = &transfer->result;
    retry->left--;
    char problem[40];
    if (result->status == CLI_OK || result->status == CLI_STATUS)
        snprintf(problem, sizeof problem, "the status %d", result->response_code);
    else
        snprintf(problem, sizeof problem, "a failure (%d)", result->status);
    progress_hide(&transfer->run->progress);
    warn("%s: again in %.1f s; %lld more after that", problem, (double)retry->wait_ms / 1000,
         (long long)retry->left);
    ferry_sleep(retry->wait_ms);
}

/* ---- Speed ---- */

struct speed_watch {
    struct transfer *transfer;
    ferry_group *group; /* of the one task */
    bool over;          /* the try is */
};

static int64_t bytes_of(const struct transfer *transfer)
{
    return transfer->result.downloaded + transfer->body.sent;
}

static void look_at_speed(void *arg)
{
    struct speed_watch *watch = arg;
    struct transfer *transfer = watch->transfer;
    const struct config *config = transfer->config;
    int64_t limit = config->speed_limit > 0 ? config->speed_limit : 1;
    int64_t patience = config->speed_time_ms > 0 ? config->speed_time_ms : DEFAULT_SPEED_MS;
    int64_t second_began = clock_us(), bytes_before = bytes_of(transfer), slow_since = second_began;
    while (!watch->over) {
        ferry_sleep(LOOK_MS);
        int64_t now = clock_us();
        if (now - second_began >= 1000000) {
            if (bytes_of(transfer) - bytes_before >= limit)
                slow_since = now;
            second_began = now;
            bytes_before = bytes_of(transfer);
        }
        if (!watch->over && now - slow_since >= patience * 1000) {
            transfer->too_slow = true;
            ferry_context_cancel(transfer->context);
            return;
        }
    }
}

struct speed_watch *speed_watch_begin(struct transfer *transfer)
{
    struct speed_watch *watch = calloc(1, sizeof *watch);
    if (watch) {
        watch->transfer = transfer;
        watch->group = ferry_group_new();
        if (watch->group && ferry_group_go(watch->group, look_at_speed, watch) == 0)
            return watch;
        ferry_group_free(watch->group);
    }
    free(watch);
    memory_note_lack();
    return NULL;
}

void speed_watch_end(struct speed_watch *watch)
{
    if (!watch)
        return;
    watch->over = true;
    ferry_group_wait(watch->group);
    ferry_group_free(watch->group);
    free(watch);
}
