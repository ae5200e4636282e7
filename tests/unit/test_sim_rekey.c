/* A device under a new data key (node/rekey.c) on a disk in memory: the power fails at every step, and once more
 * while it is opened after that. Whichever key file survives, there is a whole store to it, with everybody's
 * passphrase and every change. */
#include "node/internal.h"
#include "tests/lib/mock_hub.h"
#include "tests/sim/disk_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOME       "home"
#define SECOND     "a second passphrase"
#define ENDS_AFTER 4000 /* steps that no rekey of so small a store takes */

struct scene {
    struct mock_hub hub;
    struct disk *disk;
    struct env env;
    struct disk_image *start;
    struct keyring ring; /* from before */
    char code[RECOVERY_CODE_CHARS];
    uint8_t c[16];
    struct why why;
};

static int64_t now_of(void *ctx)
{
    (void)ctx;
    return env_now(env_posix());
}

static void random_of(void *ctx, void *out, size_t n)
{
    (void)ctx;
    env_random(env_posix(), out, n);
}

static enum err read_of(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    return disk_read_file(ctx, path, max, out, why);
}

static enum err write_of(void *ctx, const char *path, struct bytes content, struct why *why)
{
    return disk_write_file(ctx, path, content, why);
}

static enum err append_of(void *ctx, const char *path, uint64_t at, struct bytes content, bool sync, struct why *why)
{
    return disk_append_file(ctx, path, at, content, sync, why);
}

static enum err size_of(void *ctx, const char *path, uint64_t *out, struct why *why)
{
    return disk_file_size(ctx, path, out, why);
}

static enum err remove_of(void *ctx, const char *path, struct why *why)
{
    return disk_remove_file(ctx, path, why);
}

static enum err shred_of(void *ctx, const char *path, struct why *why)
{
    return disk_shred_file(ctx, path, why);
}

static enum err make_dir_of(void *ctx, const char *path, struct why *why)
{
    (void)ctx, (void)path, (void)why; /* names imply their folders */
    return ERR_OK;
}

static void must(struct scene *x, enum err e, int line)
{
    if (e != ERR_OK) fail_msg("line %d: %s: %s", line, err_word(e), x->why.text);
}
#define MUST(call) must(x, call, __LINE__)

static void join(struct scene *x)
{
    struct invitation code;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    const struct bytes pass = bytes_of_str(MOCK_PASSPHRASE);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    mock_hub_invite(&x->hub, &code);
    mock_hub_public(&x->hub, keys);
    MUST(node_enrol_begin(&x->env, HOME, pass, &code, bytes_of(keys, sizeof keys), "Mair Evans", &request, &x->why));
    mock_hub_enrol(&x->hub, buf_bytes(&request), &answer);
    MUST(node_enrol_finish(&x->env, HOME, pass, buf_bytes(&answer), &x->why));
    buf_release(&request);
    buf_release(&answer);
}

static void serve_second(struct scene *x, struct node *n, const uint8_t id[16])
{
    struct row p = {.table = rules_table((size_t)rules_table_index(bytes_of_str("practitioner")))};
    struct mock_request r;
    struct mock_answer a;
    struct round_result out;
    struct buf request, answer;
    buf_init(&request, BUNDLE_MAX);
    buf_init(&answer, BUNDLE_MAX);
    MUST(node_bundle_export(n, &request, &x->why));
    mock_hub_read(&x->hub, buf_bytes(&request), &r);
    mock_answer_begin(&a, &x->hub, &r);
    for (size_t i = 0; i < p.table->n_columns; i++) p.v[i] = value_null();
    p.v[0] = value_id(id);
    p.v[rules_column_index(p.table, bytes_of_str("site"))] = value_str("llanidloes");
    p.v[rules_column_index(p.table, bytes_of_str("name"))] = value_str("Gwen Price");
    mock_answer_op(&a, OP_INSERT, &p);
    mock_answer_seal(&a, &x->hub, &answer);
    MUST(node_bundle_import(n, buf_bytes(&answer), &out, &x->why));
    mock_request_release(&r);
    buf_release(&request);
    buf_release(&answer);
}

/* A case, 40 changes that the hub has not, and a second person. */
static void fill(struct scene *x)
{
    struct node *n = NULL;
    struct row row;
    char text[20];
    uint8_t who[16];
    mock_id(x->c, 1);
    mock_id(who, 2);
    row = mock_case(x->c);
    MUST(node_open(&n, &x->env, HOME, bytes_of_str(MOCK_PASSPHRASE), &x->why));
    (void)mock_put(n, &row, 1);
    for (int i = 1; i <= 40; i++) {
        (void)snprintf(text, sizeof text, "area %d", i);
        (void)mock_set(n, "case_file", x->c, "area", text);
    }
    serve_second(x, n, who);
    MUST(node_person_add(n, who, bytes_of_str(SECOND), &x->why));
    MUST(node_recovery_code(n, x->code, &x->why));
    node_close(n);
}

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    if (x == NULL || secret_start(&x->why) != ERR_OK) return -1;
    x->disk = disk_new();
    x->env = (struct env){.ctx = x->disk,
                          .now_ms = now_of,
                          .random = random_of,
                          .vfs = disk_vfs_name(x->disk),
                          .read_file = read_of,
                          .write_file = write_of,
                          .append_file = append_of,
                          .file_size = size_of,
                          .remove_file = remove_of,
                          .shred_file = shred_of,
                          .make_dir = make_dir_of};
    MUST(identity_generate(&x->hub.id, &x->why));
    MUST(identity_generate(&x->hub.recovery, &x->why));
    join(x);
    fill(x);
    MUST(node_unlock(&x->env, HOME, bytes_of_str(MOCK_PASSPHRASE), &x->ring, &x->why));
    disk_settle(x->disk);
    x->start = disk_image_take(x->disk);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    keyring_release(&x->ring);
    disk_image_free(x->start);
    disk_free(x->disk);
    identity_release(&x->hub.id);
    identity_release(&x->hub.recovery);
    free(x);
    return 0;
}

static enum err open_old(struct scene *x, struct node **out)
{
    const struct node_key key = {.ring = &x->ring};
    return node_open_as(out, &x->env, HOME, &key, NODE_FOR_PEOPLE, &x->why);
}

/* false: the power failed before the end. */
static bool rekey(struct scene *x, uint64_t die_after, struct keyring *out)
{
    const struct disk_faults f = {.die_after = die_after};
    struct node *n = NULL;
    disk_put_back(x->disk, x->start);
    disk_set_faults(x->disk, &f);
    enum err e = open_old(x, &n);
    if (e == ERR_OK) e = node_rekey(n, out, &x->why);
    bool dead = disk_is_dead(x->disk);
    if (!dead) disk_set_faults(x->disk, NULL);
    if (!dead) must(x, e, __LINE__);
    return !dead;
}

static uint32_t generation(struct scene *x)
{
    const struct keyfile at = {.path = HOME "/replica.key"};
    uint32_t g = 9;
    MUST(keyslot_generation(&x->env, &at, &g, &x->why));
    return g;
}

/* With the recovery code, which asks for no time as passphrases do. */
static enum err open_any(struct scene *x, struct node **out)
{
    const struct keyfile at = {.path = HOME "/replica.key"};
    struct keyring ring = {0};
    const struct node_key key = {.ring = &ring};
    x->why = (struct why){0};
    enum err e = keyslot_open_code(&x->env, &at, bytes_of_str(x->code), &ring, &x->why);
    if (e == ERR_OK) e = node_open_as(out, &x->env, HOME, &key, NODE_FOR_PEOPLE, &x->why);
    keyring_release(&ring);
    return e;
}

static void everybody_comes_in(struct scene *x)
{
    struct node *n = NULL;
    MUST(node_open(&n, &x->env, HOME, bytes_of_str(SECOND), &x->why));
    node_close(n);
    n = NULL;
    MUST(node_open(&n, &x->env, HOME, bytes_of_str(MOCK_PASSPHRASE), &x->why));
    node_close(n);
}

/* The power fails once more in the `after`-th step of the opening, if it has so many. */
static void open_and_fail(struct scene *x, uint64_t after, struct draw *by)
{
    const struct disk_faults f = {.die_after = after};
    struct node *n = NULL;
    disk_set_faults(x->disk, &f);
    if (open_any(x, &n) == ERR_OK) node_close(n);
    if (disk_is_dead(x->disk))
        (void)disk_power_off(x->disk, by);
    else
        disk_set_faults(x->disk, NULL);
}

static void is_whole(struct scene *x)
{
    struct node *n = NULL;
    struct verify_result v;
    char area[128];
    uint32_t g = generation(x);
    MUST(open_any(x, &n));
    MUST(node_verify(n, &v, &x->why)); /* that nothing is left of the other store, too */
    assert_int_equal(v.envelopes, 41);
    mock_get(n, "case_file", x->c, "area", area);
    assert_string_equal(area, "area 40");
    assert_int_equal(mock_ask(n, "SELECT count(*) FROM n_audit WHERE what LIKE '%new key%'"), g);
    assert_int_equal(mock_ask(n, "SELECT count(*) FROM n_key_act"), 0);
    (void)mock_set(n, "case_file", x->c, "area", "afterwards");
    node_close(n);
    assert_int_equal(disk_file(x->disk, g == 0 ? HOME "/replica2.db" : HOME "/replica.db").n, 0);
}

static void power_that_fails_at_any_step_leaves_a_whole_device(void **state)
{
    struct scene *x = *state;
    struct draw by = draw_stream(14, 7, 0);
    unsigned cases = 0, olds = 0, news = 0;
    for (uint64_t k = 1;; k++) {
        bool done = rekey(x, k, NULL);
        if (done) break;
        (void)disk_power_off(x->disk, &by);
        if (k % 3 == 0) open_and_fail(x, 1 + draw_below(&by, 40), &by);
        bool is_old = generation(x) == 0;
        is_whole(x);
        if (k % 40 == 0) everybody_comes_in(x);
        olds += is_old;
        news += !is_old;
        cases++;
        assert_true(k < ENDS_AFTER);
    }
    print_message("%u power failures: %u found the old store, %u the new one\n", cases, olds, news);
    assert_true(olds > 20 && news > 3);
}

/* Killed and no power failure: what was written is there for the next opening, durable or not. Only in that does
 * the power fail: a switch that was not durable yet must be before anything of the old store goes. */
static void a_process_that_is_killed_and_power_that_fails_after_it_leave_a_whole_device(void **state)
{
    struct scene *x = *state;
    struct draw by = draw_stream(15, 7, 0);
    unsigned cases = 0, olds = 0, switched = 0;
    for (uint64_t k = 1;; k++) {
        unsigned times = 1;
        bool done = false;
        for (unsigned i = 0; i < times && !done; i++) {
            done = rekey(x, k, NULL);
            if (done) break;
            x->disk->dead = false;
            disk_set_faults(x->disk, NULL);
            bool is_new = generation(x) == 1;
            if (is_new) times = 3; /* here it hurts */
            open_and_fail(x, 1 + draw_below(&by, is_new ? 12 : 60), &by);
            olds += generation(x) == 0;
            switched += is_new;
            is_whole(x);
            cases++;
        }
        if (done) break;
        assert_true(k < ENDS_AFTER);
    }
    print_message("%u kills, %u of them after the switch; %u ended with the old store\n", cases, switched, olds);
    assert_true(olds > 20 && switched > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_that_fails_at_any_step_leaves_a_whole_device),
        cmocka_unit_test(a_process_that_is_killed_and_power_that_fails_after_it_leave_a_whole_device),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
