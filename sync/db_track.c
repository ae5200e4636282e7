#define SQLITE_ENABLE_PREUPDATE_HOOK 1 /* sqlite3.h declares it only to those who ask */
#include "sync/db_track.h"

#include "crypto/hash.h"
#include "sync/db_catalogue.h"
#include "sync/db_sqlite.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_MAX  256
#define NAME_BYTES  64
#define BYTES_MAX   ((size_t)128 << 20) /* of keys, of one transaction */
#define SLOTS_FIRST 256u

struct table {
    char name[NAME_BYTES];
    size_t n_key;
    int key[DB_TRACK_MAX_KEY]; /* columns of the primary key, in its order */
    int columns;               /* counted while the catalogue is read */
    bool wanted, whole;        /* whole: it was touched, and has no key */
    struct buf keys;           /* those of the rows that were touched: its length in 4 bytes, then its values */
};
struct db_track {
    struct db_track_options opt;
    struct table *table; /* in bytewise order of the names; behind n_sorted those that came since, as they came */
    size_t n, n_sorted;
    struct slot {
        uint64_t hash; /* of table and key; 0: free */
        uint32_t table, at;
    } *slot;           /* open addressing, a power of two of them */
    size_t n_slots, n_used;
    struct buf key; /* scratch */
    bool any;       /* something was touched */
    bool outside;   /* some of it outside a transaction: no rollback undoes that */
    bool overflow;  /* and could not be remembered */
};

static struct db_track *track_of(struct db *db)
{
    struct db_sqlite *own = db_sqlite_of(db);
    return own == NULL ? NULL : own->track;
}

/* ------------------------------------------------------------------------------------------------- the set of keys */

/* FNV-1a: keys are the hub's own numbers and ids, and none of a stranger's choosing. */
static uint64_t hash_of(size_t table, struct bytes key)
{
    uint64_t h = (14695981039346656037u ^ table) * 1099511628211u;
    for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * 1099511628211u;
    return h == 0 ? 1 : h;
}

static struct bytes key_at(const struct table *t, size_t at)
{
    const uint8_t *p = t->keys.data + at;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return bytes_of(p + 4, n);
}

static bool grow(struct db_track *k)
{
    size_t n = k->n_slots == 0 ? SLOTS_FIRST : k->n_slots * 2;
    struct slot *to = calloc(n, sizeof *to);
    if (to == NULL) return false;
    for (size_t i = 0; i < k->n_slots; i++) {
        if (k->slot[i].hash == 0) continue;
        size_t at = k->slot[i].hash & (n - 1);
        while (to[at].hash != 0) at = (at + 1) & (n - 1);
        to[at] = k->slot[i];
    }
    free(k->slot);
    k->slot = to;
    k->n_slots = n;
    return true;
}

/* The key in k->key, once. */
static void remember(struct db_track *k, size_t table)
{
    struct table *t = &k->table[table];
    struct bytes key = buf_bytes(&k->key);
    uint64_t hash = hash_of(table, key);
    if (k->key.err != ERR_OK || (k->n_used * 2 >= k->n_slots && !grow(k))) {
        k->overflow = true;
        return;
    }
    size_t i = hash & (k->n_slots - 1);
    for (; k->slot[i].hash != 0; i = (i + 1) & (k->n_slots - 1))
        if (k->slot[i].hash == hash && k->slot[i].table == table && bytes_equal(key_at(t, k->slot[i].at), key)) return;
    size_t at = t->keys.len;
    buf_put_be32(&t->keys, (uint32_t)key.n);
    buf_put_bytes(&t->keys, key);
    if (t->keys.err != ERR_OK) {
        k->overflow = true;
        return;
    }
    k->slot[i] = (struct slot){.hash = hash, .table = (uint32_t)table, .at = (uint32_t)at};
    k->n_used++;
}

static void forget(struct db_track *k)
{
    if (!k->any) return;
    for (size_t i = 0; i < k->n; i++) {
        buf_release(&k->table[i].keys);
        buf_init(&k->table[i].keys, BYTES_MAX);
        k->table[i].whole = false;
    }
    if (k->n_slots > SLOTS_FIRST * 64) {
        free(k->slot);
        k->slot = NULL;
        k->n_slots = 0;
    } else if (k->n_used > 0) {
        memset(k->slot, 0, k->n_slots * sizeof *k->slot);
    }
    k->n_used = 0;
    k->any = k->overflow = k->outside = false;
}

/* ------------------------------------------------------------------------------------------------------ the hook */

static void put_value(struct buf *b, sqlite3_value *v)
{
    int type = sqlite3_value_type(v);
    buf_put_u8(b, (uint8_t)type);
    if (type == SQLITE_INTEGER) {
        buf_put_be64(b, (uint64_t)sqlite3_value_int64(v));
    } else if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
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
            k->overflow = true;
            return;
        }
        put_value(&k->key, v);
    }
    remember(k, table);
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
    if (k->n == TABLES_MAX || strlen(name) >= NAME_BYTES) return SIZE_MAX;
    struct table *t = &k->table[k->n];
    (void)memcpy(t->name, name, strlen(name) + 1);
    buf_init(&t->keys, BYTES_MAX);
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
        k->any = k->overflow = true;
        return;
    }
    struct table *t = &k->table[i];
    if (!t->wanted) return;
    k->any = true;
    k->outside |= sqlite3_get_autocommit(sql) != 0;
    if (t->n_key == 0) {
        t->whole = true;
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
        if (k->n == TABLES_MAX || strlen(c->table) >= NAME_BYTES)
            return why_set(why, ERR_LIMIT, "The store has more tables than can be watched.");
        struct table *t = &k->table[k->n++];
        (void)memcpy(t->name, c->table, strlen(c->table) + 1);
        buf_init(&t->keys, BYTES_MAX);
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
    for (size_t i = 0; i < k->n; i++) buf_release(&k->table[i].keys);
    buf_release(&k->key);
    free(k->table);
    free(k->slot);
    free(k);
}

enum err db_track_start(struct db *db, const struct db_track_options *opt, struct why *why)
{
    struct db_sqlite *own = db_sqlite_of(db);
    if (own == NULL || own->sum != NULL || own->track != NULL || db->in_tx) return db_not_here(why);
    struct db_track *k = calloc(1, sizeof *k);
    if (k != NULL) k->table = calloc(TABLES_MAX, sizeof *k->table);
    if (k == NULL || k->table == NULL) {
        free(k);
        return why_set(why, ERR_NOMEM, "There is not enough memory to open the store.");
    }
    k->opt = *opt;
    buf_init(&k->key, BYTES_MAX);
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

static uint64_t take_be(const uint8_t **p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0) v = v << 8 | *(*p)++;
    return v;
}

static struct value take_value(const uint8_t **p)
{
    int type = *(*p)++;
    if (type == SQLITE_INTEGER) return value_int((int64_t)take_be(p, 8));
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) return value_null();
    size_t n = (size_t)take_be(p, 4);
    struct bytes b = bytes_of(*p, n);
    *p += n;
    return type == SQLITE_TEXT ? value_text(b) : value_blob(b);
}

static enum err tell_table(const struct table *t, db_track_fn each, void *ctx, struct why *why)
{
    enum err e = t->whole ? each(ctx, t->name, NULL, 0, why) : ERR_OK;
    for (size_t at = 0; e == ERR_OK && at < t->keys.len;) {
        struct value v[DB_TRACK_MAX_KEY];
        struct bytes key = key_at(t, at);
        const uint8_t *p = key.p;
        for (size_t i = 0; i < t->n_key; i++) v[i] = take_value(&p);
        e = each(ctx, t->name, v, t->n_key, why);
        at += 4 + key.n;
    }
    return e;
}

enum err db_track_each(struct db *db, db_track_fn each, void *ctx, struct why *why)
{
    struct db_track *k = track_of(db);
    if (k == NULL) return db_not_here(why);
    if (k->overflow) return why_set(why, ERR_LIMIT, "A transaction touched more rows than can be remembered.");
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < k->n; i++) e = tell_table(&k->table[i], each, ctx, why);
    return e;
}
