/*
 * A request as bytes, a connection with or without TLS, a response by its Content-Length.
 */
#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of a large body that is encrypted, so much is read from its file at a time. */
#define UPLOAD_PIECE ((size_t)64 * 1024)

static SSL_CTX *tls;
static int raw_index; /* where an SSL has its struct raw */
static char *request; /* the head, and behind it the body if that is small */
static size_t request_len;

/* ------------------------------------------------------------------------------------ beginning */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct raw *raw = SSL_get_ex_data(ssl, raw_index);
    SSL_SESSION_free(raw->session);
    raw->session = session;
    return 1;
}

static void begin_tls(void)
{
    tls = SSL_CTX_new(TLS_client_method());
    raw_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (tls == NULL || raw_index < 0 || bench.ca == NULL ||
        SSL_CTX_load_verify_file(tls, bench.ca) != 1) {
        bench_fail("--ca %s: cannot be used", bench.ca != NULL ? bench.ca : "is missing:");
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls, bench.resume
                                            ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                            : SSL_SESS_CACHE_OFF);
    if (bench.resume) {
        SSL_CTX_sess_set_new_cb(tls, keep_session);
    }
    if (bench.release) {
        SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    }
}

void raw_begin(void)
{
    const size_t room = 1024 + UPLOAD_IN_MEMORY;
    char length[64] = "";
    request = malloc(room);
    if (request == NULL) {
        bench_fail("out of memory");
    }
    if (bench.upload >= 0) {
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", bench.upload_len);
    }
    int len = snprintf(request, 1024,
                       "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sUser-Agent: bench\r\n%s\r\n",
                       bench.upload >= 0 ? "POST" : "GET", bench.path, bench.port, length,
                       bench.close ? "Connection: close\r\n" : "");
    request_len = (size_t)len;
    if (bench.upload_bytes != NULL) {
        memcpy(request + len, bench.upload_bytes, bench.upload_len);
        request_len += bench.upload_len;
    }
    if (bench.tls) {
        begin_tls();
    }
}

void raw_end(void)
{
    SSL_CTX_free(tls);
    free(request);
}

/* ------------------------------------------------------------------------------------ connecting */

static void open_socket(struct raw *raw, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bench.port)};
    const int on = 1;
    char host[16];
    bench_host(raw->worker, host);
    address.sin_addr.s_addr = inet_addr(host);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (raw->fd < 0) {
        bench_fail("socket: %s", strerror(errno));
    }
    setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(raw->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS) {
        bench_fail("connect: %s", strerror(errno));
    }
    bench_opened(1);
}

static void begin_handshake(struct raw *raw)
{
    char host[16];
    bench_host(raw->worker, host);
    raw->ssl = SSL_new(tls);
    if (raw->ssl == NULL || SSL_set_fd(raw->ssl, raw->fd) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(raw->ssl), host) != 1) {
        bench_fail("a TLS connection cannot be made");
    }
    SSL_set_ex_data(raw->ssl, raw_index, raw);
    SSL_set_connect_state(raw->ssl);
    if (raw->session != NULL) {
        SSL_set_session(raw->ssl, raw->session);
    }
}

void raw_connect_begin(struct raw *raw)
{
    open_socket(raw, SOCK_NONBLOCK);
    if (bench.tls) {
        begin_handshake(raw);
    }
}

bool raw_handshake(struct raw *raw)
{
    if (raw->ssl == NULL) {
        return true;
    }
    int result = SSL_do_handshake(raw->ssl);
    if (result == 1) {
        return true;
    }
    int why = SSL_get_error(raw->ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        bench_fail("the TLS handshake: %s", ERR_reason_error_string(ERR_peek_error()));
    }
    return false;
}

void raw_connect(struct raw *raw)
{
    open_socket(raw, 0);
    if (bench.tls) {
        begin_handshake(raw);
        raw_handshake(raw);
    }
}

void raw_close(struct raw *raw)
{
    if (raw->ssl != NULL) {
        SSL_shutdown(raw->ssl);
        SSL_free(raw->ssl);
        raw->ssl = NULL;
    }
    close(raw->fd);
    raw->fd = -1;
}

void raw_forget(struct raw *raw)
{
    if (raw->fd >= 0) {
        raw_close(raw);
    }
    SSL_SESSION_free(raw->session);
}

/* ------------------------------------------------------------------------------ reading, sending */

ssize_t raw_read(struct raw *raw, void *buffer, size_t len)
{
    if (raw->ssl == NULL) {
        return recv(raw->fd, buffer, len, 0);
    }
    int got = SSL_read(raw->ssl, buffer, (int)len);
    if (got <= 0) {
        int why = SSL_get_error(raw->ssl, got);
        errno = why == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
        return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    }
    return got;
}

static void send_bytes(struct raw *raw, const char *bytes, size_t len, int flags)
{
    while (len > 0) {
        ssize_t sent = raw->ssl != NULL ? SSL_write(raw->ssl, bytes, (int)len)
                                        : send(raw->fd, bytes, len, MSG_NOSIGNAL | flags);
        if (sent <= 0) {
            bench_fail("send: %s", strerror(errno));
        }
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void send_file_encrypted(struct raw *raw)
{
    char *piece = malloc(UPLOAD_PIECE);
    if (piece == NULL) {
        bench_fail("out of memory");
    }
    for (size_t sent = 0; sent < bench.upload_len;) {
        ssize_t got = pread(bench.upload, piece, UPLOAD_PIECE, (off_t)sent);
        if (got <= 0) {
            bench_fail("the upload's file: %s", strerror(errno));
        }
        send_bytes(raw, piece, (size_t)got, 0);
        sent += (size_t)got;
    }
    free(piece);
}

void raw_send(struct raw *raw)
{
    bool small = bench.upload < 0 || bench.upload_bytes != NULL;
    send_bytes(raw, request, request_len, small ? 0 : MSG_MORE);
    if (small) {
        return;
    }
    if (raw->ssl != NULL) {
        send_file_encrypted(raw);
        return;
    }
    off_t offset = 0;
    while ((size_t)offset < bench.upload_len) {
        if (sendfile(raw->fd, bench.upload, &offset, bench.upload_len - (size_t)offset) <= 0) {
            bench_fail("sendfile: %s", strerror(errno));
        }
    }
}

void raw_send_other(struct raw *raw, const char *bytes, size_t len)
{
    ssize_t sent = raw->ssl != NULL ? SSL_write(raw->ssl, bytes, (int)len)
                                    : send(raw->fd, bytes, len, MSG_NOSIGNAL);
    if (sent != (ssize_t)len) {
        bench_fail("send: %s", strerror(errno));
    }
}

void raw_send_small(struct raw *raw)
{
    raw_send_other(raw, request, request_len);
}

/* ------------------------------------------------------------------------------------- responses */

char *raw_room(struct raw_response *response, size_t *room)
{
    size_t used = response->head_read ? 0 : response->len;
    *room = bench.buffer - used;
    return response->buffer + used;
}

/* The value of Content-Length in a head that ends at end. */
static size_t content_length(const char *head, const char *end)
{
    static const char name[] = "content-length:";
    for (const char *line = head; line < end;) {
        if ((size_t)(end - line) >= sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
            return (size_t)strtoull(line + sizeof name - 1, NULL, 10);
        }
        line = memchr(line, '\n', (size_t)(end - line));
        line = line != NULL ? line + 1 : end;
    }
    bench_fail("a response without Content-Length");
}

/* Whether the head is there; then *body is behind it. */
static bool take_head(struct raw_response *response, char **body)
{
    char *end = memmem(response->buffer, response->len, "\r\n\r\n", 4);
    if (end == NULL) {
        if (response->len == bench.buffer) {
            bench_fail("a response head without end");
        }
        return false;
    }
    if (memcmp(response->buffer, "HTTP/1.1 200 ", 13) != 0) {
        bench_fail("the response is %.*s", 15, response->buffer);
    }
    response->head_read = true;
    response->body = response->body_left = content_length(response->buffer, end + 2);
    *body = end + 4;
    return true;
}

int raw_take(struct raw_response *response, size_t got, char **body)
{
    size_t of_body = got;
    *body = response->buffer;
    if (!response->head_read) {
        response->len += got;
        *body = response->buffer + response->len;
        if (!take_head(response, body)) {
            return 0;
        }
        of_body = response->len - (size_t)(*body - response->buffer);
    }
    if (of_body > response->body_left) {
        bench_fail("bytes after the response");
    }
    response->body_left -= of_body;
    return response->body_left == 0;
}

void raw_restart(struct raw_response *response)
{
    response->len = 0;
    response->head_read = false;
}
