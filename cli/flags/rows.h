/*
 * rows.h: what the tables of flags are written with.
 */
#ifndef CLI_FLAGS_ROWS_H
#define CLI_FLAGS_ROWS_H

#include "flags/flag.h"

#define AT(member) .offset = offsetof(struct config, member)
#define AT_RUN(member) .for_run = true, .offset = offsetof(struct run_config, member)
#define LAST_ROW \
    {            \
        0        \
    }

#endif
