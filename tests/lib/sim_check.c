/* What must hold: after every contact, and when everything has come to rest. */
#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_case_row(const struct sim_row *r)
{
    return r->r.table->kind == TABLE_CASE;
}

/* What the hub may tell this node now is allowed there until its next complete sync; anew: and nothing else any more. */
void sim_allow(struct sim *s, struct sim_node *n, bool anew)
{
    struct sim_rows hub;
    if (anew) sim_ids_clear(&n->allowed);
    sim_rows_read(&hub, hub_db(s->hub));
    for (size_t i = 0; i < hub.n; i++)
        if (is_case_row(&hub.v[i]) && sim_sees(&hub, n->place, &hub.v[i], s->clock))
            sim_ids_add(&n->allowed, hub.v[i].id);
    sim_rows_free(&hub);
}

/* A contact that broke off: nothing may have come that the hub's state at some contact since did not allow. */
void sim_check_subset(struct sim *s, struct sim_node *n)
{
    struct sim_rows here;
    char hex[33];
    sim_rows_read(&here, node_db(n->n));
    for (size_t i = 0; i < here.n; i++) {
        const struct sim_row *r = &here.v[i];
        if (is_case_row(r) && !sim_ids_has(&n->allowed, r->id) && !sim_ids_has(&n->own, r->id))
            sim_fail(s, "LEAK: node %d (%s) holds %s %s, which its site could see at none of its contacts", n->no,
                     n->place->site, r->r.table->name, sim_hex(r->id, hex));
    }
    sim_rows_free(&here);
}

static void compare_rows(struct sim *s, struct sim_node *n, const struct sim_row *hub, const struct sim_row *node)
{
    char hex[33];
    for (size_t c = 0; c < hub->r.table->n_columns; c++)
        if (!value_equal(hub->r.v[c], node->r.v[c]))
            sim_fail(s, "node %d (%s): %s %s differs from the hub in %s", n->no, n->place->site, hub->r.table->name,
                     sim_hex(hub->id, hex), hub->r.table->columns[c].name);
}

/* A complete contact: exactly the rows that the oracle says, with the hub's content. */
void sim_check_equal(struct sim *s, struct sim_node *n)
{
    struct sim_rows hub, here;
    char hex[33];
    size_t shown = 0;
    sim_rows_read(&hub, hub_db(s->hub));
    sim_rows_read(&here, node_db(n->n));
    for (size_t i = 0; i < hub.n; i++) {
        const struct sim_row *h = &hub.v[i], *r = sim_rows_find(&here, h->tbl, h->id);
        bool sees = sim_sees(&hub, n->place, h, s->clock);
        if (sees != (r != NULL))
            sim_fail(s, "%s: node %d (%s): %s %s of %.*s in case %.8s", sees ? "MISSING" : "LEAK", n->no,
                     n->place->site, h->r.table->name, sim_hex(h->id, hex), is_case_row(h) ? (int)h->r.v[2].s.n : 0,
                     is_case_row(h) ? (const char *)h->r.v[2].s.p : "", "");
        if (r != NULL) compare_rows(s, n, h, r);
        shown += sees;
    }
    if (here.n != shown)
        sim_fail(s, "node %d (%s) holds %zu rows that the hub does not know", n->no, n->place->site, here.n - shown);
    sim_rows_free(&hub);
    sim_rows_free(&here);
}

/* ------------------------------------------------------------------------------------------------- at rest */
struct listing {
    struct sim *s;
    const struct sim_rows *hub;
    const struct sim_place *site;
    size_t next; /* index in hub of the next row that must come */
};

static void skip_hidden(struct listing *l)
{
    while (l->next < l->hub->n &&
           (!is_case_row(&l->hub->v[l->next]) || !sim_sees(l->hub, l->site, &l->hub->v[l->next], l->s->clock)))
        l->next++;
}

static enum err list_row(void *ctx, const struct row *r, struct why *why)
{
    struct listing *l = ctx;
    char hex[33];
    (void)why;
    if (r->table->kind != TABLE_CASE) return ERR_OK;
    skip_hidden(l);
    const struct sim_row *want = l->next < l->hub->n ? &l->hub->v[l->next] : NULL;
    if (want == NULL || want->r.table != r->table || memcmp(want->id, r->v[0].s.p, 16) != 0)
        sim_fail(l->s, "hub_site_rows(%s) gives %s %s; the oracle says otherwise", l->site->site, r->table->name,
                 sim_hex(r->v[0].s.p, hex));
    l->next++;
    return ERR_OK;
}

static void check_site_rows(struct sim *s)
{
    struct sim_rows hub;
    struct why why = {0};
    char hex[33];
    sim_rows_read(&hub, hub_db(s->hub));
    for (size_t i = 0; i < SIM_PLACES; i++) {
        struct listing l = {.s = s, .hub = &hub, .site = &sim_places[i]};
        sim_must(s, hub_site_rows(s->hub, sim_places[i].site, list_row, &l, &why), "list a site's rows", &why);
        skip_hidden(&l);
        if (l.next < hub.n)
            sim_fail(s, "hub_site_rows(%s) lacks %s %s", sim_places[i].site, hub.v[l.next].r.table->name,
                     sim_hex(hub.v[l.next].id, hex));
    }
    sim_rows_free(&hub);
}

static int64_t hub_number(struct sim *s, const char *sql, struct sim_node *n)
{
    struct stmt *st = NULL;
    struct why why = {0};
    bool row = false;
    sim_must(s, db_prepare(hub_db(s->hub), sql, &st, &why), sql, &why);
    db_bind_id(st, 1, n->kid);
    sim_must(s, db_step(st, &row, &why), sql, &why);
    int64_t out = row ? db_int(st, 0) : 0;
    db_done(st);
    return out;
}

static void check_node_at_rest(struct sim *s, struct sim_node *n)
{
    struct why why = {0};
    struct verify_result v = {0};
    int64_t unconfirmed = hub_number(
        s, "SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no WHERE n.kid = $1 AND d.receipt_at IS NULL",
        n);
    if (unconfirmed != 0)
        sim_fail(s, "node %d (%s): %lld drops without a receipt", n->no, n->place->site, (long long)unconfirmed);
    sim_must(s, node_verify(n->n, &v, &why), "verify a node", &why);
    if (v.pending_rows != 0)
        sim_fail(s, "node %d has %llu pending rows at rest", n->no, (unsigned long long)v.pending_rows);
    struct node_info *info = calloc(1, sizeof *info);
    sim_must(s, node_get_info(n->n, info, &why), "ask a node", &why);
    if (info->unsent != 0 || info->receipts_due != 0)
        sim_fail(s, "node %d: %llu unsent, %llu receipts due at rest", n->no, (unsigned long long)info->unsent,
                 (unsigned long long)info->receipts_due);
    free(info);
}

static void heal(struct sim *s)
{
    bool moved = true;
    for (int pass = 0; moved; pass++) {
        if (pass == 12) sim_fail(s, "the world does not come to rest");
        moved = false;
        for (size_t i = 0; i < SIM_NODES; i++)
            if (s->nodes[i].n != NULL) moved |= sim_sync_clean(s, &s->nodes[i]);
    }
}

static void count_rows(struct sim *s)
{
    struct sim_rows hub;
    sim_rows_read(&hub, hub_db(s->hub));
    int k = sim_table("conflict"), h = sim_table("held");
    s->counts[SIM_CONFLICTS] = hub.start[k + 1] - hub.start[k];
    for (size_t i = hub.start[h]; i < hub.start[h + 1]; i++)
        s->counts[SIM_JUDGED] += sim_is(&hub.v[i], "state", "accepted") || sim_is(&hub.v[i], "state", "dismissed");
    sim_rows_free(&hub);
}

void sim_check_end(struct sim *s, bool scan)
{
    struct why why = {0};
    heal(s);
    count_rows(s);
    sim_must(s, hub_verify(s->hub, &why), "verify the hub", &why);
    check_site_rows(s);
    for (size_t i = 0; i < SIM_NODES; i++)
        if (s->nodes[i].n != NULL && !s->nodes[i].revoked) check_node_at_rest(s, &s->nodes[i]);
    sim_check_no_loss(s);
    for (size_t i = 0; scan && i < SIM_NODES; i++)
        if (s->nodes[i].n != NULL && !s->nodes[i].revoked) sim_check_files(s, &s->nodes[i]);
}
