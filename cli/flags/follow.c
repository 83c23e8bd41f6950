/*
 * follow.c: flags about redirects, cookies, failures and trying again.
 */
#include "flags/rows.h"

#include <stdlib.h>

#include "flags/values.h"

static enum flag_word take_max_redirects(struct run_config *run, const char *value,
                                         const char **why)
{
    *why = "a whole number, or -1 for no limit";
    if (value[0] == '-' && value[1] == '1' && value[2] == '\0') {
        run->last->max_redirects = -1;
        return FLAG_FINE;
    }
    return value_number(value, &run->last->max_redirects) ? FLAG_FINE : FLAG_BAD;
}

static enum flag_word take_location_trusted(struct run_config *run, const char *value,
                                            const char **why)
{
    (void)value;
    (void)why;
    run->last->location = true;
    run->last->location_trusted = true;
    return FLAG_FINE;
}

const struct flag flags_follow[] = {
    {"location", 'L', FLAG_SWITCH, AT(location), .in = IN_HTTP | IN_IMPORTANT,
     .help = "follow redirects",
     .more = "A 301, 302 or 303 to a POST is followed by a GET, as browsers do. Credentials and "
             "cookies given here go to other hosts only with --location-trusted.",
     .example = "-L https://example.com/"},
    {"location-trusted", 0, FLAG_DOES, .take = take_location_trusted, .in = IN_HTTP | IN_AUTH,
     .help = "follow redirects, and send credentials to whatever host they lead to"},
    {"max-redirs", 0, FLAG_TAKES, .take = take_max_redirects, .in = IN_HTTP, .argument = "NUMBER",
     .help = "follow no more redirects than this; 50 unless said, -1 for any number"},
    {"post301", 0, FLAG_SWITCH, AT(post301), .in = IN_HTTP | IN_POST,
     .help = "with -L: a POST stays a POST after 301"},
    {"post302", 0, FLAG_SWITCH, AT(post302), .in = IN_HTTP | IN_POST,
     .help = "with -L: a POST stays a POST after 302"},
    {"post303", 0, FLAG_SWITCH, AT(post303), .in = IN_HTTP | IN_POST,
     .help = "with -L: a POST stays a POST after 303"},
    {"proto", 0, FLAG_TEXT, AT(protocols), .in = IN_CONNECTION | IN_CURL, .argument = "PROTOCOLS",
     .help = "allow only these: =https, or -http to take one away",
     .example = "--proto =https https://example.com/"},
    {"proto-redir", 0, FLAG_TEXT, AT(redirect_protocols), .in = IN_CONNECTION | IN_CURL,
     .argument = "PROTOCOLS", .help = "allow only these in redirects",
     .example = "--proto-redir =https -L https://example.com/"},
    {"proto-default", 0, FLAG_TEXT, AT(default_protocol), .in = IN_CONNECTION | IN_CURL,
     .argument = "PROTOCOL", .help = "what a URL without a scheme means: http unless said",
     .example = "--proto-default https example.com"},
    {"disallow-username-in-url", 0, FLAG_SWITCH, AT(disallow_user), .in = IN_CURL | IN_HTTP,
     .help = "refuse URLs with user and password in them"},
    {"cookie", 'b', FLAG_LIST, AT(cookies), .in = IN_HTTP | IN_IMPORTANT, .argument = "DATA|FILE",
     .help = "send these cookies (a=1; b=2), or those in a file",
     .more = "What has a \"=\" in it is cookies, anything else a file in Netscape's format; with a "
             "file (\"\" will do) cookies that servers set are sent back, too.",
     .example = "-b session=42 https://example.com/"},
    {"cookie-jar", 'c', FLAG_TEXT, AT(cookie_jar), .in = IN_HTTP, .argument = "FILE",
     .help = "keep cookies, and write them to this file at the end; - is standard output",
     .example = "-b jar -c jar https://example.com/"},
    {"junk-session-cookies", 'j', FLAG_SWITCH, AT(junk_session_cookies), .in = IN_HTTP,
     .help = "with -b FILE: leave out cookies that end with their session"},
    {"hsts", 0, FLAG_TEXT, AT(hsts), .in = IN_HTTP, .argument = "FILE",
     .help = "know hosts that want https, from and into this file",
     .example = "--hsts hosts http://example.com/"},
    {"fail", 'f', FLAG_SWITCH, AT(fail), .in = IN_HTTP | IN_IMPORTANT,
     .help = "a status of 400 or more is a failure (22), its body not printed"},
    {"fail-with-body", 0, FLAG_SWITCH, AT(fail_with_body), .in = IN_HTTP | IN_OUTPUT,
     .help = "the same, with its body"},
    {"fail-early", 0, FLAG_SWITCH, AT_RUN(fail_early), .in = IN_CURL,
     .help = "with several URLs: stop at the first failure"},
    {"retry", 0, FLAG_NUMBER, AT(retry), .in = IN_CURL | IN_IMPORTANT, .argument = "NUMBER",
     .help = "try so many times again after failures that may pass",
     .more =
         "These are timeouts, names that are not found, and the statuses 408, 429, 500, 502, "
         "503 and 504. The wait is what Retry-After asks for, else 1 second, then twice as long "
         "each time.",
     .example = "--retry 3 https://example.com/"},
    {"retry-all-errors", 0, FLAG_SWITCH, AT(retry_all_errors), .in = IN_CURL,
     .help = "with --retry: after any failure"},
    {"retry-connrefused", 0, FLAG_SWITCH, AT(retry_connection_refused), .in = IN_CURL,
     .help = "with --retry: also if the connection is refused"},
    {"retry-delay", 0, FLAG_SECONDS, AT(retry_delay_ms), .in = IN_CURL, .argument = "SECONDS",
     .help = "with --retry: always wait so long"},
    {"retry-max-time", 0, FLAG_SECONDS, AT(retry_max_time_ms), .in = IN_CURL, .argument = "SECONDS",
     .help = "with --retry: do not begin another try after so long"},
    LAST_ROW,
};
