/* A hub in a folder of its own with a clock that the test sets, and devices made by hand: no replica, only keys, a
 * chain and a request number, so that a test can send exactly the bytes it wants. Anything unexpected fails the
 * test. */
#ifndef SPOKE_TESTS_LIB_FAKE_NODE_H
#define SPOKE_TESTS_LIB_FAKE_NODE_H

#include "hub/hub.h"
#include "sync/bundle.h"
#include "sync/changeset.h"

struct fake_hub {
    struct env env;
    int64_t now; /* milliseconds; the test moves it on */
    char dir[64];
    struct hub *hub;
};
void fake_hub_start(struct fake_hub *f);
void fake_hub_stop(struct fake_hub *f); /* removes the folder */
void fake_hub_reopen(struct fake_hub *f);
/* Agencies care (social_care), police, school (education), each with a site of its own for area north: care-mash
 * (mash), police-hq, school-1; and probation with probation-1, which covers south only. */
void fake_hub_people(struct fake_hub *f);
void fake_hub_hash(struct fake_hub *f, uint8_t out[32]);   /* db_content_hash */
int64_t fake_hub_int(struct fake_hub *f, const char *sql); /* first column of the first row */

struct fake_verdict {
    uint64_t seq;
    enum verdict verdict;
    char reason[320];
};
struct fake_seen {
    char table[32];
    uint8_t id[16];
};

struct fake_node {
    struct fake_hub *f;
    struct identity_secret id;
    char site[64], agency[64];
    uint8_t user[16];
    uint64_t request; /* answered last */
    uint8_t last_answer[32];
    uint8_t cursor[16];
    uint64_t seq;
    uint8_t prev[32];
    uint64_t hlc;         /* of the next envelope; 0: from the clock */
    uint8_t base_cut[16]; /* of the next envelope if has_base; else the cursor */
    bool has_base;
    struct buf queue;     /* items for the next request: be32 length, item */
    struct buf sent, got; /* bytes of the last request and answer */
    uint64_t wait_ms;
    uint64_t budget;
    uint64_t schema; /* of the next hello; 0: the newest */
    uint64_t order;  /* carried out last, as the next hello says */
    int64_t skew_ms; /* of its clock */
    uint64_t unsent, oldest_ms; /* the same: by its clock */
    bool notes;      /* it keeps notes for a hub that may be lost */
    struct hub_exchange_result result;
    /* of the last answer */
    struct hub_hello hello;
    struct fake_verdict verdicts[64]; /* the first of them */
    size_t n_told;                    /* how many there were */
    size_t n_verdicts, note_bytes;
    struct fake_seen rows[4096];
    size_t n_rows, n_drops;
    struct order orders[8];
    size_t n_orders;
    struct end_item ends[256];
    size_t n_ends;
};
/* Invite and enrol. Zeroed `n` before. */
void fake_node_enrol(struct fake_node *n, struct fake_hub *f, const char *site, const char *agency, const char *user);
void fake_node_release(struct fake_node *n);
/* A sealed enrolment request with this code. */
void fake_node_ask(struct fake_node *n, struct fake_hub *f, struct bytes code, const char *user, struct buf *out);
/* Build the next request into n->sent: hello, then what is queued. */
void fake_node_pack(struct fake_node *n);
/* Send n->sent; on success read the answer and move on. */
enum err fake_node_send(struct fake_node *n, bool may_park);
/* n->got was filled in another way: read it and move on. */
void fake_node_read(struct fake_node *n);
enum err fake_node_try(struct fake_node *n);
void fake_node_round(struct fake_node *n);
void fake_node_pull(struct fake_node *n); /* rounds until there is no more */
void fake_node_queue(struct fake_node *n, struct bytes item);
bool fake_node_got(const struct fake_node *n, const char *table, const uint8_t id[16]);

/* One change. Operations of one table come together. */
struct fake_edit {
    struct buf content[4];
    size_t n_parts;
    struct changeset_writer w;
};
void fake_edit_start(struct fake_edit *e);
void fake_edit_next_part(struct fake_edit *e);
void fake_edit_release(struct fake_edit *e);
/* A new row: all NULL but its ends. */
struct op fake_new(const struct fake_node *n, const char *table, const uint8_t id[16], const uint8_t case_id[16]);
struct op fake_change(const char *table, const uint8_t id[16]);
void fake_value(struct op *op, const char *column, struct value v);                  /* INSERT, or UPDATE from NULL */
void fake_from(struct op *op, const char *column, struct value old, struct value v); /* UPDATE */
void fake_put(struct fake_edit *e, const struct op *op);
/* Sign as the next of the chain and queue; the edit is used up. Returns its sequence number. */
uint64_t fake_commit(struct fake_node *n, struct fake_edit *e);
/* The same from raw content of one part; `fit` false: the commitment is of other bytes. */
uint64_t fake_commit_raw(struct fake_node *n, struct bytes content, bool fit);
/* Commit, one round, and the verdict on it. */
const struct fake_verdict *fake_send(struct fake_node *n, struct fake_edit *e);
const struct fake_verdict *fake_verdict_on(const struct fake_node *n, uint64_t seq); /* NULL: none in the last answer */

/* A case in area north: case_file and brief, led by `lead`, with a participant for each of `members` (NULL-ended,
 * "agency:access"). Sent and applied. */
void fake_case(struct fake_node *n, uint8_t case_id[16], const char *lead, const char *const *members);
/* One new person / record of the case, by this device, in an edit of its own. */
struct op fake_person(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *family);

#endif
