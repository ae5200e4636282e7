/* Two links must both hold for a site to see a case: its agency takes part, and the site covers the area. They are
 * given and taken back in every order that matters (Sync Gateway: a role of the user, a channel of the role), and
 * devices ask for what is new after any of the eight steps: the 14 ways that Sync Gateway documents by name, and all
 * 256. After each contact a device holds what its site sees and nothing else; whoever could hold what was lost is told
 * to forget it, once, and stays unconfirmed until its receipt; nobody else is told. */
#include "tests/lib/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum link { PART, AREA };
static const enum link turn[8] = {PART, AREA, AREA, PART, AREA, PART, PART, AREA};
static const bool given[8] = {true, true, false, false, true, true, false, false};

enum { FILE_ROW, PERSON, BRIEF, RECORD, OWN_PART, COVERAGE, N_ROWS }; /* the last two are of the links themselves */
enum way {
    WHOLE, /* each contact is a whole one */
    LATE,  /* the answer to each is lost, and is given again at the next contact, when it is old */
    CUT,   /* the link breaks after a few rows; the next contact goes on from there */
};
struct device {
    struct fixture_node *n;
    unsigned contacts;                              /* bit i: after step i + 1 */
    bool could[N_ROWS], due[N_ROWS], asked[N_ROWS]; /* what the hub's answers may have given it, and owe it */
};
struct play {
    struct scene s;
    bool swapped, edited,
        by_case; /* the other link first; somebody writes between; the case moves, not the site's area */
    enum way way;
    bool on[2], ever;
    struct id part, coverage;
    struct device *d;
    size_t n;
};

static bool sees(const struct play *p, int row)
{
    if (row == COVERAGE) return p->on[AREA] && !p->by_case;
    return row == OWN_PART ? p->ever && p->on[AREA] : p->on[PART] && p->on[AREA];
}

static const char *row_of(const struct play *p, int row, struct id *id)
{
    static const char *const tables[N_ROWS] = {"case_file", "person", "brief", "record", "participant", "coverage"};
    const struct id ids[N_ROWS] = {p->s.c, p->s.person, p->s.brief, p->s.record, p->part, p->coverage};
    *id = ids[row];
    return tables[row];
}

static void start(struct play *p, size_t n)
{
    scene_start(&p->s, 14);
    hub_fixture_step(p->s.f);
    hub_fixture_site(p->s.f, "clinic", "health", "partner", p->by_case ? "west" : NULL);
    hub_fixture_settle(p->s.f);
    p->coverage = hub_fixture_id(p->s.f);
    p->n = n;
    p->d = calloc(n, sizeof *p->d);
    assert_non_null(p->d);
    for (size_t i = 0; i < n; i++) {
        p->d[i].n = scene_node(&p->s, "clinic");
        p->d[i].contacts = (unsigned)i;
    }
}

static void stop(struct play *p)
{
    for (size_t i = 0; i < p->n; i++) hub_fixture_node_free(p->d[i].n);
    free(p->d);
    scene_stop(&p->s);
}

static void change_part(struct play *p, bool on)
{
    if (!p->ever)
        p->part = scene_part(&p->s, "health", "", "view");
    else
        scene_set(&p->s, "participant", p->part, "access", on ? "view" : "none");
    p->ever = true;
}

static void change_area(struct play *p, bool on)
{
    if (p->by_case)
        scene_set(&p->s, "case_file", p->s.c, "area", on ? "west" : "north");
    else if (on)
        scene_cover_as(&p->s, p->coverage, "clinic", "north");
    else
        scene_uncover(&p->s, p->coverage);
}

/* What each device is owed now is what it could hold and its site has lost. */
static void step(struct play *p, int i)
{
    bool before[N_ROWS];
    enum link link = p->swapped ? 1 - turn[i] : turn[i];
    char text[16];
    for (int r = 0; r < N_ROWS; r++) before[r] = sees(p, r);
    if (link == PART)
        change_part(p, given[i]);
    else
        change_area(p, given[i]);
    p->on[link] = given[i];
    for (int r = 0; r < N_ROWS; r++) {
        struct id id;
        const char *table = row_of(p, r, &id);
        if (r < OWN_PART || (r == OWN_PART && p->ever))
            assert_int_equal(hub_fixture_sees(p->s.f, "clinic", table, id), sees(p, r));
        for (size_t j = 0; j < p->n; j++)
            if (before[r] && !sees(p, r) && p->d[j].could[r]) p->d[j].due[r] = true;
    }
    for (size_t j = 0; j < p->n; j++) {
        int64_t due = 0;
        for (int r = 0; r < N_ROWS; r++) due += p->d[j].due[r];
        if (scene_waiting(&p->s, p->d[j].n) != due)
            fail_msg("step %d, contacts %02x: %lld rows to forget, not %lld", i + 1, p->d[j].contacts,
                     (long long)scene_waiting(&p->s, p->d[j].n), (long long)due);
    }
    if (!p->edited) return;
    (void)snprintf(text, sizeof text, "edit %d", i);
    scene_set(&p->s, "record", p->s.record, "title", text);
    scene_set(&p->s, "person", p->s.person, "given_names", text);
}

static void ask(struct play *p, struct device *d, uint64_t budget)
{
    uint64_t due = 0;
    for (int r = 0; r < N_ROWS; r++) {
        due += d->due[r];
        d->due[r] = false;
        d->asked[r] = d->could[r] = sees(p, r);
    }
    hub_fixture_ask(p->s.f, d->n, budget);
    assert_int_equal(d->n->answer.n_drops, due);
}

static bool holds(const struct play *p, const struct device *d, int row)
{
    struct id id;
    const char *table = row_of(p, row, &id);
    return hub_fixture_holds(d->n, table, id);
}

/* A whole answer gives what the site saw when it was made. */
static void take(struct play *p, struct device *d)
{
    (void)scene_take(&p->s, d->n);
    for (int r = 0; r < N_ROWS; r++) assert_int_equal(holds(p, d, r), d->asked[r]);
}

static void contact(struct play *p, struct device *d, int i)
{
    if (p->way == LATE) {
        if (d->n->answer.waiting) take(p, d);
        ask(p, d, SCENE_PLENTY);
        return;
    }
    if (p->way == WHOLE) {
        ask(p, d, SCENE_PLENTY);
        take(p, d);
        hub_fixture_is_exact(p->s.f, d->n);
        assert_int_equal(scene_unconfirmed(&p->s, d->n), 0);
        return;
    }
    unsigned pages = 1 + (d->contacts * 7 + (unsigned)i * 3) % 4;
    for (bool more = true; more && pages > 0; pages--) {
        ask(p, d, 1);
        more = d->n->answer.more;
        (void)scene_take(&p->s, d->n);
        for (int r = 0; r < N_ROWS; r++) {
            d->could[r] = holds(p, d, r);
            assert_true(!d->could[r] || sees(p, r));
        }
    }
}

static void all_ways(struct play p)
{
    start(&p, 256);
    for (int i = 0; i < 8; i++) {
        step(&p, i);
        for (size_t j = 0; j < p.n; j++)
            if (p.d[j].contacts >> i & 1) contact(&p, &p.d[j], i);
    }
    for (size_t j = 0; j < p.n; j++) {
        if (p.d[j].n->answer.waiting) take(&p, &p.d[j]);
        uint64_t due = 0;
        for (int r = 0; r < N_ROWS; r++) due += p.d[j].due[r];
        assert_int_equal(scene_pull(&p.s, p.d[j].n, p.way == CUT ? 1 : SCENE_PLENTY), due);
        scene_is_quiet(&p.s, p.d[j].n);
    }
    stop(&p);
}

/* ------------------------------------------------------------------------------------------------ the 14 by name */

/* What became of the record at each contact: it came (+), was taken away (-), both in one answer (x), or nothing (.).
 * */
struct named {
    const char *name;
    const char *when; /* after which steps */
    const char *want;
};
static const struct named fourteen[] = {
    {"given; both links lost and given meanwhile; lost for good", "12268", ".+.x-"},
    {"sees the first link go", "12368", ".+-+-"},
    {"sees both links gone", "12468", ".+-+-"},
    {"sees one link back, which is not enough", "12568", ".+-+-"},
    {"is away while both are lost and given", "1268", ".+x-"},
    {"is away until one is lost again", "1278", ".+-."},
    {"is away until all is over", "128", ".+-"},
    {"was never there while it was given, first link gone", "138", "..."},
    {"was never there while it was given, both gone", "148", "..."},
    {"was never there while it was given, one back", "158", "..."},
    {"comes for the second time that it is given", "168", ".+-"},
    {"comes when the second time is over, by one link", "178", "..."},
    {"comes when the second time is over, by both", "188", "..."},
    {"asks twice about one loss", "1233", ".+-."},
};

static char became(struct play *p, struct device *d)
{
    bool before = holds(p, d, RECORD);
    uint64_t dropped = d->n->got_drops;
    contact(p, d, 0);
    bool after = holds(p, d, RECORD), lost = d->n->got_drops - dropped >= 4;
    if (before && after) return lost ? 'x' : '.';
    return before ? '-' : after ? '+' : '.';
}

static void each_of_the_fourteen_known_interleavings_gives_and_takes_what_it_must(void **state)
{
    struct play p = {.way = WHOLE};
    char got[14][8] = {{0}};
    (void)state;
    start(&p, 14);
    for (int i = 0; i < 8; i++) {
        step(&p, i);
        for (size_t j = 0; j < 14; j++)
            for (const char *w = fourteen[j].when; *w != '\0'; w++)
                if (*w == '1' + i) got[j][w - fourteen[j].when] = became(&p, &p.d[j]);
    }
    for (size_t j = 0; j < 14; j++)
        if (strcmp(got[j], fourteen[j].want) != 0)
            fail_msg("a device that %s: %s, not %s", fourteen[j].name, got[j], fourteen[j].want);
    stop(&p);
}

/* ------------------------------------------------------------------------------------------------------- all 256 */

static void a_device_that_asks_after_any_of_the_steps_holds_what_its_site_sees(void **state)
{
    (void)state;
    all_ways((struct play){.way = WHOLE});
}

static void it_does_so_whichever_link_comes_first_and_whoever_writes_between(void **state)
{
    (void)state;
    all_ways((struct play){.way = WHOLE, .swapped = true, .edited = true});
}

static void it_does_so_when_the_case_moves_instead_of_the_site(void **state)
{
    (void)state;
    all_ways((struct play){.way = WHOLE, .by_case = true, .edited = true});
}

static void it_does_so_when_each_answer_is_lost_once_and_comes_late(void **state)
{
    (void)state;
    all_ways((struct play){.way = LATE, .edited = true});
    all_ways((struct play){.way = LATE, .swapped = true});
}

static void it_does_so_when_the_link_breaks_within_the_pages(void **state)
{
    (void)state;
    all_ways((struct play){.way = CUT, .edited = true});
    all_ways((struct play){.way = CUT, .swapped = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_the_fourteen_known_interleavings_gives_and_takes_what_it_must),
        cmocka_unit_test(a_device_that_asks_after_any_of_the_steps_holds_what_its_site_sees),
        cmocka_unit_test(it_does_so_whichever_link_comes_first_and_whoever_writes_between),
        cmocka_unit_test(it_does_so_when_the_case_moves_instead_of_the_site),
        cmocka_unit_test(it_does_so_when_each_answer_is_lost_once_and_comes_late),
        cmocka_unit_test(it_does_so_when_the_link_breaks_within_the_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
