/*
 * request.c: flags that make the request: method, fields, body, and the conditions it is under.
 */
#include "flags/rows.h"

#include <string.h>

static enum flag_word added(bool fine)
{
    return fine ? FLAG_FINE : FLAG_NO_MEMORY;
}

static enum flag_word take_data(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return added(config_add_data(run->last, DATA_TEXT, value));
}

static enum flag_word take_data_raw(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return added(config_add_data(run->last, DATA_RAW, value));
}

static enum flag_word take_data_binary(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return added(config_add_data(run->last, DATA_BINARY, value));
}

static enum flag_word take_data_urlencode(struct run_config *run, const char *value,
                                          const char **why)
{
    (void)why;
    return added(config_add_data(run->last, DATA_URLENCODE, value));
}

static enum flag_word take_json(struct run_config *run, const char *value, const char **why)
{
    (void)why;
    return added(config_add_data(run->last, DATA_JSON, value));
}

static enum flag_word take_form(struct run_config *run, const char *value, const char **why)
{
    *why = "NAME=CONTENT, such as name=daniel or photo=@me.jpg";
    if (!strchr(value, '='))
        return FLAG_BAD;
    return added(config_add_form(run->last, value, false));
}

static enum flag_word take_form_string(struct run_config *run, const char *value, const char **why)
{
    *why = "NAME=TEXT, such as name=daniel";
    if (!strchr(value, '='))
        return FLAG_BAD;
    return added(config_add_form(run->last, value, true));
}

static enum flag_word take_expect_timeout(struct run_config *run, const char *value,
                                          const char **why)
{
    static const struct flag seconds = {.kind = FLAG_SECONDS, AT(expect_timeout_ms)};
    run->last->has_expect_timeout = true;
    return flag_apply(&seconds, run, value, true, why);
}

static enum flag_word take_http11(struct run_config *run, const char *value, const char **why)
{
    (void)value;
    (void)why;
    run->last->http10 = false;
    return FLAG_FINE;
}

const struct flag flags_request[] = {
    {"request", 'X', FLAG_TEXT, AT(method), .in = IN_CONNECTION | IN_IMPORTANT,
     .argument = "METHOD", .help = "send this method instead of GET, HEAD, POST or PUT",
     .more = "Only the word in the request line changes, not how the body is sent or read: -I is "
             "the way to ask with HEAD. With -L it is sent to every redirect's target as well.",
     .example = "-X DELETE https://example.com/notes/7"},
    {"header", 'H', FLAG_LIST, AT(headers), .in = IN_HTTP | IN_IMPORTANT, .argument = "FIELD",
     .help = "send this header field; @FILE: those in a file",
     .more =
         "\"Name: value\" takes the place of a field that would be sent anyway, \"Name:\" keeps "
         "it from being sent, \"Name;\" sends it without a value. In a file each line is one; "
         "@- reads standard input.",
     .example = "-H 'Accept: application/json' https://example.com/"},
    {"user-agent", 'A', FLAG_TEXT, AT(user_agent), .in = IN_HTTP | IN_IMPORTANT, .argument = "NAME",
     .help = "send this User-Agent instead of ferry/VERSION", .more = "An empty name sends none.",
     .example = "-A 'Mozilla/5.0' https://example.com/"},
    {"referer", 'e', FLAG_TEXT, AT(referer), .in = IN_HTTP, .argument = "URL",
     .help = "send this Referer",
     .more = "With \";auto\" at its end (or as all of it) each redirect that -L follows gets the "
             "URL that led there.",
     .example = "-e 'https://fish.example/;auto' -L https://example.com/"},
    {"data", 'd', FLAG_TAKES, .take = take_data, .in = IN_HTTP | IN_POST | IN_UPLOAD | IN_IMPORTANT,
     .argument = "DATA", .help = "POST this; @FILE: what is in a file, without line ends",
     .more = "Several are joined by \"&\". The type is application/x-www-form-urlencoded unless -H "
             "says another. @- reads standard input. With -G it goes into the URL.",
     .example = "-d name=curl -d tool=cmdline https://example.com/form"},
    {"data-ascii", 0, FLAG_TAKES, .take = take_data, .in = IN_HTTP | IN_POST | IN_UPLOAD,
     .argument = "DATA", .help = "the same as --data"},
    {"data-binary", 0, FLAG_TAKES, .take = take_data_binary, .in = IN_HTTP | IN_POST | IN_UPLOAD,
     .argument = "DATA", .help = "as --data, with a file's bytes just as they are",
     .example = "--data-binary @photo.jpg https://example.com/"},
    {"data-raw", 0, FLAG_TAKES, .take = take_data_raw, .in = IN_HTTP | IN_POST | IN_UPLOAD,
     .argument = "DATA", .help = "as --data, but \"@\" is only a letter",
     .example = "--data-raw '@home' https://example.com/"},
    {"data-urlencode", 0, FLAG_TAKES, .take = take_data_urlencode,
     .in = IN_HTTP | IN_POST | IN_UPLOAD, .argument = "DATA", .help = "as --data, percent-encoded",
     .more = "\"text\" and \"=text\" encode the text; \"name=text\" leaves the name as it is; "
             "\"@file\" and \"name@file\" encode what is in a file.",
     .example = "--data-urlencode 'q=fish & chips' https://example.com/search"},
    {"json", 0, FLAG_TAKES, .take = take_json, .in = IN_HTTP | IN_POST | IN_UPLOAD | IN_IMPORTANT,
     .argument = "DATA", .help = "POST this as JSON; @FILE: what is in a file",
     .more = "Sends Content-Type and Accept as application/json, too. Several are joined without "
             "anything between.",
     .example = "--json '{\"drink\": \"coffee\"}' https://example.com/orders"},
    {"form", 'F', FLAG_TAKES, .take = take_form, .in = IN_HTTP | IN_UPLOAD | IN_IMPORTANT,
     .argument = "NAME=CONTENT",
     .help = "POST a multipart form; @FILE sends a file, <FILE its text",
     .more = "Behind the content may stand ;type=TYPE and ;filename=NAME. Several files for one "
             "name are separated by commas. @- and <- read standard input.",
     .example = "-F profile=@portrait.jpg -F 'text=<bio.txt;type=text/plain' https://example.com/"},
    {"form-string", 0, FLAG_TAKES, .take = take_form_string, .in = IN_HTTP | IN_UPLOAD,
     .argument = "NAME=TEXT", .help = "as --form, with @, < and ; as mere letters"},
    {"form-escape", 0, FLAG_SWITCH, AT(form_escape), .in = IN_HTTP | IN_UPLOAD,
     .help = "write quotes in a form's names as \\\" instead of %22"},
    {"get", 'G', FLAG_SWITCH, AT(get), .in = IN_HTTP | IN_UPLOAD,
     .help = "put what -d has into the URL's query, and GET",
     .example = "-G -d q=kitties -d page=2 https://example.com/search"},
    {"url-query", 0, FLAG_LIST, AT(url_queries), .in = IN_HTTP | IN_POST | IN_UPLOAD,
     .argument = "DATA", .help = "add this to the URL's query, percent-encoded",
     .more = "Written as for --data-urlencode; \"+text\" is added as it is.",
     .example = "--url-query 'name=van Gogh' https://example.com/"},
    {"upload-file", 'T', FLAG_LIST, AT(uploads), .in = IN_UPLOAD | IN_IMPORTANT, .argument = "FILE",
     .help = "PUT this file; - is standard input",
     .more = "A URL that ends in a slash gets the file's name behind it. One -T belongs to one "
             "URL, in order; {a,b} and [1-3] in it stand for several files.",
     .example = "-T report.pdf https://example.com/inbox/"},
    {"head", 'I', FLAG_SWITCH, AT(head), .in = IN_HTTP | IN_IMPORTANT,
     .help = "ask with HEAD, and print the response's head", .example = "-I https://example.com/"},
    {"range", 'r', FLAG_TEXT, AT(range), .in = IN_HTTP, .argument = "RANGE",
     .help = "ask for these bytes only: 0-499, -500, 9500-",
     .more = "Several are separated by commas. A server may send everything all the same.",
     .example = "-r 0-99 https://example.com/"},
    {"time-cond", 'z', FLAG_TEXT, AT(time_condition), .in = IN_HTTP, .argument = "TIME",
     .help = "only if it has changed since this date, or this file's",
     .more = "\"-\" before it turns that round: only if it has not.",
     .example = "-z index.html -o index.html https://example.com/"},
    {"compressed", 0, FLAG_SWITCH, AT(compressed), .in = IN_HTTP | IN_IMPORTANT,
     .help = "ask for a compressed response, and decompress it"},
    {"raw", 0, FLAG_SWITCH, AT(raw), .in = IN_HTTP,
     .help = "the body just as it comes: neither decompressed nor taken out of its chunks"},
    {"request-target", 0, FLAG_TEXT, AT(request_target), .in = IN_HTTP, .argument = "TARGET",
     .help = "send this in the request line instead of the URL's path",
     .example = "--request-target '*' -X OPTIONS https://example.com/"},
    {"ignore-content-length", 0, FLAG_SWITCH, AT(ignore_content_length), .in = IN_HTTP,
     .help = "read the body until the connection ends, whatever length is announced"},
    {"path-as-is", 0, FLAG_SWITCH, AT(path_as_is), .in = IN_CURL,
     .help = "do not work out /../ and /./ in the URL's path",
     .example = "--path-as-is https://example.com/../../etc/passwd"},
    {"http1.0", '0', FLAG_SWITCH, AT(http10), .in = IN_HTTP, .help = "speak HTTP/1.0"},
    {"http1.1", 0, FLAG_DOES, .take = take_http11, .in = IN_HTTP,
     .help = "speak HTTP/1.1, which is what ferry does anyway"},
    {"expect100-timeout", 0, FLAG_TAKES, .take = take_expect_timeout, .in = IN_HTTP,
     .argument = "SECONDS", .help = "how long a big body waits for the server's \"100 Continue\"",
     .more = "1 second unless said. Bodies beyond 1 MiB announce themselves in that way."},
    {"etag-compare", 0, FLAG_TEXT, AT(etag_compare), .in = IN_HTTP, .argument = "FILE",
     .help = "only if it is not what the ETag in this file stands for",
     .example = "--etag-compare tag --etag-save tag -o page https://example.com/"},
    {"etag-save", 0, FLAG_TEXT, AT(etag_save), .in = IN_HTTP, .argument = "FILE",
     .help = "write the response's ETag to this file"},
    LAST_ROW,
};
