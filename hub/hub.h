/* The hub: the one authority of a MASH. It judges every change, decides who sees what, orders everything. What cli/ and
 * tests see; everything else in hub/ is between its own files. One struct hub is used by one thread at a time. */
#ifndef SPOKE_HUB_HUB_H
#define SPOKE_HUB_HUB_H

#include "base/env.h"
#include "hub/log_audit.h"
#include "sync/db.h"
#include "sync/messages.h"

struct hub; /* opaque */

/* Make a hub in `home`: keys, store under the passphrase, default policy and code lists, recovery key. ERR_EXISTS. */
MUST_CHECK enum err hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase,
                             struct why *why);
/* Where a hub is: its folder, and its store. store NULL: the one that HOME/store names, else the file HOME/hub.db;
 * sqlite: that file; postgres://… a schema in a PostgreSQL database (hub/STORE.md), which hub_init_at writes into
 * HOME/store. */
struct hub_place {
    const char *home, *store;
};
/* As hub_init. ERR_USAGE: not the name of a store, or one with a password in it. ERR_UNREACHABLE, ERR_DENIED: the
 * database. */
MUST_CHECK enum err hub_init_at(const struct env *env, const struct hub_place *at, const char *name, struct bytes passphrase,
                                struct why *why);
/* The URL of the store, appended; nothing: it is the file in the home. ERR_USAGE, ERR_FORMAT. */
MUST_CHECK enum err hub_place_store(const struct env *env, const struct hub_place *at, struct buf *out_url, struct why *why);
/* ERR_UNINIT, ERR_PASSPHRASE, ERR_TAMPERED, ERR_BUSY. */
MUST_CHECK enum err hub_open(struct hub **out, const struct env *env, const char *home, struct bytes passphrase,
                             struct why *why);
/* What this process knows of its clocks (hub/sight_clock.c). Another one on this computer that goes on in its place has
 * to be told, or it would believe a jump that this one doubts. */
struct hub_clock {
    bool known;
    int64_t ahead_ms; /* of the steady clock, the wall clock as it was believed */
};
void hub_clock_get(const struct hub *h, struct hub_clock *out);
void hub_clock_set(struct hub *h, const struct hub_clock *c);
/* As hub_open; `turn` is called when the passphrase was good and before the store is opened (its failure is this
 * one's): checking a passphrase takes half a second, in which nobody has to be kept from the store. */
typedef enum err (*hub_turn_fn)(void *ctx, struct hub_clock *clock, struct why *why); /* clock: unknown, unless it is told */
MUST_CHECK enum err hub_open_in_turn(struct hub **out, const struct env *env, const char *home, struct bytes passphrase,
                                     hub_turn_fn turn, void *ctx, struct why *why);
/* As hub_open_in_turn, of a store that may be elsewhere; how NULL: at once. `again` (or NULL) is asked when another
 * program had the store for all the time that is waited for it (env->busy_ms): true, and it is waited for again, with a
 * turn of its own. */
struct hub_opening {
    hub_turn_fn turn;
    void *ctx;
    bool (*again)(void *again_ctx);
    void *again_ctx;
};
MUST_CHECK enum err hub_open_at(struct hub **out, const struct env *env, const struct hub_place *at, struct bytes passphrase,
                                const struct hub_opening *how, struct why *why);
/* Is it a store that several processes have open at once? Then nobody waits for a turn. */
bool hub_is_shared(const struct hub *h);
/* Of such a store: a second connection, for who listens. The caller closes it. */
MUST_CHECK enum err hub_open_beside(const struct hub *h, struct db **out, struct why *why);
/* One process at a time has a store on this computer open. Close it, so that another can, and open it again: what the
 * hub knows of its clocks stays. Between the two only hub_resume, hub_clock_get, hub_clock_set, hub_identity, hub_name
 * and hub_close may be called. hub_resume fails as hub_open does, the hub stays paused, and it may be tried again. */
void hub_pause(struct hub *h);
MUST_CHECK enum err hub_resume(struct hub *h, struct why *why);
void hub_close(struct hub *h); /* NULL is fine */
struct db *hub_db(struct hub *h); /* for lists of the commands: read only there */
const struct identity *hub_identity(const struct hub *h);
const char *hub_name(const struct hub *h);

/* Of a store that several processes have open (hub/tell.h): what this one is called to the others, 32 letters, and a
 * connection of its own (hub_open_beside) that hears whenever one of them has moved something: db_wait tells each one's
 * name. */
const char *hub_teller(struct hub *h);
/* Was it moved elsewhere while this process had it open (hub/move.h)? Then nothing more can be done with it. */
bool hub_has_moved(const struct hub *h);
MUST_CHECK enum err hub_hear(struct db *beside, struct why *why);

/* ------------------------------------------------------------------------------------------------ the protocol */
/* A request that is parked: what was known when it was asked last. */
struct hub_waiting {
    int64_t node_no, request, version, acts;
};
struct hub_exchange_result {
    bool parked;     /* nothing to say yet: nothing was written; ask again when something moved or time is over */
    int64_t park_ms; /* how long the node is willing to wait */
    struct hub_waiting waiting; /* parked: for hub_waiting_news */
    bool moved;      /* something was written that another site may be waiting for */
    uint64_t verdicts[6]; /* of its changes that are new, by enum verdict; when a manager decides later, it is counted by nobody */
};
/* One round: a sealed request in, a sealed answer appended to out; all its effects are in one commit, durable before
 * this returns. The last request, byte for byte, gets the same answer again; an older one that was answered is
 * ERR_EXISTS, with words for whoever carried it: it came late, and nothing was changed. may_park: the caller can hold
 * the request. ERR_DENIED: the device waits for approval; nothing changed.
 * ERR_FORMAT, ERR_TAMPERED, ERR_LIMIT: not a good bundle, nothing changed. ERR_REFUSED: unknown node, fork, rollback,
 * old request (one message for all of them); recorded for administrators where the signature was good. ERR_FULL,
 * ERR_IO, …: nothing changed. */
MUST_CHECK enum err hub_exchange(struct hub *h, struct bytes request, bool may_park, struct buf *out,
                                 struct hub_exchange_result *result, struct why *why);
/* Several of them, in the order in which they came: as if each were given to hub_exchange by itself, but from the front
 * as many as may be are taken in one commit (hub/STORE.md, "Several requests in one transaction"). Returns how many
 * those are, of n > 0 at least one; the others are not looked at. Of each of those, e, why and result say what
 * hub_exchange would have; out is appended to where e is ERR_OK. Nothing of an answer is in out, and no result is set,
 * before the commit has succeeded. */
#define HUB_TOGETHER       32u
#define HUB_TOGETHER_BYTES (64u << 10) /* a longer request is taken alone */
struct hub_asked {
    struct bytes request; /* borrowed */
    bool may_park;
    struct buf *out;
    enum err e;
    struct why why;
    struct hub_exchange_result result; /* zeroed before */
};
size_t hub_exchange_all(struct hub *h, struct hub_asked *v, size_t n);
/* Forget cuts of long ago that no device and no question needs (hub/STORE.md, "Cuts"): a part of it, once a day. Cheap
 * where it was done today. *out_done: nothing is left to do now. */
MUST_CHECK enum err hub_cuts_continue(struct hub *h, bool *out_done, struct why *why);
/* Something moved: may it concern a device whose request is parked? false: it does not have to be asked again. Cheap
 * beside hub_exchange, and without a transaction. hub/waiting.c. */
MUST_CHECK enum err hub_waiting_news(struct hub *h, const struct hub_waiting *w, bool *out, struct why *why);
/* The same for a courier's file (sync/courier.h): the request, and what its device wrote since it was made, which is
 * taken in also where the request was answered before; the answer is the request's. */
MUST_CHECK enum err hub_exchange_file(struct hub *h, struct bytes file, struct buf *out, struct why *why);
/* The stored answer to a request by its hash, for resuming a broken download. ERR_NOTFOUND. */
MUST_CHECK enum err hub_answer_again(struct hub *h, const uint8_t request_hash[32], struct buf *out, struct why *why);
/* Enrolment: sealed MSG_ENROL in, sealed MSG_ENROLLED out. The same request gets the same answer again. ERR_REFUSED for
 * a wrong, used or expired code alike. */
MUST_CHECK enum err hub_enrol(struct hub *h, struct bytes request, struct buf *out, struct why *why);
/* Has the device of the last hub_enrol to be approved first? */
bool hub_enrol_waits(const struct hub *h);
/* Did the last hub_enrol only give an answer again? Whoever saw the request on its way can have as many of these. */
bool hub_enrol_again(const struct hub *h);
/* The door of a device that nobody has opened, or of which nothing is left (sync/FORMAT.md §4.1): a sealed knock or
 * wiped in, the hub's signed word and the orders that are due appended to out. ERR_REFUSED: with one word, whatever was
 * wrong. */
MUST_CHECK enum err hub_door(struct hub *h, struct bytes request, struct buf *out, struct why *why);

/* ---------------------------------------------------------------------------------------------- administrators */
MUST_CHECK enum err hub_add_agency(struct hub *h, const char *code, const char *name, const char *kind,
                                   struct why *why);
struct hub_site {
    const char *code, *agency, *name, *kind, *phone;
    const char *const *areas;
    size_t n_areas;
}; /* no areas: all */
MUST_CHECK enum err hub_add_site(struct hub *h, const struct hub_site *s, struct why *why);
MUST_CHECK enum err hub_add_practitioner(struct hub *h, const char *site, const char *name, const char *role,
                                         uint8_t out_id[16], struct why *why);
MUST_CHECK enum err hub_add_duty(struct hub *h, const uint8_t practitioner[16], const char *area, const char *duty,
                                 struct why *why);
/* One-time code (see struct invitation); only the hash of its token is kept. valid_ms from now. */
MUST_CHECK enum err hub_invite(struct hub *h, const char *site, const char *address, int64_t valid_ms,
                               struct buf *out_code, struct why *why);
/* `approve`: a second administrator has to approve the device before it gets anything; so it is too where the rule
 * "approve_devices" is on (hub/proposal.h). */
MUST_CHECK enum err hub_invite_approved(struct hub *h, const char *site, const char *address, int64_t valid_ms, bool approve,
                                        struct buf *out_code, struct why *why);
/* An invitation that nobody has used works no more. `no`: that of the act by which it was given,
 * h_invite.after_act + 1. reason: 1 to 200 bytes. ERR_NOTFOUND. ERR_EXISTS: it was used, or works no more already. */
MUST_CHECK enum err hub_invite_withdraw(struct hub *h, int64_t no, const char *reason, struct why *why);
/* By an administrator who did not give its invitation. ERR_USAGE: it does not wait for that. ERR_DENIED: the
 * inviter. */
MUST_CHECK enum err hub_device_approve(struct hub *h, const uint8_t kid[16], struct why *why);
/* It gets nothing, and is revoked. */
MUST_CHECK enum err hub_device_refuse(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why);
MUST_CHECK enum err hub_revoke(struct hub *h, const uint8_t kid[16], const char *reason, struct why *why);
/* Orders to a device, signed, and sent until it has carried them out; both are acts. Lease: how many days it may be
 * opened without contact, 1 to 3650 (ERR_USAGE); ERR_DENIED: it is to be wiped. Wipe: also revokes. at_once: it does
 * not wait until the device has sent what it has not sent. It cannot be taken back. ERR_EXISTS: ordered, or done,
 * already. ERR_NOTFOUND. */
MUST_CHECK enum err hub_lease(struct hub *h, const uint8_t kid[16], uint64_t days, struct why *why);
MUST_CHECK enum err hub_wipe(struct hub *h, const uint8_t kid[16], const char *reason, bool at_once, struct why *why);
MUST_CHECK enum err hub_set_policy(struct hub *h, const char *tbl, const char *col, const char *policy, const char *arg,
                                   struct why *why);
/* The same for a device that is "lost", or "retired": that one is not cut off before, so that what it still sends is
 * taken in as ever. The word stands in the lists. */
MUST_CHECK enum err hub_wipe_as(struct hub *h, const uint8_t kid[16], const char *fate, const char *reason, bool at_once,
                                struct why *why);
/* Every device of a site that is not cut off yet. *out_n: how many. ERR_NOTFOUND: none is. */
MUST_CHECK enum err hub_revoke_site(struct hub *h, const char *site, const char *reason, uint64_t *out_n, struct why *why);
/* By when things are due, and days on which working hours stand still (web/API.md, Clocks). Both replace what was said
 * of the same before. ERR_USAGE: a word that is none, or red by working hours. */
struct hub_timescale {
    const char *rag, *what, *subject_kind; /* subject_kind NULL: child and adult alike */
    int64_t minutes;                       /* 0: nothing is due */
    const char *clock;                     /* elapsed, working */
};
MUST_CHECK enum err hub_set_timescale(struct hub *h, const struct hub_timescale *t, struct why *why);
/* date: 2029-12-25. name NULL: it is none any more; ERR_NOTFOUND where it was none. */
MUST_CHECK enum err hub_set_holiday(struct hub *h, const char *date, const char *name, struct why *why);

/* Who sees what: another policy in the place of the one in force. Applying records it; continuing carries it out, at
 * most so many cases in one transaction, until *out_done; the hub serves meanwhile, and a hub that was stopped goes on
 * where it was. ERR_EXISTS: another one is coming already, or this one is in force. ERR_USAGE: not a policy. ERR_LIMIT:
 * a case is seen in too many ways; nothing was changed. */
MUST_CHECK enum err hub_policy_apply(struct hub *h, struct bytes text, const char *reason, struct why *why);
MUST_CHECK enum err hub_policy_continue(struct hub *h, size_t max_cases, bool *out_done, struct why *why);
bool hub_policy_is_coming(const struct hub *h); /* as its last transaction found it */
struct hub_policy_progress {
    bool under_way;
    int64_t gen;
    bool widening; /* every case was narrowed */
    uint64_t cases, done;
};
MUST_CHECK enum err hub_policy_progress(struct hub *h, struct hub_policy_progress *out, struct why *why);

/* hub/preview.c: what would happen, before it does; nothing is changed. The callbacks come when all is known, lines by
 * site, then devices. */
struct hub_preview_rows {
    const char *site, *table; /* table NULL: of a device's site, everything */
    uint64_t appear, leave;   /* rows that the site would see and does not, and the other way round */
};
struct hub_preview_device {
    const uint8_t *kid; /* 16 */
    const char *site, *state;
    uint64_t rows;       /* that it could hold and would have to forget */
    int64_t unsent;      /* changes of its own that it had not sent when it was last heard; -1: never heard */
    int64_t oldest_ms;   /* time of the oldest of them; 0 none */
    int64_t last_seen;   /* 0 never */
};
struct hub_preview {
    void *ctx;
    enum err (*rows)(void *ctx, const struct hub_preview_rows *r, struct why *why);
    enum err (*device)(void *ctx, const struct hub_preview_device *d, struct why *why);
};
/* Of putting another policy in force. ERR_EXISTS: one is coming already. ERR_USAGE: not a policy. */
MUST_CHECK enum err hub_preview_policy(struct hub *h, struct bytes text, const struct hub_preview *p, struct why *why);
/* Of revoking a device: rows by table that it could hold (leave), itself (rows: of all tables), then the other devices
 * of its site. ERR_NOTFOUND. */
struct hub_preview_revoke {
    uint64_t unconfirmed; /* rows that it was told to forget and did not confirm */
    uint64_t waiting;     /* changes of its that are held for a manager, or wait for such */
    uint64_t cases;       /* that it could hold rows of */
};
MUST_CHECK enum err hub_preview_revoke(struct hub *h, const uint8_t kid[16], const struct hub_preview *p,
                                       struct hub_preview_revoke *out, struct why *why);

/* Call when a backup of this store has been verified, before anything more is taken in: all envelopes taken in so far
 * are covered, and devices may delete the sealed copies that they keep for a hub that is built anew. */
MUST_CHECK enum err hub_covered(struct hub *h, struct why *why);

/* Who could see a row, and which devices held it: ever (at_ms 0), or at a time. ERR_NOTFOUND. */
struct hub_saw {
    bool is_device;
    const char *site, *agency;
    int64_t from_ms, until_ms; /* a site saw it from then until then; until 0: it sees it still */
    int64_t looks_from_ms, looks_until_ms; /* looks that devices date so are told with it; until 0: all later ones */
    int64_t looks_floor_ms;                /* and as from then on, where it was before */
    uint8_t kid[16];           /* a device of the site */
    const char *state;         /* holds; confirmed, unconfirmed: told to forget it */
    int64_t since_ms;
};
typedef enum err (*hub_saw_fn)(void *ctx, const struct hub_saw *line, struct why *why);
MUST_CHECK enum err hub_who_saw(struct hub *h, int table_index, const uint8_t id[16], int64_t at_ms, hub_saw_fn each,
                                void *ctx, struct why *why);
/* Who looked at a row, as devices tell it, by time; up to a time (0: all). Only rows that are not open to all who see
 * their case are told of. */
struct hub_looked {
    const char *site, *name; /* "": nobody that the hub knows */
    uint8_t kid[16], user[16];
    int64_t at_ms;
};
typedef enum err (*hub_looked_fn)(void *ctx, const struct hub_looked *line, struct why *why);
MUST_CHECK enum err hub_who_looked(struct hub *h, int table_index, const uint8_t id[16], int64_t until_ms,
                                   hub_looked_fn each, void *ctx, struct why *why);
/* Break-glass: for how many hours a manager may open a case that is not his site's; 0: not at all, which is the
 * default. ERR_USAGE: more than 72. */
MUST_CHECK enum err hub_set_emergency(struct hub *h, int64_t hours, struct why *why);

/* ----------------------------------------------------------------------------------- the transparency logs (LOG.md) */
/* kid: of a device, whose log is meant; NULL: the hub's own. All append to `out`, as text. ERR_NOTFOUND: no such
 * device, or nothing is in that log. */
/* The verifier key under which checkpoints of the log are signed (C2SP signed-note), with a newline. */
MUST_CHECK enum err hub_log_key(struct hub *h, const uint8_t *kid, struct buf *out, struct why *why);
MUST_CHECK enum err hub_log_checkpoint(struct hub *h, const uint8_t *kid, struct buf *out, struct why *why);
/* That leaf `index`, from 0, is in the log as it stands. ERR_NOTFOUND: it has no such leaf. */
MUST_CHECK enum err hub_log_proof(struct hub *h, const uint8_t *kid, uint64_t index, struct buf *out, struct why *why);
/* All logs as one text, a piece at a time (borrowed), as they stood at one moment. */
typedef enum err (*hub_log_fn)(void *ctx, struct bytes text, struct why *why);
MUST_CHECK enum err hub_log_export(struct hub *h, hub_log_fn each, void *ctx, struct why *why);
/* All logs against themselves, and against the changes and acts that this hub keeps. ERR_TAMPERED says what does not
 * fit. */
MUST_CHECK enum err hub_log_verify(struct hub *h, struct log_audit_sum *out, struct why *why);

/* ---------------------------------------------------------------------------------------- for tests and checks */
/* May this site see this row now, as the masks say; and as the views say, recomputed. They must always agree. */
MUST_CHECK enum err hub_sees(struct hub *h, const char *site, const char *tbl, const uint8_t id[16], bool *out_by_mask,
                             bool *out_by_view, struct why *why);
/* Every row the site may see now, in table and id order. */
MUST_CHECK enum err hub_site_rows(struct hub *h, const char *site,
                                  enum err (*each)(void *ctx, const struct row *r, struct why *why), void *ctx,
                                  struct why *why);
/* Recompute every mask from the views and compare. ERR_TAMPERED names the first difference. */
MUST_CHECK enum err hub_verify(struct hub *h, struct why *why);

#endif
