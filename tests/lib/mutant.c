#include "tests/lib/mutant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value as it will be written: kind, then eight bytes or a length and bytes. */
struct piece {
    uint8_t kind;
    uint8_t number[8];
    uint8_t text[64];
    size_t n;
    size_t blanks;  /* so many blanks more behind the text */
    int lie;        /* added to the length that is written */
    bool long_form; /* length in more groups than it takes */
};
struct twig {
    uint8_t kind, indirect;
    size_t n_old, n_new; /* values written */
    struct piece old[RULES_MAX_COLUMNS + 1], new_[RULES_MAX_COLUMNS + 1];
};
struct branch {
    const struct table_rule *rule;
    uint8_t mark;
    size_t count, n_flags;
    bool long_count;
    uint8_t flags[RULES_MAX_COLUMNS + 1];
    char name[64];
    size_t n_ops;
    struct twig ops[MUTANT_OPS];
};
struct tree {
    size_t n;
    struct branch tables[MUTANT_TABLES];
};

uint64_t mutant_random(uint64_t *state) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(uint64_t *random, size_t n)
{
    return (size_t)(mutant_random(random) % n);
}

/* ---------------------------------------------------------------------------------------------- something right */
static struct piece integer(uint64_t v)
{
    struct piece p = {.kind = 1};
    for (int i = 0; i < 8; i++) p.number[i] = (uint8_t)(v >> (56 - 8 * i));
    return p;
}

static struct piece run_of(uint8_t kind, const void *text, size_t n)
{
    struct piece p = {.kind = kind, .n = n};
    memcpy(p.text, text, n);
    return p;
}

static struct piece text_of(const char *s)
{
    return run_of(3, s, strlen(s));
}

/* A row of this case, and of this table unless it is -1; any row where there is none, and now and then. */
static const struct mutant_row *row_of(const struct mutant_subject *about, const uint8_t *case_id, int table,
                                       uint64_t *random)
{
    size_t from = below(random, about->n_rows);
    for (size_t i = 0; i < about->n_rows && below(random, 400) != 0; i++) {
        const struct mutant_row *r = &about->rows[(from + i) % about->n_rows];
        if (memcmp(r->case_id, case_id, 16) == 0 && (table < 0 || r->table == table)) return r;
    }
    return &about->rows[from];
}

static struct piece some(const struct column_rule *c, const struct mutant_subject *about, const uint8_t *case_id,
                         uint64_t *random)
{
    static const char *const texts[] = {"", "a note", "caf\xc3\xa9", "\xf0\x9f\x98\x80", "care", "police", "school"};
    static const char *const dates[] = {"2024-02-29", "1999-12-31", "2000-01-01"};
    const char *word = c->words;
    if (!c->required && below(random, 4) == 0) return (struct piece){.kind = 5};
    switch (c->type) {
    case COL_ID:
        if (c->parent == NULL) return run_of(4, about->user, 16);
        return run_of(4, row_of(about, case_id, rules_table_index(bytes_of_str(c->parent)), random)->id, 16);
    case COL_WORD:
        for (size_t skip = below(random, 4); skip > 0 && strchr(word, '|') != NULL; skip--)
            word = strchr(word, '|') + 1;
        return run_of(3, word, strcspn(word, "|"));
    case COL_DATE: return text_of(dates[below(random, 3)]);
    case COL_BOOL: return integer(below(random, 2));
    case COL_TEXT: return text_of(texts[below(random, sizeof texts / sizeof texts[0])]);
    default: return integer(below(random, 2) == 0 ? mutant_random(random) : 1780000000000u);
    }
}

static void insert(struct twig *t, const struct branch *b, const struct mutant_subject *about, const uint8_t *case_id,
                   uint64_t *random)
{
    uint8_t id[16];
    t->n_new = b->rule->n_columns;
    for (size_t c = 0; c < t->n_new; c++) {
        enum write_rule w = b->rule->columns[c].write;
        bool others = (w == WRITE_ASKED || w == WRITE_LEAD || strcmp(b->rule->columns[c].name, "request_id") == 0) &&
                      below(random, 8) != 0;
        t->new_[c] = others ? (struct piece){.kind = 5} : some(&b->rule->columns[c], about, case_id, random);
    }
    for (size_t i = 0; i < 16; i++) id[i] = (uint8_t)mutant_random(random);
    bool is_case = strcmp(b->rule->name, "case_file") == 0;
    t->new_[0] = run_of(4, strcmp(b->rule->name, "brief") == 0 ? case_id : id, 16);
    if (b->rule->kind != TABLE_CASE) return;
    t->new_[1] = run_of(4, is_case ? id : case_id, 16);
    t->new_[2] = text_of(about->agency);
}

static void change(struct twig *t, const struct branch *b, const struct mutant_row *row,
                   const struct mutant_subject *about, uint64_t *random)
{
    size_t n = b->rule->n_columns, last = n - 1;
    t->n_old = t->n_new = n;
    t->old[0] = run_of(4, row->id, 16);
    for (size_t c = b->rule->kind == TABLE_CASE ? 3 : 1; c < n; c++) {
        if (below(random, n) > 2 && c != last) continue;
        if (c == last && below(random, 3) != 0 && t->new_[last - 1].kind != 0) continue;
        t->old[c] = some(&b->rule->columns[c], about, row->case_id, random);
        t->new_[c] = some(&b->rule->columns[c], about, row->case_id, random);
    }
}

static void grow(struct tree *tree, const struct mutant_subject *about, uint64_t *random)
{
    const uint8_t *case_id = about->cases[below(random, about->n_cases)];
    size_t n_tables;
    (void)rules_tables(&n_tables);
    memset(tree, 0, sizeof *tree);
    tree->n = 1 + below(random, 2);
    for (size_t i = 0; i < tree->n; i++) {
        struct branch *b = &tree->tables[i];
        const struct mutant_row *row = row_of(about, case_id, -1, random);
        bool updates = below(random, 2) == 0;
        b->rule = rules_table(updates                 ? (size_t)row->table
                              : below(random, 8) == 0 ? below(random, n_tables)
                                                      : 9 + below(random, n_tables - 11));
        b->mark = 'T';
        b->count = b->n_flags = b->rule->n_columns;
        b->flags[0] = 1;
        (void)snprintf(b->name, sizeof b->name, "%s", b->rule->name);
        b->n_ops = updates ? 1 : 1 + below(random, 2);
        for (size_t k = 0; k < b->n_ops; k++) {
            b->ops[k].kind = updates ? 0x17 : 0x12;
            b->ops[k].indirect = (uint8_t)below(random, 2);
            if (updates)
                change(&b->ops[k], b, row, about, random);
            else
                insert(&b->ops[k], b, about, case_id, random);
        }
    }
}

/* ---------------------------------------------------------------------------------------------- something else */
static struct branch *any_table(struct tree *t, uint64_t *random)
{
    return &t->tables[below(random, t->n)];
}

static struct twig *any_op(struct tree *t, uint64_t *random)
{
    struct branch *b = any_table(t, random);
    return &b->ops[below(random, b->n_ops)];
}

static struct piece *any_value(struct tree *t, uint64_t *random)
{
    struct twig *o = any_op(t, random);
    struct piece *from = o->n_old > 0 && below(random, 2) == 0 ? o->old : o->new_;
    size_t n = from == o->old ? o->n_old : o->n_new, at = n > 0 ? below(random, n) : 0;
    for (size_t i = 0; i < n; i++) /* rather one that is there */
        if (from[(at + i) % n].kind != 0) return &from[(at + i) % n];
    return &from[at];
}

static void harm_list(struct tree *t, uint64_t *random)
{
    struct branch *b = any_table(t, random), copy;
    size_t at = (size_t)(b - t->tables), other = below(random, t->n);
    switch (below(random, 6)) {
    case 0: /* a table less */
        memmove(b, b + 1, (t->n - at - 1) * sizeof *b);
        t->n--;
        return;
    case 1: /* twice */
        if (t->n < MUTANT_TABLES) t->tables[t->n++] = *b;
        return;
    case 2: /* in another order */
        copy = *b;
        *b = t->tables[other];
        t->tables[other] = copy;
        return;
    case 3: /* an operation less, or none */ b->n_ops--; return;
    case 4: /* an operation twice */
        if (b->n_ops < MUTANT_OPS) b->ops[b->n_ops++] = b->ops[0];
        return;
    default: /* an operation in another table */
        if (t->tables[other].n_ops < MUTANT_OPS) t->tables[other].ops[t->tables[other].n_ops++] = b->ops[0];
    }
}

static void harm_head(struct tree *t, uint64_t *random)
{
    static const char *const names[] = {"", "h_node", "sqlite_master", "Person", "person ", "held", "agency"};
    struct branch *b = any_table(t, random);
    size_t at = b->n_flags > 0 ? below(random, b->n_flags) : 0;
    switch (below(random, 8)) {
    case 0: b->mark = below(random, 2) == 0 ? 'P' : (uint8_t)mutant_random(random); return;
    case 1: b->count += below(random, 2) == 0 ? 1 : (size_t)-1; return;
    case 2: b->n_flags = b->count = b->rule->n_columns - 1; return;
    case 3: b->long_count = true; return;
    case 4: b->flags[at] ^= 1; return;
    case 5: b->flags[at] = (uint8_t)(2 + below(random, 250)); return;
    case 6: (void)snprintf(b->name, sizeof b->name, "%s", names[below(random, sizeof names / sizeof names[0])]); return;
    default: b->name[below(random, strlen(b->name) + 1)] ^= (char)(1u << below(random, 7));
    }
}

static void harm_op(struct tree *t, uint64_t *random)
{
    static const uint8_t kinds[] = {0x09, 0x12, 0x17, 0, 0x18, 0xff, 'T'};
    struct twig *o = any_op(t, random);
    switch (below(random, 7)) {
    case 0: o->kind = kinds[below(random, sizeof kinds)]; return;
    case 1: o->indirect = (uint8_t)below(random, below(random, 2) == 0 ? 3 : 256); return;
    case 2: o->n_new -= o->n_new > 0; return;
    case 3:
        if (o->n_new <= RULES_MAX_COLUMNS) o->new_[o->n_new++] = (struct piece){.kind = 5};
        return;
    case 4: /* as a patchset would have it */
        if (o->n_old > 0) o->new_[0] = o->old[0];
        return;
    case 5: o->n_old = 0; return;
    default: /* a DELETE as it should be */
        o->kind = 0x09;
        if (o->n_old > 0) memcpy(o->new_, o->old, sizeof o->new_);
        o->n_old = 0;
    }
}

static void harm_row(struct tree *t, uint64_t *random)
{
    struct twig *o = any_op(t, random);
    struct piece *key = o->n_old > 0 ? &o->old[0] : &o->new_[0];
    size_t n = o->n_new > 0 ? o->n_new : 1, c = below(random, n);
    switch (below(random, 8)) {
    case 0: key->kind = (uint8_t)below(random, 6); return;
    case 1: key->n = below(random, 20); return;
    case 2: key->text[below(random, 16)] ^= (uint8_t)(1u << below(random, 8)); return;
    case 3: o->old[c].kind = 0; return; /* changed, and not told from what */
    case 4: o->new_[c].kind = 0; return;
    case 5: o->new_[c].kind = 5; return;
    case 6: /* an update of nothing */
        for (c = 1; c < n; c++) o->old[c].kind = o->new_[c].kind = 0;
        return;
    default: o->new_[c] = o->old[below(random, n)];
    }
}

static void harm_value(struct tree *t, uint64_t *random)
{
    static const char *const bad[] = {"\xff",      "\xc0\x80",   "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "a\xe2\x82", "openn",      "2023-02-29",   "2024-13-01",
                                      "2024-2-29", "0000-00-00", "2024-02-30"};
    struct piece *v = any_value(t, random);
    size_t at = v->n > 0 ? below(random, v->n) : 0;
    switch (below(random, 13)) {
    case 0: v->kind = (uint8_t)below(random, 7); return;
    case 1: v->kind = (uint8_t)mutant_random(random); return;
    case 2: v->lie = (int)below(random, 5) - 2; return;
    case 3: v->lie = (int)below(random, 1u << 30); return;
    case 4: v->long_form = true; return;
    case 5: v->n = at; return;
    case 6: v->text[at] = 0; return;
    case 7: v->text[at] ^= (uint8_t)(1u << below(random, 8)); return;
    case 8: *v = text_of(bad[below(random, sizeof bad / sizeof bad[0])]); return;
    case 9: *v = integer(below(random, 4)); return;
    case 10:
        *v = integer(mutant_random(random));
        v->kind = 2;
        return;
    case 11: *v = run_of(4, "sixteen bytes id", 16); return;
    default:
        if (below(random, 40) != 0) return; /* a megabyte is slow */
        v->kind = 3;
        v->blanks = RULES_MAX_VALUE - v->n + below(random, 2);
    }
}

/* ----------------------------------------------------------------------------------------------------- as bytes */
static void put_varint(struct buf *out, size_t v, bool long_form)
{
    int groups = 1;
    while (groups < 5 && v >> (7 * groups) != 0) groups++;
    if (long_form) buf_put_u8(out, 0x80);
    for (int g = groups - 1; g >= 0; g--) buf_put_u8(out, (uint8_t)((v >> (7 * g) & 0x7f) | (g > 0 ? 0x80 : 0)));
}

static void put_record(struct buf *out, const struct piece *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_put_u8(out, v[i].kind);
        if (v[i].kind == 1 || v[i].kind == 2) buf_put(out, v[i].number, 8);
        if (v[i].kind != 3 && v[i].kind != 4) continue;
        put_varint(out, (size_t)((int64_t)(v[i].n + v[i].blanks) + v[i].lie) & 0xfffffff, v[i].long_form);
        buf_put(out, v[i].text, v[i].n);
        uint8_t *blanks = buf_grow(out, v[i].blanks);
        if (v[i].blanks > 0) memset(blanks, ' ', v[i].blanks);
    }
}

static void put_tree(struct buf *out, const struct tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct branch *b = &t->tables[i];
        buf_put_u8(out, b->mark);
        put_varint(out, b->count, b->long_count);
        buf_put(out, b->flags, b->n_flags);
        buf_put(out, b->name, strlen(b->name) + 1);
        for (size_t k = 0; k < b->n_ops; k++) {
            buf_put_u8(out, b->ops[k].kind);
            buf_put_u8(out, b->ops[k].indirect);
            put_record(out, b->ops[k].old, b->ops[k].n_old);
            put_record(out, b->ops[k].new_, b->ops[k].n_new);
        }
    }
}

static void harm_bytes(struct buf *out, uint64_t *random)
{
    if (out->len == 0) return;
    size_t at = below(random, out->len), n = 1 + below(random, 12);
    switch (below(random, 6)) {
    case 0: out->data[at] ^= (uint8_t)(1u << below(random, 8)); return;
    case 1: out->data[at] = (uint8_t)mutant_random(random); return;
    case 2: out->len = at; return;
    case 3:
        if (n > out->len - at) n = out->len - at;
        memmove(out->data + at, out->data + at + n, out->len - at - n);
        out->len -= n;
        return;
    case 4: buf_put(out, "TP\x00\x05\x12\x17 trailing", n); return;
    default:
        if (buf_grow(out, n) == NULL) return;
        memmove(out->data + at + n, out->data + at, out->len - at - n);
    }
}

bool mutant_make(const struct mutant_subject *about, uint64_t *random, struct buf *out)
{
    static void (*const harms[])(struct tree *, uint64_t *) = {harm_list, harm_head,  harm_op,
                                                               harm_row,  harm_value, harm_value};
    struct tree *t = malloc(sizeof *t);
    if (t == NULL) abort();
    grow(t, about, random);
    size_t n = below(random, 4); /* a quarter is left as it is */
    bool bytes = n > 0 && below(random, 4) == 0;
    for (size_t i = 0; i < n && t->n > 0 && !bytes; i++) {
        bool empty = false;
        for (size_t k = 0; k < t->n; k++) empty = empty || t->tables[k].n_ops == 0;
        if (!empty) harms[below(random, sizeof harms / sizeof harms[0])](t, random);
    }
    out->len = 0;
    put_tree(out, t);
    for (size_t i = 0; i < n && bytes; i++) harm_bytes(out, random);
    free(t);
    return n > 0;
}
