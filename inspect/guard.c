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
static bool same_secret(const char *left, const char *right)
{
    size_t left_len = strlen(left);
    size_t right_len = strlen(right);
    unsigned char differs = left_len != right_len;
    for (size_t i = 0; i < left_len && right_len > 0; i++) {
        differs |= (unsigned char)(left[i] ^ right[i % right_len]);
    }
    return differs == 0;
}

static const char *field(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

static bool host_is_mine(const struct server *server, struct MHD_Connection *connection)
{
    const char *host = field(connection, "Host");
    bool mine = server->hosts[0][0] == '\0';
    for (size_t i = 0; i < sizeof server->hosts / sizeof *server->hosts; i++) {
        mine = mine || (server->hosts[i][0] != '\0' && strcasecmp(host, server->hosts[i]) == 0);
    }
    return mine;
}

/* Browsers say on whose behalf they ask (Fetch Metadata). Another site's page could read nothing
 * anyhow, but it could keep the server busy. To follow a link from there is fine. */
static bool for_another_site(struct MHD_Connection *connection)
{
    const char *site = field(connection, "Sec-Fetch-Site");
    return (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0) &&
           strcmp(field(connection, "Sec-Fetch-Mode"), "navigate") != 0;
}

static bool has_token(const struct server *server, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    const char *header = field(connection, "Authorization");
    const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token");
    if (server->token[0] == '\0') {
        return true;
    }
    if (strncasecmp(header, scheme, sizeof scheme - 1) == 0 &&
        same_secret(header + sizeof scheme - 1, server->token)) {
        return true;
    }
    return query != NULL && same_secret(query, server->token);
}

/* Beside the secret, which is enough: a browser says which page asks. */
static bool from_the_page(const struct server *server, struct MHD_Connection *connection)
{
    const char *origin = field(connection, "Origin");
    return same_secret(field(connection, "X-Ferry-Run"), server->extra.secret) &&
           (*origin == '\0' || (strncmp(origin, "http://", 7) == 0 &&
                                strcasecmp(origin + 7, field(connection, "Host")) == 0));
}

unsigned guard(const struct server *server, struct MHD_Connection *connection, const char *method,
               const char **why)
{
    if (!host_is_mine(server, connection)) {
        *why = "This server is asked by its address only: use the one that the program printed.\n";
        return MHD_HTTP_FORBIDDEN;
    }
    if (for_another_site(connection)) {
        *why = "No other site's page is answered.\n";
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
