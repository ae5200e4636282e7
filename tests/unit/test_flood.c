/* Ids and words come from strangers. A device, or a person who writes, that chooses them so that they meet in what
 * another device finds them by makes nobody wait: chosen ones take the processor about as long as any others. */
#include "node/search.h"
#include "tests/lib/look_world.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define CASES 40000u
#define WORDS 60000u

static struct look_world l;

static int start(void **state)
{
    (void)state;
    look_world_new(&l);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    look_world_free(&l);
    return 0;
}

static double spent(clock_t since)
{
    return (double)(clock() - since) / CLOCKS_PER_SEC;
}

static void about_as_long(double chosen, double any)
{
    if (chosen > 3 * any + 0.3) fail_msg("%.2f s with what somebody chose, %.2f s with any", chosen, any);
}

/* ------------------------------------------------------------------------------------------------------------ ids */
/* Those whose halves, as numbers, are multiples of a high power of two; or that end alike; or as they come. */
enum ids { EVEN, ALIKE, ANY };

static void id_of(enum ids how, uint32_t n, uint8_t out[16])
{
    static const uint8_t even[16] = {[7] = 1, [15] = 1};
    static const uint8_t alike[16] = {[15] = 7};
    if (how == ANY) {
        env_random(env_posix(), out, 16);
        return;
    }
    memcpy(out, how == EVEN ? even : alike, 16);
    if (how == EVEN) {
        out[7] = (uint8_t)n;
        out[15] = (uint8_t)(n >> 8);
    } else {
        memcpy(out, &n, sizeof n);
    }
}

static void put_row(const char *sql, const uint8_t id[16])
{
    struct stmt *s = NULL;
    MUST(db_prepare(node_db(l.n), sql, &s, &why));
    db_bind_id(s, 1, id);
    MUST(db_run(s, &why));
}

static void put_cases(enum ids how)
{
    uint8_t id[16];
    MUST(db_begin(node_db(l.n), &why));
    for (uint32_t i = 1; i <= CASES; i++) {
        id_of(how, i, id);
        put_row("INSERT INTO case_file(id, case_id, agency, status) VALUES($1, $1, 'care', 'new')", id);
        put_row("INSERT INTO participant(id, case_id, agency, member, site, access)"
                " VALUES($1, $1, 'care', 'health', '', 'contribute')",
                id);
    }
    MUST(db_commit(node_db(l.n), &why));
}

static double look(enum ids how)
{
    const struct look_board ask = {.all = true};
    struct json *got = NULL;
    put_cases(how);
    clock_t since = clock();
    MUST(look_board(l.n, &ask, &got, &why));
    double took = spent(since);
    assert_int_equal(look_int(got, "columns.0.total"), CASES);
    json_free(got);
    look_sql(&l, "DELETE FROM case_file; DELETE FROM participant");
    return took;
}

static void the_board_finds_its_cases_whatever_their_ids(void **state)
{
    (void)state;
    double any = look(ANY);
    about_as_long(look(EVEN), any);
    about_as_long(look(ALIKE), any);
}

/* All in one transaction, as an answer of the hub comes. */
static double mark(const char *id)
{
    char sql[400];
    bool more = true;
    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %u),"
                   " ids(id) AS MATERIALIZED (SELECT %s FROM k)"
                   " INSERT INTO case_file(id, case_id, agency) SELECT id, id, 'care' FROM ids",
                   CASES, id);
    MUST(db_begin(node_db(l.n), &why));
    clock_t since = clock();
    MUST(db_exec(node_db(l.n), sql, &why));
    double took = spent(since);
    MUST(db_commit(node_db(l.n), &why));
    look_sql(&l, "DELETE FROM case_file");
    while (more) MUST(search_fill(l.n, 10000, &more, &why));
    return took;
}

static void cases_that_came_are_marked_for_the_search_whatever_their_ids(void **state)
{
    bool more = true;
    (void)state;
    while (more) MUST(search_fill(l.n, 0, &more, &why));
    assert_true(search_in_force(l.n));
    double any = mark("randomblob(16)");
    about_as_long(mark("CAST(printf('%08x', i) || 'aaaaaaaa' AS BLOB)"), any);
}

/* ---------------------------------------------------------------------------------------------------------- words */
#define PRIME  16777619u
#define MEET   ((1u << 18) - 1) /* bits in which the hashes of FNV-1a are the same */
#define LETTER "abcdefghijklmnopqrstuvwxyz"
#define TAILS  (26 * 26 * 26 * 26)

/* From which state the letters of a tail lead to zero; TAILS: none. */
static uint32_t *tails(void)
{
    uint32_t inverse = 1, *to = calloc(MEET + 1, sizeof *to);
    assert_non_null(to);
    for (int i = 0; i < 5; i++) inverse *= 2 - PRIME * inverse;
    for (uint32_t i = 0; i <= MEET; i++) to[i] = TAILS;
    for (uint32_t tail = 0; tail < TAILS; tail++) {
        uint32_t h = 0;
        for (uint32_t t = tail, i = 0; i < 4; i++, t /= 26) h = (h * inverse) ^ (uint8_t)LETTER[t % 26];
        to[h & MEET] = tail;
    }
    return to;
}

/* Nine letters and a blank, WORDS times. */
static void text_of(bool chosen, struct buf *out)
{
    uint32_t *tail_of = tails(), n = 0;
    buf_init(out, 1u << 20);
    for (uint32_t no = 0; n < WORDS; no++) {
        char word[10];
        uint32_t h = 2166136261u;
        for (uint32_t i = 0, left = no; i < 5; i++, left /= 26) {
            word[i] = LETTER[left % 26];
            h = (h ^ (uint8_t)word[i]) * PRIME;
        }
        uint32_t tail = chosen ? tail_of[h & MEET] : no * 2654435761u % TAILS;
        if (tail == TAILS) continue;
        for (uint32_t i = 9; i > 5; i--, tail /= 26) word[i - 1] = LETTER[tail % 26];
        word[9] = ' ';
        buf_put(out, word, sizeof word);
        n++;
    }
    free(tail_of);
}

static double read_words(bool chosen, unsigned id)
{
    struct buf text;
    struct stmt *s = NULL;
    uint8_t row[16];
    bool more = true;
    text_of(chosen, &text);
    look_id(id, row);
    MUST(db_begin(node_db(l.n), &why));
    MUST(db_prepare(node_db(l.n),
                    "INSERT INTO record(id, case_id, agency, kind, body) VALUES($1, $1, 'care', 'note', $2)", &s, &why));
    db_bind_id(s, 1, row);
    db_bind_text(s, 2, buf_bytes(&text));
    MUST(db_run(s, &why));
    MUST(db_commit(node_db(l.n), &why));
    clock_t since = clock();
    while (more) MUST(search_fill(l.n, 0, &more, &why));
    double took = spent(since);
    buf_release(&text);
    return took;
}

static void a_text_is_read_for_the_search_whatever_its_words(void **state)
{
    bool more = true;
    (void)state;
    while (more) MUST(search_fill(l.n, 0, &more, &why));
    double any = read_words(false, 100);
    about_as_long(read_words(true, 101), any);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_board_finds_its_cases_whatever_their_ids, start, stop),
        cmocka_unit_test_setup_teardown(cases_that_came_are_marked_for_the_search_whatever_their_ids, start, stop),
        cmocka_unit_test_setup_teardown(a_text_is_read_for_the_search_whatever_its_words, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
