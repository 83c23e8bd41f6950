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

/* What stands in a line of a config file: a long name, or letters, as behind one dash; and a value
 * (NULL: there is none). They are kept. where: what the complaint begins with ("flags.txt:3: "). */
bool flags_take_line(struct run_config *run, const char *name, const char *value, bool letters,
                     const char *where);

#endif
