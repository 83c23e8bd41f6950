/*
 * options.h: command-line options from a table. One row says what getopt_long() has to know of an
 * option and what the help says of it, so that the two cannot disagree. Used by every command;
 * complaints about usage are made here, one sentence on standard error each, beginning with the
 * command's name.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* A table of these ends with a row whose name is NULL. */
struct cli_option {
    const char *name;     /* long form, without its dashes */
    int letter;           /* short form; past 255: it has none, and this is only its number */
    const char *argument; /* what the help calls its argument; NULL: it takes none; "[=...]": it may
                             be left out */
    const char *help;     /* what it does, in one line */
};

/* Returns the letter of the next option (its argument is in optarg), -1 when only operands are
 * left (from argv[optind] on), or '?' when something was wrong and has been said. */
int cli_next_option(const char *command, const struct cli_option *table, int argc, char **argv);

/* Prints the table, one option a line. */
void cli_print_options(FILE *out, const struct cli_option *table);

/* A whole number from min to max: true, and in *value. Otherwise says so on standard error. */
bool cli_parse_number(const char *command, const char *option, const char *text, int min, int max,
                      int *value);

/* One of the names (the list ends with NULL): true, and its index in *value. Otherwise says so
 * on standard error. */
bool cli_parse_choice(const char *command, const char *option, const char *text,
                      const char *const *names, int *value);

/* Seconds, fractions allowed, more than none: true, and in *ms. Otherwise says so on standard
 * error. */
bool cli_parse_seconds(const char *command, const char *option, const char *text, long long *ms);

/* One sentence on standard error: "COMMAND: ...". */
void cli_complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
