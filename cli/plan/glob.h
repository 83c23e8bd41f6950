/*
 * glob.h: URLs that stand for many: "{a,b}", "[1-100]", "[001-100:10]", "[a-z:2]". Pure.
 *
 * A backslash takes the meaning from the letter behind it. Brackets around an IPv6 address, and
 * empty ones, mean themselves.
 */
#ifndef CLI_PLAN_GLOB_H
#define CLI_PLAN_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct glob_part;

struct glob {
    struct glob_part *parts; /* in order; owned */
    size_t count;
    uint64_t total; /* of URLs */
};

/* Takes a pattern apart. literal: nothing in it has a meaning. -1: why is a sentence's end ("...")
 * and at the place in the text; why is "" when out of memory. */
int glob_parse(struct glob *glob, const char *text, bool literal, const char **why, size_t *at);

/* The URL of that number, from 0 on; the last part runs fastest. From malloc(); NULL when out of
 * memory. */
char *glob_text(const struct glob *glob, uint64_t number);

/* A file's name with "#1" for what the first part of the URL of that number stands for, and so on;
 * "#" and anything else means itself. From malloc(); NULL when out of memory. */
char *glob_name(const struct glob *glob, uint64_t number, const char *name);

void glob_free(struct glob *glob);

#endif
