/* At rest: a conflict says of each version when it was written: by its author's clock, counted between what he was
 * served and when it came. Found anew from the hub's journal and from what was noted, not from what the merge
 * remembers. */
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

struct stamp { /* of an envelope that counts */
    bool known;
    uint8_t user[16];
    int64_t at;
};

static int64_t between(uint64_t hlc, int64_t served_at, int64_t received_at)
{
    uint64_t first = (uint64_t)served_at << 16, last = (uint64_t)received_at << 16 | 0xffff;
    if (hlc < first) hlc = first;
    return (int64_t)((hlc > last ? last : hlc) >> 16);
}

static struct stamp *read_stamps(struct sim *s)
{
    const struct ledger *l = s->ledger;
    struct stamp *out = calloc(l->n_envelopes + 1, sizeof *out);
    if (out == NULL) abort();
    struct stmt *st = ask(s, hub_db(s->hub),
                          "SELECT e.hash, e.user, e.hlc, e.received_at, coalesce(c.served_at, 0) FROM h_envelope e "
                          "LEFT JOIN h_cut c ON c.name = e.base_cut");
    while (ask_next(s, st)) {
        struct bytes hash = db_bytes(st, 0);
        for (size_t i = 0; i < l->n_envelopes; i++) {
            const struct posted *e = &l->envelopes[i];
            if (!posted_counts(e) || memcmp(e->hash, hash.p, HASH_BYTES) != 0 || !db_id(st, 1, out[i].user)) continue;
            out[i].known = true;
            out[i].at = between((uint64_t)db_int(st, 2), db_int(st, 4), db_int(st, 3));
        }
    }
    db_done(st);
    return out;
}

static bool same_text(struct value kept, struct value wrote)
{
    struct buf text;
    if (kept.kind == VALUE_NULL || wrote.kind == VALUE_NULL) return kept.kind == wrote.kind;
    buf_init(&text, RULES_MAX_VALUE + 1);
    if (value_to_text(wrote, &text) != ERR_OK) abort();
    bool same = bytes_equal(kept.s, buf_bytes(&text));
    buf_release(&text);
    return same;
}

/* Did this person write this value there at that time? What a new row does not say is NULL in it. */
static bool wrote(const struct ledger *l, const struct stamp *stamps, const struct rows_row *k, const char *side[3])
{
    struct value value = rows_value(k, side[0]), by = rows_value(k, side[1]);
    int tbl = rules_table_index(rows_value(k, "tbl").s);
    int col = tbl < 0 ? -1 : rules_column_index(rules_table((size_t)tbl), rows_value(k, "col").s);
    for (size_t i = 0; i < l->n_ops; i++) {
        const struct written *w = &l->ops[i];
        const struct stamp *t = &stamps[w->by];
        if (!t->known || w->tbl != tbl || memcmp(w->id, rows_value(k, "row_id").s.p, sizeof w->id) != 0) continue;
        if (t->at != rows_int(k, side[2]) || memcmp(t->user, by.s.p, sizeof t->user) != 0) continue;
        if (w->col == col ? same_text(value, w->value) : w->col < 0 && value.kind == VALUE_NULL) return true;
    }
    return false;
}

static void check_side(struct sim *s, const struct stamp *stamps, const struct rows_row *k, const char *side[3])
{
    char hex[33];
    bool nobody = rows_null(k, side[1]), timeless = rows_null(k, side[2]);
    if (nobody != timeless)
        sim_fail(s, 9, "conflict %s: %s has %s", ids_hex(k->id, hex), side[0],
                 nobody ? "a time and no author" : "an author and no time");
    if (!timeless && !wrote(s->ledger, stamps, k, side))
        sim_fail(s, 9, "conflict %s: its author did not write what is %s at %lld", ids_hex(k->id, hex), side[0],
                 (long long)rows_int(k, side[2]));
}

void times_at_rest(struct sim *s, const struct rows *hub)
{
    static const char *kept[] = {"kept", "kept_by", "kept_at"}, *lost[] = {"lost", "lost_by", "lost_at"};
    int tbl = rows_table("conflict");
    if (s->hub_lost_time) return; /* with its cuts it lost when they were served */
    struct stamp *stamps = read_stamps(s);
    for (size_t i = hub->start[tbl]; i < hub->start[tbl + 1]; i++) {
        check_side(s, stamps, &hub->v[i], kept);
        check_side(s, stamps, &hub->v[i], lost);
    }
    free(stamps);
}
