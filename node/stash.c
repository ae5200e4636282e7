/* Items of an answer, kept in memory from their check until they are acted upon: to open and unpack the answer a second
 * time costs as much as half of all checks. What does not fit is read again from the sealed bytes. */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

struct stash_item {
    struct stash_item *next;
    size_t n;
    uint8_t bytes[];
};

void stash_put(struct stash *s, struct bytes item)
{
    if (s->overflown) return;
    struct stash_item *i = item.n <= STASH_MAX - s->n ? malloc(sizeof *i + item.n) : NULL;
    if (i == NULL) { /* no fault: it is only kept to save time */
        stash_release(s);
        s->overflown = true;
        return;
    }
    *i = (struct stash_item){.n = item.n};
    if (item.n > 0) memcpy(i->bytes, item.p, item.n);
    if (s->last == NULL)
        s->first = s->next = i;
    else
        s->last->next = i;
    s->last = i;
    s->n += item.n;
}

bool stash_next(struct stash *s, struct bytes *out)
{
    struct stash_item *i = s->next;
    if (i == NULL) return false;
    s->next = i->next;
    *out = bytes_of(i->bytes, i->n);
    return true;
}

void stash_release(struct stash *s)
{
    while (s->first != NULL) {
        struct stash_item *i = s->first;
        s->first = i->next;
        explicit_bzero(i->bytes, i->n);
        free(i);
    }
    *s = (struct stash){0};
}
