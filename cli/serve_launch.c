#include "cli/serve_launch.h"

#include "crypto/hash.h"
#include "crypto/secret.h"

#include <string.h>

/* HOME/launch: hash of the token (32), when it was made (8, Unix ms, big endian). */
#define FILE_BYTES (HASH_BYTES + 8)

static void hash_of(uint8_t out[HASH_BYTES], const uint8_t token[32])
{
    hash_labelled(out, "spoke/launch/1", bytes_of(token, 32));
}

enum err serve_launch_leave(const struct env *env, const char *home, char out[LAUNCH_CHARS], struct why *why)
{
    uint8_t token[32], hash[HASH_BYTES];
    char path[1200];
    struct buf file;
    enum err e = path_join(path, sizeof path, home, "launch", why);
    if (e != ERR_OK) return e;
    buf_init(&file, FILE_BYTES);
    env_random(env, token, sizeof token);
    hash_of(hash, token);
    buf_put(&file, hash, sizeof hash);
    buf_put_be64(&file, (uint64_t)env_now(env));
    e = file.err == ERR_OK ? env->write_file(env->ctx, path, buf_bytes(&file), why)
                           : why_set(why, file.err, "There is not enough memory.");
    if (e == ERR_OK) hex_encode(out, token, sizeof token);
    secret_wipe(token, sizeof token);
    buf_release(&file);
    return e;
}

static bool is_this(const struct env *env, const struct buf *file, const char *token, bool *out_old)
{
    uint8_t given[32], hash[HASH_BYTES];
    uint64_t made = 0;
    if (file->len != FILE_BYTES || !hex_decode(given, sizeof given, token, strlen(token))) return false;
    hash_of(hash, given);
    secret_wipe(given, sizeof given);
    for (size_t i = 0; i < 8; i++) made = made << 8 | file->data[HASH_BYTES + i];
    int64_t since = (int64_t)((uint64_t)env_now(env) - made);
    *out_old = since < 0 || since > LAUNCH_MS; /* the clock may have been set back, too */
    return secret_equal(hash, file->data, sizeof hash);
}

enum err serve_launch_take(const struct env *env, const char *home, const char *token, struct why *why)
{
    char path[1200], page[1200];
    struct buf file;
    bool old = false;
    buf_init(&file, FILE_BYTES);
    enum err e = path_join(path, sizeof path, home, "launch", why);
    if (e == ERR_OK) e = path_join(page, sizeof page, home, LAUNCH_PAGE, why);
    if (e == ERR_OK) e = env->read_file(env->ctx, path, FILE_BYTES, &file, NULL);
    bool ours = e == ERR_OK && is_this(env, &file, token, &old);
    buf_release(&file);
    /* gone before anybody is let in: twice is once too often */
    if (ours || old) e = env->remove_file(env->ctx, path, why);
    if ((ours || old) && e == ERR_OK) e = env->remove_file(env->ctx, page, why);
    if (ours && !old) return e;
    (void)why_set(why, ERR_LOCKED, "This way in was used already, or is older than a minute.");
    return why_next(why, ERR_LOCKED, "Sign in with your passphrase, or type once more: spoke open");
}
