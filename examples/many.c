/*
 * many URL...: 200 requests at once, each in a task of its own, over one pool of at most eight
 * connections per host. Each task is plain blocking code; all of them share this one thread.
 */
#include <ferry.h>

#include <stdio.h>

#define REQUESTS 200

struct job {
    ferry_client *client;
    const char *url;
    int status; /* 0: it failed */
    int64_t bytes;
};

/* One request, from beginning to end, as it would be written without tasks. */
static void fetch(void *arg)
{
    struct job *job = arg;
    char buffer[4096];
    ssize_t got = -1;
    ferry_error err;
    ferry_request *req = ferry_request_new("GET", job->url, &err);
    ferry_response *res = req != NULL ? ferry_client_do(job->client, req, &err) : NULL;
    if (res != NULL) {
        while ((got = ferry_response_read(res, buffer, sizeof buffer, &err)) > 0) {
            job->bytes += got;
        }
        job->status = got == 0 ? ferry_response_status(res) : 0;
    }
    if (job->status == 0) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_response_close(res);
    ferry_request_free(req);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: many URL...\n");
        return 2;
    }
    /* Without a limit the 200 tasks would dial 200 connections: nothing is idle when they begin. */
    ferry_transport *transport = ferry_transport_new(FERRY_TRANSPORT_OPTIONS(.max_per_host = 8));
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.transport = transport));
    ferry_group *group = ferry_group_new();
    struct job jobs[REQUESTS];
    int answered = 0;
    int64_t bytes = 0;

    if (transport == NULL || client == NULL || group == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    for (int i = 0; i < REQUESTS; i++) {
        jobs[i] = (struct job){.client = client, .url = argv[1 + i % (argc - 1)]};
        if (ferry_group_go(group, fetch, &jobs[i]) != 0) {
            perror("ferry_group_go");
        }
    }
    ferry_group_wait(group); /* this is where they run */

    for (int i = 0; i < REQUESTS; i++) {
        answered += jobs[i].status == 200;
        bytes += jobs[i].bytes;
    }
    ferry_stats stats = FERRY_STATS_INIT;
    ferry_transport_stats(transport, &stats);
    printf("%d requests, %d answered 200, %lld bytes, %llu connections, %llu reuses\n", REQUESTS,
           answered, (long long)bytes, (unsigned long long)stats.dials,
           (unsigned long long)stats.reuses);

    ferry_group_free(group);
    ferry_client_free(client);
    ferry_transport_free(transport);
    return answered == REQUESTS ? 0 : 1;
}
