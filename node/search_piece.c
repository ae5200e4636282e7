/* Lists of the search index in pieces (node/search.h). SQLite would need a row for each word of a block and a dozen
 * bytes besides it, and a question about a word a page for each block of so few cases. A list is written anew as a
 * whole. */
#include "node/search.h"

#include <string.h>

#define LIST_MAX   (64u << 20) /* bytes of a list in memory */
#define LAST_PIECE ((INT64_C(1) << 19) - 1)

int64_t search_at(int64_t block, enum search_list list)
{
    return block << 20 | (list == SEARCH_PAIRS ? INT64_C(1) << 19 : 0);
}

enum err search_damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "What this device keeps for searching is damaged.");
}

void search_out_init(struct search_out *o)
{
    *o = (struct search_out){0};
    buf_init(&o->data, LIST_MAX);
    buf_init(&o->ends, LIST_MAX);
    buf_init(&o->head, LIST_MAX);
}

void search_out_release(struct search_out *o)
{
    buf_release(&o->data);
    buf_release(&o->ends);
    buf_release(&o->head);
}

size_t search_out_len(const struct search_out *o)
{
    return o->data.len - o->from;
}

void search_out_cut(struct search_out *o)
{
    uint64_t end = o->data.len;
    if (search_out_len(o) == 0) return;
    buf_put(&o->ends, &end, sizeof end);
    o->from = o->data.len;
}

static enum err put(struct node *n, int64_t at, struct bytes data, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db,
                   "INSERT INTO n_word(at, data) VALUES($1, $2) ON CONFLICT(at) DO UPDATE SET data = excluded.data"
                   " WHERE data <> excluded.data",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at);
    db_bind_blob(s, 2, data);
    return db_run(s, why);
}

enum err search_out_write(struct search_out *o, struct node *n, int64_t at, struct why *why)
{
    uint64_t from = 0, end = 0;
    int64_t piece = 0;
    search_out_cut(o);
    enum err e = o->data.err != ERR_OK ? o->data.err : o->ends.err != ERR_OK ? o->ends.err : o->head.err;
    if (e != ERR_OK) return why_set(why, e, "There is not enough memory to note what can be searched.");
    for (size_t i = 0; e == ERR_OK && i < o->ends.len; i += sizeof end, from = end) {
        memcpy(&end, o->ends.data + i, sizeof end);
        e = put(n, at + ++piece, bytes_of(o->data.data + from, end - from), why);
    }
    if (e == ERR_OK && o->head.len > 0) e = put(n, at, buf_bytes(&o->head), why);
    const int64_t rest[] = {o->head.len > 0 ? at + piece : at - 1, at + LAST_PIECE};
    return e == ERR_OK ? state_run(n->db, "DELETE FROM n_word WHERE at > $1 AND at <= $2", rest, 2, why) : e;
}

enum err search_piece_read(struct node *n, int64_t at, struct stmt **out, struct bytes *data, struct why *why)
{
    bool row = false;
    *data = bytes_of(NULL, 0);
    enum err e = db_prepare(n->db, "SELECT data FROM n_word WHERE at = $1", out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, at);
    e = db_step(*out, &row, why);
    if (e == ERR_OK && row)
        *data = db_bytes(*out, 0);
    else
        db_done(*out);
    if (e != ERR_OK || !row) *out = NULL;
    return e;
}

enum err search_pieces_each(struct node *n, int64_t at, enum err (*each)(void *ctx, struct bytes data, struct why *why),
                            void *ctx, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT data FROM n_word WHERE at > $1 AND at <= $2 ORDER BY at", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at);
    db_bind_int(s, 2, at + LAST_PIECE);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = each(ctx, db_bytes(s, 0), why);
    }
    db_done(s);
    return e;
}
