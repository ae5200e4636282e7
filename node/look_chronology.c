/* What all agencies said of a case, in one line of time. The text of sensitive records and of what was told stands
 * here, so each such look is noted before anything is given out. */
#include "node/look_case.h"

#include "node/act.h"
#include "node/look_chronology_sql.h"
#include "node/look_kept.h"
#include "node/look_list.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 100000u

/* Columns of node/look_chronology.sql. */
enum column {
    TBL,
    ID,
    AT,
    WRITTEN,
    AGENCY,
    AUTHOR,
    KIND,
    TITLE,
    BODY,
    SENSITIVITY,
    HANDLING,
    PERSON_ID,
    UNSENT,
    NAMES
};

struct entry {
    int64_t at; /* 0: it has no time */
    uint8_t id[16];
    bool record, release;
    struct json *o; /* owned */
};
struct found {
    struct node *n;
    int64_t from, end; /* what stands in the line of time outside of these is counted and let go */
    int64_t outside;
    struct entry *list;
    size_t n_list, cap;
};

/* ------------------------------------------------------------------------------------------------------- an entry */
static void put_person(struct json *o, struct stmt *s)
{
    struct buf name;
    buf_init(&name, 4u << 20);
    look_name(&name, db_bytes(s, NAMES), db_bytes(s, NAMES + 1));
    if (name.len != 0)
        json_set_text(o, "person", buf_bytes(&name));
    else
        json_set_null(o, "person");
    buf_release(&name);
}

/* Who sees an own record; of all else that is its owner's to say. */
static enum err put_sight(const struct found *f, const struct entry *en, struct stmt *s, struct why *why)
{
    static const char *const words[] = {"all", "room", "nobody_consent", "nobody_restricted", NULL};
    enum act_sight sight = ACT_NOBODY_VOIDED;
    bool own = en->record && bytes_equal(db_bytes(s, AGENCY), bytes_of_str(f->n->agency));
    enum err e = own ? act_record_sight(f->n, en->id, &sight, why) : ERR_OK;
    json_set_str(en->o, "seen_by", words[sight]);
    return e;
}

/* The time that a question has in its row moves when it is chased; when it was put stands in its id, as it does of
 * whatever does not say when it was written. */
static void put_times(struct entry *en, struct stmt *s)
{
    int64_t made = look_id_time(en->id), written = db_int(s, WRITTEN);
    bool question = bytes_equal(db_bytes(s, KIND), bytes_of_str("request"));
    en->at = question && made != 0 ? made : db_int(s, AT);
    look_set_time(en->o, "at", en->at);
    look_set_time(en->o, "written_at", written != 0 ? written : made);
    if (en->at == 0) en->at = written != 0 ? written : made; /* its place among the others */
}

static enum err put_entry(const struct found *f, struct entry *en, struct stmt *s, struct why *why)
{
    uint8_t author[16];
    struct json *o = en->o;
    look_set(o, "tbl", s, TBL, LOOK_TEXT);
    look_set(o, "id", s, ID, LOOK_ID);
    put_times(en, s);
    enum err e = look_set_agency(f->n, o, "agency", db_bytes(s, AGENCY), why);
    if (e == ERR_OK) e = look_set_person(f->n, o, "author", db_id(s, AUTHOR, author) ? author : NULL, why);
    look_set(o, "kind", s, KIND, LOOK_TEXT);
    look_set(o, "title", s, TITLE, LOOK_TEXT);
    look_set(o, "body", s, BODY, LOOK_TEXT);
    look_set(o, "sensitivity", s, SENSITIVITY, LOOK_TEXT);
    look_set(o, "handling", s, HANDLING, LOOK_TEXT);
    look_set(o, "person_id", s, PERSON_ID, LOOK_ID);
    put_person(o, s);
    if (e == ERR_OK) e = put_sight(f, en, s, why);
    look_set(o, "unsent", s, UNSENT, LOOK_BOOL);
    return e;
}

static enum err add_entry(struct found *f, struct stmt *s, struct why *why)
{
    if (f->n_list == f->cap) {
        size_t cap = f->cap != 0 ? f->cap * 2 : 64;
        void *p = f->n_list < ENTRIES_MAX ? realloc(f->list, cap * sizeof *f->list) : NULL;
        if (p == NULL) return why_set(why, ERR_LIMIT, "This case has more in it than this device can show at once.");
        f->list = p;
        f->cap = cap;
    }
    struct entry *en = &f->list[f->n_list++];
    struct bytes table = db_bytes(s, TBL);
    *en = (struct entry){.record = bytes_equal(table, bytes_of_str("record")),
                         .release = bytes_equal(table, bytes_of_str("release")),
                         .o = json_object_new()};
    (void)db_id(s, ID, en->id);
    enum err e = put_entry(f, en, s, why);
    if (e == ERR_OK && (en->at < f->from || en->at >= f->end)) {
        json_free(en->o);
        f->n_list--;
        f->outside++;
    }
    return e;
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return memcmp(x->id, y->id, 16);
}

/* --------------------------------------------------------------------------------------------------------- asking */
static enum err ask_entries(struct node *n, const struct look_chronology *ask, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(n->db, node_look_chronology_sql, out, why);
    if (e != ERR_OK) return e;
    db_bind_id(*out, 1, ask->case_id);
    db_bind_int(*out, 2, env_now(n->env));
    db_bind_str(*out, 3, n->agency);
    db_bind_str(*out, 4, ask->agency);
    db_bind_str(*out, 5, ask->kind);
    db_bind_str(*out, 6, ask->sensitivity);
    return ERR_OK;
}

static enum err gather(struct found *f, const struct look_chronology *ask, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = ask_entries(f->n, ask, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if ((e = add_entry(f, s, why)) != ERR_OK) break;
    db_done(s);
    if (e == ERR_OK && f->n_list > 1) qsort(f->list, f->n_list, sizeof *f->list, by_time);
    return e;
}

/* Just what is shown is noted, and nothing is shown that could not be. */
static enum err note(const struct found *f, size_t shown, struct why *why)
{
    struct buf records, releases;
    buf_init(&records, LOOK_LIST_MAX * 16);
    buf_init(&releases, LOOK_LIST_MAX * 16);
    for (size_t i = 0; i < shown; i++) {
        if (f->list[i].record) buf_put(&records, f->list[i].id, 16);
        if (f->list[i].release) buf_put(&releases, f->list[i].id, 16);
    }
    enum err e = look_note_ids(f->n, "record", &records, why);
    if (e == ERR_OK) e = look_note_ids(f->n, "release", &releases, why);
    buf_release(&records);
    buf_release(&releases);
    return e;
}

static enum err is_here(struct node *n, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT 1 FROM case_file WHERE id = $1 AND voided_at IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    db_done(s);
    if (e == ERR_OK && !row) e = look_kept(n, case_id, &row, why);
    if (e == ERR_OK && !row)
        e = why_set(why, ERR_NOTFOUND, "There is no such case on this device, or it was opened by mistake.");
    return e;
}

enum err look_chronology(struct node *n, const struct look_chronology *ask, struct json **out, struct why *why)
{
    struct found f = {.n = n};
    struct json *list = NULL;
    *out = NULL;
    enum err e = look_days_read(ask->days, &f.from, &f.end, why);
    if (e == ERR_OK) e = is_here(n, ask->case_id, why);
    if (e == ERR_OK) e = gather(&f, ask, why);
    size_t shown = f.n_list < LOOK_LIST_MAX ? f.n_list : LOOK_LIST_MAX;
    if (e == ERR_OK) e = note(&f, shown, why);
    if (e == ERR_OK) list = json_array_new();
    for (size_t i = 0; i < f.n_list; i++) {
        if (e == ERR_OK && i < shown)
            json_append(list, f.list[i].o);
        else
            json_free(f.list[i].o);
    }
    if (e == ERR_OK) e = look_wrap(list, "entries", (int64_t)f.n_list, out, why);
    if (e == ERR_OK) {
        json_set_int(*out, "outside", f.outside);
        look_days_set(*out, ask->days);
    }
    free(f.list);
    return e;
}
