/* What the node's own files share. Not for cli/; tests of single nouns may read it. */
#ifndef SPOKE_NODE_INTERNAL_H
#define SPOKE_NODE_INTERNAL_H

#include "node/node.h"
#include "sync/bundle.h"
#include "sync/changeset.h"

#define NODE_PATH_MAX 4096
#define NODE_SOFTWARE "spoke 0.1.0 +log+note+budget" /* what it says it knows: message_knows */

struct capture; /* node/capture.c */
struct search;  /* node/search.c */

/* What moves while there is no contact: node/lease.c. */
struct lease_mark {
    int64_t high;   /* highest time that was seen, Unix ms */
    int64_t ran;    /* ms that the computer ran since the last contact */
    int64_t steady; /* env's steady clock when that was looked at */
};
struct lease {
    bool known;                    /* the rest was read from the store */
    unsigned days;                 /* allowed */
    int64_t contact;               /* hub's time of the last contact; 0: none, and the lease does not run */
    struct lease_mark noted, now;  /* in the store; as it is */
};

struct node {
    const struct env *env; /* borrowed */
    char home[NODE_PATH_MAX];
    enum node_for what_for;
    struct db *db;       /* owned */
    struct keyring ring; /* owned: what it was opened with */
    struct lease lease;
    struct identity_secret self;
    struct identity hub;
    char hub_name[128];
    char hub_address[200];
    char site[64];
    char agency[64];
    char user_name[128];
    uint8_t user[16];        /* practitioner id */
    uint8_t recovery_pk[32]; /* judged content is sealed to it */
    uint64_t epoch;
    struct capture *capture; /* the running edit; NULL while there is none */
    struct search *search;   /* owned: node/search.c */
    bool to_be_wiped;        /* by an order that waits for the end of the contact, or for what is unsent: node/orders.c */
    bool marked;             /* HOME/unsent is there */
    bool all_sent;           /* by the last contact, and nothing was written since */
    struct {
        bool set, done;           /* asked under an id; and a change was committed since */
        uint8_t id[16], hash[32]; /* of HASH_BYTES */
    } once;                       /* node/once.c */
};

/* ---- once.c: in the transaction of a change; and when something was taken away. */
MUST_CHECK enum err once_mark(struct node *n, struct why *why);
MUST_CHECK enum err once_forget(struct node *n, struct why *why);

/* ---- state.c: named values. Absent: zeros, empty text, 0. */
MUST_CHECK enum err state_fixed(struct db *db, const char *name, uint8_t *out, size_t n, struct why *why);
MUST_CHECK enum err state_text(struct db *db, const char *name, char *out, size_t n, struct why *why);
MUST_CHECK enum err state_bytes(struct db *db, const char *name, struct buf *out, struct why *why); /* appended */
MUST_CHECK enum err state_put(struct db *db, const char *name, struct bytes v, struct why *why);
MUST_CHECK enum err state_forget(struct db *db, const char *name, struct why *why);
MUST_CHECK enum err state_number(struct db *db, const char *name, uint64_t *out, struct why *why);
MUST_CHECK enum err state_set_number(struct db *db, const char *name, uint64_t v, struct why *why);
/* The one integer that a statement without parameters answers; 0 for no row or NULL. */
MUST_CHECK enum err state_ask(struct db *db, const char *sql, uint64_t *out, struct why *why);
/* Run a statement whose only parameters are integers. */
MUST_CHECK enum err state_run(struct db *db, const char *sql, const int64_t *args, int n_args, struct why *why);
/* Bring the store up to the hub's schema version, as far as this program knows it, within the running transaction.
 * *out_moved (may be NULL): it was not there yet. */
MUST_CHECK enum err state_migrate(struct db *db, uint64_t hub_schema, bool *out_moved, struct why *why);
/* Tell the connection what the store was brought up to. ERR_VERSION: by a newer program than this. */
MUST_CHECK enum err state_load_schema(struct db *db, struct why *why);
/* "identity": this device's keys. "next_identity": those that it will have once it is set up anew. */
MUST_CHECK enum err state_save_identity(struct db *db, const char *name, const struct identity_secret *id,
                                        struct why *why);
MUST_CHECK enum err state_load_identity(struct db *db, const char *name, struct identity_secret *out, bool *out_found,
                                        struct why *why);

/* ---- enrol.c: what joining and being set up anew have in common. */
/* The hub's keys against the invitation, and the name. */
MUST_CHECK enum err enrol_check(const struct invitation *code, struct bytes hub_public, const char *user_name,
                                struct identity *out_hub, struct why *why);
struct enrol_ask {
    const struct identity_secret *self;
    const struct identity_secret *door; /* what opens its door: node/wipe.h */
    const struct identity_secret *old;  /* whose place it takes; NULL: nobody's */
    const struct identity *hub;
    const struct invitation *code;
    const char *user_name;
};
MUST_CHECK enum err enrol_seal(const struct enrol_ask *a, struct buf *out, struct why *why);
/* Open the answer to the request with this token, and check every claim in it. */
MUST_CHECK enum err enrol_read(const struct identity *hub, const uint8_t token[16], const struct identity_secret *self,
                               struct bytes in, struct enrol_answer *out, struct why *why);
MUST_CHECK enum err enrol_store(struct db *db, const struct enrol_answer *a, struct why *why);

/* ---- rescue.c: a device that is set up anew, because it was put back from an old image or copied. */
/* Second half: new keys, an empty replica, and what was not sent in a new chain. ERR_EXISTS: it was not asked for. */
MUST_CHECK enum err rescue_finish(struct node *n, struct bytes answer, struct why *why);

/* ---- replica.c: key file and store of a home. */
struct replica_files {
    char key[NODE_PATH_MAX], device[NODE_PATH_MAX];
    struct keyfile keyfile; /* borrows from the two, or from env: not to be copied */
};
MUST_CHECK enum err replica_files(struct replica_files *f, const struct env *env, const char *home, struct why *why);
/* Which of its two names the store has under the data key of this generation. */
MUST_CHECK enum err replica_path(char out[NODE_PATH_MAX], const char *home, uint32_t generation, struct why *why);
/* Overwrite and remove the store of a generation, with its log. It must be closed. */
MUST_CHECK enum err replica_shred(const struct env *env, const char *home, uint32_t generation, struct why *why);
/* Is there a store of the other name beside that of this generation? */
MUST_CHECK enum err replica_leftover(const struct env *env, const char *home, uint32_t generation, bool *out,
                                     struct why *why);
/* An open store and what opened it. Empty: zeros. */
struct replica {
    struct db *db;
    struct keyring ring;
};
void replica_close(struct replica *r); /* empty is fine */
/* ERR_UNINIT when there is none; ERR_LOCKED: key->ring is not in force any more. */
MUST_CHECK enum err replica_open(struct replica *out, const struct env *env, const char *home,
                                 const struct node_key *key, struct why *why);
/* The store for r->ring, which key gave (only whether by ring or passphrase is asked of key). After a failure what r
 * has is still to be closed. */
MUST_CHECK enum err replica_open_ring(struct replica *r, const struct env *env, const char *home,
                                      const struct node_key *key, struct why *why);
/* An open store as a node. Takes what r has, also when it fails. */
MUST_CHECK enum err replica_node(struct node **out, const struct env *env, const char *home, struct replica *r,
                                 enum node_for what_for, struct why *why);
/* Open, or make what is missing: key, file, tables. A crash between any two of them is made good here. */
MUST_CHECK enum err replica_make(struct replica *out, const struct env *env, const char *home, struct bytes passphrase,
                                 struct why *why);

/* ---- people.c */
/* What is being done to the key file: noted before, settled after. Zeros and empty where nothing fits. */
enum key_act_kind { KEY_ADD = 1, KEY_REMOVE, KEY_PASSPHRASE, KEY_CODE, KEY_RECOVER, KEY_REKEY };
struct key_act {
    enum key_act_kind kind;
    uint64_t revision; /* of the key file before it */
    int64_t at;
    uint8_t slot[SLOT_ID_BYTES]; /* not of KEY_ADD: the file says */
    uint8_t id[16];              /* whom it is about; KEY_REKEY: a mark of its own */
    uint8_t user[16];            /* who did it */
    char name[128];
};
/* Finish what a crash cut off, or forget it if it was never done. */
MUST_CHECK enum err people_settle(struct replica *r, const struct env *env, const struct keyfile *at, struct why *why);
/* Note what is about to be done (kind, slot, id, name). Settled by the next act or opening. */
MUST_CHECK enum err people_begin(struct node *n, const struct keyfile *at, struct key_act *a, struct why *why);
/* Done so, or not (`done`): settle it. Gives `done`, or what kept it from being settled. */
MUST_CHECK enum err people_end(struct node *n, const struct keyfile *at, enum err done, struct why *why);
/* Who opened it. Nobody is noted for a slot: the first person, if there can be no other; else zeros and "". */
MUST_CHECK enum err people_who(struct db *db, const struct keyring *ring, uint8_t id[16], char name[128],
                               struct why *why);
/* Who joins the device, or sets it up anew, has this slot. Within the caller's transaction. */
MUST_CHECK enum err people_first(struct db *db, const struct env *env, const uint8_t slot[SLOT_ID_BYTES],
                                 const uint8_t id[16], const char *name, struct why *why);
MUST_CHECK enum err people_audit(struct db *db, int64_t at, const uint8_t user[16], const uint8_t about[16],
                                 const char *what, struct why *why); /* about NULL: nobody */
/* Has each slot its person, and each person a slot? ERR_TAMPERED. */
MUST_CHECK enum err people_check(struct node *n, struct why *why);

/* ---- lease.c */
/* Follow the clocks, note how far they are, and say whether people may still use this: ERR_REFUSED (n->what_for). */
MUST_CHECK enum err lease_look(struct node *n, struct why *why);
/* The same without noting anything: within a transaction. */
MUST_CHECK enum err lease_allows(struct node *n, struct why *why);
/* A device joins: the hub's clock. Within the caller's transaction, as the next two. */
MUST_CHECK enum err lease_start(struct db *db, const struct env *env, uint64_t hub_ms, struct why *why);
/* Contact: the hub's clock, in a verified answer of a hub that still wants this device. */
MUST_CHECK enum err lease_renew(struct node *n, uint64_t hub_ms, struct why *why);
/* The hub allows so many days from now on. ERR_LIMIT: 1 to LEASE_MAX_DAYS. */
MUST_CHECK enum err lease_set(struct node *n, uint64_t days, struct why *why);
MUST_CHECK enum err lease_info(struct node *n, unsigned *out_days, int64_t *out_until_ms, struct why *why);

/* ---- views.c */
/* Into a request, if any wait: one item. */
MUST_CHECK enum err views_put(struct node *n, struct bundle_writer *w, struct why *why);
/* Those that views_put put are in this request. Within a transaction, as the next. */
MUST_CHECK enum err views_sent(struct node *n, uint64_t request, struct why *why);
MUST_CHECK enum err views_answered(struct node *n, uint64_t request, struct why *why);
/* With an order to forget the row: those that the hub has. */
MUST_CHECK enum err views_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why);

/* ---- capture.c: what one transaction changed, recorded by SQLite's session extension. */
MUST_CHECK enum err capture_new(struct capture **out, struct db *db, struct why *why);
MUST_CHECK enum err capture_take(struct capture *c, struct buf *out,
                                 struct why *why); /* the changeset, appended; empty: nothing */
void capture_free(struct capture *c);              /* before the transaction's end; NULL is fine */

/* ---- sum.c: a sum over all rows, kept along with each change of one. */
MUST_CHECK enum err sum_follow(struct node *n, struct why *why); /* from here on; once, when the replica is opened */
/* ERR_TAMPERED: the rows are not those that came and that were written. */
MUST_CHECK enum err sum_check(struct node *n, struct why *why);

/* ---- edit.c */
struct outbox_origin;
/* Sign changes to rows that stand in their tables already as the next envelope; each becomes pending. Within the
 * caller's transaction. ERR_DENIED: no hub could take them. */
MUST_CHECK enum err edit_again(struct node *n, struct bytes changes, const struct outbox_origin *origin,
                               const char *what, uint64_t *out_seq, struct why *why);

/* ---- outbox.c */
/* Sign parts as the next envelope and store it as unsent. Within the edit's transaction. */
MUST_CHECK enum err outbox_append(struct node *n, const struct part *parts, size_t n_parts, uint64_t seq,
                                  const char *what, struct why *why);
/* The same for content that was written before, by whom, when and upon what. */
struct outbox_origin {
    uint8_t base_cut[CUT_BYTES];
    uint8_t user[16];
    uint64_t hlc;
    uint64_t schema; /* version that the content was written in: it stays so */
    uint8_t rescued[HASH_BYTES]; /* zeros: not from another device's chain */
};
/* What an edit made now has. */
MUST_CHECK enum err outbox_now(struct node *n, struct outbox_origin *out, struct why *why);
MUST_CHECK enum err outbox_append_as(struct node *n, const struct outbox_origin *origin, const struct part *parts,
                                     size_t n_parts, uint64_t seq, const char *what, struct why *why);
MUST_CHECK enum err outbox_next_seq(struct node *n, uint64_t *out, struct why *why);
/* Record a verdict: settle the overlay, and leave content that was taken in to purge_run. *out_first: this envelope had
 * none yet. ERR_FORMAT: no such envelope. */
MUST_CHECK enum err outbox_judge(struct node *n, const struct verdict_item *v, bool *out_first, struct why *why);
/* What is kept here of the text of an envelope o: a column of a question over n_outbox o (struct outbox_item). */
#define OUTBOX_KEPT                                                                                                    \
    "CASE WHEN EXISTS(SELECT 1 FROM n_content k WHERE k.seq = o.seq) THEN 'text'"                                      \
    " WHEN typeof(o.sealed) <> 'null' THEN 'sealed' ELSE 'none' END"
/* The hub says that a verified backup has all envelopes up to this one: their sealed copies go, once they are
 * decided. */
MUST_CHECK enum err outbox_covered(struct node *n, uint64_t up_to, struct why *why);
MUST_CHECK enum err outbox_count(struct node *n, uint64_t *out_unsent, int64_t *out_oldest_ms, struct why *why);

/* ---- content.c: the readable content of own envelopes. Within the caller's transaction. */
#define CONTENT_MAX_ITEM (40u << 20) /* an envelope with its parts */
MUST_CHECK enum err content_put(struct node *n, uint64_t seq, struct bytes item, struct why *why);
/* Appended to out, unchecked. */
MUST_CHECK enum err content_get(struct node *n, uint64_t seq, struct buf *out, bool *out_found, struct why *why);
/* The same, looked at twice before it is given up. ERR_TAMPERED: it is gone. ERR_IO: the disk may give it another time.
 * Outside a transaction. */
MUST_CHECK enum err content_read(struct node *n, uint64_t seq, struct buf *out, bool *out_found, struct why *why);
/* Exchange it for the same under the recovery key, and note that what is left of it on pages is to be purged. */
/* What must be rewritten: pages of content; the whole store; the whole store, less a table with pages that cannot be
 * read. */
enum purge { PURGE_NOTHING, PURGE_PAGES, PURGE_STORE, PURGE_DAMAGED };
MUST_CHECK enum err content_purge_due(struct node *n, enum purge due, struct why *why);
MUST_CHECK enum err content_seal(struct node *n, uint64_t seq, enum purge due, struct why *why);

/* Is the content of this envelope here as it was signed? Outside a transaction: a page that cannot be read ends it. */
enum content_state { CONTENT_SOUND, CONTENT_ALTERED, CONTENT_UNREADABLE };
MUST_CHECK enum err content_check(struct node *n, uint64_t seq, enum content_state *out, struct why *why);

/* ---- aside.c: contents that cannot all be read. */
struct seqs {
    struct buf list; /* uint64_t after uint64_t */
};
size_t seqs_count(const struct seqs *q);
uint64_t seqs_at(const struct seqs *q, size_t i);
void seqs_sort(struct seqs *q);
bool seqs_have(const struct seqs *q, uint64_t seq); /* of a sorted list */
/* Numbers that a question without parameters answers. out is initialised here. */
MUST_CHECK enum err seqs_ask(struct node *n, const char *sql, struct seqs *out, struct why *why);
/* Which contents can be read, of unsent envelopes and of those that are only kept. Outside a transaction. */
MUST_CHECK enum err aside_find(struct node *n, struct seqs *out, struct why *why);
/* Move these into a new table and leave the old one aside. Within a transaction. */
MUST_CHECK enum err aside_put(struct node *n, const struct seqs *sound, struct why *why);
/* Both, after a page of contents could not be read. Outside a transaction. */
MUST_CHECK enum err aside_run(struct node *n, struct why *why);
/* The same, if the page that the next content goes into is the one. Outside a transaction. */
MUST_CHECK enum err aside_end(struct node *n, struct why *why);

/* ---- gap.c: unsent envelopes whose content rotted. */
/* Look at what the next request would carry, `budget` bytes of it; what cannot be read back becomes a gap, and its work
 * is written again as far as the overlay has it. Until there is a verdict its pending edits stand below that. */
MUST_CHECK enum err gap_look(struct node *n, size_t budget, struct why *why);
/* The last gap whose pending edits are not here any more (0: none). What is written before it goes with one request,
 * with the gap: the hub has to hear of that before it tells what became of the envelope, which it may have by a
 * courier. Else what it took in as it was sent stays out of pages that this device needs. */
MUST_CHECK enum err gap_reach(struct node *n, uint64_t *out, struct why *why);
/* The same for everything unsent but what an answer has a verdict on. */
MUST_CHECK enum err gap_look_but(struct node *n, const struct seqs *judged, struct why *why);
/* The signed gap in the place of an envelope, appended. */
MUST_CHECK enum err gap_item(struct node *n, uint64_t seq, struct buf *out, struct why *why);

/* ---- gap_work.c: what the overlay still has of an envelope's work. */
struct gap_work {
    bool whole;         /* all that the overlay has of it could be read */
    bool any;           /* the overlay has something of it */
    struct buf changes; /* a changeset; empty: nothing is left that later edits did not set again */
    struct outbox_origin origin;
    char what[256];
};
/* Rows that cannot be read are left out. */
MUST_CHECK enum err gap_work_read(struct node *n, uint64_t seq, struct gap_work *out, struct why *why);
void gap_work_release(struct gap_work *w);

/* ---- purge.c */
/* Seal what was taken in, and leave no readable copy of sealed content in pages or log. Nothing due costs one question.
 * Outside a transaction; safe to repeat. Costs as much as the content that is still kept: once at the end of a contact,
 * after the last answer was taken, when no hub waits. */
#define DAMAGED_TABLES "n_damaged" /* names of tables that stand aside begin with it (node/gap.c) */
MUST_CHECK enum err purge_run(struct node *n, struct why *why);

/* ---- overlay.c */
/* An own edit within its transaction; `op` is a changeset operation, the row stands in its table already. `now` is the
 * row as it stands (not read for an INSERT). */
MUST_CHECK enum err overlay_edit(struct node *n, const struct op *op, const struct row *now, uint64_t seq,
                                 struct why *why);
/* All edits of an envelope are judged; folded into the hub images when it was applied as sent. */
MUST_CHECK enum err overlay_judged(struct node *n, uint64_t seq, bool applied, struct why *why);
/* Once all verdicts and pages of an answer are in: rows that lost an edit are laid anew. */
MUST_CHECK enum err overlay_settle(struct node *n, struct why *why);
/* A page's operation: onto the image of a row with pending edits, else onto the row. */
MUST_CHECK enum err overlay_page(struct node *n, const struct op *op, bool overlaid, struct why *why);
/* A drop: row, image and pending edits. */
MUST_CHECK enum err overlay_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why);
/* Is every row with an image what image and pending edits make, and has each pending edit its image? ERR_TAMPERED. */
MUST_CHECK enum err overlay_check(struct node *n, uint64_t *out_pending_rows, struct why *why);

/* ---- ends.c: rows whose time is over stand aside. Within the caller's transaction, where nothing else is said. */
/* What node_tick does for them, whether or not people may still use this device. Outside a transaction. */
MUST_CHECK enum err ends_tick(struct node *n, struct why *why);
/* All of them back into their tables. */
MUST_CHECK enum err ends_show(struct node *n, struct why *why);
/* As this device's clock says: what is over stands aside, what is not stands in its table. */
MUST_CHECK enum err ends_apply(struct node *n, struct why *why);
/* ends_show in a transaction of its own; node_tick is to follow. */
MUST_CHECK enum err ends_show_now(struct node *n, struct why *why);
/* An entry of an answer, while no row stands aside. */
MUST_CHECK enum err ends_take(struct node *n, const struct end_item *end, struct why *why);
/* With an order to forget the row. */
MUST_CHECK enum err ends_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why);
/* Within a transaction: the hub was put back from a backup. Then, for each row that a page brings, with all rows in
 * their tables (ends_show): an end of before counts no more. */
MUST_CHECK enum err ends_epoch(struct node *n, struct why *why);
MUST_CHECK enum err ends_told(struct node *n, int table_index, const uint8_t id[16], struct why *why);
MUST_CHECK enum err ends_hidden(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why);
/* The case of a row that stands aside; of reference data zeros. *out_here false: none stands aside. */
MUST_CHECK enum err ends_case_of(struct node *n, int table_index, const uint8_t id[16], uint8_t out[16], bool *out_here,
                                 struct why *why);
/* ERR_DENIED: this new edit names a row that stands aside. */
MUST_CHECK enum err ends_untouched(struct node *n, uint64_t seq, struct why *why);
/* Is each row in one place, and whole? ERR_TAMPERED. */
MUST_CHECK enum err ends_check(struct node *n, struct why *why);
/* replica.c: a store of an older program gets what came since. Fine where there is no room for it yet. */
MUST_CHECK enum err replica_bring_up(struct db *db, struct why *why);

/* ---- spool.c: HOME/spool/answer, sealed bytes. */
MUST_CHECK enum err spool_answer_size(struct node *n, uint64_t *out, struct why *why);   /* 0: none */
MUST_CHECK enum err spool_put_answer(struct node *n, uint64_t at, struct bytes piece, struct why *why);
MUST_CHECK enum err spool_get_answer(struct node *n, struct buf *out, struct why *why);
MUST_CHECK enum err spool_drop_answer(struct node *n, struct why *why);

/* ---- request.c: the request that waits for its answer. */
struct request {
    struct buf bytes; /* sealed; buf_init is request_ready's */
    bool again;       /* made before: newer work is not in it */
};
/* The pending one, or a new one, stored durably before this returns; no new one for a hub that is not trusted
 * (ERR_TAMPERED). */
MUST_CHECK enum err request_ready(struct node *n, const struct round_options *opt, struct request *out,
                                  struct why *why);

/* What was written since the pending request was made, for a courier who takes both along: appended to out; nothing
 * where there is none. */
MUST_CHECK enum err request_more(struct node *n, struct buf *out, struct why *why);

/* ---- stash.c: items of an answer between their check and their taking. Zeroed: empty. */
#define STASH_MAX (6u << 20) /* bytes: the pages that are asked for by default, and verdicts */
struct stash_item;
struct stash {
    struct stash_item *first, *last, *next; /* next: for stash_next */
    size_t n;                               /* bytes */
    bool overflown;                         /* there was more than fits: nothing is kept */
};
void stash_put(struct stash *s, struct bytes item);  /* copied */
bool stash_next(struct stash *s, struct bytes *out); /* each once, in order; borrowed from s */
void stash_release(struct stash *s);

/* ---- answer.c: an answer verified whole, before anything of it is acted upon. */
/* An order as it came, and what it says. */
#define ORDER_ITEM_MAX (4u << 10)
#define ORDERS_MAX     8 /* in one answer: the hub sends the newest of each kind */
struct order_item {
    struct order said;
    struct buf item; /* MSG_ORDER */
};
struct answer {
    struct bundle_reader *reader; /* owned */
    bool rewound;                 /* to its first item, for answer_next */
    struct stash stash;           /* verdicts and parts, unless they are too many */
    struct hub_hello hello;
    uint8_t hash[HASH_BYTES]; /* of the whole bundle */
    uint8_t drops_hash[HASH_BYTES];
    struct buf drops; /* struct drop_item after struct drop_item */
    size_t n_drops;
    struct order_item orders[ORDERS_MAX];
    size_t n_orders;
    struct seqs judged; /* envelopes that it has a verdict on */
    struct buf checkpoint;        /* MSG_CHECKPOINT as it came; empty: none */
    struct room room;             /* how many rows may be here; most 0: nothing was said of that */
    struct merkle_head log;       /* what it says of this device's log, once it was found good; size 0: nothing */
    struct merkle_head epoch_cut; /* where the log was cut, by the word of an epoch in this answer: the proof begins there */
    bool has_epoch_cut;
    uint64_t epoch_chain;         /* and the last envelope that the hub has; statement: MSG_EPOCH as it came */
    struct buf statement, note;   /* note: MSG_NOTE as it came; empty: none */
    const char *distrust;         /* what is wrong with the hub's log; NULL: nothing */
};
MUST_CHECK enum err answer_verify(struct node *n, struct bytes in, struct answer *out,
                                  struct why *why); /* out is initialised here, and borrows in */
/* After answer_verify: its verdicts and parts once more, and maybe what stands between them. Once only. */
MUST_CHECK enum err answer_next(struct answer *a, struct bytes *out_item, bool *out_end, struct why *why);
void answer_release(struct answer *a);

/* ---- trust.c: node/trust.h. Within the caller's transaction, where nothing else is said. */
/* ERR_TAMPERED: this device does not trust its hub any more, in words for people. */
MUST_CHECK enum err trust_check(struct node *n, struct why *why);
/* The same as *out, false: it does not. Then nothing is exchanged but the request whose answer told it so, byte for
 * byte, and nothing taken but the statement of a newer epoch. */
MUST_CHECK enum err trust_state(struct node *n, bool *out, struct why *why);
/* MSG_SEEN, if a checkpoint is kept; and that this request told of it. */
MUST_CHECK enum err trust_put(struct node *n, struct bundle_writer *w, struct why *why);
MUST_CHECK enum err trust_asked(struct node *n, uint64_t request, struct why *why);
/* Of an answer that is good otherwise. ERR_TAMPERED, and a->distrust says why; or NULL: the hub was not trusted before,
 * and this brings no newer epoch. Else a->log is set. Changes nothing. */
MUST_CHECK enum err trust_judge(struct node *n, struct answer *a, struct why *why);
/* Stop trusting the hub, and keep what shows why. In a transaction of its own. Returns ERR_TAMPERED and its words. */
MUST_CHECK enum err trust_end(struct node *n, const struct answer *a, struct why *why);
/* With the effects of the answer. */
MUST_CHECK enum err trust_keep(struct node *n, const struct answer *a, struct why *why);
/* An epoch statement, already verified, says where the hub's log of this device was cut: what is kept is that from now
 * on, and what was found before is explained by it. cut->size 0: no log was left. */
MUST_CHECK enum err trust_cut(struct node *n, uint64_t epoch, const struct merkle_head *cut, struct bytes statement,
                              struct why *why);
/* Does what is kept fit together? ERR_TAMPERED. */
MUST_CHECK enum err trust_verify(struct node *n, struct why *why);
/* trust_logged.c: a reply to QUESTION_LOGGED about change `seq`, checked against what is kept: lines that say what came
 * of it (struct node_logged), then the hub's own. */
MUST_CHECK enum err trust_logged(struct node *n, uint64_t seq, const struct reply *r, struct buf *lines, size_t *out_n,
                                 struct why *why);
/* What is kept, of a log; size 0: nothing. */
MUST_CHECK enum err trust_kept(struct node *n, struct merkle_head *out, struct why *why);

/* ---- take.c: act upon it. */
struct taken {
    bool more, revoked;
    bool waits; /* the hub was put back, and judges nothing yet */
    uint64_t judged;
};
MUST_CHECK enum err take_answer(struct node *n, struct bytes in, struct round_result *out, struct taken *out_taken,
                                struct why *why);

/* ---- epoch.c: a hub that was put back from a backup. Within the caller's transaction, where nothing else is said. */
/* MSG_EPOCH of an answer whose hello was read: sets what it says in *a. ERR_TAMPERED. Changes nothing; as the next. */
MUST_CHECK enum err epoch_check(struct node *n, struct bytes item, struct answer *a, struct why *why);
/* All of the answer was read; cut: where the device stands. ERR_REFUSED: it is of another epoch, and nothing explains
 * that. */
MUST_CHECK enum err epoch_check_end(struct node *n, const struct answer *a, const uint8_t cut[CUT_BYTES], bool paged,
                                     struct why *why);
/* a->has_epoch_cut. What the request held counts as not heard. n->epoch is the caller's to set, once it is
 * committed. */
MUST_CHECK enum err epoch_take(struct node *n, const struct answer *a, struct why *why);
MUST_CHECK enum err note_check(struct bytes item, struct answer *a, struct why *why);
MUST_CHECK enum err note_take(struct node *n, const struct answer *a, struct why *why);
/* Is the next request to return what is kept here, and nothing else? */
MUST_CHECK enum err return_due(struct node *n, bool *out, struct why *why);
/* Up to `most` bytes of it, and one item at least, into the request; *out_next: where it stands once the answer was
 * taken. */
MUST_CHECK enum err return_put(struct node *n, struct bundle_writer *w, size_t most, struct buf *out_next, struct why *why);
MUST_CHECK enum err return_sent(struct node *n, const struct buf *next, struct why *why);

/* ---- question.c: what is asked of the hub. Between a request and its answer. */
/* Before a request is made: questions about rows that are not here go. Outside a transaction. */
MUST_CHECK enum err question_clear(struct node *n, struct why *why);
MUST_CHECK enum err question_put(struct node *n, struct bundle_writer *w, struct why *why);
/* Those that question_put put are in this request. Within a transaction, as all below. */
MUST_CHECK enum err question_sent(struct node *n, uint64_t request, struct why *why);
/* How many are in no request yet. */
MUST_CHECK enum err question_waiting(struct node *n, uint64_t *out, struct why *why);
/* Does the reply fit what this request asked? *last: number of the one before. ERR_REFUSED, ERR_FORMAT. */
MUST_CHECK enum err question_check(struct node *n, uint64_t request, const struct reply *r, uint64_t *last,
                                   struct why *why);
MUST_CHECK enum err question_check_end(struct node *n, uint64_t request, uint64_t replies, struct why *why);
MUST_CHECK enum err question_replied(struct node *n, const struct reply *r, struct why *why);
/* Questions and replies that name rows of an order to forget. Before the rows go. */
MUST_CHECK enum err question_forget(struct node *n, const struct answer *a, struct why *why);

/* ---- parked.c */
/* Unsent envelopes that name a row of this order, or a case or person in it, become parked by it, and so do others
 * whose content is kept. */
MUST_CHECK enum err parked_note(struct node *n, const struct answer *a, struct why *why);

/* ---- drops.c: carry out orders to forget, clean up, sign receipts. */
MUST_CHECK enum err drops_carry_out(struct node *n, const struct answer *a, struct round_result *out, struct why *why);
/* Clean up and sign whatever is due: nothing costs one question. Safe to repeat. */
MUST_CHECK enum err drops_confirm(struct node *n, struct why *why);

#endif
