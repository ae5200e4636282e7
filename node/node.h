/* A node: an encrypted replica at a site, its outbox and its rounds with the hub. What cli/ and tests see. One struct
 * node is used by one thread; one process has a home open at a time. */
#ifndef SPOKE_NODE_NODE_H
#define SPOKE_NODE_NODE_H

#include "base/env.h"
#include "crypto/keyslot.h"
#include "sync/db.h"
#include "sync/messages.h"
#include "sync/question.h"

struct node; /* opaque */

struct node_info {
    struct identity self;
    struct identity hub;
    char hub_name[128];
    char hub_address[200];
    char site[64];
    char agency[64];
    uint8_t user[16]; /* practitioner id */
    char user_name[128];
    uint64_t epoch;
    uint8_t cursor[CUT_BYTES];
    int64_t last_contact_ms;  /* hub's last answer taken; 0 never */
    uint64_t last_request;    /* answered last */
    bool revoked;             /* the hub said so */
    uint64_t unsent;          /* envelopes without a verdict */
    int64_t oldest_unsent_ms; /* 0 none */
    uint64_t rescued;         /* of the unsent ones: from before this device was set up anew */
    uint64_t held, waiting;   /* envelopes held or waiting at the hub */
    uint64_t conflicts;       /* open conflict rows here */
    uint64_t rows;            /* rows of case tables here */
    uint64_t receipts_due;    /* receipts not yet sent */
    uint64_t rows_held, rows_most; /* as the hub counts them, and how many may be here; most 0: it said nothing of that */
    bool rows_stopped;        /* nothing new comes because of that */
    uint64_t hidden;          /* rows that were shared until a time that is over; not among `rows` */
    unsigned lease_days;      /* how long it may be opened without contact */
    int64_t lease_until_ms;   /* by this device's clock, if it goes right; 0: no contact yet */
};

/* --------------------------------------------------------------------------------------------------- life */
/* First half of enrolment: makes the home (keys, empty replica) and the sealed request for the hub in `out`; may be
 * called again with the same code after a failure and gives the same keys. hub: identity as fetched from its address,
 * checked here against the invitation's fingerprint (ERR_REFUSED: somebody else answers there). ERR_EXISTS: already
 * enrolled. */
MUST_CHECK enum err node_enrol_begin(const struct env *env, const char *home, struct bytes passphrase,
                                     const struct invitation *code, struct bytes hub_public, const char *user_name,
                                     struct buf *out, struct why *why);
/* The same for a device that has joined, and that the hub does not hear any more, because it was put back from an old
 * image or copied: it is set up anew in place, with an invitation for the same site. Until the answer is taken it goes
 * on as it was; then it has new keys and an empty replica, and what it had not sent goes to a manager. user_name NULL:
 * as before. out stays empty when this very code has done its work. ERR_UNINIT: not joined; ERR_REFUSED: another
 * hub's. */
MUST_CHECK enum err node_enrol_again(const struct env *env, const char *home, struct bytes passphrase,
                                     const struct invitation *code, struct bytes hub_public, const char *user_name,
                                     struct buf *out, struct why *why);
/* Second half of either: take the hub's sealed answer. */
MUST_CHECK enum err node_enrol_finish(const struct env *env, const char *home, struct bytes passphrase,
                                      struct bytes answer, struct why *why);

/* For people. ERR_UNINIT (also when enrolment was never finished, with advice), ERR_PASSPHRASE, ERR_TAMPERED, ERR_BUSY;
 * ERR_REFUSED: the lease is over, or the device was or is to be wiped: why->next says the way out. */
MUST_CHECK enum err node_open(struct node **out, const struct env *env, const char *home, struct bytes passphrase,
                              struct why *why);
/* What opens a home: a passphrase, or the ring of somebody who opened it before (node_unlock; the agent keeps it). */
struct node_key {
    struct bytes passphrase;    /* when ring is NULL */
    const struct keyring *ring; /* borrowed; NULL: by passphrase */
};
/* What for. FOR_HUB: contact with the hub and nothing else; it is open to that also when the lease is over and when a
 * wipe waits for work to be sent first. */
enum node_for { NODE_FOR_PEOPLE, NODE_FOR_HUB };
MUST_CHECK enum err node_open_as(struct node **out, const struct env *env, const char *home, const struct node_key *key,
                                 enum node_for what_for, struct why *why);
/* Check a passphrase and give what it opens. Errors of keyslot_open. */
MUST_CHECK enum err node_unlock(const struct env *env, const char *home, struct bytes passphrase, struct keyring *out,
                                struct why *why);
/* So long it refuses the next, after too many wrong ones. */
int64_t node_unlock_wait_ms(const struct env *env, const char *home);
void node_close(struct node *n);
/* Put away what may not be shown any longer, and show again what may, by the clock as it is now. node_open and each
 * round do it; a program that keeps a device open does it before it shows anything. Costs one question when nothing is
 * due. */
MUST_CHECK enum err node_tick(struct node *n, struct why *why);
MUST_CHECK enum err node_get_info(struct node *n, struct node_info *out, struct why *why);
/* The same without what has to be counted, which is 0. */
MUST_CHECK enum err node_about(struct node *n, struct node_info *out, struct why *why);
struct db *node_db(struct node *n);
const struct env *node_env(const struct node *n);

/* ------------------------------------------------------------------------------------------------ people */
/* Several people may use a device, each with a passphrase (a slot of the key file); whose slot it is stands in the
 * replica. Edits and views carry who opened it. */
struct node_person {
    uint8_t slot[SLOT_ID_BYTES];
    uint8_t id[16];    /* practitioner; zeros: a slot that nobody here is noted for */
    const char *name;  /* borrowed; "" for such a slot */
    bool self;         /* who has it open now */
    int64_t added_ms;
};
typedef enum err (*node_person_fn)(void *ctx, const struct node_person *p, struct why *why);
MUST_CHECK enum err node_people(struct node *n, node_person_fn each, void *ctx, struct why *why);
/* A practitioner of this device's site, as the hub has them, gets a passphrase here. ERR_NOTFOUND: the hub has nobody
 * of this id at this site; ERR_EXISTS: has one already; ERR_LIMIT: seven people at most; ERR_DENIED: too short. */
MUST_CHECK enum err node_person_add(struct node *n, const uint8_t id[16], struct bytes passphrase, struct why *why);
/* ERR_NOTFOUND; ERR_DENIED: the last one. Who has a copy of the files as they were is shut out by node_rekey alone. */
MUST_CHECK enum err node_person_remove(struct node *n, const uint8_t id[16], struct why *why);
/* Another passphrase for a person. ERR_NOTFOUND, ERR_DENIED. */
MUST_CHECK enum err node_person_passphrase(struct node *n, const uint8_t id[16], struct bytes passphrase,
                                           struct why *why);
/* Make the recovery code, or make it anew; the one before is worthless then. */
MUST_CHECK enum err node_recovery_code(struct node *n, char out[RECOVERY_CODE_CHARS], struct why *why);
/* With the recovery code: another passphrase for the person of this name (NULL: the only one), and a new device secret
 * where it was lost. ERR_PASSPHRASE: not this device's code; ERR_NOTFOUND: nobody of that name. */
MUST_CHECK enum err node_recover(const struct env *env, const char *home, struct bytes code, const char *name,
                                 struct bytes passphrase, struct why *why);
/* Everything here under a new data key; every slot goes on working. *n is closed in any case (the store is another file
 * afterwards). `out` (may be NULL): the new ring. ERR_FULL, ERR_IO, …: all is as it was. */
MUST_CHECK enum err node_rekey(struct node *n, struct keyring *out, struct why *why);
/* What somebody asks for under an id of their own is done once: asking again because no answer came writes nothing.
 * `hash`: of what is asked. *out says what is known of the id; when NEW, the next change keeps it, and node_once_end
 * adds what was answered (empty: nothing). ANSWERED: appended to `answer`. DONE: it was done, and nobody knows what was
 * answered. OTHER: something else was asked under it. The latest 1,000 of a week are known; taking rows away forgets
 * them. */
enum node_once { NODE_ONCE_NEW, NODE_ONCE_ANSWERED, NODE_ONCE_DONE, NODE_ONCE_OTHER };
MUST_CHECK enum err node_once_begin(struct node *n, const uint8_t id[16], const uint8_t hash[HASH_BYTES],
                                    struct buf *answer, enum node_once *out, struct why *why);
MUST_CHECK enum err node_once_end(struct node *n, struct bytes answer, struct why *why);
/* A person looked at a record that is not open to all (or at a release): it is noted with who and when, and goes to the
 * hub with the next request. Looking again within the hour is one look. */
MUST_CHECK enum err node_note_view(struct node *n, int table_index, const uint8_t id[16], struct why *why);
/* The same for a sensitive row that only work which is not accepted yet would make, and whose text stands there. */
MUST_CHECK enum err node_note_view_of_held(struct node *n, int table_index, const uint8_t id[16], struct why *why);
/* The same for a person's SQL, before it is run (db_user_sql): where it reads texts of records or releases, or what may
 * hold such (conflicts, what is not sent yet), that is a look at every one that is here. Refuses what db_user_sql
 * refuses. */
MUST_CHECK enum err node_note_sql(struct node *n, const char *sql, bool write, struct why *why);

/* ------------------------------------------------------------------------------------------------ own edits */
/* Between begin and commit the caller writes synced case tables through node_db (db_row_put, db_row_set, db_user_sql
 * with write). Commit captures with the session extension, refuses what no hub could take (a deleted row, a value over
 * 1 MiB or of the wrong kind, a changed id, case_id or agency, a row without its case: ERR_DENIED, everything rolled
 * back), saves hub images, signs the envelope into the outbox and writes the audit row, all in the same transaction. An
 * empty edit makes no envelope (*out_seq = 0). `what` is a short plain phrase for the audit ("shared a case with an
 * agency"), no content. */
MUST_CHECK enum err node_edit_begin(struct node *n, struct why *why);
MUST_CHECK enum err node_edit_commit(struct node *n, const char *what, uint64_t *out_seq, struct why *why);
void node_edit_cancel(struct node *n);

/* --------------------------------------------------------------------------------------------- rounds */
/* How bytes reach the hub. */
struct carrier {
    void *ctx;
    /* Send a request and stream the answer to sink from byte `from` on (resume: the first `from` bytes are there
     * already). wait_ms: how long the hub may park it. ERR_UNREACHABLE, ERR_REFUSED (the hub said no, why->text says
     * it), ERR_TAMPERED. */
    enum err (*exchange)(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why);
};
struct carrier_http; /* node/carrier_http.c, over libcurl; times out on silence, not on slowness */
MUST_CHECK enum err carrier_http_new(struct carrier_http **out, const char *address, struct why *why);
struct carrier carrier_http(struct carrier_http *c);
/* Public keys and name of the hub at an address (GET /v1/hub): 64 bytes of keys. */
MUST_CHECK enum err carrier_http_hub(struct carrier_http *c, uint8_t out_public[PUBLIC_BYTES], struct why *why);
MUST_CHECK enum err carrier_http_enrol(struct carrier_http *c, struct bytes request, struct buf *out, struct why *why);
/* The hub said with the last one that an administrator has to approve the device before it gets anything. Nobody's
 * signed word: the hub itself holds to it. */
bool carrier_http_waits(const struct carrier_http *c);
/* Asked about once a second while it waits for the network: true breaks the transfer off (ERR_INTERRUPTED). */
void carrier_http_until(struct carrier_http *c, bool (*stop)(void *ctx), void *ctx);
void carrier_http_free(struct carrier_http *c);

struct round_options {
    uint64_t budget;     /* bytes of page content an answer; 0 = default 4 MiB */
    uint64_t most;       /* bytes of own changes a request, and one change at least; 0 = default 4 MiB, which is the most */
    uint64_t wait_ms;    /* park the last request for so long when there is nothing */
    unsigned max_rounds; /* 0 = until all is pulled and sent, at most 10,000 */
};
struct round_result {
    uint64_t rounds, rows_in, rows_dropped, sent, applied, merged, held, waits, fault, receipts;
    uint64_t bytes_out, bytes_in;
    uint64_t conflicts_new;
    bool revoked;
};
/* Rounds until nothing is left to send, pull or confirm. What was done before an error stays done; *out is filled
 * either way. ERR_UNREACHABLE: the work is queued. ERR_REFUSED: by the hub; or the device is to be wiped, or was by
 * this contact, and then n can only be closed (node/door.h: node_was_wiped; node_bundle_import likewise). ERR_FULL: the
 * replica is as it was before the answer. */
MUST_CHECK enum err node_sync(struct node *n, const struct carrier *via, const struct round_options *opt,
                              struct round_result *out, struct why *why);
/* The same round by file. Export appends the pending request (made now, or the one not yet answered) to out, and beside
 * it what was written since (sync/courier.h); import takes an answer. An answer taken before: ERR_EXISTS, nothing
 * changed; for another node: ERR_REFUSED; not the next one: ERR_FORMAT. */
MUST_CHECK enum err node_bundle_export(struct node *n, struct buf *out, struct why *why);
MUST_CHECK enum err node_bundle_import(struct node *n, struct bytes answer, struct round_result *out, struct why *why);
/* A round in halves, for a program whose people go on working while bytes travel: make the request; carry it with a
 * carrier's exchange, from where it broke off if the same request was begun before; take the answer. In between n may
 * be closed and opened again, and other programs may make whole rounds: what comes then is an answer that was taken
 * already (ERR_EXISTS), and nothing changed. */
struct node_round {
    struct buf request; /* sealed; the same bytes until its answer was taken */
    bool again;         /* made before: newer work is not in it */
};
void node_round_init(struct node_round *r);
void node_round_release(struct node_round *r);
/* Only budget and wait_ms of opt count. */
MUST_CHECK enum err node_round_begin(struct node *n, const struct round_options *opt, struct node_round *out,
                                     struct why *why);
/* *out_more: there is more to pull, send or confirm, and the contact goes on with the next round. Else it is over, with
 * what node_sync does and says at its end. Errors of node_sync. */
MUST_CHECK enum err node_round_end(struct node *n, const struct node_round *r, struct bytes answer,
                                   struct round_result *out, bool *out_more, struct why *why);
/* No answer came: `e` and `why` of the carrier in words for people, and the end of the contact. */
MUST_CHECK enum err node_round_broke(struct node *n, enum err e, struct why *why);

/* ------------------------------------------------------------------------------------- questions to the hub */
/* Why is this row here, who saw it, what would come of sharing a case, show me a case in an emergency: sync/question.h,
 * hub/RULES.md. */
struct node_question {
    unsigned kind; /* enum question_kind */
    int table_index;
    uint8_t id[16];      /* zeros for an emergency */
    const char *agency;  /* NULL: none */
    const char *text;    /* NULL: none */
    int64_t at_ms;       /* 0: ever */
};
/* It goes with the next request and is answered in its answer. One that waits already is not put twice. ERR_NOTFOUND:
 * the row is not here; ERR_LIMIT: too long; ERR_USAGE: a word that its kind needs is missing, or is no UTF-8. */
MUST_CHECK enum err node_ask(struct node *n, const struct node_question *q, uint64_t *out_number, struct why *why);
struct node_reply {
    uint64_t number;
    int64_t asked_ms;
    bool replied;
    int64_t replied_ms; /* when the reply came here */
    int64_t hub_ms;     /* the hub's clock, which it is true at */
};
typedef enum err (*reply_line_fn)(void *ctx, const struct reply_line *line, struct why *why);
/* What was replied; no lines: the hub has nothing to say, for whatever reason. Kept until the same is asked again, for
 * 30 days, and not longer than what it is about. ERR_NOTFOUND. each may be NULL. */
MUST_CHECK enum err node_reply(struct node *n, uint64_t number, struct node_reply *out, reply_line_fn each, void *ctx,
                               struct why *why);
/* The number of the same question that was replied to, else of one that waits. ERR_NOTFOUND. */
MUST_CHECK enum err node_reply_to(struct node *n, const struct node_question *q, uint64_t *out_number, struct why *why);

/* ---------------------------------------------------------------------------------------------- questions */
/* Every envelope of the outbox, oldest first. */
struct outbox_item {
    uint64_t seq;
    int64_t written_ms;
    const char *what;   /* the audit phrase */
    const char *state;  /* unsent, applied, merged, held, waits, fault, dismissed */
    const char *reason; /* NULL or the hub's words */
    bool parked;        /* its case was taken away before it was sent */
    const char *kept;   /* of its text here: text (readable), sealed (for the hub alone, until its backup has it), none */
    size_t bytes;
};
MUST_CHECK enum err node_outbox(struct node *n,
                                enum err (*each)(void *ctx, const struct outbox_item *i, struct why *why), void *ctx,
                                struct why *why);
/* What an own envelope says, while its text is kept here: until it is sent, and after that while it is not taken in.
 * ERR_NOTFOUND: not kept. Operations in their order; values are borrowed. */
struct op;
typedef enum err (*outbox_op_fn)(void *ctx, const struct op *op, struct why *why);
MUST_CHECK enum err node_outbox_read(struct node *n, uint64_t seq, outbox_op_fn each, void *ctx, struct why *why);
/* Which own envelope a `held` row is about. ERR_NOTFOUND. */
MUST_CHECK enum err node_outbox_of_held(struct node *n, const uint8_t id[16], uint64_t *out_seq, struct why *why);
/* Do the same again as a new edit, with other values where told, and withdraw the held work in the same edit where its
 * row stands here; the kept text goes. ERR_NOTFOUND: what it changes is not here any more; ERR_EXISTS: it was taken in;
 * ERR_DENIED: not decided yet. *out_seq: the new envelope. */
struct outbox_change {
    int table_index;
    size_t column;
    uint8_t id[16];
    struct value v;
};
MUST_CHECK enum err node_outbox_resend(struct node *n, uint64_t seq, const struct outbox_change *changes,
                                       size_t n_changes, uint64_t *out_seq, struct why *why);
/* Let the kept text go, and withdraw held work whose row stands here (*out_withdrawn). */
MUST_CHECK enum err node_outbox_discard(struct node *n, uint64_t seq, bool *out_withdrawn, struct why *why);
/* Check everything here: pages, chain and signatures of the outbox, overlay against tables. ERR_TAMPERED says what. */
struct verify_result {
    uint64_t pages, rows, envelopes, pending_rows;
};
MUST_CHECK enum err node_verify(struct node *n, struct verify_result *out, struct why *why);

#endif
