/* What the commands of spoke-hub share: the open hub, and what people type for a row. */
#ifndef SPOKE_CLI_HUB_HOME_H
#define SPOKE_CLI_HUB_HOME_H

#include "cli/command.h"
#include "cli/show.h"
#include "hub/hub.h"

/* ERR_UNINIT: there is no hub in the home. */
MUST_CHECK enum err hub_home_there(const struct cli *c, struct why *why);
/* Open the hub of --home with the passphrase, for good: for the server. While another program is at work with its store
 * it waits, and says so. ERR_UNINIT before a passphrase is asked; ERR_BUSY: it is served already. */
MUST_CHECK enum err hub_home_open(struct cli *c, struct hub **out, struct why *why);
/* For a policy that is put in force, which takes long, between two of its transactions: a server beside it answers what
 * has waited meanwhile. On failure the hub stays paused; ERR_BUSY says what has become of the policy. */
MUST_CHECK enum err hub_home_breathe(struct cli *c, struct hub *h, struct why *why);
/* Open, act, close: the usual shape of a command. A server beside it waits meanwhile (cli/hub_turn.h), but
 * for no reader: what `act` says on standard output is printed when the store has been given back. */
MUST_CHECK enum err hub_home_run(struct cli *c, enum err (*act)(struct cli *c, struct hub *h, struct why *why),
                                 struct why *why);

/* A list that is one question without parameters. */
MUST_CHECK enum err hub_home_list(struct cli *c, struct hub *h, const char *sql, const struct show_column *cols,
                                  size_t n, const char *none, struct why *why);
/* A whole id or its unique beginning (8 hex digits or more; hyphens and blanks do not matter). sql gives the ids from
 * $1 to $2: those that begin so. ERR_NOTFOUND, ERR_USAGE. */
MUST_CHECK enum err hub_home_pick(struct hub *h, const char *sql, const char *typed, const char *what,
                                  uint8_t out_id[16], struct why *why);
/* Say that something was done: a sentence, or {key: value}. */
MUST_CHECK enum err hub_home_said(struct cli *c, const char *key, const char *value, const char *sentence,
                                  struct why *why);

#endif
