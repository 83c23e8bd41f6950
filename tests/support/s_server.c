/*
 * The s_server fixture: a child whose output goes to a file in its directory, and whose input is a pipe.
 */
#include "s_server.h"

#include "child.h"
#include "events.h"
#include "temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_LIMIT_MS 10000
#define MOST_ARGUMENTS 24

struct s_server {
    char directory[TEMP_DIR_SIZE];
    char log[TEMP_DIR_SIZE + 8];
    pid_t pid; /* 0: not running */
    int input; /* -1: none */
    int port;
};

static const char *mode_argument(enum s_server_mode mode)
{
    switch (mode) {
    case S_SERVER_PAGE: return "-www";
    case S_SERVER_FILES: return "-WWW";
    case S_SERVER_HTTP: return "-HTTP";
    default: return NULL;
    }
}

static bool run_program(struct s_server *server, enum s_server_mode mode,
                        const char *const *arguments)
{
    const char *argv[MOST_ARGUMENTS + 6] = {"openssl", "s_server", "-accept", "127.0.0.1:0"};
    int count = 4;
    int input[2];
    int output = open(server->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (mode_argument(mode) != NULL)
        argv[count++] = mode_argument(mode);
    for (int i = 0; arguments[i] != NULL && i < MOST_ARGUMENTS; i++)
        argv[count++] = arguments[i];
    if (output < 0)
        return false;
    if (pipe2(input, O_CLOEXEC) != 0) {
        close(output);
        return false;
    }
    server->pid = child_start(&(struct child_options){
        .argv = argv, .directory = server->directory, .standard = {input[0], output, output}});
    close(input[0]);
    close(output);
    server->input = input[1];
    if (server->pid < 0)
        server->pid = 0;
    return server->pid > 0;
}

/* What it prints when it listens ends in its port. */
static bool await_start(struct s_server *server)
{
    int64_t deadline = events_deadline(START_LIMIT_MS);

    while (server->port == 0 && events_now() < deadline) {
        char *text = s_server_output(server);
        const char *line = text != NULL ? strstr(text, "ACCEPT ") : NULL;
        const char *end = line != NULL ? strchr(line, '\n') : NULL;
        const char *port = end != NULL ? memrchr(line, ':', (size_t)(end - line)) : NULL;
        int status;

        if (port != NULL)
            server->port = atoi(port + 1);
        free(text);
        if (server->port == 0 && child_wait(server->pid, 1, &status)) {
            server->pid = 0;
            break;
        }
    }
    return server->port != 0;
}

struct s_server *s_server_start(enum s_server_mode mode, const char *const *arguments,
                                char why[S_SERVER_WHY_SIZE])
{
    struct s_server *server = calloc(1, sizeof(*server));
    char *text;

    if (server == NULL)
        abort();
    server->input = -1;
    if (!temp_dir_make(server->directory)) {
        snprintf(why, S_SERVER_WHY_SIZE, "s_server fixture: no directory for it: %s",
                 strerror(errno));
        free(server);
        return NULL;
    }
    snprintf(server->log, sizeof(server->log), "%s/log", server->directory);
    if (!run_program(server, mode, arguments)) {
        snprintf(why, S_SERVER_WHY_SIZE, "s_server fixture: cannot run openssl: %s",
                 strerror(errno));
    } else if (await_start(server)) {
        return server;
    } else {
        text = s_server_output(server);
        snprintf(why, S_SERVER_WHY_SIZE, "s_server fixture: it did not start: %.900s",
                 text != NULL ? text : "");
        free(text);
    }
    s_server_stop(server);
    return NULL;
}

int s_server_port(const struct s_server *server)
{
    return server->port;
}

pid_t s_server_pid(const struct s_server *server)
{
    return server->pid;
}

bool s_server_write_file(struct s_server *server, const char *name, const void *data, size_t len)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", server->directory, name);
    return temp_file_write(path, data, len);
}

bool s_server_type(struct s_server *server, const char *text)
{
    size_t len = strlen(text);

    return write(server->input, text, len) == (ssize_t)len;
}

char *s_server_output(const struct s_server *server)
{
    return temp_file_read(server->log, NULL);
}

bool s_server_await_output(const struct s_server *server, const char *text, int timeout_ms)
{
    int64_t deadline = events_deadline(timeout_ms);

    for (;;) {
        char *output = s_server_output(server);
        bool found = output != NULL && strstr(output, text) != NULL;

        free(output);
        if (found)
            return true;
        if (deadline >= 0 && events_now() >= deadline)
            return false;
        events_sleep(1);
    }
}

void s_server_stop(struct s_server *server)
{
    if (server == NULL)
        return;
    if (server->pid > 0)
        child_stop(server->pid, SIGTERM, 5000);
    if (server->input >= 0)
        close(server->input);
    temp_dir_remove(server->directory);
    free(server);
}
