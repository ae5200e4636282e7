/* Where passphrases come from: a file, a descriptor, the service manager's credentials, or the terminal with echo off.
 * Never an argument, never an environment value. */
#ifndef SPOKE_CLI_SECRETIN_H
#define SPOKE_CLI_SECRETIN_H

#include "cli/command.h"
#include "crypto/secret.h"

/* Without its line end. `confirm`: a new one, asked twice on a terminal. ERR_LOCKED when there is none to be had. */
MUST_CHECK enum err secretin_passphrase(const struct cli *c, bool confirm, struct secret *out, struct why *why);

#endif
