/*
 * A gate holds one thread at a point until another lets it through: an origin waits before it sends
 * the second half of a response, the test does what must happen in between, then opens the gate.
 * Turned round, the origin opens a gate to say that it has come so far, and the test waits for it.
 *
 *     static struct gate half_sent, go_on;          (all zero: closed; also `struct gate g = {0};`)
 *
 *     origin:  origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"));
 *              gate_open(&half_sent);
 *              origin_wait(conn, &go_on);            (ends as well when the origin is stopped)
 *              origin_send(conn, BYTES("k"));
 *     test:    assert_true(gate_wait(&half_sent, 5000));
 *              …
 *              gate_open(&go_on);
 *
 * gate_wait blocks the whole thread, not only a task: a test whose tasks must go on meanwhile asks
 * gate_is_open between their steps. A gate needs no freeing, but must outlive whoever waits at it.
 */
#ifndef SUPPORT_GATE_H
#define SUPPORT_GATE_H

#include <stdbool.h>

struct gate {
    bool open; /* under the lock of events.h */
};

/* Lets through everybody who waits and everybody who comes later. */
void gate_open(struct gate *gate);

/* Holds again whoever comes from now on. */
void gate_close(struct gate *gate);

bool gate_is_open(struct gate *gate);

/* True: the gate is open. False: it still was not after timeout_ms (-1: waits for ever). */
bool gate_wait(struct gate *gate, int timeout_ms);

#endif
