/*
 * Content decoding: every coding whole and byte by byte, lists of them, what is malformed, cut off
 * or followed by something, and what tries to become too large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "bytes.h"
#include "encode.h"
#include "http/decode.h"

#define TEXT ENCODE_TEXT

/* ---- The field ---- */

static bool parse(struct fy_codings *codings, const char *first, const char *second)
{
    struct fy_arena arena = {0};
    struct fy_header header = {0};
    assert_int_equal(fy_header_add(&header, &arena, "content-ENCODING", 16, first, strlen(first)),
                     0);
    if (second != NULL) {
        assert_int_equal(
            fy_header_add(&header, &arena, "Content-Encoding", 16, second, strlen(second)), 0);
    }
    bool known = fy_codings_parse(&header, codings);
    fy_arena_free(&arena);
    return known;
}

/* TR-075: a coding's name has no case. */
static void test_TR_075_names(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        int count; /* 0: left alone */
        enum fy_coding list[3];
    } cases[] = {
        {"gzip", NULL, 1, {FY_CODING_GZIP}},
        {"GZIP", NULL, 1, {FY_CODING_GZIP}},
        {"X-Gzip", NULL, 1, {FY_CODING_GZIP}},
        {"deflate", NULL, 1, {FY_CODING_DEFLATE}},
        {"bR", NULL, 1, {FY_CODING_BR}},
        {"zstd", NULL, 1, {FY_CODING_ZSTD}},
        {"gzip, br", NULL, 2, {FY_CODING_GZIP, FY_CODING_BR}},
        {" ,gzip\t,,identity , br", "zstd", 3, {FY_CODING_GZIP, FY_CODING_BR, FY_CODING_ZSTD}},
        {"", NULL, 0, {0}},
        {"identity", NULL, 0, {0}},
        {"compress", NULL, 0, {0}},
        {"gzip, compress", NULL, 0, {0}},
        {"gzip;q=1", NULL, 0, {0}},
        {"gzipp", NULL, 0, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fy_codings codings;
        assert_int_equal(parse(&codings, cases[i].first, cases[i].second), cases[i].count > 0);
        if (cases[i].count > 0) {
            assert_int_equal(codings.count, cases[i].count);
            assert_memory_equal(codings.list, cases[i].list,
                                (size_t)cases[i].count * sizeof codings.list[0]);
        }
    }
}

static void test_at_most_five(void **state)
{
    (void)state;
    struct fy_codings codings;
    ferry_error err = {0};
    assert_true(parse(&codings, "gzip,gzip,gzip,gzip,gzip", NULL));
    struct fy_decoder *decoder = fy_decoder_new(&codings, -1, &err);
    assert_non_null(decoder);
    fy_decoder_free(decoder);
    assert_true(parse(&codings, "gzip,gzip,gzip,gzip,gzip,gzip", NULL));
    assert_null(fy_decoder_new(&codings, -1, &err));
    assert_int_equal(err.code, FERRY_EPROTOCOL);
    assert_string_equal(err.message, "the body is encoded 6 times over, which is more than 5");
}

/* ---- Decoding: the input in pieces of in_step bytes, the room in pieces of out_step ---- */

struct decoded {
    struct bytes bytes;
    enum fy_decode_result result; /* the last step's */
    ferry_error err;
};

static struct decoded decode(const char *names, struct bytes in, int64_t max, size_t in_step,
                             size_t out_step)
{
    struct fy_codings codings;
    struct decoded decoded = {.result = FY_DECODE_MORE};
    assert_true(parse(&codings, names, NULL));
    struct fy_decoder *decoder = fy_decoder_new(&codings, max, &decoded.err);
    assert_non_null(decoder);
    unsigned char *out = malloc(out_step);
    size_t at = 0;
    while (decoded.result != FY_DECODE_FAILED) {
        size_t piece = in.len - at < in_step ? in.len - at : in_step;
        struct fy_decode_io io = {(const unsigned char *)in.data + at, piece, out, out_step};
        decoded.result = fy_decoder_step(decoder, &io, &decoded.err);
        at += piece - io.in_len;
        bytes_append(&decoded.bytes, out, out_step - io.out_len);
        if (io.out_len > 0 && at == in.len) {
            break;
        }
    }
    if (decoded.result == FY_DECODE_MORE) {
        fy_decoder_fail_end(decoder, &decoded.err);
    }
    free(out);
    fy_decoder_free(decoder);
    return decoded;
}

static void expect(const char *names, struct bytes in, const void *text, size_t len)
{
    static const size_t steps[][2] = {{SIZE_MAX, 4096}, {1, 4096}, {SIZE_MAX, 1}, {1, 1}, {7, 3}};
    for (size_t i = 0; i < (len < 4096 ? 5 : 1); i++) {
        struct decoded decoded = decode(names, in, -1, steps[i][0], steps[i][1]);
        if (decoded.result != FY_DECODE_END) {
            fail_msg("%s in steps of %zu, %zu: %s", names, steps[i][0], steps[i][1],
                     decoded.err.message);
        }
        assert_int_equal(decoded.bytes.len, len);
        assert_memory_equal(len > 0 ? decoded.bytes.data : "", text, len);
        bytes_free(&decoded.bytes);
    }
}

static void expect_failure(const char *names, struct bytes in, int code, const char *message)
{
    static const size_t steps[][2] = {{SIZE_MAX, 4096}, {1, 4096}, {1, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct decoded decoded = decode(names, in, -1, steps[i][0], steps[i][1]);
        assert_int_not_equal(decoded.result, FY_DECODE_END);
        assert_string_equal(ferry_strerror(decoded.err.code), ferry_strerror(code));
        if (message != NULL) {
            assert_string_equal(decoded.err.message, message);
        }
        bytes_free(&decoded.bytes);
    }
}

static const char *const all[] = {"gzip", "deflate", "br", "zstd"};

static void test_each_coding(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct bytes in = encode_text(all[i]);
        expect(all[i], in, TEXT, strlen(TEXT));
        bytes_free(&in);
    }
    struct bytes raw = encode_text("raw deflate");
    expect("deflate", raw, TEXT, strlen(TEXT));
    bytes_free(&raw);
}

static void test_large(void **state)
{
    (void)state;
    static const char *const names[] = {"gzip", "deflate", "raw deflate", "zstd"};
    size_t len = (size_t)3 << 20;
    char *pattern = malloc(len);
    pattern_fill(pattern, len, 0);
    for (size_t i = 0; i < 4; i++) {
        struct bytes in = encode(names[i], pattern, len);
        expect(i == 2 ? "deflate" : names[i], in, pattern, len);
        bytes_free(&in);
    }
    free(pattern);
}

static void test_lists_in_reverse_order(void **state)
{
    (void)state;
    struct bytes inner = encode_text("br");
    struct bytes middle = encode("gzip", inner.data, inner.len);
    struct bytes outer = encode("zstd", middle.data, middle.len);
    expect("br, gzip", middle, TEXT, strlen(TEXT));
    expect("br, gzip, zstd", outer, TEXT, strlen(TEXT));
    expect_failure("gzip, br", middle, FERRY_EPROTOCOL, NULL);
    /* Cut off in the inner coding only: the outer ones are whole. */
    struct bytes cut = encode("gzip", inner.data, inner.len - 1);
    expect_failure("br, gzip", cut, FERRY_ETRUNCATED, NULL);
    bytes_append(&middle, "xx", 2);
    expect_failure("br, gzip", middle, FERRY_EPROTOCOL, NULL);
    bytes_free(&inner);
    bytes_free(&middle);
    bytes_free(&outer);
    bytes_free(&cut);
}

/* RFC 1952 section 2.2, RFC 8878 section 3: the decoded members follow each other. */
static void test_several_members(void **state)
{
    (void)state;
    static const char *const names[] = {"gzip", "zstd"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes in = encode(names[i], "one", 3);
        struct bytes empty = encode(names[i], "", 0);
        struct bytes two = encode(names[i], "two", 3);
        bytes_append(&in, empty.data, empty.len);
        bytes_append(&in, two.data, two.len);
        expect(names[i], in, "onetwo", 6);
        bytes_free(&in);
        bytes_free(&empty);
        bytes_free(&two);
    }
}

/* TR-026: an end too soon is an error, wherever it comes. */
static void test_TR_026_every_cut(void **state)
{
    (void)state;
    static const char *const names[] = {"gzip", "deflate", "raw deflate", "br", "zstd"};
    for (size_t i = 0; i < 5; i++) {
        const char *name = i == 2 ? "deflate" : names[i];
        struct bytes in = encode_text(names[i]);
        for (size_t len = 0; len < in.len; len++) {
            struct bytes cut = {.data = in.data, .len = len};
            struct decoded decoded = decode(name, cut, -1, SIZE_MAX, 64);
            assert_int_equal(decoded.result, FY_DECODE_MORE);
            assert_int_equal(decoded.err.code, FERRY_ETRUNCATED);
            assert_true(decoded.bytes.len <= strlen(TEXT));
            bytes_free(&decoded.bytes);
        }
        bytes_free(&in);
    }
    struct bytes magic = {.data = (char *)"\x1f\x8b", .len = 2};
    expect_failure("gzip", magic, FERRY_ETRUNCATED, "unexpected end of the gzip data");
}

static void test_bytes_behind_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct bytes in = encode_text(all[i]);
        bytes_append(&in, "trailing garbage", 16);
        expect_failure(all[i], in, FERRY_EPROTOCOL, NULL);
        bytes_free(&in);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    struct bytes text = {.data = (char *)"this is not encoded at all", .len = 26};
    expect_failure("gzip", text, FERRY_EPROTOCOL, "malformed gzip data: incorrect header check");
    expect_failure("zstd", text, FERRY_EPROTOCOL, NULL);
    expect_failure("deflate", text, FERRY_EPROTOCOL, NULL);
    struct bytes zeros = {.data = (char *)"\xff\xff\xff\xff\xff\xff\xff\xff", .len = 8};
    expect_failure("br", zeros, FERRY_EPROTOCOL, NULL);
    /* The checksum. */
    struct bytes in = encode_text("gzip");
    in.data[in.len - 6] ^= 1;
    expect_failure("gzip", in, FERRY_EPROTOCOL, "malformed gzip data: incorrect data check");
    bytes_free(&in);
    in = encode_text("deflate");
    in.data[in.len - 1] ^= 1;
    expect_failure("deflate", in, FERRY_EPROTOCOL, "malformed deflate data: incorrect data check");
    bytes_free(&in);
}

/* ---- Bombs ---- */

static void expect_bomb(const char *names, struct bytes in, int64_t max)
{
    struct decoded decoded = decode(names, in, max, SIZE_MAX, 5000);
    assert_int_equal(decoded.result, FY_DECODE_FAILED);
    assert_int_equal(decoded.err.code, FERRY_ETOOBIG);
    assert_true(decoded.bytes.len <= (size_t)max);
    bytes_free(&decoded.bytes);
}

static void test_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct bytes in = encode_zeros(all[i], ENCODE_BOMB);
        assert_true(in.len < ENCODE_BOMB / 900);
        expect_bomb(all[i], in, 100000);
        expect_bomb(all[i], in, ENCODE_BOMB - 1);
        struct decoded decoded = decode(all[i], in, ENCODE_BOMB, SIZE_MAX, 65536);
        assert_int_equal(decoded.result, FY_DECODE_END);
        assert_int_equal(decoded.bytes.len, ENCODE_BOMB);
        bytes_free(&decoded.bytes);
        bytes_free(&in);
    }
}

/* The limit holds for what lies between two codings as well: here a few bytes on the wire become
 * 10 MiB that become nothing. */
static void test_bomb_between_codings(void **state)
{
    (void)state;
    struct bytes skipped = {0}; /* a zstd frame that is to be skipped, and one that is empty */
    bytes_append(&skipped, "\x50\x2a\x4d\x18\x00\x00\xa0\x00", 8);
    char *zeros = calloc(1, 0xa00000);
    bytes_append(&skipped, zeros, 0xa00000);
    struct bytes empty = encode("zstd", "", 0);
    bytes_append(&skipped, empty.data, empty.len);
    struct bytes in = encode("gzip", skipped.data, skipped.len);
    expect("zstd, gzip", in, "", 0);
    expect_bomb("zstd, gzip", in, 1000000);
    bytes_free(&in);
    /* Without a limit such things still end. */
    skipped.data[6] = '\0';
    skipped.data[7] = '\x02'; /* 32 MiB */
    bytes_append(&skipped, zeros, 0xa00000);
    bytes_append(&skipped, zeros, 0xa00000);
    bytes_append(&skipped, zeros, 0xa00000);
    in = encode("gzip", skipped.data, skipped.len);
    struct decoded decoded = decode("zstd, gzip", in, -1, SIZE_MAX, 65536);
    assert_int_equal(decoded.result, FY_DECODE_FAILED);
    assert_string_equal(decoded.err.message,
                        "malformed zstd data: too much of it decodes to nothing");
    bytes_free(&decoded.bytes);
    bytes_free(&in);
    bytes_free(&skipped);
    bytes_free(&empty);
    free(zeros);
}

/* One byte so many times, each behind 4 MiB that are skipped; all of that encoded once more. */
static void append_wasteful(struct bytes *row, unsigned char byte, size_t times, const char *zeros)
{
    struct bytes skipped = {0};
    struct bytes frame = encode("zstd", &byte, 1);
    bytes_append(&skipped, "\x50\x2a\x4d\x18\x00\x00\x40\x00", 8);
    bytes_append(&skipped, zeros, 0x400000);
    bytes_append(&skipped, frame.data, frame.len);
    struct bytes whole = encode("zstd", skipped.data, skipped.len);
    for (size_t i = 0; i < times; i++) {
        bytes_append(row, whole.data, whole.len);
    }
    bytes_free(&whole);
    bytes_free(&skipped);
    bytes_free(&frame);
}

/* No coding takes 16 MiB for nothing here, but each makes the work of the one before it for little:
 * every further one would have a thousand times more done for as few bytes on the wire. */
static void test_bomb_of_work(void **state)
{
    (void)state;
    static const unsigned char skipped[] = {0x50, 0x2a, 0x4d, 0x18, 24}; /* 27 zeros */
    struct bytes row = {0};
    char *zeros = calloc(1, 0x400000);
    for (size_t i = 0; i < sizeof skipped; i++) {
        append_wasteful(&row, skipped[i], 1, zeros);
    }
    append_wasteful(&row, 0, 27, zeros);
    struct bytes in = encode("zstd", row.data, row.len);
    assert_true(in.len < 4096);
    struct decoded decoded = decode("zstd, zstd, zstd, zstd", in, -1, SIZE_MAX, 65536);
    assert_int_equal(decoded.result, FY_DECODE_FAILED);
    assert_string_equal(decoded.err.message,
                        "malformed zstd data: too much of it decodes to nothing");
    bytes_free(&decoded.bytes);
    bytes_free(&in);
    bytes_free(&row);
    free(zeros);
}

/* RFC 9659: a window of more than 8 MiB is not for HTTP; it would be this side's memory. */
static void test_zstd_window(void **state)
{
    (void)state;
    struct bytes frame = {.data = (char *)"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", .len = 9};
    expect_failure("zstd", frame, FERRY_EPROTOCOL, NULL); /* 2^27 */
    frame.data = (char *)"\x28\xb5\x2f\xfd\x00\x69\x01\x00\x00";
    expect_failure("zstd", frame, FERRY_EPROTOCOL, NULL); /* 9 MiB */
    frame.data = (char *)"\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00";
    expect("zstd", frame, "", 0); /* 8 MiB */
}

/* RFC 8878 knows one format and frames to be skipped, also behind the last. What came before it the
 * library may know: it is nobody's business on the wire. */
static void test_zstd_frames(void **state)
{
    (void)state;
    struct bytes in = {0};
    struct bytes one = encode_text("zstd");
    bytes_append(&in, "\x5f\x2a\x4d\x18\x02\x00\x00\x00xx", 10);
    bytes_append(&in, one.data, one.len);
    bytes_append(&in, "\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
    bytes_append(&in, one.data, one.len);
    bytes_append(&in, "\x51\x2a\x4d\x18\x01\x00\x00\x00x", 9);
    expect("zstd", in, TEXT TEXT, 2 * strlen(TEXT));
    for (unsigned char old = 0x1e; old <= 0x27; old++) {
        struct bytes frame = {0};
        bytes_append(&frame, one.data, one.len);
        frame.data[0] = (char)old;
        expect_failure("zstd", frame, FERRY_EPROTOCOL,
                       "malformed zstd data: what should be a frame is none");
        bytes_free(&frame);
    }
    /* 24 bytes are announced, and none come: the library passes that over, unless it has the frame
     * in one piece. */
    struct bytes short_frame = {.data = (char *)"\x28\xb5\x2f\xfd\x20\x18\x01\x00\x00", .len = 9};
    expect_failure("zstd", short_frame, FERRY_EPROTOCOL, NULL);
    in.data[in.len - 6] = 'x'; /* the last one's magic number */
    expect_failure("zstd", in, FERRY_EPROTOCOL, NULL);
    bytes_free(&in);
    bytes_free(&one);
}

/* RFC 1952: everything that a header can have is passed over, its own checksum looked at. */
static void test_gzip_headers(void **state)
{
    (void)state;
    static const char head[] = "\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\x03" /* all but text */
                               "\x03\x00zzz"                              /* an extra field */
                               "name\0comment";
    struct bytes plain = encode_text("gzip");
    for (int wrong = 0; wrong < 2; wrong++) {
        struct bytes in = {0};
        bytes_append(&in, head, sizeof head);
        unsigned sum = (unsigned)encode_crc32(in.data, in.len) ^ (unsigned)wrong;
        char check[2] = {(char)(sum & 0xff), (char)(sum >> 8 & 0xff)};
        bytes_append(&in, check, 2);
        bytes_append(&in, plain.data + 10, plain.len - 10);
        if (wrong) {
            expect_failure("gzip", in, FERRY_EPROTOCOL, "malformed gzip data: header crc mismatch");
        } else {
            expect("gzip", in, TEXT, strlen(TEXT));
        }
        bytes_free(&in);
    }
    plain.data[plain.len - 1] ^= 1; /* the length */
    expect_failure("gzip", plain, FERRY_EPROTOCOL, "malformed gzip data: incorrect length check");
    plain.data[plain.len - 1] ^= 1;
    plain.data[3] = (char)0xe0; /* flags that are reserved */
    expect_failure("gzip", plain, FERRY_EPROTOCOL, NULL);
    bytes_free(&plain);
}

/* Zlib data that wants a dictionary nobody has. */
static void test_preset_dictionary(void **state)
{
    (void)state;
    struct bytes in = {.data = (char *)"\x78\xbb\x00\x00\x00\x01\x03\x00", .len = 8};
    expect_failure("deflate", in, FERRY_EPROTOCOL,
                   "malformed deflate data: it needs a preset dictionary");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_TR_075_names),
        cmocka_unit_test(test_at_most_five),
        cmocka_unit_test(test_each_coding),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_lists_in_reverse_order),
        cmocka_unit_test(test_several_members),
        cmocka_unit_test(test_TR_026_every_cut),
        cmocka_unit_test(test_bytes_behind_the_end),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bomb_stops_at_the_limit),
        cmocka_unit_test(test_bomb_between_codings),
        cmocka_unit_test(test_bomb_of_work),
        cmocka_unit_test(test_zstd_window),
        cmocka_unit_test(test_zstd_frames),
        cmocka_unit_test(test_gzip_headers),
        cmocka_unit_test(test_preset_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
