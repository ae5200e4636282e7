/* Gaps: an unsent envelope whose content cannot be read back any more. The chain must go on, or nothing that was
 * written after it would ever reach the hub. So a signed gap is sent in its place, and its work is written again, as
 * far as the overlay has it, at the end of the chain. */
#include "node/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNSENT "SELECT seq FROM n_outbox WHERE state = 'unsent' ORDER BY seq"

/* Where its words are now, for the person who wrote them. `again` 0: in no envelope of their own. */
static void put_reason(char *out, size_t max, uint64_t again, const struct gap_work *w)
{
    static const char lost[] = "This change could not be read back from this device's disk";
    if (again != 0 && w->whole)
        (void)snprintf(out, max, "%s. What stands here of it was written again as change %" PRIu64 ".", lost, again);
    else if (again != 0)
        (void)snprintf(out, max,
                       "%s. What could still be read of it was written again as change %" PRIu64
                       ". Look at it, and write once more what is missing.",
                       lost, again);
    else if (w->whole && w->any)
        (void)snprintf(out, max, "%s. What it said was written anew in later changes, so nothing is lost.", lost);
    else
        (void)snprintf(out, max,
                       "%s, and nothing of it was left to write again. Look at what you wrote then, and write it once "
                       "more.",
                       lost);
}

static enum err note_gap(struct node *n, uint64_t seq, uint64_t again, const struct gap_work *w, struct why *why)
{
    const int64_t args[] = {(int64_t)seq};
    struct stmt *s = NULL;
    char reason[256];
    put_reason(reason, sizeof reason, again, w);
    enum err e = db_prepare(n->db, "UPDATE n_outbox SET state = 'fault', reason = $1 WHERE seq = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, reason);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_run(s, why);
    if (e == ERR_OK) e = state_run(n->db, "INSERT INTO n_gap(seq) VALUES($1)", args, 1, why);
    return e == ERR_OK ? state_run(n->db, "DELETE FROM n_content WHERE seq = $1", args, 1, why) : e;
}

/* The new envelope names the same rows: an order to forget them is not done with before it is judged too. */
static enum err park_too(struct node *n, uint64_t seq, uint64_t again, struct why *why)
{
    const int64_t args[] = {(int64_t)seq, (int64_t)again};
    return state_run(n->db, "INSERT INTO n_parked(seq, request) SELECT $2, request FROM n_parked WHERE seq = $1", args,
                     2, why);
}

/* The old pending edits stay below what is written again, until a verdict has this number: for the gap, or for the
 * envelope itself, which the hub may have by a courier. Of that it may tell before it hears of the gap, and what it
 * took in as it was sent it does not tell again (hub/RULES.md). Where they cannot all be read they go: a row of which
 * they cannot be read goes back to what the hub has. */
static enum err write_again(struct node *n, uint64_t seq, const struct gap_work *w, uint64_t *out_seq, struct why *why)
{
    const int64_t args[] = {(int64_t)seq};
    enum err e = w->whole ? state_run(n->db, "INSERT INTO n_gap_kept(seq) VALUES($1)", args, 1, why)
                          : overlay_judged(n, seq, false, why);
    if (e == ERR_OK && w->changes.len > 0) {
        e = edit_again(n, buf_bytes(&w->changes), &w->origin, w->what, out_seq, why);
        if (e == ERR_OK) e = park_too(n, seq, *out_seq, why);
    }
    return e == ERR_OK && !w->whole ? overlay_settle(n, why) : e;
}

/* sound NULL: the table with its content can be read. w NULL: the overlay cannot be changed either. */
static enum err put_gap(struct node *n, uint64_t seq, const struct seqs *sound, const struct gap_work *w,
                        struct why *why)
{
    static const struct gap_work nothing;
    uint64_t again = 0;
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    if (sound != NULL) e = aside_put(n, sound, why);
    if (e == ERR_OK && w != NULL) e = write_again(n, seq, w, &again, why);
    if (e == ERR_OK) e = note_gap(n, seq, again, w != NULL ? w : &nothing, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

static enum err make_gap(struct node *n, uint64_t seq, enum content_state state, struct why *why)
{
    struct gap_work work;
    struct seqs sound = {0};
    const struct seqs *kept = state == CONTENT_UNREADABLE ? &sound : NULL;
    enum err e = ends_show_now(n, why); /* what stands here of the work may be in them */
    if (e != ERR_OK) return e;
    e = gap_work_read(n, seq, &work, why);
    if (e == ERR_OK && kept != NULL) e = aside_find(n, &sound, why);
    if (e == ERR_OK) {
        e = put_gap(n, seq, kept, &work, why);
        if (e == ERR_TAMPERED && !work.whole) e = put_gap(n, seq, kept, NULL, why);
    }
    gap_work_release(&work);
    buf_release(&sound.list);
    enum err hidden = ends_tick(n, e == ERR_OK ? why : NULL);
    return e == ERR_OK ? hidden : e;
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

/* *out_bytes: what a request carries of it. Where there is a gap now, what stands behind it moves up. */
static enum err look_at(struct node *n, uint64_t seq, size_t *out_bytes, struct why *why)
{
    enum content_state state = CONTENT_SOUND;
    enum err e = content_check(n, seq, &state, why);
    if (e != ERR_OK) return e;
    return state == CONTENT_SOUND ? size_of(n, seq, out_bytes, why) : make_gap(n, seq, state, why);
}

enum err gap_reach(struct node *n, uint64_t *out, struct why *why)
{
    return state_ask(n->db, "SELECT max(seq) FROM n_gap WHERE seq NOT IN (SELECT seq FROM n_gap_kept)", out, why);
}

enum err gap_look(struct node *n, size_t budget, struct why *why)
{
    struct seqs unsent;
    size_t total = 0;
    uint64_t reach = 0;
    enum err e = seqs_ask(n, UNSENT, &unsent, why);
    if (e == ERR_OK) e = aside_end(n, why);
    if (e == ERR_OK) e = gap_reach(n, &reach, why);
    for (size_t i = 0; e == ERR_OK && i < seqs_count(&unsent); i++) {
        if (total > budget && seqs_at(&unsent, i) > reach) break;
        size_t bytes = 0;
        e = look_at(n, seqs_at(&unsent, i), &bytes, why);
        total += bytes;
    }
    buf_release(&unsent.list);
    return e;
}

enum err gap_look_but(struct node *n, const struct seqs *judged, struct why *why)
{
    struct seqs unsent;
    enum err e = seqs_ask(n, UNSENT, &unsent, why);
    if (e == ERR_OK) e = aside_end(n, why);
    for (size_t i = 0; e == ERR_OK && i < seqs_count(&unsent); i++) {
        size_t bytes = 0;
        if (!seqs_have(judged, seqs_at(&unsent, i))) e = look_at(n, seqs_at(&unsent, i), &bytes, why);
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
