/*
 * What single bytes are, in the grammars of RFC 9110, RFC 9112 and RFC 3986, and the two searches
 * for the next byte that matters: the end of a name, fy_find_no_token(), and the end of a line,
 * fy_find_control().
 */
#ifndef FY_HTTP_BYTES_H
#define FY_HTTP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#include <arm_neon.h>
#endif

enum fy_byte_class {
    FY_BYTE_TOKEN = 1,      /* tchar: RFC 9110 section 5.6.2 */
    FY_BYTE_TEXT = 2,       /* field-vchar, SP and HTAB, obs-text included: RFC 9110 section 5.5 */
    FY_BYTE_UNRESERVED = 4, /* RFC 3986 section 2.3 */
    FY_BYTE_SUB_DELIM = 8,  /* RFC 3986 section 2.2 */
    FY_BYTE_HEX = 16,       /* HEXDIG in either case */
    FY_BYTE_NAME = 32,      /* unreserved but for capitals: a host's name in its final form */
    FY_BYTE_TARGET = 64     /* path and query, but for percent signs: RFC 3986 section 3.3, 3.4 */
};

extern const unsigned char fy_byte_classes[256] __attribute__((visibility("hidden")));

static inline bool fy_byte_is(char byte, unsigned classes)
{
    return (fy_byte_classes[(unsigned char)byte] & classes) != 0;
}

/* The first byte in [at, end) that no field value may hold (a control byte other than HTAB: CR
 * and LF above all), or end. Reads nothing outside. */
static inline const char *fy_find_control(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i del = _mm_set1_epi8(0x7f);
    const __m128i top = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, top), block); /* at most 0x1f, unsigned */
        __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low),
                                   _mm_cmpeq_epi8(block, del));
        int mask = _mm_movemask_epi8(bad);
        if (mask != 0) {
            return at + (unsigned)__builtin_ctz((unsigned)mask);
        }
    }
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
    const uint8x16_t tab = vdupq_n_u8('\t');
    const uint8x16_t del = vdupq_n_u8(0x7f);
    const uint8x16_t top = vdupq_n_u8(0x1f);
    for (; end - at >= 16; at += 16) {
        uint8x16_t block = vld1q_u8((const uint8_t *)at);
        uint8x16_t low = vbicq_u8(vcleq_u8(block, top), vceqq_u8(block, tab));
        uint8x16_t bad = vorrq_u8(low, vceqq_u8(block, del));
        /* NEON has no movemask: narrowing by four bits leaves a nibble for each byte. */
        uint64_t mask =
            vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(bad), 4)), 0);
        if (mask != 0) {
            return at + (__builtin_ctzll(mask) >> 2);
        }
    }
#else
    const uint64_t ones = UINT64_MAX / 255;
    for (; end - at >= 8; at += 8) {
        uint64_t block;
        memcpy(&block, at, sizeof(block));
        uint64_t del = block ^ (ones * 0x7f);
        /* A high bit stays where a byte is below 0x20, or is 0x7f. It may also stay after a
         * borrow, and for HTAB: the table decides then. */
        uint64_t maybe = ((block - ones * 0x20) & ~block) | ((del - ones) & ~del);
        if ((maybe & (ones * 0x80)) != 0) {
            for (int i = 0; i < 8; i++) {
                if (!fy_byte_is(at[i], FY_BYTE_TEXT)) {
                    return at + i;
                }
            }
        }
    }
#endif
    while (at < end && fy_byte_is(*at, FY_BYTE_TEXT)) {
        at++;
    }
    return at;
}

/* The first byte in [at, end) that no token may hold, or end. What names are mostly made of is
 * skipped sixteen bytes at a time; the table knows the rest. */
static inline const char *fy_find_no_token(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i case_bit = _mm_set1_epi8(0x20);
    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i letter = _mm_sub_epi8(_mm_or_si128(block, case_bit), _mm_set1_epi8('a'));
        __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
        __m128i is_dash = _mm_cmpeq_epi8(block, _mm_set1_epi8('-'));
        unsigned other = ~(unsigned)_mm_movemask_epi8(_mm_or_si128(is_letter, is_dash)) & 0xffff;
        if (other != 0) {
            at += (unsigned)__builtin_ctz(other);
            break;
        }
    }
#endif
    while (at < end && fy_byte_is(*at, FY_BYTE_TOKEN)) {
        at++;
    }
    return at;
}

/* fy_equal_fold() of what is not equal. */
bool fy_differ_in_case(const char *a, const char *b, size_t len);

/* Whether len bytes are equal but for the case of ASCII letters. Not strncasecmp, which asks the
 * locale. Most are spelled as usual. */
static inline bool fy_equal_fold(const char *a, const char *b, size_t len)
{
    return memcmp(a, b, len) == 0 || fy_differ_in_case(a, b, len);
}

/* Whether a text of len bytes is the word, without case. */
static inline bool fy_text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && fy_equal_fold(text, word, len);
}

/* 0 to 15, or -1 for a byte that is no hexadecimal digit. */
int fy_hex_value(char c);

#endif
