/* Asking to be told, and telling: what the owner was shown is what goes, to whom, and nothing else. */
#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USER   "03030303-0303-0303-0303-030303030303"
#define DAY_MS 86400000

static int64_t now(const struct act_world *a)
{
    return env_now(&a->w.env);
}

/* --------------------------------------------------------------------------------------------------- releases */
static enum err ask_release(struct act_world *a, const char *holder, const char *reason, int pointer, uint8_t id[16],
                            bool *outsider)
{
    struct act_ask in = {
        .case_id = a->id[CASE], .holder = holder, .reason = reason, .pointer = pointer != 0 ? a->id[pointer] : NULL};
    return act_release_ask(a->n, &in, id, outsider, &a->why);
}

static void asking_for_a_release_tells_the_holder_who_asks_and_why(void **state)
{
    struct act_world a;
    uint8_t id[16];
    bool outsider = true;
    (void)state;
    act_world_new(&a);
    act_done(&a, ask_release(&a, "police", "Strategy meeting", POINTER, id, &outsider));
    assert_false(outsider);
    act_is_text(&a, "release", id, "state", "asked");
    act_is_text(&a, "release", id, "agency", "health");
    act_is_text(&a, "release", id, "to_agency", "police");
    act_is_text(&a, "release", id, "reason", "Strategy meeting");
    act_is_text(&a, "release", id, "asked_by", USER);
    act_is_text(&a, "release", id, "decided_by", "");
    act_done(&a, ask_release(&a, "school", "Strategy meeting", 0, id, &outsider));
    assert_true(outsider);
    act_refused(&a, ask_release(&a, "care", "Meeting", POINTER, id, &outsider), ERR_USAGE, "wrote that pointer");
    act_refused(&a, ask_release(&a, "police", " ", 0, id, &outsider), ERR_USAGE, "what you need it for");
    act_refused(&a, ask_release(&a, "health", "Meeting", 0, id, &outsider), ERR_USAGE, "your own agency");
    act_refused(&a, ask_release(&a, "police", "Meeting", FIRST_FREE, id, &outsider), ERR_NOTFOUND, "no pointer");
    act_world_free(&a);
}

static void a_device_that_cannot_know_who_takes_part_says_nothing_of_it(void **state)
{
    struct act_world a;
    uint8_t id[16];
    bool outsider = true;
    (void)state;
    act_world_new(&a);
    struct act_ask in = {.case_id = a.id[CHECKED_CASE], .holder = "police", .reason = "Meeting"};
    act_done(&a, act_release_ask(a.n, &in, id, &outsider, &a.why));
    assert_false(outsider);
    in.pointer = a.id[POINTER];
    act_refused(&a, act_release_ask(a.n, &in, id, &outsider, &a.why), ERR_USAGE, "another case");
    act_world_free(&a);
}

static void a_question_is_taken_back_by_who_asked_it_and_what_was_told_is_not(void **state)
{
    struct act_world a;
    uint8_t id[16];
    bool outsider = false;
    (void)state;
    act_world_new(&a);
    act_done(&a, ask_release(&a, "police", "Meeting", 0, id, &outsider));
    act_done(&a, act_release_cancel(a.n, id, &a.why));
    act_is_text(&a, "release", id, "state", "expired");
    act_refused(&a, act_release_cancel(a.n, id, &a.why), ERR_EXISTS, "nothing to take back");
    act_refused(&a, act_release_cancel(a.n, a.id[ASK_US], &a.why), ERR_DENIED, "Only the one that asked");
    struct act_grant in = {.record = a.id[OPEN_RECORD], .to_agency = "police", .how = "spoken"};
    act_done(&a, act_release_grant(a.n, &in, id, &a.why));
    act_refused(&a, act_release_cancel(a.n, id, &a.why), ERR_USAGE, "mark it as written by mistake");
    act_world_free(&a);
}

static struct act_grant telling(struct act_world *a, int record, const char *agency, const char *how)
{
    return (struct act_grant){.record = a->id[record], .to_agency = agency, .how = how};
}

/* A preview, its grant, and the row that went: the same in every word. */
static void tell(struct act_world *a, struct act_grant *in, uint8_t id[16], struct act_preview *p)
{
    static const char *const columns[] = {"title", "body", "conditions", "expires_at"};
    struct buf text;
    assert_int_equal(act_release_preview(a->n, in, p, &a->why), ERR_OK);
    in->shown = p->shown;
    act_done(a, act_release_grant(a->n, in, id, &a->why));
    const struct value shown[] = {p->title, p->body, p->conditions, p->until};
    for (size_t i = 0; i < 4; i++) {
        buf_init(&text, 4096);
        assert_int_equal(value_to_text(shown[i], &text), ERR_OK);
        act_is_text(a, "release", id, columns[i], text.len != 0 ? buf_cstr(&text) : "");
        buf_release(&text);
    }
    act_is_text(a, "release", id, "to_agency", in->to_agency);
    act_is_text(a, "release", id, "agency", "health");
    act_is_text(a, "release", id, "state", "granted");
    act_is_text(a, "release", id, "how", in->how);
    act_is_text(a, "release", id, "decided_by", USER);
    act_is_text(a, "release", id, "reason", "");
}

static void a_record_told_whole_is_the_copy_that_was_shown_with_conditions_and_end(void **state)
{
    struct act_world a;
    struct act_preview p;
    uint8_t id[16];
    char got[256], want[37];
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, OPEN_RECORD, "police", "whole");
    in.conditions = "For the interview only";
    in.until = now(&a) + DAY_MS;
    tell(&a, &in, id, &p);
    act_is_text(&a, "release", id, "title", "Visit");
    act_is_text(&a, "release", id, "body", "First line\nSecond line");
    act_is_text(&a, "release", id, "conditions", "For the interview only");
    assert_false(p.waits || p.sensitive || p.restricted || p.outsider);
    assert_true(p.handling.kind == VALUE_TEXT); /* told to the owner, not to them */
    uuid_format(a.id[OPEN_RECORD], want);
    assert_string_equal(act_ask(&a, "SELECT record_id FROM release_source WHERE release_id = $1", id, got), want);
    act_preview_release(&p);
    /* Frozen: the record goes on, the copy does not. */
    (void)mock_set(a.n, "record", a.id[OPEN_RECORD], "body", "Changed");
    act_is_text(&a, "release", id, "body", "First line\nSecond line");
    act_world_free(&a);
}

static void a_redacted_release_has_the_owners_words_and_nothing_of_the_record(void **state)
{
    struct act_world a;
    struct act_preview p;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, OWN_RECORD, "school", "redacted");
    in.redacted = bytes_of_str("Keep him in school today.");
    tell(&a, &in, id, &p);
    act_is_text(&a, "release", id, "title", "Redacted");
    act_is_text(&a, "release", id, "body", "Keep him in school today.");
    assert_true(p.restricted && p.outsider);
    act_preview_release(&p);
    in.title = "For the head teacher";
    in.shown = NULL;
    tell(&a, &in, id, &p);
    act_is_text(&a, "release", id, "title", "For the head teacher");
    act_preview_release(&p);
    act_world_free(&a);
}

static void what_was_told_in_person_is_recorded_without_any_text(void **state)
{
    struct act_world a;
    struct act_preview p;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, WAITING_RECORD, "police", "spoken");
    tell(&a, &in, id, &p);
    act_is_text(&a, "release", id, "title", "");
    act_is_text(&a, "release", id, "body", "");
    assert_true(p.waits);
    act_preview_release(&p);
    in = telling(&a, FREE_RECORD, "police", "spoken");
    assert_int_equal(act_release_preview(a.n, &in, &p, &a.why), ERR_OK);
    assert_true(p.sensitive && !p.waits);
    act_preview_release(&p);
    act_world_free(&a);
}

static enum err grant(struct act_world *a, const struct act_grant *in)
{
    uint8_t id[16];
    struct act_preview p;
    enum err shown = act_release_preview(a->n, in, &p, &a->why);
    act_preview_release(&p);
    enum err e = act_release_grant(a->n, in, id, &a->why);
    assert_int_equal(e, shown); /* nobody agrees to what is refused then */
    return e;
}

static void only_the_owner_tells_and_only_what_makes_sense(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, POLICE_RECORD, "care", "whole");
    act_refused(&a, grant(&a, &in), ERR_DENIED, "Only its owner decides");
    in = telling(&a, VOID_RECORD, "care", "whole");
    act_refused(&a, grant(&a, &in), ERR_DENIED, "mistake");
    in = telling(&a, FIRST_FREE, "care", "whole");
    act_refused(&a, grant(&a, &in), ERR_NOTFOUND, "no record");
    in = telling(&a, OPEN_RECORD, "car", "whole");
    act_refused(&a, grant(&a, &in), ERR_NOTFOUND, "no agency");
    in = telling(&a, OPEN_RECORD, "health", "whole");
    act_refused(&a, grant(&a, &in), ERR_USAGE, "your own agency");
    in = telling(&a, OPEN_RECORD, "care", "redacted");
    in.redacted = bytes_of_str(" \n\t");
    act_refused(&a, grant(&a, &in), ERR_USAGE, "empty");
    in = telling(&a, OPEN_RECORD, "care", "whole");
    in.title = "Mine";
    act_refused(&a, grant(&a, &in), ERR_USAGE, "title of its own");
    in = telling(&a, OPEN_RECORD, "care", "whole");
    in.until = now(&a) - 1;
    act_refused(&a, grant(&a, &in), ERR_USAGE, "past");
    act_world_free(&a);
}

static void telling_answers_the_question_in_the_same_edit(void **state)
{
    struct act_world a;
    struct act_preview p;
    uint8_t id[16];
    char got[256];
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, OPEN_RECORD, "care", "whole");
    in.ask = a.id[ASK_US];
    tell(&a, &in, id, &p);
    act_preview_release(&p);
    act_is_text(&a, "release", a.id[ASK_US], "state", "granted");
    act_is_text(&a, "release", a.id[ASK_US], "decided_by", USER);
    assert_string_equal(act_ask(&a,
                                "SELECT a.decided_at = r.decided_at FROM release a, release r WHERE a.asked_by IS NOT"
                                " NULL AND a.state = 'granted' AND r.id = $1",
                                id, got),
                        "1");
    act_is_text(&a, "release", a.id[ASK_US], "reason", "Meeting"); /* the asker's words are not the owner's to change */
    act_is_text(&a, "release", a.id[ASK_US], "body", "");
    in.shown = NULL;
    act_refused(&a, grant(&a, &in), ERR_EXISTS, "answered this already");
    act_world_free(&a);
}

static void an_answer_goes_to_who_asked_and_about_what_was_asked(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, OPEN_RECORD, "police", "whole");
    in.ask = a.id[ASK_US];
    act_refused(&a, grant(&a, &in), ERR_USAGE, "asked for that");
    in.to_agency = "care";
    in.ask = a.id[ASK_SECRET];
    act_refused(&a, grant(&a, &in), ERR_USAGE, "another case");
    in.ask = a.id[ASK_POLICE];
    act_refused(&a, grant(&a, &in), ERR_DENIED, "not asked of your agency");
    in.ask = a.id[TOLD_US];
    act_refused(&a, grant(&a, &in), ERR_USAGE, "not a question");
    in.ask = a.id[FIRST_FREE];
    act_refused(&a, grant(&a, &in), ERR_NOTFOUND, "no such question");
    act_world_free(&a);
}

static void nothing_is_told_that_changed_after_it_was_shown(void **state)
{
    struct act_world a;
    struct act_preview p;
    uint8_t id[16];
    (void)state;
    act_world_new(&a);
    struct act_grant in = telling(&a, OPEN_RECORD, "police", "whole");
    assert_int_equal(act_release_preview(a.n, &in, &p, &a.why), ERR_OK);
    (void)mock_set(a.n, "record", a.id[OPEN_RECORD], "body", "Names the informant");
    act_mark(&a);
    in.shown = p.shown;
    act_refused(&a, act_release_grant(a.n, &in, id, &a.why), ERR_FAILED, "has changed since you saw");
    in.record = a.id[FREE_RECORD];
    act_refused(&a, act_release_grant(a.n, &in, id, &a.why), ERR_FAILED, "has changed since you saw");
    act_preview_release(&p);
    act_world_free(&a);
}

static void refusing_tells_the_reason_in_a_row_of_its_own(void **state)
{
    struct act_world a;
    char got[256];
    (void)state;
    act_world_new(&a);
    act_refused(&a, act_release_refuse(a.n, a.id[ASK_US], " ", &a.why), ERR_USAGE, "Say why");
    act_refused(&a, act_release_refuse(a.n, a.id[ASK_POLICE], "no", &a.why), ERR_DENIED, "not asked of your agency");
    act_refused(&a, act_release_refuse(a.n, a.id[TOLD_US], "no", &a.why), ERR_USAGE, "not a question");
    act_done(&a, act_release_refuse(a.n, a.id[ASK_US], "Ongoing inquiry", &a.why));
    act_is_text(&a, "release", a.id[ASK_US], "state", "refused");
    act_is_text(&a, "release", a.id[ASK_US], "reason", "Meeting");
    assert_string_equal(act_ask(&a,
                                "SELECT agency || to_agency || state || reason FROM release WHERE case_id = $1 AND"
                                " asked_by IS NULL AND agency = 'health'",
                                a.id[CASE], got),
                        "healthcarerefusedOngoing inquiry");
    act_refused(&a, act_release_refuse(a.n, a.id[ASK_US], "no", &a.why), ERR_EXISTS, "already");
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_for_a_release_tells_the_holder_who_asks_and_why),
        cmocka_unit_test(a_question_is_taken_back_by_who_asked_it_and_what_was_told_is_not),
        cmocka_unit_test(a_device_that_cannot_know_who_takes_part_says_nothing_of_it),
        cmocka_unit_test(a_record_told_whole_is_the_copy_that_was_shown_with_conditions_and_end),
        cmocka_unit_test(a_redacted_release_has_the_owners_words_and_nothing_of_the_record),
        cmocka_unit_test(what_was_told_in_person_is_recorded_without_any_text),
        cmocka_unit_test(only_the_owner_tells_and_only_what_makes_sense),
        cmocka_unit_test(telling_answers_the_question_in_the_same_edit),
        cmocka_unit_test(an_answer_goes_to_who_asked_and_about_what_was_asked),
        cmocka_unit_test(nothing_is_told_that_changed_after_it_was_shown),
        cmocka_unit_test(refusing_tells_the_reason_in_a_row_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
