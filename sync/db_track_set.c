#include "sync/db_track_set.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 256u
#define SLOTS_KEPT  (SLOTS_FIRST * 64)

struct track_set *track_set_new(const struct env *env)
{
    struct track_set *k = calloc(1, sizeof *k);
    if (k == NULL) return NULL;
    for (size_t i = 0; i < TRACK_MAX_TABLES; i++) buf_init(&k->keys[i], TRACK_MAX_BYTES);
    env_random(env, k->secret, sizeof k->secret);
    return k;
}

static void drop_keys(struct track_set *k)
{
    for (size_t i = 0; i < TRACK_MAX_TABLES; i++) {
        if (k->keys[i].cap == 0) continue;
        buf_release(&k->keys[i]);
        buf_init(&k->keys[i], TRACK_MAX_BYTES);
    }
    memset(k->whole, 0, sizeof k->whole);
    if (k->n_slots > SLOTS_KEPT || k->overflow) {
        free(k->slot);
        k->slot = NULL;
        k->n_slots = 0;
    } else if (k->n_used > 0) {
        memset(k->slot, 0, k->n_slots * sizeof *k->slot);
    }
    k->n_used = k->bytes = 0;
}

void track_set_free(struct track_set *k)
{
    if (k == NULL) return;
    drop_keys(k);
    free(k->slot);
    free(k);
}

void track_set_forget(struct track_set *k)
{
    drop_keys(k);
    k->overflow = false;
}

/* What is not all is of no use: its memory is given back at once. */
static void give_up(struct track_set *k)
{
    k->overflow = true;
    drop_keys(k);
}

/* Devices choose the ids of rows, hundreds of thousands in one request. The same key in another table never meets it:
 * the factor is odd, and there are as many places as tables at least. */
static uint64_t hash_of(const struct track_set *k, size_t table, struct bytes key)
{
    uint64_t h = hash_keyed8(k->secret, key) + table * 0x9e3779b97f4a7c15u;
    return h == 0 ? 1 : h;
}
_Static_assert(SLOTS_FIRST >= TRACK_MAX_TABLES, "a key has a place of its own in each table");

static struct bytes key_at(const struct buf *keys, size_t at)
{
    const uint8_t *p = keys->data + at;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return bytes_of(p + 4, n);
}

static bool grow(struct track_set *k)
{
    size_t n = k->n_slots == 0 ? SLOTS_FIRST : k->n_slots * 2;
    if (k->bytes + n * sizeof *k->slot > TRACK_MAX_BYTES) return false;
    struct track_slot *to = calloc(n, sizeof *to);
    if (to == NULL) return false;
    for (size_t i = 0; i < k->n_slots; i++) {
        if (k->slot[i].hash == 0) continue;
        size_t at = k->slot[i].hash & (n - 1);
        while (to[at].hash != 0) at = (at + 1) & (n - 1);
        to[at] = k->slot[i];
    }
    free(k->slot);
    k->slot = to;
    k->n_slots = n;
    return true;
}

void track_set_put(struct track_set *k, size_t table, struct bytes key)
{
    struct buf *keys = &k->keys[table];
    if (k->overflow) return;
    if (key.n == 0) {
        k->whole[table] = true;
        return;
    }
    uint64_t hash = hash_of(k, table, key);
    if (k->n_used * 2 >= k->n_slots && !grow(k)) {
        give_up(k);
        return;
    }
    size_t i = hash & (k->n_slots - 1);
    for (; k->slot[i].hash != 0; i = (i + 1) & (k->n_slots - 1))
        if (k->slot[i].hash == hash && k->slot[i].table == table && bytes_equal(key_at(keys, k->slot[i].at), key))
            return;
    size_t at = keys->len, more = 4 + key.n;
    if (k->bytes + more + k->n_slots * sizeof *k->slot <= TRACK_MAX_BYTES) {
        buf_put_be32(keys, (uint32_t)key.n);
        buf_put_bytes(keys, key);
    }
    if (keys->err != ERR_OK || keys->len != at + more) {
        give_up(k);
        return;
    }
    k->bytes += more;
    k->slot[i] = (struct track_slot){.hash = hash, .table = (uint32_t)table, .at = (uint32_t)at};
    k->n_used++;
}

/* ------------------------------------------------------------------------------------------------- what is in it */

static uint64_t take_be(struct bytes *in, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | in->p[i];
    *in = bytes_of(in->p + n, in->n - n);
    return v;
}

static bool take_value(struct bytes *in, struct value *out)
{
    if (in->n < 5) return false;
    int kind = (int)take_be(in, 1);
    if (kind == VALUE_INT) {
        if (in->n < 8) return false;
        *out = value_int((int64_t)take_be(in, 8));
        return true;
    }
    size_t n = (size_t)take_be(in, 4);
    if ((kind != VALUE_TEXT && kind != VALUE_BLOB) || n > in->n) return false;
    struct bytes b = bytes_of(in->p, n);
    *out = kind == VALUE_TEXT ? value_text(b) : value_blob(b);
    *in = bytes_of(in->p + n, in->n - n);
    return true;
}

static bool take_key(struct bytes key, struct value v[DB_TRACK_MAX_KEY], size_t *out_n)
{
    size_t n = 0;
    while (key.n > 0)
        if (n == DB_TRACK_MAX_KEY || !take_value(&key, &v[n++])) return false;
    *out_n = n;
    return true;
}

enum err track_set_each(const struct track_set *k, size_t table, const char *name, db_track_fn each, void *ctx,
                        struct why *why)
{
    const struct buf *keys = &k->keys[table];
    enum err e = k->whole[table] ? each(ctx, name, NULL, 0, why) : ERR_OK;
    for (size_t at = 0; e == ERR_OK && at < keys->len;) {
        struct value v[DB_TRACK_MAX_KEY];
        struct bytes key = key_at(keys, at);
        size_t n = 0;
        e = take_key(key, v, &n) ? each(ctx, name, v, n, why)
                                 : why_set(why, ERR_FORMAT, "What the store noted of a changed row cannot be read.");
        at += 4 + key.n;
    }
    return e;
}
