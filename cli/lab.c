/*
 * lab.c: `ferry lab`. Takes the choices from the command line, has the rows run one after the
 * other, and prints them once all are known, so that the answer can stand before the table.
 */
#include "lab.h"

#include <ferry.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "exit_code.h"
#include "lab_command.h"
#include "options.h"
#include "origin.h"

#define COMMAND "ferry lab"
#define MAX_NUM 10000
#define MAX_HOSTS 250

/* Of an earlier row, which the server may notice a little late to be gone. */
#define SPARE_CONNECTIONS 64

/* Descriptors beside those of a row's connections: of the program, and of the server of each
 * host. */
#define OTHER_FILES 64
#define FILES_PER_HOST 8

enum {
    OPTION_NUM = 256,
    OPTION_HOSTS,
    OPTION_BODY,
    OPTION_READ,
    OPTION_CLOSE,
    OPTION_DRAIN,
    OPTION_URL,
    OPTION_JSON,
    OPTION_SERVE
};

static const struct cli_option options[] = {
    {"num", OPTION_NUM, "N", "requests in the loop (6)"},
    {"hosts", OPTION_HOSTS, "N", "hosts that they go to in turn (1)"},
    {"body", OPTION_BODY, "KIND", "sized, chunked, big, empty or conn-close"},
    {"read", OPTION_READ, "HOW",
     "none, some (10 bytes), exact (Content-Length) or all (to the end)"},
    {"close", OPTION_CLOSE, "YES|NO", "whether each response is closed"},
    {"drain", OPTION_DRAIN, "ON|OFF", "whether a body closed early is read on"},
    {"url", OPTION_URL, "URL", "ask this instead of the embedded server"},
    {"json", OPTION_JSON, NULL, "print an array with one object per row"},
    {"serve", OPTION_SERVE, "[=ADDRESS]", "show the experiment on a page (127.0.0.1, a free port)"},
    {"help", 'h', NULL, "print this"},
    {NULL, 0, NULL, NULL},
};

static void print_help(void)
{
    printf("Usage: ferry lab [OPTION]...\n"
           "\n"
           "Six requests in a loop, each body read to its end, no response closed: how many tasks "
           "are there?\n"
           "Runs that experiment and its relatives over real sockets, against a server of its own, "
           "and counts.\n"
           "\n"
           "  ferry lab                             the whole table, both ways of closing early\n"
           "  ferry lab --read all --close no       the puzzle: 3, not 13\n"
           "  ferry lab --read none --close no      the leak, and the line that is to blame\n"
           "  ferry lab --body big --drain on       10 MiB, with an early close that reads on\n"
           "  ferry lab --hosts 3 --num 12          three hosts in turn\n"
           "  ferry lab --url http://localhost/     the same against another server\n"
           "  ferry lab --serve                     the same, to watch in a browser\n"
           "  ferry lab --json | jq '.[] | select(.tasks > 3)'\n"
           "\n"
           "A choice narrows the table to its rows:\n");
    cli_print_options(stdout, options);
    printf("\n"
           "connections: alive after the loop; dials: made in all; reuses: requests that found one "
           "there.\n"
           "Exit status: 0; 1 if a request failed or the counts of both sides differ; 2 for a bad "
           "command line.\n");
}

/* Returns 0, or -1 after a complaint. */
static int take_option(int letter, struct lab_choices *choices, bool *json)
{
    static const char *const no_yes[] = {"no", "yes", NULL};
    static const char *const off_on[] = {"off", "on", NULL};
    bool ok = true;
    switch (letter) {
    case OPTION_NUM:
        ok = cli_parse_number(COMMAND, "num", optarg, 1, MAX_NUM, &choices->num);
        break;
    case OPTION_HOSTS:
        ok = cli_parse_number(COMMAND, "hosts", optarg, 1, MAX_HOSTS, &choices->hosts);
        break;
    case OPTION_BODY:
        ok = cli_parse_choice(COMMAND, "body", optarg, lab_body_names, &choices->body);
        break;
    case OPTION_READ:
        ok = cli_parse_choice(COMMAND, "read", optarg, lab_read_names, &choices->read);
        break;
    case OPTION_CLOSE:
        ok = cli_parse_choice(COMMAND, "close", optarg, no_yes, &choices->closed);
        break;
    case OPTION_DRAIN:
        ok = cli_parse_choice(COMMAND, "drain", optarg, off_on, &choices->drain);
        break;
    case OPTION_URL: choices->url = optarg; break;
    case OPTION_JSON: *json = true; break;
    case OPTION_SERVE: choices->serve = optarg ? optarg : "127.0.0.1:0"; break;
    default: ok = false;
    }
    return ok ? 0 : -1;
}

static int check_choices(const struct lab_choices *choices)
{
    if (choices->url && choices->body >= 0) {
        cli_complain(
            COMMAND,
            "--body chooses what the embedded server sends; with --url that is up to the URL");
        return -1;
    }
    if (choices->url && choices->hosts >= 0) {
        cli_complain(COMMAND, "--hosts is for the embedded server; with --url there is one");
        return -1;
    }
    if (choices->body == LAB_CHUNKED && choices->read == LAB_READ_EXACT) {
        cli_complain(COMMAND,
                     "--read exact needs an announced length, and --body chunked has none");
        return -1;
    }
    return 0;
}

/* A leak costs descriptors on both sides, and both sides are here. */
static int reserve_files(const struct lab_choices *choices)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)choices->num * (choices->url ? 1 : 2) + OTHER_FILES +
                    (rlim_t)(choices->hosts > 2 ? choices->hosts : 2) * FILES_PER_HOST;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return 0;
    if (limit.rlim_max < needed) {
        cli_complain(
            COMMAND,
            "--num %d may need %llu open files, and this process is allowed %llu (ulimit -Hn)",
            choices->num, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
        return -1;
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    cli_complain(COMMAND, "cannot raise the limit of open files: %s", strerror(errno));
    return -1;
}

/* Asks the URL once, apart from the experiment, so that what fails always fails before it
 * begins, and to learn whether there is a length to be read exactly. */
static int probe(const char *url, int64_t *length)
{
    ferry_error err = {0};
    ferry_response *res = ferry_get(url, &err);
    if (!res) {
        cli_complain(COMMAND, "%s", err.message);
        return -1;
    }
    *length = ferry_response_length(res);
    ferry_response_close(res);
    ferry_transport_close_idle(NULL);
    return 0;
}

/* Takes the rows out that read exactly what is announced; returns how many are left. */
static size_t drop_exact(struct lab_line *lines, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (lines[i].row.read != LAB_READ_EXACT)
            lines[kept++] = lines[i];
    return kept;
}

/* Runs the row in each mode that is chosen. The first leak seen is the one whose ledger is kept. */
static int run_line(const struct lab_target *target, struct lab_line *line, int chosen,
                    struct lab_ledger *ledger)
{
    for (int drain = 0; drain < LAB_DRAINS; drain++) {
        if (chosen >= 0 && chosen != drain)
            continue;
        char *text = NULL;
        bool wanted = !ledger->text && !line->row.closed;
        struct lab_result *result = &line->result[drain];
        if (lab_run(target, &line->row, (enum lab_drain)drain, result, wanted ? &text : NULL) < 0) {
            free(text);
            return -1;
        }
        line->ran[drain] = true;
        if (text && lab_outcome(&line->row, result) == LAB_LEAKED)
            *ledger = (struct lab_ledger){line, (enum lab_drain)drain, text};
        else
            free(text);
    }
    return 0;
}

static int highest_host_count(const struct lab_line *lines, size_t count)
{
    int hosts = 1;
    for (size_t i = 0; i < count; i++)
        if (lines[i].row.hosts > hosts)
            hosts = lines[i].row.hosts;
    return hosts;
}

/* Finds what the requests go to. Returns the number of rows that are possible there, 0 after a
 * complaint. */
static size_t find_target(const struct lab_choices *choices, struct lab_line *lines, size_t count,
                          struct lab_target *target)
{
    int64_t length = 0;
    if (!choices->url) {
        target->origin = origin_start(highest_host_count(lines, count),
                                      (unsigned)choices->num + SPARE_CONNECTIONS);
        if (!target->origin)
            cli_complain(COMMAND, "cannot start the embedded server: %s", strerror(errno));
        return target->origin ? count : 0;
    }
    target->url = choices->url;
    if (probe(choices->url, &length) < 0)
        return 0;
    if (length < 0)
        count = drop_exact(lines, count);
    if (count == 0)
        cli_complain(COMMAND, "--read exact needs an announced length, and %s announces none",
                     choices->url);
    return count;
}

static int run_and_print(const struct lab_choices *choices, bool json)
{
    static struct lab_line lines[LAB_MAX_ROWS];
    struct lab_target target = {0};
    struct lab_ledger ledger = {0};
    int status = CLI_FAILED;
    size_t count = find_target(choices, lines, lab_choose(choices, lines), &target);
    if (count == 0)
        goto out;
    for (size_t i = 0; i < count; i++)
        if (run_line(&target, &lines[i], choices->drain, &ledger) < 0)
            goto out;
    if (json)
        lab_print_json(lines, count);
    else
        lab_print(choices, lines, count, &ledger);
    status = CLI_OK;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_complain(COMMAND, "cannot write to standard output: %s", strerror(errno));
        status = CLI_WRITE_FAILED;
    }
out:
    free(ledger.text);
    origin_stop(target.origin);
    return status;
}

/* The page has choices of its own. */
static int serve(const struct lab_choices *choices, int argc)
{
    if (argc > 2) {
        cli_complain(COMMAND, "--serve goes alone: everything else is chosen on the page");
        return CLI_USAGE;
    }
#ifdef FERRY_WITH_INSPECT
    return lab_serve(choices->serve);
#else
    cli_complain(COMMAND, "cannot serve at %s: this ferry was built without libferry-inspect",
                 choices->serve);
    return CLI_FAILED;
#endif
}

int lab_main(int argc, char **argv)
{
    struct lab_choices choices = {
        .body = -1, .read = -1, .closed = -1, .drain = -1, .hosts = -1, .num = 6, .url = NULL};
    bool json = false;
    int letter;
    while ((letter = cli_next_option(COMMAND, options, argc, argv)) != -1) {
        if (letter == 'h') {
            print_help();
            return CLI_OK;
        }
        if (take_option(letter, &choices, &json) < 0)
            return CLI_USAGE;
    }
    if (optind < argc) {
        cli_complain(COMMAND, "takes no \"%s\"; to ask a server of your own, say --url %s",
                     argv[optind], argv[optind]);
        return CLI_USAGE;
    }
    if (choices.serve)
        return serve(&choices, argc);
    if (check_choices(&choices) < 0 || reserve_files(&choices) < 0)
        return CLI_USAGE;
    return run_and_print(&choices, json);
}
