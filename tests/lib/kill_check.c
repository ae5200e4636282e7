#include "tests/lib/kill.h"

#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row as compared between hub and node. */
struct print {
    uint8_t table;
    uint8_t id[16];
    uint8_t hash[HASH_BYTES];
};

/* ------------------------------------------------------------------------------------------------ coming to rest */
static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct buf answer;
    struct hub_exchange_result result;
    (void)wait_ms;
    buf_init(&answer, 128u << 20);
    enum err e = hub_exchange(ctx, request, false, &answer, &result, why);
    if (e == ERR_OK && from < answer.len) e = sink(sink_ctx, bytes_of(answer.data + from, answer.len - from), why);
    buf_release(&answer);
    return e;
}

static void come_to_rest(struct kill_world *w, struct hub *h, struct node **nodes)
{
    struct carrier via = {.ctx = h, .exchange = exchange};
    struct why why = {0};
    size_t quiet = 0;
    for (unsigned pass = 0; quiet < w->n_nodes; pass++) {
        if (pass > 30 * w->n_nodes) kill_fail("the nodes do not come to rest");
        size_t i = pass % w->n_nodes;
        struct round_result r = {0};
        kill_must(node_sync(nodes[i], &via, NULL, &r, &why), w->nodes[i].site, &why);
        quiet = r.rows_in + r.rows_dropped + r.sent + r.receipts == 0 ? quiet + 1 : 0;
    }
}

/* --------------------------------------------------------------------------------------------- what must be so now */
static int64_t number(struct db *db, const char *sql)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    kill_must(db_prepare(db, sql, &s, &why), sql, &why);
    kill_must(db_step(s, &row, &why), sql, &why);
    int64_t n = row ? db_int(s, 0) : -1;
    db_done(s);
    return n;
}

static enum err add_print(void *ctx, const struct row *r, struct why *why)
{
    struct buf b;
    struct print p = {0};
    buf_init(&b, 64u << 20);
    row_put_cbor(&b, r);
    if (b.err != ERR_OK) return why_set(why, b.err, "a row is too large");
    p.table = (uint8_t)rules_table_index(bytes_of_str(r->table->name));
    memcpy(p.id, r->v[0].s.p, 16);
    hash_blake2b(p.hash, buf_bytes(&b));
    buf_release(&b);
    buf_put(ctx, &p, sizeof p);
    return ERR_OK;
}

static void node_prints(struct node *n, struct buf *out)
{
    struct why why = {0};
    size_t count = 0;
    const struct table_rule *all = rules_tables(&count);
    for (size_t i = 0; i < count; i++) {
        char sql[100];
        struct stmt *s = NULL;
        bool row = true;
        (void)snprintf(sql, sizeof sql, "SELECT id FROM %s", all[i].name);
        kill_must(db_prepare(node_db(n), sql, &s, &why), sql, &why);
        for (;;) {
            struct buf store;
            struct row r;
            uint8_t id[16];
            bool found = false;
            kill_must(db_step(s, &row, &why), sql, &why);
            if (!row) break;
            db_id(s, 0, id);
            buf_init(&store, 64u << 20);
            kill_must(db_row_get(node_db(n), &all[i], id, &store, &r, &found, &why), "row", &why);
            kill_must(add_print(out, &r, &why), "row", &why);
            buf_release(&store);
        }
        db_done(s);
    }
}

static int by_row(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct print));
}

static size_t sorted(struct buf *b)
{
    size_t n = b->len / sizeof(struct print);
    if (n > 1) qsort(b->data, n, sizeof(struct print), by_row);
    return n;
}

static void say_difference(const char *what, const struct print *p)
{
    char id[33];
    hex_encode(id, p->id, 16);
    fprintf(stderr, "kill: %s: %s %s\n", what, rules_table(p->table)->name, id);
}

/* Walk both sorted lists and say what one has and the other lacks. */
static size_t differences(const struct print *hub, size_t n_hub, const struct print *node, size_t n_node)
{
    size_t found = 0;
    for (size_t i = 0, k = 0; i < n_hub || k < n_node;) {
        int order = i == n_hub ? 1 : k == n_node ? -1 : by_row(&hub[i], &node[k]);
        if (order == 0) {
            i++, k++;
            continue;
        }
        found++;
        if (order < 0)
            say_difference("the site may see, in this form, what the node lacks", &hub[i++]);
        else
            say_difference("the node holds, in this form, what its site may not see", &node[k++]);
    }
    return found;
}

static void check_rows(struct kill_world *w, struct hub *h, struct node **nodes)
{
    struct why why = {0};
    size_t wrong = 0;
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct buf hub, node;
        buf_init(&hub, 64u << 20);
        buf_init(&node, 64u << 20);
        kill_must(hub_site_rows(h, w->nodes[i].site, add_print, &hub, &why), "rows of a site", &why);
        node_prints(nodes[i], &node);
        size_t n_hub = sorted(&hub), n_node = sorted(&node);
        size_t found = differences((const struct print *)hub.data, n_hub, (const struct print *)node.data, n_node);
        printf("%s: %zu rows, %zu differ from what its site may see\n", w->nodes[i].site, n_node, found);
        wrong += found;
        buf_release(&hub);
        buf_release(&node);
    }
    if (wrong != 0) kill_fail("%zu rows differ", wrong);
}

static void check_note(struct hub *h, const struct kill_world *w, const struct kill_note *n, int64_t *by_verdict)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    kill_must(
        db_prepare(
            hub_db(h),
            "SELECT e.verdict, EXISTS (SELECT 1 FROM record r WHERE r.id = $3) FROM h_envelope e"
            " JOIN h_node n ON n.no = e.node_no JOIN h_site t ON t.no = n.site_no WHERE t.code = $1 AND e.seq = $2",
            &s, &why),
        "envelope", &why);
    db_bind_str(s, 1, w->nodes[n->who].site);
    db_bind_int(s, 2, (int64_t)n->seq);
    db_bind_id(s, 3, n->id);
    kill_must(db_step(s, &row, &why), "envelope", &why);
    if (!row)
        kill_fail("edit %llu of %s was committed and is not at the hub", (unsigned long long)n->seq,
                  w->nodes[n->who].site);
    int64_t verdict = db_int(s, 0);
    bool there = db_int(s, 1) != 0;
    db_done(s);
    if (verdict < 0 || verdict >= VERDICT_FAULT)
        kill_fail("edit %llu of %s was judged a fault", (unsigned long long)n->seq, w->nodes[n->who].site);
    if (n->is_record && verdict <= VERDICT_MERGED && !there)
        kill_fail("a record of edit %llu of %s was taken and is not there", (unsigned long long)n->seq,
                  w->nodes[n->who].site);
    by_verdict[verdict]++;
}

static void check_sound(struct kill_world *w, struct hub *h, struct node **nodes)
{
    struct why why = {0};
    kill_must(hub_verify(h, &why), "verify the hub", &why);
    int64_t unconfirmed = number(hub_db(h), "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL");
    if (unconfirmed != 0) kill_fail("%lld orders to forget are not confirmed", (long long)unconfirmed);
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct verify_result r = {0};
        struct node_info info;
        kill_must(node_verify(nodes[i], &r, &why), w->nodes[i].site, &why);
        kill_must(node_get_info(nodes[i], &info, &why), w->nodes[i].site, &why);
        if (info.unsent != 0 || r.pending_rows != 0)
            kill_fail("%s still has something that is not judged", w->nodes[i].site);
    }
    printf("drops ordered and confirmed: %lld; conflicts: %lld; held: %lld\n",
           (long long)number(hub_db(h), "SELECT count(*) FROM h_drop"),
           (long long)number(hub_db(h), "SELECT count(*) FROM conflict"),
           (long long)number(hub_db(h), "SELECT count(*) FROM held"));
}

void kill_check(struct kill_world *w)
{
    struct why why = {0};
    struct node *nodes[KILL_MOST] = {0};
    int64_t by_verdict[VERDICT_FAULT] = {0};
    struct log_audit_sum logs;
    struct hub *h = kill_open_hub(w);
    for (size_t i = 0; i < w->n_nodes; i++)
        kill_must(node_open(&nodes[i], env_posix(), w->nodes[i].home, kill_passphrase(), &why), w->nodes[i].site, &why);
    come_to_rest(w, h, nodes);
    check_rows(w, h, nodes);
    for (size_t i = 0; i < w->n_notes; i++) check_note(h, w, &w->notes[i], by_verdict);
    check_sound(w, h, nodes);
    kill_must(hub_log_verify(h, &logs, &why), "verify the logs", &why);
    printf("all %zu committed edits are at the hub: %lld applied, %lld merged, %lld held, %lld wait\n", w->n_notes,
           (long long)by_verdict[VERDICT_APPLIED], (long long)by_verdict[VERDICT_MERGED],
           (long long)by_verdict[VERDICT_HELD], (long long)by_verdict[VERDICT_WAITS]);
    for (size_t i = 0; i < w->n_nodes; i++) node_close(nodes[i]);
    hub_close(h);
}
