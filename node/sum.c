/* The sum over all rows of the replica (sync/db_sum.h). It follows what verified pages, orders to forget and own signed
 * edits do to the rows, and nothing else; so a row that came back with an older copy of its page, which the encryption
 * cannot see, does not fit it any more. Put back the page with the sum as well, and all other rows do not fit. */
#include "node/search.h"

#include "sync/db_sum.h"

static enum err store_sum(void *ctx, const uint8_t sum[DB_SUM_BYTES], struct why *why)
{
    struct node *n = ctx;
    enum err e = state_put(n->db, "sum", bytes_of(sum, DB_SUM_BYTES), why);
    return e == ERR_OK ? search_note(n, sum, why) : e;
}

static enum err read_key(struct node *n, uint8_t key[DB_SUM_BYTES], bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT value FROM secret_state WHERE name = 'sum_key'", &s, why);
    if (e == ERR_OK) e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found && !db_id(s, 0, key))
        e = why_set(why, ERR_TAMPERED, "A setting that this device keeps about itself is damaged.");
    db_done(s);
    return e;
}

static enum err put_key(struct node *n, const uint8_t key[DB_SUM_BYTES], struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "INSERT INTO secret_state(name, value) VALUES('sum_key', $1)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(key, DB_SUM_BYTES));
    return db_run(s, why);
}

/* From what stands here when the replica is opened for the first time: nothing came from anywhere before that. */
static enum err make(struct node *n, uint8_t key[DB_SUM_BYTES], struct why *why)
{
    uint8_t sum[DB_SUM_BYTES];
    env_random(n->env, key, DB_SUM_BYTES);
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = db_sum_scan(n->db, key, sum, why);
    if (e == ERR_OK) e = put_key(n, key, why);
    if (e == ERR_OK) e = store_sum(n, sum, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

enum err sum_follow(struct node *n, struct why *why)
{
    uint8_t key[DB_SUM_BYTES], sum[DB_SUM_BYTES];
    bool found = false;
    enum err e = read_key(n, key, &found, why);
    if (e == ERR_OK && !found) e = make(n, key, why);
    if (e == ERR_OK) e = state_fixed(n->db, "sum", sum, sizeof sum, why);
    if (e == ERR_OK) e = db_sum_start(n->db, key, sum, store_sum, n, why);
    secret_wipe(key, sizeof key);
    return e;
}

enum err sum_check(struct node *n, struct why *why)
{
    uint8_t key[DB_SUM_BYTES], want[DB_SUM_BYTES], have[DB_SUM_BYTES];
    bool found = false;
    enum err e = read_key(n, key, &found, why);
    if (e == ERR_OK) e = db_sum_scan(n->db, key, have, why);
    secret_wipe(key, sizeof key);
    if (e != ERR_OK) return e;
    if (found && db_sum_now(n->db, want) && secret_equal(want, have, sizeof want)) return ERR_OK;
    (void)why_set(
        why, ERR_TAMPERED,
        "The records on this device are not what the MASH sent and what was written here: part of its disk was "
        "put back from an older copy, or changed.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}
