/* After each contact. */
#include "tests/sim/judge.h"

#include <stdio.h>
#include <string.h>

void check_hub(struct sim *s)
{
    told_hub(s);
}

static void put_ids(struct sim *s, const struct device *d, const struct ids *without, struct buf *line)
{
    size_t n_tables;
    const struct table_rule *t = rules_tables(&n_tables);
    for (size_t i = 0; i < n_tables; i++) {
        char sql[100];
        uint8_t id[16];
        if (t[i].kind != TABLE_CASE) continue;
        (void)snprintf(sql, sizeof sql, "SELECT id FROM \"%s\"", t[i].name);
        struct stmt *st = ask(s, node_db(d->n), sql);
        while (ask_next(s, st))
            if (db_id(st, 0, id) && !ids_has(without, id)) told_id(line, (int)i, id);
        db_done(st);
    }
}

static void tell_holds(struct sim *s, const struct device *d, bool complete)
{
    struct ids own = {0};
    struct buf line;
    if (!complete) ledger_made(s->ledger, d, &own);
    told_start(&line, "holds ");
    buf_printf(&line, "%d %s %s", d->no, s->sites[d->site].code, complete ? "full" : "part");
    put_ids(s, d, &own, &line);
    sim_tell(s, &line);
    buf_release(&line);
    ids_clear(&own);
}

void check_cursor(struct sim *s, const struct device *d)
{
    uint8_t cut[CUT_BYTES] = {0};
    struct stmt *st = ask(s, node_db(d->n), "SELECT value FROM n_state WHERE name = 'cursor'");
    if (ask_next(s, st)) (void)db_id(st, 0, cut);
    db_done(st);
    st = ask(s, hub_db(s->hub), "SELECT cursor FROM h_node WHERE kid = $1");
    db_bind_id(st, 1, d->kid);
    if (!ask_next(s, st) || !bytes_equal(db_bytes(st, 0), bytes_of(cut, sizeof cut)))
        sim_fail(s, 7, "device %d is up to date and stands at another cut than the hub served it", d->no);
    db_done(st);
    int64_t pending = ask_number(s, node_db(d->n), "SELECT count(*) FROM n_pending");
    int64_t unsent = ask_number(s, node_db(d->n), "SELECT count(*) FROM n_outbox WHERE state = 'unsent'");
    if (pending != 0 || unsent != 0)
        sim_fail(s, 7, "device %d is up to date and has %lld unsent envelopes and %lld edits to be judged", d->no,
                 (long long)unsent, (long long)pending);
}

static void compare_all(struct sim *s, const struct device *d)
{
    struct rows hub, here;
    rows_read(&hub, hub_db(s->hub));
    rows_read(&here, node_db(d->n));
    check_same_rows(s, d, &hub, &here);
    rows_free(&hub);
    rows_free(&here);
}

void check_device(struct sim *s, struct device *d, bool complete)
{
    struct draw by = told_draw(s);
    struct why why = {0};
    if (d->n == NULL || disk_is_dead(d->m.disk)) return;
    tell_holds(s, d, complete);
    if (draw_chance(&by, 50) && db_check(node_db(d->n), &why) != ERR_OK)
        sim_fail(s, 7, "the store of device %d: %s", d->no, why.text);
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    if (complete) check_cursor(s, d);
    if (complete && draw_chance(&by, 333)) compare_all(s, d);
    check_drops(s, d);
}
