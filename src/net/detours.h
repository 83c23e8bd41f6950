/*
 * Hosts that are connected to elsewhere (a transport's "connect_to" option):
 * "example.org:443:staging.example.org:8443". Read once, then never changed. Called by dials, and
 * where a request's way is chosen.
 */
#ifndef FY_NET_DETOURS_H
#define FY_NET_DETOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry.h>

struct fy_detour {
    char *host;    /* no brackets; "": any; allocated */
    uint16_t port; /* 0: any */
    char *to_host; /* "": the same; allocated */
    uint16_t to_port;
};

/* Zero-filled is none. */
struct fy_detours {
    struct fy_detour *list; /* allocated */
    size_t count;
    ferry_error refused; /* the first text that is no detour; code 0: all are fine */
};

/* As fy_host_entries_read(). */
int fy_detours_read(struct fy_detours *detours, const char *const *texts);
void fy_detours_free(struct fy_detours *detours);

/* Whether there is one for a host and port; then *host and *port are where it leads. The first that
 * fits counts. */
bool fy_detours_find(const struct fy_detours *detours, const char **host, uint16_t *port);

/* Sends a dial elsewhere if there is one for its host and port: 0, and *host_port is then the text that
 * it borrows, from malloc(), else NULL. -1 and *err: out of memory, or an entry cannot be read. */
struct fy_dial;
int fy_detours_take(const struct fy_detours *detours, struct fy_dial *dial, char **host_port,
                    ferry_error *err);

#endif
