/* The same, closed on every way out, and NULL at that: nothing to be said. */
#include <ferry.h>

int status_of(const char *url);

int status_of(const char *url)
{
    ferry_response *res = ferry_get(url, NULL);
    int status = res != NULL ? ferry_response_status(res) : -1;
    char buffer[100];
    if (status >= 400 && ferry_response_read(res, buffer, sizeof buffer, NULL) < 0) {
        status = -1;
    }
    ferry_response_close(res);
    return status;
}
