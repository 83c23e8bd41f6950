/*
 * A whole exchange: a request through a transport whose server sends any bytes, over a pair of
 * sockets, read as programs read. What must hold: the pieces in which the bytes come and are read
 * make no difference; a connection that is kept answers the next request with what was sent after
 * that, whatever stood behind the first response (RFC 9112 section 11.2); nothing is left.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ferry.h>

#include "fuzz.h"

/* What a pair of sockets takes without waiting. */
#define MOST_BYTES ((size_t)64 * 1024)

#define NEXT_ANSWER "HTTP/1.1 299 Next\r\nContent-Length: 2\r\n\r\nok"

/* The server, and how it and the reader go about it. */
struct run {
    const uint8_t *data;
    size_t size;
    size_t send_step;
    size_t read_step;
    const char *method;
    bool raw;  /* the body is read as it is on the wire */
    bool ends; /* the server has no more to send */
    int64_t
        closes_at; /* the reader closes the response after so many bytes; -1: reads to its end */
    bool next;     /* the next request is on its way, or has been written */
    int peer;      /* its end; -1: none */
    ferry_group *sending;
};

/* What the reader gets to see. */
struct outcome {
    int status; /* 0: no response */
    int code;   /* of the error that ended it, or 0 */
    bool framed;
    int64_t bytes;
    uint64_t hash;
    size_t trailers;
};

static int dial(void *arg, const ferry_dial_target *target, ferry_error *err)
{
    struct run *run = arg;
    int ends[2];
    (void)target;
    (void)err;
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    MUST(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    if (run->peer >= 0) {
        MUST(run->next); /* a connection that is new brings the first response */
        close(run->peer);
    }
    run->peer = ends[1];
    return ends[0];
}

/* The rest of what there is to send; the other end may be closed by now. */
static void send_all(void *arg)
{
    struct run *run = arg;
    size_t at = 0;
    while (at < run->size && !run->next) {
        size_t len = run->size - at < run->send_step ? run->size - at : run->send_step;
        ssize_t sent = send(run->peer, run->data + at, len, MSG_NOSIGNAL);
        if (sent < 0) {
            return;
        }
        at += (size_t)sent;
        if (at < run->size) {
            ferry_yield();
        }
    }
    if (run->ends) {
        (void)shutdown(run->peer, SHUT_WR);
    }
}

static void wrote_request(void *arg, const ferry_error *err)
{
    struct run *run = arg;
    if (err != NULL) {
        return;
    }
    if (run->next) {
        MUST(send(run->peer, NEXT_ANSWER, strlen(NEXT_ANSWER), MSG_NOSIGNAL) ==
             (ssize_t)strlen(NEXT_ANSWER));
    } else if (run->send_step >= run->size) {
        send_all(run);
    } else {
        MUST(ferry_group_go(run->sending, send_all, run) == 0);
    }
}

static void read_body(ferry_response *res, const struct run *run, struct outcome *outcome)
{
    ferry_error err = {0};
    size_t step = run->read_step;
    unsigned char *buffer = malloc(step);
    MUST(buffer != NULL);
    ssize_t got = 1;
    while ((run->closes_at < 0 || outcome->bytes < run->closes_at) &&
           (got = ferry_response_read(res, buffer, step, &err)) > 0) {
        MUST((size_t)got <= step);
        for (ssize_t i = 0; i < got; i++) {
            outcome->hash = outcome->hash * 33 + buffer[i];
        }
        outcome->bytes += got;
    }
    outcome->code = got < 0 ? err.code : 0;
    MUST((got < 0) == (outcome->code != 0));
    MUST(got > 0 || ferry_response_read(res, buffer, step, &err) == got); /* the same again */
    outcome->trailers = ferry_response_trailer_count(res);
    free(buffer);
}

static struct outcome exchange(struct run *run, ferry_client *client)
{
    struct outcome outcome = {.hash = 5381};
    ferry_error err = {0};
    ferry_request *req = ferry_request_new(run->method, "http://server.example/", &err);
    MUST(req != NULL);
    ferry_request_set_trace(req, FERRY_TRACE(.wrote_request = wrote_request), run);
    ferry_request_set_raw_body(req, run->raw);
    ferry_response *res = ferry_client_do(client, req, &err);
    if (res == NULL) {
        MUST(err.code != 0 && err.message[0] != '\0');
        outcome.code = err.code;
    } else {
        outcome.status = ferry_response_status(res);
        outcome.framed = ferry_response_length(res) >= 0 ||
                         (ferry_response_header(res, "Transfer-Encoding") != NULL &&
                          outcome.status != 101 && strcmp(run->method, "CONNECT") != 0);
        read_body(res, run, &outcome);
        ferry_response_close(res);
    }
    ferry_request_free(req);
    return outcome;
}

/* One exchange, and, with a server that goes on, the next. */
static struct outcome exchange_with(struct run run, bool decode)
{
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.dial = dial, .dial_arg = &run, .proxy = "", .disable_monitor = 1,
                                .disable_compression = !decode,
                                .max_decoded_bytes = (int64_t)1 << 20, ));
    run.peer = -1;
    run.sending = ferry_group_new();
    MUST(transport != NULL && run.sending != NULL);
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .max_redirects = -1, ));
    MUST(client != NULL);
    struct outcome outcome = exchange(&run, client);
    if (!run.ends) {
        run.next = true;
        run.method = "GET";
        run.raw = false;
        run.closes_at = -1;
        struct outcome next = exchange(&run, client);
        MUST(next.status == 299 && next.bytes == 2 && next.code == 0);
    }
    ferry_client_free(client);
    ferry_transport_free(transport);
    close(run.peer);
    ferry_group_wait(run.sending);
    ferry_group_free(run.sending);
    MUST(ferry_open_responses(NULL) == 0);
    return outcome;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->status == b->status && a->code == b->code && a->bytes == b->bytes &&
           a->hash == b->hash && a->trailers == b->trailers;
}

/* The first byte says how the exchange goes, the second in what pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT"};
    if (size < 2 || size - 2 > MOST_BYTES) {
        return 0;
    }
    const bool decode = (data[0] & 8) != 0;
    struct run run = {.data = data + 2,
                      .size = size - 2,
                      .send_step = SIZE_MAX,
                      .read_step = 65536,
                      .method = methods[data[0] & 3],
                      .raw = (data[0] & 4) != 0,
                      .ends = true,
                      .closes_at = -1};
    struct outcome whole = exchange_with(run, decode);

    struct run sliced = run;
    sliced.send_step = 1 + size / 40 + data[1] % 16;
    sliced.read_step = 1 + (size_t)(whole.bytes / 100) + data[1] / 16 * 300;
    struct outcome again = exchange_with(sliced, decode);
    MUST(same(&whole, &again));

    if (whole.code == 0 && whole.framed) {
        run.ends = sliced.ends = false;
        run.read_step = whole.bytes > 0 ? (size_t)whole.bytes : 1;
        again = exchange_with(run, decode);
        MUST(same(&whole, &again));
        again = exchange_with(sliced, decode);
        MUST(same(&whole, &again));
    }
    if (whole.status != 0) {
        run.ends = sliced.ends = false;
        run.closes_at = sliced.closes_at = whole.bytes * (data[1] % 16) / 16;
        (void)exchange_with(run, decode);
        (void)exchange_with(sliced, decode);
    }
    return 0;
}
