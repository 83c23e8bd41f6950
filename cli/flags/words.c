/*
 * words.c: a list of texts.
 */
#include "flags/words.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct word {
    struct word *next;
    char text[];
};

static struct word *words; /* the command's one thread only */

/* Room for len bytes and a NUL. */
static char *make_word(size_t len)
{
    struct word *word = memory_resize(NULL, sizeof *word + len + 1);
    if (!word)
        return NULL;
    word->text[len] = '\0';
    word->next = words;
    words = word;
    return word->text;
}

char *word_keep(const char *text, size_t len)
{
    char *word = make_word(len);
    if (word)
        memcpy(word, text, len);
    return word;
}

char *word_join(const char *first, const char *second)
{
    size_t first_len = strlen(first), second_len = strlen(second);
    char *word = make_word(first_len + second_len);
    if (word) {
        /* The NUL is there. NOLINTBEGIN(bugprone-not-null-terminated-result) */
        memcpy(word, first, first_len);
        memcpy(word + first_len, second, second_len);
        /* NOLINTEND(bugprone-not-null-terminated-result) */
    }
    return word;
}

void words_forget(void)
{
    while (words) {
        struct word *next = words->next;
        free(words);
        words = next;
    }
}
