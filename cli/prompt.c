/*
 * prompt.c: a line from the terminal that is not shown.
 */
#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "exit_code.h"
#include "flags/words.h"
#include "message.h"

/* From the terminal, or from standard input where there is none. */
static bool ask(const char *question, const char *user, char *line, int size)
{
    FILE *terminal = fopen("/dev/tty", "r+");
    FILE *from = terminal ? terminal : stdin;
    struct termios shown, hidden;
    bool hides = tcgetattr(fileno(from), &shown) == 0;
    if (hides) { /* before the question: who types fast is not shown either */
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(from), TCSANOW, &hidden);
    }
    fprintf(stderr, "Enter %s password for user '%s':", question, user);
    fflush(stderr);
    bool fine = fgets(line, size, from) != NULL;
    if (hides)
        tcsetattr(fileno(from), TCSANOW, &shown);
    fputc('\n', stderr);
    if (terminal)
        fclose(terminal);
    if (!fine)
        line[0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return fine;
}

static int complete(const char **user, const char *question)
{
    char line[512];
    if (!*user || strchr(*user, ':'))
        return CLI_OK;
    ask(question, *user, line, sizeof line);
    char *with_colon = word_join(*user, ":");
    char *whole = with_colon ? word_join(with_colon, line) : NULL;
    explicit_bzero(line, sizeof line);
    if (!whole) {
        complain("(27) out of memory");
        return CLI_NO_MEMORY;
    }
    *user = whole;
    return CLI_OK;
}

int prompt_for_passwords(struct config *config)
{
    int status = config->bearer ? CLI_OK : complete(&config->user, "host");
    return status == CLI_OK ? complete(&config->proxy_user, "proxy") : status;
}
