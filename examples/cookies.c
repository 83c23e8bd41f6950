/*
 * cookies FILE URL...: one visitor, also from one run to the next. The jar is loaded from FILE, in
 * the format that browsers and curl know, keeps what the servers set, gives each request what is
 * for it, and is saved again.
 */
#include <ferry.h>

#include <stdio.h>
#include <unistd.h>

static void show(void *arg, const ferry_cookie *cookie)
{
    (void)arg;
    printf("%s=%s for %s%s%s\n", cookie->name, cookie->value, cookie->domain, cookie->path,
           cookie->secure ? ", https only" : "");
}

static int visit(ferry_client *client, const char *url, ferry_error *err)
{
    ferry_request *req = ferry_request_new("GET", url, err);
    ferry_response *res = req != NULL ? ferry_client_do(client, req, err) : NULL;
    int failed = res != NULL ? 0 : -1;
    ferry_response_close(res);
    ferry_request_free(req);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: cookies FILE URL...\n");
        return 2;
    }
    ferry_error err = {.message = "out of memory"};
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_client *client = ferry_client_new(FERRY_CLIENT_OPTIONS(.cookie_jar = jar));
    int failed = jar == NULL || client == NULL;

    if (!failed && access(argv[1], F_OK) == 0) {
        failed = ferry_cookie_jar_load(jar, argv[1], &err);
    }
    for (int i = 2; !failed && i < argc; i++) {
        failed = visit(client, argv[i], &err);
    }
    if (!failed) {
        ferry_cookie_jar_each(jar, show, NULL);
        failed = ferry_cookie_jar_save(jar, argv[1], &err);
    }
    if (failed) {
        fprintf(stderr, "%s\n", err.message);
    }
    ferry_client_free(client);
    ferry_cookie_jar_free(jar);
    return failed ? 1 : 0;
}
