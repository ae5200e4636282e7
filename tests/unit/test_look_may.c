/* Which acts a case offers, on real devices at a real hub: what is offered the hub takes, what is not it holds. */
#include "node/act_case.h"
#include "node/look.h"
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool may(struct ends_node *n, const struct ends_case *k, const char *act)
{
    struct json *c = NULL;
    if (look_case(n->n, k->c, &c, &work_why) != ERR_OK) fail_msg("%s", work_why.text);
    struct json *list = json_get(c, "may");
    bool v = json_get_bool(list, act, false);
    if (v != json_get_bool(list, act, true)) fail_msg("%s is neither offered nor not", act);
    json_free(c);
    return v;
}

static void access_is(struct ends_node *n, const struct ends_case *k, const char *want)
{
    struct json *c = NULL;
    if (look_case(n->n, k->c, &c, &work_why) != ERR_OK) fail_msg("%s", work_why.text);
    assert_string_equal(json_get_str(c, "access"), want);
    json_free(c);
}

/* One act of each kind: what anybody adds who takes part, what those add who contribute, what who decides does. */
static enum err rate(struct ends_node *n, const struct ends_case *k)
{
    struct act_rated out;
    return act_rate(n->n, &(struct act_rate){.case_id = k->c, .rag = "amber", .reason = "As before"}, &out, &work_why);
}
static enum err plan(struct ends_node *n, const struct ends_case *k)
{
    uint8_t id[16];
    return act_plan_add(n->n, &(struct act_plan){.case_id = k->c, .kind = "cin"}, id, &work_why);
}
static enum err meet(struct ends_node *n, const struct ends_case *k)
{
    uint8_t id[16];
    return act_meeting_add(n->n, &(struct act_meeting){.case_id = k->c, .kind = "mash", .outcome = "All agree"}, id,
                           &work_why);
}

static void offered(struct ends_node *n, const struct ends_case *k, const char *name, bool want,
                    enum err (*act)(struct ends_node *n, const struct ends_case *k))
{
    if (may(n, k, name) != want) fail_msg("%s is %s", name, want ? "not offered" : "offered");
    enum err got = act(n, k);
    if (want)
        work_applied(n, got);
    else
        work_held(n, got);
}

static void may_offers_what_the_hub_takes_of_who_contributes(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    access_is(pol, &k, "contribute");
    offered(pol, &k, "rate", true, rate);
    offered(pol, &k, "plan-add", true, plan);
    offered(pol, &k, "meeting-add", false, meet);
    assert_false(may(pol, &k, "decide"));
    assert_false(may(pol, &k, "held-accept"));
}

static void may_offers_what_the_hub_takes_of_who_only_checks(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_access(&k, 1, "check");
    access_is(sam, &k, "check");
    offered(sam, &k, "rate", true, rate);
    offered(sam, &k, "plan-add", false, plan);
    assert_true(may(sam, &k, "record-add"));
    assert_false(may(sam, &k, "request-send"));
}

static void may_offers_nothing_to_add_to_who_only_reads(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_access(&k, 1, "view");
    access_is(sam, &k, "view");
    assert_false(may(sam, &k, "record-add"));
    assert_false(may(sam, &k, "dispute"));
    offered(sam, &k, "plan-add", false, plan);
}

static void may_offers_what_the_hub_takes_of_who_leads(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    offered(ada, &k, "meeting-add", true, meet);
    offered(ann, &k, "plan-add", true, plan);
    assert_true(may(ann, &k, "decide"));
    assert_true(may(ann, &k, "case-share"));
}

static void held_work_is_offered_to_the_areas_manager_alone(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    assert_false(may(ann, &k, "held-accept")); /* there is none */
    work_held(pol, meet(pol, &k));
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(ada, ERR_OK);
    (void)ends_sync(pol, ERR_OK);
    assert_true(may(ann, &k, "held-accept"));
    assert_false(may(ada, &k, "held-accept"));
    assert_false(may(pol, &k, "held-accept"));
}

static void a_question_is_offered_to_whom_it_was_put(void **state)
{
    struct ends_case k;
    struct act_request_sent sent;
    (void)state;
    work_case(&k);
    work_applied(ann, act_request_send(
                          ann->n, &(struct act_request){.case_id = k.c, .to_agency = pol->agency, .question = "Known?"},
                          &sent, &work_why));
    (void)ends_sync(pol, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
    assert_true(may(pol, &k, "request-answer"));
    assert_false(may(pol, &k, "request-chase"));
    assert_false(may(sam, &k, "request-answer"));
    assert_true(may(ann, &k, "request-chase"));
    assert_false(may(ann, &k, "request-answer"));
    work_applied(pol,
                 act_request_answer(pol->n, &(struct act_answer){.request = sent.id, .result = "known"}, &work_why));
    assert_false(may(pol, &k, "request-answer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(may_offers_what_the_hub_takes_of_who_contributes),
        cmocka_unit_test(may_offers_what_the_hub_takes_of_who_only_checks),
        cmocka_unit_test(may_offers_nothing_to_add_to_who_only_reads),
        cmocka_unit_test(may_offers_what_the_hub_takes_of_who_leads),
        cmocka_unit_test(held_work_is_offered_to_the_areas_manager_alone),
        cmocka_unit_test(a_question_is_offered_to_whom_it_was_put),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
