/*
 * SOCKS4 and 4A (the protocol's memo by Ying-Da Lee, and its extension): one question, one answer
 * of eight bytes. There are no passwords, and no addresses of IPv6.
 */
#include "net/socks4.h"

#include <netinet/in.h>
#include <string.h>

#include "base/errno.h"
#include "base/error.h"
#include "net/talk.h"

enum { VERSION = 4, CONNECT = 1, ANSWER_LEN = 8 };
enum { GRANTED = 90, REJECTED = 91, NO_IDENTD = 92, OTHER_USER = 93 };

/* The question's longest parts: a user, a name, each with its NUL. */
#define PART_MAX 256

/* The question, in bytes: how many; 0: the host's name is too long for it. */
static size_t put_question(uint8_t *bytes, const struct fy_socks *socks)
{
    const char *user = socks->proxy->user != NULL ? socks->proxy->user : "";
    size_t user_size = strlen(user) + 1; /* at most 256: the proxy's setting was checked */
    size_t host_size = strlen(socks->host) + 1;
    uint16_t port = htons(socks->port);
    const uint8_t by_name[4] = {0, 0, 0, 1}; /* an address that no host has */
    uint8_t *at = bytes;
    *at++ = VERSION;
    *at++ = CONNECT;
    memcpy(at, &port, 2);
    at += 2;
    if (socks->address != NULL) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&socks->address->sockaddr;
        memcpy(at - 2, &four->sin_port, 2);
        memcpy(at, &four->sin_addr, 4);
    } else {
        memcpy(at, by_name, 4);
    }
    at += 4;
    memcpy(at, user, user_size);
    at += user_size;
    if (socks->address == NULL) {
        if (host_size > PART_MAX) {
            return 0;
        }
        memcpy(at, socks->host, host_size);
        at += host_size;
    }
    return (size_t)(at - bytes);
}

static int refused(struct fy_talk *talk, uint8_t code)
{
    switch (code) {
    case REJECTED:
        /* Whatever it was: a connection refused, a host unreachable, a rule. */
        return fy_fail(talk->err, FERRY_ECONNECT, ECONNREFUSED, "it refused, or could not connect");
    case NO_IDENTD:
        return fy_fail(talk->err, FERRY_EPROXY, 0, "it refused, for it wants an identd here");
    case OTHER_USER:
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it refused the user name, which identd here does not confirm");
    default:
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it refused, for a reason (%d) that SOCKS4 does not have", code);
    }
}

static int hear(struct fy_talk *talk)
{
    uint8_t bytes[ANSWER_LEN + 1]; /* with room for one byte too many */
    size_t len = 0;
    while (len < ANSWER_LEN) {
        ssize_t got = fy_talk_hear(talk, bytes + len, sizeof bytes - len);
        if (got < 0) {
            return -1;
        }
        len += (size_t)got;
        if (bytes[0] != 0) {
            return fy_fail(talk->err, FERRY_EPROXY, 0, "it answered with %s",
                           bytes[0] == 5     ? "SOCKS5"
                           : bytes[0] == 'H' ? "what is not SOCKS4: it may be an HTTP proxy"
                                             : "what is not SOCKS4");
        }
    }
    if (len > ANSWER_LEN) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "it sent bytes behind its answer, before anything was asked of the target");
    }
    return bytes[1] == GRANTED ? 0 : refused(talk, bytes[1]);
}

static int ask(struct fy_talk *talk, const struct fy_socks *socks)
{
    uint8_t bytes[8 + 2 * PART_MAX];
    if (socks->address != NULL && socks->address->sockaddr.ss_family != AF_INET) {
        return fy_fail(talk->err, FERRY_ECONNECT, EAFNOSUPPORT,
                       "it has no room for an address of IPv6: use SOCKS5");
    }
    size_t len = put_question(bytes, socks);
    if (len == 0) {
        return fy_fail(talk->err, FERRY_EPROXY, 0,
                       "the host's name is longer than 255 bytes, for which there is no room");
    }
    return fy_talk_say(talk, bytes, len) == 0 ? hear(talk) : -1;
}

int fy_socks4_connect(struct fy_stream *stream, const struct fy_socks *socks, ferry_error *err)
{
    struct fy_talk talk;
    if (fy_talk_begin(&talk, stream, socks->deadline, socks->canceled, err) != 0) {
        return -1;
    }
    int result = fy_talk_end(&talk, ask(&talk, socks));
    if (result != 0) {
        fy_error_prefix(err, "socks4");
    }
    return result;
}
