/*
 * receive.c: a final response's body, on its way to the sink.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exit_code.h"
#include "memory.h"
#include "request/conditions.h"
#include "request/dates.h"
#include "transfer/run.h"
#include "transfer/watch.h"

#define BUFFER_BYTES 65536

/* -C: the server has to go on where we are. 0: it does; 1: there is nothing more to come; else the
 * status. */
static int check_resumed(struct transfer *transfer, const ferry_response *res)
{
    const char *range = ferry_response_header(res, "Content-Range");
    int status = ferry_response_status(res);
    long long begin = -1;
    if (transfer->resume == 0 || transfer->operation->upload || transfer->config->head)
        return 0;
    if (status == 416)
        return 1;
    if (range && strncmp(range, "bytes ", 6) == 0)
        begin = strtoll(range + 6, NULL, 10);
    if (begin == transfer->resume)
        return 0;
    if (ferry_response_length(res) == transfer->resume)
        return 1; /* all of it is there already */
    return transfer_failed(transfer, CLI_RANGE,
                           "the server does not go on at byte %lld; without -C it sends all",
                           (long long)transfer->resume);
}

static int failed_by_status(struct transfer *transfer, const ferry_response *res)
{
    return transfer_failed(transfer, CLI_STATUS, "%s: the server answered %d%s%s",
                           ferry_response_url(res), ferry_response_status(res),
                           ferry_response_reason(res)[0] != '\0' ? " " : "",
                           ferry_response_reason(res));
}

static int failed_to_write(struct transfer *transfer)
{
    return transfer_failed(transfer, transfer->sink.status, "%s", transfer->sink.message);
}

static int too_big(struct transfer *transfer, int64_t length)
{
    return transfer_failed(transfer, CLI_TOO_BIG,
                           "the body has %lld bytes or more; --max-filesize allows %lld",
                           (long long)length, (long long)transfer->config->max_filesize);
}

/* One piece that has come. */
static int take_piece(struct transfer *transfer, const char *bytes, ssize_t n)
{
    struct result *result = &transfer->result;
    int64_t most = transfer->config->max_filesize;
    result->downloaded += n;
    watch_body(transfer->run, false, bytes, (size_t)n);
    if (most > 0 && result->downloaded > most)
        return too_big(transfer, result->downloaded);
    if (sink_write(&transfer->sink, bytes, (size_t)n) != CLI_OK)
        return failed_to_write(transfer);
    progress_add(&transfer->run->progress, &transfer->line, n);
    if (transfer->pace.rate > 0)
        pace_wait(&transfer->pace, n);
    return CLI_OK;
}

/* Passes the body on as it comes: what has arrived is written before more is waited for. */
static int copy_body(struct transfer *transfer, ferry_response *res)
{
    char *buffer = malloc(BUFFER_BYTES);
    int status = CLI_OK;
    if (!buffer)
        return transfer_failed(transfer, CLI_NO_MEMORY, "out of memory");
    for (ssize_t n = 1; n > 0 && status == CLI_OK;) {
        ferry_error err = {0};
        size_t piece =
            transfer->pace.rate > 0 ? pace_piece(&transfer->pace, BUFFER_BYTES) : BUFFER_BYTES;
        n = ferry_response_read(res, buffer, piece, &err);
        if (n < 0 && transfer->too_slow)
            status = transfer_failed(transfer, CLI_TIMEOUT,
                                     "slower than --speed-limit for as long as --speed-time says");
        else if (n < 0)
            status = transfer_failed(transfer, exit_code_of(&err), "%s", err.message);
        else if (n > 0)
            status = take_piece(transfer, buffer, n);
    }
    free(buffer);
    return status;
}

/* Trailer fields stand behind the body where the head stands before it. */
static void pass_trailers_on(struct transfer *transfer, const ferry_response *res)
{
    const struct config *config = transfer->config;
    for (size_t i = 0; i < ferry_response_trailer_count(res); i++) {
        const char *name, *value;
        char *line = NULL;
        ferry_response_trailer_at(res, i, &name, &value);
        if (!value || text_print(&line, "%s: %s\r\n", name, value) < 0)
            continue;
        if (transfer->group->heads)
            fputs(line, transfer->group->heads);
        if (config->include)
            sink_write_head(&transfer->sink, line, strlen(line));
        free(line);
    }
}

/* A coding that this build cannot undo, though --compressed wants it undone. */
static bool is_still_coded(const struct transfer *transfer, const ferry_response *res)
{
    const char *coding = ferry_response_header(res, "Content-Encoding");
    return transfer->config->compressed && !transfer->config->raw && !transfer->config->head &&
           coding && strcasecmp(coding, "identity") != 0 && ferry_response_length(res) != 0;
}

static int with_body(struct transfer *transfer, ferry_response *res)
{
    const struct config *config = transfer->config;
    int64_t length = ferry_response_length(res);
    if (config->head) /* -I -X GET: the head of that, and not more */
        return CLI_OK;
    if (config->max_filesize > 0 && length > config->max_filesize)
        return too_big(transfer, length);
    if (condition_unmet(transfer, res)) {
        watch_say(transfer->run, "the body is left: it is not what -z asks for");
        transfer->unmet = true;
        return CLI_OK;
    }
    if (is_still_coded(transfer, res))
        return transfer_failed(transfer, CLI_CODING,
                               "the body is in a coding that is not known here: %s (--raw takes it "
                               "as it is)",
                               ferry_response_header(res, "Content-Encoding"));
    if (config->remote_header_name &&
        sink_take_name(&transfer->sink, ferry_response_header(res, "Content-Disposition")) !=
            CLI_OK)
        return failed_to_write(transfer);
    if (transfer->sink.path)
        progress_begin(&transfer->run->progress, &transfer->line, transfer->sink.path, length,
                       transfer->resume);
    int status = copy_body(transfer, res);
    progress_end(&transfer->run->progress, &transfer->line);
    if (status == CLI_OK)
        pass_trailers_on(transfer, res);
    return status;
}

int transfer_receive(struct transfer *transfer, ferry_response *res)
{
    const struct config *config = transfer->config;
    const char *modified = ferry_response_header(res, "Last-Modified");
    bool bad_status = ferry_response_status(res) >= 400;
    transfer->unmet = ferry_response_status(res) == 304;
    transfer->result.modified = -1;
    if (modified && !date_parse(modified, &transfer->result.modified))
        transfer->result.modified = -1;
    if (transfer->sink.status != CLI_OK)
        return failed_to_write(transfer); /* the head already */
    if (bad_status && config->fail && !config->fail_with_body && transfer->resume > 0 &&
        ferry_response_status(res) == 416)
        return CLI_OK;
    if (bad_status && config->fail && !config->fail_with_body)
        return failed_by_status(transfer, res);
    if (etag_save(transfer, res) != CLI_OK)
        return transfer->result.status;
    int resumed = check_resumed(transfer, res);
    if (resumed > 1)
        return resumed;
    int status = resumed == 1 ? CLI_OK : with_body(transfer, res);
    if (status == CLI_OK && bad_status && config->fail_with_body)
        return failed_by_status(transfer, res);
    return status;
}
