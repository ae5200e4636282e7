/* Exports and proofs of a hub's logs, and checkpoints that somebody kept: what is taken is what the hub signed, but for
 * the name by which the file calls it and for content that was erased in a device's log. With every signature taken for
 * good, the sums fit the lines. */
#include "hub/log_audit.h"
#include "tests/fuzz/audit.h"

#include <string.h>

enum { BELIEVED = 1, KEPT = 2, KEEP = 4 }; /* bits of what is asked; KEEP: the input is a checkpoint that was kept */

static struct bytes next_line(struct bytes *in)
{
    const uint8_t *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
    size_t n = end == NULL ? in->n : (size_t)(end - in->p);
    struct bytes line = bytes_of(in->p, n);
    *in = end == NULL ? (struct bytes){0} : bytes_of(end + 1, in->n - n - 1);
    return line;
}

static bool begins(struct bytes line, const char *word)
{
    return line.n >= strlen(word) && memcmp(line.p, word, strlen(word)) == 0;
}

/* The same line but for what may be another: the hub's name; salt and content of an entry of a device. */
static bool same_line(struct bytes got, struct bytes want, bool erasable)
{
    if (bytes_equal(got, want)) return true;
    if (begins(want, "hub ")) {
        size_t keys = strlen("hub ") + 88 + 1;
        return got.n > keys && memcmp(got.p, want.p, keys) == 0;
    }
    size_t commitment = strlen("leaf ") + 44;
    return erasable && begins(want, "leaf ") && got.n == commitment + 4 && memcmp(got.p, want.p, commitment) == 0 &&
           memcmp(got.p + commitment, " - -", 4) == 0;
}

static bool same(struct bytes got, struct bytes want, bool erasable)
{
    while (want.n > 0) {
        struct bytes line = next_line(&want);
        if (begins(line, "log ") && !begins(line, "log - ")) erasable = true;
        if (got.n == 0 || !same_line(next_line(&got), line, erasable)) return false;
    }
    return got.n == 0;
}

static void is_ours(struct bytes in)
{
    struct buf export, proof;
    buf_init(&export, 1u << 14);
    buf_init(&proof, 1u << 14);
    fuzz_believe(false);
    audit_export(&export);
    audit_proof(&proof);
    HOLDS(same(in, buf_bytes(&export), false) || same(in, buf_bytes(&proof), true));
    buf_release(&export);
    buf_release(&proof);
}

static void sums_fit(struct bytes in, const struct log_audit_sum *sum)
{
    uint64_t leaves = 0, logs = 0;
    while (in.n > 0) {
        struct bytes line = next_line(&in);
        leaves += begins(line, "leaf ");
        logs += begins(line, "log ");
    }
    HOLDS(leaves == sum->leaves && logs == sum->logs && sum->erased <= sum->leaves && sum->proof == (logs == 0));
}

static enum err audit(struct bytes in, struct bytes kept, struct log_audit_sum *sum)
{
    struct log_audit *a = NULL;
    HOLDS(log_audit_new(&a, NULL) == ERR_OK);
    enum err e = kept.n > 0 ? log_audit_keep(a, kept, NULL) : ERR_OK;
    while (e == ERR_OK && in.n > 0) e = log_audit_line(a, next_line(&in), NULL);
    if (e == ERR_OK) e = log_audit_end(a, sum, NULL);
    log_audit_free(a);
    HOLDS(e == ERR_OK || e == ERR_FORMAT || e == ERR_TAMPERED || (e == ERR_USAGE && kept.n > 0));
    return e;
}

/* A checkpoint that anybody could have written is none that was kept. */
static void keep(struct bytes in)
{
    struct log_audit_sum sum;
    struct buf export, ours;
    buf_init(&export, 1u << 14);
    buf_init(&ours, 1u << 14);
    audit_export(&export);
    audit_checkpoint(&ours);
    if (audit(buf_bytes(&export), in, &sum) == ERR_OK && in.n > 0) {
        HOLDS(in.n >= ours.len && memcmp(in.p, ours.data, ours.len) == 0); /* others may have signed below it */
        HOLDS(sum.kept == 1);
    }
    buf_release(&export);
    buf_release(&ours);
}

/* Else nothing that is said below of what is taken would mean anything. */
static void ours_are_taken(void)
{
    struct log_audit_sum sum;
    struct buf text, kept;
    buf_init(&text, 1u << 14);
    buf_init(&kept, 1u << 14);
    audit_export(&text);
    audit_checkpoint(&kept);
    HOLDS(audit(buf_bytes(&text), buf_bytes(&kept), &sum) == ERR_OK && sum.kept == 1 && sum.logs == 2);
    is_ours(buf_bytes(&text));
    text.len = 0;
    audit_proof(&text);
    HOLDS(audit(buf_bytes(&text), buf_bytes(&kept), &sum) == ERR_OK && sum.kept == 1 && sum.proof);
    is_ours(buf_bytes(&text));
    buf_release(&text);
    buf_release(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct log_audit_sum sum;
    struct buf kept;
    fuzz_start();
    if (size == 0) ours_are_taken(); /* libFuzzer begins with that */
    uint8_t asked = fuzz_take(&in);
    if ((asked & KEEP) != 0) {
        keep(in);
        return 0;
    }
    buf_init(&kept, 1u << 14);
    if ((asked & KEPT) != 0) audit_checkpoint(&kept);
    fuzz_believe((asked & BELIEVED) != 0);
    if (audit(in, buf_bytes(&kept), &sum) == ERR_OK) {
        sums_fit(in, &sum);
        if ((asked & KEPT) != 0) HOLDS(sum.kept == 1);
        if ((asked & BELIEVED) == 0) is_ours(in);
    }
    buf_release(&kept);
    return 0;
}
