/*
 * Starting and stopping. There is one server in a process, since there is one of everything that it
 * shows. Its threads never call ferry but for snapshots, and take no signals: those are the
 * program's.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page.h"
#include "server.h"

#define MAX_CONNECTIONS 64
#define CONNECTION_TIMEOUT_S 30
#define MIN_TOKEN 16

/* Of whoever starts, stops, or asks where it serves. */
static pthread_mutex_t lives = PTHREAD_MUTEX_INITIALIZER;
static struct server *running; /* under lives */

int inspect_fail(ferry_error *err, int code, int os_errno, const char *format, ...)
{
    va_list args;
    if (err == NULL) {
        return -1;
    }
    err->code = code;
    err->os_errno = os_errno;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t len = strlen(err->message);
    if (os_errno != 0 && len < sizeof err->message - 1) {
        char text[64] = "";
        const char *said = strerror_r(os_errno, text, sizeof text);
        snprintf(err->message + len, sizeof err->message - len, ": %s", said);
    }
    return -1;
}

/* ---- The page, with what this server has to say in it ---- */

static const char *filling(const struct server *server, const char *place, char *room, size_t size)
{
    const struct fy_inspect_extra *extra = &server->extra;
    const char *query = server->token[0] != '\0' ? "?token=" : "";
    if (strncmp(place, "@QUERY@", 7) == 0) {
        snprintf(room, size, "%s%s", query, server->token);
        return room;
    }
    if (strncmp(place, "@INTRO@", 7) == 0) {
        return extra->intro != NULL ? extra->intro : "";
    }
    if (strncmp(place, "@EXTRA@", 7) == 0) {
        if (extra->name == NULL) {
            return "";
        }
        snprintf(room, size,
                 "<meta name=\"ferry-run\" content=\"%s\">\n"
                 "<link rel=\"stylesheet\" href=\"%s.css%s%s\">\n"
                 "<script src=\"%s.js%s%s\" defer></script>",
                 extra->secret, extra->name, query, server->token, extra->name, query,
                 server->token);
        return room;
    }
    return NULL;
}

/* The template's places are @QUERY@, @INTRO@ and @EXTRA@, each 7 bytes. */
static int fill_page(struct server *server)
{
    char room[1024];
    const char *text = (const char *)page_template;
    FILE *out = open_memstream(&server->page, &server->page_len);
    if (out == NULL) {
        return -1;
    }
    for (size_t i = 0; i < page_template_len; i++) {
        const char *fill = text[i] == '@' && page_template_len - i >= 7
                               ? filling(server, text + i, room, sizeof room)
                               : NULL;
        if (fill != NULL) {
            fputs(fill, out);
            i += 6;
        } else {
            putc(text[i], out);
        }
    }
    return fclose(out) == 0 ? 0 : -1;
}

/* ---- The options ---- */

static bool good_token(const char *token)
{
    size_t len =
        strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
    return token[len] == '\0' && len >= MIN_TOKEN && len <= MAX_TOKEN;
}

static int settle(struct server *server, const ferry_inspect_options *options, ferry_error *err)
{
    ferry_inspect_options given = {0};
    if (options != NULL && options->size < sizeof options->size) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: ferry_inspect_options without their size: use "
                            "FERRY_INSPECT_OPTIONS(), or set it");
    }
    if (options != NULL) {
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    }
    if (given.token != NULL && !good_token(given.token)) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: a token has %d to %d of the characters A-Z a-z 0-9 - . _ ~",
                            MIN_TOKEN, MAX_TOKEN);
    }
    if (given.interval_ms < 0 || (given.interval_ms > 0 && given.interval_ms < 20)) {
        return inspect_fail(err, FERRY_EINVAL, 0, "inspect: interval_ms is at least 20");
    }
    if (given.suspicious_ms < 0) {
        return inspect_fail(err, FERRY_EINVAL, 0, "inspect: suspicious_ms is not negative");
    }
    snprintf(server->token, sizeof server->token, "%s", given.token != NULL ? given.token : "");
    server->interval_ms = given.interval_ms > 0 ? given.interval_ms : 250;
    server->suspicious_ms = given.suspicious_ms > 0 ? given.suspicious_ms : 2000;
    return 0;
}

/* ---- Birth and death ---- */

static void server_free(struct server *server)
{
    if (server->daemon != NULL) {
        events_stop(server);
        MHD_stop_daemon(server->daemon);
    }
    if (server->listening >= 0) {
        close(server->listening);
    }
    server_unlink(server);
    events_free(server);
    pthread_cond_destroy(&server->wanted);
    pthread_mutex_destroy(&server->lock);
    free(server->unix_path);
    free(server->page);
    free(server);
}

static struct server *server_new(const struct fy_inspect_extra *extra)
{
    pthread_condattr_t monotonic;
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return NULL;
    }
    server->listening = -1;
    if (extra != NULL) {
        server->extra = *extra;
    }
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return server;
}

/* When libmicrohttpd fails it has closed the socket that it was given, or not, and the number may
 * be another's by now. */
static void close_if_open(int fd, const struct stat *listening)
{
    struct stat now;
    if (fstat(fd, &now) == 0 && now.st_dev == listening->st_dev &&
        now.st_ino == listening->st_ino) {
        close(fd);
    }
}

/* The socket is the daemon's, or closed. */
static struct MHD_Daemon *daemon_new(struct server *server)
{
    struct stat listening;
    int fd = server->listening;
    if (fstat(fd, &listening) != 0) {
        return NULL;
    }
    server->listening = -1;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, server,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S,
        MHD_OPTION_END);
    if (daemon == NULL) {
        int failed = errno;
        close_if_open(fd, &listening);
        errno = failed;
    }
    return daemon;
}

/* The threads inherit their maker's signal mask. */
static int launch(struct server *server, ferry_error *err)
{
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_BLOCK, &every, &before);
    server->daemon = daemon_new(server);
    int failed = server->daemon == NULL ? errno : events_start(server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (server->daemon == NULL || failed != 0) {
        return inspect_fail(err, FERRY_ENOMEM, failed, "inspect: cannot start the server");
    }
    return 0;
}

/* ---- Forking ----
 *
 * A child has none of the threads, so it has no server, and may start one of its own. Of its
 * parent's it closes what would keep others waiting for an answer; the rest cannot be freed without
 * them, and stays as it is. */

static pthread_once_t forks_once = PTHREAD_ONCE_INIT;
static struct server *inherited; /* in a child: so that it is not taken for a leak */

static void before_fork(void)
{
    pthread_mutex_lock(&lives);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lives);
}

static void close_inherited(enum MHD_DaemonInfoType which)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(running->daemon, which);
    if (info != NULL) {
        close(which == MHD_DAEMON_INFO_LISTEN_FD ? info->listen_fd : info->epoll_fd);
    }
}

static void in_child(void)
{
    if (running != NULL) {
        close_inherited(MHD_DAEMON_INFO_LISTEN_FD);
        close_inherited(MHD_DAEMON_INFO_EPOLL_FD);
        running->before = inherited;
        inherited = running;
        running = NULL;
    }
    pthread_mutex_unlock(&lives);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- What is public ---- */

/* Under lives. */
static int start(const char *address, const ferry_inspect_options *options,
                 const struct fy_inspect_extra *extra, ferry_error *err)
{
    if (running != NULL) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: it serves already, at %s: stop that first", running->url);
    }
    struct server *server = server_new(extra);
    if (server == NULL) {
        return inspect_fail(err, FERRY_ENOMEM, 0, "out of memory");
    }
    if (settle(server, options, err) != 0) {
        goto fail;
    }
    if (fill_page(server) != 0) {
        inspect_fail(err, FERRY_ENOMEM, 0, "out of memory");
        goto fail;
    }
    if (server_listen(server, address, err) != 0 || launch(server, err) != 0) {
        goto fail;
    }
    running = server;
    return 0;
fail:
    server_free(server);
    return -1;
}

int fy_inspect_start(const char *address, const ferry_inspect_options *options,
                     const struct fy_inspect_extra *extra, ferry_error *err)
{
    pthread_once(&forks_once, watch_forks);
    pthread_mutex_lock(&lives);
    int result = start(address, options, extra, err);
    pthread_mutex_unlock(&lives);
    return result;
}

FERRY_API int ferry_inspect_start(const char *address, const ferry_inspect_options *options,
                                  ferry_error *err)
{
    if (address == NULL) {
        return inspect_fail(err, FERRY_EINVAL, 0,
                            "inspect: NULL was given where an address is needed");
    }
    return fy_inspect_start(address, options, NULL, err);
}

FERRY_API const char *ferry_inspect_url(void)
{
    pthread_mutex_lock(&lives);
    const char *url = running != NULL ? running->url : NULL;
    pthread_mutex_unlock(&lives);
    return url;
}

FERRY_API void ferry_inspect_stop(void)
{
    pthread_mutex_lock(&lives);
    if (running != NULL) {
        server_free(running);
        running = NULL;
    }
    pthread_mutex_unlock(&lives);
}
