/*
 * form URL NAME=VALUE|NAME=@FILE|NAME=-...: POSTs a form as a browser does, with files in it. Files
 * are read while they are sent, so their size is no matter. NAME=- is what comes on standard input:
 * a function gives its bytes, and since nobody knows how many there are the form goes out chunked.
 */
#include <ferry.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The next bytes of standard input. It cannot be rewound, so this form can be sent only once. */
static ssize_t read_input(void *arg, void *buf, size_t len)
{
    ssize_t got;
    (void)arg;
    do {
        got = read(STDIN_FILENO, buf, len);
    } while (got < 0 && errno == EINTR);
    return got; /* -1 leaves errno, which becomes part of the error */
}

/* Adds what an argument says; 0, or -1. */
static int add(ferry_form *form, char *argument, ferry_error *err)
{
    char *value = strchr(argument, '=');
    if (value == NULL) {
        snprintf(err->message, sizeof err->message, "%.100s: NAME=VALUE is wanted", argument);
        return -1;
    }
    *value++ = '\0';
    if (strcmp(value, "-") == 0) {
        return ferry_form_add_reader(form, argument, read_input, NULL, NULL, -1, "input",
                                     "application/octet-stream", err);
    }
    if (value[0] == '@') {
        return ferry_form_add_file(form, argument, value + 1, NULL, NULL, err);
    }
    return ferry_form_add_text(form, argument, value, err);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: form URL NAME=VALUE|NAME=@FILE|NAME=-...\n");
        return 2;
    }
    ferry_error err;
    ferry_request *req = NULL;
    ferry_response *res = NULL;
    ferry_form *form = ferry_form_new(&err);
    int failed = form == NULL;

    for (int i = 2; i < argc && !failed; i++) {
        failed = add(form, argv[i], &err) != 0;
    }
    if (!failed) {
        req = ferry_request_new("POST", argv[1], &err);
    }
    if (req != NULL) {
        ferry_request_set_form(req, form); /* if it is refused, the send says so */
        res = ferry_client_do(NULL, req, &err);
    }
    int status = res != NULL ? ferry_response_status(res) : 0;
    if (res == NULL || ferry_response_save(res, STDOUT_FILENO, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        status = 0;
    }
    ferry_response_close(res);
    ferry_request_free(req);
    ferry_form_free(form); /* after the request that has it */
    return status >= 200 && status < 300 ? 0 : 1;
}
