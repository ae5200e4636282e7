/* What who has the key file open may do to it. Each change replaces the file whole. crypto/FORMAT.md §4. */
#include "crypto/device.h"
#include "crypto/keyslot_internal.h"

#include <sodium.h>
#include <string.h>

enum err keyslot_too_short(struct why *why)
{
    (void)why_set(why, ERR_DENIED, "that passphrase is too short to protect what is on this device");
    return why_next(why, ERR_DENIED, "Choose one of at least eight characters; four or five words are better.");
}

static enum err no_such_slot(struct why *why)
{
    return why_set(why, ERR_NOTFOUND, "nobody with that key is known to this device");
}

/* The place of a slot; KEYSLOT_MAX: there is none. */
static size_t place_of(uint8_t *file, const uint8_t id[SLOT_ID_BYTES])
{
    size_t i = 0;
    while (i < KEYSLOT_MAX && (keyslot_at(file, i)[SLOT_KIND_AT] == SLOT_EMPTY ||
                               memcmp(keyslot_at(file, i) + SLOT_ID_AT, id, SLOT_ID_BYTES) != 0))
        i++;
    return i;
}

static size_t place_of_kind(uint8_t *file, enum slot_kind kind, size_t end)
{
    size_t i = 0;
    while (i < end && keyslot_at(file, i)[SLOT_KIND_AT] != kind) i++;
    return i;
}

/* ---- passphrases ---- */

/* Two people with one passphrase would be one person: whose slot comes first would be named for what both do. */
static enum err must_be_nobodys(const uint8_t *file, size_t but, const struct keyslot_words *w, struct why *why)
{
    for (size_t i = 0; i < KEYSLOT_MAX; i++) {
        const uint8_t *slot = file + KEYFILE_SLOTS_AT + i * KEYFILE_SLOT_BYTES;
        struct secret wrapped = {0};
        if (i == but || slot[SLOT_KIND_AT] != SLOT_PERSON || keyslot_slot_foreign(slot, w->device)) continue;
        enum err e = keyslot_slot_unwrap(file, i, w, &wrapped, why);
        secret_release(&wrapped);
        if (e == ERR_PASSPHRASE) continue;
        if (e != ERR_OK) return e;
        (void)why_set(why, ERR_DENIED, "that passphrase cannot be used: it would not tell two people apart");
        return why_next(why, ERR_DENIED, "Choose another one.");
    }
    return ERR_OK;
}

static enum err find_place(uint8_t *file, const uint8_t id[SLOT_ID_BYTES], size_t *out, struct why *why)
{
    if (!sodium_is_zero(id, SLOT_ID_BYTES)) {
        *out = place_of(file, id);
        return *out < KEYSLOT_MAX && keyslot_at(file, *out)[SLOT_KIND_AT] == SLOT_PERSON ? ERR_OK : no_such_slot(why);
    }
    *out = place_of_kind(file, SLOT_EMPTY, RECOVERY_PLACE);
    if (*out < RECOVERY_PLACE) return ERR_OK;
    (void)why_set(why, ERR_LIMIT, "there is no room for one more person: a device has room for %d", RECOVERY_PLACE);
    return why_next(why, ERR_LIMIT, "Remove somebody who does not use this device any more.");
}

enum err keyslot_put_cost(const struct env *env, const struct keyfile *at, struct keyring *r,
                          const struct keyslot_words *words, uint8_t id[SLOT_ID_BYTES], struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    struct secret device = {0};
    struct keyslot_words w = *words;
    size_t place = 0;
    if (w.secret.n < MIN_PASSPHRASE) return keyslot_too_short(why);
    enum err e = keyslot_read_vouched(env, at->path, r, file, why);
    if (e == ERR_OK) e = find_place(file, id, &place, why);
    if (e == ERR_OK && at->device != NULL) e = device_load(env, at->device, &device, why);
    if (e == ERR_UNINIT || e == ERR_FORMAT) e = ERR_TAMPERED; /* it was there when the file was made */
    w.kind = SLOT_PERSON;
    w.device = &device;
    if (e == ERR_OK) e = must_be_nobodys(file, place, &w, why);
    if (e != ERR_OK) goto out;
    if (w.cost.passes == 0) w.cost = keyslot_cost_measure(env);
    w.id = sodium_is_zero(id, SLOT_ID_BYTES) ? NULL : id;
    e = keyslot_slot_fill(env, file, place, &w, r, why);
    if (e == ERR_OK) e = keyslot_write(env, at->path, file, r, why);
    if (e == ERR_OK) memcpy(id, keyslot_at(file, place) + SLOT_ID_AT, SLOT_ID_BYTES);
out:
    secret_release(&device);
    return e;
}

enum err keyslot_add(const struct env *env, const struct keyfile *at, struct keyring *r, struct bytes passphrase,
                     uint8_t out_id[SLOT_ID_BYTES], struct why *why)
{
    const struct keyslot_words w = {.secret = passphrase};
    uint8_t id[SLOT_ID_BYTES] = {0};
    enum err e = keyslot_put_cost(env, at, r, &w, id, why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

enum err keyslot_change(const struct env *env, const struct keyfile *at, struct keyring *r,
                        const uint8_t id[SLOT_ID_BYTES], struct bytes passphrase, struct why *why)
{
    const struct keyslot_words w = {.secret = passphrase};
    uint8_t same[SLOT_ID_BYTES];
    if (sodium_is_zero(id, SLOT_ID_BYTES)) return no_such_slot(why);
    memcpy(same, id, sizeof same);
    return keyslot_put_cost(env, at, r, &w, same, why);
}

enum err keyslot_remove(const struct env *env, const struct keyfile *at, struct keyring *r,
                        const uint8_t id[SLOT_ID_BYTES], struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    size_t people = 0;
    enum err e = keyslot_read_vouched(env, at->path, r, file, why);
    if (e != ERR_OK) return e;
    size_t place = place_of(file, id);
    if (place == KEYSLOT_MAX) return no_such_slot(why);
    for (size_t i = 0; i < KEYSLOT_MAX; i++) people += keyslot_at(file, i)[SLOT_KIND_AT] == SLOT_PERSON;
    if (keyslot_at(file, place)[SLOT_KIND_AT] == SLOT_PERSON && people == 1) {
        (void)why_set(why, ERR_DENIED, "this is the only person who can open this device, so it was not removed");
        return why_next(why, ERR_DENIED, "Add somebody else first, or have the device wiped.");
    }
    memset(keyslot_at(file, place), 0, KEYFILE_SLOT_BYTES);
    return keyslot_write(env, at->path, file, r, why);
}

/* ---- the recovery code ---- */

enum err keyslot_recovery(const struct env *env, const struct keyfile *at, struct keyring *r,
                          char out_code[RECOVERY_CODE_CHARS], struct why *why)
{
    uint8_t file[KEYFILE_BYTES], id[SLOT_ID_BYTES];
    struct secret code = {0};
    enum err e = keyslot_read_vouched(env, at->path, r, file, why);
    if (e == ERR_OK) e = secret_new(&code, RECOVERY_BYTES, why);
    if (e != ERR_OK) return e;
    struct keyslot_words w = {.secret = bytes_of(code.p, code.n), .kind = SLOT_RECOVERY};
    size_t place = place_of_kind(file, SLOT_RECOVERY, KEYSLOT_MAX);
    if (place == KEYSLOT_MAX) place = RECOVERY_PLACE;
    memcpy(id, keyslot_at(file, place) + SLOT_ID_AT, sizeof id);
    if (keyslot_at(file, place)[SLOT_KIND_AT] == SLOT_RECOVERY) {
        w.id = id; /* as a person's stays */
    } else if (keyslot_at(file, place)[SLOT_KIND_AT] != SLOT_EMPTY) {
        e = why_set(why, ERR_LIMIT, "there is no room for a recovery code in the key file of this device");
        goto out;
    }
    env_random(env, code.p, code.n);
    e = keyslot_slot_fill(env, file, place, &w, r, why);
    if (e == ERR_OK) e = keyslot_write(env, at->path, file, r, why);
    if (e == ERR_OK) keyslot_code_text(code.p, out_code);
out:
    secret_release(&code);
    return e;
}

/* ---- a new data key ---- */

enum err keyslot_rekey(const struct env *env, const struct keyfile *at, const struct keyring *r, struct keyring *next,
                       struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    enum err e = keyslot_read_vouched(env, at->path, r, file, why);
    if (e != ERR_OK) return e;
    if (next->generation != keyslot_get32(file + KEYFILE_GENERATION_AT) + 1 ||
        !secret_equal(next->keys.p + DATA_KEY_BYTES, r->keys.p + DATA_KEY_BYTES, VOUCH_KEY_BYTES))
        return why_set(why, ERR_FAILED, "the new key does not follow the one that is in use");
    for (size_t i = 0; e == ERR_OK && i < KEYSLOT_MAX; i++)
        if (keyslot_at(file, i)[SLOT_KIND_AT] != SLOT_EMPTY) e = keyslot_slot_seal(keyslot_at(file, i), next, why);
    keyslot_put32(file + KEYFILE_GENERATION_AT, next->generation);
    return e == ERR_OK ? keyslot_write(env, at->path, file, next, why) : e;
}
