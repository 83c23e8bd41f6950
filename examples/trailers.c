/*
 * trailers URL: POSTs standard input as it comes, and behind it, in a trailer, how much that was
 * and its checksum: what nobody can know before the last byte has been read.
 */
#include <ferry.h>

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

struct input {
    ferry_request *req;
    uint64_t bytes;
    uint32_t low, high; /* Adler-32's two sums (RFC 1950 section 8.2) */
};

/* The body's next bytes; with the end of them the trailers have their values. */
static ssize_t read_input(void *arg, void *buf, size_t len)
{
    struct input *input = arg;
    ssize_t got;
    do {
        got = read(STDIN_FILENO, buf, len);
    } while (got < 0 && errno == EINTR);
    for (ssize_t i = 0; i < got; i++) {
        input->low = (input->low + ((const unsigned char *)buf)[i]) % 65521;
        input->high = (input->high + input->low) % 65521;
    }
    if (got > 0) {
        input->bytes += (uint64_t)got;
    } else if (got == 0) {
        char value[32];
        snprintf(value, sizeof value, "%" PRIu64, input->bytes);
        ferry_request_set_trailer(input->req, "X-Bytes", value);
        snprintf(value, sizeof value, "%08" PRIx32, input->high << 16 | input->low);
        ferry_request_set_trailer(input->req, "X-Adler-32", value);
    }
    return got;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: trailers URL\n");
        return 2;
    }
    ferry_error err;
    ferry_response *res = NULL;
    ferry_request *req = ferry_request_new("POST", argv[1], &err);
    struct input input = {.req = req, .low = 1};
    if (req != NULL) {
        /* No values yet: the head only says that these will come. */
        ferry_request_set_trailer(req, "X-Bytes", NULL);
        ferry_request_set_trailer(req, "X-Adler-32", NULL);
        ferry_request_set_body_reader(req, read_input, NULL, &input, -1);
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
    return status >= 200 && status < 300 ? 0 : 1;
}
