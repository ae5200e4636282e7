/* `spoke-hub policy check`: what the views say against the matrix of the design, written out here by hand from the
 * design and not from the views. */
#include "base/env.h"
#include "hub/policy_check.h"
#include "hub/policy_sql.h"
#include "sync/rules.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A dot where a row is not seen: c check, v view, w contribute, R MASH room, N out of hours while the case is open (n:
 * and when it is closed), a the agency that wrote it, t the one that it is addressed to, o others. */
#define FACE   "cvwRNa.."
#define SHARED ".vwRNa.."
#define ROOM   "...R.a.."
#define OWNER  ".....a.."
#define BOTH   ".....at."

static const struct {
    const char *table, *state, *seen, *kinds; /* kinds that see it with check: NULL all or none, as check says */
} design[] = {
    /* face: case_file, person, kinship, warning, pointer */
    {"case_file", "", FACE, NULL},
    {"person", "", FACE, NULL},
    {"kinship", "", FACE, NULL},
    {"warning", "", FACE, NULL},
    {"pointer", "", FACE, NULL},
    /* shared: brief, participant (not quiet ones), open records, contacts not protected, consent, rating, challenge,
     * meeting, attendance, episode, coded, allocation, actions not sensitive */
    {"brief", "", SHARED, NULL},
    {"record", "open", SHARED, NULL},
    {"contact", "", SHARED, NULL},
    {"consent", "", SHARED, NULL},
    {"rating", "", SHARED, NULL},
    {"challenge", "", SHARED, NULL},
    {"meeting", "", SHARED, NULL},
    {"attendance", "", SHARED, NULL},
    {"episode", "", SHARED, NULL},
    {"coded", "", SHARED, NULL},
    {"allocation", "", SHARED, NULL},
    {"action", "", SHARED, NULL},
    /* and an agency has its own participant row */
    {"participant", "", ".vwRNat.", NULL},
    {"participant", "quiet", "...R.at.", NULL},
    /* room: sensitive records, referral, protected contacts, sensitive actions, link, quiet participants, held,
     * identifiers */
    {"record", "sensitive", ROOM, NULL},
    {"referral", "", ROOM, NULL},
    {"contact", "protected", ROOM, NULL},
    {"action", "sensitive", ROOM, NULL},
    {"link", "", ROOM, NULL},
    {"held", "", ROOM, NULL},
    /* scheme:S: NHS number: health, social care; PNC, CRN: police, probation; UPN: education, social care */
    {"identifier", "nhs", ROOM, "health social_care"},
    {"identifier", "any other scheme", ROOM, NULL},
    {"identifier", "pnc", ROOM, "police probation"},
    {"identifier", "crn", ROOM, "police probation"},
    {"identifier", "upn", ROOM, "education social_care"},
    /* agency:X: every row that X wrote; requests, releases and feedback to X */
    {"request", "", BOTH, NULL},
    {"release", "asked", BOTH, NULL},
    {"release", "granted", BOTH, NULL},
    {"release", "refused", BOTH, NULL},
    {"feedback", "", BOTH, NULL},
    /* what expires changes channels when its time comes */
    {"release", "ended", OWNER, NULL},
    /* a restricted record and a release_source are in agency:owner only */
    {"record", "restricted", OWNER, NULL},
    {"release_source", "", OWNER, NULL},
    /* a record that needs consent, has none in force for every person it is about, and has no override by its owner, is
     * in agency:owner only; what a recorded decision rests upon stays when consent is withdrawn (RULES.md) */
    {"record", "needs consent (given)", SHARED, NULL},
    {"record", "needs consent (overridden by its owner)", SHARED, NULL},
    {"record", "needs consent (withdrawn, but a decision rests upon it)", SHARED, NULL},
    {"record", "sensitive and needs consent (given)", ROOM, NULL},
    {"record", "needs consent (nobody asked)", OWNER, NULL},
    {"record", "needs consent (refused)", OWNER, NULL},
    {"record", "needs consent (not sought)", OWNER, NULL},
    {"record", "needs consent (withdrawn)", OWNER, NULL},
    {"record", "needs consent (ended)", OWNER, NULL},
    {"record", "needs consent (overridden without a reason)", OWNER, NULL},
    {"record", "needs consent (given by one of two children)", OWNER, NULL},
    /* a conflict is seen by who sees its row; once settled, by the MASH room and its two authors' agencies (and never
     * more of it than of a row that is kept from them: RULES.md) */
    {"conflict", "open, about a brief", SHARED, NULL},
    {"conflict", "settled, about a brief", "...R.at.", NULL},
    {"conflict", "settled, about a sensitive record", ROOM, NULL},
    {"conflict", "open, about a restricted record", OWNER, NULL},
    {"conflict", "settled, about a restricted record", OWNER, NULL},
    /* voided: only its writer and the MASH room see it; nobody sees by it what he did not see before (RULES.md) */
    {"brief", "voided", ROOM, NULL},
    {"referral", "voided", ROOM, NULL},
    {"participant", "voided", ROOM, NULL},
    {"person", "voided", ROOM, NULL},
    {"kinship", "voided", ROOM, NULL},
    {"identifier", "voided", ROOM, NULL},
    {"contact", "voided", ROOM, NULL},
    {"warning", "voided", ROOM, NULL},
    {"record", "open and voided", ROOM, NULL},
    {"record", "sensitive and voided", ROOM, NULL},
    {"record", "restricted and voided", OWNER, NULL},
    {"pointer", "voided", ROOM, NULL},
    {"request", "voided", OWNER, NULL},
    {"release", "voided", OWNER, NULL},
    {"release_source", "voided", OWNER, NULL},
    {"consent", "voided", ROOM, NULL},
    {"rating", "voided", ROOM, NULL},
    {"challenge", "voided", ROOM, NULL},
    {"meeting", "voided", ROOM, NULL},
    {"attendance", "voided", ROOM, NULL},
    {"episode", "voided", ROOM, NULL},
    {"coded", "voided", ROOM, NULL},
    {"allocation", "voided", ROOM, NULL},
    {"action", "voided", ROOM, NULL},
    {"feedback", "voided", OWNER, NULL},
    {"link", "voided", ROOM, NULL},
    {"held", "voided", ROOM, NULL},
    /* reference data is for every site */
    {"agency", "", "cvwRnato", NULL},
    {"site", "", "cvwRnato", NULL},
    {"coverage", "", "cvwRnato", NULL},
    {"practitioner", "", "cvwRnato", NULL},
    {"duty", "", "cvwRnato", NULL},
    {"code_list", "", "cvwRnato", NULL},
    {"timescale", "", "cvwRnato", NULL},
    {"column_policy", "", "cvwRnato", NULL},
    {"retention", "", "cvwRnato", NULL},
};
#define N_DESIGN (sizeof design / sizeof design[0])

static struct policy_check *checked(const char *text)
{
    struct why why = {0};
    struct policy_check *p = calloc(1, sizeof *p);
    assert_non_null(p);
    if (policy_check(env_posix(), bytes_of_str(text), p, &why) != ERR_OK) fail_msg("%s", why.text);
    return p;
}

static const struct policy_line *line_of(const struct policy_check *p, const char *table, const char *state)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->lines[i].table, table) == 0 && strcmp(p->lines[i].state, state) == 0) return &p->lines[i];
    fail_msg("%s (%s) was not asked about", table, state);
    return NULL;
}

static void seen_in(uint32_t ways, uint32_t closed, char out[POLICY_WAYS + 1])
{
    static const char letters[] = "cvwRNato";
    for (int w = 0; w < POLICY_WAYS; w++) out[w] = (ways & 1u << w) != 0 ? letters[w] : '.';
    out[POLICY_WAYS] = '\0';
    if ((ways & closed & 1u << WAY_NIGHT) != 0) out[WAY_NIGHT] = 'n';
}

static void check_says_what_the_matrix_of_the_design_says(void **state)
{
    (void)state;
    struct policy_check *p = checked(hub_policy_sql);
    assert_int_equal(p->n, N_DESIGN);
    for (size_t i = 0; i < N_DESIGN; i++) {
        const struct policy_line *l = line_of(p, design[i].table, design[i].state);
        char open[POLICY_WAYS + 1], closed[POLICY_WAYS + 1], want[POLICY_WAYS + 1];
        seen_in(l->open, l->closed, open);
        if (strcmp(open, design[i].seen) != 0)
            fail_msg("%s (%s): the design says %s, the policy %s", l->table, l->state, design[i].seen, open);
        (void)snprintf(want, sizeof want, "%s", design[i].seen);
        for (char *c = want; *c != '\0'; c++) *c = *c == 'N' ? '.' : *c;
        seen_in(l->closed, l->closed, closed);
        if (strcmp(closed, want) != 0) fail_msg("%s (%s) in a closed case: %s", l->table, l->state, closed);
    }
    free(p);
}

static void check_says_which_kinds_of_agency_know_which_identifiers(void **state)
{
    (void)state;
    struct policy_check *p = checked(hub_policy_sql);
    for (size_t i = 0; i < N_DESIGN; i++) {
        const struct policy_line *l = line_of(p, design[i].table, design[i].state);
        for (size_t k = 0; k < p->n_kinds; k++) {
            bool sees = (l->kinds & 1u << k) != 0;
            bool may =
                design[i].kinds == NULL ? design[i].seen[0] == 'c' : strstr(design[i].kinds, p->kinds[k]) != NULL;
            if (sees != may) fail_msg("%s (%s): agencies of the kind %s", l->table, l->state, p->kinds[k]);
        }
    }
    assert_true(p->n_kinds >= 6);
    free(p);
}

/* "A restricted case is for the sites that its participants name, and no others, MASH room included." */
static void check_says_that_restricted_cases_are_for_named_sites_alone(void **state)
{
    (void)state;
    struct policy_check *p = checked(hub_policy_sql);
    for (size_t i = 0; i < N_DESIGN; i++) {
        const struct policy_line *l = line_of(p, design[i].table, design[i].state);
        char named[POLICY_WAYS + 1], want[POLICY_WAYS + 1];
        (void)snprintf(want, sizeof want, "%.4s%s", design[i].seen, design[i].seen[7] == 'o' ? "nato" : "....");
        seen_in(l->named, l->closed, named);
        if (strcmp(named, want) != 0) fail_msg("%s (%s) in a restricted case: %s", l->table, l->state, named);
    }
    free(p);
}

static void the_policy_that_is_shipped_has_nothing_to_be_warned_of(void **state)
{
    (void)state;
    struct policy_check *p = checked(hub_policy_sql);
    if (p->n_warnings > 0) fail_msg("%s", p->warnings[0]);
    free(p);
}

static void sentence(const struct policy_check *p, const char *table, char *out, size_t n)
{
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_int_equal(policy_check_sentence(p, table, &b, NULL), ERR_OK);
    (void)snprintf(out, n, "%s", buf_cstr(&b));
    buf_release(&b);
}

static void every_table_has_one_sentence(void **state)
{
    (void)state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    struct policy_check *p = checked(hub_policy_sql);
    for (size_t i = 0; i < n; i++) {
        char words[4096], head[64];
        sentence(p, t[i].name, words, sizeof words);
        (void)snprintf(head, sizeof head, "%s: ", t[i].name);
        assert_memory_equal(words, head, strlen(head));
        assert_int_equal(words[strlen(words) - 1], '.');
        if (strchr(words, '.') != words + strlen(words) - 1) fail_msg("more than one sentence: %s", words);
        assert_non_null(strstr(words, " seen by "));
    }
    assert_int_equal(policy_check_sentence(p, "no_table", NULL, NULL), ERR_NOTFOUND);
    free(p);
}

static void sentences_can_be_read_by_somebody_who_knows_no_sql(void **state)
{
    (void)state;
    static const struct {
        const char *table, *words;
    } known[] = {
        {"person",
         "person: seen by everybody who takes part, by the MASH room of the area and, while the case is open, by "
         "out-of-hours teams; and always by the agency that wrote it."},
        {"rating",
         "rating: seen by everybody who takes part with view or contribute, by the MASH room of the area and, while "
         "the case is open, by out-of-hours teams; and always by the agency that wrote it."},
        {"link", "link: seen by the MASH room of the area; and always by the agency that wrote it."},
        {"release_source", "release_source: seen by nobody else; and always by the agency that wrote it."},
        {"request", "request: seen by the agency that it is addressed to; and always by the agency that wrote it."},
        {"release",
         "release: if asked or granted or refused, seen by the agency that it is addressed to; if ended, seen by "
         "nobody else; and always by the agency that wrote it."},
        {"agency", "agency: seen by every site."},
    };
    struct policy_check *p = checked(hub_policy_sql);
    char words[4096];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        sentence(p, known[i].table, words, sizeof words);
        assert_string_equal(words, known[i].words);
    }
    free(p);
}

/* ------------------------------------------------------------------------------------------------- changed policies */

static bool warns(const struct policy_check *p, const char *words)
{
    for (size_t i = 0; i < p->n_warnings; i++)
        if (strstr(p->warnings[i], words) != NULL) return true;
    return false;
}

static void expect_warning(const char *what, const char *by, const char *words)
{
    char *text = policy_variant_changed(what, by);
    struct policy_check *p = checked(text);
    if (!warns(p, words)) fail_msg("no warning: %s", words);
    free(p);
    free(text);
}

static void a_table_that_nobody_would_see_is_warned_of(void **state)
{
    (void)state;
    expect_warning("    UNION ALL SELECT 'rating', id, case_id, agency, voided_at, 'shared' FROM rating\n", "",
                   "Rows of rating are in no channel");
    expect_warning("SELECT 'duty', id FROM duty", "SELECT 'retention', id FROM retention",
                   "Rows of duty are in no channel");
}

static void a_channel_that_no_site_can_hold_is_warned_of(void **state)
{
    (void)state;
    expect_warning("voided_at, 'shared' FROM rating", "voided_at, 'lounge' FROM rating",
                   "Rows of rating are put into the channel \"lounge\", which no site can hold");
}

static void rows_shown_to_sites_without_a_part_are_warned_of(void **state)
{
    (void)state;
    expect_warning("SELECT site, case_id, 'room' FROM site_covers WHERE kind = 'mash'",
                   "SELECT site, case_id, 'room' FROM site_covers",
                   "Rows of record would be seen by sites that have no part");
}

static void what_a_changed_policy_says_is_found_by_asking_it(void **state)
{
    (void)state;
    char words[4096];
    char *text = policy_variant_changed("voided_at, 'face' FROM warning", "voided_at, 'room' FROM warning");
    struct policy_check *p = checked(text);
    char seen[POLICY_WAYS + 1];
    seen_in(line_of(p, "warning", "")->open, 0, seen);
    assert_string_equal(seen, ROOM);
    sentence(p, "warning", words, sizeof words);
    assert_string_equal(words, "warning: seen by the MASH room of the area; and always by the agency that wrote it.");
    free(p);
    free(text);
}

/* A policy that leaves the writer out, or shows what was voided, cannot be described as if it did not. */
static void sentences_tell_where_a_policy_leaves_the_common_rule(void **state)
{
    (void)state;
    char words[4096];
    char *text = policy_variant_changed("WHEN channel IS NOT NULL THEN 'room' END", "ELSE channel END");
    struct policy_check *p = checked(text);
    sentence(p, "warning", words, sizeof words);
    assert_string_equal(
        words, "warning: seen by everybody who takes part, by the MASH room of the area and, while the case is "
               "open, by out-of-hours teams; and always by the agency that wrote it.");
    sentence(p, "record", words, sizeof words);
    assert_non_null(strstr(words, "open and voided"));
    free(p);
    free(text);
    text = policy_variant_changed("SELECT tbl, id, case_id, 'agency:' || agency FROM case_row\n",
                   "SELECT tbl, id, case_id, 'agency:' || agency FROM case_row WHERE tbl <> 'link'\n");
    p = checked(text);
    sentence(p, "link", words, sizeof words);
    assert_non_null(strstr(words, "not by the agency that wrote it, when its part is over."));
    free(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_says_what_the_matrix_of_the_design_says),
        cmocka_unit_test(check_says_which_kinds_of_agency_know_which_identifiers),
        cmocka_unit_test(check_says_that_restricted_cases_are_for_named_sites_alone),
        cmocka_unit_test(the_policy_that_is_shipped_has_nothing_to_be_warned_of),
        cmocka_unit_test(every_table_has_one_sentence),
        cmocka_unit_test(sentences_can_be_read_by_somebody_who_knows_no_sql),
        cmocka_unit_test(a_table_that_nobody_would_see_is_warned_of),
        cmocka_unit_test(a_channel_that_no_site_can_hold_is_warned_of),
        cmocka_unit_test(rows_shown_to_sites_without_a_part_are_warned_of),
        cmocka_unit_test(what_a_changed_policy_says_is_found_by_asking_it),
        cmocka_unit_test(sentences_tell_where_a_policy_leaves_the_common_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
