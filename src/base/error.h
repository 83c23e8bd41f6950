/*
 * Errors as values. Every internal function that can fail takes a ferry_error that is never NULL;
 * the public functions, whose callers may pass NULL, put one of their own in between (FY_ERROR; where a
 * task waits for a server it is a seldom function that does so, and no stack that waits has room for it).
 * What fails is "cold" to the compiler: the ways that lead here are laid out of the way, so that what
 * every request goes through lies closer together.
 */
#ifndef FY_BASE_ERROR_H
#define FY_BASE_ERROR_H

#include <ferry.h>

/* The caller's error, or a local one where the caller passed NULL. */
#define FY_ERROR(err) ((err) != NULL ? (err) : &(ferry_error){0})

/* Fills *err with a code, an errno (0: none) and a sentence. Returns -1, so that a failing
 * function can end with it. */
int fy_fail(ferry_error *err, int code, int os_errno, const char *format, ...)
    __attribute__((cold, format(printf, 4, 5)));

/* The same with a sentence of ours that is neither too long nor has anything to be filled in: without
 * printf's price, which closing a connection in the ordinary way would pay. */
int fy_fail_plain(ferry_error *err, int code, const char *sentence);

/* NULL where the function needs something: "a cookie jar". Returns -1. */
int fy_fail_null(ferry_error *err, const char *what) __attribute__((cold));

/* Out of memory (or of another resource of the process, as errno has it). Returns -1. */
int fy_fail_memory(ferry_error *err) __attribute__((cold));

/* Puts "prefix: " before the message, cutting at the end where it grows too long. Code and errno
 * stay. */
void fy_error_prefix(ferry_error *err, const char *format, ...)
    __attribute__((cold, format(printf, 2, 3)));

/* Puts text behind the message, cutting where it grows too long. */
void fy_error_suffix(ferry_error *err, const char *text) __attribute__((cold));

/* The system's words for an errno in lower case, as in a sentence ("connection refused");
 * thread-safe, static strings. */
const char *fy_errno_text(int os_errno);

#endif
