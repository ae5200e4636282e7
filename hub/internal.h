/* What the hub's own files share. Not for cli/ or tests. */
#ifndef SPOKE_HUB_INTERNAL_H
#define SPOKE_HUB_INTERNAL_H

#include "crypto/keyslot.h"
#include "hub/hub.h"

struct hub_node; /* below */
struct log_tails;
struct redo;  /* hub/redo.h */
struct sight; /* hub/sight.h: what moved in the running step */
struct bundle_reader;
struct bundle_writer;
struct second; /* hub/proposal.h */

/* How far a change of the policy has come: none is under way, or every case is put under both, or under the coming
 * one. */
enum policy_phase { POLICY_STANDS, POLICY_NARROWS, POLICY_WIDENS };

struct hub {
    const struct env *env;
    struct db *db;       /* NULL: paused */
    struct redo *redo;   /* what its transactions changed, for the journal folder; NULL: it keeps none */
    char *keyfile;       /* path of hub.key */
    struct second *second; /* a proposal that is being carried out; NULL: none (hub/proposal.h) */
    bool waits;          /* the device of the last hub_enrol has to be approved */
    bool enrolled_again; /* the last hub_enrol gave an answer that it had given before */
    struct keyring keys; /* of the store, to open it again */
    char *store;         /* path of it, or its URL */
    bool shared;         /* it is a URL: other processes may have it open too */
    uint64_t generation; /* of the connection that policy_seen is of */
    struct identity_secret id;
    uint8_t recovery_pk[32];
    struct secret note_key; /* made of id when it is first asked for: hub/note.c */
    char name[128];
    uint64_t epoch;
    int64_t version;     /* the hub's order: of the last step; h_counter holds it durably */
    int64_t begun;       /* the same when the running transaction began: up to here nothing can be undone */
    int64_t begun_act;   /* the last act (h_act), likewise */
    int64_t erased;      /* step of the last erasure that this process knows of (h_counter) */
    struct bundle_reader *reader; /* of requests, at rest between them (hub/round.c); NULL before the first */
    struct bundle_writer *writer; /* of answers, likewise */
    struct log_tails *tails; /* of logs that the running transaction asked for (hub/log.c); NULL before the first */
    struct row_cache *rows; /* as they went to devices; NULL: none are kept (hub/row_cache.h) */
    int64_t now_ms;      /* the hub's time at the start of the running transaction: hub/sight_clock.c */
    int64_t was_ms;      /* as it stood in the store before; 0: never */
    int64_t clock_ahead; /* of the steady clock, the wall clock as it was believed */
    bool clock_known;    /* clock_ahead is set: this process has looked at both */
    struct {
        int64_t wall, waited, steady; /* the doubt (h_clock), how much of its hour was over, and our steady clock: */
    } doubt_met;                      /* when this process saw that doubt first. Another machine's steady clock is not ours */
    struct sight *sight; /* rows and cases touched in the running step */
    bool moved;          /* the running transaction changed rows that some site sees */
    uint64_t verdicts[6]; /* of changes that are new in it, by enum verdict */
    bool routine;        /* it is one exchange: what waits elsewhere is concerned only where rows moved (hub/tell.c) */
    bool moved_away;     /* the store was moved elsewhere while this process had it open: hub/move.h */
    char teller[33];     /* this process, to the others that have the store open: hub/tell.c */
    bool gathering;      /* as hub_begin found it: put back from a backup, and not all devices have reported (hub/restore.h) */
    bool applying;       /* there is work for hub_restore_continue */
    bool replaying;      /* what they returned is being re-applied */
    bool follows;        /* restore_follow is due before anybody is shown anything: hub/restore_follow.c */
    size_t returned;     /* what devices returned in it, weighed: hub/restore_return.c */
    int64_t mark;        /* rows up to this version are told whole to a device that begins anew after a restore; 0: none */
    int64_t policy_seen; /* counter of changes of the policy that this connection's views stand for; -1 unknown */
    enum policy_phase policy_phase;
    bool policy_moved;   /* the running transaction laid or took away views: gone with it, if it is undone */
    bool policy_own;     /* a policy is in force, or coming, that is not the one this program was made with */
};

/* A transaction of the hub: BEGIN, now_ms and policy_now set, due times swept. Commit or abort; abort also restores
 * h->version and forgets what was touched. */
MUST_CHECK enum err hub_begin(struct hub *h, struct why *why);
MUST_CHECK enum err hub_commit(struct hub *h, struct why *why);
void hub_abort(struct hub *h);

/* hub/waiting.c. Of a request that is about to be parked, within its transaction. */
struct hub_waiting waiting_since(const struct hub *h, const struct hub_node *n);

/* hub/step_time.c: when steps of the order were made. */
/* Those of the running transaction, at its end. */
MUST_CHECK enum err step_time_note(struct hub *h, struct why *why);
/* The last step that was there at a time; 0 none. */
MUST_CHECK enum err step_time_find(struct hub *h, int64_t at_ms, int64_t *out_version, struct why *why);
/* When a step was made. */
MUST_CHECK enum err step_time_of(struct hub *h, int64_t version, int64_t *out_ms, struct why *why);

struct cut {
    uint8_t name[16];
    int64_t lo, hi, pos, pos_from, at; /* see h_cut */
    uint64_t schema, schema_lo;
    int64_t served_at; /* when it was made; 0: it is not one of the store */
};
struct hub_node {
    int64_t no;
    struct identity id;
    int64_t site_no;
    char site[64];
    char agency[64];
    char site_kind[16];
    char state[16]; /* waiting (for approval), enrolled, revoked, forked, replaced, wiped */
    int64_t replaces; /* the device whose place it took; 0 none */
    bool replaced;    /* another device took its place, whatever the state says: it is not heard any more */
    uint64_t last_seq;
    uint8_t last_hash[32];
    uint64_t last_request;
    uint8_t request_hash[32]; /* of last_request; zeros before the first */
    uint8_t answer_hash[32];  /* hash_blake2b of the whole answer bundle */
    uint8_t cursor[16];       /* cut named in the last answer */
    struct cut at;            /* as cursor names it; served_at 0: the store has none of that name */
    int64_t base_at;          /* what it writes now stands upon a cut of this version or later (hub/intake_late.c) */
    uint64_t schema;          /* version of its store, as it said last: it is sent pages of that */
    uint8_t door[PUBLIC_BYTES]; /* public keys of its door; zeros: none */
    uint64_t covered;         /* its envelopes up to here are in a verified backup (hub/cover.c) */
    uint64_t ordered;         /* highest number of an order that it said it carried out */
};
/* Nothing new is served to it, and what it sends is held. */
bool nodes_cut_off(const struct hub_node *n);
/* hub/nodes.c. ERR_NOTFOUND. */
MUST_CHECK enum err nodes_by_kid(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why);
/* And: was this request of it answered before (nodes_had_request)? */
MUST_CHECK enum err nodes_asking(struct hub *h, const uint8_t kid[16], const uint8_t request_hash[32], struct hub_node *out,
                                 bool *out_had, struct why *why);
/* Of up to HUB_TOGETHER devices: is it enrolled, and neither waiting nor cut off? out[i] false before. */
MUST_CHECK enum err nodes_enrolled(struct hub *h, const uint8_t (*kids)[KID_BYTES], size_t n, bool *out, struct why *why);
MUST_CHECK enum err nodes_by_no(struct hub *h, int64_t no, struct hub_node *out, struct why *why);
/* The device whose door, or which itself, has this key id. ERR_NOTFOUND. */
MUST_CHECK enum err nodes_by_door(struct hub *h, const uint8_t kid[16], struct hub_node *out, struct why *why);
/* Cut it off, with an act of somebody who has one of the roles `may` (hub/admins.h); 0: of the hub. ERR_EXISTS: it
 * is. */
MUST_CHECK enum err nodes_revoke(struct hub *h, const struct hub_node *n, unsigned may, const char *reason, struct why *why);
/* ERR_DENIED: it waits for approval, and nothing of it is opened. ERR_REFUSED: it waited, and was cut off instead. */
MUST_CHECK enum err nodes_must_be_approved(struct hub *h, const struct hub_node *n, struct why *why);
/* What became of it by an administrator's word: lost, retired, refused; "": nothing to note. */
MUST_CHECK enum err nodes_put_fate(struct hub *h, const struct hub_node *n, const char *fate, struct why *why);
MUST_CHECK enum err nodes_save(struct hub *h, const struct hub_node *n,
                               struct why *why); /* state, chain head, request, cursor */
/* Requests that were answered, by the hash of their bytes: the last NODES_REQUESTS of each device, by their numbers. */
enum { NODES_REQUESTS = 4096 };
MUST_CHECK enum err nodes_note_request(struct hub *h, const struct hub_node *n, struct why *why); /* the last one */
MUST_CHECK enum err nodes_had_request(struct hub *h, int64_t no, const uint8_t hash[32], bool *out, struct why *why);
/* And what its hello says of the device; `judged`: envelopes that this very request brought. */
MUST_CHECK enum err nodes_save_round(struct hub *h, const struct hub_node *n, const struct node_hello *m, uint64_t judged,
                                     struct why *why);
/* Into h_act, for administrators, once. */
MUST_CHECK enum err nodes_note_refusal(struct hub *h, const struct hub_node *n, const char *reason, struct why *why);
/* An enrolled device was put back from an old image, or copied. What an administrator said of it stands. */
MUST_CHECK enum err nodes_forked(struct hub *h, int64_t no, const char *reason, struct why *why);

#endif
