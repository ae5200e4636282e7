/* The one-page summary of a case for a meeting: what is known, by whom, and what is not shown. */
#include "node/look_summary.h"

#include "base/when.h"

#include <ctype.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------ sections */
void look_section_begin(struct look_section *s, const char *heading, const char *kind)
{
    *s = (struct look_section){.o = json_object_new(),
                               .facts = json_array_new(),
                               .columns = json_array_new(),
                               .rows = json_array_new(),
                               .notes = json_array_new()};
    json_set_str(s->o, "heading", heading);
    json_set_str(s->o, "kind", kind);
}

void look_section_fact(struct look_section *s, const char *label, const char *value)
{
    if (value == NULL || *value == '\0') return;
    struct json *fact = json_object_new();
    json_set_str(fact, "label", label);
    json_set_str(fact, "value", value);
    json_append(s->facts, fact);
    s->n++;
}

void look_section_columns(struct look_section *s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) json_append_str(s->columns, names[i]);
}

void look_section_row(struct look_section *s, const char *const *cells, size_t n)
{
    struct json *row = json_array_new();
    for (size_t i = 0; i < n; i++) json_append_str(row, cells[i] != NULL ? cells[i] : "");
    json_append(s->rows, row);
    s->n++;
}

void look_section_note(struct look_section *s, const char *text)
{
    json_append_str(s->notes, text);
    s->n++;
}

void look_section_end(struct look_section *s, struct json *sections, const char *none)
{
    const bool kept = s->n != 0 || none != NULL;
    if (s->n == 0 && none != NULL) json_append_str(s->notes, none);
    json_set_obj(s->o, "facts", s->facts);
    json_set_obj(s->o, "columns", s->columns);
    json_set_obj(s->o, "rows", s->rows);
    json_set_obj(s->o, "notes", s->notes);
    if (kept)
        json_append(sections, s->o);
    else
        json_free(s->o);
    *s = (struct look_section){0};
}

/* --------------------------------------------------------------------------------------------------------- words */
enum err look_label(struct node *n, const char *list, const char *code, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    if (code == NULL) return ERR_OK;
    enum err e =
        db_prepare(n->db, "SELECT label FROM code_list WHERE list = $1 AND code = $2 AND label <> ''", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, list);
    db_bind_str(s, 2, code);
    e = db_step(s, &row, why);
    if (e == ERR_OK) buf_put_bytes(out, row ? db_bytes(s, 0) : bytes_of_str(code));
    db_done(s);
    return e;
}

const char *look_when(const char *rfc3339, char out[LOOK_TIME_TEXT])
{
    int64_t ms = 0;
    out[0] = '\0';
    if (rfc3339 != NULL && when_read_rfc3339(rfc3339, &ms, NULL) == ERR_OK) look_time_text(ms, out);
    return out;
}

const char *look_born(const char *iso, char out[LOOK_TIME_TEXT])
{
    out[0] = '\0';
    if (iso != NULL) look_date_text(iso, out);
    return out;
}

const char *look_word(const char *word, char out[80])
{
    (void)snprintf(out, 80, "%.79s", word != NULL ? word : "");
    for (char *p = out; *p != '\0'; p++)
        if (*p == '_') *p = ' ';
    out[0] = (char)toupper((unsigned char)out[0]);
    return out;
}

/* ------------------------------------------------------------------------------------------------------ the whole */
static const char *or_nothing(const char *text)
{
    return text != NULL ? text : "";
}

static void put_title(struct json *o, const struct look_written *w)
{
    struct buf title;
    struct json *people = json_get(w->c, "people");
    buf_init(&title, 8u << 20);
    buf_printf(&title, "Summary of case %s", or_nothing(json_get_str(json_get(w->c, "case"), "reference")));
    for (size_t i = 0, shown = 0; i < json_len(people) && shown < 3; i++) {
        const char *role = json_get_str(json_at(people, i), "role");
        const char *name = json_get_str(json_at(people, i), "name");
        if (role == NULL || name == NULL || *name == '\0') continue;
        if (strcmp(role, "child") != 0 && strcmp(role, "adult") != 0) continue;
        buf_put_str(&title, shown++ == 0 ? ": " : ", ");
        buf_put_str(&title, name);
    }
    json_set_text(o, "title", buf_bytes(&title));
    buf_release(&title);
}

static enum err write_all(struct look_written *w, const uint8_t case_id[16], struct json *o, struct why *why)
{
    const struct look_chronology ask = {.case_id = case_id, .days = w->days};
    enum err e = look_case(w->n, case_id, &w->c, why);
    if (e == ERR_OK) e = look_chronology(w->n, &ask, &w->chronology, why); /* which notes the looks */
    if (e != ERR_OK) return e;
    put_title(o, w);
    look_days_set(o, w->days);
    look_set_time(o, "made_at", env_now(w->n->env));
    e = look_set_person(w->n, o, "made_by", w->n->user, why);
    w->sections = json_array_new();
    if (e == ERR_OK) e = look_summary_parts(w, why);
    json_set_obj(o, "sections", w->sections);
    return e;
}

enum err look_summary(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why)
{
    return look_summary_of_days(n, case_id, (struct look_days){0}, out, why);
}

enum err look_summary_of_days(struct node *n, const uint8_t case_id[16], struct look_days days, struct json **out,
                              struct why *why)
{
    struct look_written w = {.n = n, .days = days};
    struct json *o = json_object_new();
    *out = NULL;
    enum err e = write_all(&w, case_id, o, why);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this summary.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    json_free(w.chronology);
    json_free(w.c);
    return e;
}
