/*
 * config_file.h: flags from a file (-K, ~/.ferryrc).
 */
#ifndef CLI_FLAGS_CONFIG_FILE_H
#define CLI_FLAGS_CONFIG_FILE_H

#include <stdbool.h>

#include "flags/flag.h"

/* A line of such a file, taken apart. */
struct config_line {
    const char *name;  /* without its dashes; NULL: nothing stands in the line */
    const char *value; /* NULL: none */
    bool letters;      /* the name stands behind one dash: letters, as in -sSLo */
    bool bare;         /* the value was not in quotes and goes on behind a blank */
};

/* Takes a line apart, in place: the texts lie in it. Pure. */
void config_line_parse(char *line, struct config_line *parsed);

/* The flag -K. Complains by itself about what is in the file; FLAG_BAD is the file's name. */
enum flag_word config_file_take(struct run_config *run, const char *path, const char **why);

/* $HOME/.ferryrc, if it is there. False: something in it was wrong, and has been said. */
bool config_file_take_own(struct run_config *run);

#endif
