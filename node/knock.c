/* At the hub's door: a device that nobody has unlocked asks for its orders, and does them as far as that needs no
 * passphrase. */
#include "node/door.h"
#include "node/wipe.h"

#include "base/cbor.h"
#include "crypto/hash.h"
#include "crypto/pagevfs.h"

#include <string.h>

#define ANSWER_MAX (256u << 10)
enum { KIND_DOOR = 5 };

struct visit {
    const struct env *env;
    const char *home;
    const struct door_way *via;
    struct identity hub;
    const char *address;
    struct buf request, answer;
    struct knock_result *out;
};

static void visit_init(struct visit *v)
{
    buf_init(&v->request, ANSWER_MAX);
    buf_init(&v->answer, ANSWER_MAX);
}

static void visit_release(struct visit *v)
{
    buf_release(&v->request);
    buf_release(&v->answer);
}

/* ------------------------------------------------------------------------------------------- request and answer */

/* One item to the hub: `make` signs it, given the stream's binding. */
static enum err seal(struct visit *v,
                     enum err (*make)(void *ctx, const uint8_t binding[32], struct buf *item, struct why *why),
                     void *ctx, struct why *why)
{
    struct seal_header h = {.version = 1, .kind = KIND_DOOR};
    struct bundle_writer *w = NULL;
    uint8_t binding[32];
    struct buf item;
    buf_init(&item, ANSWER_MAX);
    buf_reset(&v->request);
    memcpy(h.recipient, v->hub.kid, KID_BYTES);
    enum err e = bundle_writer_new(&w, &h, &v->hub, &v->request, binding, why);
    if (e == ERR_OK) e = make(ctx, binding, &item, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

static enum err not_the_hub(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "Something else answered in the MASH server's place. Nothing was done.");
    return why_next(why, ERR_TAMPERED, "Sign in to this network, or use another one, and try again.");
}

/* Post it, and read the hub's word about this very request. *rest: the orders behind it. */
static enum err post(struct visit *v, struct door_answer *out, struct cbor_reader *rest, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    buf_reset(&v->answer);
    enum err e = v->via->post(v->via->ctx, v->address, buf_bytes(&v->request), &v->answer, why);
    if (e != ERR_OK) return e;
    hash_blake2b(hash, buf_bytes(&v->request));
    cbor_reader_init(rest, buf_bytes(&v->answer));
    e = message_get_door(cbor_get_item(rest), &v->hub, out, NULL);
    if (e == ERR_NOMEM) return why_set(why, e, "There is not enough memory for the MASH server's answer.");
    return e == ERR_OK && memcmp(hash, out->request_hash, sizeof hash) == 0 ? ERR_OK : not_the_hub(why);
}

/* ------------------------------------------------------------------------------------------------- the last word */

static enum err put_receipt(void *ctx, const uint8_t binding[32], struct buf *item, struct why *why)
{
    const struct wipe_note *w = ctx;
    (void)binding;
    buf_put_bytes(item, buf_bytes(&w->receipt));
    return item->err == ERR_OK ? ERR_OK : why_set(why, item->err, "There is not enough memory for the receipt.");
}

/* Nothing is left here; the hub is told so until it says that it has it. What keeps it from that is said beside. */
static enum err report(struct visit *v, struct wipe_note *w, struct why *why)
{
    struct door_answer a;
    struct cbor_reader rest;
    v->out->wiped = true;
    (void)!wipe_finish(v->env, v->home, w, NULL);
    v->out->recorded = w->state == WIPE_RECORDED;
    if (w->state != WIPE_DONE) return wipe_words(w, v->home, why);
    v->address = w->address;
    enum err e = identity_from_bytes(&v->hub, bytes_of(w->hub, sizeof w->hub), why);
    if (e == ERR_OK) e = seal(v, put_receipt, w, why);
    if (e == ERR_OK) e = post(v, &a, &rest, why);
    if (e == ERR_OK && a.wiped == w->said.number) {
        w->state = WIPE_RECORDED;
        e = wipe_save(v->env, v->home, w, why);
        v->out->recorded = e == ERR_OK;
        if (e != ERR_OK) w->state = WIPE_DONE;
    }
    return wipe_words(w, v->home, why);
}

/* ------------------------------------------------------------------------------------------------------ a knock */

struct knocking {
    struct visit *v;
    struct door *d;
    struct order_item lease, wipe; /* the newest of each */
    uint64_t waits;                /* number of the wipe that waits here; 0 none */
};

static enum err put_knock(void *ctx, const uint8_t binding[32], struct buf *item, struct why *why)
{
    const struct knocking *k = ctx;
    int64_t now = env_now(k->v->env);
    struct knock m = {.order = k->d->order, .clock_ms = now < 0 ? 0 : (uint64_t)now};
    memcpy(m.binding, binding, sizeof m.binding);
    memcpy(m.hub, k->d->hub.kid, KID_BYTES);
    memcpy(m.node, k->d->node, KID_BYTES);
    return message_put_knock(item, &k->d->keys, &m, why);
}

/* All that the hub says, verified before any of it is done. */
static enum err read_orders(struct knocking *k, struct cbor_reader *rest, struct why *why)
{
    while (!cbor_at_end(rest)) {
        struct order o;
        struct bytes item = cbor_get_item(rest);
        if (rest->err != ERR_OK || message_get_order(item, &k->d->hub, &o, NULL, NULL) != ERR_OK ||
            memcmp(o.node, k->d->node, KID_BYTES) != 0)
            return not_the_hub(why);
        struct order_item *to = o.kind == ORDER_WIPE ? &k->wipe : &k->lease;
        if (o.number <= k->d->order || o.number <= to->said.number) continue;
        to->said = o;
        buf_reset(&to->item);
        buf_put_bytes(&to->item, item);
        if (to->item.err != ERR_OK) return why_set(why, to->item.err, "There is not enough memory for the orders.");
    }
    return ERR_OK;
}

/* For the next opening: only the store knows which number came last. */
static enum err keep_lease(struct knocking *k, struct why *why)
{
    char path[NODE_PATH_MAX];
    struct visit *v = k->v;
    if (k->lease.said.number == 0) return ERR_OK;
    enum err e = path_join(path, sizeof path, v->home, "order", why);
    if (e == ERR_OK) e = v->env->write_file(v->env->ctx, path, buf_bytes(&k->lease.item), why);
    v->out->lease = e == ERR_OK;
    return e;
}

/* Nobody has the store open, or opens it before this is let go: neither of the two that it may be. */
static enum err hold_store(const struct visit *v, struct pagevfs_hold *out[2], struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < 2; i++) {
        e = replica_path(path, v->home, i, why);
        if (e == ERR_OK) e = pagevfs_hold(&out[i], path, v->env->vfs, why);
    }
    return e;
}

/* The order that stands in w: at once, or as soon as nothing here is unsent. Whoever has the store open may save
 * something any moment, also between the look at the mark and the wipe: only who keeps everybody out knows better. */
static enum err do_wipe(struct knocking *k, struct wipe_note *w, struct why *why)
{
    struct visit *v = k->v;
    struct pagevfs_hold *hold[2] = {NULL, NULL};
    enum err e = ERR_OK;
    bool all_sent = hold_store(v, hold, NULL) == ERR_OK && !unsent_is_marked(v->env, v->home);
    v->out->waits = w->said.value != ORDER_AT_ONCE && !all_sent;
    if (!v->out->waits) e = wipe_begin(v->env, v->home, w, &k->d->keys, all_sent ? 0 : WIPED_UNKNOWN, why);
    for (size_t i = 0; i < 2; i++) pagevfs_let_go(hold[i]); /* whoever waited for it looks at HOME/wipe first */
    return e == ERR_OK && !v->out->waits ? report(v, w, why) : e;
}

static enum err note_wipe(struct knocking *k, struct why *why)
{
    struct visit *v = k->v;
    struct wipe_note w;
    if (k->wipe.said.number <= k->waits) return ERR_OK;
    wipe_note_init(&w);
    w.state = WIPE_WAITS;
    w.said = k->wipe.said;
    buf_put_bytes(&w.order, buf_bytes(&k->wipe.item));
    identity_to_bytes(&k->d->hub, w.hub);
    memcpy(w.address, k->d->address, sizeof w.address);
    enum err e = w.order.err == ERR_OK ? wipe_save(v->env, v->home, &w, why)
                                       : why_set(why, w.order.err, "There is not enough memory to note the wipe.");
    if (e == ERR_OK) e = do_wipe(k, &w, why);
    wipe_note_release(&w);
    return e;
}

/* With the door open. `w`: what stands in HOME/wipe; its state is 0 where nothing does. */
static enum err ask(struct knocking *k, struct wipe_note *w, struct why *why)
{
    struct door_answer a;
    struct cbor_reader rest;
    uint8_t hub[PUBLIC_BYTES];
    enum err e = ERR_OK;
    identity_to_bytes(&k->d->hub, hub);
    bool ours = w->state == WIPE_WAITS && memcmp(w->hub, hub, sizeof hub) == 0 &&
                memcmp(w->said.node, k->d->node, KID_BYTES) == 0;
    if (ours) k->waits = w->said.number;
    if (ours) e = do_wipe(k, w, why);
    if (e == ERR_OK) e = seal(k->v, put_knock, k, why);
    if (e == ERR_OK) e = post(k->v, &a, &rest, why);
    if (e == ERR_OK) e = read_orders(k, &rest, why);
    if (e == ERR_OK) e = keep_lease(k, why);
    return e == ERR_OK ? note_wipe(k, why) : e;
}

enum err node_knock(const struct env *env, const char *home, const struct door_way *via, struct knock_result *out,
                    struct why *why)
{
    struct visit v = {.env = env, .home = home, .via = via, .out = out};
    struct door d = {0};
    struct knocking k = {.v = &v, .d = &d};
    struct wipe_note w;
    *out = (struct knock_result){0};
    visit_init(&v);
    buf_init(&k.lease.item, ORDER_ITEM_MAX);
    buf_init(&k.wipe.item, ORDER_ITEM_MAX);
    enum err e = wipe_load(env, home, &w, why);
    if (e == ERR_NOTFOUND || e == ERR_FORMAT || e == ERR_TAMPERED) { /* a damaged note is ordered again */
        w.state = 0;
        e = ERR_OK;
    }
    if (e == ERR_OK && w.state > WIPE_WAITS) {
        e = report(&v, &w, why);
    } else if (e == ERR_OK) {
        e = door_load(env, home, &d, why);
        v.hub = d.hub;
        v.address = d.address;
        if (e == ERR_OK) e = ask(&k, &w, why);
    }
    wipe_note_release(&w);
    door_release(&d);
    buf_release(&k.lease.item);
    buf_release(&k.wipe.item);
    visit_release(&v);
    return e;
}
