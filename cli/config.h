/*
 * config.h: what the command line says, as the flags' table puts it. `--next` begins another group
 * of flags with the defaults again; what holds for the whole run stands in struct run_config. All
 * texts belong to argv or to the words kept by flags/words.h, and last as long as the command.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a flag that may be repeated has been given, in order. */
struct texts {
    const char **items;
    size_t count;
};

/* Where the body of the URL of the same number goes. */
enum output_kind { OUTPUT_STDOUT, OUTPUT_FILE, OUTPUT_REMOTE_NAME };

struct output_choice {
    enum output_kind kind;
    const char *file; /* OUTPUT_FILE: a name, with "#1" for what a glob stood for */
};

/* A piece of a -d body, in the way that its flag has it. */
enum data_kind { DATA_TEXT, DATA_RAW, DATA_BINARY, DATA_URLENCODE, DATA_JSON };

struct data_piece {
    enum data_kind kind;
    const char *text;
};

struct form_piece {
    const char *text;
    bool literal; /* --form-string: '@', '<' and ';' mean nothing */
};

enum auth_kind { AUTH_BASIC, AUTH_DIGEST, AUTH_ANY };

/* Of a host, and of a proxy. */
struct tls_config {
    const char *ca_file, *ca_directory, *crl_file;
    const char *certificate; /* FILE[:password] */
    const char *certificate_type, *key_type;
    const char *key, *key_password;
    const char *pinned_keys;
    const char *ciphers, *cipher_suites;
    int min_version, max_version; /* enum ferry_tls_version; 0: ferry's own */
    const char *groups;           /* --curves */
    bool insecure, require_status;
};

/* One group of flags. Durations in milliseconds, 0: not set; sizes in bytes, 0: not set. */
struct config {
    struct texts urls;
    struct output_choice *outputs;
    size_t output_count;
    struct texts uploads;

    /* The request. */
    const char *method;
    struct texts headers;
    const char *user_agent; /* NULL: ferry's own; "": none */
    const char *referer;
    struct data_piece *data;
    size_t data_count;
    struct form_piece *form;
    size_t form_count;
    bool form_escape;
    struct texts url_queries;
    bool get, head;
    const char *range, *continue_at, *time_condition, *request_target;
    bool compressed, http10, path_as_is, raw;
    int64_t expect_timeout_ms;
    bool has_expect_timeout;

    /* Following. */
    bool location, location_trusted, post301, post302, post303;
    int64_t max_redirects; /* -1: no limit */
    const char *protocols, *redirect_protocols, *default_protocol;
    bool disallow_user;

    /* Cookies, HSTS. */
    struct texts cookies;
    const char *cookie_jar, *hsts;
    bool junk_session_cookies;

    /* Credentials. */
    const char *user, *bearer;
    int auth; /* enum auth_kind */
    bool netrc, netrc_optional;
    const char *netrc_file;

    /* TLS. */
    struct tls_config tls, proxy_tls;
    bool no_alpn, no_session_id;

    /* Proxies. */
    const char *proxy, *proxy_user, *no_proxy;
    int proxy_auth; /* enum auth_kind */
    bool proxy_tunnel, no_connect_heads;
    struct texts proxy_headers;

    /* Connections. */
    struct texts resolve, connect_to;
    const char *unix_socket, *abstract_unix_socket, *interface, *local_port;
    int ip_version; /* 4, 6; 0: both */
    int64_t connect_timeout_ms, keep_alive_ms, happy_eyeballs_ms;
    bool no_keep_alive, delay_small_writes, haproxy_protocol, ignore_content_length;

    /* Limits. */
    int64_t max_time_ms, limit_rate, max_filesize, speed_limit, speed_time_ms;
    bool fail, fail_with_body;
    int64_t retry, retry_delay_ms, retry_max_time_ms;
    bool retry_all_errors, retry_connection_refused;

    /* Output. */
    bool include, remote_header_name, remote_name_all, remote_time, create_directories;
    bool remove_on_error, no_clobber, skip_existing, no_buffer, xattr, globoff;
    const char *output_directory, *dump_header, *write_out, *etag_save, *etag_compare;

    struct config *next; /* the group after --next */
};

/* What holds for the whole run, in whichever group it was said. */
struct run_config {
    bool silent, show_error, verbose, progress_bar, no_progress_meter, fail_early, parallel,
        parallel_immediate, trace_time, no_styled_output;
    int64_t parallel_max; /* 0: 50 */
    const char *trace, *trace_ascii, *stderr_file, *rate;
    bool help, version, manual; /* asked for instead of a transfer */
    const char *help_topic;
    bool unreadable; /* a -K file could not be opened: that has an exit status of its own */

    struct config *first; /* the groups */
    struct config *last;  /* what flags go into */
};

/* The defaults; and with everything that belongs to it freed. config_new() is NULL when out of
 * memory. */
struct config *config_new(void);
void config_free_all(struct config *first);

/* Each appends one, and is false when out of memory. */
bool texts_add(struct texts *texts, const char *text);
bool config_add_output(struct config *config, enum output_kind kind, const char *file);
bool config_add_data(struct config *config, enum data_kind kind, const char *text);
bool config_add_form(struct config *config, const char *text, bool literal);

#endif
