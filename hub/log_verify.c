/* The transparency logs of a store against themselves, and against what the hub keeps of what they tell. */
#include "hub/log.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

struct verify {
    struct hub *h;
    struct log_audit *audit;
    int64_t log_no;                  /* of the leaf before */
    struct merkle_frontier frontier; /* of its log */
    struct buf judged;               /* a bit for each change of a device whose last verdict was met */
    int64_t given;                   /* leaves of acts that somebody gave */
    int64_t changes, acts, erased;   /* leaves of changes and acts that fit; leaves of devices without content */
};

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
}

static enum err unlike(const char *what, struct why *why)
{
    return why_set(why, ERR_TAMPERED, "The hub's logs tell of %s that is not kept, or is kept with another content.", what);
}

/* A piece is of whole lines. */
static enum err audit_piece(void *ctx, struct bytes text, struct why *why)
{
    struct verify *v = ctx;
    enum err e = ERR_OK;
    while (e == ERR_OK && text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        e = log_audit_line(v->audit, bytes_of(text.p, n), why);
        if (end == NULL) break;
        text = bytes_of(end + 1, text.n - n - 1);
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------------------ trees */

static enum err check_subtree(struct verify *v, const struct merkle_node *node, struct why *why)
{
    struct stmt *s;
    bool row = false, same = false;
    enum err e = db_prepare(v->h->db, "SELECT hash FROM h_tree WHERE log_no = $1 AND level = $2 AND n = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, v->log_no);
    db_bind_int(s, 2, (int64_t)node->level);
    db_bind_int(s, 3, (int64_t)node->index);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) same = bytes_equal(db_bytes(s, 0), bytes_of(node->hash, sizeof node->hash));
    db_done(s);
    return e == ERR_OK && !same ? damaged(why) : e;
}

/* What proofs are made of: each subtree anew from the leaves. */
static enum err check_trees(struct verify *v, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(v->h->db, "SELECT log_no, commitment FROM h_leaf ORDER BY log_no, n", &s, why);
    if (e != ERR_OK) return e;
    v->log_no = -1;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct merkle_node done[MERKLE_LEVELS];
        uint8_t leaf[MERKLE_HASH_BYTES];
        size_t n = 0;
        if (db_int(s, 0) != v->log_no) v->frontier = (struct merkle_frontier){0};
        v->log_no = db_int(s, 0);
        merkle_leaf_hash(leaf, db_bytes(s, 1));
        e = merkle_append(&v->frontier, leaf, done, &n, why);
        for (size_t i = 1; e == ERR_OK && i < n; i++) e = check_subtree(v, &done[i], why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* ----------------------------------------------------------------------------------------------------------- leaves */

/* What `sql` gives for a number (and the log's device), once. */
static enum err ask(struct verify *v, const char *sql, uint64_t number, bool device, struct stmt **out, bool *out_row,
                    struct why *why)
{
    enum err e = db_prepare(v->h->db, sql, out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, number > INT64_MAX ? -1 : (int64_t)number);
    if (device) db_bind_int(*out, 2, v->log_no);
    return db_step(*out, out_row, why);
}

/* Behind kind and time: number, hash of what came. */
static enum err check_change(struct verify *v, struct cbor_reader *r, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *s = NULL;
    bool row = false, same = false;
    uint64_t seq = cbor_get_uint(r);
    cbor_get_fixed(r, hash, sizeof hash);
    if (!cbor_at_end(r)) return damaged(why);
    enum err e = ask(v, "SELECT hash FROM h_envelope WHERE seq = $1 AND node_no = $2", seq, true, &s, &row, why);
    if (e == ERR_OK && row) same = bytes_equal(db_bytes(s, 0), bytes_of(hash, sizeof hash));
    db_done(s);
    if (e == ERR_OK && !same) e = unlike("a change", why);
    v->changes += e == ERR_OK;
    return e;
}

/* Leaves come from the last to the first: the first that is met of a change is the verdict that stands. */
static enum err check_verdict(struct verify *v, struct cbor_reader *r, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false, same = false;
    uint64_t seq = cbor_get_uint(r), verdict = cbor_get_uint(r);
    if (!cbor_at_end(r)) return damaged(why);
    size_t at = (size_t)(seq / 8);
    uint8_t bit = (uint8_t)(1u << (seq % 8));
    if (seq / 8 >= LOG_LINE_MAX * 64) return damaged(why);
    if (at >= v->judged.len) {
        size_t more = at + 1 - v->judged.len;
        uint8_t *to = buf_grow(&v->judged, more);
        if (to == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check these logs.");
        memset(to, 0, more);
    }
    if ((v->judged.data[at] & bit) != 0) return ERR_OK;
    v->judged.data[at] |= bit;
    enum err e = ask(v, "SELECT verdict FROM h_envelope WHERE seq = $1 AND node_no = $2", seq, true, &s, &row, why);
    if (e == ERR_OK && row) same = db_int(s, 0) == (int64_t)verdict;
    db_done(s);
    return e == ERR_OK && !same ? unlike("a verdict", why) : e;
}

static enum err act_stands(struct verify *v, uint64_t no, int64_t at, struct bytes act, uint8_t salt[32], bool *out,
                           struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = ask(v, "SELECT a.at, a.act, s.salt FROM h_act a JOIN h_act_salt s ON s.act_no = a.no WHERE a.no = $1", no,
                     false, &s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes salted = db_bytes(s, 2);
        *out = db_int(s, 0) == at && bytes_equal(db_bytes(s, 1), act) && salted.n == 32;
        if (*out) memcpy(salt, salted.p, 32);
    }
    db_done(s);
    return e;
}

/* Words about an erased case went with it (RETENTION.md), and their salt: then the leaf alone says that there was an
 * act. Where no act of erasing came after it, somebody else took them. */
static enum err words_erased(struct verify *v, uint64_t no, int64_t at, struct bytes act, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = ask(v,
                     "SELECT a.at, a.act FROM h_act a WHERE a.no = $1 AND a.act = 'emergency' AND a.about IS NULL AND a.reason IS NULL"
                     " AND NOT EXISTS (SELECT 1 FROM h_act_salt s WHERE s.act_no = a.no) AND EXISTS (SELECT 1 FROM h_act x WHERE x.no > a.no"
                     " AND x.act IN ('erase', 'erase again'))",
                     no, false, &s, &row, why);
    if (e == ERR_OK) *out = row && db_int(s, 0) == at && bytes_equal(db_bytes(s, 1), act);
    db_done(s);
    return e;
}

static enum err check_act(struct verify *v, uint64_t at, struct cbor_reader *r, struct why *why)
{
    uint8_t said[HASH_BYTES], kept[HASH_BYTES], who[HASH_BYTES], salt[32];
    bool same = false, given = false, erased = false;
    uint64_t no = cbor_get_uint(r);
    struct bytes act = cbor_get_text(r);
    cbor_get_fixed(r, said, sizeof said);
    const bool by_somebody = r->err == ERR_OK && !cbor_at_end(r);
    if (by_somebody) cbor_get_fixed(r, who, sizeof who);
    if (!cbor_at_end(r)) return damaged(why);
    enum err e = by_somebody ? ERR_OK : words_erased(v, no, (int64_t)at, act, &erased, why);
    v->acts += e == ERR_OK && erased;
    if (e != ERR_OK || erased) return e;
    e = act_stands(v, no, (int64_t)at, act, salt, &same, why);
    if (e == ERR_OK && same) e = log_act_words(v->h, (int64_t)no, salt, kept, why);
    if (e == ERR_OK && (!same || memcmp(said, kept, sizeof said) != 0)) e = unlike("an act", why);
    if (e == ERR_OK) e = log_act_who(v->h, (int64_t)no, salt, kept, &given, why);
    if (e == ERR_OK && (given != by_somebody || (given && memcmp(who, kept, sizeof who) != 0)))
        e = unlike("somebody who gave an act,", why);
    v->given += by_somebody;
    v->acts += e == ERR_OK;
    return e;
}

static enum err check_policy(struct verify *v, struct cbor_reader *r, struct why *why)
{
    uint8_t said[HASH_BYTES], kept[HASH_BYTES];
    struct stmt *s = NULL;
    bool row = false;
    uint64_t gen = cbor_get_uint(r);
    cbor_get_fixed(r, said, sizeof said);
    if (!cbor_at_end(r)) return damaged(why);
    enum err e = ask(v, "SELECT text FROM h_policy WHERE gen = $1", gen, false, &s, &row, why);
    if (e == ERR_OK && row) hash_sha256(kept, db_bytes(s, 0));
    db_done(s);
    return e == ERR_OK && (!row || memcmp(said, kept, sizeof said) != 0) ? unlike("a policy", why) : e;
}

static enum err check_leaf(struct verify *v, struct bytes content, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, content);
    (void)cbor_get_array(&r, 16);
    uint64_t kind = cbor_get_uint(&r), at = cbor_get_uint(&r);
    switch (r.err == ERR_OK ? kind : 0) {
    case LOG_ENVELOPE:
    case LOG_GAP: return check_change(v, &r, why);
    case LOG_VERDICT: return check_verdict(v, &r, why);
    case LOG_ACT: return check_act(v, at, &r, why);
    case LOG_POLICY: return check_policy(v, &r, why);
    default: return ERR_OK;
    }
}

static enum err check_leaves(struct verify *v, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(v->h->db, "SELECT log_no, content FROM h_leaf ORDER BY log_no DESC, n DESC", &s, why);
    if (e != ERR_OK) return e;
    v->log_no = -1;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (db_int(s, 0) != v->log_no) v->judged.len = 0;
        v->log_no = db_int(s, 0);
        v->erased += db_is_null(s, 1);
        if (!db_is_null(s, 1)) e = check_leaf(v, db_bytes(s, 1), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------------------- what has no leaf */

static enum err count_of(struct verify *v, const char *sql, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(v->h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

/* Acts from before there were logs have no salt. One that is none is of no time. */
static const char given_acts[] = "SELECT count(*) FROM h_act_by b WHERE EXISTS (SELECT 1 FROM h_act_salt s WHERE s.act_no = b.act_no) "
                                 "OR NOT EXISTS (SELECT 1 FROM h_act a WHERE a.no = b.act_no)";

static enum err check_counts(struct verify *v, struct why *why)
{
    int64_t changes = 0, acts = 0, given = 0;
    enum err e = count_of(v,
                          "SELECT (SELECT count(*) FROM h_envelope) - "
                          "(SELECT CAST(coalesce(sum(older), 0) AS INTEGER) FROM h_log_from WHERE node_no > 0)",
                          &changes, why);
    if (e == ERR_OK)
        e = count_of(v,
                     "SELECT (SELECT count(*) FROM h_act) - "
                     "(SELECT CAST(coalesce(sum(older), 0) AS INTEGER) FROM h_log_from WHERE node_no = 0)",
                     &acts, why);
    if (e == ERR_OK) e = count_of(v, given_acts, &given, why);
    if (e != ERR_OK) return e;
    if (given != v->given) return why_set(why, ERR_TAMPERED, "The hub keeps who gave an act, of which its logs do not tell.");
    if (acts != v->acts) return why_set(why, ERR_TAMPERED, "The hub keeps an act that its logs do not tell of.");
    /* A leaf whose content was erased may have been of a change. */
    if (changes < v->changes || changes > v->changes + v->erased)
        return why_set(why, ERR_TAMPERED, "The hub keeps a change that its logs do not tell of.");
    return ERR_OK;
}

enum err hub_log_verify(struct hub *h, struct log_audit_sum *out, struct why *why)
{
    struct verify v = {.h = h};
    enum err e = log_audit_new(&v.audit, why);
    if (e != ERR_OK) return e;
    buf_init(&v.judged, LOG_LINE_MAX * 64);
    e = db_begin(h->db, why);
    if (e == ERR_OK) {
        e = log_export_all(h, audit_piece, &v, why);
        if (e == ERR_OK) e = log_audit_end(v.audit, out, why);
        if (e == ERR_OK) e = check_trees(&v, why);
        if (e == ERR_OK) e = check_leaves(&v, why);
        if (e == ERR_OK) e = check_counts(&v, why);
        if (e == ERR_OK) e = log_check_admins(h, why);
        db_rollback(h->db);
    }
    buf_release(&v.judged);
    log_audit_free(v.audit);
    return e;
}
