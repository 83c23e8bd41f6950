/*
 * lab_table.c: the rows of the experiment, and what they teach. Everything here is known before a
 * request is sent; the reasons are printed only beside figures that bear them out.
 */
#include <stdio.h>

#include "lab.h"

const char *const lab_body_names[] = {"sized", "chunked", "big", "empty", "conn-close", NULL};
const char *const lab_read_names[] = {"none", "some", "exact", "all", NULL};

#define READ(how) (1u << LAB_READ_##how)
#define ANY_BUT_EXACT (READ(NONE) | READ(SOME) | READ(ALL))
#define ANY (ANY_BUT_EXACT | READ(EXACT))

/* The whole table: each group with every way of reading, closed or not. Reading exactly as much
 * as was announced is worth a row where it differs from reading to the end in what a program
 * does, and possible only where a length is announced. */
struct group {
    enum lab_body body;
    int hosts;
    unsigned reads;    /* in the table */
    unsigned possible; /* if asked for */
};

static const struct group groups[] = {
    {LAB_SIZED, 1, ANY, ANY},         {LAB_CHUNKED, 1, ANY_BUT_EXACT, ANY_BUT_EXACT},
    {LAB_BIG, 1, ANY_BUT_EXACT, ANY}, {LAB_EMPTY, 1, ANY_BUT_EXACT, ANY},
    {LAB_CONN_CLOSE, 1, ANY, ANY},    {LAB_SIZED, 2, ANY, ANY},
};
static const struct group url_group = {LAB_URL, 1, ANY, ANY};

/* A choice of body without one of hosts means one host. Any number of hosts stands in for the
 * two of the table. */
static bool is_chosen(const struct group *group, const struct lab_choices *choices)
{
    if (choices->body < 0 && choices->hosts < 0)
        return true;
    if (choices->body < 0)
        return (group->hosts > 1) == (choices->hosts > 1);
    return group->hosts == 1 && group->body == (enum lab_body)choices->body;
}

static size_t add_group(const struct group *group, const struct lab_choices *choices,
                        struct lab_line *lines)
{
    size_t count = 0;
    unsigned reads = choices->body >= 0 && choices->read >= 0 ? group->possible : group->reads;
    for (int read = 0; read < LAB_READS; read++) {
        if (!(reads & (1u << read)) || (choices->read >= 0 && choices->read != read))
            continue;
        for (int closed = 0; closed <= 1; closed++) {
            if (choices->closed >= 0 && choices->closed != closed)
                continue;
            lines[count++] = (struct lab_line){
                .row = {.body = group->body,
                        .read = (enum lab_read)read,
                        .closed = closed != 0,
                        .hosts = choices->hosts > 0 ? choices->hosts : group->hosts,
                        .num = choices->num},
            };
        }
    }
    return count;
}

size_t lab_choose(const struct lab_choices *choices, struct lab_line lines[LAB_MAX_ROWS])
{
    if (choices->url)
        return add_group(&url_group, choices, lines);
    size_t count = 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (is_chosen(&groups[i], choices))
            count += add_group(&groups[i], choices, lines + count);
    return count;
}

enum lab_outcome lab_outcome(const struct lab_row *row, const struct lab_result *result)
{
    uint64_t num = (uint64_t)row->num;
    uint64_t hosts = (uint64_t)(row->hosts < row->num ? row->hosts : row->num);
    if (result->connections == 0)
        return LAB_GONE;
    if (result->connections == num && result->open_responses == num && result->idle == 0)
        return LAB_LEAKED;
    if (result->connections == hosts && result->idle == hosts)
        return LAB_POOLED;
    return LAB_MIXED;
}

/* The surprising rows. A reason is given only if the outcomes, where they were run, are these. */
struct reason {
    enum lab_body body;
    unsigned reads;
    bool closed;
    bool many_hosts;
    enum lab_outcome outcome[LAB_DRAINS];
    const char *text;
};

static const struct reason reasons[] = {
    {LAB_SIZED,
     READ(NONE),
     false,
     false,
     {LAB_LEAKED, LAB_LEAKED},
     "not closed: each response holds a connection and its two loops, for good"},
    {LAB_SIZED,
     READ(NONE),
     true,
     false,
     {LAB_GONE, LAB_POOLED},
     "closed early: discarding costs a connection each time, draining keeps it"},
    {LAB_SIZED,
     READ(EXACT),
     false,
     false,
     {LAB_POOLED, LAB_POOLED},
     "the last announced byte is the end: no read that returns 0 is needed"},
    {LAB_SIZED,
     READ(ALL),
     false,
     false,
     {LAB_POOLED, LAB_POOLED},
     "the end gave the connection back: the sloppy program gets away with it"},
    {LAB_CHUNKED,
     READ(SOME),
     false,
     false,
     {LAB_LEAKED, LAB_LEAKED},
     "ten bytes do not help: the last chunk is still to be read"},
    {LAB_BIG,
     READ(NONE),
     true,
     false,
     {LAB_GONE, LAB_GONE},
     "10 MiB are more than draining is good for: the connection goes either way"},
    {LAB_EMPTY,
     READ(NONE),
     false,
     false,
     {LAB_POOLED, LAB_POOLED},
     "no body to wait for: the connection was back before the response was out"},
    {LAB_CONN_CLOSE,
     READ(NONE),
     false,
     false,
     {LAB_LEAKED, LAB_LEAKED},
     "the server has closed long since; what is unread holds on all the same"},
    {LAB_CONN_CLOSE,
     READ(ALL),
     false,
     false,
     {LAB_GONE, LAB_GONE},
     "not closed, yet no leak: the end of the body was the end of the connection"},
    {LAB_SIZED,
     READ(ALL),
     false,
     true,
     {LAB_POOLED, LAB_POOLED},
     "a connection for each host: two loops apiece, and main"},
};

static bool bears_out(const struct lab_line *line, const struct reason *reason)
{
    for (int drain = 0; drain < LAB_DRAINS; drain++)
        if (line->ran[drain] &&
            lab_outcome(&line->row, &line->result[drain]) != reason->outcome[drain])
            return false;
    return true;
}

const char *lab_reason(const struct lab_line *line)
{
    const struct lab_row *row = &line->row;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        const struct reason *reason = &reasons[i];
        if (reason->body == row->body && (reason->reads & (1u << row->read)) &&
            reason->closed == row->closed && reason->many_hosts == (row->hosts > 1) &&
            row->num > row->hosts && bears_out(line, reason))
            return reason->text;
    }
    return NULL;
}

const char *lab_describe_body(const struct lab_row *row, char *buf, size_t size)
{
    static const char *const descriptions[] = {
        [LAB_SIZED] = "1000 bytes, sized",
        [LAB_CHUNKED] = "2 x 1000, chunked",
        [LAB_BIG] = "10 MiB",
        [LAB_EMPTY] = "empty",
        [LAB_CONN_CLOSE] = "1000 bytes, close",
        [LAB_URL] = "the URL's",
    };
    if (row->hosts == 1)
        return descriptions[row->body];
    snprintf(buf, size, "%s, %d hosts",
             row->body == LAB_SIZED ? "1000 bytes" : lab_body_names[row->body], row->hosts);
    return buf;
}
