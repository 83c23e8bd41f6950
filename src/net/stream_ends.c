/*
 * The two ends of a stream. A socket that has failed knows them no more, and then they are unknown.
 */
#include "net/stream_ends.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void unix_text(const struct fy_address *address, char text[FY_END_TEXT])
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)&address->sockaddr;
    size_t len = address->len - offsetof(struct sockaddr_un, sun_path);
    if (len > 0 && name->sun_path[0] != '\0') {
        len = strnlen(name->sun_path, len);
    }
    memcpy(text, name->sun_path, len); /* at most 108 bytes */
    text[len] = '\0';
    if (len > 0 && text[0] == '\0') {
        text[0] = '@';
    }
}

static void describe(struct fy_address *address, char text[FY_END_TEXT])
{
    switch (address->sockaddr.ss_family) {
    case AF_INET:
    case AF_INET6: fy_address_text(address, text); break;
    case AF_UNIX: unix_text(address, text); break;
    default: address->len = 0;
    }
}

void fy_stream_ends(const struct fy_stream *stream, struct fy_stream_ends *ends)
{
    int fd = stream->ops->descriptor != NULL ? stream->ops->descriptor(stream) : -1;
    *ends = (struct fy_stream_ends){0};
    ends->local.len = sizeof ends->local.sockaddr;
    ends->remote.len = sizeof ends->remote.sockaddr;
    if (fd < 0 ||
        getsockname(fd, (struct sockaddr *)&ends->local.sockaddr, &ends->local.len) != 0 ||
        getpeername(fd, (struct sockaddr *)&ends->remote.sockaddr, &ends->remote.len) != 0) {
        *ends = (struct fy_stream_ends){0};
        return;
    }
    describe(&ends->local, ends->local_text);
    describe(&ends->remote, ends->remote_text);
}
