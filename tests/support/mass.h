/*
 * A server for very many connections: it answers every request head, on whatever connection, with the same
 * bytes, and keeps the connection open until the client closes it. One process of its own with one event
 * loop, so that its descriptors and memory are not the test's.
 *
 *     process_raise_descriptors();                                (before both this and the clients)
 *     struct mass *mass = mass_start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
 *     … 10,000 requests to mass_url(mass) at once …
 *     assert_int_equal(mass_counts(mass).peak, 10000);
 *     mass_stop(mass);
 *
 * It reads heads only: a request with a body would be taken for several. It is killed when the thread that
 * started it ends.
 */
#ifndef SUPPORT_MASS_H
#define SUPPORT_MASS_H

#include <stdbool.h>

struct mass;

struct mass_counts {
    unsigned accepted; /* connections since the start */
    unsigned open;     /* connections now */
    unsigned peak;     /* most open at once */
    unsigned requests; /* answered, or being so */
    unsigned refused;  /* accept failed for want of descriptors */
};

/* NULL: errno says why. */
struct mass *mass_start(const char *response);

/* http://127.0.0.1:port/; valid until mass_stop. */
const char *mass_url(const struct mass *mass);
int mass_port(const struct mass *mass);

/* Any thread; as of now. */
struct mass_counts mass_counts(const struct mass *mass);

/* Waits for just that many open connections. False: not within timeout_ms. */
bool mass_await_open(const struct mass *mass, unsigned count, int timeout_ms);

/* NULL is fine. */
void mass_stop(struct mass *mass);

#endif
