/* The pure page sealer: knows no SQLite. A page is 4096 bytes: 4056 of content, 24 of nonce, 16 of tag
 * (XChaCha20-Poly1305-IETF). Database page 1 keeps a constant 16-byte prefix in clear. crypto/FORMAT.md §5. */
#ifndef SPOKE_CRYPTO_PAGE_H
#define SPOKE_CRYPTO_PAGE_H

#include "crypto/secret.h"

#define PAGE_BYTES   4096u
#define PAGE_RESERVE 40u
#define PAGE_CONTENT (PAGE_BYTES - PAGE_RESERVE)
#define PAGE_PREFIX  16u
#define PAGE_FILE_MAX 0xffffffu
#define PAGE_NONCE   24u

struct page_keys; /* opaque: subkeys of one data key, in locked memory */

/* `file`: the file number, 0 to PAGE_FILE_MAX; no page of one file opens under the keys of another. */
MUST_CHECK enum err page_keys_new(struct page_keys **out, const struct secret *data_key, uint32_t file,
                                  struct why *why);
void page_keys_free(struct page_keys *k);
/* The 16 constant bytes of page 1: magic, version, file number, key check value. */
void page_prefix(const struct page_keys *k, uint8_t out[PAGE_PREFIX]);

/* A nonce that does not come twice, also where a virtual machine is resumed twice from one snapshot: random bytes of
 * the kernel, the wall clock and the time since boot. crypto/FORMAT.md §5. */
void page_nonce(uint8_t out[PAGE_NONCE]);

/* Database page. out and in are distinct 4096-byte buffers; in's reserve must be zero (the caller checks). */
void page_seal_db(const struct page_keys *k, uint32_t pgno, const uint8_t *in, uint8_t *out);
bool page_open_db(const struct page_keys *k, uint32_t pgno, const uint8_t *in,
                  uint8_t *out); /* false: not authentic; out is zeroed */

/* WAL frame body: bound to its offset in the log, page number, commit size and the log's salts. `nonce` NULL draws one
 * (a split write fixes it: pagevfs.md T5). */
struct page_frame {
    uint64_t offset; /* of the frame header in the file */
    uint32_t pgno;
    uint32_t commit; /* database size after commit, 0 for others */
    uint8_t salt[8]; /* of the current log, also where the header has zeros (T4) */
};
void page_seal_wal(const struct page_keys *k, const struct page_frame *f, const uint8_t *nonce, const uint8_t *in,
                   uint8_t *out);
bool page_open_wal(const struct page_keys *k, const struct page_frame *f, const uint8_t *in, uint8_t *out);
/* The two checksum words of a frame header, which SQLite computes over plaintext: encrypt/decrypt in place (T7). */
void page_mask_checksum(const struct page_keys *k, uint64_t offset, const uint8_t head16[16], uint8_t words[8],
                        bool decrypt);

#endif
