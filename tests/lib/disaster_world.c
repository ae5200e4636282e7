#include "tests/lib/disaster_world.h"

#include "hub/watch.h"

#include "hub/restore.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";
static char folder[200]; /* for backups and the recovery key, apart from the hub */

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

const char *lost_file(const char *name)
{
    static char path[4][300];
    static unsigned at;
    char *p = path[at++ % 4];
    (void)snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

void lost_copy(const char *from, const char *to)
{
    struct why why = {0};
    struct buf b;
    buf_init(&b, 256u << 20);
    MUST(ends_hub->env.read_file(ends_hub->env.ctx, from, 256u << 20, &b, &why));
    MUST(ends_hub->env.write_file(ends_hub->env.ctx, to, buf_bytes(&b), &why));
    buf_release(&b);
}

const char *lost_home(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", ends_hub->dir, name);
    return path;
}

struct hub_backup lost_backup(const char *name)
{
    struct why why = {0};
    struct hub_backup b;
    MUST(hub_backup(ends_hub->hub, lost_file(name), &b, &why));
    return b;
}

void lost_destroy(void)
{
    static const char *const files[] = {"hub.key", "hub.db", "hub.db-wal", "recovery.key", "store"};
    lost_copy(lost_home("recovery.key"), lost_file("recovery.key"));
    hub_close(ends_hub->hub);
    ends_hub->hub = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) (void)unlink(lost_home(files[i]));
}

enum err lost_try(const char *name, const char *key, struct why *why)
{
    char store[TEST_STORE_URL];
    test_store_url(store, sizeof store); /* on PostgreSQL it comes back into a schema of its own */
    const struct hub_restore r = {.home = ends_hub->dir,
                                  .store = test_store_is_postgres() ? store : NULL,
                                  .backup = lost_file(name),
                                  .recovery = lost_file(key),
                                  .recovery_passphrase = bytes_of_str(passphrase),
                                  .passphrase = bytes_of_str(passphrase)};
    return hub_restore(&ends_hub->env, &r, why);
}

void lost_restored(const char *name)
{
    struct why why = {0};
    MUST(lost_try(name, "recovery.key", &why));
    fake_hub_reopen(ends_hub);
    assert_int_equal(db_is_postgres(hub_db(ends_hub->hub)), test_store_is_postgres());
}

/* What was decided of each change. */
static void verdicts(uint8_t out[HASH_BYTES])
{
    struct why why = {0};
    struct hash_run run;
    struct stmt *s;
    bool row = true;
    hash_begin(&run);
    MUST(db_prepare(hub_db(ends_hub->hub),
                    "SELECT n.kid, e.seq, e.verdict, e.hash, e.received_at FROM h_envelope e JOIN h_node n ON n.no = "
                    "e.node_no ORDER BY n.kid, e.seq",
                    &s, &why));
    for (;;) {
        MUST(db_step(s, &row, &why));
        if (!row) break;
        const int64_t number[] = {db_int(s, 1), db_int(s, 2), db_int(s, 4)};
        hash_add(&run, db_bytes(s, 0));
        hash_add(&run, bytes_of(number, sizeof number));
        hash_add(&run, db_bytes(s, 3));
    }
    db_done(s);
    hash_end(&run, out);
}

struct lost_state lost_state(void)
{
    struct lost_state s;
    fake_hub_hash(ends_hub, s.content);
    verdicts(s.verdicts);
    return s;
}

struct hub_restore_status lost_status(void)
{
    struct why why = {0};
    struct hub_restore_status s;
    MUST(hub_restore_status(ends_hub->hub, &s, &why));
    return s;
}

/* A device's rows of a table. */
bool lost_holds(struct ends_node *n, const char *table, const uint8_t id[16])
{
    struct why why = {0};
    struct row r;
    struct buf store;
    bool found = false;
    buf_init(&store, 1u << 20);
    MUST(db_row_get(node_db(n->n), rules_table((size_t)rules_table_index(bytes_of_str(table))), id, &store, &r, &found,
                    &why));
    buf_release(&store);
    return found;
}

void lost_sync_but(const struct ends_node *but)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != but) (void)ends_sync(all[i], ERR_OK);
}

void lost_continued(void)
{
    struct why why = {0};
    bool done = false;
    while (!done) MUST(hub_restore_continue(ends_hub->hub, 1000, &done, &why));
}

void lost_released(const char *reason)
{
    struct why why = {0};
    MUST(hub_restore_release(ends_hub->hub, reason, &why));
    lost_continued();
}

void lost_is_done(int64_t lost)
{
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, lost);
}

/* ------------------------------------------------------------------------------- a verdict that is lost on its way */

uint64_t lost_verdict_on_its_way(const uint8_t c[16])
{
    uint64_t seq = ends_write(sam, "case_file", c, "status", "closed");
    assert_int_equal(ends_sync(sam, ERR_OK).held, 1);
    ends_accept(c);
    sam->lose_answer = true;
    (void)ends_sync(sam, ERR_UNREACHABLE);
    return seq;
}

void lost_outbox_says(const struct ends_node *n, uint64_t seq, const char *state)
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(node_db(n->n), "SELECT state FROM n_outbox WHERE seq = $1", &s, &why));
    db_bind_int(s, 1, (int64_t)seq);
    MUST(db_step(s, &row, &why));
    assert_true(row);
    assert_true(bytes_equal(db_bytes(s, 0), bytes_of_str(state)));
    db_done(s);
}

/* -------------------------------------------------------------------------------- a share that is given and taken */

void lost_case(uint8_t c[16])
{
    uint8_t note[16];
    ends_own_case(c, false);
    ends_note(ann, c, note, "open", "what the school may read for a while");
    (void)ends_sync(ann, ERR_OK);
    lost_sync_but(NULL);
}

void lost_shares(struct ends_node *n, const uint8_t c[16], uint8_t part[16])
{
    ends_begin(n);
    ends_part(n, c, part, "school", "");
    (void)ends_commit(n);
}

void lost_withdrawn_by(struct ends_node *n, const uint8_t c[16], const uint8_t part[16])
{
    (void)ends_sync(sam, ERR_OK);
    assert_true(lost_holds(sam, "case_file", c));
    (void)ends_sync(n, ERR_OK);
    (void)ends_write(n, "participant", part, "access", "none");
    assert_int_equal(ends_sync(n, ERR_OK).applied, 1);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
}

void lost_access_with_note(struct ends_node *n, const uint8_t c[16], const uint8_t part[16], const char *access)
{
    uint8_t note[16];
    env_new_id(&ends_hub->env, note);
    ends_begin(n);
    ends_set(n, "participant", part, "access", value_str(access));
    struct row r = ends_row(n, "record", note, c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", "why the school is to read it, or not");
    ends_put(n, &r);
    (void)ends_commit(n);
}

void lost_waiting(struct ends_node *n, uint8_t held[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(node_db(n->n), "SELECT id FROM held WHERE state = 'waiting'", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row && db_id(s, 0, held));
    MUST(db_step(s, &row, &why));
    assert_false(row);
    db_done(s);
}

void lost_stays_withdrawn(const uint8_t c[16], const uint8_t part[16])
{
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1", part), 1);
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE id = $1 AND access <> 'none'", part), 0);
    (void)ends_sync(sam, ERR_OK);
    assert_false(lost_holds(sam, "case_file", c));
    ends_same(sam);
}

void lost_comes_back_withdrawn(const uint8_t c[16], const uint8_t part[16])
{
    lost_destroy();
    lost_restored("old");
    for (int i = 0; i < 4; i++) {
        lost_sync_but(NULL);
        assert_false(lost_holds(sam, "case_file", c));
    }
    lost_is_done(0);
    lost_stays_withdrawn(c, part);
}

int64_t lost_rows_held(const struct ends_node *n)
{
    struct why why = {0};
    struct hub_device d;
    MUST(hub_device_get(ends_hub->hub, n->kid, UINT64_MAX, &d, &why));
    return d.held;
}

static enum err count_one(void *ctx, const struct row *r, struct why *why)
{
    (void)r, (void)why;
    ++*(int64_t *)ctx;
    return ERR_OK;
}

int64_t lost_rows_seen(const struct ends_node *n)
{
    struct why why = {0};
    int64_t rows = 0;
    MUST(hub_site_rows(ends_hub->hub, n->site, count_one, &rows, &why));
    return rows;
}

int lost_start(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/spoke-disaster-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    if (mkdtemp(folder) == NULL) return 1;
    return ends_start(state);
}

int lost_stop(void **state)
{
    static const char *const files[] = {"old", "new", "cut", "recovery.key", "other.key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) (void)unlink(lost_file(files[i]));
    (void)rmdir(folder);
    return ends_stop(state);
}
