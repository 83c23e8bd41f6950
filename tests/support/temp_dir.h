/*
 * A directory of a test's own under $TMPDIR (or /tmp), and files in it. Used by the fixtures that need
 * files or a Unix socket, and by tests.
 */
#ifndef SUPPORT_TEMP_DIR_H
#define SUPPORT_TEMP_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* Room for the path of a directory that temp_dir_make has made, short enough that a socket's name
   still fits behind it into a sockaddr_un. */
#define TEMP_DIR_SIZE 80

/* Makes a new directory that only this user can enter. A test that fails before it removes the directory
   leaves that to the end of the process. False: errno says why. */
bool temp_dir_make(char path[TEMP_DIR_SIZE]);

/* Removes the directory with all that is in it. An empty path is fine. */
void temp_dir_remove(const char *path);

/* Writes a file, making the folders on its way. False: errno says why. */
bool temp_file_write(const char *path, const void *data, size_t len);

/* The file's bytes with a NUL behind them, to be freed; NULL: errno says why. len may be NULL. */
char *temp_file_read(const char *path, size_t *len);

#endif
