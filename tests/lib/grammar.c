#include "tests/lib/grammar.h"

#include "sync/rules.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)64 << 20)

/* One reading; `bad` once and for all. */
struct reading {
    const struct grammar *g;
    const uint8_t *at, *end;
    bool bad;
    const struct table_rule *table;
    size_t columns;  /* that it has in this version */
    uint64_t tables; /* read so far, a bit each */
    uint8_t (*ids)[16];
    size_t n_ids, room; /* of this table */
    size_t operations;
};

enum told { TOLD_NOT, TOLD_NULL, TOLD_VALUE };

static uint8_t octet(struct reading *r)
{
    if (r->at == r->end) r->bad = true;
    return r->bad ? 0 : *r->at++;
}

/* Four groups of seven bits are the most that stay below 2^28. */
static size_t varint(struct reading *r)
{
    size_t v = 0;
    for (int groups = 0; groups < 4; groups++) {
        uint8_t b = octet(r);
        if (groups == 0 && b == 0x80) r->bad = true; /* a leading group of nothing: not the shortest */
        v = v << 7 | (b & 0x7f);
        if (b < 0x80) return v;
    }
    r->bad = true;
    return 0;
}

static const uint8_t *run_of(struct reading *r, size_t n)
{
    if ((size_t)(r->end - r->at) < n) r->bad = true;
    if (r->bad) return NULL;
    r->at += n;
    return r->at - n;
}

/* RFC 3629, by code point. */
static bool is_text(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        static const uint32_t least[] = {1, 0x80, 0x800, 0x10000};
        size_t more = p[i] < 0x80 ? 0 : p[i] >= 0xf8 ? 9 : p[i] >= 0xf0 ? 3 : p[i] >= 0xe0 ? 2 : p[i] >= 0xc0 ? 1 : 9;
        if (more > 3 || more >= n - i) return false;
        uint32_t c = more == 0 ? p[i] : p[i] & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((p[i + k] & 0xc0) != 0x80) return false;
            c = c << 6 | (p[i + k] & 0x3f);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
        i += more + 1;
    }
    return true;
}

static bool is_word(const char *words, const uint8_t *p, size_t n)
{
    for (const char *w = words;; w++) {
        size_t length = strcspn(w, "|");
        if (length == n && memcmp(w, p, n) == 0) return true;
        w += length;
        if (*w == '\0') return false;
    }
}

static bool is_date(const uint8_t *p, size_t n)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int v[3] = {0, 0, 0}, field = 0;
    if (n != 10) return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? p[i] != '-' : p[i] < '0' || p[i] > '9') return false;
        field += dash;
        if (!dash) v[field] = v[field] * 10 + (p[i] - '0');
    }
    bool leap = (v[0] % 4 == 0 && v[0] % 100 != 0) || v[0] % 400 == 0;
    if (v[0] < 1 || v[1] < 1 || v[1] > 12 || v[2] < 1) return false;
    return v[2] <= days[v[1] - 1] + (v[1] == 2 && leap);
}

static bool text_fits(const struct column_rule *c, const uint8_t *p, size_t n)
{
    switch (c->type) {
    case COL_TEXT: return n <= RULES_MAX_VALUE && is_text(p, n);
    case COL_WORD: return is_word(c->words, p, n);
    case COL_DATE: return is_date(p, n);
    default: return false;
    }
}

static enum told value(struct reading *r, const struct column_rule *c)
{
    uint8_t kind = octet(r);
    const uint8_t *p;
    uint64_t number = 0;
    double real;
    size_t n;
    switch (kind) {
    case 0: return TOLD_NOT;
    case 1:
        for (int i = 0; i < 8; i++) number = number << 8 | octet(r);
        if (c->type != COL_TIME && c->type != COL_INT && (c->type != COL_BOOL || number > 1)) r->bad = true;
        return TOLD_VALUE;
    case 2:
        for (int i = 0; i < 8; i++) number = number << 8 | octet(r);
        memcpy(&real, &number, sizeof real);
        if (c->type != COL_REAL || real != real) r->bad = true;
        return TOLD_VALUE;
    case 3:
        n = varint(r);
        p = run_of(r, n);
        if (!r->bad && !text_fits(c, p, n)) r->bad = true;
        return TOLD_VALUE;
    case 4:
        n = varint(r);
        (void)run_of(r, n);
        if (c->type != COL_ID || n != 16) r->bad = true;
        return TOLD_VALUE;
    case 5:
        if (c->required) r->bad = true;
        return TOLD_NULL;
    default: r->bad = true; return TOLD_NOT;
    }
}

/* Which columns the record tells. */
static void record(struct reading *r, bool told[RULES_MAX_COLUMNS])
{
    for (size_t c = 0; c < r->columns && !r->bad; c++) {
        const uint8_t *from = r->at;
        enum told t = value(r, &r->table->columns[c]);
        told[c] = t != TOLD_NOT;
        if (c > 0 || t == TOLD_NOT || r->bad) continue;
        if (t == TOLD_NULL) r->bad = true;
        if (!r->bad) memcpy(r->ids[r->n_ids], from + 2, 16);
    }
}

static void all(struct reading *r, const bool told[RULES_MAX_COLUMNS])
{
    for (size_t c = 0; c < r->columns; c++)
        if (!told[c]) r->bad = true;
}

/* How many columns besides the key. */
static size_t others(const struct reading *r, const bool told[RULES_MAX_COLUMNS])
{
    size_t n = 0;
    for (size_t c = 1; c < r->columns; c++) n += told[c];
    return n;
}

static void update(struct reading *r)
{
    bool old[RULES_MAX_COLUMNS] = {false}, new_[RULES_MAX_COLUMNS] = {false};
    record(r, old);
    if (!old[0] || others(r, old) == 0) r->bad = true;
    if (r->g->patchset) return;
    record(r, new_);
    if (new_[0]) r->bad = true;
    for (size_t c = 1; c < r->columns; c++)
        if (old[c] != new_[c]) r->bad = true;
}

static void delete_(struct reading *r)
{
    bool told[RULES_MAX_COLUMNS] = {false};
    if (!r->g->deletes) r->bad = true;
    if (!r->g->patchset) {
        record(r, told);
        all(r, told);
    } else {
        if (value(r, &r->table->columns[0]) != TOLD_VALUE) r->bad = true;
        if (!r->bad) memcpy(r->ids[r->n_ids], r->at - 16, 16);
    }
}

static void operation(struct reading *r)
{
    uint8_t kind = octet(r);
    bool told[RULES_MAX_COLUMNS] = {false};
    if (octet(r) > 1) r->bad = true;
    if (r->n_ids == r->room) {
        r->room = r->room == 0 ? 16 : r->room * 2;
        r->ids = reallocarray(r->ids, r->room, 16);
        if (r->ids == NULL) abort();
    }
    switch (kind) {
    case 0x12:
        record(r, told);
        all(r, told);
        break;
    case 0x17: update(r); break;
    case 0x09: delete_(r); break;
    default: r->bad = true;
    }
    r->n_ids++;
    if (++r->operations > r->g->most) r->bad = true;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void header(struct reading *r)
{
    size_t n_tables, columns, index;
    const struct table_rule *t = rules_tables(&n_tables);
    if (octet(r) != (r->g->patchset ? 'P' : 'T')) r->bad = true;
    columns = varint(r);
    const uint8_t *flags = run_of(r, columns);
    const uint8_t *name = r->at;
    while (octet(r) != 0) continue;
    for (index = 0; index < n_tables && !r->bad; index++)
        if (strcmp(t[index].name, (const char *)name) == 0) break;
    if (r->bad || index == n_tables) {
        r->bad = true;
        return;
    }
    for (r->columns = t[index].n_columns; r->columns > 0; r->columns--)
        if (t[index].columns[r->columns - 1].since <= r->g->schema) break;
    if (columns != r->columns) {
        r->bad = true;
        return;
    }
    for (size_t c = 0; c < columns; c++)
        if (flags[c] != (c == 0)) r->bad = true;
    if ((r->tables >> index & 1) != 0) r->bad = true;
    r->tables |= UINT64_C(1) << index;
    r->table = &t[index];
}

static void table(struct reading *r)
{
    header(r);
    r->n_ids = 0;
    do {
        if (!r->bad) operation(r);
    } while (!r->bad && r->at < r->end && *r->at != 'T' && *r->at != 'P');
    if (r->bad) return;
    qsort(r->ids, r->n_ids, sizeof r->ids[0], by_id);
    for (size_t i = 1; i < r->n_ids; i++)
        if (memcmp(r->ids[i - 1], r->ids[i], 16) == 0) r->bad = true;
}

bool grammar_accepts(const struct grammar *g, struct bytes text)
{
    struct reading r = {.g = g, .at = text.p, .end = text.p + text.n, .bad = text.n == 0 || text.n > MOST_BYTES};
    while (!r.bad && r.at < r.end) table(&r);
    free(r.ids);
    return !r.bad;
}
