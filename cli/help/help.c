/*
 * help.c: --help teaches by example; `ferry help FLAG` explains one flag.
 */
#include "help/help.h"

#include <ferry.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "flags/flag.h"
#include "message.h"
#include "output/write_out.h"

#define FORM_COLUMNS 34
#define LINE_COLUMNS 100

static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    printf("%*s", indent, "");
    while (*text) {
        int len = (int)strcspn(text, " ");
        if (column > indent && column + 1 + len > LINE_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", len, text);
        column += len;
        text += len + (text[len] == ' ');
    }
    putchar('\n');
}

static bool print_row(void *arg, const struct flag *flag)
{
    const unsigned *in = arg;
    char form[80];
    if (*in != 0 && !(flag->in & *in))
        return true;
    snprintf(form, sizeof form, "--%s%s%s", flag->name, flag->argument ? " " : "",
             flag->argument ? flag->argument : "");
    if (flag->letter)
        printf(" -%c, ", flag->letter);
    else
        printf("     ");
    if (strlen(form) > FORM_COLUMNS - 2)
        printf("%s\n%*s%s\n", form, FORM_COLUMNS + 5, "", flag->help);
    else
        printf("%-*s%s\n", FORM_COLUMNS, form, flag->help);
    return true;
}

static void print_categories(void)
{
    for (const struct flag_category_name *row = flag_categories; row->name; row++)
        printf("  %-12s %s\n", row->name, row->help);
}

static void print_short_help(void)
{
    unsigned in = IN_IMPORTANT;
    printf("Usage: ferry [flag]... URL...\n"
           "       ferry lab [flag]...\n"
           "\n"
           "  ferry https://example.com/                         print a body\n"
           "  ferry -o big.iso https://example.com/big.iso       save it, with a progress bar\n"
           "  ferry -OL https://example.com/latest.tar.gz        under its own name, redirected or "
           "not\n"
           "  ferry -I https://example.com/                      only the response's head\n"
           "  ferry --json '{\"a\": 1}' https://example.com/api    POST JSON\n"
           "  ferry -F photo=@me.jpg https://example.com/form    POST a form with a file\n"
           "  ferry -u alice:secret https://example.com/         with credentials\n"
           "  ferry -Z -O 'https://example.com/[1-100].jpg'      a hundred files, fifty at a time\n"
           "  ferry -v https://example.com/ https://example.com/ what became of the connection\n"
           "  ferry -m 2.5 http://host/slow                      give up after two and a half "
           "seconds\n"
           "  ferry --unix-socket /run/docker.sock http://localhost/version\n"
           "  ferry lab                                          the experiment that ferry was "
           "born from\n"
           "\n"
           "Flags and exit statuses are curl's. Those that are used every day:\n\n");
    flags_each(print_row, &in);
    printf("\n`ferry help FLAG` explains one; `ferry --help CATEGORY` lists more:\n\n");
    print_categories();
    printf("  %-12s %s\n", "all", "every flag");
}

/* ---- One flag ---- */

static void print_variables(void)
{
    struct write_out_value value;
    int column = 4;
    printf("\n    Variables:\n    ");
    for (size_t i = 0; write_out_variable(NULL, i, &value); i++) {
        int len = (int)strlen(value.name) + 2;
        if (column + len > LINE_COLUMNS) {
            printf("\n    ");
            column = 4;
        }
        printf("%s  ", value.name);
        column += len;
    }
    printf("json  header_json  onerror  stderr  stdout\n");
}

static bool explain(void *arg, const struct flag *flag)
{
    const char *separator = "";
    (void)arg;
    if (flag->letter)
        printf("-%c, ", flag->letter);
    printf("--%s%s%s\n", flag->name, flag->argument ? " " : "",
           flag->argument ? flag->argument : "");
    printf("    %c%s.\n", toupper((unsigned char)flag->help[0]), flag->help + 1);
    if (flag->more)
        print_wrapped(flag->more, 4);
    if (flag->kind == FLAG_SWITCH)
        printf("    --no-%s takes it back.\n", flag->name);
    if (flag->example)
        printf("\n    ferry %s\n", flag->example);
    if (strcmp(flag->name, "write-out") == 0)
        print_variables();
    printf("\n    See also: ferry --help ");
    for (const struct flag_category_name *row = flag_categories; row->name; row++) {
        if ((flag->in & row->category) && row->category != IN_IMPORTANT) {
            printf("%s%s", separator, row->name);
            separator = ", ";
        }
    }
    printf("\n");
    return true;
}

static bool explain_and_part(void *arg, const struct flag *flag)
{
    explain(arg, flag);
    putchar('\n');
    return true;
}

static int explain_by_name(const char *word)
{
    const char *name = word + strspn(word, "-");
    const struct flag *flag = flag_by_name(name, strlen(name));
    const struct flag_left_out *left_out = flag_left_out_by_name(name);
    bool several;
    if (!flag && strlen(name) == 1) {
        flag = flag_by_letter(name[0]);
        left_out = flag_left_out_by_letter(name[0]);
    }
    if (!flag && !left_out && strncmp(name, "no-", 3) == 0)
        flag = flag_by_name(name + 3, strlen(name) - 3);
    if (!flag && !left_out)
        flag = flag_by_beginning(name, &several);
    if (flag)
        return explain(NULL, flag), CLI_OK;
    if (left_out)
        return printf("--%s is a flag of curl's that ferry does not have: %s.\n", left_out->name,
                      left_out->why),
               CLI_OK;
    const char *like = flag_like(name);
    if (like)
        complain("there is no flag and no category \"%s\"; did you mean --%s?", word, like);
    else
        complain("there is no flag and no category \"%s\"; see ferry --help all", word);
    return CLI_USAGE;
}

static int explain_word(const char *word)
{
    unsigned in = 0;
    if (strcmp(word, "all") == 0)
        return flags_each(print_row, &in), CLI_OK;
    if (strcmp(word, "category") == 0)
        return print_categories(), CLI_OK;
    if (strcmp(word, "reference") == 0)
        return help_reference(), CLI_OK;
    for (const struct flag_category_name *row = flag_categories; row->name; row++) {
        if (strcmp(row->name, word) != 0 &&
            !(row->category == IN_CURL && strcmp(word, "curl") == 0))
            continue;
        in = row->category;
        printf("%s: %s\n\n", row->name, row->help);
        flags_each(print_row, &in);
        return CLI_OK;
    }
    return explain_by_name(word);
}

int help_asked(const struct run_config *flags)
{
    if (flags->version)
        printf("ferry %s\n", ferry_version());
    else if (flags->manual)
        flags_each(explain_and_part, NULL);
    else if (flags->help_topic)
        return explain_word(flags->help_topic);
    else
        print_short_help();
    return CLI_OK;
}

int help_main(int argc, char **argv)
{
    if (argc > 1)
        return explain_word(argv[1]);
    print_short_help();
    return CLI_OK;
}
