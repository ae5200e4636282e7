#include "tests/sim/judge.h"

#include <stdlib.h>

struct stmt *ask(struct sim *s, struct db *db, const char *sql)
{
    struct stmt *st = NULL;
    struct why why = {0};
    sim_must(s, db_prepare(db, sql, &st, &why), sql, &why);
    return st;
}

bool ask_next(struct sim *s, struct stmt *st)
{
    struct why why = {0};
    bool row = false;
    sim_must(s, db_step(st, &row, &why), "ask a store", &why);
    return row;
}

int64_t ask_number(struct sim *s, struct db *db, const char *sql)
{
    struct stmt *st = ask(s, db, sql);
    int64_t out = ask_next(s, st) ? db_int(st, 0) : 0;
    db_done(st);
    return out;
}

int64_t ask_node(struct sim *s, const struct device *d)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT no FROM h_node WHERE kid = $1");
    db_bind_id(st, 1, d->kid);
    int64_t out = ask_next(s, st) ? db_int(st, 0) : 0;
    db_done(st);
    return out;
}

void *judge_room(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return p;
    *cap = *cap * 2 + 64;
    p = realloc(p, *cap * size);
    if (p == NULL) abort();
    return p;
}
