/*
 * The command with an allocation that fails: the one whose number is in FERRY_TEST_FAIL_AT, of those of
 * its own thread. When all of them were to be had, it leaves the file FERRY_TEST_HAD_ALL.
 */
#include <stdio.h>
#include <stdlib.h>

#include "failing_alloc.h"
#include "fetch.h"

int main(int argc, char **argv)
{
    const char *number = getenv("FERRY_TEST_FAIL_AT"), *path = getenv("FERRY_TEST_HAD_ALL");

    alloc_fail_at(number ? strtol(number, NULL, 10) : 0, false);
    int status = fetch_main(argc, argv);
    if (alloc_fail_none() == 0 && path) {
        FILE *file = fopen(path, "w");
        if (file)
            fclose(file);
    }
    return status;
}
