/*
 * A connection for a request: an idle one, or whatever comes first of a dial of its own and a
 * connection that another request gives back.
 */
#ifndef FY_TRANSPORT_GET_CONN_H
#define FY_TRANSPORT_GET_CONN_H

#include <ferry.h>

#include "task/context.h"
#include "transport/persist_conn.h"

/* Returns a connection by that route with a hold for the caller, or NULL and *err. cancel ends the
 * wait; a dial that is then wanted by nobody is cancelled too. */
struct fy_persist_conn *fy_get_conn(ferry_transport *transport, ferry_request *req,
                                    const struct fy_route *route, struct fy_cancel *cancel,
                                    ferry_error *err);

/* A connection that was got and is not used after all goes back, or is closed. The hold stays the
 * caller's. */
void fy_get_conn_undo(struct fy_persist_conn *conn);

#endif
