/*
 * The decoded body: a body over another one. Reading it to its end reads the other to its end too,
 * so that the connection goes back to the pool; closing it closes the other, whatever that makes of
 * it. The decoder is made by the first read, and let go with the last: an unread response costs
 * none, and a loop's small stack never runs one.
 */
#include "transport/decoded_body.h"

#include <stdlib.h>

#include "base/error.h"
#include "http/decode.h"

#define INPUT ((size_t)16 * 1024)

/* Where the last chunk comes behind the data it comes at once, or within a packet's time. */
#define RAW_END_WAIT_MS 50

/* A few bytes may become gigabytes, between two of which nothing ever parks: after so many that were
 * given out, others have a turn, and the deadline is heeded. */
#define BYTES_PER_TURN ((size_t)1024 * 1024)

/* In the response's arena, all under the lock. */
struct fy_decoded_body {
    ferry_response *res;            /* whose body this is; which outlives it */
    const struct fy_body_ops *over; /* the body as it comes from the connection */
    void *raw;                      /* over's */
    struct fy_codings codings;
    int64_t max;
    struct fy_decoder *decoder; /* NULL before the first read, and once over */
    unsigned char *input;       /* INPUT bytes, likewise */
    size_t input_at;            /* what the decoder has not taken */
    size_t input_len;
    size_t given; /* bytes that came out since others had a turn */
    bool begun;   /* the raw body has brought a byte */
    bool reading; /* a task is in a read */
    bool closed;  /* the other end of the house has closed it meanwhile */
    bool ended;   /* the next read returns 0 */
    bool failed;  /* the next read tells failure: it came behind bytes that were good */
    ferry_error failure;
};

static void let_go(struct fy_decoded_body *body)
{
    fy_decoder_free(body->decoder);
    free(body->input);
    body->decoder = NULL;
    body->input = NULL;
    body->input_len = 0;
}

static int begin(struct fy_decoded_body *body, ferry_error *err)
{
    if (body->decoder != NULL) {
        return 0;
    }
    body->input = malloc(INPUT);
    if (body->input == NULL) {
        return fy_fail_memory(err);
    }
    body->decoder = fy_decoder_new(&body->codings, body->max, err);
    return body->decoder != NULL ? 0 : -1;
}

/* More from the connection: 1; 0 when there is no more, and that is as it should be; -1. With bytes
 * in hand it is not waited for for long: FY_READ_LATER. */
static int refill(struct fy_decoded_body *body, bool whole, bool in_hand, ferry_error *err)
{
    ssize_t got = in_hand && body->over->read_within != NULL
                      ? body->over->read_within(body->raw, body->input, INPUT, RAW_END_WAIT_MS, err)
                      : body->over->read(body->raw, body->input, INPUT, err);
    if (got > 0) {
        body->begun = true;
        body->input_at = 0;
        body->input_len = (size_t)got;
        return 1;
    }
    if (got == FY_READ_LATER) {
        return FY_READ_LATER;
    }
    if (got < 0) {
        return -1; /* it has said which body it was about */
    }
    /* No byte at all is an empty body, as some servers send it whatever its label. */
    if (whole || !body->begun) {
        body->ended = true;
        return 0;
    }
    fy_decoder_fail_end(body->decoder, err);
    fy_error_prefix(err, "reading the body of %s", body->res->url);
    return -1;
}

/* Once the coding's end has been seen, the raw body's end is waited for even with bytes in hand: a
 * caller who knows how much comes, and reads just that, has then given the connection back. But not
 * for long: a server may send each of its messages as a member, or a frame, of its own. */
static ssize_t read_decoded(struct fy_decoded_body *body, void *buf, size_t len, ferry_error *err)
{
    struct fy_decode_io io = {.out = buf, .out_len = len};
    if (begin(body, err) != 0) {
        fy_error_prefix(err, "reading the body of %s", body->res->url);
        return -1;
    }
    for (;;) {
        io.in = body->input + body->input_at;
        io.in_len = body->input_len;
        enum fy_decode_result result = fy_decoder_step(body->decoder, &io, err);
        body->input_at += body->input_len - io.in_len;
        body->input_len = io.in_len;
        if (result == FY_DECODE_FAILED) {
            fy_error_prefix(err, "reading the body of %s", body->res->url);
        }
        int more = result == FY_DECODE_FAILED ? -1 : 1;
        if (result == FY_DECODE_END || (result == FY_DECODE_MORE && io.out_len == len)) {
            more = refill(body, result == FY_DECODE_END, io.out_len < len, err);
        } else if (result == FY_DECODE_MORE) {
            return (ssize_t)(len - io.out_len);
        }
        if (body->closed) {
            return -1; /* res tells its reader so */
        }
        if (more == FY_READ_LATER) {
            return (ssize_t)(len - io.out_len);
        }
        if (more < 0 && io.out_len < len) {
            body->failed = true;
            body->failure = *err;
        }
        if (more <= 0) {
            return io.out_len < len ? (ssize_t)(len - io.out_len) : more;
        }
    }
}

/* Others' turn, if it is. -1 and *err when the connection has gone meanwhile, or the response. */
static int take_turn(struct fy_decoded_body *body, ferry_error *err)
{
    if (body->given < BYTES_PER_TURN) {
        return 0;
    }
    body->given = 0;
    fy_yield();
    if (body->closed) {
        return -1; /* res tells its reader so */
    }
    return body->over->check != NULL ? body->over->check(body->raw, err) : 0;
}

static ssize_t decoded_read(void *self, void *buf, size_t len, ferry_error *err)
{
    struct fy_decoded_body *body = self;
    if (body->failed) {
        *err = body->failure;
        return -1;
    }
    if (body->ended) {
        return 0;
    }
    body->reading = true;
    ssize_t got = take_turn(body, err);
    if (got == 0) {
        got = read_decoded(body, buf, len < BYTES_PER_TURN ? len : BYTES_PER_TURN, err);
    }
    body->given += got > 0 ? (size_t)got : 0;
    body->reading = false;
    if (body->ended || body->closed || body->failed || got < 0) {
        let_go(body);
    }
    return got;
}

static void decoded_close(void *self, bool may_park)
{
    struct fy_decoded_body *body = self;
    body->closed = true;
    if (!body->reading) {
        let_go(body);
    }
    body->over->close(body->raw, may_park);
}

static void decoded_release(void *self)
{
    struct fy_decoded_body *body = self;
    let_go(body); /* a reader whose thread has ended did not */
    if (body->over->release != NULL) {
        body->over->release(body->raw);
    }
}

static const struct fy_body_ops ops = {
    .read = decoded_read, .close = decoded_close, .release = decoded_release};

int fy_decoded_body_new(ferry_response *res, int64_t max, struct fy_decoded_body **made)
{
    struct fy_codings codings;
    *made = NULL;
    if (!fy_codings_parse(&res->header, &codings)) {
        return 0;
    }
    struct fy_decoded_body *body = fy_arena_alloc(&res->arena, sizeof *body);
    if (body == NULL) {
        return -1;
    }
    *body = (struct fy_decoded_body){.res = res, .codings = codings, .max = max};
    *made = body;
    return 0;
}

void fy_decoded_body_attach(struct fy_decoded_body *body)
{
    if (body == NULL) {
        return;
    }
    ferry_response *res = body->res;
    body->over = res->ops;
    body->raw = res->body;
    res->ops = &ops;
    res->body = body;
    fy_header_remove(&res->header, "Content-Encoding");
    fy_header_remove(&res->header, "Content-Length");
    res->length = -1;
    res->entry.length = -1;
    res->decoded = true;
}
