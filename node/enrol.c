/* Enrolment: a device's keys, its request to join and the hub's answer. Each step is durable before the next and may be
 * repeated: the same code gives the same keys and the very same request, for which the hub has the same answer. */
#include "node/wipe.h"

#include "base/cbor.h"
#include "sync/bundle.h"

#include <stdio.h>
#include <string.h>

static enum err check_hub(const struct invitation *code, struct bytes hub_public, struct identity *out, struct why *why)
{
    uint8_t fingerprint[32];
    enum err e = identity_from_bytes(out, hub_public, why);
    if (e != ERR_OK) return e;
    identity_fingerprint(out, fingerprint);
    if (memcmp(fingerprint, code->fingerprint, sizeof fingerprint) == 0) return ERR_OK;
    (void)why_set(why, ERR_REFUSED,
                  "The server at this address is not the MASH server that your invitation names. "
                  "Nothing was sent to it.");
    return why_next(why, ERR_REFUSED, "Tell the person who sent you the invitation. Do not go on.");
}

enum err enrol_check(const struct invitation *code, struct bytes hub_public, const char *user_name,
                     struct identity *out_hub, struct why *why)
{
    enum err e = check_hub(code, hub_public, out_hub, why);
    if (e == ERR_OK && (user_name[0] == '\0' || strlen(user_name) >= 128 || !utf8_valid(bytes_of_str(user_name))))
        e = why_set(why, ERR_USAGE, "Your name is missing, or longer than 127 letters.");
    return e;
}

static enum err refuse_enrolled(struct db *db, struct why *why)
{
    uint64_t enrolled = 0;
    enum err e = state_number(db, "enrolled", &enrolled, why);
    if (e == ERR_OK && enrolled != 0) e = why_set(why, ERR_EXISTS, "This device has joined its MASH already.");
    return e;
}

/* Is the stored request the one for this code, hub and person? One of an older program is made anew: the hub may have
 * found it too old. */
static enum err is_same(struct db *db, const struct invitation *code, struct bytes hub_public, const char *user_name,
                        bool *out, struct why *why)
{
    uint8_t token[16], hub[PUBLIC_BYTES];
    uint64_t schema = 0;
    char name[128];
    enum err e = state_fixed(db, "token", token, sizeof token, why);
    if (e == ERR_OK) e = state_fixed(db, "hub", hub, sizeof hub, why);
    if (e == ERR_OK) e = state_text(db, "user_name", name, sizeof name, why);
    if (e == ERR_OK) e = state_number(db, "enrol_schema", &schema, why);
    if (e == ERR_OK)
        *out = schema == rules_schema_newest() && memcmp(token, code->token, sizeof token) == 0 &&
               memcmp(hub, hub_public.p, sizeof hub) == 0 && strcmp(name, user_name) == 0;
    return e;
}

static enum err own_identity(struct db *db, struct identity_secret *self, struct why *why)
{
    bool found = false;
    enum err e = state_load_identity(db, "identity", self, &found, why);
    if (e != ERR_OK || found) return e;
    e = identity_generate(self, why);
    return e == ERR_OK ? state_save_identity(db, "identity", self, why) : e;
}

/* The old device's own word that the new one takes its place. */
static enum err put_replaces(struct bundle_writer *w, const struct enrol_ask *a, const struct enrol_request *m,
                             struct buf *item, struct why *why)
{
    struct replaces r;
    memcpy(r.token, m->token, sizeof r.token);
    memcpy(r.node, m->node, sizeof r.node);
    memcpy(r.hub_fingerprint, m->hub_fingerprint, sizeof r.hub_fingerprint);
    buf_reset(item);
    enum err e = message_put_replaces(item, a->old, &r, why);
    return e == ERR_OK ? bundle_put(w, "", buf_bytes(item), why) : e;
}

enum err enrol_seal(const struct enrol_ask *a, struct buf *out, struct why *why)
{
    struct seal_header h = {.version = 1, .kind = 3};
    struct enrol_request m = {.schema = rules_schema_newest()};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(h.recipient, a->hub->kid, KID_BYTES);
    memcpy(m.token, a->code->token, sizeof m.token);
    memcpy(m.hub_fingerprint, a->code->fingerprint, sizeof m.hub_fingerprint);
    identity_to_bytes(&a->self->pub, m.node);
    identity_to_bytes(&a->door->pub, m.door);
    (void)snprintf(m.user, sizeof m.user, "%s", a->user_name);
    (void)snprintf(m.software, sizeof m.software, "%s", NODE_SOFTWARE);
    enum err e = bundle_writer_new(&w, &h, a->hub, out, m.binding, why);
    if (e == ERR_OK) e = message_put_enrol(&item, a->self, &m, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    if (e == ERR_OK && a->old != NULL) e = put_replaces(w, a, &m, &item, why);
    if (e == ERR_OK) e = bundle_finish(w, why);
    bundle_writer_free(w);
    buf_release(&item);
    return e;
}

static enum err store_request(struct db *db, const struct invitation *code, struct bytes hub_public,
                              const char *user_name, struct bytes request, struct why *why)
{
    enum err e = state_put(db, "token", bytes_of(code->token, sizeof code->token), why);
    if (e == ERR_OK) e = state_put(db, "hub", hub_public, why);
    if (e == ERR_OK) e = state_put(db, "hub_address", bytes_of_str(code->address), why);
    if (e == ERR_OK) e = state_put(db, "user_name", bytes_of_str(user_name), why);
    if (e == ERR_OK) e = state_set_number(db, "enrol_schema", rules_schema_newest(), why);
    if (e == ERR_OK) e = state_put(db, "enrol_request", request, why);
    return e;
}

/* The stored request for this code, or a new one, stored before anybody may send it. */
static enum err ready(struct db *db, const struct invitation *code, struct bytes hub_public, const struct identity *hub,
                      const char *user_name, struct buf *request, struct why *why)
{
    struct identity_secret self = {0}, door = {0};
    bool same = false;
    enum err e = db_begin(db, why);
    if (e != ERR_OK) return e;
    e = refuse_enrolled(db, why);
    if (e == ERR_OK) e = is_same(db, code, hub_public, user_name, &same, why);
    if (e == ERR_OK && same) e = state_bytes(db, "enrol_request", request, why);
    if (e == ERR_OK && request->len == 0) {
        e = own_identity(db, &self, why);
        if (e == ERR_OK) e = door_keys(db, "door", &door, why);
        const struct enrol_ask ask = {
            .self = &self, .door = &door, .hub = hub, .code = code, .user_name = user_name};
        if (e == ERR_OK) e = enrol_seal(&ask, request, why);
        if (e == ERR_OK) e = store_request(db, code, hub_public, user_name, buf_bytes(request), why);
    }
    if (e == ERR_OK)
        e = db_commit(db, why);
    else
        db_rollback(db);
    identity_release(&self);
    identity_release(&door);
    return e;
}

enum err node_enrol_begin(const struct env *env, const char *home, struct bytes passphrase,
                          const struct invitation *code, struct bytes hub_public, const char *user_name,
                          struct buf *out, struct why *why)
{
    struct identity hub;
    struct replica r = {0};
    struct buf request;
    buf_init(&request, 1u << 20);
    enum err e = wipe_check(env, home, NODE_FOR_HUB, why);
    if (e == ERR_OK) e = enrol_check(code, hub_public, user_name, &hub, why);
    if (e == ERR_OK) e = replica_make(&r, env, home, passphrase, why);
    if (e == ERR_OK) e = ready(r.db, code, hub_public, &hub, user_name, &request, why);
    if (e == ERR_OK) {
        buf_put_bytes(out, buf_bytes(&request));
        e = out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory for the request to join.");
    }
    replica_close(&r);
    buf_release(&request);
    return e;
}

static enum err wrong_answer(struct why *why)
{
    (void)why_set(why, ERR_REFUSED, "This answer is not for this device's request to join.");
    return why_next(why, ERR_REFUSED, "Run spoke enrol again with the same code.");
}

enum err enrol_read(const struct identity *hub, const uint8_t token[16], const struct identity_secret *self,
                    struct bytes in, struct enrol_answer *out, struct why *why)
{
    struct bundle_reader *r = NULL;
    struct seal_header h;
    struct bytes item;
    uint8_t binding[32], token_hash[HASH_BYTES];
    bool end = false;
    enum err e = bundle_reader_new(&r, in, self, &h, binding, why);
    if (e != ERR_OK) return e;
    hash_blake2b(token_hash, bytes_of(token, 16));
    e = bundle_next(r, &item, &end, why);
    if (e == ERR_OK && (end || h.kind != 4 || memcmp(h.sender, hub->kid, KID_BYTES) != 0)) e = wrong_answer(why);
    if (e == ERR_OK) e = message_get_enrolled(item, hub, out, why);
    if (e == ERR_OK &&
        (memcmp(out->binding, binding, sizeof binding) != 0 || memcmp(out->node, self->pub.kid, KID_BYTES) != 0 ||
         memcmp(out->token_hash, token_hash, HASH_BYTES) != 0))
        e = wrong_answer(why);
    if (e == ERR_OK) e = bundle_next(r, &item, &end, why);
    if (e == ERR_OK && !end)
        e = why_set(why, ERR_FORMAT, "The answer to the request to join holds more than it should.");
    bundle_reader_free(r);
    return e;
}

static enum err read_answer(struct db *db, const struct identity_secret *self, struct bytes in,
                            struct enrol_answer *out, struct why *why)
{
    struct identity hub;
    uint8_t keys[PUBLIC_BYTES], token[16];
    enum err e = state_fixed(db, "hub", keys, sizeof keys, why);
    if (e == ERR_OK) e = identity_from_bytes(&hub, bytes_of(keys, sizeof keys), why);
    if (e == ERR_OK) e = state_fixed(db, "token", token, sizeof token, why);
    return e == ERR_OK ? enrol_read(&hub, token, self, in, out, why) : e;
}

enum err enrol_store(struct db *db, const struct enrol_answer *a, struct why *why)
{
    enum err e = state_put(db, "hub_name", bytes_of_str(a->hub_name), why);
    if (e == ERR_OK) e = state_put(db, "site", bytes_of_str(a->site), why);
    if (e == ERR_OK) e = state_put(db, "agency", bytes_of_str(a->agency), why);
    if (e == ERR_OK) e = state_put(db, "user", bytes_of(a->user, sizeof a->user), why);
    if (e == ERR_OK) e = state_put(db, "recovery_pk", bytes_of(a->recovery_pk, sizeof a->recovery_pk), why);
    if (e == ERR_OK) e = state_set_number(db, "epoch", a->epoch, why);
    if (e == ERR_OK) e = state_migrate(db, a->schema, NULL, why);
    if (e == ERR_OK) e = state_set_number(db, "enrolled", 1, why);
    if (e == ERR_OK) e = state_forget(db, "token", why);
    if (e == ERR_OK) e = state_forget(db, "enrol_request", why);
    return e;
}

/* The first person of this device; and its lease begins. */
static enum err begin_here(struct replica *r, const struct env *env, const struct enrol_answer *a, struct why *why)
{
    char name[128];
    enum err e = state_text(r->db, "user_name", name, sizeof name, why);
    if (e == ERR_OK) e = people_first(r->db, env, r->ring.slot, a->user, name, why);
    return e == ERR_OK ? lease_start(r->db, env, a->clock_ms, why) : e;
}

static enum err join(struct replica *r, const struct env *env, struct bytes answer, struct why *why)
{
    struct db *db = r->db;
    struct identity_secret self = {0};
    struct enrol_answer a;
    bool found = false;
    enum err e = state_load_identity(db, "identity", &self, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_UNINIT, "This device has not asked to join a MASH yet.");
    if (e == ERR_OK) e = read_answer(db, &self, answer, &a, why);
    if (e == ERR_OK) e = db_begin(db, why);
    if (e == ERR_OK) {
        e = enrol_store(db, &a, why);
        if (e == ERR_OK) e = begin_here(r, env, &a, why);
        if (e == ERR_OK)
            e = db_commit(db, why);
        else
            db_rollback(db);
    }
    identity_release(&self);
    return e;
}

enum err node_enrol_finish(const struct env *env, const char *home, struct bytes passphrase, struct bytes answer,
                           struct why *why)
{
    const struct node_key key = {.passphrase = passphrase};
    struct node *n = NULL;
    struct replica r = {0};
    uint64_t enrolled = 0;
    enum err e = wipe_check(env, home, NODE_FOR_HUB, why);
    if (e == ERR_OK) e = replica_open(&r, env, home, &key, why);
    if (e != ERR_OK) return e;
    e = state_number(r.db, "enrolled", &enrolled, why);
    if (e == ERR_OK && enrolled != 0) {
        e = replica_node(&n, env, home, &r, NODE_FOR_HUB, why);
        if (e == ERR_OK) e = rescue_finish(n, answer, why);
        node_close(n);
        return e;
    }
    if (e == ERR_OK) e = join(&r, env, answer, why);
    if (e == ERR_OK) door_keep(env, home, r.db);
    replica_close(&r);
    return e;
}
