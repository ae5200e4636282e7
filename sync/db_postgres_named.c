/* Which tables a statement names, by the words of its text as PostgreSQL gets it. Too many is harmless: an answer is
 * then asked for again. So every word that is the name of a table counts as that table, also where it is a column's. */
#include "sync/db_postgres_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct scan {
    const char *at;
    const char *p; /* the token: a word, without its quotes, or a sign */
    size_t n;
    bool word, quoted;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind what is quoted; the quote within it is written twice. */
static const char *behind(const char *p, char quote)
{
    for (p++; *p != '\0'; p++) {
        if (*p != quote) continue;
        if (p[1] != quote) return p + 1;
        p++;
    }
    return p;
}

/* Texts, numbers and parameters are passed over. False at the end. */
static bool next(struct scan *t)
{
    for (;;) {
        const char *p = t->at;
        if (*p == '\0') return false;
        if (*p == '\'') {
            t->at = behind(p, '\'');
        } else if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r' || *p == '\f') {
            t->at++;
        } else if (is_digit(*p) || *p == '$') {
            for (t->at++; is_digit(*t->at) || is_letter(*t->at) || *t->at == '.';) t->at++;
        } else {
            break;
        }
    }
    t->p = t->at;
    t->quoted = *t->p == '"';
    t->word = t->quoted || is_letter(*t->p);
    if (t->quoted) {
        t->at = behind(t->p, '"');
        t->p++;
        t->n = (size_t)(t->at - t->p) - (t->at[-1] == '"' ? 1 : 0);
        return true;
    }
    t->at++;
    while (t->word && (is_letter(*t->at) || is_digit(*t->at))) t->at++;
    t->n = (size_t)(t->at - t->p);
    return true;
}

static bool is(const struct scan *t, const char *w)
{
    return t->n == strlen(w) && strncasecmp(t->p, w, t->n) == 0;
}

static bool sign(const struct scan *t, char c)
{
    return !t->word && *t->p == c;
}

/* FNV-1a over the small letters. */
static uint64_t hash_word(const struct scan *t)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < t->n; i++) {
        char c = t->p[i];
        h = (h ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 0x100000001b3u;
    }
    return h;
}

static int relation_of(const struct pg_kept *k, const struct scan *t)
{
    for (size_t i = 0; i < k->n_tables; i++)
        if (is(t, k->tables[i].name)) return (int)i;
    return -1;
}

static void add(struct pg_set *set, int i)
{
    set->bits[i / 64] |= (uint64_t)1 << i % 64;
}

/* ---- a question */

/* Its answer may be another next time, though no table changed; or it looks at what is not among the tables. */
static bool is_fickle(const struct scan *t)
{
    static const char *const words[] = {"now",          "random",       "current_setting",   "nextval",
                                        "currval",      "natural",      "current_date",      "current_time",
                                        "current_timestamp", "clock_timestamp", "tablesample"};
    if (t->n > 3 && strncasecmp(t->p, "pg_", 3) == 0) return true;
    if (t->n > 6 && strncasecmp(t->p, "spoke_", 6) == 0) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct scan ahead = *t;
        bool called = next(&ahead) && sign(&ahead, '(');
        if (is(t, words[i]) && (called || i > 4)) return true; /* policy_now has a column of the name now */
    }
    return false;
}

static bool put_word(struct pg_named *out, uint64_t word)
{
    if (out->n_words % 32 == 0) {
        uint64_t *more = reallocarray(out->words, out->n_words + 32, sizeof *more);
        if (more == NULL) return false;
        out->words = more;
    }
    out->words[out->n_words++] = word;
    return true;
}

static void question(const struct pg_kept *k, const char *schema, struct scan *t, struct pg_named *out)
{
    bool any = false, good = true, counting = false;
    struct scan last = {0};
    while (good && next(t)) {
        int i = t->word ? relation_of(k, t) : -1;
        if (i >= 0) {
            add(&out->tables, i);
            any = true;
            good = k->tables[i].keep;
        }
        if (t->word) good = good && !is_fickle(t) && put_word(out, hash_word(t));
        if (t->quoted && is(t, schema)) good = false; /* a view, by its whole name */
        /* count(*), and no other star: what names no column may hang on every one. */
        if (sign(t, '*')) good = good && counting;
        counting = sign(t, '(') && last.word && is(&last, "count");
        last = *t;
    }
    out->keepable = good && any;
}

/* ---- what changes rows */

/* UPDATE table SET column = …, column = … WHERE: of that table these columns, and nothing else. False: it is of
 * another form. */
static bool update(const struct pg_kept *k, struct scan *t, struct pg_named *out)
{
    int depth = 0;
    bool target = true;
    if (!next(t) || !t->word || (out->one = relation_of(k, t)) < 0) return false;
    if (!next(t) || !t->word || !is(t, "SET")) return false;
    while (next(t)) {
        if (target) {
            if (!t->word || out->n_set == PG_SET_MAX) return false;
            out->set[out->n_set++] = hash_word(t);
            if (!next(t) || !sign(t, '=')) return false;
            target = false;
            continue;
        }
        depth += sign(t, '(') ? 1 : sign(t, ')') ? -1 : 0;
        if (depth != 0) continue;
        if (t->word && !t->quoted && (is(t, "WHERE") || is(t, "RETURNING"))) return true;
        if (t->word && !t->quoted && is(t, "FROM")) return false;
        target = sign(t, ',');
    }
    return !target;
}

/* INSERT INTO table, DELETE FROM table: other tables that they name are asked. What else may change rows begins with
 * WITH. False: it is of another form. */
static bool one_table(const struct pg_kept *k, struct scan *t, const char *before, struct pg_named *out)
{
    if (!next(t) || !t->word || !is(t, before) || !next(t) || !t->word) return false;
    int i = relation_of(k, t);
    if (i < 0 || (next(t) && sign(t, '.'))) return false;
    add(&out->tables, i);
    return true;
}

static void any_table(const struct pg_kept *k, struct scan *t, struct pg_named *out)
{
    while (next(t)) {
        int i = t->word ? relation_of(k, t) : -1;
        if (i >= 0) add(&out->tables, i);
    }
}

void pg_name(const struct db_pg *db, const char *sql, bool select, struct pg_named *out)
{
    const struct pg_kept *k = &db->kept;
    struct scan t = {.at = sql};
    pg_named_release(out);
    out->shape = k->shape;
    if (select) {
        question(k, db->schema, &t, out);
        return;
    }
    bool word = next(&t) && t.word;
    if (word && is(&t, "UPDATE") && update(k, &t, out)) {
        add(&out->tables, out->one);
        return;
    }
    out->one = -1;
    if (word && is(&t, "INSERT") && one_table(k, &t, "INTO", out)) return;
    if (word && is(&t, "DELETE") && one_table(k, &t, "FROM", out)) return;
    t = (struct scan){.at = sql};
    any_table(k, &t, out);
}

void pg_named_release(struct pg_named *n)
{
    free(n->words);
    *n = (struct pg_named){.one = -1};
}
