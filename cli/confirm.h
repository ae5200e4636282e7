/* A question to a person that only "yes" answers. */
#ifndef SPOKE_CLI_CONFIRM_H
#define SPOKE_CLI_CONFIRM_H

#include "cli/command.h"

/* Will somebody be asked? Not with --no-input, nor when the command was given --yes. */
bool confirm_asks(const struct cli *c);
/* Ask on the terminal. ERR_DENIED with `otherwise` when the answer is anything else; ERR_USAGE without a terminal. */
MUST_CHECK enum err confirm_yes(const struct cli *c, const char *question, const char *otherwise, struct why *why);

#endif
