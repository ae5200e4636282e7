/* Commands beside a serving hub. One process at a time has a store on this computer open, so that its keys, its log's index
 * and its clock are in one memory; the server gives it up for as long as a command needs it.
 *
 * The server listens at HOME/serve.sock, which its user alone can open. A command connects, the server answers what it is at,
 * closes the store and writes one byte; the store is the command's until it closes the connection, which the end of the
 * process does too, however it comes. Then the server opens the store again. Commands take turns with requests: between two of
 * them at least one request that waited is answered. A request waits TURN_WAIT_MS at most for a command, then it is told to
 * come again. */
#ifndef SPOKE_CLI_HUB_TURN_H
#define SPOKE_CLI_HUB_TURN_H

#include "hub/hub.h"

#define TURN_WAIT_MS 5000
#define TURN_ASK_MS  60000 /* a command waits so long for its turn */

/* ---- the server's side */
struct hub_turn; /* opaque */

struct hub_turn_options {
    const char *home;
    struct hub *hub;              /* open; stays the caller's */
    void (*back)(void *ctx);      /* the store is here again, perhaps changed: called in a thread of its own */
    void (*lost)(void *ctx);      /* it cannot be opened any more: hub_turn_end says why. Likewise */
    void *ctx;
};
/* Begin to take turns. What an earlier server left of its socket is replaced: whoever has the store open is the only one.
 * ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err hub_turn_start(struct hub_turn **out, const struct hub_turn_options *opt, struct why *why);
/* Before and after anything is done with the hub, by any thread. False: a command has the store for longer than one waits;
 * nothing may be done, and hub_turn_leave is not called. */
bool hub_turn_enter(struct hub_turn *t);
void hub_turn_leave(struct hub_turn *t);
/* No more turns; `back` and `lost` are not called any more. While a command still has the store it stays away, and
 * hub_turn_enter says so at once. An error says why the store could not be opened again. */
enum err hub_turn_end(struct hub_turn *t, struct why *why);
void hub_turn_free(struct hub_turn *t); /* after hub_turn_end, when nobody enters any more */

/* ---- the command's side */
/* Ask for the store of this home and wait until it is ours. *out_fd: close it when the store is closed; -1 where no server runs.
 * ERR_BUSY: the server does not let go; ERR_DENIED: it is another user's; ERR_IO. */
MUST_CHECK enum err hub_turn_ask(const char *home, int *out_fd, struct why *why);

#endif
