/*
 * Where connections come from.
 */
#include "net/local_end.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/error.h"

/* ------------------------------------------------------------------------------------- options */

static void take_address(struct fy_local_end *end, const char *text)
{
    if (!fy_address_parse(&end->address, text, 0)) {
        fy_fail(&end->refused, FERRY_EINVAL, 0,
                "the transport's local_address \"%s\" is no address: write 192.0.2.7 or ::1", text);
        return;
    }
    int family = end->address.sockaddr.ss_family;
    if (end->family != AF_UNSPEC && end->family != family) {
        fy_fail(&end->refused, FERRY_EINVAL, 0,
                "the transport's local_address \"%s\" is none of its ip_version", text);
    }
    end->family = family;
}

static void take_ports(struct fy_local_end *end, int first, int last)
{
    last = last == 0 ? first : last;
    if (first < 0 || first > 65535 || last < first || last > 65535 || (first == 0 && last != 0)) {
        fy_fail(&end->refused, FERRY_EINVAL, 0,
                "the transport's local_port and last_local_port are no range of ports");
        return;
    }
    end->first_port = (uint16_t)first;
    end->last_port = (uint16_t)last;
}

int fy_local_end_init(struct fy_local_end *end, const ferry_transport_options *options)
{
    *end = (struct fy_local_end){.delays = options->delay_small_writes != 0};
    switch (options->ip_version) {
    case 0: break;
    case 4: end->ip_version = AF_INET; break;
    case 6: end->ip_version = AF_INET6; break;
    default:
        fy_fail(&end->refused, FERRY_EINVAL, 0, "the transport's ip_version is neither 4 nor 6");
    }
    end->family = end->ip_version;
    take_ports(end, options->local_port, options->last_local_port);
    if (options->local_address != NULL) {
        take_address(end, options->local_address);
    }
    if (options->interface != NULL) {
        end->interface = strdup(options->interface);
        if (end->interface == NULL) {
            return -1;
        }
        if (strlen(end->interface) >= IF_NAMESIZE || *end->interface == '\0') {
            fy_fail(&end->refused, FERRY_EINVAL, 0,
                    "the transport's interface \"%.40s\" is no interface's name", end->interface);
        }
    }
    return 0;
}

void fy_local_end_destroy(struct fy_local_end *end)
{
    free(end->interface);
}

/* ---------------------------------------------------------------------------------- addresses */

void fy_local_end_choose(const struct fy_local_end *end, struct fy_addresses *addresses)
{
    size_t kept = 0;
    if (end == NULL || end->family == AF_UNSPEC) {
        return;
    }
    for (size_t i = 0; i < addresses->count; i++) {
        if (addresses->list[i].sockaddr.ss_family == end->family) {
            addresses->list[kept++] = addresses->list[i];
        }
    }
    addresses->count = kept;
}

/* ------------------------------------------------------------------------------------ sockets */

static int bind_to(const struct fy_local_end *end, int fd, sa_family_t family, uint16_t port)
{
    struct fy_address address = end->address;
    struct sockaddr *sockaddr = (struct sockaddr *)&address.sockaddr;
    if (address.len == 0) {
        address.sockaddr.ss_family = family;
        address.len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    }
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)sockaddr)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)sockaddr)->sin_port = htons(port);
    }
    return bind(fd, sockaddr, address.len) == 0 ? 0 : -errno;
}

/* The first port that is free. */
static int bind_in_range(const struct fy_local_end *end, int fd, sa_family_t family)
{
    int result = -EADDRINUSE;
    for (int port = end->first_port; port <= end->last_port && result == -EADDRINUSE; port++) {
        result = bind_to(end, fd, family, (uint16_t)port);
    }
    return result;
}

int fy_local_end_apply(const struct fy_local_end *end, int fd, sa_family_t family)
{
    const int on = 1;
    if (end == NULL || (family != AF_INET && family != AF_INET6)) {
        return 0;
    }
    if (end->interface != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, end->interface,
                                             (socklen_t)strlen(end->interface) + 1) != 0) {
        return -errno;
    }
    if (end->first_port != 0) {
        return bind_in_range(end, fd, family);
    }
    if (end->address.len == 0) {
        return 0;
    }
    /* Else each such socket has a port of its own from here on, whomever it connects to. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind_to(end, fd, family, 0);
}

/* What the system gives sockets that do not ask for a port; all, if it does not say. */
static struct {
    unsigned first, last;
} given_ports = {1, UINT16_MAX};

static void read_given_ports(void)
{
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC); /* IPv6's, too */
    char text[32];
    unsigned first;
    unsigned last;
    if (fd < 0) {
        return;
    }
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    if (sscanf(text, "%u %u", &first, &last) == 2) {
        given_ports.first = first;
        given_ports.last = last;
    }
}

bool fy_local_end_may_have(const struct fy_local_end *end, uint16_t port)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (port == 0) {
        return false;
    }
    if (end != NULL && end->first_port != 0) {
        return port >= end->first_port && port <= end->last_port;
    }
    pthread_once(&once, read_given_ports);
    return port >= given_ports.first && port <= given_ports.last;
}

bool fy_local_end_explains(const struct fy_local_end *end, int error, char text[FY_LOCAL_END_TEXT])
{
    char address[FY_ADDRESS_TEXT] = "";
    char ports[32] = "";
    bool ours = error == EADDRNOTAVAIL || error == EADDRINUSE || error == ENODEV ||
                error == EPERM || error == EACCES ||
                error == EINVAL; /* a loopback address, and one elsewhere */
    if (end == NULL || !ours ||
        (end->address.len == 0 && end->interface == NULL && end->first_port == 0)) {
        return false;
    }
    if (end->address.len != 0) {
        fy_address_text(&end->address, address);
        *strrchr(address, ':') = '\0'; /* the port, which is 0 */
    }
    if (end->first_port != 0) {
        snprintf(ports, sizeof ports,
                 end->last_port > end->first_port ? " port %d to %d" : " port %d", end->first_port,
                 end->last_port);
    }
    snprintf(text, FY_LOCAL_END_TEXT, " from%s%s%s%s%s", end->interface != NULL ? " " : "",
             end->interface != NULL ? end->interface : "", address[0] != '\0' ? " " : "", address,
             ports);
    return true;
}
