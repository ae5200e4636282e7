#include "cli/show.h"

#include "cli/plain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CELL_MAX      200
#define TABLE_COLUMNS 32

enum err show_json(struct json *j, struct why *why)
{
    enum err e = json_print(j, stdout, why);
    json_free(j);
    return e;
}

static void cell_json(struct json *o, const struct show_column *col, struct stmt *s, int i)
{
    uint8_t id[16];
    char text[40];
    if (db_is_null(s, i)) {
        json_set_null(o, col->name);
        return;
    }
    switch (col->kind) {
    case SHOW_ID:
        db_id(s, i, id);
        uuid_format(id, text);
        json_set_str(o, col->name, text);
        break;
    case SHOW_TIME:
    case SHOW_WRITTEN:
        show_rfc3339(db_int(s, i), text, sizeof text);
        json_set_str(o, col->name, text);
        break;
    case SHOW_BOOL: json_set_bool(o, col->name, db_int(s, i) != 0); break;
    case SHOW_INT:
    case SHOW_AGE: json_set_int(o, col->name, db_int(s, i)); break;
    case SHOW_TEXT: json_set_text(o, col->name, db_bytes(s, i)); break;
    }
}

struct json *show_object(struct stmt *s, const struct show_column *cols, size_t n)
{
    struct json *o = json_object_new();
    for (size_t i = 0; i < n; i++) cell_json(o, &cols[i], s, (int)i);
    return o;
}

static void cell_text(char *out, size_t n, const struct show_column *col, struct stmt *s, int i)
{
    uint8_t id[16];
    char uuid[37];
    out[0] = '\0';
    if (db_is_null(s, i)) {
        if (col->kind == SHOW_WRITTEN) snprintf(out, n, "not known");
        return;
    }
    switch (col->kind) {
    case SHOW_ID:
        db_id(s, i, id);
        uuid_format(id, uuid);
        snprintf(out, n, "%s", uuid);
        break;
    case SHOW_TIME:
    case SHOW_WRITTEN: show_time(db_int(s, i), out, n); break;
    case SHOW_AGE: show_span(db_int(s, i), out, n); break;
    case SHOW_BOOL: snprintf(out, n, "%s", db_int(s, i) != 0 ? "yes" : "no"); break;
    case SHOW_INT: snprintf(out, n, "%lld", (long long)db_int(s, i)); break;
    case SHOW_TEXT: plain_text(out, n, db_bytes(s, i)); break;
    }
}

static size_t width_of(const char *s)
{
    size_t w = 0;
    for (; *s != '\0'; s++) w += ((uint8_t)*s & 0xC0) != 0x80;
    return w;
}

struct table {
    char (*cells)[CELL_MAX]; /* rows × n */
    size_t rows, cap, n;
};

static enum err table_add(struct table *t, struct stmt *s, const struct show_column *cols, struct why *why)
{
    if (t->rows == t->cap) {
        size_t cap = t->cap != 0 ? t->cap * 2 : 64;
        void *p = realloc(t->cells, cap * t->n * CELL_MAX);
        if (p == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
        t->cells = p;
        t->cap = cap;
    }
    for (size_t i = 0; i < t->n; i++) cell_text(t->cells[t->rows * t->n + i], CELL_MAX, &cols[i], s, (int)i);
    t->rows++;
    return ERR_OK;
}

static void table_print(const struct table *t, const struct show_column *cols)
{
    size_t width[TABLE_COLUMNS] = {0}; /* found once: a list of all cases has thousands of rows */
    assert(t->n <= TABLE_COLUMNS);
    for (size_t i = 0; i < t->n; i++) {
        if (cols[i].title != NULL) width[i] = width_of(cols[i].title);
        for (size_t k = 0; k < t->rows; k++) {
            size_t here = width_of(t->cells[k * t->n + i]);
            width[i] = here > width[i] ? here : width[i];
        }
    }
    for (size_t r = 0; r <= t->rows; r++) {
        size_t gap = 0;
        for (size_t i = 0; i < t->n; i++) {
            if (cols[i].title == NULL) continue;
            const char *cell = r == 0 ? cols[i].title : t->cells[(r - 1) * t->n + i];
            printf("%*s%s", (int)gap, "", cell);
            gap = width[i] - width_of(cell) + 2;
        }
        putchar('\n');
    }
}

enum err show_list(const struct cli *c, struct stmt *s, const struct show_column *cols, size_t n, const char *none,
                   size_t *out_rows, struct why *why)
{
    struct table t = {.n = n};
    struct json *list = c->json ? json_array_new() : NULL;
    size_t rows = 0;
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        rows++;
        if (c->json)
            json_append(list, show_object(s, cols, n));
        else if ((e = table_add(&t, s, cols, why)) != ERR_OK)
            break;
    }
    db_done(s);
    if (e == ERR_OK && c->json)
        e = json_print(list, stdout, why);
    else if (e == ERR_OK && rows == 0)
        puts(none);
    else if (e == ERR_OK)
        table_print(&t, cols);
    if (e == ERR_OK && out_rows != NULL) *out_rows = rows;
    json_free(list);
    free(t.cells);
    return e;
}

enum err show_one(const struct cli *c, struct stmt *s, const struct show_column *cols, size_t n, bool *out_found,
                  struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK && row && c->json) {
        e = show_json(show_object(s, cols, n), why);
    } else if (e == ERR_OK && row) {
        char cell[4096];
        for (size_t i = 0; i < n; i++) {
            cell_text(cell, sizeof cell, &cols[i], s, (int)i);
            if (cols[i].title != NULL && cell[0] != '\0') printf("%-18s %s\n", cols[i].title, cell);
        }
    }
    db_done(s);
    if (e == ERR_OK) *out_found = row;
    return e;
}
