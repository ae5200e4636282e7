/* The copy of a hub's store as a stream (hub/DUMP.md): nothing is left out, and nothing is taken that is not what was
 * written. */
#include "hub/dump.h"

#include "hub/dump_frame.h"
#include "hub/dump_tables.h"
#include "tests/lib/dump_tape.h"
#include "tests/lib/must.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct dump_sum sum_of(const struct env *env, struct db *db)
{
    static struct dump_sum sum;
    MUST(db_begin_read(db, &why));
    MUST(dump_digest(env, db, NULL, &sum, &why));
    db_rollback(db);
    return sum;
}

static struct hub_fixture *small_hub(void)
{
    struct hub_fixture *f = hub_fixture_new(7);
    hub_fixture_sql(f, "INSERT INTO h_counter(name, value) VALUES('schema', 1) ON CONFLICT(name) DO NOTHING");
    hub_fixture_sql(f, "UPDATE h_policy SET text = 'short'");
    hub_fixture_sql(f, "INSERT INTO secret_state(name, value) VALUES('identity', x'0102030405')");
    return f;
}

/* A value of any kind. */
static void rival(struct hub_fixture *f, int64_t col, struct value v)
{
    struct stmt *s = NULL;
    MUST(db_begin(f->h.db, &why));
    MUST(db_prepare(
        f->h.db,
        "INSERT INTO h_rival(row_no, col, node_no, seq, version, hlc, user, value) VALUES(1, $1, 1, 1, 1, 1, $2, $3)",
        &s, &why));
    db_bind_int(s, 1, col);
    db_bind_blob(s, 2, bytes_of("", 0));
    db_bind_value(s, 3, v);
    MUST(db_run(s, &why));
    MUST(db_commit(f->h.db, &why));
}

/* With rows of cases, devices, drops, and values at the edges of what a column holds. */
static struct hub_fixture *full_hub(void)
{
    struct hub_fixture *f = hub_fixture_new(8);
    hub_fixture_town(f);
    struct fixture_node *n = hub_fixture_node(f, "gp");
    hub_fixture_step(f);
    for (int i = 0; i < (test_store_is_postgres() ? 20 : 150); i++) {
        struct id c = hub_fixture_case(f);
        (void)hub_fixture_row(f, "person", c, "council", "role", "child", "family_name", "Åkesson", NULL);
        (void)hub_fixture_share(f, c, "health", "contribute");
    }
    hub_fixture_settle(f);
    hub_fixture_pull(f, n, 1u << 20);
    hub_fixture_sql(
        f, "INSERT INTO h_act(no, at, act, about, reason) VALUES(9223372036854775807, -9223372036854775807, '', "
           "NULL, 'Grund: \u00c5')");
    if (!test_store_is_postgres()) /* a text that is none: PostgreSQL has no such */
        hub_fixture_sql(f, "UPDATE h_act SET about = CAST(x'ff00fe' AS TEXT) WHERE no = 9223372036854775807");
    rival(f, 1, value_str("text"));
    rival(f, 2, value_int(7));
    rival(f, 3, value_blob(bytes_of("\0", 1)));
    rival(f, 4, value_null());
    hub_fixture_node_free(n);
    return f;
}

/* ------------------------------------------------------------------------------------------------------- the claims */

/* Into a store of PostgreSQL. */
static void and_back(struct hub_fixture *f, struct dump_tape *t, const struct dump_sum *want)
{
    struct db *db = dump_tape_store(f, true);
    MUST(dump_tape_read(f, db, t, NULL, &why));
    struct dump_sum got = sum_of(&f->env, db);
    MUST(dump_same(want, &got, &why));
    db_close(db);
}

static void what_is_read_is_what_was_written(void **state)
{
    (void)state;
    struct hub_fixture *f = full_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_tape t, again;
    dump_tape_init(&t);
    dump_tape_init(&again);
    dump_tape_write(f, &t, NULL);
    MUST(dump_tape_read(f, db, &t, NULL, &why));
    struct dump_sum a = sum_of(&f->env, f->h.db), b = sum_of(&f->env, db);
    MUST(dump_same(&a, &b, &why));
    if (test_store_is_postgres()) and_back(f, &t, &a);
    assert_memory_equal(a.hash, b.hash, HASH_BYTES);
    assert_true(a.rows > (test_store_is_postgres() ? 450 : 1000));
    assert_true(t.largest < 128u << 10); /* bytes at a time, not the store */
    dump_tape_write(f, &again, NULL);
    assert_int_equal(again.end, t.end);
    assert_memory_equal(again.buf.data, t.buf.data, t.end);
    hub_fixture_sql(f, "DELETE FROM h_rival WHERE col = 2");
    rival(f, 2, value_str("7")); /* another kind is another value */
    a = sum_of(&f->env, f->h.db);
    assert_int_equal(dump_same(&a, &b, NULL), ERR_TAMPERED);
    buf_release(&t.buf);
    buf_release(&again.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void whatever_is_cut_off_or_altered_is_refused_and_nothing_is_taken(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_shapes shapes;
    struct dump_sum made = sum_of(&f->env, db), sum;
    struct dump_tape t;
    dump_tape_init(&t);
    dump_tape_write(f, &t, NULL);
    MUST(dump_shapes_load(&shapes, db, &f->env, &why));
    size_t whole = t.end;
    for (size_t i = 0; i < 2 * whole; i++) {
        bool flip = i >= whole;
        t.end = flip ? whole : i;
        t.flip = flip ? i - whole : SIZE_MAX;
        t.mask = (uint8_t)(1u << hub_fixture_random(f, 8));
        if (!flip && i % 7 != 0 && whole - i > 100) continue;
        struct dump_source source = dump_tape_source(&t);
        struct why said = {0};
        MUST(db_begin(db, &why));
        enum err e = dump_shapes_read(&shapes, db, NULL, &source, &sum, &said);
        db_rollback(db);
        if (e != ERR_TAMPERED && e != ERR_VERSION)
            fail_msg("place %zu, %s: %s", i, flip ? "altered" : "cut off", err_word(e));
        assert_string_not_equal(said.text, "");
    }
    dump_shapes_release(&shapes);
    struct dump_sum after = sum_of(&f->env, db);
    MUST(dump_same(&made, &after, &why));
    t.end = whole;
    t.flip = SIZE_MAX;
    MUST(dump_tape_read(f, db, &t, NULL, &why)); /* and the whole one is taken */
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void nothing_may_follow_the_end(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_tape t;
    dump_tape_init(&t);
    dump_tape_write(f, &t, NULL);
    buf_put_u8(&t.buf, 0x40);
    t.end++;
    assert_int_equal(dump_tape_read(f, db, &t, NULL, NULL), ERR_TAMPERED);
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void a_table_or_column_that_the_program_does_not_know_is_not_left_out(void **state)
{
    static const char *const change[] = {"CREATE TABLE h_later(no INTEGER PRIMARY KEY) STRICT",
                                         "ALTER TABLE h_act ADD COLUMN later TEXT", "DROP TABLE h_clock",
                                         "ALTER TABLE h_act DROP COLUMN reason"};
    (void)state;
    size_t n =
        sizeof change / sizeof change[0] - (test_store_is_postgres() ? 1 : 0); /* the last is none of the shared SQL */
    for (size_t i = 0; i < n; i++) {
        struct hub_fixture *f = small_hub();
        struct dump_tape t;
        dump_tape_init(&t);
        struct dump_sink sink = dump_tape_sink(&t);
        hub_fixture_sql(f, change[i]);
        MUST(db_begin_read(f->h.db, &why));
        assert_int_equal(dump_write(&f->env, f->h.db, NULL, &sink, NULL, NULL), ERR_VERSION);
        db_rollback(f->h.db);
        assert_int_equal(t.buf.len, 0);
        buf_release(&t.buf);
        hub_fixture_free(f);
    }
}

/* Past the bound a hub makes no backups any more: whoever adds tables hears of it long before. */
static void the_tables_of_a_hub_are_far_from_as_many_as_a_copy_can_hold(void **state)
{
    (void)state;
    struct hub_fixture *f = full_hub();
    struct dump_shapes shapes;
    MUST(dump_shapes_load(&shapes, f->h.db, &f->env, &why));
    assert_true(shapes.n > 50);
    if (shapes.n * 4 > DUMP_MAX_TABLES * 3) fail_msg("there are %zu tables; raise DUMP_MAX_TABLES, which is %d", shapes.n, DUMP_MAX_TABLES);
    dump_shapes_release(&shapes);
    hub_fixture_free(f);
}

static void a_store_that_holds_something_is_not_filled(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_tape t;
    dump_tape_init(&t);
    dump_tape_write(f, &t, NULL);
    MUST(db_exec(db, "INSERT INTO h_act(no, at, act) VALUES(1, 1, 'act')", &why));
    struct dump_sum before = sum_of(&f->env, db);
    assert_int_equal(dump_tape_read(f, db, &t, NULL, NULL), ERR_EXISTS);
    struct dump_sum after = sum_of(&f->env, db);
    MUST(dump_same(&before, &after, &why));
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void an_error_of_what_is_written_to_or_read_from_is_handed_on(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_tape t;
    dump_tape_init(&t);
    struct dump_sink sink = dump_tape_sink(&t);
    t.fail_at = 10;
    MUST(db_begin_read(f->h.db, &why));
    assert_int_equal(dump_write(&f->env, f->h.db, NULL, &sink, NULL, NULL), ERR_FULL);
    db_rollback(f->h.db);
    t.fail_at = 0;
    buf_reset(&t.buf);
    dump_tape_write(f, &t, NULL);
    t.fail_at = t.end / 2;
    assert_int_equal(dump_tape_read(f, db, &t, NULL, NULL), ERR_IO);
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static enum err turn_over(void *ctx, struct bytes name, struct bytes in, struct buf *out, struct why *why)
{
    (void)why;
    assert_true(bytes_equal(name, bytes_of_str("identity")));
    ++*(int *)ctx;
    for (size_t i = 0; i < in.n; i++) buf_put_u8(out, in.p[i] ^ 0x55);
    return ERR_OK;
}

static void keys_of_the_hub_are_opened_on_the_way_out_and_sealed_on_the_way_in(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct stmt *s = NULL;
    bool row = false;
    int calls = 0;
    struct dump_keeper keeper = {&calls, turn_over, turn_over};
    struct dump_tape t;
    dump_tape_init(&t);
    dump_tape_write(f, &t, &keeper);
    assert_int_equal(calls, 1);
    MUST(dump_tape_read(f, db, &t, NULL, &why));
    MUST(db_prepare(db, "SELECT value FROM secret_state WHERE name = 'identity'", &s, &why));
    MUST(db_step(s, &row, &why));
    static const uint8_t open[] = {0x54, 0x57, 0x56, 0x51, 0x50};
    assert_true(row && bytes_equal(db_bytes(s, 0), bytes_of(open, sizeof open)));
    db_done(s);
    db_close(db);
    db = dump_tape_store(f, false);
    MUST(dump_tape_read(f, db, &t, &keeper, &why));
    struct dump_sum a = sum_of(&f->env, f->h.db), b = sum_of(&f->env, db);
    MUST(dump_same(&a, &b, &why));
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

/* The stream again, with its head's schema version and its hashes made for it. */
static void rewrite(const struct dump_tape *in, uint64_t schema, const char *table, struct dump_tape *out)
{
    struct dump_sum sum;
    struct dump_count count;
    size_t at = 0;
    bool leave_out = false;
    dump_count_begin(&count, &sum);
    while (at < in->end) {
        struct cbor_reader r, whole;
        uint8_t head[5];
        cbor_reader_init(&whole, bytes_of(in->buf.data + at, in->end - at));
        struct bytes frame = cbor_get_bytes(&whole);
        at = in->end - whole.in.n;
        cbor_reader_init(&r, frame);
        (void)cbor_get_array(&r, 70);
        uint64_t kind = cbor_get_uint(&r);
        struct buf again;
        buf_init(&again, 1u << 20);
        buf_put_bytes(&again, frame);
        struct bytes name = kind == DUMP_TABLE ? cbor_get_text(&r) : bytes_of(NULL, 0);
        if (kind == DUMP_TABLE) leave_out = bytes_equal(name, bytes_of_str(table));
        if (leave_out && kind <= DUMP_TABLE_END) {
            leave_out = kind != DUMP_TABLE_END;
            buf_release(&again);
            continue;
        }
        if (kind == DUMP_HEAD) {
            (void)cbor_get_text(&r);
            (void)cbor_get_uint(&r);
            (void)cbor_get_uint(&r);
            uint64_t tables = cbor_get_uint(&r);
            buf_reset(&again);
            cbor_put_array(&again, 5);
            cbor_put_uint(&again, DUMP_HEAD);
            cbor_put_str(&again, DUMP_MARK);
            cbor_put_uint(&again, DUMP_VERSION);
            cbor_put_uint(&again, schema);
            cbor_put_uint(&again, table[0] == '\0' ? tables : tables - 1);
        } else if (kind == DUMP_TABLE) {
            assert_true(dump_count_table(&count, name));
        } else if (kind == DUMP_ROW) {
            dump_count_row(&count);
        } else if (kind == DUMP_TABLE_END) {
            (void)dump_count_table_end(&count);
        } else {
            dump_count_end(&count);
            buf_reset(&again);
            cbor_put_array(&again, 4);
            cbor_put_uint(&again, DUMP_END);
            cbor_put_uint(&again, sum.n);
            cbor_put_uint(&again, sum.rows);
            cbor_put_bytes(&again, bytes_of(sum.hash, HASH_BYTES));
        }
        size_t n = dump_frame_head(head, again.len);
        dump_count_frame(&count, (enum dump_frame)kind, bytes_of(head, n), buf_bytes(&again));
        buf_put(&out->buf, head, n);
        buf_put_bytes(&out->buf, buf_bytes(&again));
        buf_release(&again);
    }
    out->end = out->buf.len;
}

static void a_copy_of_an_older_program_is_read_and_one_of_a_newer_is_refused(void **state)
{
    (void)state;
    struct hub_fixture *f = small_hub();
    struct db *db = dump_tape_store(f, false);
    struct dump_tape t, older, later;
    dump_tape_init(&t);
    dump_tape_init(&older);
    dump_tape_init(&later);
    dump_tape_write(f, &t, NULL);
    rewrite(&t, rules_schema_newest() + 1, "", &later);
    assert_int_equal(dump_tape_read(f, db, &later, NULL, NULL), ERR_VERSION);
    rewrite(&t, rules_schema_newest() - 1, "h_step_time", &older); /* as if that had come since */
    MUST(dump_tape_read(f, db, &older, NULL, &why));
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(db, "SELECT value FROM h_counter WHERE name = 'schema'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row);
    assert_int_equal(db_int(s, 0), rules_schema_newest());
    db_done(s);
    buf_release(&t.buf);
    buf_release(&older.buf);
    buf_release(&later.buf);
    db_close(db);
    hub_fixture_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(whatever_is_cut_off_or_altered_is_refused_and_nothing_is_taken),
        cmocka_unit_test(nothing_may_follow_the_end),
        cmocka_unit_test(a_table_or_column_that_the_program_does_not_know_is_not_left_out),
        cmocka_unit_test(the_tables_of_a_hub_are_far_from_as_many_as_a_copy_can_hold),
        cmocka_unit_test(a_store_that_holds_something_is_not_filled),
        cmocka_unit_test(an_error_of_what_is_written_to_or_read_from_is_handed_on),
        cmocka_unit_test(keys_of_the_hub_are_opened_on_the_way_out_and_sealed_on_the_way_in),
        cmocka_unit_test(a_copy_of_an_older_program_is_read_and_one_of_a_newer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
