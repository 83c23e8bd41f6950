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

/* "ferry: ..." and a line end. Always false, for whoever returns that. */
bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "ferry: warning: ..." */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
