/*
 * ferry.h: the whole public interface of ferry, an HTTP client library for C.
 *
 * The model is the client of Go's net/http. A client sends requests through a transport; the
 * transport keeps a pool of persistent connections; each connection has a read loop and a write
 * loop, each a light task of its own. Calls block in plain style: on an ordinary thread, and
 * equally in any number of light tasks started with ferry_go(), where a call that has to wait parks
 * its task and lets another run.
 *
 * Conventions that hold for every function here:
 *
 *   Threads    Every function may be called from any thread and from any task, except where its
 *              comment narrows that. Clients, transports, contexts and groups are free to share
 *              between threads. A request and a response are used by one caller at a time. A
 *              response is read on the thread that opened it; it may be closed from any thread,
 *              and while another task reads it.
 *   fork       The child of a fork starts clean: no connections, no open responses on the ledger, of
 *              tasks the one that forked, with its thread. It neither uses nor harms the parent's.
 *              Clients, transports, cookie jars and the like are there and can be used; counters
 *              go on from where they were. A response that was open is the parent's: reading it is
 *              FERRY_ETHREAD, closing it frees it. Not to be called in a signal handler.
 *   Time       All durations are milliseconds in an int64_t. In options 0 means the documented
 *              default, and -1 means none.
 *   Errors     A call that can fail takes a ferry_error owned by the caller, filled only on
 *              failure; NULL if only success matters. Nothing is printed, no global is set, no
 *              signal is raised (SIGPIPE included). Out of memory is an error like any other.
 *   Ownership  What ferry_get() and its kin, ferry_client_do() and a function named ..._new return
 *              belongs to the caller, who gives it to the function named in the comment. Strings
 *              returned belong to the object they came from, and last as long as it does.
 *   NULL       No function minds being given NULL. Where its comment gives that no meaning (a default,
 *              none, not wanted): what frees, closes, clears or sets does nothing, and a setter that
 *              can refuse returns -1; what asks is told that there is nothing, which is 0, NULL or "",
 *              and -1 of lengths and times; what can fail fails, where it fills an error with
 *              FERRY_EINVAL, or FERRY_EURL for a URL.
 *   Callbacks  Functions given to ferry run on the thread of the request they serve, inside a task:
 *              they may call ferry, block in ferry, and should not block in anything else for long.
 *              Their stack is a task's, 256 KiB at most and often 64 KiB: large buffers belong on
 *              the heap. They return: no longjmp() and no C++ exception may leave them. (A C++
 *              handler may well wait in ferry, while other tasks throw and catch; not where the
 *              C++ runtime is linked into a plugin itself, as by -static-libstdc++.)
 *   Unloading  A program that dlopen()s something that uses ferry may dlclose() that: the library
 *              stays, since it has a thread of its own and others end in it. So must what has the
 *              static library in it: link that with -Wl,-z,nodelete (CMake's ferry::ferry-static and
 *              pkg-config --static do).
 *
 * C11, and C++11 or later. Link with -lferry (pkg-config name: ferry; CMake: ferry::ferry).
 */
#ifndef FERRY_H
#define FERRY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header; ferry_version() is that of the library in use. */
#define FERRY_VERSION_MAJOR 0
#define FERRY_VERSION_MINOR 2
#define FERRY_VERSION_PATCH 0
#define FERRY_VERSION "0.2.0"

#if defined(__GNUC__) || defined(__clang__)
#define FERRY_API __attribute__((visibility("default")))
#define FERRY_MUST_USE __attribute__((warn_unused_result))
#else
#define FERRY_API
#define FERRY_MUST_USE
#endif

/* Tells GCC's -fanalyzer which call gives back what a function returned, so that a response that is
 * never closed is reported when the program is compiled. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11 && !defined(__cplusplus)
#define FERRY_CLOSED_BY(fn) __attribute__((malloc(fn, 1)))
#else
#define FERRY_CLOSED_BY(fn)
#endif

typedef struct ferry_request ferry_request;
typedef struct ferry_response ferry_response;
typedef struct ferry_client ferry_client;
typedef struct ferry_transport ferry_transport;
typedef struct ferry_context ferry_context;
typedef struct ferry_group ferry_group;

/* A name and a value. */
typedef struct ferry_field {
    const char *name;
    const char *value;
} ferry_field;

/* --------------------------------------------------------------------------------------- errors */

/* What went wrong, for a switch. The numbers are stable; new ones are added at the end. */
enum ferry_error_code {
    FERRY_OK = 0,
    FERRY_EINVAL = 1,         /* an argument or a setter was given something it cannot take */
    FERRY_ENOMEM = 2,         /* out of memory, or of descriptors and the like (os_errno) */
    FERRY_EURL = 3,           /* the URL cannot be parsed, or has no host */
    FERRY_ESCHEME = 4,        /* the URL's scheme is not one that this build speaks */
    FERRY_ERESOLVE = 5,       /* the host name has no address, or no name server answered */
    FERRY_ECONNECT = 6,       /* no connection could be made: refused, unreachable, ... */
    FERRY_ETIMEOUT = 7,       /* a deadline, or one of the transport's timeouts, has passed */
    FERRY_ECANCELED = 8,      /* the request's context was cancelled */
    FERRY_EPROTOCOL = 9,      /* the server sent what is not HTTP as RFC 9112 has it */
    FERRY_ETOOBIG = 10,       /* a limit was passed: a response head's, read_all's max, ... */
    FERRY_ETRUNCATED = 11,    /* the connection ended before the response did */
    FERRY_ESERVERCLOSED = 12, /* the server closed the connection without answering */
    FERRY_EREAD = 13,         /* reading from the connection failed (os_errno) */
    FERRY_EWRITE = 14,        /* writing to the connection, or to the caller's file, failed */
    FERRY_EBODY = 15,         /* the request's body failed, fell short, or cannot be rewound */
    FERRY_ECLOSED = 16,       /* the response was closed while it was being read */
    FERRY_EABANDONED = 17,    /* nobody read the response for the transport's abandoned_ms */
    FERRY_ETHREAD = 18,       /* the response was read on a thread, or in a child of the process,
                                 that did not open it */
    FERRY_EUNSUPPORTED = 19,  /* this build, or this response, cannot do that */
    FERRY_ETLS = 20,          /* the TLS handshake failed, or the TLS settings cannot be used */
    FERRY_ECERTIFICATE = 21,  /* the server's certificate was refused; the message says why */
    FERRY_EREDIRECT = 22,     /* redirects went on for too long, or one was refused */
    FERRY_EPROXY = 23         /* the proxy refused, broke its protocol, or cannot be used */
};

/* Owned by the caller, filled only on failure. The message is one sentence, for people:
 *
 *     Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connection refused
 *
 * cut short with "..." where it would not fit, and never with a password in it. */
typedef struct ferry_error {
    int code;          /* enum ferry_error_code; 0 is none */
    int os_errno;      /* the errno behind it, or 0 */
    char message[240]; /* NUL-terminated */
} ferry_error;

/* Returns the name of an error code ("FERRY_ETIMEOUT"), for logs and switches; "FERRY_E?" for a
 * number that is none. The string is static. */
FERRY_API const char *ferry_strerror(int code);

/* Returns the version of the library in use, "0.2.0". The string is static. */
FERRY_API const char *ferry_version(void);

/* ------------------------------------------------------------------------------------ responses */

/* A response is the status line and header fields, already read, and a body still to be read. 4xx
 * and 5xx are responses, not errors. Every response must be closed, always, whether or not its body
 * was read: a response whose body is unread and that nobody closes holds its connection and the
 * connection's two tasks. (A body read to its end has given its connection back already; closing
 * then only frees memory.) */

/* Status code, 100 to 999; 200 for example. RFC 9110 section 15. Interim responses (1xx) are dealt
 * with on the way; the only one that is ever returned is 101. */
FERRY_API int ferry_response_status(const ferry_response *res);

/* Reason phrase as sent, "OK" for example; "" if there was none. RFC 9112 section 4. */
FERRY_API const char *ferry_response_reason(const ferry_response *res);

/* Protocol of the response: "HTTP/1.1" or "HTTP/1.0". */
FERRY_API const char *ferry_response_proto(const ferry_response *res);

/* The URL that this response came from, in normalised form and without a password. */
FERRY_API const char *ferry_response_url(const ferry_response *res);

/* Where the response's Location field leads to, resolved against its own URL (RFC 9110
 * section 10.2.2): absolute, normalised, without user and password. From malloc(); the caller frees
 * it. NULL on error: FERRY_EUNSUPPORTED when there is no such field, FERRY_EURL when it is no URL.
 * A response that came from no URL (ferry_response_new()) gives the field as it is. */
FERRY_API FERRY_MUST_USE char *ferry_response_location(const ferry_response *res, ferry_error *err);

/* Whether the transport decodes the body (gzip, deflate, br, zstd). It does if it has asked for
 * that itself, which it does unless the request has an Accept-Encoding or Range field of its own,
 * is a HEAD, or the transport's disable_compression is set. The fields Content-Encoding and
 * Content-Length are then gone, and the length is unknown. */
FERRY_API int ferry_response_decoded(const ferry_response *res);

/* Body bytes as announced by Content-Length; -1 if unknown (chunked, decoded, or until the
 * connection closes). In the response to HEAD, and in a 304, it is the announced length although no
 * body follows. */
FERRY_API int64_t ferry_response_length(const ferry_response *res);

/* First value of a header field, whose name is compared without case; NULL if there is none. */
FERRY_API const char *ferry_response_header(const ferry_response *res, const char *name);

/* Number of header fields; repeated fields count each time. */
FERRY_API size_t ferry_response_header_count(const ferry_response *res);

/* The i-th header field (from 0 on) in the order and spelling in which it arrived. Past the end
 * both are set to NULL. Either pointer may be NULL. */
FERRY_API void ferry_response_header_at(const ferry_response *res, size_t i, const char **name,
                                        const char **value);

/* Fills *info with what was agreed on the TLS connection that brought the response, even if that is
 * closed by now, and returns 1; 0, and all is zero or NULL, when it was no TLS connection. The
 * caller sets info->size (FERRY_TLS_INFO_INIT); info NULL: only asks. The strings last as long as
 * the response. */
typedef struct ferry_tls_info ferry_tls_info;
FERRY_API int ferry_response_tls(const ferry_response *res, ferry_tls_info *info);

/* First value of a trailer field (RFC 9110 section 6.5); NULL until a read of the body has returned
 * 0, and if there is none of that name. Fields that mean something to whoever reads the head do not
 * belong there (framing, routing, decoding and the like, section 6.5.1) and are dropped. */
FERRY_API const char *ferry_response_trailer(const ferry_response *res, const char *name);

/* Number of trailer fields: those that have come, repeated ones counted each time, and the names
 * that the head's Trailer field announces (section 6.6.2) and that have not, or not yet. That field is
 * not among the header fields of a chunked response. Of names no more are noted than may come, which
 * is the transport's max_header_fields. */
FERRY_API size_t ferry_response_trailer_count(const ferry_response *res);

/* The i-th of them (from 0 on): first those that have come, in order; then, with the value NULL,
 * the others that were announced. Until a read of the body has returned 0 that is all of them. Past
 * the end both are set to NULL. Either pointer may be NULL. */
FERRY_API void ferry_response_trailer_at(const ferry_response *res, size_t i, const char **name,
                                         const char **value);

/* Closes the response and frees it. NULL is fine. From any thread.
 *
 * A body that was not read to its end decides here what becomes of the connection. If the rest may
 * end within the transport's drain_bytes, and the connection could be kept then, what has already
 * arrived is consumed at once. With the end among it, the connection is in the pool when this
 * returns; else the connection's read loop reads on after this has returned, for up to drain_ms.
 * (Meanwhile a request to its host that finds no idle connection waits up to 5 ms for it before it
 * dials.) If not, the connection is closed, and its socket and both its tasks are gone when this
 * returns.
 *
 * Never waits for the server. It may wait, up to 50 ms, for a request that is still being written
 * although its response has ended.
 *
 * From a thread other than the response's, what has to happen is left to that one: at once if it
 * waits in ferry, else when it next does, or within a second, by the monitor (but that one calls no
 * function of the program's: where there is one to be called, a trace's or a body's, it is left to
 * the thread). A task that is reading the response meanwhile gets FERRY_ECLOSED. */
FERRY_API void ferry_response_close(ferry_response *res);

/* Reads up to len bytes of the body into buf and returns as soon as there are some: >0 bytes, 0 at
 * the end (again and again), -1 on error. A body that ends too soon is an error (FERRY_ETRUNCATED),
 * never a clean end. After an error every further read returns the same one.
 *
 * The end of a body of known length, and of a chunked one whose last chunk is already there, is
 * noticed with its last byte; that of a decoded one likewise, if what ends it on the wire comes
 * within 50 ms of its last byte. After the call that noticed it the connection is in the pool, or
 * closed if it could not be kept.
 *
 * On the thread that opened the response (else FERRY_ETHREAD). */
FERRY_API FERRY_MUST_USE ssize_t ferry_response_read(ferry_response *res, void *buf, size_t len,
                                                     ferry_error *err);

/* Reads the rest of the body. Returns a buffer from malloc(), NUL-terminated, its length without
 * the NUL in *len (len may be NULL); the caller frees it. A body of more than max bytes is
 * FERRY_ETOOBIG. NULL on error; what had been read by then is lost. Does not close. On the thread
 * that opened the response. */
FERRY_API FERRY_MUST_USE char *ferry_response_read_all(ferry_response *res, size_t max, size_t *len,
                                                       ferry_error *err);

/* Writes the rest of the body to a descriptor. Returns the bytes written, -1 on error. Does not
 * close. A descriptor that takes no more makes the whole thread wait, other tasks included, whether
 * it is a non-blocking one or not. On the thread that opened the response. */
FERRY_API int64_t ferry_response_save(ferry_response *res, int fd, ferry_error *err);

/* Writes to the server on a connection that has left HTTP behind (status 101, RFC 9110 section 7.8;
 * 2xx to CONNECT, section 9.3.6): the response's reads and writes are then the two directions of a
 * raw stream. Writes all len bytes and returns len, or -1; FERRY_EUNSUPPORTED for every other
 * response. One task may read while another writes. On the thread that opened the response. */
FERRY_API ssize_t ferry_response_write(ferry_response *res, const void *buf, size_t len,
                                       ferry_error *err);

/* Makes a response without a connection, for what stands in a transport's place
 * (ferry_round_tripper): a mock, a cache. The body is copied; body may be NULL when len is 0. NULL
 * when out of memory or the status is not 100 to 999. It is in the ledger like any other: give it
 * to whoever asked, or to ferry_response_close(). */
FERRY_API FERRY_CLOSED_BY(ferry_response_close) ferry_response *ferry_response_new(int status,
                                                                                   const void *body,
                                                                                   size_t len);

/* Appends a header field to a response made by ferry_response_new(). 0, or -1 for a name or value
 * that is not allowed (RFC 9110 section 5) or out of memory. */
FERRY_API int ferry_response_add_header(ferry_response *res, const char *name, const char *value);

/* ------------------------------------------------------------------------------- one-line calls */

/* One request each on the default client (ferry_default_client()). They return a response to be
 * closed with ferry_response_close(), or NULL. They are macros, which record the caller's file and
 * line for the ledger; (ferry_get)(...) is the plain function. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_get(const char *url, ferry_error *err);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_head(const char *url, ferry_error *err);
/* The body is borrowed until the call returns, and is sent with its Content-Length; content_type
 * NULL: no such field. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close) ferry_response *ferry_post(
    const char *url, const char *content_type, const void *body, size_t len, ferry_error *err);

/* ------------------------------------------------------------------------------------- requests */

/* A request is made, set up, sent as often as you like (one send at a time), and freed. Bodies and
 * the context are borrowed until then. Setters return 0, or -1 when they refuse; the first refusal
 * is also remembered and reported by every send, so that a chain of setters needs no checks. They
 * refuse NULL, too, and a send of NULL is FERRY_EINVAL; why there is no request is told by
 * ferry_request_new() alone. */

/* Makes a request. method is any token ("GET"; case matters, RFC 9110 section 9.1); NULL or ""
 * means GET. url is absolute; what people type (spaces, non-ASCII letters) is percent-encoded, a
 * name beyond ASCII becomes its IDNA form, and user:password@ becomes Basic credentials (RFC 7617);
 * the whole of that is 64 KiB at most. NULL on error: FERRY_EINVAL for the method, FERRY_EURL for
 * the URL, FERRY_EUNSUPPORTED for a name beyond ASCII in a build without IDN. The scheme is looked
 * at by the send. Give it to ferry_request_free(). */
FERRY_API FERRY_MUST_USE ferry_request *ferry_request_new(const char *method, const char *url,
                                                          ferry_error *err);

/* Frees a request; NULL is fine. Not while it is being sent. Responses it has brought are not
 * touched by it. A response may come before its request is written whole: then this waits until the
 * writing has ended, as do the setters of bodies and the next send. */
FERRY_API void ferry_request_free(ferry_request *req);

/* What the request was made with; for round trippers, signatures and logs. The URL is in normalised
 * form, without user, password and fragment. Unless ferry_request_set_target() says otherwise, what
 * stands in it between the scheme's "//" and the path is the Host field (which has no zone of an
 * address), and the rest the request target, as the server gets them. */
FERRY_API const char *ferry_request_method(const ferry_request *req);
FERRY_API const char *ferry_request_url(const ferry_request *req);

/* First value of a header field set on the request, NULL if none. Valid until the next setter. While a
 * client sends it, User-Agent is the client's if the request has none and has not removed it: what a
 * transport would write. */
FERRY_API const char *ferry_request_header(const ferry_request *req, const char *name);

/* Bytes of the request's body; 0: none; -1: unknown, from a reader. */
FERRY_API int64_t ferry_request_body_length(const ferry_request *req);

/* For round trippers: reads the body as it would be sent, up to len bytes into buf: >0 bytes, 0 at
 * its end, -1 on error (FERRY_EBODY). Each round trip begins at the body's beginning, for which a
 * reader that has been read is rewound; when it cannot be, that is an error. So a body that has
 * been read here is still sent whole by a transport that the request is then given to, under the
 * same condition. */
FERRY_API FERRY_MUST_USE ssize_t ferry_request_read_body(ferry_request *req, void *buf, size_t len,
                                                         ferry_error *err);

/* For round trippers: milliseconds left of the send's time, by the nearest of the client's timeout,
 * the request's and its context's; 0: it is over, or cancelled; -1: no limit. */
FERRY_API int64_t ferry_request_time_left(const ferry_request *req);

/* For round trippers: sleeps as ferry_sleep() does (-1: without end), but no longer than the
 * request lives: 0, or -1 when it has been cancelled or its time is over (FERRY_ECANCELED,
 * FERRY_ETIMEOUT). With 0 it only asks. On the request's task. */
FERRY_API int ferry_request_sleep(ferry_request *req, int64_t ms, ferry_error *err);

/* Sets a header field, replacing all of that name; a NULL value removes them, and for a field that
 * ferry would add by itself (User-Agent, and Authorization from the URL's user) keeps it from being
 * sent. "Host" overrides the URL's, and takes a host and a port, nothing behind them. "close" in
 * "Connection" is as ferry_request_set_close(). Content-Length, Transfer-Encoding and Trailer are
 * ferry's to write: they follow from the body and its trailers, and are refused. So are names that
 * are no token and values with control bytes, CR, LF and NUL among them (RFC 9110 section 5).
 * Blanks around a value are dropped. */
FERRY_API int ferry_request_set_header(ferry_request *req, const char *name, const char *value);

/* Adds a header field after those of the same name. Order is kept on the wire. */
FERRY_API int ferry_request_add_header(ferry_request *req, const char *name, const char *value);

/* Body from memory, sent with Content-Length and in one write with the head. Borrowed until the
 * request is freed or given another body, which then waits as ferry_request_free() does. data may
 * be NULL when len is 0. */
FERRY_API int ferry_request_set_body(ferry_request *req, const void *data, size_t len);

/* Body from a file, len bytes from offset (len -1: to its end as it is now), sent by sendfile where
 * the system can. The descriptor's own position is not used. Refused for what is not a regular
 * file, which is what the next function is for. Borrowed likewise. */
FERRY_API int ferry_request_set_body_fd(ferry_request *req, int fd, int64_t offset, int64_t len);

/* Gives the next bytes of a body: up to len of them into buf; returns how many, 0 at the end, -1 on
 * error (errno, if set, becomes the error's os_errno). */
typedef ssize_t (*ferry_read_fn)(void *arg, void *buf, size_t len);

/* Body from a function. len -1: unknown, sent chunked (RFC 9112 section 7.1), each piece at once as
 * read returns it; otherwise exactly len bytes are asked for, and fewer are FERRY_EBODY. rewind
 * starts the body again from its beginning (0 on success) when the request has to be sent again;
 * NULL: it cannot be. read runs on the request's thread. It is not called any more once a send has
 * returned an error; after one that returned a response, which may come before the request is
 * written whole, not once the request has been freed. */
FERRY_API int ferry_request_set_body_reader(ferry_request *req, ferry_read_fn read,
                                            int (*rewind)(void *arg), void *arg, int64_t len);

/* Sets a trailer field: one that goes out behind the body (RFC 9110 section 6.5), for what is only
 * known then, such as a checksum. It replaces the one of that name; value NULL: the value comes
 * later. The names are announced in the head's Trailer field, so each has to be set before the
 * send; the values may be set until the body has ended, from inside its reader too (before that
 * returns 0, or the last byte of a known length). One without a value by then is announced and not
 * sent. The body goes out chunked (RFC 9112 section 7.1.2), also where its length is known.
 *
 * All stay for the next send: a reader that is rewound sets its values again. name NULL: removes
 * them all. Refused: a name that is no token, a field that means something to whoever reads the
 * head (framing, routing, credentials, conditions, the content's type or coding: section 6.5.1), a
 * value with control bytes, a name that comes too late to be announced; when the reader is the one
 * who sets it, this send fails too (FERRY_EBODY). A CONNECT request has no trailers. */
FERRY_API int ferry_request_set_trailer(ferry_request *req, const char *name, const char *value);

/* Value of a trailer field; NULL if there is none of that name, or its value is not known yet.
 * Valid until the next setter. */
FERRY_API const char *ferry_request_trailer(const ferry_request *req, const char *name);

/* Called once when ferry is done with the body of a send, if only an empty one: written, failed or
 * not needed; for readers that hold something. A body that is rewound and sent again still gets one
 * call. So does one whose reader still waits when its thread ends, after the response has come: it
 * does not go on then. NULL: none. */
FERRY_API void ferry_request_set_body_done(ferry_request *req, void (*done)(void *arg), void *arg);

/* Deadline for everything from the send on: waiting for a connection (max_per_host), redirects, waits
 * before retries, and reading the body included; 0: none. */
FERRY_API void ferry_request_set_timeout(ferry_request *req, int64_t ms);

/* With close true: "Connection: close" is sent and the connection is not kept (RFC 9112
 * section 9.6). */
FERRY_API void ferry_request_set_close(ferry_request *req, int close);

/* Sets the request target as it stands in the request line (RFC 9112 section 3.2), verbatim: "*"
 * for OPTIONS, "host:port" for CONNECT, or a path that must not be touched. Refused if it is empty
 * or has a space or a control byte in it. NULL: from the URL. */
FERRY_API int ferry_request_set_target(ferry_request *req, const char *target);

/* With yes true the request says HTTP/1.0 of itself (RFC 1945), for servers that do badly with 1.1. A
 * body of unknown length, or with trailers, then cannot be sent (FERRY_EINVAL from the send), an
 * "Expect: 100-continue" is not waited for, and the connection is kept only if the server says
 * "keep-alive". */
FERRY_API void ferry_request_set_http_1_0(ferry_request *req, int yes);

/* With yes true the response's body is read as it is on the wire: chunk sizes and trailer section of a
 * chunked one (RFC 9112 section 7.1) stand in it, and no content coding is taken off. Where it ends is
 * found as always. */
FERRY_API void ferry_request_set_raw_body(ferry_request *req, int yes);

/* Cancels or ends the request, its body's reading included, with the context. Borrowed; NULL:
 * none. */
FERRY_API void ferry_request_set_context(ferry_request *req, ferry_context *context);

/* Sets Basic credentials (RFC 7617) in the Authorization field. password NULL: ""; user NULL
 * removes the field, and then the URL's are not sent either. A user with a colon in it is refused.
 */
FERRY_API int ferry_request_set_basic_auth(ferry_request *req, const char *user,
                                           const char *password);

/* Sets a Bearer token (RFC 6750) in the Authorization field; NULL removes it. */
FERRY_API int ferry_request_set_bearer(ferry_request *req, const char *token);

/* Adds a cookie to the request's one Cookie field. A name that is no token is refused, and so is a
 * value with control bytes, quotes, semicolons, backslashes or bytes beyond ASCII; one with spaces
 * or commas is put in quotes. */
FERRY_API int ferry_request_add_cookie(ferry_request *req, const char *name, const char *value);

/* -------------------------------------------------------------------------------------- cookies */

/* A jar keeps the cookies that servers set, and gives each request those that are for it, as
 * RFC 6265bis has it: a client with a cookie_jar does both by itself. Free to share between clients
 * and threads. Kept: 180 cookies for a domain, 3000 in all, 4096 bytes for a name and its value and
 * as many for a path; the ones not used for longest go first. Cookies for a whole public suffix
 * ("co.uk") are refused by the list of libpsl; a build without it only refuses those for names
 * without a dot. */
typedef struct ferry_cookie_jar ferry_cookie_jar;

/* Frees a jar, which no client may use any more. NULL is fine. */
FERRY_API void ferry_cookie_jar_free(ferry_cookie_jar *jar);

/* Makes an empty jar; NULL when out of memory. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_cookie_jar_free)
    ferry_cookie_jar *ferry_cookie_jar_new(void);

/* Adds the cookies of a file in the Netscape format. Lines that are no cookies, that have expired,
 * or that no server could have set, are passed over. 0, or -1. */
FERRY_API int ferry_cookie_jar_load(ferry_cookie_jar *jar, const char *path, ferry_error *err);

/* Writes a file in the Netscape format, session cookies included, readable by its owner only; a
 * file that is there is replaced at once or not at all, a device or a pipe is written to. (SameSite
 * has no place in the format.) 0, or -1. */
FERRY_API int ferry_cookie_jar_save(ferry_cookie_jar *jar, const char *path, ferry_error *err);

/* Does what a Set-Cookie field with this value does in a response from the URL: stores, replaces,
 * or, when it has expired already, removes. 0, or -1 with the reason for which it is refused. */
FERRY_API int ferry_cookie_jar_set(ferry_cookie_jar *jar, const char *url, const char *set_cookie,
                                   ferry_error *err);

/* Returns what the Cookie field of a request to the URL would be ("a=1; b=2"; "": none goes with
 * it), from malloc(); the caller frees it. NULL on error. */
FERRY_API FERRY_MUST_USE char *ferry_cookie_jar_get(ferry_cookie_jar *jar, const char *url,
                                                    ferry_error *err);

/* Drops all cookies. */
FERRY_API void ferry_cookie_jar_clear(ferry_cookie_jar *jar);

/* How many cookies there are that have not expired. */
FERRY_API size_t ferry_cookie_jar_count(ferry_cookie_jar *jar);

/* A cookie as it is shown. The strings are valid during the call. */
typedef struct ferry_cookie {
    size_t size;        /* sizeof(ferry_cookie) */
    const char *name;   /* "" for a cookie without one */
    const char *value;  /* without the quotes around it, if there were any */
    const char *domain; /* "example.org" */
    const char *path;   /* "/" */
    int64_t expires;    /* seconds since 1970; 0: with the session */
    int host_only;      /* not for the hosts inside the domain */
    int secure;
    int http_only;
    int same_site; /* enum ferry_same_site: kept, not acted upon, since there are no sites here */
} ferry_cookie;

enum ferry_same_site {
    FERRY_SAME_SITE_UNSET = 0,
    FERRY_SAME_SITE_NONE = 1,
    FERRY_SAME_SITE_LAX = 2,
    FERRY_SAME_SITE_STRICT = 3
};

/* Calls fn for every cookie that has not expired, oldest first, with the jar locked: fn may not use
 * the jar. 0, or -1 when out of memory. */
typedef void (*ferry_cookie_fn)(void *arg, const ferry_cookie *cookie);
FERRY_API int ferry_cookie_jar_each(ferry_cookie_jar *jar, ferry_cookie_fn fn, void *arg);

/* ----------------------------------------------------------------------------------------- HSTS */

/* HTTP Strict Transport Security (RFC 6797): a store of the hosts that have said, over https, that
 * they want to be spoken to by https only. A client with a store (its hsts option) sends what is
 * for such a host over https from the start, before anything is dialed: port 80 becomes 443, any
 * other stays; so do the URLs that redirects lead to. It learns from the Strict-Transport-Security
 * fields of responses: the first one only, of https whose certificate was verified, never for an IP
 * address; what is malformed is ignored. Free to share between clients and threads. Kept: 10,000
 * hosts; the one not heard of for longest goes first. */
typedef struct ferry_hsts ferry_hsts;

/* Frees a store, which no client may use any more. NULL is fine. */
FERRY_API void ferry_hsts_free(ferry_hsts *hsts);

/* Makes an empty store; NULL when out of memory. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_hsts_free) ferry_hsts *ferry_hsts_new(void);

/* Adds the hosts of a file in curl's format (.example.org "20271231 23:59:59"); of two times for a
 * host the later one counts. Lines that are none, and hosts whose time is over, are passed over. 0,
 * or -1. */
FERRY_API int ferry_hsts_load(ferry_hsts *hsts, const char *path, ferry_error *err);

/* Writes a file in curl's format, readable by its owner only; a file that is there is replaced at
 * once or not at all, a device or a pipe is written to. 0, or -1. */
FERRY_API int ferry_hsts_save(ferry_hsts *hsts, const char *path, ferry_error *err);

/* Does what a Strict-Transport-Security field with this value does in a response from the https
 * URL: "max-age=31536000; includeSubDomains" adds its host, "max-age=0" removes it. 0, or -1 with
 * the reason for which it is ignored. */
FERRY_API int ferry_hsts_set(ferry_hsts *hsts, const char *url, const char *field,
                             ferry_error *err);

/* Whether http URLs of the host go over https: it is in the store, or inside a host that is there
 * with its subdomains. */
FERRY_API int ferry_hsts_has(ferry_hsts *hsts, const char *host);

/* Drops all hosts. */
FERRY_API void ferry_hsts_clear(ferry_hsts *hsts);

/* How many hosts there are whose time is not over. */
FERRY_API size_t ferry_hsts_count(ferry_hsts *hsts);

/* ------------------------------------------------------------------------------------------ TLS */

/* Versions of TLS, as they stand in the handshake. Older ones are not spoken (RFC 8996). */
enum ferry_tls_version { FERRY_TLS_1_2 = 0x0303, FERRY_TLS_1_3 = 0x0304 };

/* How a transport's TLS connections are made; zero means default: everything is checked, against
 * the system's trust store. Borrowed by ferry_transport_new(), which reads the files, once. What is
 * wrong with them is told by each request that would use them. Strings of PEM hold one object or
 * several. */
typedef struct ferry_tls_options {
    /* sizeof(ferry_tls_options): FERRY_TLS_OPTIONS() fills it in. Without it every request that
     * would use them fails with FERRY_EINVAL. */
    size_t size;

    /* Whom to trust: any of the three together. Default: the system's trust store, in which the
     * environment's SSL_CERT_FILE and SSL_CERT_DIR stand for its file and its directory. A
     * self-signed or an intermediate certificate named here is trusted by itself. */
    const char *ca_file;      /* PEM */
    const char *ca_directory; /* of PEM files, named by hash (openssl rehash) */
    const void *ca_bytes;     /* PEM, ca_len bytes */
    size_t ca_len;

    /* When true: the system's trust store beside those. */
    int ca_and_system;

    /* PEM: revocation lists. Every certificate of a chain then needs a list of its issuer here. */
    const char *crl_file;

    /* What the public key of the server's own certificate must be, "sha256//" and 32 bytes in
     * base64, several separated by semicolons. Checked beside all else, and with verification off,
     * too. Default: none. */
    const char *pinned_public_keys;

    /* DANGEROUS when true: nothing is known about who answers, and anybody on the way may read and
     * change everything. For tests. */
    int insecure_skip_verify;

    /* Who we are, for servers that ask: PEM, the certificate first, then its issuers, from a file
     * or from certificate_len bytes. The key may stand in the same place. Default: nobody. */
    const char *certificate_file;
    const void *certificate;
    size_t certificate_len;
    const char *key_file;
    const void *key;
    size_t key_len;
    const char *key_password; /* nobody is ever asked for one */

    /* enum ferry_tls_version; 0: no limit but TLS 1.2 below. */
    int min_version;
    int max_version;

    /* Of TLS 1.2 and of TLS 1.3, as OpenSSL writes them (openssl-ciphers(1)). Default: OpenSSL's,
     * with keys of 2048 bits and no SHA-1 in signatures ("@SECLEVEL=1" in ciphers says otherwise).
     */
    const char *ciphers;
    const char *cipher_suites;

    /* Protocols offered (ALPN, RFC 7301), separated by commas; "": none. Default: "http/1.1". */
    const char *alpn;

    /* Appended to: the secrets by which Wireshark can read along. Default: the file that the
     * environment's SSLKEYLOGFILE names, if it is set. */
    const char *key_log_file;

    /* When true: every connection makes a full handshake. */
    int disable_resumption;

    /* Groups for the key exchange ("curves"), as OpenSSL names them, in the order in which they are
     * liked: "X25519:P-256". Default: OpenSSL's. */
    const char *groups;

    /* What the certificate and the key are: "PEM", "DER" (one certificate, or one key), or "P12" (PKCS
     * #12: certificate, key and issuers in one; key_password opens it, and key_file is not read). Of
     * any case. Default: "PEM". */
    const char *certificate_type;
    const char *key_type;

    /* A file with the public key, or a certificate, that pinned_public_keys would name by its hash: PEM
     * or DER. Counts beside those. */
    const char *pinned_public_key_file;

    /* When true: the server has to send, with its certificate, its issuer's word that it is not
     * revoked (OCSP stapling, RFC 6066 section 8), checked and in date; else FERRY_ECERTIFICATE. */
    int require_status;
} ferry_tls_options;

/* What was agreed in a TLS handshake. */
struct ferry_tls_info {
    size_t size;            /* sizeof(ferry_tls_info) */
    const char *version;    /* "TLSv1.3" */
    const char *cipher;     /* "TLS_AES_256_GCM_SHA384" */
    const char *alpn;       /* "http/1.1"; "": the server did not choose */
    int resumed;            /* a session of an earlier connection: no certificate was sent */
    int verified;           /* the certificate was checked, now or when the session began */
    const char *subject;    /* of the server's certificate: "CN = example.com" */
    const char *issuer;     /* likewise */
    const char *not_before; /* "2026-01-02 03:04:05 UTC" */
    const char *not_after;  /* likewise */
};

/* --------------------------------------------------------------------------------------- traces */

/* Why a connection did not go back into the pool; FERRY_PUT_OK: it did. */
enum ferry_put_result {
    FERRY_PUT_OK = 0,
    FERRY_PUT_KEEP_ALIVES_DISABLED = 1, /* the transport keeps no connections */
    FERRY_PUT_CONNECTION_BROKEN = 2,    /* it was closed or failed, or bytes came unasked */
    FERRY_PUT_CLOSE_IDLE = 3,           /* ferry_transport_close_idle(), and no request since */
    FERRY_PUT_TOO_MANY_IDLE = 4,        /* 0.1.0's: the one idle for longest makes room now */
    FERRY_PUT_TOO_MANY_IDLE_HOST = 5,   /* max_idle_per_host is reached */
    FERRY_PUT_CLOSED_EARLY = 6,         /* the body was closed before its end, not drained */
    FERRY_PUT_BODY_ERROR = 7,           /* the body ended in an error */
    FERRY_PUT_CLOSE_ASKED = 8,          /* asked for by either side, or what ends the body */
    FERRY_PUT_REQUEST_NOT_WRITTEN = 9,  /* the response ended before the request had */
    FERRY_PUT_CANCELED = 10,            /* the request was cancelled, or its time was over */
    FERRY_PUT_TRANSPORT_FREED = 11,     /* the transport has been freed */
    FERRY_PUT_PLACE_WANTED = 12         /* 0.1.0's: whoever waits for longest gets it now */
};
#define FERRY_PUT_RESULTS 13

/* Returns a short sentence for a put result ("the body was closed before its end"); "?" for a
 * number that is none. The string is static. */
FERRY_API const char *ferry_put_result_string(int result);

/* A connection, as a trace is told of it. Valid during the call. */
typedef struct ferry_connection_info {
    size_t size;               /* sizeof(ferry_connection_info), as the library has it */
    uint64_t number;           /* as the dump and the ledger name it: 1, 2, 3 ... */
    const char *local;         /* "192.0.2.7:51234"; "": a Unix socket, or unknown */
    const char *remote;        /* the server's address, or the proxy's; or a Unix socket's path */
    const char *proxy;         /* "proxy.example:3128", the proxy that it goes through; "": none */
    uint64_t requests;         /* that it had been given before this one */
    const ferry_tls_info *tls; /* with the server; NULL: none */
} ferry_connection_info;

/* Callbacks along a request's way, in the manner of Go's httptrace; any may be NULL. arg is the one
 * given to ferry_request_set_trace(). They run inside the tasks that do the work, on the request's
 * thread. Strings and errors are valid during the call. A request that is sent again on another
 * connection goes through them again. */
typedef struct ferry_trace {
    /* sizeof(ferry_trace): FERRY_TRACE() fills it in. */
    size_t size;

    /* A connection to "example.org:80" is about to be looked for. */
    void (*get_conn)(void *arg, const char *host_port);

    /* It is found. reused: it has served before; idle_ms: how long it was idle, -1: it was not. */
    void (*got_conn)(void *arg, int reused, int64_t idle_ms);

    /* A name is looked up; err NULL: with success. Not when its addresses are there already:
     * because the transport has kept them, or its resolve option has them, or the host is an
     * address. Those that wait for another request's lookup have these called, too. */
    void (*dns_start)(void *arg, const char *host);
    void (*dns_done)(void *arg, size_t addresses, const ferry_error *err);

    /* An address is tried ("tcp", "127.0.0.1:80"), perhaps several at a time; err NULL: with
     * success. Not with a dial function of the transport's. */
    void (*connect_start)(void *arg, const char *network, const char *address);
    void (*connect_done)(void *arg, const char *network, const char *address,
                         const ferry_error *err);

    /* The head has been written, perhaps along with the body. */
    void (*wrote_head)(void *arg);

    /* "Expect: 100-continue": the body waits for the server's word, which has come. */
    void (*wait_100_continue)(void *arg);
    void (*got_100_continue)(void *arg);

    /* An interim response has been read, 100 included. */
    void (*got_1xx)(void *arg, int status);

    /* The request has been written whole (err NULL), or not. */
    void (*wrote_request)(void *arg, const ferry_error *err);

    /* The first byte of a response, interim ones included, is there. */
    void (*got_first_byte)(void *arg);

    /* What became of the connection when the response had ended: enum ferry_put_result. Where a
     * closed body is being read on, this comes after the close has returned. */
    void (*put_idle_conn)(void *arg, int put_result);

    /* A TLS handshake begins, and has ended: info tells what was agreed (err NULL), or is NULL. */
    void (*tls_handshake_start)(void *arg);
    void (*tls_handshake_done)(void *arg, const ferry_tls_info *info, const ferry_error *err);

    /* As got_1xx, after it, with the response: its status, reason and fields can be asked for (the
     * Link fields of a 103, RFC 8297). It is not to be read or closed, and gone after the call. */
    void (*got_interim)(void *arg, const ferry_response *interim);

    /* As wrote_head, before it, with what was written: request line and fields, each with its CRLF,
     * and the empty line; len bytes, no NUL. Credentials and cookies are in it. */
    void (*wrote_head_text)(void *arg, const char *head, size_t len);

    /* A head has been read, an interim response's too: as it came, byte for byte, with the empty line;
     * len bytes, no NUL. Also what the library takes out of the response (Content-Encoding). */
    void (*got_head_text)(void *arg, const char *head, size_t len);

    /* As got_conn, after it, with what there is to know of the connection. */
    void (*got_connection)(void *arg, const ferry_connection_info *info);

    /* An HTTP proxy has been asked for a tunnel (CONNECT), and has answered with this status: the heads
     * as they went and came, interim ones included; len bytes, no NUL. Once more each when it asks for
     * Digest credentials. Credentials are in the first. */
    void (*tunnel_wrote_head_text)(void *arg, const char *head, size_t len);
    void (*tunnel_got_head_text)(void *arg, int status, const char *head, size_t len);
} ferry_trace;

/* Follows the request's next sends. The struct is copied. arg is borrowed until the request is
 * freed and put_idle_conn, if it is to be called, has been. NULL: none. */
FERRY_API void ferry_request_set_trace(ferry_request *req, const ferry_trace *trace, void *arg);

/* ------------------------------------------------------------------------------------- contexts */

/* Makes a context that ends after timeout_ms (-1: no deadline), or when it is cancelled. NULL when
 * out of memory. Give it to ferry_context_free(). */
FERRY_API FERRY_MUST_USE ferry_context *ferry_context_new(int64_t timeout_ms);

/* Cancels: every request that uses the context ends with FERRY_ECANCELED, and its connection is
 * closed: where its response is open and its thread out of ferry, as ferry_response_close() has it
 * for other threads. From any thread and from a signal handler; again and again if you like. NULL is
 * fine. */
FERRY_API void ferry_context_cancel(ferry_context *context);

/* 0 while the context is alive, else FERRY_ECANCELED or FERRY_ETIMEOUT. From a signal handler
 * too. */
FERRY_API int ferry_context_error(const ferry_context *context);

/* Frees the caller's hold on it; requests under way keep their own. NULL is fine. */
FERRY_API void ferry_context_free(ferry_context *context);

/* ----------------------------------------------------------------------- clients and transports */

/* Anything that can take a request and bring a response: what a client sends through when it is not
 * a transport. round_trip returns a response, which becomes the caller's, or NULL with *err filled
 * (err is never NULL, and empty). The request keeps its body: another one goes into a request of the
 * round tripper's own. Credentials of its URL are in its Authorization field. It is called on the
 * sender's thread, and may itself send on another, which then has the request until it returns. */
typedef struct ferry_round_tripper {
    ferry_response *(*round_trip)(void *self, ferry_request *req, ferry_error *err);
    void *self;
} ferry_round_tripper;

/* What an on_redirect function says. */
enum ferry_redirect_word {
    FERRY_REDIRECT_FOLLOW = 0,
    FERRY_REDIRECT_STOP = 1, /* the redirect itself is the response, its body not read yet */
    FERRY_REDIRECT_FAIL = -1 /* the send fails, with err if that was filled */
};

/* Asked before a redirect is followed: next is the request that would go out (its URL, method and
 * fields can be looked at, its fields also changed, for this hop; cookies of the jar come on top),
 * res the response that redirects, not to be read or closed; count is 1 for the first redirect. */
typedef int (*ferry_redirect_fn)(void *arg, ferry_request *next, const ferry_response *res,
                                 int count, ferry_error *err);

/* What an attempt came to, before the request is sent again. Valid during the call. */
typedef struct ferry_retry {
    size_t size;                    /* sizeof(ferry_retry) */
    const ferry_request *request;   /* as it would go out again: a redirect's, perhaps */
    const ferry_response *response; /* not to be read or closed; NULL: none came */
    const ferry_error *error;       /* why none came; NULL: one came */
    int retries;                    /* how often this send has sent again by now; 0 at first */
    int64_t wait_ms;                /* what the client is about to wait */
} ferry_retry;

/* Asked before a request is sent again, which the client's options allow: returns how many
 * milliseconds to wait before that (wait_ms, or another number), or -1: do not, and let the
 * response or the error be the send's. */
typedef int64_t (*ferry_retry_fn)(void *arg, const ferry_retry *retry);

/* Options of a client; zero means default. */
typedef struct ferry_client_options {
    /* sizeof(ferry_client_options): FERRY_CLIENT_OPTIONS() fills it in. Without it every send fails
     * with FERRY_EINVAL. */
    size_t size;

    /* Borrowed until the client is freed. Default: ferry_default_transport(). */
    ferry_transport *transport;

    /* Copied (its self is borrowed). Used instead of a transport when not NULL; one without a
     * function makes every send fail with FERRY_EINVAL. */
    const ferry_round_tripper *round_tripper;

    /* For the whole request, body's reading included; a request's own timeout counts too, and the
     * nearer one ends it. Default: none. */
    int64_t timeout_ms;

    /* Copied, without blanks around it. One with control bytes, CR and LF among them, makes every
     * send fail with FERRY_EINVAL. Default: "ferry/" and the version; "": send none. */
    const char *user_agent;

    /* How many redirects are followed: 301, 302 and 303 by a GET (or HEAD), 307 and 308 by the same
     * again, unless its body cannot be rewound (RFC 9110 section 15.4). Credentials and cookies set
     * on the request go to its own host and the hosts inside it, on the same port, and never from
     * https to http. Default 10, more is FERRY_EREDIRECT; -1: none is followed. */
    int max_redirects;

    /* Asked before each redirect; on_redirect_arg is its argument. Default: all are followed. */
    ferry_redirect_fn on_redirect;
    void *on_redirect_arg;

    /* Borrowed until the client is freed. Default: cookies are neither kept nor sent. */
    ferry_cookie_jar *cookie_jar;

    /* Copied. Answers a 401 that asks for Digest credentials (RFC 7616: MD5 or SHA-256, "auth"), by
     * sending the request once more, to the host that the request was made for and to no other; the
     * requests after it have the answer from the start. Where the body cannot be sent again, the 401
     * is the response, and only they have it. A server that only takes what is not done here:
     * FERRY_EUNSUPPORTED. A user with control bytes makes every send fail with FERRY_EINVAL. Default:
     * none. */
    const char *digest_user;
    const char *digest_password;

    /* Copied. A .netrc file, from which requests that have no credentials get Basic ones; "": the
     * file of $NETRC, or .netrc in $HOME. It is read when the first such request is sent, and what
     * it says then counts as long as the client lives; if it cannot be read, that send fails, and
     * the next one tries again. "default" is for the hosts that requests are made for, not for
     * those that redirects lead to. Default: none is read. */
    const char *netrc;

    /* How often, in one send and over all its redirects, a request is sent again that failed in a
     * way that may pass: no connection, one that broke (in the TLS handshake, too), a timeout of the
     * transport's, or a response with one of retry_statuses. Only if its method is idempotent (GET,
     * HEAD, OPTIONS, TRACE, PUT, DELETE: RFC 9110 section 9.2.2) or it has an Idempotency-Key or
     * X-Idempotency-Key field; but any after FERRY_ERESOLVE, FERRY_ECONNECT and the status 429, since
     * the request has not been acted upon. And only if its body can be sent again. The last response
     * is returned as it is, the last error likewise. (What a transport does about reused connections
     * that break comes before all this.) Default 0: never. */
    int max_retries;

    /* Before the n-th retry there is a wait of a chance length between 0 and retry_base_ms *
     * 2^(n - 1), and no longer than retry_max_ms; or, if the response has a Retry-After field
     * (seconds or a date, RFC 9110 section 10.2.3), just what that asks for: if it asks for more
     * than retry_max_ms, there is no retry. Nor is there one if the wait would outlast the
     * request's timeout, the client's, or the context; cancelling the context ends a wait. Default
     * 200 (-1: do not wait), and 30,000 (-1: no limit). */
    int64_t retry_base_ms;
    int64_t retry_max_ms;

    /* Copied. Statuses to retry, with a 0 at the end. Default: 429, 502, 503, 504. */
    const int *retry_statuses;

    /* When true: requests of every method are retried; doing one twice is the caller's concern. */
    int retry_any_method;

    /* Asked before each retry; on_retry_arg is its argument. Default: all are made. */
    ferry_retry_fn on_retry;
    void *on_retry_arg;

    /* Borrowed until the client is freed. Default: http URLs stay http. */
    ferry_hsts *hsts;
} ferry_client_options;

/* What to connect to, as a dial function is told. Valid during the call. */
typedef struct ferry_dial_target {
    size_t size;            /* sizeof(ferry_dial_target) */
    const char *network;    /* "tcp" or "unix" */
    const char *address;    /* "example.org:80", "[::1]:80", or a path */
    const char *host;       /* "example.org", "::1" (no brackets), or "localhost" for a path */
    int port;               /* 80; 0 for a path */
    ferry_context *context; /* of the request that wanted the connection first; NULL: it had none */
    int64_t timeout_ms;     /* what is left of the dial timeout; -1: no limit */
    /* What is left of the time of that request: of the nearest of the client's timeout, its own and
     * its context's; -1: no limit. It does not wait longer, but others may take the connection. */
    int64_t request_ms;
} ferry_dial_target;

/* Makes a connection: returns a connected stream socket, which ferry then owns, or -1 with err
 * filled. (Timeouts set on it, SO_RCVTIMEO of socket(7) and the like, do not count: ferry never waits in
 * the socket.) Runs in a task of its own on the thread of the request. A request that is cancelled
 * meanwhile does not wait for it; the connection that comes late joins the pool. (One for https
 * does not: its handshake is not begun unless somebody else waits for it, and it is closed.) */
typedef int (*ferry_dial_fn)(void *arg, const ferry_dial_target *target, ferry_error *err);

/* Chooses the proxy of a request. Returns 0, and *proxy is a URL as the option proxy takes it (it
 * is copied at once, so that it may lie anywhere) or left NULL for none; or -1, with err filled,
 * and the request fails. url is the request's, without user info. Called for each try of a request,
 * from any thread that sends one, and may itself send requests on other transports. */
typedef int (*ferry_proxy_fn)(void *arg, const char *url, const char **proxy, ferry_error *err);

/* Options of a transport; zero means default, -1 means none or no limit. A host, in what follows,
 * is a scheme, a host and a port. */
typedef struct ferry_transport_options {
    /* sizeof(ferry_transport_options): FERRY_TRANSPORT_OPTIONS() fills it in. Without it every
     * request fails with FERRY_EINVAL. */
    size_t size;

    /* Idle connections in all; beyond it the one that was idle for longest makes room. Default
     * 1024. */
    int max_idle;

    /* Idle connections per host. Default 256; -1: keep none. */
    int max_idle_per_host;

    /* Connections per host, those being dialed included; at the limit requests wait, in order.
     * Default: no limit. */
    int max_per_host;

    /* An idle connection is closed after this. Default 90,000. */
    int64_t idle_timeout_ms;

    /* For name lookup and connecting together. Default 30,000. */
    int64_t dial_timeout_ms;

    /* From the request written whole to the response's head read. Default: none. */
    int64_t response_header_timeout_ms;

    /* With "Expect: 100-continue" (RFC 9110 section 10.1.1): how long the body waits for the
     * server's word before it goes anyway. Default 1,000; -1: do not wait. */
    int64_t expect_continue_timeout_ms;

    /* TCP keep-alive: idle time before, and interval of, probes. Default 15,000; -1: no probes. */
    int64_t keep_alive_probe_ms;

    /* Most bytes of a response's head, interim responses before it included. Default 256 KiB. */
    size_t max_header_bytes;

    /* Most fields of a response's head, and of its trailer section. Default 200. */
    int max_header_fields;

    /* When true: one request per connection, with "Connection: close" (unless it asks for an upgrade,
     * RFC 9110 section 7.8). */
    int disable_keep_alives;

    /* A body closed early is read on for up to this many bytes, so that the connection can be kept.
     * Default 256 KiB; -1: never, the connection is closed. ferry_response_close() tells more. */
    int64_t drain_bytes;

    /* ... and for up to this long. Default 50. */
    int64_t drain_ms;

    /* Copied. Every connection goes to this Unix socket, whatever the URL's host; '@' and a name:
     * an abstract one (unix(7)). */
    const char *unix_socket;

    /* Makes the connections instead; NULL: ferry does. dial_arg is its first argument. */
    ferry_dial_fn dial;
    void *dial_arg;

    /* When true: no Accept-Encoding of ferry's own is sent, and nothing is decoded. */
    int disable_compression;

    /* A body may decode to this many bytes, however few came over the wire; more is FERRY_ETOOBIG
     * from the read. Default: no limit. */
    int64_t max_decoded_bytes;

    /* For the TLS handshake. Default 10,000. */
    int64_t tls_handshake_timeout_ms;

    /* How https connections are made: FERRY_TLS_OPTIONS(.ca_file = "ca.pem"). Default: everything
     * is checked, against the system's trust store. */
    const ferry_tls_options *tls;

    /* The addresses of a name are kept for the smallest time-to-live that DNS gives with them (of
     * addresses and aliases, RFC 1035 section 3.2.1), but at most for this long. Default 60,000;
     * -1: every dial asks. Of at most 1024 names, those that were dialed last. Not kept: answers
     * whose time-to-live is 0; names from the hosts file, which is read each time; failures, since
     * how long one holds (RFC 2308 section 5) is not to be had here. If a dial finds that none of a
     * name's addresses takes a connection, they are forgotten at once.
     *
     * Requests of one thread that dial one name at the same time wait for one lookup together, also
     * with -1. */
    int64_t dns_cache_ms;

    /* Copied; ends with a NULL. "host:port:address[,address]...", the form of curl's --resolve:
     * "example.org:443:127.0.0.1,[::1]". Whatever is dialed at that host and port, a proxy too, is
     * at these addresses, tried in this order; nothing is looked up, and all else (Host field, TLS)
     * stays as the URL has it. The host is written as in a URL's normalised form, and may be an
     * address or "*": every host that has no entry of its own. Of two for the same the later one
     * holds. One that cannot be read makes every request that dials fail with FERRY_EINVAL.
     * Default: none. */
    const char *const *resolve;

    /* Copied. The proxy of all requests: "host:3128", "http://user:password@host:3128",
     * "https://...", "socks5://..." (names are looked up here, and the proxy is told addresses),
     * "socks5h://..." (the proxy looks names up; RFC 1928), "socks4://..." and "socks4a://..."
     * (likewise, IPv4 only, and of the credentials only the name). Ports are 80, 443 and 1080 where none
     * is given; what is no letter or digit in a name or password is percent-encoded.
     *
     * An http URL goes through an HTTP or HTTPS proxy in absolute form (RFC 9112 section 3.2.2),
     * and its connections are shared by all hosts; an https URL through a tunnel (CONNECT, RFC 9110
     * section 9.3.6), with TLS to the host inside it. Connections are pooled by proxy, credentials
     * included. dial_timeout_ms is for all that it takes until the proxy has connected. A proxy
     * that refuses is FERRY_EPROXY; a 407 to a request in absolute form is a response. Credentials
     * go to the proxy alone, and so does a Proxy-Authorization field that is set on a request: it
     * takes their place in absolute form, and is left out elsewhere.
     *
     * NULL: what the environment said when the transport was made: http_proxy for http URLs (not
     * HTTP_PROXY in a CGI program, which is REQUEST_METHOD being set: a client may have sent it),
     * https_proxy for https URLs, all_proxy for those whose own is not set, but none for localhost
     * and loopback addresses; lower case goes before upper case. "": none, whatever it said. With
     * unix_socket no proxy is used; a dial function is asked for the proxy's address. */
    const char *proxy;

    /* Copied. Hosts that are reached directly, separated by commas or blanks: "*"; a name, for
     * itself and its subdomains; ".name", for those only; an address; a network ("10.0.0.0/8");
     * all but a network may end in ":port". NULL: none, or the environment's no_proxy if its
     * proxies are used. */
    const char *no_proxy;

    /* Asked for each request, but those to hosts in no_proxy, instead of proxy and the environment;
     * proxy_arg is its first argument. */
    ferry_proxy_fn proxy_fn;
    void *proxy_arg;

    /* Copied. Header fields for proxies only: in CONNECT requests and in those in absolute form,
     * unless the request has its own of that name. Credentials that are not a name and password go
     * here: {"Proxy-Authorization", "Bearer ..."}. What frames a message (Host, Connection,
     * Content-Length, Transfer-Encoding, Trailer) cannot. */
    const ferry_field *proxy_fields;
    size_t proxy_field_count;

    /* When true: a tunnel through HTTP proxies for http URLs, too. */
    int proxy_tunnel;

    /* When true: a proxy's name and password answer its Digest challenge (RFC 7616: MD5 or SHA-256,
     * "auth"), for which the request is sent once more, and do not go out as Basic credentials. */
    int proxy_digest;

    /* How connections to HTTPS proxies are made. NULL: as tls says. */
    const ferry_tls_options *proxy_tls;

    /* When true: idle connections are only watched while their thread is in ferry. Else a thread of
     * the library's own, the monitor, closes those that their server has closed, or that have been
     * idle for too long, within a second, whatever the program is doing. It is started with the
     * first connection that is left idle, and sleeps while there is none. */
    int disable_monitor;

    /* A response that nobody has read from for this long, and nobody is waiting to, is closed by
     * the library, which then has its connection back; reading it afterwards is FERRY_EABANDONED,
     * the ledger says so, and ferry_stats counts it. It is still to be closed. A bound on what a
     * forgotten response can cost. Default: never. */
    int64_t abandoned_ms;

    /* Copied. Where connections come from, those to proxies too: an address of this machine
     * ("192.0.2.7", "::1"; only addresses of its kind are dialed then), a network interface ("eth0",
     * SO_BINDTODEVICE of socket(7)), both, or neither. Default: as the system has it. */
    const char *local_address;
    const char *interface;

    /* The port of this machine's that they come from; with last_local_port the first and the last of
     * a range, of which each takes one that is free. Default: the system's choice. */
    int local_port;
    int last_local_port;

    /* 4 or 6: only addresses of IPv4, or of IPv6, are dialed. Default: both. */
    int ip_version;

    /* How long one address is tried before the next one is tried beside it (RFC 8305 section 5).
     * Default 250; -1: the next one's turn comes when this one has failed, or has had its share of
     * dial_timeout_ms (what is left, divided by the addresses that are left; at least two seconds). */
    int64_t fallback_delay_ms;

    /* Copied; ends with a NULL. "host:port:to-host:to-port", the form of curl's --connect-to:
     * "example.org:443:staging.example.org:8443". What a URL has at that host and port is connected
     * to at the other, by a tunnel if through an HTTP proxy, and all else (Host field, TLS) stays as the
     * URL has it. An empty host or port in front fits any, one behind is the URL's. The first that fits
     * counts. One that cannot be read makes every request that dials fail with FERRY_EINVAL. Default:
     * none. */
    const char *const *connect_to;

    /* When true: what is to be sent may wait until what was sent before is acknowledged, so that
     * fewer packets go out (Nagle's algorithm, RFC 896; TCP_NODELAY of tcp(7) is not set). */
    int delay_small_writes;

    /* When true: every connection to a server begins with a line that tells it the connection's own two
     * ends (the PROXY protocol, version 1, of HAProxy), before anything else, TLS included. */
    int send_proxy_protocol;

    /* When true: Content-Length fields of responses count for nothing; what has no chunks lasts until
     * the server closes the connection, and its length is unknown. For servers that announce nonsense;
     * with those that keep connections open it waits for their patience to end. */
    int ignore_content_length;

    /* How long a read of a body waits for something to come; then it fails with FERRY_ETIMEOUT, and the
     * connection is closed. The time begins anew with each read, and is not counted between reads: so a
     * server that stalls is found, however long the whole takes (which a request's timeout limits). Not
     * of what follows a 101 or a CONNECT. Default: none. */
    int64_t body_read_timeout_ms;
} ferry_transport_options;

/* Pointers to a compound literal with its size filled in:
 * ferry_client_new(FERRY_CLIENT_OPTIONS(.timeout_ms = 5000)). (In C++ they need designated
 * initialisers, C++20, in the order of the struct, and are gone after the statement. Before C++20:
 * ferry_client_options options = {}; options.size = sizeof options; options.timeout_ms = 5000;) */
#ifdef __cplusplus
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC system_header /* or G++'s -Wextra would name every member that is left out */
#endif
#define FERRY_OPTIONS_OF(type, ...) (&static_cast<const type &>(type{__VA_ARGS__}))
#else
#define FERRY_OPTIONS_OF(type, ...) (&(const type){__VA_ARGS__})
#endif
#define FERRY_CLIENT_OPTIONS(...) \
    FERRY_OPTIONS_OF(ferry_client_options, .size = sizeof(ferry_client_options), __VA_ARGS__)
#define FERRY_TRANSPORT_OPTIONS(...) \
    FERRY_OPTIONS_OF(ferry_transport_options, .size = sizeof(ferry_transport_options), __VA_ARGS__)
#define FERRY_TLS_OPTIONS(...) \
    FERRY_OPTIONS_OF(ferry_tls_options, .size = sizeof(ferry_tls_options), __VA_ARGS__)
#define FERRY_TRACE(...) FERRY_OPTIONS_OF(ferry_trace, .size = sizeof(ferry_trace), __VA_ARGS__)

/* Makes a client; NULL options: all defaults. NULL when out of memory. Give it to
 * ferry_client_free(). Cheap: clients over one transport share its pool. */
FERRY_API FERRY_MUST_USE ferry_client *ferry_client_new(const ferry_client_options *options);

/* Frees a client, not its transport, and not while it sends. Responses it has brought stay valid.
 * NULL and the default client are fine. */
FERRY_API void ferry_client_free(ferry_client *client);

/* The client of the one-line calls, over the default transport. Made on first use, never freed.
 * NULL when out of memory. */
FERRY_API ferry_client *ferry_default_client(void);

/* Sends a request and returns once the response's head is read. NULL client: the default one. The
 * response is to be closed with ferry_response_close(); NULL on error. A request that failed on a
 * reused connection before any byte of the response is sent again where that is safe: if nothing of
 * it was written, or the method is GET, HEAD, OPTIONS or TRACE (of the idempotent ones of RFC 9110
 * section 9.2.2) or it has an Idempotency-Key or X-Idempotency-Key field, and if its body can be sent
 * again. A macro, which records the caller's file and line. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_client_do(ferry_client *client, ferry_request *req, ferry_error *err);

/* Makes a transport; NULL options: all defaults. NULL when out of memory. Give it to
 * ferry_transport_free(). */
FERRY_API FERRY_MUST_USE ferry_transport *
ferry_transport_new(const ferry_transport_options *options);

/* Frees a transport: its idle connections are closed now, those in use when their responses have
 * been read or closed. NULL and the default transport are fine (the latter only loses its idle
 * connections). Not while a request is being sent on it. */
FERRY_API void ferry_transport_free(ferry_transport *transport);

/* The transport of the default client. Made on first use, never freed. NULL when out of memory. */
FERRY_API ferry_transport *ferry_default_transport(void);

/* Closes the connections that are idle now, and those that become idle before the next request asks
 * for one. The tasks of those that live on this thread are gone when it returns; those of other
 * threads' end when their threads next wait in ferry, or within a second, by the monitor. NULL: the
 * default transport. */
FERRY_API void ferry_transport_close_idle(ferry_transport *transport);

/* Forgets the addresses of names that the transport keeps (dns_cache_ms), as when the machine has
 * moved to another network: the next dials ask anew. Neither its resolve option nor its connections
 * are touched: ferry_transport_close_idle() is for those. NULL: the default transport. */
FERRY_API void ferry_transport_flush_dns(ferry_transport *transport);

/* How many times something took how long, by buckets that end at 50, 100, 200, 500 microseconds, 1, 2,
 * 5, 10 ... milliseconds, and so on to 50 seconds; the last is for all that took longer. */
#define FERRY_HISTOGRAM_BUCKETS 20
typedef struct ferry_histogram {
    uint64_t counts[FERRY_HISTOGRAM_BUCKETS]; /* each of its own bucket only */
    uint64_t count;                           /* of all buckets */
    uint64_t sum_ns;                          /* all durations together */
} ferry_histogram;

/* Where a bucket (from 0 on) ends, in nanoseconds: the longest that still belongs to it. INT64_MAX
 * for the last one. */
FERRY_API int64_t ferry_histogram_bound(int bucket);

/* Roughly the duration, in nanoseconds, that a part q of all did not exceed (0.5: the median), as far
 * as the buckets tell; of what is in the last one only that it was longer than 50 seconds, which is
 * what is returned then. -1 when there are none. */
FERRY_API int64_t ferry_histogram_quantile(const ferry_histogram *histogram, double q);

/* What a transport has done and holds. */
typedef struct ferry_stats {
    size_t size;            /* set it to sizeof(ferry_stats) before the call (FERRY_STATS_INIT) */
    uint64_t requests;      /* round trips begun */
    uint64_t responses;     /* round trips that brought a response */
    uint64_t errors;        /* round trips that failed */
    uint64_t retries;       /* requests sent again on another connection */
    uint64_t dials;         /* connections begun */
    uint64_t dial_failures; /* ... that came to nothing */
    uint64_t reuses;        /* requests served by a connection that had served before */
    uint64_t puts;          /* connections given back to the pool after a response */
    uint64_t put_failures;  /* ... and refused, for whatever reason */

    /* Both, by enum ferry_put_result. */
    uint64_t put_results[FERRY_PUT_RESULTS];

    uint64_t early_closes;   /* bodies closed before their end */
    uint64_t drained;        /* ... whose end was reached by reading on */
    uint64_t connections;    /* open now */
    uint64_t idle;           /* of these, idle in the pool now */
    uint64_t open_responses; /* responses not closed now */
    uint64_t waiting;        /* requests waiting for a connection now */
    uint64_t dns_lookups;    /* names looked up: in the hosts file, then in DNS */
    uint64_t dns_cache_hits; /* dials that needed no lookup: a kept answer, or another's, served */
    uint64_t abandoned;      /* responses closed because nobody read them (abandoned_ms) */

    /* Idle connections that were found closed by the server: sockets in CLOSE_WAIT, which are
     * closed as soon as they are found. */
    uint64_t close_waits;

    /* How long things took that succeeded: a name's lookup; making the TCP connection, from the first
     * of the addresses on; the TLS handshake with the host; from handing a request to its connection to the
     * first byte of the answer; from there to the end of a body that was read to its end. */
    ferry_histogram dns, connect, tls, first_byte, body;
} ferry_stats;

/* A transport's numbers host by host. A host here is what connections are interchangeable for. */
typedef struct ferry_host_stats {
    size_t size;        /* of this struct, as the library has it */
    const char *scheme; /* "https" */
    const char *host;   /* "example.org:443"; "": any, on a proxy's connections in absolute form */
    const char *proxy;  /* through which, without credentials; "": none */
    uint64_t requests;  /* put on a connection to it; one that is sent again counts again */
    uint64_t dials;     /* from here on as in ferry_stats */
    uint64_t dial_failures;
    uint64_t reuses;
    uint64_t puts;
    uint64_t put_failures;
    uint64_t put_results[FERRY_PUT_RESULTS];
    uint64_t close_waits;
    uint64_t connections;
    uint64_t idle;
    uint64_t open_responses;
    ferry_histogram dns, connect, tls, first_byte, body;
} ferry_host_stats;

/* The most hosts of a transport that are counted by themselves, those it meets first; the rest is
 * one entry whose host is "(others)", so that a crawler's numbers do not grow with the web. */
#define FERRY_HOSTS_COUNTED 256

/* Calls visit for each host of a transport that there ever was, in the order of their first requests
 * (the "(others)", if there are any, first), and returns how many that were. NULL transport: the
 * default one; NULL visit: only counts. The strings last as long as the transport, the struct as long
 * as the call. No lock is held: visit may do what it likes, and others go on meanwhile. */
FERRY_API size_t ferry_transport_each_host(const ferry_transport *transport,
                                           void (*visit)(void *arg, const ferry_host_stats *stats),
                                           void *arg);

/* Writes all the process's numbers, of all its transports and their hosts, in Prometheus' text format
 * (version 0.0.4; Content-Type: text/plain; version=0.0.4). The label transport is "default" or
 * 1, 2, 3 ... in the order of their making. Returns 0, or -1 when out of memory, or when writing
 * failed (errno is set). */
FERRY_API int ferry_metrics(FILE *out);

/* Initialisers: ferry_stats stats = FERRY_STATS_INIT; */
#ifdef __cplusplus
static inline ferry_stats ferry_stats_init(void)
{
    ferry_stats stats = {};
    stats.size = sizeof stats;
    return stats;
}
static inline ferry_tls_info ferry_tls_info_init(void)
{
    ferry_tls_info info = {};
    info.size = sizeof info;
    return info;
}
#define FERRY_STATS_INIT ferry_stats_init()
#define FERRY_TLS_INFO_INIT ferry_tls_info_init()
#else
#define FERRY_STATS_INIT            \
    {                               \
        .size = sizeof(ferry_stats) \
    }
#define FERRY_TLS_INFO_INIT            \
    {                                  \
        .size = sizeof(ferry_tls_info) \
    }
#endif

/* Fills *stats; NULL transport: the default one. The caller sets stats->size, so that the struct
 * can grow. Each number is as of now; together they are no snapshot while other threads are at
 * work. */
FERRY_API void ferry_transport_stats(const ferry_transport *transport, ferry_stats *stats);

/* One request, one response, on a transport: no client's doings around it (its timeout, its user
 * agent, the method and URL in front of an error's message). For round trippers that wrap a
 * transport. NULL transport: the default one. A macro, likewise. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_transport_round_trip(ferry_transport *transport, ferry_request *req,
                                               ferry_error *err);

/* ---------------------------------------------------------------------------------------- forms */

/* Encodes text as application/x-www-form-urlencoded does (WHATWG URL, section 5): a space becomes
 * "+". From malloc(), NUL-terminated; the caller frees it. NULL when out of memory. */
FERRY_API FERRY_MUST_USE char *ferry_urlencode(const char *text, size_t len);

/* Likewise a row of fields, in order: "a=1&b=2"; NULL is "". */
FERRY_API FERRY_MUST_USE char *ferry_urlencode_fields(const ferry_field *fields, size_t count);

/* Body of encoded fields, which are copied, and its Content-Type. */
FERRY_API int ferry_request_set_urlencoded(ferry_request *req, const ferry_field *fields,
                                           size_t count);

/* POSTs encoded fields, on the default client; as ferry_post(). */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close) ferry_response *ferry_post_form(
    const char *url, const ferry_field *fields, size_t count, ferry_error *err);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_post_form_at(const char *url, const ferry_field *fields, size_t count,
                                       ferry_error *err, const char *file, int line);
#ifndef FERRY_NO_CALL_SITES
#define ferry_post_form(url, fields, count, err) \
    ferry_post_form_at(url, fields, count, err, __FILE__, __LINE__)
#endif

/* multipart/form-data (RFC 7578): fields and files in one body. Used by one caller at a time. */
typedef struct ferry_form ferry_form;

/* NULL when out of memory. Give it to ferry_form_free(). */
FERRY_API FERRY_MUST_USE ferry_form *ferry_form_new(ferry_error *err);

/* Not while a request that has it is being sent; NULL is fine. */
FERRY_API void ferry_form_free(ferry_form *form);

/* Each adds a part and returns 0, or -1 with nothing added. Not while the form is being sent.
 * Names, types and data are copied. In names and file names CR, LF and quotes are percent-encoded,
 * as browsers do it. */
FERRY_API int ferry_form_add_text(ferry_form *form, const char *name, const char *value,
                                  ferry_error *err);

/* filename and content_type may be NULL: none is sent. */
FERRY_API int ferry_form_add_data(ferry_form *form, const char *name, const void *data, size_t len,
                                  const char *filename, const char *content_type, ferry_error *err);

/* A regular file, opened now and read during the send, as long as it is now: what is added to it
 * later is not sent, and if it becomes shorter the send fails with FERRY_EBODY. filename NULL: the
 * last part of path; content_type NULL: application/octet-stream. */
FERRY_API int ferry_form_add_file(ferry_form *form, const char *name, const char *path,
                                  const char *filename, const char *content_type, ferry_error *err);

/* What a function gives, which is called as ferry_request_set_body_reader() has it. len -1: until
 * it returns 0, and then the form is sent chunked; otherwise exactly len bytes. rewind NULL: it
 * cannot be read again, nor the form sent again. arg is borrowed until the form is freed. */
FERRY_API int ferry_form_add_reader(ferry_form *form, const char *name, ferry_read_fn read,
                                    int (*rewind)(void *arg), void *arg, int64_t len,
                                    const char *filename, const char *content_type,
                                    ferry_error *err);

/* Adds a header field to the part that was added last. FERRY_EINVAL when there is none, or for a name
 * or a value that no field can have. */
FERRY_API int ferry_form_add_field(ferry_form *form, const char *name, const char *value,
                                   ferry_error *err);

/* The form as it is now becomes the request's body, with its Content-Type and, unless a reader's
 * length is unknown, Content-Length; it can be sent again, unless a reader cannot be rewound.
 * Borrowed until the request is freed or given another body; for one request at a time. What is
 * added later is sent once the form is set again. */
FERRY_API int ferry_request_set_form(ferry_request *req, ferry_form *form);

/* -------------------------------------------------------------------------------- event streams */

/* Server-Sent Events (WHATWG HTML, section 9.2): what a server sends as text/event-stream. A stream
 * is used by one caller at a time, on one thread. */
typedef struct ferry_event_stream ferry_event_stream;

/* One event. The strings are valid until the stream's next call. */
typedef struct ferry_event {
    const char *id;   /* of the last event that had one; "": none yet */
    const char *type; /* "message" unless the server names another */
    const char *data; /* its lines joined by LF; NUL-terminated, and may have NULs inside */
    size_t data_len;
    int64_t retry_ms; /* the server's wish for the wait before a reconnect; -1: it has none */
} ferry_event;

/* Reads events from a response, whatever its status and type, and takes it over: it is closed with
 * the stream. NULL when out of memory, and FERRY_EINVAL for no response; then it is still the
 * caller's. */
FERRY_API FERRY_MUST_USE ferry_event_stream *ferry_event_stream_new(ferry_response *res,
                                                                    ferry_error *err);

/* Reads events from what the request brings, sending it with the first next() and again whenever
 * the connection ends, after the time that the server names (3,000 unless it does), longer after
 * failures in a row. reconnects: how often in a row without an event between; 0: never, as it
 * should be where the request must not be repeated (a POST, to most servers); -1: no limit.
 *
 * Its Last-Event-ID field is the last event's id; one that it has to begin with, perhaps from
 * another day, counts as that until an event comes. Accept and Cache-Control are added to it unless
 * it has them. Client (NULL: the default one) and request are borrowed until the stream is freed;
 * the request's timeout holds for each connection, its context for everything.
 *
 * An answer with another status than 200, or another type than text/event-stream, is
 * FERRY_EUNSUPPORTED; ferry_event_stream_response() then has it. Where there are reconnects left,
 * 429, 502, 503 and 504 count as a connection that ended, and a Retry-After is obeyed. (Where there
 * are none, the client's max_retries still has it wait and ask again after a 429.) */
FERRY_API FERRY_MUST_USE ferry_event_stream *
ferry_event_stream_open(ferry_client *client, ferry_request *req, int reconnects, ferry_error *err);

/* Waits for the next event: 1; 0: there will be no more (the response has ended, or the server has
 * answered 204); -1 on error, after which there are no more either. What is not ended by an empty
 * line is no event. */
FERRY_API int ferry_event_stream_next(ferry_event_stream *stream, ferry_event *event,
                                      ferry_error *err);

/* The response that events are read from; after an answer that was no event stream that answer,
 * whose status, fields and body (which is still to be read) tell more. The stream's: not to be
 * closed. NULL: there is none now. Valid until the next call. */
FERRY_API ferry_response *ferry_event_stream_response(ferry_event_stream *stream);

/* The most bytes of a line, and of an event's data together; more is FERRY_ETOOBIG, and the end of
 * the stream. What a server can make a stream hold is a small multiple of it. 0: the default,
 * 16 MiB. */
FERRY_API void ferry_event_stream_set_max_event(ferry_event_stream *stream, size_t bytes);

/* The last event's id, to go on from another time; "": none. Valid until the next call. */
FERRY_API const char *ferry_event_stream_last_id(const ferry_event_stream *stream);

/* Closes and frees; NULL is fine. */
FERRY_API void ferry_event_stream_free(ferry_event_stream *stream);

/* ---------------------------------------------------------------------------------------- tasks */

/* A task is a function with a stack of its own, of 256 KiB. Tasks belong to the thread that started
 * them and run, one at a time, while that thread waits in ferry: in a request, a group's wait, a
 * sleep, ferry_poll(). A thread that ends discards its tasks and closes its connections, but for idle
 * ones, which stay in the pool (unless the transport has disable_monitor); it does so
 * when its own function returns or calls pthread_exit(): not in a task, nor by pthread_cancel() while
 * it is in ferry. Its open responses stay to be closed. A process may end at any time, in any way. */

/* Starts a task, which runs once the caller waits. 0, or -1 when out of memory (errno is set). The
 * macro of this name (below) also tells ferry_dump_tasks() where that was. */
FERRY_API int ferry_go(void (*fn)(void *arg), void *arg);

/* Makes a group, which counts tasks so that one can wait for all of them. NULL when out of memory.
 * Give it to ferry_group_free(). */
FERRY_API FERRY_MUST_USE ferry_group *ferry_group_new(void);

/* Starts a task in a group, on the calling thread. 0, or -1 (errno is set): out of memory, or no
 * group (EINVAL). */
FERRY_API int ferry_group_go(ferry_group *group, void (*fn)(void *arg), void *arg);

/* Returns when every task of the group has ended, whichever threads they are on. Not in a task of
 * the group itself. NULL: at once. */
FERRY_API void ferry_group_wait(ferry_group *group);

/* Frees a group, whose tasks must have ended (wait first). NULL is fine. */
FERRY_API void ferry_group_free(ferry_group *group);

/* Sleeps for at least ms milliseconds; other tasks of the thread run meanwhile. 0 or less is
 * ferry_yield(). */
FERRY_API void ferry_sleep(int64_t ms);

/* Lets every other task of the thread that is ready run once. */
FERRY_API void ferry_yield(void);

/* How many tasks there are, as Go's NumGoroutine: threads in ferry's care (the caller's included),
 * tasks, and both loops of each connection, of the whole process. */
FERRY_API int ferry_num_tasks(void);

/* Writes one paragraph a task, of all threads, in the manner of Go's goroutine dump; NULL: to standard
 * error.
 *
 *     task 4 [chan receive, 2.0 s]:
 *         read loop of connection 1 to example.org:80
 *         waiting for the body to be read
 *         serves http://example.org/a, opened at main.c:42
 *         created by task 2
 *
 * The brackets say how it waits (running, runnable, select, chan receive, chan send, IO wait, sleep,
 * group wait) and for how long; the lines below what it is, what it waits for, and who started it
 * (a thread has nobody; ferry_go() leaves its place in the program). The tasks of a thread follow it,
 * the two loops of a connection each other. Where there are more than 20 tasks an overview comes
 * first, and paragraphs stop after 10,000. From any thread and any task, not from a signal handler:
 * each thread is held up only while its tasks are copied. When out of memory it says so. */
FERRY_API void ferry_dump_tasks(FILE *out);

/* For a host event loop (GLib, libuv, your own epoll): the thread's descriptor, readable whenever
 * ferry_poll() wants to be called on this thread because of something from outside. Owned by ferry,
 * the same as long as the thread lives, in the child of a fork too. -1 when out of descriptors or memory. */
FERRY_API int ferry_poll_fd(void);

/* Runs what is ready on this thread and never blocks. Returns the milliseconds after which it wants
 * to be called anyway (0: at once), or -1: not before the descriptor is readable. They count from
 * this call on: a loop that something else wakes meanwhile calls again each time it is awake, which
 * costs little, or waits for the rest only. Call it as well after starting tasks, which is what makes
 * them begin. */
FERRY_API int64_t ferry_poll(void);

/* --------------------------------------------------------------------------------------- ledger */

/* Writes a line for each response not closed, oldest first: where it was opened, URL, age, bytes
 * read of how many and when last, what it holds (connection and tasks, or memory only), and about
 * how much memory: the response's head, and while it holds a connection that one's structures, read
 * buffer and the touched pages of both loops' stacks (an estimate; what the kernel and OpenSSL have
 * is not counted). More than 20 are grouped: two lines for each call site, the second being its
 * oldest response's, those with the most first. Returns how many are open. NULL: only counts. Of
 * all threads, none of which is held up for longer than it takes to copy its entries. FERRY_LEAKS=1
 * in the environment prints the ledger to standard error at exit if it is not empty;
 * FERRY_LEAKS=fatal also ends the process with status 23. */
FERRY_API size_t ferry_open_responses(FILE *out);

/* The same as a string, "" if there are none. From malloc(); the caller frees it. NULL when out of
 * memory. *count: how many are open; count may be NULL. */
FERRY_API FERRY_MUST_USE char *ferry_open_responses_text(size_t *count);

/* Likewise, as one JSON document (RFC 8259), which always has both views, never grouped away:
 *
 *     {"open": 1,
 *      "call_sites": [{"file": "main.c", "line": 42, "open": 1, "oldest_ms": 1200,
 *          "longest_unread_ms": 800, "sockets": 1, "tasks": 2, "memory": 14336}],
 *      "responses": [{"file": "main.c", "line": 42, "url": "http://127.0.0.1:8080/a",
 *          "age_ms": 1200, "unread_ms": 800, "bytes_read": 10, "length": 1000, "connection": 4,
 *          "abandoned": false, "sockets": 1, "tasks": 2, "memory": 14336}]}
 *
 * null stands for an unknown place or length, unread_ms if nothing was read yet, and the connection
 * where none is held. memory is in bytes. */
FERRY_API FERRY_MUST_USE char *ferry_open_responses_json(size_t *count);

/* What ferry is doing, as JSON documents for pages and scripts (libferry-inspect serves them). Each
 * from malloc(); the caller frees it. NULL when out of memory. Any thread may ask, needs no task
 * for it, and holds up no other for longer than copying what that one has takes. Times are
 * milliseconds; null stands for what does not exist or is not known.
 *
 * An array of all tasks: the number, that of its thread's own task, what it waits for and how long,
 * the task that started it (0: none) and where that stands in the program.
 *
 *     [{"task": 4, "thread": 1, "name": "read loop", "connection": 1, "running": false,
 *       "waits": "waiting for the body to be read", "ms": 800, "creator": 0, "file": null, "line": 0}]
 */
FERRY_API FERRY_MUST_USE char *ferry_tasks_json(void);

/* An array of all connections. The state is one of dialing, handshake, writing, awaiting (the
 * response's head), unread (its body has neither ended nor been closed), draining (closed early,
 * and read on), idle, closing; ms says for how long. One that is still being made has the number 0,
 * and "dial" in place of the loops. Proxies are not named.
 *
 *     [{"connection": 1, "thread": 1, "scheme": "http", "host": "127.0.0.1:8080", "proxied": false,
 *       "state": "unread", "ms": 800, "requests": 1, "url": "http://127.0.0.1:8080/a",
 *       "read_loop": {"task": 4, "waits": "waiting for the body to be read", "ms": 800},
 *       "write_loop": {"task": 5, "waits": "waiting for a request to write", "ms": 801}}]
 */
FERRY_API FERRY_MUST_USE char *ferry_connections_json(void);

/* All of it, taken at one time: an object with "program", "pid", "at_ms" (of a clock that only runs
 * forward), "total" (the sums of all transports' statistics, with the median and the 99th
 * percentile of each histogram in microseconds), "task_count" and "tasks", "connection_count" and
 * "connections", and "ledger", as ferry_open_responses_json() has it. most: at most so many
 * elements of each array, the counts being of all; 0: all. */
FERRY_API FERRY_MUST_USE char *ferry_snapshot_json(size_t most);

/* The functions behind the macros below: file and line are for the ledger; file must live as long
 * as the response (a string literal), NULL: unknown. For bindings to other languages. */
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_get_at(const char *url, ferry_error *err, const char *file, int line);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_head_at(const char *url, ferry_error *err, const char *file, int line);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_post_at(const char *url, const char *content_type, const void *body,
                                  size_t len, ferry_error *err, const char *file, int line);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close) ferry_response *ferry_client_do_at(
    ferry_client *client, ferry_request *req, ferry_error *err, const char *file, int line);
FERRY_API FERRY_MUST_USE FERRY_CLOSED_BY(ferry_response_close)
    ferry_response *ferry_transport_round_trip_at(ferry_transport *transport, ferry_request *req,
                                                  ferry_error *err, const char *file, int line);

/* Likewise behind ferry_go() and ferry_group_go(), for the dump. The place comes first, so that an
 * argument of those macros may be a compound literal. */
FERRY_API int ferry_go_at(const char *file, int line, void (*fn)(void *arg), void *arg);
FERRY_API int ferry_group_go_at(const char *file, int line, ferry_group *group,
                                void (*fn)(void *arg), void *arg);

#ifndef FERRY_NO_CALL_SITES
#define ferry_get(url, err) ferry_get_at(url, err, __FILE__, __LINE__)
#define ferry_head(url, err) ferry_head_at(url, err, __FILE__, __LINE__)
#define ferry_post(url, content_type, body, len, err) \
    ferry_post_at(url, content_type, body, len, err, __FILE__, __LINE__)
#define ferry_client_do(client, req, err) ferry_client_do_at(client, req, err, __FILE__, __LINE__)
#define ferry_transport_round_trip(transport, req, err) \
    ferry_transport_round_trip_at(transport, req, err, __FILE__, __LINE__)
#define ferry_go(...) ferry_go_at(__FILE__, __LINE__, __VA_ARGS__)
#define ferry_group_go(...) ferry_group_go_at(__FILE__, __LINE__, __VA_ARGS__)
#endif

/* Closes at the end of the scope, however that is left (return, break, goto; not longjmp or exit):
 *
 *     FERRY_AUTO ferry_response *res = ferry_get(url, &err);
 *
 * Always with an initialiser. One that is given away is set to NULL first. Where FERRY_AUTO is not
 * defined the compiler has no such thing (GCC and Clang do, as C and as C++; in C++ a
 * std::unique_ptr with ferry_response_close as its deleter says the same everywhere). */
#if defined(__GNUC__) || defined(__clang__)
#define FERRY_AUTO __attribute__((cleanup(ferry_auto_response)))
#define FERRY_AUTO_REQUEST __attribute__((cleanup(ferry_auto_request)))
#define FERRY_AUTO_CLIENT __attribute__((cleanup(ferry_auto_client)))
#define FERRY_AUTO_TRANSPORT __attribute__((cleanup(ferry_auto_transport)))
#define FERRY_AUTO_CONTEXT __attribute__((cleanup(ferry_auto_context)))

static inline void ferry_auto_response(ferry_response **res)
{
    ferry_response_close(*res);
}
static inline void ferry_auto_request(ferry_request **req)
{
    ferry_request_free(*req);
}
static inline void ferry_auto_client(ferry_client **client)
{
    ferry_client_free(*client);
}
static inline void ferry_auto_transport(ferry_transport **transport)
{
    ferry_transport_free(*transport);
}
static inline void ferry_auto_context(ferry_context **context)
{
    ferry_context_free(*context);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
