#include "tests/lib/told_rows.h"

#include <stdio.h>
#include <string.h>

enum err told_rows_hear(void *ctx, const char *table, const struct value *key, size_t n_key, struct why *why)
{
    struct told_rows *t = ctx;
    size_t at = strnlen(t->said, sizeof t->said - 200);
    (void)why;
    at += (size_t)snprintf(t->said + at, sizeof t->said - at, "%s:", table);
    for (size_t i = 0; i < n_key; i++) {
        if (key[i].kind == VALUE_INT)
            at += (size_t)snprintf(t->said + at, sizeof t->said - at, "%s%lld", i > 0 ? "," : "", (long long)key[i].i);
        else
            at += (size_t)snprintf(t->said + at, sizeof t->said - at, "%s%s%.*s", i > 0 ? "," : "",
                                   key[i].kind == VALUE_BLOB ? "b" : "", (int)key[i].s.n, (const char *)key[i].s.p);
    }
    (void)snprintf(t->said + at, sizeof t->said - at, ";");
    t->n++;
    return ERR_OK;
}

bool told_rows_wants(void *ctx, const char *table)
{
    (void)ctx;
    return strncmp(table, "t_", 2) == 0;
}
