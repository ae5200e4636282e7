/* Is this person known here already? By the same name, whatever its case, accents and hyphens, and whichever of the two
 * was taken for the family's; or by the same birth date and the same first letter of the given names. */
#include "node/look_internal.h"
#include "node/search.h"

#include "base/cbor.h"

#include <stdlib.h>
#include <string.h>

#define PERSONS_MAX 50

struct name {
    uint8_t p[2 * SEARCH_WORD_MAX + 1];
    size_t n;
};
struct sought {
    struct node *n;
    struct name name, turned; /* turned: given names first; empty: not both are known */
    struct bytes born;
    uint8_t born_key[SEARCH_WORD_MAX], initial[SEARCH_WORD_MAX];
    size_t n_born, n_initial; /* 0: not known */
    struct json *list;
    size_t found;
};

static size_t first_letter(struct bytes given, uint8_t out[SEARCH_WORD_MAX])
{
    size_t at = 0, n = 0;
    while (at < given.n)
        if (search_fold(given, &at, out, &n) == SEARCH_CHAR_LETTER) return n;
    return 0;
}

static enum err unusable(struct why *why, const char *what)
{
    (void)why_set(why, ERR_USAGE, "%s", what);
    return why_next(why, ERR_USAGE,
                    "Give the family name and given names, or the birth date as 2015-03-02, or all of them.");
}

static enum err read_sought(struct sought *s, const char *family, const char *given, const char *born_on,
                            struct why *why)
{
    struct bytes f = bytes_of_str(family == NULL ? "" : family), g = bytes_of_str(given == NULL ? "" : given);
    s->born = bytes_of_str(born_on == NULL ? "" : born_on);
    if (!utf8_valid(f) || !utf8_valid(g)) return unusable(why, "This name has characters that cannot be read.");
    if (s->born.n > 0 && !rules_date_ok(s->born)) return unusable(why, "This is no birth date.");
    s->name.n = search_name(f, g, s->name.p);
    s->turned.n = search_name(g, f, s->turned.p);
    s->n_born = search_compact(s->born, s->born_key);
    s->n_initial = first_letter(g, s->initial);
    return s->name.n + s->n_born > 0 ? ERR_OK : unusable(why, "This is too little to look for a person by.");
}

static bool name_fits(const struct name *want, struct bytes family, struct bytes given)
{
    struct name have;
    have.n = search_name(family, given, have.p);
    return want->n > 0 && want->n == have.n && memcmp(want->p, have.p, have.n) == 0;
}

static bool fits(const struct sought *s, struct bytes family, struct bytes given, struct bytes born)
{
    uint8_t initial[SEARCH_WORD_MAX];
    if (name_fits(&s->name, family, given) || name_fits(&s->turned, family, given)) return true;
    if (s->n_born == 0 || !bytes_equal(s->born, born)) return false;
    size_t n = first_letter(given, initial);
    return s->n_initial == 0 || n == 0 || (n == s->n_initial && memcmp(initial, s->initial, n) == 0);
}

/* ------------------------------------------------------------------------------------------------------ candidates */

static enum err add(struct sought *s, struct search_set *set, size_t block, const char *what, struct bytes key,
                    struct why *why)
{
    uint8_t word[2 * SEARCH_WORD_MAX + 2];
    struct search_bits has;
    if (key.n == 0) return ERR_OK;
    word[0] = (uint8_t)what[0];
    memcpy(word + 1, key.p, key.n);
    enum err e = search_words_find(s->n, (int64_t)block, bytes_of(word, key.n + 1), false, &has, why);
    if (e == ERR_OK) search_bits_or(&set->block[block], &has);
    return e;
}

static enum err candidates(struct sought *s, struct search_set *set, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t b = 0; e == ERR_OK && b < set->n; b++) {
        e = add(s, set, b, SEARCH_NAME, bytes_of(s->name.p, s->name.n), why);
        if (e == ERR_OK) e = add(s, set, b, SEARCH_NAME, bytes_of(s->turned.p, s->turned.n), why);
        if (e == ERR_OK) e = add(s, set, b, SEARCH_BORN, bytes_of(s->born_key, s->n_born), why);
    }
    return e;
}

static enum err look_at_case(struct sought *s, const uint8_t case_id[16], struct why *why)
{
    static const struct look_column columns[] = {{"case_id", LOOK_ID},   {"reference", LOOK_TEXT},
                                                 {"status", LOOK_TEXT},  {"name", LOOK_TEXT},
                                                 {"born_on", LOOK_TEXT}, {"received_at", LOOK_TIME}};
    struct stmt *q = NULL;
    bool row = true;
    enum err e = db_prepare(s->n->db,
                            "SELECT p.case_id, c.reference, c.status, nullif(trim(coalesce(p.given_names, '') || ' ' ||"
                            " coalesce(p.family_name, '')), ''), p.born_on, c.received_at, p.family_name, p.given_names"
                            " FROM person p LEFT JOIN case_file c ON c.id = p.case_id"
                            " WHERE p.case_id = $1 AND p.voided_at IS NULL AND c.voided_at IS NULL",
                            &q, why);
    if (e == ERR_OK) db_bind_id(q, 1, case_id);
    while (e == ERR_OK && s->found < PERSONS_MAX) {
        e = db_step(q, &row, why);
        if (e != ERR_OK || !row) break;
        if (!fits(s, db_bytes(q, 6), db_bytes(q, 7), db_bytes(q, 4))) continue;
        json_append(s->list, look_object(q, columns, sizeof columns / sizeof columns[0]));
        s->found++;
    }
    db_done(q);
    return e;
}

static enum err look(struct sought *s, struct why *why)
{
    struct search_set set = {0};
    struct search_case *v = NULL;
    size_t n = 0;
    enum err e = search_set_new(s->n, &set, why);
    if (e == ERR_OK) e = candidates(s, &set, why);
    if (e == ERR_OK) e = search_cases(s->n, &set, true, &v, &n, why);
    for (size_t i = 0; e == ERR_OK && i < n && s->found < PERSONS_MAX; i++) e = look_at_case(s, v[i].id, why);
    search_set_release(&set);
    free(v);
    return e;
}

enum err look_duplicates(struct node *n, const char *family, const char *given, const char *born_on, struct json **out,
                         struct why *why)
{
    struct sought s = {.n = n};
    *out = NULL;
    enum err e = read_sought(&s, family, given, born_on, why);
    if (e == ERR_OK) e = search_ready(n, why);
    if (e == ERR_OK && (s.list = json_array_new()) == NULL)
        e = why_set(why, ERR_NOMEM, "There is not enough memory for this search.");
    if (e == ERR_OK) e = look(&s, why);
    if (e == ERR_OK)
        *out = s.list;
    else
        json_free(s.list);
    return e;
}
