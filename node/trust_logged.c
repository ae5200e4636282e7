/* What the hub shows of one change in its log (hub/LOG.md, "One change"), checked when it comes. The lines that are
 * kept begin with "proved" or "failed": size of the log at the checkpoint, number of the change's entry, word and
 * number of its verdict's. */
#include "node/internal.h"
#include "node/trust.h"

#include "base/cbor.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KIND_ENVELOPE = 2, KIND_VERDICT = 3, KIND_GAP = 4, CONTENT_MAX = 192 };

struct entry {
    uint64_t index, kind, seq, verdict;
    uint8_t hash[HASH_BYTES]; /* of the change */
    uint8_t leaf[MERKLE_HASH_BYTES];
    struct merkle_proof proof;
};

static bool is(struct bytes word, const char *what)
{
    return bytes_equal(word, bytes_of_str(what));
}

static bool read_number(struct bytes w, uint64_t *out)
{
    *out = 0;
    if (w.n == 0 || w.n > 18 || (w.n > 1 && w.p[0] == '0')) return false;
    for (size_t i = 0; i < w.n; i++) {
        if (w.p[i] < '0' || w.p[i] > '9') return false;
        *out = 10 * *out + (uint64_t)(w.p[i] - '0');
    }
    return true;
}

/* What hub/LOG.md says of the content of kinds 2, 3 and 4. */
static bool read_content(struct bytes content, struct entry *out)
{
    struct cbor_reader r;
    cbor_reader_init(&r, content);
    size_t n = cbor_get_array(&r, 4);
    out->kind = cbor_get_uint(&r);
    (void)cbor_get_uint(&r);
    out->seq = cbor_get_uint(&r);
    if (out->kind == KIND_VERDICT)
        out->verdict = cbor_get_uint(&r);
    else
        cbor_get_fixed(&r, out->hash, sizeof out->hash);
    return cbor_at_end(&r) && n == 4 && out->verdict <= VERDICT_DISMISSED;
}

static bool read_first(const struct reply_line *l, struct entry *out)
{
    uint8_t salt[32], content[CONTENT_MAX], commitment[HASH_BYTES];
    size_t n_salt = 0, n = 0;
    if (l->n != 4 || !is(l->word[0], "entry") || !read_number(l->word[1], &out->index) ||
        !base64_decode(l->word[2], salt, sizeof salt, &n_salt) || n_salt != sizeof salt ||
        !base64_decode(l->word[3], content, sizeof content, &n) || !read_content(bytes_of(content, n), out))
        return false;
    hash_commit(commitment, salt, bytes_of(content, n));
    merkle_leaf_hash(out->leaf, bytes_of(commitment, sizeof commitment));
    return true;
}

/* The next one, off *rest. */
static bool read_entry(struct bytes *rest, struct entry *out)
{
    struct reply_line l;
    struct bytes after;
    memset(out, 0, sizeof *out);
    if (!reply_next_line(rest, &l) || !read_first(&l, out)) return false;
    for (after = *rest; reply_next_line(&after, &l) && is(l.word[0], "way"); *rest = after) {
        for (size_t i = 1; i < l.n; i++) {
            size_t n = 0;
            if (out->proof.n == MERKLE_MAX_PROOF ||
                !base64_decode(l.word[i], out->proof.hashes[out->proof.n], MERKLE_HASH_BYTES, &n) ||
                n != MERKLE_HASH_BYTES)
                return false;
            out->proof.n++;
        }
    }
    return true;
}

static enum err own_hash(struct node *n, uint64_t seq, uint8_t out[HASH_BYTES], bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT hash FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, out_found, why);
    struct bytes hash = e == ERR_OK && *out_found ? db_bytes(s, 0) : (struct bytes){0};
    *out_found = hash.n == HASH_BYTES;
    if (*out_found) memcpy(out, hash.p, HASH_BYTES);
    db_done(s);
    return e;
}

static bool leads(const struct merkle_head *kept, const struct entry *x)
{
    return kept->size > 0 &&
           merkle_verify_inclusion(kept, x->index, x->leaf, merkle_proof_bytes(&x->proof), NULL) == ERR_OK;
}

static void put_result(struct buf *lines, bool proved, uint64_t size, const struct entry *change,
                       const struct entry *verdict /* NULL: none */)
{
    char word[3][24];
    struct bytes w[5] = {bytes_of_str(proved ? "proved" : "failed")};
    const uint64_t numbers[] = {size, change->index, verdict != NULL ? verdict->index : 0};
    for (size_t i = 0; i < 3; i++) (void)snprintf(word[i], sizeof word[i], "%llu", (unsigned long long)numbers[i]);
    w[1] = bytes_of_str(word[0]);
    w[2] = bytes_of_str(word[1]);
    w[3] = bytes_of_str(verdict != NULL ? verdict_word((enum verdict)verdict->verdict) : "");
    w[4] = bytes_of_str(word[2]);
    reply_put_line(lines, w, 5);
}

enum err trust_logged(struct node *n, uint64_t seq, const struct reply *r, struct buf *lines, size_t *out_n,
                      struct why *why)
{
    struct merkle_head kept;
    struct entry change, verdict;
    struct bytes rest = r->lines;
    uint8_t hash[HASH_BYTES];
    bool ours = false, judged = false;
    *out_n = r->n_lines;
    enum err e = trust_kept(n, &kept, why);
    if (e == ERR_OK) e = own_hash(n, seq, hash, &ours, why);
    if (e == ERR_OK && r->n_lines > 0) {
        bool good = read_entry(&rest, &change) && ours && change.seq == seq && change.kind != KIND_VERDICT &&
                    memcmp(change.hash, hash, sizeof hash) == 0 && leads(&kept, &change);
        if (good && rest.n > 0) {
            judged = read_entry(&rest, &verdict) && rest.n == 0 && verdict.seq == seq && verdict.kind == KIND_VERDICT &&
                     leads(&kept, &verdict);
            good = judged;
        }
        put_result(lines, good, kept.size, &change, judged ? &verdict : NULL);
        if (r->n_lines < REPLY_MAX_LINES) {
            buf_put_bytes(lines, r->lines);
            (*out_n)++;
        } else {
            *out_n = 1;
        }
    }
    return e == ERR_OK && lines->err != ERR_OK ? why_set(why, lines->err, "There is not enough memory for this answer.")
                                               : e;
}

/* ---------------------------------------------------------------------------------------------------------- reading */

struct reading {
    struct node_logged out;
    bool begun, good;
};

static enum err read_result(void *ctx, const struct reply_line *l, struct why *why)
{
    struct reading *x = ctx;
    (void)why;
    if (x->begun) return ERR_OK;
    x->begun = true;
    if (l->n != 5 || l->word[3].n >= sizeof x->out.verdict || !read_number(l->word[1], &x->out.size) ||
        !read_number(l->word[2], &x->out.entry) || !read_number(l->word[4], &x->out.verdict_entry))
        return ERR_OK;
    x->out.found = true;
    x->out.proved = is(l->word[0], "proved");
    if (l->word[3].n > 0) memcpy(x->out.verdict, l->word[3].p, l->word[3].n);
    x->good = x->out.proved || is(l->word[0], "failed");
    return ERR_OK;
}

enum err node_logged(struct node *n, uint64_t number, struct node_logged *out, struct why *why)
{
    struct reading x = {.good = true};
    struct node_reply head;
    enum err e = node_reply(n, number, &head, read_result, &x, why);
    if (e == ERR_OK && !head.replied) e = why_set(why, ERR_NOTFOUND, "The MASH server has not answered this yet.");
    if (e == ERR_OK && x.begun && !x.out.found) x.good = false;
    if (e == ERR_OK && !x.good) e = why_set(why, ERR_TAMPERED, "A reply that this device keeps is damaged.");
    if (e == ERR_OK) *out = x.out;
    return e;
}
