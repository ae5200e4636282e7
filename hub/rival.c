#include "hub/rival.h"

#include <stdlib.h>
#include <string.h>

void rivals_release(struct rivals *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->words[i].value.kind == VALUE_TEXT || r->words[i].value.kind == VALUE_BLOB)
            free((void *)(uintptr_t)r->words[i].value.s.p);
    }
    free(r->words);
    free(r->authors);
    *r = (struct rivals){0};
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to compare what several people wrote.");
}

static enum err make_room(struct rivals *r, struct why *why)
{
    if (r->n < r->cap) return ERR_OK;
    size_t cap = r->cap == 0 ? 4 : r->cap * 2;
    struct merge_word *words = reallocarray(r->words, cap, sizeof *words);
    if (words != NULL) r->words = words;
    struct rival_author *authors = words == NULL ? NULL : reallocarray(r->authors, cap, sizeof *authors);
    if (authors == NULL) return no_memory(why);
    r->authors = authors;
    r->cap = cap;
    return ERR_OK;
}

/* A value of its own: the statement's is gone with the next step. */
static enum err copy_value(struct value *v, struct why *why)
{
    if (v->kind != VALUE_TEXT && v->kind != VALUE_BLOB) return ERR_OK;
    uint8_t *own = malloc(v->s.n + 1);
    if (own == NULL) return no_memory(why);
    if (v->s.n > 0) memcpy(own, v->s.p, v->s.n);
    v->s = bytes_of(own, v->s.n);
    return ERR_OK;
}

static enum err take(struct rivals *r, struct stmt *s, struct why *why)
{
    struct merge_word word = {.chain = db_int(s, 0), .version = db_int(s, 2), .hlc = (uint64_t)db_int(s, 3)};
    struct rival_author author = {.seq = (uint64_t)db_int(s, 1)};
    (void)db_id(s, 4, author.user); /* zeros: the hub */
    word.value = db_value(s, 5);
    enum err e = make_room(r, why);
    if (e == ERR_OK) e = copy_value(&word.value, why);
    if (e != ERR_OK) return e;
    r->words[r->n] = word;
    r->authors[r->n++] = author;
    return ERR_OK;
}

enum err rival_list(struct hub *h, const struct rival_place *at, int64_t standing, struct rivals *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT node_no, seq, version, hlc, user, value FROM h_rival "
                            "WHERE row_no = $1 AND col = $2 ORDER BY version, node_no",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->row_no);
    db_bind_int(s, 2, (int64_t)at->column);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (db_int(s, 0) == standing)
            out->standing = true;
        else if ((e = take(out, s, why)) != ERR_OK)
            break;
    }
    db_done(s);
    return e;
}

enum err rival_put(struct hub *h, const struct rival_place *at, const struct merge_word *word,
                   const struct rival_author *author, struct why *why)
{
    static const uint8_t nobody[16];
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_rival(row_no, col, node_no, seq, version, hlc, user, value) "
                            "VALUES($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT(row_no, col, node_no) DO UPDATE SET "
                            "seq = CASE WHEN h_rival.seq > $4 THEN h_rival.seq ELSE $4 END, version = $5, hlc = $6, user = $7, value = $8",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->row_no);
    db_bind_int(s, 2, (int64_t)at->column);
    db_bind_int(s, 3, word->chain);
    db_bind_int(s, 4, (int64_t)author->seq);
    db_bind_int(s, 5, word->version);
    db_bind_int(s, 6, (int64_t)word->hlc);
    db_bind_value(s, 7, memcmp(author->user, nobody, 16) == 0 ? value_null() : value_id(author->user));
    db_bind_value(s, 8, word->value);
    return db_run(s, why);
}

enum err rival_remove(struct hub *h, const struct rival_place *at, int64_t chain, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "DELETE FROM h_rival WHERE row_no = $1 AND col = $2 AND node_no = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->row_no);
    db_bind_int(s, 2, (int64_t)at->column);
    db_bind_int(s, 3, chain);
    return db_run(s, why);
}

/* Where the envelope is not known, it is the one that made the step. */
enum err rival_later(struct hub *h, const struct rival_place *at, const struct draft *d, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_rival r WHERE r.row_no = $1 AND r.col = $2 AND r.node_no = $3 AND "
                            "(r.seq > $4 OR (r.seq = 0 AND EXISTS (SELECT 1 FROM h_envelope e WHERE e.node_no = $3 "
                            "AND e.seq > $4 AND e.version = r.version AND e.verdict IN ($5, $6))))",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->row_no);
    db_bind_int(s, 2, (int64_t)at->column);
    db_bind_int(s, 3, d->node->no);
    db_bind_int(s, 4, (int64_t)d->env.h.seq);
    db_bind_int(s, 5, VERDICT_APPLIED);
    db_bind_int(s, 6, VERDICT_MERGED);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Which column of which row a conflict is about. */
static enum err place_of(struct hub *h, const uint8_t conflict_id[16], struct rival_place *out, bool *out_found,
                         struct why *why)
{
    struct stmt *s;
    struct hub_row r;
    uint8_t id[16];
    bool row = false;
    *out_found = false;
    enum err e = db_prepare(h->db, "SELECT tbl, col, row_id FROM conflict WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, conflict_id);
    e = db_step(s, &row, why);
    int t = e == ERR_OK && row ? rules_table_index(db_bytes(s, 0)) : -1;
    int c = t < 0 ? -1 : rules_column_index(rules_table((size_t)t), db_bytes(s, 1));
    bool known = c >= 0 && db_id(s, 2, id);
    db_done(s);
    if (e != ERR_OK || !known) return e;
    e = sight_row(h, t, id, &r, out_found, why);
    if (*out_found) *out = (struct rival_place){.row_no = r.no, .column = (size_t)c};
    return e;
}

enum err rival_settled(struct hub *h, const struct draft *d, const uint8_t conflict_id[16], struct why *why)
{
    struct stmt *s;
    struct rival_place at = {0};
    bool found = false;
    enum err e = place_of(h, conflict_id, &at, &found, why);
    if (e != ERR_OK || !found) return e;
    e = db_prepare(h->db, "DELETE FROM h_rival WHERE row_no = $1 AND col = $2 AND version <= $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at.row_no);
    db_bind_int(s, 2, (int64_t)at.column);
    db_bind_int(s, 3, cut_seen(&d->cut, at.row_no));
    return db_run(s, why);
}
