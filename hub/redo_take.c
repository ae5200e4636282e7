/* What transactions changed, into the store beside it (hub/DISASTER.md, How it is fed): on a file before each of them
 * commits, on PostgreSQL some at a time, out of the database's own notes. */
#include "hub/redo_take.h"

#include "hub/admins.h"
#include "hub/internal.h"
#include "hub/redo_part.h"
#include "hub/store.h"
#include "sync/db_note.h"

#include <stdlib.h>
#include <string.h>

struct redo {
    struct hub *h;
    struct redo_frames frames;
};

/* Its own, and those that a restore empties or that say nothing of a hub that is lost. */
static bool wanted(void *ctx, const char *table)
{
    static const char *const not[] = {"h_answer", "h_awaited", "h_cut_back", "h_held_rows", "h_holds",
                                      "h_outcome", "h_probe", "h_return_load", "h_returned", "h_sealed", "h_statement"};
    (void)ctx;
    if (strncmp(table, "h_redo", 6) == 0) return false;
    for (size_t i = 0; i < sizeof not / sizeof not[0]; i++)
        if (strcmp(table, not[i]) == 0) return false;
    return true;
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory for the journal.");
}

/* ---------------------------------------------------------------------------------------------------- the journal */

struct standing {
    bool on;
    int64_t made, pending, log_size;
};

static enum err read_standing(struct db *db, struct standing *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT made, pending, log_size FROM h_redo_state WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row)
        *out = (struct standing){.on = true, .made = db_int(s, 0), .pending = db_int(s, 1), .log_size = db_int(s, 2)};
    db_done(s);
    return e;
}

static enum err log_size(struct db *db, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT size FROM h_log WHERE no = 0", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    *out = e == ERR_OK && row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* Another journal: what was not written of the former one is forgotten. `gave_up`: 0 where somebody wanted it. */
static enum err begin_anew(struct hub *h, int64_t gave_up, struct why *why)
{
    static const uint8_t zeros[HASH_BYTES];
    uint8_t id[REDO_ID_BYTES];
    int64_t size = 0, now = env_now(h->env);
    struct stmt *s;
    env_random(h->env, id, sizeof id);
    enum err e = log_size(h->db, &size, why);
    if (e == ERR_OK) e = db_exec(h->db, "DELETE FROM h_redo", why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_redo_state(one, id, made, written, chain, part, pending, log_size, began_at, gave_up) "
                       "VALUES(1, $1, 0, 0, $2, (SELECT coalesce(max(part), 0) FROM h_redo_part), 0, $3, $4, $5) ON CONFLICT(one) DO UPDATE SET id = excluded.id, "
                       "made = 0, written = 0, chain = excluded.chain, pending = 0, log_size = excluded.log_size, "
                       "began_at = excluded.began_at, gave_up = excluded.gave_up",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(id, sizeof id));
    db_bind_blob(s, 2, bytes_of(zeros, sizeof zeros));
    db_bind_int(s, 3, size);
    db_bind_int(s, 4, now);
    db_bind_int(s, 5, gave_up);
    return db_run(s, why);
}

static enum err put_piece(struct redo *r, int64_t entry, struct bytes piece, bool more, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(r->h->db, "INSERT INTO h_redo(entry, at, more, body) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, entry);
    db_bind_int(s, 2, env_now(r->h->env));
    db_bind_int(s, 3, more);
    db_bind_blob(s, 4, piece);
    return db_run(s, why);
}

static enum err put_pieces(struct redo *r, struct standing *at, struct why *why)
{
    struct bytes left = buf_bytes(&r->frames.body);
    struct stmt *s;
    enum err e = log_size(r->h->db, &at->log_size, why);
    at->pending += (int64_t)left.n;
    while (e == ERR_OK && left.n > 0) {
        size_t n = left.n < REDO_PIECE ? left.n : REDO_PIECE;
        e = put_piece(r, ++at->made, bytes_of(left.p, n), left.n > n, why);
        left = bytes_of(left.p + n, left.n - n);
    }
    if (e == ERR_OK)
        e = db_prepare(r->h->db, "UPDATE h_redo_state SET made = $1, pending = $2, log_size = $3 WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->made);
    db_bind_int(s, 2, at->pending);
    db_bind_int(s, 3, at->log_size);
    return db_run(s, why);
}

/* What cannot be kept is no reason to refuse a device its work: the journal begins anew, and says so. */
static enum err take_down(struct redo *r, struct why *why)
{
    struct standing at = {0};
    struct why detail = {0};
    struct redo_frames *f = &r->frames;
    struct db *db = r->h->db;
    enum err e = read_standing(db, &at, why);
    if (e != ERR_OK || !at.on) return e;
    e = redo_frames_begin(f, &detail);
    if (e == ERR_OK)
        e = db_is_postgres(db) ? db_note_take(db, redo_frames_row, f, &detail)
                               : db_track_each(db, redo_frames_row, f, &detail);
    if (e == ERR_OK) e = redo_frames_end(f, &detail);
    if (e == ERR_OK && at.pending + (int64_t)f->body.len > REDO_PENDING_MAX) e = ERR_LIMIT;
    if (e == ERR_LIMIT || e == ERR_FORMAT || e == ERR_VERSION)
        e = begin_anew(r->h, env_now(r->h->env), &detail);
    else if (e == ERR_OK && f->body.len > 0)
        e = put_pieces(r, &at, &detail);
    redo_frames_wipe(f);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "%s", detail.text);
}

static enum err before_commit(void *ctx, struct why *why)
{
    return take_down(ctx, why);
}

/* ------------------------------------------------------------------------------------------- beginning and ending */

static enum err make(struct hub *h, struct why *why)
{
    if (h->redo != NULL) return ERR_OK;
    struct redo *r = calloc(1, sizeof *r);
    if (r == NULL) return no_memory(why);
    r->h = h;
    redo_frames_init(&r->frames, h);
    h->redo = r;
    return ERR_OK;
}

/* Of a file: the process that writes rows is asked. */
static enum err follow(struct hub *h, struct why *why)
{
    if (h->redo != NULL || db_is_postgres(h->db)) return ERR_OK;
    enum err e = make(h, why);
    if (e == ERR_OK)
        e = db_track_start(
            h->db, &(struct db_track_options){.ctx = h->redo, .wants = wanted, .before_commit = before_commit}, why);
    if (e != ERR_OK) redo_close(h);
    return e;
}

void redo_close(struct hub *h)
{
    struct redo *r = h->redo;
    if (r == NULL) return;
    db_track_end(h->db);
    redo_frames_release(&r->frames);
    free(r);
    h->redo = NULL;
}

enum err redo_again(struct hub *h, struct why *why)
{
    if (h->redo == NULL) return ERR_OK;
    redo_close(h);
    return follow(h, why);
}

static enum err has_tables(struct db *db, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db,
                            db_is_postgres(db) ? "SELECT 1 WHERE to_regclass('h_redo_state') IS NOT NULL"
                                               : "SELECT 1 FROM sqlite_schema WHERE name = 'h_redo_state'",
                            &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err lay(struct db *db, bool rows, size_t *out_laid, struct why *why)
{
    return db_note_lay(db, &(struct db_note_options){.wants = wanted, .rows = rows}, out_laid, why);
}

enum err redo_lay(struct db *db, bool rows, struct why *why)
{
    struct standing at = {0};
    size_t laid = 0;
    if (!db_is_postgres(db)) return ERR_OK;
    enum err e = read_standing(db, &at, why);
    return e == ERR_OK && at.on ? lay(db, rows, &laid, why) : e;
}

/* A file: a program without a journal wrote to it since. PostgreSQL: somebody took the notes of a table away. */
static enum err has_gap(struct hub *h, const struct standing *at, bool *out, struct why *why)
{
    int64_t size = 0;
    bool holds = true;
    enum err e = db_is_postgres(h->db) ? db_note_holds(h->db, &(struct db_note_options){.wants = wanted}, &holds, why)
                                       : log_size(h->db, &size, why);
    *out = db_is_postgres(h->db) ? !holds : size != at->log_size;
    return e;
}

/* In a transaction of its own: what happened while nobody looked is in no journal. It looks again there: since the
 * first look another process may have ended the journal, which no gap brings back, or begun it anew. */
static enum err begin_after_gap(struct hub *h, struct why *why)
{
    struct standing at = {0};
    bool gap = false;
    size_t laid = 0;
    enum err e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = read_standing(h->db, &at, why);
    if (e == ERR_OK && at.on) e = has_gap(h, &at, &gap, why);
    if (e == ERR_OK && gap && db_is_postgres(h->db)) e = lay(h->db, false, &laid, why);
    if (e == ERR_OK && gap) e = begin_anew(h, env_now(h->env), why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

enum err redo_open(struct hub *h, struct why *why)
{
    struct standing at = {0};
    bool there = false, gap = false;
    enum err e = has_tables(h->db, &there, why);
    if (e == ERR_OK && there) e = read_standing(h->db, &at, why);
    if (e != ERR_OK || !at.on) return e;
    e = has_gap(h, &at, &gap, why);
    if (e == ERR_OK) e = follow(h, why);
    return e == ERR_OK && gap ? begin_after_gap(h, why) : e;
}

enum err redo_gather(struct hub *h, struct why *why)
{
    struct standing at = {0};
    int64_t moved = 0;
    if (!db_is_postgres(h->db)) return ERR_OK;
    enum err e = store_get_counter(h->db, "moved", &moved, why);
    if (e == ERR_OK) e = read_standing(h->db, &at, why);
    if (e != ERR_OK || moved != 0 || !at.on) return e;
    e = make(h, why);
    return e == ERR_OK ? take_down(h->redo, why) : e;
}

enum err redo_noted(struct hub *h, int64_t *out_since_ms, struct why *why)
{
    struct standing at = {0};
    *out_since_ms = 0;
    if (!db_is_postgres(h->db)) return ERR_OK;
    enum err e = read_standing(h->db, &at, why);
    return e == ERR_OK && at.on ? db_note_waits(h->db, out_since_ms, why) : e;
}

enum err hub_redo_gather(struct hub *h, struct why *why)
{
    int64_t since = 0;
    enum err e = redo_noted(h, &since, why);
    if (e != ERR_OK || since == 0) return e;
    e = db_begin_still(h->db, why);
    if (e != ERR_OK) return e;
    e = redo_gather(h, why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* Rows are followed from before the transaction that says so: its act is in the first entry. */
static enum err begin_here(struct hub *h, const char *reason, struct why *why)
{
    struct standing at = {0};
    size_t laid = 0;
    enum err e = read_standing(h->db, &at, why);
    if (e != ERR_OK || (at.on && reason == NULL)) return e; /* another server was quicker */
    if (db_is_postgres(h->db)) e = lay(h->db, false, &laid, why);
    if (e == ERR_OK) e = begin_anew(h, 0, why);
    return e == ERR_OK && reason != NULL ? admins_act(h, MAY_SECURE, "journal began", NULL, reason, why) : e;
}

static enum err end_here(struct hub *h, const char *reason, struct why *why)
{
    enum err e = admins_act(h, MAY_SECURE, "journal ended", NULL, reason, why);
    if (e == ERR_OK) e = db_exec(h->db, "DELETE FROM h_redo_state; DELETE FROM h_redo", why);
    return e == ERR_OK && db_is_postgres(h->db) ? db_note_lift(h->db, why) : e;
}

static enum err change(struct hub *h, const char *reason, enum err (*how)(struct hub *, const char *, struct why *),
                       struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = how(h, reason, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

enum err hub_redo_begin(struct hub *h, const char *reason, struct why *why)
{
    struct standing at = {0};
    if (reason != NULL && reason[0] == '\0') return why_set(why, ERR_USAGE, "Say why: --reason.");
    enum err e = read_standing(h->db, &at, why);
    if (e != ERR_OK || (at.on && reason == NULL)) return e;
    e = follow(h, why);
    if (e == ERR_OK) e = change(h, reason, begin_here, why);
    if (e != ERR_OK && !at.on) redo_close(h);
    return e;
}

enum err hub_redo_end(struct hub *h, const char *reason, struct why *why)
{
    struct standing at = {0};
    if (reason == NULL || reason[0] == '\0') return why_set(why, ERR_USAGE, "Say why: --reason.");
    enum err e = read_standing(h->db, &at, why);
    if (e == ERR_OK && !at.on) e = why_set(why, ERR_NOTFOUND, "This hub keeps no journal.");
    if (e == ERR_OK) e = change(h, reason, end_here, why);
    if (e == ERR_OK) redo_close(h);
    return e;
}

/* -------------------------------------------------------------------------------------------------- with a backup */

enum err redo_position(struct hub *h, struct redo_position *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT id, made FROM h_redo_state WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    *out = (struct redo_position){0};
    if (e == ERR_OK && row && db_bytes(s, 0).n == REDO_ID_BYTES) {
        out->on = true;
        memcpy(out->id, db_bytes(s, 0).p, REDO_ID_BYTES);
        out->entry = db_int(s, 1);
    }
    db_done(s);
    return e;
}

enum err redo_covered(struct hub *h, const struct redo_position *p, int64_t at_ms, struct why *why)
{
    struct stmt *s;
    if (!p->on) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_redo_backup(no, id, entry, at) VALUES((SELECT coalesce(max(no), 0) + 1 FROM "
                            "h_redo_backup), $1, $2, $3)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(p->id, sizeof p->id));
    db_bind_int(s, 2, p->entry);
    db_bind_int(s, 3, at_ms);
    e = db_run(s, why);
    return e == ERR_OK ? db_exec(h->db, "DELETE FROM h_redo_backup WHERE no <= (SELECT max(no) FROM h_redo_backup) - 2",
                                 why)
                       : e;
}
