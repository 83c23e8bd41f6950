/*
 * parse.h: words of the command line, or lines of a config file, into the configuration.
 */
#ifndef CLI_FLAGS_PARSE_H
#define CLI_FLAGS_PARSE_H

#include <stdbool.h>

#include "config.h"

/* All of argv from the second word on. False: something was wrong, and has been said on standard
 * error in one line. */
bool flags_parse(struct run_config *run, int argc, char **argv);

/* One flag by its long name, as a config file has it. value NULL: there is none. where: what the
 * complaint begins with ("flags.txt:3: "), or "". */
bool flags_take_long(struct run_config *run, const char *name, const char *value,
                     const char *where);

#endif
