/*
 * reference.c: the tables of docs/command.md.
 */
#include <stdio.h>
#include <string.h>

#include "flags/flag.h"
#include "help/help.h"

/* A table's cells must not end at a "|" in a text. */
static void print_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
}

static bool print_flag(void *arg, const struct flag *flag)
{
    const unsigned *in = arg;
    if (!(flag->in & *in))
        return true;
    printf("| `");
    if (flag->letter)
        printf("-%c`, `", flag->letter);
    printf("--%s", flag->name);
    if (flag->argument) {
        putchar(' ');
        print_cell(flag->argument);
    }
    printf("` | ");
    print_cell(flag->help);
    printf(" |\n");
    return true;
}

void help_reference(void)
{
    for (const struct flag_category_name *row = flag_categories; row->name; row++) {
        unsigned in = row->category;
        if (in == IN_IMPORTANT)
            continue;
        printf("### %s: %s\n\n| flag | |\n| --- | --- |\n", row->name, row->help);
        flags_each(print_flag, &in);
        putchar('\n');
    }
    printf("### Left out\n\n| curl's flag | why |\n| --- | --- |\n");
    for (const struct flag_left_out *row = flags_left_out; row->name; row++) {
        printf("| `");
        if (row->letter)
            printf("-%c`, `", row->letter);
        printf("--%s` | ", row->name);
        print_cell(row->why);
        printf(" |\n");
    }
}
