#include <errno.h>

/* Before the name means what the header makes of it. */
static int *address(void)
{
    return &errno;
}

#include "base/errno.h"

int *fy_errno_address(void)
{
    return address();
}
