/*
 * Requests: any method, URL and fields, whatever a program may have been given to put there. What
 * must hold of each that is not refused: its head is one head, with its line, one Host field and one
 * way of framing at most, and ends where it says (RFC 9112 sections 2.2 and 6); nothing that was put
 * into a value, a name or a target has become more than that.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/bytes.h"
#include "http/request.h"
#include "http/response_parse.h"

/* The texts of an input, one after the other. */
struct texts {
    const char *at, *end; /* end: at a NUL */
};

static const char *next_text(struct texts *texts)
{
    const char *text = texts->at;
    texts->at += strlen(text);
    texts->at += texts->at < texts->end ? 1 : 0;
    return text;
}

/* One setter, chosen by its letter. Returns how many fields it has added at most. */
static size_t set_something(ferry_request *req, struct texts *texts)
{
    const char *what = next_text(texts);
    const char *name = next_text(texts);
    const char *value = next_text(texts);
    switch (what[0]) {
    case 's': ferry_request_set_header(req, name, value); return 1;
    case 'r': ferry_request_set_header(req, name, NULL); return 0;
    case 't': ferry_request_set_target(req, name); return 0;
    case 'T': ferry_request_set_trailer(req, name, value); return 0;
    case 'b': ferry_request_set_basic_auth(req, name, value); return 1;
    case 'B': ferry_request_set_bearer(req, name); return 1;
    case 'c': ferry_request_add_cookie(req, name, value); return 1;
    case 'm': ferry_request_set_body(req, name, strlen(name)); return 0;
    case 'C': ferry_request_set_close(req, 1); return 0;
    default: ferry_request_add_header(req, name, value); return 1;
    }
}

static size_t check_line(const ferry_request *req, const char *head, size_t len)
{
    const char *end = memmem(head, len, "\r\n", 2);
    const char *space = memchr(head, ' ', len);
    MUST(end != NULL && space != NULL && space < end);
    MUST(fy_is_field_value(head, (size_t)(end - head)));
    MUST(strncmp(head, req->method, (size_t)(space - head)) == 0);
    const char *second = memchr(space + 1, ' ', (size_t)(end - space - 1));
    MUST(second != NULL && second > space + 1 && end - second == 9);
    MUST(memcmp(second, " HTTP/1.1", 9) == 0);
    MUST(req->target != NULL || (size_t)(second - space - 1) >= strlen(req->url.target) ||
         strcmp(req->method, "CONNECT") == 0);
    return (size_t)(end + 2 - head);
}

static void check_head(const ferry_request *req, bool absolute, size_t most_fields)
{
    const struct fy_head_options options = {.user_agent = FY_USER_AGENT,
                                            .accept_encoding = "gzip",
                                            .absolute = absolute,
                                            .proxy_authorization = "Basic eDp5"};
    struct fy_buffer head = {0};
    ferry_error err = {0};
    MUST(fy_request_write_head(req, &options, &head, &err) == 0);
    struct fy_parse parse = {.bytes = head.bytes, .len = head.len};
    struct fy_field field;
    size_t hosts = 0;
    size_t framings = 0;
    size_t connections = 0;
    size_t all = 0;
    enum fy_parse_result result;
    parse.at = check_line(req, head.bytes, head.len);
    while ((result = fy_parse_field(&parse, &field)) == FY_PARSE_DONE) {
        hosts += fy_text_is(field.name, field.name_len, "Host");
        framings += fy_text_is(field.name, field.name_len, "Content-Length") ||
                    fy_text_is(field.name, field.name_len, "Transfer-Encoding");
        connections += fy_text_is(field.name, field.name_len, "Connection");
        all++;
    }
    MUST(result == FY_PARSE_END && parse.at == head.len);
    MUST(hosts == 1 && framings <= 1 && connections <= 1);
    /* Host, User-Agent, Connection, two for the framing, three for credentials and the coding. */
    MUST(all <= most_fields + 8);
    fy_buffer_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    struct texts texts = {text, text + size};
    ferry_error err = {0};
    const char *method = next_text(&texts);
    ferry_request *req = ferry_request_new(method, next_text(&texts), &err);
    if (req != NULL) {
        size_t fields = 0;
        while (texts.at < texts.end) {
            fields += set_something(req, &texts);
        }
        /* A refusal is the send's error; what was refused is not in the request. */
        MUST(req->refused.code == 0 || req->refused.message[0] != '\0');
        check_head(req, false, fields);
        check_head(req, true, fields);
        ferry_request_free(req);
    } else {
        MUST(err.code != 0 && err.message[0] != '\0');
    }
    free(text);
    return 0;
}
