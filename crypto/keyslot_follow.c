/* Is a ring that was opened before still that of its file? crypto/FORMAT.md §4. */
#include "crypto/keyslot_internal.h"

#include <string.h>

enum err keyslot_follow(const struct env *env, const struct keyfile *at, struct keyring *r, struct why *why)
{
    uint8_t file[KEYFILE_BYTES];
    enum err e = keyslot_read(env, at->path, file, why);
    if (e == ERR_OK && keyslot_get32(file + KEYFILE_GENERATION_AT) != r->generation)
        return why_set(why, ERR_LOCKED, "this device was given new keys since it was unlocked");
    if (e == ERR_OK) e = keyslot_read_vouched(env, at->path, r, file, why);
    if (e != ERR_OK) return e;
    r->revision = keyslot_get64(file + KEYFILE_REVISION_AT);
    for (size_t i = 0; i < KEYSLOT_MAX; i++) {
        const uint8_t *slot = keyslot_at(file, i);
        if (slot[SLOT_KIND_AT] == (uint8_t)r->kind && memcmp(slot + SLOT_ID_AT, r->slot, SLOT_ID_BYTES) == 0)
            return ERR_OK;
    }
    return why_set(why, ERR_NOTFOUND, "who unlocked this device has no key to it any more");
}
