/*
 * parse.c: the words of the command line. Flags and URLs may be mixed; "--" ends the flags. Short
 * ones may be joined (-sSLo file), a long one's argument may follow "=" (curl wants a blank there),
 * and a long one may be cut short as long as it is clear which is meant.
 */
#include "flags/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/flag.h"
#include "message.h"

/* What has been read of the command line, and what is still to be read. */
struct words {
    struct run_config *run;
    const char *where;
    int left;    /* words behind this one */
    char **next; /* the first of them */
};

static bool wants(const struct words *words, const struct flag *flag, const char *value,
                  const char *why)
{
    char form[80];
    if (flag->letter)
        snprintf(form, sizeof form, "-%c, --%s", flag->letter, flag->name);
    else
        snprintf(form, sizeof form, "--%s", flag->name);
    return complain("%s%s is %s, not \"%s\"", words->where, form, why, value);
}

static bool apply(const struct words *words, const struct flag *flag, const char *value, bool on)
{
    const char *why = "something else";
    switch (flag_apply(flag, words->run, value, on, &why)) {
    case FLAG_FINE: return true;
    case FLAG_BAD:
        /* What a config file is wrong about has been said by itself. */
        return why[0] == '\0' ? false : wants(words, flag, value ? value : "", why);
    case FLAG_NO_MEMORY: break;
    }
    return complain("%sout of memory", words->where);
}

/* A flag whose argument is given (value), or is the next word. */
static bool take(struct words *words, const struct flag *flag, const char *value)
{
    if (!flag_takes_argument(flag)) {
        if (value)
            return complain("%s--%s takes no argument, and got \"%s\"", words->where, flag->name,
                            value);
        return apply(words, flag, NULL, true);
    }
    if (!value && words->left == 0)
        return complain("%s--%s needs an argument: --%s %s", words->where, flag->name, flag->name,
                        flag->argument);
    if (!value) {
        value = *words->next++;
        words->left--;
    }
    return apply(words, flag, value, true);
}

/* --no-NAME, or for what is called no-NAME: --NAME. NULL: it is neither. */
static const struct flag *opposite_of(const char *name, size_t len)
{
    char no_name[64];
    const struct flag *flag = NULL;
    if (len > 3 && strncmp(name, "no-", 3) == 0) {
        flag = flag_by_name(name + 3, len - 3);
        return flag && flag->kind == FLAG_SWITCH ? flag : NULL;
    }
    if (len + 4 > sizeof no_name)
        return NULL;
    snprintf(no_name, sizeof no_name, "no-%.*s", (int)len, name);
    flag = flag_by_name(no_name, len + 3);
    return flag && flag->kind == FLAG_OFF ? flag : NULL;
}

static bool unknown(const struct words *words, const char *name)
{
    const struct flag_left_out *left_out = flag_left_out_by_name(name);
    const char *like = flag_like(name);
    if (left_out)
        return complain("%s--%s is a flag of curl's that ferry does not have: %s", words->where,
                        name, left_out->why);
    if (like)
        return complain("%sthere is no option --%s; did you mean --%s? See ferry --help all",
                        words->where, name, like);
    return complain("%sthere is no option --%s; see ferry --help all", words->where, name);
}

static bool take_long(struct words *words, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    const char *value = equals ? equals + 1 : NULL;
    const struct flag *flag = flag_by_name(text, len);
    if (flag)
        return take(words, flag, value);
    flag = opposite_of(text, len);
    if (flag && value)
        return complain("%s--%.*s takes no argument", words->where, (int)len, text);
    if (flag)
        return apply(words, flag, NULL, false);

    char name[64];
    bool several = false;
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    if (len > 0 && len < sizeof name && !flag_left_out_by_name(name))
        flag = flag_by_beginning(name, &several);
    if (several)
        return complain("%s--%s may mean several flags; see ferry --help all", words->where, name);
    return flag ? take(words, flag, value) : unknown(words, name);
}

/* -sSLo file: letters, of which the last may take what follows. */
static bool take_letters(struct words *words, const char *letters)
{
    for (; *letters; letters++) {
        const struct flag *flag = flag_by_letter(*letters);
        const struct flag_left_out *left_out = flag_left_out_by_letter(*letters);
        if (!flag && left_out)
            return complain("%s-%c (--%s) is a flag of curl's that ferry does not have: %s",
                            words->where, *letters, left_out->name, left_out->why);
        if (!flag)
            return complain("%sthere is no option -%c; see ferry --help all", words->where,
                            *letters);
        if (flag_takes_argument(flag))
            return take(words, flag, letters[1] ? letters + 1 : NULL);
        if (!apply(words, flag, NULL, true))
            return false;
    }
    return true;
}

static bool take_word(struct words *words, const char *word)
{
    if (words->run->help && !words->run->help_topic) {
        words->run->help_topic = word; /* --help tls, --help -d */
        return true;
    }
    if (word[0] != '-' || word[1] == '\0')
        return texts_add(&words->run->last->urls, word) || complain("out of memory");
    return word[1] == '-' ? take_long(words, word + 2) : take_letters(words, word + 1);
}

bool flags_take_line(struct run_config *run, const char *name, const char *value, bool letters,
                     const char *where)
{
    char *argument = (char *)value; /* a word of argv is no more const than that */
    struct words words = {.run = run, .where = where, .left = value != NULL, .next = &argument};
    bool fine = letters || strlen(name) == 1 ? take_letters(&words, name) : take_long(&words, name);
    if (fine && value && words.left > 0 && value[0] != '\0')
        return complain("%s%s takes no argument, and got \"%s\"", where, name, value);
    return fine;
}

bool flags_parse(struct run_config *run, int argc, char **argv)
{
    struct words words = {.run = run, .where = "", .left = argc - 1, .next = argv + 1};
    bool flags_ended = false;
    while (words.left > 0) {
        const char *word = *words.next++;
        words.left--;
        if (!flags_ended && strcmp(word, "--") == 0)
            flags_ended = true;
        else if (flags_ended ? !texts_add(&run->last->urls, word) : !take_word(&words, word))
            return false;
    }
    return true;
}
