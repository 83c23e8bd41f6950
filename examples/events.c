/*
 * events URL [LAST-ID]: prints what a server sends as events, as they come, and connects again
 * whenever the connection ends, from the event on that came last. LAST-ID goes on from another day.
 * events URL -d JSON:   POSTs a question to a language model's API, and prints the answer as it is
 * thought of. Asking twice would be paid twice, so there is no connecting again.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Why there are no events: the server's own words, if it had any. */
static void explain(ferry_event_stream *stream, const ferry_error *err)
{
    ferry_response *res = stream != NULL ? ferry_event_stream_response(stream) : NULL;
    char *body = res != NULL ? ferry_response_read_all(res, 65536, NULL, NULL) : NULL;
    fprintf(stderr, "%s\n", err->message);
    if (body != NULL) {
        fprintf(stderr, "%s\n", body);
    }
    free(body);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: events URL [LAST-ID | -d JSON]\n");
        return 2;
    }
    const char *json = argc == 4 && strcmp(argv[2], "-d") == 0 ? argv[3] : NULL;
    int result = -1;
    ferry_error err;
    ferry_event event;
    ferry_event_stream *stream = NULL;
    ferry_request *req = ferry_request_new(json != NULL ? "POST" : "GET", argv[1], &err);

    if (req != NULL && json != NULL) {
        ferry_request_set_header(req, "Content-Type", "application/json");
        ferry_request_set_body(req, json, strlen(json));
    } else if (req != NULL && argc > 2) {
        ferry_request_set_header(req, "Last-Event-ID", argv[2]);
    }
    if (req != NULL) {
        stream = ferry_event_stream_open(NULL, req, json != NULL ? 0 : 5, &err);
    }
    while (stream != NULL && (result = ferry_event_stream_next(stream, &event, &err)) == 1) {
        if (json != NULL && strcmp(event.data, "[DONE]") == 0) {
            result = 0; /* how these say that the answer is whole */
            break;
        }
        printf("%s: %s\n", event.type, event.data);
        fflush(stdout);
    }
    if (result < 0) {
        explain(stream, &err);
    } else if (json == NULL) {
        fprintf(stderr, "the last id is \"%s\"\n", ferry_event_stream_last_id(stream));
    }
    ferry_event_stream_free(stream);
    ferry_request_free(req); /* after the stream that has it */
    return result < 0 ? 1 : 0;
}
