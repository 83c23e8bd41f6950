/*
 * Files of lines. A file is written beside and renamed, so that it is never half of one; what is no
 * file is never replaced.
 */
#include "client/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"

int fy_fail_file(ferry_error *err, int code, int os_errno, const char *doing, const char *path)
{
    bool exhausted = os_errno == ENOMEM || os_errno == EMFILE || os_errno == ENFILE;
    return fy_fail(err, exhausted ? FERRY_ENOMEM : code, os_errno, "%s %s: %s", doing, path,
                   fy_errno_text(os_errno));
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        bytes += written > 0 ? written : 0;
        len -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* Where a link leads, which is to stay one; what is not there is itself. NULL, and errno, when out of
 * memory. */
static char *target_of(const char *path)
{
    char *target = realpath(path, NULL);
    return target != NULL || errno == ENOMEM ? target : strdup(path);
}

/* A device or a pipe is written to: with a file in its place, /dev/null would be gone for everybody.
 * Returns 0 or an errno. */
static int write_in_place(const char *path, const struct fy_buffer *text)
{
    int cause = 0;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || write_all(fd, text->bytes, text->len) != 0) {
        cause = errno;
    }
    if (fd >= 0 && close(fd) != 0 && cause == 0) {
        cause = errno;
    }
    return cause;
}

/* Likewise for a file, or where there is none. */
static int write_beside_and_rename(const char *path, const struct fy_buffer *text)
{
    struct fy_buffer name = {0};
    int fd = -1;
    int cause = 0;
    fy_buffer_printf(&name, "%s.XXXXXX", path);
    fy_buffer_append_byte(&name, '\0');
    if (name.failed) {
        cause = ENOMEM;
        goto done;
    }
    fd = mkstemp(name.bytes);
    if (fd < 0) {
        cause = errno;
        goto done;
    }
    if (write_all(fd, text->bytes, text->len) != 0) {
        cause = errno;
    }
    if (close(fd) != 0 && cause == 0) {
        cause = errno;
    }
    if (cause == 0 && rename(name.bytes, path) != 0) {
        cause = errno;
    }
    if (cause != 0) {
        unlink(name.bytes);
    }
done:
    fy_buffer_free(&name);
    return cause;
}

int fy_replace_file(const char *path, const struct fy_buffer *text, const char *doing,
                    ferry_error *err)
{
    struct stat there;
    int cause = ENOMEM;
    char *target = text->failed ? NULL : target_of(path);
    if (target != NULL) {
        bool special = stat(target, &there) == 0 && !S_ISREG(there.st_mode);
        cause = special ? write_in_place(target, text) : write_beside_and_rename(target, text);
    }
    free(target);
    return cause == 0 ? 0 : fy_fail_file(err, FERRY_EWRITE, cause, doing, path);
}

int fy_read_lines(const char *path, const char *doing,
                  int (*take)(void *arg, char *line, ferry_error *err), void *arg, ferry_error *err)
{
    char *line = NULL;
    size_t size = 0;
    int failed = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fy_fail_file(err, FERRY_EREAD, errno, doing, path);
    }
    while (failed == 0) {
        errno = 0;
        ssize_t len = getline(&line, &size, file);
        if (len < 0) {
            break;
        }
        failed = memchr(line, '\0', (size_t)len) != NULL ? 0 : take(arg, line, err);
    }
    /* Out of memory leaves no mark on the file. */
    if (failed == 0 && (ferror(file) || errno == ENOMEM)) {
        failed = fy_fail_file(err, FERRY_EREAD, errno, doing, path);
    }
    free(line);
    fclose(file);
    return failed;
}
