/* What the fuzzers share. Each reads one kind of bytes that come from outside, and says more than "it did not crash":
 * what is accepted and written again gives the same bytes, so nothing is accepted in two encodings, and what an
 * independent reader refuses is refused. How to run them: tests/fuzz/run. */
#ifndef SPOKE_TESTS_FUZZ_FUZZ_H
#define SPOKE_TESTS_FUZZ_FUZZ_H

#include "base/env.h"
#include "crypto/identity.h"

#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);                                 \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Whatever is drawn, by us or by libsodium, is the same for the same input: fuzz_start begins anew. */
void fuzz_start(void);
/* The keys of the reader, always the same. */
const struct identity_secret *fuzz_me(void);
/* While it is on, every signature is taken for good and signing costs nothing: mutated bytes get past the door. The
 * door itself is tried with it off. */
void fuzz_believe(bool on);

/* A file, whatever its name is; and the count of wrong tries beside it, whose name ends in .tries. */
struct fuzz_file {
    uint8_t bytes[4096];
    size_t n;
    bool there;
    struct fuzz_file *tries; /* borrowed; NULL: it is not there and cannot be made */
};
struct env fuzz_env(struct fuzz_file *file); /* its clock always shows FUZZ_NOW */
#define FUZZ_NOW INT64_C(1780000000000)

/* First byte of the input, zero when there is none: what is asked of the rest. */
uint8_t fuzz_take(struct bytes *in);

/* The key file that seeds are made of: two people and a recovery slot. Its keys come back (data key, vouch key), and
 * what opens it. */
struct fuzz_key {
    uint8_t keys[64];
    char code[40];
};
void fuzz_keyfile(struct fuzz_file *out, struct fuzz_key *key);
struct bytes fuzz_passphrase(void);
/* How often, and for how much at most, Argon2id was asked for since fuzz_start. */
struct fuzz_argon {
    unsigned calls;
    unsigned long long passes;
    size_t memory;
};
struct fuzz_argon fuzz_argon(void);

#define FUZZ_NODE    ((const uint8_t *)"a node for fuzz.") /* 16 bytes: whom lists of verdicts and drops are for */
#define FUZZ_REQUEST 7u

#endif
