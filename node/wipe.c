/* Destroying everything here by order of the hub. The intent is made durable before anything is touched, keys go before
 * what they open, and whatever is cut off is finished at the next start: sync/FORMAT.md §4.2. */
#include "node/wipe.h"
#include "node/trouble.h"

#include "base/cbor.h"
#include "crypto/hash.h"
#include "node/door.h"

#include <stdio.h>
#include <string.h>

#define NOTE_MAX (64u << 10)
static const char format[] = "spoke/wipe/1", sum_label[] = "spoke/wipe/sum/1";

void wipe_note_init(struct wipe_note *w)
{
    memset(w, 0, sizeof *w);
    buf_init(&w->order, NOTE_MAX);
    buf_init(&w->receipt, NOTE_MAX);
}

void wipe_note_release(struct wipe_note *w)
{
    buf_release(&w->order);
    buf_release(&w->receipt);
}

/* ------------------------------------------------------------------------------------------------------ the note */

static enum err damaged(struct why *why)
{
    (void)why_set(why, ERR_FORMAT, "The note that this device is to be wiped, or was, is damaged.");
    return why_next(why, ERR_FORMAT, "Try the contact again. If it stays so, ask your MASH's administrator. " TROUBLE_DETAIL "spoke sync");
}

static enum err parse(struct bytes in, struct wipe_note *w, struct why *why)
{
    struct cbor_reader r;
    struct identity hub;
    uint8_t sum[HASH_BYTES];
    if (in.n < HASH_BYTES) return damaged(why);
    struct bytes body = bytes_of(in.p, in.n - HASH_BYTES);
    hash_labelled(sum, sum_label, body);
    cbor_reader_init(&r, body);
    size_t n_items = cbor_get_array(&r, 7);
    struct bytes name = cbor_get_text(&r);
    uint64_t state = cbor_get_uint(&r);
    struct bytes order = cbor_get_bytes(&r), receipt = cbor_get_bytes(&r);
    cbor_get_fixed(&r, w->hub, sizeof w->hub);
    struct bytes address = cbor_get_text(&r);
    w->at_ms = cbor_get_uint(&r);
    if (!cbor_at_end(&r) || n_items != 7 || memcmp(sum, body.p + body.n, sizeof sum) != 0 ||
        !bytes_equal(name, bytes_of_str(format)) || state < WIPE_WAITS || state > WIPE_RECORDED ||
        address.n >= sizeof w->address || (receipt.n == 0) != (state == WIPE_WAITS))
        return damaged(why);
    w->state = (enum wipe_state)state;
    if (address.n > 0) memcpy(w->address, address.p, address.n);
    buf_put_bytes(&w->order, order);
    buf_put_bytes(&w->receipt, receipt);
    enum err e = identity_from_bytes(&hub, bytes_of(w->hub, sizeof w->hub), why);
    if (e == ERR_OK) e = message_get_order(order, &hub, &w->said, NULL, why);
    if (e == ERR_OK && w->order.err == ERR_OK && w->receipt.err == ERR_OK && w->said.kind == ORDER_WIPE) return ERR_OK;
    return damaged(why);
}

enum err wipe_load(const struct env *env, const char *home, struct wipe_note *out, struct why *why)
{
    char path[NODE_PATH_MAX];
    struct buf in;
    wipe_note_init(out);
    buf_init(&in, NOTE_MAX);
    enum err e = path_join(path, sizeof path, home, "wipe", why);
    if (e == ERR_OK) e = env->read_file(env->ctx, path, NOTE_MAX, &in, why);
    if (e == ERR_OK) e = parse(buf_bytes(&in), out, why);
    if (e == ERR_LIMIT) e = damaged(why);
    buf_release(&in);
    return e;
}

enum err wipe_save(const struct env *env, const char *home, const struct wipe_note *w, struct why *why)
{
    char path[NODE_PATH_MAX];
    uint8_t sum[HASH_BYTES];
    struct buf out;
    buf_init(&out, 2 * NOTE_MAX);
    cbor_put_array(&out, 7);
    cbor_put_str(&out, format);
    cbor_put_uint(&out, w->state);
    cbor_put_bytes(&out, buf_bytes(&w->order));
    cbor_put_bytes(&out, buf_bytes(&w->receipt));
    cbor_put_bytes(&out, bytes_of(w->hub, sizeof w->hub));
    cbor_put_str(&out, w->address);
    cbor_put_uint(&out, w->at_ms);
    if (out.err == ERR_OK) hash_labelled(sum, sum_label, buf_bytes(&out));
    if (out.err == ERR_OK) buf_put(&out, sum, sizeof sum);
    enum err e = path_join(path, sizeof path, home, "wipe", why);
    if (e == ERR_OK && out.err != ERR_OK) e = why_set(why, out.err, "There is not enough memory to note the wipe.");
    if (e == ERR_OK) e = env->write_file(env->ctx, path, buf_bytes(&out), why);
    buf_release(&out);
    return e;
}

/* ---------------------------------------------------------------------------------------------------- destroying */

/* What opens the rest comes first; what is on the disk in clear (nothing of a case is) last. */
static const char *const shredded[] = {"device.secret",   "replica.key",    "door",
                                       "replica.db",      "replica.db-wal", "replica2.db",
                                       "replica2.db-wal", "spool/answer"};
static const char *const removed[] = {"replica.key.tries", "replica.db-index", "replica2.db-index",
                                      "unsent",            "order",            "agent.sock"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum err destroy_one(const struct env *env, const char *home, const char *name, bool shred, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = path_join(path, sizeof path, home, name, why);
    if (e != ERR_OK) return e;
    return (shred ? env->shred_file : env->remove_file)(env->ctx, path, why);
}

/* To the end whatever fails on the way: each file less counts. Gives the first fault. */
static enum err destroy(const struct env *env, const char *home, struct why *why)
{
    struct why detail = {0};
    enum err first = ERR_OK;
    /* One that lies elsewhere may be the service manager's, and not ours to overwrite. */
    if (env->device_secret != NULL) (void)!env->shred_file(env->ctx, env->device_secret, NULL);
    for (size_t i = 0; i < COUNT(shredded) + COUNT(removed); i++) {
        bool shred = i < COUNT(shredded);
        enum err e = destroy_one(env, home, shred ? shredded[i] : removed[i - COUNT(shredded)], shred, &detail);
        if (e != ERR_OK && first == ERR_OK) {
            first = e;
            if (why != NULL) *why = detail;
        }
    }
    return first;
}

enum err wipe_finish(const struct env *env, const char *home, struct wipe_note *w, struct why *why)
{
    enum err e = destroy(env, home, why);
    if (e != ERR_OK || w->state != WIPE_BEGUN) return e;
    w->state = WIPE_DONE;
    return wipe_save(env, home, w, why);
}

enum err wipe_words(const struct wipe_note *w, const char *home, struct why *why)
{
    char when[40];
    utc_text((int64_t)w->at_ms, when);
    if (w->state == WIPE_BEGUN) {
        (void)why_set(
            why, ERR_REFUSED,
            "This device is being wiped by order of the MASH, since %s. Its keys are gone; something keeps the "
            "rest from being removed.",
            when);
        return why_next(why, ERR_REFUSED, "Try the contact again, which tries this as well. " TROUBLE_DETAIL "spoke sync");
    }
    (void)why_set(why, ERR_REFUSED, "This device was wiped by order of the MASH on %s. Nothing is left on it.", when);
    if (w->state == WIPE_DONE)
        return why_next(why, ERR_REFUSED,
                        "Connect it once more, so that the MASH learns that it is done. Ask your MASH's administrator what "
                        "comes next. " TROUBLE_DETAIL "run spoke sync");
    return why_next(
        why, ERR_REFUSED,
        "The MASH knows. To use this computer again: remove the folder %.120s and enrol with a new invitation.", home);
}

static enum err sign(struct wipe_note *w, const struct identity_secret *by, uint64_t unsent, struct why *why)
{
    struct wiped m = {.number = w->said.number, .at_ms = w->at_ms, .unsent = unsent};
    struct bytes cose;
    struct identity hub;
    struct order o;
    memcpy(m.node, w->said.node, KID_BYTES);
    enum err e = identity_from_bytes(&hub, bytes_of(w->hub, sizeof w->hub), why);
    if (e == ERR_OK) e = message_get_order(buf_bytes(&w->order), &hub, &o, &cose, why);
    if (e != ERR_OK) return e;
    hash_blake2b(m.order_hash, cose);
    return message_put_wiped(&w->receipt, by, &m, why);
}

enum err wipe_begin(const struct env *env, const char *home, struct wipe_note *w, const struct identity_secret *by,
                    uint64_t unsent, struct why *why)
{
    int64_t now = env_now(env);
    w->at_ms = now < 0 ? 0 : (uint64_t)now;
    enum err e = sign(w, by, unsent, why);
    if (e != ERR_OK) return e;
    w->state = WIPE_BEGUN;
    return wipe_save(env, home, w, why);
}

/* ------------------------------------------------------------------------------------------------ at every start */

static enum err to_be_wiped(struct why *why)
{
    (void)why_set(
        why, ERR_REFUSED,
        "This device is to be wiped by order of the MASH, and is closed. What was written on it and not sent yet "
        "goes to the MASH first.");
    return why_next(why, ERR_REFUSED,
                    "Connect it and try again, or bring it to the MASH on a USB stick. If it stays so, ask your MASH's "
                    "administrator: he can have it wiped at once. " TROUBLE_DETAIL "spoke sync, spoke bundle export");
}

enum err wipe_check(const struct env *env, const char *home, enum node_for what_for, struct why *why)
{
    struct wipe_note w;
    enum err e = wipe_load(env, home, &w, why);
    if (e == ERR_NOTFOUND)
        e = ERR_OK;
    else if (e == ERR_FORMAT && what_for == NODE_FOR_HUB)
        e = ERR_OK; /* one that waits is ordered again; of one that was begun no key is left to open anything */
    else if (e == ERR_OK && w.state == WIPE_WAITS)
        e = what_for == NODE_FOR_HUB ? ERR_OK : to_be_wiped(why);
    else if (e == ERR_OK) {
        (void)!wipe_finish(env, home, &w, NULL);
        e = wipe_words(&w, home, why);
    }
    wipe_note_release(&w);
    return e;
}

enum err node_check(const struct env *env, const char *home, enum node_for what_for, struct why *why)
{
    return wipe_check(env, home, what_for, why);
}

bool node_was_wiped(const struct node *n)
{
    return n->db == NULL;
}
