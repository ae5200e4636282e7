/* Copies of a hub's store (hub/DUMP.md): what is refused leaves the store as it was, whatever was written before; what
 * is taken is in the store afterwards, no row more or less or otherwise; and a copy of it makes the same again. */
#include "hub/dump_frame.h"
#include "tests/fuzz/store.h"

#include <string.h>

/* Bits of what is asked. SHORT: as store_stream has it, so that hashes and numbers are always right; KEEPER: the hub's
 * keys are kept sealed; AGAIN: look at all of the store afterwards; OLDER: of a program before this one. */
enum { SHORT = 1, KEEPER = 2, AGAIN = 4, OLDER = 8 };
enum { STREAM = 1u << 20 };

struct desk {
    struct env env;
    struct db *db;
    struct dump_shapes shapes;
    struct dump_sum made; /* of the store before anything was read into it */
};

static struct desk *desk(void)
{
    static struct desk d; /* the same for every input: each undoes what it wrote */
    if (d.db != NULL) return &d;
    d.env = store_env();
    d.db = store_new();
    HOLDS(dump_shapes_load(&d.shapes, d.db, &d.env, NULL) == ERR_OK);
    HOLDS(dump_shapes_sum(&d.shapes, d.db, NULL, NULL, &d.made, NULL) == ERR_OK);
    return &d;
}

/* ---- what a keeper may do: another length, other bytes, and a name that matters ---- */
static enum err keeper_seal(void *ctx, struct bytes name, struct bytes value, struct buf *out, struct why *why)
{
    (void)ctx, (void)why;
    buf_put_u8(out, (uint8_t)name.n);
    for (size_t i = 0; i < value.n; i++) buf_put_u8(out, value.p[i] ^ 0x5a);
    return ERR_OK;
}

static enum err keeper_open(void *ctx, struct bytes name, struct bytes kept, struct buf *out, struct why *why)
{
    (void)ctx, (void)why;
    HOLDS(kept.n >= 1 && kept.p[0] == (uint8_t)name.n);
    for (size_t i = 1; i < kept.n; i++) buf_put_u8(out, kept.p[i] ^ 0x5a);
    return ERR_OK;
}

static const struct dump_keeper keeper = {NULL, keeper_open, keeper_seal};

/* ---- a stream, read in another way ---- */
struct tally {
    size_t n;
    struct {
        struct bytes name;
        bool whole; /* all columns, in their order */
        uint64_t rows, sum;
    } table[DUMP_MAX_TABLES];
};

static bool is_whole(struct cbor_reader *r, const struct dump_shape *t)
{
    size_t n = cbor_get_array(r, DUMP_MAX_COLUMNS);
    bool whole = n == t->n_columns;
    struct bytes name[DUMP_MAX_COLUMNS];
    for (size_t i = 0; i < n; i++) {
        name[i] = cbor_get_text(r);
        whole = whole && bytes_equal(name[i], bytes_of_str(t->column[i].name));
        for (size_t k = 0; k < i; k++) HOLDS(!bytes_equal(name[k], name[i]));
    }
    for (size_t i = 0; i < t->n_key; i++) { /* none of a row's key is made up by the store */
        size_t k = 0;
        while (k < n && !bytes_equal(name[k], bytes_of_str(t->column[t->key[i]].name))) k++;
        HOLDS(k < n);
    }
    return whole;
}

/* Of a stream that was taken. `sum` is the same in whatever order the rows stand. */
static void count(const struct dump_shapes *shapes, struct bytes in, struct tally *out)
{
    struct cbor_reader all;
    cbor_reader_init(&all, in);
    out->n = 0;
    while (!cbor_at_end(&all)) {
        struct cbor_reader r;
        struct bytes frame = cbor_get_bytes(&all);
        HOLDS(all.err == ERR_OK);
        cbor_reader_init(&r, frame);
        (void)cbor_get_array(&r, 1 + DUMP_MAX_COLUMNS);
        uint64_t kind = cbor_get_uint(&r);
        if (kind == DUMP_TABLE) {
            struct bytes name = cbor_get_text(&r);
            const struct dump_shape *t = dump_shape_find(shapes, name);
            HOLDS(t != NULL && out->n < DUMP_MAX_TABLES);
            out->table[out->n].name = name;
            out->table[out->n].rows = out->table[out->n].sum = 0;
            out->table[out->n++].whole = is_whole(&r, t);
        } else if (kind == DUMP_ROW) {
            uint64_t part;
            uint8_t hash[HASH_BYTES];
            hash_blake2b(hash, frame);
            memcpy(&part, hash, sizeof part);
            out->table[out->n - 1].rows++;
            out->table[out->n - 1].sum += part;
        }
    }
}

/* All that came is there, and as it came. An older copy's store says of itself that it is of this version. */
static void is_there(const struct dump_shapes *shapes, struct bytes came, struct bytes now, bool older)
{
    static struct tally a, b; /* too large for a stack */
    count(shapes, came, &a);
    count(shapes, now, &b);
    HOLDS(b.n == shapes->n);
    for (size_t i = 0; i < a.n; i++) {
        size_t k = 0;
        while (k < b.n && !bytes_equal(a.table[i].name, b.table[k].name)) k++;
        HOLDS(k < b.n && b.table[k].whole && a.table[i].rows == b.table[k].rows);
        if (older && bytes_equal(a.table[i].name, bytes_of_str("h_counter"))) continue;
        HOLDS(!a.table[i].whole || a.table[i].sum == b.table[k].sum);
    }
}

/* ---- reading ---- */
static enum err source_read(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why)
{
    struct bytes *left = ctx;
    (void)why;
    *out_got = left->n < n ? left->n : n;
    if (*out_got == 0) return ERR_OK;
    memcpy(out, left->p, *out_got);
    *left = bytes_of(left->p + *out_got, left->n - *out_got);
    return ERR_OK;
}

static enum err take(struct desk *d, const struct dump_keeper *k, struct bytes in, struct dump_sum *out)
{
    struct bytes left = in;
    const struct dump_source source = {&left, source_read};
    HOLDS(db_begin(d->db, NULL) == ERR_OK);
    enum err e = dump_shapes_read(&d->shapes, d->db, k, &source, out, NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED || e == ERR_VERSION);
    HOLDS(e != ERR_OK || (left.n == 0 && out->bytes == in.n));
    return e;
}

static void as_it_was(struct desk *d)
{
    struct dump_sum sum;
    db_rollback(d->db);
    HOLDS(db_begin_read(d->db, NULL) == ERR_OK);
    HOLDS(dump_shapes_sum(&d->shapes, d->db, NULL, NULL, &sum, NULL) == ERR_OK);
    HOLDS(dump_same(&d->made, &sum, NULL) == ERR_OK);
    db_rollback(d->db);
}

static void write_store(struct desk *d, const struct dump_keeper *k, struct buf *out, struct dump_sum *sum)
{
    const struct dump_sink sink = store_sink(out);
    buf_init(out, STREAM);
    HOLDS(dump_shapes_sum(&d->shapes, d->db, k, &sink, sum, NULL) == ERR_OK);
    HOLDS(out->err == ERR_OK && out->len == sum->bytes);
}

/* What was taken stands in the store; its copy is read, and written again. */
static void taken(struct desk *d, const struct dump_keeper *k, struct bytes in, bool older, bool again)
{
    struct dump_sum sum, third;
    struct buf copy, other;
    write_store(d, k, &copy, &sum);
    is_there(&d->shapes, in, buf_bytes(&copy), older);
    db_rollback(d->db);
    if (again) {
        HOLDS(take(d, k, buf_bytes(&copy), &third) == ERR_OK && dump_same(&sum, &third, NULL) == ERR_OK);
        write_store(d, k, &other, &third);
        HOLDS(bytes_equal(buf_bytes(&copy), buf_bytes(&other)));
        as_it_was(d);
        buf_release(&other);
    }
    buf_release(&copy);
}

/* Else nothing that is said below of what is taken would mean anything. */
static void ours_are_taken(struct desk *d)
{
    struct dump_sum sum;
    struct buf copy;
    write_store(d, NULL, &copy, &sum);
    HOLDS(take(d, NULL, buf_bytes(&copy), &sum) == ERR_OK && dump_same(&sum, &d->made, NULL) == ERR_OK);
    taken(d, NULL, buf_bytes(&copy), false, true);
    buf_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct dump_sum sum;
    struct buf stream;
    fuzz_start();
    struct desk *d = desk();
    if (size == 0) ours_are_taken(d); /* libFuzzer begins with that */
    uint8_t asked = fuzz_take(&in);
    const struct dump_keeper *k = (asked & KEEPER) != 0 ? &keeper : NULL;
    bool older = (asked & OLDER) != 0;
    buf_init(&stream, STREAM);
    if ((asked & SHORT) != 0)
        store_stream(in, &d->shapes, older ? rules_schema_newest() - 1 : rules_schema_newest(), &stream);
    else
        buf_put_bytes(&stream, in);
    if (take(d, k, buf_bytes(&stream), &sum) == ERR_OK)
        taken(d, k, buf_bytes(&stream), older || (asked & SHORT) == 0, (asked & AGAIN) != 0);
    else if ((asked & AGAIN) != 0)
        as_it_was(d);
    else
        db_rollback(d->db);
    buf_release(&stream);
    return 0;
}
