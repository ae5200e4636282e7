/* Seeds for what concerns a hub that is put back: its statement, what devices return, notes, copies of stores. */
#include "crypto/device.h"
#include "crypto/hash.h"
#include "hub/dump_frame.h"
#include "hub/note.h"
#include "hub/redo_part.h"
#include "sync/messages_return.h"
#include "tests/fuzz/returned.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/store.h"

#include <string.h>

static void give(struct seeds *s, struct buf *b)
{
    HOLDS(b->err == ERR_OK);
    seeds_put(s, 4, buf_bytes(b));
    seeds_put(s, 4 | 8, buf_bytes(b));
    buf_reset(b);
}

void seeds_of_returns(struct seeds *s)
{
    const struct note_item note = {.request = FUZZ_REQUEST, .covered = 3, .note = bytes_of_str("a sealed note")};
    const struct return_item bare = {.cose = bytes_of_str("a signed thing")};
    const struct return_item plain = {bare.cose, RETURN_PLAIN, bytes_of_str("with its content")};
    const struct return_item sealed = {bare.cose, RETURN_SEALED, bytes_of_str("which is sealed")};
    const struct drop_item held[] = {{.table_index = 3, .id = "sixteen bytes id"}, {.table_index = 30}};
    struct buf b;
    buf_init(&b, 1u << 12);
    message_put_note(&b, &note);
    give(s, &b);
    message_put_return(&b, &bare);
    give(s, &b);
    message_put_return(&b, &plain);
    give(s, &b);
    message_put_return(&b, &sealed);
    give(s, &b);
    message_put_holds(&b, held, 2);
    give(s, &b);
    message_put_returned(&b);
    give(s, &b);
    returned_epoch(&b, 9);
    give(s, &b);
    buf_release(&b);
}

static void hub_notes(struct seeds *s, struct db *db)
{
    struct secret key = {0}, keys = {0};
    struct buf sealed, plain;
    seeds_begin(s, "hub_note");
    buf_init(&sealed, 1u << 12);
    buf_init(&plain, 1u << 12);
    store_note(db, &sealed);
    seeds_put(s, 1, buf_bytes(&sealed));
    HOLDS(secret_new(&key, DEVICE_SECRET_BYTES, NULL) == ERR_OK && secret_new(&keys, 96, NULL) == ERR_OK);
    identity_secret_to_bytes(fuzz_me(), keys.p);
    hash_labelled(key.p, STORE_NOTE_LABEL, bytes_of(keys.p, keys.n));
    HOLDS(device_open(&key, STORE_NOTE_LABEL, buf_bytes(&sealed), &plain, NULL) == ERR_OK);
    seeds_put(s, 0, buf_bytes(&plain));
    secret_release(&key);
    secret_release(&keys);
    buf_release(&sealed);
    buf_release(&plain);
}

/* Two rows that the table may well take, in the order of its key. */
static void rows(struct buf *b, const struct dump_shape *t)
{
    for (int64_t i = 1; i < 3; i++) {
        cbor_put_array(b, 1 + t->n_columns);
        cbor_put_uint(b, DUMP_ROW);
        for (size_t c = 0; c < t->n_columns; c++) {
            uint8_t id[16] = "sixteen bytes i";
            id[15] = (uint8_t)i;
            if (t->column[c].kind == VALUE_BLOB)
                cbor_put_bytes(b, bytes_of(id, sizeof id));
            else if (t->column[c].kind == VALUE_TEXT)
                cbor_put_str(b, i == 1 ? "a" : "b");
            else
                cbor_put_int(b, i);
        }
    }
}

static void table(struct buf *b, const struct dump_shapes *t, size_t i)
{
    cbor_put_array(b, 2);
    cbor_put_uint(b, DUMP_TABLE);
    cbor_put_uint(b, i);
    rows(b, &t->table[i]);
    HOLDS(b->err == ERR_OK);
}

static void copies(struct seeds *s, const struct dump_shapes *t)
{
    struct buf b, stream;
    seeds_begin(s, "dump");
    buf_init(&b, 1u << 16);
    buf_init(&stream, 1u << 16);
    for (size_t i = 0; i < t->n; i++) {
        buf_reset(&b);
        table(&b, t, i);
        if (i % 3 == 0 && i + 1 < t->n) table(&b, t, i + 1);
        seeds_put(s, i % 2 == 0 ? 1 : 1 | 2 | 4, buf_bytes(&b));
        if (i % 8 != 0) continue;
        buf_reset(&stream);
        store_stream(buf_bytes(&b), t, rules_schema_newest(), &stream);
        seeds_put(s, 4, buf_bytes(&stream));
        seeds_put(s, 1 | 8, buf_bytes(&b));
    }
    buf_release(&b);
    buf_release(&stream);
}

/* A part of a beginning and an entry, and what an entry of each table holds: two rows, and one that is gone. */
static void journals(struct seeds *s, const struct dump_shapes *t)
{
    const struct redo_head head = {.part = 2, .first = 5, .at = FUZZ_NOW, .schema = 3};
    const struct redo_entry entry = {.entry = 5, .at = FUZZ_NOW, .sealed = bytes_of_str("what is sealed")};
    uint8_t after[HASH_BYTES];
    struct buf b, frames, item;
    seeds_begin(s, "journal");
    buf_init(&b, 1u << 16);
    buf_init(&frames, 1u << 16);
    buf_init(&item, 1u << 16);
    HOLDS(redo_put_head(&b, fuzz_me(), &head, NULL) == ERR_OK);
    HOLDS(redo_put_entry(&b, fuzz_me(), &entry, after, NULL) == ERR_OK);
    seeds_put(s, 0, buf_bytes(&b));
    seeds_put(s, 2, buf_bytes(&b));
    for (size_t i = 0; i < t->n; i++) {
        const struct dump_shape *of = &t->table[i];
        struct bytes left;
        buf_reset(&b);
        buf_reset(&frames);
        buf_reset(&item);
        cbor_put_array(&item, 3);
        cbor_put_uint(&item, REDO_TABLE);
        cbor_put_str(&item, of->name);
        cbor_put_array(&item, of->n_columns);
        for (size_t c = 0; c < of->n_columns; c++) cbor_put_str(&item, of->column[c].name);
        redo_put_frame(&b, buf_bytes(&item));
        rows(&frames, of);
        left = buf_bytes(&frames);
        struct cbor_reader r;
        cbor_reader_init(&r, left);
        while (r.err == ERR_OK && r.in.n > 0) redo_put_frame(&b, cbor_get_item(&r));
        HOLDS(b.err == ERR_OK && r.err == ERR_OK);
        seeds_put(s, 1, buf_bytes(&b));
    }
    buf_release(&b);
    buf_release(&frames);
    buf_release(&item);
}

void seeds_of_stores(struct seeds *s)
{
    const struct env env = store_env();
    struct dump_shapes shapes;
    struct db *db = store_new();
    hub_notes(s, db);
    HOLDS(dump_shapes_load(&shapes, db, &env, NULL) == ERR_OK);
    copies(s, &shapes);
    journals(s, &shapes);
    dump_shapes_release(&shapes);
    db_close(db);
}
