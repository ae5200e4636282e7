/* Answers that are still true are not asked for again.
 *
 * A transaction of db_begin holds the hub's lock: until it ends nobody but itself changes what the hub keeps. So the
 * answer to a question (the same text, the same values) stands until this transaction writes to a table that the
 * question names, and at most until its end. An UPDATE of one table ends only what names one of its columns.
 *
 * Answers about calm tables (db_keep) outlive their transaction. Each of these tables has a stamp, a random number in
 * spoke_stamp, which a trigger changes within the transaction that changes the table, whoever does that
 * (db_postgres_stamp.c). All stamps are read when the next transaction has the lock; an answer goes with the stamp that
 * it was asked under. A stamp is never given twice, so that what was undone cannot pass for what stands.
 *
 * What was asked after this transaction had written to the same table ends with the transaction, and with a rollback to
 * any savepoint. Outside transactions, and within those of db_begin_read, nothing is kept. */
#include "sync/db_postgres_internal.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BYTES   (8u << 20) /* of all answers; then they all go */
#define ANSWER_BYTES 65536u     /* a larger one is not kept */
#define ANSWER_ROWS  64u
#define KEY_BYTES    512u

struct pg_answer {
    struct pg_answer *next;
    unsigned refs; /* the table of answers, and statements that stand in it */
    uint64_t hash;
    uint64_t at; /* the clock when it was asked */
    bool calm;   /* of calm tables, none of which this transaction had written to */
    bool own;    /* this transaction had written to one of its tables before */
    PGresult **results;
    size_t n_results, n_bytes, n_key;
    uint8_t key[];
};

/* ---- what may have changed */

static bool has(const struct pg_set *set, size_t i)
{
    return (set->bits[i / 64] >> i % 64 & 1) != 0;
}

static bool names(const struct pg_named *n, uint64_t word)
{
    for (size_t i = 0; i < n->n_words; i++)
        if (n->words[i] == word) return true;
    return false;
}

static bool stands(const struct pg_kept *k, const struct pg_named *n, uint64_t at)
{
    for (size_t i = 0; i < k->n_tables; i++) {
        const struct pg_table *t = &k->tables[i];
        if (!has(&n->tables, i)) continue;
        if (t->changed >= at) return false;
        for (size_t c = 0; c < t->n_columns; c++)
            if (t->column[c].changed >= at && names(n, t->column[c].word)) return false;
    }
    return true;
}

static void column_changed(struct pg_kept *k, struct pg_table *t, uint64_t word)
{
    size_t c = 0;
    while (c < t->n_columns && t->column[c].word != word) c++;
    if (c == PG_COLUMN_CLOCKS) {
        t->changed = k->clock;
        return;
    }
    t->column[c].word = word;
    t->column[c].changed = k->clock;
    if (c == t->n_columns) t->n_columns++;
}

static const struct pg_named *named(struct stmt_pg *s)
{
    struct db_pg *db = pg_of(s->base.db);
    if (s->named.shape != db->kept.shape) pg_name(db, s->sql, s->facts.select, &s->named);
    return &s->named;
}

void pg_kept_wrote(struct stmt_pg *s)
{
    struct pg_kept *k = &pg_of(s->base.db)->kept;
    if (!k->on) return;
    const struct pg_named *n = named(s);
    k->clock++;
    for (size_t i = 0; i < k->n_tables; i++) {
        struct pg_table *t = &k->tables[i];
        if (!has(&n->tables, i)) continue;
        t->mine = k->tx;
        if (n->one < 0) t->changed = k->clock;
        for (size_t c = 0; n->one >= 0 && c < n->n_set; c++) column_changed(k, t, n->set[c]);
    }
}

/* ---- the answers */

static void release(struct pg_answer *a)
{
    if (a == NULL || --a->refs > 0) return;
    for (size_t i = 0; i < a->n_results; i++) PQclear(a->results[i]);
    free(a->results);
    free(a);
}

static void take_out(struct pg_kept *k, struct pg_answer **p)
{
    struct pg_answer *a = *p;
    *p = a->next;
    k->bytes -= a->n_bytes;
    release(a);
}

enum leaving { ALL, OWN, NOT_CALM };

static void leave(struct pg_kept *k, enum leaving which)
{
    for (size_t i = 0; i < PG_ANSWER_SLOTS && k->bytes > 0; i++)
        for (struct pg_answer **p = &k->answers[i]; *p != NULL;) {
            if (which == ALL || (*p)->own || (which == NOT_CALM && !(*p)->calm))
                take_out(k, p);
            else
                p = &(*p)->next;
        }
}

void pg_kept_forget(struct db_pg *db)
{
    leave(&db->kept, ALL);
    db->kept.shape = 0;
    db->kept.on = false;
}

void pg_kept_release(struct db_pg *db)
{
    pg_kept_forget(db);
    free(db->kept.tables);
    db->kept.tables = NULL;
    db->kept.n_tables = 0;
}

void pg_kept_undone(struct db_pg *db)
{
    leave(&db->kept, OWN);
}

void pg_kept_ended(struct db_pg *db)
{
    leave(&db->kept, NOT_CALM);
    db->kept.on = false;
}

void pg_kept_given_back(struct stmt_pg *s)
{
    release(s->given);
    s->given = NULL;
}

/* Which statement, prepared for which types, and its values. 0: too long for one that is kept. */
static size_t make_key(const struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent,
                       uint8_t key[KEY_BYTES])
{
    size_t n = sizeof v->name;
    memcpy(key, &v->name, sizeof v->name);
    for (int i = 0; i < s->facts.n_params; i++) {
        int32_t len = sent->values[i] == NULL ? -1 : (int32_t)sent->lengths[i];
        size_t bytes = len < 0 ? 0 : (size_t)len;
        if (bytes > KEY_BYTES || n + sizeof len + bytes > KEY_BYTES) return 0;
        memcpy(key + n, &len, sizeof len);
        n += sizeof len;
        if (bytes > 0) memcpy(key + n, sent->values[i], bytes);
        n += bytes;
    }
    return n;
}

static bool may_keep(struct stmt_pg *s)
{
    const struct db_pg *db = pg_of(s->base.db);
    return db->kept.on && db->tx_open && s->facts.select && named(s)->keepable;
}

bool pg_kept_find(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent)
{
    struct pg_kept *k = &pg_of(s->base.db)->kept;
    uint8_t key[KEY_BYTES];
    size_t n = may_keep(s) ? make_key(s, v, sent, key) : 0;
    if (n == 0) return false;
    uint64_t hash = hash_keyed8(k->secret, bytes_of(key, n));
    struct pg_answer **p = &k->answers[hash % PG_ANSWER_SLOTS];
    while (*p != NULL && ((*p)->hash != hash || (*p)->n_key != n || memcmp((*p)->key, key, n) != 0)) p = &(*p)->next;
    if (*p == NULL) return false;
    if (!stands(k, &s->named, (*p)->at)) {
        take_out(k, p);
        return false;
    }
    if (!pg_give(s, (*p)->results, (*p)->n_results)) return false;
    s->given = *p;
    s->given->refs++;
    return true;
}

/* Had this transaction written to one of its tables; are they all calm? */
static void look_at(const struct pg_kept *k, const struct pg_named *n, struct pg_answer *a)
{
    a->calm = true;
    for (size_t i = 0; i < k->n_tables; i++) {
        if (!has(&n->tables, i)) continue;
        a->calm = a->calm && k->tables[i].calm;
        a->own = a->own || k->tables[i].mine == k->tx;
    }
    a->calm = a->calm && !a->own;
}

static size_t size_of(const struct stmt_pg *s)
{
    size_t n = sizeof(struct pg_answer) + KEY_BYTES;
    for (size_t i = 0; i < s->n_results; i++) n += PQresultMemorySize(s->results[i]);
    return n;
}

/* What cannot be kept, for want of memory too, is asked for again. */
void pg_kept_put(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent)
{
    struct pg_kept *k = &pg_of(s->base.db)->kept;
    uint8_t key[KEY_BYTES];
    size_t n = may_keep(s) && s->n_results <= ANSWER_ROWS ? make_key(s, v, sent, key) : 0;
    size_t bytes = n > 0 ? size_of(s) : 0;
    if (n == 0 || bytes > ANSWER_BYTES) return;
    if (k->bytes + bytes > MOST_BYTES) leave(k, ALL);
    struct pg_answer *a = calloc(1, sizeof *a + n);
    PGresult **results = calloc(s->n_results + 1, sizeof(PGresult *));
    if (a == NULL || results == NULL) {
        free(a);
        free(results);
        return;
    }
    for (size_t i = 0; i < s->n_results; i++) results[i] = s->results[i];
    a->results = results;
    a->n_results = s->n_results;
    a->n_bytes = bytes;
    a->n_key = n;
    memcpy(a->key, key, n);
    a->hash = hash_keyed8(k->secret, bytes_of(key, n));
    a->at = ++k->clock;
    a->refs = 2; /* the table's, and the statement's that stands in it */
    look_at(k, &s->named, a);
    s->given = a;
    struct pg_answer **slot = &k->answers[a->hash % PG_ANSWER_SLOTS];
    a->next = *slot;
    *slot = a;
    k->bytes += bytes;
}

/* ---- the beginning of a transaction */

/* All but the calm tables may be others now; these where their stamp is. */
void pg_kept_began(struct db_pg *db, const PGresult *stamps)
{
    struct pg_kept *k = &db->kept;
    size_t row = 0, n = stamps == NULL ? 0 : (size_t)PQntuples(stamps);
    k->tx++;
    k->clock++;
    k->on = k->shape != 0;
    for (size_t i = 0; i < k->n_tables; i++) {
        struct pg_table *t = &k->tables[i];
        while (row < n && strcmp(PQgetvalue(stamps, (int)row, 0), t->name) < 0) row++;
        bool found = row < n && strcmp(PQgetvalue(stamps, (int)row, 0), t->name) == 0;
        const char *stamp = found ? PQgetvalue(stamps, (int)row, 1) : "";
        if (t->calm && found && strcmp(t->stamp, stamp) == 0) continue;
        t->changed = k->clock;
        t->n_columns = 0;
        t->stamp[0] = '\0';
        if (found && strlen(stamp) < sizeof t->stamp) memcpy(t->stamp, stamp, strlen(stamp) + 1);
    }
}
