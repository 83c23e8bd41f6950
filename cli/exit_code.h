/*
 * exit_code.h: what the command's exit status says. The numbers are curl's, since scripts know
 * them.
 */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

#include <ferry.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* ferry lab: a request failed, or the experiment did not come out clean */
    CLI_USAGE = 2,  /* the command line */
    CLI_WRITE_FAILED = 23 /* the body could not be written where it should go */
};

/* The exit status for a request that failed with err. */
int cli_exit_code(const ferry_error *err);

#endif
