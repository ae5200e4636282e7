/* What other commands need of cli/hub_preview.c. */
#ifndef SPOKE_CLI_HUB_PREVIEW_H
#define SPOKE_CLI_HUB_PREVIEW_H

#include "cli/command.h"
#include "hub/hub.h"

/* Say what a policy would change, and change nothing. */
MUST_CHECK enum err hub_preview_say_policy(struct cli *c, struct hub *h, struct bytes text, struct why *why);
/* Carry a policy out that is recorded and coming, and say when it is in force. */
MUST_CHECK enum err hub_preview_carry_out(struct cli *c, struct hub *h, struct why *why);

#endif
