/*
 * form.h: -F and --form-string as a multipart form.
 */
#ifndef CLI_REQUEST_FORM_H
#define CLI_REQUEST_FORM_H

#include <ferry.h>

#include "config.h"

/* What stands behind "NAME=", taken apart. Texts lie in the copy that was taken apart. */
struct form_part {
    char *content;    /* without its '@' or '<' */
    char kind;        /* '@', '<', or 0: the content itself */
    const char *type; /* ";type="; NULL: none */
    const char *name; /* ";filename="; NULL: none */
    char *fields[8];  /* ";headers=", in order */
    size_t field_count;
    const char *unknown; /* another ";word=", which is not understood; NULL: none */
    char *next;          /* behind a comma: another file; NULL: there is none */
};

/* Takes the text apart, in place. Pure. */
void form_part_parse(char *text, struct form_part *part);

/* The media type that a file's name suggests. Static. */
const char *form_type_of(const char *file);

/* NULL: it has been said why not, and *status is the exit status. */
ferry_form *form_make(const struct config *config, int *status);

#endif
