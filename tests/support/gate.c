/* Gates between threads of a test. A gate is one bool; the waiting is that of events.h. */
#include "gate.h"

#include "events.h"

void gate_open(struct gate *gate)
{
    events_lock();
    gate->open = true;
    events_changed();
    events_unlock();
}

void gate_close(struct gate *gate)
{
    events_lock();
    gate->open = false;
    events_unlock();
}

bool gate_is_open(struct gate *gate)
{
    bool open;

    events_lock();
    open = gate->open;
    events_unlock();
    return open;
}

bool gate_wait(struct gate *gate, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);
    bool open;

    events_lock();
    while (!gate->open && events_wait(deadline))
        continue;
    open = gate->open;
    events_unlock();
    return open;
}
