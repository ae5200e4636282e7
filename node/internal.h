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
MUST_CHECK enum err state_save_identity(struct db *db, const struct identity_secret *id, struct why *why);
MUST_CHECK enum err state_load_identity(struct db *db, struct identity_secret *out, bool *out_found, struct why *why);

/* ---- replica.c: the store of a home. ERR_UNINIT when there is none. */
MUST_CHECK enum err replica_open(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                                 struct why *why);
/* Open, or make what is missing: key, file, tables. A crash between any two of them is made good here. */
MUST_CHECK enum err replica_make(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                                 struct why *why);

/* ---- capture.c: what one transaction changed, recorded by SQLite's session extension. */
MUST_CHECK enum err capture_new(struct capture **out, struct db *db, struct why *why);
MUST_CHECK enum err capture_take(struct capture *c, struct buf *out,
                                 struct why *why); /* the changeset, appended; empty: nothing */
void capture_free(struct capture *c);              /* before the transaction's end; NULL is fine */

/* ---- outbox.c */
/* Sign parts as the next envelope and store it as unsent. Within the edit's transaction. */
MUST_CHECK enum err outbox_append(struct node *n, const struct part *parts, size_t n_parts, uint64_t seq,
                                  const char *what, struct why *why);
MUST_CHECK enum err outbox_next_seq(struct node *n, uint64_t *out, struct why *why);
/* Record a verdict: seal the content, settle the overlay. *out_first: this envelope had none yet. ERR_FORMAT: no such
 * envelope. */
MUST_CHECK enum err outbox_judge(struct node *n, const struct verdict_item *v, bool *out_first, struct why *why);
MUST_CHECK enum err outbox_count(struct node *n, uint64_t *out_unsent, int64_t *out_oldest_ms, struct why *why);

/* ---- overlay.c */
/* An own edit within its transaction; `op` is a changeset operation, the row stands in its table already. `now` is the
 * row as it stands (not read for an INSERT). */
MUST_CHECK enum err overlay_edit(struct node *n, const struct op *op, const struct row *now, uint64_t seq,
                                 struct why *why);
/* All edits of an envelope are judged; folded into the hub images when it was applied as sent. */
MUST_CHECK enum err overlay_judged(struct node *n, uint64_t seq, bool applied, struct why *why);
/* A page's operation: onto the image of a row with pending edits, else onto the row. */
MUST_CHECK enum err overlay_page(struct node *n, const struct op *op, bool overlaid, struct why *why);
/* A drop: row, image and pending edits. */
MUST_CHECK enum err overlay_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why);
/* Is every row with an image what image and pending edits make, and has each pending edit its image? ERR_TAMPERED. */
MUST_CHECK enum err overlay_check(struct node *n, uint64_t *out_pending_rows, struct why *why);

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

/* ---- answer.c: an answer verified whole, before anything of it is acted upon. */
struct answer {
    struct bundle_reader *reader; /* owned; bundle_rewind before reading it again */
    struct hub_hello hello;
    uint8_t hash[HASH_BYTES]; /* of the whole bundle */
    uint8_t drops_hash[HASH_BYTES];
    struct buf drops; /* struct drop_item after struct drop_item */
    size_t n_drops;
};
MUST_CHECK enum err answer_verify(struct node *n, struct bytes in, struct answer *out,
                                  struct why *why); /* out is initialised here, and borrows in */
void answer_release(struct answer *a);

/* ---- take.c: act upon it. */
struct taken {
    bool more, revoked;
    uint64_t judged;
};
MUST_CHECK enum err take_answer(struct node *n, struct bytes in, struct round_result *out, struct taken *out_taken,
                                struct why *why);

/* ---- parked.c */
/* Unsent envelopes that name a row of this order, or a case or person in it, become parked by it. */
MUST_CHECK enum err parked_note(struct node *n, const struct answer *a, struct why *why);

/* ---- drops.c: carry out orders to forget, clean up, sign receipts. */
MUST_CHECK enum err drops_carry_out(struct node *n, const struct answer *a, struct round_result *out, struct why *why);
/* Clean up and sign whatever is due: nothing costs one question. Safe to repeat. */
MUST_CHECK enum err drops_confirm(struct node *n, struct why *why);

#endif
