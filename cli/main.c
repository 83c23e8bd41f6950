/*
 * main.c: the `ferry` command. Its first word says what it is to do; without one it fetches URLs.
 * Everything is done through the library's public interface.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "fetch.h"
#include "help/help.h"
#include "lab_command.h"
#include "message.h"

/* Who started us may have closed standard input, output or error. The first connection would get
 * that number then, and what is said to people would go to the server. In its place comes something
 * that can be neither read nor written, as what is closed. */
static void hold_standard_places(void)
{
    for (int place = STDIN_FILENO; place <= STDERR_FILENO; place++) {
        if (fcntl(place, F_GETFD) < 0) /* then it is the lowest that is free */
            (void)open("/dev/null", place == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* What was printed but never written (-w, -D -, --help) is a failure, unless there is one already. */
static int after_output(int status)
{
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (written || status != CLI_OK)
        return status;
    complain("(23) cannot write to standard output: %s", strerror(errno));
    return CLI_WRITE_FAILED;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(int argc, char **argv);
    } commands[] = {{"lab", lab_main}, {"help", help_main}, {"completion", completion_main}};
    hold_standard_places();
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].word) == 0)
            return after_output(commands[i].run(argc - 1, argv + 1));
    }
    return after_output(fetch_main(argc, argv));
}
