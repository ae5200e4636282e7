#include "hub/redo_apply.h"

#include "crypto/seal.h"
#include "hub/redo.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES      4096
#define AHEAD           4096 /* numbers of parts that were given to nothing, in a row, at most: one for each start of a server */
#define TWO_HUBS        "The journal and the backup are of two hubs that were one once."
#define TRANSACTION_MAX ((size_t)REDO_PENDING_MAX + REDO_PIECE)

/* A part in memory. */
struct loaded {
    struct buf file;
    struct redo_head head;
    struct bytes left; /* behind what was read */
    bool there;
};
struct applying {
    struct db *db;
    const struct redo_source *from;
    struct redo_applied *out;
    uint8_t id[REDO_ID_BYTES];
    uint64_t has, start;       /* last entry of the backup; the part in which the next is looked for */
    uint64_t known;            /* an entry of which the backup has the hash: */
    uint8_t known_chain[HASH_BYTES];
    struct loaded part[2];     /* the one that is read, and the next one that is there */
    size_t now;                /* which of them */
    uint8_t chain[HASH_BYTES]; /* of the last entry that was read */
    struct buf transaction;
    struct redo_rows *rows;
    bool broken; /* a transaction was put in part */
};

static enum err refuse(struct why *why, enum err e, const char *words)
{
    (void)why_set(why, e, "%s Nothing was restored.", words);
    return why_next(why, e,
                    e == ERR_NOTFOUND
                        ? "Give the right folder, or a newer backup; or leave --journal out, to restore from the backup and the devices "
                          "alone. What administrators did since is then to be done again."
                        : "Give the whole folder; or --until-damage, to take what is whole before it: what administrators did afterwards is "
                          "then to be done again.");
}

/* ---------------------------------------------------------------------------------------------------- parts */

static enum err load(struct applying *a, struct loaded *p, uint64_t number, struct why *why)
{
    char path[PATH_BYTES];
    struct why detail = {0};
    const struct env *env = a->from->env;
    p->there = false;
    buf_reset(&p->file);
    enum err e = redo_part_path(path, sizeof path, a->from->dir, a->id, number, why);
    if (e != ERR_OK) return e;
    e = env->read_file(env->ctx, path, REDO_FILE_MAX, &p->file, &detail);
    if (e == ERR_NOTFOUND) return ERR_OK;
    if (e != ERR_OK) return why_set(why, e, "A part of the journal could not be read: %s", detail.text);
    p->left = buf_bytes(&p->file);
    e = redo_get_head(&p->left, a->from->hub, &p->head, why);
    if (e == ERR_NOMEM) return e;
    if (e != ERR_OK && redo_torn(p->left, a->from->hub)) return ERR_OK; /* it was begun, and no more */
    if (e != ERR_OK || p->head.part != number || memcmp(p->head.id, a->id, sizeof a->id) != 0)
        return refuse(why, ERR_TAMPERED, "The beginning of a part of the journal is damaged, or of another journal.");
    p->there = true;
    return ERR_OK;
}

/* The next one that is there; numbers are left out where a server was stopped before it wrote. */
static enum err load_from(struct applying *a, struct loaded *p, uint64_t number, struct why *why)
{
    enum err e = ERR_OK;
    p->there = false;
    for (uint64_t n = 0; e == ERR_OK && n < AHEAD && !p->there; n++) e = load(a, p, number + n, why);
    return e;
}

/* --------------------------------------------------------------------------------------------------- entries */

static enum err take_entry(struct applying *a, const struct redo_entry *m, struct why *why)
{
    struct buf plain;
    enum err e = ERR_OK;
    buf_init(&plain, REDO_PIECE);
    memcpy(a->chain, m->after, sizeof a->chain);
    a->out->last = m->entry;
    if (m->entry == a->known && memcmp(a->known_chain, m->after, sizeof m->after) != 0)
        return refuse(why, ERR_TAMPERED, TWO_HUBS);
    if (m->entry <= a->has) goto out;
    e = seal_box_open(m->sealed, a->from->recovery, &plain, NULL);
    if (e != ERR_OK) {
        e = e == ERR_NOMEM ? why_set(why, e, "There is not enough memory to read the journal.")
                           : refuse(why, ERR_TAMPERED, "An entry of the journal is not sealed to this recovery key.");
        goto out;
    }
    buf_put_bytes(&a->transaction, buf_bytes(&plain));
    if (a->transaction.err != ERR_OK) {
        e = why_set(why, a->transaction.err, "There is not enough memory to read the journal.");
    } else if (!m->more) {
        e = redo_rows_put(a->rows, buf_bytes(&a->transaction), why);
        a->broken = e != ERR_OK;
        buf_reset(&a->transaction);
        a->out->transactions++;
        a->out->at_ms = m->at;
    }
out:
    buf_release(&plain);
    return e;
}

/* It is this one that comes now. */
static bool follows(const struct applying *a, const struct redo_entry *m, uint64_t entry)
{
    return m->entry == entry && memcmp(m->id, a->id, sizeof a->id) == 0 &&
           memcmp(m->chain, a->chain, sizeof a->chain) == 0;
}

static enum err read_part(struct applying *a, bool *out_whole, struct why *why)
{
    struct loaded *p = &a->part[a->now], *next = &a->part[1 - a->now];
    uint64_t entry = p->head.first;
    enum err e = ERR_OK;
    *out_whole = true;
    memcpy(a->chain, p->head.chain, sizeof a->chain);
    while (e == ERR_OK && p->left.n > 0 && (!next->there || entry < next->head.first)) {
        struct redo_entry m;
        e = redo_get_entry(&p->left, a->from->hub, &m, why);
        if (e == ERR_NOMEM) return e;
        if (e != ERR_OK || !follows(a, &m, entry)) {
            *out_whole = false;
            if (!next->there && e != ERR_OK && redo_torn(p->left, a->from->hub)) return ERR_OK;
            return refuse(why, ERR_TAMPERED,
                          "An entry in the middle of the journal is damaged, missing, or not from this hub.");
        }
        e = take_entry(a, &m, why);
        entry++;
    }
    return e;
}

static enum err next_part(struct applying *a, struct why *why)
{
    const struct loaded *next = &a->part[1 - a->now];
    uint64_t want = a->out->last + 1;
    if (next->head.first != want || memcmp(next->head.chain, a->chain, sizeof a->chain) != 0)
        return refuse(why, ERR_TAMPERED, "A part of the journal is missing, or a part is not what followed the one before.");
    a->now = 1 - a->now;
    return ERR_OK;
}

static enum err read_parts(struct applying *a, struct why *why)
{
    bool whole = true;
    enum err e = load_from(a, &a->part[0], a->start, why);
    if (e != ERR_OK) return e;
    if (!a->part[0].there)
        return refuse(why, ERR_NOTFOUND,
                      "This folder does not hold the part of the journal in which the backup stands: it is another hub's, or begins later.");
    if (a->part[0].head.first == a->known + 1 && a->known > 0 &&
        memcmp(a->part[0].head.chain, a->known_chain, sizeof a->known_chain) != 0)
        return refuse(why, ERR_TAMPERED, TWO_HUBS);
    if (a->part[0].head.first > a->has + 1)
        return refuse(why, ERR_NOTFOUND, "The journal in this folder begins later than the backup ends.");
    a->out->last = a->part[0].head.first - 1;
    for (;;) {
        struct loaded *now = &a->part[a->now], *next = &a->part[1 - a->now];
        e = load_from(a, next, now->head.part + 1, why);
        if (e == ERR_OK) e = read_part(a, &whole, why);
        if (e != ERR_OK || !whole || !next->there) return e;
        e = next_part(a, why);
        if (e != ERR_OK) return e;
    }
}

/* --------------------------------------------------------------------------------------------------- the whole */

static enum err read_position(struct applying *a, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        a->db,
        "SELECT id, made, written, chain, coalesce((SELECT max(part) FROM h_redo_part p WHERE p.id = s.id AND p.first <= s.made + "
        "1), 1) FROM h_redo_state s WHERE one = 1",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && db_bytes(s, 3).n == HASH_BYTES && db_id(s, 0, a->id)) {
        a->has = (uint64_t)db_int(s, 1);
        a->known = (uint64_t)db_int(s, 2);
        memcpy(a->known_chain, db_bytes(s, 3).p, HASH_BYTES);
        a->start = (uint64_t)db_int(s, 4);
    } else if (e == ERR_OK) {
        e = refuse(why, ERR_NOTFOUND, "This backup was made before the hub kept a journal.");
    }
    db_done(s);
    return e;
}

/* The version of the synced tables is that of the program that restores. */
static enum err set_schema(struct db *db, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, "UPDATE h_counter SET value = $1 WHERE name = 'schema'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)rules_schema_newest());
    return db_run(s, why);
}

enum err redo_apply(struct db *db, const struct redo_source *from, struct redo_applied *out, struct why *why)
{
    struct applying a = {.db = db, .from = from, .out = out};
    struct why detail = {0};
    *out = (struct redo_applied){0};
    for (size_t i = 0; i < 2; i++) buf_init(&a.part[i].file, REDO_FILE_MAX);
    buf_init(&a.transaction, TRANSACTION_MAX);
    enum err e = read_position(&a, why);
    if (e == ERR_OK) e = redo_rows_new(&a.rows, from->env, db, from->key, why);
    if (e == ERR_OK) {
        e = read_parts(&a, &detail);
        if (e == ERR_TAMPERED && from->until_damage && !a.broken && a.out->last >= a.has) {
            out->damaged = true;
            e = ERR_OK;
        } else if (e != ERR_OK && why != NULL) {
            *why = detail;
        }
    }
    if (e == ERR_OK) e = set_schema(db, why);
    redo_rows_free(a.rows);
    for (size_t i = 0; i < 2; i++) buf_release(&a.part[i].file);
    buf_release(&a.transaction);
    return e;
}
