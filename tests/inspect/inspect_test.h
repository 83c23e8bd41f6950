/*
 * What the tests of libferry-inspect share: it is asked by ferry itself, in the same process.
 */
#ifndef INSPECT_TEST_H
#define INSPECT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ferry_inspect.h>

/* It must start. */
void inspect_start(const char *address, const char *token);

/* cmocka's teardown: stops it, and everything that a test opened is closed again. */
int inspect_stop(void **state);

/* One answer. */
struct answer {
    int status;
    char *body;
    ferry_response *res; /* its header fields; closed by drop() */
};

/* name: of a field to be sent; NULL: none. */
struct answer ask(const char *method, const char *url, const char *name, const char *value);
void drop(struct answer *answer);

/* The server's address with a path in place of its query; good until the next call. */
const char *at(const char *path);

/* Asks for a path, and wants that status. */
void expect(const char *method, const char *path, const char *name, const char *value, int status);

#endif
