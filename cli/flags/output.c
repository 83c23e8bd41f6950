/*
 * output.c: flags that say where the body goes, and what becomes of the file.
 */
#include "flags/rows.h"

#include <string.h>

#include "flags/values.h"

static enum flag_word take_output(struct run_config *run, const char *value, const char **why)
{
    enum output_kind kind = strcmp(value, "-") == 0 ? OUTPUT_STDOUT : OUTPUT_FILE;
    (void)why;
    return config_add_output(run->last, kind, value) ? FLAG_FINE : FLAG_NO_MEMORY;
}

static enum flag_word take_continue_at(struct run_config *run, const char *value, const char **why)
{
    int64_t offset;
    *why = "a number of bytes, or - for what the file has";
    run->last->continue_at = value;
    return strcmp(value, "-") == 0 || value_number(value, &offset) ? FLAG_FINE : FLAG_BAD;
}

static enum flag_word take_remote_name(struct run_config *run, const char *value, const char **why)
{
    (void)value;
    (void)why;
    return config_add_output(run->last, OUTPUT_REMOTE_NAME, NULL) ? FLAG_FINE : FLAG_NO_MEMORY;
}

const struct flag flags_output[] = {
    {"output", 'o', FLAG_TAKES, .take = take_output, .in = IN_CURL | IN_OUTPUT | IN_IMPORTANT,
     .argument = "FILE", .help = "write the body to this file; - is standard output",
     .more = "One -o belongs to one URL, in order. #1 in the name stands for what the URL's first "
             "{a,b} or [1-9] stands for, #2 for the second.",
     .example = "-o 'page_#1.html' 'https://example.com/[1-9]'"},
    {"remote-name", 'O', FLAG_DOES, .take = take_remote_name, .in = IN_OUTPUT | IN_IMPORTANT,
     .help = "write the body to a file named as in the URL",
     .example = "-O https://example.com/ferry.tar.gz"},
    {"remote-name-all", 0, FLAG_SWITCH, AT(remote_name_all), .in = IN_OUTPUT,
     .help = "-O for every URL that has no -o"},
    {"remote-header-name", 'J', FLAG_SWITCH, AT(remote_header_name), .in = IN_OUTPUT,
     .help = "with -O: the name that Content-Disposition gives; an existing file stays",
     .example = "-OJ https://example.com/download?id=7"},
    {"remote-time", 'R', FLAG_SWITCH, AT(remote_time), .in = IN_OUTPUT,
     .help = "give the file the time of Last-Modified"},
    {"output-dir", 0, FLAG_TEXT, AT(output_directory), .in = IN_CURL | IN_OUTPUT,
     .argument = "DIRECTORY", .help = "where the files of -o and -O go"},
    {"create-dirs", 0, FLAG_SWITCH, AT(create_directories), .in = IN_CURL | IN_OUTPUT,
     .help = "make the directories that -o and --output-dir name"},
    {"remove-on-error", 0, FLAG_SWITCH, AT(remove_on_error), .in = IN_CURL | IN_OUTPUT,
     .help = "remove a file whose transfer failed"},
    {"no-clobber", 0, FLAG_OFF, AT(no_clobber), .in = IN_CURL | IN_OUTPUT,
     .help = "never overwrite a file: add .1, .2 ... to its name"},
    {"skip-existing", 0, FLAG_SWITCH, AT(skip_existing), .in = IN_CURL | IN_OUTPUT,
     .help = "ask for nothing whose file is there already",
     .example = "--skip-existing -O 'https://example.com/[1-100].jpg'"},
    {"continue-at", 'C', FLAG_TAKES, .take = take_continue_at, .in = IN_CONNECTION | IN_OUTPUT,
     .argument = "OFFSET", .help = "go on from this byte; -: from where the file ends",
     .example = "-C - -O https://example.com/big.iso"},
    {"include", 'i', FLAG_SWITCH, AT(include), .in = IN_VERBOSE | IN_IMPORTANT,
     .help = "print the response's head before the body"},
    {"show-headers", 0, FLAG_SWITCH, AT(include), .in = IN_VERBOSE | IN_OUTPUT,
     .help = "another name for --include"},
    {"dump-header", 'D', FLAG_TEXT, AT(dump_header), .in = IN_HTTP | IN_OUTPUT, .argument = "FILE",
     .help = "write the heads of the responses to this file; - is standard output"},
    {"no-buffer", 'N', FLAG_OFF, AT(no_buffer), .in = IN_CURL | IN_OUTPUT,
     .help = "write what comes at once, which is what ferry does anyway"},
    {"xattr", 0, FLAG_SWITCH, AT(xattr), .in = IN_MISC | IN_OUTPUT,
     .help = "keep URL and type in the file's extended attributes"},
    {"write-out", 'w', FLAG_TEXT, AT(write_out), .in = IN_VERBOSE | IN_IMPORTANT,
     .argument = "FORMAT",
     .help = "print this after each transfer: %{http_code}, %{time_total} and more",
     .more = "Variables are curl's, %{json} is all of them, %header{name} a field of the response, "
             "%{stderr} sends the rest to standard error; %{conn_id}, %{conn_reused}, %{conn_kept} "
             "are ferry's own. @FILE reads the format from a file. `ferry help write-out` lists "
             "them.",
     .example = "-s -o /dev/null -w '%{http_code} in %{time_total} s\\n' https://example.com/"},
    LAST_ROW,
};
