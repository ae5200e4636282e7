#include "hub/log.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_MAX (1u << 20) /* bytes: an act's words and the text around them */

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
}

/* ------------------------------------------------------------------------------------------------ what stands there */

#define TAILS 64u /* of a group of requests: each has a log of its own */

/* What was read or written of a log's end within this transaction: nobody else writes to it meanwhile. */
struct log_tails {
    uint64_t era; /* db_era that it was so in */
    struct log_tail {
        int64_t log_no;
        struct merkle_frontier f;
        bool found;
    } all[TAILS], hub; /* the hub's own is not pushed out by others */
    size_t n, next;
    bool hub_known;
    bool heads; /* put_heads runs, and writes the end of the hub's own log when it is through */
};

static struct log_tail *tail_of(struct hub *h, int64_t log_no)
{
    struct log_tails *t = h->tails;
    const uint64_t era = db_era(h->db);
    if (t == NULL || era == 0) return NULL;
    if (t->era != era) {
        t->n = t->next = 0;
        t->hub_known = false;
    }
    t->era = era;
    if (log_no == LOG_HUB) return t->hub_known ? &t->hub : NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->all[i].log_no == log_no) return &t->all[i];
    return NULL;
}

/* Where there is no memory for it, it is asked again. */
static void keep_tail(struct hub *h, int64_t log_no, const struct merkle_frontier *f, bool found)
{
    if (db_era(h->db) == 0) return;
    if (h->tails == NULL) h->tails = calloc(1, sizeof *h->tails);
    struct log_tail *at = tail_of(h, log_no);
    struct log_tails *t = h->tails;
    if (t == NULL) return;
    if (log_no == LOG_HUB) {
        at = &t->hub;
        t->hub_known = true;
    } else if (at == NULL) {
        at = &t->all[t->next];
        t->next = (t->next + 1) % TAILS;
        if (t->n < TAILS) t->n++;
    }
    *at = (struct log_tail){.log_no = log_no, .f = *f, .found = found};
}

/* What is damaged is found by who asks for it. */
void log_seed(struct hub *h, int64_t log_no, struct bytes frontier, uint64_t size)
{
    struct merkle_frontier f = {0};
    if (db_era(h->db) == 0 || tail_of(h, log_no) != NULL) return;
    if (frontier.n > 0 && (merkle_frontier_from_bytes(&f, frontier, NULL) != ERR_OK || f.size != size)) return;
    keep_tail(h, log_no, &f, frontier.n > 0);
}

static enum err ask_frontier(struct hub *h, int64_t log_no, struct merkle_frontier *out, bool *out_found,
                             struct why *why)
{
    struct stmt *s;
    *out = (struct merkle_frontier){0};
    enum err e = db_prepare(h->db, "SELECT frontier, size FROM h_log WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found &&
        (merkle_frontier_from_bytes(out, db_bytes(s, 0), NULL) != ERR_OK || out->size != (uint64_t)db_int(s, 1)))
        e = damaged(why);
    db_done(s);
    return e;
}

static enum err read_frontier(struct hub *h, int64_t log_no, struct merkle_frontier *out, bool *out_found,
                              struct why *why)
{
    const struct log_tail *t = tail_of(h, log_no);
    if (t != NULL) {
        *out = t->f;
        *out_found = t->found;
        return ERR_OK;
    }
    enum err e = ask_frontier(h, log_no, out, out_found, why);
    if (e == ERR_OK) keep_tail(h, log_no, out, *out_found);
    return e;
}

enum err log_frontier(struct hub *h, int64_t log_no, struct merkle_frontier *out, struct why *why)
{
    bool found = false;
    enum err e = read_frontier(h, log_no, out, &found, why);
    return e == ERR_OK && !found ? why_set(why, ERR_NOTFOUND, "Nothing was written to this log yet.") : e;
}

/* -------------------------------------------------------------------------------------------------------- appending */

static enum err put_leaf(struct hub *h, int64_t log_no, uint64_t n, struct bytes content, uint8_t out[HASH_BYTES],
                         struct why *why)
{
    uint8_t salt[32];
    struct stmt *s;
    env_random(h->env, salt, sizeof salt);
    hash_commit(out, salt, content);
    enum err e = db_prepare(
        h->db, "INSERT INTO h_leaf(log_no, n, salt, content, commitment) VALUES($1, $2, $3, $4, $5)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_int(s, 2, (int64_t)n);
    db_bind_blob(s, 3, bytes_of(salt, sizeof salt));
    db_bind_blob(s, 4, content);
    db_bind_blob(s, 5, bytes_of(out, HASH_BYTES));
    return db_run(s, why);
}

static enum err put_subtree(struct hub *h, int64_t log_no, const struct merkle_node *node, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_tree(log_no, level, n, hash) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_int(s, 2, (int64_t)node->level);
    db_bind_int(s, 3, (int64_t)node->index);
    db_bind_blob(s, 4, bytes_of(node->hash, sizeof node->hash));
    return db_run(s, why);
}

static enum err put_frontier(struct hub *h, int64_t log_no, const struct merkle_frontier *f, bool is_new,
                             struct why *why)
{
    uint8_t bytes[MERKLE_FRONTIER_MAX_BYTES];
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            is_new ? "INSERT INTO h_log(size, frontier, no) VALUES($1, $2, $3)"
                                   : "UPDATE h_log SET size = $1, frontier = $2 WHERE no = $3",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)f->size);
    db_bind_blob(s, 2, bytes_of(bytes, merkle_frontier_to_bytes(f, bytes)));
    db_bind_int(s, 3, log_no);
    return db_run(s, why);
}

static enum err append(struct hub *h, int64_t log_no, struct bytes content, struct why *why)
{
    struct merkle_frontier f;
    struct merkle_node done[MERKLE_LEVELS];
    uint8_t commitment[HASH_BYTES], leaf[MERKLE_HASH_BYTES];
    size_t n = 0;
    bool found = false;
    enum err e = read_frontier(h, log_no, &f, &found, why);
    if (e == ERR_OK) e = put_leaf(h, log_no, f.size, content, commitment, why);
    if (e != ERR_OK) return e;
    merkle_leaf_hash(leaf, bytes_of(commitment, sizeof commitment));
    e = merkle_append(&f, leaf, done, &n, why);
    for (size_t i = 1; e == ERR_OK && i < n; i++) e = put_subtree(h, log_no, &done[i], why); /* 0 is the leaf */
    const bool later = log_no == LOG_HUB && h->tails != NULL && h->tails->heads;
    if (e == ERR_OK && !later) e = put_frontier(h, log_no, &f, !found, why);
    if (e == ERR_OK) keep_tail(h, log_no, &f, true);
    return e;
}

enum err log_append(struct hub *h, int64_t log_no, enum log_kind kind, struct bytes rest, size_t members,
                    struct why *why)
{
    struct buf content;
    buf_init(&content, CONTENT_MAX);
    cbor_put_array(&content, 2 + members);
    cbor_put_uint(&content, kind);
    cbor_put_uint(&content, (uint64_t)h->now_ms);
    buf_put_bytes(&content, rest);
    enum err e = content.err != ERR_OK ? why_set(why, content.err, "There is not enough memory for the hub's log.")
                                       : append(h, log_no, buf_bytes(&content), why);
    buf_release(&content);
    return e;
}

enum err log_note(struct hub *h, int64_t log_no, enum log_kind kind, uint64_t number, struct bytes hash,
                  struct why *why)
{
    struct buf rest;
    buf_init(&rest, 4096);
    cbor_put_uint(&rest, number);
    cbor_put_bytes(&rest, hash);
    enum err e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory for the hub's log.")
                                    : log_append(h, log_no, kind, buf_bytes(&rest), 2, why);
    buf_release(&rest);
    return e;
}

enum err log_verdict(struct hub *h, int64_t log_no, uint64_t seq, enum verdict v, struct why *why)
{
    struct buf rest;
    buf_init(&rest, 4096);
    cbor_put_uint(&rest, seq);
    cbor_put_uint(&rest, (uint64_t)v);
    enum err e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory for the hub's log.")
                                    : log_append(h, log_no, LOG_VERDICT, buf_bytes(&rest), 2, why);
    buf_release(&rest);
    return e;
}

static void put_text_or_null(struct buf *b, struct stmt *s, int col)
{
    if (db_is_null(s, col))
        cbor_put_null(b);
    else
        cbor_put_text(b, db_bytes(s, col));
}

enum err log_act_words(struct hub *h, int64_t act_no, const uint8_t salt[32], uint8_t out[HASH_BYTES], struct why *why)
{
    struct stmt *s;
    struct buf words;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT about, reason FROM h_act WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    buf_init(&words, CONTENT_MAX);
    db_bind_int(s, 1, act_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = damaged(why);
    if (e == ERR_OK) {
        cbor_put_array(&words, 2);
        put_text_or_null(&words, s, 0);
        put_text_or_null(&words, s, 1);
    }
    db_done(s);
    if (e == ERR_OK && words.err != ERR_OK) e = why_set(why, words.err, "There is not enough memory for the hub's log.");
    if (e == ERR_OK) hash_commit(out, salt, buf_bytes(&words));
    buf_release(&words);
    return e;
}

enum err log_act_who(struct hub *h, int64_t act_no, const uint8_t salt[32], uint8_t out[HASH_BYTES], bool *out_found,
                     struct why *why)
{
    struct stmt *s;
    struct buf names;
    enum err e = db_prepare(h->db, "SELECT who, second FROM h_act_by WHERE act_no = $1", &s, why);
    if (e != ERR_OK) return e;
    buf_init(&names, 4096);
    db_bind_int(s, 1, act_no);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        cbor_put_array(&names, 2);
        put_text_or_null(&names, s, 0);
        put_text_or_null(&names, s, 1);
        if (names.err == ERR_OK)
            hash_commit(out, salt, buf_bytes(&names));
        else
            e = why_set(why, names.err, "There is not enough memory for the hub's log.");
    }
    db_done(s);
    buf_release(&names);
    return e;
}

static enum err put_salt(struct hub *h, int64_t act_no, const uint8_t salt[32], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_act_salt(act_no, salt) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, act_no);
    db_bind_blob(s, 2, bytes_of(salt, 32));
    return db_run(s, why);
}

enum err log_act(struct hub *h, int64_t act_no, const char *act, struct why *why)
{
    uint8_t salt[32], words[HASH_BYTES], who[HASH_BYTES];
    struct buf rest;
    bool given = false;
    env_random(h->env, salt, sizeof salt);
    enum err e = put_salt(h, act_no, salt, why);
    if (e == ERR_OK) e = log_act_words(h, act_no, salt, words, why);
    if (e == ERR_OK) e = log_act_who(h, act_no, salt, who, &given, why);
    if (e != ERR_OK) return e;
    buf_init(&rest, 4096);
    cbor_put_uint(&rest, (uint64_t)act_no);
    cbor_put_str(&rest, act);
    cbor_put_bytes(&rest, bytes_of(words, sizeof words));
    if (given) cbor_put_bytes(&rest, bytes_of(who, sizeof who));
    e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory for the hub's log.")
                           : log_append(h, LOG_HUB, LOG_ACT, buf_bytes(&rest), given ? 4 : 3, why);
    buf_release(&rest);
    return e;
}

/* ---------------------------------------------------------------------------------------------- heads of the others */

struct untold {
    int64_t log_no;
    uint8_t kid[KID_BYTES];
};

static enum err list_untold(struct hub *h, struct untold v[TAILS], size_t *out_n, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out_n = 0;
    enum err e = db_prepare(h->db,
                            "SELECT l.no, n.kid FROM h_log l JOIN h_node n ON n.no = l.no WHERE l.no > 0 AND l.told < "
                            "l.size ORDER BY l.no LIMIT $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, TAILS);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct untold *u = &v[*out_n];
        u->log_no = db_int(s, 0);
        if (!db_id(s, 1, u->kid)) e = damaged(why);
        if (e != ERR_OK || ++*out_n == TAILS) break;
    }
    db_done(s);
    return e;
}

static enum err put_head(struct hub *h, int64_t log_no, const uint8_t kid[KID_BYTES], struct why *why)
{
    struct merkle_frontier f;
    uint8_t root[MERKLE_HASH_BYTES];
    struct buf rest;
    struct stmt *s;
    enum err e = log_frontier(h, log_no, &f, why);
    if (e != ERR_OK) return e;
    merkle_root(&f, root);
    buf_init(&rest, 4096);
    cbor_put_bytes(&rest, bytes_of(kid, KID_BYTES));
    cbor_put_uint(&rest, f.size);
    cbor_put_bytes(&rest, bytes_of(root, sizeof root));
    e = rest.err != ERR_OK ? why_set(why, rest.err, "There is not enough memory for the hub's log.")
                           : log_append(h, LOG_HUB, LOG_HEAD, buf_bytes(&rest), 3, why);
    buf_release(&rest);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_log SET told = size WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    return db_run(s, why);
}

static enum err put_heads(struct hub *h, const struct untold *v, size_t n, struct why *why)
{
    struct merkle_frontier f;
    bool found = false, is_new = false;
    enum err e = read_frontier(h, LOG_HUB, &f, &found, why);
    is_new = !found;
    if (e != ERR_OK || n == 0) return e;
    if (h->tails != NULL) h->tails->heads = tail_of(h, LOG_HUB) != NULL;
    const bool later = h->tails != NULL && h->tails->heads;
    for (size_t i = 0; e == ERR_OK && i < n; i++) e = put_head(h, v[i].log_no, v[i].kid, why);
    if (!later) return e;
    h->tails->heads = false;
    if (e == ERR_OK) e = read_frontier(h, LOG_HUB, &f, &found, why);
    return e == ERR_OK ? put_frontier(h, LOG_HUB, &f, is_new, why) : e;
}

enum err log_heads(struct hub *h, struct why *why)
{
    struct untold v[TAILS];
    size_t n = TAILS;
    enum err e = ERR_OK;
    while (e == ERR_OK && n == TAILS) {
        e = list_untold(h, v, &n, why);
        if (e == ERR_OK) e = put_heads(h, v, n, why);
    }
    return e;
}
