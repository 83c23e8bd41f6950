/*
 * The ledger as one JSON document, for pages and scripts.
 */
#include <ferry.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"
#include "watch/ledger_read.h"

static void write_place(struct fy_buffer *json, const struct fy_open_response *one)
{
    fy_buffer_append_text(json, "{\"file\": ");
    fy_json_string(json, one->file);
    if (one->file != NULL) {
        fy_buffer_printf(json, ", \"line\": %d", one->line);
    } else {
        fy_buffer_append_text(json, ", \"line\": null");
    }
}

/* A number, or null for one that is not known. */
static void write_number(struct fy_buffer *json, const char *name, bool known, int64_t number)
{
    if (known) {
        fy_buffer_printf(json, ", \"%s\": %" PRId64, name, number);
    } else {
        fy_buffer_printf(json, ", \"%s\": null", name);
    }
}

static void write_cost(struct fy_buffer *json, size_t connections, size_t memory)
{
    fy_buffer_printf(json, ", \"sockets\": %zu, \"tasks\": %zu, \"memory\": %zu}", connections,
                     connections * 2, memory);
}

static void write_one(struct fy_buffer *json, const struct fy_open_response *one)
{
    write_place(json, one);
    fy_buffer_append_text(json, ", \"url\": ");
    fy_json_string(json, one->url);
    write_number(json, "age_ms", true, one->age / 1000000);
    write_number(json, "unread_ms", one->unread_for >= 0, one->unread_for / 1000000);
    write_number(json, "bytes_read", true, one->bytes_read);
    write_number(json, "length", one->length >= 0, one->length);
    write_number(json, "connection", one->holds_connection, (int64_t)one->connection);
    fy_buffer_append_text(json,
                          one->abandoned ? ", \"abandoned\": true" : ", \"abandoned\": false");
    write_cost(json, one->holds_connection ? 1 : 0, one->memory);
}

static void write_site(struct fy_buffer *json, const struct fy_call_site *site)
{
    write_place(json, site->oldest);
    write_number(json, "open", true, (int64_t)site->open);
    write_number(json, "oldest_ms", true, site->oldest->age / 1000000);
    write_number(json, "longest_unread_ms", true, site->longest_unread / 1000000);
    write_cost(json, site->connections, site->memory);
}

void fy_open_responses_write_json(struct fy_buffer *json, const struct fy_open_responses *all,
                                  size_t most)
{
    size_t site_count = 0;
    struct fy_call_site *sites = fy_call_sites(all, &site_count);
    json->failed = json->failed || all->count < all->open || (all->count > 0 && sites == NULL);
    fy_buffer_printf(json, "{\"open\": %zu, \"call_sites\": [", all->open);
    for (size_t i = 0; sites != NULL && i < site_count && i < most; i++) {
        fy_buffer_append_text(json, i > 0 ? ",\n " : "\n ");
        write_site(json, &sites[i]);
    }
    fy_buffer_append_text(json, "],\n\"responses\": [");
    for (size_t i = 0; i < all->count && i < most; i++) {
        fy_buffer_append_text(json, i > 0 ? ",\n " : "\n ");
        write_one(json, &all->list[i]);
    }
    fy_buffer_append_text(json, "]}");
    free(sites);
}

FERRY_API char *ferry_open_responses_json(size_t *count)
{
    struct fy_open_responses all;
    struct fy_buffer json = {0};
    fy_open_responses_read(&all);
    fy_open_responses_write_json(&json, &all, SIZE_MAX);
    if (count != NULL) {
        *count = all.open;
    }
    fy_open_responses_free(&all);
    return fy_json_end(&json);
}
