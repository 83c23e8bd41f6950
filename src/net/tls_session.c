/*
 * Sessions kept for the next connection to the same server (RFC 8446 section 2.2, RFC 5077). Called
 * from any thread, during handshakes and whenever a ticket comes. A session in here belongs to
 * nobody else: OpenSSL changes those that connections use.
 */
#include "net/tls_internal.h"

#include <stdlib.h>
#include <string.h>

/* In all, and of one server: as many connections may begin at once and find one each. */
#define MOST_SESSIONS 256
#define MOST_OF_A_KEY 8

struct session {
    struct fy_link link;
    SSL_SESSION *session;
    char key[]; /* host, and host:port */
};

static struct session *at(struct fy_link *link)
{
    return FY_CONTAINER(link, struct session, link);
}

void fy_tls_sessions_init(struct fy_tls_sessions *sessions)
{
    pthread_mutex_init(&sessions->lock, NULL);
    fy_fork_lock_add(&sessions->held, &sessions->lock);
    fy_list_init(&sessions->list);
    sessions->count = 0;
}

static void drop(struct fy_tls_sessions *sessions, struct session *entry)
{
    fy_list_remove(&entry->link);
    sessions->count--;
    SSL_SESSION_free(entry->session);
#ifndef __clang_analyzer__ /* which takes it to be in its list still */
    free(entry);
#endif
}

void fy_tls_sessions_free(struct fy_tls_sessions *sessions)
{
    while (!fy_list_empty(&sessions->list)) {
        drop(sessions, at(sessions->list.next));
    }
    fy_fork_lock_remove(&sessions->held);
    pthread_mutex_destroy(&sessions->lock);
}

/* A ticket of TLS 1.3 is used once, so that nobody on the way can tell that two connections are the
 * same client's (RFC 8446 appendix C.4); a session of TLS 1.2 is good for many. */
static bool is_for_once(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

/* Makes room for one more of the key, and for one more at all. */
static void make_room(struct fy_tls_sessions *sessions, const char *key, bool is_once)
{
    unsigned same = 0;
    FY_LIST_EACH_SAFE(link, &sessions->list)
    {
        struct session *entry = at(link);
        if (strcmp(entry->key, key) == 0 && (++same >= MOST_OF_A_KEY || !is_once)) {
            drop(sessions, entry);
        }
    }
    if (sessions->count >= MOST_SESSIONS) {
        drop(sessions, at(sessions->list.prev));
    }
}

void fy_tls_sessions_put(struct fy_tls_sessions *sessions, const char *key,
                         const SSL_SESSION *session)
{
    size_t size = strlen(key) + 1;
    struct session *entry = malloc(sizeof *entry + size);
    SSL_SESSION *copy = SSL_SESSION_is_resumable(session) ? SSL_SESSION_dup(session) : NULL;
    if (entry == NULL || copy == NULL) {
        free(entry);
        SSL_SESSION_free(copy);
        return;
    }
    entry->session = copy;
    memcpy(entry->key, key, size);
    pthread_mutex_lock(&sessions->lock);
    make_room(sessions, key, is_for_once(copy));
    fy_list_push_front(&sessions->list, &entry->link);
    sessions->count++;
    pthread_mutex_unlock(&sessions->lock);
}

/* The certificate that it began with may not be good for ever. */
static bool has_expired(const SSL_SESSION *session)
{
    X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);
    return peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) < 0;
}

SSL_SESSION *fy_tls_sessions_take(struct fy_tls_sessions *sessions, const char *key)
{
    SSL_SESSION *taken = NULL;
    pthread_mutex_lock(&sessions->lock);
    FY_LIST_EACH_SAFE(link, &sessions->list)
    {
        struct session *entry = at(link);
        if (strcmp(entry->key, key) != 0) {
            continue;
        }
        if (has_expired(entry->session)) {
            drop(sessions, entry);
            continue;
        }
        if (is_for_once(entry->session)) {
            SSL_SESSION_up_ref(entry->session);
            taken = entry->session;
            drop(sessions, entry);
        } else {
            taken = SSL_SESSION_dup(entry->session);
        }
        break;
    }
    pthread_mutex_unlock(&sessions->lock);
    return taken;
}
