/*
 * Strict-Transport-Security fields: any bytes. What must hold: a field that is taken has a max-age,
 * and its host is known then, or forgotten for 0, and no host outside it is; one that is refused has
 * a sentence and changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/hsts.h"
#include "fuzz.h"

static bool knows(ferry_hsts *hsts, const char *text, int64_t now)
{
    struct fy_url url;
    ferry_error err = {0};
    MUST(fy_url_parse(&url, text, &err) == 0);
    bool wants = fy_hsts_wants_tls(hsts, &url, now);
    fy_url_free(&url);
    return wants;
}

static void check_store(const char *text, size_t len, const struct fy_hsts_field *field)
{
    struct fy_url url;
    ferry_error err = {0};
    ferry_hsts *hsts = ferry_hsts_new();
    MUST(hsts != NULL && fy_url_parse(&url, "https://in.evil.test/", &err) == 0);
    MUST(fy_hsts_put(hsts, "in.evil.test", true, 1002, 1000) == 0);
    int failed = fy_hsts_note(hsts, &url, text, len, 1000, &err);
    MUST((failed == 0) == (field != NULL));
    MUST(failed == 0 || (err.code == FERRY_EINVAL && err.message[0] != '\0'));
    bool stays = field == NULL || field->max_age > 0;
    bool for_subdomains = field == NULL || (field->subdomains && field->max_age > 0);
    MUST(knows(hsts, "http://in.evil.test/", 1000) == stays);
    MUST(knows(hsts, "http://x.in.evil.test/", 1000) == for_subdomains);
    MUST(field == NULL || knows(hsts, "http://in.evil.test/", 1002) == (field->max_age > 2));
    MUST(!knows(hsts, "http://evil.test/", 1000));
    MUST(!knows(hsts, "http://xin.evil.test/", 1000));
    MUST(!knows(hsts, "http://victim.test/", 1000));
    fy_url_free(&url);
    ferry_hsts_free(hsts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fy_hsts_field field;
    char *text = malloc(size > 0 ? size : 1); /* no NUL behind it: it must not be needed */
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    const char *reason = fy_hsts_parse(&field, text, size);
    MUST(reason != NULL || field.max_age >= 0);
    check_store(text, size, reason == NULL ? &field : NULL);
    free(text);
    return 0;
}
