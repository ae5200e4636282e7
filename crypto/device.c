/* The device secret and its boxes. crypto/FORMAT.md §4. */
#include "crypto/device.h"

#include <sodium.h>
#include <string.h>

#define HEAD_BYTES  8u /* magic, version, three zeros: alike in the file and the boxes */
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES   crypto_aead_xchacha20poly1305_ietf_ABYTES

static const uint8_t secret_head[HEAD_BYTES] = {'S', 'P', 'K', 'V', 1};
static const uint8_t box_head[HEAD_BYTES] = {'S', 'P', 'K', 'B', 1};

enum err device_load(const struct env *env, const char *path, struct secret *out, struct why *why)
{
    struct buf in;
    struct secret s = {0};
    struct why detail = {0};
    buf_init(&in, HEAD_BYTES + DEVICE_SECRET_BYTES);
    enum err e = env->read_file(env->ctx, path, HEAD_BYTES + DEVICE_SECRET_BYTES, &in, &detail);
    if (e == ERR_NOTFOUND) {
        (void)why_set(why, ERR_UNINIT, "the device secret of this machine is not there");
        e = why_next(why, ERR_UNINIT, "Put it back where it was, or set this device up anew.");
    } else if (e == ERR_LIMIT || (e == ERR_OK && (in.len != HEAD_BYTES + DEVICE_SECRET_BYTES ||
                                                  memcmp(in.data, secret_head, HEAD_BYTES) != 0))) {
        e = why_set(why, ERR_FORMAT, "what lies in the place of this machine's device secret is none, or damaged");
    } else if (e != ERR_OK && why != NULL) {
        *why = detail;
    }
    if (e == ERR_OK) e = secret_take(&s, in.data + HEAD_BYTES, DEVICE_SECRET_BYTES, why);
    if (e == ERR_OK) *out = s;
    buf_release(&in);
    return e;
}

enum err device_make(const struct env *env, const char *path, struct why *why)
{
    uint8_t file[HEAD_BYTES + DEVICE_SECRET_BYTES];
    struct secret there = {0};
    struct why detail = {0};
    enum err e = device_load(env, path, &there, &detail);
    secret_release(&there);
    if (e == ERR_UNINIT) {
        memcpy(file, secret_head, HEAD_BYTES);
        env_random(env, file + HEAD_BYTES, DEVICE_SECRET_BYTES);
        e = env->write_file(env->ctx, path, bytes_of(file, sizeof file), &detail);
        secret_wipe(file, sizeof file);
    }
    if (e != ERR_OK && why != NULL) *why = detail;
    return e;
}

static enum err box_key(const struct secret *device, const char *label, struct secret *out, struct why *why)
{
    enum err e = secret_new(out, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, why);
    if (e == ERR_OK) crypto_generichash(out->p, out->n, (const uint8_t *)label, strlen(label), device->p, device->n);
    return e;
}

enum err device_seal(const struct secret *device, const char *label, struct bytes content, struct buf *out,
                     struct why *why)
{
    struct secret key = {0};
    enum err e = box_key(device, label, &key, why);
    if (e != ERR_OK) return e;
    uint8_t *box = buf_grow(out, HEAD_BYTES + NONCE_BYTES + content.n + TAG_BYTES);
    if (box == NULL) {
        e = why_set(why, out->err, "there is no room for what is to be sealed to this device");
    } else {
        memcpy(box, box_head, HEAD_BYTES);
        randombytes_buf(box + HEAD_BYTES, NONCE_BYTES);
        crypto_aead_xchacha20poly1305_ietf_encrypt(box + HEAD_BYTES + NONCE_BYTES, NULL, content.p, content.n, box,
                                                   HEAD_BYTES, NULL, box + HEAD_BYTES, key.p);
    }
    secret_release(&key);
    return e;
}

enum err device_open(const struct secret *device, const char *label, struct bytes box, struct buf *out, struct why *why)
{
    struct secret key = {0};
    if (box.n < HEAD_BYTES + NONCE_BYTES + TAG_BYTES || memcmp(box.p, box_head, HEAD_BYTES) != 0)
        return why_set(why, ERR_FORMAT, "this was not sealed to any device");
    enum err e = box_key(device, label, &key, why);
    if (e != ERR_OK) return e;
    size_t before = out->len, n = box.n - HEAD_BYTES - NONCE_BYTES - TAG_BYTES;
    uint8_t *plain = buf_grow(out, n);
    if (out->err != ERR_OK) {
        e = why_set(why, out->err, "there is no room for what was sealed to this device");
    } else if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, box.p + HEAD_BYTES + NONCE_BYTES,
                                                          n + TAG_BYTES, box.p, HEAD_BYTES, box.p + HEAD_BYTES,
                                                          key.p) != 0) {
        e = why_set(why, ERR_TAMPERED, "what was sealed to this device was changed, or is another device's");
        out->len = before;
    }
    secret_release(&key);
    return e;
}
