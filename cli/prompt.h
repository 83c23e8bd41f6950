/*
 * prompt.h: passwords that are left out on the command line are asked for.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include "config.h"

/* -u USER and -U USER without a password. CLI_OK, or it has been said. */
int prompt_for_passwords(struct config *config);

#endif
