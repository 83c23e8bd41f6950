/*
 * groups.c: each group of flags gets what its transfers share: a transport (one for all groups
 * whose flags about connections are the same, so that connections are used again), cookies, files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_code.h"
#include "memory.h"
#include "message.h"
#include "prompt.h"
#include "request/fields.h"
#include "transfer/cookies.h"
#include "transfer/run.h"
#include "transfer/transport.h"

static int open_heads(struct run *run, struct group *group)
{
    const char *path = group->config->dump_header;
    if (!path)
        return CLI_OK;
    if (strcmp(path, "-") == 0) {
        group->heads = stdout;
        return CLI_OK;
    }
    bool again = false; /* the file of an earlier group goes on */
    for (struct group *before = run->groups; before < group; before++)
        again |= before->config->dump_header && strcmp(before->config->dump_header, path) == 0;
    group->heads = fopen(path, again ? "a" : "w");
    if (group->heads)
        return CLI_OK;
    complain("(23) cannot write to %s: %s", path, strerror(errno));
    return CLI_WRITE_FAILED;
}

static int open_hsts(struct group *group)
{
    const char *path = group->config->hsts;
    ferry_error err = {0};
    if (!path)
        return CLI_OK;
    group->hsts = ferry_hsts_new();
    if (!group->hsts) {
        complain("(27) out of memory");
        return CLI_NO_MEMORY;
    }
    if (path[0] != '\0' && access(path, R_OK) == 0 && ferry_hsts_load(group->hsts, path, &err) < 0)
        warn("%s", err.message);
    memory_note(&err);
    return CLI_OK;
}

static void share_transport(struct run *run, struct group *group)
{
    for (struct group *before = run->groups; before < group && !group->transport; before++) {
        if (groups_alike(before->config, group->config)) {
            group->transport = before->transport;
            group->shared = true;
        }
    }
}

static int open_group(struct run *run, struct group *group)
{
    int status = prompt_for_passwords((struct config *)group->config);
    if (status == CLI_OK && !fields_expand(&group->config->headers, &group->headers, &status))
        return status;
    share_transport(run, group);
    if (status == CLI_OK && !group->transport)
        status = group_transport(group);
    if (status == CLI_OK)
        status = cookies_open(run, group);
    if (status == CLI_OK)
        status = open_hsts(group);
    return status == CLI_OK ? open_heads(run, group) : status;
}

int groups_open(struct run *run)
{
    int status = CLI_OK;
    size_t count = 1; /* there is always a first */
    for (const struct config *config = run->flags->first->next; config; config = config->next)
        count++;
    run->groups = calloc(count, sizeof *run->groups);
    if (!run->groups) {
        complain("(27) out of memory");
        return CLI_NO_MEMORY;
    }
    struct config *config = run->flags->first;
    for (size_t i = 0; status == CLI_OK && i < count; i++, config = config->next) {
        run->groups[i].config = config;
        run->group_count = i + 1;
        status = open_group(run, &run->groups[i]);
    }
    if (status == CLI_OK && memory_lacked()) { /* without its proxy, perhaps */
        complain("(27) out of memory");
        status = CLI_NO_MEMORY;
    }
    return status;
}

static int close_group(struct run *run, struct group *group)
{
    const char *hsts = group->config->hsts;
    ferry_error err = {0};
    int status = cookies_save(run, group);
    if (group->hsts && hsts[0] != '\0' && ferry_hsts_save(group->hsts, hsts, &err) < 0)
        warn("%s", err.message);
    memory_note(&err);
    bool lost = group->heads && ferror(group->heads);
    if (group->heads && group->heads != stdout && (fclose(group->heads) != 0 || lost)) {
        complain("(23) cannot write to %s: %s", group->config->dump_header, strerror(errno));
        status = CLI_WRITE_FAILED;
    }
    if (!group->shared)
        ferry_transport_free(group->transport);
    ferry_hsts_free(group->hsts);
    free(group->headers.items);
    free(group->set_cookies.items);
    free(group->proxy_fields);
    return status;
}

int groups_close(struct run *run)
{
    int status = CLI_OK;
    for (size_t i = 0; i < run->group_count; i++) {
        int closed = close_group(run, &run->groups[i]);
        status = status == CLI_OK ? closed : status;
    }
    free(run->groups);
    ferry_cookie_jar_free(run->jar);
    return status;
}
