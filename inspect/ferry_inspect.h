/*
 * libferry-inspect: what a program's ferry is doing, on a page.
 *
 *     ferry_error err;
 *     if (ferry_inspect_start("127.0.0.1:0", NULL, &err) == 0) {
 *         printf("look at %s\n", ferry_inspect_url());
 *     }
 *
 * From then on a thread of the library's own serves, to browsers and programs on this machine:
 *
 *     /               a live page: hosts, connections, what each loop waits for, open responses
 *     /tasks          every task, as JSON
 *     /connections    every connection, being made or open, as JSON
 *     /responses      every response that is not closed, and the lines that opened them, as JSON
 *     /metrics        counters, gauges and latency histograms, as Prometheus text
 *     /events         what the page lives on, as Server-Sent Events
 *
 * It only shows: nothing can be changed through it, and its threads are no tasks, so the counts are
 * those of the program alone. But it shows URLs and the names of source files. On a loopback address
 * every user of the machine can see them; a Unix socket is its owner's alone, and a token keeps
 * everybody out who does not have it. A forked child has no server and may start its own.
 * docs/inspect.md says more.
 */
#ifndef FERRY_INSPECT_H
#define FERRY_INSPECT_H

#include <ferry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero means default. */
typedef struct ferry_inspect_options {
    size_t
        size; /* sizeof(ferry_inspect_options); FERRY_INSPECT_OPTIONS sets it; without: FERRY_EINVAL */

    /* What every request must carry, as "Authorization: Bearer TOKEN" or as "?token=TOKEN": 16 to
     * 128 of the characters A-Z a-z 0-9 - . _ ~. Required for an address that is not loopback.
     * Default: none. */
    const char *token;

    /* How often the page is brought up to date, in milliseconds: at least 20. Nothing is done while
     * nobody looks. Default: 250. */
    int interval_ms;

    /* A response that has not been read for so many milliseconds, and whose body has not ended, is
     * suspicious: the page puts it on top. Default: 2000. */
    int suspicious_ms;
} ferry_inspect_options;

/* ferry_inspect_start(address, FERRY_INSPECT_OPTIONS(.token = token), &err) */
#define FERRY_INSPECT_OPTIONS(...) \
    FERRY_OPTIONS_OF(ferry_inspect_options, .size = sizeof(ferry_inspect_options), __VA_ARGS__)

/* Begins to serve: at "127.0.0.1:PORT" or "[::1]:PORT" (0: any free port), or at "unix:/path" (a
 * socket that only this user may open; a dead one that lies there is replaced). Any other address
 * needs a token. options may be NULL. Returns 0, or -1 and *err: also when it serves already. */
FERRY_API int ferry_inspect_start(const char *address, const ferry_inspect_options *options,
                                  ferry_error *err);

/* Where it serves: "http://127.0.0.1:41234/", with "?token=..." if there is one; "unix:/path". NULL:
 * it does not. Valid until ferry_inspect_stop(). */
FERRY_API const char *ferry_inspect_url(void);

/* Ends it: waits until its threads have ended, and removes the Unix socket. Without effect when
 * nothing is served. */
FERRY_API void ferry_inspect_stop(void);

#ifdef __cplusplus
}
#endif
#endif
