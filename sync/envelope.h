/* The signed, numbered, chained record of one transaction. COSE_Sign1 whose payload commits to the content of each case
 * touched; the content stands beside it, so that content can be erased and signature and chain still check. FORMAT.md
 * §2. */
#ifndef SPOKE_SYNC_ENVELOPE_H
#define SPOKE_SYNC_ENVELOPE_H

#include "crypto/cose.h"
#include "crypto/hash.h"

#define ENVELOPE_MAX_PARTS 4096u
#define CUT_BYTES          16u
#define SALT_BYTES         32u

/* Content of one case (envelope: changeset) or of one case and agency (page: patchset). */
struct part {
    uint8_t salt[SALT_BYTES];
    struct bytes content; /* borrowed */
};

struct envelope_header {
    uint8_t hub[KID_BYTES]; /* hub it is meant for */
    uint64_t epoch;
    uint8_t base_cut[CUT_BYTES]; /* cut it was made upon; zeros before the first */
    uint64_t seq;                /* 1, 2, … without gaps */
    uint8_t prev[HASH_BYTES];    /* envelope_hash of seq-1; zeros for the first */
    uint64_t schema;             /* of the writer's store: §6 */
    uint64_t hlc;                /* milliseconds << 16 | counter */
    uint8_t user[16];            /* practitioner id */
    uint8_t rescued[HASH_BYTES]; /* envelope_hash of the one whose content this has again, from the chain of the device
                                  * that this one replaces; base_cut, hlc and user are then of that one. Else zeros */
};

/* Sign: commitments of the parts go into the payload. Appends the COSE_Sign1 alone to out. */
MUST_CHECK enum err envelope_sign(const struct identity_secret *by, const struct envelope_header *h,
                                  const struct part *parts, size_t n_parts, struct buf *out, struct why *why);
/* Where in the payload the part checked last stands, so that parts checked in order cost one step each. */
struct part_cursor {
    size_t i, at;
};
struct envelope {
    struct envelope_header h;
    uint8_t kid[KID_BYTES];
    size_t n_parts;
    struct bytes payload; /* borrowed: n_parts × [commitment, length] */
    struct part_cursor cursor;
};
/* Check signature and shape. ERR_TAMPERED, ERR_FORMAT, ERR_VERSION (schema newer than ours). Borrows from cose. */
MUST_CHECK enum err envelope_verify(struct bytes cose, const struct identity *by, struct envelope *out,
                                    struct why *why);
/* Does this content match the i-th commitment and length? ERR_TAMPERED. */
MUST_CHECK enum err envelope_check_part(struct envelope *e, size_t i, const struct part *p, struct why *why);
/* Hash of the whole COSE_Sign1 for the chain: BLAKE2b-256("spoke/envelope/1" ‖ 0 ‖ cose). */
void envelope_hash(struct bytes cose, uint8_t out[HASH_BYTES]);

/* A page: signed by the hub. Same payload; its own header. */
struct page_header {
    uint8_t node[KID_BYTES];
    uint8_t from_cut[CUT_BYTES]; /* zeros: from nothing */
    uint8_t to_cut[CUT_BYTES];
    uint64_t epoch;
    uint64_t schema;
};
MUST_CHECK enum err page_sign(const struct identity_secret *hub, const struct page_header *h, const struct part *parts,
                              size_t n_parts, struct buf *out, struct why *why);
struct signed_page {
    struct page_header h;
    size_t n_parts;
    struct bytes payload;
    struct part_cursor cursor;
};
MUST_CHECK enum err page_verify(struct bytes cose, const struct identity *hub, struct signed_page *out,
                                struct why *why);
MUST_CHECK enum err page_check_part(struct signed_page *p, size_t i, const struct part *part, struct why *why);

#endif
