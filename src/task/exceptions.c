/*
 * Finding the C++ runtime that comes later than ferry: a program in C that loads something in C++ as its
 * own (RTLD_LOCAL), where the name that ferry is linked with leads nowhere. Looked for when a thread comes
 * and when a user's task is started, if anything has been loaded since the last look. A runtime that a
 * plugin has within itself (-static-libstdc++) is not found.
 */
#include "task/exceptions.h"

#include <dlfcn.h>
#include <link.h>

/* Weak: NULL where nobody brings it. */
struct fy_exceptions *in_program(void) __asm__("__cxa_get_globals") __attribute__((weak));

_Atomic(fy_exceptions_fn) fy_exceptions_of_thread = in_program;

/* How many objects have ever been loaded. */
static int note_loads(struct dl_phdr_info *info, size_t size, void *loads)
{
    (void)size;
    *(unsigned long long *)loads = info->dlpi_adds;
    return 1; /* each of them would say the same */
}

/* Never let go again: the runtime stays. */
static fy_exceptions_fn find(const char *runtime)
{
    void *library = dlopen(runtime, RTLD_LAZY | RTLD_NOLOAD);
    void *found = library != NULL ? dlsym(library, "__cxa_get_globals") : NULL;
    if (library != NULL && found == NULL) {
        dlclose(library);
    }
    return (fy_exceptions_fn)found;
}

void fy_exceptions_look(void)
{
    static _Atomic unsigned long long looked_at;
    unsigned long long loads = 0;
    if (fy_exceptions_of_thread != NULL) {
        return;
    }
    dl_iterate_phdr(note_loads, &loads);
    if (loads == looked_at) {
        return;
    }
    looked_at = loads;
    fy_exceptions_fn found = find("libstdc++.so.6");
    if (found == NULL) {
        found = find("libc++abi.so.1");
    }
    if (found != NULL) {
        fy_exceptions_of_thread = found;
    }
}
