/*
 * fetch.c: `ferry [flag...] URL...`: flags are read, groups made ready, transfers run one after the
 * other, or at once in tasks (-Z), and everything is closed again.
 */
#include "fetch.h"

#include <ferry.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "flags/config_file.h"
#include "flags/parse.h"
#include "flags/values.h"
#include "flags/words.h"
#include "help/help.h"
#include "memory.h"
#include "message.h"
#include "transfer/run.h"
#include "transfer/tracer.h"
#include "transfer/transport.h"
#include "transfer/watch.h"

#define DEFAULT_PARALLEL 50
#define MOST_PARALLEL 300

/* ---- What the flags must not say together ---- */

static bool has_data(const struct config *config)
{
    return !config->get && config->data_count > 0;
}

/* -T "" is none. */
static bool has_upload(const struct config *config)
{
    for (size_t i = 0; i < config->uploads.count; i++) {
        if (config->uploads.items[i][0] != '\0')
            return true;
    }
    return false;
}

static bool check_config(const struct config *config)
{
    int bodies = has_data(config) + (config->form_count > 0) + has_upload(config);
    if (bodies + config->head > 1)
        return complain("a request has one body: -d, -F, -T and -I do not go together%s",
                        config->data_count > 0 && config->head ? "; -G puts -d into the URL" : "");
    if (config->include && config->remote_header_name)
        return complain("-i and -J do not go together: the head comes before the file has a name");
    if (config->head && config->remote_header_name)
        return complain("-I and -J do not go together: the head comes before the file has a name");
    if (config->continue_at && config->range)
        return complain("-C and -r do not go together: both say which bytes");
    if (config->etag_compare && config->urls.count > 1)
        return complain("--etag-compare is for one URL");
    if (config->etag_save && config->urls.count > 1)
        return complain("--etag-save is for one URL");
    return true;
}

static bool check_flags(const struct run_config *flags)
{
    size_t urls = 0;
    for (const struct config *config = flags->first; config; config = config->next) {
        if (!check_config(config))
            return false;
        if (config->urls.count == 0 && (config->next || config != flags->first))
            return complain("a group of flags has no URL: look at both sides of --next");
        urls += config->urls.count;
        if (config->output_count > config->urls.count && config->urls.count > 0)
            warn("there are more -o and -O than URLs");
    }
    return urls > 0 || complain("which URL? See ferry --help, or try ferry lab");
}

/* ---- Transfers ---- */

static void await_rate(struct run *run)
{
    int64_t gap;
    if (!run->flags->rate || !value_rate(run->flags->rate, &gap))
        return;
    int64_t now = clock_us() / 1000;
    if (run->started_ms > 0 && run->started_ms + gap > now)
        ferry_sleep(run->started_ms + gap - now);
    run->started_ms = clock_us() / 1000;
}

/* One transfer after the other, until there are no more. Under -Z several tasks do that. */
static void transfer_all(void *arg)
{
    struct run *run = arg;
    struct operation operation;
    int status = CLI_OK, found = 0;
    while (!run->stopped && (found = operations_next(&run->operations, &operation, &status)) > 0) {
        if (!run->flags->parallel)
            await_rate(run);
        status = transfer_run(run, &operation);
        operation_free(&operation);
        /* As in curl: of several that follow each other the last one counts. */
        if (status != CLI_OK || !run->flags->parallel)
            run->status = status;
        run->stopped |= status != CLI_OK && run->flags->fail_early;
    }
    if (found < 0) {
        run->status = status;
        run->stopped = true;
    }
}

static void transfer_parallel(struct run *run)
{
    int64_t count = run->flags->parallel_max;
    ferry_group *group = ferry_group_new();
    if (count <= 0 || count > MOST_PARALLEL)
        count = DEFAULT_PARALLEL;
    bool any = false;
    for (int64_t i = 0; group && i < count; i++)
        any |= ferry_group_go(group, transfer_all, run) == 0;
    if (any)
        ferry_group_wait(group);
    else
        transfer_all(run);
    ferry_group_free(group);
}

static int run_transfers(struct run *run)
{
    const struct run_config *flags = run->flags;
    run->operations = (struct operations){.config = flags->first};
    run->progress.wanted =
        isatty(STDERR_FILENO) && !flags->silent && !flags->no_progress_meter && !flags->verbose;
    run->progress.bar_only = flags->progress_bar;
    run->progress.several = flags->parallel;
    int status = tracer_open(run);
    if (status == CLI_OK)
        status = groups_open(run);
    if (status != CLI_OK)
        run->status = status;
    else if (flags->parallel)
        transfer_parallel(run);
    else
        transfer_all(run);
    progress_close(&run->progress);
    operations_free(&run->operations);
    status = groups_close(run);
    watch_free_late(run);
    tracer_close(run);
    return run->status != CLI_OK ? run->status : status;
}

/* ---- The command ---- */

static bool reads_own_file(int argc, char **argv)
{
    return argc < 2 || (strcmp(argv[1], "-q") != 0 && strcmp(argv[1], "--disable") != 0 &&
                        strncmp(argv[1], "-q", 2) != 0);
}

static int run_command(struct run_config *flags, int argc, char **argv)
{
    struct run run = {.flags = flags};
    bool fine = !reads_own_file(argc, argv) || config_file_take_own(flags);
    if (!fine || !flags_parse(flags, argc, argv))
        return memory_lacked()             ? CLI_NO_MEMORY
               : fine && flags->unreadable ? CLI_READ_FAILED
                                           : CLI_USAGE;
    if (flags->help || flags->version || flags->manual)
        return help_asked(flags);
    message_hush(flags->silent, flags->show_error);
    if (flags->stderr_file && !message_to(flags->stderr_file))
        return CLI_WRITE_FAILED;
    if (!check_flags(flags))
        return CLI_USAGE;
    return run_transfers(&run);
}

int fetch_main(int argc, char **argv)
{
    struct run_config flags = {.first = config_new()};
    int status = CLI_NO_MEMORY;
    flags.last = flags.first;
    trust_as_curl();
    signal(SIGPIPE, SIG_IGN); /* who reads our output may stop: that is a sentence, not a death */
    if (flags.first)
        status = run_command(&flags, argc, argv);
    else
        complain("out of memory");
    if (status == CLI_OK && memory_lacked()) {
        complain("(27) out of memory");
        status = CLI_NO_MEMORY;
    }
    config_free_all(flags.first);
    words_forget();
    return status;
}
