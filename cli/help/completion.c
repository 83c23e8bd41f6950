/*
 * completion.c: completions for shells, out of the flags' table. What a flag takes is told by the
 * name of its argument: FILE and DIRECTORY are completed as such.
 */
#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "flags/flag.h"
#include "help/help.h"
#include "message.h"

static bool takes(const struct flag *flag, const char *what)
{
    return flag->argument && strstr(flag->argument, what);
}

static bool takes_files(const struct flag *flag)
{
    return takes(flag, "FILE") || takes(flag, "PATH");
}

/* ---- bash ---- */

static bool bash_word(void *arg, const struct flag *flag)
{
    (void)arg;
    printf(" --%s", flag->name);
    if (flag->letter)
        printf(" -%c", flag->letter);
    return true;
}

/* A flag in a row of patterns; *arg: whether it is the first. */
static void bash_pattern(void *arg, const struct flag *flag)
{
    bool *first = arg;
    printf("%s--%s", *first ? "" : "|", flag->name);
    if (flag->letter)
        printf("|-%c", flag->letter);
    *first = false;
}

static bool bash_file_flag(void *arg, const struct flag *flag)
{
    if (takes_files(flag))
        bash_pattern(arg, flag);
    return true;
}

static bool bash_directory_flag(void *arg, const struct flag *flag)
{
    if (takes(flag, "DIRECTORY"))
        bash_pattern(arg, flag);
    return true;
}

static bool bash_other_flag(void *arg, const struct flag *flag)
{
    if (flag_takes_argument(flag) && !takes_files(flag) && !takes(flag, "DIRECTORY"))
        bash_pattern(arg, flag);
    return true;
}

static void print_bash_case(bool (*visit)(void *arg, const struct flag *flag), const char *action)
{
    bool first = true;
    printf("        ");
    flags_each(visit, &first);
    printf(")\n            %s;;\n", action);
}

static void print_bash(void)
{
    printf("# bash completion for ferry; `ferry completion bash` has made it.\n"
           "_ferry() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    COMPREPLY=()\n"
           "    case $before in\n");
    print_bash_case(bash_file_flag, "COMPREPLY=($(compgen -f -- \"$word\")); return");
    print_bash_case(bash_directory_flag, "COMPREPLY=($(compgen -d -- \"$word\")); return");
    print_bash_case(bash_other_flag, "return");
    printf("    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        COMPREPLY=($(compgen -W '");
    flags_each(bash_word, NULL);
    printf("' -- \"$word\"))\n"
           "    elif ((COMP_CWORD == 1)); then\n"
           "        COMPREPLY=($(compgen -W 'lab help completion' -- \"$word\"))\n"
           "    fi\n"
           "}\n"
           "complete -o default -F _ferry ferry\n");
}

/* ---- zsh ---- */

/* In single quotes, where brackets, colons and quotes have a meaning. */
static void print_zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void print_zsh_argument(const struct flag *flag)
{
    if (!flag_takes_argument(flag))
        return;
    putchar(':');
    print_zsh_text(flag->argument);
    printf(":%s", takes_files(flag) ? "_files" : takes(flag, "DIRECTORY") ? "_files -/" : "");
}

static bool zsh_flag(void *arg, const struct flag *flag)
{
    (void)arg;
    printf("    '*--%s[", flag->name);
    print_zsh_text(flag->help);
    putchar(']');
    print_zsh_argument(flag);
    printf("'\n");
    if (flag->letter) {
        printf("    '*-%c[", flag->letter);
        print_zsh_text(flag->help);
        putchar(']');
        print_zsh_argument(flag);
        printf("'\n");
    }
    return true;
}

static void print_zsh(void)
{
    printf("#compdef ferry\n"
           "# zsh completion for ferry; `ferry completion zsh` has made it.\n"
           "local -a flags\n"
           "flags=(\n");
    flags_each(zsh_flag, NULL);
    printf(")\n"
           "_arguments -S -s $flags '*:URL:_urls'\n");
}

/* ---- fish ---- */

static void print_fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static bool fish_flag(void *arg, const struct flag *flag)
{
    (void)arg;
    printf("complete -c ferry -l %s", flag->name);
    if (flag->letter == '#' || flag->letter == ':')
        printf(" -s '%c'", flag->letter);
    else if (flag->letter)
        printf(" -s %c", flag->letter);
    printf(" -d ");
    print_fish_text(flag->help);
    if (takes_files(flag) || takes(flag, "DIRECTORY"))
        printf(" -r -F");
    else if (flag_takes_argument(flag))
        printf(" -x");
    putchar('\n');
    return true;
}

static void print_fish(void)
{
    printf("# fish completion for ferry; `ferry completion fish` has made it.\n"
           "complete -c ferry -f\n"
           "complete -c ferry -n __fish_is_first_token -a 'lab help completion'\n");
    flags_each(fish_flag, NULL);
}

int completion_main(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; argc > 1 && i < sizeof shells / sizeof *shells; i++) {
        if (strcmp(argv[1], shells[i].shell) == 0)
            return shells[i].print(), CLI_OK;
    }
    complain("completion is for bash, zsh or fish: ferry completion bash");
    return CLI_USAGE;
}
