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
    return response == nullptr && std::strcmp(ferry_version(), FERRY_VERSION) == 0 ? 0 : 1;
}
