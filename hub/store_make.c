/* A hub's store, on either engine: where it is, making and opening it, the secrets in it. hub/STORE.md. */
#include "hub/store.h"

#include "hub/later.h"
#include "hub/log_sql.h"
#include "hub/policy_sql.h"
#include "hub/policy_text.h"
#include "hub/store_sql.h"
#include "crypto/device.h"
#include "sync/db_postgres.h"
#include "sync/schema_sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX 4096u /* bytes of a sealed secret */
#define PAGES_KIB  "32768" /* of the store that stay opened in memory: each is to be read, checked and decrypted otherwise */

/* ------------------------------------------------------------------------------------------------------ where it is */

/* user:password@host, or password= among the options: it would stand in HOME/store, in lists of processes and in
 * logs. */
static bool has_password(const char *url)
{
    const char *from = strstr(url, "://") + 3;
    size_t n = strcspn(from, "/?");
    const char *at = memrchr(from, '@', n), *colon = at == NULL ? NULL : memchr(from, ':', (size_t)(at - from));
    if (colon != NULL) return true;
    for (const char *p = strchr(url, '?'); p != NULL; p = strchr(p + 1, '&'))
        if (strncasecmp(p + 1, "password=", 9) == 0 || strncasecmp(p + 1, "sslpassword=", 12) == 0) return true;
    return false;
}

static enum err take_url(struct store_place *p, const char *url, struct why *why)
{
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return why_set(why, ERR_USAGE, "The address of a database has no blanks in it.");
    if (strlen(url) >= STORE_URL_BYTES) return why_set(why, ERR_USAGE, "The address of the database is too long.");
    if (has_password(url)) {
        (void)why_set(why, ERR_USAGE, "There is a password in the address of the database, where others would read it.");
        return why_next(why, ERR_USAGE,
                        "Take it out, and put it into the file .pgpass of who runs the hub (or one named by PGPASSFILE).");
    }
    (void)snprintf(p->store, sizeof p->store, "%s", url);
    p->shared = true;
    return ERR_OK;
}

/* HOME/store: one line. */
static enum err remembered(struct store_place *p, const struct env *env, struct why *why)
{
    struct buf in;
    struct why detail = {0};
    buf_init(&in, STORE_URL_BYTES + 2);
    enum err e = env->read_file(env->ctx, p->at, STORE_URL_BYTES + 1, &in, &detail);
    if (e == ERR_NOTFOUND) {
        (void)snprintf(p->store, sizeof p->store, "%s", p->db);
        e = ERR_OK;
    } else if (e == ERR_OK) {
        while (in.len > 0 && (in.data[in.len - 1] == '\n' || in.data[in.len - 1] == '\r')) in.len--;
        const char *url = memchr(in.data, 0, in.len) == NULL ? buf_cstr(&in) : NULL;
        if (url == NULL || !db_postgres_is_url(url))
            e = why_set(why, ERR_FORMAT, "The file %s says where this hub's store is, and cannot be understood.", p->at);
        else
            e = take_url(p, url, why);
    } else if (why != NULL) {
        *why = detail;
    }
    buf_release(&in);
    return e;
}

enum err store_find(struct store_place *out, const struct env *env, const struct hub_place *at, struct why *why)
{
    struct store_place p = {0};
    enum err e = path_join(p.key, sizeof p.key, at->home, "hub.key", why);
    if (e == ERR_OK) e = path_join(p.db, sizeof p.db, at->home, "hub.db", why);
    if (e == ERR_OK) e = path_join(p.wal, sizeof p.wal, at->home, "hub.db-wal", why);
    if (e == ERR_OK) e = path_join(p.recovery, sizeof p.recovery, at->home, "recovery.key", why);
    if (e == ERR_OK) e = path_join(p.at, sizeof p.at, at->home, "store", why);
    if (e != ERR_OK) return e;
    if (at->store == NULL) {
        e = remembered(&p, env, why);
    } else if (db_postgres_is_url(at->store)) {
        e = take_url(&p, at->store, why);
    } else if (strcmp(at->store, "sqlite:") == 0) {
        (void)snprintf(p.store, sizeof p.store, "%s", p.db);
    } else {
        (void)why_set(why, ERR_USAGE, "This is not the name of a store.");
        e = why_next(why, ERR_USAGE,
                     "A store is a PostgreSQL database, such as postgres://hub@db.example/spoke?schema=north, or sqlite: for "
                     "the file hub.db in the hub's folder.");
    }
    if (e == ERR_OK) *out = p;
    return e;
}

enum err store_remember(const struct store_place *p, const struct env *env, struct why *why)
{
    char line[STORE_URL_BYTES + 2];
    if (!p->shared) return env->remove_file(env->ctx, p->at, why);
    (void)snprintf(line, sizeof line, "%.*s\n", STORE_URL_BYTES - 1, p->store);
    return env->write_file(env->ctx, p->at, bytes_of_str(line), why);
}

/* ----------------------------------------------------------------------------------------------------------- making */

static const char *text_of(struct buf *schema, enum err *e, struct why *why)
{
    const char *text = buf_cstr(schema);
    if (text == NULL) *e = why_set(why, schema->err, "There is not enough memory to make the store.");
    return text;
}

enum err store_schema(struct buf *out, struct why *why)
{
    buf_put_str(out, sync_schema_sql);
    buf_put_str(out, hub_store_sql);
    buf_put_str(out, hub_log_sql);
    later_schema(out);
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory to make the store.");
}

/* SQLite takes views in any order; PostgreSQL wants those first that others ask, which is policy_text_install's to
 * know. */
static enum err create(const struct env *env, const char *store, const struct secret *key, struct why *why)
{
    struct buf schema;
    bool shared = db_postgres_is_url(store);
    buf_init(&schema, 1u << 20);
    buf_put_str(&schema, sync_schema_sql);
    if (!shared) buf_put_str(&schema, hub_policy_sql);
    buf_put_str(&schema, hub_store_sql);
    buf_put_str(&schema, hub_log_sql);
    enum err e = ERR_OK;
    const char *text = text_of(&schema, &e, why);
    if (e == ERR_OK)
        e = shared ? db_create_postgres(env, store, NULL, text, why) : db_create(env, store, key, text, why);
    buf_release(&schema);
    return e;
}

static enum err complete(struct db *db, struct why *why)
{
    enum err e = db_begin(db, why);
    if (e != ERR_OK) return e;
    if (db_is_postgres(db)) e = policy_text_install(db, bytes_of_str(hub_policy_sql), false, why);
    if (e == ERR_OK) e = db_migrate(db, rules_schema_newest(), why);
    if (e == ERR_OK) e = store_put_counter(db, "schema", (int64_t)rules_schema_newest(), why);
    if (e == ERR_OK) return db_commit(db, why);
    db_rollback(db);
    return e;
}

enum err store_make(const struct env *env, const char *store, const struct secret *key, struct why *why)
{
    struct db *db = NULL;
    enum err e = create(env, store, key, why);
    if (e != ERR_OK) return e;
    e = store_open(&db, env, store, key, why);
    if (e == ERR_OK) e = later_bring(db, why);
    if (e == ERR_OK) e = complete(db, why);
    db_close(db);
    if (e != ERR_OK) store_discard(env, store);
    return e;
}

void store_discard(const struct env *env, const char *store)
{
    struct why why;
    enum err e = db_postgres_is_url(store) ? db_drop_postgres(env, store, NULL, &why) : ERR_OK;
    (void)e; /* what is left is nobody's hub, and the next try says that something is there */
}

enum err store_open(struct db **out, const struct env *env, const char *store, const struct secret *key,
                    struct why *why)
{
    struct db *db = NULL;
    if (db_postgres_is_url(store)) return db_open_postgres(out, env, store, NULL, why);
    enum err e = db_open(&db, env, store, key, why);
    if (e == ERR_OK) e = db_exec(db, "PRAGMA cache_size = -" PAGES_KIB, why);
    if (e == ERR_OK)
        *out = db;
    else
        db_close(db);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- counters */

enum err store_put_counter(struct db *db, const char *name, int64_t value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db,
                            "INSERT INTO h_counter(name, value) VALUES($1, $2) "
                            "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_int(s, 2, value);
    return db_run(s, why);
}

enum err store_get_counter(struct db *db, const char *name, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT value FROM h_counter WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- secrets */

/* The page encryption of a file covers them; a database's administrator would read them. The label binds the name. */
static enum err label_of(char out[64], const char *name, struct why *why)
{
    int n = snprintf(out, 64, "spoke/hub-secret/1 %s", name);
    return n > 0 && n < 64 ? ERR_OK : why_set(why, ERR_LIMIT, "The name of a secret is too long.");
}

static enum err put_row(struct db *db, const char *name, struct bytes value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, "INSERT INTO secret_state(name, value) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, value);
    return db_run(s, why);
}

enum err store_secret_put(struct db *db, const struct secret *key, const char *name, struct bytes value,
                          struct why *why)
{
    struct buf sealed;
    char label[64];
    if (!db_is_postgres(db)) return put_row(db, name, value, why);
    buf_init(&sealed, SECRET_MAX);
    enum err e = label_of(label, name, why);
    if (e == ERR_OK) e = device_seal(key, label, value, &sealed, why);
    if (e == ERR_OK) e = put_row(db, name, buf_bytes(&sealed), why);
    buf_release(&sealed);
    return e;
}

static enum err open_sealed(const struct secret *key, const char *name, struct bytes sealed, struct buf *out,
                            struct why *why)
{
    char label[64];
    enum err e = label_of(label, name, why);
    if (e == ERR_OK) e = device_open(key, label, sealed, out, NULL);
    if (e != ERR_TAMPERED && e != ERR_FORMAT) return e == ERR_OK ? e : why_set(why, e, "The hub's keys cannot be read.");
    (void)why_set(why, ERR_TAMPERED, "The keys in this database are not sealed under this hub's key file.");
    return why_next(why, ERR_TAMPERED,
                    "Either this is the store of another hub, or somebody changed it. Look at the file `store` in the hub's "
                    "folder, and ask who looks after the database.");
}

enum err store_secret_seal(const struct secret *key, const char *name, struct bytes value, struct buf *out,
                           struct why *why)
{
    char label[64];
    enum err e = label_of(label, name, why);
    return e == ERR_OK ? device_seal(key, label, value, out, why) : e;
}

enum err store_secret_open(const struct secret *key, const char *name, struct bytes sealed, struct buf *out,
                           struct why *why)
{
    return open_sealed(key, name, sealed, out, why);
}

enum err store_secret_get(struct db *db, const struct secret *key, const char *name, struct secret *out,
                          struct why *why)
{
    struct stmt *s;
    struct buf plain;
    bool row = false;
    enum err e = db_prepare(db, "SELECT value FROM secret_state WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    buf_init(&plain, SECRET_MAX);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || db_is_null(s, 0))) e = why_set(why, ERR_NOTFOUND, "The hub has no keys in its store.");
    if (e == ERR_OK && db_is_postgres(db))
        e = open_sealed(key, name, db_bytes(s, 0), &plain, why);
    else if (e == ERR_OK)
        buf_put_bytes(&plain, db_bytes(s, 0));
    if (e == ERR_OK && plain.err != ERR_OK) e = why_set(why, plain.err, "What this hub stored about itself is damaged.");
    if (e == ERR_OK) e = secret_take(out, plain.data, plain.len, why);
    buf_release(&plain);
    db_done(s);
    return e;
}
