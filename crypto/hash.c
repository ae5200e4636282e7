#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

void hash_blake2b(uint8_t out[HASH_BYTES], struct bytes in)
{
    (void)crypto_generichash(out, HASH_BYTES, in.p, in.n, NULL, 0);
}

/* The label ends with a zero byte, so that no label can run over into another one's input. */
void hash_labelled(uint8_t out[HASH_BYTES], const char *label, struct bytes in)
{
    crypto_generichash_state st;
    (void)crypto_generichash_init(&st, NULL, 0, HASH_BYTES);
    (void)crypto_generichash_update(&st, (const uint8_t *)label, strlen(label) + 1);
    (void)crypto_generichash_update(&st, in.p, in.n);
    (void)crypto_generichash_final(&st, out, HASH_BYTES);
    sodium_memzero(&st, sizeof st); /* callers hash keys too */
}

_Static_assert(sizeof(struct hash_run) >= sizeof(crypto_generichash_state) &&
                   _Alignof(struct hash_run) >= _Alignof(crypto_generichash_state),
               "a hash_run holds libsodium's state");

void hash_begin(struct hash_run *h)
{
    (void)crypto_generichash_init((crypto_generichash_state *)(void *)h->state, NULL, 0, HASH_BYTES);
}

void hash_add(struct hash_run *h, struct bytes in)
{
    (void)crypto_generichash_update((crypto_generichash_state *)(void *)h->state, in.p, in.n);
}

void hash_end(struct hash_run *h, uint8_t out[HASH_BYTES])
{
    (void)crypto_generichash_final((crypto_generichash_state *)(void *)h->state, out, HASH_BYTES);
    sodium_memzero(h, sizeof *h);
}

void hash_sha256(uint8_t out[HASH_BYTES], struct bytes in)
{
    (void)crypto_hash_sha256(out, in.p, in.n);
}

void hash_commit(uint8_t out[HASH_BYTES], const uint8_t salt[32], struct bytes content)
{
    static const char label[] = "spoke/commit/1"; /* with its NUL */
    crypto_hash_sha256_state st;
    (void)crypto_hash_sha256_init(&st);
    (void)crypto_hash_sha256_update(&st, (const uint8_t *)label, sizeof label);
    (void)crypto_hash_sha256_update(&st, salt, 32);
    (void)crypto_hash_sha256_update(&st, content.p, content.n);
    (void)crypto_hash_sha256_final(&st, out);
    sodium_memzero(&st, sizeof st); /* the salt is what hides a short content */
}

void hash_keyed16(uint8_t out[16], const uint8_t key[16], struct bytes in)
{
    (void)crypto_shorthash_siphashx24(out, in.p, in.n, key);
}

_Static_assert(crypto_shorthash_KEYBYTES == HASH_TABLE_KEY_BYTES && crypto_shorthash_BYTES == sizeof(uint64_t),
               "libsodium's short hash is SipHash-2-4");
uint64_t hash_keyed8(const uint8_t key[HASH_TABLE_KEY_BYTES], struct bytes in)
{
    uint8_t b[sizeof(uint64_t)];
    uint64_t out = 0;
    (void)crypto_shorthash(b, in.p, in.n, key);
    for (size_t i = sizeof b; i > 0; i--) out = out << 8 | b[i - 1]; /* little-endian, as in the paper */
    return out;
}
