/*
 * A proxy's answers, to CONNECT and in SOCKS5: any bytes; the first says which answer they are.
 * What must hold: nothing outside is read, the pieces that the bytes come in make no difference,
 * nothing is taken beyond the answer, a refusal has its sentence, limits are kept.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/socks.h"
#include "net/tunnel.h"

#define MAX_BYTES 2000
#define MAX_FIELDS 10

/* --------------------------------------------------------------------------------------- SOCKS5 */

typedef enum fy_socks_heard (*socks_parse)(const uint8_t *bytes, size_t len, uint8_t *value,
                                           const char **problem);

/* Bytes in a block of just their size, so that reading behind them shows. */
static enum fy_socks_heard parse_copy(socks_parse parse, const uint8_t *data, size_t size,
                                      uint8_t *value)
{
    const char *problem = NULL;
    uint8_t *copy = calloc(1, size == 0 ? 1 : size);
    MUST(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    enum fy_socks_heard heard = parse(copy, size, value, &problem);
    free(copy);
    MUST(heard != FY_SOCKS_BAD || problem != NULL);
    return heard;
}

static void socks(socks_parse parse, const uint8_t *data, size_t size)
{
    uint8_t whole_value = 0;
    enum fy_socks_heard whole = parse_copy(parse, data, size, &whole_value);
    MUST(size < 4 + 1 + 255 + 2 || whole != FY_SOCKS_MORE);
    for (size_t len = 0; len < size && len < 300; len++) {
        uint8_t value = 0;
        enum fy_socks_heard part = parse_copy(parse, data, len, &value);
        if (part == FY_SOCKS_WHOLE) {
            /* What comes behind a whole answer is seen; only of a refusal it is of no interest. */
            MUST(whole == FY_SOCKS_BEYOND || (whole == FY_SOCKS_WHOLE && value != 0));
            MUST(value == whole_value);
        } else if (part != FY_SOCKS_MORE) {
            MUST(part == whole);
        }
    }
}

/* -------------------------------------------------------------------------------------- CONNECT */

static enum fy_parse_result in_pieces(struct fy_tunnel_answer *answer, const char *bytes,
                                      size_t size, size_t piece)
{
    enum fy_parse_result result = FY_PARSE_MORE;
    for (size_t len = 0; len < size && result == FY_PARSE_MORE;) {
        len = size - len < piece ? size : len + piece;
        char *copy = malloc(len);
        MUST(copy != NULL);
        memcpy(copy, bytes, len);
        result = fy_tunnel_parse(answer, copy, len);
        free(copy);
        MUST(answer->at <= len);
        MUST(result != FY_PARSE_BAD || (answer->problem != NULL && answer->problem[0] != '\0'));
    }
    return result;
}

static void tunnel(const char *bytes, size_t size)
{
    struct fy_tunnel_answer whole = {.max_bytes = MAX_BYTES, .max_fields = MAX_FIELDS};
    enum fy_parse_result result = in_pieces(&whole, bytes, size, size);
    MUST(result != FY_PARSE_DONE);
    if (result == FY_PARSE_END) {
        MUST(whole.status >= 200 && whole.status <= 999 && whole.reason != NULL);
        MUST(whole.at <= MAX_BYTES && whole.header.count <= MAX_FIELDS);
        MUST(fy_is_field_value(whole.reason, strlen(whole.reason)));
        MUST(memcmp(bytes + whole.at - 4, "\r\n\r\n", 4) == 0);
    }
    for (size_t piece = 1; piece < 40 && size < 3000; piece += 13) {
        struct fy_tunnel_answer part = {.max_bytes = MAX_BYTES, .max_fields = MAX_FIELDS};
        enum fy_parse_result part_result = in_pieces(&part, bytes, size, piece);
        MUST(part_result == result);
        MUST(result != FY_PARSE_END || (part.at == whole.at && part.status == whole.status &&
                                        part.header.count == whole.header.count));
        fy_arena_free(&part.arena);
    }
    fy_arena_free(&whole.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0]) {
    case 'm': socks(fy_socks_method, data + 1, size - 1); break;
    case 's': socks(fy_socks_status, data + 1, size - 1); break;
    case 'r': socks(fy_socks_reply, data + 1, size - 1); break;
    default: tunnel((const char *)data, size); break; /* an answer begins with an H */
    }
    return 0;
}
