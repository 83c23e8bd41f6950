/*
 * help.h: what the command says about itself, all of it out of the flags' table.
 */
#ifndef CLI_HELP_HELP_H
#define CLI_HELP_HELP_H

#include "config.h"

/* --help, --manual, --version. The exit status. */
int help_asked(const struct run_config *flags);

/* `ferry help [FLAG|CATEGORY|all]`; argv[0] is "help". */
int help_main(int argc, char **argv);

/* `ferry completion bash|zsh|fish`; argv[0] is "completion". */
int completion_main(int argc, char **argv);

/* The reference in docs/command.md: every flag, and those that are left out. */
void help_reference(void);

#endif
