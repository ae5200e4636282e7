/* Contents that cannot all be read: a table with a bad page can be neither changed nor emptied. What can be read of it
 * goes into a new one; the old one stands aside until the store is rewritten without it (node/purge.c). */
#include "node/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t seqs_count(const struct seqs *q)
{
    return q->list.len / sizeof(uint64_t);
}

uint64_t seqs_at(const struct seqs *q, size_t i)
{
    uint64_t seq;
    memcpy(&seq, q->list.data + i * sizeof seq, sizeof seq);
    return seq;
}

static int by_seq(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

void seqs_sort(struct seqs *q)
{
    if (q->list.len > 0) qsort(q->list.data, seqs_count(q), sizeof(uint64_t), by_seq);
}

bool seqs_have(const struct seqs *q, uint64_t seq)
{
    return q->list.len > 0 && bsearch(&seq, q->list.data, seqs_count(q), sizeof seq, by_seq) != NULL;
}

enum err seqs_ask(struct node *n, const char *sql, struct seqs *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    buf_init(&out->list, BUNDLE_MAX);
    enum err e = db_prepare(n->db, sql, &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        uint64_t seq = (uint64_t)db_int(s, 0);
        buf_put(&out->list, &seq, sizeof seq);
    }
    db_done(s);
    if (e == ERR_OK && out->list.err != ERR_OK)
        e = why_set(why, out->list.err, "There is not enough memory to look at your changes.");
    return e;
}

static enum err copy_sound(struct node *n, const char *from, const struct seqs *sound, struct why *why)
{
    char sql[200];
    enum err e = ERR_OK;
    (void)snprintf(sql, sizeof sql, "INSERT INTO n_content(seq, item) SELECT seq, item FROM %s WHERE seq = $1", from);
    for (size_t i = 0; e == ERR_OK && i < seqs_count(sound); i++) {
        const int64_t args[] = {(int64_t)seqs_at(sound, i)};
        e = state_run(n->db, sql, args, 1, why);
    }
    return e;
}

/* The name tells one damage from the next. */
enum err aside_put(struct node *n, const struct seqs *sound, struct why *why)
{
    char old[64], sql[256];
    uint64_t tables = 0;
    enum err e =
        state_ask(n->db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '" DAMAGED_TABLES "%'", &tables, why);
    if (e != ERR_OK) return e;
    (void)snprintf(old, sizeof old, DAMAGED_TABLES "_%" PRIu64, tables + 1);
    (void)snprintf(sql, sizeof sql,
                   "ALTER TABLE n_content RENAME TO %s;"
                   "CREATE TABLE n_content(seq INTEGER PRIMARY KEY, item BLOB NOT NULL) STRICT;",
                   old);
    e = db_exec(n->db, sql, why);
    if (e == ERR_OK) e = copy_sound(n, old, sound, why);
    return e == ERR_OK ? content_purge_due(n, PURGE_DAMAGED, why) : e;
}

enum err aside_find(struct node *n, struct seqs *out, struct why *why)
{
    struct seqs all;
    struct buf item;
    buf_init(&out->list, BUNDLE_MAX);
    buf_init(&item, CONTENT_MAX_ITEM);
    enum err e = seqs_ask(n, "SELECT seq FROM n_outbox WHERE state NOT IN ('applied', 'merged')", &all, why);
    for (size_t i = 0; e == ERR_OK && i < seqs_count(&all); i++) {
        uint64_t seq = seqs_at(&all, i);
        bool found = false;
        buf_reset(&item);
        e = content_read(n, seq, &item, &found, why);
        if (e == ERR_OK && found) buf_put(&out->list, &seq, sizeof seq);
        if (e == ERR_TAMPERED) e = ERR_OK;
    }
    if (e == ERR_OK && out->list.err != ERR_OK)
        e = why_set(why, out->list.err, "There is not enough memory to look at your changes.");
    buf_release(&all.list);
    buf_release(&item);
    return e;
}

/* A page that cannot be read: what is only kept goes with it; unsent work is the business of the next request. */
enum err aside_run(struct node *n, struct why *why)
{
    struct seqs sound;
    enum err e = aside_find(n, &sound, why);
    if (e == ERR_OK) {
        e = db_begin(n->db, why);
        if (e == ERR_OK) e = aside_put(n, &sound, why);
        if (e == ERR_OK)
            e = db_commit(n->db, why);
        else
            db_rollback(n->db);
    }
    buf_release(&sound.list);
    return e;
}

enum err aside_end(struct node *n, struct why *why)
{
    uint64_t last = 0;
    enum err e = state_ask(n->db, "SELECT max(seq) FROM n_content", &last, why);
    if (e == ERR_TAMPERED) e = state_ask(n->db, "SELECT max(seq) FROM n_content", &last, why);
    return e == ERR_TAMPERED ? aside_run(n, why) : e;
}
