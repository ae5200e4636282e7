/* Which cases came again: a person of the case stands in another one that was received within the year before, by the
 * same number, by the same name and date of birth, or because somebody linked the two. */
#include "node/look_performance.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_MS INT64_C(31536000000)

struct trait {
    struct perf_text key; /* what tells a person */
    size_t of;            /* case: its place */
    int64_t at;           /* when that was received */
};
struct traits {
    struct perf *p;
    struct trait *list; /* owned */
    size_t n, cap;
};

/* Letters of names are compared without their case where they are ASCII; all else as it is. */
static void fold(struct buf *b, size_t from)
{
    for (size_t i = from; i < b->len; i++)
        if (b->data[i] < 0x80) b->data[i] = (uint8_t)tolower(b->data[i]);
}

/* The case and three texts that tell a person together; a person of whom one is not known is told by none. */
static enum err take(struct traits *t, struct stmt *s, struct why *why)
{
    struct buf *texts = &t->p->texts;
    uint8_t id[16];
    const struct perf_case *c = db_id(s, 0, id) ? perf_find(t->p, id) : NULL;
    if (c == NULL || c->received_at == 0) return ERR_OK;
    for (int i = 1; i <= 3; i++)
        if (db_bytes(s, i).n == 0) return ERR_OK;
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 1024 : t->cap * 2;
        struct trait *grown = reallocarray(t->list, cap, sizeof *grown);
        if (grown == NULL) return perf_no_memory(why);
        t->list = grown;
        t->cap = cap;
    }
    size_t from = texts->len;
    for (int i = 1; i <= 3; i++) {
        buf_put_bytes(texts, db_bytes(s, i));
        buf_put_u8(texts, 0); /* no text has it: two names are not one */
    }
    if (texts->err != ERR_OK) return perf_no_memory(why);
    fold(texts, from);
    t->list[t->n++] = (struct trait){
        .key = {(uint32_t)from, (uint32_t)(texts->len - from)}, .of = (size_t)(c - t->p->cases), .at = c->received_at};
    return ERR_OK;
}

static enum err gather(struct traits *t, const char *sql, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(t->p->n->db, sql, &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) e = take(t, s, why);
    db_done(s);
    return e;
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct perf *p = ctx;
    const struct trait *x = a, *y = b;
    int c = bytes_compare(perf_bytes(p, x->key), perf_bytes(p, y->key));
    if (c != 0) return c;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* What says that it came before 1970 says nothing. */
static bool within_a_year(int64_t before, int64_t now)
{
    return before > 0 && before < now && now - before <= YEAR_MS;
}

/* In the order of persons, and of time within one: each is held against the last that came before its own moment, which
 * is of another case. */
static void mark(const struct traits *t)
{
    size_t moment = 0; /* where the rows of this person and moment begin */
    for (size_t i = 1; i < t->n; i++) {
        const struct trait *now = &t->list[i], *last = &t->list[i - 1];
        bool same = bytes_equal(perf_bytes(t->p, now->key), perf_bytes(t->p, last->key));
        if (!same || now->at != last->at) moment = i;
        if (moment == 0) continue;
        const struct trait *before = &t->list[moment - 1];
        if (within_a_year(before->at, now->at) &&
            bytes_equal(perf_bytes(t->p, now->key), perf_bytes(t->p, before->key)))
            t->p->cases[now->of].again = true;
    }
}

/* Also what a person linked. */
static enum err mark_links(struct perf *p, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        p->n->db, "SELECT case_id, other_case_id FROM link WHERE voided_at IS NULL AND other_case_id IS NOT NULL", &s,
        why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t id[16], other_id[16];
        struct perf_case *a = db_id(s, 0, id) ? perf_find(p, id) : NULL;
        struct perf_case *b = db_id(s, 1, other_id) ? perf_find(p, other_id) : NULL;
        if (a == NULL || b == NULL || a->received_at == 0 || b->received_at == 0) continue;
        if (within_a_year(a->received_at, b->received_at)) b->again = true;
        if (within_a_year(b->received_at, a->received_at)) a->again = true;
    }
    db_done(s);
    return e;
}

enum err perf_again(struct perf *p, struct why *why)
{
    struct traits t = {.p = p};
    enum err e =
        gather(&t, "SELECT case_id, family_name, given_names, born_on FROM person WHERE voided_at IS NULL", why);
    if (e == ERR_OK) e = gather(&t, "SELECT case_id, scheme, value, 'id' FROM identifier WHERE voided_at IS NULL", why);
    if (e == ERR_OK && t.n > 0) qsort_r(t.list, t.n, sizeof t.list[0], by_key, p);
    if (e == ERR_OK) mark(&t);
    free(t.list);
    return e == ERR_OK ? mark_links(p, why) : e;
}
