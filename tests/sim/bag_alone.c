/* The requests of a bag, put to a copy of the hub one after the other. What a hub draws differs between the two: names
 * of cuts, ids of the rows that it makes itself. All else must be the same, numbers of the order too. */
#include "tests/sim/bag.h"

#include <stdlib.h>
#include <string.h>

struct copy {
    struct machine m;
    struct hub *hub;
};

struct copy *bag_copy(struct sim *s)
{
    struct why why = {0};
    hub_off(s, true);
    struct disk_image *image = disk_image_take(s->hub_machine.disk);
    hub_on(s);
    if (s->hub == NULL) {
        disk_image_free(image);
        return NULL;
    }
    struct copy *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    machine_init(&c->m, &s->clock, s->seed, 3000);
    c->m.skew_ms = s->hub_machine.skew_ms;
    disk_put_back(c->m.disk, image);
    disk_image_free(image);
    struct machine *before = machine_enter(&c->m);
    enum err e = hub_open(&c->hub, &c->m.env, "/hub", machine_passphrase(), &why);
    machine_enter(before);
    sim_must(s, e, "open a copy of the hub", &why);
    return c;
}

void bag_copy_free(struct copy *c)
{
    if (c == NULL) return;
    struct machine *before = machine_enter(&c->m);
    hub_close(c->hub);
    machine_enter(before);
    machine_release(&c->m);
    free(c);
}

/* What a hub stands for, but for what it drew. */
static const struct of_hub {
    const char *what, *sql;
    int columns;
} questions[] = {
    {"a change", "SELECT node_no, seq, verdict, version, received_at, told, reason FROM h_envelope ORDER BY node_no, seq", 7},
    {"a row", "SELECT no, case_no, tbl, born, born_node, version, mask_version, mask, gone FROM h_row ORDER BY no", 9},
    {"a column", "SELECT row_no, col, version, node_no, hlc FROM h_col ORDER BY row_no, col", 5},
    {"a seat", "SELECT site_no, case_no, mask, version FROM h_seat ORDER BY site_no, case_no", 4},
    {"an order to forget", "SELECT node_no, row_no, version, request, receipt_at FROM h_drop ORDER BY no", 5},
    {"a device", "SELECT no, last_seq, last_request, state FROM h_node ORDER BY no", 4},
    {"a cut", "SELECT node_no, lo, hi, pos, pos_from, at FROM h_cut ORDER BY node_no, at, hi, pos, pos_from", 6},
    {"held work", "SELECT node_no, seq, state FROM h_held ORDER BY node_no, seq", 3},
    {"a counter", "SELECT name, value FROM h_counter WHERE name <> 'acts' ORDER BY name", 2},
    {"a count of rows", "SELECT node_no, held, moved, stopped_at FROM h_held_rows ORDER BY node_no", 4},
};

static void put_line(struct stmt *st, int columns, struct buf *out)
{
    buf_reset(out);
    for (int i = 0; i < columns; i++) {
        struct value v = db_value(st, i);
        buf_put_str(out, " ");
        if (v.kind == VALUE_NULL)
            buf_put_str(out, "-");
        else if (value_to_text(v, out) != ERR_OK)
            abort();
    }
    if (out->err != ERR_OK) abort();
}

static void must_agree(struct sim *s, const struct copy *c, const struct of_hub *q)
{
    struct buf here, alone;
    struct stmt *a = ask(s, hub_db(s->hub), q->sql), *b = ask(s, hub_db(c->hub), q->sql);
    buf_init(&here, 1u << 16);
    buf_init(&alone, 1u << 16);
    for (bool more = true; more;) {
        more = ask_next(s, a);
        bool there = ask_next(s, b);
        buf_reset(&here);
        buf_reset(&alone);
        if (more) put_line(a, q->columns, &here);
        if (there) put_line(b, q->columns, &alone);
        if (more != there || !bytes_equal(buf_bytes(&here), buf_bytes(&alone)))
            sim_fail(s, 3, "%s is not what it is where each request is taken alone:%s, and alone:%s", q->what,
                     more ? buf_cstr(&here) : " none", there ? buf_cstr(&alone) : " none");
    }
    db_done(a);
    db_done(b);
    buf_release(&here);
    buf_release(&alone);
}

void bag_compare(struct sim *s, struct copy *c, const struct bag *b)
{
    struct why why = {0};
    for (size_t i = 0; i < b->n; i++) {
        const struct guest *g = &b->v[i];
        struct buf out;
        buf_init(&out, SIM_BUNDLE);
        struct machine *before = machine_enter(&c->m);
        enum err e = hub_exchange(c->hub, buf_bytes(&g->request), false, &out, NULL, &why);
        machine_enter(before);
        if (e != g->e)
            sim_fail(s, 3, "device %d is told %s among others, and %s where its request is taken alone", g->d->no, err_word(g->e),
                     err_word(e));
        buf_release(&out);
    }
    struct machine *before = machine_enter(&c->m);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) must_agree(s, c, &questions[i]);
    machine_enter(before);
}
