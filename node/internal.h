/* What the node's own files share. Not for cli/; tests of single nouns may read it. */
#ifndef SPOKE_NODE_INTERNAL_H
#define SPOKE_NODE_INTERNAL_H

#include "node/node.h"
#include "sync/bundle.h"
#include "sync/changeset.h"

#define NODE_PATH_MAX 4096
#define NODE_SOFTWARE "spoke 0.1.0"

struct capture; /* node/capture.c */

struct node {
    const struct env *env; /* borrowed */
    char home[NODE_PATH_MAX];
    struct db *db; /* owned */
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
};

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
    const struct identity_secret *old; /* whose place it takes; NULL: nobody's */
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

/* ---- replica.c: the store of a home. ERR_UNINIT when there is none. */
MUST_CHECK enum err replica_open(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                                 struct why *why);
/* An open store as a node. Takes db, also when it fails. */
MUST_CHECK enum err replica_node(struct node **out, const struct env *env, const char *home, struct db *db,
                                 struct why *why);
/* Open, or make what is missing: key, file, tables. A crash between any two of them is made good here. */
MUST_CHECK enum err replica_make(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                                 struct why *why);

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
/* Sign changes to rows that stand in their tables already as the next envelope; each becomes pending. Within the caller's
 * transaction. ERR_DENIED: no hub could take them. */
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
/* Record a verdict: settle the overlay, and leave content that was taken in to purge_run. *out_first: this envelope had none yet.
 * ERR_FORMAT: no such envelope. */
MUST_CHECK enum err outbox_judge(struct node *n, const struct verdict_item *v, bool *out_first, struct why *why);
/* The hub says that a verified backup has all envelopes up to this one: their sealed copies go, once they are decided. */
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
/* What must be rewritten: pages of content; the whole store; the whole store, less a table with pages that cannot be read. */
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
 * is written again as far as the overlay has it. */
MUST_CHECK enum err gap_look(struct node *n, size_t budget, struct why *why);
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
/* Seal what was taken in, and leave no readable copy of sealed content in pages or log. Nothing due costs one question. Outside a transaction; safe to
 * repeat. Costs as much as the content that is still kept: once at the end of a contact, after the last answer was taken,
 * when no hub waits. */
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
MUST_CHECK enum err ends_hidden(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why);
/* The case of a row that stands aside; of reference data zeros. *out_here false: none stands aside. */
MUST_CHECK enum err ends_case_of(struct node *n, int table_index, const uint8_t id[16], uint8_t out[16], bool *out_here,
                                 struct why *why);
/* ERR_DENIED: this new edit names a row that stands aside. */
MUST_CHECK enum err ends_untouched(struct node *n, uint64_t seq, struct why *why);
/* Is each row in one place, and whole? ERR_TAMPERED. */
MUST_CHECK enum err ends_check(struct node *n, struct why *why);

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
/* The pending one, or a new one, stored durably before this returns. */
MUST_CHECK enum err request_ready(struct node *n, uint64_t budget, uint64_t wait_ms, struct request *out,
                                  struct why *why);

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
struct answer {
    struct bundle_reader *reader; /* owned */
    bool rewound;                 /* to its first item, for answer_next */
    struct stash stash;           /* verdicts and parts, unless they are too many */
    struct hub_hello hello;
    uint8_t hash[HASH_BYTES]; /* of the whole bundle */
    uint8_t drops_hash[HASH_BYTES];
    struct buf drops; /* struct drop_item after struct drop_item */
    size_t n_drops;
    struct seqs judged; /* envelopes that it has a verdict on */
};
MUST_CHECK enum err answer_verify(struct node *n, struct bytes in, struct answer *out,
                                  struct why *why); /* out is initialised here, and borrows in */
/* After answer_verify: its verdicts and parts once more, and maybe what stands between them. Once only. */
MUST_CHECK enum err answer_next(struct answer *a, struct bytes *out_item, bool *out_end, struct why *why);
void answer_release(struct answer *a);

/* ---- take.c: act upon it. */
struct taken {
    bool more, revoked;
    uint64_t judged;
};
MUST_CHECK enum err take_answer(struct node *n, struct bytes in, struct round_result *out, struct taken *out_taken,
                                struct why *why);

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
/* Unsent envelopes that name a row of this order, or a case or person in it, become parked by it, and so do others whose
 * content is kept. */
MUST_CHECK enum err parked_note(struct node *n, const struct answer *a, struct why *why);

/* ---- drops.c: carry out orders to forget, clean up, sign receipts. */
MUST_CHECK enum err drops_carry_out(struct node *n, const struct answer *a, struct round_result *out, struct why *why);
/* Clean up and sign whatever is due: nothing costs one question. Safe to repeat. */
MUST_CHECK enum err drops_confirm(struct node *n, struct why *why);

#endif
