/* What takes two administrators, as commands make it (hub/proposal.h). */
#ifndef SPOKE_CLI_HUB_PROPOSAL_H
#define SPOKE_CLI_HUB_PROPOSAL_H

#include "cli/command.h"
#include "hub/proposal.h"

/* Record a proposal and say its number, and how it goes on. `says`: what it would do. */
MUST_CHECK enum err hub_proposal_make(struct cli *c, struct hub *h, const struct hub_proposal *p, const char *says,
                                      struct why *why);

#endif
