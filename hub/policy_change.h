/* A policy that is coming while another is in force. The views of both are there then: those in force in `main`, the
 * coming ones in `temp` of this connection. Each case stands under one or under both (h_case.policy): first every case
 * is narrowed to what both show, then widened to what the coming one shows. A few cases at a time, so that the hub
 * serves meanwhile; where it was is in h_policy, so that a hub that was killed goes on there. */
#ifndef SPOKE_HUB_POLICY_CHANGE_H
#define SPOKE_HUB_POLICY_CHANGE_H

#include "hub/internal.h"

enum case_policy { CASE_IN_FORCE, CASE_BOTH, CASE_COMING };

/* The policy that a new hub begins with, in its list. */
MUST_CHECK enum err policy_change_first(struct hub *h, struct why *why);
/* Called at the beginning of each transaction, and wherever the views are asked outside one: the coming policy's views
 * are there afterwards, and only if there is one. One look at a counter when nothing moved. */
MUST_CHECK enum err policy_change_load(struct hub *h, struct why *why);
/* Take the temp views away, whatever they are. */
MUST_CHECK enum err policy_change_clear(struct hub *h, struct why *why);
/* Under which policy a case begins that comes to be now. */
enum case_policy policy_change_newborn(const struct hub *h);
/* The transaction is being rolled back: forget the views of this connection, if they came or went in it. */
void policy_change_forget(struct hub *h);

#endif
