/* A new data key for a whole device (node/rekey.c): everybody's passphrase goes on, everything is still there, and
 * whoever has the files as they were, and a passphrase that was good then, has nothing. */
#include "crypto/keyslot_internal.h"
#include "node/internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GWEN_WORDS "seven wet sheep"

struct scene {
    struct mock_world w;
    struct keyring ring; /* Mair's, from before */
    uint8_t c[16], gwen[16];
    struct why why;
};

static void serve_gwen(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct row p = {.table = rules_table((size_t)rules_table_index(bytes_of_str("practitioner")))};
    (void)h;
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, "");
    for (size_t i = 0; i < p.table->n_columns; i++) p.v[i] = value_null();
    p.v[0] = value_id(ctx);
    p.v[rules_column_index(p.table, bytes_of_str("site"))] = value_str("llanidloes");
    p.v[rules_column_index(p.table, bytes_of_str("name"))] = value_str("Gwen Price");
    mock_answer_op(a, OP_INSERT, &p);
}

static enum err open_with(struct scene *x, const char *words)
{
    node_close(x->w.node);
    x->w.node = NULL;
    x->why = (struct why){0};
    return node_open(&x->w.node, &x->w.env, x->w.home, bytes_of_str(words), &x->why);
}

static void must_open(struct scene *x, const char *words)
{
    if (open_with(x, words) != ERR_OK) fail_msg("%s", x->why.text);
}

/* A case that the hub has, and a change that it has not; two people. */
static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    struct row row;
    if (x == NULL) return -1;
    mock_world_new(&x->w);
    mock_id(x->c, 1);
    mock_id(x->gwen, 2);
    row = mock_case(x->c);
    (void)mock_put(x->w.node, &row, 1);
    x->w.hub.script = serve_gwen;
    x->w.hub.script_ctx = x->gwen;
    (void)mock_sync(&x->w, ERR_OK);
    x->w.hub.script = NULL;
    (void)mock_set(x->w.node, "case_file", x->c, "area", "north");
    if (node_person_add(x->w.node, x->gwen, bytes_of_str(GWEN_WORDS), &x->why) != ERR_OK) return -1;
    if (node_unlock(&x->w.env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), &x->ring, &x->why) != ERR_OK) return -1;
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    keyring_release(&x->ring);
    mock_world_free(&x->w);
    free(x);
    return 0;
}

static enum err rekey(struct scene *x, struct keyring *out)
{
    struct node *n = x->w.node;
    x->w.node = NULL;
    x->why = (struct why){0};
    return node_rekey(n, out, &x->why);
}

static bool there(const struct scene *x, const char *name)
{
    char path[160];
    uint64_t size;
    mock_world_path(&x->w, name, path);
    return x->w.env.file_size(x->w.env.ctx, path, &size, NULL) == ERR_OK;
}

static int64_t rekeys(struct scene *x)
{
    return mock_ask(x->w.node, "SELECT count(*) FROM n_audit WHERE what LIKE '%under a new key%'");
}

static void is_sound(struct scene *x)
{
    struct verify_result v;
    struct node_info i;
    char area[128];
    if (node_verify(x->w.node, &v, &x->why) != ERR_OK) fail_msg("%s", x->why.text);
    mock_get(x->w.node, "case_file", x->c, "area", area);
    assert_string_equal(area, "north");
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_int_equal(i.unsent, 1);
}

static void copy_file(const struct scene *x, const char *from, const char *to)
{
    char path[160];
    struct buf content;
    buf_init(&content, 64u << 20);
    mock_world_path(&x->w, from, path);
    assert_int_equal(x->w.env.read_file(x->w.env.ctx, path, 64u << 20, &content, NULL), ERR_OK);
    mock_world_path(&x->w, to, path);
    assert_int_equal(x->w.env.write_file(x->w.env.ctx, path, buf_bytes(&content), NULL), ERR_OK);
    buf_release(&content);
}

static void every_passphrase_and_all_that_is_there_go_on(void **state)
{
    struct scene *x = *state;
    assert_int_equal(rekey(x, NULL), ERR_OK);
    assert_true(there(x, "replica2.db"));
    assert_false(there(x, "replica.db") || there(x, "replica.db-wal"));
    must_open(x, GWEN_WORDS);
    is_sound(x);
    must_open(x, MOCK_PASSPHRASE);
    is_sound(x);
    assert_int_equal(rekeys(x), 1);
    assert_int_equal(mock_ask(x->w.node,
                              "SELECT count(*) FROM n_audit a JOIN n_person p ON p.id = a.user WHERE a.what LIKE "
                              "'%under a new key%' AND p.name = 'Mair Evans'"),
                     1);
    assert_int_equal(mock_sync(&x->w, ERR_OK).sent, 1); /* the chain, and the numbers of the rounds */
    (void)mock_set(x->w.node, "case_file", x->c, "area", "south");
    assert_int_equal(mock_sync(&x->w, ERR_OK).sent, 1);
}

static void a_second_time_leads_back_to_the_first_name(void **state)
{
    struct scene *x = *state;
    assert_int_equal(rekey(x, NULL), ERR_OK);
    must_open(x, MOCK_PASSPHRASE);
    assert_int_equal(rekey(x, NULL), ERR_OK);
    assert_true(there(x, "replica.db"));
    assert_false(there(x, "replica2.db") || there(x, "replica2.db-wal"));
    must_open(x, GWEN_WORDS);
    is_sound(x);
    assert_int_equal(rekeys(x), 2);
}

static void a_ring_from_before_is_locked_out_and_the_one_given_is_good(void **state)
{
    struct scene *x = *state;
    struct keyring ring = {0};
    struct node_key key = {.ring = &x->ring};
    assert_int_equal(rekey(x, &ring), ERR_OK);
    assert_int_equal(node_open_as(&x->w.node, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, &x->why), ERR_LOCKED);
    key.ring = &ring;
    assert_int_equal(node_open_as(&x->w.node, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, &x->why), ERR_OK);
    is_sound(x);
    keyring_release(&ring);
}

static void who_was_removed_and_has_the_old_files_has_nothing_of_the_new_store(void **state)
{
    struct scene *x = *state;
    const struct node_key old = {.ring = &x->ring};
    copy_file(x, "replica.key", "old.key");
    assert_int_equal(node_person_remove(x->w.node, x->gwen, &x->why), ERR_OK);
    assert_int_equal(rekey(x, NULL), ERR_OK);
    copy_file(x, "replica.key", "new.key");
    copy_file(x, "old.key", "replica.key"); /* with her passphrase it opens, and nothing is there for it */
    assert_int_equal(open_with(x, GWEN_WORDS), ERR_TAMPERED);
    copy_file(x, "replica2.db", "replica.db");
    assert_int_equal(open_with(x, GWEN_WORDS), ERR_TAMPERED);
    assert_int_equal(node_open_as(&x->w.node, &x->w.env, x->w.home, &old, NODE_FOR_PEOPLE, &x->why), ERR_TAMPERED);
    copy_file(x, "new.key", "replica.key");
    assert_int_equal(open_with(x, GWEN_WORDS), ERR_PASSPHRASE);
    must_open(x, MOCK_PASSPHRASE);
    is_sound(x);
    assert_false(there(x, "replica.db"));
}

static void a_full_disk_leaves_everything_as_it_was(void **state)
{
    struct scene *x = *state;
    struct faultvfs *v = faultvfs_new();
    int tried = 0;
    for (int room = 0;; room += 5) {
        x->w.env.vfs = "fault";
        v->full_after = -1;
        must_open(x, MOCK_PASSPHRASE);
        v->full_after = room;
        enum err e = rekey(x, NULL);
        v->full_after = -1;
        if (e == ERR_OK) break;
        assert_int_equal(e, ERR_FULL);
        tried++;
        assert_true(there(x, "replica.db"));
        must_open(x, GWEN_WORDS);
        assert_false(there(x, "replica2.db") || there(x, "replica2.db-wal"));
        assert_int_equal(rekeys(x), 0);
        is_sound(x);
        assert_true(room < 1000);
    }
    assert_true(tried > 5);
    must_open(x, MOCK_PASSPHRASE);
    is_sound(x);
    node_close(x->w.node);
    x->w.node = NULL;
    x->w.env.vfs = NULL;
    faultvfs_free(v);
}

/* As the store is when a rekey was cut off; closed. */
static void noted_as_cut_off(struct scene *x)
{
    static const char note[] = "INSERT INTO n_key_act(kind, revision, at, slot, id, user, name) "
                               "VALUES(6, 1000, 0, zeroblob(16), zeroblob(16), zeroblob(16), '')";
    assert_int_equal(db_exec(node_db(x->w.node), note, &x->why), ERR_OK);
    node_close(x->w.node);
    x->w.node = NULL;
}

/* What a cut-off rekey left is not taken for a store, and goes at the next opening. */
static void a_leftover_of_the_other_name_goes(void **state)
{
    struct scene *x = *state;
    char path[160];
    noted_as_cut_off(x);
    copy_file(x, "replica.db", "replica2.db");
    copy_file(x, "replica.key", "replica2.db-wal");
    must_open(x, MOCK_PASSPHRASE);
    assert_false(there(x, "replica2.db") || there(x, "replica2.db-wal"));
    is_sound(x);
    noted_as_cut_off(x);
    mock_world_path(&x->w, "replica2.db", path);
    assert_int_equal(mkdir(path, 0700), 0); /* what cannot be overwritten */
    must_open(x, MOCK_PASSPHRASE);
    assert_int_equal(node_verify(x->w.node, &(struct verify_result){0}, NULL), ERR_IO);
    assert_int_equal(rmdir(path), 0);
    copy_file(x, "replica.key", "replica2.db");
    must_open(x, MOCK_PASSPHRASE); /* no note of it any more, but it is due still */
    assert_false(there(x, "replica2.db"));
    is_sound(x);
}

/* A backup of before a rekey, put back over the home: the store of today is beside it then, with what was written
 * since. Whoever notices the mistake still has it, and today's key file in a later backup. */
static void a_newer_store_survives_that_older_files_were_put_back_beside_it(void **state)
{
    struct scene *x = *state;
    struct verify_result v;
    node_close(x->w.node);
    x->w.node = NULL;
    copy_file(x, "replica.key", "key of last week");
    copy_file(x, "replica.db", "store of last week");
    must_open(x, MOCK_PASSPHRASE);
    assert_int_equal(rekey(x, NULL), ERR_OK);
    must_open(x, MOCK_PASSPHRASE);
    (void)mock_set(x->w.node, "case_file", x->c, "area", "south, and not sent yet");
    node_close(x->w.node);
    x->w.node = NULL;
    copy_file(x, "replica.key", "key of today");
    copy_file(x, "key of last week", "replica.key");
    copy_file(x, "store of last week", "replica.db");
    must_open(x, MOCK_PASSPHRASE);
    assert_int_equal(node_verify(x->w.node, &v, &x->why), ERR_TAMPERED);
    assert_int_equal(rekey(x, NULL), ERR_DENIED);
    assert_true(there(x, "replica2.db"));
    copy_file(x, "key of today", "replica.key");
    must_open(x, MOCK_PASSPHRASE);
    char area[128];
    mock_get(x->w.node, "case_file", x->c, "area", area);
    assert_string_equal(area, "south, and not sent yet");
}

/* Gwen knows the data key and what vouches for the file, so she can put a slot of her own into it; one of a kind that
 * nobody knows is asked for no passphrase and stands in no list of people. */
static void no_new_key_is_sealed_to_a_slot_that_nobody_is_noted_for(void **state)
{
    struct scene *x = *state;
    char path[160];
    struct buf file;
    buf_init(&file, KEYFILE_BYTES);
    mock_world_path(&x->w, "replica.key", path);
    assert_int_equal(x->w.env.read_file(x->w.env.ctx, path, KEYFILE_BYTES, &file, NULL), ERR_OK);
    uint8_t *slot = keyslot_at(file.data, 5);
    memcpy(slot, keyslot_at(file.data, 1), KEYFILE_SLOT_BYTES);
    slot[SLOT_KIND_AT] = 9;
    memset(slot + SLOT_ID_AT, 0x77, SLOT_ID_BYTES);
    keyslot_mac(file.data + KEYFILE_MAC_AT, &x->ring, bytes_of(file.data, KEYFILE_MAC_AT));
    keyslot_checksum(file.data + KEYFILE_SUM_AT, bytes_of(file.data, KEYFILE_SUM_AT));
    assert_int_equal(x->w.env.write_file(x->w.env.ctx, path, buf_bytes(&file), NULL), ERR_OK);
    must_open(x, MOCK_PASSPHRASE);
    assert_int_equal(node_person_remove(x->w.node, x->gwen, &x->why), ERR_OK);
    assert_int_equal(node_verify(x->w.node, &(struct verify_result){0}, NULL), ERR_TAMPERED);
    assert_int_equal(rekey(x, NULL), ERR_TAMPERED);
    assert_false(there(x, "replica2.db"));
    must_open(x, MOCK_PASSPHRASE);
    buf_release(&file);
}

static void a_rekey_during_an_edit_is_refused(void **state)
{
    struct scene *x = *state;
    assert_int_equal(node_edit_begin(x->w.node, &x->why), ERR_OK);
    assert_int_equal(rekey(x, NULL), ERR_FAILED);
    must_open(x, MOCK_PASSPHRASE);
    is_sound(x);
}

/* ------------------------------------------------------------------------------------------- another process */

/* Writes as soon as the store is free, as often as it can, until it is told to stop, and says how often it did. */
static void write_on(const struct scene *x, int out)
{
    const struct node_key key = {.ring = &x->ring};
    struct node *n = NULL;
    uint64_t seq = 0;
    unsigned char ok = 0;
    if (node_open_as(&n, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, NULL) == ERR_OK &&
        node_edit_begin(n, NULL) == ERR_OK &&
        db_exec(node_db(n), "UPDATE case_file SET area = 'written by another process'", NULL) == ERR_OK &&
        node_edit_commit(n, "changed the area", &seq, NULL) == ERR_OK)
        ok = 1;
    node_close(n);
    _exit(write(out, &ok, 1) == 1 ? 0 : 1);
}

static void what_another_process_writes_meanwhile_is_never_lost(void **state)
{
    struct scene *x = *state;
    int wrote = 0, rekeyed = 0;
    for (int i = 0; i < 12; i++) {
        int pipes[2], status = 0;
        unsigned char ok = 2;
        char area[128];
        must_open(x, MOCK_PASSPHRASE);
        keyring_release(&x->ring);
        assert_int_equal(node_unlock(&x->w.env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), &x->ring, &x->why), ERR_OK);
        (void)mock_set(x->w.node, "case_file", x->c, "area", "north");
        assert_int_equal(pipe(pipes), 0);
        /* this process must have no file open that the child would share the locks of */
        node_close(x->w.node);
        x->w.node = NULL;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)usleep((unsigned)i * 5000);
            write_on(x, pipes[1]);
        }
        const struct node_key key = {.ring = &x->ring}; /* at once */
        enum err e = node_open_as(&x->w.node, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, &x->why);
        if (e == ERR_OK) e = rekey(x, NULL);
        assert_true(e == ERR_OK || e == ERR_BUSY);
        assert_int_equal(read(pipes[0], &ok, 1), 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        must_open(x, MOCK_PASSPHRASE);
        mock_get(x->w.node, "case_file", x->c, "area", area);
        assert_string_equal(area, ok == 1 ? "written by another process" : "north");
        struct verify_result v;
        if (node_verify(x->w.node, &v, &x->why) != ERR_OK) fail_msg("%s", x->why.text);
        wrote += ok == 1;
        rekeyed += e == ERR_OK;
    }
    print_message("of 12: %d wrote, %d rekeyed\n", wrote, rekeyed);
    assert_true(rekeyed > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_passphrase_and_all_that_is_there_go_on),
        T(a_second_time_leads_back_to_the_first_name),
        T(a_ring_from_before_is_locked_out_and_the_one_given_is_good),
        T(who_was_removed_and_has_the_old_files_has_nothing_of_the_new_store),
        T(a_full_disk_leaves_everything_as_it_was),
        T(a_leftover_of_the_other_name_goes),
        T(a_newer_store_survives_that_older_files_were_put_back_beside_it),
        T(no_new_key_is_sealed_to_a_slot_that_nobody_is_noted_for),
        T(a_rekey_during_an_edit_is_refused),
        T(what_another_process_writes_meanwhile_is_never_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
