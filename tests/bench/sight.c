/* Who sees what, in a hub of many cases: what it costs to share a case of 500 rows with an agency and to take it back,
 * what the hub's upkeep adds to a write of one row, and how fast a new device of a site with 5,000 cases is told them.
 * Beside each time stands a raw limit, measured alternately in the same store. Two stores, a small and a large one, in
 * one run, because nothing of this may grow with cases that it does not concern.
 *
 * bench_sight [repeats] [cases] [cases] — usually 15 10000 100000 */
#include "tests/lib/bench.h"
#include "tests/lib/hub_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENCIES   12
#define SITES      200
#define AREAS      20
#define FIRST_SYNC 5000u /* cases of the new device's site */
#define BIG_ROWS   500
#define AT_ONCE    200   /* cases in a step */
#define MOLD       2000u /* cases that are made; a larger store has copies of them */

static const char *const agencies[AGENCIES][2] = {
    {"council", "social_care"}, {"health", "health"},    {"police", "police"},     {"schools", "education"},
    {"probation", "probation"}, {"housing", "housing"},  {"charity", "voluntary"}, {"fire", "fire"},
    {"youth", "justice"},       {"addiction", "health"}, {"courts", "justice"},    {"extra", "voluntary"},
};

struct town {
    struct hub_fixture *f;
    size_t cases;
    struct id big, part;
    struct fixture_node *devices[2]; /* of the agency that the big case is shared with */
    struct fixture_node *fresh;
    int64_t n_rows;
};

struct sums { /* of each repeat */
    struct bench_time share[BENCH_MAX_REPEATS], unshare[BENCH_MAX_REPEATS], bare[BENCH_MAX_REPEATS];
    struct bench_pair write, sync;
};

static void area_name(char out[16], unsigned no)
{
    (void)snprintf(out, 16, "area%02u", no % AREAS);
}

/* --------------------------------------------------------------------------------------------------------- the town */

static void put_site(struct town *t, unsigned no)
{
    char code[16], area[16];
    const char *agency = agencies[no % (AGENCIES - 1)][0];
    (void)snprintf(code, sizeof code, "s%03u", no);
    hub_fixture_site(t->f, code, agency, no == 0 ? "mash" : no == 1 ? "out_of_hours" : "partner", no < 2 ? "*" : NULL);
    for (unsigned i = 0; no >= 2 && i <= no % 3; i++) {
        area_name(area, no + i * 7);
        (void)hub_fixture_row(t->f, "coverage", (struct id){{0}}, "", "site", code, "area", area, NULL);
    }
}

static void put_places(struct town *t)
{
    char area[16];
    hub_fixture_step(t->f);
    for (size_t i = 0; i < AGENCIES; i++) hub_fixture_agency(t->f, agencies[i][0], agencies[i][1]);
    for (unsigned i = 0; i < SITES - 3; i++) put_site(t, i);
    hub_fixture_site(t->f, "x1", "extra", "partner", "area00");
    hub_fixture_site(t->f, "x2", "extra", "partner", "area00");
    /* The council takes part in every case: so many areas make 5,000 of them. */
    hub_fixture_site(t->f, "fresh", "council", "partner", NULL);
    for (unsigned i = 0; i < AREAS && (i == 0 || i * t->cases / AREAS < FIRST_SYNC); i++) {
        area_name(area, i);
        (void)hub_fixture_row(t->f, "coverage", (struct id){{0}}, "", "site", "fresh", "area", area, NULL);
    }
    hub_fixture_settle(t->f);
}

static struct id put_case(struct town *t, unsigned no)
{
    char area[16], text[64];
    struct hub_fixture *f = t->f;
    area_name(area, no);
    (void)snprintf(text, sizeof text, "C-%06u", no);
    struct id c = hub_fixture_row(f, "case_file", (struct id){{0}}, "council", "reference", text, "area", area, "rag",
                                  "amber", "status", "open", "lead_agency", "council", "subject_kind", "child", NULL);
    (void)hub_fixture_share(f, c, "council", "contribute");
    for (uint64_t i = 0, n = 1 + hub_fixture_random(f, 5); i < n; i++)
        (void)hub_fixture_share(f, c, agencies[1 + (no + i * 3) % (AGENCIES - 2)][0], i == 0 ? "contribute" : "view");
    (void)hub_fixture_row(f, "person", c, "council", "role", "child", "family_name", "Nobody", "given_names", "Anybody",
                          NULL);
    return c;
}

static void put_record(struct town *t, struct id c, unsigned no, bool open)
{
    static const char body[] =
        "Seen at home with the family. Nothing to report but the weather and the state of the garden; "
        "the school asked for another visit before the end of the month, which was agreed.";
    (void)hub_fixture_row(t->f, "record", c, agencies[no % 3][0], "sensitivity", open ? "open" : "sensitive", "kind",
                          "visit", "title", "A visit as agreed", "body", body, NULL);
}

/* 360 of its 500 rows will be seen by whom it is shared with. */
static void put_big_case(struct town *t)
{
    t->big = put_case(t, 0);
    for (unsigned i = 0; i < BIG_ROWS - 6; i++) put_record(t, t->big, i, i % 25 < 18);
}

static void end_of_step(struct town *t)
{
    struct why why = {0};
    BENCH_MUST(sight_settle(&t->f->h, &why));
    hub_fixture_commit(t->f);
}

static void serve(struct town *t, struct fixture_node *n, size_t *out_bytes)
{
    struct why why = {0};
    struct served page = {.more = true};
    struct cut from;
    struct buf taken;
    uint64_t rows = 0;
    BENCH_MUST(hub_begin(&t->f->h, &why));
    while (page.more) {
        BENCH_MUST(cut_get(&t->f->h, n->n.no, n->cursor, &from, &why));
        BENCH_MUST(serve_page(&t->f->h, &n->n, &from, 8u << 20, &page, &why));
        if (out_bytes != NULL) *out_bytes += page.items.len;
        memcpy(n->cursor, page.cut.name, 16);
        served_release(&page);
    }
    buf_init(&taken, 8u << 20); /* and what it is to forget */
    BENCH_MUST(drops_take(&t->f->h, &n->n, ++n->request, &taken, &rows, &why));
    buf_release(&taken);
    BENCH_MUST(hub_commit(&t->f->h, &why));
}

static void run(struct town *t, const struct buf *sql)
{
    struct why why = {0};
    if (sql->err != ERR_OK) bench_fail("no memory");
    BENCH_MUST(db_exec(t->f->h.db, (const char *)sql->data, &why));
}

/* Copy number k of every case, with all that the hub keeps of it: other ids, and numbers that go on from the last
 * ones. */
static void copy_cases(struct town *t, unsigned k, int64_t case_step, int64_t row_step)
{
    struct buf sql;
    size_t n;
    const struct table_rule *tables = rules_tables(&n);
    buf_init(&sql, 1u << 20);
#define ID   "substr(id, 3) || substr(id, 2, 1)"
#define CASE "substr(case_id, 3) || substr(case_id, 2, 1)"
#define NEW  "CAST(x'%02x' || %s AS BLOB)"
    for (size_t i = 0; i < n; i++) {
        if (tables[i].kind != TABLE_CASE) continue;
        buf_printf(&sql, "INSERT INTO \"%s\" SELECT " NEW ", " NEW, tables[i].name, k, ID, k, CASE);
        for (size_t c = 2; c < tables[i].n_columns; c++) buf_printf(&sql, ", \"%s\"", tables[i].columns[c].name);
        buf_printf(&sql, " FROM \"%s\" WHERE rowid <= (SELECT n FROM mold WHERE tbl = '%s');", tables[i].name,
                   tables[i].name);
    }
    buf_printf(&sql,
               "INSERT INTO case_voice SELECT " NEW ", agency FROM case_voice WHERE case_id IN (SELECT id FROM h_case"
               " WHERE no <= %lld);",
               k, CASE, (long long)case_step);
    buf_printf(&sql,
               "INSERT INTO h_case(no, id, born, born_node, news) SELECT no + %lld, " NEW ", born, born_node, news"
               " FROM h_case WHERE no BETWEEN 1 AND %lld;",
               (long long)(k * case_step), k, ID, (long long)case_step);
    buf_printf(&sql,
               "INSERT INTO h_row SELECT no + %lld, tbl, " NEW ", case_no + %lld, mask, mask_version, version, born,"
               " born_node, born_hlc, born_user, gone FROM h_row WHERE no <= %lld AND case_no > 0;",
               (long long)(k * row_step), k, ID, (long long)(k * case_step), (long long)row_step);
    buf_printf(&sql,
               "INSERT INTO h_seat SELECT site_no, case_no + %lld, mask, access, version, news FROM h_seat"
               " WHERE case_no BETWEEN 1 AND %lld;",
               (long long)(k * case_step), (long long)case_step);
    buf_printf(&sql,
               "INSERT INTO h_seat_log SELECT site_no, case_no + %lld, version, mask, access FROM h_seat_log"
               " WHERE case_no BETWEEN 1 AND %lld;",
               (long long)(k * case_step), (long long)case_step);
#undef NEW
#undef ID
#undef CASE
    buf_put(&sql, "", 1);
    run(t, &sql);
    buf_release(&sql);
}

static void copy_mold(struct town *t)
{
    struct why why = {0};
    struct buf sql;
    size_t n;
    const struct table_rule *tables = rules_tables(&n);
    int64_t cases = hub_fixture_number(t->f, "SELECT max(no) FROM h_case");
    int64_t rows = hub_fixture_number(t->f, "SELECT max(no) FROM h_row");
    buf_init(&sql, 1u << 20);
    buf_printf(&sql, "CREATE TEMP TABLE mold(tbl TEXT PRIMARY KEY, n INTEGER);");
    for (size_t i = 0; i < n; i++)
        buf_printf(&sql, "INSERT INTO mold SELECT '%s', max(rowid) FROM \"%s\";", tables[i].name, tables[i].name);
    buf_put(&sql, "", 1);
    run(t, &sql);
    buf_release(&sql);
    for (unsigned k = 1; k < t->cases / MOLD; k++) {
        BENCH_MUST(db_begin(t->f->h.db, &why));
        copy_cases(t, k, cases, rows);
        BENCH_MUST(db_commit(t->f->h.db, &why));
    }
}

static void fill(struct town *t, size_t cases)
{
    struct why why = {0};
    struct bench_time start = bench_now();
    size_t made = cases < MOLD ? cases : MOLD;
    *t = (struct town){.f = hub_fixture_new(cases), .cases = cases};
    put_places(t);
    for (unsigned no = 0; no < made;) {
        hub_fixture_step(t->f);
        if (no == 0) put_big_case(t);
        for (unsigned i = 0; i < AT_ONCE && no < made; i++, no++) {
            struct id c = put_case(t, no);
            put_record(t, c, no, true);
            put_record(t, c, no + 1, no % 3 != 0);
        }
        end_of_step(t);
    }
    if (cases > MOLD) copy_mold(t);
    t->devices[0] = hub_fixture_node(t->f, "x1");
    t->devices[1] = hub_fixture_node(t->f, "x2");
    for (size_t i = 0; i < 2; i++) serve(t, t->devices[i], NULL);
    t->n_rows = hub_fixture_number(t->f, "SELECT count(*) FROM h_row");
    (void)printf("%zu cases, %lld rows, %lld seats: filled in %.0f s", cases, (long long)t->n_rows,
                 (long long)hub_fixture_number(t->f, "SELECT count(*) FROM h_seat WHERE mask <> 0"),
                 bench_since(start).wall / 1e3);
    if (cases <= 20000) BENCH_MUST(hub_verify(&t->f->h, &why)); /* which asks the views of every case */
    (void)printf(", with its checks %.0f s\n", bench_since(start).wall / 1e3);
    (void)fflush(stdout);
}

/* ---------------------------------------------------------------------------------------------- share and take back */

/* The participant's row alone, as any program with a database would write it. */
static struct bench_time bare_share(struct town *t)
{
    struct why why = {0};
    struct db *db = t->f->h.db;
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("participant")))};
    struct id id = hub_fixture_id(t->f);
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id.b);
    r.v[1] = value_id(t->big.b);
    r.v[2] = value_str("council");
    r.v[3] = value_str("extra");
    r.v[4] = value_str("");
    r.v[5] = value_str("view");
    struct bench_time start = bench_now();
    BENCH_MUST(db_begin(db, &why));
    BENCH_MUST(db_row_put(db, &r, &why));
    BENCH_MUST(db_commit(db, &why));
    struct bench_time took = bench_since(start);
    BENCH_MUST(db_row_delete(db, r.table, id.b, &why));
    return took;
}

static struct bench_time share(struct town *t)
{
    struct why why = {0};
    struct bench_time start = bench_now();
    BENCH_MUST(hub_begin(&t->f->h, &why));
    BENCH_MUST(sight_step(&t->f->h, &why));
    t->part = hub_fixture_share(t->f, t->big, "extra", "view");
    BENCH_MUST(sight_settle(&t->f->h, &why));
    BENCH_MUST(hub_commit(&t->f->h, &why));
    return bench_since(start);
}

static struct bench_time unshare(struct town *t)
{
    struct why why = {0};
    struct bench_time start = bench_now();
    BENCH_MUST(hub_begin(&t->f->h, &why));
    BENCH_MUST(sight_step(&t->f->h, &why));
    hub_fixture_set(t->f, "participant", t->part, "voided_at", "#1");
    BENCH_MUST(sight_settle(&t->f->h, &why));
    BENCH_MUST(hub_commit(&t->f->h, &why));
    return bench_since(start);
}

static void share_once(struct town *t, struct sums *s, size_t at)
{
    s->bare[at] = bare_share(t);
    s->share[at] = share(t);
    for (size_t i = 0; i < 2; i++) serve(t, t->devices[i], NULL);
    int64_t before = hub_fixture_number(t->f, "SELECT count(*) FROM h_drop");
    s->unshare[at] = unshare(t);
    int64_t drops = hub_fixture_number(t->f, "SELECT count(*) FROM h_drop") - before;
    if (drops < 2 * 350) bench_fail("the case was not taken back from both devices");
    for (size_t i = 0; i < 2; i++) serve(t, t->devices[i], NULL);
    if (at == 0) (void)printf("%zu cases: %lld drops with each taking back\n", t->cases, (long long)drops);
}

/* ------------------------------------------------------------------------------------------------------ one write */

static struct id some_record(struct town *t)
{
    struct why why = {0};
    struct stmt *q;
    struct id id = {{0}};
    bool row = false;
    BENCH_MUST(
        db_prepare(t->f->h.db, "SELECT id FROM h_row WHERE no >= $1 AND tbl = $2 ORDER BY no LIMIT 1", &q, &why));
    db_bind_int(q, 1, 1000 + (int64_t)hub_fixture_random(t->f, (uint64_t)t->n_rows - 2000));
    db_bind_int(q, 2, rules_table_index(bytes_of_str("record")));
    BENCH_MUST(db_step(q, &row, &why));
    if (!row || !db_id(q, 0, id.b)) bench_fail("no record");
    db_done(q);
    return id;
}

static void write_once(struct town *t, struct bench_pair *p)
{
    struct why why = {0};
    const struct table_rule *record = rules_table((size_t)rules_table_index(bytes_of_str("record")));
    size_t body = (size_t)rules_column_index(record, bytes_of_str("body"));
    struct id id = some_record(t),
              other = some_record(t); /* neither finds its page in memory because the other read it */
    struct value text = value_str("Seen again. The visit that was agreed took place; the next one is due in a month.");
    struct bench_time start = bench_now();
    BENCH_MUST(db_begin(t->f->h.db, &why));
    BENCH_MUST(db_row_set(t->f->h.db, record, id.b, body, text, &why));
    BENCH_MUST(db_commit(t->f->h.db, &why));
    p->raw[p->n] = bench_since(start);
    start = bench_now();
    BENCH_MUST(hub_begin(&t->f->h, &why));
    BENCH_MUST(sight_step(&t->f->h, &why));
    BENCH_MUST(sight_set(&t->f->h, record, other.b, body, text, &t->f->hub, &why));
    BENCH_MUST(sight_settle(&t->f->h, &why));
    BENCH_MUST(hub_commit(&t->f->h, &why));
    p->ours[p->n++] = bench_since(start);
}

/* ------------------------------------------------------------------------------------------------------ first sync */

/* The same rows, in the order in which they are served, looked up by their keys and nothing else. */
static struct bench_time read_by_key(struct town *t, int64_t *out_rows)
{
    struct why why = {0};
    struct stmt *q;
    struct buf store;
    struct row r;
    bool row = false, found = false;
    buf_init(&store, 64u << 20);
    *out_rows = 0;
    struct bench_time start = bench_now();
    BENCH_MUST(db_prepare(t->f->h.db,
                          "SELECT r.tbl, r.id FROM h_site n JOIN h_seat s ON s.site_no = n.no"
                          " JOIN h_row r ON r.case_no = s.case_no AND (r.mask & s.mask) <> 0 WHERE n.code = 'fresh'",
                          &q, &why));
    for (;;) {
        BENCH_MUST(db_step(q, &row, &why));
        if (!row) break;
        store.len = 0;
        BENCH_MUST(
            db_row_get(t->f->h.db, rules_table((size_t)db_int(q, 0)), db_bytes(q, 1).p, &store, &r, &found, &why));
        *out_rows += found;
    }
    db_done(q);
    struct bench_time took = bench_since(start);
    buf_release(&store);
    return took;
}

static void sync_once(struct town *t, struct bench_pair *p)
{
    size_t bytes = 0;
    int64_t rows = 0;
    p->raw[p->n] = read_by_key(t, &rows);
    t->fresh = hub_fixture_node(t->f, "fresh");
    struct bench_time start = bench_now();
    serve(t, t->fresh, &bytes);
    p->ours[p->n] = bench_since(start);
    if (p->n == 0)
        (void)printf("%zu cases: a new device is told %lld rows of %lld cases, %zu bytes\n", t->cases, (long long)rows,
                     (long long)hub_fixture_number(t->f,
                                                   "SELECT count(*) FROM h_seat s JOIN h_site n ON n.no = s.site_no"
                                                   " WHERE n.code = 'fresh' AND s.mask <> 0"),
                     bytes);
    p->n++;
    hub_fixture_node_free(t->fresh);
}

/* ---------------------------------------------------------------------------------------------------------- results */

static void print_store(const struct town *t, const struct sums *s, size_t repeats)
{
    char name[96];
    struct bench_time bare = bench_median(s->bare, repeats), ours = bench_median(s->share, repeats);
    (void)printf(
        "%zu cases: share %.2f ms, of it bare %.2f ms, beyond it %.2f ms (aim 2 ms); processor %.2f ms, %.2f ms\n",
        t->cases, ours.wall, bare.wall, ours.wall - bare.wall, ours.cpu, bare.cpu);
    (void)snprintf(name, sizeof name, "%zu cases: unshare with its drops", t->cases);
    bench_print_time(name, s->unshare, repeats, 10);
    (void)snprintf(name, sizeof name, "%zu cases: one row", t->cases);
    bench_print(name, &s->write, 1 / 1.8);
    (void)snprintf(name, sizeof name, "%zu cases: first sync", t->cases);
    bench_print(name, &s->sync, 0.7);
}

static void print_growth(const char *name, const struct bench_time *small, const struct bench_time *large, size_t n)
{
    struct bench_time a = bench_median(small, n), b = bench_median(large, n);
    (void)printf("%s, large store to small one: %.2f (aim at most 1.2); processor %.2f\n", name, b.wall / a.wall,
                 b.cpu / a.cpu);
}

int main(int argc, char **argv)
{
    static struct town towns[2];
    static struct sums sums[2];
    size_t repeats = bench_repeats(argc, argv, 15), n = argc == 3 ? 1 : 2;
    size_t sizes[2] = {argc > 2 ? (size_t)atol(argv[2]) : 10000, argc > 3 ? (size_t)atol(argv[3]) : 100000};
    for (size_t k = 0; k < n; k++) fill(&towns[k], sizes[k] < 2000 ? 2000 : sizes[k]);
    bench_print_syncs(towns[0].f->dir);
    for (size_t i = 0; i < repeats; i++)
        for (size_t k = 0; k < n; k++) share_once(&towns[k], &sums[k], i);
    for (size_t i = 0; i < repeats * 4 && i < BENCH_MAX_REPEATS; i++)
        for (size_t k = 0; k < n; k++) write_once(&towns[k], &sums[k].write);
    for (size_t i = 0; i < repeats && i < 5; i++)
        for (size_t k = 0; k < n; k++) sync_once(&towns[k], &sums[k].sync);
    for (size_t k = 0; k < n; k++) print_store(&towns[k], &sums[k], repeats);
    if (n == 2) {
        print_growth("share", sums[0].share, sums[1].share, repeats);
        print_growth("unshare", sums[0].unshare, sums[1].unshare, repeats);
        print_growth("one row", sums[0].write.ours, sums[1].write.ours, sums[0].write.n);
    }
    bench_print_syncs(towns[0].f->dir);
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < 2; i++) hub_fixture_node_free(towns[k].devices[i]);
        hub_fixture_free(towns[k].f);
    }
    return 0;
}
