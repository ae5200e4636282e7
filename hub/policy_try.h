/* A store in memory, without a row, under a policy: where a policy is tried before it comes near a hub. */
#ifndef SPOKE_HUB_POLICY_TRY_H
#define SPOKE_HUB_POLICY_TRY_H

#include "hub/policy_text.h"

/* ERR_USAGE as policy_text_check. Close with db_close. */
MUST_CHECK enum err policy_try_open(const struct env *env, struct bytes text, struct db **out, struct why *why);

#endif
