/* What somebody asked for once is done once: an answer that was lost leads to asking again. The caller gives what is
 * asked an id; it is kept with what was answered, in the same commit as the change. */
#include "node/internal.h"

#include "base/cbor.h"

#include <string.h>

#define KEPT_MAX  1000
#define KEPT_MS   (INT64_C(7) * 86400000)
#define NAMED     " name >= 'once:' AND name < 'once;'"
#define HEAD      (8 + HASH_BYTES) /* when, and the hash of what was asked; the answer stands behind */
#define VALUE_MAX (64u << 10)

static void name_of(const uint8_t id[16], char out[38])
{
    memcpy(out, "once:", 5);
    hex_encode(out + 5, id, 16);
}

static enum err put(struct node *n, struct bytes answer, struct why *why)
{
    char name[38];
    struct buf b;
    name_of(n->once.id, name);
    buf_init(&b, VALUE_MAX);
    buf_put_be64(&b, (uint64_t)env_now(n->env));
    buf_put(&b, n->once.hash, HASH_BYTES);
    buf_put_bytes(&b, answer);
    enum err e =
        b.err == ERR_OK ? state_put(n->db, name, buf_bytes(&b), why) : why_set(why, b.err, "The answer is too long.");
    buf_release(&b);
    return e;
}

/* The latest are kept, and none for long. */
static enum err prune(struct node *n, struct why *why)
{
    struct stmt *s = NULL;
    struct buf cutoff;
    enum err e =
        db_prepare(n->db,
                   "DELETE FROM n_state WHERE" NAMED " AND (value < $1 OR name NOT IN (SELECT name FROM n_state"
                   " WHERE" NAMED " ORDER BY value DESC LIMIT $2))",
                   &s, why);
    if (e != ERR_OK) return e;
    buf_init(&cutoff, 64);
    int64_t from = env_now(n->env) - KEPT_MS;
    buf_put_be64(&cutoff, from > 0 ? (uint64_t)from : 0);
    db_bind_blob(s, 1, buf_bytes(&cutoff));
    db_bind_int(s, 2, KEPT_MAX);
    e = db_run(s, why);
    buf_release(&cutoff);
    return e;
}

enum err node_once_begin(struct node *n, const uint8_t id[16], const uint8_t hash[HASH_BYTES], struct buf *answer,
                         enum node_once *out, struct why *why)
{
    char name[38];
    struct buf b;
    name_of(id, name);
    buf_init(&b, VALUE_MAX);
    *out = NODE_ONCE_NEW;
    n->once.set = false;
    enum err e = state_bytes(n->db, name, &b, why);
    if (e == ERR_OK && b.len >= HEAD) {
        *out = memcmp(b.data + 8, hash, HASH_BYTES) != 0 ? NODE_ONCE_OTHER
               : b.len == HEAD                           ? NODE_ONCE_DONE
                                                         : NODE_ONCE_ANSWERED;
        buf_put(answer, b.data + HEAD, b.len - HEAD);
    } else if (e == ERR_OK) {
        memcpy(n->once.id, id, 16);
        memcpy(n->once.hash, hash, HASH_BYTES);
        n->once.set = true;
        n->once.done = false;
    }
    buf_release(&b);
    return e;
}

enum err once_mark(struct node *n, struct why *why)
{
    if (!n->once.set) return ERR_OK;
    enum err e = put(n, bytes_of(NULL, 0), why);
    if (e == ERR_OK) e = prune(n, why);
    n->once.done = e == ERR_OK;
    return e;
}

enum err node_once_end(struct node *n, struct bytes answer, struct why *why)
{
    const bool done = n->once.set && n->once.done;
    n->once.set = false;
    return done && answer.n != 0 ? put(n, answer, why) : ERR_OK;
}

/* Answers name cases and rows: what is taken away takes them with it. */
enum err once_forget(struct node *n, struct why *why)
{
    return db_exec(n->db, "DELETE FROM n_state WHERE" NAMED, why);
}
