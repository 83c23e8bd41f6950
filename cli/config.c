/*
 * config.c: groups of flags come, grow and go.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define DEFAULT_REDIRECTS 50

struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof *config);
    if (config)
        config->max_redirects = DEFAULT_REDIRECTS;
    return config;
}

void config_free_all(struct config *first)
{
    while (first) {
        struct config *next = first->next;
        struct texts *const lists[] = {
            &first->urls,    &first->uploads,       &first->headers, &first->url_queries,
            &first->cookies, &first->proxy_headers, &first->resolve, &first->connect_to};
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
            free(lists[i]->items);
        free(first->outputs);
        free(first->data);
        free(first->form);
        free(first);
        first = next;
    }
}

/* Room for one more of size bytes at the end of an array of count; NULL when out of memory. */
static void *grow(void **items, size_t *count, size_t size)
{
    void *grown = memory_resize(*items, (*count + 1) * size);
    if (!grown)
        return NULL;
    *items = grown;
    return (char *)grown + (*count)++ * size;
}

bool texts_add(struct texts *texts, const char *text)
{
    const char **item = grow((void **)&texts->items, &texts->count, sizeof *texts->items);
    if (item)
        *item = text;
    return item != NULL;
}

bool config_add_output(struct config *config, enum output_kind kind, const char *file)
{
    struct output_choice *output =
        grow((void **)&config->outputs, &config->output_count, sizeof *config->outputs);
    if (output)
        *output = (struct output_choice){.kind = kind, .file = file};
    return output != NULL;
}

bool config_add_data(struct config *config, enum data_kind kind, const char *text)
{
    struct data_piece *piece =
        grow((void **)&config->data, &config->data_count, sizeof *config->data);
    if (piece)
        *piece = (struct data_piece){.kind = kind, .text = text};
    return piece != NULL;
}

bool config_add_form(struct config *config, const char *text, bool literal)
{
    struct form_piece *piece =
        grow((void **)&config->form, &config->form_count, sizeof *config->form);
    if (piece)
        *piece = (struct form_piece){.text = text, .literal = literal};
    return piece != NULL;
}
