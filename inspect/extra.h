/*
 * What a program of ferry's own may add to the page: `ferry lab --serve` puts its experiment there.
 * Not installed. The library by itself only shows; what is to change something comes in here, by
 * POST, and only from the page itself.
 */
#ifndef INSPECT_EXTRA_H
#define INSPECT_EXTRA_H

#include <stddef.h>

#include "ferry_inspect.h"

/* A file that is served as it is. The bytes are static. */
struct fy_page_file {
    const char *path; /* "/lab.js" */
    const char *type; /* "text/javascript; charset=utf-8" */
    const unsigned char *bytes;
    size_t len;
};

/* Looks a parameter of the request's query up; NULL: it has none of that name. */
typedef const char *(*fy_inspect_lookup)(void *request, const char *name);

struct fy_inspect_extra {
    void *arg;
    const char *name;  /* of the scripts and styles: "lab" for /lab.css and /lab.js; NULL: none */
    const char *intro; /* HTML that comes first on the page; NULL: none. Outlives the server */
    const struct fy_page_file *files;
    size_t file_count;

    /* A JSON value for each event, where it is the member of that name. On a thread of the
     * server's. From malloc(); returns NULL when out of memory. NULL: there is none. */
    char *(*json)(void *arg);

    /* Answers a POST: returns an HTTP status, and a sentence in message. On the server's thread. It
     * is called only for requests that have the header "X-Ferry-Run: SECRET", which is in the page
     * (as <meta name="ferry-run">) and which no page from elsewhere can read, nor send. */
    unsigned (*post)(void *arg, const char *path, fy_inspect_lookup lookup, void *request,
                     char *message, size_t size);
    const char *secret; /* hexadecimal digits; outlives the server */
};

/* As ferry_inspect_start(). */
int fy_inspect_start(const char *address, const ferry_inspect_options *options,
                     const struct fy_inspect_extra *extra, ferry_error *err);

#endif
