/* Sets of cases, and what the search index knows of each (node/search.h). */
#include "node/search.h"

#include <stdlib.h>
#include <string.h>

#define FEW 512 /* cases that are read one by one rather than all */

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for this search.");
}

enum err search_set_new(struct node *n, struct search_set *out, struct why *why)
{
    uint64_t last = 0;
    *out = (struct search_set){0};
    if (!search_in_force(n)) return ERR_OK;
    enum err e = state_ask(n->db, "SELECT max(no) FROM n_search", &last, why);
    if (e != ERR_OK) return e;
    out->n = (size_t)(last / SEARCH_BLOCK) + 1;
    out->block = calloc(out->n, sizeof *out->block);
    return out->block != NULL ? ERR_OK : no_memory(why);
}

void search_set_release(struct search_set *s)
{
    free(s->block);
    *s = (struct search_set){0};
}

static bool has(const struct search_set *s, int64_t no)
{
    return no >= 0 && (uint64_t)no / SEARCH_BLOCK < s->n &&
           search_bits_has(&s->block[no / SEARCH_BLOCK], (size_t)(no % SEARCH_BLOCK));
}

static size_t count(const struct search_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += search_bits_count(&s->block[i]);
    return n;
}

/* Rows of n_search: those of the set, or those that are not. */
static enum err take(struct stmt *s, const struct search_set *in, bool inside, struct buf *out, struct why *why)
{
    bool row = true;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        struct search_case c;
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        c.rank = db_int(s, 2);
        if (has(in, db_int(s, 0)) == inside && db_id(s, 1, c.id)) buf_put(out, &c, sizeof c);
    }
    db_done(s);
    return e;
}

static enum err take_few(struct node *n, const struct search_set *in, struct buf *out, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < in->n; i++) {
        for (size_t k = 0; e == ERR_OK && k < SEARCH_BLOCK; k++) {
            struct stmt *s = NULL;
            if (!search_bits_has(&in->block[i], k)) continue;
            e = db_prepare(n->db, "SELECT no, case_id, rank FROM n_search WHERE no = $1", &s, why);
            if (e != ERR_OK) break;
            db_bind_int(s, 1, (int64_t)(i * SEARCH_BLOCK + k));
            e = take(s, in, true, out, why);
        }
    }
    return e;
}

static int by_rank(const void *a, const void *b)
{
    const struct search_case *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return memcmp(x->id, y->id, sizeof x->id);
}

enum err search_cases(struct node *n, const struct search_set *in, enum search_which which, struct search_case **out,
                      size_t *out_n, struct why *why)
{
    struct buf list;
    struct stmt *s = NULL;
    enum err e = ERR_OK;
    *out = NULL;
    *out_n = 0;
    if (!search_in_force(n)) return ERR_OK;
    buf_init(&list, (size_t)1 << 30);
    bool found = (which & SEARCH_IN_SET) != 0;
    if (found && count(in) <= FEW)
        e = take_few(n, in, &list, why);
    else if (found && (e = db_prepare(n->db, "SELECT no, case_id, rank FROM n_search", &s, why)) == ERR_OK)
        e = take(s, in, true, &list, why);
    if (e == ERR_OK && (which & SEARCH_MARKED) != 0) {
        e = db_prepare(n->db, "SELECT no, case_id, rank FROM n_search WHERE due > 0", &s, why);
        if (e == ERR_OK) e = take(s, in, false, &list, why);
    }
    if (e == ERR_OK && list.err != ERR_OK) e = no_memory(why);
    size_t cases = list.len / sizeof(struct search_case);
    struct search_case *v = e == ERR_OK && cases > 0 ? calloc(cases, sizeof *v) : NULL;
    if (e == ERR_OK && cases > 0 && v == NULL) e = no_memory(why);
    if (v != NULL) {
        memcpy(v, list.data, cases * sizeof *v);
        qsort(v, cases, sizeof *v, by_rank);
        *out = v;
        *out_n = cases;
    }
    buf_release(&list);
    return e;
}
