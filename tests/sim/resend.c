/* Authors of work that was not taken in: they send it again with other words, or let it go. */
#include "tests/sim/edit.h"
#include "tests/sim/judge.h"

#include <string.h>

struct wish { /* one text of the work, which is to be another */
    struct sim *s;
    struct outbox_change c;
    size_t n; /* texts so far: each is as likely */
};

static enum err look_for_text(void *ctx, const struct op *op, struct why *why)
{
    struct wish *w = ctx;
    (void)why;
    for (size_t c = 3; c < op->table->n_columns; c++) {
        bool text = op->table->columns[c].type == COL_TEXT && op->new_[c].kind == VALUE_TEXT;
        if (!text || op->table->columns[c].write != WRITE_CONTRIBUTE || sim_random(w->s, ++w->n) != 0) continue;
        w->c = (struct outbox_change){.table_index = op->table_index, .column = c};
        memcpy(w->c.id, op_row_id(op), sizeof w->c.id);
    }
    return ERR_OK;
}

static bool choose(struct sim *s, const struct device *d, uint64_t *out)
{
    struct stmt *st = ask(s, node_db(d->n),
                          "SELECT seq FROM n_outbox WHERE state IN ('held', 'dismissed') AND seq IN (SELECT seq FROM "
                          "n_content) ORDER BY seq");
    size_t n = 0;
    while (ask_next(s, st))
        if (sim_random(s, ++n) == 0) *out = (uint64_t)db_int(st, 0);
    db_done(st);
    return n > 0;
}

/* What may be: it was decided meanwhile, what it is about was taken away, or the disk fails. */
static void judge(struct sim *s, struct device *d, enum err e, bool died, const struct why *why)
{
    if (died || e == ERR_OK || e == ERR_NOTFOUND || e == ERR_EXISTS || e == ERR_DENIED) return;
    bool ill = d->ailing && !s->healing && (e == ERR_FULL || e == ERR_IO);
    if (ill || (e == ERR_TAMPERED && d->damaged)) return;
    if (!d->suspect) sim_must(s, e, "send held work again", why);
    device_stuck(s, d, why->text);
}

static void let_text_go(struct sim *s, const struct device *d, uint64_t seq)
{
    struct posted *e = ledger_of(s->ledger, d, seq);
    if (e != NULL) e->let_go = true;
}

static void send_again(struct sim *s, struct device *d, uint64_t seq)
{
    struct why why = {0};
    struct wish w = {.s = s};
    uint64_t now = 0;
    s->used = 0;
    let_text_go(s, d, seq);
    device_enter(s, d);
    enum err e = node_outbox_read(d->n, seq, look_for_text, &w, &why);
    if (w.n > 0) w.c.v = think_text(s);
    if (e == ERR_OK) e = node_outbox_resend(d->n, seq, &w.c, w.n > 0 ? 1 : 0, &now, &why);
    if (e == ERR_OK && now > 0) {
        s->counts[COUNT_RESENT]++;
        sim_note(s, "  device %d: envelope %llu, which is %llu again", d->no, (unsigned long long)now,
                 (unsigned long long)seq);
        journal_take(s, d, now);
    }
    bool died = device_leave(s, d);
    judge(s, d, e, died, &why);
}

static void let_go(struct sim *s, struct device *d, uint64_t seq)
{
    struct why why = {0};
    bool withdrawn = false;
    int64_t before = 0, last = 0;
    static const char count[] = "SELECT value FROM n_number WHERE name = 'last_seq'";
    (void)wire_ask(node_db(d->n), count, NULL, &before);
    let_text_go(s, d, seq);
    device_enter(s, d);
    enum err e = node_outbox_discard(d->n, seq, &withdrawn, &why);
    if (e == ERR_OK && wire_ask(node_db(d->n), count, NULL, &last) && last > before) journal_take(s, d, (uint64_t)last);
    sim_note(s, "  device %d lets go of envelope %llu: %s", d->no, (unsigned long long)seq, err_word(e));
    bool died = device_leave(s, d);
    judge(s, d, e, died, &why);
}

bool people_resend(struct sim *s, struct device *d)
{
    uint64_t seq = 0;
    if (s->opt.calm || d->hostile || d->suspect || d->damaged || d->ailing || !choose(s, d, &seq)) return false;
    if (sim_chance(s, 800))
        send_again(s, d, seq);
    else
        let_go(s, d, seq);
    return true;
}
