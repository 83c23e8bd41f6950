/*
 * The fixture of real proxies: one process in the foreground, its files in a directory of its own.
 */
#include "proxies.h"

#include "child.h"
#include "events.h"
#include "temp_dir.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_LIMIT_MS 10000
#define START_ATTEMPTS 8

struct proxy_server {
    const char *program;
    char directory[TEMP_DIR_SIZE];
    int port;
    pid_t pid; /* 0: not running */
};

static char *in_directory(const struct proxy_server *proxy, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", proxy->directory, name) < 0)
        abort();
    return path;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A port that was free a moment ago. Whoever takes it before the proxy does makes the proxy fail,
   and we try again with another. */
static int free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = -1;

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

static int connect_to(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Its pid file comes after its sockets: only then is what answers on the port this tinyproxy. */
static bool tinyproxy_ready(const struct proxy_server *proxy)
{
    char *path = in_directory(proxy, "pid");
    char *pid = temp_file_read(path, NULL);
    int fd = pid != NULL && atoi(pid) == proxy->pid ? connect_to(proxy->port) : -1;

    free(pid);
    free(path);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* It has no pid file; but whoever else is on the port does not speak SOCKS5. */
static bool microsocks_ready(const struct proxy_server *proxy)
{
    char answer[2] = {0};
    int fd = connect_to(proxy->port);
    bool ready = false;

    if (fd >= 0) {
        ready = send(fd, "\5\1\0", 3, MSG_NOSIGNAL) == 3 && recv(fd, answer, 2, 0) == 2 &&
                answer[0] == 5;
        close(fd);
    }
    return ready;
}

static bool await_start(struct proxy_server *proxy, bool (*ready)(const struct proxy_server *))
{
    int64_t deadline = events_deadline(START_LIMIT_MS);
    bool is_ready = false;
    int status;

    while (!is_ready && events_now() < deadline) {
        if (child_wait(proxy->pid, 0, &status)) {
            proxy->pid = 0;
            break;
        }
        is_ready = ready(proxy);
        if (!is_ready)
            events_sleep(1);
    }
    return is_ready;
}

/* A new proxy that is not started, on a port of its own; NULL: why says so. */
static struct proxy_server *prepare(const char *program, char why[PROXY_WHY_SIZE])
{
    struct proxy_server *proxy = calloc(1, sizeof(*proxy));

    if (proxy == NULL)
        abort();
    proxy->program = program;
    if (!temp_dir_make(proxy->directory)) {
        snprintf(why, PROXY_WHY_SIZE, "%s: no directory for it: %s", program, strerror(errno));
        free(proxy);
        return NULL;
    }
    proxy->port = free_port();
    return proxy;
}

/* True: it runs. */
static bool start(struct proxy_server *proxy, const char *const *argv,
                  bool (*ready)(const struct proxy_server *), char why[PROXY_WHY_SIZE])
{
    proxy->pid = child_start(&(struct child_options){.argv = argv, .standard = {-1, -1, -1}});
    if (proxy->pid < 0) {
        proxy->pid = 0;
        snprintf(why, PROXY_WHY_SIZE, "%s cannot be run (Debian: %s): %s", proxy->program,
                 strcmp(proxy->program, "tinyproxy") == 0 ? "tinyproxy-bin" : proxy->program,
                 strerror(errno));
        return false;
    }
    if (!await_start(proxy, ready)) {
        char *log = proxy_server_log(proxy);
        snprintf(why, PROXY_WHY_SIZE, "%s did not start: %.900s", proxy->program,
                 log != NULL ? log : "its port may have been taken");
        free(log);
        return false;
    }
    return true;
}

static bool write_configuration(const struct proxy_server *proxy, const char *user,
                                const char *password)
{
    char *path = in_directory(proxy, "tinyproxy.conf");
    char *text;
    char login[256] = "";
    bool written;

    if (user != NULL)
        snprintf(login, sizeof(login), "BasicAuth %s %s\n", user, password);
    if (asprintf(&text,
                 "Port %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\n"
                 "LogFile \"%s/log\"\nLogLevel Info\nPidFile \"%s/pid\"\n%s",
                 proxy->port, proxy->directory, proxy->directory, login) < 0)
        abort();
    written = temp_file_write(path, text, strlen(text));
    free(text);
    free(path);
    return written;
}

static struct proxy_server *try_tinyproxy(const char *user, const char *password,
                                          char why[PROXY_WHY_SIZE])
{
    struct proxy_server *proxy = prepare("tinyproxy", why);
    char *path;
    bool started = false;

    if (proxy == NULL)
        return NULL;
    path = in_directory(proxy, "tinyproxy.conf");
    if (!write_configuration(proxy, user, password))
        snprintf(why, PROXY_WHY_SIZE, "tinyproxy: no configuration: %s", strerror(errno));
    else
        started = start(proxy, (const char *const[]){"tinyproxy", "-d", "-c", path, NULL},
                        tinyproxy_ready, why);
    free(path);
    if (!started) {
        proxy_server_stop(proxy);
        return NULL;
    }
    return proxy;
}

static struct proxy_server *try_microsocks(const char *user, const char *password,
                                           char why[PROXY_WHY_SIZE])
{
    struct proxy_server *proxy = prepare("microsocks", why);
    char port[8];

    if (proxy == NULL)
        return NULL;
    snprintf(port, sizeof(port), "%d", proxy->port);
    const char *argv[] = {"microsocks", "-i", "127.0.0.1", "-p", port,
                          NULL,         NULL, NULL,        NULL, NULL};
    if (user != NULL) {
        argv[5] = "-u";
        argv[6] = user;
        argv[7] = "-P";
        argv[8] = password;
    }
    if (!start(proxy, argv, microsocks_ready, why)) {
        proxy_server_stop(proxy);
        return NULL;
    }
    return proxy;
}

struct proxy_server *tinyproxy_start(const char *user, const char *password,
                                     char why[PROXY_WHY_SIZE])
{
    struct proxy_server *proxy = NULL;

    for (int i = 0; i < START_ATTEMPTS && proxy == NULL; i++) {
        proxy = try_tinyproxy(user, password, why);
        if (proxy == NULL && strstr(why, "cannot be run") != NULL)
            break;
    }
    return proxy;
}

struct proxy_server *microsocks_start(const char *user, const char *password,
                                      char why[PROXY_WHY_SIZE])
{
    struct proxy_server *proxy = NULL;

    for (int i = 0; i < START_ATTEMPTS && proxy == NULL; i++) {
        proxy = try_microsocks(user, password, why);
        if (proxy == NULL && strstr(why, "cannot be run") != NULL)
            break;
    }
    return proxy;
}

int proxy_server_port(const struct proxy_server *proxy)
{
    return proxy->port;
}

char *proxy_server_log(const struct proxy_server *proxy)
{
    char *path = in_directory(proxy, "log");
    char *log = temp_file_read(path, NULL);

    free(path);
    return log;
}

void proxy_server_stop(struct proxy_server *proxy)
{
    if (proxy == NULL)
        return;
    if (proxy->pid > 0)
        child_stop(proxy->pid, SIGTERM, 2000);
    temp_dir_remove(proxy->directory);
    free(proxy);
}
