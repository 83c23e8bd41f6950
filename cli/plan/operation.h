/*
 * operation.h: the command line as a row of transfers: each URL of each group, globs written out,
 * with the file that belongs to it. They are made one by one, since "[1-1000000]" is a million.
 */
#ifndef CLI_PLAN_OPERATION_H
#define CLI_PLAN_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "plan/glob.h"

struct operation {
    const struct config *config;
    size_t group;      /* the config's number */
    size_t url_number; /* of the pattern, over all groups */
    char *url;         /* as it was written; owned */
    enum output_kind output;
    char *output_file; /* OUTPUT_FILE; owned */
    char *upload;      /* -T; NULL: none. Owned */
};

/* Where the making is. Zero-filled but for config is the beginning. */
struct operations {
    const struct config *config; /* the group it is in; NULL: behind the last */
    size_t group, index, url_number;
    struct glob urls, uploads; /* of the URL at index, if begun */
    uint64_t url, upload;      /* the numbers of the next */
    bool begun;
};

/* The next one, in *operation: 1; 0: there is none; else -1, and it has been said (the exit status
 * is in *status). */
int operations_next(struct operations *operations, struct operation *operation, int *status);

void operation_free(struct operation *operation);
void operations_free(struct operations *operations);

#endif
