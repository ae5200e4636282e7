#include "crypto/page.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define PAGE_TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_ID_BYTES 16u
#define CHECK_BYTES 8u
#define FILE_BYTES 3u /* of a file number */
#define LABEL_MAX 16u
#define ROUNDS 4u
#define DB_AAD_BYTES (1u + FILE_ID_BYTES + 4u)
#define WAL_AAD_BYTES (1u + FILE_ID_BYTES + 4u + 4u + 8u + 8u)

_Static_assert(PAGE_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "a nonce of XChaCha20-Poly1305");
_Static_assert(PAGE_NONCE + PAGE_TAG == PAGE_RESERVE, "nonce and tag fill the reserve exactly");

/* Lives whole inside sodium_malloc memory. crypto/FORMAT.md §5 lists the labels. */
struct page_keys {
    uint8_t db[32];                                      /* database pages */
    uint8_t wal[32];                                     /* log frames */
    uint8_t sum[ROUNDS][crypto_shorthash_KEYBYTES];      /* checksum words, one key a round */
    uint8_t file_id[FILE_ID_BYTES];                      /* associated data of every page */
    uint8_t check[FILE_ID_BYTES];                        /* the first 8 go into the prefix of page 1 */
    uint8_t file[FILE_BYTES];                            /* the file number, in the prefix too */
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

static void put_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* Number 0 adds nothing to the label: a replica has its data key to itself. */
static void subkey(uint8_t *out, size_t n, const struct secret *data_key, const char *label,
                   const uint8_t file[FILE_BYTES])
{
    uint8_t in[LABEL_MAX + FILE_BYTES];
    size_t label_n = strlen(label);
    assert(label_n <= LABEL_MAX);
    memcpy(in, label, label_n);
    memcpy(in + label_n, file, FILE_BYTES);
    size_t in_n = label_n + (sodium_is_zero(file, FILE_BYTES) ? 0 : FILE_BYTES);
    int rc = crypto_generichash(out, n, in, in_n, data_key->p, data_key->n);
    assert(rc == 0); /* lengths are ours */
    (void)rc;
}

enum err page_keys_new(struct page_keys **out, const struct secret *data_key, uint32_t file, struct why *why)
{
    struct secret mem = {0};
    assert(data_key->n == 32 && file <= PAGE_FILE_MAX);
    enum err e = secret_new(&mem, sizeof(struct page_keys), why);
    if (e)
        return e;
    struct page_keys *k = (struct page_keys *)(void *)mem.p;
    for (unsigned i = 0; i < FILE_BYTES; i++)
        k->file[i] = (uint8_t)(file >> (16 - 8 * i));
    subkey(k->db, sizeof k->db, data_key, "spoke/page/1", k->file);
    subkey(k->wal, sizeof k->wal, data_key, "spoke/wal/1", k->file);
    subkey(k->sum[0], sizeof k->sum, data_key, "spoke/sum/1", k->file);
    subkey(k->file_id, sizeof k->file_id, data_key, "spoke/file/1", k->file);
    subkey(k->check, sizeof k->check, data_key, "spoke/check/1", k->file);
    *out = k;
    return ERR_OK;
}

void page_keys_free(struct page_keys *k)
{
    sodium_free(k); /* wipes; NULL is fine */
}

void page_prefix(const struct page_keys *k, uint8_t out[PAGE_PREFIX])
{
    static const uint8_t magic[] = {'S', 'P', 'K', '1', 1};
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, k->file, FILE_BYTES);
    memcpy(out + sizeof magic + FILE_BYTES, k->check, CHECK_BYTES);
}

/* Random bytes alone would come twice where a virtual machine is resumed twice from one snapshot, and two contents
 * under one nonce betray each other: so the generator and both clocks would have to repeat to the nanosecond. */
void page_nonce(uint8_t out[PAGE_NONCE])
{
    struct timespec wall = {0}, awake = {0};
    uint8_t clocks[16];
    (void)clock_gettime(CLOCK_REALTIME, &wall); /* a clock that fails leaves the random bytes as they are */
    (void)clock_gettime(CLOCK_BOOTTIME, &awake);
    put_be64(clocks, (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec);
    put_be64(clocks + 8, (uint64_t)awake.tv_sec * 1000000000u + (uint64_t)awake.tv_nsec);
    randombytes_buf(out, PAGE_NONCE);
    for (size_t i = 0; i < sizeof clocks; i++) out[i] ^= clocks[i];
}

/* XChaCha20-Poly1305-IETF from libsodium's parts of it. The result is, byte for byte, that of its own
 * crypto_aead_xchacha20poly1305_ietf_*_detached (tests/unit/test_page.c holds one against the other), which takes a
 * third longer for this one length: the cipher goes by 8 blocks at a time, and slowly over the 472 bytes that are left
 * of 4056. Here it runs on over the 40 reserved bytes, which are overwritten afterwards: a page is 8 times 8 blocks. */
struct aead {
    uint8_t key[crypto_stream_chacha20_ietf_KEYBYTES];     /* from the key and the nonce's first 16 bytes */
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES]; /* 4 zeros, the nonce's last 8 bytes */
};

static void aead_start(struct aead *a, const uint8_t key[32], const uint8_t nonce[PAGE_NONCE])
{
    (void)crypto_core_hchacha20(a->key, nonce, key, NULL);
    memset(a->nonce, 0, 4);
    memcpy(a->nonce + 4, nonce + 16, 8);
}

/* From `skip` to the end of the page, the reserve included. */
static void aead_xor(const struct aead *a, size_t skip, const uint8_t *in, uint8_t *out)
{
    (void)crypto_stream_chacha20_ietf_xor_ic(out + skip, in + skip, PAGE_BYTES - skip, a->nonce, 1, a->key);
}

/* RFC 8439 §2.8 over content from `skip` on, which is ciphertext by now. */
static void aead_tag(const struct aead *a, struct bytes aad, size_t skip, const uint8_t *page, uint8_t tag[PAGE_TAG])
{
    static const uint8_t zeros[16];
    uint8_t block[64], sizes[16];
    crypto_onetimeauth_poly1305_state mac;
    size_t n = PAGE_CONTENT - skip;
    (void)crypto_stream_chacha20_ietf(block, sizeof block, a->nonce, a->key);
    (void)crypto_onetimeauth_poly1305_init(&mac, block);
    (void)crypto_onetimeauth_poly1305_update(&mac, aad.p, aad.n);
    (void)crypto_onetimeauth_poly1305_update(&mac, zeros, (16 - aad.n % 16) % 16);
    (void)crypto_onetimeauth_poly1305_update(&mac, page + skip, n);
    (void)crypto_onetimeauth_poly1305_update(&mac, zeros, (16 - n % 16) % 16);
    put_le64(sizes, aad.n);
    put_le64(sizes + 8, n);
    (void)crypto_onetimeauth_poly1305_update(&mac, sizes, sizeof sizes);
    (void)crypto_onetimeauth_poly1305_final(&mac, tag);
    sodium_memzero(block, sizeof block);
    sodium_memzero(&mac, sizeof mac);
}

/* Seal content from `skip` on; everything before it is the caller's. The tag covers ciphertext and `aad`. */
static void seal(const uint8_t key[32], struct bytes aad, const uint8_t *nonce, size_t skip, const uint8_t *in,
                 uint8_t *out)
{
    uint8_t fresh[PAGE_NONCE];
    struct aead a;
    if (nonce == NULL) {
        page_nonce(fresh);
        nonce = fresh;
    }
    aead_start(&a, key, nonce);
    aead_xor(&a, skip, in, out);
    memcpy(out + PAGE_CONTENT, nonce, PAGE_NONCE);
    aead_tag(&a, aad, skip, out, out + PAGE_CONTENT + PAGE_NONCE);
    sodium_memzero(&a, sizeof a);
}

/* The tag is judged before anything is decrypted. The reserve comes back as zeros: SQLite checksums it into the log, so
 * it must read as it was written (T1). */
static bool open_sealed(const uint8_t key[32], struct bytes aad, size_t skip, const uint8_t *in, uint8_t *out)
{
    const uint8_t *nonce = in + PAGE_CONTENT;
    uint8_t tag[PAGE_TAG];
    struct aead a;
    aead_start(&a, key, nonce);
    aead_tag(&a, aad, skip, in, tag);
    bool authentic = crypto_verify_16(tag, nonce + PAGE_NONCE) == 0;
    if (authentic) {
        aead_xor(&a, skip, in, out);
        memset(out + PAGE_CONTENT, 0, PAGE_RESERVE);
    } else {
        memset(out, 0, PAGE_BYTES);
    }
    sodium_memzero(&a, sizeof a);
    return authentic;
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
    seal(k->db, (struct bytes){aad, sizeof aad}, NULL, skip, in, out);
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
    if (!open_sealed(k->db, (struct bytes){aad, sizeof aad}, skip, in, out))
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
    seal(k->wal, (struct bytes){aad, sizeof aad}, nonce, 0, in, out);
}

bool page_open_wal(const struct page_keys *k, const struct page_frame *f, const uint8_t *in, uint8_t *out)
{
    uint8_t aad[WAL_AAD_BYTES];
    assert(in != out);
    wal_aad(aad, k, f);
    return open_sealed(k->wal, (struct bytes){aad, sizeof aad}, 0, in, out);
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
