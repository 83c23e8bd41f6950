/*
 * message.h: what the command says on standard error, or where --stderr sends it.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

/* Where messages go. Standard error until message_to() has been called. */
FILE *message_file(void);

/* Sends them to a file ("-": standard output). False, and said, if it cannot be written. */
bool message_to(const char *path);

/* From here on: -s says nothing, -sS complains and does not warn. */
void message_hush(bool silent, bool show_error);

/* "ferry: ..." and a line end. Always false, for whoever returns that. */
bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Likewise, whatever -s says: about the command line and what it names. */
bool insist(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "ferry: warning: ..." */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
