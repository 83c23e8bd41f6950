/*
 * exit_code.c: from ferry's error codes to exit statuses. The numbers are curl's (its manual page,
 * EXIT CODES): 3 is a malformed URL there too.
 */
#include "exit_code.h"

static const int exit_codes[] = {
    [FERRY_EINVAL] = 43,        /* a bad argument inside the program */
    [FERRY_ENOMEM] = 27,        /* out of memory */
    [FERRY_EURL] = 3,           /* malformed URL */
    [FERRY_ESCHEME] = 1,        /* unsupported protocol */
    [FERRY_ERESOLVE] = 6,       /* host not resolved */
    [FERRY_ECONNECT] = 7,       /* failed to connect */
    [FERRY_ETIMEOUT] = 28,      /* timeout */
    [FERRY_ECANCELED] = 42,     /* aborted */
    [FERRY_EPROTOCOL] = 8,      /* the server's reply is not HTTP */
    [FERRY_ETOOBIG] = 100,      /* a limit was passed */
    [FERRY_ETRUNCATED] = 18,    /* only a part of the body came */
    [FERRY_ESERVERCLOSED] = 52, /* empty reply */
    [FERRY_EREAD] = 56,         /* receiving failed */
    [FERRY_EWRITE] = 55,        /* sending failed */
    [FERRY_EBODY] = 26,         /* the request's body could not be read */
    [FERRY_ECLOSED] = 56,       [FERRY_EABANDONED] = 56,
    [FERRY_ETHREAD] = 56,       [FERRY_EUNSUPPORTED] = 4, /* not in this build */
};

int cli_exit_code(const ferry_error *err)
{
    if (err->code > 0 && (size_t)err->code < sizeof exit_codes / sizeof *exit_codes)
        return exit_codes[err->code];
    return CLI_FAILED;
}
