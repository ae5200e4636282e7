#include "hub/move.h"

#include "hub/admins.h"
#include "hub/internal.h"
#include "hub/policy_sql.h"
#include "hub/policy_text.h"
#include "hub/redo.h"
#include "hub/store.h"
#include "sync/db_postgres.h"

#include <string.h>

#define NAME_BYTES 64

struct move {
    const struct env *env;
    struct store_place from, to;
    const struct secret *key; /* of both stores */
    struct hub *hub;          /* that has the old one open; NULL: none */
    struct db *old, *new;
    struct dump_sum sum; /* of what left the old one */
};

/* ------------------------------------------------------------------------------------------------------- the marks */

enum mark { MARK_NONE, MARK_MOVED, MARK_ARRIVING };

static enum err find_mark(struct db *db, enum mark *out, struct why *why)
{
    int64_t moved = 0, arriving = 0;
    enum err e = store_get_counter(db, "moved", &moved, why);
    if (e == ERR_OK) e = store_get_counter(db, "arriving", &arriving, why);
    if (e == ERR_OK) *out = moved != 0 ? MARK_MOVED : arriving != 0 ? MARK_ARRIVING : MARK_NONE;
    return e;
}

enum err move_check(struct db *db, struct why *why)
{
    enum mark m = MARK_NONE;
    enum err e = find_mark(db, &m, why);
    if (e != ERR_OK || m == MARK_NONE) return e;
    if (m == MARK_MOVED) {
        (void)why_set(why, ERR_DENIED,
                      "This hub's store has moved to another place (spoke-hub migrate), and this one must not be "
                      "used any more: devices would be told two different things.");
        return why_next(why, ERR_DENIED,
                        "Give the command again, or start the server again, without --store: the hub's folder "
                        "knows where the store is now.");
    }
    (void)why_set(why, ERR_DENIED, "A hub's store was being moved here, and that was cut off.");
    return why_next(why, ERR_DENIED, "Give the same spoke-hub migrate command again: it goes on where it was.");
}

/* What the old store says of where it went, so that nothing but that is ever taken for it. */
static struct bytes name_of(const struct store_place *p)
{
    return bytes_of_str(p->shared ? p->store : "sqlite:");
}

static enum err mark_moved(struct move *m, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(m->old,
                            "INSERT INTO h_state(name, value) VALUES('moved_to', $1) "
                            "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, name_of(&m->to));
    e = db_run(s, why);
    return e == ERR_OK ? store_put_counter(m->old, "moved", 1, why) : e;
}

static enum err went_there(const struct move *m, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(m->old, "SELECT value FROM h_state WHERE name = 'moved_to'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    *out = e == ERR_OK && row && bytes_equal(db_bytes(s, 0), name_of(&m->to));
    db_done(s);
    return e;
}

static enum err take_mark_away(struct db *db, struct why *why)
{
    enum err e = db_begin(db, why);
    if (e == ERR_OK) e = db_exec(db, "DELETE FROM h_counter WHERE name = 'arriving'", why);
    if (e == ERR_OK) return db_commit(db, why);
    db_rollback(db);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- the copy */

static enum err c_name(char out[NAME_BYTES], struct bytes name, struct why *why)
{
    if (name.n >= NAME_BYTES) return why_set(why, ERR_TAMPERED, "What this hub stored about itself is damaged.");
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return ERR_OK;
}

static enum err open_secret(void *ctx, struct bytes name, struct bytes kept, struct buf *out, struct why *why)
{
    char n[NAME_BYTES];
    enum err e = c_name(n, name, why);
    return e == ERR_OK ? store_secret_open(ctx, n, kept, out, why) : e;
}

static enum err seal_secret(void *ctx, struct bytes name, struct bytes value, struct buf *out, struct why *why)
{
    char n[NAME_BYTES];
    enum err e = c_name(n, name, why);
    return e == ERR_OK ? store_secret_seal(ctx, n, value, out, why) : e;
}

static enum err put_as_is(void *ctx, struct bytes name, struct bytes value, struct buf *out, struct why *why)
{
    (void)ctx, (void)name, (void)why;
    buf_put_bytes(out, value);
    return ERR_OK;
}

struct dump_keeper move_keeper(const struct db *db, const struct secret *key)
{
    bool sealed = db_is_postgres(db);
    return (struct dump_keeper){
        .ctx = (void *)key, .open = sealed ? open_secret : put_as_is, .seal = sealed ? seal_secret : put_as_is};
}

enum err move_lay_policy(struct db *db, struct why *why)
{
    struct buf text;
    int64_t gen = 0;
    buf_init(&text, POLICY_TEXT_MAX);
    enum err e = policy_text_in_force(db, &text, &gen, why);
    if (e == ERR_OK) e = policy_text_remove(db, bytes_of_str(hub_policy_sql), false, why);
    if (e == ERR_OK) e = policy_text_install(db, buf_bytes(&text), false, why);
    buf_release(&text);
    return e;
}

static enum err write_old(void *arg, const struct dump_sink *sink, struct why *why)
{
    struct move *m = arg;
    struct dump_keeper keeper = move_keeper(m->old, m->key);
    return dump_write(m->env, m->old, &keeper, sink, &m->sum, why);
}

static enum err read_new(void *arg, const struct dump_source *source, struct why *why)
{
    struct move *m = arg;
    struct dump_keeper keeper = move_keeper(m->new, m->key);
    return dump_read(m->env, m->new, &keeper, source, NULL, why);
}

/* What stands in the new store is read again: that, and not what was sent, has to be what the old one holds. */
static enum err verify(struct move *m, struct why *why)
{
    struct dump_sum arrived;
    struct dump_keeper keeper = move_keeper(m->new, m->key);
    enum err e = dump_digest(m->env, m->new, &keeper, &arrived, why);
    return e == ERR_OK ? dump_same(&m->sum, &arrived, why) : e;
}

/* Each of the two waits while the other is copied to, read again or looked at, and of a large hub that takes as long as
 * it takes: a server that ends transactions which wait must not end this one. */
static enum err begin_patiently(struct db *db, struct why *why)
{
    enum err e = db_begin_still(db, why);
    if (e != ERR_OK || !db_is_postgres(db)) return e;
    e = db_exec(db, "SET LOCAL idle_in_transaction_session_timeout = 0", why);
    if (e != ERR_OK) db_rollback(db);
    return e;
}

static enum err fill_new(struct move *m, const struct hub_pipe *pipe, struct why *why)
{
    enum err e = begin_patiently(m->new, why);
    if (e != ERR_OK) return e;
    e = pipe->run(pipe->ctx, write_old, read_new, m, why);
    if (e == ERR_OK) e = verify(m, why);
    if (e == ERR_OK) e = move_lay_policy(m->new, why);
    if (e == ERR_OK) e = store_put_counter(m->new, "arriving", 1, why);
    if (e == ERR_OK) e = redo_lay(m->new, false, why); /* a journal goes on there */
    if (e == ERR_OK) return db_commit(m->new, why);
    db_rollback(m->new);
    return e;
}

/* ------------------------------------------------------------------------------------------------ where it goes to */

static enum err is_there(struct why *why)
{
    (void)why_set(why, ERR_EXISTS,
                  "Where the hub is to be moved to there is a hub's store already. Nothing was changed.");
    return why_next(
        why, ERR_EXISTS,
        "Name another schema (postgres://…?schema=NAME), or have whoever looks after the database look at this one.");
}

static enum err remove_new(const struct move *m, struct why *why)
{
    if (m->to.shared) return db_drop_postgres(m->env, m->to.store, NULL, why);
    enum err e = m->env->remove_file(m->env->ctx, m->to.db, why);
    return e == ERR_OK ? m->env->remove_file(m->env->ctx, m->to.wal, why) : e;
}

/* Is it of this hub: are its keys sealed under this key file? */
static bool is_ours(const struct move *m, struct db *db)
{
    struct secret identity = {0};
    bool is = store_secret_get(db, m->key, "identity", &identity, NULL) == ERR_OK;
    secret_release(&identity);
    return is;
}

/* Tables that were made, and never filled: a try that was cut off before it could set its mark. */
static bool is_nobodys(struct db *db)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(db, "SELECT 1 FROM h_state UNION ALL SELECT 1 FROM secret_state", &s, NULL);
    if (e == ERR_OK) e = db_step(s, &row, NULL);
    db_done(s);
    return e == ERR_OK && !row;
}

/* Only what bears a mark, or is nobody's, is ours to remove. */
static enum err make_room(struct move *m, struct why *why)
{
    struct db *db = NULL;
    enum mark mark = MARK_NONE;
    uint64_t size = 0;
    bool ours = false;
    if (!m->to.shared && m->env->file_size(m->env->ctx, m->to.db, &size, NULL) == ERR_NOTFOUND) return ERR_OK;
    enum err e = store_open(&db, m->env, m->to.store, m->key, why);
    if (e == ERR_OK) e = find_mark(db, &mark, why);
    if (e == ERR_OK) ours = mark != MARK_NONE ? is_ours(m, db) : is_nobodys(db);
    db_close(db);
    if (e == ERR_UNINIT) return m->to.shared ? ERR_OK : remove_new(m, why); /* no schema; a file without a page */
    if (e == ERR_UNREACHABLE || e == ERR_DENIED || e == ERR_NOMEM || e == ERR_USAGE) return e;
    return ours ? remove_new(m, why) : is_there(why);
}

/* Nobody else writes to the old store from here to its mark: the copy is of one state, and the last one. */
static enum err copy(struct move *m, const struct hub_pipe *pipe, struct why *why)
{
    enum err e = make_room(m, why);
    redo_close(m->hub); /* the mark of the old one is nothing for a journal that goes on with the new one */
    if (e == ERR_OK) e = begin_patiently(m->old, why);
    if (e != ERR_OK) return e;
    e = redo_gather(m->hub, why); /* what was noted there is copied as an entry */
    if (e == ERR_OK) e = store_make(m->env, m->to.store, m->key, why);
    bool made = e == ERR_OK;
    if (e == ERR_OK) e = store_open(&m->new, m->env, m->to.store, m->key, why);
    if (e == ERR_OK) e = db_set_schema(m->new, rules_schema_newest(), why);
    if (e == ERR_OK) e = fill_new(m, pipe, why);
    if (e == ERR_OK) e = mark_moved(m, why);
    if (e == ERR_OK) return db_commit(m->old, why);
    db_rollback(m->old);
    db_close(m->new);
    m->new = NULL;
    if (made && remove_new(m, NULL) != ERR_OK) return e; /* the next try does it */
    return e;
}

/* The old one bears its mark: is the new one whole? Then only the end is missing. */
static enum err go_on(struct move *m, struct why *why)
{
    enum mark mark = MARK_NONE;
    bool there = false;
    enum err e = went_there(m, &there, why);
    if (e == ERR_OK && there) e = store_open(&m->new, m->env, m->to.store, m->key, why);
    if (e == ERR_OK && there) e = db_set_schema(m->new, rules_schema_newest(), why);
    if (e == ERR_OK && there) e = find_mark(m->new, &mark, why);
    if (e == ERR_OK && mark != MARK_ARRIVING) e = move_check(m->old, why);
    if (e != ERR_OK) return e;
    struct dump_keeper keeper = move_keeper(m->new, m->key);
    e = db_begin_read(m->new, why);
    if (e == ERR_OK) e = dump_digest(m->env, m->new, &keeper, &m->sum, why);
    db_rollback(m->new);
    return e;
}

static enum err finish(struct move *m, struct why *why)
{
    enum err e = store_remember(&m->to, m->env, why);
    return e == ERR_OK ? take_mark_away(m->new, why) : e;
}

/* --------------------------------------------------------------------------------------------------------- the whole
 */

static enum err find_ends(struct move *m, const struct hub_place *from, const struct hub_place *to, struct why *why)
{
    enum err e = store_find(&m->from, m->env, from, why);
    if (e == ERR_OK) e = store_find(&m->to, m->env, to, why);
    if (e == ERR_OK && strcmp(m->from.store, m->to.store) == 0)
        e = why_set(why, ERR_USAGE, "The hub's store is there already.");
    return e;
}

static enum err note(struct hub *h, const char *act, bool shared, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = admins_act(h, MAY_SECURE, act, shared ? "to PostgreSQL" : "to a file", NULL, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* The hub as it was opened brings an older store up to date, and knows the key of both. */
static enum err move_open(struct move *m, struct hub *h, const struct hub_pipe *pipe, struct why *why)
{
    struct secret key = keyring_data_key(&h->keys);
    m->key = &key;
    m->old = h->db;
    m->hub = h;
    enum err e = hub_admin_may(h, MAY_SECURE, "migrate", why);
    /* Before anything is copied, and so in the copy too: wherever a crash cuts this off, the log of the store that is
     * served has it. */
    if (e == ERR_OK) e = note(h, "store moving", m->to.shared, why);
    if (e == ERR_OK) e = copy(m, pipe, why);
    if (e == ERR_OK) e = finish(m, why);
    return e;
}

/* As hub_admin_may, of a store that nothing is written to any more: a try that is refused here is noted nowhere. */
static enum err must_be_security(struct move *m, const struct keyring *ring, struct why *why)
{
    struct hub h = {.env = m->env, .db = m->old, .keys = *ring};
    struct hub_admin a;
    enum err e = hub_admin_self(&h, &a, why);
    if (e != ERR_OK || a.role == ROLE_SECURITY) return e;
    (void)why_set(why, ERR_REFUSED, "A hub's store is moved by a security administrator, and so is a move that was cut off. Nothing was done.");
    return why_next(why, ERR_REFUSED, "Ask one of them to give the same command.");
}

/* A store that was not opened: if a mark was the reason, the move goes on; else that stands, which is in *why. */
static enum err move_marked(struct move *m, struct bytes passphrase, struct why *why)
{
    struct keyring ring = {0};
    enum mark mark = MARK_NONE;
    const struct why other = why != NULL ? *why : (struct why){0};
    if (why != NULL) *why = (struct why){0};
    enum err e = keyslot_open(m->env, &(struct keyfile){.path = m->from.key}, passphrase, &ring, why);
    struct secret key = keyring_data_key(&ring);
    m->key = &key;
    if (e == ERR_OK) e = store_open(&m->old, m->env, m->from.store, &key, why);
    if (e == ERR_OK) e = find_mark(m->old, &mark, why);
    if (e == ERR_OK && mark != MARK_MOVED) e = move_check(m->old, why);
    if (e == ERR_OK && mark == MARK_NONE) {
        e = ERR_DENIED;
        if (why != NULL) *why = other;
    }
    if (e == ERR_OK) e = must_be_security(m, &ring, why);
    if (e == ERR_OK) e = go_on(m, why);
    if (e == ERR_OK) e = finish(m, why);
    db_close(m->old);
    keyring_release(&ring);
    return e;
}

enum err hub_move(const struct env *env, const struct hub_place *from, const struct hub_place *to,
                  struct bytes passphrase, hub_turn_fn turn, void *ctx, const struct hub_pipe *pipe,
                  struct dump_sum *out_sum, struct why *why)
{
    struct move m = {.env = env};
    struct hub *h = NULL;
    enum err e = find_ends(&m, from, to, why);
    if (e != ERR_OK) return e;
    e = hub_open_at(&h, env, from, passphrase, &(struct hub_opening){.turn = turn, .ctx = ctx}, why);
    if (e == ERR_OK)
        e = move_open(&m, h, pipe, why);
    else if (e == ERR_DENIED) /* by its mark: an earlier try was cut off near its end */
        e = move_marked(&m, passphrase, why);
    db_close(m.new);
    hub_close(h);
    h = NULL;
    if (e == ERR_OK) e = hub_open_at(&h, env, to, passphrase, NULL, why);
    if (e == ERR_OK) e = note(h, "store moved", m.to.shared, why);
    hub_close(h);
    if (e == ERR_OK && out_sum != NULL) *out_sum = m.sum;
    return e;
}
