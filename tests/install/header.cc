// The header as C++ sees it: it must compile there without a warning, and its functions must link.
// C++20 has designated initialisers, and so the macros for options.

#include <ferry.h>

#include <cstring>

#if __cplusplus >= 202002L
static bool made_by_macros()
{
    ferry_field field = {"X-Field", "1"};
    ferry_transport *transport = ferry_transport_new(
        FERRY_TRANSPORT_OPTIONS(.max_idle = 5, .tls = FERRY_TLS_OPTIONS(.disable_resumption = 1),
                                .proxy_fields = &field, .proxy_field_count = 1));
    ferry_client *client = ferry_client_new(
        FERRY_CLIENT_OPTIONS(.transport = transport, .timeout_ms = 5000, .user_agent = "cxx/20"));
    ferry_client *standard = ferry_client_new(FERRY_CLIENT_OPTIONS());
    ferry_request *req = ferry_request_new("GET", "http://127.0.0.1:1/", nullptr);
    int asked = 0;
    ferry_request_set_trace(
        req, FERRY_TRACE(.get_conn = [](void *arg, const char *) { ++*static_cast<int *>(arg); }),
        &asked);
    ferry_error err;
    ferry_response *res = ferry_client_do(client, req, &err);
    bool good = standard != nullptr && res == nullptr && err.code == FERRY_ECONNECT && asked == 1;
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_client_free(standard);
    ferry_client_free(client);
    ferry_transport_free(transport);
    return good;
}
#else
static bool made_by_macros()
{
    return true;
}
#endif

int main()
{
    ferry_error err;
    ferry_response *response = ferry_get("http://127.0.0.1:1/", &err);
    ferry_response_close(response);
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(nullptr, &stats);
    if (stats.dial_failures != 1) {
        return 1;
    }
    const int statuses[] = {503, 0};
    ferry_hsts *hsts = ferry_hsts_new();
    ferry_client_options options = {};
    options.size = sizeof options;
    options.hsts = hsts;
    options.max_retries = 1;
    options.retry_base_ms = -1;
    options.retry_statuses = statuses;
    options.on_retry = [](void *, const ferry_retry *retry) -> int64_t { return retry->wait_ms; };
    ferry_client *client = ferry_client_new(&options);
    if (client == nullptr ||
        ferry_hsts_set(hsts, "https://a.test/", "max-age=1; includeSubDomains", &err) != 0 ||
        !ferry_hsts_has(hsts, "x.a.test") || ferry_hsts_count(hsts) != 1) {
        return 1;
    }
    ferry_client_free(client);
    ferry_hsts_free(hsts);
    if (!made_by_macros()) {
        return 1;
    }
    return response == nullptr && std::strcmp(ferry_version(), FERRY_VERSION) == 0 ? 0 : 1;
}
