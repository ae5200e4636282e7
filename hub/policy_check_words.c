/* What policy_check found, in words for somebody who does not read SQL. */
#include "hub/policy_check.h"

#include "sync/rules.h"

#include <stdio.h>
#include <string.h>

#define BIT(way)  (1u << (way))
#define WORKING   (BIT(WAY_VIEW) | BIT(WAY_CONTRIBUTE))
#define PARTS     (BIT(WAY_CHECK) | WORKING)
#define EVERYBODY (BIT(POLICY_WAYS) - 1)
#define MAX_PARTS 12 /* of a list */

const char *policy_way_word(enum policy_way w)
{
    static const char *const words[POLICY_WAYS] = {"check", "view",   "contribute", "room",
                                                   "night", "writer", "addressed",  "others"};
    return words[w];
}

/* Parts of a list, joined later. */
struct list {
    char parts[MAX_PARTS][200];
    size_t n;
};

static void add(struct list *l, const char *fmt, const char *word)
{
    if (l->n == MAX_PARTS) return;
    (void)snprintf(l->parts[l->n++], sizeof l->parts[0], fmt, word);
}

static void join(const struct list *l, struct buf *out)
{
    for (size_t i = 0; i < l->n; i++) {
        bool last = i > 0 && i + 1 == l->n, by = strncmp(l->parts[i], "by ", 3) == 0;
        buf_printf(out, "%s%s", i == 0 ? "" : !last ? ", " : by ? " and " : " and, ", l->parts[i]);
    }
}

/* -------------------------------------------------------------------------------------------------- who, in one row */

static void add_parts(uint32_t ways, struct list *l)
{
    if ((ways & PARTS) == PARTS) {
        add(l, "%s", "everybody who takes part");
        return;
    }
    if ((ways & WORKING) == WORKING)
        add(l, "%s", "everybody who takes part with view or contribute");
    else if ((ways & BIT(WAY_VIEW)) != 0)
        add(l, "%s", "who takes part with view");
    else if ((ways & BIT(WAY_CONTRIBUTE)) != 0)
        add(l, "%s", "who takes part with contribute");
    if ((ways & BIT(WAY_CHECK)) != 0) add(l, "%s", "who takes part with check");
}

static void add_kinds(const struct policy_check *p, const struct policy_line *v, struct list *l)
{
    char words[200] = "";
    size_t at = 0, left = (size_t)__builtin_popcount(v->kinds);
    if (v->kinds == 0 || (v->open & BIT(WAY_CHECK)) != 0) return;
    for (size_t i = 0; i < p->n_kinds && at < sizeof words; i++) {
        if ((v->kinds & BIT(i)) == 0) continue;
        left--;
        at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", p->kinds[i],
                               left > 1    ? ", "
                               : left == 1 ? " or "
                                           : "");
    }
    add(l, "agencies of the kind %s that take part", words);
}

/* Agencies that see a row although they neither wrote it nor take part. */
static const char *addressed(const char *table)
{
    if (strcmp(table, "participant") == 0) return "by the agency that it names";
    if (strcmp(table, "conflict") == 0) return "by the agencies of its two authors";
    return "by the agency that it is addressed to";
}

/* In an open case; what ends with it is said so. The writer has words of his own. */
static void who(const struct policy_check *p, const struct policy_line *v, struct buf *out)
{
    const struct {
        enum policy_way way;
        const char *words;
    } others[] = {{WAY_ROOM, "by the MASH room of the area"},
                  {WAY_ADDRESSED, addressed(v->table)},
                  {WAY_OTHER, "by sites that have no part in the case"},
                  {WAY_NIGHT, "by out-of-hours teams"}};
    struct list l = {.n = 0}, parts = {.n = 0};
    if ((v->open & EVERYBODY) == EVERYBODY) {
        buf_put_str(out, "seen by every site");
        return;
    }
    add_parts(v->open, &parts);
    add_kinds(p, v, &parts);
    for (size_t i = 0; i < parts.n; i++) add(&l, "by %s", parts.parts[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (((v->open | v->closed) & BIT(others[i].way)) == 0) continue;
        add(&l,
            (v->closed & BIT(others[i].way)) == 0 ? "while the case is open, %s"
            : (v->open & BIT(others[i].way)) == 0 ? "once the case is closed, %s"
                                                  : "%s",
            others[i].words);
    }
    buf_put_str(out, l.n == 0 ? "seen by nobody else" : "seen ");
    join(&l, out);
}

/* ---------------------------------------------------------------------------------------------------- a whole table */

static bool alike(const struct policy_line *a, const struct policy_line *b)
{
    uint32_t but_writer = ~BIT(WAY_WRITER);
    return ((a->open ^ b->open) & but_writer) == 0 && ((a->closed ^ b->closed) & but_writer) == 0 &&
           a->kinds == b->kinds;
}

static bool is_voided(const struct policy_line *l)
{
    size_t n = strlen(l->state);
    return n >= 6 && strcmp(l->state + n - 6, "voided") == 0;
}

/* The row that it was before it was voided: "open and voided" was "open". */
static const struct policy_line *unvoided(const struct policy_check *p, const struct policy_line *l)
{
    size_t n = strlen(l->state) - 6;
    if (n > 5 && strncmp(l->state + n - 5, " and ", 5) == 0) n -= 5;
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->lines[i].table, l->table) == 0 && !is_voided(&p->lines[i]) &&
            (n == 0 || (strlen(p->lines[i].state) == n && strncmp(p->lines[i].state, l->state, n) == 0)))
            return &p->lines[i];
    return NULL;
}

/* Voided rows are spoken of once for all tables, as long as they go by that rule. */
static bool goes_without_saying(const struct policy_check *p, const struct policy_line *l)
{
    if (!is_voided(l)) return false;
    const struct policy_line *was = unvoided(p, l);
    uint32_t then = was == NULL ? 0 : (was->open & BIT(WAY_ROOM)) | BIT(WAY_WRITER);
    return l->open == then && l->closed == then && l->kinds == 0;
}

static bool speaks_of(const struct policy_check *p, size_t i, const char *table)
{
    return strcmp(p->lines[i].table, table) == 0 && !goes_without_saying(p, &p->lines[i]);
}

/* The states of the lines that are seen as the first of them is: "if open or needs consent (given; overridden)". */
static void states(const struct policy_check *p, size_t first, struct buf *out)
{
    const char *before = NULL;
    for (size_t i = first; i < p->n; i++) {
        const char *state = p->lines[i].state;
        if (!speaks_of(p, i, p->lines[first].table) || !alike(&p->lines[i], &p->lines[first])) continue;
        size_t open = strcspn(state, "("), n = strlen(state);
        bool opened = before != NULL && strchr(before, '(') != NULL;
        if (opened && state[open] == '(' && strncmp(before, state, open + 1) == 0) {
            buf_printf(out, "; %.*s", (int)(n - open - 2), state + open + 1);
        } else {
            buf_printf(out, "%s%s", opened ? ")" : "", before == NULL ? "if " : " or ");
            buf_put(out, state[0] == '\0' ? "ordinary" : state, state[0] == '\0' ? 8 : n - (state[open] == '('));
        }
        before = state;
    }
    buf_put_str(out, before != NULL && strchr(before, '(') != NULL ? "), " : ", ");
}

static bool first_of_its_kind(const struct policy_check *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (speaks_of(p, k, p->lines[i].table) && alike(&p->lines[k], &p->lines[i])) return false;
    return true;
}

/* The agency that wrote a row sees it whatever becomes of it, or does not. */
static void by_writer(const struct policy_check *p, const char *table, struct buf *out)
{
    size_t lines = 0, written = 0;
    bool conflict = strcmp(table, "conflict") == 0;
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->lines[i].table, table) != 0) continue;
        lines++;
        written += (p->lines[i].open & p->lines[i].closed & BIT(WAY_WRITER)) != 0;
    }
    buf_printf(out, "; and %s by the agency that wrote %s%s",
               written == lines ? "always"
               : written == 0   ? "not"
                                : "only sometimes",
               conflict ? "the row that it is about" : "it", written == lines ? "" : ", when its part is over");
}

enum err policy_check_sentence(const struct policy_check *p, const char *table, struct buf *out, struct why *why)
{
    size_t groups = 0, said = 0;
    int index = rules_table_index(bytes_of_str(table));
    if (index < 0) return why_set(why, ERR_NOTFOUND, "There is no table %.60s.", table);
    for (size_t i = 0; i < p->n; i++) groups += speaks_of(p, i, table) && first_of_its_kind(p, i);
    buf_printf(out, "%s: ", table);
    for (size_t i = 0; i < p->n; i++) {
        if (!speaks_of(p, i, table) || !first_of_its_kind(p, i)) continue;
        if (said++ > 0) buf_put_str(out, "; ");
        if (groups > 1 && (said > 1 || p->lines[i].state[0] != '\0')) states(p, i, out);
        who(p, &p->lines[i], out);
    }
    if (rules_table((size_t)index)->kind == TABLE_CASE) by_writer(p, table, out);
    buf_put_str(out, ".");
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory to describe the policy.");
}

void policy_check_voided(const struct policy_check *p, struct buf *out)
{
    bool all = true;
    for (size_t i = 0; i < p->n; i++) all &= !is_voided(&p->lines[i]) || goes_without_saying(p, &p->lines[i]);
    buf_printf(out,
               "A row that was voided as a mistake is seen by the agency that wrote it and, if the MASH room saw it "
               "before, by the MASH room%s.",
               all ? "" : ", but where it is said otherwise above");
}

void policy_check_restricted(const struct policy_check *p, struct buf *out)
{
    uint32_t named = PARTS | BIT(WAY_ROOM), unnamed = 0;
    bool same = true;
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_line *l = &p->lines[i];
        if (rules_table((size_t)rules_table_index(bytes_of_str(l->table)))->kind != TABLE_CASE) continue;
        same &= (l->named & named) == (l->open & named);
        unnamed |= l->named & ~named;
    }
    buf_put_str(out, same ? "In a restricted case the sites that are named in it see the same as in any other"
                          : "In a restricted case the sites that are named in it do not see the same as in any other");
    if (unnamed == 0) {
        buf_put_str(
            out, ", and nobody else sees anything: no MASH room, no out-of-hours team, no agency whose part is over.");
        return;
    }
    buf_put_str(out, ", and others see some of it too:");
    for (enum policy_way w = 0; w < POLICY_WAYS; w++)
        if ((unnamed & BIT(w)) != 0) buf_printf(out, " %s", policy_way_word(w));
    buf_put_str(out, ".");
}
