/* Searching everything on this device (node/search.h). Texts of sensitive records and of releases are found and not
 * shown. That one has a word is still something of its text, and many searches would spell it out: so a row that an
 * answer rests on is noted as looked at (node_note_view), before the answer is given. What an answer says besides its
 * hits tells of no other row: that it is full, or that the search gave up, and not whether there was one hit more. */
#include "node/look_internal.h"
#include "node/search.h"
#include "node/search_query.h"

#include <stdlib.h>
#include <string.h>

#define HITS_MAX  50
#define OF_A_CASE 3      /* hits at most */
#define ROWS_MAX  20000u /* that one search reads; then it says that there may be more */
#define SOON_MS   5      /* for the index, while somebody waits at a page */
#define SOON_ROWS 1500u  /* and that are read of cases that are not in it yet */
#define BEFORE    48     /* bytes of a snippet before the first word that was found, and in all */
#define SNIPPET   200
#define NOTED_MAX (16u << 20) /* bytes of ids: more rows than one search reads */

struct hit {
    const char *table, *where;
    uint8_t id[16];
    bool has_person, noted, whole; /* whole: it has all terms by itself */
    uint8_t person[16];
    uint32_t terms;
    int64_t at;
    int score;
    struct json *snippet; /* owned; NULL: none is shown */
};

/* A row whose text is a look: which terms it has. */
struct quiet {
    uint8_t id[16];
    uint32_t terms;
    bool release;
};

struct search_look {
    struct node *n;
    struct search_query q;
    struct json *hits; /* owned */
    size_t n_hits, limit;
    uint64_t rows, rows_max;
    bool truncated;
    bool soon, filling; /* look_search_soon; not everything could be searched yet */
    /* the case that is read */
    struct hit best[OF_A_CASE];
    size_t n_best;
    uint32_t terms, open;         /* of all rows; of those that nobody notes a look at */
    struct buf quiet;             /* struct quiet */
    struct buf records, releases; /* ids to be noted, of all cases that are in the answer */
};

/* --------------------------------------------------------------------------------------------------- snippets */

static bool inside_char(struct bytes text, size_t at)
{
    return at < text.n && (text.p[at] & 0xc0) == 0x80;
}

static void put_piece(struct json *list, struct bytes text, size_t from, size_t to, bool hit)
{
    if (from >= to) return;
    struct json *o = json_object_new();
    json_set_text(o, "text", bytes_of(text.p + from, to - from));
    json_set_bool(o, "hit", hit);
    json_append(list, o);
}

static void put_dots(struct json *list)
{
    struct json *o = json_object_new();
    json_set_str(o, "text", "…");
    json_set_bool(o, "hit", false);
    json_append(list, o);
}

/* From the beginning of a word shortly before the first hit. */
static size_t snippet_start(struct bytes text, size_t first)
{
    size_t at = first > BEFORE ? first - BEFORE : 0;
    if (at == 0) return 0;
    for (size_t i = at; i < first; i++)
        if (text.p[i] == ' ' || text.p[i] == '\n') return i + 1;
    while (inside_char(text, at)) at++;
    return at;
}

static struct json *snippet(struct bytes text, const struct search_ranges *r)
{
    struct json *list = json_array_new();
    size_t at = snippet_start(text, r->n > 0 ? r->from[0] : 0);
    size_t end = text.n - at > SNIPPET ? at + SNIPPET : text.n;
    while (inside_char(text, end)) end++;
    if (at > 0) put_dots(list);
    for (size_t i = 0; i < r->n && r->from[i] < end; i++) {
        size_t to = r->to[i] < end ? r->to[i] : end;
        put_piece(list, text, at, r->from[i], false);
        put_piece(list, text, r->from[i], to, true);
        at = to;
    }
    put_piece(list, text, at, end, false);
    if (end < text.n) put_dots(list);
    return list;
}

/* ---------------------------------------------------------------------------------------------- rows of a case */

static void drop_best(struct search_look *l)
{
    for (size_t i = 0; i < l->n_best; i++) json_free(l->best[i].snippet);
    l->n_best = 0;
    l->terms = l->open = 0;
    buf_reset(&l->quiet);
}

/* Where a hit of this score would go; OF_A_CASE: nowhere. */
static size_t place_of(const struct search_look *l, int score)
{
    size_t i = 0;
    while (i < l->n_best && l->best[i].score >= score) i++;
    return i;
}

static void keep(struct search_look *l, size_t at, const struct hit *h)
{
    if (l->n_best == OF_A_CASE) json_free(l->best[--l->n_best].snippet);
    memmove(&l->best[at + 1], &l->best[at], (l->n_best - at) * sizeof l->best[0]);
    l->best[at] = *h;
    l->n_best++;
}

static bool is_exact(const struct search_look *l, const struct search_row *r, size_t text)
{
    uint8_t compact[SEARCH_WORD_MAX];
    if ((r->exact >> text & 1) == 0 || l->q.exact.n == 0) return false;
    size_t n = search_compact(r->text[text], compact);
    return n == l->q.exact.n && memcmp(compact, l->q.exact.p, n) == 0;
}

static bool is_release(const char *table)
{
    return strcmp(table, "release") == 0;
}

static void remember(struct search_look *l, const struct search_row *r, uint32_t terms)
{
    struct quiet q = {.terms = terms, .release = is_release(r->table)};
    memcpy(q.id, r->id, sizeof q.id);
    l->terms |= terms;
    if (r->noted)
        buf_put(&l->quiet, &q, sizeof q);
    else
        l->open |= terms;
}

static enum err look_at_row(void *ctx, const struct search_row *r, struct why *why)
{
    struct search_look *l = ctx;
    struct search_ranges ranges, best = {.n = 0};
    struct bytes text = {0};
    uint32_t terms = 0, most = 0;
    bool exact = false;
    (void)why;
    for (size_t i = 0; i < r->n_texts; i++) {
        uint32_t found = search_match(&l->q, r->text[i], &ranges);
        if (is_exact(l, r, i)) {
            exact = true;
            ranges = (struct search_ranges){.n = 1, .to = {r->text[i].n}};
            found = search_query_all(&l->q);
        }
        if (found != 0 && (text.p == NULL || __builtin_popcount(found) > __builtin_popcount(most))) {
            most = found;
            text = r->text[i];
            best = ranges;
        }
        terms |= found;
    }
    if (terms == 0) return ERR_OK;
    remember(l, r, terms);
    struct hit h = {.table = r->table, .where = r->what, .has_person = r->has_person, .noted = r->noted, .at = r->at};
    h.terms = terms;
    h.whole = terms == search_query_all(&l->q);
    h.score = (exact ? 100 : 0) + __builtin_popcount(terms);
    size_t at = place_of(l, h.score);
    if (at == OF_A_CASE) return ERR_OK;
    memcpy(h.id, r->id, sizeof h.id);
    memcpy(h.person, r->person, sizeof h.person);
    h.snippet = r->secret ? NULL : snippet(text, &best);
    keep(l, at, &h);
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------- hits as JSON */

static enum err set_person(struct node *n, struct json *o, const struct hit *h, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    json_set_null(o, "person");
    if (!h->has_person) return ERR_OK;
    enum err e = db_prepare(n->db,
                            "SELECT nullif(trim(coalesce(given_names, '') || ' ' || coalesce(family_name, '')), '')"
                            " FROM person WHERE id = $1 AND voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, h->person);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) look_set(o, "person", s, 0, LOOK_TEXT);
    db_done(s);
    return e;
}

/* Whose text it is that is not shown. */
static enum err set_agency(struct node *n, struct json *o, const struct hit *h, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    json_set_null(o, "agency");
    json_set_null(o, "agency_name");
    if (!h->noted) return ERR_OK;
    enum err e = db_prepare(n->db,
                            is_release(h->table) ? "SELECT agency FROM release WHERE id = $1"
                                                 : "SELECT agency FROM record WHERE id = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, h->id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) e = look_set_agency(n, o, "agency", db_bytes(s, 0), why);
    db_done(s);
    return e;
}

static enum err put_hit(struct search_look *l, struct hit *h, const uint8_t case_id[16], struct why *why)
{
    static const char *const columns[] = {"reference", "rag", "status"};
    struct json *o = json_object_new();
    struct stmt *s = NULL;
    bool row = false;
    look_set_id(o, "case_id", case_id);
    enum err e = db_prepare(l->n->db, "SELECT reference, rag, status FROM case_file WHERE id = $1", &s, why);
    if (e == ERR_OK) {
        db_bind_id(s, 1, case_id);
        e = db_step(s, &row, why);
    }
    for (int i = 0; e == ERR_OK && i < 3; i++) {
        if (row)
            look_set(o, columns[i], s, i, LOOK_TEXT);
        else
            json_set_null(o, columns[i]);
    }
    db_done(s);
    json_set_str(o, "tbl", h->table);
    look_set_id(o, "id", h->id);
    json_set_str(o, "where", h->where);
    if (e == ERR_OK) e = set_agency(l->n, o, h, why);
    if (h->snippet != NULL)
        json_set_obj(o, "snippet", h->snippet);
    else
        json_set_null(o, "snippet");
    h->snippet = NULL;
    look_set_time(o, "at", h->at);
    if (e == ERR_OK) e = set_person(l->n, o, h, why);
    json_append(l->hits, o);
    l->n_hits++;
    return e;
}

static void note(struct search_look *l, const uint8_t id[16], bool release)
{
    buf_put(release ? &l->releases : &l->records, id, 16);
}

/* What is shown, and where the case is in the answer for words that stand nowhere else in it: all that have those. */
static enum err note_case(struct search_look *l, const struct hit *shown, size_t n, bool alone, struct why *why)
{
    uint32_t missing = alone ? 0 : search_query_all(&l->q) & ~l->open;
    for (size_t i = 0; i < n; i++) {
        if (!shown[i].noted) continue;
        note(l, shown[i].id, is_release(shown[i].table));
        missing &= ~shown[i].terms;
    }
    for (size_t at = 0; missing != 0 && at < l->quiet.len; at += sizeof(struct quiet)) {
        struct quiet q;
        memcpy(&q, l->quiet.data + at, sizeof q);
        if ((q.terms & missing) != 0) note(l, q.id, q.release);
    }
    enum err e = l->quiet.err != ERR_OK ? l->quiet.err : l->records.err != ERR_OK ? l->records.err : l->releases.err;
    return e == ERR_OK ? ERR_OK : why_set(why, e, "There is not enough memory for this search.");
}

/* Rows that have all of it by themselves, if there are any; else those that have most of it, if the case has all. */
static enum err put_case(struct search_look *l, const uint8_t case_id[16], struct why *why)
{
    struct hit shown[OF_A_CASE];
    size_t n = 0;
    bool alone = false;
    enum err e = ERR_OK;
    for (size_t i = 0; i < l->n_best; i++) alone = alone || l->best[i].whole;
    if (!alone && l->terms != search_query_all(&l->q)) return ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < l->n_best && l->n_hits < l->limit; i++) {
        if (alone && !l->best[i].whole) continue;
        e = put_hit(l, &l->best[i], case_id, why);
        shown[n++] = l->best[i];
    }
    return e == ERR_OK ? note_case(l, shown, n, alone, why) : e;
}

static enum err look_at_cases(struct search_look *l, const struct search_case *v, size_t n, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (l->n_hits == l->limit) break;
        if (l->rows > l->rows_max) {
            l->truncated = true;
            break;
        }
        e = search_rows(l->n, v[i].id, look_at_row, l, &l->rows, why);
        if (e == ERR_OK) e = put_case(l, v[i].id, why);
        drop_best(l);
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------------ candidates */

static struct bytes bytes_of_folded(const struct search_folded *f)
{
    return bytes_of(f->p, f->n);
}

static enum err find(struct search_look *l, int64_t block, size_t word, bool prefix, struct search_bits *out,
                     struct why *why)
{
    return search_words_find(l->n, block, bytes_of_folded(&l->q.word[word]), prefix, out, why);
}

/* Of cases of a block, those that have all words of a term, or its number as one. *any: there are some. */
static enum err narrow(struct search_look *l, int64_t block, const struct search_term *t, struct search_bits *cases,
                       bool *any, struct why *why)
{
    struct search_bits has, all = *cases, joined = {0};
    enum err e = ERR_OK;
    if (t->kind == SEARCH_TERM_NUMBER)
        e = search_words_find(l->n, block, bytes_of_folded(&t->joined), t->prefix, &joined, why);
    bool left = true;
    for (size_t i = 0; e == ERR_OK && left && i < t->n; i++) {
        e = find(l, block, t->first + i, t->prefix && i + 1 == t->n, &has, why);
        left = search_bits_and(&all, &has);
    }
    search_bits_or(&all, &joined);
    *any = search_bits_and(cases, &all);
    return e;
}

/* The same of a phrase's words side by side: few cases have them so, and this is asked first. */
static enum err narrow_phrase(struct search_look *l, int64_t block, const struct search_term *t,
                              struct search_bits *cases, bool *any, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = t->first; e == ERR_OK && *any && i + 1 < t->first + t->n; i++) {
        struct search_bits has;
        uint64_t first = search_pair_word(bytes_of_folded(&l->q.word[i])),
                 second = search_pair_word(bytes_of_folded(&l->q.word[i + 1]));
        e = search_pairs_find(l->n, block, search_pair(first, second), &has, why);
        *any = search_bits_and(cases, &has);
    }
    return e;
}

static enum err candidates(struct search_look *l, const struct search_set *exact, struct search_set *out,
                           struct why *why)
{
    enum err e = ERR_OK;
    for (size_t b = 0; e == ERR_OK && b < out->n; b++) {
        struct search_bits *cases = &out->block[b];
        bool any = true;
        for (size_t i = 0; i < SEARCH_BITS; i++) cases->w[i] = ~exact->block[b].w[i];
        for (size_t i = 0; e == ERR_OK && any && i < l->q.n_terms; i++)
            if (l->q.term[i].kind == SEARCH_TERM_PHRASE)
                e = narrow_phrase(l, (int64_t)b, &l->q.term[i], cases, &any, why);
        for (size_t i = 0; e == ERR_OK && any && i < l->q.n_terms; i++)
            e = narrow(l, (int64_t)b, &l->q.term[i], cases, &any, why);
    }
    return e;
}

static enum err exact_candidates(struct search_look *l, struct search_set *out, struct why *why)
{
    uint8_t word[SEARCH_WORD_MAX + 1];
    enum err e = ERR_OK;
    if (l->q.exact.n == 0) return ERR_OK;
    word[0] = (uint8_t)SEARCH_EXACT[0];
    memcpy(word + 1, l->q.exact.p, l->q.exact.n);
    for (size_t b = 0; e == ERR_OK && b < out->n; b++)
        e = search_words_find(l->n, (int64_t)b, bytes_of(word, l->q.exact.n + 1), false, &out->block[b], why);
    return e;
}

static enum err look_in(struct search_look *l, const struct search_set *set, enum search_which which, struct why *why)
{
    struct search_case *v = NULL;
    size_t n = 0;
    enum err e = search_cases(l->n, set, which, &v, &n, why);
    if (e == ERR_OK) e = look_at_cases(l, v, n, why);
    free(v);
    return e;
}

/* What the index has comes first where it does not have everything: there may be thousands of cases that it lacks. */
static enum err look_in_all(struct search_look *l, const struct search_set *all, struct why *why)
{
    if (!l->soon) return look_in(l, all, SEARCH_BOTH, why);
    enum err e = look_in(l, all, SEARCH_IN_SET, why);
    if (e != ERR_OK || l->truncated || l->n_hits == l->limit) return e;
    l->rows = 0;
    l->rows_max = SOON_ROWS;
    e = look_in(l, all, SEARCH_MARKED, why);
    l->filling = l->truncated && l->n_hits < l->limit;
    return e;
}

static enum err look(struct search_look *l, struct why *why)
{
    struct search_set exact = {0}, all = {0};
    enum err e = search_set_new(l->n, &exact, why);
    if (e == ERR_OK) e = search_set_new(l->n, &all, why);
    if (e == ERR_OK) e = exact_candidates(l, &exact, why);
    if (e == ERR_OK) e = look_in(l, &exact, SEARCH_IN_SET, why);
    if (e == ERR_OK && l->n_hits < l->limit) {
        e = candidates(l, &exact, &all, why);
        if (e == ERR_OK) e = look_in_all(l, &all, why);
    }
    l->truncated = l->truncated || l->n_hits == l->limit; /* whether or not there is one more */
    search_set_release(&exact);
    search_set_release(&all);
    return e;
}

/* All of it or nothing: without the note there is no answer. */
static enum err note_all(struct search_look *l, struct why *why)
{
    if (l->n->capture != NULL && l->records.len + l->releases.len > 0)
        return why_set(why, ERR_BUSY, "A change is being made just now; search again after it.");
    enum err e = look_note_ids(l->n, "record", &l->records, why);
    return e == ERR_OK ? look_note_ids(l->n, "release", &l->releases, why) : e;
}

static void search_end(struct search_look *l)
{
    drop_best(l);
    json_free(l->hits);
    buf_release(&l->quiet);
    buf_release(&l->records);
    buf_release(&l->releases);
    free(l);
}

static enum err search(struct node *n, const char *text, size_t limit, bool soon, struct json **out, struct why *why)
{
    struct search_look *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this search.");
    l->n = n;
    l->soon = soon;
    l->rows_max = ROWS_MAX;
    l->limit = limit == 0 || limit > HITS_MAX ? HITS_MAX : limit;
    l->hits = json_array_new();
    buf_init(&l->quiet, NOTED_MAX);
    buf_init(&l->records, NOTED_MAX);
    buf_init(&l->releases, NOTED_MAX);
    enum err e = search_query_read(&l->q, bytes_of_str(text), why);
    bool all = true;
    if (e == ERR_OK) e = soon ? search_some(n, SOON_MS, &all, why) : search_ready(n, why);
    if (e == ERR_OK) e = look(l, why);
    if (e == ERR_OK) e = note_all(l, why);
    if (e == ERR_OK) {
        *out = json_object_new();
        json_set_int(*out, "total", (int64_t)l->n_hits);
        json_set_bool(*out, "truncated", l->truncated || !all);
        json_set_bool(*out, "filling", l->filling || !all);
        json_set_obj(*out, "hits", l->hits);
        l->hits = NULL;
        if (*out == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this search.");
    }
    search_end(l);
    return e;
}

enum err look_search(struct node *n, const char *text, size_t limit, struct json **out, struct why *why)
{
    return search(n, text, limit, false, out, why);
}

enum err look_search_soon(struct node *n, const char *text, size_t limit, struct json **out, struct why *why)
{
    return search(n, text, limit, true, out, why);
}
