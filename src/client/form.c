/*
 * multipart/form-data (RFC 7578) as a request's body: a row of pieces in memory, in files, or from
 * functions of the caller's. Where the length of each is known before the first is read, the form
 * goes out with a Content-Length; where each can be read again, it can be sent again.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/errno.h"
#include "base/error.h"
#include "http/bytes.h"
#include "http/request.h"

/* One after the other they are the body, but for its last line. */
struct piece {
    char *bytes;        /* owned; NULL: elsewhere */
    int fd;             /* owned; -1: none */
    ferry_read_fn read; /* the caller's; NULL: none */
    int (*rewind)(void *arg);
    void *arg;
    int64_t len; /* -1: whatever read gives */
    char *name;  /* owned: the field's, for what goes wrong; NULL: it is a part's head */
    bool begun;  /* read has been called since its beginning */
};

/* Touched by its caller between sends, by the send's reader during one. */
struct ferry_form {
    char boundary[33];
    struct piece *pieces;
    size_t count, capacity;
    int64_t len; /* of all of them; -1: not known */
    bool once;   /* one of them cannot be read again */

    /* As the request has it: what is added later is for its next one. So is a field that is added to
     * the last part that it has: in 'head' is that part's head with such fields, owned; NULL: none. */
    size_t sent_count;
    char *head;
    size_t head_len;
    char last_line[48];  /* CR LF, boundary with its four dashes, CR LF, NUL */
    size_t at;           /* the piece that is read; sent_count: the last line; beyond: the end */
    int64_t offset;      /* in it */
    ferry_error failure; /* why the last read failed */
};

FERRY_API ferry_form *ferry_form_new(ferry_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[16];
    err = FY_ERROR(err);
    ferry_form *form = calloc(1, sizeof *form);
    if (form == NULL) {
        fy_fail_memory(err);
        return NULL;
    }
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        int cause = errno;
        free(form);
        fy_fail(err, FERRY_ENOMEM, cause, "no random bytes for a form's boundary: %s",
                fy_errno_text(cause));
        return NULL;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        form->boundary[2 * i] = digits[random[i] >> 4];
        form->boundary[2 * i + 1] = digits[random[i] & 15];
    }
    return form;
}

static void piece_free(struct piece *piece)
{
    free(piece->bytes);
    free(piece->name);
    if (piece->fd >= 0) {
        close(piece->fd);
    }
}

FERRY_API void ferry_form_free(ferry_form *form)
{
    if (form == NULL) {
        return;
    }
    for (size_t i = 0; i < form->count; i++) {
        piece_free(&form->pieces[i]);
    }
    free(form->pieces);
    free(form->head);
    free(form);
}

/* ------------------------------------------------------------------------------------ the parts */

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

/* The lines before a part's content. */
static void append_head(const ferry_form *form, const char *name, const char *filename,
                        const char *content_type, struct fy_buffer *head)
{
    fy_buffer_append_text(head, form->count > 0 ? "\r\n--" : "--");
    fy_buffer_append_text(head, form->boundary);
    fy_buffer_append_text(head, "\r\nContent-Disposition: form-data; name=\"");
    append_quoted(head, name);
    if (filename != NULL) {
        fy_buffer_append_text(head, "\"; filename=\"");
        append_quoted(head, filename);
    }
    fy_buffer_append_text(head, "\"\r\n");
    if (content_type != NULL) {
        fy_buffer_append_text(head, "Content-Type: ");
        fy_buffer_append_text(head, content_type);
        fy_buffer_append_text(head, "\r\n");
    }
    fy_buffer_append_text(head, "\r\n");
}

/* Whether a part can be what the caller says. */
static int check_part(const ferry_form *form, const char *name, const char *content_type,
                      ferry_error *err)
{
    if (form == NULL || name == NULL) {
        return fy_fail(err, FERRY_EINVAL, 0, "a form's field without a %s",
                       form == NULL ? "form" : "name");
    }
    if (content_type != NULL && !fy_is_field_value(content_type, strlen(content_type))) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "the content type of the form's field \"%.60s\" has a control byte in it",
                       name);
    }
    return 0;
}

/* Adds a part, taking over the content in any case. */
static int add_part(ferry_form *form, const char *name, const char *filename,
                    const char *content_type, struct piece content, ferry_error *err)
{
    struct fy_buffer head = {0};
    append_head(form, name, filename, content_type, &head);
    content.name = strdup(name);
    if (head.failed || content.name == NULL || make_room(form) != 0) {
        fy_fail_memory(err);
        goto fail;
    }
    /* Room is left for the last line. */
    if (form->len >= 0 && content.len > INT64_MAX - 1000 - (int64_t)head.len - form->len) {
        fy_fail(err, FERRY_EINVAL, 0, "with the field \"%.60s\" the form is too long", name);
        goto fail;
    }
    form->len = form->len < 0 || content.len < 0 ? -1 : form->len + (int64_t)head.len + content.len;
    form->once = form->once || (content.read != NULL && content.rewind == NULL);
    form->pieces[form->count++] =
        (struct piece){.bytes = head.bytes, .fd = -1, .len = (int64_t)head.len};
    form->pieces[form->count++] = content;
    return 0;
fail:
    fy_buffer_free(&head);
    piece_free(&content);
    return -1;
}

FERRY_API int ferry_form_add_data(ferry_form *form, const char *name, const void *data, size_t len,
                                  const char *filename, const char *content_type, ferry_error *err)
{
    err = FY_ERROR(err);
    if (check_part(form, name, content_type, err) != 0) {
        return -1;
    }
    if ((data == NULL && len > 0) || len >= PTRDIFF_MAX) {
        return fy_fail(err, FERRY_EINVAL, 0, "the form's field \"%.60s\": %zu bytes %s", name, len,
                       data == NULL ? "without its bytes" : "are too many");
    }
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
    if (form != NULL && name != NULL && value == NULL) {
        return fy_fail(FY_ERROR(err), FERRY_EINVAL, 0, "the form's field \"%.60s\" without a value",
                       name);
    }
    return ferry_form_add_data(form, name, value, value != NULL ? strlen(value) : 0, NULL, NULL,
                               err);
}

FERRY_API int ferry_form_add_reader(ferry_form *form, const char *name, ferry_read_fn read,
                                    int (*rewind)(void *arg), void *arg, int64_t len,
                                    const char *filename, const char *content_type,
                                    ferry_error *err)
{
    err = FY_ERROR(err);
    if (check_part(form, name, content_type, err) != 0) {
        return -1;
    }
    if (read == NULL || len < -1) {
        return fy_fail(err, FERRY_EINVAL, 0, "the form's field \"%.60s\": %s", name,
                       read == NULL ? "a reader without a function" : "a length below -1");
    }
    struct piece content = {.fd = -1, .read = read, .rewind = rewind, .arg = arg, .len = len};
    return add_part(form, name, filename, content_type, content, err);
}

FERRY_API int ferry_form_add_file(ferry_form *form, const char *name, const char *path,
                                  const char *filename, const char *content_type, ferry_error *err)
{
    err = FY_ERROR(err);
    struct stat status;
    if (check_part(form, name, content_type, err) != 0) {
        return -1;
    }
    if (path == NULL) {
        return fy_fail_null(err, "the path of a form's file");
    }
    /* What is no file is found out without waiting for whoever writes into it. */
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
        return fy_fail(err, FERRY_EINVAL, 0,
                       "the form's file %.120s is no regular file: it takes a reader", path);
    }
    const char *slash = strrchr(path, '/');
    if (filename == NULL) {
        filename = slash != NULL ? slash + 1 : path;
    }
    struct piece content = {.fd = fd, .len = status.st_size};
    return add_part(form, name, filename,
                    content_type != NULL ? content_type : "application/octet-stream", content, err);
}

FERRY_API int ferry_form_add_field(ferry_form *form, const char *name, const char *value,
                                   ferry_error *err)
{
    err = FY_ERROR(err);
    if (form == NULL || form->count == 0) {
        return fy_fail(err, FERRY_EINVAL, 0, "a field for a form's part that there is not");
    }
    if (name == NULL || !fy_is_token(name, strlen(name)) || value == NULL ||
        !fy_is_field_value(value, strlen(value))) {
        return fy_fail(err, FERRY_EINVAL, 0,
                       "a field of a form's part whose name is no token, or whose value has a "
                       "control byte in it");
    }
    struct piece *head = &form->pieces[form->count - 2]; /* its content is the last one */
    bool is_sent = form->count == form->sent_count;
    bool again = is_sent && form->head != NULL;
    const char *old = again ? form->head : head->bytes;
    size_t old_len = again ? form->head_len : (size_t)head->len;
    size_t more = strlen(name) + strlen(": ") + strlen(value) + strlen("\r\n");
    size_t end = old_len - strlen("\r\n"); /* where its empty line begins */
    char *bytes = malloc(old_len + more + 1);
    if (bytes == NULL) {
        return fy_fail_memory(err);
    }
    snprintf(mempcpy(bytes, old, end), more + 3, "%s: %s\r\n\r\n", name, value);
    if (is_sent) {
        free(form->head);
        form->head = bytes;
        form->head_len = old_len + more;
    } else {
        free(head->bytes);
        head->bytes = bytes;
        head->len += (int64_t)more;
    }
    form->len = form->len < 0 ? -1 : form->len + (int64_t)more;
    return 0;
}

/* ----------------------------------------------------------------------------------- the reader */

/* Bytes of a piece in memory or in a file, of which there are some left. */
static ssize_t read_piece(ferry_form *form, const struct piece *piece, void *buf, size_t len)
{
    int64_t left = piece->len - form->offset;
    size_t wanted = (uint64_t)left < len ? (size_t)left : len;
    if (piece->bytes != NULL) {
        memcpy(buf, piece->bytes + form->offset, wanted);
        return (ssize_t)wanted;
    }
    ssize_t got;
    do {
        got = pread(piece->fd, buf, wanted, form->offset);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        return fy_fail(
            &form->failure, FERRY_EBODY, 0,
            "the file of the form's field \"%.60s\" has %lld bytes, and had %lld when it "
            "was added",
            piece->name, (long long)form->offset, (long long)piece->len);
    }
    if (got < 0) {
        int cause = errno;
        return fy_fail(&form->failure, FERRY_EBODY, cause,
                       "the file of the form's field \"%.60s\": %s", piece->name,
                       fy_errno_text(cause));
    }
    return got;
}

/* Bytes of a piece that a function of the caller's gives; 0: it is over. */
static ssize_t call_reader(ferry_form *form, struct piece *piece, void *buf, size_t len)
{
    int64_t left = piece->len - form->offset;
    size_t wanted = piece->len < 0 || (uint64_t)left > len ? len : (size_t)left;
    if (wanted == 0) {
        return 0;
    }
    piece->begun = true;
    errno = 0;
    ssize_t got = piece->read(piece->arg, buf, wanted);
    int cause = errno;
    if (got < 0) {
        return fy_fail(&form->failure, FERRY_EBODY, cause,
                       "the reader of the form's field \"%.60s\": %s", piece->name,
                       cause != 0 ? fy_errno_text(cause) : "it reported an error");
    }
    if ((size_t)got > wanted) {
        return fy_fail(&form->failure, FERRY_EBODY, 0,
                       "the reader of the form's field \"%.60s\" claims more bytes than there was "
                       "room for",
                       piece->name);
    }
    if (got == 0 && piece->len > 0) {
        return fy_fail(
            &form->failure, FERRY_EBODY, 0,
            "the reader of the form's field \"%.60s\" ended after %lld bytes of the %lld "
            "announced",
            piece->name, (long long)form->offset, (long long)piece->len);
    }
    return got;
}

/* What a reader gives goes out before the next is asked for: it may take its time. */
static ssize_t read_form(void *arg, void *buf, size_t len)
{
    ferry_form *form = arg;
    size_t total = 0;
    struct piece last = {
        .bytes = form->last_line, .fd = -1, .len = (int64_t)strlen(form->last_line)};
    while (total < len && form->at <= form->sent_count) {
        struct piece *piece = form->at < form->sent_count ? &form->pieces[form->at] : &last;
        ssize_t got = 0;
        if (piece->read != NULL && total > 0) {
            break;
        }
        if (piece->read != NULL) {
            got = call_reader(form, piece, buf, len);
        } else if (form->offset < piece->len) {
            got = read_piece(form, piece, (char *)buf + total, len - total);
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            form->at++;
            form->offset = 0;
        }
        form->offset += got;
        total += (size_t)got;
        if (got > 0 && piece->read != NULL) {
            break;
        }
    }
    return (ssize_t)total;
}

static int rewind_form(void *arg)
{
    ferry_form *form = arg;
    form->at = 0;
    form->offset = 0;
    for (size_t i = 0; i < form->sent_count; i++) {
        struct piece *piece = &form->pieces[i];
        if (piece->begun) {
            if (piece->rewind == NULL || piece->rewind(piece->arg) != 0) {
                return -1;
            }
            piece->begun = false;
        }
    }
    return 0;
}

static const ferry_error *form_failure(const void *arg)
{
    return &((const ferry_form *)arg)->failure;
}

/* Whether a reader of it has been read, by an earlier request. */
static bool is_begun(const ferry_form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        if (form->pieces[i].begun) {
            return true;
        }
    }
    return false;
}

/* What was added since the last request becomes the form. */
static void take_added(ferry_form *form)
{
    if (form->head != NULL) {
        struct piece *head = &form->pieces[form->sent_count - 2];
        free(head->bytes);
        head->bytes = form->head;
        head->len = (int64_t)form->head_len;
        form->head = NULL;
    }
    form->sent_count = form->count;
}

FERRY_API int ferry_request_set_form(ferry_request *req, ferry_form *form)
{
    char type[80];
    if (req == NULL || form == NULL) {
        if (req != NULL && req->refused.code == 0) {
            fy_fail(&req->refused, FERRY_EINVAL, 0, "a body of a form that there is not");
        }
        return -1;
    }
    snprintf(type, sizeof type, "multipart/form-data; boundary=%s", form->boundary);
    if (ferry_request_set_header(req, "Content-Type", type) != 0) {
        return -1;
    }
    /* A former body is let go first: it may be this form, still being sent. */
    if (ferry_request_set_body(req, NULL, 0) != 0) {
        return -1;
    }
    snprintf(form->last_line, sizeof form->last_line, "%s--%s--\r\n", form->count > 0 ? "\r\n" : "",
             form->boundary);
    take_added(form);
    form->at = 0;
    form->offset = 0;
    int64_t len = form->len < 0 ? -1 : form->len + (int64_t)strlen(form->last_line);
    if (ferry_request_set_body_reader(req, read_form, form->once ? NULL : rewind_form, form, len) !=
        0) {
        return -1;
    }
    req->body.failure = form_failure;
    req->body_read = is_begun(form);
    return 0;
}
