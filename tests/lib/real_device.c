#include "tests/lib/real_device.h"

#include "tests/lib/intake_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOME_MAX (64u << 20)

static void must_line(enum err e, const struct why *why, int line)
{
    if (e != ERR_OK) fail_msg("line %d: %s: %s", line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, __LINE__)

static struct bytes pass(void)
{
    return bytes_of_str(REAL_PASSPHRASE);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* ------------------------------------------------------------------------------------------------------- its life */

void real_open(struct real_device *d)
{
    struct why why = {0};
    if (d->n == NULL) MUST(node_open(&d->n, &d->env, d->home, pass(), &why));
}

void real_close(struct real_device *d)
{
    node_close(d->n);
    d->n = NULL;
}

static void make_dir(struct real_device *d)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(d->dir, sizeof d->dir, "%.40s/spoke-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(d->dir));
    (void)snprintf(d->home, sizeof d->home, "%s/home", d->dir);
}

void real_join(struct real_device *d, const char *site, const char *agency, const char *user)
{
    struct why why = {0};
    struct invitation code;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    *d = (struct real_device){.env = hub->env};
    make_dir(d);
    (void)snprintf(d->site, sizeof d->site, "%s", site);
    (void)snprintf(d->agency, sizeof d->agency, "%s", agency);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    real_invite(d, &code);
    identity_to_bytes(hub_identity(hub->hub), keys);
    MUST(node_enrol_begin(&d->env, d->home, pass(), &code, bytes_of(keys, sizeof keys), user, &request, &why));
    MUST(hub_enrol(hub->hub, buf_bytes(&request), &answer, &why));
    MUST(node_enrol_finish(&d->env, d->home, pass(), buf_bytes(&answer), &why));
    buf_release(&request);
    buf_release(&answer);
    real_open(d);
}

void real_gone(struct real_device *d)
{
    real_close(d);
    (void)nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void copy(struct real_device *d, const char *from, const char *to)
{
    static const char *const files[] = {"replica.key", "device.secret", "replica.db", "replica.db-wal", "spool/answer",
                                        "door",        "unsent",        "order",      "wipe"};
    struct why why = {0};
    char a[160], b[160];
    real_close(d);
    (void)snprintf(a, sizeof a, "%s/spool", to);
    MUST(d->env.make_dir(d->env.ctx, a, &why));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct buf content;
        buf_init(&content, HOME_MAX);
        (void)snprintf(a, sizeof a, "%s/%s", from, files[i]);
        (void)snprintf(b, sizeof b, "%s/%s", to, files[i]);
        enum err e = d->env.read_file(d->env.ctx, a, HOME_MAX, &content, &why);
        if (e == ERR_NOTFOUND)
            e = d->env.remove_file(d->env.ctx, b, &why);
        else if (e == ERR_OK)
            e = d->env.write_file(d->env.ctx, b, buf_bytes(&content), &why);
        must_line(e, &why, __LINE__);
        buf_release(&content);
    }
}

void real_image(struct real_device *d, const char *name)
{
    char to[120];
    (void)snprintf(to, sizeof to, "%s/%s", d->dir, name);
    copy(d, d->home, to);
    real_open(d);
}

void real_put_back(struct real_device *d, const char *name)
{
    char from[120];
    (void)snprintf(from, sizeof from, "%s/%s", d->dir, name);
    copy(d, from, d->home);
    real_open(d);
}

void real_clone(struct real_device *d, struct real_device *twin)
{
    *twin = *d;
    twin->n = NULL;
    make_dir(twin);
    copy(d, d->home, twin->home);
    real_open(d);
    real_open(twin);
}

/* ---------------------------------------------------------------------------------------------------------- rounds */

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct buf answer;
    (void)ctx;
    (void)from;
    (void)wait_ms;
    buf_init(&answer, BUNDLE_MAX);
    enum err e = hub_exchange(hub->hub, request, false, &answer, NULL, why);
    if (e == ERR_OK) e = sink(sink_ctx, buf_bytes(&answer), why);
    buf_release(&answer);
    return e;
}

struct round_result real_sync(struct real_device *d, enum err want)
{
    const struct carrier via = {.exchange = exchange};
    struct round_result r;
    d->why = (struct why){0};
    enum err e = node_sync(d->n, &via, NULL, &r, &d->why);
    if (e != want) fail_msg("%s instead of %s: %s", err_word(e), err_word(want), d->why.text);
    return r;
}

/* ------------------------------------------------------------------------------------------------ set up anew */

void real_invite(const struct real_device *d, struct invitation *out)
{
    struct why why = {0};
    struct buf code;
    buf_init(&code, 4096);
    MUST(hub_invite(hub->hub, d->site, "http://127.0.0.1:8470", 3600000, &code, &why));
    MUST(invitation_get(buf_bytes(&code), out, &why));
    buf_release(&code);
}

enum err real_ask(struct real_device *d, const struct invitation *code, struct buf *request)
{
    uint8_t keys[PUBLIC_BYTES];
    real_close(d);
    identity_to_bytes(hub_identity(hub->hub), keys);
    return node_enrol_again(&d->env, d->home, pass(), code, bytes_of(keys, sizeof keys), NULL, request, &d->why);
}

enum err real_at_hub(struct real_device *d, const struct buf *request, struct buf *answer)
{
    return hub_enrol(hub->hub, buf_bytes(request), answer, &d->why);
}

enum err real_take(struct real_device *d, const struct buf *answer)
{
    real_close(d);
    enum err e = node_enrol_finish(&d->env, d->home, pass(), buf_bytes(answer), &d->why);
    real_open(d);
    return e;
}

void real_again(struct real_device *d)
{
    struct invitation code;
    struct buf request, answer;
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    real_invite(d, &code);
    must_line(real_ask(d, &code, &request), &d->why, __LINE__);
    must_line(real_at_hub(d, &request, &answer), &d->why, __LINE__);
    must_line(real_take(d, &answer), &d->why, __LINE__);
    buf_release(&request);
    buf_release(&answer);
}

/* ------------------------------------------------------------------------------------------------------------ rows */

uint64_t real_person(struct real_device *d, const uint8_t case_id[16], const char *family, uint8_t out_id[16])
{
    struct why why = {0};
    uint64_t seq = 0;
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("person")))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    env_new_id(&d->env, out_id);
    r.v[0] = value_id(out_id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str(d->agency);
    r.v[rules_column_index(r.table, bytes_of_str("role"))] = value_str("child");
    r.v[rules_column_index(r.table, bytes_of_str("family_name"))] = value_str(family);
    MUST(node_edit_begin(d->n, &why));
    MUST(db_row_put(node_db(d->n), &r, &why));
    MUST(node_edit_commit(d->n, "added a person", &seq, &why));
    return seq;
}

const char *real_state(const uint8_t kid[16], char out[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(hub_db(hub->hub), "SELECT state FROM h_node WHERE kid = $1", &s, &why));
    db_bind_id(s, 1, kid);
    MUST(db_step(s, &row, &why));
    assert_true(row && db_bytes(s, 0).n < 16);
    (void)snprintf(out, 16, "%.*s", (int)db_bytes(s, 0).n, (const char *)db_bytes(s, 0).p);
    db_done(s);
    return out;
}
