/*
 * Written beside and renamed, so that the file is never half of one.
 */
#include "client/replace_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

int fy_replace_file(const char *path, const struct fy_buffer *text)
{
    struct fy_buffer name = {0};
    fy_buffer_printf(&name, "%s.XXXXXX", path);
    fy_buffer_append_byte(&name, '\0');
    if (name.failed) {
        errno = ENOMEM;
        return -1;
    }
    int cause = 0;
    int fd = mkstemp(name.bytes);
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
    errno = cause;
    return cause == 0 ? 0 : -1;
}
