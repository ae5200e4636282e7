/* Commands beside a serving hub. One process at a time has a store on this computer open, so that its keys, its log's
 * index and its clock are in one memory; the server gives it up for as long as a command needs it.
 *
 * The server listens at HOME/serve.sock, which its user alone can open. A command connects, the server answers what it
 * is at, closes the store and writes a word; the store is the command's until it closes the connection, which the end
 * of the process does too, however it comes. Then the server opens the store again. Commands take turns with requests:
 * between two of them at least one request that waited is answered. A request waits TURN_WAIT_MS at most for a command,
 * then it is told to come again.
 *
 * The word is "!" and what is known of the clocks (a byte: known or not; 8 bytes, little-endian), so that a command
 * doubts a jump as the server does. The command says it back when it has closed the store: a jump that was doubted long
 * enough while it was at work is believed by both. Of one that ended without a word the server believes nothing. */
#ifndef SPOKE_CLI_HUB_TURN_H
#define SPOKE_CLI_HUB_TURN_H

#include "cli/logline.h"
#include "hub/hub.h"

#include <stdio.h>

#define TURN_WAIT_MS 5000
#define TURN_ASK_MS  60000 /* a command waits so long for its turn */

/* ---- the server's side */
struct hub_turn; /* opaque */

struct hub_turn_options {
    const char *home;
    struct hub *hub;              /* open; stays the caller's */
    const struct env *env;        /* for the time in the log */
    FILE *log;                    /* a line when the store stays away, or cannot be opened again; NULL: none */
    enum log_format log_format;
    void (*back)(void *ctx);      /* the store is here again, and was changed: called in a thread of its own */
    void (*lost)(void *ctx);      /* it cannot be opened any more: hub_turn_end says why. Likewise */
    void *ctx;
};
/* Begin to take turns. What an earlier server left of its socket is replaced. ERR_BUSY: this hub is served by somebody,
 * whose store is open here only because a command is between two turns. ERR_NOTFOUND: this folder can have no socket;
 * there can be a server all the same, beside which no command works. ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err hub_turn_start(struct hub_turn **out, const struct hub_turn_options *opt, struct why *why);
/* Before and after anything is done with the hub, by any thread. False: a command has the store for longer than one
 * waits; nothing may be done, and hub_turn_leave is not called. */
bool hub_turn_enter(struct hub_turn *t);
void hub_turn_leave(struct hub_turn *t);
/* The same for who only looks, for some milliseconds: waits no longer than wait_ms, and not at all while a command has
 * the store. It is nobody that a command has to let go first. */
bool hub_turn_try(struct hub_turn *t, int64_t wait_ms);
void hub_turn_put_back(struct hub_turn *t);
struct hub_turn_load {
    uint64_t turns;     /* that commands had */
    int64_t away_ms;    /* since the store is away, now; 0: it is here */
    int64_t total_ms;   /* that it was away, in all */
};
void hub_turn_look(struct hub_turn *t, struct hub_turn_load *out);
/* No more turns; `back` and `lost` are not called any more. While a command still has the store it stays away, and
 * hub_turn_enter says so at once. An error says why the store could not be opened again. NULL is fine. */
enum err hub_turn_end(struct hub_turn *t, struct why *why);
void hub_turn_free(struct hub_turn *t); /* after hub_turn_end, when nobody enters any more; NULL is fine */

/* ---- the command's side */
/* Ask for the store of this home and wait until it is ours. *out_fd: hub_turn_give it when the store is closed; -1
 * where no server runs. *clock: what the server knows; untouched without one. ERR_BUSY: the store was not to be had;
 * ERR_DENIED: it is another user's; ERR_IO. */
MUST_CHECK enum err hub_turn_ask(const char *home, int *out_fd, struct hub_clock *clock, struct why *why);
/* Give the store back and close fd; -1 is fine. `clock`: of the hub that was open; NULL: there was none. */
void hub_turn_give(int fd, const struct hub_clock *clock);
/* ERR_BUSY where somebody answers for this home: before a server opens the store, for it may be in no hand just
 * then. */
MUST_CHECK enum err hub_turn_nobody(const char *home, struct why *why);

#endif
