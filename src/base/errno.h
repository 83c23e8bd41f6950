/*
 * errno for code that tasks run; included in place of <errno.h> all over src/.
 *
 * errno's address is the thread's own, and C libraries declare that it never changes, so that compilers
 * keep it for as long as a function runs. But a task that has waited may go on on another thread, and
 * the address that was kept is then another thread's errno. Here it is asked for anew each time.
 */
#ifndef FY_BASE_ERRNO_H
#define FY_BASE_ERRNO_H

#include <errno.h>

int *fy_errno_address(void);

#undef errno
#define errno (*fy_errno_address())

#endif
