/*
 * fields.h: the request of a hop, with its header fields: ferry's own as curl has them, and the
 * user's in their place.
 */
#ifndef CLI_REQUEST_FIELDS_H
#define CLI_REQUEST_FIELDS_H

#include <ferry.h>

#include "transfer/run.h"

/* The request for transfer->url. NULL: transfer->result says why not. */
ferry_request *request_make(struct transfer *transfer);

/* Fields of -H: "Name: value", "Name:", "Name;". name and value lie in text, which is changed.
 * False: it is none of these. value NULL: the field is not to be sent. Pure. */
bool field_parse(char *text, char **name, char **value);

/* The texts of -H or --proxy-header with the lines of each @FILE in their places; false, and said,
 * if one cannot be read (*status). */
bool fields_expand(const struct texts *from, struct texts *to, int *status);

/* Whether there is a -H for that name. */
bool fields_have(const struct texts *headers, const char *name);

#endif
