#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

void fake_edit_start(struct fake_edit *e)
{
    memset(e, 0, sizeof *e);
    fake_edit_next_part(e);
}

void fake_edit_next_part(struct fake_edit *e)
{
    assert_true(e->n_parts < 4);
    buf_init(&e->content[e->n_parts], 16u << 20);
    changeset_writer_init(&e->w, &e->content[e->n_parts], false, rules_schema_newest());
    e->n_parts++;
}

void fake_edit_release(struct fake_edit *e)
{
    for (size_t i = 0; i < e->n_parts; i++) buf_release(&e->content[i]);
    e->n_parts = 0;
}

static struct op op_on(const char *table, enum op_kind kind)
{
    struct op op = {.kind = kind, .table_index = rules_table_index(bytes_of_str(table))};
    assert_true(op.table_index >= 0);
    op.table = rules_table((size_t)op.table_index);
    return op;
}

struct op fake_new(const struct fake_node *n, const char *table, const uint8_t id[16], const uint8_t case_id[16])
{
    struct op op = op_on(table, OP_INSERT);
    for (size_t i = 0; i < op.table->n_columns; i++) op.new_[i] = value_null();
    op.new_[0] = value_id(id);
    if (op.table->kind == TABLE_CASE) {
        op.new_[1] = value_id(case_id);
        op.new_[2] = value_str(n->agency);
    }
    return op;
}

struct op fake_change(const char *table, const uint8_t id[16])
{
    struct op op = op_on(table, OP_UPDATE);
    op.old[0] = value_id(id);
    return op;
}

void fake_from(struct op *op, const char *column, struct value old, struct value v)
{
    int c = rules_column_index(op->table, bytes_of_str(column));
    assert_true(c >= 0);
    if (op->kind == OP_UPDATE) op->old[c] = old;
    op->new_[c] = v;
}

void fake_value(struct op *op, const char *column, struct value v)
{
    fake_from(op, column, value_null(), v);
}

void fake_put(struct fake_edit *e, const struct op *op)
{
    changeset_put(&e->w, op);
}

static uint64_t commit(struct fake_node *n, const struct part *parts, size_t n_parts, const struct part *beside)
{
    struct why why = {0};
    struct envelope_header h = {.epoch = 1,
                                .seq = n->seq + 1,
                                .schema = rules_schema_newest(),
                                .hlc = n->hlc == 0 ? (uint64_t)n->f->now << 16 : n->hlc};
    struct buf cose, item;
    memcpy(h.hub, hub_identity(n->f->hub)->kid, KID_BYTES);
    memcpy(h.base_cut, n->has_base ? n->base_cut : n->cursor, 16);
    memcpy(h.prev, n->prev, 32);
    memcpy(h.user, n->user, 16);
    buf_init(&cose, 4u << 20);
    buf_init(&item, 64u << 20);
    MUST(envelope_sign(&n->id, &h, parts, n_parts, &cose, &why));
    message_put_envelope(&item, buf_bytes(&cose), beside, n_parts);
    assert_int_equal(item.err, ERR_OK);
    fake_node_queue(n, buf_bytes(&item));
    envelope_hash(buf_bytes(&cose), n->prev);
    n->seq++;
    buf_release(&cose);
    buf_release(&item);
    return n->seq;
}

uint64_t fake_commit(struct fake_node *n, struct fake_edit *e)
{
    struct part parts[4] = {0};
    for (size_t i = 0; i < e->n_parts; i++) {
        assert_int_equal(e->content[i].err, ERR_OK);
        env_random(&n->f->env, parts[i].salt, SALT_BYTES);
        parts[i].content = buf_bytes(&e->content[i]);
    }
    uint64_t seq = commit(n, parts, e->n_parts, parts);
    fake_edit_release(e);
    return seq;
}

uint64_t fake_commit_raw(struct fake_node *n, struct bytes content, bool fit)
{
    struct part beside = {.content = content}, part = beside;
    if (!fit) part.salt[0] = 1;
    return commit(n, &part, 1, &beside);
}

const struct fake_verdict *fake_verdict_on(const struct fake_node *n, uint64_t seq)
{
    for (size_t i = 0; i < n->n_verdicts; i++) {
        if (n->verdicts[i].seq == seq) return &n->verdicts[i];
    }
    return NULL;
}

const struct fake_verdict *fake_send(struct fake_node *n, struct fake_edit *e)
{
    uint64_t seq = fake_commit(n, e);
    fake_node_round(n);
    const struct fake_verdict *v = fake_verdict_on(n, seq);
    assert_non_null(v);
    return v;
}

void fake_case(struct fake_node *n, uint8_t case_id[16], const char *lead, const char *const *members)
{
    struct fake_edit e;
    uint8_t ids[8][16];
    char member[64];
    fake_edit_start(&e);
    env_new_id(&n->f->env, case_id);
    struct op file = fake_new(n, "case_file", case_id, case_id);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "rag", value_str("green"));
    fake_value(&file, "status", value_str("new"));
    fake_value(&file, "lead_agency", value_str(lead));
    fake_put(&e, &file);
    struct op brief = fake_new(n, "brief", case_id, case_id);
    fake_value(&brief, "summary", value_str("as told"));
    fake_put(&e, &brief);
    for (size_t i = 0; members[i] != NULL; i++) {
        const char *colon = strchr(members[i], ':');
        (void)snprintf(member, sizeof member, "%.*s", (int)(colon - members[i]), members[i]);
        env_new_id(&n->f->env, ids[i]);
        struct op p = fake_new(n, "participant", ids[i], case_id);
        fake_value(&p, "member", value_str(member));
        fake_value(&p, "site", value_str(""));
        fake_value(&p, "access", value_str(colon + 1));
        fake_put(&e, &p);
    }
    const struct fake_verdict *v = fake_send(n, &e);
    if (v->verdict != VERDICT_APPLIED) fail_msg("the new case: %s %s", verdict_word(v->verdict), v->reason);
}

struct op fake_person(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *family)
{
    env_new_id(&n->f->env, id);
    struct op p = fake_new(n, "person", id, case_id);
    fake_value(&p, "role", value_str("child"));
    fake_value(&p, "family_name", value_str(family));
    return p;
}
