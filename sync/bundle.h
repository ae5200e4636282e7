/* One sealed stream to one recipient: body of an HTTP request and content of a USB file alike. Inside the sealed stream
 * (crypto/seal.h) stands zstd (RFC 8878), inside that a CBOR sequence (RFC 8742) of items, each [type, body...].
 * FORMAT.md §3. Content of different agencies never shares a zstd frame (compression would tell one agency about
 * another's text); a skippable frame pads the whole to a Padmé size. */
#ifndef SPOKE_SYNC_BUNDLE_H
#define SPOKE_SYNC_BUNDLE_H

#include "crypto/seal.h"

#define BUNDLE_MAX       (128u << 20) /* bytes of a bundle as it travels */
#define BUNDLE_MAX_PLAIN (256u << 20) /* bytes after decompression */
#define BUNDLE_MAX_RATIO 1000u        /* plain : compressed of any frame, over 64 KiB */
#define BUNDLE_MAX_ITEM  (80u << 20)
#define BUNDLE_MAX_FIRST (64u << 10)  /* the first item, a hello: its sender is nobody yet */

struct bundle_writer; /* opaque */
/* Begin towards `to`. out_binding is what the hello must sign. Bytes go to out (caller's, must outlive the writer). */
MUST_CHECK enum err bundle_writer_new(struct bundle_writer **out_w, const struct seal_header *h,
                                      const struct identity *to, struct buf *out, uint8_t out_binding[32],
                                      struct why *why);
/* Append one encoded CBOR item. Ends the running zstd frame first when `origin` (agency code, or "" for plumbing)
 * differs from the last item's. */
MUST_CHECK enum err bundle_put(struct bundle_writer *w, const char *origin, struct bytes item, struct why *why);
MUST_CHECK enum err bundle_finish(struct bundle_writer *w, struct why *why); /* pads and ends */
void bundle_writer_free(struct bundle_writer *w);
/* Whoever packs many bundles, one after the other, keeps the writer: to get its memory takes longer than to pack a
 * small bundle. Rest: it is done with the last one, finished or not, of which nothing comes into the next; NULL is
 * fine. Again begins the next one with a writer at rest; where that fails, it is at rest still. */
void bundle_writer_rest(struct bundle_writer *w);
MUST_CHECK enum err bundle_writer_again(struct bundle_writer *w, const struct seal_header *h, const struct identity *to,
                                        struct buf *out, uint8_t out_binding[32], struct why *why);

struct bundle_reader; /* opaque */
MUST_CHECK enum err bundle_reader_new(struct bundle_reader **out_r, struct bytes in, const struct identity_secret *me,
                                      struct seal_header *out_h, uint8_t out_binding[32], struct why *why);
/* Next CBOR item, whole and strictly checked, borrowed until the next call; *out_end after the last. The stream is
 * authenticated frame by frame; truncation shows at the end as ERR_TAMPERED: act on nothing before out_end was seen.
 * ERR_LIMIT: ratio or size ceilings (zip bomb); memory stays bounded. */
MUST_CHECK enum err bundle_next(struct bundle_reader *r, struct bytes *out_item, bool *out_end, struct why *why);
/* Back to the first item, so that what was verified whole can be acted upon without being opened anew. A bundle that
 * failed stays failed. */
void bundle_rewind(struct bundle_reader *r);
void bundle_reader_free(struct bundle_reader *r);
/* Likewise. */
void bundle_reader_rest(struct bundle_reader *r);
MUST_CHECK enum err bundle_reader_again(struct bundle_reader *r, struct bytes in, const struct identity_secret *me,
                                        struct seal_header *out_h, uint8_t out_binding[32], struct why *why);

/* Padmé (PURBs, Nikitin et al. 2019, §4): smallest padded size >= n, at most 12 % more. */
uint64_t padme(uint64_t n);

#endif
