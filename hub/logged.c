/* Is this change of the device in its log, and what became of it? hub/LOG.md, "One change". */
#include "hub/log.h"
#include "hub/question.h"

#include "base/cbor.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define CONTENT_SHOWN 96u /* bytes: entries of changes and verdicts are shorter */

struct entry {
    uint64_t index;
    uint8_t salt[32];
    uint8_t content[CONTENT_SHOWN];
    size_t n;
};

/* What stands behind kind and time begins with the change's number: from these bytes on, below those. */
static void span_of(uint64_t seq, struct buf *from, struct buf *below)
{
    buf_init(from, 16);
    buf_init(below, 16);
    cbor_put_uint(from, seq);
    cbor_put_uint(below, seq);
    for (size_t i = below->len; i-- > 0;) { /* the first byte is never the largest */
        if (++below->data[i] != 0) break;
    }
}

static bool read_entry(struct stmt *s, struct entry *out)
{
    struct bytes salt = db_bytes(s, 1), content = db_bytes(s, 2);
    if (salt.n != sizeof out->salt || content.n > sizeof out->content) return false;
    out->index = (uint64_t)db_int(s, 0);
    memcpy(out->salt, salt.p, salt.n);
    memcpy(out->content, content.p, content.n);
    out->n = content.n;
    return true;
}

/* The newest entry of one of two kinds about the change, below the size that the device knows. */
static enum err find(struct asking *a, enum log_kind kind, enum log_kind or_kind, struct entry *out, bool *out_found,
                     struct why *why)
{
    const uint8_t heads[2][2] = {{0x84, (uint8_t)kind}, {0x84, (uint8_t)or_kind}};
    struct buf from, below;
    struct stmt *s;
    span_of(a->q->at, &from, &below);
    *out_found = false;
    enum err e =
        db_prepare(a->h->db,
                   "SELECT n, salt, content FROM h_leaf WHERE log_no = $1 AND n < $2 AND substr(content, 1, 2) IN "
                   "($3, $4) AND substr(content, 12) >= $5 AND substr(content, 12) < $6 ORDER BY n DESC LIMIT 1",
                   &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, a->node->no);
        db_bind_int(s, 2, (int64_t)a->seen);
        db_bind_blob(s, 3, bytes_of(heads[0], 2));
        db_bind_blob(s, 4, bytes_of(heads[1], 2));
        db_bind_blob(s, 5, buf_bytes(&from));
        db_bind_blob(s, 6, buf_bytes(&below));
        e = db_step(s, out_found, why);
        if (e == ERR_OK && *out_found && !read_entry(s, out))
            e = why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
        db_done(s);
    }
    buf_release(&from);
    buf_release(&below);
    return e;
}

/* "entry", its number, salt, content; then "way" and hashes, as many lines as it takes. */
static void put_entry(struct asking *a, const struct entry *x, const struct merkle_proof *p)
{
    char index[24], salt[BASE64_CHARS(32) + 1], content[BASE64_CHARS(CONTENT_SHOWN) + 1];
    char hash[REPLY_MAX_WORDS - 1][BASE64_CHARS(MERKLE_HASH_BYTES) + 1];
    const char *const first[] = {"entry", index, salt, content};
    const char *words[REPLY_MAX_WORDS] = {"way"};
    size_t n = 1;
    (void)snprintf(index, sizeof index, "%llu", (unsigned long long)x->index);
    base64_encode(salt, bytes_of(x->salt, sizeof x->salt));
    base64_encode(content, bytes_of(x->content, x->n));
    asking_line(a, first, 4);
    for (size_t i = 0; i < p->n; i++) {
        base64_encode(hash[n - 1], bytes_of(p->hashes[i], MERKLE_HASH_BYTES));
        words[n] = hash[n - 1];
        if (++n < REPLY_MAX_WORDS && i + 1 < p->n) continue;
        asking_line(a, words, n);
        n = 1;
    }
}

static enum err show(struct asking *a, enum log_kind kind, enum log_kind or_kind, bool *out_found, struct why *why)
{
    struct entry x;
    struct merkle_proof proof;
    uint8_t leaf[MERKLE_HASH_BYTES];
    enum err e = find(a, kind, or_kind, &x, out_found, why);
    if (e == ERR_OK && *out_found) e = log_inclusion(a->h, a->node->no, x.index, a->seen, &proof, leaf, why);
    if (e == ERR_OK && *out_found) put_entry(a, &x, &proof);
    return e;
}

/* What was erased, and what is older than the logs, is not found: then there is nothing to say. */
enum err answer_logged(struct asking *a, struct why *why)
{
    bool found = false;
    if (a->seen == 0) return ERR_OK;
    enum err e = show(a, LOG_ENVELOPE, LOG_GAP, &found, why);
    return e == ERR_OK && found ? show(a, LOG_VERDICT, LOG_VERDICT, &found, why) : e;
}
