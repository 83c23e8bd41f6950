/*
 * words.h: texts that must last as long as the command: what config files and prompts bring, which
 * is not in argv.
 */
#ifndef CLI_FLAGS_WORDS_H
#define CLI_FLAGS_WORDS_H

#include <stddef.h>

/* A copy, NUL-terminated, that lasts until words_forget(); NULL when out of memory. */
char *word_keep(const char *text, size_t len);

/* Likewise both, one behind the other. */
char *word_join(const char *first, const char *second);

void words_forget(void);

#endif
