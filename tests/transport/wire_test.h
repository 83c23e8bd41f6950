/*
 * What the tests of bytes on the wire share, beside transport_test.h: requests through a client
 * with what came of them in one struct, bodies of any size included, and findings of tasks.
 */
#ifndef WIRE_TEST_H
#define WIRE_TEST_H

#include "transport_test.h"

#include "bytes.h"

/* A client over a transport, to be freed. */
ferry_client *wire_client(ferry_transport *transport);

/* What came of one request, its body read to the end and the response closed. */
struct wire_answer {
    int status;      /* 0: no response, and err says why */
    ferry_error err; /* with a status: reading the body failed; code 0: all went well */
    int64_t length;  /* as announced */
    char *body;      /* what came of it, NUL behind it; NULL without a response */
    size_t body_len;
    char trailer[64]; /* X-Trailer, "" if there is none */
};

struct wire_answer wire_send(ferry_client *client, ferry_request *req);
struct wire_answer wire_get(ferry_client *client, const char *url);
void wire_answer_free(struct wire_answer *answer);

/* Sends a request that must succeed, and asserts its status and body. */
void wire_expect(ferry_client *client, ferry_request *req, int status, const char *body);

/* Makes a request for the origin's path. */
ferry_request *wire_request(const char *method, struct origin *origin, const char *path);

/* Whether the message is one sentence as ferry's are: not empty, one line, not cut short, without
 * a blank, a colon or a full stop at its end. */
bool wire_is_sentence(const char *message);

/* Findings of tasks, which cannot assert: the first is kept. All on one thread. */
struct wire_findings {
    int count;
    char first[1024];
};

void wire_find(struct wire_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails with the first finding, if there is one. */
void wire_assert_none(const struct wire_findings *findings);

#endif
