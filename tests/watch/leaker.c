/*
 * A program that test_leaks.c runs: leaker URL WHAT... opens responses and ends with status 5. It
 * says "bye" on its standard output without a line's end, so that it is seen whether that is still
 * flushed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry.h>

static const char *url;
static ferry_response *kept;

static ferry_response *open_one(void)
{
    ferry_error err;
    ferry_response *res = ferry_get_at(url, &err, "leaker.c", 1);
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return res;
}

static void close_kept(void)
{
    ferry_response_close(kept);
}

static void *open_on_a_thread(void *arg)
{
    (void)arg;
    (void)open_one();
    return NULL;
}

static void open_in_a_task(void *arg)
{
    (void)arg;
    (void)open_one();
    printf("bye");
    exit(5);
}

int main(int argc, char **argv)
{
    url = argv[1];
    for (int i = 2; i < argc; i++) {
        pthread_t thread;
        if (strcmp(argv[i], "leak") == 0) {
            (void)open_one();
        } else if (strcmp(argv[i], "close") == 0) {
            ferry_response_close(open_one());
        } else if (strcmp(argv[i], "close-at-exit") == 0) {
            kept = open_one();
            atexit(close_kept);
        } else if (strcmp(argv[i], "thread") == 0) {
            if (pthread_create(&thread, NULL, open_on_a_thread, NULL) == 0) {
                pthread_join(thread, NULL);
            }
        } else if (strcmp(argv[i], "exit-in-a-task") == 0) {
            (void)ferry_go(open_in_a_task, NULL);
            ferry_sleep(60000);
        }
    }
    printf("bye");
    return 5;
}
