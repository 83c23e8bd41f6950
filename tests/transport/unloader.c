/*
 * A program that test_ends.c runs: unloader URL LIBRARY loads the library, sends a request on a thread and on
 * its own, leaves a connection idle, and closes the library. What is left of it goes on until the end, which
 * is with status 7.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <ferry.h>

static ferry_response *(*get)(const char *, ferry_error *, const char *, int);
static ssize_t (*read_body)(ferry_response *, void *, size_t, ferry_error *);
static void (*close_response)(ferry_response *);
static pthread_barrier_t closed;

static void find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
}

static int send_one(const char *url)
{
    char buf[64];
    ferry_error err = {0};
    ferry_response *res = get(url, &err, __FILE__, __LINE__);
    if (res == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    while (read_body(res, buf, sizeof buf, NULL) > 0) {}
    close_response(res);
    return 0;
}

/* Ends behind the close: its scheduler is taken down by code of the library's. */
static void *run_thread(void *url)
{
    int failed = send_one(url);
    pthread_barrier_wait(&closed);
    pthread_barrier_wait(&closed);
    return failed != 0 ? url : NULL;
}

int main(int argc, char **argv)
{
    void *failed = NULL;
    pthread_t thread;
    void *library = argc == 3 ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    find(library, "ferry_get_at", (void *)&get);
    find(library, "ferry_response_read", (void *)&read_body);
    find(library, "ferry_response_close", (void *)&close_response);
    pthread_barrier_init(&closed, NULL, 2);
    if (pthread_create(&thread, NULL, run_thread, argv[1]) != 0) {
        return 1;
    }
    int own = send_one(argv[1]);
    pthread_barrier_wait(&closed);
    dlclose(library);
    pthread_barrier_wait(&closed);
    pthread_join(thread, &failed);
    const struct timespec time = {.tv_nsec = 500000000}; /* the monitor looks at what is idle */
    nanosleep(&time, NULL);
    return own == 0 && failed == NULL ? 7 : 1;
}
