/*
 * URLs as a client needs them: parsed by RFC 3986 (uriparser) after what people type has been
 * percent-encoded, the host in the form that goes to the name lookup and the wire.
 */
#ifndef FY_HTTP_URL_H
#define FY_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry.h>

#include "base/buffer.h"

/* All strings are NUL-terminated and lie in one block. */
struct fy_url {
    char *block;        /* from malloc(), or lent; NULL: no URL */
    size_t block_size;  /* its bytes in use */
    bool block_is_lent; /* it is another's to free, who outlives the URL */
    /* Whole and normalised: scheme and host in lower case, IDNA, default port dropped, no user
     * info, no fragment; the path as it was typed, but for what had to be encoded. Parsing it
     * gives the same URL again. */
    char *text;
    /* As text, for messages and the ledger: with "user:xxxxx@" where there was a password, "user@"
     * where there was only a user. */
    char *shown;
    char *scheme; /* "http" */
    /* "example.org", "127.0.0.1", "::1": no brackets; a zone stays, "fe80::1%eth0". */
    char *host;
    /* For the Host field: brackets around IPv6 but no zone, ":port" if it is not the default. */
    char *authority;
    /* For dialing, pooling, messages: with its port (unless that is 0) and zone,
     * "[fe80::1%eth0]:80". */
    char *host_port;
    char *target;   /* origin form: path and query, at least "/" */
    char *user;     /* percent-decoded, or NULL */
    char *password; /* percent-decoded, or NULL */
    size_t authority_len, target_len;
    uint16_t port; /* the scheme's default if none was given; 0: neither */
};

/* Parses text into *url. -1 and *err (FERRY_EURL, FERRY_ENOMEM, or FERRY_EUNSUPPORTED for a name
 * beyond ASCII in a build without IDN) with a sentence that shows the text (shortened if
 * absurdly long, its password masked) and says what is wrong. Schemes: any is parsed; only
 * "http" (80) and "https" (443) have a default port. Refused: no scheme, no host, port 0 or
 * above 65535 or not a number, control bytes, a host with bytes that no name has, user info that
 * decodes to control bytes, more than 64 KiB. */
int fy_url_parse(struct fy_url *url, const char *text, ferry_error *err);

/* Where the parts of a URL begin and end that needs no more than to be taken apart (url_plain.c). */
struct fy_url_plain {
    const char *text; /* borrowed */
    size_t len;
    size_t scheme_len, name_len; /* the scheme; the host's name, three bytes behind it */
    size_t site_len;             /* all before the target */
    uint16_t port;
};

/* Whether a text is such a URL: http or https, and in its final form as it stands. */
bool fy_url_take_plain(struct fy_url_plain *plain, const char *text);

/* Makes *url of it, in a block of the caller's of so many bytes. */
size_t fy_url_plain_bytes(const struct fy_url_plain *plain);
void fy_url_lay_out(struct fy_url *url, const struct fy_url_plain *plain, char *block);

/* Appends the host with its port always and its zone never, "example.org:80": what CONNECT asks
 * for. */
void fy_url_connect_target(const struct fy_url *url, struct fy_buffer *out);

/* Resolves a reference (a Location field) against base; RFC 3986 section 5, dot segments
 * removed. The user info of base is kept where the reference names no host of its own. url may
 * not be base. */
int fy_url_resolve(struct fy_url *url, const struct fy_url *base, const char *reference,
                   ferry_error *err);

/* An http URL as https: the same but for the scheme, port 80 become 443 (RFC 6797 section 8.3). -1
 * and *err when out of memory. */
int fy_url_over_tls(struct fy_url *url, const struct fy_url *from, ferry_error *err);

/* A deep copy; -1 when out of memory. */
int fy_url_copy(struct fy_url *url, const struct fy_url *from);

/* Releases the strings, if they are the struct's, and zeroes it; fine for a zero-filled one. */
void fy_url_free(struct fy_url *url);

#endif
