#include "hub/policy_plain.h"

#include "hub/policy_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_one_of(struct bytes word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (word.n == strlen(words[i]) && strncasecmp((const char *)word.p, words[i], word.n) == 0) return true;
    return false;
}

#define ONE_OF(word, words) is_one_of(word, words, sizeof(words) / sizeof((words)[0]))

/* ---------------------------------------------------------------------------------------------------------- meaning */

static enum err differs(const struct scan *s, const struct policy_view *v, const char *what, struct why *why)
{
    char words[200];
    (void)snprintf(words, sizeof words, "it uses %s (%.*s), which does not mean the same on PostgreSQL in every case", what,
                   s->last.n > 40 ? 40 : (int)s->last.n, (const char *)s->last.p);
    return policy_text_fault(why, v->line + s->on_line - 1, words);
}

/* LIKE knows no capitals on the one; CAST, LIMIT and a negative place in substr are judged otherwise. INTERSECT binds
 * more than UNION on the one, and a join more than a comma, which matters where neither side has to match. NULL stands
 * at the other end of an order, which matters to OVER. */
static enum err check_word(const struct scan *s, const struct policy_view *v, struct why *why)
{
    static const char *const differing[] = {"like",    "glob",    "regexp",    "match",     "cast",  "limit",
                                            "offset",  "substr",  "substring", "rowid",     "oid",   "collate",
                                            "_rowid_", "indexed", "escape",    "intersect", "right", "full",
                                            "over",    "window"};
    if (ONE_OF(s->last, differing) || memchr(s->last.p, '$', s->last.n) != NULL) return differs(s, v, "a word", why);
    return ERR_OK;
}

/* x'00', E'\n', date '2020-01-01': a word before a text can make something else of it. */
static enum err check_quoted(const struct scan *s, struct bytes before, const struct policy_view *v, struct why *why)
{
    static const char *const plain[] = {"as",     "in",    "then",     "else",  "when",   "case", "and",
                                        "or",     "not",   "select",   "where", "having", "on",   "between",
                                        "values", "union", "distinct", "all",   "by",     "is",   "from"};
    bool word = before.n > 0 && (isalnum(before.p[0]) || before.p[0] == '_' || before.p[0] >= 0x80);
    if (s->last.p[0] == '`' || s->last.p[0] == '[') return differs(s, v, "a name in such quotes", why);
    return word && s->last.p[0] == '\'' && !ONE_OF(before, plain) ? differs(s, v, "a text after a word", why) : ERR_OK;
}

/* Sums and bits run over on the one and not on the other, and a division by 0 is NULL or the end. A star may stand for
 * columns. */
static enum err check_mark(const struct scan *s, struct bytes before, int after, const struct policy_view *v,
                           struct why *why)
{
    static const char *const stars[] = {"(", ",", ".", "select", "distinct", "all"};
    int c = s->last.p[0];
    bool bar = c == '|' && (after == '|' || (before.n == 1 && before.p[0] == '|'));
    bool star = c == '*' && ONE_OF(before, stars);
    if (strchr(",.()=<>!", c) == NULL && !bar && !star) return differs(s, v, "arithmetic or a sign", why);
    if ((c == '<' || c == '>') && after == c) return differs(s, v, "arithmetic or a sign", why);
    return ERR_OK;
}

/* Between two comparisons that follow each other without brackets, a = b IN (…), each engine groups by rules of its
 * own, and where conditions are compared both groupings can be asked. So each comparison stands alone within its
 * brackets, CASE … END among them, and between the words that end one. */
#define NEST 200

struct nest {
    struct compared {
        bool one, between; /* one was met; it is a BETWEEN that waits for its AND */
    } at[NEST];
    size_t n;
    size_t sign_to; /* behind the last sign of a comparison: <= is one */
};

static enum err compares(struct nest *nest, const struct scan *s, const struct policy_view *v, struct why *why)
{
    struct compared *here = &nest->at[nest->n];
    if (here->one) return differs(s, v, "one comparison after another without brackets", why);
    here->one = true;
    return ERR_OK;
}

static enum err goes_in(struct nest *nest, const struct scan *s, const struct policy_view *v, struct why *why)
{
    if (nest->n + 1 == NEST) return differs(s, v, "very many brackets in each other", why);
    nest->at[++nest->n] = (struct compared){0};
    return ERR_OK;
}

static void goes_out(struct nest *nest)
{
    if (nest->n > 0) nest->n--;
}

static enum err check_nested_word(struct nest *nest, const struct scan *s, const struct policy_view *v, struct why *why)
{
    static const char *const comparing[] = {"in", "is", "between", "isnull", "notnull"},
                      *const ending[] = {"and", "or", "when", "then", "else", "select", "where", "on", "having", "by"},
                      *const into[] = {"case"}, *const out_of[] = {"end"}, *const between[] = {"between"}, *const both[] = {"and"};
    struct compared *here = &nest->at[nest->n];
    if (ONE_OF(s->last, into)) return goes_in(nest, s, v, why);
    if (ONE_OF(s->last, comparing)) {
        enum err e = compares(nest, s, v, why);
        here->between = ONE_OF(s->last, between);
        return e;
    }
    if (ONE_OF(s->last, out_of))
        goes_out(nest);
    else if (here->between && ONE_OF(s->last, both))
        here->between = false;
    else if (ONE_OF(s->last, ending))
        here->one = false;
    return ERR_OK;
}

static enum err check_nested_mark(struct nest *nest, const struct scan *s, const struct policy_view *v, struct why *why)
{
    int c = s->last.p[0];
    if (c == '(') return goes_in(nest, s, v, why);
    if (c == ')') goes_out(nest);
    if (c == ',') nest->at[nest->n] = (struct compared){0};
    if (strchr("=<>!", c) == NULL) return ERR_OK;
    bool goes_on = nest->sign_to == s->from;
    nest->sign_to = s->at;
    return goes_on ? ERR_OK : compares(nest, s, v, why);
}

static enum err check_nested(struct nest *nest, const struct scan *s, enum token t, const struct policy_view *v, struct why *why)
{
    if (t == TOKEN_WORD) return check_nested_word(nest, s, v, why);
    return t == TOKEN_MARK ? check_nested_mark(nest, s, v, why) : ERR_OK;
}

static enum err check_view(const struct policy_view *v, struct why *why)
{
    struct scan s = {.text = v->rest, .line = 1};
    struct nest nest = {0};
    struct bytes before = {0};
    enum token t;
    enum err e = ERR_OK;
    if (strncasecmp(v->name, "pg_", 3) == 0)
        return policy_text_fault(why, v->line, "names that begin with pg_ belong to PostgreSQL");
    while (e == ERR_OK && ((t = scan_next(&s)) == TOKEN_WORD || t == TOKEN_QUOTED || t == TOKEN_MARK)) {
        if (t == TOKEN_WORD) e = check_word(&s, v, why);
        if (t == TOKEN_QUOTED) e = check_quoted(&s, before, v, why);
        if (t == TOKEN_MARK) e = check_mark(&s, before, s.at < s.text.n ? s.text.p[s.at] : 0, v, why);
        if (e == ERR_OK) e = check_nested(&nest, &s, t, v, why);
        before = s.last;
    }
    return e;
}

enum err policy_plain_check(const struct policy_text *p, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < p->n; i++) e = check_view(&p->views[i], why);
    return e;
}

/* ------------------------------------------------------------------------------------------------------------ order */

static bool is_name(struct bytes token, enum token t, const char *name)
{
    if (t == TOKEN_QUOTED && token.n > 2 && token.p[0] != '\'') token = bytes_of(token.p + 1, token.n - 2);
    return token.n == strlen(name) && strncasecmp((const char *)token.p, name, token.n) == 0;
}

/* Does it say the name of a view that is not placed yet? A column of that name counts too, which costs nothing but
 * order. */
static bool waits(const struct policy_text *p, size_t view, const bool placed[POLICY_MAX_VIEWS])
{
    struct scan s = {.text = p->views[view].rest, .line = 1};
    enum token t;
    while ((t = scan_next(&s)) == TOKEN_WORD || t == TOKEN_QUOTED || t == TOKEN_MARK)
        for (size_t i = 0; t != TOKEN_MARK && i < p->n; i++)
            if (i != view && !placed[i] && is_name(s.last, t, p->views[i].name)) return true;
    return false;
}

enum err policy_plain_order(const struct policy_text *p, size_t out[POLICY_MAX_VIEWS], struct why *why)
{
    bool placed[POLICY_MAX_VIEWS] = {false};
    for (size_t n = 0; n < p->n; n++) {
        size_t i = 0;
        while (i < p->n && (placed[i] || waits(p, i, placed))) i++;
        if (i == p->n) {
            for (i = 0; placed[i];) i++;
            return policy_text_fault(why, p->views[i].line, "this view and others ask each other in a circle");
        }
        placed[i] = true;
        out[n] = i;
    }
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------------------- text */

/* A text alone takes there the type of what it is compared with, an id's bytes or a number, and two of them are
 * compared in the order of the database's language. So it says what it is: a text, whose order is that of its bytes. */
static void put_token(struct bytes token, enum token t, struct buf *out)
{
    bool text = t == TOKEN_QUOTED && token.p[0] == '\'';
    if (text) buf_put_u8(out, '(');
    buf_put_bytes(out, token);
    if (text) buf_put_str(out, "::text COLLATE \"C\")");
}

void policy_plain_put(const struct policy_view *v, struct buf *out)
{
    struct scan s = {.text = v->rest, .line = 1};
    size_t line = 1, behind = 0;
    enum token t;
    while ((t = scan_next(&s)) == TOKEN_WORD || t == TOKEN_QUOTED || t == TOKEN_MARK) {
        for (; line < s.on_line; line++) buf_put_u8(out, '\n');
        if (s.from > behind) buf_put_u8(out, ' '); /* what stood together stays together: || and <> */
        put_token(s.last, t, out);
        behind = s.at;
        line = s.line;
    }
}
