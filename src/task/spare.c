/*
 * Spare buffers. Under AddressSanitizer none is kept, so that it sees every use after a free.
 */
#include "task/spare.h"

#include <stdbool.h>

#include "task/sanitizer.h"

#ifdef FY_ASAN
static const bool keeps = false;
#else
static const bool keeps = true;
#endif

void *fy_spare_take(struct fy_spares *spares)
{
    void **piece = spares->first;
    if (piece == NULL) {
        return fy_slab_take(spares->slab);
    }
    spares->first = *piece;
    spares->count--;
    return piece;
}

void fy_spare_give(struct fy_spares *spares, void *buffer)
{
    void **piece = buffer;
    if (keeps && piece != NULL && spares->count < spares->most) {
        *piece = spares->first;
        spares->first = piece;
        spares->count++;
    } else {
        fy_slab_give(spares->slab, buffer);
    }
}

void fy_spares_free(struct fy_spares *spares)
{
    while (spares->first != NULL) {
        fy_slab_give(spares->slab, fy_spare_take(spares));
    }
}
