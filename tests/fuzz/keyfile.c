/* The key file: no change of it goes unnoticed, none makes opening costlier than it may be. */
#include "crypto/keyslot_internal.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct fuzz_file genuine;
static uint8_t genuine_key[32];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct fuzz_file file = {.there = true};
    struct env env = fuzz_env(&file);
    struct secret key = {0};
    uint8_t asked;
    if (!genuine.there) fuzz_keyfile(&genuine, genuine_key);
    fuzz_start();
    asked = fuzz_take(&in);
    file.n = in.n < sizeof file.bytes ? in.n : sizeof file.bytes;
    if (file.n > 0) memcpy(file.bytes, in.p, file.n);
    if ((asked & 1) != 0 && file.n == KEYFILE_BYTES) /* anybody can make this one fit */
        keyslot_checksum(file.bytes + KEYFILE_SUM_AT, bytes_of(file.bytes, KEYFILE_SUM_AT));
    enum err e = keyslot_open(&env, "a.key", fuzz_passphrase(), &key, NULL);
    struct fuzz_argon cost = fuzz_argon();
    HOLDS(cost.calls <= 8 && cost.passes <= 16 && cost.memory <= (size_t)1 << 30);
    if (e == ERR_OK) {
        HOLDS(key.n == 32 && memcmp(key.p, genuine_key, 32) == 0);
        HOLDS(file.n == genuine.n && memcmp(file.bytes, genuine.bytes, file.n) == 0);
    } else {
        HOLDS(e == ERR_FORMAT || e == ERR_VERSION || e == ERR_TAMPERED || e == ERR_PASSPHRASE);
        HOLDS(key.p == NULL);
    }
    secret_release(&key);
    return 0;
}
