/* What this device knows of itself. */
#include "node/internal.h"

#include <string.h>

static enum err count_rows(struct node *n, uint64_t *out, struct why *why)
{
    size_t n_tables = 0;
    const struct table_rule *t = rules_tables(&n_tables);
    uint64_t sum = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < n_tables && e == ERR_OK; i++) {
        char sql[96] = "SELECT count(*) FROM ";
        uint64_t rows = 0;
        if (t[i].kind != TABLE_CASE) continue;
        strncat(sql, "\"", 2);
        strncat(sql, t[i].name, sizeof sql - strlen(sql) - 2);
        strncat(sql, "\"", 2);
        e = state_ask(n->db, sql, &rows, why);
        sum += rows;
    }
    if (e == ERR_OK) *out = sum;
    return e;
}

static enum err count_work(struct node *n, struct node_info *i, struct why *why)
{
    struct {
        const char *sql;
        uint64_t *out;
    } questions[] = {
        {"SELECT count(*) FROM n_outbox NATURAL JOIN n_rescued WHERE state = 'unsent'", &i->rescued},
        {"SELECT count(*) FROM n_outbox WHERE state = 'held'", &i->held},
        {"SELECT count(*) FROM n_outbox WHERE state = 'waits'", &i->waiting},
        {"SELECT count(*) FROM conflict WHERE state = 'open' AND voided_at IS NULL", &i->conflicts},
        {"SELECT count(*) FROM n_receipt", &i->receipts_due},
        {"SELECT count(*) FROM n_hidden", &i->hidden},
    };
    enum err e = outbox_count(n, &i->unsent, &i->oldest_unsent_ms, why);
    for (size_t k = 0; k < sizeof questions / sizeof questions[0] && e == ERR_OK; k++)
        e = state_ask(n->db, questions[k].sql, questions[k].out, why);
    return e;
}

enum err node_about(struct node *n, struct node_info *out, struct why *why)
{
    struct node_info i = {.self = n->self.pub, .hub = n->hub, .epoch = n->epoch};
    uint64_t contact = 0, revoked = 0, stopped = 0;
    memcpy(i.hub_name, n->hub_name, sizeof i.hub_name);
    memcpy(i.hub_address, n->hub_address, sizeof i.hub_address);
    memcpy(i.site, n->site, sizeof i.site);
    memcpy(i.agency, n->agency, sizeof i.agency);
    memcpy(i.user, n->user, sizeof i.user);
    memcpy(i.user_name, n->user_name, sizeof i.user_name);
    enum err e = state_fixed(n->db, "cursor", i.cursor, sizeof i.cursor, why);
    if (e == ERR_OK) e = state_number(n->db, "contact_ms", &contact, why);
    if (e == ERR_OK) e = state_number(n->db, "answered", &i.last_request, why);
    if (e == ERR_OK) e = state_number(n->db, "revoked", &revoked, why);
    if (e == ERR_OK) e = state_number(n->db, "rows_held", &i.rows_held, why);
    if (e == ERR_OK) e = state_number(n->db, "rows_most", &i.rows_most, why);
    if (e == ERR_OK) e = state_number(n->db, "rows_stopped", &stopped, why);
    if (e == ERR_OK) e = lease_info(n, &i.lease_days, &i.lease_until_ms, why);
    if (e != ERR_OK) return e;
    i.last_contact_ms = (int64_t)contact;
    i.revoked = revoked != 0;
    i.rows_stopped = stopped != 0;
    *out = i;
    return ERR_OK;
}

enum err node_get_info(struct node *n, struct node_info *out, struct why *why)
{
    struct node_info i;
    enum err e = node_about(n, &i, why);
    if (e == ERR_OK) e = count_work(n, &i, why);
    if (e == ERR_OK) e = count_rows(n, &i.rows, why);
    if (e == ERR_OK) *out = i;
    return e;
}
