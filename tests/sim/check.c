/* After each contact. */
#include "tests/sim/judge.h"

#include <stdio.h>
#include <string.h>

void check_hub(struct sim *s)
{
    told_hub(s);
}

/* A row that it had of a hub that was lost, and that this one did not know when it last met the device: it may come to
 * know it by somebody else's work. */
static bool is_strange(struct sim *s, struct device *d, const uint8_t id[16])
{
    bool out = disaster_strange(s, id);
    if (out) ids_add(&d->strange, id);
    return out;
}

static void put_ids(struct sim *s, struct device *d, const struct ids *without, struct buf *line)
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
            if (db_id(st, 0, id) && !ids_has(without, id) && !is_strange(s, d, id)) told_id(line, (int)i, id);
        db_done(st);
    }
}

/* Rows that it holds and does not show. */
static void put_hidden(struct sim *s, struct device *d, const struct ids *without, struct buf *line)
{
    uint8_t id[16];
    struct stmt *st = ask(s, node_db(d->n), "SELECT tbl, id FROM n_hidden");
    while (ask_next(s, st))
        if (db_id(st, 1, id) && !ids_has(without, id) && !is_strange(s, d, id)) told_id(line, (int)db_int(st, 0), id);
    db_done(st);
}

static void tell_holds(struct sim *s, struct device *d, bool complete)
{
    struct ids own = {0};
    struct buf line;
    if (disaster_was(s) && s->hub == NULL) return; /* nobody can say which rows this one knows */
    if (complete) ids_clear(&d->strange);
    if (!complete) ids_add_all(&own, &d->strange);
    if (!complete) ledger_made(s->ledger, d, &own);
    if (!complete) disaster_ordered(s, d, &own);
    told_start(&line, "holds ");
    buf_printf(&line, "%d %s %s", d->no, s->sites[d->site].code, complete ? "full" : "part");
    put_ids(s, d, &own, &line);
    put_hidden(s, d, &own, &line);
    sim_tell(s, &line);
    buf_release(&line);
    ids_clear(&own);
}

/* By its clock, what has ended is not shown, and all else is. */
void check_shown(struct sim *s, struct device *d)
{
    static const char *const words[] = {"shows", "hides"};
    struct ids none = {0};
    struct buf line;
    bool any = ask_number(s, node_db(d->n), "SELECT EXISTS(SELECT 1 FROM n_end) OR EXISTS(SELECT 1 FROM n_hidden)") != 0;
    if (d->suspect || d->unproven) return; /* what it was told is of another time */
    for (size_t i = 0; any && i < 2; i++) {
        buf_init(&line, 1u << 20);
        buf_printf(&line, "%s %d %s %lld", words[i], d->no, s->sites[d->site].code,
                   (long long)(s->clock + d->m.skew_ms));
        if (i == 0)
            put_ids(s, d, &none, &line);
        else
            put_hidden(s, d, &none, &line);
        sim_tell(s, &line);
        buf_release(&line);
    }
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
    rows_read_held(&here, node_db(d->n));
    check_same_rows(s, d, &hub, &here);
    rows_free(&hub);
    rows_free(&here);
}

/* The sealed answer named the rows that its receipt says are forgotten. While a request is under way the spool is that
 * of a later answer. */
static void check_spool(struct sim *s, const struct device *d)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/spool/answer", d->home);
    if (d->suspect || disk_file(d->m.disk, path).n == 0) return;
    if (ask_number(s, node_db(d->n), "SELECT value FROM n_number WHERE name = 'pending'") != 0) return;
    int64_t request = ask_number(s, node_db(d->n),
                                 "SELECT max(request) FROM n_receipt WHERE request = "
                                 "(SELECT value FROM n_number WHERE name = 'answered')");
    if (request != 0)
        sim_fail(s, 6, "device %d: the answer stands in the spool, and order %lld has its receipt", d->no,
                 (long long)request);
}

/* Wholly, too, when edits wait still: a later contact would mend what is wrong with what lies below them. */
static void check_store(struct sim *s, struct device *d, struct draw *by)
{
    struct why why = {0};
    struct verify_result v;
    enum err e = ERR_OK;
    bool waits = !d->suspect && ask_number(s, node_db(d->n), "SELECT EXISTS(SELECT 1 FROM n_pending)") != 0;
    if (d->damaged) return; /* until a sync ends well, and nothing that is kept lies on the page still */
    if (draw_chance(by, waits ? 1000 : 100) && !d->suspect) {
        device_enter(s, d);
        e = node_verify(d->n, &v, &why);
        (void)device_leave(s, d);
    } else if (draw_chance(by, 50)) {
        e = db_check(node_db(d->n), &why);
    }
    bool forged = d->hostile && (e == ERR_TAMPERED || e == ERR_FORMAT); /* its own program finds what it sends */
    if (e != ERR_OK && !forged) sim_fail(s, 7, "the store of device %d: %s: %s", d->no, err_word(e), why.text);
}

void check_device(struct sim *s, struct device *d, bool complete)
{
    struct draw by = told_draw(s, d);
    if (d->n == NULL || disk_is_dead(d->m.disk)) return;
    if (complete && d->damaged) d->damaged = outbox_rot_lurks(d);
    tell_holds(s, d, complete);
    if (complete) check_shown(s, d);
    check_store(s, d, &by);
    check_spool(s, d);
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    if (complete) check_cursor(s, d);
    if (complete) follow_check(s, d, draw_chance(&by, 150));
    if (complete && draw_chance(&by, 333)) compare_all(s, d);
    if (complete && !d->suspect && draw_chance(&by, 120)) canary_salts(s, d);
    check_drops(s, d);
}
