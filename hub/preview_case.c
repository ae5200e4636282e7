/* What would come of sharing a case, or of ending that: it is done, looked at, and undone, so that it can say
 * nothing else than what will happen. Told are rows that the asker sees, and no part that it may not know of. */
#include "hub/question.h"
#include "hub/saw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVEPOINT  "preview"
#define TABLES_MAX 64

static const struct actor the_hub = {0};

struct preview_row {
    int64_t no, mask;
    int tbl;
};
struct preview_site {
    int64_t no, mask;
    char code[64];
    int64_t devices; /* that hold the case now */
    bool moves;      /* rows would appear at it, or leave it */
};
struct preview {
    struct asking *a;
    struct asked_row file; /* the case_file */
    char access[16], site[64];
    struct quiet quiet;       /* parts, as the asker may know them */
    struct preview_row *rows; /* owned: those that the asker sees */
    size_t n_rows, cap_rows;
    struct preview_site *sites; /* owned: of the agency */
    size_t n_sites, cap_sites;
    uint64_t appear[TABLES_MAX], leave[TABLES_MAX];
    bool no_room;
};

/* ------------------------------------------------------------------------------------------------- may it be asked? */

static enum err may_change(struct preview *p, bool *out, struct why *why)
{
    struct asking *a = p->a;
    struct asker_duties duties = {0};
    struct stmt *s;
    char area[256] = "";
    int64_t mask = 0;
    int access = 0;
    bool row = false;
    enum err e = sight_seat(a->h, a->node->site_no, p->file.row.case_no, INT64_MAX, &mask, &access, why);
    if (e == ERR_OK) e = db_prepare(a->h->db, "SELECT area FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, a->q->id);
    e = db_step(s, &row, why);
    struct bytes v = e == ERR_OK && row ? db_bytes(s, 0) : (struct bytes){0};
    if (v.n > 0 && v.n < sizeof area) memcpy(area, v.p, v.n);
    db_done(s);
    if (e == ERR_OK) e = asking_duties(a, area, &duties, why);
    if (e == ERR_OK) *out = access == 5 || duties.manager || duties.social_care;
    return e;
}

static enum err is_known(struct preview *p, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(p->a->h->db,
                   "SELECT 1 FROM agency a WHERE a.code = $1 AND ($2 = '' OR EXISTS (SELECT 1 FROM site s WHERE"
                   " s.code = $2 AND s.agency = a.code))",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, p->a->q->agency);
    db_bind_str(s, 2, p->site);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* The access, and perhaps a site. */
static bool read_text(struct preview *p)
{
    const char *text = p->a->q->text, *end = strchrnul(text, '\n');
    size_t n = (size_t)(end - text), m = *end == '\0' ? 0 : strlen(end + 1);
    if (p->a->q->kind == QUESTION_UNSHARE) return true;
    if (n >= sizeof p->access || m >= sizeof p->site || (*end != '\0' && m == 0)) return false;
    memcpy(p->access, text, n);
    if (m > 0) memcpy(p->site, end + 1, m);
    return strcmp(p->access, "check") == 0 || strcmp(p->access, "view") == 0 || strcmp(p->access, "contribute") == 0;
}

/* ------------------------------------------------------------------------------------------------- before and after */

static enum err grow(void *array, size_t *cap, size_t n, size_t size, struct why *why)
{
    void *old;
    if (n < *cap) return ERR_OK;
    size_t want = *cap == 0 ? 64 : *cap * 2;
    memcpy(&old, array, sizeof old);
    void *more = reallocarray(old, want, size);
    if (more == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
    memcpy(array, &more, sizeof more);
    *cap = want;
    return ERR_OK;
}

static enum err load_rows(struct preview *p, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(p->a->h->db,
                            "SELECT r.no, r.tbl FROM h_row r JOIN h_seat s ON s.site_no = $1 AND s.case_no = r.case_no"
                            " WHERE r.case_no = $2 AND (r.mask & s.mask) <> 0",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, p->a->node->site_no);
    db_bind_int(s, 2, p->file.row.case_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if ((e = grow(&p->rows, &p->cap_rows, p->n_rows, sizeof *p->rows, why)) != ERR_OK) break;
        p->rows[p->n_rows++] = (struct preview_row){.no = db_int(s, 0), .tbl = (int)db_int(s, 1)};
    }
    db_done(s);
    return e;
}

static enum err load_sites(struct preview *p, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e =
        db_prepare(p->a->h->db,
                   "SELECT h.no, h.code FROM site s JOIN h_site h ON h.code = s.code WHERE s.agency = $1 ORDER BY"
                   " h.code",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, p->a->q->agency);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes code = db_bytes(s, 1);
        if ((e = grow(&p->sites, &p->cap_sites, p->n_sites, sizeof *p->sites, why)) != ERR_OK) break;
        struct preview_site *to = &p->sites[p->n_sites];
        *to = (struct preview_site){.no = db_int(s, 0)};
        if (code.n >= sizeof to->code) continue; /* no code of a site is as long */
        if (code.n > 0) memcpy(to->code, code.p, code.n);
        p->n_sites++;
    }
    db_done(s);
    return e;
}

static enum err count_device(void *ctx, const struct hub_saw *line, struct why *why)
{
    struct preview *p = ctx;
    (void)why;
    for (size_t i = 0; i < p->n_sites; i++)
        if (line->is_device && strcmp(line->state, "confirmed") != 0 && strcmp(line->site, p->sites[i].code) == 0)
            p->sites[i].devices++;
    return ERR_OK;
}

/* Masks as they stand. */
static enum err read_masks(struct preview *p, struct why *why)
{
    enum err e = ERR_OK;
    int access = 0;
    for (size_t i = 0; e == ERR_OK && i < p->n_rows; i++)
        e = sight_mask(p->a->h, p->rows[i].no, INT64_MAX, &p->rows[i].mask, why);
    for (size_t i = 0; e == ERR_OK && i < p->n_sites; i++)
        e = sight_seat(p->a->h, p->sites[i].no, p->file.row.case_no, INT64_MAX, &p->sites[i].mask, &access, why);
    return e;
}

static enum err compare(struct preview *p, struct why *why)
{
    struct preview_row *rows = calloc(p->n_rows + 1, sizeof *rows);
    struct preview_site *sites = calloc(p->n_sites + 1, sizeof *sites);
    enum err e = rows != NULL && sites != NULL
                     ? ERR_OK
                     : why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
    if (e == ERR_OK && p->n_rows > 0) memcpy(rows, p->rows, p->n_rows * sizeof *rows);
    if (e == ERR_OK && p->n_sites > 0) memcpy(sites, p->sites, p->n_sites * sizeof *sites);
    if (e == ERR_OK) e = read_masks(p, why);
    for (size_t i = 0; e == ERR_OK && i < p->n_rows; i++) {
        bool appears = false, leaves = false;
        for (size_t j = 0; j < p->n_sites; j++) {
            bool before = (rows[i].mask & sites[j].mask) != 0, after = (p->rows[i].mask & p->sites[j].mask) != 0;
            appears |= after && !before;
            leaves |= before && !after;
            p->sites[j].moves |= before != after;
        }
        p->appear[p->rows[i].tbl] += appears;
        p->leave[p->rows[i].tbl] += leaves;
    }
    free(rows);
    free(sites);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- doing it */

static enum err set(struct preview *p, const uint8_t id[16], const char *column, struct value v, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("participant")));
    return sight_set(p->a->h, t, id, (size_t)rules_column_index(t, bytes_of_str(column)), v, &the_hub, why);
}

/* Parts of the agency in the case: quiet ones that the asker's site does not see, or all others. */
enum which { HIDDEN_PARTS, KNOWN_PARTS, SAME_SITE };

static enum err next_part(struct preview *p, enum which which, const uint8_t after[16], uint8_t out[16],
                          bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(p->a->h->db,
                   "SELECT x.id FROM participant x JOIN h_row r ON r.id = x.id AND r.tbl = $1 LEFT JOIN h_seat s ON"
                   " s.site_no = $2 AND s.case_no = r.case_no WHERE r.case_no = $3 AND x.member = $4 AND x.id > $5"
                   " AND x.voided_at IS NULL AND ($6 = 2 OR x.access <> 'none') AND ($6 <> 2 OR"
                   " coalesce(x.site, '') = $7) AND ($6 = 0) = (coalesce(x.quiet, 0) <> 0 AND (r.mask &"
                   " coalesce(s.mask, 0)) = 0) ORDER BY x.id LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, rules_table_index(bytes_of_str("participant")));
    db_bind_int(s, 2, p->a->node->site_no);
    db_bind_int(s, 3, p->file.row.case_no);
    db_bind_str(s, 4, p->a->q->agency);
    db_bind_id(s, 5, after);
    db_bind_int(s, 6, which == HIDDEN_PARTS ? 0 : which == KNOWN_PARTS ? 1 : 2);
    db_bind_str(s, 7, p->site);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) (void)db_id(s, 0, out);
    db_done(s);
    return e;
}

/* As if there were no part that the asker may not know of: else what would not appear told of it. */
static enum err hide_parts(struct preview *p, struct why *why)
{
    uint8_t id[16] = {0};
    bool found = true;
    enum err e = sight_step(p->a->h, why);
    while (e == ERR_OK && found) {
        e = next_part(p, HIDDEN_PARTS, id, id, &found, why);
        if (e == ERR_OK && found) e = set(p, id, "voided_at", value_int(p->a->h->now_ms), why);
    }
    return e == ERR_OK ? sight_settle(p->a->h, why) : e;
}

static enum err insert_part(struct preview *p, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("participant")))};
    uint8_t id[16];
    env_new_id(p->a->h->env, id);
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(p->a->q->id);
    r.v[2] = value_str(p->a->node->agency);
    r.v[rules_column_index(r.table, bytes_of_str("member"))] = value_str(p->a->q->agency);
    r.v[rules_column_index(r.table, bytes_of_str("site"))] = value_str(p->site);
    r.v[rules_column_index(r.table, bytes_of_str("access"))] = value_str(p->access);
    return sight_insert(p->a->h, &r, &the_hub, why);
}

/* As the devices do it: every part that stands is what is said now, for the widest would count. */
static enum err share(struct preview *p, struct why *why)
{
    uint8_t id[16] = {0};
    bool found = true, any = false;
    enum err e = ERR_OK;
    while (e == ERR_OK && found) {
        e = next_part(p, SAME_SITE, id, id, &found, why);
        any |= e == ERR_OK && found;
        if (e == ERR_OK && found) e = set(p, id, "access", value_str(p->access), why);
        if (e == ERR_OK && found) e = set(p, id, "until", value_null(), why);
    }
    return e == ERR_OK && !any ? insert_part(p, why) : e;
}

static enum err unshare(struct preview *p, struct why *why)
{
    uint8_t id[16] = {0};
    bool found = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && found) {
        e = next_part(p, KNOWN_PARTS, id, id, &found, why);
        if (e == ERR_OK && found) e = set(p, id, "access", value_str("none"), why);
        if (e == ERR_OK && found) e = set(p, id, "until", value_int(p->a->h->now_ms), why);
    }
    return e;
}

static enum err try_it(struct preview *p, struct why *why)
{
    enum err e = p->quiet.all ? ERR_OK : hide_parts(p, why);
    if (e == ERR_OK) e = read_masks(p, why);
    if (e == ERR_OK) e = sight_step(p->a->h, why);
    if (e == ERR_OK) e = p->a->q->kind == QUESTION_SHARE ? share(p, why) : unshare(p, why);
    if (e == ERR_OK) e = sight_settle(p->a->h, why);
    return e == ERR_OK ? compare(p, why) : e;
}

/* Nothing of it stays: neither rows nor steps, nor that anything moved. */
static enum err try_and_undo(struct preview *p, struct why *why)
{
    struct hub *h = p->a->h;
    int64_t version = h->version;
    bool moved = h->moved;
    enum err e = db_savepoint(h->db, SAVEPOINT, why);
    if (e != ERR_OK) return e;
    e = try_it(p, why);
    /* The hub may have no bit left for a channel that this would need (hub/sight_mask.c): then nothing is told. An
     * error would bar the device from every contact. */
    p->no_room = e == ERR_LIMIT;
    if (p->no_room) e = ERR_OK;
    struct why undone = {0};
    enum err back = db_savepoint_rollback(h->db, SAVEPOINT, &undone);
    sight_forget(h);
    h->version = version;
    h->moved = moved;
    return e == ERR_OK && back != ERR_OK ? why_set(why, back, "%s", undone.text) : e;
}

/* -------------------------------------------------------------------------------------------------------- the reply */

static void tell(struct preview *p)
{
    char n[24];
    for (int t = 0; t < TABLES_MAX && rules_table((size_t)t) != NULL; t++) {
        const struct {
            uint64_t n;
            const char *word;
        } both[] = {{p->appear[t], "appear"}, {p->leave[t], "leave"}};
        for (size_t i = 0; i < 2; i++) {
            if (both[i].n == 0) continue;
            (void)snprintf(n, sizeof n, "%" PRIu64, both[i].n);
            const char *const words[] = {"rows", rules_table((size_t)t)->name, n, both[i].word};
            asking_line(p->a, words, 4);
        }
    }
    for (size_t i = 0; i < p->n_sites; i++) {
        if (!p->sites[i].moves) continue;
        (void)snprintf(n, sizeof n, "%" PRId64, p->sites[i].devices);
        const char *const words[] = {"site", p->sites[i].code, n};
        asking_line(p->a, words, 3);
    }
}

enum err answer_preview(struct asking *a, struct why *why)
{
    struct preview p = {.a = a};
    bool seen = false, may = false, known = false;
    enum err e = asking_row(a, (int)a->q->table, a->q->id, &p.file, &seen, why);
    if (e != ERR_OK || !seen || !read_text(&p)) return e;
    e = may_change(&p, &may, why);
    if (e == ERR_OK && may) e = is_known(&p, &known, why);
    if (e != ERR_OK || !may || !known) return e;
    const struct saw_ask holders = {.row = p.file.row, .asker = a->node};
    e = load_rows(&p, why);
    if (e == ERR_OK) e = load_sites(&p, why);
    if (e == ERR_OK) e = saw_each(a->h, &holders, count_device, &p, why);
    if (e == ERR_OK) e = quiet_load(a->h, p.file.row.case_no, a->node, &p.quiet, why);
    if (e == ERR_OK) e = try_and_undo(&p, why);
    if (e == ERR_OK && !p.no_room) tell(&p);
    quiet_release(&p.quiet);
    free(p.rows);
    free(p.sites);
    return e;
}
