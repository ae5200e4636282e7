/* Gaps: an unsent envelope whose content cannot be read back any more. The chain must go on, or nothing that was written
 * after it would ever reach the hub. So a signed gap is sent in its place, and its work is written again, as far as the
 * overlay has it, at the end of the chain. */
#include "node/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum err note_gap(struct node *n, uint64_t seq, uint64_t again, bool whole, struct why *why)
{
    const int64_t args[] = {(int64_t)seq};
    struct stmt *s = NULL;
    char reason[200];
    if (again != 0)
        (void)snprintf(reason, sizeof reason,
                       "This change could not be read back from this device's disk. What stands here of it was written "
                       "again as change %" PRIu64 ".",
                       again);
    else if (whole)
        (void)snprintf(
            reason, sizeof reason,
            "This change could not be read back from this device's disk. What it said was written anew in later "
            "changes, so nothing is lost.");
    else
        (void)snprintf(
            reason, sizeof reason,
            "This change could not be read back from this device's disk, and nothing of it was left to write "
            "again. Look at what you wrote then, and write it once more.");
    enum err e = db_prepare(n->db, "UPDATE n_outbox SET state = 'fault', reason = $1 WHERE seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, reason);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_run(s, why);
    if (e == ERR_OK) e = state_run(n->db, "INSERT INTO n_gap(seq) VALUES($1)", args, 1, why);
    return e == ERR_OK ? state_run(n->db, "DELETE FROM n_content WHERE seq = $1", args, 1, why) : e;
}

/* Without a place in the overlay the old pending edits would wait for ever for a verdict that is about nothing. */
static enum err write_again(struct node *n, uint64_t seq, const struct gap_work *w, uint64_t *out_seq, struct why *why)
{
    const int64_t args[] = {(int64_t)seq};
    if (!w->whole) return ERR_OK;
    enum err e = state_run(n->db, "DELETE FROM n_pending WHERE seq = $1", args, 1, why);
    if (e != ERR_OK || w->changes.len == 0) return e;
    return edit_again(n, buf_bytes(&w->changes), &w->origin, w->what, out_seq, why);
}

static enum err make_gap(struct node *n, uint64_t seq, enum content_state state, struct why *why)
{
    struct gap_work work;
    struct seqs sound = {0};
    uint64_t again = 0;
    enum err e = gap_work_read(n, seq, &work, why);
    if (e == ERR_TAMPERED || e == ERR_IO) e = ERR_OK; /* the overlay is gone too: work.changes is empty */
    if (e == ERR_OK && state == CONTENT_UNREADABLE) e = aside_find(n, &sound, why);
    if (e == ERR_OK) {
        e = db_begin(n->db, why);
        if (e == ERR_OK && state == CONTENT_UNREADABLE) e = aside_put(n, &sound, why);
        if (e == ERR_OK) e = write_again(n, seq, &work, &again, why);
        if (e == ERR_OK) e = note_gap(n, seq, again, work.whole, why);
        if (e == ERR_OK)
            e = db_commit(n->db, why);
        else
            db_rollback(n->db);
    }
    gap_work_release(&work);
    buf_release(&sound.list);
    return e;
}

/* Bytes of an envelope, as noted when it was written. */
static enum err size_of(struct node *n, uint64_t seq, size_t *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT bytes FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = (size_t)db_int(s, 0);
    db_done(s);
    return e;
}

enum err gap_look(struct node *n, size_t budget, struct why *why)
{
    struct seqs unsent;
    size_t total = 0;
    enum err e = seqs_ask(n, "SELECT seq FROM n_outbox WHERE state = 'unsent' ORDER BY seq", &unsent, why);
    if (e == ERR_OK) e = aside_end(n, why);
    for (size_t i = 0; e == ERR_OK && i < seqs_count(&unsent) && total <= budget; i++) {
        enum content_state state = CONTENT_SOUND;
        size_t bytes = 0;
        e = content_check(n, seqs_at(&unsent, i), &state, why);
        if (e == ERR_OK && state != CONTENT_SOUND) e = make_gap(n, seqs_at(&unsent, i), state, why);
        if (e == ERR_OK) e = size_of(n, seqs_at(&unsent, i), &bytes, why);
        total += bytes;
    }
    buf_release(&unsent.list);
    return e;
}

enum err gap_item(struct node *n, uint64_t seq, struct buf *out, struct why *why)
{
    struct gap g = {.seq = seq};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT hash FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || db_bytes(s, 0).n != sizeof g.hash))
        e = why_set(why, ERR_TAMPERED, "What this device notes of a change that it lost is damaged.");
    if (e == ERR_OK) memcpy(g.hash, db_bytes(s, 0).p, sizeof g.hash);
    db_done(s);
    memcpy(g.hub, n->hub.kid, KID_BYTES);
    return e == ERR_OK ? message_put_gap(out, &n->self, &g, why) : e;
}
