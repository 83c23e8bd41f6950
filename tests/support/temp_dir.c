/* Unique temporary directories and the files in them. Nothing of one test is seen by another. */
#include "temp_dir.h"

#include "bytes.h"
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    /* What cannot be removed is left: the rest should still go. */
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Directories made and not removed yet. */
struct made {
    struct made *next;
    pid_t maker; /* a forked child does not remove its parent's */
    char path[TEMP_DIR_SIZE];
};

static struct made *all_made; /* under the lock of events.h */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void remove_all(void)
{
    for (struct made *made = all_made; made != NULL; made = all_made) {
        all_made = made->next;
        if (made->maker == getpid())
            remove_tree(made->path);
        free(made);
    }
}

static void at_exit(void)
{
    atexit(remove_all);
}

static void remember(const char *path)
{
    struct made *made = calloc(1, sizeof(*made));

    if (made == NULL)
        abort();
    pthread_once(&once, at_exit);
    made->maker = getpid();
    snprintf(made->path, sizeof(made->path), "%s", path);
    events_lock();
    made->next = all_made;
    all_made = made;
    events_unlock();
}

static void forget(const char *path)
{
    struct made *forgotten = NULL;

    events_lock();
    for (struct made **link = &all_made; *link != NULL; link = &(*link)->next) {
        if (strcmp((*link)->path, path) == 0) {
            forgotten = *link;
            *link = forgotten->next;
            break;
        }
    }
    events_unlock();
    free(forgotten);
}

bool temp_dir_make(char path[TEMP_DIR_SIZE])
{
    const char *base = getenv("TMPDIR");
    int len;

    if (base == NULL || base[0] == '\0')
        base = "/tmp";
    len = snprintf(path, TEMP_DIR_SIZE, "%s/ferry-test-XXXXXX", base);
    if (len < 0 || len >= TEMP_DIR_SIZE) {
        path[0] = '\0';
        errno = ENAMETOOLONG;
        return false;
    }
    if (mkdtemp(path) == NULL) {
        path[0] = '\0';
        return false;
    }
    remember(path);
    return true;
}

void temp_dir_remove(const char *path)
{
    if (path[0] == '\0')
        return;
    remove_tree(path);
    forget(path);
}

static bool make_folders(const char *path)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(folder, path, len + 1);
    for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return true;
}

bool temp_file_write(const char *path, const void *data, size_t len)
{
    const char *rest = data;
    int fd;

    if (!make_folders(path))
        return false;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    while (len > 0) {
        ssize_t n = write(fd, rest, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            close(fd);
            return false;
        }
        rest += n;
        len -= (size_t)n;
    }
    return close(fd) == 0;
}

char *temp_file_read(const char *path, size_t *len)
{
    struct bytes content = {0};
    char piece[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    bytes_append(&content, "", 0);
    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n > 0)
            bytes_append(&content, piece, (size_t)n);
        else if (errno != EINTR)
            break;
    }
    close(fd);
    if (n < 0) {
        bytes_free(&content);
        return NULL;
    }
    if (len != NULL)
        *len = content.len;
    return content.data;
}
