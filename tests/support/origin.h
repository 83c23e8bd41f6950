/*
 * An HTTP server whose every byte the test states. It listens on loopback, gives each accepted
 * connection a thread, and runs the test's function on it: straight-line code that reads what the
 * client sends and sends what the test wants, in the slices that the test wants.
 *
 *     static void serve(struct origin_conn *conn, void *arg)
 *     {
 *         while (origin_read_request(conn)) {
 *             origin_send(conn, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
 *             origin_wait(conn, arg);                                     (a struct gate)
 *             origin_send(conn, BYTES("lo"));
 *         }
 *     }
 *
 *     struct gate go_on = {0};
 *     struct origin *origin = origin_start(&(struct origin_script){.serve = serve, .arg = &go_on});
 *
 *     response = ferry_get(origin_url(origin, "/a"), &err);
 *     …
 *     gate_open(&go_on);
 *     …
 *     assert_string_equal(origin_request(origin, 0).head, "GET /a HTTP/1.1\r\nHost: …\r\n\r\n");
 *     assert_int_equal(origin_counts(origin).accepted, 1);
 *     assert_true(origin_stop(origin));
 *
 * Where the same bytes answer every request, a table will do:
 *
 *     origin = origin_start_reply("HTTP/1.1 204 No Content\r\n\r\n");
 *
 *     static const struct origin_reply replies[] = {
 *         {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
 *         {.bytes = "HTTP/1.1 200 OK\r\n\r\nuntil close", .then = ORIGIN_THEN_CLOSE},
 *         {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", .then = ORIGIN_THEN_RESET},
 *     };
 *     origin = origin_start_replies(replies, 3);
 *
 * It knows nothing of the client under test and runs beside it on threads of its own, which take no
 * signals and never raise SIGPIPE. It asserts nothing: a function that cannot go on says so in its
 * result. Its descriptors and threads do count among the process's own (process.h): a test that counts
 * those first waits, with origin_await_open, for the connections to be gone.
 */
#ifndef SUPPORT_ORIGIN_H
#define SUPPORT_ORIGIN_H

#include "bytes.h"
#include "gate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct origin;
struct origin_conn;

/* ---- Starting and stopping: any thread ---- */

enum origin_family {
    ORIGIN_IPV4, /* 127.0.0.1 */
    ORIGIN_IPV6, /* [::1], and only that */
    ORIGIN_UNIX, /* a socket file in a directory of its own */
};

struct origin_script {
    /* Runs for every accepted connection on a thread of its own, with about 1 MiB of stack. When it
       returns, the connection is closed. */
    void (*serve)(struct origin_conn *conn, void *arg);
    void *arg;
    enum origin_family family;
    int port;           /* 0: a free one */
    int backlog;        /* 0: 4096 */
    int receive_buffer; /* SO_RCVBUF of the connections, so that a client's writes block; 0: as is */
    struct gate *accept_gate; /* nothing is accepted before this opens; NULL: at once */
};

/* NULL: errno says why. The script is copied, what it points to is not. */
struct origin *origin_start(const struct origin_script *script);

/* What becomes of the connection once a reply is sent. */
enum origin_then {
    ORIGIN_THEN_KEEP,  /* it serves the next request */
    ORIGIN_THEN_CLOSE, /* it is closed */
    ORIGIN_THEN_RESET, /* it is reset, after the client's side has received the reply */
    ORIGIN_THEN_HOLD,  /* it stays open, but answers nothing more, until the client closes it */
};

struct origin_reply {
    const char *bytes;
    size_t len; /* 0: up to the NUL */
    enum origin_then then;
};

/* Every request, whatever the connection, gets the table's next reply; the last one repeats. A request's
   body is read first. The table must stay until the origin is stopped. */
struct origin *origin_start_replies(const struct origin_reply *replies, size_t count);

/* Every request gets these bytes, which are copied, on a connection that stays open. */
struct origin *origin_start_reply(const char *bytes);

/* Ends every connection and every wait in a serve function, joins all threads and frees everything,
   strings that came from it included. False: a serve function was still running ten seconds later; its
   memory is left to it. NULL is fine. */
bool origin_stop(struct origin *origin);

/* ---- Where it is: any thread; strings are valid until origin_stop ---- */

/* "http://127.0.0.1:port" and the path (which starts with "/"); for a Unix socket "http://localhost". */
const char *origin_url(struct origin *origin, const char *path);

const char *origin_host(const struct origin *origin); /* "127.0.0.1:port", as in a Host field */
int origin_port(const struct origin *origin);         /* 0 for a Unix socket */
const char *origin_socket_path(const struct origin *origin); /* NULL unless a Unix socket */

/* ---- What it has seen: any thread ---- */

struct origin_counts {
    unsigned accepted; /* connections since the start */
    unsigned open;     /* connections whose end here is not closed yet */
    unsigned peak;     /* most open at once */
    unsigned requests; /* request heads read */
};

struct origin_counts origin_counts(const struct origin *origin);

/* Wait until there are at least that many (await_open: just that many). False: not within timeout_ms.
   They block the whole thread. Connections count as open until serve has seen their end. */
bool origin_await_accepted(const struct origin *origin, unsigned count, int timeout_ms);
bool origin_await_requests(const struct origin *origin, unsigned count, int timeout_ms);
bool origin_await_open(const struct origin *origin, unsigned count, int timeout_ms);

/* A request as it was read. The strings have a NUL behind their length and last until origin_stop. */
struct origin_request {
    unsigned
        connection;   /* its serial number: 1 is the first accepted; 0: there is no such request */
    unsigned number;  /* which request on its connection: 1 is the first */
    const char *head; /* as it came, up to and including the empty line */
    size_t head_len;
    const char *body; /* without chunk framing; NULL as long as it was not read */
    size_t body_len;
    const char *raw_body; /* as it came: chunk sizes and trailers included */
    size_t raw_body_len;
    bool complete; /* the body was read to its end */
};

/* The requests of all connections in the order in which their heads were read, from 0 on. */
struct origin_request origin_request(const struct origin *origin, size_t index);

/* The first MiB of what came in on a connection, byte for byte, whether a function asked for it or not;
   NULL if there is no such connection. To be freed. */
char *origin_received(const struct origin *origin, unsigned connection, size_t *len);

/* ---- For serve, on its own thread: the connection ---- */

unsigned origin_conn_serial(const struct origin_conn *conn); /* 1 is the first accepted */
int origin_conn_peer_port(
    const struct origin_conn *conn);                /* the client's port; 0 for a Unix socket */
int origin_conn_fd(const struct origin_conn *conn); /* -1 once closed */

/* The request whose head was read last. */
struct origin_request origin_conn_request(const struct origin_conn *conn);

/* ---- For serve: reading ---- */

/* Reads up to and including the empty line into buf, with a NUL behind it. Returns the length; 0 if the
   client closed before a first byte; -1 if it closed or reset later, or if size does not do. */
ssize_t origin_read_head(struct origin_conn *conn, char *buf, size_t size);

/* Reads the body that the last head announced, by Content-Length or chunked; what came is in
   origin_conn_request. Returns its length without framing, 0 without a body, -1 if it was cut short or
   its chunks are wrong. */
ssize_t origin_read_body(struct origin_conn *conn);

/* Head and body. False: there is no further (whole) request. */
bool origin_read_request(struct origin_conn *conn);

/* True if that many bytes came. buf NULL: they are dropped. */
bool origin_read_exact(struct origin_conn *conn, void *buf, size_t len);

/* Reads what there is, at least a byte, at most size. 0: the client closed; -1: it reset. */
ssize_t origin_read_some(struct origin_conn *conn, void *buf, size_t size);

/* How the client's side of the connection has ended. */
enum origin_end {
    ORIGIN_NOT_ENDED, /* not within the time */
    ORIGIN_EOF,       /* it was closed, or shut down for writing */
    ORIGIN_RESET,     /* it was reset */
};

/* Reads on and drops what comes, until the end. timeout_ms -1: no limit. */
enum origin_end origin_wait_eof(struct origin_conn *conn, int timeout_ms);

/* ---- For serve: sending. False: the client is gone, or the origin is being stopped ---- */

bool origin_send(struct origin_conn *conn, const void *data, size_t len);
bool origin_send_text(struct origin_conn *conn, const char *text);
bool origin_sendf(struct origin_conn *conn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* len bytes of the pattern of bytes.h, from its start. */
bool origin_send_pattern(struct origin_conn *conn, uint64_t len);

/* Sends the data cut at the given offsets (ascending, 0 < cut < len; others are passed over): each
   slice leaves when the client has read what came before it and is out of that read, so that it
   comes out of a read of its own. That holds however loaded the machine is, but for two cases. A
   client that does not read a slice gets the rest in one, after ten seconds or, on a slow machine,
   more. And where the kernel does not tell of other sockets (no netlink), a slice over TCP only
   leaves a millisecond after the one before.
   origin_send_slices(conn, BYTES("HTTP/1.1 200 OK\r\n\r\n"), ORIGIN_CUTS(4, 9)) */
bool origin_send_slices(struct origin_conn *conn, const void *data, size_t len, const size_t *cuts,
                        size_t count);
#define ORIGIN_CUTS(...) \
    (const size_t[]){__VA_ARGS__}, (sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t))

/* Slices of one byte each. */
bool origin_send_slowly(struct origin_conn *conn, const void *data, size_t len);

/* Waits until the client has read everything that was sent. False: it has not, or it is gone. */
bool origin_wait_read(struct origin_conn *conn, int timeout_ms);

/* ---- For serve: waiting and ending ---- */

/* Waits for the gate to open. False: the origin is being stopped. */
bool origin_wait(struct origin_conn *conn, struct gate *gate);

/* Lets time pass. False: the origin is being stopped. */
bool origin_sleep(struct origin_conn *conn, int ms);

/* Says that nothing more will be sent; reading goes on. */
void origin_shutdown_write(struct origin_conn *conn);

/* Closes. As with any close, bytes from the client that were not read by then turn it into a reset. */
void origin_close(struct origin_conn *conn);

/* Sends a reset (RST), once what was sent before has reached the client's side. On a Unix socket the
   client sees a close, or a reset if it had sent bytes that were not read. */
void origin_reset(struct origin_conn *conn);

#endif
