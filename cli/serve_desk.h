/* The replica and who is signed in, for all threads of spoke serve.
 *
 * Two locks: a short one over sessions and events, so that locking always works at once; and one over the replica, held
 * by whoever uses it. The replica is open as one person at a time and closed a moment after its last use; SQLite's own
 * wait stands between this process and the commands beside it. Keys are in locked memory and gone with their
 * session. */
#ifndef SPOKE_CLI_SERVE_DESK_H
#define SPOKE_CLI_SERVE_DESK_H

#include "base/json.h"
#include "node/agent.h"
#include "node/node.h"

#define SERVE_SESSIONS    8
#define SERVE_TOKEN_CHARS 65 /* 256 random bits in hex, and the NUL */
#define SERVE_NAME_CHARS  17 /* 64 of them */

struct serve_desk; /* opaque */

struct serve_desk_options {
    const struct env *env;
    const char *home;                       /* borrowed */
    int64_t idle_ms;                        /* a session ends when nobody was at work for so long */
    struct agent_clock (*clock)(void *ctx); /* NULL: this machine's */
    void *clock_ctx;
    void (*wake)(void *ctx); /* pages that wait for an event are to look again; from any thread; may be NULL */
    void *wake_ctx;
    void (*alarm)(void *ctx); /* serve_desk_tick wants to be called earlier than it said; likewise */
    void *alarm_ctx;
};
MUST_CHECK enum err serve_desk_new(struct serve_desk **out, const struct serve_desk_options *opt, struct why *why);
void serve_desk_free(struct serve_desk *d); /* no other thread may use it any more; NULL is fine */

/* ----------------------------------------------------------------------------------------------------- sessions */
/* A session for whoever this ring belongs to, which is taken over. When all are in use, the one longest without work
 * ends. */
MUST_CHECK enum err serve_desk_sign_in(struct serve_desk *d, struct keyring *ring, char out_token[SERVE_TOKEN_CHARS],
                                       uint64_t *out_session, struct why *why);
/* Whose token is it? Compared in constant time. `quiet`: nobody is at work with this call. ERR_LOCKED with the words
 * why it ended, as far as they are known, or none. */
MUST_CHECK enum err serve_desk_find(struct serve_desk *d, const char *token, bool quiet, uint64_t *out_session,
                                    struct why *why);
/* End one, or all (0). `said` is what its next call is told; NULL: signed out by themselves. */
void serve_desk_end(struct serve_desk *d, uint64_t session, enum err e, const struct why *said);
bool serve_desk_ended(struct serve_desk *d, uint64_t session);
size_t serve_desk_count(struct serve_desk *d);
/* A random name of this session, which its windows may know and which opens nothing. "": it has ended. */
void serve_desk_name(struct serve_desk *d, uint64_t session, char out[SERVE_NAME_CHARS]);
int64_t serve_desk_idle_ms(const struct serve_desk *d);
/* A screen that nobody works at: it does not end by the clock, and cli/serve_route.c lets it see the board alone. */
void serve_desk_make_wall(struct serve_desk *d, uint64_t session);
bool serve_desk_is_wall(struct serve_desk *d, uint64_t session);
/* Look at the clocks, and at what others did to the home: ends sessions, closes the replica when nobody uses it. Gives
 * the ms until it wants to look again. */
int64_t serve_desk_tick(struct serve_desk *d);

/* ---------------------------------------------------------------------------------------------------- the replica */
/* The replica as this person has it open. On ERR_OK it is the caller's until serve_desk_leave. What may not be shown
 * any more is put away before. ERR_LOCKED, ERR_REFUSED, ERR_TAMPERED, ERR_UNINIT: the session has ended; ERR_BUSY:
 * another program had the home for 3 seconds. */
MUST_CHECK enum err serve_desk_enter(struct serve_desk *d, uint64_t session, struct node **out, struct why *why);
/* The same for contact with the hub, whoever has it open. ERR_LOCKED: nobody is signed in. */
MUST_CHECK enum err serve_desk_enter_any(struct serve_desk *d, struct node **out, struct why *why);
void serve_desk_leave(struct serve_desk *d);
/* After contact, before leave: was it wiped? Then everything ends here. */
bool serve_desk_wiped(struct serve_desk *d, const struct why *said);
/* A ring that opens this home to contact alone, because people may not work here until there was one. Taken over; kept
 * for a minute. */
void serve_desk_lend(struct serve_desk *d, struct keyring *ring);
/* Can contact open the replica at all? */
bool serve_desk_may_contact(struct serve_desk *d);

/* -------------------------------------------------------------------------------------------------------- events */
enum serve_reason { SERVE_SYNC, SERVE_EDIT, SERVE_LOCKED };
/* Tell pages. case_id NULL: anything may have changed. */
void serve_desk_tell(struct serve_desk *d, enum serve_reason reason, const uint8_t *case_id);
/* Number of the last event. They grow, also over restarts. */
uint64_t serve_desk_last_event(struct serve_desk *d);
/* Server-sent events after this one, appended; nothing when there is none. `after` 0: none is old enough to be told. */
MUST_CHECK enum err serve_desk_events(struct serve_desk *d, uint64_t after, bool online, struct buf *out,
                                      struct why *why);

#endif
