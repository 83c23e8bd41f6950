/*
 * What a client knows about who it is: a name and password for Digest, and a .netrc. Given to the
 * servers they are for, and to no others.
 */
#ifndef FY_CLIENT_CREDENTIALS_H
#define FY_CLIENT_CREDENTIALS_H

#include <pthread.h>
#include <stdbool.h>

#include <ferry.h>

#include "base/fork.h"
#include "client/hop.h"
#include "http/digest.h"

/* Of a client. user, password and netrc never change once made, netrc_text not once it is read. */
struct fy_credentials {
    char *user; /* of Digest; NULL: none */
    char *password;
    char *netrc; /* a file's path, "": the usual one; NULL: not asked for */
    bool lock_made;
    struct fy_fork_lock held;
    pthread_mutex_t lock; /* of all below */
    char *netrc_text;     /* the file's, once it has been needed and could be read */
    /* The last challenge, and how often it was answered. */
    struct fy_digest_challenge challenge;
    char *site; /* "https://example.org:443": where the challenge came from */
    char cnonce[33];
    uint32_t count;
};

/* Copies the strings. -1 when out of memory; fy_credentials_free() is then still to be called. */
int fy_credentials_make(struct fy_credentials *credentials, const char *user, const char *password,
                        const char *netrc);
void fy_credentials_free(struct fy_credentials *credentials);

/* Whether there are any to be given to a hop; most clients have none. */
static inline bool fy_credentials_any(const struct fy_credentials *credentials)
{
    return credentials->user != NULL || credentials->netrc != NULL;
}

/* Gives a hop what its server may have without being asked again: the answer to the challenge that
 * is known, or what .netrc says. Does nothing for a request that has credentials of its own. */
int fy_credentials_apply(struct fy_credentials *credentials, struct fy_hops *hops,
                         ferry_error *err);

/* Sets the credentials of a hop's URL, unless it has others, where no transport will make them out of
 * it: what stands in its place is shown no user info. */
int fy_credentials_of_url(struct fy_hops *hops, ferry_error *err);

/* Looks at a response of 401: 1 when it is a challenge whose answer the hop now has (to be sent once
 * more), 0 when it is not, -1 and *err. */
int fy_credentials_answer(struct fy_credentials *credentials, struct fy_hops *hops,
                          const ferry_response *res, ferry_error *err);

#endif
