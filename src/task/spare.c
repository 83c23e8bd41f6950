/*
 * Spare buffers. Under AddressSanitizer none is kept, so that it sees every use after a free.
 */
#include "task/spare.h"

#include <stdbool.h>
#include <stdlib.h>

#include "task/sanitizer.h"

#ifdef FY_ASAN
static const bool keeps = false;
#else
static const bool keeps = true;
#endif

void *fy_spare_take(struct fy_spares *spares)
{
    return spares->count > 0 ? spares->buffers[--spares->count] : malloc(FY_SPARE_BYTES);
}

void fy_spare_give(struct fy_spares *spares, void *buffer)
{
    if (keeps && buffer != NULL && spares->count < FY_SPARES) {
        spares->buffers[spares->count++] = buffer;
    } else {
        free(buffer);
    }
}

void fy_spares_free(struct fy_spares *spares)
{
    while (spares->count > 0) {
        free(spares->buffers[--spares->count]);
    }
}
