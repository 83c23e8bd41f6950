/*
 * watch.c: the library's trace functions. They run on the transfer's own thread, outside all locks.
 */
#include "transfer/watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "transfer/tracer.h"

struct watch {
    struct transfer *transfer; /* NULL once the hop is over */
    struct run *run;
    struct watch *next;  /* in the run's late ones */
    uint64_t connection; /* the number of the one that serves */
    /* Connections whose fate is still to be told: Digest asks twice, and so does a request whose
     * connection turned out to be dead. */
    int awaited;
    bool several; /* there was more than one at a time: whose fate it is, is not known */
};

void watch_say(struct run *run, const char *format, ...)
{
    char text[600];
    va_list args;
    if (!tracer_wanted(run))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tracer_write(run, TRACE_SAID, text, strlen(text));
}

void watch_body(struct run *run, bool sent, const char *bytes, size_t len)
{
    if (run->trace && len > 0)
        tracer_write(run, sent ? TRACE_SENT_BODY : TRACE_CAME_BODY, bytes, len);
}

static void dns_start(void *arg, const char *host)
{
    struct watch *watch = arg;
    watch_say(watch->run, "looks up %s", host);
}

static void dns_done(void *arg, size_t addresses, const ferry_error *err)
{
    struct watch *watch = arg;
    if (err)
        watch_say(watch->run, "no address: %s", err->message);
    else
        watch_say(watch->run, "%zu address%s found", addresses, addresses == 1 ? "" : "es");
    if (!err && watch->transfer)
        watch->transfer->result.name_looked_up = clock_us();
}

static void connect_start(void *arg, const char *network, const char *address)
{
    struct watch *watch = arg;
    struct transfer *transfer = watch->transfer;
    watch_say(watch->run, "connects to %s %s", network, address);
    if (transfer && transfer->result.name_looked_up < transfer->result.hop_started)
        transfer->result.name_looked_up = clock_us();
}

static void connect_done(void *arg, const char *network, const char *address,
                         const ferry_error *err)
{
    struct watch *watch = arg;
    if (err) {
        watch_say(watch->run, "not connected to %s %s: %s", network, address, err->message);
        return;
    }
    watch_say(watch->run, "connected to %s %s", network, address);
    if (watch->transfer)
        watch->transfer->result.connected = clock_us();
}

static void tls_done(void *arg, const ferry_tls_info *info, const ferry_error *err)
{
    struct watch *watch = arg;
    if (err) {
        watch_say(watch->run, "no TLS: %s", err->message);
        return;
    }
    watch_say(watch->run, "%s with %s%s%s", info->version, info->cipher,
              info->alpn[0] != '\0' ? ", " : "", info->alpn);
    if (!info->resumed)
        watch_say(watch->run, "certificate of %s, by %s, until %s%s", info->subject, info->issuer,
                  info->not_after, info->verified ? "" : " (NOT CHECKED)");
    if (watch->transfer)
        watch->transfer->result.tls_connected = clock_us();
}

static void got_connection(void *arg, const ferry_connection_info *info)
{
    struct watch *watch = arg;
    watch->connection = info->number;
    watch->several |= ++watch->awaited > 1;
    if (info->requests == 0)
        watch_say(watch->run, "goes over connection %" PRIu64 ", which is new: %s to %s%s%s",
                  info->number, info->local[0] != '\0' ? info->local : "here", info->remote,
                  info->proxy[0] != '\0' ? ", proxy " : "", info->proxy);
    else
        watch_say(watch->run,
                  "goes over connection %" PRIu64 ", used before (%" PRIu64 " request%s): %s to %s",
                  info->number, info->requests, info->requests == 1 ? "" : "s",
                  info->local[0] != '\0' ? info->local : "here", info->remote);
    if (!watch->transfer)
        return;
    struct result *result = &watch->transfer->result;
    snprintf(result->local, sizeof result->local, "%s", info->local);
    snprintf(result->remote, sizeof result->remote, "%s", info->remote);
    result->connection = info->number;
    result->connection_requests = info->requests;
    result->connects += info->requests == 0;
    result->tls = info->tls != NULL;
    result->verified = info->tls && info->tls->verified;
    int64_t now = clock_us();
    if (result->name_looked_up < result->hop_started)
        result->name_looked_up = now;
    if (result->connected < result->hop_started)
        result->connected = now;
}

/* -i and -D print heads as they come, those of redirects and refusals too. */
static void pass_head_on(struct transfer *transfer, const char *head, size_t len)
{
    if (transfer->group->heads) {
        fwrite(head, 1, len, transfer->group->heads);
        fflush(transfer->group->heads);
    }
    if (transfer->config->include || transfer->config->head)
        sink_write_head(&transfer->sink, head, len);
}

static void tunnel_wrote(void *arg, const char *head, size_t len)
{
    struct watch *watch = arg;
    tracer_write(watch->run, TRACE_SENT, head, len);
}

static void tunnel_got(void *arg, int status, const char *head, size_t len)
{
    struct watch *watch = arg;
    tracer_write(watch->run, TRACE_CAME, head, len);
    if (!watch->transfer)
        return;
    watch->transfer->result.connect_code = status;
    if (!watch->transfer->config->no_connect_heads)
        pass_head_on(watch->transfer, head, len);
}

static void wrote_head_text(void *arg, const char *head, size_t len)
{
    struct watch *watch = arg;
    tracer_write(watch->run, TRACE_SENT, head, len);
    if (!watch->transfer)
        return;
    watch->transfer->result.request_bytes += (int64_t)len;
    watch->transfer->result.sent = clock_us();
}

static void wrote_request(void *arg, const ferry_error *err)
{
    struct watch *watch = arg;
    if (err)
        watch_say(watch->run, "request not sent: %s", err->message);
}

static void got_first_byte(void *arg)
{
    struct watch *watch = arg;
    if (watch->transfer)
        watch->transfer->result.first_byte = clock_us();
}

static void got_head_text(void *arg, const char *head, size_t len)
{
    struct watch *watch = arg;
    struct transfer *transfer = watch->transfer;
    tracer_write(watch->run, TRACE_CAME, head, len);
    if (!transfer)
        return;
    struct result *result = &transfer->result;
    char *copy = memory_resize(result->head, len + 1);
    if (copy) {
        memcpy(copy, head, len);
        copy[len] = '\0';
        result->head = copy;
        result->head_len = len;
    }
    result->header_bytes += (int64_t)len;
    pass_head_on(transfer, head, len);
}

static void put_idle_conn(void *arg, int put_result)
{
    struct watch *watch = arg;
    watch->awaited--;
    if (watch->several)
        watch_say(watch->run, "one of its connections: %s", ferry_put_result_string(put_result));
    else if (put_result == FERRY_PUT_OK)
        watch_say(watch->run, "connection %" PRIu64 " is kept for the next request",
                  watch->connection);
    else
        watch_say(watch->run, "connection %" PRIu64 " is not kept: %s", watch->connection,
                  ferry_put_result_string(put_result));
    if (watch->transfer)
        watch->transfer->result.put_result = put_result;
}

struct watch *watch_begin(struct transfer *transfer, ferry_request *req)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->transfer = transfer;
    watch->run = transfer->run;
    ferry_request_set_trace(
        req,
        FERRY_TRACE(.dns_start = dns_start, .dns_done = dns_done, .connect_start = connect_start,
                    .connect_done = connect_done, .wrote_request = wrote_request,
                    .got_first_byte = got_first_byte, .put_idle_conn = put_idle_conn,
                    .tls_handshake_done = tls_done, .wrote_head_text = wrote_head_text,
                    .got_head_text = got_head_text, .got_connection = got_connection,
                    .tunnel_wrote_head_text = tunnel_wrote, .tunnel_got_head_text = tunnel_got),
        watch);
    return watch;
}

void watch_end(struct watch *watch)
{
    if (!watch)
        return;
    watch->transfer = NULL;
    if (watch->awaited > 0) {
        watch->next = watch->run->late;
        watch->run->late = watch;
    } else {
        free(watch);
    }
}

void watch_free_late(struct run *run)
{
    while (run->late) {
        struct watch *next = run->late->next;
        free(run->late);
        run->late = next;
    }
}
