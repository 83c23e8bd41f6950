/*
 * Digest authentication. Called by the client's credentials when a server has answered 401, and for
 * proxies that have answered 407.
 */
#include "http/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/errno.h"
#include "base/error.h"
#include "http/bytes.h"

/* ------------------------------------------------------------------------------- the challenge */

/* A Digest challenge while it is being read: slices of the block, which is decoded in place. */
struct reading {
    const char *realm, *nonce, *opaque, *algorithm, *qop;
    bool stale;
};

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t,");
}

static size_t token_len(const char *at)
{
    size_t len = 0;
    while (fy_byte_is(at[len], FY_BYTE_TOKEN)) {
        len++;
    }
    return len;
}

/* A token or a quoted string at *at, decoded to *to, which moves behind it and its NUL. NULL for a
 * quoted string without end. */
static const char *take_value(const char **at, char **to)
{
    const char *start = *to;
    const char *from = *at;
    if (*from != '"') {
        size_t len = strcspn(from, " \t,");
        memcpy(*to, from, len);
        *to += len;
        from += len;
    } else {
        for (from++; *from != '"'; from++) {
            if (*from == '\\' && from[1] != '\0') {
                from++;
            }
            if (*from == '\0') {
                return NULL;
            }
            *(*to)++ = *from;
        }
        from++;
    }
    *(*to)++ = '\0';
    *at = from;
    return start;
}

static void take_parameter(struct reading *reading, const char *name, size_t len, const char *value)
{
    const struct {
        const char *name;
        const char **place;
    } places[] = {{"realm", &reading->realm},
                  {"nonce", &reading->nonce},
                  {"opaque", &reading->opaque},
                  {"algorithm", &reading->algorithm},
                  {"qop", &reading->qop}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (fy_text_is(name, len, places[i].name) && *places[i].place == NULL) {
            *places[i].place = value;
        }
    }
    if (fy_text_is(name, len, "stale")) {
        reading->stale = fy_text_is(value, strlen(value), "true");
    }
}

/* Whether "name=value" comes next, and not a token68 (RFC 9110 section 11.2), whose '=' are its
 * last bytes. */
static bool begins_parameter(const char *at)
{
    at += token_len(at);
    at += strspn(at, " \t");
    if (*at != '=') {
        return false;
    }
    at += 1 + strspn(at + 1, " \t");
    return *at != '\0' && *at != '=' && *at != ',';
}

/* What follows a scheme's name: "name=value" pairs until the next scheme. Returns where it ended,
 * NULL where it cannot be read. */
static const char *take_parameters(struct reading *reading, const char *at, char **to)
{
    for (;;) {
        at = skip_blanks(at);
        size_t len = token_len(at);
        const char *name = at;
        const char *after = at + len;
        after += strspn(after, " \t");
        if (len == 0 || *after != '=') {
            /* The next scheme, the end, or bytes that belong nowhere. */
            return len > 0 || *at == '\0' ? at : NULL;
        }
        at = after + 1 + strspn(after + 1, " \t");
        const char *value = take_value(&at, to);
        if (value == NULL) {
            return NULL;
        }
        take_parameter(reading, name, len, value);
    }
}

/* Whether a comma-separated list has a word in it. */
static bool lists(const char *list, const char *word)
{
    while (*list != '\0') {
        list = skip_blanks(list);
        size_t len = strcspn(list, " \t,");
        if (fy_text_is(list, len, word)) {
            return true;
        }
        list += len;
    }
    return false;
}

/* Fills in what the challenge asks for. NULL; or what of it is not done here. */
static const char *understand(struct fy_digest_challenge *challenge, const struct reading *reading)
{
    static const struct {
        const char *name;
        enum fy_digest_algorithm algorithm;
        bool session;
    } algorithms[] = {{"MD5", FY_DIGEST_MD5, false},
                      {"MD5-sess", FY_DIGEST_MD5, true},
                      {"SHA-256", FY_DIGEST_SHA256, false},
                      {"SHA-256-sess", FY_DIGEST_SHA256, true}};
    *challenge = (struct fy_digest_challenge){.realm = reading->realm,
                                              .nonce = reading->nonce,
                                              .opaque = reading->opaque,
                                              .named = reading->algorithm != NULL,
                                              .stale = reading->stale};
    const char *wanted = reading->algorithm != NULL ? reading->algorithm : "MD5";
    size_t i = 0;
    while (i < 4 && !fy_text_is(wanted, strlen(wanted), algorithms[i].name)) {
        i++;
    }
    if (i == 4) {
        return "an algorithm other than MD5 and SHA-256";
    }
    challenge->algorithm = algorithms[i].algorithm;
    challenge->session = algorithms[i].session;
    challenge->qop_auth = reading->qop != NULL && lists(reading->qop, "auth");
    if (reading->qop != NULL && !challenge->qop_auth) {
        return "qop=auth-int, or another that is not auth";
    }
    return NULL;
}

enum fy_digest_found fy_digest_parse(struct fy_digest_challenge *challenge, const char *value,
                                     ferry_error *err)
{
    const char *refused = NULL;
    bool found = false;
    *challenge = (struct fy_digest_challenge){0};
    /* Each value is no longer than what it is decoded from, its '=' included. */
    char *block = malloc(strlen(value) + 1);
    if (block == NULL) {
        fy_fail_memory(err);
        return FY_DIGEST_FAILED;
    }
    char *to = block;
    for (const char *at = skip_blanks(value); at != NULL && *at != '\0';) {
        struct reading reading = {0};
        struct fy_digest_challenge one;
        size_t len = token_len(at);
        if (len == 0) {
            break;
        }
        bool digest = fy_text_is(at, len, "Digest");
        at += len + strspn(at + len, " \t");
        if (!digest && !begins_parameter(at)) {
            at += strcspn(at, " \t,");
        }
        at = take_parameters(&reading, at, &to);
        if (!digest || at == NULL || reading.realm == NULL || reading.nonce == NULL) {
            continue;
        }
        const char *reason = understand(&one, &reading);
        if (reason != NULL) {
            refused = reason;
        } else if (!found || one.algorithm > challenge->algorithm) {
            *challenge = one;
            found = true;
        }
    }
    challenge->block = block;
    if (!found) {
        fy_digest_free(challenge);
    }
    if (!found && refused != NULL) {
        fy_fail(err, FERRY_EUNSUPPORTED, 0,
                "Digest credentials are wanted with %s, which is not done here", refused);
        return FY_DIGEST_FAILED;
    }
    return found ? FY_DIGEST_FOUND : FY_DIGEST_NONE;
}

void fy_digest_free(struct fy_digest_challenge *challenge)
{
    free(challenge->block);
    *challenge = (struct fy_digest_challenge){0};
}

/* ---------------------------------------------------------------------------------- the answer */

#define HEX_MAX 65 /* of SHA-256, and a NUL */

static void to_hex(char *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

/* Whether OpenSSL failed for want of memory, for which it has many words, and none if there was no
 * memory for them either; for want of an algorithm it has one. Leaves nothing in its queue, where
 * others look for errors of their own. */
static bool was_out_of_memory(void)
{
    bool memory = false;
    bool unsupported = false;
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error()) {
        memory = memory || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
        unsupported = unsupported || ERR_GET_REASON(error) == ERR_R_UNSUPPORTED;
    }
    return memory || !unsupported;
}

/* As the TLS floor has it: without OpenSSL's clean-up at exit, when other threads may be at work. What
 * OpenSSL sets up with its first use it tries once only, and if memory was short then it crashes later. */
static bool openssl_is_set_up;

static void set_up_openssl(void)
{
    openssl_is_set_up = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1 &&
                        OSSL_LIB_CTX_get0_global_default() != NULL;
}

/* The hash of texts with colons between them, up to a NULL. */
static int hash(enum fy_digest_algorithm algorithm, char out[HEX_MAX], const char *const *texts,
                ferry_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_openssl);
    if (!openssl_is_set_up) {
        return fy_fail_memory(err);
    }
    ERR_clear_error();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestInit_ex(context, algorithm == FY_DIGEST_MD5 ? EVP_md5() : EVP_sha256(),
                                  NULL) == 1;
    for (size_t i = 0; good && texts[i] != NULL; i++) {
        good = (i == 0 || EVP_DigestUpdate(context, ":", 1) == 1) &&
               EVP_DigestUpdate(context, texts[i], strlen(texts[i])) == 1;
    }
    good = good && EVP_DigestFinal_ex(context, digest, &len) == 1 && len < HEX_MAX / 2 + 1;
    EVP_MD_CTX_free(context);
    if (!good && was_out_of_memory()) {
        return fy_fail_memory(err);
    }
    if (!good) {
        return fy_fail(err, FERRY_EUNSUPPORTED, 0,
                       "Digest credentials: OpenSSL does not hash with %s here",
                       algorithm == FY_DIGEST_MD5 ? "MD5" : "SHA-256");
    }
    to_hex(out, digest, len);
    return 0;
}

/* RFC 7616 section 3.4.1 and the following. */
static int respond(const struct fy_digest_challenge *challenge,
                   const struct fy_digest_request *request, const char *count,
                   char response[HEX_MAX], ferry_error *err)
{
    char a1[HEX_MAX];
    char a2[HEX_MAX];
    enum fy_digest_algorithm algorithm = challenge->algorithm;
    if (hash(algorithm, a1,
             (const char *const[]){request->user, challenge->realm, request->password, NULL},
             err) != 0 ||
        (challenge->session &&
         hash(algorithm, a1, (const char *const[]){a1, challenge->nonce, request->cnonce, NULL},
              err) != 0) ||
        hash(algorithm, a2, (const char *const[]){request->method, request->target, NULL}, err) !=
            0) {
        return -1;
    }
    return challenge->qop_auth ? hash(algorithm, response,
                                      (const char *const[]){a1, challenge->nonce, count,
                                                            request->cnonce, "auth", a2, NULL},
                                      err)
                               : hash(algorithm, response,
                                      (const char *const[]){a1, challenge->nonce, a2, NULL}, err);
}

static void append_quoted(struct fy_buffer *out, const char *name, const char *value)
{
    fy_buffer_append_text(out, name);
    fy_buffer_append_text(out, "=\"");
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            fy_buffer_append_byte(out, '\\');
        }
        fy_buffer_append_byte(out, *value);
    }
    fy_buffer_append_byte(out, '"');
}

int fy_digest_answer(const struct fy_digest_challenge *challenge,
                     const struct fy_digest_request *request, struct fy_buffer *out,
                     ferry_error *err)
{
    static const char *const names[2][2] = {{"MD5", "MD5-sess"}, {"SHA-256", "SHA-256-sess"}};
    char response[HEX_MAX];
    char count[9];
    for (int i = 0; i < 8; i++) {
        count[i] = "0123456789abcdef"[request->count >> (28 - 4 * i) & 15];
    }
    count[8] = '\0';
    if (respond(challenge, request, count, response, err) != 0) {
        return -1;
    }
    append_quoted(out, "Digest username", request->user);
    append_quoted(out, ", realm", challenge->realm);
    append_quoted(out, ", nonce", challenge->nonce);
    append_quoted(out, ", uri", request->target);
    append_quoted(out, ", response", response);
    if (challenge->named) {
        fy_buffer_append_text(out, ", algorithm=");
        fy_buffer_append_text(out, names[challenge->algorithm][challenge->session]);
    }
    if (challenge->qop_auth || challenge->session) {
        append_quoted(out, ", cnonce", request->cnonce);
    }
    if (challenge->opaque != NULL) {
        append_quoted(out, ", opaque", challenge->opaque);
    }
    if (challenge->qop_auth) {
        fy_buffer_append_text(out, ", qop=auth, nc=");
        fy_buffer_append_text(out, count);
    }
    return out->failed ? fy_fail_memory(err) : 0;
}

int fy_digest_cnonce(char out[33], ferry_error *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return fy_fail(err, FERRY_EUNSUPPORTED, errno,
                       "Digest credentials: the system has no random bytes");
    }
    to_hex(out, bytes, sizeof bytes);
    return 0;
}
