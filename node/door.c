/* HOME/door: keys of their own under the device secret, with which this device can ask for its orders while nobody has
 * unlocked it. crypto/FORMAT.md §4, sync/FORMAT.md §4.1. */
#include "node/wipe.h"

#include "base/cbor.h"
#include "crypto/device.h"

#include <string.h>

#define DOOR_MAX 4096u
static const char label[] = "spoke/door/1";

void door_release(struct door *d)
{
    identity_release(&d->keys);
}

static enum err device_of(const struct env *env, const char *home, struct secret *out, struct why *why)
{
    struct replica_files f;
    enum err e = replica_files(&f, env, home, why);
    return e == ERR_OK ? device_load(env, f.keyfile.device, out, why) : e;
}

/* The content of the box as it stands, appended. */
static enum err open_box(const struct env *env, const char *home, const struct secret *device, struct buf *out,
                         struct why *why)
{
    char path[NODE_PATH_MAX];
    struct buf box;
    buf_init(&box, DOOR_MAX);
    enum err e = path_join(path, sizeof path, home, "door", why);
    if (e == ERR_OK) e = env->read_file(env->ctx, path, DOOR_MAX, &box, why);
    if (e == ERR_NOTFOUND) e = why_set(why, ERR_UNINIT, "This device has no door: it has not joined a MASH.");
    if (e == ERR_OK) e = device_open(device, label, buf_bytes(&box), out, why);
    buf_release(&box);
    return e;
}

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_FORMAT, "What this device needs to ask for its orders is damaged.");
}

static enum err parse(struct bytes in, struct door *d, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    size_t n_items = cbor_get_array(&r, 5);
    struct bytes keys = cbor_get_bytes(&r);
    cbor_get_fixed(&r, d->node, sizeof d->node);
    struct bytes hub = cbor_get_bytes(&r), address = cbor_get_text(&r);
    d->order = cbor_get_uint(&r);
    if (!cbor_at_end(&r) || n_items != 5 || address.n >= sizeof d->address) return damaged(why);
    if (address.n > 0) memcpy(d->address, address.p, address.n);
    enum err e = identity_from_bytes(&d->hub, hub, why);
    return e == ERR_OK ? identity_secret_from_bytes(&d->keys, keys, why) : e;
}

enum err door_load(const struct env *env, const char *home, struct door *out, struct why *why)
{
    struct secret device = {0};
    struct door d = {0};
    struct buf content;
    buf_init(&content, DOOR_MAX);
    enum err e = device_of(env, home, &device, why);
    if (e == ERR_OK) e = open_box(env, home, &device, &content, why);
    if (e == ERR_OK) e = parse(buf_bytes(&content), &d, why);
    secret_release(&device);
    buf_release(&content);
    if (e == ERR_OK)
        *out = d;
    else
        door_release(&d);
    return e;
}

enum err door_keys(struct db *db, const char *name, struct identity_secret *out, struct why *why)
{
    bool found = false;
    enum err e = state_load_identity(db, name, out, &found, why);
    if (e != ERR_OK || found) return e;
    e = identity_generate(out, why);
    return e == ERR_OK ? state_save_identity(db, name, out, why) : e;
}

/* As the store says it should be. ERR_NOTFOUND: it has not joined. */
static enum err content_of(struct db *db, struct buf *out)
{
    struct identity_secret self = {0}, keys = {0};
    uint8_t secret[96], hub[PUBLIC_BYTES];
    uint64_t order = 0;
    char address[200];
    bool has_self = false, has_keys = false;
    enum err e = state_load_identity(db, "identity", &self, &has_self, NULL);
    if (e == ERR_OK) e = state_load_identity(db, "door", &keys, &has_keys, NULL);
    if (e == ERR_OK && !(has_self && has_keys)) e = ERR_NOTFOUND;
    if (e == ERR_OK) e = state_fixed(db, "hub", hub, sizeof hub, NULL);
    if (e == ERR_OK) e = state_text(db, "hub_address", address, sizeof address, NULL);
    if (e == ERR_OK) e = state_number(db, "order", &order, NULL);
    if (e == ERR_OK) {
        identity_secret_to_bytes(&keys, secret);
        cbor_put_array(out, 5);
        cbor_put_bytes(out, bytes_of(secret, sizeof secret));
        cbor_put_bytes(out, bytes_of(self.pub.kid, KID_BYTES));
        cbor_put_bytes(out, bytes_of(hub, sizeof hub));
        cbor_put_str(out, address);
        cbor_put_uint(out, order);
        e = out->err;
    }
    secret_wipe(secret, sizeof secret);
    identity_release(&self);
    identity_release(&keys);
    return e;
}

static enum err write_box(const struct env *env, const char *home, const struct secret *device, struct bytes content)
{
    char path[NODE_PATH_MAX];
    struct buf box;
    buf_init(&box, DOOR_MAX);
    enum err e = path_join(path, sizeof path, home, "door", NULL);
    if (e == ERR_OK) e = device_seal(device, label, content, &box, NULL);
    if (e == ERR_OK) e = env->write_file(env->ctx, path, buf_bytes(&box), NULL);
    buf_release(&box);
    return e;
}

void door_keep(const struct env *env, const char *home, struct db *db)
{
    struct secret device = {0};
    struct buf have, want;
    buf_init(&have, DOOR_MAX);
    buf_init(&want, DOOR_MAX);
    enum err e = content_of(db, &want);
    if (e == ERR_OK) e = device_of(env, home, &device, NULL);
    if (e == ERR_OK &&
        (open_box(env, home, &device, &have, NULL) != ERR_OK || !bytes_equal(buf_bytes(&have), buf_bytes(&want))))
        e = write_box(env, home, &device, buf_bytes(&want));
    (void)e;
    secret_release(&device);
    buf_release(&have);
    buf_release(&want);
}
