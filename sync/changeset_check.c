#include "sync/changeset.h"

#include <stdlib.h>
#include <string.h>

/* Keys seen in the table being walked. Sorted and compared rather than hashed: the sender chooses the ids, and ids that
 * collide in a hash made without a secret would cost quadratic time. */
struct key_list {
    const uint8_t **id; /* borrowed from the input */
    size_t n;
    size_t cap;
    bool in_order; /* each above the one before, as pages have them: nothing to sort */
};

static bool key_list_put(struct key_list *l, const uint8_t *id)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        const uint8_t **grown = reallocarray(l->id, cap, sizeof *grown);
        if (grown == NULL) return false;
        l->id = grown;
        l->cap = cap;
    }
    l->in_order = l->n == 0 || (l->in_order && memcmp(l->id[l->n - 1], id, 16) < 0);
    l->id[l->n++] = id;
    return true;
}

static int key_order(const void *a, const void *b)
{
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, 16);
}

static bool key_list_twice(struct key_list *l)
{
    if (l->n > 1 && !l->in_order) qsort(l->id, l->n, sizeof l->id[0], key_order);
    for (size_t i = 1; i < l->n; i++) {
        if (memcmp(l->id[i - 1], l->id[i], 16) == 0) return true;
    }
    l->n = 0;
    return false;
}

static enum err twice(struct why *why, const char *what)
{
    return why_set(why, ERR_FORMAT, "These changes are damaged or were not made by Spoke: %s twice.", what);
}

/* What `op` adds to what is known of the tables before it. */
static enum err check_op(const struct op *op, const struct changeset_limits *lim, bool *seen, int *table,
                         struct key_list *keys, struct why *why)
{
    if (op->kind == OP_DELETE && !lim->allow_delete)
        return why_set(why, ERR_FORMAT, "These changes delete a row. Nothing is deleted this way.");
    if (op->table_index != *table) {
        if (key_list_twice(keys)) return twice(why, "a row is changed");
        if (seen[op->table_index]) return twice(why, "a table appears");
        seen[op->table_index] = true;
        *table = op->table_index;
    }
    if (!key_list_put(keys, op_row_id(op)))
        return why_set(why, ERR_NOMEM, "There is not enough memory to check these changes.");
    return ERR_OK;
}

static enum err walk(struct bytes in, const struct changeset_limits *lim, bool *seen, struct key_list *keys,
                     struct why *why)
{
    struct changeset_reader r;
    struct op op;
    int table = -1;
    bool end = false;
    changeset_reader_init(&r, in, lim->schema);
    for (;;) {
        /* the reader alone lets a second head of the running table pass: its index does not change */
        bool head = r.in.n > 0 && (r.in.p[0] == 'T' || r.in.p[0] == 'P');
        enum err e = changeset_next(&r, &op, &end, why);
        if (e != ERR_OK) return e;
        if (end) return key_list_twice(keys) ? twice(why, "a row is changed") : ERR_OK;
        if (head && op.table_index == table) return twice(why, "a table appears");
        if (r.patchset != lim->patchset) return why_set(why, ERR_FORMAT, "These changes are in the wrong format.");
        if (r.n_ops > lim->max_ops)
            return why_set(why, ERR_LIMIT, "There are more than %zu changes in one place.", lim->max_ops);
        e = check_op(&op, lim, seen, &table, keys, why);
        if (e != ERR_OK) return e;
    }
}

enum err changeset_check(struct bytes in, const struct changeset_limits *lim, struct why *why)
{
    struct key_list keys = {0};
    size_t n_tables = 0;
    (void)rules_tables(&n_tables);
    if (in.n == 0) return why_set(why, ERR_FORMAT, "These changes are empty.");
    if (in.n > CHANGESET_MAX_BYTES)
        return why_set(why, ERR_LIMIT, "These changes are larger than %u MiB.", CHANGESET_MAX_BYTES >> 20);
    bool *seen = calloc(n_tables, sizeof *seen);
    if (seen == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check these changes.");
    enum err e = walk(in, lim, seen, &keys, why);
    free(seen);
    free(keys.id);
    return e;
}
