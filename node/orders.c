/* Orders of the hub, as they come with an answer or came to the door; and whether anything here is not sent yet, for
 * who cannot look into the store. */
#include "node/wipe.h"
#include "node/trouble.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------- what is not sent yet */

static enum err marker_path(const char *home, char out[NODE_PATH_MAX], struct why *why)
{
    return path_join(out, NODE_PATH_MAX, home, "unsent", why);
}

bool unsent_is_marked(const struct env *env, const char *home)
{
    char path[NODE_PATH_MAX];
    uint64_t size;
    /* Whatever cannot be looked at counts as marked: only that waits. */
    return marker_path(home, path, NULL) != ERR_OK || env->file_size(env->ctx, path, &size, NULL) != ERR_NOTFOUND;
}

enum err unsent_mark(struct node *n, struct why *why)
{
    char path[NODE_PATH_MAX];
    n->all_sent = false;
    if (n->marked) return ERR_OK;
    enum err e = marker_path(n->home, path, why);
    if (e == ERR_OK && !unsent_is_marked(n->env, n->home))
        e = n->env->write_file(n->env->ctx, path, (struct bytes){0}, why);
    n->marked = e == ERR_OK;
    return e;
}

/* One that stays is only cautious. */
void unsent_close(struct node *n)
{
    char path[NODE_PATH_MAX];
    if (n->all_sent && unsent_is_marked(n->env, n->home) && marker_path(n->home, path, NULL) == ERR_OK)
        (void)!n->env->remove_file(n->env->ctx, path, NULL);
}

/* Changes without a verdict, and gaps that the hub has not heard of. */
static enum err count_unsent(struct node *n, uint64_t *out, struct why *why)
{
    return state_ask(n->db,
                     "SELECT (SELECT count(*) FROM n_outbox WHERE state = 'unsent') + (SELECT count(*) FROM n_gap)",
                     out, why);
}

/* --------------------------------------------------------------------------------------------------- carrying out */

static enum err note_wipe(struct node *n, const struct order_item *o, struct why *why)
{
    struct wipe_note w;
    wipe_note_init(&w);
    w.state = WIPE_WAITS;
    buf_put_bytes(&w.order, buf_bytes(&o->item));
    identity_to_bytes(&n->hub, w.hub);
    memcpy(w.address, n->hub_address, sizeof w.address);
    enum err e = w.order.err == ERR_OK ? wipe_save(n->env, n->home, &w, why)
                                       : why_set(why, w.order.err, "There is not enough memory to note the wipe.");
    if (e == ERR_FULL && spool_drop_answer(n, NULL) == ERR_OK) /* it is read already, and comes again */
        e = wipe_save(n->env, n->home, &w, why);
    wipe_note_release(&w);
    n->to_be_wiped = n->to_be_wiped || e == ERR_OK;
    return e;
}

static enum err take_lease(struct node *n, const struct order *m, struct why *why)
{
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = lease_set(n, m->value, why);
    if (e == ERR_OK) e = state_set_number(n->db, "order", m->number, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

/* Is one that waits at least as new? A wipe is carried out last of all, so its number is not the store's. */
static bool is_noted(struct node *n, uint64_t number)
{
    struct wipe_note w;
    bool noted = wipe_load(n->env, n->home, &w, NULL) == ERR_OK && w.said.number >= number &&
                 memcmp(w.said.node, n->self.pub.kid, KID_BYTES) == 0;
    wipe_note_release(&w);
    return noted;
}

/* An old number is an order that was carried out, or one that a newer took the place of: passed over, as often as it
 * comes. */
static enum err carry_out(struct node *n, const struct order_item *o, struct why *why)
{
    uint64_t last = 0;
    enum err e = state_number(n->db, "order", &last, why);
    if (e != ERR_OK || o->said.number <= last) return e;
    if (o->said.kind == ORDER_LEASE) return take_lease(n, &o->said, why);
    return is_noted(n, o->said.number) ? ERR_OK : note_wipe(n, o, why);
}

enum err orders_carry_out(struct node *n, const struct answer *a, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < a->n_orders; i++) e = carry_out(n, &a->orders[i], why);
    if (e == ERR_OK && a->n_orders > 0) door_keep(n->env, n->home, n->db);
    return e;
}

void orders_kept(struct node *n)
{
    char path[NODE_PATH_MAX];
    struct order_item o = {0};
    buf_init(&o.item, ORDER_ITEM_MAX);
    enum err e = path_join(path, sizeof path, n->home, "order", NULL);
    if (e == ERR_OK) e = n->env->read_file(n->env->ctx, path, ORDER_ITEM_MAX, &o.item, NULL);
    if (e == ERR_OK) e = message_get_order(buf_bytes(&o.item), &n->hub, &o.said, NULL, NULL);
    if (e == ERR_OK && memcmp(o.said.node, n->self.pub.kid, KID_BYTES) == 0 && o.said.kind == ORDER_LEASE)
        e = carry_out(n, &o, NULL);
    /* Garbage and another device's go too; what the disk kept from being done comes again at the next opening. */
    if (e == ERR_OK || e == ERR_FORMAT || e == ERR_TAMPERED || e == ERR_LIMIT)
        (void)!n->env->remove_file(n->env->ctx, path, NULL);
    buf_release(&o.item);
    door_keep(n->env, n->home, n->db); /* the device secret may be another one since it was written */
}

/* -------------------------------------------------------------------------------------------- around a contact */

enum err orders_start(struct node *n, struct why *why)
{
    struct wipe_note w;
    uint8_t hub[PUBLIC_BYTES];
    enum err e = wipe_load(n->env, n->home, &w, NULL);
    identity_to_bytes(&n->hub, hub);
    bool ours =
        e == ERR_OK && memcmp(w.hub, hub, sizeof hub) == 0 && memcmp(w.said.node, n->self.pub.kid, KID_BYTES) == 0;
    n->to_be_wiped = ours && w.state == WIPE_WAITS;
    wipe_note_release(&w);
    if (ours || e == ERR_NOTFOUND) return ERR_OK;
    if (e != ERR_OK && e != ERR_FORMAT && e != ERR_TAMPERED)
        return why_set(why, e, "It cannot be read whether this device is to be wiped.");
    /* Nobody's order, or one to the device that this one was before it was set up anew. */
    char path[NODE_PATH_MAX];
    e = path_join(path, sizeof path, n->home, "wipe", why);
    return e == ERR_OK ? n->env->remove_file(n->env->ctx, path, why) : e;
}

/* `contact`: how it ended. One that was refused says in its own words what is to be done. */
static enum err still_unsent(uint64_t unsent, enum err contact, struct why *why)
{
    struct why said = {0};
    if (contact != ERR_OK && why != NULL) said = *why;
    (void)why_set(
        why, ERR_REFUSED,
        "This device is to be wiped by order of the MASH, as soon as what was written on it is there. %llu %s not "
        "taken in yet; until then it is closed.",
        (unsigned long long)unsent, unsent == 1 ? "change was" : "changes were");
    return why_next(why, ERR_REFUSED, "%s",
                    said.next[0] != '\0' ? said.next
                                         : "Try again, or bring them to the MASH on a USB stick. " TROUBLE_DETAIL
                                           "spoke sync, spoke bundle export");
}

/* From when it is noted it is wiped, whatever happens: what cannot be removed now is at the next start. */
static enum err wipe(struct node *n, struct wipe_note *w, uint64_t unsent, struct why *why)
{
    enum err e = wipe_begin(n->env, n->home, w, &n->self, unsent, why);
    if (e != ERR_OK) return e;
    node_edit_cancel(n);
    db_close(n->db);
    n->db = NULL;
    keyring_release(&n->ring);
    (void)!wipe_finish(n->env, n->home, w, NULL);
    return wipe_words(w, n->home, why);
}

enum err orders_end(struct node *n, enum err e, struct why *why)
{
    struct wipe_note w;
    struct why detail = {0};
    uint64_t unsent = 1;
    enum err counted = count_unsent(n, &unsent, &detail);
    if (!n->to_be_wiped) {
        n->all_sent = e == ERR_OK && counted == ERR_OK && unsent == 0;
        return e;
    }
    enum err loaded = wipe_load(n->env, n->home, &w, &detail);
    if (loaded != ERR_OK) {
        if (e == ERR_OK) e = why_set(why, loaded, "%s", detail.text);
    } else if (w.said.value == ORDER_AT_ONCE || (counted == ERR_OK && unsent == 0)) {
        e = wipe(n, &w, counted == ERR_OK ? unsent : WIPED_UNKNOWN, why);
    } else if (e == ERR_OK || e == ERR_REFUSED) {
        e = still_unsent(unsent, e, why);
    }
    wipe_note_release(&w);
    return e;
}
