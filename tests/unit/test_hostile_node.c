/* What a hostile hub, network, file or typist tries at a node and its commands, each found by trying. */
#include "tests/lib/mock_round.h"

#include "base/httpd.h"
#include "cli/config.h"
#include "cli/plain.h"
#include "cli/show.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------ rounds */
static void a_verdict_on_a_change_that_was_not_sent_is_refused(void **state)
{
    struct mock_round s;
    struct row row;
    uint8_t c[16];
    char text[128];
    (void)state;
    mock_round_start(&s);
    mock_id(c, 0x900);
    row = mock_case(c);
    uint64_t seq = mock_put(s.w.node, &row, 1); /* after the request was made */
    mock_answer_verdict(&s.a, seq, VERDICT_APPLIED, "");
    mock_round_seal(&s);
    mock_round_refuses(&s, ERR_FORMAT);
    mock_get(s.w.node, "case_file", c, "status", text);
    assert_string_not_equal(text, "-");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1);
    mock_round_stop(&s);
}

static void a_spool_folder_that_was_tidied_away_costs_nothing(void **state)
{
    struct mock_world w;
    struct buf one, two;
    char path[160];
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    buf_init(&one, BUNDLE_MAX);
    buf_init(&two, BUNDLE_MAX);
    mock_id(c, 0x900);
    struct row row = mock_case(c);
    (void)mock_put(w.node, &row, 1);
    assert_int_equal(node_bundle_export(w.node, &one, NULL), ERR_OK);
    mock_world_path(&w, "spool", path);
    assert_int_equal(rmdir(path), 0); /* nothing in it either */
    mock_world_reopen(&w);
    assert_int_equal(node_bundle_export(w.node, &two, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    assert_int_equal(mock_sync(&w, ERR_OK).applied, 1);
    buf_release(&one);
    buf_release(&two);
    mock_world_free(&w);
}

static void a_taken_answer_leaves_no_request_behind(void **state)
{
    struct mock_world w;
    (void)state;
    mock_world_new(&w);
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_state WHERE name = 'request'"), 0);
    mock_world_free(&w);
}

/* Folding the first edit leaves the row alone; folding one from the middle, or a refusal, must still mend it. */
static void verdicts_in_any_order_leave_what_is_pending_on_top(void **state)
{
    static const unsigned orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    static const char *const names[] = {"Ash", "Birch", "Cedar", "Dogwood"};
    (void)state;
    for (size_t o = 0; o < 4; o++) {
        struct mock_round s;
        struct verify_result v;
        uint64_t seq[4];
        char text[128];
        mock_round_start(&s);
        mock_round_seal(&s);
        (void)mock_round_import(&s, ERR_OK);
        for (size_t i = 0; i < 4; i++) seq[i] = mock_set(s.w.node, "person", s.p, "family_name", names[i]);
        for (size_t k = 0; k < 4; k++) {
            unsigned i = orders[o][k];
            mock_round_ask(&s);
            mock_answer_verdict(&s.a, seq[i], i == 1 ? VERDICT_HELD : VERDICT_APPLIED, i == 1 ? "No." : "");
            mock_round_seal(&s);
            (void)mock_round_import(&s, ERR_OK);
            assert_int_equal(node_verify(s.w.node, &v, NULL), ERR_OK); /* row = image + what is pending */
        }
        assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_image"), 0);
        mock_get(s.w.node, "person", s.p, "family_name", text);
        assert_string_equal(text, names[orders[o][3] == 1 ? orders[o][2] : orders[o][3]]);
        mock_round_stop(&s);
    }
}

/* ------------------------------------------------------------------------------------------------ network */
struct portal {
    struct httpd *httpd;
    struct carrier_http *carrier;
    int status;
    const char *type;
    const char *body;
};

static void serve(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct portal *p = ctx;
    (void)req;
    reply->status = p->status;
    reply->type = p->type;
    buf_put_str(&reply->body, p->body);
}

static enum err count_piece(void *ctx, struct bytes piece, struct why *why)
{
    (void)why;
    *(size_t *)ctx += piece.n;
    return ERR_OK;
}

static enum err ask_portal(int status, const char *type, const char *body, size_t *out_got)
{
    struct portal p = {.status = status, .type = type, .body = body};
    char address[64];
    struct why why = {0};
    struct httpd_options opt = {
        .listen = "127.0.0.1:0", .max_body = 1u << 20, .max_clients = 4, .idle_seconds = 5, .handler = serve, .ctx = &p};
    assert_int_equal(httpd_start(&p.httpd, &opt, &why), ERR_OK);
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%u", httpd_port(p.httpd));
    assert_int_equal(carrier_http_new(&p.carrier, address, &why), ERR_OK);
    struct carrier via = carrier_http(p.carrier);
    *out_got = 0;
    enum err e = via.exchange(via.ctx, bytes_of_str("request"), 0, 0, count_piece, out_got, &why);
    carrier_http_free(p.carrier);
    httpd_stop(p.httpd);
    return e;
}

/* A hotel's sign-in page is neither a refusal by the hub (13: phone your administrator) nor an attack (15). */
static void a_sign_in_page_is_no_answer_and_no_refusal(void **state)
{
    size_t got;
    (void)state;
    assert_int_equal(ask_portal(200, "text/html", "<html>Sign in</html>", &got), ERR_UNREACHABLE);
    assert_int_equal(got, 0);
    assert_int_equal(ask_portal(302, "text/html", "<html>Moved</html>", &got), ERR_UNREACHABLE);
    assert_int_equal(ask_portal(407, "text/html", "", &got), ERR_UNREACHABLE);
    assert_int_equal(ask_portal(511, "text/html", "<html>Sign in</html>", &got), ERR_UNREACHABLE);
    assert_int_equal(ask_portal(403, "application/json", "{\"error\":{\"message\":\"Revoked.\"}}", &got), ERR_REFUSED);
    assert_int_equal(ask_portal(200, "application/octet-stream", "bytes", &got), ERR_OK);
    assert_int_equal(got, 5);
}

/* ------------------------------------------------------------------------------------------------ files */
static void a_file_is_never_written_in_the_place_of_a_device(void **state)
{
    const struct env *env = env_posix();
    char dir[] = "/tmp/spoke-test-XXXXXX", path[64];
    struct stat st;
    struct why why = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(env->write_file(env->ctx, path, bytes_of_str("x"), &why), ERR_IO);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary stays */
}

static void says_plain(const char *in, const char *want)
{
    char out[64];
    plain_text(out, sizeof out, bytes_of_str(in));
    assert_string_equal(out, want);
}

static void received_text_cannot_steer_a_terminal(void **state)
{
    char small[6];
    (void)state;
    says_plain("Ann\033[2J\r\nx\x7f", "Ann [2J  x ");
    says_plain("a\302\23331mb", "a 31mb");            /* U+009B, ESC [ in one character */
    says_plain("a\342\200\256b\342\201\246c", "a b c"); /* U+202E, U+2066: turned around */
    says_plain("a\233b\300\200\377", "a b   ");       /* no UTF-8 */
    says_plain("\303\251\342\202\254\360\237\222\231", "\303\251\342\202\254\360\237\222\231");
    plain_text(small, sizeof small, bytes_of_str("abcd\342\202\254"));
    assert_string_equal(small, "abcd");
}

static void reads_time(const char *text, enum err want)
{
    int64_t ms = 0;
    if (show_read_time(text, 0, &ms, NULL) != want) fail_msg("%s", text);
}

static void a_day_that_no_calendar_has_is_no_time(void **state)
{
    (void)state;
    reads_time("2028-02-29", ERR_OK);
    reads_time("2026-11-03 14:05", ERR_OK);
    reads_time("2026-11-03T14:05:00Z", ERR_OK);
    reads_time("2026-11-03T14:05:00.250Z", ERR_OK);
    reads_time("2026-02-29", ERR_USAGE);
    reads_time("2026-04-31 10:00", ERR_USAGE);
    reads_time("2026-02-30T10:00:00Z", ERR_USAGE);
    reads_time("2026-11-03T14:05:00.250Zulu", ERR_USAGE);
    reads_time("2026-11-03T14:05:00+01:00", ERR_USAGE);
    reads_time("99999999999999999999w", ERR_USAGE);
}

/* ------------------------------------------------------------------------------------------------ a person's SQL */
static void nobody_reads_keys_or_writes_the_books_by_sql(void **state)
{
    static const char *const tries[] = {
        "SELECT * FROM secret_state",
        "SELECT count(*) FROM main.\"Secret_State\"",
        "SELECT 1 WHERE EXISTS(SELECT value FROM secret_state)",
        "WITH s AS (SELECT * FROM secret_state) SELECT * FROM s",
        "INSERT INTO warning SELECT value FROM secret_state",
        "SELECT * FROM pragma_table_xinfo('secret_state')",
        "PRAGMA secure_delete = OFF",
        "ATTACH ':memory:' AS x",
        "VACUUM INTO 'x.db'",
        "CREATE VIEW v AS SELECT * FROM secret_state",
        "CREATE TEMP TABLE t(x)",
        "CREATE TEMP TRIGGER t AFTER UPDATE ON case_file BEGIN UPDATE n_number SET value = 0; END",
        "SELECT load_extension('x')",
        "UPDATE n_number SET value = 0",
        "UPDATE n_outbox SET state = 'applied'",
        "INSERT INTO sqlite_schema VALUES(1, 2, 3, 4, 5)",
        "UPDATE agency SET name = 'x'",
        "DELETE FROM case_file",
        "COMMIT",
        "SAVEPOINT x",
        "REINDEX",
        "ANALYZE",
        "SELECT 1; SELECT 2",
    };
    struct mock_world w;
    (void)state;
    mock_world_new(&w);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        for (int write = 0; write < 2; write++) {
            assert_int_equal(node_edit_begin(w.node, NULL), ERR_OK);
            if (db_user_sql(node_db(w.node), tries[i], write != 0, NULL, NULL, NULL) == ERR_OK)
                fail_msg("done: %s", tries[i]);
            node_edit_cancel(w.node);
        }
    }
    mock_world_free(&w);
}

/* ------------------------------------------------------------------------------------------------ options in a file */
static void config_is(const char *text, enum err want, const char *home, const char *file, const char *says)
{
    struct config c = {0};
    struct why why = {0};
    assert_int_equal(config_parse(bytes_of_str(text), "/etc/spoke/config", "spoke", &c, &why), want);
    assert_string_equal(c.home, home);
    assert_string_equal(c.passphrase_file, file);
    if (says != NULL) assert_non_null(strstr(why.text, says));
}

static void options_stand_in_a_file(void **state)
{
    (void)state;
    config_is("", ERR_OK, "", "", NULL);
    config_is("# ours\r\n[spoke]\r\n home = /srv/a b \r\npassphrase-file=/run/p\r\n", ERR_OK, "/srv/a b", "/run/p",
              NULL);
    config_is("[spoke-hub]\nhome = /hub\n[spoke]\nhome = /a\nhome = /b", ERR_OK, "/b", "", NULL);
    config_is("[spoke-hub]\nhome = /hub\n", ERR_OK, "", "", NULL);
}

static void a_wrong_line_of_the_file_is_named_and_nothing_of_it_counts(void **state)
{
    (void)state;
    config_is("home = /a\n", ERR_USAGE, "", "", "line 1");
    config_is("[spoke]\nhome = /a\npassphrase = hunter2\n", ERR_USAGE, "", "", "line 3");
    config_is("[spoke]\nhome\n", ERR_USAGE, "", "", "line 2");
    config_is("[spoke]\nhome = \n", ERR_USAGE, "", "", "line 2");
    config_is("[spoke]\nhome = here\n", ERR_USAGE, "", "", "line 2");
    config_is("\n\n[spokes]\n", ERR_USAGE, "", "", "line 3");
    config_is("[spoke-hub]\nbogus = /x\n", ERR_USAGE, "", "", "line 2"); /* also in the other program's section */
    config_is("[spoke]\nhome = /\377\n", ERR_USAGE, "", "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_on_a_change_that_was_not_sent_is_refused),
        cmocka_unit_test(a_spool_folder_that_was_tidied_away_costs_nothing),
        cmocka_unit_test(a_taken_answer_leaves_no_request_behind),
        cmocka_unit_test(verdicts_in_any_order_leave_what_is_pending_on_top),
        cmocka_unit_test(a_sign_in_page_is_no_answer_and_no_refusal),
        cmocka_unit_test(a_file_is_never_written_in_the_place_of_a_device),
        cmocka_unit_test(received_text_cannot_steer_a_terminal),
        cmocka_unit_test(a_day_that_no_calendar_has_is_no_time),
        cmocka_unit_test(nobody_reads_keys_or_writes_the_books_by_sql),
        cmocka_unit_test(options_stand_in_a_file),
        cmocka_unit_test(a_wrong_line_of_the_file_is_named_and_nothing_of_it_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
