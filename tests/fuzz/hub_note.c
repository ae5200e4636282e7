/* What a hub sealed for itself and devices return to it (hub/DISASTER.md): only what this hub sealed for this device is
 * opened; and behind the seal, what is taken is noted again in the same bytes. */
#include "base/cbor.h"
#include "crypto/device.h"
#include "hub/note.h"
#include "sync/messages_return.h"
#include "tests/fuzz/store.h"

#include <string.h>

enum { AS_IT_CAME = 1 }; /* bit of what is asked: the input is a sealed note; else it is sealed here */

struct round {
    struct hub h;
    struct hub_node node;
    uint64_t last;
    size_t n;
    bool rising; /* as the store gives them */
};

static enum err keep(void *ctx, const struct note_outcome *o, struct why *why)
{
    struct round *r = ctx;
    struct stmt *s = NULL;
    (void)why;
    HOLDS(o->seq > 0 && o->seq <= INT64_MAX && (unsigned)o->verdict <= VERDICT_DISMISSED);
    r->n++;
    r->rising = r->rising && o->seq > r->last;
    r->last = o->seq;
    if (!r->rising) return ERR_OK;
    HOLDS(db_prepare(r->h.db,
                     "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, user, received_at, "
                     "version, verdict, reason) VALUES(1, $1, $2, x'', x'', x'', 1, x'', $3, $4, $5, $6)",
                     &s, NULL) == ERR_OK);
    db_bind_int(s, 1, (int64_t)o->seq);
    db_bind_blob(s, 2, bytes_of(o->hash, HASH_BYTES));
    db_bind_int(s, 3, o->received_at);
    db_bind_int(s, 4, o->version);
    db_bind_int(s, 5, o->verdict);
    db_bind_text(s, 6, o->reason);
    HOLDS(db_run(s, NULL) == ERR_OK);
    return ERR_OK;
}

/* What the store now holds, noted. */
static void same(struct round *r, struct bytes in, const struct note_cut *cut)
{
    struct cbor_reader c;
    struct note_item item;
    struct buf again, plain;
    uint64_t request = 0;
    cbor_reader_init(&c, in);
    (void)cbor_get_array(&c, 4);
    HOLDS(bytes_equal(cbor_get_bytes(&c), bytes_of(FUZZ_NODE, KID_BYTES)));
    struct bytes number = cbor_get_bytes(&c);
    bool served = cbor_get_bytes(&c).n > 0;
    for (size_t i = 0; i < number.n; i++) request = request << 8 | number.p[i];
    if (!r->rising || (r->n == 0 && !served)) return;
    buf_init(&again, 1u << 16);
    buf_init(&plain, 1u << 16);
    r->h.now_ms = cut->served_at;
    HOLDS(note_put(&r->h, &r->node, request, served ? &cut->cut : NULL, &again, NULL) == ERR_OK);
    HOLDS(message_get_note(buf_bytes(&again), &item, NULL) == ERR_OK && item.request == request);
    HOLDS(device_open(&r->h.note_key, STORE_NOTE_LABEL, item.note, &plain, NULL) == ERR_OK);
    HOLDS(bytes_equal(buf_bytes(&plain), in));
    buf_release(&again);
    buf_release(&plain);
}

static void begin(struct round *r, struct db *db, const struct env *env)
{
    *r = (struct round){.rising = true};
    r->h.env = env;
    r->h.db = db;
    r->h.id = *fuzz_me();
    r->node.no = 1;
    memcpy(r->node.id.kid, FUZZ_NODE, KID_BYTES);
    HOLDS(db_begin(db, NULL) == ERR_OK);
}

static void end(struct round *r)
{
    db_rollback(r->h.db);
    secret_release(&r->h.note_key);
}

static void as_it_came(struct round *r, struct bytes in)
{
    struct note_cut cut;
    struct buf ours;
    enum err e = note_open(&r->h, &r->node, in, &cut, keep, r, NULL);
    HOLDS(e == ERR_OK || (e == ERR_TAMPERED && r->n == 0));
    if (e != ERR_OK) return;
    buf_init(&ours, 1u << 12);
    db_rollback(r->h.db);
    store_note(r->h.db, &ours);
    HOLDS(bytes_equal(buf_bytes(&ours), in));
    buf_release(&ours);
}

static void behind_the_seal(struct round *r, struct bytes in)
{
    struct note_cut cut;
    struct buf sealed;
    buf_init(&sealed, 1u << 16);
    HOLDS(note_open(&r->h, &r->node, bytes_of("", 0), &cut, keep, r, NULL) == ERR_TAMPERED); /* makes the key */
    HOLDS(device_seal(&r->h.note_key, STORE_NOTE_LABEL, in, &sealed, NULL) == ERR_OK);
    enum err e = note_open(&r->h, &r->node, buf_bytes(&sealed), &cut, keep, r, NULL);
    HOLDS(e == ERR_OK || (e == ERR_TAMPERED && r->n == 0));
    if (e == ERR_OK) same(r, in, &cut);
    buf_release(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct db *db; /* the same for every input: each undoes what it wrote */
    static struct env env;
    struct bytes in = bytes_of(data, size);
    struct round r;
    fuzz_start();
    if (db == NULL) {
        env = store_env();
        db = store_new();
    }
    uint8_t asked = fuzz_take(&in);
    begin(&r, db, &env);
    if ((asked & AS_IT_CAME) != 0)
        as_it_came(&r, in);
    else
        behind_the_seal(&r, in);
    end(&r);
    return 0;
}
