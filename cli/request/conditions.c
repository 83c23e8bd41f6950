/*
 * conditions.c: ranges, dates, ETags.
 */
#include "request/conditions.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "request/data.h"
#include "request/dates.h"

char *condition_range(const struct transfer *transfer)
{
    char *text = NULL;
    int len = -1;
    if (transfer->operation->upload)
        return NULL;
    if (transfer->resume > 0)
        len = text_print(&text, "bytes=%lld-", (long long)transfer->resume);
    else if (transfer->config->range)
        len = text_print(&text, "bytes=%s", transfer->config->range);
    return len < 0 ? NULL : text;
}

char *condition_content_range(const struct transfer *transfer)
{
    const struct body *body = &transfer->body;
    char *text = NULL;
    if (body->kind != BODY_FILE || body->offset == 0)
        return NULL;
    long long begin = body->offset, end = body->offset + body->length;
    return text_print(&text, "bytes %lld-%lld/%lld", begin, end - 1, end) < 0 ? NULL : text;
}

/* A date, or a file whose date it is. */
static bool condition_time(const char *text, time_t *when)
{
    struct stat stat_of_file;
    if (date_parse(text, when))
        return true;
    if (stat(text, &stat_of_file) != 0)
        return false;
    *when = stat_of_file.st_mtime;
    return true;
}

/* The ETag in a file; "\"\"" if there is none, which matches nothing, as in curl. */
static char *read_etag(const char *path)
{
    size_t len = 0;
    char *text = data_read_file(path, &len);
    while (text && len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    if (text && text[0] != '\0')
        return text;
    free(text);
    return text_copy("\"\"");
}

void conditions_put(struct transfer *transfer, ferry_request *req,
                    void (*put)(struct transfer *transfer, ferry_request *req, const char *name,
                                const char *value))
{
    const struct config *config = transfer->config;
    const char *text = config->time_condition;
    bool unmodified = text && text[0] == '-';
    time_t when;
    if (config->etag_compare) {
        char *etag = read_etag(config->etag_compare);
        put(transfer, req, "If-None-Match", etag);
        free(etag);
    }
    if (!text)
        return;
    if (condition_time(text + (unmodified || text[0] == '+' || text[0] == '='), &when)) {
        char date[40];
        date_format(when, date, sizeof date);
        put(transfer, req, unmodified ? "If-Unmodified-Since" : "If-Modified-Since", date);
    } else {
        warn("-z: %s is neither a date nor a file, and is passed over", text);
    }
}

bool condition_unmet(const struct transfer *transfer, const ferry_response *res)
{
    const char *text = transfer->config->time_condition;
    const char *modified = ferry_response_header(res, "Last-Modified");
    time_t when, changed;
    if (!text || transfer->config->range || transfer->resume > 0 || !modified ||
        ferry_response_status(res) != 200 || !date_parse(modified, &changed))
        return false;
    bool unmodified = text[0] == '-';
    if (!condition_time(text + (unmodified || text[0] == '+' || text[0] == '='), &when))
        return false;
    return unmodified ? changed > when : changed <= when;
}

int etag_save(struct transfer *transfer, const ferry_response *res)
{
    const char *path = transfer->config->etag_save;
    const char *etag = ferry_response_header(res, "ETag");
    int status = ferry_response_status(res);
    if (!path || status < 200 || status >= 400 || (!etag && status >= 300))
        return CLI_OK;
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    bool fine = file && fprintf(file, "%s%s", etag ? etag : "", etag ? "\n" : "") >= 0;
    if (file && file != stdout)
        fine = fclose(file) == 0 && fine;
    if (fine)
        return CLI_OK;
    return transfer_failed(transfer, CLI_WRITE_FAILED, "cannot write to %s: %s", path,
                           strerror(errno));
}
