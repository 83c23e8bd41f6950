/* Closed by the end of its scope, whichever way out is taken: nothing to be said. */
#include <ferry.h>

int status_of(const char *url);

int status_of(const char *url)
{
    FERRY_AUTO ferry_response *res = ferry_get(url, NULL);
    if (res == NULL) {
        return -1;
    }
    int status = ferry_response_status(res);
    if (status >= 400) {
        return -1;
    }
    return status;
}
