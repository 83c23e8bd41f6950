/*
 * Readiness of descriptors: edges, short reads, hang-ups that come with the last bytes, deadlines,
 * and events for descriptors that are no more. With socket pairs, whose events are there when
 * write() returns.
 */
#include "checked.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "task/clock.h"
#include "task/io.h"

/* One end as the library has it, and its peer as the world outside. */
struct pair {
    struct fy_io io;
    int peer;
};

static void pair_open(struct pair *pair)
{
    int ends[2];
    check_socketpair(ends);
    CHECK_INT(fy_io_open(&pair->io, ends[0]), 0);
    pair->peer = ends[1];
}

static void pair_close(struct pair *pair)
{
    fy_io_close(&pair->io);
    close(pair->peer);
}

/* A task that waits once. */
struct wait {
    struct fy_io *io;
    bool for_writing;
    int64_t deadline;
    bool over;
    enum fy_io_result result;
};

static void wait_once(void *arg)
{
    struct wait *wait = arg;
    wait->result = wait->for_writing
                       ? fy_io_wait_writable(wait->io, wait->deadline, "waiting to write")
                       : fy_io_wait_readable(wait->io, wait->deadline, "waiting to read");
    wait->over = true;
}

static void wait_begin(struct wait *wait, struct fy_io *io, bool for_writing, int64_t deadline)
{
    *wait = (struct wait){.io = io, .for_writing = for_writing, .deadline = deadline};
    check_spawn(wait_once, wait);
    check_settle();
}

/* --------------------------------------------------------------------------------- edges */

static void the_first_call_finds_out(void)
{
    struct pair pair;
    check_enter();
    pair_open(&pair);
    CHECK_INT(fy_io_wait_readable(&pair.io, FY_NEVER, ""), FY_IO_READY);
    CHECK_INT(fy_io_wait_writable(&pair.io, FY_NEVER, ""), FY_IO_READY);
    pair_close(&pair);
    fy_leave();
}

static void bytes_wake_a_reader(void)
{
    struct pair pair;
    struct wait wait;
    char bytes[16];
    check_enter();
    pair_open(&pair);
    check_settle(); /* the edge of its being writable, from the registration */
    fy_io_drained(&pair.io);
    for (int i = 0; i < 5; i++) {
        wait_begin(&wait, &pair.io, false, FY_NEVER);
        CHECK(!wait.over);
        CHECK_INT(write(pair.peer, "hello", 5), 5);
        check_settle();
        CHECK(wait.over);
        CHECK_INT(wait.result, FY_IO_READY);
        /* Fewer than asked for: drained, without a second read only to see EAGAIN. */
        CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 5);
        fy_io_drained(&pair.io);
    }
    pair_close(&pair);
    fy_leave();
}

/* Bytes that come between a short read and the wait bring an edge of their own. */
static void bytes_after_a_short_read_are_not_missed(void)
{
    struct pair pair;
    struct wait wait;
    char bytes[16];
    check_enter();
    pair_open(&pair);
    CHECK_INT(write(pair.peer, "one", 3), 3);
    check_settle();
    CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 3);
    CHECK_INT(write(pair.peer, "two", 3), 3);
    fy_io_drained(&pair.io);
    wait_begin(&wait, &pair.io, false, FY_NEVER);
    CHECK(wait.over);
    CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 3);
    pair_close(&pair);
    fy_leave();
}

/* A read that got all it asked for says nothing about the rest: it stays readable. */
static void a_full_read_leaves_it_readable(void)
{
    struct pair pair;
    char byte;
    check_enter();
    pair_open(&pair);
    CHECK_INT(write(pair.peer, "abc", 3), 3);
    check_settle();
    for (int i = 0; i < 3; i++) {
        CHECK_INT(fy_io_wait_readable(&pair.io, FY_NEVER, ""), FY_IO_READY);
        CHECK_INT(read(pair.io.fd, &byte, 1), 1);
    }
    pair_close(&pair);
    fy_leave();
}

static void room_wakes_a_writer(void)
{
    static char bulk[1 << 16];
    struct pair pair;
    struct wait writer, reader;
    check_enter();
    pair_open(&pair);
    check_settle();
    fy_io_drained(&pair.io);
    for (int i = 0; i < 3; i++) {
        while (write(pair.io.fd, bulk, sizeof bulk) > 0) {}
        CHECK_INT(errno, EAGAIN);
        fy_io_filled(&pair.io);
        wait_begin(&writer, &pair.io, true, FY_NEVER);
        CHECK(!writer.over);
        wait_begin(&reader, &pair.io, false, FY_NEVER);
        while (read(pair.peer, bulk, sizeof bulk) > 0) {}
        check_settle();
        CHECK(writer.over);
        CHECK_INT(writer.result, FY_IO_READY);
        CHECK(!reader.over); /* the two directions do not wake each other */
        CHECK_INT(write(pair.peer, "x", 1), 1);
        check_settle();
        CHECK(reader.over);
        CHECK_INT(read(pair.io.fd, bulk, sizeof bulk), 1);
        fy_io_drained(&pair.io);
    }
    pair_close(&pair);
    fy_leave();
}

/* ----------------------------------------------------------------------------- hang-ups */

/* Bytes and the end of the stream are one event: after the short read there will be no other. */
static void an_end_that_comes_with_bytes_is_not_missed(void)
{
    for (int waiting = 0; waiting < 2; waiting++) {
        struct pair pair;
        struct wait wait;
        char bytes[16];
        check_enter();
        pair_open(&pair);
        check_settle();
        fy_io_drained(&pair.io);
        if (waiting) {
            wait_begin(&wait, &pair.io, false, FY_NEVER);
            CHECK(!wait.over);
        }
        CHECK_INT(write(pair.peer, "last", 4), 4);
        CHECK_INT(shutdown(pair.peer, SHUT_WR), 0);
        check_settle();
        CHECK_INT(fy_io_wait_readable(&pair.io, FY_NEVER, ""), FY_IO_READY);
        CHECK(!waiting || wait.over);
        CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 4);
        fy_io_drained(&pair.io);
        wait_begin(&wait, &pair.io, false, FY_NEVER);
        CHECK(wait.over);
        CHECK_INT(wait.result, FY_IO_READY);
        CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 0);
        pair_close(&pair);
        fy_leave();
    }
}

/* The end comes after the bytes were seen, and after they were read, as an event of its own. */
static void an_end_that_comes_later_wakes(void)
{
    for (int when = 0; when < 2; when++) {
        struct pair pair;
        struct wait wait;
        char bytes[16];
        check_enter();
        pair_open(&pair);
        CHECK_INT(write(pair.peer, "last", 4), 4);
        check_settle();
        if (when == 0) {
            CHECK_INT(shutdown(pair.peer, SHUT_WR), 0);
        }
        CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 4);
        fy_io_drained(&pair.io);
        wait_begin(&wait, &pair.io, false, FY_NEVER);
        if (when == 1) {
            CHECK(!wait.over);
            CHECK_INT(shutdown(pair.peer, SHUT_WR), 0);
            check_settle();
        }
        CHECK(wait.over);
        CHECK_INT(read(pair.io.fd, bytes, sizeof bytes), 0);
        pair_close(&pair);
        fy_leave();
    }
}

/* The same over TCP, where a reset has to end both directions. */
static void a_reset_wakes_both(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct linger abort_it = {.l_onoff = 1};
    static char bulk[1 << 16];
    struct wait reader, writer;
    struct fy_io io;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    int peer = accept(listener, NULL, NULL);

    check_enter();
    CHECK_INT(fy_io_open(&io, client), 0);
    check_settle();
    fy_io_drained(&io);
    wait_begin(&reader, &io, false, FY_NEVER);
    do { /* until the kernel takes no more */
        while (write(client, bulk, sizeof bulk) > 0) {}
        fy_io_filled(&io);
    } while (fy_io_wait_writable(&io, fy_after_ms(20), "") == FY_IO_READY);
    wait_begin(&writer, &io, true, FY_NEVER);
    CHECK_INT(setsockopt(peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it), 0);
    close(peer);
    while (!reader.over || !writer.over) {
        fy_poll_now();
        fy_yield();
    }
    CHECK_INT(reader.result, FY_IO_READY);
    CHECK_INT(writer.result, FY_IO_READY);
    CHECK_INT(read(client, bulk, sizeof bulk), -1);
    CHECK_INT(errno, ECONNRESET);
    fy_io_close(&io);
    fy_leave();
    close(listener);
}

/* --------------------------------------------------------------- closing and deadlines */

static void closing_wakes_both(void)
{
    static char bulk[1 << 16];
    struct pair pair;
    struct wait reader, writer;
    check_enter();
    pair_open(&pair);
    check_settle();
    while (write(pair.io.fd, bulk, sizeof bulk) > 0) {}
    fy_io_filled(&pair.io);
    fy_io_drained(&pair.io);
    wait_begin(&reader, &pair.io, false, FY_NEVER);
    wait_begin(&writer, &pair.io, true, fy_after_ms(1000000));
    CHECK(!reader.over && !writer.over);
    fy_io_close(&pair.io);
    CHECK_INT(pair.io.fd, -1);
    check_settle();
    CHECK(reader.over && writer.over);
    CHECK_INT(reader.result, FY_IO_CLOSED);
    CHECK_INT(writer.result, FY_IO_CLOSED);
    CHECK(fy_sched_running()->timers.first == NULL);
    CHECK_INT(fy_io_wait_readable(&pair.io, FY_NEVER, ""), FY_IO_CLOSED);
    CHECK_INT(fy_io_wait_writable(&pair.io, FY_NEVER, ""), FY_IO_CLOSED);
    pair_close(&pair); /* closing again does nothing */
    fy_leave();
}

static void a_deadline_ends_a_wait(void)
{
    struct pair pair;
    check_enter();
    pair_open(&pair);
    check_settle();
    fy_io_drained(&pair.io);
    CHECK_INT(fy_io_wait_readable(&pair.io, fy_after_ms(1), ""), FY_IO_TIMED_OUT);
    CHECK_INT(fy_io_wait_readable(&pair.io, fy_now() - 1, ""), FY_IO_TIMED_OUT);
    CHECK_INT(fy_io_wait_readable(&pair.io, 0, ""), FY_IO_TIMED_OUT);
    CHECK(pair.io.reader.task == NULL);
    /* What is ready is taken, whatever the deadline. */
    CHECK_INT(write(pair.peer, "x", 1), 1);
    check_settle();
    CHECK_INT(fy_io_wait_readable(&pair.io, 0, ""), FY_IO_READY);
    pair_close(&pair);
    fy_leave();
}

static void a_wait_that_ends_disarms_its_deadline(void)
{
    struct pair pair;
    struct wait wait;
    check_enter();
    pair_open(&pair);
    check_settle();
    fy_io_drained(&pair.io);
    wait_begin(&wait, &pair.io, false, fy_after_ms(1000000));
    CHECK(fy_sched_running()->timers.first != NULL);
    CHECK_INT(write(pair.peer, "x", 1), 1);
    check_settle();
    CHECK_INT(wait.result, FY_IO_READY);
    CHECK(fy_sched_running()->timers.first == NULL);
    pair_close(&pair);
    fy_leave();
}

/* ---------------------------------------------------------------- slots and generations */

static int collect(struct fy_poller *poller, struct fy_poller_batch *batch)
{
    return fy_poller_wait(poller->fd, batch, false);
}

/* An event that was collected before its descriptor was closed must not reach the descriptor that
 * has taken its place. */
static void an_old_event_finds_nobody(void)
{
    struct fy_poller poller;
    struct fy_poller_batch batch;
    const struct fy_poller_event *events = batch.events;
    int ends[2], others[2];
    check_socketpair(ends);
    check_socketpair(others);
    CHECK_INT(fy_poller_open(&poller), 0);
    struct fy_io old = {.fd = ends[0], .watches_writing = true};
    struct fy_io successor = {.fd = others[0], .watches_writing = true};
    CHECK_INT(fy_poller_add(&poller, &old), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(collect(&poller, &batch), 1);
    CHECK(events[0].readable && events[0].writable && !events[0].hangup);
    uint64_t key = events[0].key;
    CHECK(fy_poller_find(&poller, key) == &old);

    fy_poller_remove(&poller, &old);
    close(ends[0]);
    CHECK(fy_poller_find(&poller, key) == NULL);
    CHECK_INT(fy_poller_add(&poller, &successor), 0);
    CHECK_INT(successor.slot, old.slot);
    CHECK(fy_poller_find(&poller, key) == NULL);

    CHECK_INT(collect(&poller, &batch), 1);
    CHECK(!events[0].readable && events[0].writable);
    CHECK(fy_poller_find(&poller, events[0].key) == &successor);
    close(others[1]);
    CHECK_INT(collect(&poller, &batch), 1);
    CHECK(events[0].readable && events[0].hangup);
    CHECK(fy_poller_find(&poller, UINT64_C(1) << 31) == NULL); /* a slot there never was */

    fy_poller_remove(&poller, &successor);
    close(others[0]);
    close(ends[1]);
    fy_poller_close(&poller);
    CHECK_INT(poller.fd, -1);
}

/* Waits for the alarm alone; the time it rang at, which is not before "earliest". */
static void alarm_rings(struct fy_poller *poller, int64_t earliest)
{
    struct fy_poller_batch batch;
    CHECK_INT(fy_poller_wait(poller->fd, &batch, true), 1);
    CHECK(fy_now() >= earliest);
    CHECK(fy_poller_find(poller, batch.events[0].key) == NULL);
    CHECK_INT(collect(poller, &batch), 0); /* once */
}

/* A nearer time counts, a later one does not take the place of an alarm that has not rung. */
static void the_nearest_alarm_rings(void)
{
    const int64_t hour = 3600 * 1000 * FY_MILLISECOND;
    struct fy_poller poller;
    struct fy_poller_batch batch;
    CHECK_INT(fy_poller_open(&poller), 0);
    int64_t begun = fy_now();
    fy_poller_alarm(&poller, begun + hour);
    CHECK_INT(collect(&poller, &batch), 0);
    fy_poller_alarm(&poller, begun + 2 * FY_MILLISECOND);
    fy_poller_alarm(&poller, begun + hour);
    alarm_rings(&poller, begun + 2 * FY_MILLISECOND);

    begun = fy_now();
    fy_poller_alarm(&poller, begun + 3 * FY_MILLISECOND); /* and again, once it has rung */
    alarm_rings(&poller, begun + 3 * FY_MILLISECOND);
    fy_poller_alarm(&poller, 1); /* a time that has passed */
    alarm_rings(&poller, begun);
    fy_poller_close(&poller);
    CHECK_INT(poller.alarm_fd, -1);
}

static void many_descriptors_find_their_own(void)
{
    enum { COUNT = 150 };
    static struct pair pairs[COUNT];
    struct wait waits[COUNT];
    char byte;
    check_enter();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            pair_open(&pairs[i]);
        }
        check_settle();
        for (int i = 0; i < COUNT; i++) {
            fy_io_drained(&pairs[i].io);
            wait_begin(&waits[i], &pairs[i].io, false, FY_NEVER);
        }
        /* Every third; then its neighbours are closed, in an order that mixes the free slots. */
        for (int i = 0; i < COUNT; i += 3) {
            CHECK_INT(write(pairs[i].peer, "x", 1), 1);
        }
        check_settle();
        for (int i = 0; i < COUNT; i++) {
            CHECK_INT(waits[i].over, i % 3 == 0);
            CHECK(!waits[i].over || read(pairs[i].io.fd, &byte, 1) == 1);
        }
        for (int i = 0; i < COUNT; i++) {
            pair_close(&pairs[i * 7 % COUNT]);
        }
        check_settle();
        for (int i = 0; i < COUNT; i++) {
            CHECK(waits[i].over);
            CHECK_INT(waits[i].result, i % 3 == 0 ? FY_IO_READY : FY_IO_CLOSED);
        }
    }
    fy_leave();
}

/* What the kernel does not poll is refused, and stays the caller's. */
static void a_file_is_refused(void)
{
    struct pair pair;
    struct fy_io io;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    check_enter();
    errno = 0;
    CHECK_INT(fy_io_open(&io, file), -1);
    CHECK_INT(errno, EPERM);
    CHECK_INT(io.fd, -1);
    fy_io_close(&io);
    CHECK(fcntl(file, F_GETFD) >= 0);
    close(file);
    CHECK_INT(fy_io_open(&io, file), -1);
    CHECK_INT(errno, EBADF);
    /* The slot that it would have had is free again. */
    pair_open(&pair);
    uint32_t slots = fy_sched_running()->poller.slot_count;
    for (uint32_t i = 0; i < slots + 1; i++) {
        CHECK_INT(fy_io_open(&io, file), -1);
    }
    CHECK_INT(fy_sched_running()->poller.slot_count, slots);
    pair_close(&pair);
    fy_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_call_finds_out),
        TEST(bytes_wake_a_reader),
        TEST(bytes_after_a_short_read_are_not_missed),
        TEST(a_full_read_leaves_it_readable),
        TEST(room_wakes_a_writer),
        TEST(an_end_that_comes_with_bytes_is_not_missed),
        TEST(an_end_that_comes_later_wakes),
        TEST(a_reset_wakes_both),
        TEST(closing_wakes_both),
        TEST(a_deadline_ends_a_wait),
        TEST(a_wait_that_ends_disarms_its_deadline),
        TEST(an_old_event_finds_nobody),
        TEST(the_nearest_alarm_rings),
        TEST(many_descriptors_find_their_own),
        TEST(a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
