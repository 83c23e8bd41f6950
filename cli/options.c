/*
 * options.c: command-line options from a table, by getopt_long(). Every complaint about usage is
 * made here.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* More than any command here has; a table that outgrew it would lose options, and its tests
 * would say so. */
#define MAX_OPTIONS 32

void cli_complain(const char *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static const struct cli_option *find_option(const struct cli_option *table, int letter)
{
    for (; table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

/* getopt_long() has found something wrong: what it was, in our words. */
static void complain_of_option(const char *command, const struct cli_option *table, bool missing,
                               const char *word)
{
    const struct cli_option *option = find_option(table, optopt);
    if (missing && option)
        cli_complain(command, "--%s needs an argument: --%s %s", option->name, option->name,
                     option->argument);
    else if (option)
        cli_complain(command, "--%s takes no argument", option->name);
    else if (optopt)
        cli_complain(command, "there is no option -%c; see %s --help", optopt, command);
    else
        cli_complain(command, "there is no option %s; see %s --help", word, command);
}

static int argument_kind(const struct cli_option *option)
{
    if (!option->argument)
        return no_argument;
    return option->argument[0] == '[' ? optional_argument : required_argument;
}

int cli_next_option(const char *command, const struct cli_option *table, int argc, char **argv)
{
    struct option longs[MAX_OPTIONS + 1] = {{NULL, 0, NULL, 0}};
    char shorts[2 * MAX_OPTIONS + 2] = ":"; /* a missing argument is told from an unknown option */
    size_t used = 1;
    for (size_t i = 0; i < MAX_OPTIONS && table[i].name; i++) {
        longs[i].name = table[i].name;
        longs[i].has_arg = argument_kind(&table[i]);
        longs[i].val = table[i].letter;
        if (table[i].letter <= UCHAR_MAX) {
            shorts[used++] = (char)table[i].letter;
            if (table[i].argument)
                shorts[used++] = ':';
        }
    }
    opterr = 0;
    optopt = 0;
    int letter = getopt_long(argc, argv, shorts, longs, NULL);
    if (letter != '?' && letter != ':')
        return letter;
    complain_of_option(command, table, letter == ':', argv[optind - 1]);
    return '?';
}

void cli_print_options(FILE *out, const struct cli_option *table)
{
    for (; table->name; table++) {
        char form[64];
        snprintf(form, sizeof form, "--%s%s%s", table->name,
                 table->argument && table->argument[0] != '[' ? " " : "",
                 table->argument ? table->argument : "");
        if (table->letter <= UCHAR_MAX)
            fprintf(out, "  -%c, %-24s%s\n", table->letter, form, table->help);
        else
            fprintf(out, "      %-24s%s\n", form, table->help);
    }
}

bool cli_parse_number(const char *command, const char *option, const char *text, int min, int max,
                      int *value)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < min || number > max) {
        cli_complain(command, "--%s is a whole number from %d to %d, not \"%s\"", option, min, max,
                     text);
        return false;
    }
    *value = (int)number;
    return true;
}

bool cli_parse_choice(const char *command, const char *option, const char *text,
                      const char *const *names, int *value)
{
    char list[160] = "";
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *value = i;
            return true;
        }
        size_t used = strlen(list);
        const char *separator = i == 0 ? "" : names[i + 1] ? ", " : " or ";
        snprintf(list + used, sizeof list - used, "%s%s", separator, names[i]);
    }
    cli_complain(command, "--%s is %s, not \"%s\"", option, list, text);
    return false;
}

bool cli_parse_seconds(const char *command, const char *option, const char *text, long long *ms)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(seconds) || seconds <= 0 || seconds > 1e9) {
        cli_complain(command, "--%s is a number of seconds above 0, such as 2 or 0.5, not \"%s\"",
                     option, text);
        return false;
    }
    *ms = (long long)ceil(seconds * 1000);
    return true;
}
