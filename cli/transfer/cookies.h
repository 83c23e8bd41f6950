/*
 * cookies.h: -b FILE, -c, -j.
 */
#ifndef CLI_TRANSFER_COOKIES_H
#define CLI_TRANSFER_COOKIES_H

#include "transfer/run.h"

/* Whether the group wants cookies kept, and its files read into the run's jar, which is made with
 * the first such group. CLI_OK, or it has been said. */
int cookies_open(struct run *run, struct group *group);

/* -c: writes the jar. */
int cookies_save(const struct run *run, const struct group *group);

#endif
