/* A store with a rotten page of contents is mended while power fails; and the hub had an envelope that its device wrote
 * again as lost. */
#include "node/internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/real_device.h"
#include "tests/lib/rot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG 2500u /* one content a page */

/* ------------------------------------------------------------------------------------------------ power that fails */

struct scene {
    struct mock_world w;
    uint8_t c[16];
    struct buf store, log; /* of the device, as they were before */
};

static void read_file(const struct mock_world *w, const char *name, struct buf *out)
{
    char path[160];
    uint8_t piece[4096];
    size_t n;
    buf_init(out, 64u << 20);
    mock_world_path(w, name, path);
    FILE *f = fopen(path, "rb");
    if (f == NULL) return;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_put(out, piece, n);
    assert_int_equal(fclose(f), 0);
}

static void write_file(const struct mock_world *w, const char *name, const struct buf *in)
{
    char path[160];
    mock_world_path(w, name, path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(in->len == 0 || fwrite(in->data, in->len, 1, f) == 1);
    assert_int_equal(fclose(f), 0);
}

static uint64_t add(struct scene *x, unsigned no, char c)
{
    uint8_t id[16];
    char name[LONG + 1] = {0};
    memset(name, c, LONG);
    mock_id(id, no);
    struct row row = mock_person(id, x->c, name);
    return mock_put(x->w.node, &row, 1);
}

/* Three unsent, one of them rotten and written again: its table stands aside and the store waits to be mended. */
static void set_up(struct scene *x)
{
    uint8_t salt[SALT_BYTES];
    memset(x, 0, sizeof *x);
    mock_world_new(&x->w);
    mock_id(x->c, 1);
    struct row row = mock_case(x->c);
    (void)mock_put(x->w.node, &row, 1);
    (void)mock_sync(&x->w, ERR_OK);
    for (unsigned i = 0; i < 3; i++) (void)add(x, 10 + i, (char)('k' + i));
    rot_salt(x->w.node, 3, salt);
    assert_true(rot_pages(&x->w, bytes_of(salt, sizeof salt)) > 0);
    assert_int_equal(gap_look(x->w.node, 1u << 20, NULL), ERR_OK);
    assert_int_equal(mock_ask(x->w.node, "SELECT value FROM n_number WHERE name = 'purge_due'"), PURGE_DAMAGED);
    node_close(x->w.node);
    x->w.node = NULL;
    read_file(&x->w, "replica.db", &x->store);
    read_file(&x->w, "replica.db-wal", &x->log);
    assert_true(x->store.len > 0);
}

/* In a process that dies in the middle of its k-th write; opening the store mends it. false: it came to its end
 * before. */
static bool dies(struct scene *x, int k)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct env env = x->w.env;
        struct node *n = NULL;
        faultvfs_new()->die_after = k;
        env.vfs = "fault";
        enum err e = node_open(&n, &env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), NULL);
        if (e == ERR_OK) e = purge_run(n, NULL);
        _exit(e == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0);
    return WEXITSTATUS(status) == 42;
}

static void all_is_there(struct scene *x)
{
    struct verify_result v;
    struct why why = {0};
    mock_world_reopen(&x->w);
    (void)mock_sync(&x->w, ERR_OK);
    if (node_verify(x->w.node, &v, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(v.pending_rows, 0);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'n_damaged%'"), 0);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM person WHERE family_name GLOB '[k-m]*'"), 3);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM n_outbox WHERE state = 'applied'"), 4);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM n_outbox WHERE state = 'fault'"), 1);
}

static void power_that_fails_while_a_store_is_mended_costs_nothing(void **state)
{
    struct scene x;
    int deaths = 0;
    (void)state;
    set_up(&x);
    for (int k = 0;; k += 1 + k / 8) {
        write_file(&x.w, "replica.db", &x.store);
        write_file(&x.w, "replica.db-wal", &x.log);
        bool died = dies(&x, k);
        deaths += died;
        all_is_there(&x);
        node_close(x.w.node);
        x.w.node = NULL;
        if (!died) break;
        assert_true(k < 2000);
    }
    assert_true(deaths > 10);
    buf_release(&x.store);
    buf_release(&x.log);
    mock_world_free(&x.w);
}

/* ----------------------------------------------------------------------------------------------------- at the hub */

/* The device does not know that its request arrived, and cannot read what it wrote: as after a hub's answer without a
 * word on it. What it writes again is what the hub has. */
static void a_copy_of_what_arrived_changes_nothing_and_conflicts_with_nothing(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16];
    char name[128];
    (void)state;
    shared_case(c);
    real_join(&d, "school-1", "school", "Tina");
    (void)real_sync(&d, ERR_OK);
    uint64_t first = real_person(&d, c, "Pugh", p);
    (void)mock_set(d.n, "person", p, "given_names", "Mair");
    uint64_t last = mock_set(d.n, "person", p, "family_name", "Rees");
    assert_int_equal(last, first + 2);
    /* What stands here before any verdict, kept beside it. */
    assert_int_equal(db_exec(node_db(d.n),
                             "CREATE TABLE k_pending AS SELECT * FROM n_pending;"
                             "CREATE TABLE k_image AS SELECT * FROM n_image",
                             NULL),
                     ERR_OK);
    struct round_result r = real_sync(&d, ERR_OK);
    assert_int_equal(r.applied, 3);
    assert_int_equal(db_exec(node_db(d.n),
                             "INSERT INTO n_pending SELECT * FROM k_pending;"
                             "INSERT INTO n_image SELECT * FROM k_image;"
                             "UPDATE n_outbox SET state = 'unsent' WHERE seq IN (SELECT seq FROM k_pending);"
                             "DROP TABLE k_pending; DROP TABLE k_image",
                             NULL),
                     ERR_OK);
    r = real_sync(&d, ERR_OK);
    assert_int_equal(r.held + r.waits, 0);
    assert_int_equal(r.conflicts_new, 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_outbox WHERE state NOT IN ('applied', 'merged', 'fault')"),
                     0);
    assert_true(mock_ask(d.n, "SELECT max(seq) FROM n_outbox") > (int64_t)last);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM conflict"), 0);
    assert_int_equal(mock_ask(d.n, "SELECT count(*) FROM n_gap"), 0);
    mock_get(d.n, "person", p, "family_name", name);
    assert_string_equal(name, "Rees");
    mock_get(d.n, "person", p, "given_names", name);
    assert_string_equal(name, "Mair");
    struct verify_result v;
    assert_int_equal(node_verify(d.n, &v, NULL), ERR_OK);
    assert_int_equal(v.pending_rows, 0);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest here[] = {
        cmocka_unit_test(power_that_fails_while_a_store_is_mended_costs_nothing),
    };
    const struct CMUnitTest at_the_hub[] = {
        cmocka_unit_test(a_copy_of_what_arrived_changes_nothing_and_conflicts_with_nothing),
    };
    int failed = cmocka_run_group_tests(here, NULL, NULL);
    return failed + cmocka_run_group_tests(at_the_hub, intake_start, intake_stop);
}
