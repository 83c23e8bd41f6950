/*
 * mock: a program's HTTP code, tested without a network. A client sends through whatever brings a
 * response; here that is a function, which answers from a table and counts what it was asked.
 */
#include <ferry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------ the code under test */

/* The temperature at a place, from a service that answers with a number; -1000 if it does not. */
static int temperature(ferry_client *client, const char *place)
{
    char url[200];
    int degrees = -1000;
    ferry_error err;
    snprintf(url, sizeof url, "http://weather.example/now/%s", place);
    ferry_request *req = ferry_request_new("GET", url, &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    if (res != NULL && ferry_response_status(res) == 200) {
        char *text = ferry_response_read_all(res, 100, NULL, &err);
        degrees = text != NULL ? atoi(text) : degrees;
        free(text);
    }
    ferry_response_close(res);
    ferry_request_free(req);
    return degrees;
}

/* ------------------------------------------------------------- what stands in its server's place */

static ferry_response *answer(void *self, ferry_request *req, ferry_error *err)
{
    int *asked = self;
    const char *place = strrchr(ferry_request_url(req), '/') + 1;
    (*asked)++;
    if (strcmp(place, "nowhere") == 0) {
        /* No response is an error, whose sentence gets the method and the URL in front. */
        err->code = FERRY_ECONNECT;
        snprintf(err->message, sizeof err->message, "no way there");
        return NULL;
    }
    const char *body = strcmp(place, "oslo") == 0 ? "-4\n" : "unknown place\n";
    ferry_response *res =
        ferry_response_new(body[0] == '-' ? 200 : 404, body, strlen(body)); /* NULL: no memory */
    if (res != NULL) {
        ferry_response_add_header(res, "Content-Type", "text/plain");
    }
    return res;
}

int main(void)
{
    int asked = 0;
    const ferry_round_tripper mock = {.round_trip = answer, .self = &asked};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &mock));
    if (client == NULL) {
        return 1;
    }
    printf("oslo: %d\n", temperature(client, "oslo"));
    printf("atlantis: %d\n", temperature(client, "atlantis"));
    printf("nowhere: %d\n", temperature(client, "nowhere"));
    printf("asked %d times, %zu responses left open\n", asked, ferry_open_responses(NULL));
    ferry_client_free(client);
    return 0;
}
