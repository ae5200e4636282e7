/* One request of a device within a transaction of the hub: what is in it takes effect, and its answer is written. For
 * hub/exchange.c and hub/exchange_group.c, which begin and end the transaction. */
#ifndef SPOKE_HUB_ROUND_H
#define SPOKE_HUB_ROUND_H

#include "hub/question.h"
#include "hub/restore_internal.h"

struct round {
    struct hub *h;
    enum hearing hearing;
    struct hub_node node;
    struct node_hello hello;
    struct bytes request;
    struct bytes more; /* of a courier: what was written since the request was made; none */
    uint8_t request_hash[HASH_BYTES];
    size_t n_work;          /* receipts and envelopes in the request */
    uint64_t n_envelopes;   /* envelopes among them, judged */
    bool revoked;
    bool too_old;        /* its schema version: it is told so, and the rest waits until it is updated */
    const char *refusal; /* for administrators: why a device that proved itself was refused; NULL otherwise */
    bool put_back;       /* its hello says that it was put back from an old image, or copied */
    struct merkle_head seen; /* the checkpoint of its log that it has; size 0: none */
    struct cut cut;      /* where the node stands */
    struct buf drops;    /* framed items */
    uint64_t n_drops;
    struct questions questions;
    struct buf replies; /* framed items */
    struct served served;
    bool together; /* others are in the same transaction */
    bool alone;    /* it turned out to need one of its own: nothing of it may stay */
};
/* `more`: of a courier; empty otherwise. Both are borrowed. */
void round_init(struct round *r, struct hub *h, struct bytes request, struct bytes more);
void round_release(struct round *r);
/* All but the end of the transaction; r->node was read in it. *park: there is nothing to say yet, and nothing may stay
 * of what was done. r->alone (with an error): see there. */
MUST_CHECK enum err round_run(struct round *r, bool may_park, bool *park, struct buf *answer, struct why *why);
/* How long its device waits, once it is parked. */
int64_t round_park_ms(const struct round *r);
/* What a courier brought beside a request that may have been answered before. */
MUST_CHECK enum err round_take_more(struct round *r, struct why *why);
/* A refusal (r->refusal) that a device of ours earned, within the running transaction. */
MUST_CHECK enum err round_note_refusal(struct hub *h, const struct round *r, struct why *why);
/* The same in a transaction of its own. It stands whether or not it could
 * be written down. */
void round_record_refusal(struct hub *h, const struct round *r);

#endif
