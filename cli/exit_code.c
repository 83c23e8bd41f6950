/*
 * exit_code.c: from ferry's error codes to exit statuses.
 */
#include "exit_code.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

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
    [FERRY_ETLS] = 35,                                    /* the handshake */
    [FERRY_ECERTIFICATE] = 60,                            /* the server's certificate */
    [FERRY_EREDIRECT] = 47,                               /* too many redirects */
    [FERRY_EPROXY] = 97,                                  /* the proxy's handshake */
};

static bool is_of_this_side(int os_errno)
{
    return os_errno == EADDRNOTAVAIL || os_errno == EADDRINUSE || os_errno == ENODEV;
}

int cli_exit_code(const ferry_error *err)
{
    if (err->code == FERRY_ECONNECT && is_of_this_side(err->os_errno))
        return CLI_INTERFACE;
    if (err->code > 0 && (size_t)err->code < sizeof exit_codes / sizeof *exit_codes)
        return exit_codes[err->code];
    return CLI_FAILED;
}

int exit_code_of(const ferry_error *err)
{
    static const struct {
        int code; /* the library's; 0: any */
        const char *part;
        int status;
    } sentences[] = {
        {FERRY_ECERTIFICATE, "none of the pinned ones", CLI_PINNED},
        {FERRY_ECERTIFICATE, "(OCSP", CLI_STAPLED},
        {0, "tls: pinned public key", CLI_PINNED},
        {0, "tls: CA ", CLI_CA_FILE},
        {0, "tls: CRL", CLI_CRL_FILE},
        {0, "tls: client certificate", CLI_CERTIFICATE},
        {0, "tls: client key", CLI_CERTIFICATE},
        {0, "tls: no such cipher", CLI_CIPHER},
        {FERRY_ERESOLVE, "proxy ", CLI_PROXY_NOT_FOUND},
        {FERRY_EPROTOCOL, "malformed chunked body", CLI_RECEIVE_FAILED},
        {FERRY_EPROTOCOL, "no HTTP/1 status line", CLI_PROTOCOL},
        {FERRY_EPROTOCOL, "malformed gzip data", CLI_CODING},
        {FERRY_EPROTOCOL, "malformed deflate data", CLI_CODING},
        {FERRY_EPROTOCOL, "malformed br data", CLI_CODING},
        {FERRY_EPROTOCOL, "malformed zstd data", CLI_CODING},
        {FERRY_EUNSUPPORTED, "the body is encoded with", CLI_CODING},
        {FERRY_EINVAL, "resolve entry", CLI_SETTING},
        {FERRY_EINVAL, "connect_to entry", CLI_SETTING},
        {FERRY_EBODY, "rew", CLI_REWIND},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        if ((sentences[i].code == 0 || sentences[i].code == err->code) &&
            strstr(err->message, sentences[i].part))
            return sentences[i].status;
    }
    return cli_exit_code(err);
}

const char *cli_exit_hint(int status)
{
    switch (status) {
    case 6: return "is the name spelled right?";
    case 7: return "is the server running, and is the port right?";
    case 35: return "is it an https port, and does it speak TLS 1.2 or 1.3?";
    case 47: return "--max-redirs allows more";
    case 58: return "--cert and --key are to name PEM files that belong together";
    case 60: return "--cacert FILE trusts an authority of your own; -k checks nothing";
    default: return NULL;
    }
}
