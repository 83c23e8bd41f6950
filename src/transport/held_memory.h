/*
 * What a response's connection costs in memory while the response holds it: for the ledger.
 */
#ifndef FY_TRANSPORT_HELD_MEMORY_H
#define FY_TRANSPORT_HELD_MEMORY_H

#include "watch/ledger.h"

/* Bytes: the exchange, the connection and its read buffer, and of both loops' stacks the pages from
 * where the read loop is parked to its beginning, twice (an estimate: deeper calls may have touched more).
 * Not: the kernel's buffers and OpenSSL's. entry->holder is the exchange. */
size_t fy_held_memory(const struct fy_ledger_entry *entry);

#endif
