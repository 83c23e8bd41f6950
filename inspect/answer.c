/*
 * Answers requests, on the server's thread. Every answer is asked of ferry anew, or is a file that
 * was put into the library when it was built; nothing is ever read from disk.
 */
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "server.h"

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"
#define TYPE_HTML "text/html; charset=utf-8"

/* Scripts, styles and data from here and nowhere else; no frame around the page; nothing kept, and
 * nothing told to where a link leads. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static bool add_headers(struct MHD_Response *response, const char *type)
{
    bool added = MHD_add_response_header(response, "Content-Type", type) == MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        added = added && MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
    }
    return added;
}

/* Takes the response over. */
static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct MHD_Response *response)
{
    enum MHD_Result queued = MHD_NO;
    if (response == NULL) {
        return MHD_NO;
    }
    bool complete = add_headers(response, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        complete = complete && MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES;
    }
    if (status == MHD_HTTP_UNAUTHORIZED) {
        complete = complete && MHD_add_response_header(response, "WWW-Authenticate",
                                                       "Bearer realm=\"ferry\"") == MHD_YES;
    }
    if (complete) {
        queued = MHD_queue_response(connection, status, response);
    }
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
    return queue(connection, status, TYPE_TEXT,
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                 MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result send_static(struct MHD_Connection *connection, const char *type,
                                   const void *bytes, size_t len)
{
    return queue(
        connection, MHD_HTTP_OK, type,
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT));
}

/* ---- What is written anew for each request ---- */

static char *responses_json(void)
{
    return ferry_open_responses_json(NULL);
}

static char *metrics_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool written = out != NULL && ferry_metrics(out) == 0;
    if (out != NULL && fclose(out) != 0) {
        written = false;
    }
    if (!written) {
        free(text);
        return NULL;
    }
    return text;
}

/* All of them are ferry's own; here they are only passed on. */
static const struct document {
    const char *path;
    const char *type;
    char *(*write)(void); /* from malloc(); NULL: out of memory */
} documents[] = {
    {"/tasks", TYPE_JSON, ferry_tasks_json},
    {"/connections", TYPE_JSON, ferry_connections_json},
    {"/responses", TYPE_JSON, responses_json},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics_text},
};

static enum MHD_Result send_document(struct MHD_Connection *connection,
                                     const struct document *document)
{
    char *text = document->write();
    if (text == NULL) {
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Out of memory.\n");
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
    }
    return queue(connection, MHD_HTTP_OK, document->type, response);
}

/* ---- The routes ---- */

static const struct fy_page_file *find_file(const struct server *server, const char *path)
{
    for (size_t i = 0; i < page_file_count; i++) {
        if (strcmp(page_files[i].path, path) == 0) {
            return &page_files[i];
        }
    }
    for (size_t i = 0; i < server->extra.file_count; i++) {
        if (strcmp(server->extra.files[i].path, path) == 0) {
            return &server->extra.files[i];
        }
    }
    return NULL;
}

static enum MHD_Result watch(struct server *server, struct MHD_Connection *connection)
{
    struct MHD_Response *response = events_response(server, connection);
    return response != NULL
               ? queue(connection, MHD_HTTP_OK, "text/event-stream", response)
               : say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many are watching.\n");
}

static enum MHD_Result show(struct server *server, struct MHD_Connection *connection,
                            const char *path)
{
    if (strcmp(path, "/") == 0) {
        return send_static(connection, TYPE_HTML, server->page, server->page_len);
    }
    if (strcmp(path, "/events") == 0) {
        return watch(server, connection);
    }
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        if (strcmp(documents[i].path, path) == 0) {
            return send_document(connection, &documents[i]);
        }
    }
    const struct fy_page_file *file = find_file(server, path);
    return file != NULL ? send_static(connection, file->type, file->bytes, file->len)
                        : say(connection, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
}

static const char *look_up(void *request, const char *name)
{
    return MHD_lookup_connection_value(request, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result change(struct server *server, struct MHD_Connection *connection,
                              const char *path)
{
    char message[256] = "";
    unsigned status =
        server->extra.post(server->extra.arg, path, look_up, connection, message, sizeof message);
    return say(connection, status, message);
}

/* Called first with the head, then with the bytes of a body, if there are any, which nobody wants;
 * and once more at its end. */
enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path,
                       const char *method, const char *version, const char *upload,
                       size_t *upload_len, void **request)
{
    struct server *server = arg;
    const char *why;
    (void)version;
    (void)upload;
    if (*request == NULL) {
        *request = server;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    unsigned refused = guard(server, connection, method, &why);
    if (refused != 0) {
        return say(connection, refused, why);
    }
    return strcmp(method, MHD_HTTP_METHOD_POST) == 0 ? change(server, connection, path)
                                                     : show(server, connection, path);
}
