/*
 * A folder that a program of tests has to itself, from its first test to its last.
 */
#ifndef CLI_OWN_FOLDER_H
#define CLI_OWN_FOLDER_H

#include "temp_dir.h"

extern char own_folder[TEMP_DIR_SIZE];

/* For cmocka_run_group_tests. */
int own_folder_make(void **state);
int own_folder_remove(void **state);

/* The path of a file in it; valid until the next call. */
const char *own_path(const char *name);

#endif
