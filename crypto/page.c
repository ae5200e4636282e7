#include "crypto/page.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_ID_BYTES 16u
#define CHECK_BYTES 8u
#define ROUNDS 4u
#define DB_AAD_BYTES (1u + FILE_ID_BYTES + 4u)
#define WAL_AAD_BYTES (1u + FILE_ID_BYTES + 4u + 4u + 8u + 8u)

_Static_assert(NONCE_BYTES + TAG_BYTES == PAGE_RESERVE, "nonce and tag fill the reserve exactly");

/* Lives whole inside sodium_malloc memory. crypto/FORMAT.md §5 lists the labels. */
struct page_keys {
    uint8_t db[32];                                      /* database pages */
    uint8_t wal[32];                                     /* log frames */
    uint8_t sum[ROUNDS][crypto_shorthash_KEYBYTES];      /* checksum words, one key a round */
    uint8_t file_id[FILE_ID_BYTES];                      /* associated data of every page */
    uint8_t check[FILE_ID_BYTES];                        /* the first 8 go into the prefix of page 1 */
};

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

static void subkey(uint8_t *out, size_t n, const struct secret *data_key, const char *label)
{
    int rc = crypto_generichash(out, n, (const uint8_t *)label, strlen(label), data_key->p, data_key->n);
    assert(rc == 0); /* lengths are ours */
    (void)rc;
}

enum err page_keys_new(struct page_keys **out, const struct secret *data_key, struct why *why)
{
    struct secret mem = {0};
    assert(data_key->n == 32);
    enum err e = secret_new(&mem, sizeof(struct page_keys), why);
    if (e)
        return e;
    struct page_keys *k = (struct page_keys *)(void *)mem.p;
    subkey(k->db, sizeof k->db, data_key, "spoke/page/1");
    subkey(k->wal, sizeof k->wal, data_key, "spoke/wal/1");
    subkey(k->sum[0], sizeof k->sum, data_key, "spoke/sum/1");
    subkey(k->file_id, sizeof k->file_id, data_key, "spoke/file/1");
    subkey(k->check, sizeof k->check, data_key, "spoke/check/1");
    *out = k;
    return ERR_OK;
}

void page_keys_free(struct page_keys *k)
{
    sodium_free(k); /* wipes; NULL is fine */
}

void page_prefix(const struct page_keys *k, uint8_t out[PAGE_PREFIX])
{
    static const uint8_t magic[8] = {'S', 'P', 'K', '1', 1, 0, 0, 0};
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, k->check, CHECK_BYTES);
}

/* Seal content from `skip` on; everything before it is the caller's. The tag covers ciphertext and `aad`. */
static void seal(const uint8_t key[32], const uint8_t *aad, size_t aad_n, const uint8_t *nonce, size_t skip,
                 const uint8_t *in, uint8_t *out)
{
    uint8_t *at = out + PAGE_CONTENT;
    if (nonce)
        memcpy(at, nonce, NONCE_BYTES);
    else
        randombytes_buf(at, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out + skip, at + NONCE_BYTES, NULL, in + skip,
                                                        PAGE_CONTENT - skip, aad, aad_n, NULL, at, key);
}

/* The reserve comes back as zeros: SQLite checksums it into the log, so it must read as it was written (T1). */
static bool open_sealed(const uint8_t key[32], const uint8_t *aad, size_t aad_n, size_t skip, const uint8_t *in,
                        uint8_t *out)
{
    const uint8_t *at = in + PAGE_CONTENT;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(out + skip, NULL, in + skip, PAGE_CONTENT - skip,
                                                            at + NONCE_BYTES, aad, aad_n, at, key) != 0) {
        memset(out, 0, PAGE_BYTES);
        return false;
    }
    memset(out + PAGE_CONTENT, 0, PAGE_RESERVE);
    return true;
}

static void db_aad(uint8_t aad[DB_AAD_BYTES], const struct page_keys *k, uint32_t pgno)
{
    aad[0] = 'D';
    memcpy(aad + 1, k->file_id, FILE_ID_BYTES);
    put_be32(aad + 17, pgno);
}

void page_seal_db(const struct page_keys *k, uint32_t pgno, const uint8_t *in, uint8_t *out)
{
    uint8_t aad[DB_AAD_BYTES];
    size_t skip = pgno == 1 ? PAGE_PREFIX : 0;
    assert(in != out && pgno != 0);
    db_aad(aad, k, pgno);
    if (skip)
        page_prefix(k, out);
    seal(k->db, aad, sizeof aad, NULL, skip, in, out);
}

bool page_open_db(const struct page_keys *k, uint32_t pgno, const uint8_t *in, uint8_t *out)
{
    static const char magic[PAGE_PREFIX] = "SQLite format 3";
    uint8_t aad[DB_AAD_BYTES], prefix[PAGE_PREFIX];
    size_t skip = pgno == 1 ? PAGE_PREFIX : 0;
    assert(in != out);
    if (skip) {
        page_prefix(k, prefix);
        if (memcmp(in, prefix, sizeof prefix) != 0) {
            memset(out, 0, PAGE_BYTES);
            return false;
        }
    }
    db_aad(aad, k, pgno);
    if (!open_sealed(k->db, aad, sizeof aad, skip, in, out))
        return false;
    memcpy(out, magic, skip);
    return true;
}

static void wal_aad(uint8_t aad[WAL_AAD_BYTES], const struct page_keys *k, const struct page_frame *f)
{
    aad[0] = 'W';
    memcpy(aad + 1, k->file_id, FILE_ID_BYTES);
    put_be32(aad + 17, f->pgno);
    put_be32(aad + 21, f->commit);
    memcpy(aad + 25, f->salt, sizeof f->salt);
    put_be64(aad + 33, f->offset);
}

void page_seal_wal(const struct page_keys *k, const struct page_frame *f, const uint8_t *nonce, const uint8_t *in,
                   uint8_t *out)
{
    uint8_t aad[WAL_AAD_BYTES];
    assert(in != out);
    wal_aad(aad, k, f);
    seal(k->wal, aad, sizeof aad, nonce, 0, in, out);
}

bool page_open_wal(const struct page_keys *k, const struct page_frame *f, const uint8_t *in, uint8_t *out)
{
    uint8_t aad[WAL_AAD_BYTES];
    assert(in != out);
    wal_aad(aad, k, f);
    return open_sealed(k->wal, aad, sizeof aad, 0, in, out);
}

/* One Feistel half: to ^= SipHash(round key, from ‖ offset ‖ head). */
static void feistel(const uint8_t key[crypto_shorthash_KEYBYTES], uint64_t offset, const uint8_t head16[16],
                    const uint8_t from[4], uint8_t to[4])
{
    uint8_t in[4 + 8 + 16], x[crypto_shorthash_BYTES];
    memcpy(in, from, 4);
    put_be64(in + 4, offset);
    memcpy(in + 12, head16, 16);
    crypto_shorthash(x, in, sizeof in, key);
    for (int i = 0; i < 4; i++)
        to[i] ^= x[i];
}

/* SQLite's checksum is unkeyed and over plaintext: in clear it would confirm a guess of the content (T7). A permutation
 * keeps the eight bytes in place; a keystream would be reused when a header is rewritten at the same offset. */
void page_mask_checksum(const struct page_keys *k, uint64_t offset, const uint8_t head16[16], uint8_t words[8],
                        bool decrypt)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned r = decrypt ? ROUNDS - 1 - i : i;
        uint8_t *even = words, *odd = words + 4;
        if (r % 2 == 0)
            feistel(k->sum[r], offset, head16, odd, even);
        else
            feistel(k->sum[r], offset, head16, even, odd);
    }
}
