// The header as C++ sees it: it must compile there without a warning, and its functions must link.

#include <ferry.h>

#include <cstring>

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
    return response == nullptr && std::strcmp(ferry_version(), FERRY_VERSION) == 0 ? 0 : 1;
}
