#include "tests/fuzz/store.h"

#include "hub/dump_frame.h"
#include "hub/note.h"
#include "hub/store.h"
#include "sync/db_view.h"
#include "sync/messages_return.h"

#include <string.h>

struct env store_env(void)
{
    return fuzz_env(NULL);
}

struct db *store_new(void)
{
    const struct env env = store_env();
    struct db *db = NULL;
    struct buf sql;
    buf_init(&sql, 1u << 20);
    HOLDS(store_schema(&sql, NULL) == ERR_OK);
    HOLDS(db_open_memory(&db, &env, buf_cstr(&sql), NULL) == ERR_OK && db_begin(db, NULL) == ERR_OK);
    HOLDS(db_migrate(db, rules_schema_newest(), NULL) == ERR_OK);
    HOLDS(store_put_counter(db, "schema", (int64_t)rules_schema_newest(), NULL) == ERR_OK);
    HOLDS(db_commit(db, NULL) == ERR_OK);
    buf_release(&sql);
    return db;
}

/* ---- a copy in short ---- */
struct stream {
    const struct dump_shapes *shapes;
    struct dump_sum sum;
    struct dump_count count;
    struct buf frame, *out;
    bool in_table;
};

static void end_frame(struct stream *s, enum dump_frame kind)
{
    uint8_t head[5];
    size_t n = dump_frame_head(head, s->frame.len);
    HOLDS(s->frame.err == ERR_OK);
    dump_count_frame(&s->count, kind, bytes_of(head, n), buf_bytes(&s->frame));
    buf_put(s->out, head, n);
    buf_put_bytes(s->out, buf_bytes(&s->frame));
    buf_reset(&s->frame);
}

static void begin_frame(struct stream *s, enum dump_frame kind, size_t more)
{
    cbor_put_array(&s->frame, 1 + more);
    cbor_put_uint(&s->frame, kind);
}

static void end_table(struct stream *s)
{
    if (!s->in_table) return;
    const struct dump_table *t = dump_count_table_end(&s->count);
    begin_frame(s, DUMP_TABLE_END, 2);
    cbor_put_uint(&s->frame, t->rows);
    cbor_put_bytes(&s->frame, bytes_of(t->hash, HASH_BYTES));
    end_frame(s, DUMP_TABLE_END);
    s->in_table = false;
}

/* False: this is no table in short. */
static bool put_table(struct stream *s, struct bytes item)
{
    bool left_out[DUMP_MAX_COLUMNS] = {false};
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    size_t n = cbor_get_array(&r, 2 + DUMP_MAX_COLUMNS), columns = 0;
    if (cbor_get_uint(&r) != DUMP_TABLE || n < 2 || cbor_peek(&r) != CBOR_UINT) return false;
    const struct dump_shape *t = &s->shapes->table[cbor_get_uint(&r) % s->shapes->n];
    for (size_t i = 2; i < n; i++) left_out[cbor_get_uint(&r) % DUMP_MAX_COLUMNS] = true;
    if (r.err != ERR_OK || s->sum.n == DUMP_MAX_TABLES) return false;
    end_table(s);
    for (size_t i = 0; i < t->n_columns; i++) columns += left_out[i] ? 0 : 1;
    begin_frame(s, DUMP_TABLE, 2);
    cbor_put_str(&s->frame, t->name);
    cbor_put_array(&s->frame, columns);
    for (size_t i = 0; i < t->n_columns; i++)
        if (!left_out[i]) cbor_put_str(&s->frame, t->column[i].name);
    end_frame(s, DUMP_TABLE);
    s->in_table = dump_count_table(&s->count, bytes_of_str(t->name));
    return true;
}

static void put_rest(struct stream *s, struct bytes in)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    while (r.in.n > 0) {
        struct bytes left = r.in, item = cbor_get_item(&r);
        if (r.err != ERR_OK) item = left;
        if (r.err == ERR_OK && put_table(s, item)) continue;
        buf_put_bytes(&s->frame, item);
        end_frame(s, DUMP_ROW);
        if (s->in_table) dump_count_row(&s->count);
        if (r.err != ERR_OK) return;
    }
}

static size_t tables_in(struct bytes in, const struct dump_shapes *shapes)
{
    struct stream s = {.shapes = shapes};
    struct buf nowhere;
    buf_init(&s.frame, 1u << 16);
    buf_init(&nowhere, 1u << 20);
    s.out = &nowhere;
    dump_count_begin(&s.count, &s.sum);
    put_rest(&s, in);
    buf_release(&s.frame);
    buf_release(&nowhere);
    return s.sum.n;
}

void store_stream(struct bytes in, const struct dump_shapes *t, uint64_t schema, struct buf *out)
{
    struct stream s = {.shapes = t, .out = out};
    buf_init(&s.frame, 1u << 16);
    dump_count_begin(&s.count, &s.sum);
    begin_frame(&s, DUMP_HEAD, 4);
    cbor_put_str(&s.frame, DUMP_MARK);
    cbor_put_uint(&s.frame, DUMP_VERSION);
    cbor_put_uint(&s.frame, schema);
    cbor_put_uint(&s.frame, tables_in(in, t));
    end_frame(&s, DUMP_HEAD);
    put_rest(&s, in);
    end_table(&s);
    dump_count_end(&s.count);
    begin_frame(&s, DUMP_END, 3);
    cbor_put_uint(&s.frame, s.sum.n);
    cbor_put_uint(&s.frame, s.sum.rows);
    cbor_put_bytes(&s.frame, bytes_of(s.sum.hash, HASH_BYTES));
    end_frame(&s, DUMP_END);
    HOLDS(out->err == ERR_OK);
    buf_release(&s.frame);
}

static enum err sink_write(void *ctx, struct bytes piece, struct why *why)
{
    struct buf *out = ctx;
    (void)why;
    buf_put_bytes(out, piece);
    return out->err;
}

struct dump_sink store_sink(struct buf *out)
{
    return (struct dump_sink){out, sink_write};
}

/* ---- a note ---- */
void store_note(struct db *db, struct buf *out)
{
    static const char verdicts[] =
        "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, user, received_at, version, verdict, "
        "reason) VALUES(1, 3, x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', x'', x'', x'', 1, "
        "x'', 1000, 7, 0, NULL), (1, 4, x'ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', x'', x'', "
        "x'', 1, x'', 1001, 8, 2, 'Why.')";
    const struct env env = store_env();
    struct hub h = {.env = &env, .db = db, .id = *fuzz_me(), .now_ms = FUZZ_NOW};
    struct hub_node node = {.no = 1};
    const struct cut cut = {
        .name = "the name of cut", .lo = 5, .hi = 9, .pos = 2, .pos_from = 1, .at = 1002, .schema = 2, .schema_lo = 1};
    struct note_item item;
    struct buf b;
    fuzz_start();
    memcpy(node.id.kid, FUZZ_NODE, KID_BYTES);
    buf_init(&b, 1u << 16);
    HOLDS(db_begin(db, NULL) == ERR_OK && db_exec(db, verdicts, NULL) == ERR_OK);
    HOLDS(note_put(&h, &node, FUZZ_REQUEST, &cut, &b, NULL) == ERR_OK);
    HOLDS(message_get_note(buf_bytes(&b), &item, NULL) == ERR_OK);
    buf_put_bytes(out, item.note);
    HOLDS(out->err == ERR_OK);
    db_rollback(db);
    buf_release(&b);
    secret_release(&h.note_key);
}
