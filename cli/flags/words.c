/*
 * words.c: a list of texts.
 */
#include "flags/words.h"

#include <stdlib.h>
#include <string.h>

struct word {
    struct word *next;
    char text[];
};

static struct word *words; /* the command's one thread only */

char *word_keep(const char *text, size_t len)
{
    struct word *word = malloc(sizeof *word + len + 1);
    if (!word)
        return NULL;
    memcpy(word->text, text, len);
    word->text[len] = '\0';
    word->next = words;
    words = word;
    return word->text;
}

void words_forget(void)
{
    while (words) {
        struct word *next = words->next;
        free(words);
        words = next;
    }
}
