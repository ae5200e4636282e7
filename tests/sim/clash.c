/* People who write into the same column before they hear of each other. */
#include "tests/sim/people.h"

#include <string.h>

static const char *const columns[][2] = {
    {"person", "family_name"}, {"person", "given_names"}, {"contact", "value"},     {"action", "note"},
    {"brief", "summary"},      {"brief", "decision"},     {"warning", "note"},      {"record", "body"},
    {"consent", "reason"},     {"consent", "state"},      {"case_file", "rag"},     {"case_file", "status"},
    {"case_file", "due_at"},   {"contact", "protected"},  {"participant", "access"}};
#define COLUMNS 15u
#define TEXTS   9u /* the first ones: texts, of which each is new */

struct spot { /* one column of one row */
    const char *table, *column;
    uint8_t id[16];
    bool chosen;
};

static bool find(struct edit *e, struct spot *at, struct rows_row *out)
{
    if (at->chosen) return edit_get(e, rows_table(at->table), at->id, out);
    if (!edit_pick_from(e, at->table, out)) return false;
    memcpy(at->id, out->id, sizeof at->id);
    return at->chosen = true;
}

/* The same column of the same row, by everybody who has it, before they hear of each other. */
static void all_at_once(struct sim *s, struct spot *at)
{
    for (size_t from = sim_random(s, s->n_devices), i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[(from + i) % s->n_devices];
        struct edit e;
        struct rows_row r;
        if (d->n == NULL || d->no == s->shadow) continue; /* the shadow meets nobody */
        edit_start(&e, s, d);
        bool there = find(&e, at, &r);
        if (there) {
            const struct subject of = {r.r.table, r.id, r.case_id};
            size_t col = (size_t)rules_column_index(r.r.table, bytes_of_str(at->column));
            edit_set(&e, &r, col, think(&e, &of, col));
        }
        edit_finish(&e, there);
    }
}

/* ---- two of them, one after the other ---- */
static bool writes(struct sim *s, struct device *d, struct spot *at, struct value v)
{
    struct edit e;
    struct rows_row r;
    if (d->n == NULL) return false;
    edit_start(&e, s, d);
    bool there = find(&e, at, &r);
    if (there) edit_set_named(&e, &r, at->column, v.kind == VALUE_NONE ? think_text(s) : v);
    edit_finish(&e, there);
    return there;
}

/* What stands there; false: nothing, or more than fits. */
static bool reads(struct sim *s, struct device *d, struct spot *at, char *out, size_t n, struct value *out_value)
{
    struct edit e;
    struct rows_row r;
    bool fits = false;
    if (d->n == NULL) return false;
    edit_look(&e, s, d);
    if (find(&e, at, &r)) {
        struct value v = rows_value(&r, at->column);
        fits = v.kind == VALUE_TEXT && v.s.n <= n;
        if (fits) memcpy(out, v.s.p, v.s.n);
        if (fits) *out_value = value_text(bytes_of(out, v.s.n));
    }
    bool died = device_leave(s, d);
    buf_release(&e.row);
    edit_failed(&e, died);
    return fits;
}

void clash_meet(struct sim *s, struct device *d)
{
    if (d->n != NULL) wire_sync(s, d);
}

/* One writes something else and then the old value again, and sends both; who wrote meanwhile has seen neither. */
static void there_and_back(struct sim *s, struct device *d, struct device *other, struct spot *at)
{
    char text[200];
    struct value old;
    if (!reads(s, d, at, text, sizeof text, &old) || !writes(s, d, at, value_none())) return;
    clash_meet(s, d);
    if (!writes(s, d, at, old)) return;
    clash_meet(s, d);
    if (writes(s, other, at, value_none())) clash_meet(s, other);
}

/* ---- what lies under an edit of one's own ---- */

/* A request handed to the hub by hand: what it brings was on its way already when this device wrote on. */
bool clash_export(struct sim *s, struct device *d, struct buf *out)
{
    struct why why = {0};
    device_enter(s, d);
    enum err e = node_bundle_export(d->n, out, &why);
    bool died = device_leave(s, d);
    if (!died && e != ERR_OK && !d->suspect) sim_must(s, e, "export a request", &why);
    return !died && e == ERR_OK;
}

bool clash_import(struct sim *s, struct device *d, struct bytes answer)
{
    struct why why = {0};
    struct round_result r = {0};
    device_enter(s, d);
    enum err e = node_bundle_import(d->n, answer, &r, &why);
    bool died = device_leave(s, d);
    if (died || e != ERR_OK) {
        if (!died && !d->suspect && !s->hub_lost_time) sim_must(s, e, "import an answer", &why);
        return false;
    }
    wire_result(s, d, &r);
    if (!d->unproven) check_device(s, d, false);
    return d->n != NULL;
}

/* What he may, in one transaction with a part in the case that only its lead gives: a manager must decide. */
static bool writes_too_much(struct sim *s, struct device *d, struct spot *at)
{
    struct edit e;
    struct rows_row r;
    struct fresh f;
    edit_start(&e, s, d);
    bool there = find(&e, at, &r);
    if (there) {
        edit_set_named(&e, &r, at->column, think_text(s));
        if (think_row(&e, &f, "participant", r.case_id)) edit_put(&e, &f.r);
    }
    edit_finish(&e, there);
    return there;
}

/* The other's value comes while an edit of one's own lies over it, that is not taken in the end. */
static void under_ones_own(struct sim *s, struct device *d, struct device *other, struct spot *at)
{
    struct buf request, answer;
    struct why why = {0};
    char text[200];
    struct value old;
    if (!reads(s, d, at, text, sizeof text, &old)) return;
    buf_init(&request, SIM_BUNDLE);
    buf_init(&answer, SIM_BUNDLE);
    if (clash_export(s, d, &request) && writes(s, other, at, value_none())) {
        clash_meet(s, other);
        if (s->hub != NULL) wire_hub_is_back(s);
        bool came = s->hub != NULL && d->n != NULL && writes_too_much(s, d, at) && d->n != NULL &&
                    wire_at_hub(s, d, buf_bytes(&request), &answer, &why) == ERR_OK;
        if (came && clash_import(s, d, buf_bytes(&answer)) && writes(s, d, at, value_none())) clash_meet(s, d);
    }
    buf_release(&request);
    buf_release(&answer);
}

/* ---- what builds on held work ---- */

/* A person, in one transaction with a part in the case that only its lead gives: a manager must decide about both. */
static bool makes_too_much(struct sim *s, struct device *d, struct spot *at, uint8_t made[16])
{
    struct edit e;
    struct rows_row r;
    struct fresh person, part;
    edit_start(&e, s, d);
    bool there = find(&e, at, &r) && think_row(&e, &person, "person", r.case_id);
    if (there) {
        memcpy(made, person.id, 16);
        edit_put(&e, &person.r);
        if (think_row(&e, &part, "participant", r.case_id)) edit_put(&e, &part.r);
    }
    edit_finish(&e, there);
    return there;
}

/* A change of the person who was made, and of the spot too. */
static bool builds_on(struct sim *s, struct device *d, const uint8_t made[16], struct spot *at, const char *column)
{
    struct edit e;
    struct rows_row person, r;
    if (d->n == NULL) return false;
    edit_start(&e, s, d);
    bool there = edit_get(&e, rows_table("person"), made, &person);
    if (there) edit_set_named(&e, &person, column, think_text(s));
    if (there && sim_chance(s, 700) && find(&e, at, &r)) edit_set_named(&e, &r, at->column, think_text(s));
    edit_finish(&e, there);
    return there;
}

/* A manager accepts what waits of this device, the oldest or the youngest first. */
static void accepts_work_of(struct sim *s, struct device *manager, const struct device *author)
{
    const struct choice waiting = {
        .table = "held", .where = "state = 'waiting' AND node = $1", .arg = value_id(author->kid)};
    clash_meet(s, manager);
    for (uint64_t n = 1 + sim_random(s, 3); n > 0 && manager->n != NULL; n--) {
        struct edit e;
        struct rows_row k;
        edit_start(&e, s, manager);
        bool there = edit_pick(&e, &waiting, &k);
        if (there) edit_set_named(&e, &k, "state", value_str("accepted"));
        edit_finish(&e, there);
    }
    clash_meet(s, manager);
}

/* One writes what is held, then the spot, which counts at once, then both again and again, which waits: all of it comes
 * to the hub together, and is decided when a manager accepts the first. */
static void on_held_work(struct sim *s, struct device *d, struct device *manager, struct spot *at)
{
    static const char *const parts[] = {"given_names", "family_name", "sex", "given_names"};
    uint8_t made[16];
    if (!makes_too_much(s, d, at, made) || !writes(s, d, at, value_none())) return;
    for (uint64_t n = 2 + sim_random(s, 3), i = 0; i < n; i++)
        if (!builds_on(s, d, made, at, parts[i])) return;
    clash_meet(s, d);
    if (sim_chance(s, 800)) accepts_work_of(s, manager, d);
}

bool clash_can_meet(const struct sim *s, const struct device *d)
{
    return d->n != NULL && !d->mixed && !d->lying && !d->suspect && d->state == DEVICE_LIVE && d->no != s->shadow;
}

/* Two who have just heard everything. Draws between talks, so not in pairs of worlds. */
static bool two(struct sim *s, struct spot *at)
{
    struct device *d = sim_any_device(s), *other = sim_any_device(s);
    if (d == NULL || d == other || s->hub == NULL || s->hub_lost_time || !clash_can_meet(s, d) || !clash_can_meet(s, other))
        return false;
    sim_note(s, "devices %d and %d cross in %s.%s", d->no, other->no, at->table, at->column);
    clash_meet(s, d);
    clash_meet(s, other);
    if (!clash_can_meet(s, d) || !clash_can_meet(s, other)) return true;
    struct device *room = &s->devices[0];
    switch (sim_random(s, 3)) {
    case 0: there_and_back(s, d, other, at); break;
    case 1: under_ones_own(s, d, other, at); break;
    default: on_held_work(s, d, clash_can_meet(s, room) ? room : other, at);
    }
    return true;
}

void people_clash(struct sim *s)
{
    bool talk = !s->opt.calm && sim_chance(s, 400);
    const char *const *c = columns[sim_random(s, talk ? TEXTS : COLUMNS)];
    struct spot at = {.table = c[0], .column = c[1]};
    if (talk && sim_chance(s, 350) && (sim_chance(s, 500) ? scene_late(s) : scene_decided(s))) return;
    if (!talk || !two(s, &at)) all_at_once(s, &at);
}
