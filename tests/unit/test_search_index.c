/* An index that a crash, an older program or somebody with the disk left behind shows nothing that is not here, and
 * what is here is found again. */
#include "crypto/hash.h"
#include "node/search.h"
#include "sync/db_sum.h"
#include "tests/lib/rot.h"
#include "tests/lib/search_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PASS  bytes_of_str(MOCK_PASSPHRASE)
#define PAGE  4096u
#define MANY  600u /* cases: three blocks */
#define WHERE 1000u

static size_t in_pages(struct search_world *s, const char *text)
{
    return rot_find(&s->w, bytes_of_str(text));
}

static void sound(struct search_world *s)
{
    struct verify_result v;
    struct why why = {0};
    if (node_verify(s->w.node, &v, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* All cases of a block have this word, it says. */
static void forge(struct search_world *s, const char *word, int64_t block)
{
    static const struct search_bits none;
    struct search_posting p = {.cases = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, .n = (uint8_t)strlen(word)};
    assert_int_equal(search_words_merge(s->w.node, block, &none, &p, 1, (const uint8_t *)word, NULL), ERR_OK);
}

/* Somebody with the disk puts words in that no row here has, or takes some out. */
static void an_index_from_an_old_page_shows_nothing_that_is_not_here(void **state)
{
    struct search_world *s = *state;
    struct buf text;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(search_world_hits(s, "nowhere"), 0);
    forge(s, "nowhere", 0);
    forge(s, "\1nowhere", 0);
    forge(s, "nowhere", 77);
    struct json *found = search_world_ask(s, "nowhere");
    buf_init(&text, 4096);
    assert_int_equal(json_write(found, &text, NULL), ERR_OK);
    assert_string_equal(buf_cstr(&text), "{\"total\":0,\"truncated\":false,\"filling\":false,\"hits\":[]}");
    buf_release(&text);
    json_free(found);
}

static void read_store(struct search_world *s, struct buf *out)
{
    char path[160];
    mock_world_path(&s->w, "replica.db", path);
    buf_init(out, 64u << 20);
    assert_int_equal(s->w.env.read_file(s->w.env.ctx, path, 64u << 20, out, NULL), ERR_OK);
}

static void write_store(struct search_world *s, struct bytes content)
{
    char path[160];
    mock_world_path(&s->w, "replica.db", path);
    assert_int_equal(s->w.env.write_file(s->w.env.ctx, path, content, NULL), ERR_OK);
}

static void shut(struct search_world *s)
{
    node_close(s->w.node);
    s->w.node = NULL;
}

/* Each page of before the change, alone among those of after it. */
static void old_pages_put_back_one_by_one_show_no_old_word(void **state)
{
    struct search_world *s = *state;
    struct buf before, after, mixed;
    static const struct search_tell change[] = {{OP_UPDATE, "record", 41, 1, "body=Ponterwyd was meant"}};
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    shut(s);
    read_store(s, &before);
    mock_world_reopen(&s->w);
    search_world_tell(s, change, 1);
    assert_int_equal(search_world_hits(s, "ponterwyd"), 1);
    shut(s);
    read_store(s, &after);
    size_t tried = 0;
    for (size_t at = 0; at + PAGE <= before.len && at + PAGE <= after.len; at += PAGE) {
        struct json *found = NULL;
        if (memcmp(before.data + at, after.data + at, PAGE) == 0) continue;
        buf_init(&mixed, 64u << 20);
        buf_put_bytes(&mixed, buf_bytes(&after));
        memcpy(mixed.data + at, before.data + at, PAGE);
        write_store(s, buf_bytes(&mixed));
        buf_release(&mixed);
        if (node_open(&s->w.node, &s->w.env, s->w.home, PASS, NULL) != ERR_OK) continue;
        char body[128];
        uint8_t id[16];
        mock_id(id, 41);
        mock_get(s->w.node, "record", id, "body", body);
        if (strstr(body, "Ponterwyd") != NULL && look_search(s->w.node, "aberllefenni", 0, &found, NULL) == ERR_OK) {
            assert_int_equal(json_len(json_get(found, "hits")), 0);
            tried++;
        }
        json_free(found);
        shut(s);
    }
    assert_true(tried >= 2);
    write_store(s, buf_bytes(&after));
    mock_world_reopen(&s->w);
    buf_release(&before);
    buf_release(&after);
}

static void rows_that_an_older_program_wrote_are_found(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    /* It keeps the sum as this one does, and knows of no index. */
    db_sum_watch(node_db(s->w.node), NULL, NULL);
    search_not_begun(s->w.node);
    static const struct search_tell change[] = {{OP_UPDATE, "record", 41, 1, "body=Ponterwyd was meant"}};
    search_world_tell(s, change, 1);
    mock_world_reopen(&s->w);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_int_equal(search_world_hits(s, "ponterwyd"), 1);
    assert_int_equal(search_world_in_index(s, "aberllefenni"), 0);
}

static void an_older_store_gets_its_index(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(db_exec(node_db(s->w.node),
                             "DROP TABLE n_word; DROP TABLE n_search; DELETE FROM n_number WHERE name = 'search';"
                             "DELETE FROM n_state WHERE name = 'search_sum'",
                             NULL),
                     ERR_OK);
    mock_world_reopen(&s->w);
    search_world_drop(s, "record", 42); /* without an index there is nothing to take out */
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(search_world_hits(s, "machynlleth"), 0);
}

/* What came since there were stores is there after the first opening, and rows that stood there are in it. */
static void an_older_store_gets_what_came_since(void **state)
{
    struct search_world *s = *state;
    uint8_t id[16];
    mock_id(id, 41);
    assert_int_equal(
        db_exec(node_db(s->w.node),
                "DROP TABLE n_touched; DROP TABLE n_look; DROP INDEX n_person_name; DROP INDEX n_identifier_value;"
                "DROP INDEX n_request_open; DROP INDEX n_rating_now; DROP INDEX n_case_open;"
                "DROP INDEX n_meeting_held; DELETE FROM n_number WHERE name = 'store'",
                NULL),
        ERR_OK);
    mock_world_reopen(&s->w);
    assert_int_equal(mock_ask(s->w.node,
                              "SELECT count(*) FROM sqlite_schema WHERE name IN ('n_touched', 'n_look',"
                              "'n_person_name', 'n_identifier_value', 'n_request_open', 'n_rating_now', 'n_case_open', "
                              "'n_meeting_held')"),
                     8);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM person INDEXED BY n_person_name WHERE family_name ="
                                         " 'ZANZIBARIAN' COLLATE NOCASE"),
                     1);
    (void)mock_set(s->w.node, "record", id, "body", "Ponterwyd"); /* and people go on writing */
    sound(s);
}

/* A drop that finds an index which is not in force leaves none of its words. */
static void words_of_an_index_that_counts_no_more_are_forgotten_too(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_int_equal(state_set_number(node_db(s->w.node), "search", 999, NULL), ERR_OK);
    mock_world_reopen(&s->w);
    search_world_drop(s, "record", 41);
    assert_int_equal(in_pages(s, "aberllefenni"), 0);
    assert_int_equal(search_world_hits(s, "machynlleth"), 1);
}

/* ------------------------------------------------------------------------------------------------------ power cuts */

static void read_both(struct search_world *s, struct buf *db, struct buf *log)
{
    char path[160];
    read_store(s, db);
    mock_world_path(&s->w, "replica.db-wal", path);
    buf_init(log, 64u << 20);
    (void)!s->w.env.read_file(s->w.env.ctx, path, 64u << 20, log, NULL);
}

/* As the disk was at that moment. */
static void put_both(struct search_world *s, const struct buf *db, const struct buf *log)
{
    char path[160];
    shut(s);
    write_store(s, buf_bytes(db));
    mock_world_path(&s->w, "replica.db-wal", path);
    assert_int_equal(s->w.env.write_file(s->w.env.ctx, path, buf_bytes(log), NULL), ERR_OK);
    mock_world_reopen(&s->w);
}

static void many_cases(struct search_world *s)
{
    static char text[MANY][2][64];
    struct search_tell many[2 * MANY];
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(text[i][0], sizeof text[i][0], "reference=C-%08u", i);
        (void)snprintf(text[i][1], sizeof text[i][1], "summary=valley%u farm", i);
        many[i] = (struct search_tell){OP_INSERT, "case_file", WHERE + i, WHERE + i, text[i][0]};
        many[MANY + i] = (struct search_tell){OP_INSERT, "brief", 2 * WHERE + i, WHERE + i, text[i][1]};
    }
    search_world_tell(s, many, 2 * MANY);
}

static void rebuild_after_power_cut(void **state)
{
    struct search_world *s = *state;
    bool more = true;
    many_cases(s);
    for (unsigned steps = 0; more; steps++) {
        struct buf db, log;
        char word[32];
        assert_true(steps < 30);
        assert_int_equal(search_fill(s->w.node, SEARCH_BLOCK, &more, NULL), ERR_OK);
        read_both(s, &db, &log);
        assert_int_equal(db_begin(node_db(s->w.node), NULL), ERR_OK); /* and something more, that was not committed */
        struct search_bits all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        assert_int_equal(search_clear(s->w.node, 0, &all, NULL), ERR_OK);
        db_rollback(node_db(s->w.node));
        put_both(s, &db, &log);
        for (unsigned i = 0; i < MANY && !more; i += 13) {
            (void)snprintf(word, sizeof word, "valley%u", i);
            assert_true(search_world_finds(s, word, "brief", 2 * WHERE + i));
        }
        buf_release(&db);
        buf_release(&log);
    }
    struct json *found = search_world_ask(s, "farm");
    assert_int_equal(json_get_int(found, "total", 0), 50);
    json_free(found);
    sound(s);
}

/* The rows were changed and the power failed before any search: the marks came with the rows. */
static void a_change_before_a_power_cut_is_known_after_it(void **state)
{
    struct search_world *s = *state;
    struct buf db, log;
    static const struct search_tell change[] = {{OP_UPDATE, "record", 41, 1, "body=Ponterwyd was meant"}};
    many_cases(s);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    search_world_tell(s, change, 1);
    read_both(s, &db, &log);
    put_both(s, &db, &log);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_search WHERE due > 0"), 1);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_int_equal(search_world_hits(s, "ponterwyd"), 1);
    buf_release(&db);
    buf_release(&log);
}

struct summing {
    struct search_world *s;
    int64_t block;
    uint8_t *out;
};

static enum err sum_word(void *ctx, struct bytes word, const struct search_bits *cases)
{
    struct summing *u = ctx;
    for (unsigned i = 0; i < SEARCH_BLOCK; i++) {
        struct stmt *q = NULL;
        uint8_t h[HASH_BYTES], id[16];
        struct buf b;
        bool row = false;
        if (!search_bits_has(cases, i)) continue;
        assert_int_equal(db_prepare(node_db(u->s->w.node), "SELECT case_id FROM n_search WHERE no = $1", &q, NULL),
                         ERR_OK);
        db_bind_int(q, 1, u->block * SEARCH_BLOCK + i);
        assert_int_equal(db_step(q, &row, NULL), ERR_OK);
        assert_true(row && db_id(q, 0, id)); /* a word of no case is one that was not taken out */
        db_done(q);
        buf_init(&b, 4096);
        buf_put(&b, id, sizeof id);
        buf_put_bytes(&b, word);
        hash_labelled(h, "spoke/test/1", buf_bytes(&b));
        for (size_t k = 0; k < 16; k++) u->out[k] ^= h[k];
        buf_release(&b);
    }
    return ERR_OK;
}

/* Every word with its case, whatever number the case has. */
static void index_sum(struct search_world *s, uint8_t out[16])
{
    memset(out, 0, 16);
    int64_t blocks = mock_ask(s->w.node, "SELECT coalesce(max(at) >> 20, -1) + 1 FROM n_word");
    for (int64_t b = 0; b < blocks; b++) {
        struct summing u = {s, b, out};
        assert_int_equal(search_words_each(s->w.node, b, sum_word, &u, NULL), ERR_OK);
    }
}

/* One of anything that changes rows; `r` says which. */
static void something_happens(struct search_world *s, unsigned r, bool here[60])
{
    unsigned id = r % 60;
    char columns[128];
    (void)snprintf(columns, sizeof columns, "body=word%u other%u common;sensitivity=open;title=t%u", r % 97, r % 41,
                   r % 7);
    struct search_tell one = {here[id] ? OP_UPDATE : OP_INSERT, "record", 300 + id, WHERE + id % 9, columns};
    if (here[id] && r % 5 == 0) {
        search_world_drop(s, "record", 300 + id);
        here[id] = false;
        return;
    }
    if (here[id] && r % 5 == 1) {
        uint8_t raw[16];
        mock_id(raw, 300 + id);
        (void)mock_set(s->w.node, "record", raw, "body", columns);
        return;
    }
    search_world_tell(s, &one, 1);
    here[id] = true;
}

static void an_index_kept_along_is_the_one_that_is_made_anew(void **state)
{
    struct search_world *s = *state;
    uint8_t kept[16], anew[16];
    bool here[60] = {false}, more = true;
    unsigned r = 20261122;
    many_cases(s);
    (void)search_world_hits(s, "farm");
    for (unsigned i = 0; i < 300; i++) {
        r = r * 1664525u + 1013904223u;
        something_happens(s, r >> 8, here);
        if (r >> 28 < 3) (void)search_world_hits(s, "common");
        if (r >> 28 == 15) mock_world_reopen(&s->w);
    }
    (void)search_world_hits(s, "common");
    index_sum(s, kept);
    assert_int_equal(state_set_number(node_db(s->w.node), "search", 0, NULL), ERR_OK);
    mock_world_reopen(&s->w);
    while (more) assert_int_equal(search_fill(s->w.node, 0, &more, NULL), ERR_OK);
    index_sum(s, anew);
    assert_memory_equal(kept, anew, sizeof kept);
    static const uint8_t none[16];
    assert_memory_not_equal(anew, none, sizeof none);
}

static enum err refuse(void *ctx, struct stmt *s, struct why *why)
{
    (void)ctx;
    (void)s;
    (void)why;
    return ERR_OK;
}

/* The index can be made anew: a page of it that rotted holds up neither an order to forget nor its receipt. */
static void rot_in_the_index_holds_up_no_order_to_forget(void **state)
{
    struct search_world *s = *state;
    assert_int_equal(search_world_hits(s, "aberllefenni"), 1);
    assert_true(rot_pages(&s->w, bytes_of_str("aberllefenni")) > 0);
    search_world_drop(s, "record", 41);
    assert_int_equal(in_pages(s, "aberllefenni"), 0);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'n_damaged%'"), 0);
    assert_int_equal(search_world_hits(s, "aberllefenni"), 0);
    assert_int_equal(search_world_hits(s, "machynlleth"), 1);
    sound(s);
}

/* Words of sensitive texts stand in it: to read it is to look at them. */
static void reading_the_index_by_hand_counts_as_a_look(void **state)
{
    struct search_world *s = *state;
    static const struct search_tell more[] = {{OP_INSERT, "record", 92, 1, "body=Nantybenglog;sensitivity=sensitive"}};
    search_world_tell(s, more, 1);
    assert_int_equal(search_world_hits(s, "nantybenglog"), 1);
    assert_int_equal(db_exec(node_db(s->w.node), "DELETE FROM n_view", NULL), ERR_OK); /* of the search */
    assert_int_equal(node_note_sql(s->w.node, "SELECT data FROM n_word", false, NULL), ERR_OK);
    assert_int_equal(mock_ask(s->w.node, "SELECT count(*) FROM n_view"), 1);
    assert_int_not_equal(db_user_sql(node_db(s->w.node), "DELETE FROM n_word", true, refuse, NULL, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_index_from_an_old_page_shows_nothing_that_is_not_here, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(old_pages_put_back_one_by_one_show_no_old_word, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(rows_that_an_older_program_wrote_are_found, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(an_older_store_gets_its_index, search_world_set_up, search_world_tear_down),
        cmocka_unit_test_setup_teardown(an_older_store_gets_what_came_since, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(words_of_an_index_that_counts_no_more_are_forgotten_too, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(rebuild_after_power_cut, search_world_set_up, search_world_tear_down),
        cmocka_unit_test_setup_teardown(a_change_before_a_power_cut_is_known_after_it, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(an_index_kept_along_is_the_one_that_is_made_anew, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(rot_in_the_index_holds_up_no_order_to_forget, search_world_set_up,
                                        search_world_tear_down),
        cmocka_unit_test_setup_teardown(reading_the_index_by_hand_counts_as_a_look, search_world_set_up,
                                        search_world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
