/*
 * inspect URL [TOKEN]: a program with a page that shows what its ferry is doing. It asks for the
 * URL once a second, and forgets to close every fifth response: on the page each of them becomes
 * suspicious, with this file's name and the line.
 *
 * The server is on a thread of its own and does no harm to the counts. It is for this machine only;
 * with a token it might be at another address, too. Ends with its standard input.
 */
#include <ferry_inspect.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Read whole and closed; or, the first time and every fifth from then on, neither. */
static void visit(const char *url, int turn)
{
    ferry_error err;
    char buf[4096];
    ssize_t n;
    ferry_response *res = ferry_get(url, &err);
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return;
    }
    if (turn % 5 == 0) {
        return; /* the mistake */
    }
    while ((n = ferry_response_read(res, buf, sizeof buf, &err)) > 0) {}
    if (n < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
}

static int input_is_over(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
    ferry_error err;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: inspect URL [TOKEN]\n");
        return 2;
    }
    if (ferry_inspect_start("127.0.0.1:0",
                            FERRY_INSPECT_OPTIONS(.token = argc > 2 ? argv[2] : NULL), &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s\n", ferry_inspect_url());
    fflush(stdout);
    for (int turn = 0; !input_is_over(); turn++) {
        visit(argv[1], turn);
        ferry_sleep(1000); /* the connections are watched meanwhile */
    }
    ferry_inspect_stop();
    return 0;
}
