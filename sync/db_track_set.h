/* Keys of rows, each once: what sync/db_track.c and sync/db_postgres_note.c remember until somebody asks. For them
 * alone.
 *
 * A key is the values of a row's primary key in its order, each as a byte that says what it is (SQLite's numbers: 1, 3,
 * 4), and then 8 bytes of a number, or 4 bytes of length and the bytes of a text or blob; all big-endian. The empty key
 * is a table as a whole. */
#ifndef SPOKE_SYNC_DB_TRACK_SET_H
#define SPOKE_SYNC_DB_TRACK_SET_H

#include "crypto/hash.h"
#include "sync/db_track.h"

#define TRACK_MAX_TABLES 256
#define TRACK_MAX_BYTES  ((size_t)128 << 20) /* of all keys and of what finds them */

struct track_slot {
    uint64_t hash; /* of table and key; 0: free */
    uint32_t table, at;
};
struct track_set {
    struct buf keys[TRACK_MAX_TABLES]; /* of each table: the key's length in 4 bytes, then the key */
    bool whole[TRACK_MAX_TABLES];      /* the empty key */
    struct track_slot *slot;           /* open addressing, a power of two of them */
    size_t n_slots, n_used, bytes;
    bool overflow;                        /* it was too much: what is here is not all */
    uint8_t secret[HASH_TABLE_KEY_BYTES]; /* of the hash, its own: keys hold ids that devices chose */
};

struct track_set *track_set_new(const struct env *env); /* NULL: no memory */
void track_set_free(struct track_set *k);               /* NULL is fine */
void track_set_forget(struct track_set *k);
/* `table` is a number of the caller's, below TRACK_MAX_TABLES. */
void track_set_put(struct track_set *k, size_t table, struct bytes key);
/* One after the other in the order in which they came, the whole table first. Values are borrowed until
 * track_set_forget. ERR_FORMAT: a key that is none. */
MUST_CHECK enum err track_set_each(const struct track_set *k, size_t table, const char *name, db_track_fn each,
                                   void *ctx, struct why *why);

#endif
