/*
 * url.h: what is done to a URL's text before it is asked for. Pure; texts are from malloc(), and
 * NULL when out of memory.
 */
#ifndef CLI_REQUEST_URL_H
#define CLI_REQUEST_URL_H

#include <stdbool.h>
#include <stddef.h>

/* With a scheme in front: people leave it out. */
char *url_with_scheme(const char *text, const char *default_scheme);

/* Its scheme, up to the ":", in lower case; "" if it has none. */
void url_scheme(const char *url, char *scheme, size_t size);

/* Whether a list of --proto allows the scheme: "=https", "-http", "+https,-http", "all". NULL
 * allows everything. */
bool url_scheme_allowed(const char *list, const char *scheme);

/* With more in its query, before its fragment. */
char *url_with_query(const char *url, const char *more);

/* For -T: with the file's name behind a path that ends in a slash, or is none. */
char *url_with_file(const char *url, const char *file);

/* For -O: the last part of its path, without query; "" if that is empty. */
char *url_file_name(const char *url);

/* User and password out of the URL, percent-decoded. *user is NULL if it has none. */
bool url_credentials(const char *url, char **user, char **password);

/* Cuts them out of it, in place. */
void url_drop_credentials(char *url);

/* Whether both are of one scheme, host and port, as texts in normalised form. */
bool url_same_origin(const char *a, const char *b);

/* Without "/./" and "/../" in its path (RFC 3986 section 5.2.4), in place. */
void url_drop_dots(char *url);

/* Percent-encoded, all but letters, digits and "-._~". */
char *url_encode(const char *text, size_t len);

#endif
