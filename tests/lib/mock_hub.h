/* A hub that judges nothing: it enrols one node and signs whatever a test asks for, also what no hub would say. And a
 * world to go with it: a temporary folder, an enrolled node, a carrier that can break. Failures are cmocka's. */
#ifndef SPOKE_TESTS_MOCK_HUB_H
#define SPOKE_TESTS_MOCK_HUB_H

#include "node/node.h"
#include "sync/changeset.h"

#define MOCK_PASSPHRASE "a quiet valley farm"
#define MOCK_MAX        64

/* What a request said. */
struct mock_request {
    struct node_hello hello;
    uint8_t hash[HASH_BYTES];
    struct merkle_head seen; /* of its log, the checkpoint that it says it has; size 0: none */
    struct receipt receipts[MOCK_MAX];
    size_t n_receipts;
    uint64_t seqs[MOCK_MAX]; /* of its envelopes */
    size_t n_envelopes;
    struct gap gaps[MOCK_MAX];
    size_t n_gaps;
    struct question questions[QUESTIONS_MAX];
    size_t n_questions;
    struct view_item views[MOCK_MAX]; /* the first of them */
    size_t n_views;                   /* of all */
    struct buf contents; /* contents of all their parts, one after the other */
};
void mock_request_release(struct mock_request *r);

/* An answer in the making; change any field before it is sealed. */
struct mock_answer {
    struct hub_hello hello; /* binding is filled when sealed */
    struct verdict_item verdicts[MOCK_MAX];
    size_t n_verdicts;
    struct drop_item drops[MOCK_MAX];
    size_t n_drops;
    struct reply replies[QUESTIONS_MAX + 1]; /* to the questions, without lines, but as a test bends them */
    size_t n_replies;
    struct end_item ends[2]; /* after the page, if there is one */
    size_t n_ends;
    bool ends_first; /* before it */
    uint64_t ends_request; /* 0: this one's */
    struct order orders[12]; /* after the hello */
    size_t n_orders;
    const struct identity_secret *orders_by; /* NULL: the hub */
    bool orders_last;                        /* at the end of the answer instead */
    struct buf checkpoint;                   /* MSG_CHECKPOINT, or what a test makes of it; empty: none */
    unsigned checkpoints;                    /* so often, if it is there; 0: once */
    bool with_page; /* set by mock_answer_op */
    struct page_header page;
    struct buf patchset;
    struct changeset_writer writer;
    struct identity recipient; /* whom it is sealed to */
    bool swap_content;         /* send another content than was signed */
    bool wrong_binding;
};

struct mock_hub {
    struct identity_secret id;
    struct identity_secret recovery;
    struct identity node; /* once enrolled */
    uint8_t token[16];
    uint8_t cut[CUT_BYTES]; /* the node's cursor as we think it is */
    struct buf last;        /* the answer to last_hash */
    uint8_t last_hash[HASH_BYTES];
    /* What to answer; NULL: every envelope is applied, nothing else. */
    void (*script)(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx);
    void *script_ctx;
    size_t break_after; /* the link breaks once so many bytes of an answer were sent; 0: it holds */
    bool down;          /* nobody answers */
    uint64_t clock_ms;  /* its time; 0: this computer's */
    uint64_t from;      /* where the last exchange began */
    size_t exchanges;
    struct mock_request seen; /* the last request */
};

struct mock_world {
    char dir[64];
    char home[80];
    struct env env;
    struct mock_hub hub;
    struct node *node;
};
void mock_world_new(struct mock_world *w);  /* enrolled and open */
void mock_world_bare(struct mock_world *w); /* folder and hub only */
void mock_world_reopen(struct mock_world *w);
void mock_world_free(struct mock_world *w);
void mock_world_path(const struct mock_world *w, const char *name, char out[160]); /* below the home */

void mock_hub_invite(struct mock_hub *h, struct invitation *out);
void mock_hub_public(const struct mock_hub *h, uint8_t out[PUBLIC_BYTES]);
void mock_hub_enrol(struct mock_hub *h, struct bytes request, struct buf *out);
void mock_hub_read(struct mock_hub *h, struct bytes request, struct mock_request *out);
void mock_answer_begin(struct mock_answer *a, const struct mock_hub *h, const struct mock_request *r);
void mock_answer_verdict(struct mock_answer *a, uint64_t seq, enum verdict v, const char *reason);
void mock_answer_drop(struct mock_answer *a, const char *table, const uint8_t id[16]);
/* A page operation: INSERT of a whole row, or UPDATE of the columns that are not VALUE_NONE. Moves the cut on. */
void mock_answer_op(struct mock_answer *a, enum op_kind kind, const struct row *row);
void mock_answer_seal(struct mock_answer *a, const struct mock_hub *h,
                      struct buf *out); /* appends; releases the answer */
struct carrier mock_hub_carrier(struct mock_hub *h);

/* Rows for tests. Text columns that are not named are NULL. Values borrow from their arguments. */
void mock_id(uint8_t out[16], unsigned n);
struct row mock_case(const uint8_t id[16]);
struct row mock_person(const uint8_t id[16], const uint8_t case_id[16], const char *family_name);
struct row mock_change(const char *table, const uint8_t id[16], const char *column, const char *text);
/* One edit that puts rows and commits; the envelope's number. */
uint64_t mock_put(struct node *n, const struct row *rows, size_t n_rows);
uint64_t mock_set(struct node *n, const char *table, const uint8_t id[16], const char *column, const char *text);
/* Text of a column, "" for NULL, "-" when there is no such row. */
void mock_get(struct node *n, const char *table, const uint8_t id[16], const char *column, char out[128]);
/* The one integer a statement answers. */
int64_t mock_ask(struct node *n, const char *sql);
/* Sync with the script; expects `want`. */
struct round_result mock_sync(struct mock_world *w, enum err want);

#endif
