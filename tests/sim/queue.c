/* Timed events: a binary heap by time, then by order of queueing. */
#include "tests/sim/queue.h"

#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
    struct event t = *a;
    *a = *b;
    *b = t;
}

void queue_put(struct sim *s, const struct event *e)
{
    if (s->n_queue == s->cap_queue) {
        s->cap_queue = s->cap_queue * 2 + 64;
        s->queue = realloc(s->queue, s->cap_queue * sizeof *s->queue);
        if (s->queue == NULL) abort();
    }
    size_t at = s->n_queue++;
    s->queue[at] = *e;
    s->queue[at].order = s->queued++;
    for (; at > 0 && before(&s->queue[at], &s->queue[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&s->queue[at], &s->queue[(at - 1) / 2]);
}

bool queue_take(struct sim *s, struct event *out)
{
    if (s->n_queue == 0) return false;
    *out = s->queue[0];
    s->queue[0] = s->queue[--s->n_queue];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->n_queue; child++)
            if (before(&s->queue[child], &s->queue[least])) least = child;
        if (least == at) return true;
        swap(&s->queue[at], &s->queue[least]);
        at = least;
    }
}

void queue_free(struct sim *s)
{
    for (size_t i = 0; i < s->n_queue; i++) parcel_free(s->queue[i].parcel);
    free(s->queue);
}
