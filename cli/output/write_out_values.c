/*
 * write_out_values.c: the variables of -w. Names, units and number of digits are curl's; those that
 * begin with "conn_" are ferry's own.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "memory.h"
#include "output/write_out.h"
#include "request/url.h"

typedef char *value_fn(const struct transfer *transfer);

static char *copy(const char *text)
{
    return text ? text_copy(text) : NULL;
}

static char *number(int64_t value)
{
    char *text = NULL;
    return text_print(&text, "%" PRId64, value) < 0 ? NULL : text;
}

/* Seconds since the try began; 0 for what has not been. */
static char *seconds(const struct transfer *transfer, int64_t when)
{
    const struct result *result = &transfer->result;
    char *text = NULL;
    int64_t us = when > result->started ? when - result->started : 0;
    int len = text_print(&text, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    return len < 0 ? NULL : text;
}

static char *speed(const struct transfer *transfer, int64_t bytes)
{
    const struct result *result = &transfer->result;
    int64_t us = result->ended - result->started;
    return number(us > 0 ? (int64_t)((double)bytes * 1e6 / (double)us) : 0);
}

/* The host of "127.0.0.1:80" and "[::1]:80". */
static char *host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    bool bracket = address[0] == '[';
    if (!colon)
        return text_copy("");
    return text_copy_part(address + bracket, (size_t)(colon - address) - (bracket ? 2 : 0));
}

static char *port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return text_copy(colon ? colon + 1 : "0");
}

static char *scheme_of(const struct transfer *transfer)
{
    char scheme[16] = "";
    if (transfer->result.url)
        url_scheme(transfer->result.url, scheme, sizeof scheme);
    for (char *at = scheme; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return scheme[0] != '\0' ? text_copy(scheme) : NULL;
}

static char *count_fields(const struct transfer *transfer)
{
    const char *at = transfer->result.head ? head_fields(transfer->result.head) : "";
    const char *name, *value;
    size_t name_len, value_len;
    int64_t count = 0;
    while (head_next_field(&at, &name, &name_len, &value, &value_len))
        count++;
    return number(count);
}

/* "1.1"; curl says "1" for 1.0. */
static char *version_of(const char *proto)
{
    if (proto[0] == '\0')
        return text_copy("0");
    return text_copy(strcmp(proto, "HTTP/1.0") == 0 ? "1" : proto + strlen("HTTP/"));
}

#define VALUE(function, expression)                 \
    static char *function(const struct transfer *t) \
    {                                               \
        return expression;                          \
    }

VALUE(certs, ((void)t, text_copy("")))
VALUE(content_type, t->result.head ? head_field(t->result.head, "Content-Type") : NULL)
VALUE(errormsg, t->result.message[0] ? copy(t->result.message) : NULL)
VALUE(exitcode, number(t->result.status))
VALUE(filename_effective, copy(t->sink.path))
VALUE(response_code, number(t->result.response_code))
VALUE(http_connect, number(t->result.connect_code))
VALUE(http_version, version_of(t->result.proto))
VALUE(local_ip, host_of(t->result.local))
VALUE(local_port, port_of(t->result.local))
VALUE(method, copy(t->result.method))
VALUE(num_connects, number(t->result.connects))
VALUE(num_redirects, number(t->result.redirects))
VALUE(nothing, ((void)t, number(0)))
VALUE(null, ((void)t, NULL))
VALUE(redirect_url, copy(t->result.redirect_url))
VALUE(referer, copy(t->result.referer))
VALUE(remote_ip, host_of(t->result.remote))
VALUE(remote_port, port_of(t->result.remote))
VALUE(size_download, number(t->result.downloaded))
VALUE(size_header, number(t->result.header_bytes))
VALUE(size_request, number(t->result.request_bytes))
VALUE(size_upload, number(t->result.uploaded))
VALUE(speed_download, speed(t, t->result.downloaded))
VALUE(speed_upload, speed(t, t->result.uploaded))
VALUE(ssl_verify_result, number(t->result.tls && !t->result.verified))
VALUE(time_appconnect, seconds(t, t->result.tls_connected))
VALUE(time_connect, seconds(t, t->result.connected))
VALUE(time_namelookup, seconds(t, t->result.name_looked_up))
VALUE(time_pretransfer, seconds(t, t->result.sent))
VALUE(time_redirect, seconds(t, t->result.redirects > 0 ? t->result.hop_started : 0))
VALUE(time_starttransfer, seconds(t, t->result.first_byte))
VALUE(time_total, seconds(t, t->result.ended))
VALUE(url, copy(t->operation->url))
VALUE(url_effective, copy(t->result.url ? t->result.url : t->url))
VALUE(urlnum, number((int64_t)t->operation->url_number))
VALUE(ferry_version_text, ((void)t, copy(ferry_version())))
VALUE(conn_id, number((int64_t)t->result.connection))
VALUE(conn_reused, copy(t->result.connection_requests > 0 ? "true" : "false"))
VALUE(conn_kept, copy(t->result.put_result == FERRY_PUT_OK ? "true" : "false"))
VALUE(conn_fate,
      copy(t->result.put_result < 0 ? NULL : ferry_put_result_string(t->result.put_result)))

static const struct {
    const char *name;
    bool is_text;
    value_fn *value;
} variables[] = {
    {"certs", true, certs},
    {"content_type", true, content_type},
    {"errormsg", true, errormsg},
    {"exitcode", false, exitcode},
    {"filename_effective", true, filename_effective},
    {"ftp_entry_path", true, null},
    {"http_code", false, response_code},
    {"http_connect", false, http_connect},
    {"http_version", true, http_version},
    {"local_ip", true, local_ip},
    {"local_port", false, local_port},
    {"method", true, method},
    {"num_certs", false, nothing},
    {"num_connects", false, num_connects},
    {"num_headers", false, count_fields},
    {"num_redirects", false, num_redirects},
    {"proxy_ssl_verify_result", false, nothing},
    {"redirect_url", true, redirect_url},
    {"referer", true, referer},
    {"remote_ip", true, remote_ip},
    {"remote_port", false, remote_port},
    {"response_code", false, response_code},
    {"scheme", true, scheme_of},
    {"size_download", false, size_download},
    {"size_header", false, size_header},
    {"size_request", false, size_request},
    {"size_upload", false, size_upload},
    {"speed_download", false, speed_download},
    {"speed_upload", false, speed_upload},
    {"ssl_verify_result", false, ssl_verify_result},
    {"time_appconnect", false, time_appconnect},
    {"time_connect", false, time_connect},
    {"time_namelookup", false, time_namelookup},
    {"time_pretransfer", false, time_pretransfer},
    {"time_redirect", false, time_redirect},
    {"time_starttransfer", false, time_starttransfer},
    {"time_total", false, time_total},
    {"url", true, url},
    {"url_effective", true, url_effective},
    {"urlnum", false, urlnum},
    {"conn_id", false, conn_id},
    {"conn_reused", false, conn_reused},
    {"conn_kept", false, conn_kept},
    {"conn_fate", true, conn_fate},
    {"ferry_version", true, ferry_version_text},
};

bool write_out_variable(const struct transfer *transfer, size_t number,
                        struct write_out_value *value)
{
    if (number >= sizeof variables / sizeof *variables)
        return false;
    value->name = variables[number].name;
    value->is_text = variables[number].is_text;
    value->text = transfer ? variables[number].value(transfer) : NULL;
    return true;
}
