/*
 * sink.c: bodies into files, or onto standard output.
 */
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "request/url.h"

#define MOST_NUMBERS 100    /* --no-clobber tries so many names */
#define LOOKS_AT_BYTES 2000 /* for a NUL, before it goes to a terminal */

static int fail(struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct sink *sink, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sink->message, sizeof sink->message, format, args);
    va_end(args);
    return sink->status = CLI_WRITE_FAILED;
}

static int no_memory(struct sink *sink)
{
    fail(sink, "out of memory");
    return sink->status = CLI_NO_MEMORY;
}

/* ---- Names ---- */

static char *in_directory(const struct config *config, const char *name)
{
    char *path = NULL;
    if (!config->output_directory)
        return text_copy(name);
    return text_print(&path, "%s/%s", config->output_directory, name) < 0 ? NULL : path;
}

static int name_file(struct sink *sink, const char *name)
{
    free(sink->path);
    sink->path = in_directory(sink->config, name);
    return sink->path ? CLI_OK : no_memory(sink);
}

int sink_begin(struct sink *sink, const struct operation *operation, bool style)
{
    int status = CLI_OK;
    *sink = (struct sink){.config = operation->config, .fd = -1};
    sink->append = operation->config->continue_at && !operation->upload;
    if (operation->output == OUTPUT_FILE)
        return name_file(sink, operation->output_file);
    if (operation->output == OUTPUT_STDOUT) {
        sink->asked_stdout = operation->output_file != NULL;
        sink->style = style && isatty(STDOUT_FILENO);
        return CLI_OK;
    }
    char *name = url_file_name(operation->url);
    if (!name)
        status = no_memory(sink);
    else if (name[0] == '\0')
        status = fail(sink, "-O finds no file name in %s; name the file with -o", operation->url);
    else
        status = name_file(sink, name);
    free(name);
    return status;
}

int sink_take_name(struct sink *sink, const char *content_disposition)
{
    char *name = content_disposition ? disposition_name(content_disposition) : NULL;
    if (!name || sink->open) {
        free(name);
        return name || !memory_lacked() ? CLI_OK : no_memory(sink);
    }
    int status = name_file(sink, name);
    sink->from_header = true;
    free(name);
    return status;
}

/* ---- Opening ---- */

static void make_directories(const char *path)
{
    char *copy = text_copy(path);
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0750);
        *slash = '/';
    }
    free(copy);
}

/* A name that is not there yet: the file's own, or with a number behind it. */
static int open_unused(struct sink *sink, int flags)
{
    int fd = open(sink->path, flags | O_EXCL, 0644);
    for (int number = 1; fd < 0 && errno == EEXIST && number <= MOST_NUMBERS; number++) {
        char *path = NULL;
        if (text_print(&path, "%s.%d", sink->path, number) < 0)
            break;
        fd = open(path, flags | O_EXCL, 0644);
        int error = errno;
        if (fd >= 0) {
            free(sink->path);
            sink->path = path;
        } else {
            free(path);
        }
        errno = error;
    }
    return fd;
}

static int open_file(struct sink *sink)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (sink->append ? 0 : O_TRUNC);
    struct stat stat;
    if (sink->config->create_directories)
        make_directories(sink->path);
    if (sink->from_header)
        sink->fd = open(sink->path, flags | O_EXCL, 0644);
    else if (sink->config->no_clobber && !sink->append)
        sink->fd = open_unused(sink, flags);
    else
        sink->fd = open(sink->path, flags, 0644);
    if (sink->fd < 0 && errno == EEXIST)
        return fail(sink, "%s is there already, and stays as it is", sink->path);
    if (sink->fd < 0)
        return fail(sink, "cannot write to %s: %s", sink->path, strerror(errno));
    if (sink->append && fstat(sink->fd, &stat) == 0 && S_ISREG(stat.st_mode))
        sink->begin = lseek(sink->fd, 0, SEEK_END);
    sink->open = true;
    return CLI_OK;
}

/* ---- Writing ---- */

static int write_stdout(struct sink *sink, const char *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, stdout) != len || fflush(stdout) != 0)
        return fail(sink, "cannot write to standard output: %s", strerror(errno));
    return CLI_OK;
}

static int write_file(struct sink *sink, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(sink->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(sink, "cannot write to %s: %s", sink->path, strerror(errno));
        bytes += n;
        len -= (size_t)n;
    }
    return CLI_OK;
}

static int write_bytes(struct sink *sink, const char *bytes, size_t len)
{
    if (sink->status != CLI_OK)
        return sink->status;
    if (sink->path && !sink->open && open_file(sink) != CLI_OK)
        return sink->status;
    sink->bytes += (int64_t)len;
    return sink->path ? write_file(sink, bytes, len) : write_stdout(sink, bytes, len);
}

int sink_write(struct sink *sink, const char *bytes, size_t len)
{
    size_t looked_at = len < LOOKS_AT_BYTES ? len : LOOKS_AT_BYTES;
    if (!sink->path && !sink->asked_stdout && sink->bytes < LOOKS_AT_BYTES && looked_at > 0 &&
        isatty(STDOUT_FILENO) && memchr(bytes, '\0', looked_at))
        return fail(sink,
                    "the body is binary, and would make a mess of the terminal; -o FILE saves "
                    "it, -o - prints it all the same");
    return write_bytes(sink, bytes, len);
}

int sink_write_head(struct sink *sink, const char *head, size_t len)
{
    const char *end = head + len;
    while (sink->style && head < end) {
        const char *line_end = memchr(head, '\n', (size_t)(end - head));
        size_t line = line_end ? (size_t)(line_end - head) + 1 : (size_t)(end - head);
        const char *colon = memchr(head, ':', line);
        if (colon && strncmp(head, "HTTP/", 5) != 0) {
            write_stdout(sink, "\033[1m", 4);
            write_stdout(sink, head, (size_t)(colon - head));
            write_stdout(sink, "\033[0m", 4);
            write_stdout(sink, colon, line - (size_t)(colon - head));
        } else {
            write_stdout(sink, head, line);
        }
        head += line;
    }
    return head < end ? write_bytes(sink, head, len) : sink->status;
}

int sink_again(struct sink *sink)
{
    if (sink->open && sink->bytes > 0 &&
        (ftruncate(sink->fd, sink->begin) != 0 || lseek(sink->fd, sink->begin, SEEK_SET) < 0) &&
        errno != EINVAL && errno != ESPIPE)
        return fail(sink, "cannot begin %s again: %s", sink->path, strerror(errno));
    sink->bytes = 0;
    return CLI_OK;
}

/* ---- The end ---- */

static void set_time(const struct sink *sink, time_t modified)
{
    struct timespec times[2] = {{.tv_sec = modified}, {.tv_sec = modified}};
    if (modified >= 0 && sink->config->remote_time && futimens(sink->fd, times) != 0)
        warn("the time of %s stays as it is: %s", sink->path, strerror(errno));
}

static void set_attributes(const struct sink *sink, const char *url, const char *type)
{
    bool fine = true;
    if (!sink->config->xattr)
        return;
    fine = !url || fsetxattr(sink->fd, "user.xdg.origin.url", url, strlen(url), 0) == 0;
    if (type)
        fine = fsetxattr(sink->fd, "user.mime_type", type, strlen(type), 0) == 0 && fine;
    if (!fine)
        warn("%s gets no extended attributes: %s", sink->path, strerror(errno));
}

int sink_end(struct sink *sink, enum sink_fate fate, time_t modified, const char *url,
             const char *type)
{
    bool failed = fate == SINK_FAILED;
    struct stat stat;
    if (fate == SINK_DONE && sink->path && !sink->open && sink->status == CLI_OK)
        open_file(sink);
    if (sink->open) {
        if (!failed) {
            set_time(sink, modified);
            set_attributes(sink, url, type);
        }
        bool regular = fstat(sink->fd, &stat) == 0 && S_ISREG(stat.st_mode);
        if (close(sink->fd) != 0 && sink->status == CLI_OK)
            fail(sink, "cannot write to %s: %s", sink->path, strerror(errno));
        if (failed && sink->config->remove_on_error && regular && unlink(sink->path) != 0)
            warn("%s cannot be removed: %s", sink->path, strerror(errno));
    }
    sink->open = false;
    return sink->status;
}
