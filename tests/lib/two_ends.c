#include "tests/lib/two_ends.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* -------------------------------------------------------------------------------------------------------- folders */

/* Every file of a folder and of the folders in it: copied to `to`, or removed where that is NULL. */
static void each_file(const char *from, const char *to)
{
    char a[512], b[512], bytes[65536];
    struct stat st;
    struct dirent *d;
    DIR *dir = opendir(from);
    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, d->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to == NULL ? "" : to, d->d_name);
        assert_int_equal(lstat(a, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            if (to != NULL) assert_int_equal(mkdir(b, 0700), 0);
            each_file(a, to == NULL ? NULL : b);
            if (to == NULL) assert_int_equal(rmdir(a), 0);
            continue;
        }
        if (to == NULL) {
            assert_int_equal(unlink(a), 0);
            continue;
        }
        FILE *in = fopen(a, "rb"), *out = fopen(b, "wb");
        assert_non_null(in);
        assert_non_null(out);
        for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) assert_int_equal(fwrite(bytes, 1, n, out), n);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(fclose(in), 0);
        assert_int_equal(chmod(b, st.st_mode & 07777), 0);
    }
    (void)closedir(dir);
}

static void open_again(struct ends_node *n)
{
    struct why why = {0};
    MUST(node_open(&n->n, &n->f->env, n->home, bytes_of_str(passphrase), &why));
}

void ends_keep(struct ends_node *n, const char *to)
{
    node_close(n->n);
    each_file(n->home, to);
    open_again(n);
}

void ends_put_back(struct ends_node *n, const char *from)
{
    node_close(n->n);
    each_file(n->home, NULL);
    each_file(from, n->home);
    open_again(n);
}

/* ------------------------------------------------------------------------------------------------------ enrolment */

void ends_enrol(struct ends_node *n, struct fake_hub *f, const char *site, const char *agency, const char *user)
{
    struct why why = {0};
    struct buf code, request, answer;
    struct invitation invitation;
    struct node_info info;
    uint8_t keys[PUBLIC_BYTES];
    const char *tmp = getenv("TMPDIR");
    memset(n, 0, sizeof *n);
    n->f = f;
    (void)snprintf(n->site, sizeof n->site, "%s", site);
    (void)snprintf(n->agency, sizeof n->agency, "%s", agency);
    (void)snprintf(n->dir, sizeof n->dir, "%.40s/spoke-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(n->dir));
    (void)snprintf(n->home, sizeof n->home, "%s/home", n->dir);
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(f->hub), keys);
    MUST(hub_invite(f->hub, site, "http://127.0.0.1:8470", 3600000, &code, &why));
    MUST(invitation_get(buf_bytes(&code), &invitation, &why));
    MUST(node_enrol_begin(&f->env, n->home, bytes_of_str(passphrase), &invitation, bytes_of(keys, sizeof keys), user,
                          &request, &why));
    MUST(hub_enrol(f->hub, buf_bytes(&request), &answer, &why));
    MUST(node_enrol_finish(&f->env, n->home, bytes_of_str(passphrase), buf_bytes(&answer), &why));
    open_again(n);
    MUST(node_get_info(n->n, &info, &why));
    assert_string_equal(info.agency, agency);
    memcpy(n->user, info.user, sizeof n->user);
    memcpy(n->kid, info.self.kid, sizeof n->kid);
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

void ends_release(struct ends_node *n)
{
    node_close(n->n);
    each_file(n->dir, NULL);
    (void)rmdir(n->dir);
}

/* --------------------------------------------------------------------------------------------------------- rounds */

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct ends_node *n = ctx;
    struct hub_exchange_result r = {0};
    struct buf answer;
    buf_init(&answer, 128u << 20);
    enum err e = hub_exchange(n->f->hub, request, wait_ms > 0, &answer, &r, why);
    n->parked = r.parked;
    if (e == ERR_OK && r.parked) e = hub_exchange(n->f->hub, request, false, &answer, &r, why); /* the wait is over */
    if (e == ERR_OK && n->lose_answer) e = why_set(why, ERR_UNREACHABLE, "The link broke.");
    n->lose_answer = false;
    if (e == ERR_OK) e = sink(sink_ctx, bytes_of(answer.data + from, answer.len - from), why);
    buf_release(&answer);
    return e;
}

struct round_result ends_sync(struct ends_node *n, enum err want)
{
    struct why why = {0};
    struct round_result r = {0};
    struct carrier via = {.ctx = n, .exchange = exchange};
    struct round_options opt = {.budget = n->budget, .wait_ms = 60000, .max_rounds = n->rounds};
    n->parked = false;
    enum err e = node_sync(n->n, &via, &opt, &r, &why);
    if (e != want) fail_msg("%s at %s: %s: %s", err_word(e), n->site, why.text, why.next);
    return r;
}

void ends_export(struct ends_node *n, struct buf *request)
{
    struct why why = {0};
    MUST(node_bundle_export(n->n, request, &why));
}

struct round_result ends_import(struct ends_node *n, struct bytes request)
{
    struct why why = {0};
    struct round_result r = {0};
    struct buf answer;
    buf_init(&answer, 128u << 20);
    MUST(hub_exchange_file(n->f->hub, request, &answer, &why));
    MUST(node_bundle_import(n->n, buf_bytes(&answer), &r, &why));
    buf_release(&answer);
    return r;
}

/* --------------------------------------------------------------------------------------------------------- writing */

static size_t column_of(const struct table_rule *t, const char *name)
{
    int c = rules_column_index(t, bytes_of_str(name));
    assert_true(c >= 0);
    return (size_t)c;
}

static const struct table_rule *table_of(const char *name)
{
    int t = rules_table_index(bytes_of_str(name));
    assert_true(t >= 0);
    return rules_table((size_t)t);
}

struct row ends_row(const struct ends_node *n, const char *table, const uint8_t id[16], const uint8_t case_id[16])
{
    struct row r = {.table = table_of(table)};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str(n->agency);
    return r;
}

void ends_text(struct row *r, const char *column, const char *v)
{
    r->v[column_of(r->table, column)] = value_str(v);
}

void ends_begin(struct ends_node *n)
{
    struct why why = {0};
    MUST(node_edit_begin(n->n, &why));
}

void ends_put(struct ends_node *n, const struct row *r)
{
    struct why why = {0};
    MUST(db_row_put(node_db(n->n), r, &why));
}

void ends_set(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, struct value v)
{
    struct why why = {0};
    const struct table_rule *t = table_of(table);
    MUST(db_row_set(node_db(n->n), t, id, column_of(t, column), v, &why));
    assert_int_equal(db_changes(node_db(n->n)), 1);
}

uint64_t ends_commit(struct ends_node *n)
{
    struct why why = {0};
    uint64_t seq = 0;
    n->f->now += 1000;
    MUST(node_edit_commit(n->n, "worked on a case", &seq, &why));
    assert_true(seq > 0);
    return seq;
}

uint64_t ends_write(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *v)
{
    ends_begin(n);
    ends_set(n, table, id, column, value_str(v));
    return ends_commit(n);
}

/* ------------------------------------------------------------------------------------------------------- comparing */

struct comparing {
    struct ends_node *n;
    const char *file;
    int line;
    int64_t rows;
};

static void read_row(struct ends_node *n, const struct table_rule *t, const uint8_t id[16], struct buf *store,
                     struct row *out, bool *found)
{
    struct why why = {0};
    buf_init(store, 64u << 20);
    MUST(db_row_get(node_db(n->n), t, id, store, out, found, &why));
}

static enum err is_here(void *ctx, const struct row *r, struct why *why)
{
    struct comparing *c = ctx;
    struct buf store;
    struct row here = {0};
    bool found = false;
    (void)why;
    read_row(c->n, r->table, r->v[0].s.p, &store, &here, &found);
    if (!found) fail_msg("%s:%d: a row of %s is not at %s", c->file, c->line, r->table->name, c->n->site);
    for (size_t i = 0; i < r->table->n_columns; i++) {
        if (!value_equal(r->v[i], here.v[i]))
            fail_msg("%s:%d: %s.%s at %s is %.*s, and %.*s at the hub", c->file, c->line, r->table->name,
                     r->table->columns[i].name, c->n->site, here.v[i].kind == VALUE_TEXT ? (int)here.v[i].s.n : 1,
                     here.v[i].kind == VALUE_TEXT ? (const char *)here.v[i].s.p : "?",
                     r->v[i].kind == VALUE_TEXT ? (int)r->v[i].s.n : 1,
                     r->v[i].kind == VALUE_TEXT ? (const char *)r->v[i].s.p : "?");
    }
    c->rows++;
    buf_release(&store);
    return ERR_OK;
}

static int64_t count_here(struct ends_node *n)
{
    struct why why = {0};
    size_t n_tables;
    int64_t rows = 0;
    const struct table_rule *t = rules_tables(&n_tables);
    for (size_t i = 0; i < n_tables; i++) {
        char sql[128];
        struct stmt *s;
        bool row = false;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", t[i].name);
        MUST(db_prepare(node_db(n->n), sql, &s, &why));
        MUST(db_step(s, &row, &why));
        rows += db_int(s, 0);
        db_done(s);
    }
    return rows;
}

void ends_same_line(struct ends_node *n, const char *file, int line)
{
    struct why why = {0};
    struct comparing c = {.n = n, .file = file, .line = line};
    struct verify_result v;
    MUST(hub_site_rows(n->f->hub, n->site, is_here, &c, &why));
    if (count_here(n) != c.rows) fail_msg("%s:%d: %s holds rows that its site may not see", file, line, n->site);
    if (node_verify(n->n, &v, &why) != ERR_OK) fail_msg("%s:%d: %s: %s", file, line, n->site, why.text);
    if (hub_verify(n->f->hub, &why) != ERR_OK) fail_msg("%s:%d: the hub: %s", file, line, why.text);
}

void ends_shows(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *want)
{
    const struct table_rule *t = table_of(table);
    struct buf store;
    struct row here = {0};
    bool found = false;
    read_row(n, t, id, &store, &here, &found);
    assert_true(found);
    struct value v = here.v[column_of(t, column)];
    if (!value_equal(v, want == NULL ? value_null() : value_str(want)))
        fail_msg("%s.%s is %.*s", table, column, v.kind == VALUE_TEXT ? (int)v.s.n : 4,
                 v.kind == VALUE_TEXT ? (const char *)v.s.p : "null");
    buf_release(&store);
}

void ends_cursor(struct ends_node *n, uint8_t out[CUT_BYTES])
{
    struct why why = {0};
    struct node_info info;
    MUST(node_get_info(n->n, &info, &why));
    memcpy(out, info.cursor, CUT_BYTES);
}
