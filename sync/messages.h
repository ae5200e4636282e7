/* What stands in bundles: the items of one round, encoder and decoder together. FORMAT.md §4. Every item is a CBOR
 * array whose first element is its type. Decoders are strict and borrow from the item. */
#ifndef SPOKE_SYNC_MESSAGES_H
#define SPOKE_SYNC_MESSAGES_H

#include "crypto/merkle.h"
#include "sync/envelope.h"

#define ENDS_MAX 20000u /* in one item */

enum message_type {
    MSG_NODE_HELLO = 1, /* [1, cose] */
    MSG_RECEIPT = 2,    /* [2, cose] */
    MSG_VIEWS = 3,      /* [3, cose] after the receipts */
    MSG_ENVELOPE = 4,   /* [4, cose, [[salt, content], …]] */
    MSG_GAP = 5,        /* [5, cose] in the place of an envelope that cannot be read any more */
    MSG_QUESTION = 6,   /* [6, cose] sync/question.h */
    MSG_WIPED = 7,      /* [7, cose] at the door alone */
    MSG_KNOCK = 8,      /* [8, cose] at the door alone */
    MSG_RETURN = 9,     /* [9, cose, kind, body] to a hub that was put back: sync/messages_return.h */
    MSG_HOLDS = 10,     /* [10, [[table, id], …]] likewise */
    MSG_RETURNED = 12,  /* [12] likewise: that was all */
    MSG_SEEN = 11,      /* [11, size, root] after the hello: the checkpoint that the device has */
    MSG_HUB_HELLO = 17, /* [17, cose] */
    MSG_VERDICTS = 18,  /* [18, cose] */
    MSG_ORDER = 19,     /* [19, cose] after the hub's hello, or at the door */
    MSG_DROPS = 20,     /* [20, cose] */
    MSG_PAGE = 21,      /* [21, cose, n] then n × MSG_PART */
    MSG_PART = 22,      /* [22, salt, content] part of the page before it, in order */
    MSG_REPLY = 23,     /* [23, cose] sync/question.h */
    MSG_ENDS = 24,      /* [24, cose] after the page that it belongs to */
    MSG_DOOR = 25,      /* [25, cose] at the door alone: the hub's answer */
    MSG_NOTE = 26,      /* [26, request, covered, note] both ways: sync/messages_return.h */
    MSG_EPOCH = 27,     /* [27, statement, key ‖ signature, chain] of a hub that was put back */
    MSG_CHECKPOINT = 28, /* [28, note, proof] after hello and orders: to who takes it */
    MSG_ROOM = 29,      /* [29, cose] before the verdicts: to who takes it, and holds nearly as many rows as it may */
    MSG_ENROL = 33,     /* [33, cose] enrolment request */
    MSG_ENROLLED = 34,  /* [34, cose] */
    MSG_REPLACES = 35,  /* [35, cose] after an enrolment request: the device that this one takes the place of */
};
/* Type of an item, 0 when it is none. */
unsigned message_type(struct bytes item);
/* Does the software text of a hello have this word among those that it ends with, each with a plus before it, as "log"
 * in "spoke 0.1.0 +log+note"? Items that came later go only to who says so. (For people the text ends before " +".) */
bool message_knows(const char *software, const char *word);

/* The type in the protected header (16, `typ`) keeps one kind of signed thing from being passed off as another. */
struct node_hello {
    uint8_t binding[32]; /* of the sealed stream it stands in */
    uint8_t hub[KID_BYTES];
    uint64_t epoch;
    uint64_t request;                /* number of this request: 1, 2, … */
    uint8_t last_answer[HASH_BYTES]; /* hash of the last answer taken; zeros before the first */
    uint8_t cursor[CUT_BYTES];       /* cut the replica stands at; zeros before the first */
    uint64_t schema;
    char software[32];
    uint64_t clock_ms;  /* the node's clock */
    uint64_t unsent;    /* envelopes not yet judged, those in this request too */
    uint64_t oldest_ms; /* time of the oldest of them; 0 none */
    uint64_t budget;    /* bytes of page content wanted at most */
    uint64_t wait_ms;   /* may be parked for so long */
    uint64_t order;     /* number of the last order carried out; 0 none */
};
struct hub_hello {
    uint8_t binding[32];
    uint8_t node[KID_BYTES];
    uint64_t epoch;
    uint64_t request;
    uint8_t request_hash[HASH_BYTES]; /* of the whole request bundle */
    uint64_t clock_ms;
    uint8_t cut[CUT_BYTES]; /* where the replica stands once this answer is taken */
    bool more;              /* ask again at once */
    bool revoked;           /* nothing but verdicts follows, now or later */
    uint64_t drops;         /* rows in drop items of this answer */
    uint64_t schema;        /* schema version of the hub: a device follows it as far as it can */
    uint64_t covered;       /* envelopes up to this one are in a verified backup of the hub; 0 none */
};
enum verdict {
    VERDICT_APPLIED,
    VERDICT_MERGED,
    VERDICT_HELD,
    VERDICT_WAITS,
    VERDICT_FAULT,
    VERDICT_DISMISSED, /* held, and decided: a manager does not take it, or its author took it back */
};
const char *verdict_word(enum verdict v);
/* How the reason begins of what a hub had taken in before it was put back from a backup, and cannot carry out again: it
 * is held, or a fault. With a full stop behind it: what it builds on is not there, and it waits for that, not for a
 * manager's word. */
#define REASON_TAKEN "This was taken in before the hub was put back from a backup"
#define REASON_LACKS REASON_TAKEN ". "
bool verdict_lacks(struct bytes reason); /* does it begin with REASON_LACKS? */
struct verdict_item {
    uint64_t seq;
    enum verdict verdict;
    struct bytes reason; /* plain English; empty for applied and merged */
};
struct drop_item {
    int table_index;
    uint8_t id[16];
};
/* Until when a row that the site sees is to be shown. */
struct end_item {
    int table_index;
    uint8_t id[16];
    uint64_t not_after; /* from then on it is hidden; 0: it has no end any more */
};
struct receipt {
    uint8_t node[KID_BYTES];
    uint64_t request;               /* the answer (by its request number) whose drops were carried out */
    uint8_t drops_hash[HASH_BYTES]; /* hash_blake2b of all its MSG_DROPS cose bytes, concatenated in order */
    uint64_t rows;                  /* how many rows the orders named */
    uint64_t done_ms;
    uint64_t parked; /* envelopes with unsent edits to such rows, still to be sent */
    uint64_t kind;   /* 1: gone from tables, overlay, spool, log; 2: parked edits gone too */
};
/* An envelope of the sender's own chain whose bytes rotted in its store. Signed, so that the chain goes on: the hub
 * takes `hash`, which the next envelope names as the one before it, and tells administrators. */
struct gap {
    uint8_t hub[KID_BYTES];
    uint64_t seq;
    uint8_t hash[HASH_BYTES]; /* envelope_hash of the lost one */
};
/* Who looked at a row that is not open to all who see its case. */
struct view_item {
    uint8_t user[16]; /* practitioner */
    int table_index;
    uint8_t id[16];
    uint64_t at_ms;
};
#define VIEWS_MAX 4096u /* in one item */

/* An order to one device; the same bytes until it is carried out. */
enum order_kind { ORDER_LEASE = 1, ORDER_WIPE = 2 };
enum { ORDER_WHEN_SENT = 0, ORDER_AT_ONCE = 1 }; /* values of ORDER_WIPE: once nothing is unsent there */
#define LEASE_MAX_DAYS 3650u
struct order {
    uint8_t node[KID_BYTES];
    uint64_t number; /* 1 and more, rising in the orders to this node */
    uint64_t kind;   /* enum order_kind */
    uint64_t value;  /* days of a lease; when to wipe */
    uint64_t at_ms;  /* when it was given */
};
/* The device's last word: nothing of it is left. */
#define WIPED_UNKNOWN ((uint64_t)INT64_MAX) /* `unsent`: nobody could count them */
struct wiped {
    uint8_t node[KID_BYTES];
    uint64_t number;                /* of the order */
    uint8_t order_hash[HASH_BYTES]; /* hash_blake2b of its cose bytes */
    uint64_t at_ms;                 /* when it was begun */
    uint64_t unsent;                /* changes that were destroyed unsent */
};
/* A device that nobody has opened asks for its orders. */
struct knock {
    uint8_t binding[32];
    uint8_t hub[KID_BYTES];
    uint8_t node[KID_BYTES];
    uint64_t order; /* as in the hello */
    uint64_t clock_ms;
};
struct door_answer {
    uint8_t request_hash[HASH_BYTES]; /* of the whole request */
    uint64_t clock_ms;
    uint64_t wiped; /* number of the wipe whose receipt is recorded; 0 none */
};
/* Signed by the old device's key: it asks that the device with the key in `node` takes its place. */
struct replaces {
    uint8_t token[16]; /* of the invitation, and so of this enrolment */
    uint8_t node[PUBLIC_BYTES];
    uint8_t hub_fingerprint[32];
};
struct enrol_request {
    uint8_t token[16];
    uint8_t node[PUBLIC_BYTES];
    uint8_t door[PUBLIC_BYTES]; /* public half of what opens its door: §4.1 */
    uint8_t hub_fingerprint[32];
    char user[128]; /* name of the person, UTF-8 */
    char software[32];
    uint8_t binding[32];
    uint64_t schema; /* newest schema version that the device can speak */
};
struct enrol_answer {
    uint8_t node[KID_BYTES];
    uint8_t token_hash[32]; /* BLAKE2b-256 of the token: ties the answer to the request */
    char hub_name[128];
    uint64_t epoch;
    char site[64];
    char agency[64];
    uint8_t user[16];        /* practitioner id */
    uint8_t recovery_pk[32]; /* X25519: acknowledged content is sealed to it */
    uint64_t clock_ms;
    uint8_t binding[32];
    uint64_t schema; /* schema version of the hub: the replica begins with it */
};

/* Encoders append one whole item; signed things are signed here. */
MUST_CHECK enum err message_put_node_hello(struct buf *b, const struct identity_secret *by, const struct node_hello *m,
                                           struct why *why);
MUST_CHECK enum err message_get_node_hello(struct bytes item, const struct identity *by, struct node_hello *out,
                                           struct why *why);
MUST_CHECK enum err message_put_hub_hello(struct buf *b, const struct identity_secret *by, const struct hub_hello *m,
                                          struct why *why);
MUST_CHECK enum err message_get_hub_hello(struct bytes item, const struct identity *by, struct hub_hello *out,
                                          struct why *why);
/* Envelope with its parts beside it. */
void message_put_envelope(struct buf *b, struct bytes cose, const struct part *parts, size_t n_parts);
/* At most `max` parts (and ENVELOPE_MAX_PARTS); on failure parts[] holds nothing of use. How many must be is for the
 * caller to compare with the envelope. */
MUST_CHECK enum err message_get_envelope(struct bytes item, struct bytes *out_cose, struct part *parts, size_t max,
                                         size_t *out_n, struct why *why);
MUST_CHECK enum err message_put_verdicts(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                                         uint64_t request, const struct verdict_item *v, size_t n, struct why *why);
/* Calls each in order, once the whole list has been found good; stops at the first error, which it returns.
 * ERR_TAMPERED: for another node or request. out_cose (drops, receipt) may be NULL. */
MUST_CHECK enum err message_get_verdicts(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                                         uint64_t request,
                                         enum err (*each)(void *ctx, const struct verdict_item *v, struct why *why),
                                         void *ctx, struct why *why);
MUST_CHECK enum err message_put_drops(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                                      uint64_t request, const struct drop_item *v, size_t n,
                                      struct why *why); /* n <= 20,000: use several items */
MUST_CHECK enum err message_get_drops(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                                      uint64_t request,
                                      enum err (*each)(void *ctx, const struct drop_item *d, struct why *why),
                                      void *ctx, struct bytes *out_cose, struct why *why);
MUST_CHECK enum err message_put_ends(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                                     uint64_t request, const struct end_item *v, size_t n,
                                     struct why *why); /* n <= ENDS_MAX: use several items */
MUST_CHECK enum err message_get_ends(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                                     uint64_t request, enum err (*each)(void *ctx, const struct end_item *d, struct why *why),
                                     void *ctx, struct why *why);
MUST_CHECK enum err message_put_receipt(struct buf *b, const struct identity_secret *by, const struct receipt *m,
                                        struct why *why);
MUST_CHECK enum err message_get_receipt(struct bytes item, const struct identity *by, struct receipt *out,
                                        struct bytes *out_cose, struct why *why);
void message_put_page(struct buf *b, struct bytes cose, size_t n_parts);
MUST_CHECK enum err message_get_page(struct bytes item, struct bytes *out_cose, size_t *out_n_parts, struct why *why);
void message_put_part(struct buf *b, const struct part *p);
MUST_CHECK enum err message_get_part(struct bytes item, struct part *out, struct why *why);
/* Enrolment: the request is signed by the node's new key; get verifies with the key inside and the kid of it. */
MUST_CHECK enum err message_put_enrol(struct buf *b, const struct identity_secret *by, const struct enrol_request *m,
                                      struct why *why);
MUST_CHECK enum err message_get_enrol(struct bytes item, struct enrol_request *out, struct identity *out_node,
                                      struct why *why);
MUST_CHECK enum err message_put_enrolled(struct buf *b, const struct identity_secret *by, const struct enrol_answer *m,
                                         struct why *why);
MUST_CHECK enum err message_get_enrolled(struct bytes item, const struct identity *by, struct enrol_answer *out,
                                         struct why *why);
/* Signed by the old device's key. Whose key it is stands in the item, unproven until it is got with that key. */
MUST_CHECK enum err message_put_replaces(struct buf *b, const struct identity_secret *by, const struct replaces *m,
                                         struct why *why);
MUST_CHECK enum err message_replaces_kid(struct bytes item, uint8_t out_kid[KID_BYTES], struct why *why);
MUST_CHECK enum err message_get_replaces(struct bytes item, const struct identity *by, struct replaces *out,
                                         struct why *why);
MUST_CHECK enum err message_put_gap(struct buf *b, const struct identity_secret *by, const struct gap *m,
                                    struct why *why);
/* *out_cose (may be NULL): the signed bytes, to be kept. */
MUST_CHECK enum err message_get_gap(struct bytes item, const struct identity *by, struct gap *out,
                                    struct bytes *out_cose, struct why *why);

/* Transparency logs (hub/LOG.md). The bundle's seal and the hello's binding say who speaks; the checkpoint is signed
 * besides. */
#define MESSAGE_NOTE_MAX 4096u /* bytes of a checkpoint's note */
/* The last checkpoint of its own log that the device accepted. ERR_FORMAT: no log has that size, or it is of none. */
void message_put_seen(struct buf *b, const struct merkle_head *m);
MUST_CHECK enum err message_get_seen(struct bytes item, struct merkle_head *out, struct why *why);
/* The hub's checkpoint of the device's log, and the proof that leads to it from the one in MSG_SEEN; empty where none
 * was told. Neither is looked at here: *out borrows. ERR_FORMAT: too long for one, or no such item. */
struct checkpoint_item {
    struct bytes note;
    struct bytes proof; /* hashes, one after the other */
};
void message_put_checkpoint(struct buf *b, const struct checkpoint_item *m);
MUST_CHECK enum err message_get_checkpoint(struct bytes item, struct checkpoint_item *out, struct why *why);

/* Views of one device, 1 to VIEWS_MAX. ERR_FORMAT: none, too many, or of a table that is none. */
MUST_CHECK enum err message_put_views(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                                      const struct view_item *v, size_t n, struct why *why);
/* Calls each in order, once the whole list has been found good. ERR_TAMPERED: another device's. */
MUST_CHECK enum err message_get_views(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                                      enum err (*each)(void *ctx, const struct view_item *v, struct why *why),
                                      void *ctx, struct why *why);
/* Orders, and the door (§4.1). A put refuses what its get would (ERR_FORMAT). *out_cose (may be NULL): the signed
 * bytes. */
/* How many rows a device holds once it has taken this answer, and may hold. stopped: what comes next it does not
 * get. */
struct room {
    uint8_t node[KID_BYTES];
    uint64_t request; /* of the answer */
    uint64_t held, most;
    bool stopped;
};
MUST_CHECK enum err message_put_room(struct buf *b, const struct identity_secret *by, const struct room *m, struct why *why);
MUST_CHECK enum err message_get_room(struct bytes item, const struct identity *by, struct room *out, struct why *why);
MUST_CHECK enum err message_put_order(struct buf *b, const struct identity_secret *by, const struct order *m,
                                      struct why *why);
MUST_CHECK enum err message_get_order(struct bytes item, const struct identity *by, struct order *out,
                                      struct bytes *out_cose, struct why *why);
MUST_CHECK enum err message_put_wiped(struct buf *b, const struct identity_secret *by, const struct wiped *m,
                                      struct why *why);
MUST_CHECK enum err message_get_wiped(struct bytes item, const struct identity *by, struct wiped *out,
                                      struct bytes *out_cose, struct why *why);
MUST_CHECK enum err message_put_knock(struct buf *b, const struct identity_secret *by, const struct knock *m,
                                      struct why *why);
MUST_CHECK enum err message_get_knock(struct bytes item, const struct identity *by, struct knock *out,
                                      struct why *why);
MUST_CHECK enum err message_put_door(struct buf *b, const struct identity_secret *by, const struct door_answer *m,
                                     struct why *why);
MUST_CHECK enum err message_get_door(struct bytes item, const struct identity *by, struct door_answer *out,
                                     struct why *why);
/* Whose key a knock or a wiped claims to be signed with, nothing of it checked. ERR_FORMAT: neither. */
MUST_CHECK enum err message_door_kid(struct bytes item, uint8_t out_kid[KID_BYTES], struct why *why);

/* The invitation code a person types or pipes: Base32 (RFC 4648, upper case, no padding) of
 * version(1)=1 ‖ fingerprint(32) ‖ token(16) ‖ address length(1) ‖ address ‖ first 4 bytes of BLAKE2b-256 of
 * all before, in groups of 6 parted by '-'. Reading ignores case, spaces, line ends and '-'. ERR_FORMAT: mistyped. */
struct invitation {
    uint8_t fingerprint[32];
    uint8_t token[16];
    char address[200]; /* "http://127.0.0.1:8470" */
};
MUST_CHECK enum err invitation_put(struct buf *b, const struct invitation *i, struct why *why);
MUST_CHECK enum err invitation_get(struct bytes code, struct invitation *out, struct why *why);

#endif
