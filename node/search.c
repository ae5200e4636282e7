/* The search index: whether it is in force, which cases are marked, and what is taken out of it (node/search.h). */
#include "node/search.h"

#include "crypto/hash.h"
#include "node/search_sql.h"
#include "sync/db_sum.h"

#include <stdlib.h>
#include <string.h>

#define VERSION   2u          /* of tables, words and folding: another one is made anew */
#define MARKS_MAX (16u << 20) /* bytes: a million cases in one transaction */
#define ID        16u
#define LISTED    2000u /* cases that are gone through in a step */

/* Cases whose rows changed since the last commit: a hash table of ids with open addressing. */
struct marks {
    uint8_t (*id)[ID]; /* owned; zeros: free */
    size_t n, cap;     /* cap: a power of two */
    bool lost;         /* there was no room: all cases count */
    uint8_t secret[HASH_TABLE_KEY_BYTES]; /* other devices choose the ids of cases */
};

struct search {
    bool in_force;
    struct marks marks;
    uint8_t last[ID]; /* the case marked last: rows of a case come together */
};

/* --------------------------------------------------------------------------------------------------- marks */

static size_t slot_of(const struct marks *m, const uint8_t id[ID])
{
    static const uint8_t none[ID];
    size_t i = (size_t)hash_keyed8(m->secret, bytes_of(id, ID)) & (m->cap - 1);
    while (memcmp(m->id[i], none, ID) != 0 && memcmp(m->id[i], id, ID) != 0) i = (i + 1) & (m->cap - 1);
    return i;
}

static bool grow(struct marks *m)
{
    static const uint8_t none[ID];
    struct marks next = *m;
    next.cap = m->cap == 0 ? 64 : m->cap * 2;
    if (next.cap * ID > MARKS_MAX) return false;
    next.id = calloc(next.cap, ID);
    if (next.id == NULL) return false;
    for (size_t i = 0; i < m->cap; i++)
        if (memcmp(m->id[i], none, ID) != 0) memcpy(next.id[slot_of(&next, m->id[i])], m->id[i], ID);
    free(m->id);
    *m = next;
    return true;
}

static void marks_add(struct marks *m, const uint8_t id[ID])
{
    static const uint8_t none[ID];
    if (memcmp(id, none, ID) == 0) return;
    if (2 * (m->n + 1) > m->cap && !grow(m)) {
        m->lost = true;
        return;
    }
    size_t i = slot_of(m, id);
    m->n += memcmp(m->id[i], none, ID) == 0;
    memcpy(m->id[i], id, ID);
}

static void marks_clear(struct marks *m)
{
    free(m->id);
    m->id = NULL;
    m->n = m->cap = 0;
    m->lost = false;
}

static void row_changes(void *ctx, int table_index, const uint8_t case_id[16])
{
    struct search *s = ctx;
    if (!search_has_table(table_index) || memcmp(s->last, case_id, ID) == 0) return;
    marks_add(&s->marks, case_id);
    memcpy(s->last, case_id, ID);
}

static void all_marked(struct search *s)
{
    marks_clear(&s->marks);
    memset(s->last, 0, ID);
}

/* ------------------------------------------------------------------------------------------------- in force */

static void put_in_force(struct node *n, bool on)
{
    n->search->in_force = on;
    all_marked(n->search);
    db_sum_watch(n->db, on ? row_changes : NULL, n->search);
}

bool search_in_force(const struct node *n)
{
    return n->search->in_force;
}

enum err search_open(struct node *n, struct why *why)
{
    uint8_t sum[DB_SUM_BYTES], known[DB_SUM_BYTES];
    uint64_t version = 0;
    n->search = calloc(1, sizeof *n->search);
    if (n->search == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open this device's records.");
    env_random(n->env, n->search->marks.secret, HASH_TABLE_KEY_BYTES);
    enum err e = state_number(n->db, "search", &version, why);
    if (e != ERR_OK || version != VERSION || !db_sum_now(n->db, sum)) return e;
    e = state_fixed(n->db, "search_sum", known, sizeof known, why);
    /* Other rows than it was told of: an older program wrote them, or it was put back. It counts as none. */
    if (e == ERR_OK && memcmp(sum, known, sizeof sum) == 0) put_in_force(n, true);
    return e;
}

void search_close(struct node *n)
{
    if (n->search == NULL) return;
    marks_clear(&n->search->marks);
    free(n->search);
    n->search = NULL;
}

static enum err put_sum(struct node *n, const uint8_t sum[DB_SUM_BYTES], struct why *why)
{
    return state_put(n->db, "search_sum", bytes_of(sum, DB_SUM_BYTES), why);
}

static enum err mark(struct node *n, const uint8_t case_id[ID], struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db,
                            "INSERT INTO n_search(case_id, due) VALUES($1, 2)"
                            " ON CONFLICT(case_id) DO UPDATE SET due = 1 WHERE due = 0",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    return db_run(s, why);
}

static enum err list_anew(struct node *n, struct why *why)
{
    static const uint8_t none[ID];
    enum err e = state_set_number(n->db, "search_listed", 0, why);
    return e == ERR_OK ? state_put(n->db, "search_after", bytes_of(none, ID), why) : e;
}

enum err search_note(struct node *n, const uint8_t sum[DB_SUM_BYTES], struct why *why)
{
    static const uint8_t none[ID];
    struct search *q = n->search;
    enum err e = ERR_OK;
    if (q == NULL || !q->in_force) return ERR_OK;
    if (q->marks.lost) e = db_exec(n->db, "UPDATE n_search SET due = 1 WHERE due = 0", why);
    if (q->marks.lost && e == ERR_OK) e = list_anew(n, why);
    for (size_t i = 0; e == ERR_OK && i < q->marks.cap; i++)
        if (memcmp(q->marks.id[i], none, ID) != 0) e = mark(n, q->marks.id[i], why);
    if (e == ERR_OK) e = put_sum(n, sum, why);
    if (e == ERR_TAMPERED)
        put_in_force(n, false);     /* a page of it is bad: that keeps nobody's work, nor orders, out twice */
    if (e == ERR_OK) all_marked(q); /* rolled back after this, the rows are as they were: there is nothing to mark */
    return e;
}

enum err search_begin(struct node *n, struct why *why)
{
    uint8_t sum[DB_SUM_BYTES] = {0};
    enum err e = db_exec(n->db, "DROP TABLE IF EXISTS n_word; DROP TABLE IF EXISTS n_search", why);
    if (e == ERR_OK) e = db_exec(n->db, node_search_sql, why); /* of another version they look otherwise */
    if (e == ERR_OK) e = list_anew(n, why);
    if (e == ERR_OK) e = state_set_number(n->db, "search", VERSION, why);
    if (e == ERR_OK && !db_sum_now(n->db, sum))
        e = why_set(why, ERR_FAILED, "The rows of this device are not followed.");
    if (e == ERR_OK) e = put_sum(n, sum, why);
    if (e == ERR_OK) put_in_force(n, true);
    return e;
}

enum err search_listed(struct node *n, uint64_t *out, struct why *why)
{
    *out = 0;
    return search_in_force(n) ? state_number(n->db, "search_listed", out, why) : ERR_OK;
}

enum err search_list_next(struct node *n, uint64_t listed, struct why *why)
{
    static const uint8_t none[ID];
    uint8_t after[ID] = {0};
    bool more = false;
    enum err e = state_fixed(n->db, "search_after", after, sizeof after, why);
    if (e == ERR_OK) e = search_list_cases(n, (size_t)listed, after, LISTED, &more, why);
    if (e == ERR_OK) e = state_put(n->db, "search_after", bytes_of(more ? after : none, ID), why);
    return e == ERR_OK && !more ? state_set_number(n->db, "search_listed", listed + 1, why) : e;
}

void search_not_begun(struct node *n)
{
    put_in_force(n, false);
}

/* --------------------------------------------------------------------------------------------------- taken out */

enum err search_clear(struct node *n, int64_t block, const struct search_bits *cases, struct why *why)
{
    if (search_bits_count(cases) == 0) return ERR_OK;
    enum err e = search_words_merge(n, block, cases, NULL, 0, NULL, why);
    return e == ERR_OK ? search_pairs_merge(n, block, cases, NULL, why) : e;
}

struct marked {
    int64_t no;
    uint8_t id[ID];
};

static enum err list_marked(struct node *n, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT no, case_id FROM n_search WHERE due > 0 ORDER BY no", &s, why);
    while (e == ERR_OK) {
        struct marked m;
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        m.no = db_int(s, 0);
        (void)db_id(s, 1, m.id);
        buf_put(out, &m, sizeof m);
    }
    db_done(s);
    return e == ERR_OK && out->err != ERR_OK ? why_set(why, out->err, "There is not enough memory for the search.") : e;
}

/* The case too, where nothing of it stands here any more. */
static enum err forget_case(struct node *n, const struct marked *m, struct why *why)
{
    const int64_t args[] = {m->no};
    bool here = false;
    enum err e = search_case_here(n, m->id, &here, why);
    if (e != ERR_OK) return e;
    return state_run(n->db, here ? "UPDATE n_search SET due = 2 WHERE no = $1" : "DELETE FROM n_search WHERE no = $1",
                     args, 1, why);
}

static enum err forget_marked(struct node *n, struct why *why)
{
    struct buf list;
    int64_t block = -1;
    struct search_bits bits = {0};
    buf_init(&list, MARKS_MAX * 4);
    enum err e = list_marked(n, &list, why);
    for (size_t at = 0; e == ERR_OK && at < list.len; at += sizeof(struct marked)) {
        struct marked m;
        memcpy(&m, list.data + at, sizeof m);
        if (m.no / SEARCH_BLOCK != block) {
            if (block >= 0) e = search_clear(n, block, &bits, why);
            block = m.no / SEARCH_BLOCK;
            bits = (struct search_bits){0};
        }
        search_bits_add(&bits, (size_t)(m.no % SEARCH_BLOCK));
        if (e == ERR_OK) e = forget_case(n, &m, why);
    }
    if (e == ERR_OK && block >= 0) e = search_clear(n, block, &bits, why);
    buf_release(&list);
    return e;
}

/* Tables that are not in force may hold anything. */
static enum err forget_all(struct node *n, struct why *why)
{
    uint64_t there = 0;
    enum err e = state_ask(n->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'n_word'", &there, why);
    if (e == ERR_OK && there != 0) e = state_ask(n->db, "SELECT EXISTS(SELECT 1 FROM n_search)", &there, why);
    if (e != ERR_OK || there == 0) return e;
    e = db_exec(n->db, "DELETE FROM n_word; DELETE FROM n_search", why);
    return e == ERR_OK ? state_set_number(n->db, "search", 0, why) : e;
}

/* Numbers are not given twice while later ones are in use. When most stand for nothing, it is made anew. */
static enum err is_sparse(struct node *n, bool *out, struct why *why)
{
    uint64_t sparse = 0;
    enum err e = state_ask(n->db, "SELECT coalesce(max(no), 0) > 2 * count(*) + 4800 FROM n_search", &sparse, why);
    *out = sparse != 0;
    return e;
}

static enum err forget(struct node *n, bool all, struct why *why)
{
    bool sparse = all || !search_in_force(n);
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    if (!sparse) e = forget_marked(n, why);
    if (e == ERR_OK && !sparse) e = is_sparse(n, &sparse, why);
    if (e == ERR_OK && sparse) e = forget_all(n, why);
    if (e == ERR_OK) {
        e = db_commit(n->db, why);
        if (e == ERR_OK && sparse) put_in_force(n, false);
        return e;
    }
    db_rollback(n->db);
    return e;
}

/* Its pages cannot be read, so they cannot be emptied: the store is rewritten without them (node/purge.c). */
static enum err stand_aside(struct node *n, struct why *why)
{
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    put_in_force(n, false);
    e = db_exec(n->db,
                "ALTER TABLE n_word RENAME TO " DAMAGED_TABLES "_word; ALTER TABLE n_search RENAME TO " DAMAGED_TABLES
                "_search",
                why);
    if (e == ERR_OK) e = content_purge_due(n, PURGE_DAMAGED, why);
    if (e == ERR_OK) e = state_set_number(n->db, "search", 0, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

enum err search_forget(struct node *n, struct why *why)
{
    enum err e = forget(n, false, why);
    return e == ERR_TAMPERED ? stand_aside(n, why) : e;
}

enum err search_forget_all(struct node *n, struct why *why)
{
    enum err e = forget(n, true, why);
    return e == ERR_TAMPERED ? stand_aside(n, why) : e;
}
