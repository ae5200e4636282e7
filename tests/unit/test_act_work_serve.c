/* The pages' acts by which a case is decided: each body as web/API.md has it makes the rows that it names, in one edit,
 * and the hub takes it in; what is missing or of another kind is refused in words, and writes nothing. */
#include "cli/serve.h"
#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---------------------------------------------------------------------------------------------------------- calling */
static struct serve_call call;
static struct json *body;

static void forget(void)
{
    serve_call_end(&call);
    json_free(body);
    body = NULL;
}

static const struct serve_route *route_of(const char *name)
{
    char path[80];
    (void)snprintf(path, sizeof path, "/api/acts/%s", name);
    for (const struct serve_route *r = serve_act_work_routes; r->method != NULL; r++)
        if (strcmp(r->path, path) == 0) return r;
    fail_msg("there is no act '%s'", name);
    return NULL;
}

/* In `form`, CASE, PERSON and ID stand for ids, ANN and POL for people. */
static void fill(char *out, size_t n, const char *form, const struct ends_case *k, const uint8_t *id)
{
    const struct {
        const char *word;
        const uint8_t *id;
    } words[] = {{"CASE", k->c}, {"PERSON", k->person}, {"ID", id}, {"ANN", ann->user}, {"POL", pol->user}};
    size_t at = 0;
    while (*form != '\0' && at + 40 < n) {
        size_t w = 0;
        while (w < 5 && strncmp(form, words[w].word, strlen(words[w].word)) != 0) w++;
        if (w == 5 || words[w].id == NULL) {
            out[at++] = *form++;
            continue;
        }
        uuid_format(words[w].id, out + at);
        at += 36;
        form += strlen(words[w].word);
    }
    assert_true(*form == '\0');
    out[at] = '\0';
}

static enum err act(struct ends_node *n, const char *name, const struct ends_case *k, const uint8_t *id,
                    const char *form)
{
    static const struct http_request none = {0};
    char text[2048];
    const struct serve_route *r = route_of(name);
    forget();
    fill(text, sizeof text, form, k, id);
    assert_string_equal(r->method, "POST");
    assert_int_equal(json_parse(bytes_of_str(text), &body, &work_why), ERR_OK);
    serve_call_begin(&call, n->n, &none, env_now(&ends_hub->env));
    call.body = body;
    work_why = (struct why){0};
    return r->run(&call, &work_why);
}

static void id_said(uint8_t out[16])
{
    const char *text = json_get_str(call.out, "id");
    assert_non_null(text);
    assert_true(uuid_parse(out, bytes_of_str(text)));
}

/* The act was done, says so as every act does, and the hub applies it. */
static void done(struct ends_node *n, const struct ends_case *k, enum err got)
{
    work_applied(n, got);
    assert_int_equal(call.status, 200);
    assert_true(call.changed);
    assert_memory_equal(call.case_id, k->c, 16);
    assert_true(json_get_bool(call.out, "unsent", false));
    assert_false(json_get_bool(call.out, "held", true));
    assert_true(json_has(call.out, "reference"));
    assert_true(json_has(call.out, "notes"));
}

static size_t notes(void)
{
    return json_len(json_get(call.out, "notes"));
}

/* ------------------------------------------------------------------------------------------------ ratings, disputes */
static void a_rating_under_no_dispute_is_decided_by_its_own_id(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    work_access(&k, 1, "check");
    done(sam, &k, act(sam, "rate", &k, NULL, "{\"case_id\":\"CASE\",\"rag\":\"red\",\"reason\":\"A bruise\"}"));
    id_said(id);
    (void)ends_sync(ada, ERR_OK);
    done(ada, &k, act(ada, "dispute-decide", &k, id, "{\"id\":\"ID\",\"state\":\"dismissed\",\"reason\":\"A fall\"}"));
    work_sees(pol, "case_file", k.c, "rag", "amber");
    work_says(pol, "SELECT state FROM challenge WHERE case_id = $1", k.c, "dismissed");
}

static void rating_disputing_and_deciding_about_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    done(sam, &k,
         act(sam, "rate", &k, NULL, "{\"case_id\":\"CASE\",\"rag\":\"red\",\"reason\":\"A bruise\",\"stage\":null}"));
    assert_true(json_get_bool(call.out, "disputed", false));
    assert_false(json_get_bool(call.out, "stands", true));
    assert_true(uuid_parse(id, bytes_of_str(json_get_str(call.out, "challenge_id"))));
    assert_int_equal(notes(), 1);
    (void)ends_sync(ada, ERR_OK);
    done(ada, &k, act(ada, "dispute-decide", &k, id, "{\"id\":\"ID\",\"state\":\"dismissed\",\"reason\":\"A fall\"}"));
    (void)ends_sync(sam, ERR_OK);
    done(sam, &k,
         act(sam, "dispute", &k, NULL,
             "{\"case_id\":\"CASE\",\"about\":\"rating\",\"reason\":\"No fall\",\"to\":\"manager\"}"));
    id_said(id);
    (void)ends_sync(ann, ERR_OK);
    done(ann, &k, act(ann, "dispute-decide", &k, id, "{\"id\":\"ID\",\"state\":\"upheld\",\"reason\":\"Seen\"}"));
    work_sees(sam, "case_file", k.c, "rag", "red");
    done(
        ann, &k,
        act(ann, "rate", &k, NULL, "{\"case_id\":\"CASE\",\"rag\":\"green\",\"reason\":\"Well\",\"stage\":\"final\"}"));
    assert_true(json_get_bool(call.out, "stands", false));
    assert_true(json_has(call.out, "challenge_id"));
    assert_null(json_get_str(call.out, "challenge_id"));
}

static void a_rating_of_who_takes_no_part_any_more_says_that_it_is_held(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_access(&k, 0, "view");
    work_held(pol, act(pol, "rate", &k, NULL, "{\"case_id\":\"CASE\",\"rag\":\"red\",\"reason\":\"Known\"}"));
    assert_true(json_get_bool(call.out, "held", false));
    assert_true(notes() >= 1);
}

/* ------------------------------------------------------------------------------------------------ meeting, decision */
static void a_meeting_then_the_decision_then_closing(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    done(
        ann, &k,
        act(ann, "meeting-add", &k, NULL,
            "{\"case_id\":\"CASE\",\"kind\":\"strategy\",\"held_at\":\"2026-01-05T10:00:00Z\",\"mode\":\"video\",\"chair\":\"Ann\","
            "\"outcome\":\"A visit\",\"attendance\":[{\"practitioner\":\"ANN\",\"present\":true,\"dissent\":null},"
            "{\"practitioner\":\"POL\",\"present\":false,\"dissent\":\"Not enough\"},{\"practitioner\":null,\"dissent\":\"Dr E\"}]}"));
    id_said(id);
    work_says(ann, "SELECT held_at FROM meeting WHERE id = $1", id, "1767607200000");
    work_says(ann, "SELECT count(*) || max(dissent) FROM attendance WHERE meeting_id = $1", id, "3Not enough");
    work_says(ann, "SELECT sum(present) FROM attendance WHERE meeting_id = $1", id, "2");
    done(
        ann, &k,
        act(ann, "decide", &k, NULL,
            "{\"case_id\":\"CASE\",\"decision\":\"No further action\",\"outcome\":\"NFA\",\"nfa\":true,\"closure_reason\":null,"
            "\"rag\":\"green\",\"rag_reason\":\"Seen\",\"close\":false}"));
    assert_int_equal(notes(), 1); /* two agencies have not been told */
    work_says(ann, "SELECT nfa || outcome || rag_reason FROM brief WHERE id = $1", k.c, "1NFASeen");
    done(ann, &k, act(ann, "decide", &k, NULL, "{\"case_id\":\"CASE\",\"close\":true,\"closure_reason\":\"RC8\"}"));
    work_sees(sam, "case_file", k.c, "status", "closed");
}

static void a_partners_meeting_says_that_it_is_held(void **state)
{
    struct ends_case k;
    (void)state;
    work_case(&k);
    work_held(pol, act(pol, "meeting-add", &k, NULL, "{\"case_id\":\"CASE\",\"outcome\":\"Agreed\"}"));
    assert_true(json_get_bool(call.out, "held", false));
    assert_int_equal(notes(), 1);
}

/* ---------------------------------------------------------------------------------------------- feedback, chasing */
static void feedback_to_several_and_its_acknowledgement(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    done(
        ann, &k,
        act(ann, "feedback-send", &k, NULL,
            "{\"case_id\":\"CASE\",\"agencies\":[\"police\",\"school\"],\"body\":\"Closed\",\"to_name\":\"Pat\",\"channel\":null}"));
    assert_int_equal(json_len(json_get(call.out, "ids")), 2);
    id_said(id);
    work_sees(pol, "feedback", id, "body", "Closed");
    done(pol, &k, act(pol, "feedback-ack", &k, id, "{\"id\":\"ID\"}"));
    work_refused(pol, act(pol, "feedback-ack", &k, id, "{\"id\":\"ID\"}"), ERR_EXISTS, "already");
    assert_false(call.changed);
}

static void an_answer_is_asked_for_once_more(void **state)
{
    struct ends_case k;
    struct act_request q = {.to_agency = "police", .question = "Known?"};
    struct act_request_sent sent;
    (void)state;
    work_case(&k);
    q.case_id = k.c;
    work_applied(sam, act_request_send(sam->n, &q, &sent, &work_why));
    work_refused(sam, act(sam, "request-chase", &k, sent.id, "{\"id\":\"ID\"}"), ERR_EXISTS, "ten minutes");
    ends_hub->now += 600000;
    done(sam, &k, act(sam, "request-chase", &k, sent.id, "{\"id\":\"ID\"}"));
}

/* -------------------------------------------------------------------------------------------- plans, actions, workers
 */
static void plans_actions_and_who_works_on_it(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    done(
        pol, &k,
        act(pol, "plan-add", &k, NULL,
            "{\"case_id\":\"CASE\",\"person_id\":\"PERSON\",\"kind\":\"cp\",\"started_at\":\"2026-01-05T10:00:00Z\",\"target_at\":null}"));
    id_said(id);
    done(pol, &k, act(pol, "plan-end", &k, id, "{\"id\":\"ID\",\"ended_at\":null,\"result\":\"Safe\"}"));
    work_says(pol, "SELECT result FROM episode WHERE id = $1", id, "Safe");
    done(
        pol, &k,
        act(pol, "action-add", &k, NULL,
            "{\"case_id\":\"CASE\",\"title\":\"Visit\",\"due_at\":\"2030-01-05T10:00:00Z\",\"sensitive\":true,\"note\":\"At noon\"}"));
    id_said(id);
    work_says(pol, "SELECT sensitive || note FROM action WHERE id = $1", id, "1At noon");
    done(pol, &k, act(pol, "action-set", &k, id, "{\"id\":\"ID\",\"state\":\"cancelled\",\"note\":null}"));
    done(ann, &k,
         act(ann, "allocate", &k, NULL, "{\"case_id\":\"CASE\",\"practitioner\":\"ANN\",\"role\":\"lead worker\"}"));
    id_said(id);
    work_sees(sam, "allocation", id, "role", "lead worker");
}

/* --------------------------------------------------------------------------------------- two versions, held, outbox */
static void conflict_in(const struct ends_case *k, const char *sql, uint8_t out[16])
{
    struct stmt *s = NULL;
    bool row = false;
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(db_prepare(node_db(ann->n), sql, &s, NULL), ERR_OK);
    db_bind_id(s, 1, k->c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, out));
    db_done(s);
}

static void two_versions_of_a_time_are_settled_with_a_third(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    work_case(&k);
    for (int i = 0; i < 2; i++) {
        struct ends_node *n = i == 0 ? ann : ada;
        ends_begin(n);
        ends_set(n, "case_file", k.c, "hold_until", value_int(1000 + i));
        (void)ends_commit(n);
    }
    ends_all_sync();
    ends_all_sync();
    conflict_in(&k, "SELECT id FROM conflict WHERE case_id = $1", id);
    work_refused(
        ann,
        act(ann, "conflict-settle", &k, id, "{\"id\":\"ID\",\"keep\":\"value\",\"value\":\"soon\",\"reason\":\"So\"}"),
        ERR_USAGE, "does not fit");
    done(ann, &k,
         act(ann, "conflict-settle", &k, id,
             "{\"id\":\"ID\",\"keep\":\"value\",\"value\":\"2026-01-05T10:00:00Z\",\"reason\":\"Rang both\"}"));
    work_says(ann, "SELECT hold_until FROM case_file WHERE id = $1", k.c, "1767607200000");
}

static void held_work_is_accepted_or_dismissed_and_taken_back(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    static const char one[] = "SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'";
    (void)state;
    work_case(&k);
    for (int i = 0; i < 2; i++) {
        (void)ends_sync(pol, ERR_OK); /* the verdict on the one before */
        work_held(pol, act(pol, "meeting-add", &k, NULL, "{\"case_id\":\"CASE\",\"outcome\":\"Agreed\"}"));
        conflict_in(&k, one, id);
        if (i == 0)
            done(ann, &k, act(ann, "held-accept", &k, id, "{\"id\":\"ID\",\"reason\":\"They chaired it\"}"));
        else
            done(ann, &k, act(ann, "held-dismiss", &k, id, "{\"id\":\"ID\",\"reason\":\"Twice\"}"));
    }
    work_says(ann, "SELECT count(*) FROM meeting WHERE case_id = $1", k.c, "1");
    (void)ends_sync(pol, ERR_OK);
    work_held(pol, act(pol, "meeting-add", &k, NULL, "{\"case_id\":\"CASE\",\"outcome\":\"Agreed\"}"));
    conflict_in(&k, one, id);
    uint64_t seq = 0;
    char form[64];
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(node_outbox_of_held(pol->n, id, &seq, &work_why), ERR_OK);
    (void)snprintf(form, sizeof form, "{\"seq\":%llu}", (unsigned long long)seq);
    assert_int_equal(act(pol, "outbox-discard", &k, NULL, form), ERR_OK);
    assert_true(json_get_bool(call.out, "withdrawn", false));
    (void)ends_sync(pol, ERR_OK);
    work_sees(ann, "held", id, "state", "withdrawn");
}

/* -------------------------------------------------------------------------------------------------------- refusals */
static void what_is_missing_or_of_another_kind_is_refused_in_words(void **state)
{
    static const struct {
        const char *name, *form;
        enum err want;
        const char *words;
    } bad[] = {
        {"rate", "{\"rag\":\"red\",\"reason\":\"So\"}", ERR_USAGE, "case_id"},
        {"rate", "{\"case_id\":\"CASE\",\"rag\":\"red\"}", ERR_USAGE, "Say why"},
        {"rate", "{\"case_id\":\"CASE\",\"rag\":7,\"reason\":\"So\"}", ERR_USAGE, "'rag' takes a text"},
        {"rate", "{\"case_id\":\"CASE\",\"rag\":\"red\",\"reason\":[\"So\"]}", ERR_USAGE, "takes a text"},
        {"rate", "{\"case_id\":\"nowhere\",\"rag\":\"red\",\"reason\":\"So\"}", ERR_USAGE, "case_id"},
        {"rate", "{\"case_id\":\"PERSON\",\"rag\":\"red\",\"reason\":\"So\"}", ERR_NOTFOUND, "no case"},
        {"dispute", "{\"case_id\":\"CASE\",\"about\":\"all\",\"reason\":\"So\"}", ERR_USAGE, "about the rating"},
        {"dispute-decide", "{\"id\":\"CASE\",\"state\":\"upheld\",\"reason\":\"So\"}", ERR_NOTFOUND, "no dispute"},
        {"dispute-decide", "{\"state\":\"upheld\",\"reason\":\"So\"}", ERR_USAGE, "'id'"},
        {"meeting-add", "{\"case_id\":\"CASE\",\"outcome\":\"A\",\"attendance\":\"all\"}", ERR_USAGE, "is a list"},
        {"meeting-add", "{\"case_id\":\"CASE\",\"outcome\":\"A\",\"attendance\":[{\"practitioner\":7}]}", ERR_USAGE,
         "text"},
        {"meeting-add",
         "{\"case_id\":\"CASE\",\"outcome\":\"A\",\"attendance\":[{\"practitioner\":\"ANN\",\"present\":\"yes\"}]}",
         ERR_USAGE, "true or false"},
        {"meeting-add", "{\"case_id\":\"CASE\",\"outcome\":\"A\",\"held_at\":\"yesterday\"}", ERR_USAGE,
         "takes a time"},
        {"decide", "{\"case_id\":\"CASE\",\"decision\":\"A\",\"outcome\":\"NFA\",\"nfa\":\"yes\"}", ERR_USAGE,
         "true or false"},
        {"decide", "{\"case_id\":\"CASE\",\"decision\":\"A\",\"outcome\":\"NFA\",\"close\":1}", ERR_USAGE,
         "true or false"},
        {"decide", "{\"case_id\":\"CASE\",\"decision\":\"  \",\"outcome\":\"NFA\"}", ERR_USAGE, "what was decided"},
        {"feedback-send", "{\"case_id\":\"CASE\",\"agencies\":\"police\",\"body\":\"A\"}", ERR_USAGE, "is a list"},
        {"feedback-send", "{\"case_id\":\"CASE\",\"agencies\":[7],\"body\":\"A\"}", ERR_USAGE, "list of texts"},
        {"feedback-send", "{\"case_id\":\"CASE\",\"agencies\":[],\"body\":\"A\"}", ERR_USAGE, "which agencies"},
        {"feedback-send", "{\"case_id\":\"CASE\",\"agencies\":[\"police\"],\"body\":\"\"}", ERR_USAGE,
         "what came of it"},
        {"feedback-ack", "{\"id\":\"CASE\"}", ERR_NOTFOUND, "no feedback"},
        {"plan-add", "{\"case_id\":\"CASE\",\"kind\":null}", ERR_USAGE, "what kind"},
        {"plan-add", "{\"case_id\":\"CASE\",\"kind\":\"cp\",\"target_at\":7}", ERR_USAGE, "text"},
        {"plan-end", "{\"id\":\"CASE\"}", ERR_NOTFOUND, "no plan"},
        {"action-add", "{\"case_id\":\"CASE\",\"title\":\"A\",\"sensitive\":\"no\"}", ERR_USAGE, "true or false"},
        {"action-set", "{\"id\":\"CASE\",\"state\":\"done\"}", ERR_NOTFOUND, "no action"},
        {"allocate", "{\"case_id\":\"CASE\"}", ERR_USAGE, "practitioner"},
        {"request-chase", "{\"id\":\"CASE\"}", ERR_NOTFOUND, "no request"},
        {"conflict-settle", "{\"id\":\"CASE\",\"keep\":\"kept\",\"reason\":\"A\"}", ERR_NOTFOUND, "no such pair"},
        {"held-accept", "{\"id\":\"CASE\"}", ERR_NOTFOUND, "nothing held"},
        {"held-dismiss", "{\"id\":null}", ERR_USAGE, "'id'"},
        {"outbox-discard", "{}", ERR_USAGE, "seq"},
        {"outbox-discard", "{\"seq\":\"1\"}", ERR_USAGE, "seq"},
        {"outbox-discard", "{\"seq\":-1}", ERR_USAGE, "seq"},
    };
    struct ends_case k;
    (void)state;
    work_case(&k);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum err got = act(ann, bad[i].name, &k, NULL, bad[i].form);
        if (got != bad[i].want) print_error("%s %s\n", bad[i].name, bad[i].form);
        work_refused(ann, got, bad[i].want, bad[i].words);
        assert_false(call.changed);
        assert_null(call.out);
    }
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rating_under_no_dispute_is_decided_by_its_own_id),
        cmocka_unit_test(rating_disputing_and_deciding_about_it),
        cmocka_unit_test(a_rating_of_who_takes_no_part_any_more_says_that_it_is_held),
        cmocka_unit_test(a_meeting_then_the_decision_then_closing),
        cmocka_unit_test(a_partners_meeting_says_that_it_is_held),
        cmocka_unit_test(feedback_to_several_and_its_acknowledgement),
        cmocka_unit_test(an_answer_is_asked_for_once_more),
        cmocka_unit_test(plans_actions_and_who_works_on_it),
        cmocka_unit_test(two_versions_of_a_time_are_settled_with_a_third),
        cmocka_unit_test(held_work_is_accepted_or_dismissed_and_taken_back),
        cmocka_unit_test(what_is_missing_or_of_another_kind_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, work_start, work_stop);
}
