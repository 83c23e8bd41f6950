/*
 * Directives with semicolons between them, each a name and perhaps a value, which is a token or in
 * quotes. What does not keep to the grammar is refused whole, as section 8.1 asks.
 */
#include "client/hsts_parse.h"

#include <string.h>

#include "http/bytes.h"
#include "http/header.h"

/* One directive, as slices of the text. */
struct directive {
    const char *name;
    size_t name_len;
    const char *value; /* without its quotes; NULL: none */
    size_t value_len;
};

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* To the end of a token, which has a byte at least; NULL: there is none. */
static const char *skip_token(const char *at, const char *end)
{
    const char *from = at;
    while (at < end && fy_is_token(at, 1)) {
        at++;
    }
    return at > from ? at : NULL;
}

/* From an opening quote to behind the closing one; NULL: there is none. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
    }
    return at < end ? at + 1 : NULL;
}

/* Takes a directive that begins at *at, and moves behind it. False: it is none. */
static bool take(struct directive *directive, const char **at, const char *end)
{
    *directive = (struct directive){.name = *at};
    const char *here = skip_token(*at, end);
    if (here == NULL) {
        return false;
    }
    directive->name_len = (size_t)(here - *at);
    here = skip_blanks(here, end);
    if (here < end && *here == '=') {
        here = skip_blanks(here + 1, end);
        bool quoted = here < end && *here == '"';
        directive->value = quoted ? here + 1 : here;
        here = quoted ? skip_quoted(here, end) : skip_token(here, end);
        if (here == NULL) {
            return false;
        }
        directive->value_len = (size_t)(here - directive->value) - (quoted ? 1 : 0);
        here = skip_blanks(here, end);
    }
    *at = here;
    return here == end || *here == ';';
}

static bool take_seconds(int64_t *seconds, const char *digits, size_t len)
{
    *seconds = 0;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9') {
            return false;
        }
        *seconds = *seconds > (INT64_MAX - 9) / 10 ? INT64_MAX : *seconds * 10 + (digits[i] - '0');
    }
    return len > 0;
}

const char *fy_hsts_parse(struct fy_hsts_field *field, const char *text, size_t len)
{
    const char *end = text + len;
    bool has_max_age = false;
    *field = (struct fy_hsts_field){0};
    for (const char *at = skip_blanks(text, end); at < end; at = skip_blanks(at, end)) {
        struct directive directive;
        if (*at == ';') {
            at++;
            continue;
        }
        if (!take(&directive, &at, end)) {
            return "it is not made of directives";
        }
        if (fy_text_is(directive.name, directive.name_len, "max-age")) {
            if (has_max_age || directive.value == NULL ||
                !take_seconds(&field->max_age, directive.value, directive.value_len)) {
                return "its max-age is no number of seconds, or there are two";
            }
            has_max_age = true;
        } else if (fy_text_is(directive.name, directive.name_len, "includeSubDomains")) {
            if (field->subdomains || directive.value != NULL) {
                return "its includeSubDomains has a value, or there are two";
            }
            field->subdomains = true;
        }
    }
    return has_max_age ? NULL : "it has no max-age";
}
