/*
 * main.c: the `ferry` command. Its first word says what it is to do; without one it fetches URLs.
 * Everything is done through the library's public interface.
 */
#include <string.h>

#include "fetch.h"
#include "lab_command.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "lab") == 0)
        return lab_main(argc - 1, argv + 1);
    return fetch_main(argc, argv);
}
