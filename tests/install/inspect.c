/*
 * A program with a page, as others would write it.
 */
#include <ferry_inspect.h>

#include <stdio.h>

int main(void)
{
    ferry_error err;
    if (ferry_inspect_start("127.0.0.1:0", NULL, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    puts(ferry_inspect_url());
    ferry_inspect_stop();
    return 0;
}
