/*
 * lab.h: the rows of the experiment that ferry was born from. A program sends requests in a loop,
 * reads so much of each body, closes each response or not, and counts its tasks. `ferry lab`
 * (lab.c) asks for rows here (lab_table.c), runs them (lab_run.c), and prints what came out
 * (lab_print.c).
 */
#ifndef CLI_LAB_H
#define CLI_LAB_H

#include <ferry.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the server's body is like. */
enum lab_body {
    LAB_SIZED,      /* 1000 bytes, announced by Content-Length */
    LAB_CHUNKED,    /* two chunks of 1000 bytes */
    LAB_BIG,        /* 10 MiB, announced */
    LAB_EMPTY,      /* Content-Length: 0 */
    LAB_CONN_CLOSE, /* 1000 bytes, announced, on a connection that the server closes */
    LAB_URL         /* whatever --url gives */
};

/* How much of it is read. */
enum lab_read {
    LAB_READ_NONE,
    LAB_READ_SOME,  /* ten bytes */
    LAB_READ_EXACT, /* as many bytes as were announced, and not the 0 behind them */
    LAB_READ_ALL,   /* until a read returns 0 */
    LAB_READS
};

/* One program. */
struct lab_row {
    enum lab_body body;
    enum lab_read read;
    bool closed; /* every response is closed after reading */
    int hosts;   /* the requests go to so many hosts in turn */
    int num;     /* how many requests */
};

/* What was counted, at once after the loop. */
struct lab_result {
    int tasks;               /* ferry_num_tasks() */
    uint64_t connections;    /* alive then */
    uint64_t idle;           /* of these, idle in the pool */
    uint64_t dials;          /* made in all */
    uint64_t reuses;         /* requests on a connection that had served before */
    uint64_t open_responses; /* not closed */
};

/* What becomes of an early close. */
enum lab_drain {
    LAB_DISCARD, /* the connection is closed: Go to 1.26 */
    LAB_DRAIN,   /* the rest is read, within limits: Go 1.27, ferry's default */
    LAB_DRAINS
};

/* A row that has been run, in one mode or both. */
struct lab_line {
    struct lab_row row;
    bool ran[LAB_DRAINS];                 /* which of the results are valid */
    struct lab_result result[LAB_DRAINS]; /* by enum lab_drain */
};

/* What the command line asks for; -1 is "no choice made". */
struct lab_choices {
    int body;          /* enum lab_body */
    int read;          /* enum lab_read */
    int closed;        /* 0, 1 */
    int drain;         /* enum lab_drain */
    int hosts;         /* at least 1 */
    int num;           /* always at least 1 */
    const char *url;   /* instead of the embedded server; NULL: none */
    const char *serve; /* where to show it on a page; NULL: it is printed */
};

/* ---- lab_table.c ---- */

/* The words of the command line and of --json, by enum; they end with NULL. */
extern const char *const lab_body_names[];
extern const char *const lab_read_names[];

/* The most rows that lab_choose() fills in. */
#define LAB_MAX_ROWS 64

/* Fills in the rows that the choices leave of the whole table, in its order. Returns how many: 0
 * if there is no such row. */
size_t lab_choose(const struct lab_choices *choices, struct lab_line lines[LAB_MAX_ROWS]);

/* What happened to the connections. */
enum lab_outcome {
    LAB_POOLED, /* one for each host, in the pool */
    LAB_LEAKED, /* one for each request, each held by a response that nobody closed */
    LAB_GONE,   /* none is left */
    LAB_MIXED   /* something else */
};

enum lab_outcome lab_outcome(const struct lab_row *row, const struct lab_result *result);

/* One line on why a row came out as it did, if that surprises: NULL if not, or if it came out
 * otherwise. Static. */
const char *lab_reason(const struct lab_line *line);

/* How people call the body of a row: "1000 bytes, two hosts". buf is used if it needs to be
 * made. */
const char *lab_describe_body(const struct lab_row *row, char *buf, size_t size);

/* ---- lab_run.c ---- */

struct origin;

/* Where requests go: one of the two is set. */
struct lab_target {
    struct origin *origin;
    const char *url;
};

/* Runs a row on a transport of its own, and leaves nothing of it behind. The ledger of open
 * responses, as it is after the loop, goes into *ledger if that is wanted (NULL: it is not); the
 * caller frees it. Returns 0, or -1 when a request failed or the counts of both sides differ,
 * which has then been said on standard error. */
int lab_run(const struct lab_target *target, const struct lab_row *row, enum lab_drain drain,
            struct lab_result *result, char **ledger);

/* The same a step at a time, for `ferry lab --serve`. */

/* No single request of the experiment may hang it. */
#define LAB_REQUEST_MS 30000

/* What a turn of the program's loop is about to do. */
enum lab_step { LAB_STEP_NONE, LAB_STEP_REQUEST, LAB_STEP_READ, LAB_STEP_CLOSE, LAB_STEP_COUNT };

/* What one row needs while it runs. Zero-filled: nothing. */
struct lab_program {
    ferry_transport *transport;
    ferry_client *client;
    ferry_response **forgotten; /* responses that the row does not close; closed at its end */
    int forgotten_count;
    char *buffer;                                /* that bodies are read into, and dropped */
    void (*pace)(void *arg, enum lab_step step); /* called before each step; NULL: nothing is */
    void *pace_arg;
};

/* Prepares a row. timeout_ms: of each request and its body, 0: none. Whether it returns 0 or -1,
 * lab_end() unwinds it. */
int lab_begin(struct lab_program *run, const struct lab_row *row, enum lab_drain drain,
              int64_t timeout_ms);

/* Turn i of its loop, from 0. Returns 0, or -1 and *err. */
int lab_turn(struct lab_program *run, const struct lab_target *target, const struct lab_row *row,
             int i, ferry_error *err);

void lab_count(const struct lab_program *run, struct lab_result *result);
void lab_end(struct lab_program *run);

/* Waits until one task is left. Returns 0, or -1 if more stay, which has then been said. */
int lab_settle(void);

/* ---- lab_story.c ---- */

/* Why the result is what it is, in a few sentences. */
void lab_explain(const struct lab_row *row, enum lab_drain drain, const struct lab_result *result,
                 char *text, size_t size);

/* ---- lab_serve.c ---- */

/* Serves the experiment as a page until the process is asked to end (SIGINT, SIGTERM). Returns the
 * exit status. */
int lab_serve(const char *address);

/* ---- lab_print.c ---- */

/* The line whose ledger is shown, if it leaks in that mode. */
struct lab_ledger {
    const struct lab_line *line;
    enum lab_drain drain;
    char *text; /* NULL: there is no such line */
};

/* For people. */
void lab_print(const struct lab_choices *choices, const struct lab_line *lines, size_t count,
               const struct lab_ledger *ledger);

/* For programs: an array of objects, one for each row and mode. */
void lab_print_json(const struct lab_line *lines, size_t count);

#endif
