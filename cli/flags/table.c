/*
 * table.c: the tables as one, in which flags are found.
 */
#include "flags/flag.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FLAGS 256

const struct flag_category_name flag_categories[] = {
    {IN_IMPORTANT, "important", "what is used every day"},
    {IN_HTTP, "http", "the request, and what is done with the response"},
    {IN_POST, "post", "bodies to send"},
    {IN_UPLOAD, "upload", "everything that sends a body"},
    {IN_AUTH, "auth", "who we are"},
    {IN_OUTPUT, "output", "where the body goes"},
    {IN_CONNECTION, "connection", "how connections are made, and what limits there are"},
    {IN_DNS, "dns", "names and addresses"},
    {IN_PROXY, "proxy", "proxies on the way"},
    {IN_TLS, "tls", "certificates, keys and versions"},
    {IN_VERBOSE, "verbose", "what is said about it all"},
    {IN_CURL, "command", "the command itself; curl calls this category \"curl\""},
    {IN_MISC, "misc", "the rest"},
    {0, NULL, NULL},
};

static const struct flag *const tables[] = {
    flags_request, flags_follow,     flags_auth,  flags_output,
    flags_tls,     flags_connection, flags_proxy, flags_tool,
};

static const struct flag *sorted[MOST_FLAGS]; /* by name; filled on first use */
static size_t sorted_count;

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->name, (*(const struct flag *const *)b)->name);
}

static void sort_once(void)
{
    if (sorted_count > 0)
        return;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct flag *flag = tables[i]; flag->name && sorted_count < MOST_FLAGS; flag++)
            sorted[sorted_count++] = flag;
    }
    /* Pointers are what is sorted. NOLINTNEXTLINE(bugprone-sizeof-expression) */
    qsort(sorted, sorted_count, sizeof sorted[0], by_name);
}

void flags_each(bool (*visit)(void *arg, const struct flag *flag), void *arg)
{
    sort_once();
    for (size_t i = 0; i < sorted_count; i++) {
        if (!visit(arg, sorted[i]))
            return;
    }
}

const struct flag *flag_by_name(const char *name, size_t len)
{
    sort_once();
    for (size_t i = 0; i < sorted_count; i++) {
        if (strncmp(sorted[i]->name, name, len) == 0 && sorted[i]->name[len] == '\0')
            return sorted[i];
    }
    return NULL;
}

const struct flag *flag_by_letter(char letter)
{
    sort_once();
    for (size_t i = 0; i < sorted_count; i++) {
        if (sorted[i]->letter == letter)
            return sorted[i];
    }
    return NULL;
}

const struct flag *flag_by_beginning(const char *name, bool *several)
{
    const struct flag *found = NULL;
    *several = false;
    sort_once();
    for (size_t i = 0; i < sorted_count; i++) {
        if (strncmp(sorted[i]->name, name, strlen(name)) != 0)
            continue;
        if (found) {
            *several = true;
            return NULL;
        }
        found = sorted[i];
    }
    return found;
}

const struct flag_left_out *flag_left_out_by_name(const char *name)
{
    for (const struct flag_left_out *row = flags_left_out; row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

const struct flag_left_out *flag_left_out_by_letter(char letter)
{
    for (const struct flag_left_out *row = flags_left_out; row->name; row++) {
        if (row->letter == letter)
            return row;
    }
    return NULL;
}

/* How many letters have to be put in, left out or changed (Levenshtein); many if the texts are
 * longer than any flag. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t row[LONGEST + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > LONGEST || b_len > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t best = corner + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = above;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *flag_like(const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2;
    sort_once();
    for (size_t i = 0; i < sorted_count; i++) {
        size_t apart = distance(name, sorted[i]->name);
        if (apart < best_distance) {
            best_distance = apart;
            best = sorted[i]->name;
        }
    }
    return best;
}
