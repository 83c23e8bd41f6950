/* A program as a user would write it, built by install_test.sh against the installed tree: it prints the
   version of the library that it found, and succeeds if a request that cannot succeed says why. */

#include <ferry.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    ferry_error err;

    puts(ferry_version());
    if (strcmp(ferry_version(), FERRY_VERSION) != 0) {
        fprintf(stderr, "header %s, library %s\n", FERRY_VERSION, ferry_version());
        return 1;
    }

    /* Port 1 of the loopback interface: nothing listens there, so the kernel refuses. */
    ferry_response *response = ferry_get("http://127.0.0.1:1/", &err);
    if (response != NULL) {
        fputs("something answered on port 1\n", stderr);
        ferry_response_close(response);
        return 1;
    }
    if (err.code != FERRY_ECONNECT || strstr(err.message, "connection refused") == NULL) {
        fprintf(stderr, "error %d: %s\n", err.code, err.message);
        return 1;
    }
    return 0;
}
