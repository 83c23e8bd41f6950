/*
 * conditions.h: what is asked for only under a condition, or in part: ranges, dates, ETags.
 */
#ifndef CLI_REQUEST_CONDITIONS_H
#define CLI_REQUEST_CONDITIONS_H

#include <ferry.h>

#include "transfer/run.h"

/* The value of Range (-r, -C) and of Content-Range (-C with -T); NULL: none. From malloc(). */
char *condition_range(const struct transfer *transfer);
char *condition_content_range(const struct transfer *transfer);

/* If-Modified-Since, If-Unmodified-Since, If-None-Match, by put. */
void conditions_put(struct transfer *transfer, ferry_request *req,
                    void (*put)(struct transfer *transfer, ferry_request *req, const char *name,
                                const char *value));

/* -z all the same for a server that has sent everything: whether the body is not wanted. */
bool condition_unmet(const struct transfer *transfer, const ferry_response *res);

/* --etag-save; CLI_OK, or the transfer has failed. */
int etag_save(struct transfer *transfer, const ferry_response *res);

#endif
