/*
 * A request as bytes, a response by its Content-Length.
 */
#include "plain_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "bench.h"

void plain_request_make(struct plain_request *request)
{
    int len = snprintf(request->bytes, sizeof request->bytes,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\n\r\n",
                       bench.path, bench.port);
    request->len = (size_t)len;
}

int plain_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bench.port)};
    const int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_fail("connect: %s", strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

char *plain_room(struct plain_response *response, size_t *room)
{
    size_t used = response->head_read ? 0 : response->len;
    *room = sizeof response->buffer - used;
    return response->buffer + used;
}

/* The value of Content-Length in a head that ends at end. */
static size_t content_length(const char *head, const char *end)
{
    static const char name[] = "content-length:";
    for (const char *line = head; line < end;) {
        if ((size_t)(end - line) >= sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
            return (size_t)strtoul(line + sizeof name - 1, NULL, 10);
        }
        line = memchr(line, '\n', (size_t)(end - line));
        line = line != NULL ? line + 1 : end;
    }
    bench_fail("a response without Content-Length");
}

int plain_take(struct plain_response *response, size_t got)
{
    size_t of_body = got;
    if (!response->head_read) {
        response->len += got;
        char *end = memmem(response->buffer, response->len, "\r\n\r\n", 4);
        if (end == NULL) {
            if (response->len == sizeof response->buffer) {
                bench_fail("a response head without end");
            }
            return 0;
        }
        if (memcmp(response->buffer, "HTTP/1.1 200 ", 13) != 0) {
            bench_fail("the response is %.*s", 15, response->buffer);
        }
        response->head_read = 1;
        response->body = response->body_left = content_length(response->buffer, end + 2);
        of_body = response->len - (size_t)(end + 4 - response->buffer);
    }
    if (of_body > response->body_left) {
        bench_fail("bytes after the response");
    }
    response->body_left -= of_body;
    return response->body_left == 0;
}

void plain_response_restart(struct plain_response *response)
{
    response->len = 0;
    response->head_read = 0;
}
