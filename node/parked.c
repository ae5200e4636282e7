/* Envelopes with work on rows that were taken away, or on the case and the persons of such rows: their content keeps
 * ids that this device may not know any more. Unsent ones are still sent and judged, and keep it until then; text that
 * was only kept for its author (held, dismissed) goes with the rows (node/purge.c). */
#include "node/internal.h"

#include <stdlib.h>
#include <string.h>

#define ID_BYTES 16

struct sought {
    struct buf ids;     /* id after id, in order */
    bool ends[1 << 16]; /* how they end: two bytes tell at most places that no id lies there */
};

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, ID_BYTES);
}

static enum err seek(struct sought *q, const struct answer *a, struct why *why)
{
    memset(q->ends, 0, sizeof q->ends);
    buf_init(&q->ids, a->n_drops * ID_BYTES);
    for (size_t i = 0; i < a->n_drops; i++) {
        struct drop_item d;
        memcpy(&d, a->drops.data + i * sizeof d, sizeof d);
        buf_put(&q->ids, d.id, ID_BYTES);
        q->ends[d.id[ID_BYTES - 2] << 8 | d.id[ID_BYTES - 1]] = true;
    }
    if (q->ids.err != ERR_OK) return why_set(why, q->ids.err, "There is not enough memory for this answer.");
    qsort(q->ids.data, a->n_drops, ID_BYTES, by_bytes);
    return ERR_OK;
}

static bool names_one(const struct sought *q, struct bytes content)
{
    for (size_t i = 0; i + ID_BYTES <= content.n; i++) {
        const uint8_t *at = content.p + i;
        if (q->ends[at[ID_BYTES - 2] << 8 | at[ID_BYTES - 1]] &&
            bsearch(at, q->ids.data, q->ids.len / ID_BYTES, ID_BYTES, by_bytes) != NULL)
            return true;
    }
    return false;
}

static enum err note_those(struct node *n, const struct sought *q, uint64_t request, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT seq, item FROM n_content ORDER BY seq", &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        const int64_t args[] = {db_int(s, 0), (int64_t)request};
        if (names_one(q, db_bytes(s, 1)))
            e = state_run(n->db, "INSERT INTO n_parked(seq, request) VALUES($1, $2)", args, 2, why);
    }
    db_done(s);
    return e;
}

enum err parked_note(struct node *n, const struct answer *a, struct why *why)
{
    struct sought *q = malloc(sizeof *q);
    if (q == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this answer.");
    enum err e = seek(q, a, why);
    if (e == ERR_OK) e = note_those(n, q, a->hello.request, why);
    buf_release(&q->ids);
    free(q);
    return e;
}
