/*
 * Digest authentication, RFC 7616: the server's challenge taken apart, and the answer to it. Pure
 * but for the hashing, which is OpenSSL's. qop "auth" and none (RFC 2069); MD5 and SHA-256, each
 * also as "-sess".
 */
#ifndef FY_HTTP_DIGEST_H
#define FY_HTTP_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"

/* In the order of preference. */
enum fy_digest_algorithm { FY_DIGEST_MD5, FY_DIGEST_SHA256 };

/* Strings are decoded, NUL-terminated and lie in block. */
struct fy_digest_challenge {
    char *block; /* from malloc(), or NULL: no challenge */
    const char *realm;
    const char *nonce;
    const char *opaque; /* NULL: none */
    enum fy_digest_algorithm algorithm;
    bool named; /* the server named the algorithm, and gets its name back */
    bool session;
    bool qop_auth; /* else none was offered */
    bool stale;    /* credentials were right, their nonce was too old */
};

enum fy_digest_found {
    FY_DIGEST_FAILED = -1, /* FERRY_ENOMEM; or FERRY_EUNSUPPORTED: every Digest challenge in it
                              wants something that is not done here (auth-int, an algorithm) */
    FY_DIGEST_NONE = 0,    /* no usable Digest challenge in it */
    FY_DIGEST_FOUND = 1
};

/* Finds the best Digest challenge in the value of a WWW-Authenticate or Proxy-Authenticate field,
 * which may hold several challenges of any scheme (RFC 9110 section 11.6.1). */
enum fy_digest_found fy_digest_parse(struct fy_digest_challenge *challenge, const char *value,
                                     ferry_error *err);
void fy_digest_free(struct fy_digest_challenge *challenge);

/* Who asks for what. */
struct fy_digest_request {
    const char *method;
    const char *target; /* as in the request line */
    const char *user;
    const char *password;
    const char *cnonce; /* the client's nonce; the same as long as the challenge is */
    uint32_t count;     /* requests sent with this challenge, this one included */
};

/* Appends the value of the Authorization field. -1 and *err: out of memory, or a hash that this
 * OpenSSL refuses. */
int fy_digest_answer(const struct fy_digest_challenge *challenge,
                     const struct fy_digest_request *request, struct fy_buffer *out,
                     ferry_error *err);

/* 32 hexadecimal digits that nobody can guess. */
int fy_digest_cnonce(char out[33], ferry_error *err);

#endif
