/*
 * Files of lines, read line by line, and written whole or not at all: what cookie jars and HSTS
 * stores are kept in.
 */
#ifndef FY_CLIENT_FILE_H
#define FY_CLIENT_FILE_H

#include <ferry.h>

#include "base/buffer.h"

/* Gives a file (or what a link leads to) this content, readable by its owner alone. -1 and *err: it
 * is as it was. A device or a pipe gets it written. doing, for the message: "saving cookies to". */
int fy_replace_file(const char *path, const struct fy_buffer *text, const char *doing,
                    ferry_error *err);

/* Calls take for each line that has no NUL in it, which would end it where it does not end. take
 * may write to the line, and fails with *err. */
int fy_read_lines(const char *path, const char *doing,
                  int (*take)(void *arg, char *line, ferry_error *err), void *arg,
                  ferry_error *err);

/* Fails with an errno: "saving cookies to /x: permission denied". Where it says that there was no
 * memory, or no descriptor, so does the code. Returns -1. */
int fy_fail_file(ferry_error *err, int code, int os_errno, const char *doing, const char *path);

#endif
