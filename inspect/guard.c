/*
 * Who is let in. A browser will send requests here for any page that asks it to; what such a page
 * must not be able to do is to read an answer. So: the Host header must name this server (a page
 * whose own name was pointed here, DNS rebinding, says another one), no header allows other origins
 * to read, and a token, where there is one, is in every request.
 */
#include <string.h>
#include <strings.h>

#include "server.h"

/* Takes as long whatever they have in common. */
bool same_secret(const char *left, const char *right)
{
    size_t left_len = strlen(left);
    size_t right_len = strlen(right);
    unsigned char differs = left_len != right_len;
    for (size_t i = 0; i < left_len && right_len > 0; i++) {
        differs |= (unsigned char)(left[i] ^ right[i % right_len]);
    }
    return differs == 0;
}

static bool host_is_mine(const struct server *server, struct MHD_Connection *connection)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    return server->host[0] == '\0' ||
           (host != NULL &&
            (strcasecmp(host, server->host) == 0 || strcasecmp(host, server->host_by_name) == 0));
}

static bool has_token(const struct server *server, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    const char *field = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    if (server->token[0] == '\0') {
        return true;
    }
    if (field != NULL && strncasecmp(field, scheme, sizeof scheme - 1) == 0 &&
        same_secret(field + sizeof scheme - 1, server->token)) {
        return true;
    }
    return query != NULL && same_secret(query, server->token);
}

/* Beside the secret, which is enough: a browser says which page asks. */
static bool from_the_page(const struct server *server, struct MHD_Connection *connection)
{
    const char *secret = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Ferry-Run");
    const char *origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin");
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (secret == NULL || !same_secret(secret, server->extra.secret)) {
        return false;
    }
    return origin == NULL || (host != NULL && strncmp(origin, "http://", 7) == 0 &&
                              strcasecmp(origin + 7, host) == 0);
}

unsigned guard(const struct server *server, struct MHD_Connection *connection, const char *method,
               const char **why)
{
    if (!host_is_mine(server, connection)) {
        *why = "This server is asked by its address only: use the one that the program printed.\n";
        return MHD_HTTP_FORBIDDEN;
    }
    if (!has_token(server, connection)) {
        *why = "A token is needed: ?token=TOKEN, or Authorization: Bearer TOKEN.\n";
        return MHD_HTTP_UNAUTHORIZED;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
        return 0;
    }
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0 || server->extra.post == NULL) {
        *why = "There is nothing here to be changed: GET and HEAD only.\n";
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (!from_the_page(server, connection)) {
        *why = "Only the page itself may ask for that: load it anew.\n";
        return MHD_HTTP_FORBIDDEN;
    }
    return 0;
}
