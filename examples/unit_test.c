/*
 * unit_test: a test of a program that uses ferry, which fails if that leaves a response open; here with
 * plain C, and the same with cmocka or Criterion, whose header then comes first. Run with "forget" it
 * does forget one. The responses are made ones: no server is needed.
 */
#include <ferry_test.h>

#include <stdbool.h>
#include <string.h>

static bool forgets;

static ferry_response *answer(void *self, ferry_request *req, ferry_error *err)
{
    (void)self, (void)req, (void)err;
    return ferry_response_new(404, "", 0);
}

/* The code that is tested. */
static bool exists(ferry_client *client, const char *url)
{
    ferry_error err;
    FERRY_AUTO_REQUEST ferry_request *req = ferry_request_new("HEAD", url, &err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, &err) : NULL;
    bool found = res != NULL && ferry_response_status(res) == 200;
    if (!forgets) {
        ferry_response_close(res);
    }
    return found;
}

static void a_page_that_is_not_there(void)
{
    const ferry_round_tripper mock = {.round_trip = answer};
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.round_tripper = &mock));
    bool found = exists(client, "http://pages.example/none");
    ferry_client_free(client);
    if (found) {
        abort();
    }
    FERRY_ASSERT_NOTHING_OPEN();
}

int main(int argc, char **argv)
{
    forgets = argc > 1 && strcmp(argv[1], "forget") == 0;
    a_page_that_is_not_there();
    puts("passed");
    return 0;
}
