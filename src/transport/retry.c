/*
 * The retry decision.
 */
#include "transport/retry.h"

bool fy_should_retry(const ferry_request *req, bool reused, enum fy_trip_failure failure)
{
    if (!reused) {
        return false;
    }
    switch (failure) {
    case FY_TRIP_NOTHING_WRITTEN:
        return fy_request_rewindable(req); /* the server has seen nothing */
    case FY_TRIP_READ_FAILED:
    case FY_TRIP_SERVER_CLOSED: return fy_request_replayable(req);
    default: return false;
    }
}
