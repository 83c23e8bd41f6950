/*
 * What a debugger's script (tools/gdb/) must know of the library, as tables in the library itself: so
 * that it finds tasks in a program that was built without debugging information, or of another
 * version, and in its core file. The tables are exported, as ferry_debug_…, and are no part of the
 * public interface; they are read by their entries' names.
 */
#ifndef FY_BASE_DEBUG_H
#define FY_BASE_DEBUG_H

#include <stddef.h>
#include <stdint.h>

/* Of a table, which ends with a name of NULL. */
struct fy_debug_entry {
    const char *name;    /* "fy_task.number", "rbx" */
    const void *address; /* of a variable; NULL: the entry is a field */
    uint32_t offset;     /* of the field in its struct */
    uint32_t size;       /* of either, in bytes */
};

/* A struct around it, since clang-tidy takes the size of a pointer for a mistake. */
#define FY_DEBUG_SIZE(what) ((uint32_t)sizeof(struct { __typeof__(what) it; }))

#define FY_DEBUG_FIELD(type, member)                                                  \
    {                                                                                 \
        .name = #type "." #member, .offset = (uint32_t)offsetof(struct type, member), \
        .size = FY_DEBUG_SIZE(((struct type *)0)->member)                             \
    }

#define FY_DEBUG_VARIABLE(what, variable)                                       \
    {                                                                           \
        .name = (what), .address = &(variable), .size = FY_DEBUG_SIZE(variable) \
    }

#define FY_DEBUG_END \
    {                \
        .name = NULL \
    }

#endif
