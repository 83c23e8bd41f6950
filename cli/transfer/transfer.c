/*
 * transfer.c: an operation from beginning to end: its URL and files, its tries, what is said and
 * written about it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "output/write_out.h"
#include "request/data.h"
#include "request/url.h"
#include "transfer/retry.h"
#include "transfer/run.h"
#include "transfer/watch.h"

int transfer_failed(struct transfer *transfer, int status, const char *format, ...)
{
    struct result *result = &transfer->result;
    va_list args;
    va_start(args, format);
    vsnprintf(result->message, sizeof result->message, format, args);
    va_end(args);
    return result->status = status;
}

/* ---- Before ---- */

static int add_query(struct transfer *transfer, char *more)
{
    char *url = !more             ? NULL
                : more[0] == '\0' ? text_copy(transfer->url)
                                  : url_with_query(transfer->url, more);
    bool fine = url != NULL;
    if (url) {
        free(transfer->url);
        transfer->url = url;
    }
    free(more);
    return fine ? CLI_OK : transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
}

/* What reads files has said by itself what it could not read. */
static int failed_silently(struct transfer *transfer, int status)
{
    transfer->result.message[0] = '\0';
    return transfer->result.status = status;
}

static int make_url(struct transfer *transfer)
{
    const struct config *config = transfer->config;
    const struct operation *operation = transfer->operation;
    int status = CLI_OK;
    size_t len;
    char *more = NULL;
    char *url = url_with_scheme(operation->url, config->default_protocol);
    if (url && operation->upload && operation->upload[0] != '\0' &&
        strcmp(operation->upload, "-") != 0 && strcmp(operation->upload, ".") != 0)
        transfer->url = url_with_file(url, operation->upload);
    else if (url)
        transfer->url = text_copy(url);
    free(url);
    if (!transfer->url)
        return transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    if (strpbrk(transfer->url, " \t\r\n"))
        return transfer_failed(transfer, CLI_URL,
                               "\"%s\": a URL has no blanks; %%20 stands for one", transfer->url);
    if (!config->path_as_is)
        url_drop_dots(transfer->url);
    if (config->url_queries.count > 0 && !(more = data_url_query(config, &status)))
        return failed_silently(transfer, status);
    if (more && add_query(transfer, more) != CLI_OK)
        return transfer->result.status;
    if (!config->get || config->data_count == 0)
        return CLI_OK;
    more = data_join(config, &len, &status);
    return more ? add_query(transfer, more) : failed_silently(transfer, status);
}

static int check_scheme(struct transfer *transfer)
{
    char scheme[16];
    url_scheme(transfer->url, scheme, sizeof scheme);
    if (!url_scheme_allowed("=http,https", scheme))
        return transfer_failed(transfer, CLI_PROTOCOL, "%s: ferry speaks http and https, not %s",
                               transfer->url, scheme);
    if (!url_scheme_allowed(transfer->config->protocols, scheme))
        return transfer_failed(transfer, CLI_PROTOCOL, "%s: --proto does not allow %s",
                               transfer->url, scheme);
    return CLI_OK;
}

/* -u goes before what the URL says. From here on the URL has none. */
static int take_credentials(struct transfer *transfer)
{
    const struct config *config = transfer->config;
    bool fine = url_credentials(transfer->url, &transfer->user, &transfer->password);
    if (transfer->user && config->disallow_user)
        return transfer_failed(transfer, CLI_LOGIN, "there are credentials in the URL");
    url_drop_credentials(transfer->url);
    bool netrc = config->netrc || config->netrc_optional || config->netrc_file;
    if (netrc && transfer->password && transfer->password[0] == '\0') {
        free(transfer->user); /* a name alone: the file has the rest */
        free(transfer->password);
        transfer->user = transfer->password = NULL;
    }
    if (config->user) {
        const char *colon = strchr(config->user, ':');
        free(transfer->user);
        free(transfer->password);
        transfer->user = text_copy_part(config->user, strcspn(config->user, ":"));
        transfer->password = text_copy(colon ? colon + 1 : "");
        fine = transfer->user && transfer->password;
    }
    return fine ? CLI_OK : transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
}

/* -C: a number, or as much as is in the file. */
static void find_resume(struct transfer *transfer)
{
    const char *where = transfer->config->continue_at;
    struct stat stat_of_file;
    if (where && strcmp(where, "-") != 0)
        transfer->resume = strtoll(where, NULL, 10);
    else if (where && transfer->sink.path && stat(transfer->sink.path, &stat_of_file) == 0)
        transfer->resume = stat_of_file.st_size;
}

/* --skip-existing: whatever has that name stays as it is, and nothing is asked for. */
static bool is_skipped(struct transfer *transfer)
{
    struct stat stat_of_file;
    if (transfer->config->skip_existing && transfer->sink.path &&
        stat(transfer->sink.path, &stat_of_file) == 0)
        transfer->unmet = true;
    return transfer->unmet;
}

static int prepare(struct transfer *transfer)
{
    const struct operation *operation = transfer->operation;
    int status = make_url(transfer);
    if (status == CLI_OK)
        status = check_scheme(transfer);
    if (status == CLI_OK)
        status = take_credentials(transfer);
    if (status == CLI_OK) {
        status = sink_begin(&transfer->sink, operation, !transfer->run->flags->no_styled_output);
        if (status != CLI_OK)
            return transfer_failed(transfer, status, "%s", transfer->sink.message);
    }
    if (status == CLI_OK) {
        find_resume(transfer);
        status = body_open(&transfer->body, transfer->config, operation->upload);
        if (status != CLI_OK)
            return failed_silently(transfer, status);
    }
    transfer->pace.rate = transfer->config->limit_rate;
    transfer->body.pace = transfer->pace.rate > 0 ? &transfer->pace : NULL;
    return status;
}

/* ---- One try ---- */

static void forget_try(struct transfer *transfer)
{
    struct result *result = &transfer->result;
    free(result->head);
    free(result->url);
    free(result->redirect_url);
    free(result->referer);
    *result = (struct result){.put_result = -1, .modified = -1, .started = clock_us()};
}

static void try_once(struct transfer *transfer)
{
    const struct config *config = transfer->config;
    struct speed_watch *speed = NULL;
    transfer->context = ferry_context_new(config->max_time_ms > 0 ? config->max_time_ms : -1);
    if (!transfer->context) {
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
        return;
    }
    if (config->speed_limit > 0 || config->speed_time_ms > 0)
        speed = speed_watch_begin(transfer);
    if (memory_lacked())
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    else
        transfer_hops(transfer);
    speed_watch_end(speed);
    transfer->result.ended = clock_us();
    ferry_context_free(transfer->context);
    transfer->context = NULL;
}

/* The URL of the first hop again, and the files at their beginnings. */
static bool begin_again(struct transfer *transfer, char *first_url)
{
    free(transfer->url);
    transfer->url = text_copy(first_url);
    transfer->too_slow = transfer->basic_after_all = transfer->no_expect = false;
    return transfer->url && sink_again(&transfer->sink) == CLI_OK;
}

static void try_as_often_as_it_takes(struct transfer *transfer)
{
    const struct config *config = transfer->config;
    struct retry retry = {.left = config->retry, .started_us = clock_us()};
    char *first_url = text_copy(transfer->url);
    for (bool again = first_url != NULL; again;) {
        forget_try(transfer);
        try_once(transfer);
        again = retry_wanted(&retry, transfer) && body_can_rewind(&transfer->body);
        if (again) {
            retry_wait(&retry, transfer);
            again = begin_again(transfer, first_url);
        }
    }
    if (!first_url || !transfer->url)
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    free(first_url);
}

/* ---- After ---- */

static void complain_of(const struct transfer *transfer)
{
    const struct result *result = &transfer->result;
    const char *hint = cli_exit_hint(result->status);
    if (result->message[0] == '\0')
        return;
    progress_hide(&transfer->run->progress);
    if (hint)
        complain("(%d) %s (%s)", result->status, result->message, hint);
    else
        complain("(%d) %s", result->status, result->message);
}

static char *content_type_of(const struct transfer *transfer)
{
    return transfer->result.head ? head_field(transfer->result.head, "Content-Type") : NULL;
}

static void finish(struct transfer *transfer)
{
    struct result *result = &transfer->result;
    char *type = content_type_of(transfer);
    enum sink_fate fate = result->status != CLI_OK ? SINK_FAILED
                          : transfer->unmet        ? SINK_UNMET
                                                   : SINK_DONE;
    int status = sink_end(&transfer->sink, fate, result->modified, result->url, type);
    if (status != CLI_OK && result->status == CLI_OK)
        transfer_failed(transfer, status, "%s", transfer->sink.message);
    free(type);
    if (result->ended == 0)
        result->ended = clock_us();
    bool lacked = memory_lacked();
    if (lacked && result->status == CLI_OK)
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    complain_of(transfer);
    if (transfer->config->write_out)
        write_out(transfer->config->write_out, transfer);
    if (!lacked && memory_lacked() && result->status == CLI_OK) {
        transfer_failed(transfer, CLI_NO_MEMORY, "out of memory: -w is not all there");
        complain_of(transfer);
    }
}

int transfer_run(struct run *run, struct operation *operation)
{
    struct transfer transfer = {.run = run,
                                .group = &run->groups[operation->group],
                                .config = operation->config,
                                .operation = operation,
                                .sink = {.fd = -1, .config = operation->config}};
    forget_try(&transfer);
    if (prepare(&transfer) == CLI_OK && !is_skipped(&transfer))
        try_as_often_as_it_takes(&transfer);
    finish(&transfer);
    int status = transfer.result.status;
    body_close(&transfer.body);
    free(transfer.sink.path);
    free(transfer.url);
    free(transfer.user);
    free(transfer.password);
    forget_try(&transfer);
    return status;
}
