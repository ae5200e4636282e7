#include "cli/import_cin_build.h"

#include "cli/import_cin_table.h"
#include "sync/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------------- the state */
#define MAX_DEPTH 16
#define MAX_TEXT  256u

struct cin_build {
    struct cin_census census;
    enum place stack[MAX_DEPTH];
    size_t depth;
    size_t skip;             /* levels deep in something we do not take; 0: none */
    const struct leaf *leaf; /* element whose text is being gathered */
    int leaf_line;
    char text[MAX_TEXT + 1];
    size_t text_len; /* MAX_TEXT + 1: too long for anything that fits */
    size_t episode;  /* index in the last referral of the one being read */
    int episode_line;
    bool children; /* <Message><Children> was seen */
    enum err err;  /* sticky */
    struct why why;
};

enum err cin_build_new(struct cin_build **out, struct why *why)
{
    struct cin_build *b = calloc(1, sizeof *b);
    if (b == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to read the file.");
    *out = b;
    return ERR_OK;
}

void cin_build_free(struct cin_build *b)
{
    if (b != NULL) cin_release(&b->census);
    free(b);
}

static bool no_memory(struct cin_build *b)
{
    b->err = why_set(&b->why, ERR_NOMEM, "There is not enough memory to read the file.");
    return false;
}

/* Room for one more item of a growing array; it comes zeroed. NULL: sticky ERR_NOMEM. */
static void *more(struct cin_build *b, void **items, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        size_t bigger = *cap != 0 ? *cap * 2 : 4;
        void *p = realloc(*items, bigger * size);
        if (p == NULL) {
            (void)no_memory(b);
            return NULL;
        }
        *items = p;
        *cap = bigger;
    }
    return memset((char *)*items + (*n)++ * size, 0, size);
}

static bool note(struct cin_build *b, struct cin_notes *to, int line, const char *what)
{
    void *items = to->v;
    struct cin_note *v = more(b, &items, &to->n, &to->cap, sizeof *v);
    to->v = items;
    if (v != NULL) *v = (struct cin_note){line, what};
    return v != NULL;
}

static bool leave_out(struct cin_build *b, int line, const char *what)
{
    return note(b, &b->census.left_out, line, what);
}

/* The content of a leaf does not fit. */
static bool refuse(struct cin_build *b, const struct leaf *l)
{
    return l->fault == NULL || leave_out(b, b->leaf_line, l->fault);
}

static struct cin_child *child_now(struct cin_build *b)
{
    return &b->census.children[b->census.n - 1];
}
static struct cin_referral *referral_now(struct cin_build *b)
{
    return &child_now(b)->referrals[child_now(b)->n - 1];
}
static struct cin_episode *episode_now(struct cin_build *b)
{
    return &referral_now(b)->episodes[b->episode];
}

static struct cin_episode *add_episode(struct cin_build *b, enum cin_kind kind)
{
    struct cin_referral *r = referral_now(b);
    void *items = r->episodes;
    struct cin_episode *e = more(b, &items, &r->n, &r->cap, sizeof *e);
    r->episodes = items;
    if (e != NULL) e->kind = kind;
    return e;
}

/* ------------------------------------------------------------------------------------------- values */
static bool read_date(struct cin_date *out, const char *text)
{
    if (!rules_date_ok(bytes_of_str(text))) return false;
    int y, m, d;
    if (sscanf(text, "%4d-%2d-%2d", &y, &m, &d) != 3) return false;
    /* Days since 1970 in the proleptic Gregorian calendar, years counted from March. */
    int64_t year = y - (m <= 2), era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    out->ms = days * 86400000;
    memcpy(out->iso, text, 10);
    out->iso[10] = '\0';
    return true;
}

static bool read_code(struct cin_code *out, const char *text, const char *codes, bool is_sex)
{
    char key[12];
    if (strchr(text, '|') != NULL || snprintf(key, sizeof key, "|%s|", text) >= (int)sizeof out->v + 2 ||
        strstr(codes, key) == NULL)
        return false;
    memcpy(out->v, text, strlen(text) + 1);
    if (is_sex) { /* letters of newer returns to the numbers of the code list */
        static const char letters[] = "UMFI", numbers[] = "0129";
        const char *p = strchr(letters, out->v[0]);
        if (p != NULL) out->v[0] = numbers[p - letters];
    }
    return true;
}

static bool read_answer(enum cin_answer *out, const char *text)
{
    bool yes = strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "TRUE") == 0;
    bool no = strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || strcmp(text, "FALSE") == 0;
    *out = yes ? CIN_YES : no ? CIN_NO : CIN_UNSAID;
    return yes || no;
}

static bool read_count(struct cin_code *out, const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > 3 || strspn(text, "0123456789") != n) return false;
    memcpy(out->v, text, n + 1);
    return true;
}

static void *target_of(struct cin_build *b, enum place in)
{
    switch (in) {
    case IDS:
    case TRAITS:
    case DISABILITIES: return child_now(b);
    case REFERRAL: return referral_now(b);
    case ASSESSMENT:
    case FACTORS:
    case CIN_PLANS:
    case SECTION_47:
    case PLAN: return episode_now(b);
    default: return NULL;
    }
}

static bool take_codes(struct cin_build *b, const struct leaf *l, struct cin_codes *to)
{
    struct cin_code code;
    if (!read_code(&code, b->text, l->codes, false)) return refuse(b, l);
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(to->v[i].v, code.v) == 0) return true;
    void *items = to->v;
    struct cin_code *v = more(b, &items, &to->n, &to->cap, sizeof *v);
    to->v = items;
    if (v != NULL) *v = code;
    return v != NULL;
}

static bool take_upn(struct cin_build *b, const struct leaf *l, char *to)
{
    if (b->text_len >= sizeof((struct cin_child *)0)->upn) return refuse(b, l);
    memcpy(to, b->text, b->text_len + 1);
    return cin_upn_ok(to) || note(b, &b->census.warnings, b->leaf_line,
                                  "the UPN does not fit its check letter; it is taken all the same");
}

static bool take_review(struct cin_build *b, const struct leaf *l)
{
    struct cin_date date = {0};
    if (!read_date(&date, b->text)) return refuse(b, l);
    if (referral_now(b)->n >= CIN_MAX_EVENTS)
        return leave_out(b, b->leaf_line, "this referral has more events than a case can hold; one is left out");
    struct cin_episode *e = add_episode(b, CIN_PLAN_REVIEW);
    if (e != NULL) e->start = date;
    return e != NULL;
}

static bool take_collection(struct cin_build *b)
{
    if (strcmp(b->text, "CIN") == 0) return true;
    b->err = why_set(&b->why, ERR_FORMAT,
                     "This is a return of another collection, not a Children in Need census. "
                     "Nothing was taken.");
    return false;
}

static bool is_taken(const struct leaf *l, const char *to)
{
    switch (l->kind) {
    case LEAF_COLLECTION:
    case LEAF_CODES:
    case LEAF_REVIEW: return false;
    case LEAF_ANSWER: return *(const enum cin_answer *)(const void *)to != CIN_UNSAID;
    default: return to[0] != '\0'; /* every other begins with its text */
    }
}

/* The text of a leaf is whole: check it and put it in its place. An empty element is one that is absent. */
static bool take_leaf(struct cin_build *b, const struct leaf *l)
{
    char *to = target_of(b, l->in);
    bool fits = true;
    if (to != NULL) to += l->at;
    if (is_taken(l, to))
        return l->kind == LEAF_SEX || leave_out(b, b->leaf_line, "an element stands twice; the second is left out");
    switch (l->kind) {
    case LEAF_COLLECTION: return take_collection(b);
    case LEAF_CODES: return take_codes(b, l, (struct cin_codes *)(void *)to);
    case LEAF_UPN: return take_upn(b, l, to);
    case LEAF_REVIEW: return take_review(b, l);
    case LEAF_DATE: fits = read_date((struct cin_date *)(void *)to, b->text); break;
    case LEAF_SEX:
    case LEAF_CODE: fits = read_code((struct cin_code *)(void *)to, b->text, l->codes, l->kind == LEAF_SEX); break;
    case LEAF_ANSWER: fits = read_answer((enum cin_answer *)(void *)to, b->text); break;
    case LEAF_COUNT: fits = read_count((struct cin_code *)(void *)to, b->text); break;
    case LEAF_ID:
        fits = b->text_len < sizeof((struct cin_child *)0)->la_id;
        if (fits) memcpy(to, b->text, b->text_len + 1);
        break;
    }
    return fits || refuse(b, l);
}

/* ---------------------------------------------------------------------------------- opening and closing */
static bool open_place(struct cin_build *b, enum place is, int line)
{
    static const enum cin_kind kinds[] = {
        [ASSESSMENT] = CIN_ASSESSMENT, [CIN_PLANS] = CIN_CIN_PLAN, [SECTION_47] = CIN_SECTION_47, [PLAN] = CIN_PLAN};
    void *items;
    if (is == CHILDREN) b->children = true;
    if (is == CHILD) {
        items = b->census.children;
        struct cin_child *c = more(b, &items, &b->census.n, &b->census.cap, sizeof *c);
        b->census.children = items;
        if (c == NULL) return false;
        c->line = line;
    } else if (is == REFERRAL) {
        struct cin_child *c = child_now(b);
        items = c->referrals;
        struct cin_referral *r = more(b, &items, &c->n, &c->cap, sizeof *r);
        c->referrals = items;
        if (r == NULL) return false;
        r->line = line;
    } else if (is == ASSESSMENT || is == CIN_PLANS || is == SECTION_47 || is == PLAN) {
        if (referral_now(b)->n >= CIN_MAX_EVENTS) {
            b->skip = 1;
            return leave_out(b, line, "this referral has more events than a case can hold; one is left out");
        }
        b->episode = referral_now(b)->n;
        b->episode_line = line;
        if (add_episode(b, kinds[is]) == NULL) return false;
    }
    b->stack[b->depth++] = is;
    return true;
}

bool cin_build_open(struct cin_build *b, const char *name, int line)
{
    enum place in = b->depth > 0 ? b->stack[b->depth - 1] : TOP;
    if (b->skip > 0 || b->leaf != NULL) {
        if (b->skip++ == 0) b->text_len = MAX_TEXT + 1; /* a leaf with an element inside is no leaf: leave it out */
        return true;
    }
    enum place is = cin_place(in, name);
    if (is != TOP) return open_place(b, is, line);
    const struct leaf *leaf = cin_leaf(in, name);
    if (leaf != NULL) {
        b->leaf = leaf;
        b->leaf_line = line;
        b->text_len = 0;
        return true;
    }
    if (in == TOP) {
        b->err = why_set(&b->why, ERR_FORMAT, "This is no Children in Need census return. Nothing was taken.");
        return false;
    }
    b->skip = 1;
    if (in == MESSAGE || in == HEADER || in == COLLECTION)
        return true; /* who sent it, with what software: not about children */
    return leave_out(b, line, "an element stands where the census has none; it is left out");
}

bool cin_build_text(struct cin_build *b, const char *text, size_t n)
{
    if (b->leaf == NULL || b->skip > 0) return true;
    for (size_t i = 0; i < n && b->text_len <= MAX_TEXT; i++) {
        bool blank = strchr(" \t\r\n", text[i]) != NULL;
        if (blank && b->text_len == 0) continue;
        if (b->text_len < MAX_TEXT) b->text[b->text_len] = text[i];
        b->text_len++;
    }
    return true;
}

static bool close_leaf(struct cin_build *b)
{
    const struct leaf *l = b->leaf;
    b->leaf = NULL;
    if (b->text_len > MAX_TEXT) {
        b->text[0] = '\0';
        return l->kind == LEAF_COLLECTION ? take_collection(b) : refuse(b, l);
    }
    while (b->text_len > 0 && strchr(" \t\r\n", b->text[b->text_len - 1]) != NULL) b->text_len--;
    b->text[b->text_len] = '\0';
    return b->text_len == 0 || take_leaf(b, l);
}

/* A dated record without its date says nothing. Its reviews, read after it, stay. */
static bool close_episode(struct cin_build *b)
{
    struct cin_referral *r = referral_now(b);
    struct cin_episode *e = episode_now(b);
    if (e->start.iso[0] != '\0') return true;
    free(e->factors.v);
    r->n--;
    memmove(e, e + 1, (r->n - b->episode) * sizeof *e);
    return leave_out(b, b->episode_line,
                     "an assessment, enquiry or plan has no start date that can be read; it is left out");
}

static void drop_referral(struct cin_child *c)
{
    struct cin_referral *r = &c->referrals[--c->n];
    for (size_t i = 0; i < r->n; i++) free(r->episodes[i].factors.v);
    free(r->episodes);
}

static bool close_referral(struct cin_build *b)
{
    struct cin_referral *r = referral_now(b);
    if (r->received.iso[0] != '\0') return true;
    int line = r->line;
    drop_referral(child_now(b));
    return leave_out(b, line, "the referral has no date that can be read; this referral is left out");
}

static bool close_child(struct cin_build *b)
{
    struct cin_child *c = child_now(b);
    bool ok = c->n > 0 || leave_out(b, c->line, "the child has no referral that could be taken; it is left out");
    while (c->la_id[0] == '\0' && c->n > 0 && ok) {
        ok = leave_out(b, c->referrals[c->n - 1].line,
                       "the child has no number at the local authority; this referral is left out");
        drop_referral(c);
    }
    b->census.referrals += c->n;
    if (c->n > 0) return ok;
    free(c->referrals);
    free(c->disabilities.v);
    b->census.n--;
    return ok;
}

bool cin_build_close(struct cin_build *b)
{
    if (b->err != ERR_OK) return false;
    if (b->skip > 0) {
        b->skip--;
        return true;
    }
    if (b->leaf != NULL) return close_leaf(b);
    switch (b->stack[--b->depth]) {
    case CHILD: return close_child(b);
    case REFERRAL: return close_referral(b);
    case ASSESSMENT:
    case CIN_PLANS:
    case SECTION_47:
    case PLAN: return close_episode(b);
    default: return true;
    }
}

enum err cin_build_end(struct cin_build *b, bool whole, int line, struct cin_census *out, struct why *why)
{
    if (b->err != ERR_OK) {
        if (why != NULL) *why = b->why;
        return b->err;
    }
    if (!whole) {
        (void)why_set(why, ERR_FORMAT, "The file is broken or cut off near line %d. Nothing was taken.", line);
        return why_next(why, ERR_FORMAT, "Fetch the census return again and compare its size.");
    }
    if (!b->children)
        return why_set(why, ERR_FORMAT,
                       "This is no Children in Need census return: it has no list of children. "
                       "Nothing was taken.");
    *out = b->census;
    b->census = (struct cin_census){0};
    return ERR_OK;
}
