/* outbox show, send-again, discard: what was written here and not taken in, at its author's. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "sync/changeset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number of the list, or the id of a held entry. */
static enum err pick_seq(struct work *w, uint64_t *out, struct why *why)
{
    const char *typed = w->c->args[0];
    char *end = NULL;
    uint8_t id[16];
    errno = 0;
    unsigned long long n = strtoull(typed, &end, 10);
    if (typed[0] >= '0' && typed[0] <= '9' && *end == '\0' && errno == 0 && strlen(typed) < 8) {
        *out = n;
        return ERR_OK;
    }
    enum err e = work_pick(w, "held", typed, id, why);
    return e == ERR_OK ? node_outbox_of_held(w->node, id, out, why) : e;
}

/* ---------------------------------------------------------------------------------------------------------- show */
struct showing {
    struct work *w;
    struct json *changes; /* NULL when printed as text */
};

/* "family_name" as "family name". */
static void words(char *out, size_t n, const char *name)
{
    (void)snprintf(out, n, "%s", name);
    for (char *p = out; *p != '\0'; p++)
        if (*p == '_') *p = ' ';
}

static enum err value_words(const struct column_rule *c, struct value v, struct buf *out, struct why *why)
{
    char t[64];
    enum err e = ERR_OK;
    if (v.kind == VALUE_INT && c->type == COL_TIME) {
        show_time(v.i, t, sizeof t);
        buf_put_str(out, t);
    } else if (v.kind == VALUE_INT && c->type == COL_BOOL) {
        buf_put_str(out, v.i != 0 ? "yes" : "no");
    } else if (v.kind == VALUE_NULL || v.kind == VALUE_NONE) {
        buf_put_str(out, "(nothing)");
    } else {
        e = value_to_text(v, out);
    }
    if (e == ERR_OK) e = out->err;
    return e == ERR_OK ? ERR_OK : why_set(why, e, "There is not enough memory to show this change.");
}

static enum err print_column(const struct column_rule *c, struct value v, struct why *why)
{
    struct buf text;
    char name[80];
    buf_init(&text, RULES_MAX_VALUE + 64);
    enum err e = value_words(c, v, &text, why);
    if (e == ERR_OK && buf_cstr(&text) != NULL) {
        plain_line((char *)text.data);
        words(name, sizeof name, c->name);
        printf("  %-20s %s\n", name, (const char *)text.data);
    }
    buf_release(&text);
    return e;
}

static void put_column(struct json *o, const struct column_rule *c, struct value v)
{
    char id[37];
    if (v.kind == VALUE_INT && c->type == COL_BOOL)
        json_set_bool(o, c->name, v.i != 0);
    else if (v.kind == VALUE_INT)
        json_set_int(o, c->name, v.i);
    else if (v.kind == VALUE_TEXT)
        json_set_text(o, c->name, v.s);
    else if (v.kind == VALUE_BLOB && v.s.n == 16) {
        uuid_format(v.s.p, id);
        json_set_str(o, c->name, id);
    } else
        json_set_null(o, c->name);
}

/* Case, writer and key are the same in every entry of a case: a person reads what was said. */
static bool worth_saying(const struct op *op, size_t i)
{
    return i >= 3 && op->new_[i].kind != VALUE_NONE && (op->kind == OP_UPDATE || op->new_[i].kind != VALUE_NULL);
}

static enum err show_op(void *ctx, const struct op *op, struct why *why)
{
    struct showing *sh = ctx;
    char table[80], id[37];
    /* One of several people wrote this, and another may look. Of a row that is not here any more nothing is noted. */
    enum err e = node_note_view(sh->w->node, op->table_index, op_row_id(op), why);
    if (e != ERR_OK && e != ERR_NOTFOUND) return e;
    e = ERR_OK;
    uuid_format(op_row_id(op), id);
    words(table, sizeof table, op->table->name);
    struct json *o = sh->changes == NULL ? NULL : json_object_new(), *columns = o == NULL ? NULL : json_object_new();
    if (o == NULL) printf("%s %s %.8s\n", op->kind == OP_INSERT ? "New" : "Changed", table, id);
    for (size_t i = 0; e == ERR_OK && i < op->table->n_columns; i++) {
        if (!worth_saying(op, i)) continue;
        if (o == NULL)
            e = print_column(&op->table->columns[i], op->new_[i], why);
        else
            put_column(columns, &op->table->columns[i], op->new_[i]);
    }
    if (o == NULL) return e;
    json_set_str(o, "table", op->table->name);
    json_set_str(o, "id", id);
    json_set_bool(o, "new", op->kind == OP_INSERT);
    json_set_obj(o, "columns", columns);
    json_append(sh->changes, o);
    return e;
}

/* What the list says of one envelope. */
struct heading {
    uint64_t seq;
    bool found;
    struct json *o; /* NULL when printed as text */
};

static enum err show_heading(void *ctx, const struct outbox_item *i, struct why *why)
{
    struct heading *h = ctx;
    char t[64], reason[4200];
    (void)why;
    if (i->seq != h->seq) return ERR_OK;
    h->found = true;
    if (h->o == NULL) {
        show_time(i->written_ms, t, sizeof t);
        plain_text(reason, sizeof reason, bytes_of_str(i->reason != NULL ? i->reason : ""));
        printf("Change %llu, %s: %s, %s\n", (unsigned long long)i->seq, t, i->what, i->state);
        if (reason[0] != '\0') printf("%s\n", reason);
        return ERR_OK;
    }
    show_rfc3339(i->written_ms, t, sizeof t);
    json_set_int(h->o, "seq", (int64_t)i->seq);
    json_set_str(h->o, "written_at", t);
    json_set_str(h->o, "what", i->what);
    json_set_str(h->o, "state", i->state);
    json_set_str(h->o, "reason", i->reason);
    return ERR_OK;
}

static enum err do_show(struct work *w, struct why *why)
{
    struct heading h = {0};
    struct showing sh = {.w = w};
    enum err e = pick_seq(w, &h.seq, why);
    if (e == ERR_OK && w->c->json) {
        h.o = json_object_new();
        sh.changes = json_array_new();
    }
    if (e == ERR_OK) e = node_outbox(w->node, show_heading, &h, why);
    if (e == ERR_OK && !h.found) e = why_set(why, ERR_NOTFOUND, "No change of this number was written on this device.");
    if (e == ERR_OK) e = node_outbox_read(w->node, h.seq, show_op, &sh, why);
    if (e == ERR_OK && w->c->json) {
        json_set_obj(h.o, "changes", sh.changes);
        return show_json(h.o, why);
    }
    json_free(sh.changes);
    json_free(h.o);
    return e;
}
static enum err run_show(struct cli *c, struct why *why)
{
    return work_read(c, do_show, why);
}

/* ---------------------------------------------------------------------------------------------------- send again */
/* "COLUMN=VALUE" or "TABLE.COLUMN=VALUE", looked for in what the change says. */
struct wanted {
    struct bytes table, column; /* table empty: any */
    struct outbox_change *out;
    size_t n;
};

static enum err match(void *ctx, const struct op *op, struct why *why)
{
    struct wanted *q = ctx;
    (void)why;
    int i = rules_column_index(op->table, q->column);
    if (i < 3 || (q->table.n > 0 && !bytes_equal(q->table, bytes_of_str(op->table->name)))) return ERR_OK;
    enum write_rule rule = op->table->columns[i].write;
    if (op->new_[i].kind == VALUE_NONE || rule == WRITE_HUB || (rule == WRITE_NEVER && op->kind == OP_UPDATE))
        return ERR_OK;
    q->n++;
    q->out->table_index = op->table_index;
    q->out->column = (size_t)i;
    memcpy(q->out->id, op_row_id(op), 16);
    return ERR_OK;
}

static enum err read_change(struct work *w, uint64_t seq, const char *text, struct outbox_change *out, struct why *why)
{
    const char *eq = strchr(text, '='), *dot = eq == NULL ? NULL : memchr(text, '.', (size_t)(eq - text));
    if (eq == NULL || eq == text)
        return why_set(why, ERR_USAGE, "A change is written COLUMN=VALUE, like title=\"Home visit\".");
    const char *column = dot == NULL ? text : dot + 1;
    struct wanted q = {.column = bytes_of(column, (size_t)(eq - column)), .out = out};
    if (dot != NULL) q.table = bytes_of(text, (size_t)(dot - text));
    enum err e = node_outbox_read(w->node, seq, match, &q, why);
    if (e != ERR_OK) return e;
    if (q.n == 0) {
        (void)why_set(why, ERR_USAGE, "This change says nothing of '%.*s'.", (int)(eq - text), text);
        return why_next(why, ERR_USAGE, "spoke outbox show lists what it says.");
    }
    if (q.n > 1) {
        (void)why_set(why, ERR_USAGE, "This change says '%.*s' of several entries.", (int)(eq - text), text);
        return why_next(
            why, ERR_USAGE,
            "Name the kind of entry, like record.title=TEXT; or send it as it is, and change the entry then.");
    }
    return work_read_value(w, &rules_table((size_t)out->table_index)->columns[out->column], eq + 1, &out->v, why);
}

static enum err do_again(struct work *w, struct why *why)
{
    struct outbox_change changes[CLI_MAX_ARGS];
    uint64_t seq = 0, made = 0;
    size_t n = 0;
    enum err e = pick_seq(w, &seq, why);
    for (int i = 1; e == ERR_OK && i < w->c->n_args; i++) e = read_change(w, seq, w->c->args[i], &changes[n++], why);
    if (e == ERR_OK) e = node_outbox_resend(w->node, seq, changes, n, &made, why);
    if (e != ERR_OK) return e;
    if (!w->c->json) {
        printf("Written again as change %llu. It goes out with the next contact.\n", (unsigned long long)made);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "seq", (int64_t)made);
    return show_json(o, why);
}
static enum err run_again(struct cli *c, struct why *why)
{
    return work_read(c, do_again, why);
}

/* ------------------------------------------------------------------------------------------------------- discard */
static enum err do_discard(struct work *w, struct why *why)
{
    uint64_t seq = 0;
    bool withdrawn = false;
    enum err e = pick_seq(w, &seq, why);
    if (e == ERR_OK) e = node_outbox_discard(w->node, seq, &withdrawn, why);
    if (e != ERR_OK) return e;
    if (!w->c->json) {
        printf("The text of change %llu is let go.%s\n", (unsigned long long)seq,
               withdrawn ? " The MASH is told with the next contact that you take it back." : "");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "seq", (int64_t)seq);
    json_set_bool(o, "withdrawn", withdrawn);
    return show_json(o, why);
}
static enum err run_discard(struct cli *c, struct why *why)
{
    return work_read(c, do_discard, why);
}

const struct command node_outbox_commands[] = {
    {"outbox show", "SEQ|HELD", 1, 1, "What one change of yours says, while its text is kept here.",
     "spoke outbox show 12", NULL, run_show},
    {"outbox send-again", "SEQ|HELD [COLUMN=VALUE...]", 1, CLI_MAX_ARGS,
     "Send work again that was not accepted, with other values where you say so.",
     "spoke outbox send-again 12 title=\"Home visit, 3 November\"", NULL, run_again},
    {"outbox discard", "SEQ|HELD", 1, 1, "Take back work that was not accepted, and let its text go.",
     "spoke outbox discard 12", NULL, run_discard},
    {0}};
