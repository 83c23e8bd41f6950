/*
 * tool.c: flags about the command itself, and about what it says.
 */
#include "flags/rows.h"

#include "flags/config_file.h"

static enum flag_word begin_next(struct run_config *run, const char *value, const char **why)
{
    struct config *next = config_new();
    (void)value;
    (void)why;
    if (!next)
        return FLAG_NO_MEMORY;
    run->last->next = next;
    run->last = next;
    return FLAG_FINE;
}

static enum flag_word does_nothing(struct run_config *run, const char *value, const char **why)
{
    (void)run;
    (void)value;
    (void)why;
    return FLAG_FINE;
}

const struct flag flags_tool[] = {
    {"url", 0, FLAG_LIST, AT(urls), .in = IN_CURL, .argument = "URL",
     .help = "what to fetch; as the URL alone"},
    {"next", ':', FLAG_DOES, .take = begin_next, .in = IN_CURL,
     .help = "what follows is another request, with flags of its own",
     .example = "-d one https://example.com/ --next -I https://example.com/"},
    {"config", 'K', FLAG_TAKES, .take = config_file_take, .in = IN_CURL, .argument = "FILE",
     .help = "read flags from this file; - is standard input",
     .more = "A flag a line, without its dashes if you like, its argument behind a blank, = or :, "
             "in quotes if it has blanks; # begins a comment. ~/.ferryrc is read first, unless -q "
             "is the first flag.",
     .example = "-K flags.txt https://example.com/"},
    {"disable", 'q', FLAG_DOES, .take = does_nothing, .in = IN_CURL,
     .help = "as the first flag: do not read ~/.ferryrc"},
    {"globoff", 'g', FLAG_SWITCH, AT(globoff), .in = IN_CURL,
     .help = "{}, [] and their like in URLs are mere letters"},
    {"silent", 's', FLAG_SWITCH, AT_RUN(silent), .in = IN_VERBOSE | IN_IMPORTANT,
     .help = "no progress, no messages"},
    {"show-error", 'S', FLAG_SWITCH, AT_RUN(show_error), .in = IN_CURL | IN_VERBOSE | IN_IMPORTANT,
     .help = "with -s: messages about failures all the same"},
    {"verbose", 'v', FLAG_SWITCH, AT_RUN(verbose), .in = IN_VERBOSE | IN_IMPORTANT,
     .help = "tell on standard error what happens on a request's way",
     .more = "> is what is sent, < what comes, * what ferry does: which connection serves the "
             "request, new or used before, and whether it was kept for the next one, or why not.",
     .example = "-v https://example.com/ https://example.com/"},
    {"trace", 0, FLAG_TEXT, AT_RUN(trace), .in = IN_VERBOSE, .argument = "FILE",
     .help = "write all of it to this file, bytes included; - is standard output"},
    {"trace-ascii", 0, FLAG_TEXT, AT_RUN(trace_ascii), .in = IN_VERBOSE, .argument = "FILE",
     .help = "likewise, without the hexadecimal column"},
    {"trace-time", 0, FLAG_SWITCH, AT_RUN(trace_time), .in = IN_VERBOSE,
     .help = "with -v or --trace: the time before each line"},
    {"stderr", 0, FLAG_TEXT, AT_RUN(stderr_file), .in = IN_VERBOSE, .argument = "FILE",
     .help = "messages go to this file; - is standard output"},
    {"progress-bar", '#', FLAG_SWITCH, AT_RUN(progress_bar), .in = IN_VERBOSE,
     .help = "a bar only, on a terminal"},
    {"no-progress-meter", 0, FLAG_OFF, AT_RUN(no_progress_meter), .in = IN_VERBOSE,
     .help = "no progress, but messages"},
    {"no-styled-output", 0, FLAG_OFF, AT_RUN(no_styled_output), .in = IN_VERBOSE,
     .help = "no bold names in heads on a terminal"},
    {"help", 'h', FLAG_SWITCH, AT_RUN(help), .in = IN_CURL | IN_IMPORTANT,
     .help = "print what is used every day; a category behind it, or \"all\", prints more"},
    {"manual", 'M', FLAG_SWITCH, AT_RUN(manual), .in = IN_CURL,
     .help = "print everything about every flag"},
    {"version", 'V', FLAG_SWITCH, AT_RUN(version), .in = IN_CURL | IN_IMPORTANT,
     .help = "print the version"},
    LAST_ROW,
};
