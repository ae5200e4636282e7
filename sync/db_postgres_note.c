/* Rows that changed, noted by PostgreSQL (sync/db_note.h): one function and two triggers a table.
 *
 * Notes are rows that are only ever added, without an index: nothing of them can be in anybody's way. A key is written
 * as sync/db_track_set.h has it. The functions run as who owns the schema, so that whoever may write to a table needs
 * no right to the notes, and look nothing up in a path of the caller's. The triggers fire always, also where a session
 * says that it only replays what was done elsewhere.
 *
 * TRUNCATE takes away rows that its transaction cannot see. In READ COMMITTED each look has a moment of its own, here
 * one with the table to itself, so that it sees them all; with another isolation TRUNCATE is refused. */
#include "sync/db_postgres_internal.h"

#include "sync/db_catalogue.h"
#include "sync/db_track_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64
#define TABLE_MAX  (NAME_BYTES - 1 - (int)sizeof "spoke_note_") /* bytes of a name that can be noted */
#define TEXT_MAX   (64u << 10)
#define VERSION    "-- 2 --" /* how a function begins; another one is written anew */

struct noted_key {
    char name[NAME_BYTES];
    enum value_kind kind; /* VALUE_NONE: one that cannot be noted */
};
struct noted_table {
    char name[NAME_BYTES];
    size_t n_key, n_triggers;
    bool older; /* its function is an older program's */
    struct noted_key key[DB_TRACK_MAX_KEY];
};
struct noted {
    struct noted_table *table; /* owned */
    size_t n;
};

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to watch the store.");
}

/* ------------------------------------------------------------------------------------------- what tables there are */

static enum value_kind kind_of(const char *type)
{
    return strcmp(type, "int8") == 0    ? VALUE_INT
           : strcmp(type, "text") == 0  ? VALUE_TEXT
           : strcmp(type, "bytea") == 0 ? VALUE_BLOB
                                        : VALUE_NONE;
}

static enum err take_column(void *ctx, const struct db_column *c, struct why *why)
{
    struct noted *all = ctx;
    if (all->n == 0 || strcmp(all->table[all->n - 1].name, c->table) != 0) {
        if (all->n == TRACK_MAX_TABLES || strlen(c->table) >= (size_t)TABLE_MAX || strpbrk(c->table, "\"'\\$") != NULL)
            return why_set(why, ERR_LIMIT, "The store has more tables than can be watched, or one of a strange name.");
        (void)snprintf(all->table[all->n++].name, NAME_BYTES, "%s", c->table);
    }
    struct noted_table *t = &all->table[all->n - 1];
    if (c->key == 0) return ERR_OK;
    if (c->key > DB_TRACK_MAX_KEY || strlen(c->name) >= NAME_BYTES || strpbrk(c->name, "\"'\\$") != NULL ||
        kind_of(c->type) == VALUE_NONE)
        return why_set(why, ERR_LIMIT, "The table %.60s has a key that cannot be watched.", t->name);
    struct noted_key *k = &t->key[c->key - 1];
    (void)snprintf(k->name, NAME_BYTES, "%s", c->name);
    k->kind = kind_of(c->type);
    t->n_key++;
    return ERR_OK;
}

static enum err count_triggers(struct db *db, struct noted *all, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        db,
        "SELECT CAST(c.relname AS TEXT), count(*), count(CASE WHEN p.prosrc LIKE '" VERSION "%' THEN 1 END) FROM "
        "pg_catalog.pg_class AS c JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid AND CAST(g.tgname AS TEXT) IN "
        "('spoke_note', 'spoke_note_all') AND g.tgenabled = 'A' JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid "
        "WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema()) "
        "GROUP BY c.relname",
        &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        for (size_t i = 0; i < all->n; i++)
            if (bytes_equal(db_bytes(s, 0), bytes_of_str(all->table[i].name))) {
                all->table[i].n_triggers = (size_t)db_int(s, 1);
                all->table[i].older = db_int(s, 2) != db_int(s, 1);
            }
    db_done(s);
    return e;
}

/* Give back with free(all->table), also after an error. */
static enum err look(struct db *db, struct noted *all, struct why *why)
{
    *all = (struct noted){.table = calloc(TRACK_MAX_TABLES, sizeof *all->table)};
    if (all->table == NULL) return no_memory(why);
    enum err e = db_catalogue(db, take_column, all, why);
    return e == ERR_OK ? count_triggers(db, all, why) : e;
}

enum err pg_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why)
{
    struct noted all;
    enum err e = look(db, &all, why);
    *out = e == ERR_OK;
    for (size_t i = 0; i < all.n; i++)
        if (all.table[i].n_triggers != 2 && opt->wants(opt->ctx, all.table[i].name)) *out = false;
    free(all.table);
    return e;
}

/* -------------------------------------------------------------------------------------------------- laying triggers */

/* The key of the row `of`. Written so that no setting of a session changes what it means. */
static void put_key(struct buf *b, const struct noted_table *t, const char *of)
{
    if (t->n_key == 0) buf_put_str(b, "''::bytea");
    for (size_t i = 0; i < t->n_key; i++) {
        const char *name = t->key[i].name;
        buf_printf(b, "%sE'\\\\x%02x'::bytea || ", i > 0 ? " || " : "", (unsigned)t->key[i].kind);
        if (t->key[i].kind == VALUE_INT)
            buf_printf(b, "int8send(%s.\"%s\")", of, name);
        else if (t->key[i].kind == VALUE_TEXT)
            buf_printf(b, "int4send(octet_length(%s.\"%s\")) || convert_to(%s.\"%s\", 'UTF8')", of, name, of, name);
        else
            buf_printf(b, "int4send(octet_length(%s.\"%s\")) || %s.\"%s\"", of, name, of, name);
    }
}

static void put_one(struct buf *b, const char *schema, const struct noted_table *t, const char *of)
{
    buf_printf(b, "INSERT INTO \"%s\".spoke_touched(t, k) VALUES('%s', ", schema, t->name);
    put_key(b, t, of);
    buf_put_str(b, ");\n");
}

static void put_all(struct buf *b, const char *schema, const struct noted_table *t)
{
    buf_printf(b, "INSERT INTO \"%s\".spoke_touched(t, k) SELECT '%s', ", schema, t->name);
    put_key(b, t, "x");
    buf_printf(b, " FROM \"%s\".\"%s\" AS x%s;\n", schema, t->name, t->n_key == 0 ? " LIMIT 1" : "");
}

static void put_refusal(struct buf *b, const struct noted_table *t)
{
    buf_printf(b,
               "IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN "
               "RAISE EXCEPTION USING MESSAGE = 'The hub keeps a journal, which TRUNCATE of %s would make a gap in: "
               "this transaction does not see all rows that would go.', HINT = 'Do it in READ COMMITTED, or use DELETE.'; "
               "END IF;\n",
               t->name);
}

static void put_ends(struct buf *b, const struct noted_table *t, const char *of)
{
    for (size_t i = 0; i < t->n_key; i++) buf_printf(b, "%s%s.\"%s\"", i > 0 ? ", " : "", of, t->key[i].name);
}

static void put_function(struct buf *b, const char *schema, const struct noted_table *t)
{
    buf_printf(
        b,
        "CREATE OR REPLACE FUNCTION \"%s\".\"spoke_note_%s\"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = pg_catalog, pg_temp AS $spoke$" VERSION "\nBEGIN\n",
        schema, t->name);
    if (t->n_key == 0) {
        put_one(b, schema, t, "x");
    } else {
        buf_put_str(b, "IF TG_OP = 'TRUNCATE' THEN\n");
        put_refusal(b, t);
        put_all(b, schema, t);
        buf_put_str(b, "RETURN NULL; END IF;\nIF TG_OP <> 'DELETE' THEN\n");
        put_one(b, schema, t, "NEW");
        buf_put_str(b, "END IF;\nIF TG_OP = 'DELETE' THEN\n");
        put_one(b, schema, t, "OLD");
        buf_put_str(b, "ELSIF TG_OP = 'UPDATE' THEN IF ROW(");
        put_ends(b, t, "OLD");
        buf_put_str(b, ") IS DISTINCT FROM ROW(");
        put_ends(b, t, "NEW");
        buf_put_str(b, ") THEN\n");
        put_one(b, schema, t, "OLD");
        buf_put_str(b, "END IF; END IF;\n");
    }
    buf_put_str(b, "RETURN NULL; END$spoke$;\n");
}

/* A table without a key is noted as a whole, once a statement. */
static void put_triggers(struct buf *b, const char *schema, const struct noted_table *t)
{
    static const char *const when[][2] = {{"spoke_note", "AFTER INSERT OR UPDATE OR DELETE"},
                                          {"spoke_note_all", "BEFORE TRUNCATE"}};
    for (size_t i = 0; i < 2; i++)
        buf_printf(
            b,
            "CREATE OR REPLACE TRIGGER %s %s ON \"%s\".\"%s\" FOR EACH %s EXECUTE FUNCTION \"%s\".\"spoke_note_%s\"();"
            "ALTER TABLE \"%s\".\"%s\" ENABLE ALWAYS TRIGGER %s;\n",
            when[i][0], when[i][1], schema, t->name, i == 0 && t->n_key > 0 ? "ROW" : "STATEMENT", schema, t->name,
            schema, t->name, when[i][0]);
}

static enum err run_text(struct db_pg *db, struct buf *b, struct why *why)
{
    const char *text = buf_cstr(b);
    return text == NULL ? no_memory(why) : pg_run(db, text, why);
}

static enum err lay_one(struct db_pg *db, const struct noted_table *t, bool rows, struct why *why)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    put_function(&b, db->schema, t);
    put_triggers(&b, db->schema, t);
    if (rows) put_all(&b, db->schema, t);
    enum err e = run_text(db, &b, why);
    buf_release(&b);
    return e;
}

static enum err renew_one(struct db_pg *db, const struct noted_table *t, struct why *why)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    put_function(&b, db->schema, t);
    enum err e = run_text(db, &b, why);
    buf_release(&b);
    return e;
}

static enum err lift_one(struct db_pg *db, const struct noted_table *t, struct why *why)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_printf(&b, "DROP FUNCTION IF EXISTS \"%s\".\"spoke_note_%s\"() CASCADE", db->schema, t->name);
    enum err e = run_text(db, &b, why);
    buf_release(&b);
    return e;
}

/* Its rows come and go all the time: it is to be cleaned whenever some thousand have gone. */
static const char notes_table[] =
    "CREATE TABLE IF NOT EXISTS spoke_touched(at timestamptz NOT NULL DEFAULT pg_catalog.now(), t text COLLATE \"C\" NOT NULL, "
    "k bytea NOT NULL) WITH (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_cost_delay = 0)";

enum err pg_note_lay(struct db *base, const struct db_note_options *opt, size_t *out_laid, struct why *why)
{
    struct db_pg *db = pg_of(base);
    struct noted all;
    *out_laid = 0;
    enum err e = pg_run(db, notes_table, why);
    if (e != ERR_OK) return e;
    e = look(base, &all, why);
    for (size_t i = 0; e == ERR_OK && i < all.n; i++) {
        const struct noted_table *t = &all.table[i];
        bool wanted = opt->wants(opt->ctx, t->name);
        if (wanted && t->n_triggers != 2) {
            e = lay_one(db, t, opt->rows, why);
            ++*out_laid;
        } else if (wanted && t->older) {
            e = renew_one(db, t, why);
        } else if (!wanted && t->n_triggers > 0) {
            e = lift_one(db, t, why);
        }
    }
    free(all.table);
    return e;
}

enum err pg_note_lift(struct db *base, struct why *why)
{
    struct db_pg *db = pg_of(base);
    struct noted all;
    enum err e = look(base, &all, why);
    for (size_t i = 0; e == ERR_OK && i < all.n; i++) e = lift_one(db, &all.table[i], why);
    free(all.table);
    if (e == ERR_OK) e = pg_run(db, notes_table, why);
    return e == ERR_OK ? pg_run(db, "DELETE FROM spoke_touched", why) : e;
}

/* ------------------------------------------------------------------------------------------------------- the notes */

enum err pg_note_waits(struct db *base, int64_t *out_since_ms, struct why *why)
{
    bool none = false;
    enum err e = pg_ready(pg_of(base), why);
    return e == ERR_OK
               ? pg_number(pg_of(base),
                           "SELECT CAST(floor(extract(epoch FROM min(at)) * 1000) AS bigint) FROM spoke_touched", NULL,
                           out_since_ms, &none, why)
               : e;
}

struct names {
    char name[TRACK_MAX_TABLES][NAME_BYTES];
    size_t n, last;
};

/* SIZE_MAX: one too many, or none of ours. */
static size_t number_of(struct names *all, struct bytes name)
{
    if (all->last < all->n && bytes_equal(name, bytes_of_str(all->name[all->last]))) return all->last;
    for (size_t i = 0; i < all->n; i++)
        if (bytes_equal(name, bytes_of_str(all->name[i]))) return all->last = i;
    if (all->n == TRACK_MAX_TABLES || name.n >= NAME_BYTES) return SIZE_MAX;
    memcpy(all->name[all->n], name.p, name.n);
    all->name[all->n][name.n] = '\0';
    return all->last = all->n++;
}

static enum err read_notes(struct db *db, struct track_set *set, struct names *names, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(db, "SELECT t, k FROM spoke_touched", &s, why);
    if (e != ERR_OK) return e;
    while (!set->overflow && (e = db_step(s, &row, why)) == ERR_OK && row) {
        size_t table = number_of(names, db_bytes(s, 0));
        if (table == SIZE_MAX)
            set->overflow = true;
        else
            track_set_put(set, table, db_bytes(s, 1));
    }
    db_done(s);
    return e;
}

static enum err tell(const struct track_set *set, const struct names *names, db_track_fn each, void *ctx,
                     struct why *why)
{
    const char *before = "";
    enum err e = ERR_OK;
    for (size_t n = 0; e == ERR_OK && n < names->n; n++) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < names->n; i++)
            if (strcmp(names->name[i], before) > 0 &&
                (next == SIZE_MAX || strcmp(names->name[i], names->name[next]) < 0))
                next = i;
        before = names->name[next];
        e = track_set_each(set, next, before, each, ctx, why);
    }
    return e;
}

void pg_note_release(struct db_pg *db)
{
    track_set_free(db->noted);
    db->noted = NULL;
}

/* What is deleted is what was read: the transaction sees the store as it stood when it began. */
enum err pg_note_take(struct db *base, db_track_fn each, void *ctx, struct why *why)
{
    struct db_pg *db = pg_of(base);
    struct names *names = calloc(1, sizeof *names);
    if (db->noted == NULL) db->noted = track_set_new(base->env);
    if (names == NULL || db->noted == NULL) {
        free(names);
        return no_memory(why);
    }
    track_set_forget(db->noted);
    enum err e = read_notes(base, db->noted, names, why);
    if (e == ERR_OK) e = pg_run(db, "DELETE FROM spoke_touched", why);
    if (e == ERR_OK)
        e = db->noted->overflow ? why_set(why, ERR_LIMIT, "More rows changed than can be remembered.")
                                : tell(db->noted, names, each, ctx, why);
    free(names);
    return e;
}
