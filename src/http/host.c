/*
 * Host names. Called by the URL parser and, by way of it, for a request's Host field. A name that
 * came through here can neither end the line that it is written in nor the part of the URL that it
 * stands in.
 */
#include "http/host.h"

#include <string.h>

#ifdef FERRY_WITH_IDN
#include <idn2.h>
#endif

#include "base/error.h"
#include "http/bytes.h"

const char *fy_host_byte_refused(char byte)
{
    if (fy_byte_is(byte, FY_BYTE_UNRESERVED | FY_BYTE_SUB_DELIM) || byte == '%' ||
        (unsigned char)byte >= 0x80) {
        return NULL;
    }
    switch (byte) {
    case ' ': return "the host has a space in it";
    case '\\': return "the host has a backslash in it";
    case '[':
    case ']': return "the host has a bracket in it";
    case '@': return "the host has an @ in it";
    case ':': return "the host has a colon in it";
    }
    return fy_byte_is(byte, FY_BYTE_TEXT) ? "the host has a character in it that no host has"
                                          : "the host has a control byte in it";
}

/* A decoded name: UTF-8 can take four bytes for what IDNA writes in one. */
#define DECODED_MAX ((size_t)FY_HOST_MAX * 4)

/* Percent-decodes into out; NULL, or what is wrong. */
static const char *decode(char out[DECODED_MAX + 1], const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        char byte = text[i];
        if (byte == '%') {
            if (len - i < 3 || fy_hex_value(text[i + 1]) < 0 || fy_hex_value(text[i + 2]) < 0) {
                return "the host has a percent sign without two digits in it";
            }
            byte = (char)(fy_hex_value(text[i + 1]) * 16 + fy_hex_value(text[i + 2]));
            i += 2;
        }
        if (byte == '\0') {
            return "the host has a NUL byte in it";
        }
        if (count == DECODED_MAX) {
            return "the host is absurdly long";
        }
        out[count++] = byte;
    }
    out[count] = '\0';
    return NULL;
}

/* Lower-cases and checks a name that is ASCII by now. The check comes last because both
 * percent-decoding and IDNA's mapping can bring forth any byte ("／" becomes "/"). */
static int finish(char out[FY_HOST_MAX + 1], const char *name, ferry_error *err)
{
    size_t len = 0;
    for (; name[len] != '\0'; len++) {
        char byte = name[len];
        const char *reason =
            byte == '%' ? "the host has a percent sign in it" : fy_host_byte_refused(byte);
        if (reason != NULL) {
            return fy_fail(err, FERRY_EURL, 0, "%s", reason);
        }
        if (len == FY_HOST_MAX) {
            return fy_fail(err, FERRY_EURL, 0, "the host is longer than %d bytes", FY_HOST_MAX);
        }
        out[len] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    out[len] = '\0';
    return len > 0 ? 0 : fy_fail(err, FERRY_EURL, 0, "no host");
}

#ifdef FERRY_WITH_IDN

static int to_ascii(char out[FY_HOST_MAX + 1], const char *name, ferry_error *err)
{
    char *ascii = NULL;
    int rc = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_MALLOC) {
        return fy_fail(err, FERRY_ENOMEM, 0, "out of memory");
    }
    if (rc != IDN2_OK) {
        return fy_fail(err, FERRY_EURL, 0, "the host is no internationalized domain name: %s",
                       idn2_strerror(rc));
    }
    int failed = finish(out, ascii, err);
    idn2_free(ascii);
    return failed;
}

#else

static int to_ascii(char out[FY_HOST_MAX + 1], const char *name, ferry_error *err)
{
    (void)out;
    (void)name;
    return fy_fail(err, FERRY_EUNSUPPORTED, 0,
                   "the host is not ASCII, and this build has no IDN (libidn2)");
}

#endif

int fy_host_name(char out[FY_HOST_MAX + 1], const char *text, size_t len, ferry_error *err)
{
    char name[DECODED_MAX + 1];
    const char *reason = decode(name, text, len);
    if (reason != NULL) {
        return fy_fail(err, FERRY_EURL, 0, "%s", reason);
    }
    for (const char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            return to_ascii(out, name, err);
        }
    }
    return finish(out, name, err);
}
