/*
 * The folder of a program of tests.
 */
#include "own_folder.h"

#include <stdio.h>

char own_folder[TEMP_DIR_SIZE];

int own_folder_make(void **state)
{
    (void)state;
    return temp_dir_make(own_folder) ? 0 : -1;
}

int own_folder_remove(void **state)
{
    (void)state;
    temp_dir_remove(own_folder);
    return 0;
}

const char *own_path(const char *name)
{
    static char path[TEMP_DIR_SIZE + 32];

    snprintf(path, sizeof path, "%s/%s", own_folder, name);
    return path;
}
