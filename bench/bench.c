/*
 * Counting and measuring, the same for every contender. Until all workers are warm only they are
 * counted; the last of them takes the first reading. Whoever completes the last request that is wanted
 * takes the second.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* How often the clock is looked at, in requests; and the longest that warming up may take. */
#define REQUESTS_PER_LOOK 64
#define WARM_UP_SECONDS 20.0

struct reading {
    double wall, user, system; /* seconds */
};

struct bench bench;

static atomic_int warm_workers;
static atomic_long requests_done; /* since the first reading */
static atomic_bool measuring, over;
static struct reading first, last;
static double begun;     /* when the program began */
static long peak_kib;    /* resident, at the second reading */
static long counted = 0; /* requests between the readings */

_Noreturn void bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* ------------------------------------------------------------------------------------ readings */

static double wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct reading read_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct reading){
        .wall = wall_now(),
        .user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
        .system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
    };
}

/* The most that was ever resident. Not ru_maxrss: that of a program counts what its process held
 * before it was this program. */
static long resident_peak_kib(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;
    if (status == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %ld", &kib) != 1) {}
    fclose(status);
    return kib;
}

static void end_measuring(long requests)
{
    if (!atomic_exchange(&over, true)) {
        last = read_now();
        peak_kib = resident_peak_kib();
        counted = requests;
    }
}

/* ------------------------------------------------------------------------------------- workers */

bool bench_go_on(void)
{
    return !atomic_load_explicit(&over, memory_order_relaxed);
}

static void warm_up(struct bench_worker *worker)
{
    if (!worker->warm) {
        worker->warm = true;
        if (atomic_fetch_add(&warm_workers, 1) + 1 == bench.connections) {
            first = read_now();
            atomic_store(&measuring, true);
        }
    } else if (wall_now() - begun > WARM_UP_SECONDS) {
        bench_fail("only %d of %d connections after %.0f s", atomic_load(&warm_workers),
                   bench.connections, WARM_UP_SECONDS);
    }
}

void bench_done(struct bench_worker *worker, size_t bytes)
{
    if (bytes != bench.bytes) {
        bench_fail("a body of %zu bytes, not %zu", bytes, bench.bytes);
    }
    if (!atomic_load_explicit(&measuring, memory_order_acquire)) {
        warm_up(worker);
        return;
    }
    long done = atomic_fetch_add_explicit(&requests_done, 1, memory_order_relaxed) + 1;
    if (done == bench.requests ||
        (done % REQUESTS_PER_LOOK == 0 && wall_now() - first.wall >= bench.seconds)) {
        end_measuring(done);
    }
}

static void *run_thread(void *work)
{
    (*(void (**)(void))work)();
    return NULL;
}

void bench_run_threads(void (*work)(void))
{
    pthread_attr_t attributes;
    if (bench.connections == 1) {
        work();
        return;
    }
    pthread_t *threads = calloc((size_t)bench.connections, sizeof *threads);
    if (threads == NULL) {
        bench_fail("out of memory");
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 * 1024);
    for (int i = 0; i < bench.connections; i++) {
        int error = pthread_create(&threads[i], &attributes, run_thread, &work);
        if (error != 0) {
            bench_fail("thread %d: %s", i + 1, strerror(error));
        }
    }
    for (int i = 0; i < bench.connections; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&attributes);
    free(threads);
}

/* --------------------------------------------------------------------- arguments and the report */

static double number(const char *name, const char *text, double least)
{
    char *end;
    double value = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || end == text || *end != '\0' || !(value >= least) || value > 1e9) {
        bench_fail("%s %s: a number from %g on is wanted", name, text != NULL ? text : "", least);
    }
    return value;
}

void bench_begin(int argc, char **argv)
{
    begun = wall_now();
    bench = (struct bench){
        .path = "/", .connections = 1, .requests = 10000, .seconds = 10, .bytes = 1024};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i];
        const char *text = argv[i + 1]; /* NULL after the last */
        if (strcmp(name, "--port") == 0) {
            bench.port = (int)number(name, text, 1);
        } else if (strcmp(name, "--path") == 0 && text != NULL) {
            bench.path = text;
        } else if (strcmp(name, "--bytes") == 0) {
            bench.bytes = (size_t)number(name, text, 0);
        } else if (strcmp(name, "--connections") == 0) {
            bench.connections = (int)number(name, text, 1);
        } else if (strcmp(name, "--requests") == 0) {
            bench.requests = (long)number(name, text, 1);
        } else if (strcmp(name, "--seconds") == 0) {
            bench.seconds = number(name, text, 0);
        } else {
            bench_fail("%s is not understood", name);
        }
    }
    if (bench.port == 0) {
        bench_fail("--port is missing");
    }
    snprintf(bench.url, sizeof bench.url, "http://127.0.0.1:%d%s", bench.port, bench.path);
}

int bench_report(const char *contender)
{
    if (counted == 0) {
        bench_fail("nothing was measured");
    }
    printf("{\"contender\":\"%s\",\"connections\":%d,\"requests\":%ld,\"body_bytes\":%zu,"
           "\"wall_s\":%.6f,\"user_s\":%.6f,\"system_s\":%.6f,\"peak_kib\":%ld}\n",
           contender, bench.connections, counted, bench.bytes, last.wall - first.wall,
           last.user - first.user, last.system - first.system, peak_kib);
    return 0;
}
