/* From the store into the folder. What touches the store and what touches the folder are apart: a folder may be slow,
 * or hang. */
#include "hub/redo.h"

#include "crypto/seal.h"
#include "hub/internal.h"
#include "hub/redo_part.h"
#include "hub/store.h"

#include <stdio.h>
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
    bool begun;          /* its file is ours: it was tried to begin it */
    struct journal_part before;  /* the one before it: it must be there, or this is another folder; 0: none */
    int64_t own;         /* the part that was written last here */
    struct identity hub; /* who signs */
    uint8_t from[HASH_BYTES];    /* hash of the entry before `first` */
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

/* What is at hand is of no use: the next part begins where the store says. */
static void start_over(struct hub_redo_writer *w)
{
    w->now = (struct journal_part){0};
    w->at = 0;
    w->put = false;
    buf_reset(&w->out);
}

/* It is in the folder: only now it goes from here. */
static enum err note_written(struct hub *h, struct hub_redo_writer *w, struct standing *at, struct why *why)
{
    struct stmt *s;
    if (!w->put) return ERR_OK;
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
 * that end before the older of the two. Before there are two, nothing goes. Nor does the part with the last entry that
 * the store knows to be in the folder: who takes over looks for it. */
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
        "FROM h_redo_backup b WHERE b.id = p.id) AND n.first <= (SELECT written FROM h_redo_state))) ORDER BY p.part LIMIT 16",
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
    w->begun = false;
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
    int64_t since = 0;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_redo LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    *out = false;
    e = db_step(s, out, why);
    db_done(s);
    if (e == ERR_OK && !*out) e = redo_noted(h, &since, why);
    *out = *out || since != 0;
    return e;
}

/* In the running transaction. A number of a part that is not the last one says that another process wrote since, and
 * that what this one wrote behind its back counts for nothing. Of a store that has moved the journal goes on elsewhere,
 * with the same numbers. */
static enum err step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why)
{
    struct standing at = {0};
    bool there = false;
    int64_t moved = 0;
    enum err e = store_get_counter(h->db, "moved", &moved, why);
    if (e == ERR_OK) e = redo_gather(h, why);
    if (e == ERR_OK) e = read_standing(h, &at, why);
    if (e != ERR_OK || !at.on || moved != 0) return e;
    if (w->now.part != at.part || memcmp(w->now.id, at.id, sizeof at.id) != 0) start_over(w);
    w->hub = h->id.pub;
    e = note_written(h, w, &at, why);
    if (e == ERR_OK) e = note_removed(h, w, why);
    w->put = false;
    buf_reset(&w->out);
    if (e == ERR_OK) e = waits(h, &there, why);
    if (e == ERR_OK) e = find_gone(h, w, why);
    *out_more = there || w->n_gone > 0;
    if (e != ERR_OK || !there) return e;
    e = choose_part(h, w, &at, why);
    memcpy(w->from, at.chain, sizeof w->from);
    if (e == ERR_OK && w->at == 0) e = find_before(h, w, &at, why);
    if (e == ERR_OK && w->at == 0) e = put_head(h, w, &at, why);
    return e == ERR_OK ? put_entries(h, w, &at, why) : e;
}

/* By one process at a time. *out_generation: of the connection that has it. */
static enum err may_write(struct hub *h, bool *out, uint64_t *out_generation, struct why *why)
{
    enum err e = ERR_OK;
    *out = h->redo != NULL;
    if (db_is_postgres(h->db)) e = db_claim(h->db, "journal", out, why);
    *out_generation = db_generation(h->db);
    return e;
}

enum err hub_redo_step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why)
{
    bool there = false, mine = false;
    uint64_t generation = 0;
    *out_more = false;
    enum err e = may_write(h, &mine, &generation, why);
    if (e != ERR_OK || !mine) return e;
    e = waits(h, &there, why);
    if (e != ERR_OK || (!there && !w->put && w->n_removed == 0)) return e;
    e = db_begin_still(h->db, why);
    if (e != ERR_OK) return e;
    mine = db_generation(h->db) == generation;
    if (mine) e = step(h, w, out_more, why);
    if (mine && e == ERR_OK) e = db_commit(h->db, why);
    if (mine && e == ERR_OK) return ERR_OK;
    db_rollback(h->db);
    /* What the store does not know of never was: the next step begins another part. */
    start_over(w);
    *out_more = false;
    return e;
}

void hub_redo_rest(struct hub *h)
{
    db_unclaim(h->db);
}

void hub_redo_words(const struct hub_redo_writer *w, enum err e, const struct why *why, char out[REDO_FAULT_BYTES])
{
    if (e == ERR_FULL)
        (void)snprintf(out, REDO_FAULT_BYTES, "The disk of the journal's folder %.120s is full.", w->dir);
    else if (e == ERR_IO)
        (void)snprintf(out, REDO_FAULT_BYTES,
                       "The journal's folder %.100s cannot be read or written: its disk may be away or broken, or may not be written to.",
                       w->dir);
    else
        (void)snprintf(out, REDO_FAULT_BYTES, "%.*s", REDO_FAULT_BYTES - 1, why->text);
}

/* -------------------------------------------------------------------------------------------------- with the folder */

static enum err path_of(const struct hub_redo_writer *w, const struct journal_part *p, char path[PATH_BYTES], struct why *why)
{
    return redo_part_path(path, PATH_BYTES, w->dir, p->id, (uint64_t)p->part, why);
}

static enum err other_folder(const struct hub_redo_writer *w, int64_t part, const char *what, struct why *why)
{
    (void)why_set(why, ERR_NOTFOUND, "The folder %.120s does not hold %spart %lld of this hub's journal.", w->dir, what,
                  (long long)part);
    return why_next(why, ERR_NOTFOUND,
                    "Is the right disk mounted there? If the parts are gone for good: spoke-hub journal begin, and then a backup.");
}

/* Of the part before: does it hold the entry that the new one goes on from? A copy of the folder may have fallen
 * behind. */
static enum err holds_last(const struct hub_redo_writer *w, const char *path, struct why *why)
{
    struct redo_head head;
    struct redo_entry m = {0};
    struct buf file;
    buf_init(&file, REDO_FILE_MAX);
    enum err e = w->env->read_file(w->env->ctx, path, REDO_FILE_MAX, &file, why);
    struct bytes left = buf_bytes(&file);
    if (e == ERR_OK) {
        e = redo_get_head(&left, &w->hub, &head, NULL);
        while (e == ERR_OK && m.entry + 1 != (uint64_t)w->first) e = redo_get_entry(&left, &w->hub, &m, NULL);
        if (e == ERR_OK && memcmp(m.after, w->from, sizeof w->from) != 0) e = ERR_TAMPERED;
        if (e == ERR_TAMPERED) e = other_folder(w, w->before.part, "the end of ", why);
        if (e == ERR_NOMEM) e = why_set(why, e, "There is not enough memory for the journal.");
    }
    buf_release(&file);
    return e;
}

static enum err is_there(const struct hub_redo_writer *w, struct why *why)
{
    (void)why_set(why, ERR_EXISTS, "The folder %.120s has a part %lld of this hub's journal that the hub's store knows nothing of.",
                  w->dir, (long long)w->now.part);
    return why_next(why, ERR_EXISTS,
                    "Was the store put back to an older state? Then keep this folder: it has what is missing. Nothing in it is written "
                    "over. To go on as it is now: spoke-hub journal begin, and then a backup.");
}

/* Is the folder the one that has what was written before? A disk that is not mounted looks like an empty folder. */
static enum err same_folder(struct hub_redo_writer *w, struct why *why)
{
    const struct journal_part *p = w->at > 0 ? &w->now : &w->before;
    char path[PATH_BYTES];
    uint64_t size = 0;
    enum err e = ERR_OK;
    if (p->part != 0) {
        e = path_of(w, p, path, why);
        if (e == ERR_OK) e = w->env->file_size(w->env->ctx, path, &size, why);
        if (e == ERR_NOTFOUND) return other_folder(w, p->part, "", why);
        if (e == ERR_OK && w->at > 0 && size != w->at)
            e = why_set(why, ERR_FAILED, "Somebody else changed the journal's folder %.120s.", w->dir);
        if (e == ERR_OK && w->at == 0 && p->part != w->own) e = holds_last(w, path, why);
    }
    if (e != ERR_OK || w->at > 0 || w->begun) return e;
    e = path_of(w, &w->now, path, why);
    if (e == ERR_OK) e = w->env->file_size(w->env->ctx, path, &size, why);
    return e == ERR_OK ? is_there(w, why) : e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err append(struct hub_redo_writer *w, struct why *why)
{
    char path[PATH_BYTES];
    enum err e = same_folder(w, why);
    if (e == ERR_OK) e = path_of(w, &w->now, path, why);
    if (e == ERR_OK) {
        w->begun = true;
        e = w->env->append_file(w->env->ctx, path, w->at, buf_bytes(&w->out), true, why);
    }
    if (e == ERR_OK) {
        w->at += w->out.len;
        w->own = w->now.part;
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
