/*
 * values.h: what people write behind a flag, as numbers. Pure: true and *value, or false.
 */
#ifndef CLI_FLAGS_VALUES_H
#define CLI_FLAGS_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* A whole number, not below 0. */
bool value_number(const char *text, int64_t *value);

/* Seconds, with a fraction or not, not below 0, as milliseconds; what is more than none and less
 * than one becomes one. */
bool value_seconds(const char *text, int64_t *ms);

/* Bytes: "500", "10k", "1.5M": powers of 1024. */
bool value_bytes(const char *text, int64_t *value);

/* A rate of requests, "2/s", "10/m", "3/h", "1/d", "5" (an hour, as curl has it): milliseconds from
 * one to the next. */
bool value_rate(const char *text, int64_t *ms);

#endif
