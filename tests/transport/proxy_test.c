/*
 * Proxies for tests. They run on threads of the origin's and of the TLS server's, and assert
 * nothing: what is wrong shows at the client.
 */
#include "proxy_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct cert *proxy_cert;
char proxy_ca_file[TEMP_DIR_SIZE + 16];
static struct cert *ca;
static char directory[TEMP_DIR_SIZE];

int proxy_test_make(void **state)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv(names[i]);
    }
    ca = cert_make(&(struct cert_options){.name = "Test CA", .is_ca = true});
    proxy_cert = cert_make(&(struct cert_options){
        .name = "server", .names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
    if (!temp_dir_make(directory)) {
        return -1;
    }
    snprintf(proxy_ca_file, sizeof proxy_ca_file, "%s/ca.pem", directory);
    cert_write(proxy_ca_file, (const struct cert *const[]){ca, NULL}, NULL, NULL);
    return 0;
}

int proxy_test_free(void **state)
{
    (void)state;
    cert_free(proxy_cert);
    cert_free(ca);
    temp_dir_remove(directory);
    return 0;
}

/* ------------------------------------------------------------------------------ what was asked */

struct notes {
    pthread_mutex_t lock;
    char text[8192]; /* under the lock */
};

static struct notes socks_notes = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct notes proxy_notes = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct notes target_notes = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(struct notes *notes, const char *text)
{
    pthread_mutex_lock(&notes->lock);
    strncat(notes->text, text, sizeof notes->text - strlen(notes->text) - 1);
    pthread_mutex_unlock(&notes->lock);
}

static const char *copy_notes(struct notes *notes, char copy[8192])
{
    pthread_mutex_lock(&notes->lock);
    strcpy(copy, notes->text);
    pthread_mutex_unlock(&notes->lock);
    return copy;
}

static void forget(struct notes *notes)
{
    pthread_mutex_lock(&notes->lock);
    notes->text[0] = '\0';
    pthread_mutex_unlock(&notes->lock);
}

const char *socks_asked(void)
{
    static char copy[8192];
    return copy_notes(&socks_notes, copy);
}

void socks_forget(void)
{
    forget(&socks_notes);
}

const char *tls_proxy_asked(void)
{
    static char copy[8192];
    return copy_notes(&proxy_notes, copy);
}

const char *tls_target_asked(void)
{
    static char copy[8192];
    return copy_notes(&target_notes, copy);
}

/* ------------------------------------------------------------------------------------- relaying */

/* A connection to a port of 127.0.0.1; -1: refused. */
static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, SSL *ssl, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent =
            ssl != NULL ? SSL_write(ssl, bytes, (int)len) : send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Once from one side to the other; false: that side has ended. */
static bool pass(int from, SSL *from_ssl, int to, SSL *to_ssl)
{
    char bytes[16384];
    ssize_t got = from_ssl != NULL ? SSL_read(from_ssl, bytes, sizeof bytes)
                                   : recv(from, bytes, sizeof bytes, 0);
    return got > 0 && send_all(to, to_ssl, bytes, (size_t)got);
}

/* Until either side ends; ssl is client's, or NULL. */
static void relay(int client, SSL *ssl, int target)
{
    for (bool both = true; both;) {
        struct pollfd polled[] = {{.fd = client, .events = POLLIN},
                                  {.fd = target, .events = POLLIN}};
        bool pending = ssl != NULL && SSL_pending(ssl) > 0;
        if (poll(polled, 2, pending ? 0 : -1) < 0) {
            return;
        }
        if (pending || polled[0].revents != 0) {
            both = pass(client, ssl, target, NULL);
        }
        if (both && polled[1].revents != 0) {
            both = pass(target, NULL, client, ssl);
        }
    }
}

/* The port at the end of what a head's first line asks for. */
static int port_asked(const char *head)
{
    const char *at = strchr(head, ' ');
    const char *end = at != NULL ? strpbrk(at + 1, " \r") : NULL;
    while (end != NULL && end > at && *end != ':') {
        end--;
    }
    return end != NULL && *end == ':' ? atoi(end + 1) : 0;
}

void serve_tunnels(struct origin_conn *conn, void *arg)
{
    (void)arg;
    char head[4096];
    if (origin_read_head(conn, head, sizeof head) <= 0) {
        return;
    }
    int target = connect_to(port_asked(head));
    if (target < 0) {
        origin_send_text(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
        return;
    }
    if (origin_send_text(conn, "HTTP/1.1 200 Connection established\r\n\r\n")) {
        relay(origin_conn_fd(conn), NULL, target);
    }
    close(target);
}

/* --------------------------------------------------------------------------------------- SOCKS5 */

static bool read_noted(struct origin_conn *conn, unsigned char *bytes, size_t len)
{
    if (!origin_read_exact(conn, bytes, len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", bytes[i]);
        note(&socks_notes, hex);
    }
    return true;
}

/* A greeting, perhaps with a login, which any name and password pass but those of "nobody". */
static bool greet(struct origin_conn *conn)
{
    unsigned char bytes[256];
    if (!read_noted(conn, bytes, 2) || !read_noted(conn, bytes + 2, bytes[1])) {
        return false;
    }
    note(&socks_notes, "\n");
    if (memchr(bytes + 2, 2, bytes[1]) == NULL) {
        return origin_send(conn, "\5\0", 2);
    }
    unsigned char name[256] = {0};
    if (!origin_send(conn, "\5\2", 2) || !read_noted(conn, bytes, 2) ||
        !read_noted(conn, name, bytes[1]) || !read_noted(conn, bytes, 1) ||
        !read_noted(conn, bytes + 1, bytes[0])) {
        return false;
    }
    note(&socks_notes, "\n");
    bool known = strcmp((char *)name, "nobody") != 0;
    return origin_send(conn, known ? "\1\0" : "\1\1", 2) && known;
}

void serve_socks(struct origin_conn *conn, void *arg)
{
    (void)arg;
    unsigned char bytes[300];
    if (!greet(conn) || !read_noted(conn, bytes, 5)) {
        return;
    }
    size_t more = bytes[3] == 1 ? 3 : bytes[3] == 4 ? 15 : bytes[4];
    if (!read_noted(conn, bytes + 5, more + 2)) {
        return;
    }
    note(&socks_notes, "\n");
    int port = bytes[5 + more] << 8 | bytes[5 + more + 1];
    int target = bytes[3] == 4 ? -1 : connect_to(port); /* there is no IPv6 here */
    if (target < 0) {
        origin_send(conn, bytes[3] == 4 ? "\5\3\0\1\0\0\0\0\0\0" : "\5\5\0\1\0\0\0\0\0\0", 10);
        return;
    }
    if (origin_send(conn, "\5\0\0\1\177\0\0\1\0\1", 10)) {
        relay(origin_conn_fd(conn), NULL, target);
    }
    close(target);
}

/* ------------------------------------------------------------------------------------------ TLS */

static bool read_head(SSL *ssl, char *head, size_t size)
{
    size_t len = 0;
    head[0] = '\0';
    while (strstr(head, "\r\n\r\n") == NULL) {
        int got = SSL_read(ssl, head + len, (int)(size - 1 - len));
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        head[len] = '\0';
    }
    return true;
}

/* The answer to a head: HEAD has no body. */
static void answer(SSL *ssl, const char *head)
{
    size_t len = strncmp(head, "HEAD ", 5) == 0 ? strlen(OK_REPLY) - 2 : strlen(OK_REPLY);
    send_all(-1, ssl, OK_REPLY, len);
}

static void serve_proxy(SSL *ssl, int fd, void *arg)
{
    (void)arg;
    char head[4096];
    while (read_head(ssl, head, sizeof head)) {
        note(&proxy_notes, head);
        if (strncmp(head, "CONNECT ", 8) == 0) {
            int target = connect_to(port_asked(head));
            if (target >= 0 && send_all(fd, ssl, BYTES("HTTP/1.1 200 OK\r\n\r\n"))) {
                relay(fd, ssl, target);
            }
            if (target >= 0) {
                close(target);
            }
            return;
        }
        answer(ssl, head); /* as if the target had been asked */
    }
}

struct tls_server *serve_tls_proxy(void)
{
    forget(&proxy_notes);
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = proxy_cert, .serve = serve_proxy});
    assert_non_null(server);
    return server;
}

static void serve_target(SSL *ssl, int fd, void *arg)
{
    (void)fd;
    (void)arg;
    char head[4096];
    while (read_head(ssl, head, sizeof head)) {
        note(&target_notes, head);
        answer(ssl, head);
    }
    SSL_shutdown(ssl);
}

struct tls_server *serve_tls_target(void)
{
    forget(&target_notes);
    struct tls_server *server =
        tls_server_start(&(struct tls_server_options){.cert = proxy_cert, .serve = serve_target});
    assert_non_null(server);
    return server;
}

/* --------------------------------------------------------------------------------------- names */

const char *tls_url(const struct tls_server *server, const char *path)
{
    static char urls[8][128];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "https://localhost:%u%s", tls_server_port(server), path);
    return url;
}

const char *proxy_at(const char *before, int port)
{
    static char urls[8][128];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "%s127.0.0.1:%d", before, port);
    return url;
}
