#define SQLITE_ENABLE_PREUPDATE_HOOK 1 /* sqlite3.h declares it only to those who ask */
#include "sync/db_track.h"

#include "sync/db_catalogue.h"
#include "sync/db_sqlite.h"
#include "sync/db_track_set.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64
#define KEY_BYTES  ((size_t)16 << 20) /* of one row */

struct table {
    char name[NAME_BYTES];
    size_t n_key;
    int key[DB_TRACK_MAX_KEY]; /* columns of the primary key, in its order */
    int columns;               /* counted while the catalogue is read */
    bool wanted;
};
struct db_track {
    struct db_track_options opt;
    struct table *table; /* in bytewise order of the names; behind n_sorted those that came since, as they came */
    size_t n, n_sorted;
    struct track_set *set;
    struct buf key; /* scratch */
    bool any;       /* something was touched */
    bool outside;   /* some of it outside a transaction: no rollback undoes that */
};

static struct db_track *track_of(struct db *db)
{
    struct db_sqlite *own = db_sqlite_of(db);
    return own == NULL ? NULL : own->track;
}

static void forget(struct db_track *k)
{
    if (!k->any) return;
    track_set_forget(k->set);
    k->any = k->outside = false;
}

/* ------------------------------------------------------------------------------------------------------ the hook */

static void put_value(struct buf *b, sqlite3_value *v)
{
    int type = sqlite3_value_type(v);
    buf_put_u8(b, (uint8_t)type); /* the numbers are those of enum value_kind */
    if (type == SQLITE_INTEGER) {
        buf_put_be64(b, (uint64_t)sqlite3_value_int64(v));
    } else {
        const void *p = sqlite3_value_blob(v);
        int n = sqlite3_value_bytes(v);
        if (p == NULL && n > 0) b->err = ERR_NOMEM;
        buf_put_be32(b, (uint32_t)n);
        if (n > 0 && p != NULL) buf_put(b, p, (size_t)n);
    }
}

static void touch(struct db_track *k, sqlite3 *sql, size_t table, bool after)
{
    const struct table *t = &k->table[table];
    buf_reset(&k->key);
    for (size_t i = 0; i < t->n_key; i++) {
        sqlite3_value *v = NULL;
        int rc = after ? sqlite3_preupdate_new(sql, t->key[i], &v) : sqlite3_preupdate_old(sql, t->key[i], &v);
        if (rc != SQLITE_OK || v == NULL) {
            k->set->overflow = true;
            return;
        }
        put_value(&k->key, v);
    }
    if (k->key.err != ERR_OK)
        k->set->overflow = true;
    else
        track_set_put(k->set, table, buf_bytes(&k->key));
}

static size_t find(const struct db_track *k, const char *name)
{
    size_t lo = 0, hi = k->n_sorted;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(k->table[mid].name, name);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = k->n_sorted; i < k->n; i++)
        if (strcmp(k->table[i].name, name) == 0) return i;
    return SIZE_MAX;
}

/* A table that came since: what its key is cannot be asked here. */
static size_t add(struct db_track *k, const char *name)
{
    if (k->n == TRACK_MAX_TABLES || strlen(name) >= NAME_BYTES) return SIZE_MAX;
    struct table *t = &k->table[k->n];
    (void)memcpy(t->name, name, strlen(name) + 1);
    t->wanted = k->opt.wants(k->opt.ctx, name);
    return k->n++;
}

static void row_changes(void *ctx, sqlite3 *sql, int op, const char *db_name, const char *name, sqlite3_int64 from,
                        sqlite3_int64 to)
{
    struct db_track *k = ctx;
    (void)from, (void)to;
    if (strcmp(db_name, "main") != 0 || strncmp(name, "sqlite_", 7) == 0) return;
    size_t i = find(k, name);
    if (i == SIZE_MAX) i = add(k, name);
    if (i == SIZE_MAX) {
        k->any = k->set->overflow = true;
        return;
    }
    struct table *t = &k->table[i];
    if (!t->wanted) return;
    k->any = true;
    k->outside |= sqlite3_get_autocommit(sql) != 0;
    if (t->n_key == 0) {
        track_set_put(k->set, i, (struct bytes){0});
        return;
    }
    if (op != SQLITE_INSERT) touch(k, sql, i, false);
    if (op != SQLITE_DELETE) touch(k, sql, i, true);
}

/* -------------------------------------------------------------------------------------------- beginning and end */

static enum err take_column(void *ctx, const struct db_column *c, struct why *why)
{
    struct db_track *k = ctx;
    if (k->n == 0 || strcmp(k->table[k->n - 1].name, c->table) != 0) {
        if (k->n == TRACK_MAX_TABLES || strlen(c->table) >= NAME_BYTES)
            return why_set(why, ERR_LIMIT, "The store has more tables than can be watched.");
        struct table *t = &k->table[k->n++];
        (void)memcpy(t->name, c->table, strlen(c->table) + 1);
            t->wanted = k->opt.wants(k->opt.ctx, t->name);
    }
    struct table *t = &k->table[k->n - 1];
    if (c->key > DB_TRACK_MAX_KEY) return why_set(why, ERR_LIMIT, "The table %.60s has too long a key.", t->name);
    if (c->key > 0) {
        t->key[c->key - 1] = t->columns;
        t->n_key++;
    }
    t->columns++;
    return ERR_OK;
}

static void release(struct db_track *k)
{
    buf_release(&k->key);
    track_set_free(k->set);
    free(k->table);
    free(k);
}

enum err db_track_start(struct db *db, const struct db_track_options *opt, struct why *why)
{
    struct db_sqlite *own = db_sqlite_of(db);
    if (own == NULL || own->sum != NULL || own->track != NULL || db->in_tx) return db_not_here(why);
    struct db_track *k = calloc(1, sizeof *k);
    if (k == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    k->table = calloc(TRACK_MAX_TABLES, sizeof *k->table);
    k->set = track_set_new(db->env);
    if (k->table == NULL || k->set == NULL) {
        release(k);
        return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    }
    k->opt = *opt;
    buf_init(&k->key, KEY_BYTES);
    enum err e = db_catalogue(db, take_column, k, why);
    k->n_sorted = k->n;
    if (e != ERR_OK) {
        release(k);
        return e;
    }
    db_stmt_free_all(db); /* a DELETE of all rows that was prepared without the hook would not tell of them */
    own->track = k;
    (void)sqlite3_preupdate_hook(own->sql, row_changes, k);
    return ERR_OK;
}

void db_track_end(struct db *db)
{
    struct db_sqlite *own = db_sqlite_of(db);
    if (own == NULL || own->track == NULL) return;
    (void)sqlite3_preupdate_hook(own->sql, NULL, NULL);
    release(own->track);
    own->track = NULL;
}

enum err db_track_before_commit(struct db_sqlite *db, struct why *why)
{
    struct db_track *k = db->track;
    return k != NULL && k->any ? k->opt.before_commit(k->opt.ctx, why) : ERR_OK;
}

void db_track_committed(struct db_sqlite *db)
{
    if (db->track != NULL) forget(db->track);
}

void db_track_rolled_back(struct db_sqlite *db)
{
    if (db->track != NULL && !db->track->outside) forget(db->track);
}

/* ------------------------------------------------------------------------------------------------- what it tells */

enum err db_track_each(struct db *db, db_track_fn each, void *ctx, struct why *why)
{
    struct db_track *k = track_of(db);
    if (k == NULL) return db_not_here(why);
    if (k->set->overflow) return why_set(why, ERR_LIMIT, "A transaction touched more rows than can be remembered.");
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < k->n; i++) e = track_set_each(k->set, i, k->table[i].name, each, ctx, why);
    return e;
}
