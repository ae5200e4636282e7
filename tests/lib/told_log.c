#include "tests/lib/told_log.h"

#include "crypto/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void told_log_add(struct told_log *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t leaf[MERKLE_HASH_BYTES];
        char text[64];
        (void)snprintf(text, sizeof text, "leaf %llu of fork %u", (unsigned long long)t->leaves++, t->fork);
        merkle_leaf_hash(leaf, bytes_of_str(text));
        merkle_store_append(&t->store, leaf);
    }
}

static void sign(const struct told_log *t, const struct mock_hub *h, const struct merkle_head *head, struct buf *note)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    uint8_t device[KID_BYTES];
    memcpy(device, h->node.kid, sizeof device);
    if (t->of_other) device[0] ^= 1;
    checkpoint_origin(origin, h->id.pub.kid, device);
    const struct checkpoint c = {.origin = bytes_of_str(origin), .head = *head};
    if (t->raw != NULL)
        buf_put_str(note, t->raw);
    else
        assert_int_equal(checkpoint_sign(t->by_other ? &t->other : &h->id, &c, note, NULL), ERR_OK);
}

void told_log_tell(struct told_log *t, const struct mock_hub *h, const struct mock_request *r, struct mock_answer *a)
{
    const struct merkle_source from = merkle_store_source(&t->store);
    uint64_t size = t->told_size != 0 ? t->told_size : t->store.edge.size;
    uint64_t old = t->proof_from != 0 ? t->proof_from : r->seen.size;
    struct merkle_head head = merkle_store_head(&t->store, size);
    struct merkle_proof proof = {0};
    struct buf note;
    if (t->silent) return;
    if (t->flip_root) head.root[5] ^= 1;
    buf_init(&note, 1u << 20);
    sign(t, h, &head, &note);
    if (old > 0 && old <= size && !t->no_proof)
        assert_int_equal(merkle_consistency(&from, old, size, &proof, NULL), ERR_OK);
    struct bytes hashes = merkle_proof_bytes(&proof);
    hashes.n += (size_t)t->proof_bytes;
    assert_true(hashes.n <= sizeof proof.hashes);
    message_put_checkpoint(&a->checkpoint, &(struct checkpoint_item){buf_bytes(&note), hashes});
    buf_release(&note);
}

void told_log_script(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct told_log *t = ctx;
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, "");
    told_log_add(t, t->grow);
    told_log_tell(t, h, r, a);
}

void told_log_release(struct told_log *t)
{
    merkle_store_release(&t->store);
    identity_release(&t->other);
}
