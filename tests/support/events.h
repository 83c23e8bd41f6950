/*
 * One lock and one condition for everything in the test support that one thread waits for and another
 * brings about: gates opening, connections arriving, requests being read.
 *
 * Used inside the test support only. A lock for each origin and each gate would wake fewer threads,
 * but a wait over two of them (a gate, or the origin being stopped) would need more than a line.
 */
#ifndef SUPPORT_EVENTS_H
#define SUPPORT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds on a clock that only goes forward. */
int64_t events_now(void);

/* The moment that lies timeout_ms from now, for events_wait; -1 is never. */
int64_t events_deadline(int timeout_ms);

void events_lock(void);
void events_unlock(void);

/* With the lock held: something that others may wait for has changed. */
void events_changed(void);

/* With the lock held: waits for the next change. False once the deadline has passed. */
bool events_wait(int64_t deadline);

/* Sleeps without the lock, the whole time whatever signals arrive. */
void events_sleep(int ms);

#endif
