/*
 * terminal.h: what the commands may assume of a stream that a person looks at. Colour goes only to
 * a terminal, and not if NO_COLOR is set (no-color.org) or the terminal says that it is dumb.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* May out be given colour? */
bool cli_may_colour(FILE *out);

/* Columns of the terminal behind out; 80 if it does not say. */
int cli_columns(FILE *out);

#endif
