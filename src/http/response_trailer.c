/*
 * A response's trailer fields, behind the public getters: their names, as far as the head announces
 * them, and their values once the body has ended.
 */
#include <stdbool.h>
#include <string.h>

#include "http/bytes.h"
#include "http/response.h"
#include "http/trailer.h"

static bool is_in(const struct fy_header *header, const char *name, size_t len)
{
    for (size_t i = 0; i < header->count; i++) {
        if (fy_text_is(name, len, header->fields[i].name)) {
            return true;
        }
    }
    return false;
}

/* Names that cannot come, or that are no names, are passed over: it is only an announcement. So are
 * those beyond the number that may come: each is compared with all before it, and a head has room for
 * a hundred thousand. */
int fy_response_announce_trailers(ferry_response *res, size_t most)
{
    const struct fy_field *field = NULL;
    while ((field = fy_header_find(&res->header, "Trailer", field)) != NULL) {
        const char *rest = field->value;
        const char *name;
        size_t len;
        while (res->announced.count < most && fy_next_element(&rest, &name, &len)) {
            if (fy_is_token(name, len) && fy_trailer_allows(name, len) &&
                !is_in(&res->announced, name, len) &&
                fy_header_add(&res->announced, &res->arena, name, len, "", 0) != 0) {
                return -1;
            }
        }
    }
    fy_header_remove(&res->header, "Trailer"); /* as Go: what it says is told by the getters */
    return 0;
}

/* What has come: nothing before the end. */
static size_t come(const ferry_response *res)
{
    return res->ended ? res->trailer.count : 0;
}

static bool has_come(const ferry_response *res, const struct fy_field *announced)
{
    return res->ended && is_in(&res->trailer, announced->name, announced->name_len);
}

FERRY_API const char *ferry_response_trailer(const ferry_response *res, const char *name)
{
    bool is_known = res != NULL && name != NULL && res->ended;
    return is_known ? fy_header_get(&res->trailer, name) : NULL;
}

FERRY_API size_t ferry_response_trailer_count(const ferry_response *res)
{
    if (res == NULL) {
        return 0;
    }
    size_t count = come(res);
    for (size_t i = 0; i < res->announced.count; i++) {
        count += !has_come(res, &res->announced.fields[i]);
    }
    return count;
}

FERRY_API void ferry_response_trailer_at(const ferry_response *res, size_t i, const char **name,
                                         const char **value)
{
    const char *found_name = NULL;
    const char *found_value = NULL;
    if (res == NULL) {
        /* nothing is found */
    } else if (i < come(res)) {
        found_name = res->trailer.fields[i].name;
        found_value = res->trailer.fields[i].value;
    } else {
        size_t left = i - come(res);
        for (size_t k = 0; k < res->announced.count && found_name == NULL; k++) {
            if (!has_come(res, &res->announced.fields[k]) && left-- == 0) {
                found_name = res->announced.fields[k].name;
            }
        }
    }
    if (name != NULL) {
        *name = found_name;
    }
    if (value != NULL) {
        *value = found_value;
    }
}
