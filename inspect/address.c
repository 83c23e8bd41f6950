/*
 * Where the server listens: a loopback address, a Unix socket, or, with a token, any address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

#define BACKLOG 16

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* ---- Unix sockets ---- */

/* A socket that nobody listens on any more is left over from a program that ended early. One whose
 * listener has as many waiting as it wants is not waited for. */
static bool is_dead(const struct sockaddr_un *place)
{
    struct stat status;
    if (lstat(place->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)place, sizeof *place) != 0 &&
                errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return dead;
}

/* Linux makes the file with the mode that the unbound socket has: at no moment may others open it.
 * */
static int bind_unix(int fd, const struct sockaddr_un *place)
{
    const struct sockaddr *address = (const struct sockaddr *)place;
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0) {
        return -1;
    }
    int bound = bind(fd, address, sizeof *place);
    if (bound == 0 || errno != EADDRINUSE) {
        return bound;
    }
    if (!is_dead(place)) {
        errno = EADDRINUSE;
        return -1;
    }
    return unlink(place->sun_path) == 0 ? bind(fd, address, sizeof *place) : -1;
}

static int listen_unix(struct server *server, const char *path, ferry_error *err)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    struct stat made;
    if (*path == '\0' || strlen(path) >= sizeof place.sun_path) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: \"unix:%s\": the path of a socket has 1 to %zu bytes", path,
                            sizeof place.sun_path - 1);
    }
    memcpy(place.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_unix(fd, &place) != 0) {
        inspect_fail(err, FERRY_EINVAL, errno, "inspect: cannot listen on unix:%s", path);
        goto not_bound;
    }
    if (listen(fd, BACKLOG) != 0 || lstat(path, &made) != 0) {
        inspect_fail(err, FERRY_EINVAL, errno, "inspect: cannot listen on unix:%s", path);
        goto bound;
    }
    server->unix_path = strdup(path);
    if (server->unix_path == NULL) {
        inspect_fail(err, FERRY_ENOMEM, 0, "out of memory");
        goto bound;
    }
    server->unix_device = made.st_dev;
    server->unix_inode = made.st_ino;
    snprintf(server->url, sizeof server->url, "unix:%s", path);
    server->listening = fd;
    return 0;
bound:
    unlink(path);
not_bound:
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* Another program may have put its own there meanwhile. */
void server_unlink(const struct server *server)
{
    struct stat there;
    if (server->unix_path != NULL && lstat(server->unix_path, &there) == 0 &&
        there.st_dev == server->unix_device && there.st_ino == server->unix_inode) {
        unlink(server->unix_path);
    }
}

/* ---- Addresses ---- */

/* "127.0.0.1:80", "localhost:80", "[::1]:80": a numeric host and a port. */
static bool parse(const char *text, union address *address, socklen_t *len)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    char *end;
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;
    if (host_len == 0 || host_len >= sizeof host || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > 65535) {
        return false;
    }
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    memset(address, 0, sizeof *address);
    if (host[0] == '[' && host[host_len - 1] == ']') {
        host[host_len - 1] = '\0';
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_port = htons((uint16_t)port);
        *len = sizeof address->in6;
        return inet_pton(AF_INET6, host + 1, &address->in6.sin6_addr) == 1;
    }
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons((uint16_t)port);
    *len = sizeof address->in;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &address->in.sin_addr) == 1;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
    }
    return ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* The names that it may be asked by, and its URL. A token tells friends from strangers whatever
 * name they use, so beyond loopback the name is not looked at: it may be any. */
static void note_names(struct server *server, const union address *address)
{
    char digits[INET6_ADDRSTRLEN], host[INET6_ADDRSTRLEN + 2];
    char(*hosts)[sizeof *server->hosts] = server->hosts;
    bool six = address->any.sa_family == AF_INET6;
    const void *bytes =
        six ? (const void *)&address->in6.sin6_addr : (const void *)&address->in.sin_addr;
    unsigned port = ntohs(six ? address->in6.sin6_port : address->in.sin_port);
    inet_ntop(address->any.sa_family, bytes, digits, sizeof digits);
    snprintf(host, sizeof host, six ? "[%s]" : "%s", digits);
    if (is_loopback(address)) {
        snprintf(hosts[0], sizeof hosts[0], "%s:%u", host, port);
        snprintf(hosts[1], sizeof hosts[1], "localhost:%u", port);
        if (port == 80) { /* browsers leave that one out */
            snprintf(hosts[2], sizeof hosts[2], "%s", host);
            snprintf(hosts[3], sizeof hosts[3], "localhost");
        }
    }
    snprintf(server->url, sizeof server->url, "http://%s:%u/%s%s", host, port,
             server->token[0] != '\0' ? "?token=" : "", server->token);
}

static int listen_inet(struct server *server, const char *text, ferry_error *err)
{
    union address address;
    socklen_t len;
    const int on = 1;
    if (!parse(text, &address, &len)) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: \"%s\" is no address to serve at: say 127.0.0.1:PORT, "
                            "[::1]:PORT or unix:/path",
                            text);
    }
    if (!is_loopback(&address) && server->token[0] == '\0') {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: %s can be reached from other machines: serve there only with "
                            "a token, or at 127.0.0.1",
                            text);
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &address.any, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &address.any, &len) != 0) {
        inspect_fail(err, FERRY_EINVAL, errno, "inspect: cannot listen on %s", text);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    note_names(server, &address);
    server->listening = fd;
    return 0;
}

int server_listen(struct server *server, const char *address, ferry_error *err)
{
    return strncmp(address, "unix:", 5) == 0 ? listen_unix(server, address + 5, err)
                                             : listen_inet(server, address, err);
}
