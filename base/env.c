#include "base/env.h"

#include <string.h>

/* RFC 9562 §5.7: 48 bits of Unix milliseconds, version 7, variant 2, 74 random bits. */
void env_new_id(const struct env *e, uint8_t out[16])
{
    int64_t now = env_now(e);
    uint64_t ms = now < 0 ? 0 : (uint64_t)now; /* a clock before 1970 must not spill into the version bits */
    env_random(e, out, 16);
    for (unsigned i = 0; i < 6; i++) out[i] = (uint8_t)(ms >> (8 * (5 - i)));
    out[6] = (uint8_t)(0x70 | (out[6] & 0x0f));
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3f));
}

enum err path_join(char *out, size_t n, const char *dir, const char *name, struct why *why)
{
    size_t dir_len = strlen(dir), name_len = strlen(name);
    if (dir_len >= n || name_len >= n - dir_len || n - dir_len - name_len < 2)
        return why_set(why, ERR_LIMIT, "a file path is too long for this system");
    memmove(out, dir, dir_len);
    out[dir_len] = '/';
    memcpy(out + dir_len + 1, name, name_len + 1);
    return ERR_OK;
}
