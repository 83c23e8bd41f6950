/*
 * transport.h: the transport that a group's flags describe.
 */
#ifndef CLI_TRANSFER_TRANSPORT_H
#define CLI_TRANSFER_TRANSPORT_H

#include "transfer/run.h"

/* At the beginning, while there is one thread: from here on the system's store is what CURL_CA_BUNDLE names. */
void trust_as_curl(void);

/* CLI_OK and group->transport; else it has been said. */
int group_transport(struct group *group);

/* Whether two groups may share one: all flags that it is made of are the same. */
bool groups_alike(const struct config *a, const struct config *b);

#endif
