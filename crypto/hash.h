/* Hashes: BLAKE2b-256 (RFC 7693) for chains, ids and fingerprints; SHA-256 (FIPS 180-4) for commitments, so that a
 * stranger's tools can check them. */
#ifndef SPOKE_CRYPTO_HASH_H
#define SPOKE_CRYPTO_HASH_H

#include "base/buf.h"

#define HASH_BYTES 32

void hash_blake2b(uint8_t out[HASH_BYTES], struct bytes in);
/* With a label as domain separation: BLAKE2b-256(label ‖ 0x00 ‖ in). label is ASCII without NUL. */
void hash_labelled(uint8_t out[HASH_BYTES], const char *label, struct bytes in);
void hash_sha256(uint8_t out[HASH_BYTES], struct bytes in);
/* BLAKE2b-256 of what comes piece by piece. A started one needs no release; hash_end wipes it. */
struct hash_run {
    _Alignas(64) uint8_t state[384];
};
void hash_begin(struct hash_run *h);
void hash_add(struct hash_run *h, struct bytes in);
void hash_end(struct hash_run *h, uint8_t out[HASH_BYTES]);
/* SipHash-2-4 with 128 bits of output (Aumasson and Bernstein 2012), for sums that nobody but the key's holder may
 * foresee. */
void hash_keyed16(uint8_t out[16], const uint8_t key[16], struct bytes in);
/* SipHash-2-4 with 64 bits, for a table in memory that is found by what strangers may choose (ids of rows, words): who
 * has not the key cannot choose what meets in it, and so make looking for it slow. Draw a key for each table
 * (env_random), and write neither key nor hash down. Each bit of the hash may be used alone. */
#define HASH_TABLE_KEY_BYTES 16
uint64_t hash_keyed8(const uint8_t key[HASH_TABLE_KEY_BYTES], struct bytes in);
/* Salted commitment: SHA-256("spoke/commit/1" ‖ 0x00 ‖ salt(32) ‖ content). */
void hash_commit(uint8_t out[HASH_BYTES], const uint8_t salt[32], struct bytes content);

#endif
