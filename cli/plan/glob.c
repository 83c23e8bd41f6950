/*
 * glob.c: patterns in URLs. A pattern is a row of parts; each has a number of texts that it stands
 * for, so that the n-th URL is n written in digits of those bases.
 */
#include "plan/glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define MOST_DIGITS 40 /* of a number in a range, zeros before it included */

enum part_kind { PART_TEXT, PART_SET, PART_LETTERS, PART_NUMBERS };

struct glob_part {
    enum part_kind kind;
    char *text;  /* PART_TEXT: itself; PART_SET: its texts, a NUL behind each; owned */
    size_t used; /* bytes in text */
    uint64_t count;
    int64_t first, step; /* PART_LETTERS, PART_NUMBERS */
    int digits;          /* PART_NUMBERS: at least so many, with zeros */
};

/* Where the reading is. */
struct reader {
    struct glob *glob;
    const char *text, *next;
    const char *why;
};

static int fail(struct reader *reader, const char *why)
{
    reader->why = why;
    return -1;
}

static struct glob_part *add_part(struct reader *reader, enum part_kind kind)
{
    struct glob *glob = reader->glob;
    struct glob_part *grown = memory_resize(glob->parts, (glob->count + 1) * sizeof *grown);
    if (!grown) {
        fail(reader, "");
        return NULL;
    }
    glob->parts = grown;
    grown += glob->count++;
    *grown = (struct glob_part){.kind = kind, .count = kind == PART_SET ? 0 : 1};
    return grown;
}

static int add_byte(struct reader *reader, struct glob_part *part, char byte)
{
    if ((part->used & (part->used + 1)) == 0) { /* grows at 0, 1, 3, 7 ... to the double */
        char *grown = memory_resize(part->text, 2 * part->used + 2);
        if (!grown)
            return fail(reader, "");
        part->text = grown;
    }
    part->text[part->used++] = byte;
    return 0;
}

/* Between the brackets: an IPv6 address, perhaps with a zone. */
static bool is_address(const char *open)
{
    const char *close = strchr(open, ']');
    size_t len = close ? (size_t)(close - open - 1) : 0;
    size_t hex = strspn(open + 1, "0123456789abcdefABCDEF:.");
    if (!close || len < 2 || !memchr(open + 1, ':', hex < len ? hex : len))
        return false;
    /* "[a:b]" could be nothing else: a range has a "-" before its ":". */
    return hex == len || (hex < len && open[1 + hex] == '%');
}

static bool means_itself(const char *open)
{
    return open[1] == (*open == '{' ? '}' : ']') || (*open == '[' && is_address(open));
}

static int read_set(struct reader *reader)
{
    struct glob_part *part = add_part(reader, PART_SET);
    if (!part)
        return -1;
    for (const char *next = reader->next + 1;; next++) {
        reader->next = next;
        if (*next == '\0')
            return fail(reader, "a { without its }");
        if (*next == '{' || *next == '[')
            return fail(reader, "braces and brackets inside braces mean nothing");
        if (*next == ']')
            return fail(reader, "a ] without its [");
        if (*next == '\\' && next[1])
            next++;
        else if (*next == ',' || *next == '}') {
            part->count++;
            if (add_byte(reader, part, '\0') < 0)
                return -1;
            if (*next == '}')
                break;
            continue;
        }
        if (add_byte(reader, part, *next) < 0)
            return -1;
    }
    reader->next++;
    return 0;
}

/* ":STEP" or nothing, and the closing bracket. */
static int read_step(struct reader *reader, struct glob_part *part, const char *next)
{
    char *end = (char *)next;
    part->step = 1;
    if (*next == ':') {
        errno = 0;
        part->step = strtoll(next + 1, &end, 10);
        if (end == next + 1 || errno != 0)
            return fail(reader, "a range's step is a number");
    }
    reader->next = end;
    if (*end != ']')
        return fail(reader, "a range is [1-100], [001-100], [a-z], or [1-100:10] with a step");
    reader->next++;
    return 0;
}

static int count_range(struct reader *reader, struct glob_part *part, int64_t first, int64_t last,
                       const char *open)
{
    part->first = first;
    reader->next = part->step <= 0 || first > last ? open : reader->next;
    if (part->step <= 0 || first > last)
        return fail(reader, "a range goes upwards, in steps from 1 on");
    part->count = (uint64_t)(last - first) / (uint64_t)part->step + 1;
    return 0;
}

static int read_letters(struct reader *reader)
{
    const char *open = reader->next;
    char first = open[1], last = open[3];
    bool same_case = (islower((unsigned char)first) != 0) == (islower((unsigned char)last) != 0);
    struct glob_part *part = add_part(reader, PART_LETTERS);
    if (!part)
        return -1;
    if (!isalpha((unsigned char)last) || !same_case)
        return fail(reader, "a range of letters has a letter of the same case at each end");
    if (read_step(reader, part, open + 4) < 0)
        return -1;
    return count_range(reader, part, first, last, open);
}

static int read_numbers(struct reader *reader)
{
    const char *open = reader->next;
    char *end;
    struct glob_part *part = add_part(reader, PART_NUMBERS);
    if (!part)
        return -1;
    errno = 0;
    int64_t first = strtoll(open + 1, &end, 10);
    if (errno != 0 || *end != '-' || !isdigit((unsigned char)end[1]))
        return fail(reader, "a range is [1-100], [001-100], [a-z], or [1-100:10] with a step");
    if (open[1] == '0')
        part->digits = (int)(end - open - 1);
    if (end - open - 1 > MOST_DIGITS)
        return fail(reader, "a number that is too long");
    int64_t last = strtoll(end + 1, &end, 10);
    if (errno != 0)
        return fail(reader, "a number that is too large");
    if (read_step(reader, part, end) < 0)
        return -1;
    return count_range(reader, part, first, last, open);
}

static int read_range(struct reader *reader)
{
    const char *open = reader->next;
    if (isdigit((unsigned char)open[1]))
        return read_numbers(reader);
    if (isalpha((unsigned char)open[1]) && open[2] == '-')
        return read_letters(reader);
    return fail(reader, "a range is [1-100], [001-100], [a-z], or [1-100:10] with a step");
}

static int read_text(struct reader *reader, bool literal)
{
    struct glob_part *part = add_part(reader, PART_TEXT);
    if (!part)
        return -1;
    for (; *reader->next; reader->next++) {
        const char *next = reader->next;
        if (!literal && (*next == '{' || *next == '[')) {
            if (!means_itself(next))
                break;
            const char *close = strchr(next, *next == '{' ? '}' : ']');
            for (; reader->next < close; reader->next++) {
                if (add_byte(reader, part, *reader->next) < 0)
                    return -1;
            }
        } else if (!literal && (*next == '}' || *next == ']')) {
            return fail(reader, "a closing brace or bracket without its opening one");
        } else if (!literal && *next == '\\' && next[1] && strchr("{}[]\\", next[1])) {
            reader->next++;
        }
        if (add_byte(reader, part, *reader->next) < 0)
            return -1;
    }
    return add_byte(reader, part, '\0');
}

static int read_part(struct reader *reader, bool literal)
{
    const char *next = reader->next;
    if (!literal && *next == '{' && !means_itself(next))
        return read_set(reader);
    if (!literal && *next == '[' && !means_itself(next))
        return read_range(reader);
    return read_text(reader, literal);
}

int glob_parse(struct glob *glob, const char *text, bool literal, const char **why, size_t *at)
{
    struct reader reader = {.glob = glob, .text = text, .next = text};
    *glob = (struct glob){.total = 1};
    int result = 0;
    while (result == 0 && *reader.next) {
        result = read_part(&reader, literal);
        if (result == 0 &&
            __builtin_mul_overflow(glob->total, glob->parts[glob->count - 1].count, &glob->total))
            result = fail(&reader, "more URLs than can be counted");
    }
    if (result < 0) {
        *why = reader.why;
        *at = (size_t)(reader.next - text);
        glob_free(glob);
    }
    return result;
}

/* What a part stands for in the URL of that number: in text, at least 24 bytes, or in the part. */
static const char *stands_for(const struct glob_part *part, uint64_t digit, char *text)
{
    int64_t number = part->first + (int64_t)digit * part->step;
    const char *item = part->text;
    switch (part->kind) {
    case PART_TEXT: return part->text;
    case PART_SET:
        for (; digit > 0; digit--)
            item += strlen(item) + 1;
        return item;
    case PART_LETTERS:
        text[0] = (char)number;
        text[1] = '\0';
        return text;
    case PART_NUMBERS: snprintf(text, 64, "%0*lld", part->digits, (long long)number); return text;
    }
    return "";
}

/* Calls use for each part with its text, in order. */
static void each_part(const struct glob *glob, uint64_t number,
                      void (*use)(void *arg, const struct glob_part *part, const char *text),
                      void *arg)
{
    uint64_t below = glob->total;
    for (size_t i = 0; i < glob->count; i++) {
        const struct glob_part *part = &glob->parts[i];
        char text[64];
        below /= part->count;
        use(arg, part, stands_for(part, number / below, text));
        number %= below;
    }
}

static void append(void *arg, const struct glob_part *part, const char *text)
{
    (void)part;
    text_add(arg, text, strlen(text));
}

char *glob_text(const struct glob *glob, uint64_t number)
{
    struct growing_text text = {0};
    each_part(glob, number, append, &text);
    return text_end(&text);
}

/* The n-th part that is no mere text, counted from 1. */
struct search {
    unsigned long wanted, seen;
    struct growing_text *text;
    bool found;
};

static void append_if_wanted(void *arg, const struct glob_part *part, const char *text)
{
    struct search *search = arg;
    if (part->kind == PART_TEXT || ++search->seen != search->wanted)
        return;
    search->found = true;
    text_add(search->text, text, strlen(text));
}

char *glob_name(const struct glob *glob, uint64_t number, const char *name)
{
    struct growing_text text = {0};
    while (*name) {
        struct search search = {.text = &text};
        char *end = NULL;
        if (*name == '#' && isdigit((unsigned char)name[1])) {
            search.wanted = strtoul(name + 1, &end, 10);
            each_part(glob, number, append_if_wanted, &search);
        }
        if (search.found)
            name = end;
        else
            text_add(&text, name++, 1);
    }
    return text_end(&text);
}

void glob_free(struct glob *glob)
{
    for (size_t i = 0; i < glob->count; i++)
        free(glob->parts[i].text);
    free(glob->parts);
    *glob = (struct glob){0};
}
