/*
 * Pairs of tasks that play ping-pong over a socket pair, and sleepers. Each message has a length of
 * its own and its sum is checked, so that a byte which was lost or read twice shows.
 */
#include "traffic.h"

#include "checked.h"

#include <errno.h>
#include <unistd.h>

#include "task/clock.h"
#include "task/io.h"

#define PAIRS 5
#define SLEEPERS 10
#define ROUNDS 40

static int over;

/* One side of a pair. */
struct side {
    int fd;
    bool serves; /* begins the game */
};

static struct side sides[PAIRS][2];

static void read_all(struct fy_io *io, unsigned char *bytes, size_t length)
{
    for (size_t have = 0; have < length;) {
        ssize_t got = read(io->fd, bytes + have, length - have);
        if (got > 0) {
            have += (size_t)got;
        } else if (!CHECK(got < 0 && errno == EAGAIN)) {
            return;
        } else {
            fy_io_drained(io);
            CHECK_INT(fy_io_wait_readable(io, FY_NEVER, "reading"), FY_IO_READY);
        }
    }
}

static void write_all(struct fy_io *io, const unsigned char *bytes, size_t length)
{
    for (size_t have = 0; have < length;) {
        ssize_t put = write(io->fd, bytes + have, length - have);
        if (put > 0) {
            have += (size_t)put;
        } else if (!CHECK(put < 0 && errno == EAGAIN)) {
            return;
        } else {
            fy_io_filled(io);
            CHECK_INT(fy_io_wait_writable(io, FY_NEVER, "writing"), FY_IO_READY);
        }
    }
}

/* Messages are larger than this, so that they come in parts. */
#define PART 1000

static unsigned char message_byte(int round, size_t offset)
{
    return (unsigned char)(offset * 5 + (size_t)round);
}

static void send_message(struct fy_io *io, int round, size_t length)
{
    unsigned char part[PART];
    for (size_t sent = 0; sent < length; sent += PART) {
        size_t bytes = length - sent < PART ? length - sent : PART;
        for (size_t i = 0; i < bytes; i++) {
            part[i] = message_byte(round, sent + i);
        }
        write_all(io, part, bytes);
    }
}

static void receive_message(struct fy_io *io, int round, size_t length)
{
    unsigned char part[PART];
    for (size_t got = 0; got < length; got += PART) {
        size_t bytes = length - got < PART ? length - got : PART;
        read_all(io, part, bytes);
        for (size_t i = 0; i < bytes; i++) {
            if (!CHECK_INT(part[i], message_byte(round, got + i))) {
                return;
            }
        }
    }
}

static void play(void *arg)
{
    static const size_t lengths[] = {1, 1000, 7, 300000};
    struct side *side = arg;
    struct fy_io io;
    check_enter();
    CHECK_INT(fy_io_open(&io, side->fd), 0);
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = lengths[round % 4];
        if ((round % 2 == 0) == side->serves) {
            send_message(&io, round, length);
        } else {
            receive_message(&io, round, length);
        }
        if (round % 8 == 0) {
            fy_leave();
            ferry_sleep(1);
            check_enter();
        }
    }
    fy_io_close(&io);
    fy_leave();
    over++;
}

static void sleep_several_times(void *arg)
{
    for (int i = 0; i < 3; i++) {
        ferry_sleep((int64_t)(intptr_t)arg);
    }
    over++;
}

int traffic_start(void)
{
    over = 0;
    for (int i = 0; i < PAIRS; i++) {
        int ends[2];
        check_socketpair(ends);
        for (int end = 0; end < 2; end++) {
            sides[i][end] = (struct side){.fd = ends[end], .serves = end == 0};
            CHECK_INT(ferry_go(play, &sides[i][end]), 0);
        }
    }
    for (intptr_t i = 0; i < SLEEPERS; i++) {
        CHECK_INT(ferry_go(sleep_several_times, (void *)i), 0);
    }
    return PAIRS * 2 + SLEEPERS;
}

int traffic_over(void)
{
    return over;
}
