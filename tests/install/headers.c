/*
 * The headers as programs of all dialects see them, with every macro used once. headers_test.sh compiles
 * it, as C and as C++, with many more warnings than the library has; WITH_CMOCKA: with cmocka's.
 */
#ifdef WITH_CMOCKA
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#endif

#include <ferry.h>
#include <ferry_inspect.h>
#include <ferry_test.h>

#define HERE "http://127.0.0.1:1/"

int main(void);

static void run(void *arg)
{
    (void)arg;
}

static void get_and_let_go(void)
{
    ferry_error err;
    ferry_tls_info info = FERRY_TLS_INFO_INIT;
    FERRY_AUTO_TRANSPORT ferry_transport *transport = ferry_transport_new(FERRY_TEST_NULL);
    FERRY_AUTO_CLIENT ferry_client *client = ferry_client_new(FERRY_TEST_NULL);
    FERRY_AUTO_CONTEXT ferry_context *context = ferry_context_new(INT64_C(-1));
    FERRY_AUTO_REQUEST ferry_request *req = ferry_request_new("GET", HERE, &err);
    FERRY_AUTO ferry_response *res = ferry_client_do(client, req, &err);
    ferry_request_set_context(req, context);
    (void)ferry_response_tls(res, &info);
    ferry_response_close(ferry_transport_round_trip(transport, req, &err));
}

static void call_macros(void)
{
    ferry_error err;
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_group *group = ferry_group_new();
    ferry_response_close(ferry_get(HERE, &err));
    ferry_response_close(ferry_head(HERE, &err));
    ferry_response_close(ferry_post(HERE, "text/plain", "x", sizeof "x" - 1, &err));
    ferry_response_close(ferry_post_form(HERE, FERRY_TEST_NULL, sizeof "" - 1, &err));
    ferry_transport_stats(FERRY_TEST_NULL, &stats);
    (void)ferry_go(run, FERRY_TEST_NULL);
    (void)ferry_group_go(group, run, FERRY_TEST_NULL);
    ferry_group_wait(group);
    ferry_group_free(group);
}

#if !defined(__cplusplus) || __cplusplus >= 202002L
static void make_with_options(void)
{
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.max_idle = 5, .tls = FERRY_TLS_OPTIONS(.ca_and_system = 1)));
    ferry_client *client =
        ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 5000));
    ferry_request *req = ferry_request_new("GET", HERE, FERRY_TEST_NULL);
    ferry_request_set_trace(req, FERRY_TRACE(.get_conn = FERRY_TEST_NULL), FERRY_TEST_NULL);
    ferry_request_free(req);
    ferry_client_free(client);
    ferry_transport_free(transport);
}
#else
static void make_with_options(void) {}
#endif

int main(void)
{
    get_and_let_go();
    call_macros();
    make_with_options();
    FERRY_ASSERT_NOTHING_OPEN();
#ifdef WITH_CMOCKA
    return ferry_test_teardown(FERRY_TEST_NULL);
#else
    return 0;
#endif
}
