/* The whole of a hub's store as one stream, and back into a new store of either engine: hub/DUMP.md. */
#ifndef SPOKE_HUB_DUMP_H
#define SPOKE_HUB_DUMP_H

#include "crypto/hash.h"
#include "sync/db.h"

#define DUMP_MAX_TABLES 256 /* a new hub has at most three quarters of these: tests/unit/test_dump.c */

/* Where the stream goes to, piece by piece, in order; and where it comes from: *out_got is less than n at its end
 * alone. An error of theirs ends the work and is handed on. The stream holds the hub's secret keys: seal it. */
struct dump_sink {
    void *ctx;
    enum err (*write)(void *ctx, struct bytes piece, struct why *why);
};
struct dump_source {
    void *ctx;
    enum err (*read)(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why);
};

/* How the store's engine keeps the values of secret_state: each is opened on its way out and sealed on its way in,
 * appended to out. NULL in place of this: they stand there as they are. */
struct dump_keeper {
    void *ctx;
    enum err (*open)(void *ctx, struct bytes name, struct bytes kept, struct buf *out, struct why *why);
    enum err (*seal)(void *ctx, struct bytes name, struct bytes value, struct buf *out, struct why *why);
};

/* What a store holds, by table, in order of the names. */
struct dump_sum {
    size_t n;
    struct dump_table {
        char name[64];
        uint64_t rows;
        uint8_t hash[HASH_BYTES]; /* of its frames */
    } table[DUMP_MAX_TABLES];
    uint64_t rows;            /* of all tables */
    uint64_t bytes;           /* of the stream */
    uint8_t hash[HASH_BYTES]; /* of all frames before the end */
};

/* All three work within the caller's transaction (db_begin, or db_begin_read for what only reads), so that they see
 * one state of the store. Memory is bounded by the largest row, not by the store. *out_sum may be NULL. */

/* ERR_VERSION: the store has a table or column that this program does not know, or lacks one. */
MUST_CHECK enum err dump_write(const struct env *env, struct db *db, const struct dump_keeper *keeper,
                               const struct dump_sink *sink, struct dump_sum *out_sum, struct why *why);
/* The same without a stream. */
MUST_CHECK enum err dump_digest(const struct env *env, struct db *db, const struct dump_keeper *keeper,
                                struct dump_sum *out_sum, struct why *why);
/* Into a store that was just made. After any error the caller rolls back, and it is as it was. ERR_TAMPERED: the
 * stream ends too early, goes on after its end, or is not what was written. ERR_VERSION: a newer program wrote it.
 * ERR_EXISTS: the store holds something. *out_sum: of the stream. */
MUST_CHECK enum err dump_read(const struct env *env, struct db *db, const struct dump_keeper *keeper,
                              const struct dump_source *source, struct dump_sum *out_sum, struct why *why);
/* Do two stores of one schema version hold the same? ERR_TAMPERED names the first table in which they differ. */
MUST_CHECK enum err dump_same(const struct dump_sum *a, const struct dump_sum *b, struct why *why);

#endif
