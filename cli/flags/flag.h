/*
 * flag.h: one row says all there is to know of a flag: how it is written, what it takes, where that
 * goes, what the help says. The parser, config files, the help, completions and the reference in
 * docs/command.md are made from the rows and from nothing else. Names and letters are curl's.
 */
#ifndef CLI_FLAGS_FLAG_H
#define CLI_FLAGS_FLAG_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum flag_kind {
    FLAG_SWITCH,  /* a bool; --no-NAME takes it back */
    FLAG_OFF,     /* a bool; the name begins with "no-", and without that takes it back */
    FLAG_SETS,    /* an int, which becomes the row's value */
    FLAG_TEXT,    /* a const char * */
    FLAG_LIST,    /* a struct texts, which grows */
    FLAG_NUMBER,  /* an int64_t, a whole number not below 0 */
    FLAG_SECONDS, /* an int64_t in milliseconds, fractions allowed */
    FLAG_BYTES,   /* an int64_t, with k, m, g, t, p for powers of 1024 */
    FLAG_TAKES,   /* the row's function takes the argument */
    FLAG_DOES     /* the row's function does it; there is no argument */
};

/* curl's categories, which are also the topics of the help. */
enum flag_category {
    IN_AUTH = 1 << 0,
    IN_CONNECTION = 1 << 1,
    IN_CURL = 1 << 2, /* "ferry" here: the command line tool itself */
    IN_DNS = 1 << 3,
    IN_HTTP = 1 << 4,
    IN_MISC = 1 << 5,
    IN_OUTPUT = 1 << 6,
    IN_POST = 1 << 7,
    IN_PROXY = 1 << 8,
    IN_TLS = 1 << 9,
    IN_UPLOAD = 1 << 10,
    IN_VERBOSE = 1 << 11,
    IN_IMPORTANT = 1 << 12
};

struct flag_category_name {
    enum flag_category category;
    const char *name;
    const char *help;
};

/* Ends with a row whose name is NULL. */
extern const struct flag_category_name flag_categories[];

/* What a function says of an argument. */
enum flag_word { FLAG_FINE, FLAG_BAD, FLAG_NO_MEMORY };

struct flag {
    const char *name;     /* without its dashes */
    char letter;          /* 0: it has none */
    enum flag_kind kind;  /* what is at offset */
    bool for_run;         /* in struct run_config; else in the group's struct config */
    unsigned in;          /* enum flag_category, several */
    size_t offset;        /* where it goes */
    int value;            /* FLAG_SETS */
    const char *argument; /* what the help calls it; NULL: there is none */
    const char *help;     /* what it does: one line, no full stop */
    const char *more;     /* more about it, in sentences; NULL: there is no more to it */
    const char *example;  /* what stands behind "ferry "; NULL: none */
    /* FLAG_TAKES, FLAG_DOES. value is NULL for the latter; why is for FLAG_BAD: what it has to be,
     * "a number of seconds". */
    enum flag_word (*take)(struct run_config *run, const char *value, const char **why);
};

/* A flag of curl's that is not here, and why. */
struct flag_left_out {
    const char *name;
    char letter;
    const char *why; /* a sentence without its subject and full stop */
};

/* The tables, by subject; each ends with a row whose name is NULL. */
extern const struct flag flags_auth[], flags_connection[], flags_follow[], flags_output[],
    flags_proxy[], flags_request[], flags_tls[], flags_tool[];
extern const struct flag_left_out flags_left_out[];

/* Calls visit for each flag, in the order of their names; ends when it returns false. */
void flags_each(bool (*visit)(void *arg, const struct flag *flag), void *arg);

/* NULL: there is none of that name, or letter. */
const struct flag *flag_by_name(const char *name, size_t len);
const struct flag *flag_by_letter(char letter);
const struct flag_left_out *flag_left_out_by_name(const char *name);
const struct flag_left_out *flag_left_out_by_letter(char letter);

/* The one flag whose name begins so; NULL: there is none, or (then *several) more than one. */
const struct flag *flag_by_beginning(const char *name, bool *several);

/* A name that is like it, for "did you mean"; NULL: none is. */
const char *flag_like(const char *name);

bool flag_takes_argument(const struct flag *flag);

/* Puts the value into its place. value NULL: there was none; on false: --no-NAME. FLAG_BAD: *why
 * says what it has to be. */
enum flag_word flag_apply(const struct flag *flag, struct run_config *run, const char *value,
                          bool on, const char **why);

#endif
