/* Questions about TCP sockets to the kernel over netlink, and the reading of its answers. */
#include "sock_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

union answer {
    struct nlmsghdr header;
    char bytes[16384];
};

/* As the kernel numbers states; its headers for user programs leave that to the C library's, which cannot
   be included beside them. */
enum {
    STATE_ESTABLISHED = 1,
    STATE_CLOSE_WAIT = 8,
};

int sock_diag_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static void prepare(struct question *question, int family, uint32_t states)
{
    memset(question, 0, sizeof(*question));
    question->header.nlmsg_len = sizeof(*question);
    question->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question->header.nlmsg_flags = NLM_F_REQUEST;
    question->request.sdiag_family = (__u8)family;
    question->request.sdiag_protocol = IPPROTO_TCP;
    question->request.idiag_states = states;
    question->request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question->request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* One round of answers. Their length, or -1. */
static ssize_t receive(int fd, union answer *answer)
{
    ssize_t n;

    do {
        n = recv(fd, answer, sizeof(*answer), 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

static void put_address(const struct sockaddr_storage *address, __be32 *words, __be16 *port)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;

        memcpy(words, &in->sin_addr, sizeof(in->sin_addr));
        *port = in->sin_port;
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

        memcpy(words, &in6->sin6_addr, sizeof(in6->sin6_addr));
        *port = in6->sin6_port;
    }
}

static void read_socket(const struct nlmsghdr *header, struct sock_diag_found *found)
{
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    const struct rtattr *attribute = (const struct rtattr *)(message + 1);
    size_t len = header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));

    *found = (struct sock_diag_found){.unread = message->idiag_rqueue};
    found->connected =
        message->idiag_state == STATE_ESTABLISHED || message->idiag_state == STATE_CLOSE_WAIT;
    for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
        struct tcp_info info = {0};
        size_t size = RTA_PAYLOAD(attribute);

        if (attribute->rta_type != INET_DIAG_INFO ||
            size <
                offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
            continue;
        memcpy(&info, RTA_DATA(attribute), size < sizeof(info) ? size : sizeof(info));
        found->received = info.tcpi_bytes_received;
        found->has_counts = true;
    }
}

int sock_diag_one(int fd, const struct sockaddr_storage *local,
                  const struct sockaddr_storage *remote, struct sock_diag_found *found)
{
    struct question question;
    union answer answer;
    ssize_t n;

    prepare(&question, local->ss_family, ~0U);
    question.request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
    put_address(local, question.request.id.idiag_src, &question.request.id.idiag_sport);
    put_address(remote, question.request.id.idiag_dst, &question.request.id.idiag_dport);
    if (send(fd, &question, sizeof(question), 0) < 0)
        return -1;
    n = receive(fd, &answer);
    if (n < 0 || !NLMSG_OK(&answer.header, (size_t)n))
        return -1;
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&answer.header);

        return error->error == -ENOENT ? 0 : -1;
    }
    read_socket(&answer.header, found);
    return 1;
}

int sock_diag_count(int fd, int family, uint32_t states, int local_port, int remote_port)
{
    struct question question;
    int count = 0;

    prepare(&question, family, states);
    question.header.nlmsg_flags |= NLM_F_DUMP;
    question.request.id.idiag_sport = htons((uint16_t)local_port);
    question.request.id.idiag_dport = htons((uint16_t)remote_port);
    if (send(fd, &question, sizeof(question), 0) < 0)
        return -1;
    for (;;) {
        union answer answer;
        ssize_t n = receive(fd, &answer);
        size_t len = (size_t)n;

        if (n <= 0)
            return -1;
        for (struct nlmsghdr *header = &answer.header; NLMSG_OK(header, len);
             header = NLMSG_NEXT(header, len)) {
            if (header->nlmsg_type == NLMSG_DONE)
                return count;
            if (header->nlmsg_type == NLMSG_ERROR)
                return -1;
            count++;
        }
    }
}
