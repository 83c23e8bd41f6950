/*
 * thread_pool_curl URL...: thread_pool.c with libcurl, as a program with threads uses it: a handle for
 * each thread, which keeps its connections to itself. (libcurl's share interface can share names,
 * cookies and TLS sessions between threads; connections only between transfers that do not run at the
 * same time on different threads.)
 */
#include <curl/curl.h>

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
static atomic_int answered, connections;

static size_t read_on(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count; /* what it says does not matter here */
}

static void fetch(CURL *handle, const char *url)
{
    long status = 0;
    long opened = 0;
    curl_easy_setopt(handle, CURLOPT_URL, url);
    CURLcode result = curl_easy_perform(handle);
    if (result != CURLE_OK) {
        fprintf(stderr, "%s\n", curl_easy_strerror(result));
        return;
    }
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &opened);
    answered += status == 200;
    connections += (int)opened;
}

static void *work(void *arg)
{
    CURL *handle = curl_easy_init();
    (void)arg;
    if (handle == NULL) {
        exit(1);
    }
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, read_on);
    for (int round = 0; round < ROUNDS; round++) {
        for (char **url = urls; *url != NULL; url++) {
            sem_wait(&places);
            fetch(handle, *url);
            sem_post(&places);
        }
    }
    pthread_barrier_wait(&all_done); /* a pool's threads stay */
    curl_easy_cleanup(handle);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int requests = THREADS * ROUNDS * (argc - 1);

    if (argc < 2) {
        fprintf(stderr, "usage: thread_pool_curl URL...\n");
        return 2;
    }
    urls = argv + 1;
    sem_init(&places, 0, AT_A_TIME);
    pthread_barrier_init(&all_done, NULL, THREADS);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) {
            fprintf(stderr, "no thread\n");
            exit(1);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d threads, %d requests, %d at a time, %d answered 200: %d connections opened\n",
           THREADS, requests, AT_A_TIME, answered, connections);
    curl_global_cleanup();
    return answered == requests ? 0 : 1;
}
