/*
 * What every contender is told, in the same words; struct bench says more about each.
 *
 *   --port N  --path /P  --addresses N          the server: of 127.0.0.1 and what follows so many
 *   --https  --ca FILE  --no-resume  --release  TLS; no session is resumed; buffers are released
 *   --connections N  --close                    so many at a time; a new one for each request
 *   --requests N  --seconds S                   so many, or as many as there is time for
 *   --warm N  --cold                            requests before those; nothing before those
 *   --bytes N  --buffer N                       of a response's body; read at a time
 *   --save FILE  --splice                       bodies go to the file; by splice
 *   --upload FILE                               POST its bytes
 *   --idle S                                    open connections, and look at their memory
 *   --latency                                   time each request
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

struct bench bench;

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

static double number(const char *name, const char *text, double least)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least) || value > 1e15) {
        bench_fail("%s %s: a number from %g on is wanted", name, text, least);
    }
    return value;
}

/* Those that have no value. */
static bool take_switch(const char *name)
{
    static const struct {
        const char *name;
        bool *place;
        bool value;
    } switches[] = {
        {"--cold", &bench.cold, true},       {"--https", &bench.tls, true},
        {"--close", &bench.close, true},     {"--no-resume", &bench.resume, false},
        {"--release", &bench.release, true}, {"--splice", &bench.splice, true},
        {"--latency", &bench.latency, true},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (strcmp(name, switches[i].name) == 0) {
            *switches[i].place = switches[i].value;
            return true;
        }
    }
    return false;
}

static void open_upload(const char *name)
{
    struct stat status;
    bench.upload = open(name, O_RDONLY | O_CLOEXEC);
    if (bench.upload < 0 || fstat(bench.upload, &status) != 0) {
        bench_fail("%s: %s", name, strerror(errno));
    }
    bench.upload_len = (size_t)status.st_size;
    if (bench.upload_len > UPLOAD_IN_MEMORY) {
        return;
    }
    bench.upload_bytes = malloc(bench.upload_len + 1);
    if (bench.upload_bytes == NULL ||
        pread(bench.upload, bench.upload_bytes, bench.upload_len, 0) != (ssize_t)bench.upload_len) {
        bench_fail("%s: %s", name, strerror(errno));
    }
}

static void take_value(const char *name, const char *text)
{
    if (strcmp(name, "--port") == 0) {
        bench.port = (int)number(name, text, 1);
    } else if (strcmp(name, "--path") == 0) {
        bench.path = text;
    } else if (strcmp(name, "--addresses") == 0) {
        bench.addresses = (int)number(name, text, 1);
    } else if (strcmp(name, "--bytes") == 0) {
        bench.bytes = (size_t)number(name, text, 0);
    } else if (strcmp(name, "--buffer") == 0) {
        bench.buffer = (size_t)number(name, text, 1024);
    } else if (strcmp(name, "--connections") == 0) {
        bench.connections = (int)number(name, text, 1);
    } else if (strcmp(name, "--requests") == 0) {
        bench.requests = (long)number(name, text, 1);
    } else if (strcmp(name, "--warm") == 0) {
        bench.warm = (long)number(name, text, 0);
    } else if (strcmp(name, "--seconds") == 0) {
        bench.seconds = number(name, text, 0);
    } else if (strcmp(name, "--idle") == 0) {
        bench.idle = number(name, text, 0.001);
    } else if (strcmp(name, "--ca") == 0) {
        bench.ca = text;
    } else if (strcmp(name, "--save") == 0) {
        bench.save = text;
    } else if (strcmp(name, "--upload") == 0) {
        open_upload(text);
    } else {
        bench_fail("%s is not understood", name);
    }
}

/* A descriptor for each connection, and some. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)bench.connections + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void bench_begin(int argc, char **argv)
{
    bench = (struct bench){
        .path = "/",
        .addresses = 1,
        .connections = 1,
        .requests = 10000,
        .seconds = 10,
        .bytes = 1024,
        .buffer = (size_t)16 * 1024,
        .resume = true,
        .upload = -1,
    };
    for (int i = 1; i < argc; i++) {
        if (take_switch(argv[i])) {
            continue;
        }
        if (i + 1 == argc) {
            bench_fail("%s is not understood, or its value is missing", argv[i]);
        }
        take_value(argv[i], argv[i + 1]);
        i++;
    }
    if (bench.port == 0) {
        bench_fail("--port is missing");
    }
    if (bench.addresses > 200) {
        bench_fail("--addresses %d: 200 are the most", bench.addresses);
    }
    raise_descriptors();
    if (bench.cold) {
        bench_begin_measuring();
    }
}

void bench_host(int worker, char host[16])
{
    snprintf(host, 16, "127.0.0.%d", 1 + (unsigned char)(worker % bench.addresses));
}

void bench_url(int worker, char url[BENCH_URL_SIZE])
{
    char host[16];
    bench_host(worker, host);
    if (snprintf(url, BENCH_URL_SIZE, "%s://%s:%d%s", bench.tls ? "https" : "http", host,
                 bench.port, bench.path) >= BENCH_URL_SIZE) {
        bench_fail("--path is too long");
    }
}

int bench_save_open(void)
{
    int fd = open(bench.save, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        bench_fail("%s: %s", bench.save, strerror(errno));
    }
    return fd;
}
