/* How two values of a column are settled, where this hub wants it otherwise than sync/rules.h says. */
#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/sight.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define ARG_BYTES 200u

static const struct actor the_hub = {0};

/* One row a column, whoever sets it. */
static void policy_id(const char *tbl, const char *col, uint8_t out[16])
{
    uint8_t hash[HASH_BYTES];
    char name[128];
    int n = snprintf(name, sizeof name, "%s.%s", tbl, col);
    hash_labelled(hash, "spoke/policy/1", bytes_of(name, (size_t)n));
    memcpy(out, hash, 16);
}

/* Every word of the column in the order, or the rule would not know which of two is graver. */
static bool order_is_whole(const struct column_rule *c, const char *arg)
{
    const char *words = c->type == COL_BOOL ? "0|1" : c->words;
    if (words == NULL) return false;
    for (const char *p = words, *end;; p = end + 1) {
        end = strchrnul(p, '|');
        if (rules_order(arg, bytes_of(p, (size_t)(end - p))) < 0) return false;
        if (*end == '\0') return true;
    }
}

static enum err check_arg(const struct column_rule *c, enum merge_policy p, const char *arg, struct why *why)
{
    switch (p) {
    case MERGE_MAX:
    case MERGE_STRICTEST:
        if (arg == NULL || strlen(arg) > ARG_BYTES || !order_is_whole(c, arg))
            return why_set(why, ERR_USAGE,
                           "This rule needs the column's words in order, such as blue<green<amber<red.");
        return ERR_OK;
    case MERGE_AUTHORITY:
        if (arg == NULL || (strcmp(arg, "lead") != 0 && strcmp(arg, "social_care") != 0))
            return why_set(why, ERR_USAGE, "This rule needs to know whose value wins: lead or social_care.");
        return ERR_OK;
    case MERGE_LWW:
    case MERGE_ESCALATE: break;
    }
    return arg == NULL ? ERR_OK : why_set(why, ERR_USAGE, "This rule takes no argument.");
}

static enum err put(struct hub *h, const char *tbl, const char *col, const char *policy, const char *arg,
                    struct why *why)
{
    int index = rules_table_index(bytes_of_str("column_policy"));
    const struct table_rule *t = rules_table((size_t)index);
    struct row r = {.table = t};
    struct hub_row there;
    char about[128];
    uint8_t id[16];
    bool found = false;
    policy_id(tbl, col, id);
    enum err e = sight_row(h, index, id, &there, &found, why);
    if (e == ERR_OK) e = sight_step(h, why);
    r.v[0] = value_id(id);
    r.v[1] = value_str(tbl);
    r.v[2] = value_str(col);
    r.v[3] = value_str(policy);
    r.v[4] = value_str(arg);
    if (e == ERR_OK && !found) e = sight_insert(h, &r, &the_hub, why);
    for (size_t c = 3; e == ERR_OK && found && c < 5; c++) e = sight_set(h, t, id, c, r.v[c], &the_hub, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    (void)snprintf(about, sizeof about, "%s.%s", tbl, col);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "policy set", about, policy, why) : e;
}

enum err hub_set_policy(struct hub *h, const char *tbl, const char *col, const char *policy, const char *arg,
                        struct why *why)
{
    enum merge_policy p;
    int index = rules_table_index(bytes_of_str(tbl)), column = -1;
    if (index >= 0) column = rules_column_index(rules_table((size_t)index), bytes_of_str(col));
    if (column < 0) return why_set(why, ERR_NOTFOUND, "There is no such table or column.");
    const struct column_rule *c = &rules_table((size_t)index)->columns[column];
    if (c->write == WRITE_NEVER || rules_table((size_t)index)->insert == INSERT_HUB)
        return why_set(why, ERR_USAGE, "Nobody's values can meet in this column, so it has no rule.");
    if (!rules_policy_from_word(bytes_of_str(policy), &p))
        return why_set(why, ERR_USAGE, "A rule is lww, max, strictest, authority or escalate.");
    if (arg == NULL && p == c->policy) arg = c->arg;
    enum err e = check_arg(c, p, arg, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, put(h, tbl, col, policy, arg, why), why) : e;
}
