/* Sealed streams: one stream key under crypto_box_seal to the recipient, then crypto_secretstream_xchacha20poly1305
 * frames with FINAL at the end. crypto/FORMAT.md §3. Sealing alone does not say who sent it: the first item inside is
 * the sender's signed hello, which binds the stream key (sync/FORMAT.md). */
#ifndef SPOKE_CRYPTO_SEAL_H
#define SPOKE_CRYPTO_SEAL_H

#include "crypto/identity.h"

#define SEAL_CHUNK 65536u /* plaintext bytes of each frame but the last */

struct seal_header {
    uint8_t version; /* 1 */
    uint8_t kind;    /* 1 request, 2 answer, 3 enrolment request, 4 enrolment answer, 5 to the door, 6 beside a request, 7 backup */
    uint8_t recipient[KID_BYTES];
    uint8_t sender[KID_BYTES]; /* claimed; all zero in an enrolment request and at the door */
};

struct seal_writer; /* opaque */
/* Begin: draws the stream key, appends the header to out. out stays the caller's and must outlive the writer.
 * out_binding (32 bytes) = BLAKE2b-256("spoke/stream/1" ‖ 0 ‖ stream key ‖ header bytes): what a hello signs. */
MUST_CHECK enum err seal_writer_new(struct seal_writer **out_w, const struct seal_header *h, const struct identity *to,
                                    struct buf *out, uint8_t out_binding[32], struct why *why);
MUST_CHECK enum err seal_write(struct seal_writer *w, struct bytes plain, struct why *why);
MUST_CHECK enum err seal_finish(struct seal_writer *w, struct why *why); /* writes the FINAL frame */
void seal_writer_free(struct seal_writer *w);
/* Whoever seals many streams, one after the other, keeps the writer: its locked memory takes longer to get than a small
 * stream to seal. Rest wipes all that the last stream left, whether it was finished or not; NULL is fine. Again begins
 * the next one with a writer at rest; where that fails, it is at rest still. */
void seal_writer_rest(struct seal_writer *w);
MUST_CHECK enum err seal_writer_again(struct seal_writer *w, const struct seal_header *h, const struct identity *to,
                                      struct buf *out, uint8_t out_binding[32], struct why *why);

struct seal_reader; /* opaque */
/* Read the header alone, believing nothing. ERR_FORMAT. */
MUST_CHECK enum err seal_peek(struct bytes in, struct seal_header *out, struct why *why);
/* Open for `me`. in is borrowed for the reader's life. ERR_FORMAT: no such stream; ERR_REFUSED: sealed to someone else;
 * ERR_TAMPERED: anything that fails to authenticate. */
MUST_CHECK enum err seal_reader_new(struct seal_reader **out_r, struct bytes in, const struct identity_secret *me,
                                    struct seal_header *out_h, uint8_t out_binding[32], struct why *why);
/* Next frame's plaintext, borrowed until the next call; *out_final after the last. Truncation, reordering, bytes after
 * FINAL: ERR_TAMPERED. */
MUST_CHECK enum err seal_read(struct seal_reader *r, struct bytes *out_plain, bool *out_final, struct why *why);
void seal_rewind(struct seal_reader *r); /* back to the first frame; a stream that failed stays failed */
void seal_reader_free(struct seal_reader *r);
/* Likewise. *inout_r moves where the next stream needs more memory. */
void seal_reader_rest(struct seal_reader *r);
MUST_CHECK enum err seal_reader_again(struct seal_reader **inout_r, struct bytes in, const struct identity_secret *me,
                                      struct seal_header *out_h, uint8_t out_binding[32], struct why *why);

/* Small things to one X25519 public key, no sender (crypto_box_seal): appends n + 48 bytes. */
MUST_CHECK enum err seal_box(struct bytes plain, const uint8_t box_pk[32], struct buf *out, struct why *why);
MUST_CHECK enum err seal_box_open(struct bytes sealed, const struct identity_secret *me, struct buf *out,
                                  struct why *why);

#endif
