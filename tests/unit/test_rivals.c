/* Words that nobody has answered who had seen them: what stands must not depend on the order in which they came. */
#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RULED(what) "SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'ruled' AND " what

/* From now on this device writes upon what it has seen so far, whatever it hears. */
static void goes_offline(struct fake_node *n)
{
    n->has_base = true;
    memcpy(n->base_cut, n->cursor, 16);
}

static void comes_back(struct fake_node *n)
{
    n->has_base = false;
    fake_node_pull(n);
}

/* Mona wrote red and thought better of it, and never heard of amber. In whichever order the three arrive. */
static void who_lowers_an_own_rating_does_not_lower_one_that_was_never_seen(void **state)
{
    (void)state;
    for (int when = 0; when < 3; when++) {
        uint8_t c[16];
        shared_case(c);
        goes_offline(mona);
        goes_offline(carla);
        if (when == 0) (void)change_from(carla, "case_file", c, "rag", "green", "amber");
        (void)change_from(mona, "case_file", c, "rag", "green", "red");
        if (when == 1) says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
        (void)change_from(mona, "case_file", c, "rag", "red", "blue");
        if (when == 2) says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
        text_at_hub("case_file", c, "rag", "amber");
        assert_int_equal(count_in(RULED("kept = 'amber' AND lost = 'blue'"), c), 1);
        comes_back(mona);
        comes_back(carla);
        verifies();
    }
}

/* The more protective word of one agency is not undone by another's that takes back only its own. */
static void a_refusal_stands_though_who_refused_more_takes_that_back(void **state)
{
    uint8_t c[16], p[16], id[16];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    env_new_id(&hub->env, id);
    struct op consent = fake_new(paul, "consent", id, c);
    fake_value(&consent, "person_id", value_id(p));
    fake_value(&consent, "scope", value_str("all"));
    fake_value(&consent, "state", value_str("given"));
    says(send_one(paul, &consent), VERDICT_APPLIED, NULL);
    everybody_pulls();
    goes_offline(paul);
    goes_offline(sue);
    says(change_from(paul, "consent", id, "state", "given", "withdrawn"), VERDICT_APPLIED, NULL);
    says(change_from(sue, "consent", id, "state", "given", "refused"), VERDICT_MERGED, NULL);
    says(change_from(paul, "consent", id, "state", "withdrawn", "given"), VERDICT_MERGED, NULL);
    text_at_hub("consent", id, "state", "refused");
    comes_back(paul);
    comes_back(sue);
    /* who has heard of both may say otherwise */
    says(change_from(paul, "consent", id, "state", "refused", "given"), VERDICT_APPLIED, NULL);
    text_at_hub("consent", id, "state", "given");
    verifies();
}

/* They agree, so nothing is noted; what the one then takes back, the other still says. */
static void what_two_said_alike_stands_until_both_have_said_otherwise(void **state)
{
    uint8_t c[16];
    (void)state;
    shared_case(c);
    goes_offline(mona);
    goes_offline(carla);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    assert_int_equal(count_in(CONFLICTS, c), 0);
    says(change_from(mona, "case_file", c, "rag", "red", "blue"), VERDICT_MERGED, NULL);
    text_at_hub("case_file", c, "rag", "red");
    says(change_from(carla, "case_file", c, "rag", "red", "amber"), VERDICT_APPLIED, NULL);
    text_at_hub("case_file", c, "rag", "amber");
    comes_back(mona);
    comes_back(carla);
    verifies();
}

/* They settled it: what lost does not come back when the other one thinks again, though it never heard of that. */
static void a_settled_loser_does_not_rise_again(void **state)
{
    uint8_t c[16], k[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    goes_offline(mona);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    fake_node_pull(carla);
    id_of("SELECT id FROM conflict WHERE case_id = $1", c, k);
    struct op settle = fake_change("conflict", k); /* what is kept stands: nothing else changes */
    fake_from(&settle, "state", value_str("ruled"), value_str("settled"));
    fake_value(&settle, "reason", value_str("amber was of last year"));
    fake_value(&settle, "resolved_by", value_id(carla->user));
    fake_edit_start(&e);
    fake_put(&e, &settle);
    says(fake_send(carla, &e), VERDICT_APPLIED, NULL);
    says(change_from(mona, "case_file", c, "rag", "red", "blue"), VERDICT_APPLIED, NULL);
    text_at_hub("case_file", c, "rag", "blue");
    comes_back(mona);
    verifies();
}

/* Paul and Sue wrote the same name. That she then writes another says nothing of his. */
static void of_two_who_agreed_the_one_does_not_answer_for_the_other(void **state)
{
    static const char open[] =
        "SELECT count(*) FROM conflict WHERE case_id = $1 AND state = 'open' AND kept = 'Anne' AND "
        "agency = 'police' AND lost_by = (SELECT id FROM practitioner WHERE name = 'Paul') AND lost = ";
    uint8_t c[16], p[16];
    char sql[400];
    (void)state;
    shared_case(c);
    put_person(paul, c, p);
    everybody_pulls();
    goes_offline(paul);
    goes_offline(sue);
    says(change(paul, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change(sue, "person", p, "given_names", "Ann"), VERDICT_APPLIED, NULL);
    says(change_from(sue, "person", p, "given_names", "Ann", "Anne"), VERDICT_MERGED, NULL);
    text_at_hub("person", p, "given_names", "Anne");
    (void)snprintf(sql, sizeof sql, "%s'Ann'", open);
    assert_int_equal(count_in(sql, c), 1);
    says(change_from(paul, "person", p, "given_names", "Ann", "Anna"), VERDICT_MERGED, NULL);
    (void)snprintf(sql, sizeof sql, "%s'Anna'", open);
    assert_int_equal(count_in(sql, c), 1); /* his own losing value, replaced */
    assert_int_equal(count_in(CONFLICTS, c), 1);
    comes_back(paul);
    comes_back(sue);
    verifies();
}

/* The value of a device that lost rises again, and with it its author: told to everybody, also to that device. */
static void a_word_that_rises_again_is_told_to_all_and_stands_under_its_authors_name(void **state)
{
    uint8_t c[16];
    (void)state;
    shared_case(c);
    goes_offline(mona);
    says(change_from(mona, "case_file", c, "rag", "green", "red"), VERDICT_APPLIED, NULL);
    says(change_from(carla, "case_file", c, "rag", "green", "amber"), VERDICT_MERGED, NULL);
    everybody_pulls();
    says(change_from(mona, "case_file", c, "rag", "red", "blue"), VERDICT_MERGED, NULL);
    assert_true(fake_node_got(mona, "case_file", c));
    fake_node_round(carla);
    assert_true(fake_node_got(carla, "case_file", c));
    fake_node_round(sue);
    assert_true(fake_node_got(sue, "case_file", c));
    assert_int_equal(count_in(RULED("kept = 'amber' AND lost = 'blue' AND "
                                    "kept_by = (SELECT id FROM practitioner WHERE name = 'Carla') AND "
                                    "lost_by = (SELECT id FROM practitioner WHERE name = 'Mona')"),
                              c),
                     1);
    comes_back(mona);
    verifies();
}

/* ------------------------------------------------------------------------------------------- in every order */

enum { CHAINS = 3, EACH = 2, ORDERS = 90 };
static const char roles[] = "sibling<parent<other<carer<child<adult<perpetrator";
static const char *const words[] = {"parent", "carer", "adult", "perpetrator"};

struct history {
    const char *said[CHAINS][EACH];
    int64_t at[CHAINS][EACH]; /* when, in seconds */
    size_t n[CHAINS];
    struct fake_node *by[CHAINS];
};
struct orders {
    uint8_t of[ORDERS][CHAINS * EACH]; /* which chain is next */
    size_t n, length;
};

static void list_orders(const struct history *h, struct orders *o, uint8_t *so_far, size_t length,
                        const size_t at[CHAINS])
{
    bool ended = true;
    for (size_t c = 0; c < CHAINS; c++) {
        size_t then[CHAINS];
        if (at[c] == h->n[c]) continue;
        ended = false;
        memcpy(then, at, sizeof then);
        then[c]++;
        so_far[length] = (uint8_t)c;
        list_orders(h, o, so_far, length + 1, then);
    }
    if (!ended) return;
    assert_true(o->n < ORDERS);
    memcpy(o->of[o->n++], so_far, length);
    o->length = length;
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % below;
}

/* No word is what stood at first, none the one before it, and no two were written in one second. */
static void draw_history(struct history *h, uint64_t *seed)
{
    memset(h, 0, sizeof *h);
    for (size_t c = 0; c < CHAINS; c++) {
        h->n[c] = 1 + draw(seed, EACH);
        for (size_t i = 0; i < h->n[c]; i++) {
            do h->said[c][i] = words[draw(seed, 4)];
            while (i > 0 && h->said[c][i] == h->said[c][i - 1]);
            h->at[c][i] = (int64_t)(i * 100 + draw(seed, 30) * CHAINS + c);
        }
    }
    h->by[0] = carla;
    h->by[1] = paul;
    h->by[2] = sue;
}

/* A case with n people, of whom nobody knows yet what they are to the child. */
static void put_people(uint8_t c[16], uint8_t people[][16], size_t n)
{
    struct fake_edit e;
    shared_case(c);
    fake_edit_start(&e);
    for (size_t i = 0; i < n; i++) {
        struct op p = fake_person(paul, people[i], c, "Smith");
        fake_value(&p, "role", value_str("other"));
        fake_put(&e, &p);
    }
    says(fake_send(paul, &e), VERDICT_APPLIED, NULL);
    everybody_pulls();
}

static void deliver(const struct history *h, const uint8_t order[], size_t length, const uint8_t person[16],
                    int64_t began)
{
    size_t at[CHAINS] = {0};
    for (size_t i = 0; i < length; i++) {
        size_t c = order[i], k = at[c]++;
        struct fake_node *n = h->by[c];
        n->hlc = (uint64_t)(began + h->at[c][k] * 1000) << 16;
        const struct fake_verdict *v =
            change_from(n, "person", person, "role", k == 0 ? "other" : h->said[c][k - 1], h->said[c][k]);
        n->hlc = 0;
        if (v->verdict != VERDICT_APPLIED && v->verdict != VERDICT_MERGED) fail_msg("%s", v->reason);
    }
}

/* Applied, superseded by its own author, or in a conflict. */
static void every_word_is_found(const struct history *h, const uint8_t person[16], const char *stands)
{
    for (size_t c = 0; c < CHAINS; c++) {
        char sql[256];
        const char *last = h->said[c][h->n[c] - 1];
        bool alike = strcmp(last, stands) == 0;
        for (size_t o = 0; o < CHAINS; o++) /* said by another too, who took it back himself */
            for (size_t i = 0; i + 1 < h->n[o]; i++) alike |= o != c && strcmp(h->said[o][i], last) == 0;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM conflict WHERE row_id = $1 AND '%s' IN (kept, lost)",
                       last);
        if (!alike && count_in(sql, person) == 0) fail_msg("what chain %zu said is lost: %s", c, last);
    }
}

static void role_of(const uint8_t person[16], char out[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(hub->hub), "SELECT role FROM person WHERE id = $1", &s, &why), ERR_OK);
    db_bind_id(s, 1, person);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    (void)snprintf(out, 16, "%.*s", (int)db_bytes(s, 0).n, (const char *)db_bytes(s, 0).p);
    db_done(s);
}

static void in_every_order(const struct history *h, bool first_come)
{
    static uint8_t people[ORDERS][16];
    struct orders o = {0};
    uint8_t c[16], so_far[CHAINS * EACH];
    const size_t start[CHAINS] = {0};
    char first[16], now[16];
    list_orders(h, &o, so_far, 0, start);
    put_people(c, people, o.n);
    int64_t began = hub->now + 1000;
    hub->now += 1000000;
    for (size_t i = 0; i < CHAINS; i++) goes_offline(h->by[i]);
    for (size_t i = 0; i < o.n; i++) {
        deliver(h, o.of[i], o.length, people[i], began);
        role_of(people[i], now);
        if (i == 0) memcpy(first, now, sizeof first);
        if (!first_come && strcmp(first, now) != 0) fail_msg("%s stands, in another order %s", first, now);
        every_word_is_found(h, people[i], now);
    }
    for (size_t i = 0; i < CHAINS; i++) comes_back(h->by[i]);
    verifies();
}

static void in_every_order_by(const char *policy, const char *arg, uint64_t seed, int histories)
{
    struct why why = {0};
    assert_int_equal(hub_set_policy(hub->hub, "person", "role", policy, arg, &why), ERR_OK);
    for (int i = 0; i < histories; i++) {
        struct history h;
        draw_history(&h, &seed);
        in_every_order(&h, strcmp(policy, "escalate") == 0);
    }
    assert_int_equal(hub_set_policy(hub->hub, "person", "role", "escalate", NULL, &why), ERR_OK);
}

static void the_graver_stands_in_every_order(void **state)
{
    (void)state;
    in_every_order_by("max", roles, 1, 2);
}
static void the_stricter_stands_in_every_order(void **state)
{
    (void)state;
    in_every_order_by("strictest", "perpetrator<adult<child<carer<other<parent<sibling", 2, 2);
}
static void the_later_stands_in_every_order(void **state)
{
    (void)state;
    in_every_order_by("lww", NULL, 3, 2);
}
static void social_cares_word_stands_in_every_order(void **state)
{
    (void)state;
    in_every_order_by("authority", "social_care", 4, 2);
}
static void where_a_person_must_decide_no_order_loses_a_word(void **state)
{
    (void)state;
    in_every_order_by("escalate", NULL, 5, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_lowers_an_own_rating_does_not_lower_one_that_was_never_seen),
        cmocka_unit_test(a_refusal_stands_though_who_refused_more_takes_that_back),
        cmocka_unit_test(what_two_said_alike_stands_until_both_have_said_otherwise),
        cmocka_unit_test(a_settled_loser_does_not_rise_again),
        cmocka_unit_test(of_two_who_agreed_the_one_does_not_answer_for_the_other),
        cmocka_unit_test(a_word_that_rises_again_is_told_to_all_and_stands_under_its_authors_name),
        cmocka_unit_test(the_graver_stands_in_every_order),
        cmocka_unit_test(the_stricter_stands_in_every_order),
        cmocka_unit_test(the_later_stands_in_every_order),
        cmocka_unit_test(social_cares_word_stands_in_every_order),
        cmocka_unit_test(where_a_person_must_decide_no_order_loses_a_word),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
