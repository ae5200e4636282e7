/* A device that was put back from an old image, or copied, is set up anew in place: new keys, an empty replica, and
 * what it had not sent in a new chain, each change with the hash that it had in the old one, so that the hub knows what
 * it has already. The new keys are kept aside until the hub's answer is here: until then the device goes on as it was.
 * Then everything changes in one transaction. */
#include "node/search.h"
#include "node/wipe.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- asking the hub */

/* The request that is kept for this code and person, if there is one. (After an update it is made anew: the hub may
 * have found this program too old.) */
static enum err kept_request(struct db *db, const struct invitation *code, const char *user_name, struct buf *request,
                             struct why *why)
{
    uint8_t token[16];
    uint64_t schema = 0;
    char name[128];
    enum err e = state_fixed(db, "next_token", token, sizeof token, why);
    if (e == ERR_OK) e = state_text(db, "next_user_name", name, sizeof name, why);
    if (e == ERR_OK) e = state_number(db, "next_schema", &schema, why);
    if (e != ERR_OK || schema != rules_schema_newest() || memcmp(token, code->token, sizeof token) != 0 ||
        strcmp(name, user_name) != 0)
        return e;
    return state_bytes(db, "next_request", request, why);
}

/* New ones with each request: the hub may know those of an earlier one, whose answer and code were lost, and takes no
 * key twice. */
static enum err next_identity(struct db *db, struct identity_secret *out, struct identity_secret *door, struct why *why)
{
    enum err e = db_exec(db, "DELETE FROM secret_state WHERE name IN ('next_identity', 'next_door')", why);
    if (e == ERR_OK) e = identity_generate(out, why);
    if (e == ERR_OK) e = state_save_identity(db, "next_identity", out, why);
    return e == ERR_OK ? door_keys(db, "next_door", door, why) : e;
}

static enum err make_request(struct db *db, const struct invitation *code, const struct identity *hub,
                             const char *user_name, struct buf *request, struct why *why)
{
    struct identity_secret old = {0}, next = {0}, door = {0};
    const struct enrol_ask ask = {
        .self = &next, .door = &door, .old = &old, .hub = hub, .code = code, .user_name = user_name};
    bool found = false;
    enum err e = state_load_identity(db, "identity", &old, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "The keys of this device are missing from its store.");
    if (e == ERR_OK) e = next_identity(db, &next, &door, why);
    if (e == ERR_OK) e = enrol_seal(&ask, request, why);
    if (e == ERR_OK) e = state_put(db, "next_token", bytes_of(code->token, sizeof code->token), why);
    if (e == ERR_OK) e = state_put(db, "next_user_name", bytes_of_str(user_name), why);
    if (e == ERR_OK) e = state_set_number(db, "next_schema", rules_schema_newest(), why);
    if (e == ERR_OK) e = state_put(db, "next_hub_address", bytes_of_str(code->address), why);
    if (e == ERR_OK) e = state_put(db, "next_request", buf_bytes(request), why);
    identity_release(&old);
    identity_release(&next);
    identity_release(&door);
    return e;
}

static enum err check_joined(struct db *db, struct bytes hub_public, struct why *why)
{
    uint64_t enrolled = 0;
    uint8_t hub[PUBLIC_BYTES];
    enum err e = state_number(db, "enrolled", &enrolled, why);
    if (e == ERR_OK && enrolled == 0) {
        (void)why_set(why, ERR_UNINIT, "This device has not joined a MASH yet, so there is nothing to set up anew.");
        return why_next(why, ERR_UNINIT, "Run the same command without --again.");
    }
    if (e == ERR_OK) e = state_fixed(db, "hub", hub, sizeof hub, why);
    if (e != ERR_OK || bytes_equal(hub_public, bytes_of(hub, sizeof hub))) return e;
    (void)why_set(why, ERR_REFUSED,
                  "This invitation is of another MASH than the one that this device belongs to. Nothing was changed.");
    return why_next(why, ERR_REFUSED, "Ask for an invitation of your own MASH, or join the other one with --home.");
}

static void token_hash(const struct invitation *code, uint8_t out[HASH_BYTES])
{
    hash_blake2b(out, bytes_of(code->token, sizeof code->token));
}

/* Within the transaction. An empty request: this code has done its work. */
static enum err ready(struct replica *r, const struct invitation *code, struct bytes hub_public,
                      const struct identity *hub, const char *user_name, struct buf *request, struct why *why)
{
    struct db *db = r->db;
    uint8_t done[HASH_BYTES], hash[HASH_BYTES];
    enum err e = check_joined(db, hub_public, why);
    token_hash(code, hash);
    if (e == ERR_OK) e = state_fixed(db, "joined_with", done, sizeof done, why);
    if (e != ERR_OK || memcmp(done, hash, sizeof done) == 0) return e;
    e = kept_request(db, code, user_name, request, why);
    if (e == ERR_OK && request->len == 0) e = make_request(db, code, hub, user_name, request, why);
    /* Whose name is in it is who asks now, whoever brings the answer. */
    return e == ERR_OK ? state_put(db, "next_slot", bytes_of(r->ring.slot, sizeof r->ring.slot), why) : e;
}

enum err node_enrol_again(const struct env *env, const char *home, struct bytes passphrase,
                          const struct invitation *code, struct bytes hub_public, const char *user_name,
                          struct buf *out, struct why *why)
{
    const struct node_key key = {.passphrase = passphrase};
    char name[128];
    uint8_t user[16];
    struct identity hub;
    struct replica r = {0};
    struct buf request;
    buf_init(&request, 1u << 20);
    /* Also one that is to be wiped when its work is there, and is not heard before it is set up anew. The hub gives the
     * same order to who takes its place. */
    enum err e = wipe_check(env, home, NODE_FOR_HUB, why);
    if (e == ERR_OK) e = replica_open(&r, env, home, &key, why);
    if (e == ERR_OK && user_name == NULL) e = people_who(r.db, &r.ring, user, name, why);
    if (e == ERR_OK) e = enrol_check(code, hub_public, user_name != NULL ? user_name : name, &hub, why);
    if (e == ERR_OK) e = db_begin(r.db, why);
    if (e == ERR_OK) {
        e = ready(&r, code, hub_public, &hub, user_name != NULL ? user_name : name, &request, why);
        if (e == ERR_OK)
            e = db_commit(r.db, why);
        else
            db_rollback(r.db);
    }
    if (e == ERR_OK) {
        buf_put_bytes(out, buf_bytes(&request));
        e = out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory for the request to join.");
    }
    replica_close(&r);
    buf_release(&request);
    return e;
}

/* -------------------------------------------------------------------------------------- what was not sent */

/* While it is moved, the old chain is numbered below zero. */
struct unsent {
    int64_t seq, written_ms;
    struct buf cose, item, what;
};
struct rescue {
    struct node *n;
    struct identity old;
    struct part *parts; /* room for ENVELOPE_MAX_PARTS */
    struct unsent u;
};

static enum err next_unsent(struct rescue *r, bool *out_found, struct why *why)
{
    struct unsent *u = &r->u;
    struct stmt *s = NULL;
    enum err e = db_prepare(r->n->db,
                            "SELECT o.seq, o.written_ms, o.what, o.cose, c.item FROM n_outbox o LEFT JOIN n_content c "
                            "ON c.seq = o.seq WHERE o.seq < $1 AND o.state = 'unsent' ORDER BY o.seq DESC LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, u->seq);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        u->seq = db_int(s, 0);
        u->written_ms = db_int(s, 1);
        buf_reset(&u->what);
        buf_reset(&u->cose);
        buf_reset(&u->item);
        buf_put_bytes(&u->what, db_bytes(s, 2));
        buf_put_bytes(&u->cose, db_bytes(s, 3));
        buf_put_bytes(&u->item, db_bytes(s, 4));
        if (buf_cstr(&u->what) == NULL || u->cose.err != ERR_OK || u->item.err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory for a change of yours. Nothing was changed.");
    }
    db_done(s);
    return e;
}

/* *out_good false: it cannot be read any more. */
static enum err open_unsent(struct rescue *r, struct envelope *env, bool *out_good, struct why *why)
{
    struct why detail = {0};
    struct bytes inner = {0}, cose = buf_bytes(&r->u.cose);
    size_t n_parts = 0;
    enum err e = envelope_verify(cose, &r->old, env, &detail);
    if (e == ERR_OK)
        e = message_get_envelope(buf_bytes(&r->u.item), &inner, r->parts, ENVELOPE_MAX_PARTS, &n_parts, &detail);
    if (e == ERR_NOMEM) return why_set(why, e, "%s", detail.text);
    bool good = e == ERR_OK && bytes_equal(inner, cose) && n_parts == env->n_parts;
    for (size_t i = 0; good && i < n_parts; i++) good = envelope_check_part(env, i, &r->parts[i], &detail) == ERR_OK;
    *out_good = good;
    return ERR_OK;
}

/* Whose content it has again: what was rescued before keeps its first name, under which the hub may have it. */
static void first_name(const struct envelope *env, struct bytes cose, uint8_t out[HASH_BYTES])
{
    static const uint8_t none[HASH_BYTES];
    if (memcmp(env->h.rescued, none, sizeof none) != 0)
        memcpy(out, env->h.rescued, HASH_BYTES);
    else
        envelope_hash(cose, out);
}

static enum err write_again(struct rescue *r, const struct envelope *env, struct why *why)
{
    struct node *n = r->n;
    struct outbox_origin o = {.hlc = env->h.hlc, .schema = env->h.schema};
    uint64_t seq = 0;
    memcpy(o.base_cut, env->h.base_cut, sizeof o.base_cut);
    memcpy(o.user, env->h.user, sizeof o.user);
    first_name(env, buf_bytes(&r->u.cose), o.rescued);
    for (size_t i = 0; i < env->n_parts; i++) env_random(n->env, r->parts[i].salt, SALT_BYTES);
    enum err e = outbox_next_seq(n, &seq, why);
    const int64_t args[] = {r->u.written_ms, (int64_t)seq};
    if (e == ERR_OK) e = outbox_append_as(n, &o, r->parts, env->n_parts, seq, buf_cstr(&r->u.what), why);
    if (e == ERR_OK) e = state_run(n->db, "UPDATE n_outbox SET written_ms = $1 WHERE seq = $2", args, 2, why);
    return e == ERR_OK ? state_run(n->db, "INSERT INTO n_rescued(seq) VALUES($1)", args + 1, 1, why) : e;
}

/* In their order, into the chain of the new keys. */
static enum err rescue_all(struct rescue *r, struct why *why)
{
    bool found = true, good = false;
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        struct envelope env = {0};
        e = next_unsent(r, &found, why);
        if (e != ERR_OK || !found) break;
        e = open_unsent(r, &env, &good, why);
        if (e == ERR_OK && good)
            e = write_again(r, &env, why);
        else if (e ==
                 ERR_OK) /* what there is of it goes with the old chain: who has the recovery key may make it out */
            e = content_seal(r->n, (uint64_t)r->u.seq, PURGE_STORE, why);
    }
    return e;
}

/* --------------------------------------------------------------------------------------------- the old device */

/* Only what was not sent is still wanted in readable form. */
static enum err seal_judged(struct node *n, struct why *why)
{
    uint64_t seq = 0;
    enum err e;
    do {
        e = state_ask(
            n->db, "SELECT c.seq FROM n_content c JOIN n_outbox o ON o.seq = c.seq WHERE o.state <> 'unsent' LIMIT 1",
            &seq, why);
        if (e == ERR_OK && seq != 0) e = content_seal(n, seq, PURGE_STORE, why);
    } while (e == ERR_OK && seq != 0);
    return e;
}

static enum err forget_rows(struct node *n, struct why *why)
{
    size_t n_tables = 0;
    const struct table_rule *t = rules_tables(&n_tables);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n_tables; i++) {
        struct buf sql;
        buf_init(&sql, 256);
        buf_printf(&sql, "DELETE FROM \"%s\"", t[i].name);
        const char *text = buf_cstr(&sql);
        e = text != NULL ? db_exec(n->db, text, why) : why_set(why, ERR_NOMEM, "There is not enough memory.");
        buf_release(&sql);
    }
    return e;
}

/* The clock stays: what is written from now on is later than what is rescued. */
static const char forget_sql[] =
    "DELETE FROM n_image; DELETE FROM n_pending; DELETE FROM n_order; DELETE FROM n_parked; DELETE FROM n_receipt;"
    "DELETE FROM n_gap; DELETE FROM n_gap_kept; DELETE FROM n_rescued; DELETE FROM n_question; DELETE FROM n_touched; DELETE FROM n_note;"
    "UPDATE n_audit SET seq = NULL; UPDATE n_look SET case_id = NULL;"
    "INSERT INTO n_look(user, at, tbl, looks) SELECT user, min(at), tbl, count(*) FROM n_view WHERE request = -1"
    " GROUP BY user, tbl, at / 3600000; DELETE FROM n_view WHERE request = -1;"
    "DELETE FROM n_end; DELETE FROM n_end_before; DELETE FROM n_hidden; UPDATE n_view SET request = 0 WHERE request > 0;"
    "DELETE FROM n_state WHERE name IN ('cursor', 'last_answer', 'request', 'request_hash', 'chain_head', 'log_head', 'log_note',"
    " 'return_at', 'return_next');"
    "DELETE FROM n_state WHERE name >= 'once:' AND name < 'once;';"
    "DELETE FROM n_number WHERE name IN ('answered', 'pending', 'sent_seq', 'request_seq', 'last_seq', 'contact_ms', 'revoked',"
    " 'order', 'log_since', 'log_last', 'log_asked', 'distrust');"
    "UPDATE n_outbox SET seq = -seq; UPDATE n_content SET seq = -seq;";
static const char new_keys_sql[] = "DELETE FROM secret_state WHERE name IN ('identity', 'door');"
                                   "UPDATE secret_state SET name = 'identity' WHERE name = 'next_identity';"
                                   "UPDATE secret_state SET name = 'door' WHERE name = 'next_door';";
static const char end_sql[] =
    "DELETE FROM n_outbox WHERE seq < 0; DELETE FROM n_content WHERE seq < 0;"
    "DELETE FROM n_state WHERE name IN ('next_token', 'next_user_name', 'next_hub_address', 'next_request',"
    " 'next_slot');";

/* Acknowledged envelopes, sealed: the hub may want them back to be rebuilt. */
static enum err keep_former(struct rescue *r, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(r->n->db,
                            "INSERT INTO n_former(kid, seq, cose, sealed) SELECT $1, -seq, cose, sealed FROM n_outbox "
                            "WHERE seq < 0 AND sealed IS NOT NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, r->old.kid);
    return db_run(s, why);
}

static enum err audit(struct node *n, struct why *why)
{
    return people_audit(n->db, env_now(n->env), n->user, NULL, "set this device up anew", why);
}

/* ------------------------------------------------------------------------------------------- the hub's answer */

struct arrival {
    struct identity_secret self;
    struct enrol_answer a;
    uint8_t token[16];
};

static enum err read_answer(struct node *n, struct bytes in, struct arrival *x, struct why *why)
{
    struct buf request;
    bool found = false;
    buf_init(&request, 1u << 20);
    enum err e = state_bytes(n->db, "next_request", &request, why);
    if (e == ERR_OK && request.len == 0) e = why_set(why, ERR_EXISTS, "This device has joined its MASH already.");
    buf_release(&request);
    if (e == ERR_OK) e = state_fixed(n->db, "next_token", x->token, sizeof x->token, why);
    if (e == ERR_OK) e = state_load_identity(n->db, "next_identity", &x->self, &found, why);
    if (e == ERR_OK && !found)
        e = why_set(why, ERR_TAMPERED, "The new keys of this device are missing from its store.");
    return e == ERR_OK ? enrol_read(&n->hub, x->token, &x->self, in, &x->a, why) : e;
}

static enum err store_place(struct node *n, const struct arrival *x, struct why *why)
{
    uint8_t hash[HASH_BYTES], slot[SLOT_ID_BYTES];
    char text[200];
    hash_blake2b(hash, bytes_of(x->token, sizeof x->token));
    enum err e = enrol_store(n->db, &x->a, why);
    if (e == ERR_OK) e = state_text(n->db, "next_user_name", text, sizeof text, why);
    if (e == ERR_OK) e = state_put(n->db, "user_name", bytes_of_str(text), why);
    if (e == ERR_OK) e = state_fixed(n->db, "next_slot", slot, sizeof slot, why);
    if (e == ERR_OK) e = people_first(n->db, n->env, slot, x->a.user, text, why);
    if (e == ERR_OK) e = lease_renew(n, x->a.clock_ms, why);
    if (e == ERR_OK) e = state_text(n->db, "next_hub_address", text, sizeof text, why);
    if (e == ERR_OK) e = state_put(n->db, "hub_address", bytes_of_str(text), why);
    return e == ERR_OK ? state_put(n->db, "joined_with", bytes_of(hash, sizeof hash), why) : e;
}

/* The old content is sealed to the recovery key that was known when it was judged; then the node is another. */
static enum err become(struct rescue *r, struct arrival *x, struct why *why)
{
    struct node *n = r->n;
    enum err e = seal_judged(n, why);
    if (e == ERR_OK) e = forget_rows(n, why);
    if (e == ERR_OK) e = db_exec(n->db, forget_sql, why);
    if (e == ERR_OK) e = db_exec(n->db, new_keys_sql, why);
    if (e == ERR_OK) e = store_place(n, x, why);
    if (e != ERR_OK) return e;
    struct identity_secret old = n->self; /* released by the caller, as x's */
    n->self = x->self;
    x->self = old;
    n->epoch = x->a.epoch;
    memcpy(n->recovery_pk, x->a.recovery_pk, sizeof n->recovery_pk);
    e = rescue_all(r, why);
    if (e == ERR_OK) e = keep_former(r, why);
    if (e == ERR_OK) e = db_exec(n->db, end_sql, why);
    if (e == ERR_OK) e = content_purge_due(n, PURGE_STORE, why);
    return e == ERR_OK ? audit(n, why) : e;
}

static enum err rescue_new(struct rescue *r, struct node *n, struct why *why)
{
    *r = (struct rescue){.n = n, .old = n->self.pub, .parts = calloc(ENVELOPE_MAX_PARTS, sizeof(struct part))};
    buf_init(&r->u.cose, COSE_MAX);
    buf_init(&r->u.item, CONTENT_MAX_ITEM);
    buf_init(&r->u.what, 1u << 20);
    return r->parts != NULL ? ERR_OK : why_set(why, ERR_NOMEM, "There is not enough memory for your changes.");
}

static void rescue_release(struct rescue *r)
{
    buf_release(&r->u.cose);
    buf_release(&r->u.item);
    buf_release(&r->u.what);
    free(r->parts);
}

enum err rescue_finish(struct node *n, struct bytes answer, struct why *why)
{
    struct rescue r;
    struct arrival x = {0};
    enum err e = rescue_new(&r, n, why);
    if (e == ERR_OK) e = read_answer(n, answer, &x, why);
    if (e == ERR_OK)
        e = gap_look(n, SIZE_MAX, why); /* what rotted is written again from the overlay, while that is there */
    if (e == ERR_OK) e = search_forget_all(n, why); /* words of rows that go now; if they stay, it is made anew */
    if (e == ERR_OK) e = db_begin(n->db, why);
    if (e == ERR_OK) {
        e = become(&r, &x, why);
        if (e == ERR_OK)
            e = db_commit(n->db, why);
        else
            db_rollback(n->db);
    }
    /* What fails from here on is done when the device is opened next. */
    if (e == ERR_OK) door_keep(n->env, n->home, n->db);
    if (e == ERR_OK) e = spool_drop_answer(n, why);
    if (e == ERR_OK) e = purge_run(n, why);
    identity_release(&x.self);
    rescue_release(&r);
    return e;
}
