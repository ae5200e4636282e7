/* The store of a hub, whichever engine keeps it: where it is, making it, opening it, and the secrets in it
 * (hub/STORE.md). Between hub/store*.c and what carries whole stores from one place to another (dump, migrate,
 * restore). */
#ifndef SPOKE_HUB_STORE_H
#define SPOKE_HUB_STORE_H

#include "base/env.h"
#include "crypto/secret.h"
#include "hub/hub.h"
#include "sync/db.h"

#define STORE_PATH_BYTES 4096
#define STORE_URL_BYTES  1024

/* The files of a hub's home, and its store: `store` is `db`, or the URL of a PostgreSQL database. */
struct store_place {
    char key[STORE_PATH_BYTES], db[STORE_PATH_BYTES], wal[STORE_PATH_BYTES], recovery[STORE_PATH_BYTES];
    char at[STORE_PATH_BYTES]; /* HOME/store, which remembers the URL */
    char store[STORE_PATH_BYTES];
    bool shared; /* `store` is a URL: several processes may have it open at once */
};
/* at->store NULL: what HOME/store says, and HOME/hub.db where there is no such file. ERR_USAGE: not the name of a
 * store, or a URL with a password in it; ERR_FORMAT: HOME/store holds neither. */
MUST_CHECK enum err store_find(struct store_place *out, const struct env *env, const struct hub_place *at,
                               struct why *why);
/* Write HOME/store, so that later commands find the store; removes it where the store is the file in the home. */
MUST_CHECK enum err store_remember(const struct store_place *p, const struct env *env, struct why *why);

/* What the tables of a hub are, as several statements in SQLite's words, without the views of the policy; appended. */
MUST_CHECK enum err store_schema(struct buf *out, struct why *why);
/* An empty store: tables in their newest form, and the views of this program's policy; nobody's hub yet. `key` is the
 * data key of hub.key; PostgreSQL does without. ERR_EXISTS: something is there. Else as db_create and
 * db_create_postgres. */
MUST_CHECK enum err store_make(const struct env *env, const char *store, const struct secret *key, struct why *why);
/* Of a store that was made and cannot be finished: its schema is removed. A file is left to who made its folder. */
void store_discard(const struct env *env, const char *store);
/* A path or a URL. As db_open and db_open_postgres. */
MUST_CHECK enum err store_open(struct db **out, const struct env *env, const char *store, const struct secret *key,
                               struct why *why);

MUST_CHECK enum err store_put_counter(struct db *db, const char *name, int64_t value, struct why *why);
MUST_CHECK enum err store_get_counter(struct db *db, const char *name, int64_t *out, struct why *why); /* 0: none */

/* A row of secret_state. On PostgreSQL it is sealed under the data key. get: ERR_NOTFOUND; ERR_TAMPERED: it was
 * changed, or sealed under another key: the store is not that of this key file. *out is new, and the caller's. */
MUST_CHECK enum err store_secret_put(struct db *db, const struct secret *key, const char *name, struct bytes value,
                                     struct why *why);
MUST_CHECK enum err store_secret_get(struct db *db, const struct secret *key, const char *name, struct secret *out,
                                     struct why *why);
/* The value as PostgreSQL keeps it, and back: what hub/dump.h calls a keeper is made of these (hub/move.c). Appended to
 * out. */
MUST_CHECK enum err store_secret_seal(const struct secret *key, const char *name, struct bytes value, struct buf *out,
                                      struct why *why);
MUST_CHECK enum err store_secret_open(const struct secret *key, const char *name, struct bytes sealed, struct buf *out,
                                      struct why *why);

#endif
