/* Counting what the own process holds, by what /proc and the kernel say of it. Called by tests. */
#include "process.h"

#include "events.h"
#include "sock_diag.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Entries of a folder of /proc/self: all, or the links whose text begins with prefix. The descriptor that
   reads /proc/self/fd itself is left out. */
static int count_entries(const char *path, const char *prefix)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (folder == NULL)
        return -1;
    while ((entry = readdir(folder)) != NULL) {
        char target[64] = "";

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(folder))
            continue;
        if (prefix[0] != '\0' &&
            readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1) < 0)
            continue;
        if (strncmp(target, prefix, strlen(prefix)) == 0)
            count++;
    }
    closedir(folder);
    return count;
}

int process_descriptors(void)
{
    return count_entries("/proc/self/fd", "");
}

int process_sockets(void)
{
    return count_entries("/proc/self/fd", "socket:");
}

int process_threads(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    int count = -1;

    if (status == NULL)
        return -1;
    while (fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    }
    fclose(status);
    return count;
}

size_t process_resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (statm == NULL)
        return 0;
    if (fscanf(statm, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

int process_tcp_count(int state, int local_port, int remote_port)
{
    uint32_t states = state == 0 ? ~0U : 1U << state;
    int fd = sock_diag_open();
    int v4;
    int v6;

    if (fd < 0)
        return -1;
    v4 = sock_diag_count(fd, AF_INET, states, local_port, remote_port);
    v6 = sock_diag_count(fd, AF_INET6, states, local_port, remote_port);
    close(fd);
    return v4 < 0 || v6 < 0 ? -1 : v4 + v6;
}

size_t process_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return (size_t)limit.rlim_cur;
}

bool expect_eventually(bool (*condition)(void *arg), void *arg, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    while (!condition(arg)) {
        if (deadline >= 0 && events_now() >= deadline)
            return condition(arg);
        events_sleep(1);
    }
    return true;
}
