/*
 * Reading and finding "host:port:address[,address]".
 */
#include "net/host_entries.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

/* ------------------------------------------------------------------------------------- reading */

/* A piece of a text. Brackets around it are taken off, and a colon may stand within them. */
struct piece {
    const char *start;
    size_t len;
};

/* The piece that *text begins with, up to an end character (or, where that is allowed, the text's
 * end); *text goes behind the end character. false: there is no such piece. */
static bool take_piece(const char **text, char end, bool may_be_last, struct piece *piece)
{
    const char *start = *text;
    const char *after;
    if (*start == '[') {
        const char *bracket = strchr(++start, ']');
        if (bracket == NULL) {
            return false;
        }
        *piece = (struct piece){start, (size_t)(bracket - start)};
        after = bracket + 1;
    } else {
        *piece = (struct piece){start, strcspn(start, (const char[]){end, '\0'})};
        after = start + piece->len;
    }
    if (*after != end && !(may_be_last && *after == '\0')) {
        return false;
    }
    *text = *after == '\0' ? after : after + 1;
    return piece->len > 0;
}

static bool read_port(struct piece piece, uint16_t *port)
{
    unsigned value = 0;
    if (piece.len > 5) {
        return false;
    }
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.start[i] < '0' || piece.start[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(piece.start[i] - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= 65535;
}

enum outcome { READ, NO_MEMORY, NO_HOST, NO_PORT, NO_ADDRESS };

static enum outcome read_address(struct fy_host_entry *entry, struct piece piece)
{
    char text[FY_ADDRESS_TEXT];
    struct fy_address address;
    if (piece.len >= sizeof text) {
        return NO_ADDRESS;
    }
    memcpy(text, piece.start, piece.len);
    text[piece.len] = '\0';
    if (!fy_address_parse(&address, text, entry->port)) {
        return NO_ADDRESS;
    }
    const struct sockaddr *sockaddr = (const struct sockaddr *)&address.sockaddr;
    return fy_addresses_add(&entry->addresses, sockaddr, entry->port) == 0 ? READ : NO_MEMORY;
}

/* A final dot makes no difference here. */
static size_t len_of(const char *host, size_t len)
{
    return len > 1 && host[len - 1] == '.' ? len - 1 : len;
}

static enum outcome read_entry(struct fy_host_entry *entry, const char *text)
{
    struct piece piece;
    enum outcome outcome;
    if (!take_piece(&text, ':', true, &piece)) {
        return NO_HOST;
    }
    entry->host = strndup(piece.start, len_of(piece.start, piece.len));
    if (entry->host == NULL) {
        return NO_MEMORY;
    }
    if (!take_piece(&text, ':', true, &piece) || !read_port(piece, &entry->port)) {
        return NO_PORT;
    }
    do {
        outcome = take_piece(&text, ',', true, &piece) ? read_address(entry, piece) : NO_ADDRESS;
    } while (outcome == READ && text[-1] == ',');
    return outcome;
}

static void entry_free(struct fy_host_entry *entry)
{
    free(entry->host);
    fy_addresses_free(&entry->addresses);
}

static void refuse(struct fy_host_entries *entries, const char *text, enum outcome outcome)
{
    const char *lacking = outcome == NO_HOST   ? "host"
                          : outcome == NO_PORT ? "port from 1 to 65535"
                                               : "address where one should be";
    if (entries->refused.code == 0) {
        fy_fail(&entries->refused, FERRY_EINVAL, 0,
                "the transport's resolve entry \"%s\" has no %s: write host:port:address[,address]",
                text, lacking);
    }
}

int fy_host_entries_read(struct fy_host_entries *entries, const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    entries->list = calloc(count, sizeof *entries->list);
    if (entries->list == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct fy_host_entry entry = {0};
        enum outcome outcome = read_entry(&entry, texts[i]);
        if (outcome == READ) {
            entries->list[entries->count++] = entry;
            continue;
        }
        entry_free(&entry);
        if (outcome == NO_MEMORY) {
            return -1;
        }
        refuse(entries, texts[i], outcome);
    }
    return 0;
}

void fy_host_entries_free(struct fy_host_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        entry_free(&entries->list[i]);
    }
    free(entries->list);
    *entries = (struct fy_host_entries){0};
}

/* ------------------------------------------------------------------------------------- finding */

const struct fy_addresses *fy_host_entries_find(const struct fy_host_entries *entries,
                                                const char *host, uint16_t port)
{
    const struct fy_addresses *any = NULL;
    size_t len = len_of(host, strlen(host));
    for (size_t i = entries->count; i-- > 0;) {
        const struct fy_host_entry *entry = &entries->list[i];
        if (entry->port != port) {
            continue;
        }
        if (strlen(entry->host) == len && strncasecmp(entry->host, host, len) == 0) {
            return &entry->addresses;
        }
        if (any == NULL && strcmp(entry->host, "*") == 0) {
            any = &entry->addresses;
        }
    }
    return any;
}
