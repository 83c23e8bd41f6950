/*
 * memory.h: memory for texts, and whether there was enough of it. Most of a request can be left out:
 * one without its Authorization, its Range or the end of its body is still a request, only another
 * one. So whoever gets nothing from here may go on as if nothing had been wanted, and before
 * something is sent, and at the end, memory_lacked() is asked: from the first text on that could
 * not be had, all that is left to do fails (27).
 */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry.h>

/* As strdup() (of NULL: NULL), strndup(), asprintf() (-1: *text is NULL), realloc(). */
char *text_copy(const char *text);
char *text_copy_part(const char *text, size_t len);
int text_print(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *memory_resize(void *memory, size_t size);

/* A text that grows at its end. Zero-filled is an empty one. */
struct growing_text {
    char *bytes;
    size_t len, capacity;
    bool lost; /* something could not be put there */
};

void text_add(struct growing_text *text, const char *bytes, size_t len);

/* The text, NUL-terminated, from malloc(); NULL when a part of it is not there. */
char *text_end(struct growing_text *text);

/* Something could not be had. */
void memory_note_lack(void);

/* Likewise, if that is what the library has failed for. */
void memory_note(const ferry_error *err);

/* Whether that has ever been so. */
bool memory_lacked(void);

#endif
