/* PostgreSQL's prepared statements: their texts, what is bound, and what the server has prepared for it. */
#include "sync/db_postgres_internal.h"

#include "base/cbor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to ask the store.");
}

/* The one statement of a text. */
static enum err translate(struct db_pg *db, struct stmt_pg *s, const char *sql, struct why *why)
{
    struct buf text, rest;
    struct pg_facts facts = {0}, more = {0};
    const char *at = sql;
    buf_init(&text, DB_MAX_SQL);
    buf_init(&rest, DB_MAX_SQL);
    enum err e = pg_translate(&at, db->schema, &text, &facts, why);
    if (e == ERR_OK) e = pg_translate(&at, db->schema, &rest, &more, why);
    if (e == ERR_OK && (facts.empty || !more.empty))
        e = why_set(why, ERR_FAILED, "A statement is empty, or there are several where one is expected.");
    const char *one = e == ERR_OK ? buf_cstr(&text) : NULL;
    if (e == ERR_OK && (one == NULL || (s->sql = strdup(one)) == NULL)) e = no_memory(why);
    s->facts = facts;
    buf_release(&text);
    buf_release(&rest);
    return e;
}

enum err pg_stmt_new(struct db *base, const char *sql, struct stmt **out, struct why *why)
{
    struct db_pg *db = pg_of(base);
    struct stmt_pg *s = calloc(1, sizeof *s);
    if (s == NULL) return no_memory(why);
    s->base.db = base;
    s->base.text = s->source = strdup(sql);
    enum err e = s->source == NULL ? no_memory(why) : translate(db, s, sql, why);
    if (e == ERR_OK && s->facts.n_params > 0) {
        s->param = calloc((size_t)s->facts.n_params, sizeof *s->param);
        if (s->param == NULL) e = no_memory(why);
    }
    if (e != ERR_OK) {
        pg_stmt_free(&s->base);
        return pg_refuse(db, e);
    }
    s->base.busy = true;
    *out = &s->base;
    return ERR_OK;
}

static void doom(struct db_pg *db, const struct pg_variant *v)
{
    if (db->conn != NULL && v->generation == db->generation)
        buf_printf(&db->doomed, "DEALLOCATE s%" PRIu64 ";", v->name);
}

void pg_stmt_free(struct stmt *base)
{
    struct stmt_pg *s = pg_stmt(base);
    pg_reset(s);
    for (size_t i = 0; i < s->n_variants; i++) doom(pg_of(base->db), &s->variants[i]);
    PQclear(s->shape);
    pg_named_release(&s->named);
    free(s->results);
    free(s->variants);
    free(s->param);
    free(s->sql);
    free(s->source);
    free(s);
}

void pg_bind(struct stmt *base, int n, struct value v)
{
    struct stmt_pg *s = pg_stmt(base);
    if (s->running) pg_reset(s);
    if (n < 1 || n > s->facts.n_params)
        s->bind_err = ERR_FAILED;
    else
        s->param[n - 1].v = v;
}

void pg_done(struct stmt *base)
{
    struct stmt_pg *s = pg_stmt(base);
    pg_reset(s);
    for (int i = 0; i < s->facts.n_params; i++) s->param[i].v = value_none();
}

/* ---- what is bound */

static void put_be(uint8_t out[8], uint64_t bits)
{
    for (size_t i = 0; i < 8; i++) out[i] = (uint8_t)(bits >> (56 - 8 * i));
}

static enum err param(struct pg_param *p, struct pg_sent *out, int i, struct why *why)
{
    uint64_t bits = 0;
    out->values[i] = NULL;
    out->lengths[i] = 0;
    out->formats[i] = 1;
    out->types[i] = 0;
    switch (p->v.kind) {
    case VALUE_NONE:
    case VALUE_NULL: return ERR_OK;
    case VALUE_INT:
    case VALUE_REAL:
        memcpy(&bits, p->v.kind == VALUE_INT ? (const void *)&p->v.i : (const void *)&p->v.r, sizeof bits);
        put_be(p->be, bits);
        out->types[i] = p->v.kind == VALUE_INT ? PG_INT8 : PG_FLOAT8;
        out->values[i] = (const char *)p->be;
        out->lengths[i] = sizeof p->be;
        return ERR_OK;
    case VALUE_TEXT:
    case VALUE_BLOB: break;
    }
    if (p->v.s.n > DB_MAX_LENGTH)
        return why_set(why, ERR_LIMIT, "A text is too long to be stored; nothing was changed.");
    if (p->v.kind == VALUE_TEXT && !utf8_valid(p->v.s)) /* the server would say so too, and give the transaction up */
        return why_set(why, ERR_FORMAT, "A text that is not UTF-8 cannot be stored; nothing was changed.");
    out->types[i] = p->v.kind == VALUE_TEXT ? PG_TEXT : PG_BYTEA;
    out->values[i] = p->v.s.p == NULL ? "" : (const char *)p->v.s.p;
    out->lengths[i] = (int)p->v.s.n;
    return ERR_OK;
}

enum err pg_params(struct stmt_pg *s, struct pg_sent *out, struct why *why)
{
    enum err e = s->bind_err;
    if (e != ERR_OK) return why_set(why, e, "A statement was given a parameter that it does not have.");
    for (int i = 0; e == ERR_OK && i < s->facts.n_params; i++) e = param(&s->param[i], out, i, why);
    return e;
}

/* ---- what is prepared */

static bool fits(const struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent)
{
    for (int i = 0; i < s->facts.n_params; i++)
        if (sent->types[i] != 0 && sent->types[i] != v->types[i]) return false;
    return true;
}

/* The type of a NULL is the one that it had before, or else the server's guess, which is asked for so that the next
 * value is known to fit or not. */
static enum err describe(struct db_pg *db, struct stmt_pg *s, struct pg_variant *v, const char *name, struct why *why)
{
    PGresult *r = PQdescribePrepared(db->conn, name);
    enum err e = PQresultStatus(r) == PGRES_COMMAND_OK ? ERR_OK : pg_fault(db, r, s->sql, why);
    for (int i = 0; e == ERR_OK && i < s->facts.n_params && i < PQnparams(r); i++) v->types[i] = PQparamtype(r, i);
    PQclear(r);
    return e;
}

static enum err prepare(struct db_pg *db, struct stmt_pg *s, struct pg_variant *v, struct why *why)
{
    char name[32];
    bool guess = false;
    for (int i = 0; i < s->facts.n_params; i++) {
        for (size_t k = 0; v->types[i] == 0 && k < s->n_variants; k++) v->types[i] = s->variants[k].types[i];
        guess = guess || v->types[i] == 0;
    }
    enum err e = pg_land(db, why);
    if (e != ERR_OK) return e;
    v->name = ++db->n_names;
    v->generation = db->generation;
    (void)snprintf(name, sizeof name, "s%" PRIu64, v->name);
    PGresult *r = PQprepare(db->conn, name, s->sql, s->facts.n_params, v->types);
    e = PQresultStatus(r) == PGRES_COMMAND_OK ? ERR_OK : pg_fault(db, r, s->sql, why);
    PQclear(r);
    if (e == ERR_OK && guess) e = describe(db, s, v, name, why);
    if (e != ERR_OK) doom(db, v);
    return e;
}

/* Room for one more, in place of the oldest when there are many. */
static struct pg_variant *new_variant(struct stmt_pg *s, const struct pg_sent *sent)
{
    struct db_pg *db = pg_of(s->base.db);
    if (s->variants == NULL && (s->variants = calloc(PG_VARIANTS, sizeof *s->variants)) == NULL) return NULL;
    if (s->n_variants == PG_VARIANTS) {
        doom(db, &s->variants[0]);
        memmove(s->variants, s->variants + 1, (PG_VARIANTS - 1) * sizeof *s->variants);
        s->n_variants--;
    }
    struct pg_variant *v = &s->variants[s->n_variants];
    memset(v, 0, sizeof *v);
    if (s->facts.n_params > 0) memcpy(v->types, sent->types, (size_t)s->facts.n_params * sizeof v->types[0]);
    return v;
}

enum err pg_prepared(struct stmt_pg *s, const struct pg_sent *sent, struct pg_variant **out, struct why *why)
{
    struct db_pg *db = pg_of(s->base.db);
    /* They went with the former connection; and the numbers of the schema's own types may be others now. */
    if (s->n_variants > 0 && s->variants[0].generation != db->generation) s->n_variants = 0;
    for (size_t i = 0; i < s->n_variants; i++) {
        if (!fits(s, &s->variants[i], sent)) continue;
        *out = &s->variants[i];
        return ERR_OK;
    }
    struct pg_variant *v = new_variant(s, sent);
    if (v == NULL) return no_memory(why);
    enum err e = prepare(db, s, v, why);
    if (e != ERR_OK) return e;
    s->n_variants++;
    *out = v;
    return ERR_OK;
}
