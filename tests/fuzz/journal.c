/* A journal's parts and what their entries hold (hub/DISASTER.md): nothing is taken from a part that this hub did not
 * sign; what is taken says the same when it is written again; and a transaction that was put twice leaves what it
 * left once, or is refused. */
#include "hub/redo_apply.h"
#include "hub/redo_part.h"
#include "tests/fuzz/store.h"

#include <string.h>

/* Bits of what is asked. ROWS: the bytes are a transaction; else a part. BELIEVE: signatures are taken for good. */
enum { ROWS = 1, BELIEVE = 2 };

static struct db *store(struct dump_shapes *shapes)
{
    static struct db *db; /* the same for every input: each undoes what it wrote */
    static struct dump_shapes known;
    const struct env env = store_env();
    if (db == NULL) {
        db = store_new();
        HOLDS(dump_shapes_load(&known, db, &env, NULL) == ERR_OK);
    }
    *shapes = known;
    return db;
}

static void transaction(struct bytes in)
{
    static struct redo_rows *rows;
    static struct env env;
    struct dump_shapes shapes;
    struct dump_sum once, twice;
    struct db *db = store(&shapes);
    if (rows == NULL) {
        env = store_env();
        HOLDS(redo_rows_new(&rows, &env, db, NULL, NULL) == ERR_OK);
    }
    HOLDS(db_begin(db, NULL) == ERR_OK);
    enum err e = redo_rows_put(rows, in, NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED || e == ERR_VERSION);
    if (e == ERR_OK && in.n > 0) {
        HOLDS(dump_shapes_sum(&shapes, db, NULL, NULL, &once, NULL) == ERR_OK);
        HOLDS(redo_rows_put(rows, in, NULL) == ERR_OK);
        HOLDS(dump_shapes_sum(&shapes, db, NULL, NULL, &twice, NULL) == ERR_OK && dump_same(&once, &twice, NULL) == ERR_OK);
    }
    db_rollback(db);
}

static void same_head(const struct redo_head *m)
{
    struct redo_head again;
    struct buf b;
    buf_init(&b, 1u << 16);
    HOLDS(redo_put_head(&b, fuzz_me(), m, NULL) == ERR_OK);
    struct bytes left = buf_bytes(&b);
    HOLDS(redo_get_head(&left, &fuzz_me()->pub, &again, NULL) == ERR_OK && left.n == 0);
    HOLDS(again.part == m->part && again.first == m->first && again.at == m->at && again.schema == m->schema &&
          memcmp(again.id, m->id, sizeof m->id) == 0 && memcmp(again.chain, m->chain, sizeof m->chain) == 0);
    buf_release(&b);
}

static void same_entry(const struct redo_entry *m)
{
    struct redo_entry again;
    struct buf b;
    uint8_t after[HASH_BYTES];
    buf_init(&b, 1u << 20);
    HOLDS(redo_put_entry(&b, fuzz_me(), m, after, NULL) == ERR_OK);
    struct bytes left = buf_bytes(&b);
    HOLDS(redo_get_entry(&left, &fuzz_me()->pub, &again, NULL) == ERR_OK && left.n == 0);
    HOLDS(memcmp(after, m->after, sizeof after) == 0 && memcmp(again.after, after, sizeof after) == 0);
    HOLDS(again.entry == m->entry && again.more == m->more && again.at == m->at && bytes_equal(again.sealed, m->sealed));
    buf_release(&b);
}

static void part(struct bytes in, bool believe)
{
    struct redo_head head;
    struct redo_entry m;
    fuzz_believe(believe);
    enum err e = redo_get_head(&in, &fuzz_me()->pub, &head, NULL);
    HOLDS(e == ERR_OK || e == ERR_TAMPERED);
    if (e == ERR_OK) same_head(&head);
    while (e == ERR_OK && in.n > 0) {
        e = redo_get_entry(&in, &fuzz_me()->pub, &m, NULL);
        HOLDS(e == ERR_OK || e == ERR_TAMPERED);
        if (e == ERR_OK) same_entry(&m);
    }
    if (e != ERR_OK) (void)redo_torn(in, &fuzz_me()->pub);
    fuzz_believe(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    fuzz_start();
    uint8_t asked = fuzz_take(&in);
    if ((asked & ROWS) != 0)
        transaction(in);
    else
        part(in, (asked & BELIEVE) != 0);
    return 0;
}
