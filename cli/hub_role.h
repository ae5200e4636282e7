/* Who may give which command of spoke-hub: one list, to be read as a whole (hub/ADMINS.md). */
#ifndef SPOKE_CLI_HUB_ROLE_H
#define SPOKE_CLI_HUB_ROLE_H

#include "cli/command.h"
#include "hub/admins.h"

/* Roles that may give the command of this name (enum hub_role as a mask). One that is not in the list is for security
 * administrators alone. */
unsigned hub_role_of(const char *command);
/* How many lines of the list are of it? Each command has one: of two the second would say nothing. For tests. */
size_t hub_role_lines(const char *command);
/* The program's `who` (cli/command.h): a line for the help of a command; "" where it opens no hub. */
void hub_role_help(const struct command *command, char *out, size_t n);
/* After the hub was opened: may whoever did so give this command? ERR_REFUSED, and that it was tried is noted. */
MUST_CHECK enum err hub_role_check(const struct cli *c, struct hub *h, struct why *why);

#endif
