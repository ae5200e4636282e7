#include "hub/row_cache.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS     8192u        /* a row, in one form, has one place: whatever stands there goes */
#define MAX_BYTES (8u << 20)   /* of all rows; where it is passed, all are forgotten */
#define MAX_ROW   (16u << 10)  /* larger ones are rare, and cost more to send than to read */

struct slot {
    struct row_key key;
    uint8_t *data; /* owned: agency, then op; NULL: free */
    size_t agency, op, header;
};

struct row_cache {
    size_t bytes;
    struct slot slots[SLOTS];
};

struct row_cache *row_cache_new(void)
{
    return calloc(1, sizeof(struct row_cache));
}

/* Of rows of one change, whose numbers follow each other, no two have the same place; nor does a row whole and by
 * column. */
static size_t place(const struct row_key *key)
{
    return (size_t)(((uint64_t)key->row_no + (uint64_t)key->columns * 2654435761u) % SLOTS);
}

static void clear(struct row_cache *c, struct slot *s)
{
    if (s->data == NULL) return;
    c->bytes -= s->agency + s->op;
    explicit_bzero(s->data, s->agency + s->op);
    free(s->data);
    *s = (struct slot){0};
}

void row_cache_forget(struct row_cache *c)
{
    if (c == NULL) return;
    for (size_t i = 0; c->bytes > 0 && i < SLOTS; i++) clear(c, &c->slots[i]);
}

void row_cache_free(struct row_cache *c)
{
    row_cache_forget(c);
    free(c);
}

static bool same(const struct row_key *a, const struct row_key *b)
{
    return a->row_no == b->row_no && a->version == b->version && a->schema == b->schema && a->columns == b->columns;
}

bool row_cache_find(const struct row_cache *c, const struct row_key *key, struct row_bytes *out)
{
    if (c == NULL) return false;
    const struct slot *s = &c->slots[place(key)];
    if (s->data == NULL || !same(&s->key, key)) return false;
    *out = (struct row_bytes){bytes_of(s->data, s->agency), bytes_of(s->data + s->agency, s->op), s->header};
    return true;
}

void row_cache_put(struct row_cache *c, const struct row_key *key, const struct row_bytes *row)
{
    if (c == NULL || row->op.n == 0 || row->op.n > MAX_ROW || row->agency.n > MAX_ROW) return;
    size_t n = row->agency.n + row->op.n;
    struct slot *s = &c->slots[place(key)];
    clear(c, s);
    if (c->bytes + n > MAX_BYTES) row_cache_forget(c);
    uint8_t *data = malloc(n);
    if (data == NULL) return;
    if (row->agency.n > 0) memcpy(data, row->agency.p, row->agency.n);
    memcpy(data + row->agency.n, row->op.p, row->op.n);
    *s = (struct slot){*key, data, row->agency.n, row->op.n, row->header};
    c->bytes += n;
}
