/* Running a statement, and its rows.
 *
 * libpq either holds a whole answer, or hands it out row by row while nothing else can be asked. A hub steps through
 * long answers and asks other things at each row. So an answer is taken row by row into memory before the first row is
 * given, which for nearly all statements is the whole of it. Where it turns out to be more than a chunk, what came is
 * thrown away, none of it having been seen by anybody, and the question is asked again through a cursor, a chunk at a
 * time; the statement remembers, and begins with the cursor from then on. A cursor always would cost two more round
 * trips and a plan for each small question; the server's ways to limit a portal are not in libpq. */
#include "sync/db_postgres_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct db_pg *connection(const struct stmt_pg *s)
{
    return pg_of(s->base.db);
}

/* ---- rows in memory */

static void drop_results(struct stmt_pg *s)
{
    for (size_t i = 0; s->given == NULL && i < s->n_results; i++) PQclear(s->results[i]);
    pg_kept_given_back(s);
    s->n_results = s->at = 0;
    s->row = -1;
}

static void drop_scraps(struct stmt_pg *s)
{
    while (s->scraps != NULL) {
        struct pg_scrap *next = s->scraps->next;
        free(s->scraps);
        s->scraps = next;
    }
}

static bool has_room(struct stmt_pg *s, size_t n)
{
    if (n <= s->cap_results) return true;
    size_t cap = s->cap_results == 0 ? 4 : s->cap_results * 2;
    if (cap < n) cap = n;
    PGresult **more = reallocarray(s->results, cap, sizeof *more);
    if (more == NULL) return false;
    s->results = more;
    s->cap_results = cap;
    return true;
}

/* Takes r over. */
static bool keep(struct stmt_pg *s, PGresult *r)
{
    if (!has_room(s, s->n_results + 1)) {
        PQclear(r);
        return false;
    }
    s->results[s->n_results++] = r;
    return true;
}

bool pg_give(struct stmt_pg *s, PGresult *const *results, size_t n)
{
    drop_results(s);
    if (!has_room(s, n)) return false;
    for (size_t i = 0; i < n; i++) s->results[i] = results[i];
    s->n_results = n;
    return true;
}

static size_t bytes_in(const PGresult *r)
{
    size_t n = 0;
    for (int row = 0; row < PQntuples(r); row++)
        for (int col = 0; col < PQnfields(r); col++) n += (size_t)PQgetlength(r, row, col) + 16;
    return n;
}

/* ---- cursors */

static void unlist(struct stmt_pg *s)
{
    struct stmt_pg **p = &connection(s)->cursors;
    while (*p != NULL && *p != s) p = &(*p)->next_cursor;
    if (*p == s) *p = s->next_cursor;
    s->next_cursor = NULL;
    s->cursor = 0;
}

void pg_cursors_gone(struct db_pg *db, uint64_t moment, bool held)
{
    for (struct stmt_pg *s = db->cursors, *next; s != NULL; s = next) {
        next = s->next_cursor;
        if (!held && (s->held || s->opened <= moment)) continue;
        s->dead = true;
        unlist(s);
    }
}

static enum err close_cursor(struct stmt_pg *s, struct why *why)
{
    struct db_pg *db = connection(s);
    char sql[64];
    if (s->cursor == 0) return ERR_OK;
    (void)snprintf(sql, sizeof sql, "CLOSE c%" PRIu64 ";", s->cursor);
    bool held = s->held, stuck = db->conn == NULL || db->tx_err != ERR_OK;
    unlist(s);
    if (stuck) { /* it goes with the transaction, or before the next one */
        if (held && db->conn != NULL) buf_put_str(&db->doomed, sql);
        return ERR_OK;
    }
    return pg_run(db, sql, why);
}

static enum err open_cursor(struct stmt_pg *s, const struct pg_sent *sent, struct why *why)
{
    struct db_pg *db = connection(s);
    struct buf sql;
    Oid types[DB_MAX_PARAMS];
    for (int i = 0; i < s->facts.n_params; i++)
        types[i] = sent->types[i] == 0 && s->n_variants > 0 ? s->variants[0].types[i] : sent->types[i];
    uint64_t name = ++db->n_names;
    bool held = !db->tx_open; /* without a transaction it would end at once: the server keeps its rows */
    buf_init(&sql, DB_MAX_SQL + 100);
    buf_printf(&sql, "DECLARE c%" PRIu64 " NO SCROLL CURSOR %s FOR %s", name, held ? "WITH HOLD" : "WITHOUT HOLD",
               s->sql);
    const char *text = buf_cstr(&sql);
    if (text == NULL) {
        buf_release(&sql);
        return why_set(why, ERR_NOMEM, "There is not enough memory to ask the store.");
    }
    PGresult *r = PQexecParams(db->conn, text, s->facts.n_params, types, sent->values, sent->lengths, sent->formats, 1);
    enum err e = PQresultStatus(r) == PGRES_COMMAND_OK ? ERR_OK : pg_fault(db, r, s->sql, why);
    PQclear(r);
    buf_release(&sql);
    if (e != ERR_OK) return e;
    s->cursor = name;
    s->held = held;
    s->dead = false;
    s->opened = ++db->moment;
    s->fetch = PG_FIRST_FETCH;
    s->next_cursor = db->cursors;
    db->cursors = s;
    return e;
}

/* A chunk of small rows is followed by one of twice as many, a large one by fewer. Never very many: the next rows may
 * be of a MiB each. */
static int next_fetch(int now, size_t bytes)
{
    if (bytes > PG_CHUNK_BYTES) {
        size_t n = (size_t)now * PG_CHUNK_BYTES / bytes;
        return n == 0 ? 1 : (int)n;
    }
    return bytes < PG_CHUNK_BYTES / 4 && now * 2 <= PG_MOST_FETCH ? now * 2 : now;
}

static enum err fetch(struct stmt_pg *s, struct why *why)
{
    struct db_pg *db = connection(s);
    char sql[64];
    enum err e = pg_ready(db, why);
    if (e != ERR_OK) return e;
    (void)snprintf(sql, sizeof sql, "FETCH %d FROM c%" PRIu64, s->fetch, s->cursor);
    PGresult *r = PQexecParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 1);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        e = pg_fault(db, r, s->sql, why);
        PQclear(r);
        return e;
    }
    bool last = PQntuples(r) < s->fetch;
    s->fetch = next_fetch(s->fetch, bytes_in(r));
    drop_results(s);
    if (!keep(s, r)) return why_set(why, ERR_NOMEM, "There is not enough memory to read the store.");
    return last ? close_cursor(s, why) : ERR_OK;
}

/* ---- at once */

struct taken {
    struct stmt_pg *s;
    size_t bytes, rows;
    bool over; /* more than a chunk: nothing of it is kept */
};

/* One result of several. Takes r over. */
static enum err take(void *ctx, PGresult *r, struct why *why)
{
    struct taken *t = ctx;
    struct stmt_pg *s = t->s;
    struct db_pg *db = connection(s);
    ExecStatusType status = PQresultStatus(r);
    enum err e = ERR_OK;
    if (status == PGRES_COMMAND_OK || (status == PGRES_TUPLES_OK && !s->facts.select)) {
        if (PQcmdTuples(r)[0] != '\0') db->changes = strtoll(PQcmdTuples(r), NULL, 10);
        s->mute = status == PGRES_COMMAND_OK;
    } else if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
        e = pg_fault(db, r, s->sql, why);
    }
    if (e != ERR_OK || t->over) {
        PQclear(r);
        return e;
    }
    if (PQntuples(r) == 0) {
        PQclear(s->shape);
        s->shape = r;
        return e;
    }
    t->bytes += bytes_in(r);
    t->rows += (size_t)PQntuples(r);
    if (!keep(s, r)) return why_set(why, pg_refuse(db, ERR_NOMEM), "There is not enough memory to read the store.");
    t->over = s->facts.select && t->rows > 1 && (t->bytes > PG_CHUNK_BYTES || t->rows > PG_CHUNK_ROWS);
    if (t->over) drop_results(s);
    return e;
}

static enum err run_at_once(struct stmt_pg *s, const struct pg_sent *sent, struct why *why)
{
    struct db_pg *db = connection(s);
    struct pg_variant *v = NULL;
    struct taken t = {.s = s};
    char name[32];
    PGresult *r;
    enum err e = pg_prepared(s, sent, &v, why);
    if (e != ERR_OK || pg_kept_find(s, v, sent)) return e;
    if (!s->facts.select) pg_kept_wrote(s);
    if (s->mute && db->tx_open) return pg_fly(s, v, sent, why);
    (void)snprintf(name, sizeof name, "s%" PRIu64, v->name);
    if (PQsendQueryPrepared(db->conn, name, s->facts.n_params, sent->values, sent->lengths, sent->formats, 1) == 0)
        return pg_fault(db, NULL, s->sql, why);
    if (db->n_flying > 0) {
        e = pg_fly_and_land(db, s->facts.select, take, &t, why);
    } else {
        if (s->facts.select) (void)PQsetSingleRowMode(db->conn);
        while (db->conn != NULL && (r = PQgetResult(db->conn)) != NULL) {
            enum err one = take(&t, r, e == ERR_OK ? why : NULL);
            if (e == ERR_OK) e = one;
        }
    }
    s->large = e == ERR_OK && t.over;
    if (e == ERR_OK && !t.over) pg_kept_put(s, v, sent);
    return e;
}

/* ---- step */

static enum err run_once(struct stmt_pg *s, const struct pg_sent *sent, struct why *why)
{
    enum err e = pg_able(connection(s), why);
    if (e == ERR_OK && !s->large) e = run_at_once(s, sent, why);
    if (e == ERR_OK && s->large) e = pg_land(connection(s), why);
    if (e == ERR_OK && s->large) e = open_cursor(s, sent, why);
    return e;
}

/* A statement that writes has the hub's lock for as long as it runs; a question can be asked once more on a new
 * connection. */
static enum err run_alone(struct stmt_pg *s, const struct pg_sent *sent, struct why *why)
{
    struct db *db = s->base.db;
    enum err e;
    if (s->facts.select) {
        e = run_once(s, sent, why);
        if (e != ERR_UNREACHABLE || connection(s)->pause_ms != 0) return e;
        drop_results(s); /* what came before it broke off comes again */
        return run_once(s, sent, why);
    }
    e = pg_begin(db, why);
    if (e == ERR_OK) e = run_once(s, sent, why);
    if (e == ERR_OK) e = pg_commit(db, why);
    if (e != ERR_OK) pg_rollback(db);
    return e;
}

static enum err start(struct stmt_pg *s, struct why *why)
{
    struct pg_sent sent;
    struct db_pg *db = connection(s);
    enum err e = pg_params(s, &sent, why);
    if (e != ERR_OK) return pg_refuse(db, e);
    drop_results(s);
    s->running = true;
    s->dead = false;
    return db->tx_open ? run_once(s, &sent, why) : run_alone(s, &sent, why);
}

void pg_reset(struct stmt_pg *s)
{
    (void)close_cursor(s, NULL); /* a fault of the connection shows at the next statement */
    drop_scraps(s);
    drop_results(s);
    s->running = false;
    s->dead = false;
    s->bind_err = ERR_OK;
}

/* On to the next row, within what came or with the next chunk. */
static enum err advance(struct stmt_pg *s, bool *out_row, struct why *why)
{
    enum err e = ERR_OK;
    for (;;) {
        if (s->at < s->n_results) {
            if (++s->row < PQntuples(s->results[s->at])) {
                *out_row = true;
                return ERR_OK;
            }
            if (s->given == NULL) PQclear(s->results[s->at]);
            s->results[s->at++] = NULL;
            s->row = -1;
            continue;
        }
        if (s->dead) return why_set(why, ERR_FAILED, "The transaction that this question was asked in has ended.");
        if (s->cursor == 0) break;
        e = fetch(s, why);
        if (e != ERR_OK) return e;
    }
    *out_row = false;
    return e;
}

enum err pg_step(struct stmt *base, bool *out_row, struct why *why)
{
    struct stmt_pg *s = pg_stmt(base);
    struct db_pg *db = connection(s);
    bool row = false, first = !s->running;
    enum err e = ERR_OK;
    drop_scraps(s);
    if (s->out_of_memory) {
        s->out_of_memory = false;
        e = why_set(why, pg_refuse(db, ERR_NOMEM), "There is not enough memory to read the store.");
    }
    if (e == ERR_OK && db->tx_open && db->tx_err != ERR_OK) e = pg_ready(db, why);
    if (e == ERR_OK && first) e = start(s, why);
    if (e == ERR_OK) e = advance(s, &row, why);
    if (e == ERR_OK && row) e = pg_check_row(s, first, why);
    if (e != ERR_OK || !row) pg_reset(s);
    if (e == ERR_OK) *out_row = row;
    return e;
}
