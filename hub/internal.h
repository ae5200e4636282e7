/* What the hub's own files share. Not for cli/ or tests. */
#ifndef SPOKE_HUB_INTERNAL_H
#define SPOKE_HUB_INTERNAL_H

#include "hub/hub.h"

struct sight; /* hub/sight.h: what moved in the running step */

struct hub {
    const struct env *env;
    struct db *db;
    struct identity_secret id;
    uint8_t recovery_pk[32];
    char name[128];
    uint64_t epoch;
    int64_t version;     /* the hub's order: of the last step; h_counter holds it durably */
    int64_t now_ms;      /* hub's clock at the start of the running transaction */
    struct sight *sight; /* rows and cases touched in the running step */
    bool moved;          /* the running transaction changed rows that some site sees */
};

/* A transaction of the hub: BEGIN, now_ms and policy_now set, due times swept. Commit or abort; abort also restores
 * h->version and forgets what was touched. */
MUST_CHECK enum err hub_begin(struct hub *h, struct why *why);
MUST_CHECK enum err hub_commit(struct hub *h, struct why *why);
void hub_abort(struct hub *h);

struct hub_node {
    int64_t no;
    struct identity id;
    int64_t site_no;
    char site[64];
    char agency[64];
    char site_kind[16];
    char state[16]; /* enrolled, revoked, forked, replaced */
    int64_t replaces; /* the device whose place it took; 0 none */
    bool replaced;    /* another device took its place, whatever the state says: it is not heard any more */
    uint64_t last_seq;
    uint8_t last_hash[32];
    uint64_t last_request;
    uint8_t request_hash[32]; /* of last_request; zeros before the first */
    uint8_t answer_hash[32];  /* hash_blake2b of the whole answer bundle */
    uint8_t cursor[16];       /* cut named in the last answer */
    uint64_t schema;          /* version of its store, as it said last: it is sent pages of that */
};
/* hub/nodes.c. ERR_NOTFOUND. */
MUST_CHECK enum err nodes_by_kid(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why);
MUST_CHECK enum err nodes_by_no(struct hub *h, int64_t no, struct hub_node *out, struct why *why);
MUST_CHECK enum err nodes_save(struct hub *h, const struct hub_node *n,
                               struct why *why); /* state, chain head, request, cursor */
/* Requests that were answered, by the hash of their bytes. */
MUST_CHECK enum err nodes_note_request(struct hub *h, const struct hub_node *n, struct why *why); /* the last one */
MUST_CHECK enum err nodes_had_request(struct hub *h, int64_t no, const uint8_t hash[32], bool *out, struct why *why);
/* What its hello says of the device; `judged`: envelopes that this very request brought. */
MUST_CHECK enum err nodes_report(struct hub *h, const struct hub_node *n, const struct node_hello *m, uint64_t judged,
                                 struct why *why);
/* Into h_act, for administrators, once. */
MUST_CHECK enum err nodes_note_refusal(struct hub *h, const struct hub_node *n, const char *reason, struct why *why);
/* An enrolled device was put back from an old image, or copied. What an administrator said of it stands. */
MUST_CHECK enum err nodes_forked(struct hub *h, int64_t no, const char *reason, struct why *why);

#endif
