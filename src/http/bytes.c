/*
 * The table of byte classes: what each of the 256 bytes may be part of. Read by the parsers, the
 * writers and the URL code, so that all of them agree.
 */
#include "http/bytes.h"

/* Each entry is a sum of enum fy_byte_class; sixteen to a line, the line's first byte before it. */
const unsigned char fy_byte_classes[256] = {
    /* clang-format off */
    /* 00 */   0,   0,   0,   0,   0,   0,   0,   0,   0,   2,   0,   0,   0,   0,   0,   0,
    /* 10 */   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
    /* 20 */   2,  75,   2,   3,  75,   3,  75,  75,  74,  74,  75,  75,  74, 103, 103,  66,
    /* 30 */ 119, 119, 119, 119, 119, 119, 119, 119, 119, 119,  66,  74,   2,  74,   2,  66,
    /* 40 */  66,  87,  87,  87,  87,  87,  87,  71,  71,  71,  71,  71,  71,  71,  71,  71,
    /* 50 */  71,  71,  71,  71,  71,  71,  71,  71,  71,  71,  71,   2,   2,   2,   3, 103,
    /* 60 */   3, 119, 119, 119, 119, 119, 119, 103, 103, 103, 103, 103, 103, 103, 103, 103,
    /* 70 */ 103, 103, 103, 103, 103, 103, 103, 103, 103, 103, 103,   2,   3,   2, 103,   0,
    /* 80 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* 90 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* a0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* b0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* c0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* d0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* e0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* f0 */   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    /* clang-format on */
};

static unsigned char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool fy_differ_in_case(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

int fy_hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
