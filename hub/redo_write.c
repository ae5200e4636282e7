/* From the store into the folder. What touches the store and what touches the folder are apart: a folder may be slow,
 * or hang. */
#include "hub/redo.h"

#include "crypto/seal.h"
#include "hub/internal.h"
#include "hub/redo_part.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_ENTRIES 256
#define BATCH_BYTES   (8u << 20)
#define PATH_BYTES    4096
#define REMOVE_MOST   16

struct journal_part {
    uint8_t id[REDO_ID_BYTES];
    int64_t part;
};
struct hub_redo_writer {
    const struct env *env;
    char dir[PATH_BYTES];
    struct journal_part now;     /* the part that is written, or is to be begun; 0: none */
    int64_t first;       /* of it */
    uint64_t at;         /* its length; 0: it is not begun */
    struct journal_part before;  /* the one before it: its file must be there, or this is another folder; 0: none */
    struct buf out;      /* what is to be appended */
    bool put;            /* it was */
    int64_t last, bytes; /* last entry in `out`; of them all, as they lay in the store */
    uint8_t chain[HASH_BYTES];
    struct journal_part gone[REMOVE_MOST]; /* parts that nobody needs */
    size_t n_gone, n_removed;
};

enum err hub_redo_writer_new(struct hub_redo_writer **out, const struct env *env, const char *dir, struct why *why)
{
    struct hub_redo_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for the journal.");
    w->env = env;
    buf_init(&w->out, REDO_FILE_MAX);
    if (dir[0] == '\0' || strlen(dir) >= sizeof w->dir - 80) {
        hub_redo_writer_free(w);
        return why_set(why, ERR_USAGE, "The name of the journal's folder is empty or too long.");
    }
    memcpy(w->dir, dir, strlen(dir) + 1);
    *out = w;
    return ERR_OK;
}

void hub_redo_writer_free(struct hub_redo_writer *w)
{
    if (w == NULL) return;
    buf_release(&w->out);
    free(w);
}

/* --------------------------------------------------------------------------------------------------- with the store */

struct standing {
    bool on;
    uint8_t id[REDO_ID_BYTES], chain[HASH_BYTES];
    int64_t written, part;
};

static enum err read_standing(struct hub *h, struct standing *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT id, chain, written, part FROM h_redo_state WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes id = db_bytes(s, 0), chain = db_bytes(s, 1);
        if (id.n != sizeof out->id || chain.n != sizeof out->chain) {
            e = why_set(why, ERR_TAMPERED, "What this hub stored about its journal is damaged.");
        } else {
            memcpy(out->id, id.p, id.n);
            memcpy(out->chain, chain.p, chain.n);
            out->written = db_int(s, 2);
            out->part = db_int(s, 3);
            out->on = true;
        }
    }
    db_done(s);
    return e;
}

static enum err run_with(struct hub *h, const char *sql, int64_t v, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, v);
    return db_run(s, why);
}

/* It is in the folder: only now it goes from here. */
static enum err note_written(struct hub *h, struct hub_redo_writer *w, struct standing *at, struct why *why)
{
    struct stmt *s;
    if (!w->put || memcmp(w->now.id, at->id, sizeof at->id) != 0) return ERR_OK;
    enum err e = run_with(h, "DELETE FROM h_redo WHERE entry <= $1", w->last, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "UPDATE h_redo_state SET written = $1, chain = $2, pending = pending - $3, fault = NULL WHERE one = 1",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->last);
    db_bind_blob(s, 2, bytes_of(w->chain, sizeof w->chain));
    db_bind_int(s, 3, w->bytes);
    e = db_run(s, why);
    if (e != ERR_OK) return e;
    at->written = w->last;
    memcpy(at->chain, w->chain, sizeof at->chain);
    return ERR_OK;
}

static enum err note_removed(struct hub *h, const struct hub_redo_writer *w, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < w->n_removed; i++)
        e = run_with(h, "DELETE FROM h_redo_part WHERE part = $1", w->gone[i].part, why);
    return e;
}

/* What neither of the last two verified backups needs: parts of other journals than theirs and this one, and parts
 * that end before the older of the two. Before there are two, nothing goes. */
static enum err find_gone(struct hub *h, struct hub_redo_writer *w, struct why *why)
{
    struct stmt *s;
    bool row = true;
    w->n_gone = w->n_removed = 0;
    enum err e = db_prepare(
        h->db,
        "SELECT p.part, p.id FROM h_redo_part p WHERE (SELECT count(*) FROM h_redo_backup) >= 2 AND p.part < (SELECT part FROM "
        "h_redo_state) AND ((p.id <> (SELECT id FROM h_redo_state) AND NOT EXISTS(SELECT 1 FROM h_redo_backup b WHERE b.id = "
        "p.id)) OR EXISTS(SELECT 1 FROM h_redo_part n WHERE n.id = p.id AND n.part > p.part AND n.first <= (SELECT min(b.entry) + 1 "
        "FROM h_redo_backup b WHERE b.id = p.id))) ORDER BY p.part LIMIT 16",
        &s, why);
    if (e != ERR_OK) return e;
    while (w->n_gone < REMOVE_MOST && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct journal_part *p = &w->gone[w->n_gone];
        p->part = db_int(s, 0);
        if (db_id(s, 1, p->id)) w->n_gone++;
    }
    db_done(s);
    return e;
}

static enum err find_before(struct hub *h, struct hub_redo_writer *w, const struct standing *at, struct why *why)
{
    struct stmt *s;
    bool row = false;
    w->before = (struct journal_part){0};
    enum err e = db_prepare(h->db, "SELECT max(part) FROM h_redo_part WHERE id = $1 AND part < $2 AND first <= $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(at->id, sizeof at->id));
    db_bind_int(s, 2, w->now.part);
    db_bind_int(s, 3, at->written); /* one that was begun, and in which an entry is */
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && !db_is_null(s, 0)) {
        w->before.part = db_int(s, 0);
        memcpy(w->before.id, at->id, sizeof at->id);
    }
    db_done(s);
    return e;
}

/* Does the running part have all that a verified backup has? The next one is begun there: what was erased before two
 * backups is then in parts that neither of them needs. */
static enum err ends_with_backup(struct hub *h, const struct hub_redo_writer *w, const struct standing *at, bool *out,
                                 struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_redo_backup WHERE id = $1 AND entry >= $2 AND entry <= $3 LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    *out = false;
    db_bind_blob(s, 1, bytes_of(at->id, sizeof at->id));
    db_bind_int(s, 2, w->first);
    db_bind_int(s, 3, at->written);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* A number is used once: another try after a crash must not write over what the one before made durable. */
static enum err choose_part(struct hub *h, struct hub_redo_writer *w, const struct standing *at, struct why *why)
{
    struct stmt *s;
    bool ours = w->now.part != 0 && memcmp(w->now.id, at->id, sizeof at->id) == 0, full = w->at >= REDO_PART_BYTES;
    if (ours && w->at == 0 && w->first == at->written + 1) return ERR_OK; /* not begun yet */
    enum err e = ours && w->at > 0 && !full ? ends_with_backup(h, w, at, &full, why) : ERR_OK;
    if (e != ERR_OK || (ours && w->at > 0 && !full)) return e;
    e = run_with(h, "UPDATE h_redo_state SET part = $1 WHERE one = 1", at->part + 1, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "INSERT INTO h_redo_part(part, id, first) VALUES($1, $2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->part + 1);
    db_bind_blob(s, 2, bytes_of(at->id, sizeof at->id));
    db_bind_int(s, 3, at->written + 1);
    e = db_run(s, why);
    if (e != ERR_OK) return e;
    w->now.part = at->part + 1;
    memcpy(w->now.id, at->id, sizeof at->id);
    w->first = at->written + 1;
    w->at = 0;
    return ERR_OK;
}

static enum err put_head(struct hub *h, struct hub_redo_writer *w, const struct standing *at, struct why *why)
{
    struct redo_head m = {.part = (uint64_t)w->now.part,
                          .first = (uint64_t)w->first,
                          .schema = db_schema(h->db),
                          .at = env_now(h->env)};
    memcpy(m.id, at->id, sizeof m.id);
    memcpy(m.chain, at->chain, sizeof m.chain);
    return redo_put_head(&w->out, &h->id, &m, why);
}

static enum err put_entry(struct hub *h, struct hub_redo_writer *w, struct stmt *s, struct why *why)
{
    struct redo_entry m = {.entry = (uint64_t)db_int(s, 0), .at = db_int(s, 1), .more = db_int(s, 2) != 0};
    struct bytes body = db_bytes(s, 3);
    struct buf sealed;
    buf_init(&sealed, REDO_PIECE + 1024);
    memcpy(m.id, w->now.id, sizeof m.id);
    memcpy(m.chain, w->chain, sizeof m.chain);
    enum err e = seal_box(body, h->recovery_pk, &sealed, why);
    m.sealed = buf_bytes(&sealed);
    if (e == ERR_OK) e = redo_put_entry(&w->out, &h->id, &m, w->chain, why);
    buf_release(&sealed);
    if (e != ERR_OK) return e;
    w->last = db_int(s, 0);
    w->bytes += (int64_t)body.n;
    return ERR_OK;
}

static enum err put_entries(struct hub *h, struct hub_redo_writer *w, const struct standing *at, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = db_prepare(h->db,
                            "SELECT entry, at, more, body FROM h_redo WHERE entry > $1 AND entry <= coalesce((SELECT min(entry) FROM "
                            "h_redo_backup WHERE id = $2 AND entry > $1), $3) ORDER BY entry",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at->written);
    db_bind_blob(s, 2, bytes_of(at->id, sizeof at->id));
    db_bind_int(s, 3, INT64_MAX);
    memcpy(w->chain, at->chain, sizeof w->chain);
    w->bytes = 0;
    for (int n = 0; n < BATCH_ENTRIES && w->out.len < BATCH_BYTES; n++) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = put_entry(h, w, s, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

static enum err waits(struct hub *h, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_redo LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    *out = false;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* In the running transaction. */
static enum err step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why)
{
    struct standing at = {0};
    bool there = false;
    enum err e = read_standing(h, &at, why);
    if (e != ERR_OK || !at.on) return e;
    e = note_written(h, w, &at, why);
    if (e == ERR_OK) e = note_removed(h, w, why);
    w->put = false;
    buf_reset(&w->out);
    if (e == ERR_OK) e = waits(h, &there, why);
    if (e == ERR_OK) e = find_gone(h, w, why);
    *out_more = there || w->n_gone > 0;
    if (e != ERR_OK || !there) return e;
    e = choose_part(h, w, &at, why);
    if (e == ERR_OK && w->at == 0) e = find_before(h, w, &at, why);
    if (e == ERR_OK && w->at == 0) e = put_head(h, w, &at, why);
    return e == ERR_OK ? put_entries(h, w, &at, why) : e;
}

enum err hub_redo_step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why)
{
    bool there = false;
    *out_more = false;
    if (h->redo == NULL) return ERR_OK;
    enum err e = waits(h, &there, why);
    if (e != ERR_OK || (!there && !w->put && w->n_removed == 0)) return e;
    e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = step(h, w, out_more, why);
    if (e == ERR_OK) e = db_commit(h->db, why);
    if (e == ERR_OK) return ERR_OK;
    db_rollback(h->db);
    /* What the store does not know of never was: the next step begins another part. */
    w->now = (struct journal_part){0};
    w->put = false;
    buf_reset(&w->out);
    *out_more = false;
    return e;
}

enum err hub_redo_fault(struct hub *h, const char *words, struct why *why)
{
    char text[REDO_FAULT_BYTES];
    struct stmt *s;
    size_t n = strlen(words) < sizeof text - 1 ? strlen(words) : sizeof text - 1;
    memcpy(text, words, n);
    text[n] = '\0';
    enum err e = db_prepare(h->db, "UPDATE h_redo_state SET fault = $1 WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, text);
    return db_run(s, why);
}

/* -------------------------------------------------------------------------------------------------- with the folder */

static enum err path_of(const struct hub_redo_writer *w, const struct journal_part *p, char path[PATH_BYTES], struct why *why)
{
    return redo_part_path(path, PATH_BYTES, w->dir, p->id, (uint64_t)p->part, why);
}

static enum err other_folder(const struct hub_redo_writer *w, int64_t part, struct why *why)
{
    (void)why_set(why, ERR_NOTFOUND, "The folder %.120s does not hold part %lld of this hub's journal.", w->dir,
                  (long long)part);
    return why_next(why, ERR_NOTFOUND,
                    "Is the right disk mounted there? If the parts are gone for good: spoke-hub journal begin, and then a backup.");
}

/* Is the folder the one that has what was written before? A disk that is not mounted looks like an empty folder. */
static enum err same_folder(struct hub_redo_writer *w, struct why *why)
{
    const struct journal_part *p = w->at > 0 ? &w->now : &w->before;
    char path[PATH_BYTES];
    uint64_t size = 0;
    if (p->part == 0) return ERR_OK;
    enum err e = path_of(w, p, path, why);
    if (e == ERR_OK) e = w->env->file_size(w->env->ctx, path, &size, why);
    if (e == ERR_NOTFOUND) return other_folder(w, p->part, why);
    if (e == ERR_OK && w->at > 0 && size != w->at)
        e = why_set(why, ERR_IO, "Somebody else changed the journal's folder %.120s.", w->dir);
    return e;
}

static enum err append(struct hub_redo_writer *w, struct why *why)
{
    char path[PATH_BYTES];
    enum err e = same_folder(w, why);
    if (e == ERR_OK) e = path_of(w, &w->now, path, why);
    if (e == ERR_OK) e = w->env->append_file(w->env->ctx, path, w->at, buf_bytes(&w->out), true, why);
    if (e == ERR_OK) {
        w->at += w->out.len;
        w->put = true;
    } else if (w->at > 0) {
        w->now = (struct journal_part){0}; /* nobody knows how it ends: another part goes on */
    }
    buf_reset(&w->out);
    return e;
}

enum err hub_redo_put(struct hub_redo_writer *w, struct why *why)
{
    char path[PATH_BYTES];
    enum err e = w->out.len > 0 ? append(w, why) : ERR_OK;
    for (; e == ERR_OK && w->n_removed < w->n_gone; w->n_removed++) {
        e = path_of(w, &w->gone[w->n_removed], path, why);
        if (e == ERR_OK) e = w->env->remove_file(w->env->ctx, path, why);
        if (e != ERR_OK) break;
    }
    return e;
}

/* ---------------------------------------------------------------------------------------------------- how it stands */

enum err hub_redo_state(struct hub *h, struct hub_redo_state *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    struct hub_redo_state x = {0};
    enum err e = db_prepare(
        h->db,
        "SELECT id, made, written, part, pending, began_at, gave_up, fault, (SELECT count(*) FROM h_redo), (SELECT min(at) FROM "
        "h_redo), (SELECT count(*) FROM h_redo_part), CASE WHEN EXISTS(SELECT 1 FROM h_redo_backup b WHERE b.id = s.id) THEN 1 "
        "ELSE 0 END FROM h_redo_state s WHERE one = 1",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes fault = db_bytes(s, 7);
        x.on = true;
        (void)db_id(s, 0, x.id);
        x.made = db_int(s, 1);
        x.written = db_int(s, 2);
        x.part = db_int(s, 3);
        x.pending = db_int(s, 4);
        x.began_at = db_int(s, 5);
        x.gave_up = db_int(s, 6);
        memcpy(x.fault, fault.p == NULL ? (const uint8_t *)"" : fault.p,
               fault.n < sizeof x.fault ? fault.n : sizeof x.fault - 1);
        x.waiting = db_int(s, 8);
        x.waiting_since = db_int(s, 9);
        x.parts = db_int(s, 10);
        x.joined = db_int(s, 11) != 0;
    }
    db_done(s);
    if (e == ERR_OK) *out = x;
    return e;
}
