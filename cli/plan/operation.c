/*
 * operation.c: one transfer after the other out of the groups.
 */
#include "plan/operation.h"

#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "message.h"

static int no_memory(int *status)
{
    complain("out of memory");
    *status = CLI_NO_MEMORY;
    return -1;
}

static int bad_pattern(const char *text, const char *why, size_t at, int *status)
{
    if (why[0] == '\0')
        return no_memory(status);
    complain("(3) the pattern \"%s\" is wrong at its letter %zu: %s (-g: none of this)", text,
             at + 1, why);
    *status = CLI_URL;
    return -1;
}

/* The patterns of the URL at index. */
static int begin_url(struct operations *operations, int *status)
{
    const struct config *config = operations->config;
    const char *url = config->urls.items[operations->index];
    const char *upload =
        operations->index < config->uploads.count ? config->uploads.items[operations->index] : "";
    const char *why;
    size_t at;
    if (glob_parse(&operations->urls, url, config->globoff, &why, &at) < 0)
        return bad_pattern(url, why, at, status);
    if (glob_parse(&operations->uploads, upload, config->globoff, &why, &at) < 0) {
        glob_free(&operations->urls);
        return bad_pattern(upload, why, at, status);
    }
    operations->url = operations->upload = 0;
    operations->begun = true;
    return 0;
}

static void end_url(struct operations *operations)
{
    glob_free(&operations->urls);
    glob_free(&operations->uploads);
    operations->begun = false;
}

static void go_on(struct operations *operations)
{
    if (++operations->url < operations->urls.total)
        return;
    operations->url = 0;
    if (++operations->upload < operations->uploads.total)
        return;
    end_url(operations);
    operations->index++;
    operations->url_number++;
}

static bool fill(const struct operations *operations, struct operation *operation)
{
    const struct config *config = operations->config;
    *operation =
        (struct operation){.config = config,
                           .group = operations->group,
                           .url_number = operations->url_number,
                           .output = config->remote_name_all ? OUTPUT_REMOTE_NAME : OUTPUT_STDOUT};
    operation->url = glob_text(&operations->urls, operations->url);
    if (operations->uploads.count > 0 &&
        !(operation->upload = glob_text(&operations->uploads, operations->upload)))
        return false;
    if (operations->index < config->output_count) {
        const struct output_choice *choice = &config->outputs[operations->index];
        operation->output = choice->kind;
        if (choice->file &&
            !(operation->output_file = glob_name(&operations->urls, operations->url, choice->file)))
            return false;
    }
    return operation->url != NULL;
}

int operations_next(struct operations *operations, struct operation *operation, int *status)
{
    while (operations->config && operations->index == operations->config->urls.count) {
        operations->config = operations->config->next;
        operations->group++;
        operations->index = 0;
    }
    if (!operations->config)
        return 0;
    if (!operations->begun && begin_url(operations, status) < 0)
        return -1;
    if (!fill(operations, operation)) {
        operation_free(operation);
        return no_memory(status);
    }
    go_on(operations);
    return 1;
}

void operation_free(struct operation *operation)
{
    free(operation->url);
    free(operation->output_file);
    free(operation->upload);
    *operation = (struct operation){0};
}

void operations_free(struct operations *operations)
{
    if (operations->begun)
        end_url(operations);
}
