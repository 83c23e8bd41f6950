/*
 * config_file.c: a flag a line, as in curl's own files.
 */
#include "flags/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/parse.h"
#include "flags/words.h"
#include "memory.h"
#include "message.h"

#define DEEPEST 8 /* files that name files */

/* What stands in quotes, in place; returns what is behind them. */
static char *unquote(char *from)
{
    char *to = from;
    while (*from && *from != '"') {
        if (*from == '\\' && from[1]) {
            static const char letters[] = "tnrv", meant[] = "\t\n\r\v";
            const char *letter = strchr(letters, from[1]);
            *to++ = letter ? meant[letter - letters] : from[1];
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    char *behind = *from ? from + 1 : from;
    *to = '\0';
    return behind;
}

static char *skip_blanks(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

void config_line_parse(char *line, struct config_line *parsed)
{
    *parsed = (struct config_line){0};
    line = skip_blanks(line);
    if (*line == '\0' || *line == '#')
        return;
    bool dashed = *line == '-';
    parsed->letters = dashed && line[1] != '-';
    while (*line == '-')
        line++;
    parsed->name = line;
    /* Behind a flag with its dashes only a blank begins the argument, as in curl. */
    while (*line && !isspace((unsigned char)*line) && (dashed || (*line != '=' && *line != ':')))
        line++;
    char *end = line;
    while (isspace((unsigned char)*line) || (!dashed && (*line == '=' || *line == ':')))
        line++;
    if (*line == '"') {
        parsed->value = line + 1;
        unquote(line + 1);
    } else if (*line && *line != '#') {
        parsed->value = line;
        while (*line && !isspace((unsigned char)*line))
            line++;
        if (*line) {
            *line = '\0';
            line = skip_blanks(line + 1);
            parsed->bare = *line && *line != '#';
        }
    }
    *end = '\0';
}

static bool take_line(struct run_config *run, char *line, const char *where)
{
    struct config_line parsed;
    config_line_parse(line, &parsed);
    if (!parsed.name)
        return true;
    if (parsed.bare && !run->silent)
        warn("%swhat has blanks in it belongs in quotes; only \"%s\" is taken for %s", where,
             parsed.value, parsed.name);
    const char *value = parsed.value;
    const char *name = word_keep(parsed.name, strlen(parsed.name)); /* "-ofile" has a value in it */
    if (!name || (value && !(value = word_keep(value, strlen(value)))))
        return complain("out of memory");
    return flags_take_line(run, name, value, parsed.letters, where);
}

static bool take_file(struct run_config *run, FILE *file, const char *path)
{
    char *line = NULL;
    size_t capacity = 0;
    bool fine = true;
    for (int number = 1; fine && getline(&line, &capacity, file) >= 0; number++) {
        char where[200];
        snprintf(where, sizeof where, "%.160s:%d: ", path, number);
        fine = take_line(run, line, where);
    }
    if (fine && !feof(file)) { /* out of memory, or it is a directory */
        if (errno == ENOMEM)
            memory_note_lack();
        fine = complain("cannot read %s: %s", path, strerror(errno));
    }
    free(line);
    return fine;
}

enum flag_word config_file_take(struct run_config *run, const char *path, const char **why)
{
    static int depth;
    bool is_stdin = strcmp(path, "-") == 0;
    if (depth == DEEPEST) {
        *why = "a file that does not name itself";
        return FLAG_BAD;
    }
    FILE *file = is_stdin ? stdin : fopen(path, "r");
    if (!file) {
        run->unreadable = true;
        *why = "a file that can be read";
        return FLAG_BAD;
    }
    depth++;
    bool fine = take_file(run, file, is_stdin ? "standard input" : path);
    depth--;
    if (!is_stdin)
        fclose(file);
    *why = ""; /* it has been said */
    return fine ? FLAG_FINE : FLAG_BAD;
}

bool config_file_take_own(struct run_config *run)
{
    const char *home = getenv("HOME");
    char *path = NULL;
    const char *why;
    if (!home || text_print(&path, "%s/.ferryrc", home) < 0)
        return !home || complain("out of memory");
    FILE *file = fopen(path, "r");
    if (!file && errno == ENOMEM)
        memory_note_lack();
    bool there = file != NULL;
    if (file)
        fclose(file);
    bool fine = !there || config_file_take(run, path, &why) == FLAG_FINE;
    if (!fine && why[0] != '\0')
        complain("%s is to be %s", path, why);
    free(path);
    return fine;
}
