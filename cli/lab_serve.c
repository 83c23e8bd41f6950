/*
 * lab_serve.c: `ferry lab --serve`, the experiment on a page. The inspector's server shows what
 * ferry does, and passes on what is asked for on the page; this thread, main, does it: it is the
 * program of the puzzle, and the one task that is always there. Between the two lies a struct under
 * a lock.
 */
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "exit_code.h"
#include "lab.h"
#include "lab_page.h"
#include "options.h"
#include "origin.h"

#define COMMAND "ferry lab"
#define MAX_NUM 20
#define MAX_HOSTS 4
#define MAX_PACE_MS 5000
#define SLICE_MS 20 /* how long it takes at most until an order is heard */
#define REFRESH_MS 80
#define SECRET_BYTES 16
#define LINE_BYTES 200
#define CONNECTIONS 64 /* at once, to one host */

static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const off_on[] = {"off", "on", NULL};
static const char *const step_names[] = {
    [LAB_STEP_NONE] = "",       [LAB_STEP_REQUEST] = "request", [LAB_STEP_READ] = "read",
    [LAB_STEP_CLOSE] = "close", [LAB_STEP_COUNT] = "count",
};

/* What can be chosen on the page. */
struct order {
    struct lab_row row;
    enum lab_drain drain;
    int pace_ms;
};

enum wish { WISH_NOTHING, WISH_RUN, WISH_RESET };

struct show {
    struct lab_target target; /* main's */
    struct lab_program program;

    pthread_mutex_t lock; /* of all below, which the server's threads read */
    enum wish wish;
    struct order wanted; /* valid with WISH_RUN */
    struct order order;  /* that runs, or has run last */
    bool running, done;
    int runs; /* finished so far */
    enum lab_step step;
    struct lab_result result; /* as it was last counted */
    char reason[1024], error[sizeof((ferry_error *)NULL)->message];
    char log[MAX_NUM][LINE_BYTES];
    int log_count;
};

static volatile sig_atomic_t asked_to_end;

static void ask_to_end(int signal_number)
{
    (void)signal_number;
    asked_to_end = 1;
}

/* ---- On the server's thread ---- */

static bool take_number(fy_inspect_lookup lookup, void *request, const char *name, int min, int max,
                        int *value)
{
    const char *text = lookup(request, name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    long number = strtol(text, &end, 10);
    *value = (int)number;
    return *end == '\0' && number >= min && number <= max;
}

static bool take_choice(fy_inspect_lookup lookup, void *request, const char *name,
                        const char *const *choices, int *value)
{
    const char *text = lookup(request, name);
    for (*value = 0; text && choices[*value]; ++*value)
        if (strcmp(text, choices[*value]) == 0)
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *take_order(struct order *order, fy_inspect_lookup lookup, void *request)
{
    int body, read, closed, drain;
    struct lab_row *row = &order->row;
    if (!take_number(lookup, request, "num", 1, MAX_NUM, &row->num))
        return "There can be 1 to 20 requests.";
    if (!take_number(lookup, request, "hosts", 1, MAX_HOSTS, &row->hosts))
        return "There can be 1 to 4 hosts.";
    if (!take_number(lookup, request, "pace", 0, MAX_PACE_MS, &order->pace_ms) ||
        !take_choice(lookup, request, "body", lab_body_names, &body) ||
        !take_choice(lookup, request, "read", lab_read_names, &read) ||
        !take_choice(lookup, request, "close", no_yes, &closed) ||
        !take_choice(lookup, request, "drain", off_on, &drain))
        return "This is none of the choices on the page.";
    if (body == LAB_CHUNKED && read == LAB_READ_EXACT)
        return "A chunked body announces no length that could be read exactly.";
    row->body = (enum lab_body)body;
    row->read = (enum lab_read)read;
    row->closed = closed != 0;
    order->drain = (enum lab_drain)drain;
    return NULL;
}

static unsigned hear(void *arg, const char *path, fy_inspect_lookup lookup, void *request,
                     char *message, size_t size)
{
    struct show *show = arg;
    struct order order = {0};
    bool reset = strcmp(path, "/reset") == 0;
    if (!reset && strcmp(path, "/run") != 0) {
        snprintf(message, size, "There is no such order.");
        return MHD_HTTP_NOT_FOUND;
    }
    const char *wrong = reset ? NULL : take_order(&order, lookup, request);
    if (wrong) {
        snprintf(message, size, "%s", wrong);
        return MHD_HTTP_BAD_REQUEST;
    }
    pthread_mutex_lock(&show->lock);
    bool busy = !reset && (show->running || show->wish == WISH_RUN);
    if (!busy) {
        show->wish = reset ? WISH_RESET : WISH_RUN;
        show->wanted = order;
    }
    pthread_mutex_unlock(&show->lock);
    snprintf(message, size, "%s", busy ? "It is still running." : "It will be done.");
    return busy ? MHD_HTTP_CONFLICT : MHD_HTTP_ACCEPTED;
}

static void write_counts(struct fy_buffer *json, const struct lab_result *result)
{
    fy_buffer_printf(json,
                     "\"tasks\": %d, \"connections\": %" PRIu64 ", \"idle\": %" PRIu64
                     ", \"dials\": %" PRIu64 ", \"reuses\": %" PRIu64
                     ", \"open_responses\": %" PRIu64,
                     result->tasks, result->connections, result->idle, result->dials,
                     result->reuses, result->open_responses);
}

static void write_choices(struct fy_buffer *json, const struct order *order)
{
    fy_buffer_printf(
        json,
        ", \"choices\": {\"num\": %d, \"hosts\": %d, \"body\": \"%s\", \"read\": \"%s\", "
        "\"close\": \"%s\", \"drain\": \"%s\"}",
        order->row.num, order->row.hosts, lab_body_names[order->row.body],
        lab_read_names[order->row.read], no_yes[order->row.closed], off_on[order->drain]);
}

/* Under show->lock. */
static void write_state(struct fy_buffer *json, const struct show *show)
{
    fy_buffer_printf(json, "{\"runs\": %d, \"running\": %s, \"done\": %s, \"step\": \"%s\", ",
                     show->runs, fy_json_bool(show->running || show->wish == WISH_RUN),
                     fy_json_bool(show->done), step_names[show->step]);
    write_counts(json, &show->result);
    write_choices(json, &show->order);
    fy_buffer_append_text(json, ", \"reason\": ");
    fy_json_string(json, show->reason);
    fy_buffer_append_text(json, ", \"error\": ");
    fy_json_string(json, show->error);
    fy_buffer_append_text(json, ", \"log\": [");
    for (int i = 0; i < show->log_count; i++) {
        fy_buffer_append_text(json, i > 0 ? ", " : "");
        fy_json_string(json, show->log[i]);
    }
    fy_buffer_append_text(json, "]}");
}

static char *state_json(void *arg)
{
    struct show *show = arg;
    struct fy_buffer json = {0};
    pthread_mutex_lock(&show->lock);
    write_state(&json, show);
    pthread_mutex_unlock(&show->lock);
    return fy_json_end(&json);
}

/* ---- On main ---- */

static bool interrupted(struct show *show)
{
    pthread_mutex_lock(&show->lock);
    bool reset = show->wish == WISH_RESET;
    pthread_mutex_unlock(&show->lock);
    return reset || asked_to_end;
}

/* Before each step: says which, and gives people time to see it. Other tasks run meanwhile. */
static void pace(void *arg, enum lab_step step)
{
    struct show *show = arg;
    struct lab_result result;
    lab_count(&show->program, &result);
    pthread_mutex_lock(&show->lock);
    show->step = step;
    show->result = result;
    int left = show->order.pace_ms;
    pthread_mutex_unlock(&show->lock);
    for (; left > 0 && !interrupted(show); left -= SLICE_MS)
        ferry_sleep(left < SLICE_MS ? left : SLICE_MS);
}

/* A line on what a turn has changed. */
static void log_turn(struct show *show, const struct lab_result *before,
                     const struct lab_result *after)
{
    const char *got = after->dials > before->dials ? "no idle connection: dialed a new one"
                                                   : "used the idle connection again";
    const char *left = after->connections < before->connections + after->dials - before->dials
                           ? "the connection was closed, its loops ended"
                       : after->open_responses > before->open_responses && after->idle < 1 &&
                               after->connections > 0
                           ? "the response holds on to it, and to its two loops"
                           : "the connection went back into the pool";
    pthread_mutex_lock(&show->lock);
    show->result = *after;
    snprintf(show->log[show->log_count], LINE_BYTES, "%s; then %s. Tasks: %d.", got, left,
             after->tasks);
    show->log_count++;
    pthread_mutex_unlock(&show->lock);
}

static int run_turns(struct show *show, const struct order *order, ferry_error *err)
{
    for (int i = 0; i < order->row.num && !interrupted(show); i++) {
        struct lab_result before, after;
        lab_count(&show->program, &before);
        if (lab_turn(&show->program, &show->target, &order->row, i, err) < 0)
            return -1;
        lab_count(&show->program, &after);
        log_turn(show, &before, &after);
    }
    return 0;
}

static void finish(struct show *show, const struct order *order, int failed, const ferry_error *err)
{
    struct lab_result result;
    lab_count(&show->program, &result);
    pthread_mutex_lock(&show->lock);
    show->running = false;
    show->runs++;
    show->step = LAB_STEP_NONE;
    show->result = result;
    show->done = failed == 0 && show->wish != WISH_RESET;
    if (show->done)
        lab_explain(&order->row, order->drain, &result, show->reason, sizeof show->reason);
    if (failed != 0)
        snprintf(show->error, sizeof show->error, "%s", err->message);
    pthread_mutex_unlock(&show->lock);
}

/* What the last run has left stays until the next, so that it can be looked at. */
static void run(struct show *show, const struct order *order)
{
    ferry_error err = {.message = "out of memory"};
    show->program.pace = pace;
    show->program.pace_arg = show;
    int failed = lab_begin(&show->program, &order->row, order->drain, 0);
    if (failed == 0)
        failed = run_turns(show, order, &err);
    if (failed == 0)
        pace(show, LAB_STEP_COUNT);
    finish(show, order, failed, &err);
}

static enum wish next_wish(struct show *show, struct order *order)
{
    pthread_mutex_lock(&show->lock);
    enum wish wish = show->wish;
    show->wish = WISH_NOTHING;
    if (wish != WISH_NOTHING) {
        *order = show->wanted;
        show->done = false;
        show->running = wish == WISH_RUN;
        show->log_count = 0;
        show->reason[0] = '\0';
        show->error[0] = '\0';
        show->result = (struct lab_result){.tasks = 1};
        if (wish == WISH_RUN)
            show->order = *order;
    }
    pthread_mutex_unlock(&show->lock);
    return wish;
}

static int attend(struct show *show)
{
    struct order order;
    int status = CLI_OK;
    while (!asked_to_end && status == CLI_OK) {
        enum wish wish = next_wish(show, &order);
        if (wish == WISH_NOTHING) {
            ferry_sleep(SLICE_MS); /* what the last run has left is watched meanwhile */
            continue;
        }
        lab_end(&show->program);
        if (lab_settle() < 0)
            status = CLI_FAILED;
        else if (wish == WISH_RUN)
            run(show, &order);
    }
    lab_end(&show->program);
    return status;
}

/* ---- Beginning and end ---- */

static int make_secret(char text[2 * SECRET_BYTES + 1])
{
    unsigned char bytes[SECRET_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_end};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int lab_serve(const char *address)
{
    static struct show show = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .order = {.row = {.num = 6, .hosts = 1, .read = LAB_READ_ALL}, .drain = LAB_DRAIN}};
    char secret[2 * SECRET_BYTES + 1];
    const struct fy_inspect_extra extra = {
        .arg = &show,
        .name = "lab",
        .intro = (const char *)lab_template,
        .files = lab_files,
        .file_count = lab_file_count,
        .json = state_json,
        .post = hear,
        .secret = secret,
    };
    ferry_error err;
    show.result.tasks = ferry_num_tasks(); /* from now on main is a task */
    show.target.origin = origin_start(MAX_HOSTS, CONNECTIONS);
    if (!show.target.origin || make_secret(secret) < 0) {
        cli_complain(COMMAND, "cannot start the embedded server");
        origin_stop(show.target.origin);
        return CLI_FAILED;
    }
    catch_signals();
    if (fy_inspect_start(address, FERRY_INSPECT_OPTIONS(.interval_ms = REFRESH_MS), &extra, &err) <
        0) {
        cli_complain(COMMAND, "%s", err.message);
        origin_stop(show.target.origin);
        return CLI_USAGE;
    }
    printf("The experiment is at %s (end it with Ctrl-C)\n", ferry_inspect_url());
    fflush(stdout);
    int status = attend(&show);
    ferry_inspect_stop();
    origin_stop(show.target.origin);
    return status;
}
