#include "tests/fuzz/fuzz.h"

#include "crypto/hash.h"
#include "crypto/keyslot_internal.h"

#include <sodium.h>
#include <string.h>

/* libsodium and the linker's wrappers take no context, so what the running input has drawn and asked for is global. */
static uint64_t drawn;
static bool believing;
static struct fuzz_argon argon;
static struct identity_secret me;

static void draw(void *out, size_t n)
{
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(drawn >> 56);
    }
}

static uint32_t draw_word(void)
{
    uint32_t out;
    draw(&out, sizeof out);
    return out;
}

static const char *draw_name(void)
{
    return "the same for each input";
}

static struct randombytes_implementation drawing = {.implementation_name = draw_name, .random = draw_word, .buf = draw};

/* RFC 8032 §7.1, test 1, and a5 x 32, as in tests/vectors/envelope.txt. */
static void make_me(void)
{
    static const char sign_sk[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
                                  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    uint8_t secret[96];
    memset(secret, 0xa5, sizeof secret);
    HOLDS(hex_decode(secret, 64, sign_sk, sizeof sign_sk - 1));
    HOLDS(identity_secret_from_bytes(&me, bytes_of(secret, sizeof secret), NULL) == ERR_OK);
}

void fuzz_start(void)
{
    if (me.keys.p == NULL) {
        HOLDS(randombytes_set_implementation(&drawing) == 0 && sodium_init() >= 0);
        make_me();
    }
    drawn = 1;
    believing = false;
    argon = (struct fuzz_argon){0};
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_start();
    return 0;
}

const struct identity_secret *fuzz_me(void)
{
    return &me;
}

void fuzz_believe(bool on)
{
    believing = on;
}

struct fuzz_argon fuzz_argon(void)
{
    return argon;
}

uint8_t fuzz_take(struct bytes *in)
{
    if (in->n == 0) return 0;
    *in = bytes_of(in->p + 1, in->n - 1);
    return in->p[-1];
}

/* ---- in the place of libsodium's, at link time ---- */
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *pk);
int __real_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *sk);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *sk);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
void *__wrap_sodium_malloc(size_t n);
void __wrap_sodium_free(void *p);

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *pk)
{
    return believing ? 0 : __real_crypto_sign_verify_detached(sig, m, n, pk);
}

int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *sk)
{
    if (!believing) return __real_crypto_sign_detached(sig, sig_n, m, n, sk);
    memset(sig, 0, crypto_sign_BYTES);
    return 0;
}

/* Argon2id is made to be slow. Another function of all its inputs stands in. */
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm)
{
    struct buf all;
    uint8_t hash[HASH_BYTES];
    argon.calls++;
    argon.passes = passes > argon.passes ? passes : argon.passes;
    argon.memory = memory > argon.memory ? memory : argon.memory;
    buf_init(&all, 1u << 16);
    buf_put(&all, salt, crypto_pwhash_SALTBYTES);
    buf_put_be64(&all, passes);
    buf_put_be64(&all, memory);
    buf_put_be32(&all, (uint32_t)algorithm);
    buf_put(&all, passphrase, n);
    hash_blake2b(hash, buf_bytes(&all));
    HOLDS(all.err == ERR_OK && out_n == sizeof hash);
    memcpy(out, hash, sizeof hash);
    buf_release(&all);
    return 0;
}

/* Locked memory costs six system calls a secret. Under the sanitizer plain memory is watched even better. */
void *__wrap_sodium_malloc(size_t n)
{
    return malloc(n);
}

void __wrap_sodium_free(void *p)
{
    free(p);
}

/* ---- struct env ---- */
static int64_t env_clock(void *ctx)
{
    (void)ctx;
    return FUZZ_NOW;
}

static void env_draw(void *ctx, void *out, size_t n)
{
    (void)ctx;
    draw(out, n);
}

static struct fuzz_file *named(void *ctx, const char *path)
{
    struct fuzz_file *f = ctx;
    size_t n = strlen(path);
    return n > 6 && strcmp(path + n - 6, ".tries") == 0 ? f->tries : f;
}

static enum err env_read(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    const struct fuzz_file *f = named(ctx, path);
    if (f == NULL || !f->there) return why_set(why, ERR_NOTFOUND, "%s is not there", path);
    if (f->n > max) return why_set(why, ERR_LIMIT, "%s is too long", path);
    buf_put(out, f->bytes, f->n);
    return out->err;
}

static enum err env_write(void *ctx, const char *path, struct bytes content, struct why *why)
{
    struct fuzz_file *f = named(ctx, path);
    if (f == NULL || content.n > sizeof f->bytes) return why_set(why, ERR_FULL, "%s is too long", path);
    memcpy(f->bytes, content.p, content.n);
    f->n = content.n;
    f->there = true;
    return ERR_OK;
}

static enum err env_remove(void *ctx, const char *path, struct why *why)
{
    struct fuzz_file *f = named(ctx, path);
    (void)why;
    if (f != NULL) f->there = false;
    return ERR_OK;
}

static enum err env_size(void *ctx, const char *path, uint64_t *out, struct why *why)
{
    const struct fuzz_file *f = named(ctx, path);
    *out = f == NULL ? 0 : f->n;
    return f != NULL && f->there ? ERR_OK : why_set(why, ERR_NOTFOUND, "%s is not there", path);
}

struct env fuzz_env(struct fuzz_file *file)
{
    return (struct env){.ctx = file,
                        .now_ms = env_clock,
                        .random = env_draw,
                        .read_file = env_read,
                        .write_file = env_write,
                        .file_size = env_size,
                        .remove_file = env_remove};
}

/* ---- the key file ---- */
struct bytes fuzz_passphrase(void)
{
    return bytes_of_str("a passphrase for the fuzzer");
}

void fuzz_keyfile(struct fuzz_file *out, struct fuzz_key *key)
{
    const struct keyslot_words second = {.secret = bytes_of_str("somebody else's"), .cost = {3, 64 * 1024}};
    struct env env = fuzz_env(out);
    struct keyring ring = {0};
    uint8_t id[SLOT_ID_BYTES] = {0};
    const struct keyfile at = {.path = "a.key"};
    fuzz_start();
    HOLDS(keyslot_create_cost(&env, &at, fuzz_passphrase(), second.cost, &ring, NULL) == ERR_OK);
    HOLDS(keyslot_put_cost(&env, &at, &ring, &second, id, NULL) == ERR_OK);
    HOLDS(keyslot_recovery(&env, &at, &ring, key->code, NULL) == ERR_OK);
    HOLDS(out->n == KEYFILE_BYTES && ring.keys.n == sizeof key->keys);
    memcpy(key->keys, ring.keys.p, sizeof key->keys);
    keyring_release(&ring);
}
