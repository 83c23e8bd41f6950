/*
 * The smallest program that fetches a URL with ferry: what starting it costs. Without a URL
 * it has only been loaded.
 */
#include <ferry.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    ferry_error err;
    if (argc < 2) {
        return 0;
    }
    ferry_response *res = ferry_get(argv[1], &err);
    int64_t saved = res != NULL ? ferry_response_save(res, 1, &err) : -1;
    if (saved < 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    return saved < 0;
}
