/*
 * Files that are written whole or not at all: what cookie jars and HSTS stores are saved with.
 */
#ifndef FY_CLIENT_REPLACE_FILE_H
#define FY_CLIENT_REPLACE_FILE_H

#include "base/buffer.h"

/* Gives a file this content, readable by its owner alone. -1 and errno: it is as it was. */
int fy_replace_file(const char *path, const struct fy_buffer *text);

#endif
