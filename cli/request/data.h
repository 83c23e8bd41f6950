/*
 * data.h: what -d and its kin, and --url-query, come to.
 */
#ifndef CLI_REQUEST_DATA_H
#define CLI_REQUEST_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* The pieces joined, from malloc(), NUL-terminated, and *len; NULL: it has been said why not, and
 * *status is the exit status. */
char *data_join(const struct config *config, size_t *len, int *status);

/* What --url-query adds to the query; NULL likewise. */
char *data_url_query(const struct config *config, int *status);

/* All of a file, or of standard input for "-"; from malloc(), NUL-terminated. NULL: errno. */
char *data_read_file(const char *path, size_t *len);

#endif
