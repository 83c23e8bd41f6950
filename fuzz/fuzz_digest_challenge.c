/*
 * WWW-Authenticate fields: any text. What must hold: what is found has a realm and a nonce; its
 * answer is a field's value (when the challenge was one); a refusal has its sentence.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/digest.h"
#include "http/header.h"

static void check_answer(const struct fy_digest_challenge *challenge, bool field)
{
    const struct fy_digest_request request = {.method = "GET",
                                              .target = "/a?b",
                                              .user = "bob \"\\",
                                              .password = "secret",
                                              .cnonce = "0123456789abcdef0123456789abcdef",
                                              .count = 1};
    struct fy_buffer out = {0};
    ferry_error err = {0};
    MUST(challenge->realm != NULL && challenge->nonce != NULL);
    MUST(fy_digest_answer(challenge, &request, &out, &err) == 0);
    MUST(memmem(out.bytes, out.len, "secret", 6) == NULL ||
         strstr(challenge->realm, "secret") != NULL || strstr(challenge->nonce, "secret") != NULL ||
         (challenge->opaque != NULL && strstr(challenge->opaque, "secret") != NULL));
    MUST(!field || fy_is_field_value(out.bytes, out.len));
    fy_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fy_digest_challenge challenge;
    ferry_error err = {0};
    char *text = malloc(size + 1);
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    switch (fy_digest_parse(&challenge, text, &err)) {
    case FY_DIGEST_FOUND: check_answer(&challenge, fy_is_field_value(text, strlen(text))); break;
    case FY_DIGEST_FAILED:
        MUST(err.code == FERRY_EUNSUPPORTED && err.message[0] != '\0');
        MUST(challenge.block == NULL);
        break;
    case FY_DIGEST_NONE: MUST(challenge.block == NULL); break;
    }
    fy_digest_free(&challenge);
    free(text);
    return 0;
}
