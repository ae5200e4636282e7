/* Named values of a replica: n_state, n_number, secret_state. */
#include "node/internal.h"

#include <string.h>

/* Step a one-row question whose only parameter is a name. The statement stays open for reading. */
static enum err find(struct db *db, const char *sql, const char *name, struct stmt **out, bool *out_row,
                     struct why *why)
{
    enum err e = db_prepare(db, sql, out, why);
    if (e != ERR_OK) return e;
    db_bind_str(*out, 1, name);
    e = db_step(*out, out_row, why);
    if (e != ERR_OK) {
        db_done(*out);
        *out = NULL;
    }
    return e;
}

static const char get_value[] = "SELECT value FROM n_state WHERE name = $1";

static enum err unreadable(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "A setting that this device keeps about itself is damaged.");
}

enum err state_fixed(struct db *db, const char *name, uint8_t *out, size_t n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = find(db, get_value, name, &s, &row, why);
    if (e != ERR_OK) return e;
    struct bytes v = row ? db_bytes(s, 0) : bytes_of(NULL, 0);
    if (row && v.n != n)
        e = unreadable(why);
    else if (row)
        memcpy(out, v.p, n);
    else
        memset(out, 0, n);
    db_done(s);
    return e;
}

enum err state_text(struct db *db, const char *name, char *out, size_t n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = find(db, get_value, name, &s, &row, why);
    if (e != ERR_OK) return e;
    struct bytes v = row ? db_bytes(s, 0) : bytes_of(NULL, 0);
    if (v.n >= n) {
        e = unreadable(why);
    } else {
        if (v.n > 0) memcpy(out, v.p, v.n);
        out[v.n] = '\0';
    }
    db_done(s);
    return e;
}

enum err state_bytes(struct db *db, const char *name, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = find(db, get_value, name, &s, &row, why);
    if (e != ERR_OK) return e;
    if (row) buf_put_bytes(out, db_bytes(s, 0));
    db_done(s);
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "A stored value is too large.");
}

enum err state_put(struct db *db, const char *name, struct bytes v, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "INSERT OR REPLACE INTO n_state(name, value) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, v);
    return db_run(s, why);
}

enum err state_forget(struct db *db, const char *name, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "DELETE FROM n_state WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    return db_run(s, why);
}

enum err state_number(struct db *db, const char *name, uint64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = find(db, "SELECT value FROM n_number WHERE name = $1", name, &s, &row, why);
    if (e != ERR_OK) return e;
    *out = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return ERR_OK;
}

enum err state_set_number(struct db *db, const char *name, uint64_t v, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "INSERT OR REPLACE INTO n_number(name, value) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_int(s, 2, (int64_t)v);
    return db_run(s, why);
}

enum err state_ask(struct db *db, const char *sql, uint64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(db, sql, &s, why);
    if (e == ERR_OK) e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return e;
}

enum err state_run(struct db *db, const char *sql, const int64_t *args, int n_args, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, sql, &s, why);
    if (e != ERR_OK) return e;
    for (int i = 0; i < n_args; i++) db_bind_int(s, i + 1, args[i]);
    return db_run(s, why);
}

enum err state_migrate(struct db *db, uint64_t hub_schema, bool *out_moved, struct why *why)
{
    uint64_t newest = rules_schema_newest();
    uint64_t to = hub_schema < newest ? hub_schema : newest;
    bool moves = to > db_schema(db);
    enum err e = moves ? db_migrate(db, to, why) : ERR_OK;
    if (e == ERR_OK && moves) e = state_set_number(db, "schema", to, why);
    if (e == ERR_OK && out_moved != NULL) *out_moved = moves;
    return e;
}

/* No number: a store of version 1. */
enum err state_load_schema(struct db *db, struct why *why)
{
    uint64_t schema = 0;
    enum err e = state_number(db, "schema", &schema, why);
    return e == ERR_OK ? db_set_schema(db, schema == 0 ? 1 : schema, why) : e;
}

enum err state_save_identity(struct db *db, const char *name, const struct identity_secret *id, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t keys[96];
    enum err e = db_prepare(db, "INSERT INTO secret_state(name, value) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    identity_secret_to_bytes(id, keys);
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, bytes_of(keys, sizeof keys));
    e = db_run(s, why);
    secret_wipe(keys, sizeof keys);
    return e;
}

enum err state_load_identity(struct db *db, const char *name, struct identity_secret *out, bool *out_found,
                             struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = find(db, "SELECT value FROM secret_state WHERE name = $1", name, &s, &row, why);
    if (e != ERR_OK) return e;
    if (row) e = identity_secret_from_bytes(out, db_bytes(s, 0), why);
    if (e == ERR_OK) *out_found = row;
    db_done(s);
    return e;
}
