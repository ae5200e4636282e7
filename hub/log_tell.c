/* What a device is told of its own log in each answer: hub/LOG.md, "In every exchange". */
#include "hub/log.h"

#include "crypto/checkpoint.h"
#include "sync/bundle.h"

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
}

/* A hub that finds this out itself says nothing that would cost it its device's trust for good: its administrators mend
 * it. */
static enum err not_what_was_seen(struct why *why)
{
    (void)why_set(
        why, ERR_REFUSED,
        "The MASH server is not in the state in which this device knows it: it may have been put back from a backup, "
        "or its store is damaged. Nothing is lost. Ring the MASH's administrators.");
    return why_next(why, ERR_REFUSED, "Tell the MASH's administrators. They need: spoke-hub log verify");
}

static enum err prove(struct hub *h, int64_t log_no, const struct merkle_head *seen, const struct merkle_head *now,
                      struct merkle_proof *out, struct why *why)
{
    struct why detail = {0};
    out->n = 0;
    if (seen->size == 0) return ERR_OK;
    if (seen->size > now->size) return not_what_was_seen(why);
    enum err e = log_consistency(h, log_no, seen->size, now->size, out, &detail);
    if (e == ERR_TAMPERED || e == ERR_NOTFOUND) return not_what_was_seen(why);
    if (e != ERR_OK) return why_set(why, e, "%s", detail.text);
    e = merkle_verify_consistency(seen, now, merkle_proof_bytes(out), NULL);
    return e == ERR_OK ? e : not_what_was_seen(why);
}

static enum err sign(struct hub *h, const struct hub_node *n, const struct merkle_head *now, struct buf *note,
                     struct why *why)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    checkpoint_origin(origin, h->id.pub.kid, n->id.kid);
    const struct checkpoint c = {.origin = bytes_of_str(origin), .head = *now};
    return checkpoint_sign(&h->id, &c, note, why);
}

static enum err tell(struct hub *h, const struct hub_node *n, const struct merkle_head *now,
                     const struct merkle_proof *proof, struct bundle_writer *w, struct why *why)
{
    struct buf note, item;
    buf_init(&note, MESSAGE_NOTE_MAX);
    buf_init(&item, 1u << 16);
    enum err e = sign(h, n, now, &note, why);
    if (e == ERR_OK) {
        message_put_checkpoint(&item, &(struct checkpoint_item){buf_bytes(&note), merkle_proof_bytes(proof)});
        e = note.err != ERR_OK || item.err != ERR_OK ? no_memory(why) : bundle_put(w, "", buf_bytes(&item), why);
    }
    buf_release(&note);
    buf_release(&item);
    return e;
}

enum err log_tell(struct hub *h, const struct hub_node *n, const struct merkle_head *seen, struct bundle_writer *w,
                  const char **out_refusal, struct why *why)
{
    struct merkle_frontier f;
    struct merkle_proof proof;
    struct merkle_head now = {0};
    enum err e = log_frontier(h, n->no, &f, NULL);
    if (e == ERR_NOTFOUND && seen->size == 0) return ERR_OK;
    if (e != ERR_OK && e != ERR_NOTFOUND) return why_set(why, e, "A transparency log of this hub cannot be read.");
    now.size = f.size;
    if (e == ERR_OK) merkle_root(&f, now.root);
    e = e == ERR_OK ? prove(h, n->no, seen, &now, &proof, why) : not_what_was_seen(why);
    if (e == ERR_REFUSED) *out_refusal = "the hub's log of this device is not the one that the device was shown";
    return e == ERR_OK ? tell(h, n, &now, &proof, w, why) : e;
}
