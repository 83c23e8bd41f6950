#include <ferry.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    ferry_error err;
    ferry_response *res = ferry_get(argc > 1 ? argv[1] : "https://example.com/", &err);
    int64_t saved = res != NULL ? ferry_response_save(res, 1, &err) : -1;

    if (saved < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    return saved < 0;
}
