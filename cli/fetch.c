/*
 * fetch.c: `ferry URL...` prints bodies. All URLs are asked over one transport, one after the
 * other, so that a server that is asked twice is dialed once. What fails is said in one sentence,
 * and the rest is fetched all the same; the exit status is that of the first failure.
 */
#include "fetch.h"

#include <ferry.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "options.h"
#include "progress.h"
#include "verbose.h"

#define COMMAND "ferry"
#define BUFFER_BYTES 65536

enum { OPTION_UNIX_SOCKET = 256, OPTION_VERSION };

static const struct cli_option options[] = {
    {"output", 'o', "FILE",
     "write to FILE (- is standard output); several bodies one after the other"},
    {"head", 'I', NULL, "send HEAD, print the response's head"},
    {"include", 'i', NULL, "print the response's head before the body"},
    {"max-time", 'm', "SECONDS", "give each URL no more time than this, such as 10 or 0.5"},
    {"unix-socket", OPTION_UNIX_SOCKET, "PATH",
     "connect to this Unix socket, whatever the URL's host"},
    {"verbose", 'v', NULL, "tell on standard error what happens on a request's way"},
    {"help", 'h', NULL, "print this"},
    {"version", OPTION_VERSION, NULL, "print the version"},
    {NULL, 0, NULL, NULL},
};

/* The command line. Strings are argv's. */
struct choices {
    const char *output; /* NULL: standard output */
    const char *unix_socket;
    long long max_time_ms; /* 0: no limit */
    bool head;
    bool include;
    bool verbose;
    bool done; /* --help or --version: nothing else is to be done */
};

/* One run of the command; unwound at the end of fetch_main(). */
struct fetch {
    const struct choices *choices;
    ferry_transport *transport;
    ferry_client *client;
    FILE *out;    /* NULL until the first response: a failure leaves an old file alone */
    char *buffer; /* BUFFER_BYTES on their way from response to out */
};

static void print_help(void)
{
    printf("Usage: ferry [OPTION]... URL...\n"
           "       ferry lab [OPTION]...\n"
           "\n"
           "Prints what is behind each URL. Plain HTTP; \"http://\" may be left out.\n"
           "\n"
           "  ferry http://localhost:8080/           print a body\n"
           "  ferry -o big.iso http://host/big.iso   save it, with a progress bar\n"
           "  ferry -I http://host/                  only status line and header fields\n"
           "  ferry -m 2.5 http://host/slow          give up after two and a half seconds\n"
           "  ferry --unix-socket /run/docker.sock http://localhost/version\n"
           "  ferry lab                              run the experiment that ferry was born from\n"
           "  ferry lab --help                       and what can be varied in it\n"
           "\n"
           "Options:\n");
    cli_print_options(stdout, options);
    printf("\n"
           "Exit status, as curl's: 0; 1 not a protocol of this build; 2 bad command line; 3 "
           "malformed URL;\n"
           "6 host not found; 7 not connected; 8 not HTTP; 18 body cut short; 23 not written; 28 "
           "timed out;\n"
           "52 no answer; 55 sending failed; 56 receiving failed. A status such as 404 is an "
           "answer: 0.\n");
}

static int take_options(int argc, char **argv, struct choices *choices)
{
    int letter;
    while ((letter = cli_next_option(COMMAND, options, argc, argv)) != -1) {
        switch (letter) {
        case 'o': choices->output = strcmp(optarg, "-") == 0 ? NULL : optarg; break;
        case 'I': choices->head = true; break;
        case 'i': choices->include = true; break;
        case 'm':
            if (!cli_parse_seconds(COMMAND, "max-time", optarg, &choices->max_time_ms))
                return -1;
            break;
        case OPTION_UNIX_SOCKET: choices->unix_socket = optarg; break;
        case 'v': choices->verbose = true; break;
        case 'h':
            print_help();
            choices->done = true;
            return 0;
        case OPTION_VERSION:
            printf("ferry %s\n", ferry_version());
            choices->done = true;
            return 0;
        default: return -1;
        }
    }
    if (optind == argc) {
        cli_complain(COMMAND, "which URL? See ferry --help, or try ferry lab");
        return -1;
    }
    return 0;
}

/* ---- One URL ---- */

static int write_failed(const struct fetch *fetch, int error)
{
    cli_complain(COMMAND, "cannot write to %s: %s",
                 fetch->choices->output ? fetch->choices->output : "standard output",
                 strerror(error));
    return CLI_WRITE_FAILED;
}

static int open_output(struct fetch *fetch)
{
    if (fetch->out)
        return CLI_OK;
    fetch->out = fetch->choices->output ? fopen(fetch->choices->output, "wb") : stdout;
    return fetch->out ? CLI_OK : write_failed(fetch, errno);
}

static void print_head(FILE *out, const char *prefix, const ferry_response *res)
{
    fprintf(out, "%s%s %d %s\n", prefix, ferry_response_proto(res), ferry_response_status(res),
            ferry_response_reason(res));
    for (size_t i = 0; i < ferry_response_header_count(res); i++) {
        const char *name, *value;
        ferry_response_header_at(res, i, &name, &value);
        fprintf(out, "%s%s: %s\n", prefix, name, value);
    }
    fprintf(out, "%s\n", prefix);
}

/* Passes the body on as it comes: what has arrived is written before more is waited for. */
static int copy_body(struct fetch *fetch, ferry_response *res, struct progress *progress)
{
    for (;;) {
        ferry_error err = {0};
        ssize_t n = ferry_response_read(res, fetch->buffer, BUFFER_BYTES, &err);
        if (n < 0) {
            progress_end(progress);
            cli_complain(COMMAND, "%s", err.message);
            return cli_exit_code(&err);
        }
        if (fwrite(fetch->buffer, 1, (size_t)n, fetch->out) != (size_t)n ||
            fflush(fetch->out) != 0) {
            int error = errno;
            progress_end(progress);
            return write_failed(fetch, error);
        }
        if (n == 0)
            return CLI_OK;
        progress_add(progress, n);
    }
}

static int print_response(struct fetch *fetch, ferry_response *res)
{
    const struct choices *choices = fetch->choices;
    struct progress progress;
    int status = open_output(fetch);
    if (status != CLI_OK)
        return status;
    if (choices->verbose)
        print_head(stderr, "< ", res);
    if (choices->head || choices->include)
        print_head(fetch->out, "", res);
    progress_begin(&progress, ferry_response_length(res), choices->output && isatty(STDERR_FILENO));
    status = copy_body(fetch, res, &progress);
    progress_end(&progress);
    return status;
}

static int fetch_one(struct fetch *fetch, const char *url)
{
    ferry_error err = {0};
    ferry_response *res = NULL;
    ferry_request *req = ferry_request_new(fetch->choices->head ? "HEAD" : "GET", url, &err);
    if (req && fetch->choices->verbose)
        verbose_follow(req);
    if (req)
        res = ferry_client_do(fetch->client, req, &err);
    ferry_request_free(req);
    if (!res) {
        cli_complain(COMMAND, "%s", err.message);
        return cli_exit_code(&err);
    }
    int status = print_response(fetch, res);
    ferry_response_close(res);
    return status;
}

/* People leave the scheme out. */
static int fetch_word(struct fetch *fetch, const char *word)
{
    char *url = NULL;
    if (strstr(word, "://"))
        return fetch_one(fetch, word);
    if (asprintf(&url, "http://%s", word) < 0) {
        cli_complain(COMMAND, "out of memory");
        return CLI_FAILED;
    }
    int status = fetch_one(fetch, url);
    free(url);
    return status;
}

/* ---- The command ---- */

static int prepare(struct fetch *fetch)
{
    const struct choices *choices = fetch->choices;
    fetch->buffer = malloc(BUFFER_BYTES);
    fetch->transport =
        ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.unix_socket = choices->unix_socket));
    if (fetch->transport)
        fetch->client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = fetch->transport,
                                                              .timeout_ms = choices->max_time_ms));
    if (fetch->buffer && fetch->client)
        return CLI_OK;
    cli_complain(COMMAND, "out of memory");
    return CLI_FAILED;
}

static int finish(struct fetch *fetch)
{
    int status = CLI_OK;
    if (fetch->out && fetch->out != stdout && fclose(fetch->out) != 0)
        status = write_failed(fetch, errno);
    ferry_client_free(fetch->client);
    ferry_transport_free(fetch->transport);
    free(fetch->buffer);
    return status;
}

int fetch_main(int argc, char **argv)
{
    struct choices choices = {0};
    struct fetch fetch = {.choices = &choices};
    if (take_options(argc, argv, &choices) < 0)
        return CLI_USAGE;
    if (choices.done)
        return CLI_OK;
    int first_failure = prepare(&fetch);
    bool ready = first_failure == CLI_OK;
    for (int i = optind; ready && i < argc; i++) {
        int status = fetch_word(&fetch, argv[i]);
        if (first_failure == CLI_OK)
            first_failure = status;
    }
    int status = finish(&fetch);
    return first_failure != CLI_OK ? first_failure : status;
}
