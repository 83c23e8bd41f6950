/*
 * apply.c: a flag's value into its place in the configuration, by its kind.
 */
#include "flags/flag.h"

#include "flags/values.h"

bool flag_takes_argument(const struct flag *flag)
{
    switch (flag->kind) {
    case FLAG_SWITCH:
    case FLAG_OFF:
    case FLAG_SETS:
    case FLAG_DOES: return false;
    default: return true;
    }
}

static enum flag_word said(bool fine, const char *wanted, const char **why)
{
    if (fine)
        return FLAG_FINE;
    *why = wanted;
    return FLAG_BAD;
}

enum flag_word flag_apply(const struct flag *flag, struct run_config *run, const char *value,
                          bool on, const char **why)
{
    void *place = (flag->for_run ? (char *)run : (char *)run->last) + flag->offset;
    switch (flag->kind) {
    case FLAG_SWITCH:
    case FLAG_OFF: *(bool *)place = on; return FLAG_FINE;
    case FLAG_SETS: *(int *)place = flag->value; return FLAG_FINE;
    case FLAG_TEXT: *(const char **)place = value; return FLAG_FINE;
    case FLAG_LIST: return texts_add(place, value) ? FLAG_FINE : FLAG_NO_MEMORY;
    case FLAG_NUMBER: return said(value_number(value, place), "a whole number from 0 on", why);
    case FLAG_SECONDS:
        return said(value_seconds(value, place), "a number of seconds, such as 10 or 0.5", why);
    case FLAG_BYTES:
        return said(value_bytes(value, place), "a number of bytes, such as 500, 10k or 1.5M", why);
    case FLAG_TAKES:
    case FLAG_DOES: return flag->take(run, value, why);
    }
    return FLAG_FINE;
}
