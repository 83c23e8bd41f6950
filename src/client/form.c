/*
 * multipart/form-data (RFC 7578) as a request's body: a row of pieces, in memory or in files, whose
 * length is known before the first is read, so that it goes out with a Content-Length; any piece can
 * be read again, so that it can be sent again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "http/header.h"

/* One after the other they are the body, but for its last line. */
struct piece {
    char *bytes; /* owned; NULL: in the file */
    int fd;      /* owned; -1: none */
    int64_t len;
};

/* Touched by its caller between sends, by the send's reader during one. */
struct ferry_form {
    char boundary[33];
    struct piece *pieces;
    size_t count, capacity;
    int64_t len;    /* of all of them */
    bool begun;     /* a part has been added */
    size_t at;      /* the reader's: the piece it is in; count: the last line; beyond: the end */
    int64_t offset; /* in it */
    char last_line[48]; /* CR LF, boundary with its four dashes, CR LF, NUL */
};

FERRY_API ferry_form *ferry_form_new(ferry_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[16];
    err = FY_ERROR(err);
    ferry_form *form = calloc(1, sizeof *form);
    if (form == NULL || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        free(form);
        fy_fail_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        form->boundary[2 * i] = digits[random[i] >> 4];
        form->boundary[2 * i + 1] = digits[random[i] & 15];
    }
    return form;
}

FERRY_API void ferry_form_free(ferry_form *form)
{
    if (form == NULL) {
        return;
    }
    for (size_t i = 0; i < form->count; i++) {
        free(form->pieces[i].bytes);
        if (form->pieces[i].fd >= 0) {
            close(form->pieces[i].fd);
        }
    }
    free(form->pieces);
    free(form);
}

/* ------------------------------------------------------------------------------------- the parts */

/* Room for two more: a part's head and its content come together or not at all. */
static int make_room(ferry_form *form)
{
    if (form->capacity - form->count >= 2) {
        return 0;
    }
    size_t capacity = form->capacity == 0 ? 8 : form->capacity * 2;
    struct piece *pieces = realloc(form->pieces, capacity * sizeof *pieces);
    if (pieces == NULL) {
        return -1;
    }
    form->pieces = pieces;
    form->capacity = capacity;
    return 0;
}

/* What would end the quoted text, or the line: as browsers do it (WHATWG HTML, section 4.10.21.8). */
static void append_quoted(struct fy_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\r': fy_buffer_append_text(out, "%0D"); break;
        case '\n': fy_buffer_append_text(out, "%0A"); break;
        case '"': fy_buffer_append_text(out, "%22"); break;
        default: fy_buffer_append_byte(out, *text); break;
        }
    }
}

/* Adds a part, taking over the content in any case. */
static int add_part(ferry_form *form, const char *name, const char *filename,
                    const char *content_type, struct piece content, ferry_error *err)
{
    struct fy_buffer head = {0};
    if (content_type != NULL && !fy_is_field_value(content_type, strlen(content_type))) {
        fy_fail(err, FERRY_EINVAL, 0,
                "the content type of the form's field \"%.60s\" has a control "
                "byte in it",
                name);
        goto fail;
    }
    fy_buffer_append_text(&head, form->begun ? "\r\n--" : "--");
    fy_buffer_append_text(&head, form->boundary);
    fy_buffer_append_text(&head, "\r\nContent-Disposition: form-data; name=\"");
    append_quoted(&head, name);
    if (filename != NULL) {
        fy_buffer_append_text(&head, "\"; filename=\"");
        append_quoted(&head, filename);
    }
    fy_buffer_append_text(&head, "\"\r\n");
    if (content_type != NULL) {
        fy_buffer_append_text(&head, "Content-Type: ");
        fy_buffer_append_text(&head, content_type);
        fy_buffer_append_text(&head, "\r\n");
    }
    fy_buffer_append_text(&head, "\r\n");
    if (head.failed || make_room(form) != 0) {
        fy_fail_memory(err);
        goto fail;
    }
    form->pieces[form->count++] =
        (struct piece){.bytes = head.bytes, .fd = -1, .len = (int64_t)head.len};
    form->pieces[form->count++] = content;
    form->len += (int64_t)head.len + content.len;
    form->begun = true;
    return 0;
fail:
    fy_buffer_free(&head);
    free(content.bytes);
    if (content.fd >= 0) {
        close(content.fd);
    }
    return -1;
}

FERRY_API int ferry_form_add_data(ferry_form *form, const char *name, const void *data, size_t len,
                                  const char *filename, const char *content_type, ferry_error *err)
{
    err = FY_ERROR(err);
    struct piece content = {.bytes = malloc(len + 1), .fd = -1, .len = (int64_t)len};
    if (content.bytes == NULL) {
        return fy_fail_memory(err);
    }
    if (len > 0) {
        memcpy(content.bytes, data, len);
    }
    return add_part(form, name, filename, content_type, content, err);
}

FERRY_API int ferry_form_add_text(ferry_form *form, const char *name, const char *value,
                                  ferry_error *err)
{
    return ferry_form_add_data(form, name, value, strlen(value), NULL, NULL, err);
}

FERRY_API int ferry_form_add_file(ferry_form *form, const char *name, const char *path,
                                  const char *filename, const char *content_type, ferry_error *err)
{
    err = FY_ERROR(err);
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int cause = errno;
        if (fd >= 0) {
            close(fd);
        }
        return fy_fail(err, FERRY_EBODY, cause, "the form's file %.120s: %s", path,
                       fy_errno_text(cause));
    }
    if (!S_ISREG(status.st_mode)) {
        close(fd);
        return fy_fail(err, FERRY_EINVAL, 0, "the form's file %.120s is no regular file", path);
    }
    const char *slash = strrchr(path, '/');
    if (filename == NULL) {
        filename = slash != NULL ? slash + 1 : path;
    }
    struct piece content = {.fd = fd, .len = status.st_size};
    return add_part(form, name, filename,
                    content_type != NULL ? content_type : "application/octet-stream", content, err);
}

/* ------------------------------------------------------------------------------------ the reader */

static ssize_t read_piece(ferry_form *form, const struct piece *piece, void *buf, size_t len)
{
    int64_t left = piece->len - form->offset;
    size_t wanted = (uint64_t)left < len ? (size_t)left : len;
    if (piece->fd < 0) {
        memcpy(buf, piece->bytes + form->offset, wanted);
        return (ssize_t)wanted;
    }
    ssize_t got;
    do {
        got = pread(piece->fd, buf, wanted, form->offset);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        errno = ESTALE; /* it has become shorter than it was when it was added */
        return -1;
    }
    return got;
}

static ssize_t read_form(void *arg, void *buf, size_t len)
{
    ferry_form *form = arg;
    size_t total = 0;
    struct piece last = {
        .bytes = form->last_line, .fd = -1, .len = (int64_t)strlen(form->last_line)};
    while (total < len && form->at <= form->count) {
        const struct piece *piece = form->at < form->count ? &form->pieces[form->at] : &last;
        if (form->offset == piece->len) {
            form->at++;
            form->offset = 0;
            continue;
        }
        ssize_t got = read_piece(form, piece, (char *)buf + total, len - total);
        if (got < 0) {
            return -1;
        }
        form->offset += got;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

static int rewind_form(void *arg)
{
    ferry_form *form = arg;
    form->at = 0;
    form->offset = 0;
    return 0;
}

FERRY_API int ferry_request_set_form(ferry_request *req, ferry_form *form)
{
    char type[80] = "multipart/form-data; boundary=";
    strcat(type, form->boundary);
    strcpy(form->last_line, form->begun ? "\r\n--" : "--");
    strcat(form->last_line, form->boundary);
    strcat(form->last_line, "--\r\n");
    (void)rewind_form(form);
    if (ferry_request_set_header(req, "Content-Type", type) != 0) {
        return -1;
    }
    return ferry_request_set_body_reader(req, read_form, rewind_form, form,
                                         form->len + (int64_t)strlen(form->last_line));
}
