/*
 * The nginx fixture: one process in the foreground, everything that it writes in a directory of its own,
 * so that tests can run side by side and as any user.
 */
#include "nginx.h"

#include "child.h"
#include "events.h"
#include "temp_dir.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_LIMIT_MS 10000
#define START_ATTEMPTS 8

struct nginx {
    char directory[TEMP_DIR_SIZE];
    char socket_path[TEMP_DIR_SIZE + 8];
    char tls_socket_path[TEMP_DIR_SIZE + 16];
    int port;
    int tls_port;        /* 0: it has none */
    pid_t pid;           /* 0: not running */
    struct strings urls; /* handed out; under the lock of events.h */
};

static const char *find_program(void)
{
    static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
                                         "/usr/bin/nginx", "/usr/local/bin/nginx",
                                         "/usr/local/nginx/sbin/nginx"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], X_OK) == 0)
            return places[i];
    }
    return NULL;
}

static char *in_directory(const struct nginx *nginx, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", nginx->directory, name) < 0)
        abort();
    return path;
}

/* A port that was free a moment ago. Whoever takes it before nginx does makes nginx fail, and we try
   again with another. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = -1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

/* The lines that make the server speak TLS as well; to be freed. */
static char *tls_lines(const struct nginx *nginx, const struct nginx_options *options)
{
    char *text;

    if (options->tls_certificate == NULL)
        return strdup("");
    if (asprintf(&text,
                 "        listen 127.0.0.1:%d ssl backlog=4096;\n"
                 "        listen unix:%s ssl;\n"
                 "        ssl_certificate %s;\n"
                 "        ssl_certificate_key %s;\n"
                 "        ssl_protocols TLSv1.2 TLSv1.3;\n",
                 nginx->tls_port, nginx->tls_socket_path, options->tls_certificate,
                 options->tls_key != NULL ? options->tls_key : options->tls_certificate) < 0)
        abort();
    return text;
}

static bool write_configuration(const struct nginx *nginx, const struct nginx_options *options)
{
    char *path = in_directory(nginx, "nginx.conf");
    char *tls = tls_lines(nginx, options);
    char *text;
    bool written;
    int len;

    len =
        asprintf(&text,
                 "daemon off;\n"
                 "master_process off;\n"
                 "%s"
                 "pid nginx.pid;\n"
                 "error_log error.log notice;\n"
                 "events { worker_connections 16384; }\n"
                 "http {\n"
                 "    log_format counted '$connection $connection_requests $status \"$request\"';\n"
                 "    access_log access.log counted;\n"
                 "    client_body_temp_path client_body;\n"
                 "    proxy_temp_path proxy;\n"
                 "    fastcgi_temp_path fastcgi;\n"
                 "    uwsgi_temp_path uwsgi;\n"
                 "    scgi_temp_path scgi;\n"
                 "    default_type application/octet-stream;\n"
                 "    sendfile on;\n"
                 "    keepalive_requests 1000000;\n"
                 "    keepalive_timeout %s;\n"
                 "    client_max_body_size 0;\n"
                 "%s\n"
                 "    server {\n"
                 "        listen 127.0.0.1:%d backlog=4096;\n"
                 "        listen unix:%s;\n"
                 "        server_name localhost;\n"
                 "        root root;\n"
                 "%s%s\n"
                 "    }\n"
                 "}\n",
                 geteuid() == 0 ? "user root;\n" : "",
                 options->keepalive_timeout != NULL ? options->keepalive_timeout : "75s",
                 options->http != NULL ? options->http : "", nginx->port, nginx->socket_path, tls,
                 options->server != NULL ? options->server : "");
    if (len < 0)
        abort();
    written = temp_file_write(path, text, (size_t)len);
    free(text);
    free(tls);
    free(path);
    return written;
}

static pid_t start_program(const struct nginx *nginx, const char *program)
{
    char *error_log = in_directory(nginx, "error.log");
    char *prefix = in_directory(nginx, "");
    const char *argv[] = {program, "-p", prefix, "-c", "nginx.conf", "-e", error_log, NULL};
    pid_t pid;

    pid = child_start(&(struct child_options){.argv = argv, .standard = {-1, -1, -1}});
    free(error_log);
    free(prefix);
    return pid;
}

static bool accepts(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

/* Its pid file comes after its sockets: only then is what answers on the port this nginx, and not somebody
   who was quicker. Forgets the process if it has ended. */
static bool await_start(struct nginx *nginx)
{
    int64_t deadline = events_deadline(START_LIMIT_MS);
    char *pid_file = in_directory(nginx, "nginx.pid");
    bool ready = false;
    int status;

    while (!ready && events_now() < deadline) {
        char *pid;

        if (child_wait(nginx->pid, 0, &status)) {
            nginx->pid = 0;
            break;
        }
        pid = temp_file_read(pid_file, NULL);
        ready = pid != NULL && atoi(pid) == nginx->pid && accepts(nginx->port);
        free(pid);
        if (!ready)
            events_sleep(1);
    }
    free(pid_file);
    return ready;
}

static void explain(const struct nginx *nginx, char why[NGINX_WHY_SIZE], const char *what,
                    int error)
{
    char *log = nginx_error_log(nginx);

    if (log != NULL && log[0] != '\0')
        snprintf(why, NGINX_WHY_SIZE, "nginx fixture: %s: %.900s", what, log);
    else
        snprintf(why, NGINX_WHY_SIZE, "nginx fixture: %s: %s", what, strerror(error));
    free(log);
}

/* One attempt on one port. */
static bool try_start(struct nginx *nginx, const struct nginx_options *options, const char *program,
                      char why[NGINX_WHY_SIZE])
{
    char *error_log = in_directory(nginx, "error.log");
    bool started = false;

    unlink(error_log);
    unlink(nginx->socket_path);
    unlink(nginx->tls_socket_path);
    free(error_log);
    nginx->port = free_port();
    do {
        nginx->tls_port = options->tls_certificate != NULL ? free_port() : 0;
    } while (nginx->tls_port > 0 && nginx->tls_port == nginx->port); /* that one is free, too */
    if (nginx->port < 0 || nginx->tls_port < 0 || !write_configuration(nginx, options)) {
        explain(nginx, why, "cannot write its configuration", errno);
        return false;
    }
    nginx->pid = start_program(nginx, program);
    if (nginx->pid < 0) {
        nginx->pid = 0;
        explain(nginx, why, "cannot run it", errno);
        return false;
    }
    started = await_start(nginx);
    if (!started) {
        if (nginx->pid > 0)
            child_stop(nginx->pid, SIGKILL, 1000);
        nginx->pid = 0;
        explain(nginx, why, "it did not start", ETIMEDOUT);
    }
    return started;
}

struct nginx *nginx_start(const struct nginx_options *options, char why[NGINX_WHY_SIZE])
{
    static const struct nginx_options defaults = {0};
    const char *program = find_program();
    struct nginx *nginx = NULL;

    if (program == NULL) {
        snprintf(why, NGINX_WHY_SIZE,
                 "nginx fixture: nginx is not installed (Debian: nginx-light)");
        return NULL;
    }
    nginx = calloc(1, sizeof(*nginx));
    if (nginx == NULL)
        abort();
    if (!temp_dir_make(nginx->directory)) {
        snprintf(why, NGINX_WHY_SIZE, "nginx fixture: no directory for it: %s", strerror(errno));
        free(nginx);
        return NULL;
    }
    snprintf(nginx->socket_path, sizeof(nginx->socket_path), "%s/socket", nginx->directory);
    snprintf(nginx->tls_socket_path, sizeof(nginx->tls_socket_path), "%s/tls_socket",
             nginx->directory);
    nginx_write_file(nginx, "index.html", BYTES("<title>nginx of a test</title>\n"));

    for (int attempt = 0; attempt < START_ATTEMPTS; attempt++) {
        if (try_start(nginx, options != NULL ? options : &defaults, program, why))
            return nginx;
        if (strstr(why, "Address already in use") == NULL)
            break;
    }
    nginx_stop(nginx);
    return NULL;
}

void nginx_stop(struct nginx *nginx)
{
    if (nginx == NULL)
        return;
    if (nginx->pid > 0)
        child_stop(nginx->pid, SIGTERM, 5000);
    temp_dir_remove(nginx->directory);
    strings_free(&nginx->urls);
    free(nginx);
}

static const char *make_url(struct nginx *nginx, const char *origin, int port, const char *path)
{
    char *url;

    if (asprintf(&url, "%s:%d%s", origin, port, path) < 0)
        abort();
    events_lock();
    strings_keep(&nginx->urls, url);
    events_unlock();
    return url;
}

const char *nginx_url(struct nginx *nginx, const char *path)
{
    return make_url(nginx, "http://127.0.0.1", nginx->port, path);
}

const char *nginx_tls_url(struct nginx *nginx, const char *path)
{
    return make_url(nginx, "https://localhost", nginx->tls_port, path);
}

int nginx_port(const struct nginx *nginx)
{
    return nginx->port;
}

int nginx_tls_port(const struct nginx *nginx)
{
    return nginx->tls_port;
}

const char *nginx_socket_path(const struct nginx *nginx)
{
    return nginx->socket_path;
}

const char *nginx_tls_socket_path(const struct nginx *nginx)
{
    return nginx->tls_socket_path;
}

pid_t nginx_pid(const struct nginx *nginx)
{
    return nginx->pid;
}

bool nginx_write_file(struct nginx *nginx, const char *name, const void *data, size_t len)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/root/%s", nginx->directory, name);
    return temp_file_write(path, data, len);
}

bool nginx_write_pattern(struct nginx *nginx, const char *name, uint64_t len)
{
    void *data = malloc(len > 0 ? len : 1);
    bool written;

    if (data == NULL)
        abort();
    pattern_fill(data, len, 0);
    written = nginx_write_file(nginx, name, data, len);
    free(data);
    return written;
}

static char *read_log(const struct nginx *nginx, const char *name)
{
    char *path = in_directory(nginx, name);
    char *log = temp_file_read(path, NULL);

    free(path);
    return log;
}

char *nginx_access_log(const struct nginx *nginx)
{
    return read_log(nginx, "access.log");
}

char *nginx_error_log(const struct nginx *nginx)
{
    return read_log(nginx, "error.log");
}

/* A connection's first request is logged once, as its number 1; so those are the connections. */
struct nginx_counts nginx_counts(const struct nginx *nginx)
{
    struct nginx_counts counts = {0};
    char *log = nginx_access_log(nginx);

    for (char *line = log; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        unsigned number;

        if (end == NULL)
            break;
        counts.requests++;
        if (sscanf(line, "%*u %u", &number) == 1 && number == 1)
            counts.connections++;
        line = end + 1;
    }
    free(log);
    return counts;
}

bool nginx_await_requests(const struct nginx *nginx, unsigned count, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    while (nginx_counts(nginx).requests < count) {
        if (deadline >= 0 && events_now() >= deadline)
            return false;
        events_sleep(1);
    }
    return true;
}
