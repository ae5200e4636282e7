#include "tests/lib/merkle_store.h"

#include <stdlib.h>
#include <string.h>

void merkle_store_release(struct merkle_store *s)
{
    for (unsigned l = 0; l < MERKLE_LEVELS; l++) free(s->level[l]);
    *s = (struct merkle_store){0};
}

static void keep(struct merkle_store *s, const struct merkle_node *node)
{
    unsigned l = node->level;
    if (node->index >= s->room[l]) {
        uint64_t room = s->room[l] > 0 ? 2 * s->room[l] : 16;
        void *more = realloc(s->level[l], room * MERKLE_HASH_BYTES);
        if (more == NULL) abort();
        s->level[l] = more;
        s->room[l] = room;
    }
    memcpy(s->level[l][node->index], node->hash, MERKLE_HASH_BYTES);
}

void merkle_store_append(struct merkle_store *s, const uint8_t leaf_hash[MERKLE_HASH_BYTES])
{
    struct merkle_node done[MERKLE_LEVELS];
    size_t n = 0;
    if (merkle_append(&s->edge, leaf_hash, done, &n, NULL) != ERR_OK) abort();
    for (size_t i = 0; i < n; i++) keep(s, &done[i]);
}

static enum err get(void *ctx, unsigned level, uint64_t index, uint8_t out[MERKLE_HASH_BYTES], struct why *why)
{
    struct merkle_store *s = ctx;
    uint64_t size = s->shown > 0 ? s->shown : s->edge.size;
    s->lookups++;
    if (level >= MERKLE_LEVELS || index >= size >> level) return why_set(why, ERR_NOTFOUND, "no such subtree");
    memcpy(out, s->level[level][index], MERKLE_HASH_BYTES);
    return ERR_OK;
}

struct merkle_source merkle_store_source(struct merkle_store *s)
{
    return (struct merkle_source){.ctx = s, .get = get};
}

void merkle_store_cut(struct merkle_store *s, uint64_t size)
{
    struct merkle_source from = merkle_store_source(s);
    if (merkle_frontier_read(&s->edge, size, &from, NULL) != ERR_OK) abort();
}

struct merkle_head merkle_store_head(struct merkle_store *s, uint64_t size)
{
    struct merkle_source from = merkle_store_source(s);
    struct merkle_head head = {.size = size};
    struct merkle_frontier f;
    if (merkle_frontier_read(&f, size, &from, NULL) != ERR_OK) abort();
    merkle_root(&f, head.root);
    return head;
}
