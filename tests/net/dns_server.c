/*
 * A name server that knows a few labels.
 */
#include "dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };
enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3 };
enum { HEADER = 12, FLAG_TRUNCATED = 0x02 };

struct message {
    unsigned char bytes[512];
    size_t len;
};

static bool label_is(const struct message *question, const char *label)
{
    size_t len = question->bytes[HEADER];
    return len == strlen(label) && memcmp(question->bytes + HEADER + 1, label, len) == 0;
}

/* A record of class IN, whose name is at an offset of the answer. */
static void add_record(struct message *answer, size_t name, int type, int64_t ttl, const void *data,
                       size_t len)
{
    const unsigned char head[] = {0xc0,
                                  (unsigned char)name,
                                  0,
                                  (unsigned char)type,
                                  0,
                                  1,
                                  (unsigned char)(ttl >> 24),
                                  (unsigned char)(ttl >> 16),
                                  (unsigned char)(ttl >> 8),
                                  (unsigned char)ttl,
                                  0,
                                  (unsigned char)len};
    memcpy(answer->bytes + answer->len, head, sizeof head);
    memcpy(answer->bytes + answer->len + sizeof head, data, len);
    answer->len += sizeof head + len;
    answer->bytes[7]++;
}

/* The alias "real" and what follows the question's first label. Returns where that name is. */
static size_t add_alias(struct message *answer, const struct message *question, int64_t ttl)
{
    const unsigned char name[] = {
        4, 'r', 'e', 'a', 'l', 0xc0, (unsigned char)(HEADER + 1 + question->bytes[HEADER])};
    add_record(answer, HEADER, TYPE_CNAME, ttl, name, sizeof name);
    return answer->len - sizeof name;
}

static int64_t ttl_of(const struct message *question, int type)
{
    if (label_is(question, "short")) {
        return type == TYPE_A ? 30 : 20;
    }
    if (label_is(question, "alias")) {
        return 30;
    }
    return label_is(question, "moment") ? 0 : label_is(question, "past") ? -5 : 60;
}

/* false: there is none. */
static bool make_answer(const struct message *question, bool over_udp, struct message *answer)
{
    static const unsigned char one[] = {127, 0, 0, 1};
    static const unsigned char two[] = {127, 0, 0, 2};
    static const unsigned char loopback[16] = {[15] = 1};
    size_t end = HEADER;
    while (end < question->len && question->bytes[end] != 0) {
        end += question->bytes[end] + 1u;
    }
    if (end + 5 > question->len) {
        return false;
    }
    int type = question->bytes[end + 2];
    bool is_long = label_is(question, "long") || label_is(question, "cut");
    bool both = label_is(question, "both") || is_long;
    bool is_alias = label_is(question, "alias");
    bool is_short = label_is(question, "short");
    bool four = both || is_short || is_alias || label_is(question, "four") ||
                label_is(question, "held") || label_is(question, "moment") ||
                label_is(question, "past");
    bool six = both || is_short || label_is(question, "six");
    int64_t ttl = ttl_of(question, type);
    size_t name = HEADER;

    *answer = *question;
    answer->len = end + 5;
    answer->bytes[2] |= 0x80; /* a response */
    answer->bytes[3] = 0x80;  /* recursion available */
    memset(answer->bytes + 6, 0, 6);
    if (label_is(question, "silent")) {
        return false;
    } else if (is_long && over_udp) {
        answer->bytes[2] |= FLAG_TRUNCATED;
    } else if (label_is(question, "fail")) {
        answer->bytes[3] |= RCODE_SERVFAIL;
    } else if (!four && !six) {
        answer->bytes[3] |= RCODE_NXDOMAIN;
    } else if (is_alias) {
        name = add_alias(answer, question, 10);
    }
    if ((answer->bytes[2] & FLAG_TRUNCATED) != 0 || (answer->bytes[3] & 0x0f) != 0) {
        return true;
    }
    if (type == TYPE_A && four) {
        add_record(answer, name, TYPE_A, ttl, one, sizeof one);
        if (both) {
            add_record(answer, name, TYPE_A, ttl, two, sizeof two);
        }
    } else if (type == TYPE_AAAA && six) {
        add_record(answer, name, TYPE_AAAA, ttl, loopback, sizeof loopback);
    }
    return true;
}

static void serve_udp(struct dns_server *server)
{
    struct message question;
    struct message answer;
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    ssize_t got = recvfrom(server->udp, question.bytes, sizeof question.bytes, 0,
                           (struct sockaddr *)&peer, &len);
    if (got <= HEADER) {
        return;
    }
    question.len = (size_t)got;
    atomic_fetch_add(&server->questions, 1);
    if (label_is(&question, "held") && atomic_fetch_sub(&server->hold, 1) > 0) {
        return;
    }
    if (make_answer(&question, true, &answer)) {
        sendto(server->udp, answer.bytes, answer.len, 0, (struct sockaddr *)&peer, len);
    }
}

static bool receive(int fd, void *bytes, size_t len)
{
    return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

static bool answer_tcp(int fd)
{
    struct message question;
    struct message answer;
    unsigned char len[2];
    if (!receive(fd, len, 2)) {
        return false;
    }
    question.len = (size_t)(len[0] << 8 | len[1]);
    if (question.len <= HEADER || question.len > sizeof question.bytes ||
        !receive(fd, question.bytes, question.len) || label_is(&question, "cut") ||
        !make_answer(&question, false, &answer)) {
        return false;
    }
    len[0] = (unsigned char)(answer.len >> 8);
    len[1] = (unsigned char)answer.len;
    return send(fd, len, 2, MSG_NOSIGNAL) == 2 &&
           send(fd, answer.bytes, answer.len, MSG_NOSIGNAL) == (ssize_t)answer.len;
}

static void serve_tcp(struct dns_server *server)
{
    int fd = accept4(server->tcp, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    while (answer_tcp(fd)) {}
    close(fd);
}

static void *serve(void *arg)
{
    struct dns_server *server = arg;
    struct pollfd fds[] = {{.fd = server->stop, .events = POLLIN},
                           {.fd = server->udp, .events = POLLIN},
                           {.fd = server->tcp, .events = POLLIN}};
    while (poll(fds, 3, -1) >= 0 && fds[0].revents == 0) {
        if (fds[1].revents != 0) {
            serve_udp(server);
        }
        if (fds[2].revents != 0) {
            serve_tcp(server);
        }
    }
    return NULL;
}

void dns_server_start(struct dns_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    *server = (struct dns_server){.stop = eventfd(0, EFD_CLOEXEC)};
    /* The port that UDP gives may be taken for TCP: then another. */
    for (int tries = 0;; tries++) {
        assert_true(tries < 100);
        address.sin_port = 0;
        server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server->udp, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(server->udp, (struct sockaddr *)&address, &len), 0);
        if (bind(server->tcp, (struct sockaddr *)&address, sizeof address) == 0) {
            break;
        }
        close(server->udp);
        close(server->tcp);
    }
    assert_int_equal(listen(server->tcp, 16), 0);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void dns_server_stop(struct dns_server *server)
{
    uint64_t one = 1;
    assert_int_equal(write(server->stop, &one, sizeof one), sizeof one);
    pthread_join(server->thread, NULL);
    close(server->udp);
    close(server->tcp);
    close(server->stop);
}
