/*
 * verbose.h: what happens on a request's way, told on standard error (`ferry -v`).
 */
#ifndef CLI_VERBOSE_H
#define CLI_VERBOSE_H

#include <ferry.h>

/* Follows the request's next send. */
void verbose_follow(ferry_request *req);

#endif
