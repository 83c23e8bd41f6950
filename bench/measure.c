/*
 * Counting and measuring, the same for every contender. Until all workers are warm only they are
 * counted; the last of them takes the first reading. Whoever completes the last request that is wanted
 * takes the second.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

/* How often the clock is looked at, in requests, unless they are large; and the longest that warming
 * up may take. */
#define REQUESTS_PER_LOOK 64
#define LARGE ((size_t)64 * 1024)
#define WARM_UP_SECONDS 60.0

/* Latencies fall into 16 buckets for each power of two of nanoseconds. */
#define BUCKETS_PER_POWER 16
#define BUCKETS (64 * BUCKETS_PER_POWER)

struct reading {
    double wall, user, system; /* seconds */
    long resident_kib, peak_kib;
    long opened; /* connections */
};

static atomic_int warm_workers;
static atomic_long warm_requests;
static atomic_long requests_done; /* since the first reading */
static atomic_long opened;
static atomic_bool measuring, over;
static atomic_long latencies[BUCKETS];
static struct reading first, last, before;
static double begun;     /* when the first request began */
static long counted = 0; /* requests between the readings */

/* ------------------------------------------------------------------------------------ readings */

static int64_t nanoseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double wall_now(void)
{
    return (double)nanoseconds_now() / 1e9;
}

/* Resident now, and the most that ever was. Not ru_maxrss: that of a program counts what its process
 * held before it was this program. */
static void read_memory(struct reading *reading)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    if (status == NULL) {
        return;
    }
    while (fgets(line, sizeof line, status) != NULL) {
        (void)(sscanf(line, "VmHWM: %ld", &reading->peak_kib) == 1 ||
               sscanf(line, "VmRSS: %ld", &reading->resident_kib) == 1);
    }
    fclose(status);
}

static struct reading read_now(void)
{
    struct rusage usage;
    struct reading reading = {.wall = wall_now(), .opened = atomic_load(&opened)};
    getrusage(RUSAGE_SELF, &usage);
    reading.user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    reading.system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    return reading;
}

void bench_begin_measuring(void)
{
    read_memory(&before);
    first = read_now();
    atomic_store(&measuring, true);
}

static void end_measuring(long requests)
{
    if (!atomic_exchange(&over, true)) {
        last = read_now();
        read_memory(&last);
        counted = requests;
    }
}

void bench_opened(long connections)
{
    atomic_fetch_add_explicit(&opened, connections, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------- latencies */

static int bucket_of(int64_t nanoseconds)
{
    uint64_t value = nanoseconds < BUCKETS_PER_POWER ? BUCKETS_PER_POWER : (uint64_t)nanoseconds;
    int power = 63 - __builtin_clzll(value);
    return power * BUCKETS_PER_POWER + (int)((value >> (power - 4)) & (BUCKETS_PER_POWER - 1));
}

/* The middle of the bucket in which a part of all requests is complete, in microseconds. */
static double latency_quantile(double part)
{
    long all = 0;
    long sum = 0;
    int i = 0;
    for (int b = 0; b < BUCKETS; b++) {
        all += latencies[b];
    }
    for (; i < BUCKETS - 1; i++) {
        sum += latencies[i];
        if ((double)sum >= part * (double)all) {
            break;
        }
    }
    double low = (double)(1ULL << (i / BUCKETS_PER_POWER));
    return low * (1 + (i % BUCKETS_PER_POWER + 0.5) / BUCKETS_PER_POWER) / 1e3;
}

/* ------------------------------------------------------------------------------------- workers */

bool bench_next(struct bench_worker *worker)
{
    if (bench.latency) {
        worker->began = nanoseconds_now();
    }
    return !atomic_load_explicit(&over, memory_order_relaxed);
}

/* Some workers make many requests before others have made their first; none of those counts. */
static void warm_up(struct bench_worker *worker)
{
    static atomic_bool begins;
    long done = atomic_fetch_add(&warm_requests, 1) + 1;
    int warm = worker->warm ? atomic_load(&warm_workers) : atomic_fetch_add(&warm_workers, 1) + 1;
    worker->warm = true;
    if (warm == bench.connections && done >= bench.warm && !atomic_exchange(&begins, true)) {
        bench_begin_measuring();
    } else if (done == 1) {
        begun = wall_now();
    } else if (done % 1024 == 0 && wall_now() - begun > WARM_UP_SECONDS) {
        bench_fail("only %d of %d connections after %.0f s", warm, bench.connections,
                   WARM_UP_SECONDS);
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
    if (bench.latency) {
        int bucket = bucket_of(nanoseconds_now() - worker->began);
        atomic_fetch_add_explicit(&latencies[bucket], 1, memory_order_relaxed);
    }
    bool look = bench.bytes > LARGE || bench.upload_len > LARGE;
    long done = atomic_fetch_add_explicit(&requests_done, 1, memory_order_relaxed) + 1;
    if (done == bench.requests ||
        ((look || done % REQUESTS_PER_LOOK == 0) && wall_now() - first.wall >= bench.seconds)) {
        end_measuring(done);
    }
}

/* ------------------------------------------------------------------------------------- threads */

struct thread {
    pthread_t id;
    void (*work)(int worker);
    int number;
};

static void *run_thread(void *arg)
{
    struct thread *thread = arg;
    thread->work(thread->number);
    return NULL;
}

void bench_run_threads(void (*work)(int worker))
{
    if (bench.connections == 1) {
        work(0);
        return;
    }
    struct thread *threads = calloc((size_t)bench.connections, sizeof *threads);
    pthread_attr_t attributes;
    if (threads == NULL) {
        bench_fail("out of memory");
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)512 * 1024);
    for (int i = 0; i < bench.connections; i++) {
        threads[i].work = work;
        threads[i].number = i;
        int error = pthread_create(&threads[i].id, &attributes, run_thread, &threads[i]);
        if (error != 0) {
            bench_fail("thread %d: %s", i + 1, strerror(error));
        }
    }
    for (int i = 0; i < bench.connections; i++) {
        pthread_join(threads[i].id, NULL);
    }
    pthread_attr_destroy(&attributes);
    free(threads);
}

/* ---------------------------------------------------------------------------------- the report */

static void print_common(const char *contender)
{
    printf("{\"contender\":\"%s\",\"connections\":%d,\"wall_s\":%.6f,\"user_s\":%.6f,"
           "\"system_s\":%.6f,\"opened\":%ld,\"resident_before_kib\":%ld,\"resident_kib\":%ld,"
           "\"peak_kib\":%ld",
           contender, bench.connections, last.wall - first.wall, last.user - first.user,
           last.system - first.system, last.opened, before.resident_kib, last.resident_kib,
           last.peak_kib);
}

int bench_report(const char *contender)
{
    if (counted == 0) {
        bench_fail("nothing was measured");
    }
    last.opened = atomic_load(&opened);
    print_common(contender);
    printf(",\"requests\":%ld,\"bytes\":%.0f", counted,
           (double)counted * (double)(bench.bytes + bench.upload_len));
    if (bench.latency) {
        printf(",\"latency_us\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f}",
               latency_quantile(0.5), latency_quantile(0.9), latency_quantile(0.99),
               latency_quantile(0.999));
    }
    puts("}");
    return 0;
}

/* -------------------------------------------------------------------------------------- idling */

void bench_idle_before(void)
{
    first = read_now();
    read_memory(&before);
}

void bench_idle_now(void)
{
    last = read_now();
    read_memory(&last);
}

/* A third look, after malloc has been asked to give back what is free. */
int bench_idle_report(const char *contender)
{
    struct reading later = read_now();
    struct reading trimmed = later;
    read_memory(&later);
    malloc_trim(0);
    read_memory(&trimmed);
    last.opened = atomic_load(&opened);
    print_common(contender);
    printf(",\"resident_later_kib\":%ld,\"resident_trimmed_kib\":%ld,\"idle_cpu_s\":%.6f}\n",
           later.resident_kib, trimmed.resident_kib,
           later.user - last.user + later.system - last.system);
    return 0;
}
