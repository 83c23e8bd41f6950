/*
 * What the rows of test_null.c have passed, read from the text of their arguments, and held against
 * the declarations in ferry.h and ferry_test.h.
 */
#include "null_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FUNCTIONS_MAX 300
#define PARAMETERS_MAX 10

struct function {
    char name[64];
    bool tried[PARAMETERS_MAX]; /* that parameter has been NULL */
};

static struct function functions[FUNCTIONS_MAX];
static size_t function_count;

static struct function *find_function(const char *name)
{
    for (size_t i = 0; i < function_count; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

/* Calls take for each argument, or parameter, in a list in parentheses. */
static void each_in_list(const char *list,
                         void (*take)(void *arg, int i, const char *at, size_t len), void *arg)
{
    int depth = 0;
    int i = 0;
    const char *from = list + 1;
    for (const char *at = list; *at != '\0'; at++) {
        depth += strchr("({[", *at) != NULL;
        depth -= strchr(")}]", *at) != NULL;
        if (depth == 0 || (depth == 1 && *at == ',')) {
            from += strspn(from, " \n");
            take(arg, i++, from, (size_t)(at - from));
            from = at + 1;
        }
        if (depth == 0) {
            return;
        }
    }
    fail_msg("no list in parentheses: %s", list);
}

#define TEXT_OF(argument) #argument
#define EXPANDED_TEXT_OF(argument) TEXT_OF(argument)

/* NULL as it stands in a row, or as it comes through the macros that are made of others. */
static bool is_null(const char *at, size_t len)
{
    const char *expanded = EXPANDED_TEXT_OF(NULL);
    return (len == strlen("NULL") && memcmp(at, "NULL", len) == 0) ||
           (len == strlen(expanded) && memcmp(at, expanded, len) == 0);
}

static void note_argument(void *function, int i, const char *at, size_t len)
{
    assert_in_range(i, 0, PARAMETERS_MAX - 1);
    if (is_null(at, len)) {
        ((struct function *)function)->tried[i] = true;
    }
}

void null_row(const char *name, const char *arguments)
{
    struct function *function = find_function(name);
    if (function == NULL) {
        assert_in_range(function_count, 0, FUNCTIONS_MAX - 1);
        function = &functions[function_count++];
        snprintf(function->name, sizeof function->name, "%s", name);
    }
    each_in_list(arguments, note_argument, function);
}

static char *read_header(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_in_range(fread(text, 1, (1 << 20) - 1, file), 1000, (1 << 20) - 2);
    fclose(file);
    char *end = text;
    for (char *at = text; *at != '\0'; end++) { /* comments out */
        char *close = strncmp(at, "/*", 2) == 0 ? strstr(at, "*/") : NULL;
        *end = close != NULL ? ' ' : *at;
        at = close != NULL ? close + 2 : at + 1;
    }
    *end = '\0';
    return text;
}

struct missing {
    const struct function *function;
    const char *name;
    char text[4096];
};

static void check_parameter(void *arg, int i, const char *at, size_t len)
{
    struct missing *missing = arg;
    bool is_pointer = memchr(at, '*', len) != NULL || memmem(at, len, "_fn ", 4) != NULL;
    if (is_pointer && !missing->function->tried[i]) {
        size_t end = strlen(missing->text);
        snprintf(missing->text + end, sizeof missing->text - end, "%s: NULL for %.*s\n",
                 missing->name, (int)len, at);
    }
}

static const struct function never_called;

/* One declaration: its name is what begins with ferry_ and has a "(" behind it. */
static void check_declaration(struct missing *missing, const char *at, size_t *count)
{
    char name[64];
    const char *list = at;
    const char *from;
    do {
        list = strchr(list + 1, '(');
        assert_non_null(list);
        from = list;
        while (isalnum((unsigned char)from[-1]) || from[-1] == '_') {
            from--;
        }
    } while (strncmp(from, "ferry_", 6) != 0);
    snprintf(name, sizeof name, "%.*s", (int)(list - from), from);
    ++*count;
    missing->name = name;
    missing->function = find_function(name);
    missing->function = missing->function != NULL ? missing->function : &never_called;
    each_in_list(list, check_parameter, missing);
}

/* The declarations behind 'begin' in a header. */
static size_t check_header(struct missing *missing, const char *path, const char *begin)
{
    size_t count = 0;
    char *text = read_header(path);
    for (const char *at = text; (at = strstr(at, begin)) != NULL; at++) {
        check_declaration(missing, at, &count);
    }
    free(text);
    return count;
}

void null_rows_are_complete(void)
{
    struct missing missing = {.text = ""};
    assert_in_range(check_header(&missing, FERRY_HEADER, "\nFERRY_API "), 100, FUNCTIONS_MAX);
    assert_in_range(check_header(&missing, FERRY_TEST_HEADER, "\nstatic inline "), 2, 10);
    if (missing.text[0] != '\0') {
        fail_msg("not tried:\n%s", missing.text);
    }
}
