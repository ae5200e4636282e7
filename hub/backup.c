#include "hub/backup.h"

#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "hub/internal.h"
#include "hub/move.h"
#include "hub/redo.h"
#include "hub/restore_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX      (1u << 20) /* bytes handed to the disk at once */
#define PATH_MAX_BYTES 4096

/* One file on its way out. */
struct backup {
    struct hub *h;
    char part[PATH_MAX_BYTES];
    struct seal_writer *w;
    struct buf sealed;    /* not on the disk yet */
    struct hash_run hash; /* of all that is */
    uint64_t at;          /* bytes on the disk */
    struct redo_position journal;
};

static enum err flush(struct backup *b, bool end, struct why *why)
{
    const struct env *env = b->h->env;
    if (b->sealed.len == 0 && !end) return ERR_OK;
    hash_add(&b->hash, buf_bytes(&b->sealed));
    enum err e = env->append_file(env->ctx, b->part, b->at, buf_bytes(&b->sealed), end, why);
    b->at += b->sealed.len;
    buf_reset(&b->sealed);
    return e;
}

/* A row comes in one piece, whatever it holds. */
static enum err seal_piece(void *ctx, struct bytes piece, struct why *why)
{
    struct backup *b = ctx;
    enum err e = ERR_OK;
    for (size_t at = 0; e == ERR_OK && at < piece.n; at += PIECE_MAX) {
        size_t n = piece.n - at < PIECE_MAX ? piece.n - at : PIECE_MAX;
        e = seal_write(b->w, bytes_of(piece.p + at, n), why);
        if (e == ERR_OK && b->sealed.len >= PIECE_MAX) e = flush(b, false, why);
    }
    return e;
}

/* Which of each device's chain and requests are in the picture. What it returns lies aside until it is re-applied, and
 * is not part of what a restore goes by: until then its notes are not covered. */
static enum err note_heads(struct hub *h, struct buf *heads, uint64_t *out_covered, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = db_prepare(h->db, "SELECT no, last_seq, CASE WHEN EXISTS(SELECT 1 FROM h_awaited a WHERE a.node_no = no AND "
                                  "a.state <> 'applied') THEN 0 ELSE last_request END FROM h_node ORDER BY no", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        const int64_t head[3] = {db_int(s, 0), db_int(s, 1), db_int(s, 2)};
        *out_covered += (uint64_t)head[1];
        buf_put(heads, head, sizeof head);
    }
    db_done(s);
    return e == ERR_OK && heads->err != ERR_OK ? why_set(why, heads->err, "There is not enough memory for a backup.")
                                               : e;
}

static enum err picture(struct backup *b, struct buf *heads, struct hub_backup *out, struct why *why)
{
    struct dump_sink sink = {.ctx = b, .write = seal_piece};
    struct dump_sum sum = {0};
    struct secret key = keyring_data_key(&b->h->keys);
    struct dump_keeper keeper = move_keeper(b->h->db, &key);
    uint8_t at[8];
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)((uint64_t)out->at_ms >> (56 - 8 * i));
    enum err e = note_heads(b->h, heads, &out->covered, why);
    if (e == ERR_OK) e = redo_position(b->h, &b->journal, why);
    if (e == ERR_OK) e = seal_write(b->w, bytes_of(at, sizeof at), why);
    if (e == ERR_OK) e = dump_write(b->h->env, b->h->db, &keeper, &sink, &sum, why);
    if (e == ERR_OK) e = seal_finish(b->w, why);
    if (e == ERR_OK) e = flush(b, true, why);
    out->rows = sum.rows;
    out->bytes = b->at;
    return e;
}

static enum err write_part(struct backup *b, struct buf *heads, struct hub_backup *out, struct why *why)
{
    struct seal_header head = {.version = 1, .kind = BACKUP_KIND};
    struct identity to;
    uint8_t binding[32];
    recovery_identity(b->h->recovery_pk, &to);
    memcpy(head.sender, b->h->id.pub.kid, KID_BYTES);
    hash_begin(&b->hash);
    enum err e = seal_writer_new(&b->w, &head, &to, &b->sealed, binding, why);
    if (e == ERR_OK) e = db_begin_read(b->h->db, why);
    if (e != ERR_OK) return e;
    e = picture(b, heads, out, why);
    db_rollback(b->h->db); /* it only read */
    return e;
}

/* What the disk has is what was sealed. */
static enum err read_back(struct backup *b, struct why *why)
{
    const struct env *env = b->h->env;
    uint8_t want[HASH_BYTES], have[HASH_BYTES];
    struct hash_run run;
    struct buf piece;
    enum err e = ERR_OK;
    buf_init(&piece, PIECE_MAX);
    hash_begin(&run);
    for (uint64_t at = 0; e == ERR_OK && at < b->at; at += piece.len) {
        buf_reset(&piece);
        e = env->read_at(env->ctx, b->part, at, PIECE_MAX, &piece, why);
        if (e == ERR_OK && piece.len == 0) break;
        hash_add(&run, buf_bytes(&piece));
    }
    hash_end(&b->hash, want);
    hash_end(&run, have);
    if (e == ERR_OK && memcmp(have, want, sizeof have) != 0)
        e = why_set(why, ERR_IO, "The backup could not be read back as it was written. Nothing counts as saved.");
    buf_release(&piece);
    return e;
}

static enum err cover(struct hub *h, const int64_t head[3], struct why *why)
{
    static const char *const sql[] = {
        "UPDATE h_node SET covered = $1 WHERE no = $2 AND covered < $1",
        "INSERT INTO h_covered(request, node_no) VALUES($1, $2) ON CONFLICT(node_no) DO UPDATE SET "
        "request = excluded.request WHERE h_covered.request < excluded.request"};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < 2; i++) {
        struct stmt *s;
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, head[1 + i]);
        db_bind_int(s, 2, head[0]);
        e = db_run(s, why);
    }
    return e;
}

static enum err note_time(struct hub *h, int64_t at_ms, struct why *why)
{
    uint8_t be[8];
    struct stmt *s;
    for (int i = 0; i < 8; i++) be[i] = (uint8_t)((uint64_t)at_ms >> (56 - 8 * i));
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_state(name, value) VALUES('backup_at', $1) ON CONFLICT(name) DO UPDATE SET "
                            "value = excluded.value",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(be, sizeof be));
    return db_run(s, why);
}

static enum err note_backup(const struct backup *b, const struct buf *heads, int64_t at_ms, struct why *why)
{
    struct hub *h = b->h;
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    for (size_t at = 0; e == ERR_OK && at < heads->len; at += 3 * sizeof(int64_t)) {
        int64_t head[3];
        memcpy(head, heads->data + at, sizeof head);
        e = cover(h, head, why);
    }
    if (e == ERR_OK) e = note_time(h, at_ms, why);
    if (e == ERR_OK) e = redo_covered(h, &b->journal, at_ms, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

enum err hub_backup(struct hub *h, const char *path, struct hub_backup *out, struct why *why)
{
    struct backup b = {.h = h};
    struct buf heads;
    *out = (struct hub_backup){.at_ms = env_now(h->env)};
    if (snprintf(b.part, sizeof b.part, "%s.part", path) >= (int)sizeof b.part)
        return why_set(why, ERR_LIMIT, "The name of this file is too long.");
    buf_init(&b.sealed, 8u << 20);
    buf_init(&heads, 64u << 20);
    enum err e = hub_redo_gather(h, why); /* so that it has as much of the journal as it can */
    if (e == ERR_OK) e = write_part(&b, &heads, out, why);
    if (e == ERR_OK) e = read_back(&b, why);
    if (e == ERR_OK) e = h->env->move_file(h->env->ctx, b.part, path, why);
    if (e == ERR_OK) e = note_backup(&b, &heads, out->at_ms, why);
    if (e != ERR_OK) (void)h->env->remove_file(h->env->ctx, b.part, NULL);
    seal_writer_free(b.w);
    buf_release(&b.sealed);
    buf_release(&heads);
    return e;
}

enum err hub_backup_at(struct hub *h, int64_t *out_ms, struct why *why)
{
    struct stmt *s;
    bool row = false;
    uint64_t at = 0;
    enum err e = db_prepare(h->db, "SELECT value FROM h_state WHERE name = 'backup_at'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    struct bytes v = e == ERR_OK && row ? db_bytes(s, 0) : (struct bytes){0};
    for (size_t i = 0; v.n == 8 && i < 8; i++) at = at << 8 | v.p[i];
    db_done(s);
    if (e == ERR_OK) *out_ms = (int64_t)at;
    return e;
}
