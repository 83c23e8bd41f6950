/*
 * upload URL FILE: PUTs a file, which the kernel sends straight from its descriptor.
 * upload URL -:    POSTs what comes on standard input, chunked, since nobody knows how much it is.
 */
#include <ferry.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The body's next bytes. Blocking here stops this thread's other tasks; this program has none. */
static ssize_t read_input(void *arg, void *buf, size_t len)
{
    int fd = *(int *)arg;
    ssize_t got;
    do {
        got = read(fd, buf, len);
    } while (got < 0 && errno == EINTR);
    return got; /* -1 leaves errno, which becomes part of the error */
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: upload URL FILE|-\n");
        return 2;
    }
    bool from_input = strcmp(argv[2], "-") == 0;
    int fd = from_input ? STDIN_FILENO : open(argv[2], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[2]);
        return 1;
    }

    ferry_error err;
    ferry_response *res = NULL;
    ferry_request *req = ferry_request_new(from_input ? "POST" : "PUT", argv[1], &err);
    if (req != NULL) {
        /* Nothing here is checked: a setter that refuses is reported by the send. */
        ferry_request_set_header(req, "Content-Type", "application/octet-stream");
        /* A server that does not want the body can say so before it is sent. */
        ferry_request_set_header(req, "Expect", "100-continue");
        if (from_input) {
            /* It cannot be rewound, so a request that has begun to read it is not sent again. */
            ferry_request_set_body_reader(req, read_input, NULL, &fd, -1);
        } else {
            ferry_request_set_body_fd(req, fd, 0, -1);
        }
        res = ferry_client_do(NULL, req, &err);
    }
    int status = res != NULL ? ferry_response_status(res) : 0;
    if (res != NULL) {
        printf("%d %s\n", status, ferry_response_reason(res));
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    if (!from_input) {
        close(fd);
    }
    return status >= 200 && status < 300 ? 0 : 1;
}
