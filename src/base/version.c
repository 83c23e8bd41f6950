/*
 * The version of the library that is in use, which need not be the header's that a program was
 * compiled with.
 */
#include <ferry.h>

const char *ferry_version(void)
{
    return FERRY_VERSION;
}
