/*
 * body.c: bodies. A file goes out by its descriptor, so that the kernel sends it, unless somebody
 * wants to see or slow down its bytes; standard input is read piece by piece, and looked at without
 * waiting, since the other tasks of this thread have their own work.
 */
#include "request/body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_code.h"
#include "message.h"
#include "request/data.h"
#include "request/form.h"

#define LONGEST_NAP_MS 20

static int open_data(struct body *body, const struct config *config)
{
    int status = CLI_OK;
    size_t len;
    body->bytes = data_join(config, &len, &status);
    if (!body->bytes)
        return status;
    body->kind = BODY_MEMORY;
    body->length = (int64_t)len;
    body->content_type = "application/x-www-form-urlencoded";
    for (size_t i = 0; i < config->data_count; i++)
        body->json |= config->data[i].kind == DATA_JSON;
    if (body->json)
        body->content_type = "application/json";
    return CLI_OK;
}

/* -C with -T: what the server has already is passed over. */
static int begin_at(struct body *body, const char *where)
{
    if (!where || strcmp(where, "-") == 0 || body->kind != BODY_FILE)
        return CLI_OK;
    body->offset = strtoll(where, NULL, 10);
    if (body->offset > 0 && body->offset >= body->length) {
        complain("(18) -C begins at the end of the file, or behind it: nothing is left to send");
        return CLI_PARTIAL;
    }
    body->length -= body->offset;
    return CLI_OK;
}

static int open_upload(struct body *body, const char *path, const char *begin)
{
    struct stat stat;
    bool is_stdin = strcmp(path, "-") == 0 || strcmp(path, ".") == 0;
    body->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (body->fd < 0 || fstat(body->fd, &stat) != 0) {
        insist("(26) cannot read %s: %s", path, strerror(errno));
        return CLI_READ_FAILED;
    }
    body->kind = !is_stdin && S_ISREG(stat.st_mode) ? BODY_FILE : BODY_STREAM;
    body->length = body->kind == BODY_FILE ? (int64_t)stat.st_size : -1;
    return begin_at(body, begin);
}

static int open_form(struct body *body, const struct config *config)
{
    int status = CLI_OK;
    body->form = form_make(config, &status);
    if (!body->form)
        return status;
    body->kind = BODY_FORM;
    body->length = -1; /* the form's own */
    return CLI_OK;
}

int body_open(struct body *body, const struct config *config, const char *upload)
{
    if (upload && upload[0] != '\0')
        return open_upload(body, upload, config->continue_at);
    if (config->form_count > 0)
        return open_form(body, config);
    if (config->data_count > 0 && !config->get)
        return open_data(body, config);
    return CLI_OK;
}

/* Naps until there is something to read, or the end. */
static void await_input(int fd)
{
    struct pollfd input = {.fd = fd, .events = POLLIN};
    for (int64_t nap = 1; poll(&input, 1, 0) == 0; nap = nap < LONGEST_NAP_MS ? 2 * nap : nap)
        ferry_sleep(nap);
}

static ssize_t read_piece(void *arg, void *buf, size_t len)
{
    struct body *body = arg;
    ssize_t n;
    if (body->pace)
        len = pace_piece(body->pace, len);
    if (body->kind == BODY_MEMORY) {
        size_t left = (size_t)(body->length - body->sent);
        n = (ssize_t)(len < left ? len : left);
        memcpy(buf, body->bytes + body->sent, (size_t)n);
    } else if (body->kind == BODY_FILE) {
        n = pread(body->fd, buf, len, (off_t)(body->offset + body->sent));
    } else {
        await_input(body->fd);
        n = read(body->fd, buf, len);
    }
    if (n > 0) {
        body->sent += n;
        if (body->counted)
            *body->counted += n;
        if (body->pace)
            pace_wait(body->pace, n);
    }
    return n;
}

static int rewind_body(void *arg)
{
    struct body *body = arg;
    if (body->kind == BODY_STREAM && body->sent > 0 && lseek(body->fd, 0, SEEK_SET) != 0)
        return -1;
    body->sent = 0;
    return 0;
}

bool body_can_rewind(const struct body *body)
{
    return body->kind != BODY_STREAM || body->sent == 0;
}

int body_attach(struct body *body, ferry_request *req, bool chunked)
{
    bool pieces = body->pace || chunked || body->kind == BODY_STREAM;
    if (body->kind == BODY_NONE)
        return 0;
    if (body->kind == BODY_FORM)
        return ferry_request_set_form(req, body->form);
    if (pieces)
        return ferry_request_set_body_reader(req, read_piece, rewind_body, body,
                                             chunked ? -1 : body->length);
    if (body->kind == BODY_MEMORY)
        return ferry_request_set_body(req, body->bytes, (size_t)body->length);
    return ferry_request_set_body_fd(req, body->fd, body->offset, body->length);
}

void body_close(struct body *body)
{
    if ((body->kind == BODY_FILE || body->kind == BODY_STREAM) && body->fd > STDERR_FILENO)
        close(body->fd);
    ferry_form_free(body->form);
    free(body->bytes);
    *body = (struct body){0};
}
