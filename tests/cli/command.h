/*
 * Runs the `ferry` command that was built, and looks at how it ended.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "run.h"

/* Runs FERRY_COMMAND with these arguments: command(&result, "lab", "--json"). It must end by
 * itself. */
#define command(result, ...) \
    command_run((result), (const char *const[]){FERRY_COMMAND, __VA_ARGS__, NULL})
void command_run(struct run_result *result, const char *const *argv);

/* The command must fail as it should: nothing on standard output, one line on standard error
 * that begins with "ferry", the status that is expected. Frees the result. */
void command_fails(struct run_result *result, int status, const char *part_of_sentence);

#endif
