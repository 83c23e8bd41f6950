/*
 * main.c: the `ferry` command. Its first word says what it is to do; without one it fetches URLs.
 * Everything is done through the library's public interface.
 */
#include <string.h>

#include "fetch.h"
#include "help/help.h"
#include "lab_command.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(int argc, char **argv);
    } commands[] = {{"lab", lab_main}, {"help", help_main}, {"completion", completion_main}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].word) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return fetch_main(argc, argv);
}
