#include "cli/node_work.h"

#include <ctype.h>
#include <string.h>

/* Table names come from rules, never from a person, so they may stand in the text of a statement. */
static enum err ask(struct work *w, const char *form, const char *table, struct stmt **out, struct why *why)
{
    char sql[256];
    snprintf(sql, sizeof sql, form, table);
    return db_prepare(w->db, sql, out, why);
}

enum err work_case_of(struct work *w, const char *table, const uint8_t id[16], uint8_t out_case[16], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = ask(w, "SELECT case_id FROM %s WHERE id = $1", table, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, out_case)))
        e = why_set(why, ERR_NOTFOUND, "There is nothing with that id here.");
    db_done(s);
    return e;
}

/* Rows whose id begins with these hex digits, or (cases) with exactly this reference: at most two are looked at. */
static enum err find(struct work *w, const char *form, const char *table, struct bytes key, uint8_t out_id[16],
                     int *out_n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    int n = 0;
    enum err e = ask(w, form, table, &s, why);
    if (e != ERR_OK) return e;
    db_bind_text(s, 1, key);
    while (n < 2 && (e = db_step(s, &row, why)) == ERR_OK && row) {
        if (n == 0) db_id(s, 0, out_id);
        n++;
    }
    db_done(s);
    *out_n = n;
    return e;
}

enum err work_pick(struct work *w, const char *table, const char *typed, uint8_t out_id[16], struct why *why)
{
    char hex[33];
    size_t k = 0;
    bool plain = true;
    for (const char *p = typed; *p != '\0' && plain; p++) {
        if (*p == '-') continue;
        plain = isxdigit((unsigned char)*p) && k < 32;
        if (plain) hex[k++] = (char)toupper((unsigned char)*p);
    }
    int n = 0;
    enum err e = ERR_OK;
    if (strcmp(table, "case_file") == 0)
        e = find(w, "SELECT id FROM %s WHERE upper(reference) = upper($1)", table, bytes_of_str(typed), out_id, &n,
                 why);
    if (e == ERR_OK && n == 0 && plain && k >= 8)
        e = find(w, "SELECT id FROM %s WHERE substr(hex(id), 1, length($1)) = $1", table, bytes_of(hex, k), out_id, &n,
                 why);
    if (e != ERR_OK) return e;
    if (n == 1) return ERR_OK;
    if (n > 1) return why_set(why, ERR_USAGE, "Several begin like that. Type more of it.");
    (void)why_set(why, ERR_NOTFOUND, "This device holds nothing called '%.60s'.", typed);
    return why_next(why, ERR_NOTFOUND,
                    "Type the reference of a case, or the first 8 or more letters of an id as a list shows it.");
}
