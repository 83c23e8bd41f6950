/* A response that is closed twice: GCC's -fanalyzer says so. */
#include <ferry.h>

int status_of(const char *url);

int status_of(const char *url)
{
    ferry_response *res = ferry_get(url, NULL);
    if (res == NULL) {
        return -1;
    }
    int status = ferry_response_status(res);
    if (status >= 400) {
        ferry_response_close(res);
    }
    ferry_response_close(res);
    return status;
}
