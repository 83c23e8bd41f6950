/*
 * thread_pool URL...: sixteen threads, each of which asks for every URL twenty times; at most four requests
 * are on their way at a time. All threads share one pool of connections, so four connections to a host
 * are enough. thread_pool_curl.c is the same program with libcurl; only fetch() differs.
 */
#include <ferry.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 16
#define ROUNDS 20
#define AT_A_TIME 4

static char **urls; /* NULL at the end */
static sem_t places;
static pthread_barrier_t all_done;
static atomic_int answered;

static void fetch(const char *url)
{
    char buffer[4096];
    ssize_t got = -1;
    ferry_error err;
    FERRY_AUTO ferry_response *res = ferry_get(url, &err);
    while (res != NULL && (got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
        /* what it says does not matter here */
    }
    if (got != 0) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        answered += ferry_response_status(res) == 200;
    }
}

static void *work(void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        for (char **url = urls; *url != NULL; url++) {
            sem_wait(&places);
            fetch(*url);
            sem_post(&places);
        }
    }
    pthread_barrier_wait(
        &all_done); /* a pool's threads stay: one that ends closes its connections */
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int requests = THREADS * ROUNDS * (argc - 1);

    if (argc < 2) {
        fprintf(stderr, "usage: thread_pool URL...\n");
        return 2;
    }
    urls = argv + 1;
    sem_init(&places, 0, AT_A_TIME);
    pthread_barrier_init(&all_done, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) {
            fprintf(stderr, "no thread\n");
            exit(1);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(ferry_default_transport(), &stats);
    printf("%d threads, %d requests, %d at a time, %d answered 200: %llu connections opened\n",
           THREADS, requests, AT_A_TIME, answered, (unsigned long long)stats.dials);
    return answered == requests ? 0 : 1;
}
