/*
 * verbose.c: trace events as lines on standard error, each beginning with a star. Nothing is
 * remembered between them.
 */
#include "verbose.h"

#include <inttypes.h>
#include <stdio.h>

static void get_conn(void *arg, const char *host_port)
{
    (void)arg;
    fprintf(stderr, "* wants a connection to %s\n", host_port);
}

static void got_conn(void *arg, int reused, int64_t idle_ms)
{
    (void)arg;
    if (!reused)
        fprintf(stderr, "* goes over a new connection\n");
    else if (idle_ms >= 0)
        fprintf(stderr, "* goes over a connection used before, idle for %" PRId64 " ms\n", idle_ms);
    else
        fprintf(stderr, "* goes over a connection used before\n");
}

static void dns_start(void *arg, const char *host)
{
    (void)arg;
    fprintf(stderr, "* looks up %s\n", host);
}

static void dns_done(void *arg, size_t addresses, const ferry_error *err)
{
    (void)arg;
    if (err)
        fprintf(stderr, "* no address: %s\n", err->message);
    else
        fprintf(stderr, "* %zu address%s found\n", addresses, addresses == 1 ? "" : "es");
}

static void connect_start(void *arg, const char *network, const char *address)
{
    (void)arg;
    fprintf(stderr, "* connects to %s %s\n", network, address);
}

static void connect_done(void *arg, const char *network, const char *address,
                         const ferry_error *err)
{
    (void)arg;
    if (err)
        fprintf(stderr, "* not connected to %s %s: %s\n", network, address, err->message);
    else
        fprintf(stderr, "* connected to %s %s\n", network, address);
}

static void got_1xx(void *arg, int status)
{
    (void)arg;
    fprintf(stderr, "* interim response %d\n", status);
}

static void wrote_request(void *arg, const ferry_error *err)
{
    (void)arg;
    if (err)
        fprintf(stderr, "* request not sent: %s\n", err->message);
    else
        fprintf(stderr, "* request sent\n");
}

static void got_first_byte(void *arg)
{
    (void)arg;
    fprintf(stderr, "* the response begins\n");
}

static void put_idle_conn(void *arg, int put_result)
{
    (void)arg;
    if (put_result == FERRY_PUT_OK)
        fprintf(stderr, "* connection kept for the next request\n");
    else
        fprintf(stderr, "* connection not kept: %s\n", ferry_put_result_string(put_result));
}

void verbose_follow(ferry_request *req)
{
    ferry_request_set_trace(
        req,
        FERRY_TRACE(.get_conn = get_conn, .got_conn = got_conn, .dns_start = dns_start,
                    .dns_done = dns_done, .connect_start = connect_start,
                    .connect_done = connect_done, .got_1xx = got_1xx,
                    .wrote_request = wrote_request, .got_first_byte = got_first_byte,
                    .put_idle_conn = put_idle_conn),
        NULL);
}
