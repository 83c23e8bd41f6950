/*
 * SOCKS5, the client's side: three questions, three answers. A target never speaks before it was
 * spoken to (TLS and HTTP both begin with the client), so whatever comes behind an answer was made
 * up by the proxy, and is refused.
 */
#include "net/socks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "net/talk.h"

enum { VERSION = 5, LOGIN_VERSION = 1, CONNECT = 1 };
enum { NO_LOGIN = 0, BY_PASSWORD = 2, NO_METHOD = 0xff };
enum { IPV4 = 1, NAME = 3, IPV6 = 4 };

/* Version, code, reserved byte, kind of address, a name with its length, port. */
#define ANSWER_MAX (4 + 1 + 255 + 2)

/* ---------------------------------------------------------------------------------- the answers */

static enum fy_socks_heard bad(const char **problem, const char *text)
{
    *problem = text;
    return FY_SOCKS_BAD;
}

static enum fy_socks_heard complete(size_t len, size_t whole)
{
    return len < whole ? FY_SOCKS_MORE : len == whole ? FY_SOCKS_WHOLE : FY_SOCKS_BEYOND;
}

static enum fy_socks_heard wrong_version(const uint8_t *bytes, const char **problem)
{
    return bad(problem, bytes[0] == 4     ? "SOCKS4"
                        : bytes[0] == 'H' ? "what is not SOCKS5: it may be an HTTP proxy"
                                          : "what is not SOCKS5");
}

enum fy_socks_heard fy_socks_method(const uint8_t *bytes, size_t len, uint8_t *method,
                                    const char **problem)
{
    if (len > 0 && bytes[0] != VERSION) {
        return wrong_version(bytes, problem);
    }
    *method = len > 1 ? bytes[1] : 0;
    return complete(len, 2);
}

enum fy_socks_heard fy_socks_status(const uint8_t *bytes, size_t len, uint8_t *status,
                                    const char **problem)
{
    if (len > 0 && bytes[0] != LOGIN_VERSION) {
        return bad(problem, "an answer to the credentials that has the wrong version");
    }
    *status = len > 1 ? bytes[1] : 0;
    return complete(len, 2);
}

enum fy_socks_heard fy_socks_reply(const uint8_t *bytes, size_t len, uint8_t *reply,
                                   const char **problem)
{
    if (len > 0 && bytes[0] != VERSION) {
        return wrong_version(bytes, problem);
    }
    *reply = len > 1 ? bytes[1] : 0;
    if (*reply != 0) {
        return FY_SOCKS_WHOLE; /* some send no more, and all close */
    }
    if (len < 5) {
        return len > 3 && bytes[3] != IPV4 && bytes[3] != NAME && bytes[3] != IPV6
                   ? bad(problem, "an address of a kind that SOCKS5 does not have")
                   : FY_SOCKS_MORE;
    }
    switch (bytes[3]) {
    case IPV4: return complete(len, 4 + 4 + 2);
    case IPV6: return complete(len, 4 + 16 + 2);
    case NAME: return complete(len, 4 + 1 + (size_t)bytes[4] + 2);
    default: return bad(problem, "an address of a kind that SOCKS5 does not have");
    }
}

/* Hears one of the answers. */
static int hear(struct fy_talk *talk,
                enum fy_socks_heard (*parse)(const uint8_t *bytes, size_t len, uint8_t *value,
                                             const char **problem),
                uint8_t *value)
{
    uint8_t bytes[ANSWER_MAX + 1]; /* with room for one byte too many */
    const char *problem = "";
    size_t len = 0;
    enum fy_socks_heard heard;
    do {
        ssize_t got = fy_talk_hear(talk, bytes + len, sizeof bytes - len);
        if (got < 0) {
            return -1;
        }
        len += (size_t)got;
        heard = parse(bytes, len, value, &problem);
    } while (heard == FY_SOCKS_MORE);
    if (heard == FY_SOCKS_BEYOND) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it sent bytes behind its answer, before anything was asked of the target");
    }
    return heard == FY_SOCKS_WHOLE
               ? 0
               : fy_fail(talk->err, FERRY_EPROXY, 0, "it answered with %s", problem);
}

/* -------------------------------------------------------------------------------- the questions */

static bool has_credentials(const struct fy_proxy *proxy)
{
    return proxy->user != NULL || proxy->password != NULL;
}

static int log_in(struct fy_talk *talk, const struct fy_proxy *proxy)
{
    uint8_t bytes[3 + 255 + 255];
    const char *user = proxy->user != NULL ? proxy->user : "";
    const char *password = proxy->password != NULL ? proxy->password : "";
    size_t user_len = strlen(user); /* each at most 255: the proxy's setting was checked */
    size_t password_len = strlen(password);
    uint8_t status = 0;
    uint8_t *at = bytes;
    *at++ = LOGIN_VERSION;
    *at++ = (uint8_t)user_len;
    memcpy(at, user, user_len);
    at += user_len;
    *at++ = (uint8_t)password_len;
    memcpy(at, password, password_len);
    at += password_len;
    if (fy_talk_say(talk, bytes, (size_t)(at - bytes)) != 0 ||
        hear(talk, fy_socks_status, &status) != 0) {
        return -1;
    }
    return status == 0
               ? 0
               : fy_fail(talk->err, FERRY_EPROXY, 0,
                         "it refused the name and password: correct them in the proxy's URL");
}

/* Agrees on who we are. */
static int greet(struct fy_talk *talk, const struct fy_proxy *proxy)
{
    bool known = has_credentials(proxy);
    const uint8_t hello[] = {VERSION, known ? 2 : 1, NO_LOGIN, BY_PASSWORD};
    uint8_t method = 0;
    if (fy_talk_say(talk, hello, known ? 4 : 3) != 0 || hear(talk, fy_socks_method, &method) != 0) {
        return -1;
    }
    if (method == NO_LOGIN) {
        return 0;
    }
    if (method == BY_PASSWORD && known) {
        return log_in(talk, proxy);
    }
    if (method == NO_METHOD) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       known ? "it takes neither a name and password nor nobody"
                             : "it wants credentials: put user:password@ into the proxy's URL");
    }
    return fy_fail(talk->err, FERRY_EPROXY, 0, "it chose a method (%d) that was not offered",
                   method);
}

/* What each code means (RFC 1928 section 6). */
static int refused(struct fy_talk *talk, uint8_t reply)
{
    static const struct {
        const char *text;
        int os_errno; /* 0: it would not */
    } replies[] = {
        [1] = {"general failure", 0},
        [2] = {"its rules do not allow this connection", 0},
        [3] = {"network unreachable", ENETUNREACH},
        [4] = {"host unreachable", EHOSTUNREACH},
        [5] = {"connection refused", ECONNREFUSED},
        [6] = {"time to live expired on the way", ETIMEDOUT},
        [7] = {"it does not know how to connect", 0},
        [8] = {"it does not know this kind of address", EAFNOSUPPORT},
    };
    if (reply >= sizeof replies / sizeof replies[0]) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it refused, for a reason (%d) that SOCKS5 does not have", reply);
    }
    return fy_fail(talk->err, replies[reply].os_errno != 0 ? FERRY_ECONNECT : FERRY_EPROXY,
                   replies[reply].os_errno, "%s", replies[reply].text);
}

/* The target, in bytes: how many; 0: SOCKS5 has no room for it. */
static size_t put_target(uint8_t *at, const struct fy_socks *socks)
{
    uint8_t *start = at;
    uint16_t port = htons(socks->port);
    if (socks->address == NULL) {
        size_t len = strlen(socks->host);
        if (len == 0 || len > 255) {
            return 0;
        }
        *at++ = NAME;
        *at++ = (uint8_t)len;
        memcpy(at, socks->host, len);
        at += len;
    } else if (socks->address->sockaddr.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&socks->address->sockaddr;
        *at++ = IPV4;
        memcpy(at, &four->sin_addr, 4);
        at += 4;
        port = four->sin_port;
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&socks->address->sockaddr;
        *at++ = IPV6;
        memcpy(at, &six->sin6_addr, 16);
        at += 16;
        port = six->sin6_port;
    }
    memcpy(at, &port, 2);
    return (size_t)(at + 2 - start);
}

static int ask(struct fy_talk *talk, const struct fy_socks *socks)
{
    uint8_t bytes[ANSWER_MAX] = {VERSION, CONNECT, 0};
    uint8_t reply = 0;
    size_t len = put_target(bytes + 3, socks);
    if (len == 0) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "the host's name is longer than 255 bytes, for which SOCKS5 has no room");
    }
    if (fy_talk_say(talk, bytes, 3 + len) != 0 || hear(talk, fy_socks_reply, &reply) != 0) {
        return -1;
    }
    return reply == 0 ? 0 : refused(talk, reply);
}

int fy_socks_connect(struct fy_stream *stream, const struct fy_socks *socks, ferry_error *err)
{
    struct fy_talk talk;
    if (fy_talk_begin(&talk, stream, socks->deadline, socks->canceled, err) != 0) {
        return -1;
    }
    int result = greet(&talk, socks->proxy);
    if (result == 0) {
        result = ask(&talk, socks);
    }
    result = fy_talk_end(&talk, result);
    if (result != 0) {
        fy_error_prefix(err, "socks5");
    }
    return result;
}
