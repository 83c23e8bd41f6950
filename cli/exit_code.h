/*
 * exit_code.h: what the command's exit status says. The numbers are curl's (its manual page, EXIT
 * CODES), since scripts know them.
 */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

#include <ferry.h>

enum cli_exit {
    CLI_OK = 0,
    CLI_PROTOCOL = 1, /* a scheme that is not spoken, or not allowed */
    CLI_FAILED = 1,   /* ferry lab: a request failed, or the experiment did not come out clean */
    CLI_USAGE = 2,    /* the command line */
    CLI_URL = 3,
    CLI_PROXY_NOT_FOUND = 5,
    CLI_PARTIAL = 18,
    CLI_STATUS = 22,       /* -f, and the status is 400 or more */
    CLI_WRITE_FAILED = 23, /* the body could not be written where it should go */
    CLI_READ_FAILED = 26,  /* what is to be sent could not be read */
    CLI_NO_MEMORY = 27,
    CLI_TIMEOUT = 28,
    CLI_WEIRD = 8,  /* what came is not HTTP */
    CLI_RANGE = 33, /* the server does not go on where it was asked to */
    CLI_RESUME = 36,
    CLI_INTERFACE = 45,
    CLI_REDIRECTS = 47,
    CLI_SETTING = 49, /* --resolve or --connect-to cannot be read */
    CLI_RECEIVE_FAILED = 56,
    CLI_CERTIFICATE = 58, /* our own */
    CLI_CIPHER = 59,
    CLI_CODING = 61, /* a content coding that is broken or unknown */
    CLI_TOO_BIG = 63,
    CLI_REWIND = 65,
    CLI_LOGIN = 67,
    CLI_CA_FILE = 77,
    CLI_CRL_FILE = 82,
    CLI_PINNED = 90,
    CLI_STAPLED = 91 /* the stapled OCSP response */
};

/* The exit status for a request that failed with err. */
int cli_exit_code(const ferry_error *err);

/* Likewise, where the library's code alone does not tell curl's numbers apart: by its sentence. */
int exit_code_of(const ferry_error *err);

/* What to do about it, for the end of the sentence; NULL: the error says it all. */
const char *cli_exit_hint(int status);

#endif
