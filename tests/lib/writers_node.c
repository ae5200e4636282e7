/* Writers as the product writes: one after the other opens the replica, makes edits that are signed into the outbox,
 * and closes it again. */
#include "tests/lib/kill.h"
#include "tests/lib/writers.h"

#include "node/node.h"

#include <stdlib.h>
#include <string.h>

struct world {
    struct kill_world kill;
    struct keyring ring;
    uint8_t case_id[16];
};

static struct node *open_node(const struct writers *w)
{
    struct world *x = w->world;
    struct why why = {0};
    struct node *n = NULL;
    const struct node_key key = {.ring = &x->ring};
    enum err e = node_open_as(&n, env_posix(), x->kill.nodes[0].home, &key, NODE_FOR_PEOPLE, &why);
    if (e == ERR_BUSY) return NULL;
    writers_must(e, "open the replica", &why);
    return n;
}

static void *open_one(const struct writers *w)
{
    return open_node(w);
}

static void close_one(void *store)
{
    node_close(store);
}

static struct stmt *ask(struct node *n, const char *sql)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    writers_must(db_prepare(node_db(n), sql, &s, &why), sql, &why);
    writers_must(db_step(s, &row, &why), sql, &why);
    if (!row) writers_fail("%s: no row", sql);
    return s;
}

static uint64_t count_rows(void *store)
{
    struct stmt *s = ask(store, "SELECT count(*) FROM record");
    uint64_t n = (uint64_t)db_int(s, 0);
    db_done(s);
    return n;
}

static void make(struct writers *w)
{
    struct why why = {0};
    struct world *x = calloc(1, sizeof *x);
    if (x == NULL) abort();
    w->world = x;
    x->kill.random = w->run;
    kill_set_up(&x->kill, w->dir);
    writers_must(node_unlock(env_posix(), x->kill.nodes[0].home, kill_passphrase(), &x->ring, &why), "unlock", &why);
    struct node *n = open_node(w);
    if (n == NULL) writers_fail("the replica is taken");
    struct stmt *s = ask(n, "SELECT id FROM case_file ORDER BY id LIMIT 1");
    db_id(s, 0, x->case_id);
    db_done(s);
    if (count_rows(n) != 0) writers_fail("there are records already");
    node_close(n);
}

static const struct table_rule *record_table(void)
{
    return rules_table((size_t)rules_table_index(bytes_of_str("record")));
}

static size_t column(const char *name)
{
    return (size_t)rules_column_index(record_table(), bytes_of_str(name));
}

static void put_record(struct node *n, const struct writers *w, const uint8_t id[16], struct bytes text)
{
    const struct world *x = w->world;
    struct why why = {0};
    struct node_info info;
    struct row r = {.table = record_table()};
    writers_must(node_get_info(n, &info, &why), "info", &why);
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(x->case_id);
    r.v[2] = value_str(info.agency);
    r.v[column("author")] = value_id(info.user);
    r.v[column("kind")] = value_str("note");
    r.v[column("sensitivity")] = value_str("open");
    r.v[column("needs_consent")] = value_int(0);
    r.v[column("written_at")] = value_int(env_now(node_env(n)));
    r.v[column("title")] = value_str("Seen");
    r.v[column("body")] = value_text(text);
    writers_must(db_row_put(node_db(n), &r, &why), "record", &why);
}

static void write_group(void *store, const struct writers *w, unsigned who, unsigned group)
{
    struct why why = {0};
    writers_must(node_edit_begin(store, &why), "edit", &why);
    for (unsigned row = 0; row < writers_rows(w, who, group); row++) {
        char text[WRITERS_TEXT_MAX];
        uint8_t id[16];
        size_t n = writers_text(w, who, group, row, text);
        writers_id(w, who, group, row, id);
        put_record(store, w, id, bytes_of(text, n));
    }
}

static void commit(void *store)
{
    struct why why = {0};
    uint64_t seq = 0;
    writers_must(node_edit_commit(store, "wrote records", &seq, &why), "commit", &why);
    if (seq == 0) writers_fail("an edit made no envelope");
}

static bool get(void *store, const uint8_t id[16], struct buf *out)
{
    struct why why = {0};
    struct buf room;
    struct row r;
    bool found = false;
    buf_init(&room, 1u << 20);
    writers_must(db_row_get(node_db(store), record_table(), id, &room, &r, &found, &why), "record", &why);
    if (found) buf_put(out, r.v[column("body")].s.p, r.v[column("body")].s.n);
    buf_release(&room);
    return found;
}

/* The envelopes are numbered without a gap, one for each edit, and all that verify looks at is right. */
static void check(void *store)
{
    struct why why = {0};
    struct verify_result result = {0};
    struct stmt *s = ask(store, "SELECT max(seq) - min(seq) + 1 - count(*) FROM n_outbox");
    if (db_int(s, 0) != 0) writers_fail("%lld envelopes are missing", (long long)db_int(s, 0));
    db_done(s);
    writers_must(db_check(node_db(store), &why), "integrity_check", &why);
    writers_must(node_verify(store, &result, &why), "verify", &why);
}

static void release(struct writers *w)
{
    struct world *x = w->world;
    kill_release(&x->kill);
    keyring_release(&x->ring);
    free(x);
    w->world = NULL;
}

const struct writers_way writers_of_node = {.name = "the product, one at a time",
                                            .stay = 8,
                                            .make = make,
                                            .open = open_one,
                                            .write = write_group,
                                            .commit = commit,
                                            .get = get,
                                            .count = count_rows,
                                            .check = check,
                                            .close = close_one,
                                            .release = release};
