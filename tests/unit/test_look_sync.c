/* What a device says of its contact with the MASH, on real devices at a real hub; and what it was replied. */
#include "node/look_list.h"
#include "node/look_reply.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json *sync_of(struct ends_node *n)
{
    struct json *out = NULL;
    struct why why = {0};
    enum err e = look_sync(n->n, &out, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    return out;
}

static void open_case(struct ends_node *n, const char *rag, uint8_t c[16])
{
    env_new_id(&n->f->env, c);
    ends_begin(n);
    struct row file = ends_row(n, "case_file", c, c);
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    ends_text(&file, "rag", rag);
    ends_text(&file, "reference", "C-QQQQQQQQ");
    ends_put(n, &file);
    (void)ends_commit(n);
}

static bool names(struct json *sync, const uint8_t c[16])
{
    char want[37];
    struct json *red = json_get(sync, "red_unsent");
    uuid_format(c, want);
    for (size_t i = 0; i < json_len(red); i++)
        if (strcmp(json_get_str(json_at(red, i), "case_id"), want) == 0) return true;
    return false;
}

static void an_unsent_red_referral_is_named_until_the_hub_has_it(void **state)
{
    uint8_t red[16], amber[16];
    struct buf request;
    (void)state;
    ends_all_sync();
    open_case(pol, "red", red);
    open_case(pol, "amber", amber);
    struct json *s = sync_of(pol);
    assert_true(names(s, red));
    assert_false(names(s, amber));
    assert_string_equal(json_get_str(json_at(json_get(s, "red_unsent"), 0), "reference"), "C-QQQQQQQQ");
    assert_int_equal(json_get_int(s, "unsent", 0), 2);
    assert_non_null(json_get_str(s, "oldest_unsent"));
    json_free(s);
    buf_init(&request, 64u << 20); /* on its way by USB stick: the MASH does not have it yet */
    ends_export(pol, &request);
    s = sync_of(pol);
    assert_true(names(s, red));
    json_free(s);
    (void)ends_import(pol, buf_bytes(&request));
    (void)ends_sync(pol, ERR_OK);
    s = sync_of(pol);
    assert_false(names(s, red));
    assert_int_equal(json_get_int(s, "unsent", -1), 0);
    assert_non_null(json_get_str(s, "last_contact"));
    json_free(s);
    buf_release(&request);
}

/* Its first change could not be read back: it stands beside what was written again until the MASH has heard of it. */
static void one_that_was_written_again_is_named_once(void **state)
{
    uint8_t red[16];
    struct buf request;
    (void)state;
    ends_all_sync();
    open_case(pol, "red", red);
    assert_int_equal(db_exec(node_db(pol->n), "UPDATE n_content SET item = x'00'", NULL), ERR_OK);
    buf_init(&request, 64u << 20);
    ends_export(pol, &request);
    struct json *s = sync_of(pol);
    assert_true(names(s, red));
    assert_int_equal(json_len(json_get(s, "red_unsent")), 1);
    json_free(s);
    (void)ends_import(pol, buf_bytes(&request));
    s = sync_of(pol);
    assert_int_equal(json_len(json_get(s, "red_unsent")), 0);
    json_free(s);
    buf_release(&request);
}

static void each_change_says_in_which_case_it_is(void **state)
{
    struct ends_case k;
    char want[37];
    (void)state;
    ends_case(&k);
    (void)ends_write(ann, "person", k.person, "family_name", "Smyth");
    struct json *s = sync_of(ann), *first = json_at(json_get(s, "outbox"), 0);
    uuid_format(k.c, want);
    assert_string_equal(json_get_str(first, "state"), "unsent"); /* what waits comes first */
    assert_string_equal(json_get_str(first, "kept"), "text");
    assert_string_equal(json_get_str(first, "case_id"), want);
    json_free(s);
    (void)ends_sync(ann, ERR_OK);
    s = sync_of(ann);
    first = json_at(json_get(s, "outbox"), 0);
    assert_string_equal(json_get_str(first, "state"), "applied");
    assert_string_equal(json_get_str(first, "case_id"), want); /* also when its text is gone */
    assert_string_equal(json_get_str(first, "kept"), "sealed"); /* no backup of the hub has it yet */
    json_free(s);
}

static void of_a_case_that_was_taken_away_not_even_its_number_stays(void **state)
{
    struct ends_case k;
    char id[37];
    struct buf text;
    (void)state;
    ends_case(&k);
    ends_begin(sam);
    uint8_t person[16];
    ends_person(sam, k.c, person, "Jones");
    ends_send(sam);
    ends_all_sync();
    (void)ends_write(ann, "participant", k.parts[1], "access", "none");
    ends_all_sync();
    ends_all_sync();
    struct stmt *q = NULL;
    bool row = false;
    assert_int_equal(db_prepare(node_db(sam->n), "SELECT 1 FROM case_file WHERE id = $1", &q, NULL), ERR_OK);
    db_bind_id(q, 1, k.c);
    assert_int_equal(db_step(q, &row, NULL), ERR_OK);
    db_done(q);
    assert_false(row);
    struct json *s = sync_of(sam);
    buf_init(&text, 1u << 20);
    assert_int_equal(json_write(s, &text, NULL), ERR_OK);
    uuid_format(k.c, id);
    assert_null(strstr(buf_cstr(&text), id));
    buf_release(&text);
    json_free(s);
}

/* ------------------------------------------------------------------------------------------------ who sees what */
static void another_sites_requests_never_appear(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    struct json *out = NULL;
    char text[37];
    (void)state;
    ends_case(&k);
    env_new_id(&ends_hub->env, id);
    ends_begin(ann);
    struct row q = ends_row(ann, "request", id, k.c);
    ends_text(&q, "to_agency", "police");
    ends_text(&q, "question", "Any calls?");
    ends_text(&q, "state", "open");
    ends_put(ann, &q);
    ends_send(ann);
    ends_all_sync();
    struct ends_node *const sees[] = {ann, ada, pol, pat, sam};
    uuid_format(id, text);
    for (size_t i = 0; i < 5; i++) {
        bool there = false;
        assert_int_equal(look_requests(sees[i]->n, LOOK_BOTH, false, &out, NULL), ERR_OK);
        struct json *rows = json_get(out, "requests");
        for (size_t r = 0; r < json_len(rows); r++)
            there = there || strcmp(json_get_str(json_at(rows, r), "id"), text) == 0;
        assert_int_equal(there, sees[i] != sam);
        json_free(out);
    }
}

static void held_work_is_its_authors_own_and_can_be_taken_back_where_it_was_written(void **state)
{
    struct ends_case k;
    struct json *out = NULL;
    (void)state;
    ends_case(&k);
    (void)ends_write(ann, "participant", k.parts[1], "access", "view");
    (void)ends_sync(ann, ERR_OK);
    ends_begin(sam); /* has not heard of it */
    uint8_t person[16];
    ends_person(sam, k.c, person, "Jones");
    uint64_t seq = ends_commit(sam);
    assert_int_equal(ends_sync(sam, ERR_OK).held, 1);
    ends_all_sync();
    assert_int_equal(look_held(sam->n, false, &out, NULL), ERR_OK);
    struct json *rows = json_get(out, "held"), *mine = json_at(rows, json_len(rows) - 1);
    assert_true(json_get_bool(mine, "mine", false));
    assert_int_equal(json_get_int(mine, "seq", 0), (int64_t)seq);
    assert_false(json_get_bool(mine, "may_decide", true));
    json_free(out);
    assert_int_equal(look_held(ann->n, false, &out, NULL), ERR_OK);
    rows = json_get(out, "held");
    mine = json_at(rows, json_len(rows) - 1);
    assert_true(json_get_bool(mine, "may_decide", false)); /* ann is north's manager */
    assert_false(json_get_bool(mine, "mine", true));
    assert_true(json_has(mine, "seq") && json_get_int(mine, "seq", -1) == -1);
    json_free(out);
    ends_accept(k.c);
}

/* ---------------------------------------------------------------------------------------------------- replies */
static void why_something_is_here_is_told_in_sentences(void **state)
{
    struct ends_case k;
    struct json *out = NULL;
    bool part = false;
    (void)state;
    ends_case(&k);
    assert_int_equal(look_reply(pol->n, QUESTION_EXPLAIN, "case_file", k.c, false, &out, NULL), ERR_OK);
    assert_null(json_get_str(out, "asked_at")); /* nobody asked */
    assert_int_equal(json_len(json_get(out, "lines")), 0);
    json_free(out);
    assert_int_equal(look_reply(pol->n, QUESTION_EXPLAIN, "case_file", k.c, true, &out, NULL), ERR_OK);
    assert_non_null(json_get_str(out, "asked_at"));
    assert_null(json_get_str(out, "replied_at"));
    json_free(out);
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(look_reply(pol->n, QUESTION_EXPLAIN, "case_file", k.c, false, &out, NULL), ERR_OK);
    assert_non_null(json_get_str(out, "replied_at"));
    assert_non_null(json_get_str(out, "hub_at"));
    struct json *lines = json_get(out, "lines");
    assert_true(json_len(lines) > 0);
    for (size_t i = 0; i < json_len(lines); i++) {
        const char *text = json_get_str(json_at(lines, i), "text");
        assert_non_null(text);
        assert_string_not_equal(text, "");
        part = part || strncmp(text, "It works on the case", 20) == 0;
    }
    assert_true(part);
    json_free(out);
}

static void who_saw_tells_sites_and_devices(void **state)
{
    struct ends_case k;
    struct json *out = NULL;
    bool site = false, device = false;
    (void)state;
    ends_case(&k);
    assert_int_equal(look_reply(ann->n, QUESTION_WHO_SAW, "person", k.person, true, &out, NULL), ERR_OK);
    json_free(out);
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(look_reply(ann->n, QUESTION_WHO_SAW, "person", k.person, false, &out, NULL), ERR_OK);
    struct json *lines = json_get(out, "lines");
    for (size_t i = 0; i < json_len(lines); i++) {
        const char *kind = json_get_str(json_at(lines, i), "kind"), *text = json_get_str(json_at(lines, i), "text");
        site = site || (strcmp(kind, "site") == 0 && strstr(text, "Police (police)") != NULL &&
                        strstr(text, "and sees it still") != NULL);
        assert_null(strstr(text, "police-hq")); /* its words below have it */
        device = device || (strcmp(kind, "device") == 0 && strncmp(text, "a device at Police (", 20) == 0 &&
                            strstr(text, "\xe2\x80\xa6) could hold it since") == text + 28);
    }
    assert_true(site);
    assert_true(device);
    json_free(out);
}

/* One line as it is said at Ann's device. */
static void says(unsigned kind, const char *const *words, size_t n, const char *want)
{
    struct reply_line line = {.n = n};
    const char *heading = NULL;
    struct why why = {0};
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < n; i++) line.word[i] = bytes_of_str(words[i]);
    assert_int_equal(look_reply_sentence(ann->n, kind, &line, &heading, &text, &why), ERR_OK);
    assert_string_equal(buf_cstr(&text), want);
    buf_release(&text);
}
#define SAYS(kind, want, ...)                                                                                          \
    says(kind, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), want)

/* A hub may name places that this device was not told of, or no longer is. */
static void what_has_no_name_here_is_said_by_its_code(void **state)
{
    static const char id[] = "0192f3c4-1111-7222-8333-444455556666";
    (void)state;
    SAYS(QUESTION_WHO_SAW, "closed-1 (police), and sees it still", "site", "closed-1", "police", "", "");
    SAYS(QUESTION_WHO_SAW, "closed-1 (nobody), and sees it still", "site", "closed-1", "nobody", "", "");
    SAYS(QUESTION_WHO_SAW, "a device at closed-1 (0192f3c4\xe2\x80\xa6) could hold it since", "device", id, "closed-1", "holds");
    SAYS(QUESTION_WHO_SAW, "a device at Police (0192) could hold it since", "device", "0192", "police-hq", "holds");
    SAYS(QUESTION_WHO_SAW, "somebody whom the MASH does not know by name at School", "look", "school-1", "");
    SAYS(QUESTION_EXPLAIN, "MASH room (care)", "site", "care-mash", "care");
    SAYS(QUESTION_EXPLAIN, "Your agency wrote it", "channel", "agency:care", "Your agency wrote it");
    SAYS(QUESTION_UNSHARE, "School: 2 of its devices hold the case now", "site", "school-1", "2");
}

/* How often the reply says that somebody opened it. */
static size_t openings(struct ends_node *who, const uint8_t id[16], char *out_text, size_t n)
{
    struct json *out = NULL;
    size_t looks = 0;
    assert_int_equal(look_reply(who->n, QUESTION_WHO_SAW, "record", id, true, &out, NULL), ERR_OK);
    json_free(out);
    (void)ends_sync(who, ERR_OK);
    assert_int_equal(look_reply(who->n, QUESTION_WHO_SAW, "record", id, false, &out, NULL), ERR_OK);
    struct json *lines = json_get(out, "lines");
    for (size_t i = 0; i < json_len(lines); i++) {
        struct json *line = json_at(lines, i);
        if (strcmp(json_get_str(line, "kind"), "look") != 0) continue;
        looks++;
        (void)snprintf(out_text, n, "%s: %s", json_get_str(line, "heading"), json_get_str(line, "text"));
    }
    json_free(out);
    return looks;
}

static void who_opened_our_record_is_told_to_us_alone(void **state)
{
    struct ends_case k;
    struct node_info info;
    struct json *out = NULL;
    uint8_t id[16];
    char text[300] = "", want[260];
    int record = rules_table_index(bytes_of_str("record"));
    (void)state;
    ends_case(&k);
    env_new_id(&pol->f->env, id);
    ends_begin(pol);
    struct row r = ends_row(pol, "record", id, k.c);
    ends_text(&r, "sensitivity", "sensitive");
    ends_text(&r, "body", "Seen at the gate.");
    ends_put(pol, &r);
    (void)ends_commit(pol);
    ends_all_sync();
    ends_all_sync();
    assert_int_equal(openings(pol, id, text, sizeof text), 0);
    assert_int_equal(node_get_info(ann->n, &info, NULL), ERR_OK);
    ends_hub->now += 60000;
    assert_int_equal(node_note_view(ann->n, record, id, NULL), ERR_OK);
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(openings(pol, id, text, sizeof text), 1);
    /* An hour later she does not open it: she searches for what it may say. */
    ends_hub->now += INT64_C(3700000);
    assert_int_equal(look_search(ann->n, "ga", 0, &out, NULL), ERR_OK);
    assert_int_equal(json_get_int(out, "total", 0), 1);
    json_free(out);
    out = NULL;
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(openings(pol, id, text, sizeof text), 2);
    (void)snprintf(want, sizeof want, "Who opened it, or found it by searching for its words: %s at %s, ", info.user_name, "MASH room");
    assert_memory_equal(text, want, strlen(want));
    /* Not their record: they get no reply, though they see it and opened it themselves. */
    assert_int_equal(openings(ann, id, text, sizeof text), 0);
    assert_int_equal(look_reply(sam->n, QUESTION_WHO_SAW, "record", id, true, &out, NULL), ERR_NOTFOUND);
    assert_null(out);
}

static void a_question_about_nothing_is_refused(void **state)
{
    uint8_t id[16];
    struct json *out = NULL;
    struct why why = {0};
    (void)state;
    env_new_id(&ends_hub->env, id);
    assert_int_equal(look_reply(ann->n, QUESTION_WHO_SAW, "nonsense", id, false, &out, &why), ERR_USAGE);
    assert_int_equal(look_reply(ann->n, QUESTION_SHARE, "case_file", id, false, &out, &why), ERR_USAGE);
    assert_int_equal(look_reply(ann->n, QUESTION_EXPLAIN, "person", id, true, &out, &why), ERR_NOTFOUND);
    assert_null(out);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(an_unsent_red_referral_is_named_until_the_hub_has_it),
        T(one_that_was_written_again_is_named_once),
        T(each_change_says_in_which_case_it_is),
        T(of_a_case_that_was_taken_away_not_even_its_number_stays),
        T(another_sites_requests_never_appear),
        T(held_work_is_its_authors_own_and_can_be_taken_back_where_it_was_written),
        T(why_something_is_here_is_told_in_sentences),
        T(who_saw_tells_sites_and_devices),
        T(what_has_no_name_here_is_said_by_its_code),
        T(who_opened_our_record_is_told_to_us_alone),
        T(a_question_about_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
