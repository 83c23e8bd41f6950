/*
 * write_out.h: -w.
 */
#ifndef CLI_OUTPUT_WRITE_OUT_H
#define CLI_OUTPUT_WRITE_OUT_H

#include <stdio.h>

#include "transfer/run.h"

/* Prints the format (or, with "@" before it, what is in that file) for a transfer that is over. */
void write_out(const char *format, const struct transfer *transfer);

/* A variable's value; *is_text: in JSON it goes in quotes. NULL: there is none (null in JSON).
 * "unknown" tells a name that is none. From malloc(). */
struct write_out_value {
    const char *name;
    bool is_text;
    char *text;
};

/* The number-th variable, in the order in which JSON has them; false: there are not so many. */
bool write_out_variable(const struct transfer *transfer, size_t number,
                        struct write_out_value *value);

/* All variables, or a response's fields, as JSON objects. */
void write_out_json(FILE *out, const struct transfer *transfer);
void write_out_header_json(FILE *out, const char *head);

/* The first field of that name in a head as it came, without blanks around it; from malloc(), NULL:
 * none. */
char *head_field(const char *head, const char *name);

/* The next field line of a head from *at on, which is moved behind it: name and value with their
 * lengths; false: there are no more. Pure. */
bool head_next_field(const char **at, const char **name, size_t *name_len, const char **value,
                     size_t *value_len);

/* Where the fields begin: behind the status line. */
const char *head_fields(const char *head);

/* A text in JSON's quotes. */
void json_text(FILE *out, const char *text, size_t len);

#endif
