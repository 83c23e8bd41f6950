/*
 * What the client's tests share, over the transport's fixture: clients and requests in a line.
 */
#ifndef CLIENT_TEST_H
#define CLIENT_TEST_H

#include "transport_test.h"

/* A client over the transport, which the test frees. */
ferry_client *client_with(ferry_transport *transport, ferry_client_options options);

/* Sends, reads the body to its end, and closes. */
struct outcome do_request(ferry_client *client, ferry_request *req);

/* Likewise a GET; the response must come. */
struct outcome client_get(ferry_client *client, const char *url);

/* The send must fail like this. */
void fails(ferry_client *client, ferry_request *req, int code, const char *text);

/* Whether the head of the i-th request that the origin has seen has this in it. */
bool has_field(struct origin *origin, size_t i, const char *field);

/* The value of a field of the i-th request; "" if there is none. */
const char *field_of(struct origin *origin, size_t i, const char *name, char value[512]);

/* A body of three bytes, "xxx", from a reader that brings one at a time; left is 3 at the beginning. */
struct xs {
    int left, rewinds, dones;
};
ssize_t read_xs(void *xs, void *buf, size_t len);
int rewind_xs(void *xs);
void xs_done(void *xs);

#endif
