/* Runs a fuzzer's function once over each file of its corpus, without libFuzzer: so that every test
   run, with any compiler and any sanitizer, repeats what the fuzzers have found. Linked with one
   fuzz_*.c; the arguments are files, or folders of files. An empty corpus is a failure: it would test
   nothing. */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

/* The exact size is allocated, so that a sanitizer sees the first byte read past the end. */
static int replay_file(const char *path)
{
    struct stat status;
    uint8_t *data = NULL;
    int result = -1;

    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0)
        goto out;
    size_t size = (size_t)status.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size)
        goto out;
    LLVMFuzzerTestOneInput(data, size);
    result = 0;
out:
    if (result != 0)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(data);
    if (file != NULL)
        fclose(file);
    return result;
}

/* The number of files replayed, or -1. */
static long replay_folder(const char *path)
{
    char name[4096];
    long count = 0;

    DIR *folder = opendir(path);
    if (folder == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        count = replay_file(name) == 0 ? count + 1 : -1;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    long total = 0;

    for (int i = 1; i < argc; i++) {
        struct stat status;
        int is_folder = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        long count = is_folder ? replay_folder(argv[i]) : replay_file(argv[i]) == 0 ? 1 : -1;
        if (count < 0)
            return EXIT_FAILURE;
        total += count;
    }
    printf("%ld inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
