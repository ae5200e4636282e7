/* What may be found: rows of a case and their texts (node/search.h). Rows that were taken back are not, nor is anything
 * of a case that was. */
#include "node/search.h"

#include <stdio.h>
#include <string.h>

/* id, secret, person, when, then the texts. What is left out is NULL. */
struct source {
    const char *table, *what;
    const char *sql;
    unsigned exact;
};

#define FROM(table) " FROM " table " WHERE case_id = $1 AND voided_at IS NULL"

static const struct source sources[] = {
    {"case_file", "the case", "SELECT id, 0, NULL, received_at, reference" FROM("case_file"), 1},
    {"person", "a person",
     "SELECT id, 0, id, NULL, trim(coalesce(given_names, '') || ' ' || coalesce(family_name, '')), born_on,"
     " family_name, given_names" FROM("person"),
     0},
    {"identifier", "an identifier", "SELECT id, 0, person_id, NULL, value" FROM("identifier"), 1},
    {"contact", "a contact detail", "SELECT id, coalesce(protected, 0), person_id, NULL, value, note" FROM("contact"),
     1},
    {"brief", "what the case is about",
     "SELECT id, 0, NULL, NULL, summary, presenting_issue, basis, rag_reason, outcome, closure_reason" FROM("brief"),
     0},
    {"referral", "the referral", "SELECT id, 0, NULL, received_at, external_ref, referrer" FROM("referral"), 1},
    {"warning", "a warning", "SELECT id, 0, person_id, NULL, note, kind" FROM("warning"), 0},
    {"record", "a record",
     "SELECT id, sensitivity IS NOT 'open', person_id, coalesce(occurred_at, written_at), title, body" FROM("record"),
     0},
    {"pointer", "a pointer", "SELECT id, 0, NULL, NULL, note, contact" FROM("pointer"), 0},
    {"request", "a request",
     "SELECT id, 0, NULL, coalesce(answered_at, asked_at), question, reason, lawful_basis" FROM("request"), 0},
    {"release", "a permission to share",
     "SELECT id, 1, NULL, decided_at, title, body, conditions, reason" FROM("release"), 0},
    {"meeting", "a meeting", "SELECT id, 0, NULL, held_at, outcome, chair" FROM("meeting"), 0},
    {"feedback", "feedback", "SELECT id, 0, NULL, sent_at, body, to_name" FROM("feedback"), 0},
    {"action", "an action", "SELECT id, coalesce(sensitive, 0), NULL, due_at, title, note" FROM("action"), 0},
};
enum { N_SOURCES = sizeof sources / sizeof sources[0] };

bool search_has_table(int table_index)
{
    const struct table_rule *t = table_index < 0 ? NULL : rules_table((size_t)table_index);
    for (size_t i = 0; t != NULL && i < N_SOURCES; i++)
        if (strcmp(sources[i].table, t->name) == 0) return true;
    return false;
}

static const char *secret_what(const char *table)
{
    return strcmp(table, "record") == 0    ? "a sensitive record"
           : strcmp(table, "contact") == 0 ? "a protected contact detail"
           : strcmp(table, "action") == 0  ? "a sensitive action"
                                           : "a permission to share";
}

static void fill(const struct source *from, struct stmt *s, struct search_row *out)
{
    bool person = strcmp(from->table, "person") == 0;
    int n = db_columns(s);
    *out = (struct search_row){.table = from->table, .exact = from->exact};
    (void)db_id(s, 0, out->id);
    out->secret = db_int(s, 1) != 0;
    out->noted = out->secret && (strcmp(from->table, "record") == 0 || strcmp(from->table, "release") == 0);
    out->what = out->secret ? secret_what(from->table) : from->what;
    out->has_person = !db_is_null(s, 2) && db_id(s, 2, out->person);
    out->at = db_int(s, 3);
    for (int i = 4; i < (person ? 6 : n); i++) out->text[out->n_texts++] = db_bytes(s, i);
    if (!person) return;
    out->born = db_bytes(s, 5);
    out->family = db_bytes(s, 6);
    out->given = db_bytes(s, 7);
}

static enum err read_source(struct node *n, const struct source *from, const uint8_t case_id[16], search_row_fn each,
                            void *ctx, uint64_t *rows, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, from->sql, &s, why);
    if (e == ERR_OK) db_bind_id(s, 1, case_id);
    while (e == ERR_OK) {
        struct search_row r;
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        ++*rows;
        fill(from, s, &r);
        e = each(ctx, &r, why);
    }
    db_done(s);
    return e;
}

static enum err ask(struct node *n, const char *sql, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err search_rows(struct node *n, const uint8_t case_id[16], search_row_fn each, void *ctx, uint64_t *out_rows,
                     struct why *why)
{
    bool voided = false;
    uint64_t rows = 0;
    enum err e = ask(n, "SELECT 1 FROM case_file WHERE id = $1 AND voided_at IS NOT NULL", case_id, &voided, why);
    for (size_t i = 0; e == ERR_OK && !voided && i < N_SOURCES; i++)
        e = read_source(n, &sources[i], case_id, each, ctx, &rows, why);
    if (out_rows != NULL) *out_rows += rows;
    return e;
}

enum err search_case_here(struct node *n, const uint8_t case_id[16], bool *out, struct why *why)
{
    char sql[96];
    enum err e = ERR_OK;
    *out = false;
    for (size_t i = 0; e == ERR_OK && !*out && i < N_SOURCES; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE case_id = $1 LIMIT 1", sources[i].table);
        e = ask(n, sql, case_id, out, why);
    }
    return e;
}

static enum err list_case(struct node *n, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db, "INSERT INTO n_search(case_id, due) VALUES($1, 2) ON CONFLICT(case_id) DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    return db_run(s, why);
}

/* From index entry to index entry, so that a case with many rows costs no more than one with one. */
enum err search_list_cases(struct node *n, size_t source, uint8_t after[16], size_t cases, bool *out_more,
                           struct why *why)
{
    char sql[128];
    enum err e = ERR_OK;
    (void)snprintf(sql, sizeof sql, "SELECT min(case_id) FROM %s WHERE case_id > $1", sources[source].table);
    *out_more = true;
    for (size_t i = 0; e == ERR_OK && *out_more && i < cases; i++) {
        struct stmt *s = NULL;
        bool row = false;
        e = db_prepare(n->db, sql, &s, why);
        if (e != ERR_OK) break;
        db_bind_id(s, 1, after);
        e = db_step(s, &row, why);
        *out_more = e == ERR_OK && row && db_id(s, 0, after);
        db_done(s);
        if (*out_more) e = list_case(n, after, why);
    }
    return e;
}
_Static_assert(N_SOURCES == SEARCH_SOURCES, "as search.h has it");

size_t search_name(struct bytes family, struct bytes given, uint8_t out[2 * SEARCH_WORD_MAX + 1])
{
    size_t n = search_compact(family, out);
    if (n == 0) return 0;
    out[n] = ' ';
    size_t more = search_compact(given, out + n + 1);
    return more == 0 ? 0 : n + 1 + more;
}
