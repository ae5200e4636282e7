/* What an administrator's act would do, before it is done: the same questions as the act asks, and then everything is
 * rolled back. Case by case, so that the memory it takes is that of the largest case. */
#include "hub/policy_change.h"
#include "hub/policy_text.h"
#include "hub/sight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TABLES 64
#define CODE_BYTES 64

struct site_count {
    int64_t no;
    char code[CODE_BYTES];
    uint64_t appear[MAX_TABLES], leave[MAX_TABLES];
};
struct node_count {
    int64_t no;
    uint64_t rows;
};
struct counts {
    struct site_count *sites; /* owned; by number while counting */
    size_t n_sites, cap_sites;
    struct node_count *nodes; /* owned; in the order in which they were met */
    size_t n_nodes, cap_nodes;
};

static void counts_release(struct counts *c)
{
    free(c->sites);
    free(c->nodes);
    *c = (struct counts){0};
}

static enum err load_sites(struct hub *h, struct counts *c, struct why *why)
{
    struct stmt *q;
    bool row = false;
    size_t n_tables;
    (void)rules_tables(&n_tables);
    if (n_tables > MAX_TABLES) return why_set(why, ERR_FAILED, "There are more tables than a preview can count.");
    enum err e = db_prepare(h->db, "SELECT no, code FROM h_site ORDER BY no", &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        if ((e = sight_grow(&c->sites, &c->cap_sites, c->n_sites, sizeof *c->sites, why)) != ERR_OK) break;
        struct site_count *s = &c->sites[c->n_sites++];
        struct bytes code = db_bytes(q, 1);
        memset(s, 0, sizeof *s);
        s->no = db_int(q, 0);
        memcpy(s->code, code.p, code.n < CODE_BYTES ? code.n : CODE_BYTES - 1);
    }
    db_done(q);
    return e;
}

static int site_by_code(const void *a, const void *b)
{
    const struct site_count *x = a, *y = b;
    return strcmp(x->code, y->code);
}

/* By halves; the key of bsearch would have to be a whole element. */
static struct site_count *site_of(struct counts *c, int64_t no)
{
    size_t lo = 0, hi = c->n_sites;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->sites[mid].no < no)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n_sites && c->sites[lo].no == no ? &c->sites[lo] : NULL;
}

static enum err count_node(struct counts *c, int64_t no, struct why *why)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].no == no) {
            c->nodes[i].rows++;
            return ERR_OK;
        }
    enum err e = sight_grow(&c->nodes, &c->cap_nodes, c->n_nodes, sizeof *c->nodes, why);
    if (e == ERR_OK) c->nodes[c->n_nodes++] = (struct node_count){.no = no, .rows = 1};
    return e;
}

/* ------------------------------------------------------------------------------------------------ another policy */

/* Devices that would be told to forget a row which their site does not see any more. */
static enum err count_holders(struct hub *h, const struct sight_row *r, int64_t site_no, struct counts *c,
                              struct why *why)
{
    struct sight *s = h->sight;
    int64_t since = 0;
    bool holds = false;
    enum err e = sight_load_nodes(h, site_no, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_nodes; i++) {
        struct sight_node n = s->nodes[i];
        if (n.site_no != site_no || n.node_no == 0) continue;
        e = sight_could_hold(h, r, &n, &since, &holds, why);
        if (e == ERR_OK && holds) e = count_node(c, n.node_no, why);
    }
    return e;
}

static enum err count_seat(struct hub *h, const struct sight_seat *seat, struct counts *c, struct why *why)
{
    struct sight *s = h->sight;
    struct site_count *site = site_of(c, seat->site_no);
    enum err e = site == NULL ? why_set(why, ERR_TAMPERED, "The hub's list of sites is damaged.") : ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->n_work; i++) {
        const struct sight_row *r = &s->work[i];
        bool before = (r->old_mask & seat->old_mask) != 0, after = (r->new_mask & seat->new_mask) != 0;
        if (after && !before) site->appear[r->tbl]++;
        if (!before || after) continue;
        site->leave[r->tbl]++;
        e = count_holders(h, r, seat->site_no, c, why);
    }
    return e;
}

static bool same_rows(const struct sight *s)
{
    for (size_t i = 0; i < s->n_work; i++)
        if (s->work[i].old_mask != s->work[i].new_mask) return false;
    return true;
}

static enum err count_case(struct hub *h, int64_t case_no, struct counts *c, struct why *why)
{
    enum err e = sight_beside_kept(h, case_no, why);
    bool same = e == ERR_OK && same_rows(h->sight);
    for (size_t j = 0; e == ERR_OK && j < h->sight->n_seats; j++) {
        const struct sight_seat *seat = &h->sight->seats[j];
        if (!same || seat->old_mask != seat->new_mask) e = count_seat(h, seat, c, why);
    }
    return e;
}

static enum err count_cases(struct hub *h, struct counts *c, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT no FROM h_case ORDER BY no", &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = count_case(h, db_int(q, 0), c, why)) != ERR_OK) break;
    db_done(q);
    return e;
}

static enum err count_policy(struct hub *h, struct bytes text, struct counts *c, struct why *why)
{
    if (h->policy_phase != POLICY_STANDS) {
        (void)why_set(why, ERR_EXISTS, "Another policy is coming already, and not every case is under it yet.");
        return why_next(why, ERR_EXISTS, "Let it come to its end first: spoke-hub policy continue");
    }
    enum err e = policy_text_install(h->db, text, true, why);
    if (e == ERR_OK) e = load_sites(h, c, why);
    return e == ERR_OK ? count_cases(h, c, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- the report */

static enum err tell_rows(struct counts *c, const struct hub_preview *p, struct why *why)
{
    enum err e = ERR_OK;
    size_t n_tables;
    const struct table_rule *t = rules_tables(&n_tables);
    if (c->n_sites > 0) qsort(c->sites, c->n_sites, sizeof *c->sites, site_by_code);
    for (size_t i = 0; i < c->n_sites; i++)
        for (size_t k = 0; e == ERR_OK && k < n_tables; k++) {
            const struct site_count *s = &c->sites[i];
            struct hub_preview_rows line = {s->code, t[k].name, s->appear[k], s->leave[k]};
            if (line.appear != 0 || line.leave != 0) e = p->rows(p->ctx, &line, why);
        }
    return e;
}

static uint64_t rows_of(const struct counts *c, int64_t no)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].no == no) return c->nodes[i].rows;
    return 0;
}

/* Of a bound question: no, kid, site's code, state, unsent, oldest_ms, last_seen. Those with rows alone, unless
 * `all`. */
static enum err tell_devices(struct stmt *q, const struct counts *c, bool all, const struct hub_preview *p,
                             struct why *why)
{
    char code[CODE_BYTES], state[16];
    uint8_t kid[16];
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct hub_preview_device d = {.kid = kid, .site = code, .state = state, .rows = rows_of(c, db_int(q, 0))};
        if (d.rows == 0 && !all) continue;
        if (!db_id(q, 1, kid)) e = why_set(why, ERR_TAMPERED, "The hub's list of devices is damaged.");
        (void)snprintf(code, sizeof code, "%.*s", (int)db_bytes(q, 2).n, (const char *)db_bytes(q, 2).p);
        (void)snprintf(state, sizeof state, "%.*s", (int)db_bytes(q, 3).n, (const char *)db_bytes(q, 3).p);
        d.unsent = db_is_null(q, 4) ? -1 : db_int(q, 4);
        d.oldest_ms = db_int(q, 5);
        d.last_seen = db_int(q, 6);
        if (e == ERR_OK) e = p->device(p->ctx, &d, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

enum err hub_preview_policy(struct hub *h, struct bytes text, const struct hub_preview *p, struct why *why)
{
    struct counts c = {0};
    struct stmt *q;
    enum err e = policy_text_check(h->env, text, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = count_policy(h, text, &c, why);
    hub_abort(h);
    if (e == ERR_OK) e = tell_rows(&c, p, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT n.no, n.kid, s.code, n.state, n.unsent, n.oldest_ms, n.last_seen FROM h_node n"
                       " JOIN h_site s ON s.no = n.site_no ORDER BY s.code, n.no",
                       &q, why);
    if (e == ERR_OK) e = tell_devices(q, &c, false, p, why);
    counts_release(&c);
    return e;
}

/* ------------------------------------------------------------------------------------------------ a device revoked */

struct device {
    int64_t no, site_no;
};

static enum err find_device(struct hub *h, const uint8_t kid[16], struct device *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT no, site_no FROM h_node WHERE kid = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, kid);
    e = db_step(q, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "There is no such device.");
    if (e == ERR_OK) *out = (struct device){db_int(q, 0), db_int(q, 1)};
    db_done(q);
    return e;
}

/* Rows that the device's site sees and it could hold, case by case. */
static enum err count_held(struct hub *h, const struct device *n, int64_t case_no, struct counts *c, bool *out_any,
                           struct why *why)
{
    struct sight *s = h->sight;
    struct sight_node node = {0};
    struct site_count *site = site_of(c, n->site_no);
    enum err e = site == NULL ? why_set(why, ERR_TAMPERED, "The hub's list of sites is damaged.") : ERR_OK;
    if (e == ERR_OK) e = sight_all_rows(h, case_no, why);
    if (e == ERR_OK) e = sight_mask_seats(h, case_no, false, why);
    if (e == ERR_OK) e = sight_load_nodes(h, n->site_no, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_nodes; i++)
        if (s->nodes[i].node_no == n->no) node = s->nodes[i];
    for (size_t j = 0; e == ERR_OK && j < s->n_seats; j++) {
        if (s->seats[j].site_no != n->site_no) continue;
        for (size_t i = 0; e == ERR_OK && i < s->n_work; i++) {
            int64_t since = 0;
            bool holds = false;
            if ((s->work[i].old_mask & s->seats[j].old_mask) == 0) continue;
            e = sight_could_hold(h, &s->work[i], &node, &since, &holds, why);
            if (e != ERR_OK || !holds) continue;
            *out_any = true;
            site->leave[s->work[i].tbl]++;
            e = count_node(c, n->no, why);
        }
    }
    return e;
}

static enum err count_device(struct hub *h, const struct device *n, struct counts *c, uint64_t *out_cases,
                             struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = load_sites(h, c, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT case_no FROM h_seat WHERE site_no = $1 AND mask <> 0", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, n->site_no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        bool any = false;
        if ((e = count_held(h, n, db_int(q, 0), c, &any, why)) != ERR_OK) break;
        *out_cases += any && db_int(q, 0) != 0; /* reference data is no case */
    }
    db_done(q);
    return e;
}

static enum err number_of(struct hub *h, const char *sql, int64_t node_no, uint64_t *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, node_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK && row) *out = (uint64_t)db_int(q, 0);
    db_done(q);
    return e;
}

static enum err ask_devices(struct hub *h, const struct device *n, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(h->db,
                            "SELECT n.no, n.kid, s.code, n.state, n.unsent, n.oldest_ms, n.last_seen FROM h_node n"
                            " JOIN h_site s ON s.no = n.site_no WHERE n.site_no = $1 ORDER BY n.no <> $2, n.no",
                            out, why);
    if (e != ERR_OK) return e;
    db_bind_int(*out, 1, n->site_no);
    db_bind_int(*out, 2, n->no);
    return ERR_OK;
}

enum err hub_preview_revoke(struct hub *h, const uint8_t kid[16], const struct hub_preview *p,
                            struct hub_preview_revoke *out, struct why *why)
{
    struct hub_preview_revoke r = {0};
    struct counts c = {0};
    struct device n = {0};
    struct stmt *q;
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = find_device(h, kid, &n, why);
    if (e == ERR_OK) e = count_device(h, &n, &c, &r.cases, why);
    if (e == ERR_OK)
        e = number_of(h, "SELECT count(DISTINCT row_no) FROM h_drop WHERE node_no = $1 AND receipt_at IS NULL", n.no,
                      &r.unconfirmed, why);
    if (e == ERR_OK)
        e = number_of(h, "SELECT count(*) FROM h_held WHERE node_no = $1 AND state = 'waiting'", n.no, &r.waiting, why);
    hub_abort(h);
    if (e == ERR_OK) e = tell_rows(&c, p, why);
    if (e == ERR_OK) e = ask_devices(h, &n, &q, why);
    if (e == ERR_OK) e = tell_devices(q, &c, true, p, why);
    if (e == ERR_OK) *out = r;
    counts_release(&c);
    return e;
}
