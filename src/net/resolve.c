/*
 * What is known without asking anybody, and in which order answers are to be tried; lookup.c asks.
 */
#include "net/resolve.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "net/lookup.h"

/* "localhost" and all below it are this machine, whatever a name server says (RFC 6761 section
 * 6.3). */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    const size_t name_len = sizeof name - 1;
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0 &&
           (len == name_len || host[len - name_len - 1] == '.');
}

static int add_loopback(struct fy_addresses *addresses, uint16_t port)
{
    const struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr_in ipv4 = {.sin_family = AF_INET,
                                     .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    if (fy_addresses_add(addresses, (const struct sockaddr *)&ipv6, port) != 0) {
        return -1;
    }
    return fy_addresses_add(addresses, (const struct sockaddr *)&ipv4, port);
}

static int find(struct fy_addresses *addresses, const char *host, uint16_t port, int64_t deadline,
                struct fy_chan *canceled, ferry_error *err)
{
    struct fy_address literal;
    if (fy_address_parse(&literal, host, port)) {
        const struct sockaddr *sockaddr = (const struct sockaddr *)&literal.sockaddr;
        return fy_addresses_add(addresses, sockaddr, port) == 0 ? 0 : fy_fail_memory(err);
    }
    if (is_localhost(host)) {
        return add_loopback(addresses, port) == 0 ? 0 : fy_fail_memory(err);
    }
    if (host[0] == '\0' || strchr(host, ':') != NULL || strchr(host, '%') != NULL) {
        /* An address with a mistake in it, or with a zone that this machine does not have. */
        return fy_fail(err, FERRY_ERESOLVE, 0, "no such host");
    }
    return fy_lookup(addresses, host, port, deadline, canceled, err);
}

int fy_resolve(struct fy_addresses *addresses, const char *host, uint16_t port, int64_t deadline,
               struct fy_chan *canceled, ferry_error *err)
{
    *addresses = (struct fy_addresses){0};
    if (find(addresses, host, port, deadline, canceled, err) != 0) {
        fy_addresses_free(addresses);
        fy_error_prefix(err, "lookup %s", host);
        return -1;
    }
    fy_addresses_interleave(addresses);
    return 0;
}
