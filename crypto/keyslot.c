/* Making a key file and opening it. crypto/FORMAT.md §4. */
#include "crypto/keyslot.h"

#include "crypto/device.h"
#include "crypto/keyslot_internal.h"

#include <string.h>

/* ---- making ---- */

static enum err check_new(const struct env *env, const char *path, struct bytes passphrase, struct why *why)
{
    uint64_t size = 0;
    struct why detail = {0};
    if (passphrase.n < MIN_PASSPHRASE) return keyslot_too_short(why);
    enum err e = env->file_size(env->ctx, path, &size, &detail);
    if (e == ERR_NOTFOUND) return ERR_OK;
    if (e == ERR_OK) return why_set(why, ERR_EXISTS, "there is a key file here already; it was left as it is");
    if (why != NULL) *why = detail;
    return e;
}

static enum err make_ring(const struct env *env, struct keyring *out, struct why *why)
{
    enum err e = secret_new(&out->keys, DATA_KEY_BYTES + VOUCH_KEY_BYTES, why);
    if (e != ERR_OK) return e;
    env_random(env, out->keys.p, out->keys.n);
    out->kind = SLOT_PERSON;
    return ERR_OK;
}

enum err keyslot_create_cost(const struct env *env, const struct keyfile *at, struct bytes passphrase,
                             struct keyslot_cost cost, struct keyring *out, struct why *why)
{
    uint8_t file[KEYFILE_BYTES] = {'S', 'P', 'K', 'K', KEYFILE_VERSION, 1};
    struct keyring r = {0};
    struct secret device = {0};
    struct keyslot_words w = {.secret = passphrase, .kind = SLOT_PERSON, .cost = cost, .device = &device};
    enum err e = check_new(env, at->path, passphrase, why);
    if (e == ERR_OK && at->device != NULL) e = device_load(env, at->device, &device, why);
    if (e == ERR_OK) e = make_ring(env, &r, why);
    if (e != ERR_OK) goto out;
    if (cost.passes == 0) w.cost = keyslot_cost_measure(env);
    env_random(env, file + KEYFILE_ID_AT, 16);
    e = keyslot_slot_fill(env, file, 0, &w, &r, why);
    if (e == ERR_OK) e = keyslot_write(env, at->path, file, &r, why);
    if (e != ERR_OK) goto out;
    memcpy(r.slot, keyslot_at(file, 0) + SLOT_ID_AT, SLOT_ID_BYTES);
    *out = r;
    r = (struct keyring){0};
out:
    keyring_release(&r);
    secret_release(&device);
    return e;
}

enum err keyslot_create(const struct env *env, const struct keyfile *at, struct bytes passphrase, struct keyring *out,
                        struct why *why)
{
    return keyslot_create_cost(env, at, passphrase, (struct keyslot_cost){0}, out, why);
}

/* ---- opening ---- */

/* Without it a recovery code still opens, so whether it is there is asked slot by slot. */
static enum err find_device(const struct env *env, const struct keyfile *at, struct secret *out, struct why *why)
{
    struct why detail = {0};
    if (at->device == NULL) return ERR_OK;
    enum err e = device_load(env, at->device, out, &detail);
    if (e == ERR_UNINIT || e == ERR_FORMAT) return ERR_OK;
    if (e != ERR_OK && why != NULL) *why = detail;
    return e;
}

static enum err no_slot(enum slot_kind kind, size_t tried, size_t foreign, struct why *why)
{
    if (tried == 0 && foreign > 0) {
        (void)why_set(
            why, ERR_TAMPERED,
            "the device secret, without which no passphrase opens this device, is missing or damaged, or it is "
            "another device's");
        return why_next(why, ERR_TAMPERED, "Put it back where it was, or open this device with its recovery code.");
    }
    if (kind == SLOT_RECOVERY) {
        (void)why_set(why, ERR_PASSPHRASE, "that recovery code does not open this device");
        return why_next(why, ERR_PASSPHRASE, "It may be another device's, or older than the last one that was made.");
    }
    (void)why_set(why, ERR_PASSPHRASE, "that passphrase does not open this device");
    return why_next(why, ERR_PASSPHRASE, "Check capital letters and the keyboard layout, and try again.");
}

/* *out_tried: slots that these words were tried on. */
static enum err open_any(const uint8_t *file, const struct keyslot_words *w, size_t *out_tried, struct keyring *out,
                         struct why *why)
{
    size_t foreign = 0;
    *out_tried = 0;
    for (size_t i = 0; i < KEYSLOT_MAX; i++) {
        const uint8_t *slot = file + KEYFILE_SLOTS_AT + i * KEYFILE_SLOT_BYTES;
        struct secret wrapped = {0};
        if (slot[SLOT_KIND_AT] != w->kind) continue;
        if (keyslot_slot_foreign(slot, w->device)) {
            foreign++;
            continue;
        }
        (*out_tried)++;
        enum err e = keyslot_slot_unwrap(file, i, w, &wrapped, why);
        if (e == ERR_OK) e = keyslot_slot_open(file, i, &wrapped, out, why);
        secret_release(&wrapped);
        if (e != ERR_PASSPHRASE) return e;
    }
    return no_slot(w->kind, *out_tried, foreign, why);
}

enum err keyslot_open(const struct env *env, const struct keyfile *at, struct bytes passphrase, struct keyring *out,
                      struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    struct secret device = {0};
    struct keyslot_words w = {.secret = passphrase, .kind = SLOT_PERSON, .device = &device};
    size_t tried = 0;
    enum err e = keyslot_read(env, at->path, file, why);
    if (e == ERR_OK) e = keyslot_tries_wait(env, at->path, why);
    if (e == ERR_OK) e = find_device(env, at, &device, why);
    if (e != ERR_OK) goto out;
    e = open_any(file, &w, &tried, out, why);
    if (e == ERR_OK) keyslot_tries_clear(env, at->path);
    if (e == ERR_PASSPHRASE && tried > 0) keyslot_tries_count(env, at->path);
out:
    secret_release(&device);
    return e;
}

/* No wrong code is counted, and none waits: nobody guesses 128 bits, and who locked himself out needs it now. */
enum err keyslot_open_code(const struct env *env, const struct keyfile *at, struct bytes code, struct keyring *out,
                           struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    const struct secret none = {0};
    struct secret typed = {0};
    struct keyslot_words w = {.kind = SLOT_RECOVERY, .device = &none};
    size_t tried = 0;
    enum err e = secret_new(&typed, RECOVERY_BYTES, why);
    if (e == ERR_OK) e = keyslot_read(env, at->path, file, why);
    if (e == ERR_OK) e = keyslot_code_read(code, typed.p, why);
    w.secret = bytes_of(typed.p, typed.n);
    if (e == ERR_OK) e = open_any(file, &w, &tried, out, why);
    if (e == ERR_OK) keyslot_tries_clear(env, at->path);
    secret_release(&typed);
    return e;
}

/* ---- looking at it ---- */

enum err keyslot_each(const struct env *env, const struct keyfile *at, keyslot_fn each, void *ctx, struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    enum err e = keyslot_read(env, at->path, file, why);
    for (size_t i = 0; e == ERR_OK && i < KEYSLOT_MAX; i++) {
        const uint8_t *slot = keyslot_at(file, i);
        if (slot[SLOT_KIND_AT] != SLOT_EMPTY)
            e = each(ctx, slot + SLOT_ID_AT, (enum slot_kind)slot[SLOT_KIND_AT], why);
    }
    return e;
}

enum err keyslot_generation(const struct env *env, const struct keyfile *at, uint32_t *out, struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    enum err e = keyslot_read(env, at->path, file, why);
    if (e == ERR_OK) *out = keyslot_get32(file + KEYFILE_GENERATION_AT);
    return e;
}
