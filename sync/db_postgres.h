/* The second engine behind sync/db.h: PostgreSQL 15 or later, one schema a hub. A library of its own
 * (spoke_sync_postgres), so that a node links without libpq. Everything else of a connection is sync/db.h; what
 * differs:
 *
 * - db_begin takes the hub's lock (an advisory transaction lock on the schema), so that one transaction at a time runs
 *   per hub; who waits longer than env->busy_ms (0: 10 s) gets ERR_BUSY. Isolation is READ COMMITTED: each statement
 *   sees all that was committed before it, and within a transaction only that transaction commits. A statement that
 *   writes outside a transaction runs in a short one of its own, with the lock.
 * - After a statement failed within a transaction, nothing of that transaction works but db_savepoint_rollback to a
 *   savepoint from before it, and db_rollback; db_commit fails and rolls back. What the client refused by itself (a
 *   parameter that the statement does not have, text that is no UTF-8, a value over 80 MB) fails likewise.
 * - Within a transaction a statement that answers nothing (INSERT, UPDATE, DELETE without RETURNING) is sent and not
 * waited for
 *   (sync/db_postgres_flight.c). Its fault is told by whatever is waited for next: a question, db_changes (0),
 * db_savepoint,
 *   db_savepoint_release, db_commit; nothing behind it was done. db_savepoint_rollback heals what was sent since the
 * savepoint.
 * - A connection that breaks loses its transaction: ERR_UNREACHABLE, "nothing was changed", and so says every further
 *   call until db_rollback; but a commit whose answer did not come may have happened, and says so. Outside a
 *   transaction the next call connects again, at once the first time, then with growing pauses of up to 5 s by env's
 *   steady clock between two tries, in which it fails at once: ERR_UNREACHABLE. Nothing sleeps. db_generation tells
 *   connections apart: temporary views are gone with the old one.
 * - Results: whole numbers, bool (0 or 1), text, name, bytea, double precision, sum() (ERR_LIMIT beyond 64 bits), ANY
 *   columns, NULL. Any other type is refused when the row is fetched.
 * - Rows of a SELECT come in chunks of about a MiB; other statements may run between its steps, and it does not see
 *   what they change. Of one begun in a transaction that has ended the next chunk is refused, never left out.
 * - Texts are translated word by word (sync/db_postgres_text.c): INTEGER is BIGINT, BLOB is BYTEA, TEXT columns
 *   compare bytewise, x'…' is a bytea, a column named user is "user", CAST(… AS INTEGER) has 64 bits; an INTEGER
 *   PRIMARY KEY numbers rows by itself, one above the highest, as SQLite does; STRICT and WITHOUT ROWID go.
 *   zeroblob(n), substr with 64-bit numbers, and min and max of two numbers or texts are there as functions. In
 *   db_exec a view may name what is made later in the same text.
 * - Text must be UTF-8 without U+0000, as sync/value.h and base/cbor.h demand of all that comes from outside: else the
 *   statement fails with ERR_FORMAT. */
#ifndef SPOKE_SYNC_DB_POSTGRES_H
#define SPOKE_SYNC_DB_POSTGRES_H

#include "sync/db.h"

#define DB_POSTGRES_SCHEMA_MAX 40 /* bytes of a schema's name */

/* Is it a name for a hub's schema: a to z, 0 to 9 and _, beginning with a letter, at most DB_POSTGRES_SCHEMA_MAX
 * bytes, and not one that PostgreSQL keeps for itself (pg_…, public, information_schema)? */
bool db_postgres_schema_ok(const char *schema);

/* Does this name a database, and not a file: does it begin with postgres:// or postgresql://? */
bool db_postgres_is_url(const char *url);

/* `url` is postgres://… or any other conninfo text of libpq, and is copied. `schema` NULL: as the URL says by
 * `schema=NAME` among its options, or "spoke". ERR_USAGE: the URL or the name is none. ERR_UNINIT: no such schema
 * there, or an empty one. ERR_UNREACHABLE: the database cannot be reached. ERR_DENIED: it does not let us in.
 * ERR_VERSION: it is older than 15. ERR_FAILED: it keeps texts in another encoding than UTF8, or does not write to the
 * disk what it says it wrote (fsync, full_page_writes; the setting spoke.unsafe=on in the URL's options lets it pass,
 * for tests). */
MUST_CHECK enum err db_open_postgres(struct db **out, const struct env *env, const char *url, const char *schema,
                                     struct why *why);
/* Create the schema, or take one that is empty, and run `sql` (several statements) in it: all of it or nothing.
 * ERR_EXISTS: something is there. Else as db_open_postgres. */
MUST_CHECK enum err db_create_postgres(const struct env *env, const char *url, const char *schema, const char *sql,
                                       struct why *why);
/* Remove the schema with everything in it. One that is not there is fine. */
MUST_CHECK enum err db_drop_postgres(const struct env *env, const char *url, const char *schema, struct why *why);

#endif
