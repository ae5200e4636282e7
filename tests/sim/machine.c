#include "tests/sim/machine.h"

#include "crypto/device.h"

#include <malloc.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libsodium takes functions without a context, so this one state is global: the computer that is running. */
static struct machine *running;

static void draw_for_sodium(void *out, size_t n)
{
    if (running == NULL) {
        fprintf(stderr, "sim: keys were drawn outside of any computer\n");
        abort();
    }
    draw_bytes(&running->random, out, n);
}

static uint32_t word_for_sodium(void)
{
    uint32_t out;
    draw_for_sodium(&out, sizeof out);
    return out;
}

static const char *sodium_name(void)
{
    return "from the seed of a simulated computer";
}

static struct randombytes_implementation drawn_random = {
    .implementation_name = sodium_name, .random = word_for_sodium, .buf = draw_for_sodium};

/* Argon2id at its real cost would be nearly all of a world's time. The simulator is linked so that calls of
 * crypto_pwhash come here; the slot's other rules, and its file, are the real ones. */
int __real_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm)
{
    (void)passes, (void)memory;
    return __real_crypto_pwhash(out, out_n, passphrase, n, salt, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN,
                                algorithm);
}

/* Whether a signature is good follows from it, its key and what it signs; a tenth of a world's time went into judging
 * the same ones again at the hub, at its device and here. The good ones are remembered by a hash of all three. */
#define GOOD_ONES (1u << 16)
static uint8_t good_ones[GOOD_ONES][16];

int __real_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *secret);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *secret);
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *key);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *key);

static uint8_t *good_one(const uint8_t *sig, const uint8_t *m, size_t n, const uint8_t *key, uint8_t name[16])
{
    crypto_generichash_state h;
    size_t at;
    (void)crypto_generichash_init(&h, NULL, 0, 16);
    (void)crypto_generichash_update(&h, key, crypto_sign_PUBLICKEYBYTES);
    (void)crypto_generichash_update(&h, sig, crypto_sign_BYTES);
    (void)crypto_generichash_update(&h, m, n);
    (void)crypto_generichash_final(&h, name, 16);
    memcpy(&at, name, sizeof at);
    return good_ones[at % GOOD_ONES];
}

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long n,
                                       const unsigned char *key)
{
    uint8_t name[16], *known = good_one(sig, m, n, key, name);
    if (memcmp(known, name, sizeof name) == 0) return 0;
    int r = __real_crypto_sign_verify_detached(sig, m, n, key);
    if (r == 0) memcpy(known, name, sizeof name);
    return r;
}

/* What a hub notes for itself, and a device carries unread, tells of everybody (hub/DISASTER.md): two worlds are
 * compared by all that can be seen of it, which is its length. */
enum err __real_device_seal(const struct secret *device, const char *label, struct bytes content, struct buf *out, struct why *why);
enum err __wrap_device_seal(const struct secret *device, const char *label, struct bytes content, struct buf *out, struct why *why);
static bool notes_blank;

void machine_blank_notes(bool blank)
{
    notes_blank = blank;
}

enum err __wrap_device_seal(const struct secret *device, const char *label, struct bytes content, struct buf *out, struct why *why)
{
    if (!notes_blank || strcmp(label, "spoke/note/1") != 0) return __real_device_seal(device, label, content, out, why);
    uint8_t *zeros = calloc(1, content.n + 1);
    if (zeros == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory.");
    enum err e = __real_device_seal(device, label, bytes_of(zeros, content.n), out, why);
    free(zeros);
    return e;
}

int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *sig_n, const unsigned char *m,
                                unsigned long long n, const unsigned char *secret)
{
    uint8_t name[16];
    int r = __real_crypto_sign_detached(sig, sig_n, m, n, secret);
    if (r != 0) return r;
    uint8_t *known =
        good_one(sig, m, n, secret + crypto_sign_SEEDBYTES, name); /* a secret key ends with the public one */
    memcpy(known, name, sizeof name);
    return r;
}

/* Locked memory costs six system calls a secret, and a world makes thousands. That secrets are locked and guarded is
 * for the units of crypto to say, which are linked with the real ones. */
void *__wrap_sodium_malloc(size_t n);
void __wrap_sodium_free(void *p);

void *__wrap_sodium_malloc(size_t n)
{
    return malloc(n);
}

void __wrap_sodium_free(void *p)
{
    free(p);
}

/* A world takes and gives back the same megabytes again and again: they stay with the process, and SQLite, which one
 * thread uses, needs no locks. Where SQLite runs already, it stays as it is. */
static void spare_time(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 1200, 400);
}

void machine_start(void)
{
    spare_time();
    struct machine none = {0};
    if (randombytes_set_implementation(&drawn_random) != 0) abort();
    running = &none; /* sodium_init stirs */
    if (sodium_init() < 0) abort();
    running = NULL;
}

struct machine *machine_enter(struct machine *m)
{
    struct machine *before = running;
    running = m;
    return before;
}

struct bytes machine_passphrase(void)
{
    return bytes_of_str("a passphrase for a small world");
}

/* ---- struct env ---- */
static int64_t env_clock(void *ctx)
{
    struct machine *m = ctx;
    int64_t now = *m->clock + m->skew_ms;
    if (now > m->seen_max) m->seen_max = now;
    return now;
}

static int64_t env_true(void *ctx)
{
    return *((const struct machine *)ctx)->clock;
}

static void env_draw(void *ctx, void *out, size_t n)
{
    struct machine *m = ctx;
    draw_bytes(&m->random, out, n);
}

static enum err env_read(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    return disk_read_file(((struct machine *)ctx)->disk, path, max, out, why);
}

static enum err env_write(void *ctx, const char *path, struct bytes content, struct why *why)
{
    return disk_write_file(((struct machine *)ctx)->disk, path, content, why);
}

static enum err env_append(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                           struct why *why)
{
    return disk_append_file(((struct machine *)ctx)->disk, path, offset, content, sync, why);
}

static enum err env_size(void *ctx, const char *path, uint64_t *out_size, struct why *why)
{
    return disk_file_size(((struct machine *)ctx)->disk, path, out_size, why);
}

static enum err env_remove(void *ctx, const char *path, struct why *why)
{
    return disk_remove_file(((struct machine *)ctx)->disk, path, why);
}

static enum err env_shred(void *ctx, const char *path, struct why *why)
{
    return disk_shred_file(((struct machine *)ctx)->disk, path, why);
}

static enum err env_read_at(void *ctx, const char *path, uint64_t offset, size_t n, struct buf *out, struct why *why)
{
    return disk_read_at(((struct machine *)ctx)->disk, path, offset, n, out, why);
}

static enum err env_move(void *ctx, const char *from, const char *to, struct why *why)
{
    return disk_move_file(((struct machine *)ctx)->disk, from, to, why);
}

static enum err env_make_dir(void *ctx, const char *path, struct why *why)
{
    (void)ctx, (void)path, (void)why; /* names imply their folders */
    return ERR_OK;
}

void machine_init(struct machine *m, const int64_t *clock, uint64_t seed, uint64_t index)
{
    *m = (struct machine){.clock = clock, .disk = disk_new(), .random = draw_stream(seed, 77, index)};
    m->env = (struct env){.ctx = m,
                          .now_ms = env_clock,
                          .steady_ms = env_true,
                          .random = env_draw,
                          .vfs = disk_vfs_name(m->disk),
                          .read_file = env_read,
                          .write_file = env_write,
                          .append_file = env_append,
                          .file_size = env_size,
                          .remove_file = env_remove,
                          .shred_file = env_shred,
                          .make_dir = env_make_dir,
                          .read_at = env_read_at,
                          .move_file = env_move};
}

void machine_release(struct machine *m)
{
    disk_free(m->disk);
    *m = (struct machine){0};
}
