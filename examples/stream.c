/*
 * stream URL: the body as it comes, piece by piece, in memory that does not depend on its size. A
 * read returns as soon as there is something, so a slow server's first words are printed while it
 * still thinks about the next ones.
 */
#include <ferry.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: stream URL\n");
        return 2;
    }
    ferry_error err;
    ferry_response *res = ferry_get(argv[1], &err);
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }

    char buffer[16384];
    ssize_t got;
    int64_t total = 0;
    while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
        fwrite(buffer, 1, (size_t)got, stdout);
        fflush(stdout);
        total += got;
    }
    /* 0 is the end that the server meant; a body that was cut off is -1, and never looks whole. */
    if (got < 0) {
        fprintf(stderr, "after %lld bytes: %s\n", (long long)total, err.message);
    } else {
        /* What follows a chunked body, if anything does (RFC 9110 section 6.5). */
        const char *digest = ferry_response_trailer(res, "Repr-Digest");
        fprintf(stderr, "%lld bytes%s%s\n", (long long)total, digest != NULL ? ", digest " : "",
                digest != NULL ? digest : "");
    }
    ferry_response_close(res);
    return got < 0 ? 1 : 0;
}
