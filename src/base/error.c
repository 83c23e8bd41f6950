/*
 * Errors as values: filling them, prefixing them, and the names of codes. Called by everything;
 * allocates nothing, so that running out of memory can be reported. A message that grows too long
 * ends in "..." and never in half a character.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/errno.h"

const char *ferry_strerror(int code)
{
#define NAME(code) \
    case code: return #code
    switch (code) {
        NAME(FERRY_OK);
        NAME(FERRY_EINVAL);
        NAME(FERRY_ENOMEM);
        NAME(FERRY_EURL);
        NAME(FERRY_ESCHEME);
        NAME(FERRY_ERESOLVE);
        NAME(FERRY_ECONNECT);
        NAME(FERRY_ETIMEOUT);
        NAME(FERRY_ECANCELED);
        NAME(FERRY_EPROTOCOL);
        NAME(FERRY_ETOOBIG);
        NAME(FERRY_ETRUNCATED);
        NAME(FERRY_ESERVERCLOSED);
        NAME(FERRY_EREAD);
        NAME(FERRY_EWRITE);
        NAME(FERRY_EBODY);
        NAME(FERRY_ECLOSED);
        NAME(FERRY_EABANDONED);
        NAME(FERRY_ETHREAD);
        NAME(FERRY_EUNSUPPORTED);
        NAME(FERRY_ETLS);
        NAME(FERRY_ECERTIFICATE);
        NAME(FERRY_EREDIRECT);
        NAME(FERRY_EPROXY);
    }
#undef NAME
    return "FERRY_E?";
}

/* Where len bytes may end without cutting a UTF-8 sequence in two. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0 || ((unsigned char)text[start - 1] & 0xc0) != 0xc0) {
        return len; /* ends in ASCII, or is no UTF-8 at all */
    }
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return len - (start - 1) < want ? start - 1 : len;
}

/* Puts a text of which 'wanted' bytes would be needed, and as many as fit are there, into the
 * message, on one line: what a message quotes may hold line breaks, and logs must not be forged
 * with them. It comes by way of a copy because a caller may well quote the message that is being
 * replaced. */
static void set_message(ferry_error *err, const char *text, int wanted)
{
    const size_t size = sizeof(err->message);
    size_t len = strlen(text);
    for (size_t i = 0; i <= len; i++) {
        bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
        err->message[i] = i < len && control ? '?' : text[i];
    }
    if (wanted >= (int)size) {
        len = whole_characters(text, size - sizeof("..."));
        memcpy(err->message + len, "...", sizeof("..."));
    }
}

int fy_fail(ferry_error *err, int code, int os_errno, const char *format, ...)
{
    char text[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    set_message(err, wanted < 0 ? ferry_strerror(code) : text, wanted);
    err->code = code;
    err->os_errno = os_errno;
    return -1;
}

int fy_fail_plain(ferry_error *err, int code, const char *sentence)
{
    err->code = code;
    err->os_errno = 0;
    memcpy(err->message, sentence, strlen(sentence) + 1);
    return -1;
}

int fy_fail_null(ferry_error *err, const char *what)
{
    return fy_fail(err, FERRY_EINVAL, 0, "NULL was given where %s is needed", what);
}

int fy_fail_memory(ferry_error *err)
{
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case EAGAIN: return fy_fail(err, FERRY_ENOMEM, errno, "%s", fy_errno_text(errno));
    default: return fy_fail(err, FERRY_ENOMEM, ENOMEM, "out of memory");
    }
}

void fy_error_prefix(ferry_error *err, const char *format, ...)
{
    char text[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (wanted < 0) {
        return;
    }
    size_t len = strlen(text);
    wanted += snprintf(text + len, sizeof(text) - len, ": %s", err->message);
    set_message(err, text, wanted);
}

const char *fy_errno_text(int os_errno)
{
    switch (os_errno) {
    case 0: return "no error";
    case E2BIG: return "argument list too long";
    case EACCES: return "permission denied";
    case EADDRINUSE: return "address already in use";
    case EADDRNOTAVAIL: return "cannot assign requested address";
    case EAFNOSUPPORT: return "address family not supported";
    case EAGAIN: return "resource temporarily unavailable";
    case EALREADY: return "operation already in progress";
    case EBADF: return "bad file descriptor";
    case EBUSY: return "device or resource busy";
    case ECANCELED: return "operation canceled";
    case ECONNABORTED: return "connection aborted";
    case ECONNREFUSED: return "connection refused";
    case ECONNRESET: return "connection reset by peer";
    case EDESTADDRREQ: return "destination address required";
    case EDQUOT: return "disk quota exceeded";
    case EEXIST: return "file exists";
    case EFAULT: return "bad address";
    case EFBIG: return "file too large";
    case EHOSTDOWN: return "host is down";
    case EHOSTUNREACH: return "no route to host";
    case EINPROGRESS: return "operation now in progress";
    case EINTR: return "interrupted system call";
    case EINVAL: return "invalid argument";
    case EIO: return "input/output error";
    case EISCONN: return "already connected";
    case EISDIR: return "is a directory";
    case ELOOP: return "too many levels of symbolic links";
    case EMFILE: return "too many open files";
    case EMSGSIZE: return "message too long";
    case ENAMETOOLONG: return "file name too long";
    case ENETDOWN: return "network is down";
    case ENETRESET: return "network dropped the connection on reset";
    case ENETUNREACH: return "network is unreachable";
    case ENFILE: return "too many open files in system";
    case ENOBUFS: return "no buffer space available";
    case ENODATA: return "connection ended without close_notify"; /* FY_TRUNCATED */
    case ENODEV: return "no such device";
    case ENOENT: return "no such file or directory";
    case ENOMEM: return "out of memory";
    case ENOPROTOOPT: return "protocol option not available";
    case ENOSPC: return "no space left on device";
    case ENOSYS: return "function not implemented";
    case ENOTCONN: return "not connected";
    case ENOTDIR: return "not a directory";
    case ENOTSOCK: return "not a socket";
    case ENXIO: return "no such device or address";
    case EOPNOTSUPP: return "operation not supported";
    case EOVERFLOW: return "value too large";
    case EPERM: return "operation not permitted";
    case EPIPE: return "broken pipe";
    case EPROTO: return "protocol error";
    case EPROTONOSUPPORT: return "protocol not supported";
    case EPROTOTYPE: return "wrong protocol type for the socket";
    case ERANGE: return "value out of range";
    case EROFS: return "read-only file system";
    case ESPIPE: return "illegal seek";
    case ESTALE: return "stale file handle";
    case ETIMEDOUT: return "connection timed out";
    }
    /* Whatever else a system call may say is rare enough to be read in the C library's own
     * capitals. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
    const char *text = strerrordesc_np(os_errno);
    if (text != NULL) {
        return text;
    }
#endif
    return "unknown system error";
}

void fy_error_suffix(ferry_error *err, const char *text)
{
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, "%s", text);
}
