#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static int64_t fake_now(void *ctx)
{
    return *(int64_t *)ctx;
}

void fake_hub_start(struct fake_hub *f)
{
    struct why why = {0};
    const char *tmp = getenv("TMPDIR");
    memset(f, 0, sizeof *f);
    MUST(secret_start(&why));
    (void)snprintf(f->dir, sizeof f->dir, "%.40s/spoke-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(f->dir));
    f->env = *env_posix();
    f->now = 1780000000000;
    f->env.ctx = &f->now; /* the real world's functions need no ctx */
    f->env.now_ms = fake_now;
    f->env.steady_ms = NULL; /* the real one would say that the fake one jumps */
    MUST(hub_init(&f->env, f->dir, "Test MASH", bytes_of_str(passphrase), &why));
    MUST(hub_open(&f->hub, &f->env, f->dir, bytes_of_str(passphrase), &why));
}

void fake_hub_reopen(struct fake_hub *f)
{
    struct why why = {0};
    hub_close(f->hub);
    f->hub = NULL;
    MUST(hub_open(&f->hub, &f->env, f->dir, bytes_of_str(passphrase), &why));
}

void fake_hub_stop(struct fake_hub *f)
{
    static const char *const files[] = {"hub.key", "hub.db", "hub.db-wal", "recovery.key"};
    char path[128];
    hub_close(f->hub);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
}

void fake_hub_people(struct fake_hub *f)
{
    static const char *const north[] = {"north"}, *const south[] = {"south"};
    static const char *const agencies[][2] = {
        {"care", "social_care"}, {"police", "police"}, {"school", "education"}, {"probation", "probation"}};
    const struct hub_site sites[] = {
        {"care-mash", "care", "MASH room", "mash", NULL, north, 1},
        {"police-hq", "police", "Police", "partner", NULL, north, 1},
        {"school-1", "school", "School", "partner", NULL, north, 1},
        {"probation-1", "probation", "Probation", "partner", NULL, south, 1},
    };
    struct why why = {0};
    for (size_t i = 0; i < 4; i++) MUST(hub_add_agency(f->hub, agencies[i][0], agencies[i][0], agencies[i][1], &why));
    for (size_t i = 0; i < 4; i++) MUST(hub_add_site(f->hub, &sites[i], &why));
}

void fake_hub_hash(struct fake_hub *f, uint8_t out[32])
{
    struct why why = {0};
    MUST(db_content_hash(hub_db(f->hub), out, &why));
}

int64_t fake_hub_int(struct fake_hub *f, const char *sql)
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(hub_db(f->hub), sql, &s, &why));
    MUST(db_step(s, &row, &why));
    int64_t v = row ? db_int(s, 0) : -1;
    db_done(s);
    return v;
}

/* -------------------------------------------------------------------------------------------------- enrolment */

void fake_node_ask(struct fake_node *n, struct fake_hub *f, struct bytes code, const char *user, struct buf *out)
{
    struct why why = {0};
    struct invitation i;
    struct enrol_request m = {.software = "fake", .schema = 1};
    struct seal_header head = {.version = 1, .kind = 3};
    struct bundle_writer *w = NULL;
    struct buf item;
    MUST(invitation_get(code, &i, &why));
    memcpy(m.token, i.token, sizeof m.token);
    memcpy(m.hub_fingerprint, i.fingerprint, sizeof m.hub_fingerprint);
    identity_to_bytes(&n->id.pub, m.node);
    memcpy(m.door, m.node, sizeof m.door); /* its own key opens its door */
    (void)snprintf(m.user, sizeof m.user, "%s", user);
    memcpy(head.recipient, hub_identity(f->hub)->kid, KID_BYTES);
    MUST(bundle_writer_new(&w, &head, hub_identity(f->hub), out, m.binding, &why));
    buf_init(&item, 1u << 16);
    MUST(message_put_enrol(&item, &n->id, &m, &why));
    MUST(bundle_put(w, "", buf_bytes(&item), &why));
    MUST(bundle_finish(w, &why));
    bundle_writer_free(w);
    buf_release(&item);
}

static void read_welcome(struct fake_node *n, struct bytes answer)
{
    struct why why = {0};
    struct bundle_reader *r = NULL;
    struct seal_header head;
    struct enrol_answer a;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    MUST(bundle_reader_new(&r, answer, &n->id, &head, binding, &why));
    MUST(bundle_next(r, &item, &end, &why));
    assert_false(end);
    MUST(message_get_enrolled(item, hub_identity(n->f->hub), &a, &why));
    assert_memory_equal(a.binding, binding, 32);
    memcpy(n->user, a.user, 16);
    assert_string_equal(a.site, n->site);
    assert_string_equal(a.agency, n->agency);
    bundle_reader_free(r);
}

void fake_node_enrol(struct fake_node *n, struct fake_hub *f, const char *site, const char *agency, const char *user)
{
    struct why why = {0};
    struct buf code, request, answer;
    memset(n, 0, sizeof *n);
    n->f = f;
    (void)snprintf(n->site, sizeof n->site, "%s", site);
    (void)snprintf(n->agency, sizeof n->agency, "%s", agency);
    buf_init(&n->queue, 64u << 20);
    buf_init(&n->sent, 128u << 20);
    buf_init(&n->got, 128u << 20);
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    MUST(identity_generate(&n->id, &why));
    MUST(hub_invite(f->hub, site, "http://127.0.0.1:8470", 3600000, &code, &why));
    fake_node_ask(n, f, buf_bytes(&code), user, &request);
    MUST(hub_enrol(f->hub, buf_bytes(&request), &answer, &why));
    read_welcome(n, buf_bytes(&answer));
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

void fake_node_release(struct fake_node *n)
{
    identity_release(&n->id);
    buf_release(&n->queue);
    buf_release(&n->sent);
    buf_release(&n->got);
}

/* ------------------------------------------------------------------------------------------------------ rounds */

void fake_node_queue(struct fake_node *n, struct bytes item)
{
    buf_put_be32(&n->queue, (uint32_t)item.n);
    buf_put_bytes(&n->queue, item);
}

void fake_node_pack(struct fake_node *n)
{
    struct why why = {0};
    struct seal_header head = {.version = 1, .kind = 1};
    struct node_hello m = {.epoch = 1,
                           .request = n->request + 1,
                           .schema = n->schema != 0 ? n->schema : rules_schema_newest(),
                           .clock_ms = (uint64_t)(n->f->now + n->skew_ms),
                           .unsent = n->unsent,
                           .oldest_ms = n->oldest_ms,
                           .wait_ms = n->wait_ms,
                           .budget = n->budget,
                           .order = n->order};
    struct bundle_writer *w = NULL;
    struct buf item;
    (void)snprintf(m.software, sizeof m.software, "%s", n->notes ? "fake +note" : "fake");
    memcpy(head.recipient, hub_identity(n->f->hub)->kid, KID_BYTES);
    memcpy(head.sender, n->id.pub.kid, KID_BYTES);
    memcpy(m.hub, head.recipient, KID_BYTES);
    memcpy(m.last_answer, n->last_answer, 32);
    memcpy(m.cursor, n->cursor, 16);
    buf_reset(&n->sent);
    MUST(bundle_writer_new(&w, &head, hub_identity(n->f->hub), &n->sent, m.binding, &why));
    buf_init(&item, 1u << 16);
    MUST(message_put_node_hello(&item, &n->id, &m, &why));
    MUST(bundle_put(w, "", buf_bytes(&item), &why));
    for (size_t at = 0; at < n->queue.len;) {
        const uint8_t *p = n->queue.data + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        MUST(bundle_put(w, n->agency, bytes_of(p + 4, len), &why));
        at += 4 + len;
    }
    MUST(bundle_finish(w, &why));
    bundle_writer_free(w);
    buf_release(&item);
}

static enum err take_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    struct fake_node *n = ctx;
    (void)why;
    n->n_told++;
    if (n->n_verdicts == sizeof n->verdicts / sizeof n->verdicts[0]) return ERR_OK;
    struct fake_verdict *f = &n->verdicts[n->n_verdicts++];
    f->seq = v->seq;
    f->verdict = v->verdict;
    (void)snprintf(f->reason, sizeof f->reason, "%.*s", (int)v->reason.n,
                   v->reason.n == 0 ? "" : (const char *)v->reason.p);
    return ERR_OK;
}

static enum err take_drop(void *ctx, const struct drop_item *d, struct why *why)
{
    struct fake_node *n = ctx;
    (void)d;
    (void)why;
    n->n_drops++;
    return ERR_OK;
}

static void take_part(struct fake_node *n, struct bytes content)
{
    struct why why = {0};
    struct changeset_reader r;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, content, rules_schema_newest());
    for (;;) {
        MUST(changeset_next(&r, &op, &end, &why));
        if (end) return;
        assert_true(n->n_rows < 4096);
        (void)snprintf(n->rows[n->n_rows].table, sizeof n->rows[0].table, "%s", op.table->name);
        memcpy(n->rows[n->n_rows++].id, op_row_id(&op), 16);
    }
}

static void queue_receipt(struct fake_node *n, struct bytes drops)
{
    struct why why = {0};
    struct receipt m = {.request = n->request, .rows = n->n_drops, .done_ms = (uint64_t)n->f->now, .kind = 1};
    struct buf item;
    memcpy(m.node, n->id.pub.kid, KID_BYTES);
    hash_blake2b(m.drops_hash, drops);
    buf_init(&item, 1u << 16);
    MUST(message_put_receipt(&item, &n->id, &m, &why));
    fake_node_queue(n, buf_bytes(&item));
    buf_release(&item);
}

static enum err take_end(void *ctx, const struct end_item *d, struct why *why)
{
    struct fake_node *n = ctx;
    (void)why;
    assert_true(n->n_ends < sizeof n->ends / sizeof n->ends[0]);
    n->ends[n->n_ends++] = *d;
    return ERR_OK;
}

static void take_item(struct fake_node *n, struct bytes item, struct buf *drops)
{
    struct why why = {0};
    const struct identity *hub = hub_identity(n->f->hub);
    struct bytes cose;
    struct part part;
    switch (message_type(item)) {
    case MSG_VERDICTS: MUST(message_get_verdicts(item, hub, n->id.pub.kid, n->request, take_verdict, n, &why)); return;
    case MSG_DROPS:
        MUST(message_get_drops(item, hub, n->id.pub.kid, n->request, take_drop, n, &cose, &why));
        buf_put_bytes(drops, cose);
        return;
    case MSG_ENDS: MUST(message_get_ends(item, hub, n->id.pub.kid, n->request, take_end, n, &why)); return;
    case MSG_PART:
        MUST(message_get_part(item, &part, &why));
        take_part(n, part.content);
        return;
    case MSG_ORDER:
        assert_true(n->n_orders < sizeof n->orders / sizeof n->orders[0]);
        MUST(message_get_order(item, hub, &n->orders[n->n_orders++], NULL, &why));
        return;
    case MSG_REPLY: return; /* for the test to read, in `got` */
    case MSG_NOTE:
        assert_true(n->notes);
        n->note_bytes = item.n;
        return;
    default: assert_int_equal(message_type(item), MSG_PAGE);
    }
}

static void read_answer(struct fake_node *n)
{
    struct why why = {0};
    struct bundle_reader *r = NULL;
    struct seal_header head;
    struct bytes item;
    struct buf drops;
    uint8_t binding[32], hash[32];
    bool end = false;
    buf_init(&drops, 64u << 20);
    n->note_bytes = n->n_told = n->n_verdicts = n->n_rows = n->n_drops = n->n_ends = n->n_orders = 0;
    MUST(bundle_reader_new(&r, buf_bytes(&n->got), &n->id, &head, binding, &why));
    MUST(bundle_next(r, &item, &end, &why));
    assert_false(end);
    MUST(message_get_hub_hello(item, hub_identity(n->f->hub), &n->hello, &why));
    hash_blake2b(hash, buf_bytes(&n->sent));
    assert_memory_equal(n->hello.binding, binding, 32);
    assert_memory_equal(n->hello.request_hash, hash, 32);
    assert_int_equal(n->hello.request, n->request + 1);
    n->request++;
    buf_reset(&n->queue);
    for (;;) {
        MUST(bundle_next(r, &item, &end, &why));
        if (end) break;
        take_item(n, item, &drops);
    }
    bundle_reader_free(r);
    assert_int_equal(n->hello.drops, n->n_drops);
    if (n->n_drops > 0) queue_receipt(n, buf_bytes(&drops));
    memcpy(n->cursor, n->hello.cut, 16);
    hash_blake2b(n->last_answer, buf_bytes(&n->got));
    buf_release(&drops);
}

void fake_node_read(struct fake_node *n)
{
    read_answer(n);
}

enum err fake_node_send(struct fake_node *n, bool may_park)
{
    struct why why = {0};
    buf_reset(&n->got);
    enum err e = hub_exchange(n->f->hub, buf_bytes(&n->sent), may_park, &n->got, &n->result, &why);
    if (e != ERR_OK) assert_true(why.text[0] != '\0');
    if (e == ERR_OK && !n->result.parked) read_answer(n);
    return e;
}

enum err fake_node_try(struct fake_node *n)
{
    fake_node_pack(n);
    return fake_node_send(n, false);
}

void fake_node_round(struct fake_node *n)
{
    struct why why = {0};
    fake_node_pack(n);
    buf_reset(&n->got);
    MUST(hub_exchange(n->f->hub, buf_bytes(&n->sent), false, &n->got, &n->result, &why));
    read_answer(n);
}

void fake_node_pull(struct fake_node *n)
{
    do {
        fake_node_round(n);
    } while (n->hello.more || n->queue.len > 0);
}

bool fake_node_got(const struct fake_node *n, const char *table, const uint8_t id[16])
{
    for (size_t i = 0; i < n->n_rows; i++) {
        if (strcmp(n->rows[i].table, table) == 0 && memcmp(n->rows[i].id, id, 16) == 0) return true;
    }
    return false;
}
