/*
 * connection.c: flags about connections, and about limits on what is done over them.
 */
#include "flags/rows.h"

#include "flags/values.h"

static enum flag_word take_rate(struct run_config *run, const char *value, const char **why)
{
    int64_t ms;
    *why = "a number, or a number in a time: 2/s, 10/m, 100/h, 5/d";
    run->rate = value;
    return value_rate(value, &ms) ? FLAG_FINE : FLAG_BAD;
}

static enum flag_word take_happy_eyeballs(struct run_config *run, const char *value,
                                          const char **why)
{
    *why = "a whole number of milliseconds";
    return value_number(value, &run->last->happy_eyeballs_ms) ? FLAG_FINE : FLAG_BAD;
}

const struct flag flags_connection[] = {
    {"resolve", 0, FLAG_LIST, AT(resolve), .in = IN_CONNECTION | IN_DNS,
     .argument = "HOST:PORT:ADDRESS[,ADDRESS]...", .help = "that host and port are here",
     .example = "--resolve example.com:443:127.0.0.1 https://example.com/"},
    {"connect-to", 0, FLAG_LIST, AT(connect_to), .in = IN_CONNECTION,
     .argument = "HOST1:PORT1:HOST2:PORT2", .help = "connect to the second instead of the first",
     .more = "What is left empty stands for any host or port, or for the same one.",
     .example = "--connect-to example.com:443:test.example.net:8443 https://example.com/"},
    {"unix-socket", 0, FLAG_TEXT, AT(unix_socket), .in = IN_CONNECTION | IN_IMPORTANT,
     .argument = "PATH", .help = "connect to this Unix socket, whatever the URL's host",
     .example = "--unix-socket /run/docker.sock http://localhost/version"},
    {"abstract-unix-socket", 0, FLAG_TEXT, AT(abstract_unix_socket), .in = IN_CONNECTION,
     .argument = "NAME", .help = "connect to this abstract Unix socket"},
    {"ipv4", '4', FLAG_SETS, AT(ip_version), .value = 4, .in = IN_CONNECTION | IN_DNS,
     .help = "use IPv4 addresses of names only"},
    {"ipv6", '6', FLAG_SETS, AT(ip_version), .value = 6, .in = IN_CONNECTION | IN_DNS,
     .help = "use IPv6 addresses of names only"},
    {"interface", 0, FLAG_TEXT, AT(interface), .in = IN_CONNECTION, .argument = "NAME|ADDRESS",
     .help = "connect from this interface or address",
     .example = "--interface eth0 https://example.com/"},
    {"local-port", 0, FLAG_TEXT, AT(local_port), .in = IN_CONNECTION, .argument = "PORT[-PORT]",
     .help = "connect from this port, or one of these"},
    {"connect-timeout", 0, FLAG_SECONDS, AT(connect_timeout_ms), .in = IN_CONNECTION,
     .argument = "SECONDS", .help = "give up on connecting after this"},
    {"max-time", 'm', FLAG_SECONDS, AT(max_time_ms), .in = IN_CONNECTION | IN_IMPORTANT,
     .argument = "SECONDS", .help = "give each transfer no more time than this, such as 10 or 0.5",
     .example = "-m 2.5 https://example.com/slow"},
    {"happy-eyeballs-timeout-ms", 0, FLAG_TAKES, .take = take_happy_eyeballs, .in = IN_CONNECTION,
     .argument = "MILLISECONDS", .help = "the start that one address has before the next is tried"},
    {"keepalive-time", 0, FLAG_SECONDS, AT(keep_alive_ms), .in = IN_CONNECTION,
     .argument = "SECONDS", .help = "time between TCP's keep-alive probes"},
    {"no-keepalive", 0, FLAG_OFF, AT(no_keep_alive), .in = IN_CONNECTION,
     .help = "no TCP keep-alive probes"},
    {"no-tcp-nodelay", 0, FLAG_OFF, AT(delay_small_writes), .in = IN_CONNECTION,
     .help = "without TCP_NODELAY: small pieces may wait to be sent together"},
    {"limit-rate", 0, FLAG_BYTES, AT(limit_rate), .in = IN_CONNECTION, .argument = "SPEED",
     .help = "bytes a second, at most: 200k",
     .example = "--limit-rate 1M -O https://example.com/big"},
    {"max-filesize", 0, FLAG_BYTES, AT(max_filesize), .in = IN_CONNECTION, .argument = "BYTES",
     .help = "refuse bodies that are longer (63)"},
    {"speed-limit", 'Y', FLAG_BYTES, AT(speed_limit), .in = IN_CONNECTION, .argument = "BYTES",
     .help = "give up if it is slower than this, a second, for --speed-time"},
    {"speed-time", 'y', FLAG_SECONDS, AT(speed_time_ms), .in = IN_CONNECTION, .argument = "SECONDS",
     .help = "for so long; 30 unless said"},
    {"parallel", 'Z', FLAG_SWITCH, AT_RUN(parallel), .in = IN_CONNECTION | IN_CURL | IN_IMPORTANT,
     .help = "do all transfers at once, up to --parallel-max",
     .more = "Each is a task; all of them share one thread and one pool of connections.",
     .example = "-Z -O 'https://example.com/file[1-100]'"},
    {"parallel-max", 0, FLAG_NUMBER, AT_RUN(parallel_max), .in = IN_CONNECTION | IN_CURL,
     .argument = "NUMBER", .help = "with -Z: how many at once; 50 unless said"},
    {"parallel-immediate", 0, FLAG_SWITCH, AT_RUN(parallel_immediate),
     .in = IN_CONNECTION | IN_CURL,
     .help = "with -Z: new connections rather than waiting for others'; ferry never waits"},
    {"rate", 0, FLAG_TAKES, .take = take_rate, .in = IN_CONNECTION, .argument = "RATE",
     .help = "begin no more transfers than this, one after the other: 2/s, 100/h"},
    LAST_ROW,
};
