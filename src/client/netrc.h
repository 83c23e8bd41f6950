/*
 * .netrc files: who one is on which machine. Only read when the client is asked to.
 */
#ifndef FY_CLIENT_NETRC_H
#define FY_CLIENT_NETRC_H

#include <stdbool.h>

#include <ferry.h>

/* Strings from malloc(), or NULL: not said. */
struct fy_netrc_entry {
    char *login;
    char *password;
    bool is_default; /* found under "default", not under the machine's name */
};

/* The first entry in a file's text for a host; names of machines are compared without case. 1, 0
 * when there is none, -1 when out of memory. */
int fy_netrc_find(const char *text, const char *host, struct fy_netrc_entry *entry);
void fy_netrc_free(struct fy_netrc_entry *entry);

/* A file's text from malloc(). path "": $NETRC, or .netrc in $HOME. NULL and *err. */
char *fy_netrc_read(const char *path, ferry_error *err);

#endif
