/*
 * Addresses and lists of them. Strict about what an address is: the short and octal forms that some
 * C libraries take ("127.1", "0177.0.0.1") mean different hosts to different readers, and are names
 * here.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"

/* A zone is an interface's name or number; 0: there is none such. */
static uint32_t zone_index(const char *zone)
{
    uint32_t index = if_nametoindex(zone);
    if (index == 0 && zone[0] >= '1' && zone[0] <= '9') {
        char *end;
        errno = 0;
        unsigned long number = strtoul(zone, &end, 10);
        if (errno == 0 && *end == '\0' && number <= UINT32_MAX) {
            index = (uint32_t)number;
        }
    }
    return index;
}

static bool parse_ipv6(struct sockaddr_in6 *ipv6, const char *host)
{
    const char *zone = strchr(host, '%');
    char digits[INET6_ADDRSTRLEN];
    size_t len = zone != NULL ? (size_t)(zone - host) : strlen(host);
    if (len >= sizeof digits) {
        return false;
    }
    memcpy(digits, host, len);
    digits[len] = '\0';
    if (inet_pton(AF_INET6, digits, &ipv6->sin6_addr) != 1) {
        return false;
    }
    if (zone != NULL) {
        ipv6->sin6_scope_id = zone_index(zone + 1);
        return ipv6->sin6_scope_id != 0;
    }
    return true;
}

bool fy_address_parse(struct fy_address *address, const char *host, uint16_t port)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    *address = (struct fy_address){0};
    if (inet_pton(AF_INET, host, &ipv4.sin_addr) == 1) {
        memcpy(&address->sockaddr, &ipv4, sizeof ipv4);
        address->len = sizeof ipv4;
    } else if (parse_ipv6(&ipv6, host)) {
        memcpy(&address->sockaddr, &ipv6, sizeof ipv6);
        address->len = sizeof ipv6;
    }
    return address->len != 0;
}

void fy_address_text(const struct fy_address *address, char text[FY_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    char port[sizeof "65535"];
    const char *format = address->sockaddr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    if (getnameinfo((const struct sockaddr *)&address->sockaddr, address->len, host, sizeof host,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        host[0] = '?';
        host[1] = '\0';
        port[0] = '?';
        port[1] = '\0';
    }
    snprintf(text, FY_ADDRESS_TEXT, format, host, port);
}

bool fy_address_split(const struct fy_address *address, char *host, size_t size, int *port)
{
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&address->sockaddr;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&address->sockaddr;
    switch (address->len != 0 ? address->sockaddr.ss_family : AF_UNSPEC) {
    case AF_INET:
        *port = ntohs(ipv4->sin_port);
        return inet_ntop(AF_INET, &ipv4->sin_addr, host, (socklen_t)size) != NULL;
    case AF_INET6:
        *port = ntohs(ipv6->sin6_port);
        return inet_ntop(AF_INET6, &ipv6->sin6_addr, host, (socklen_t)size) != NULL;
    default: return false;
    }
}

/* -------------------------------------------------------------------------------------- lists */

static void set_port(struct fy_address *address, uint16_t port)
{
    if (address->sockaddr.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)&address->sockaddr)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)&address->sockaddr)->sin_port = htons(port);
    }
}

int fy_addresses_add(struct fy_addresses *addresses, const struct sockaddr *sockaddr, uint16_t port)
{
    struct fy_address address = {0};
    switch (sockaddr->sa_family) {
    case AF_INET: address.len = sizeof(struct sockaddr_in); break;
    case AF_INET6: address.len = sizeof(struct sockaddr_in6); break;
    default: return 0;
    }
    memcpy(&address.sockaddr, sockaddr, address.len);
    set_port(&address, port);
    struct fy_address *list =
        realloc(addresses->list, (addresses->count + 1) * sizeof *addresses->list);
    if (list == NULL) {
        return -1;
    }
    addresses->list = list;
    list[addresses->count++] = address;
    return 0;
}

int fy_addresses_copy(struct fy_addresses *to, const struct fy_addresses *from, uint16_t port)
{
    to->list = malloc(from->count * sizeof *to->list);
    if (to->list == NULL) {
        return -1;
    }
    memcpy(to->list, from->list, from->count * sizeof *to->list);
    to->count = from->count;
    for (size_t i = 0; i < to->count; i++) {
        set_port(&to->list[i], port);
    }
    return 0;
}

void fy_addresses_interleave(struct fy_addresses *addresses)
{
    struct fy_address *list = addresses->list;
    for (size_t i = 1; i < addresses->count; i++) {
        sa_family_t last = list[i - 1].sockaddr.ss_family;
        size_t next = i;
        while (next < addresses->count && list[next].sockaddr.ss_family == last) {
            next++;
        }
        if (next == addresses->count) {
            return; /* one family is all that is left */
        }
        struct fy_address found = list[next];
        memmove(&list[i + 1], &list[i], (next - i) * sizeof *list);
        list[i] = found;
    }
}

void fy_addresses_free(struct fy_addresses *addresses)
{
    free(addresses->list);
    *addresses = (struct fy_addresses){0};
}
