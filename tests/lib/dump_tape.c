#include "tests/lib/dump_tape.h"

#include "hub/store.h"
#include "sync/db_view.h"
#include "tests/lib/must.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void dump_tape_init(struct dump_tape *t)
{
    *t = (struct dump_tape){.flip = SIZE_MAX};
    buf_init(&t->buf, 64u << 20);
}

static enum err put(void *ctx, struct bytes piece, struct why *why)
{
    struct dump_tape *t = ctx;
    if (t->fail_at != 0 && t->buf.len + piece.n > t->fail_at) return why_set(why, ERR_FULL, "full");
    if (piece.n > t->largest) t->largest = piece.n;
    buf_put_bytes(&t->buf, piece);
    return t->buf.err;
}

static void spoil(struct dump_tape *t)
{
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(t->spoil, "SELECT count(*) FROM h_step_time", &s, &why));
    MUST(db_step(s, &row, &why));
    int64_t n = row ? db_int(s, 0) : 0;
    db_done(s);
    if (n < 100) return;
    MUST(db_exec(t->spoil, "DROP TABLE h_step_time", &why));
    t->spoil = NULL;
}

static enum err get(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why)
{
    struct dump_tape *t = ctx;
    size_t got = t->end - t->at < n ? t->end - t->at : n;
    if (t->spoil != NULL) spoil(t);
    if (t->fail_at != 0 && t->at + got > t->fail_at) return why_set(why, ERR_IO, "unreadable");
    if (got > 0) memcpy(out, t->buf.data + t->at, got);
    if (t->flip >= t->at && t->flip < t->at + got) out[t->flip - t->at] ^= t->mask;
    t->at += got;
    *out_got = got;
    return ERR_OK;
}

struct dump_sink dump_tape_sink(struct dump_tape *t)
{
    return (struct dump_sink){t, put};
}

struct dump_source dump_tape_source(struct dump_tape *t)
{
    t->at = 0;
    return (struct dump_source){t, get};
}

void dump_tape_write(struct hub_fixture *f, struct dump_tape *t, const struct dump_keeper *keeper)
{
    struct dump_sink sink = dump_tape_sink(t);
    struct dump_sum sum;
    MUST(db_begin_read(f->h.db, &why));
    MUST(dump_write(&f->env, f->h.db, keeper, &sink, &sum, &why));
    db_rollback(f->h.db);
    t->end = t->buf.len;
    assert_int_equal(sum.bytes, t->end);
}

struct db *dump_tape_store(struct hub_fixture *f, bool postgres)
{
    char url[TEST_STORE_URL];
    struct db *db = NULL;
    struct buf sql;
    if (postgres) {
        test_store_url(url, sizeof url);
        MUST(store_make(&f->env, url, &f->key, &why));
        MUST(store_open(&db, &f->env, url, &f->key, &why));
        return db;
    }
    buf_init(&sql, 1u << 20);
    MUST(store_schema(&sql, &why));
    MUST(db_open_memory(&db, &f->env, buf_cstr(&sql), &why));
    buf_release(&sql);
    MUST(db_begin(db, &why));
    MUST(db_migrate(db, rules_schema_newest(), &why));
    MUST(store_put_counter(db, "schema", (int64_t)rules_schema_newest(), &why));
    MUST(db_commit(db, &why));
    return db;
}

enum err dump_tape_read(struct hub_fixture *f, struct db *db, struct dump_tape *t, const struct dump_keeper *keeper, struct why *out_why)
{
    struct dump_source source = dump_tape_source(t);
    MUST(db_begin(db, &why));
    enum err e = dump_read(&f->env, db, keeper, &source, NULL, out_why);
    if (e == ERR_OK) return db_commit(db, out_why);
    db_rollback(db);
    return e;
}
