/*
 * The list of all transports, for whoever tells about the whole process (ferry_metrics). A transport
 * enters when it is made and leaves before anything of it goes.
 */
#ifndef FY_TRANSPORT_METRICS_H
#define FY_TRANSPORT_METRICS_H

#include <ferry.h>

void fy_metrics_enter(ferry_transport *transport);
void fy_metrics_leave(ferry_transport *transport);

#endif
