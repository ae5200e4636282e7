/* Operations on the keys: the key file, its slots, the device secret, and a new data key with its database. */
#include "tests/crash/crash.h"

#include "crypto/device.h"
#include "crypto/pagevfs.h"

#include <stdio.h>
#include <string.h>

#define KEY_FILE HOME "/replica.key"
#define DEVICE   HOME "/device.secret"
#define ANN      "correct horse battery"
#define ANN_NEW  "staple the horse anew"
#define BEN      "a passphrase of Ben's"

static const struct keyfile at = {.path = KEY_FILE, .device = DEVICE};

static const char *database_of(uint32_t generation)
{
    return generation % 2 == 0 ? HOME "/replica.db" : HOME "/replica2.db";
}

/* An act of an operation succeeded; or it failed, and then the power did it. */
static bool done(struct world *w, enum err e, const struct why *why)
{
    if (e == ERR_OK) return true;
    return disk_is_dead(w->disk) ? false : wrong(w, "error %d: %.200s", (int)e, why->text);
}

static enum err open_as(struct world *w, const char *passphrase, struct keyring *out, struct why *why)
{
    return keyslot_open(&w->env, &at, bytes_of_str(passphrase), out, why);
}

static bool enter(struct world *w, struct keyring *r)
{
    struct why why = {0};
    return done(w, open_as(w, ANN, r, &why), &why);
}

/* ---- what is there ---- */

/* Does it open, and if not, for want of a slot alone? Remembers the ring that it gave. */
static bool opens(struct world *w, enum err e, struct keyring *got, struct keyring *keep, bool *out)
{
    *out = e == ERR_OK;
    if (e == ERR_OK) {
        keyring_release(keep);
        *keep = *got;
        *got = (struct keyring){0};
    }
    return e == ERR_OK || e == ERR_PASSPHRASE || wrong(w, "the key file gives error %d", (int)e);
}

static bool rows_of(struct world *w, const struct keyring *r, uint64_t *h)
{
    struct secret key = keyring_data_key(r);
    struct why why = {0};
    uint64_t rows = 0;
    enum err e = pagevfs_open(&w->db, database_of(r->generation), disk_vfs_name(w->disk), &key, &why);
    if (e != ERR_OK) return wrong(w, "the database of generation %u gives error %d", r->generation, (int)e);
    if (!db_digest(w, w->db, &rows)) return false;
    *h = mix(*h, rows);
    return true;
}

/* Whom the key file opens to, and what the database holds that it belongs to. 0: there is no key file. */
static bool keys_observe(struct world *w, uint64_t *out)
{
    static const char *const people[] = {BEN, ANN_NEW, ANN};
    struct keyring r = {0}, got = {0};
    struct why why = {0};
    uint64_t h = 1;
    bool ok = true, in = false;
    world_close(w);
    *out = 0;
    if (disk_file(w->disk, KEY_FILE).n == 0) return true;
    for (size_t i = 0; ok && i < 3; i++) {
        w->now += 86400000; /* nobody has to wait because of wrong ones */
        ok = opens(w, open_as(w, people[i], &got, &why), &got, &r, &in);
        h = mix(h, in);
    }
    if (ok && w->code[0][0] != '\0') {
        ok = opens(w, keyslot_open_code(&w->env, &at, bytes_of_str(w->code[0]), &got, &why), &got, &r, &in);
        h = mix(h, in);
    }
    /* the code that this run was told: it opens, if it was told */
    if (ok && w->code[1][0] != '\0')
        ok = opens(w, keyslot_open_code(&w->env, &at, bytes_of_str(w->code[1]), &got, &why), &got, &r, &in) &&
             (in || wrong(w, "the recovery code that people wrote down does not open"));
    ok = ok && (r.keys.p != NULL || wrong(w, "the key file opens to nobody"));
    ok = ok && rows_of(w, &r, &h);
    keyring_release(&r);
    *out = h;
    return ok;
}

static bool device_observe(struct world *w, uint64_t *out)
{
    struct secret s = {0};
    enum err e = device_load(&w->env, DEVICE, &s, NULL);
    secret_release(&s);
    *out = e == ERR_OK;
    return e == ERR_OK || e == ERR_UNINIT || wrong(w, "the device secret gives error %d", (int)e);
}

/* Is the right passphrase made to wait? That the count of wrong ones stands is what is looked at. */
static bool wait_observe(struct world *w, uint64_t *out)
{
    struct keyring r = {0};
    struct why why = {0};
    enum err e = open_as(w, ANN, &r, &why);
    keyring_release(&r);
    *out = e == ERR_PASSPHRASE;
    return e == ERR_OK || e == ERR_PASSPHRASE || wrong(w, "the key file gives error %d", (int)e);
}

/* ---- what the operations begin with ---- */

static void nothing_prepare(struct world *w)
{
    memset(w->code, 0, sizeof w->code);
}

static void device_prepare(struct world *w)
{
    nothing_prepare(w);
    must(device_make(&w->env, DEVICE, NULL) == ERR_OK, "a device secret");
}

/* Ann's key file, and a database under its data key. */
static void ann_prepare(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    device_prepare(w);
    must(keyslot_create(&w->env, &at, bytes_of_str(ANN), &r, &why) == ERR_OK, why.text);
    struct secret key = keyring_data_key(&r);
    must(pagevfs_create(database_of(0), disk_vfs_name(w->disk), &key, &why) == ERR_OK, why.text);
    must(pagevfs_open(&w->db, database_of(0), disk_vfs_name(w->disk), &key, &why) == ERR_OK, why.text);
    must(world_sql(w, "CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(20000)), ('a row')"), w->fault);
    world_close(w);
    keyring_release(&r);
}

static void ann_and_ben_prepare(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    uint8_t id[SLOT_ID_BYTES];
    ann_prepare(w);
    must(open_as(w, ANN, &r, &why) == ERR_OK, why.text);
    must(keyslot_add(&w->env, &at, &r, bytes_of_str(BEN), id, &why) == ERR_OK, why.text);
    keyring_release(&r);
}

static void code_prepare(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    ann_and_ben_prepare(w);
    must(open_as(w, ANN, &r, &why) == ERR_OK, why.text);
    must(keyslot_recovery(&w->env, &at, &r, w->code[0], &why) == ERR_OK, why.text);
    keyring_release(&r);
}

/* What a copy under a new data key left behind when the power failed in it. */
static void half_copy_prepare(struct world *w)
{
    struct keyring r = {0}, next = {0};
    struct why why = {0};
    struct draw by = draw_stream(2, 8, 0);
    code_prepare(w);
    must(open_as(w, ANN, &r, &why) == ERR_OK && keyring_next(&next, &w->env, &r, &why) == ERR_OK, why.text);
    struct secret from = keyring_data_key(&r), to = keyring_data_key(&next);
    disk_set_faults(w->disk, &(struct disk_faults){.die_after = 8});
    must(pagevfs_rekey(database_of(0), &from, database_of(1), &to, disk_vfs_name(w->disk), &why) != ERR_OK,
         "no power cut");
    (void)disk_power_off(w->disk, &by);
    keyring_release(&r);
    keyring_release(&next);
}

/* ---- what they do ---- */

static void device_run(struct world *w)
{
    struct why why = {0};
    if (done(w, device_make(&w->env, DEVICE, &why), &why)) (void)world_done(w);
}

static void make_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    if (done(w, keyslot_create(&w->env, &at, bytes_of_str(ANN), &r, &why), &why)) (void)world_done(w);
    keyring_release(&r);
}

static bool made_observe(struct world *w, uint64_t *out)
{
    struct keyring r = {0};
    struct why why = {0};
    enum err e = open_as(w, ANN, &r, &why);
    keyring_release(&r);
    *out = e == ERR_OK;
    return e == ERR_OK || e == ERR_UNINIT || wrong(w, "the key file gives error %d", (int)e);
}

static void add_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    uint8_t id[SLOT_ID_BYTES];
    if (enter(w, &r) && done(w, keyslot_add(&w->env, &at, &r, bytes_of_str(BEN), id, &why), &why)) (void)world_done(w);
    keyring_release(&r);
}

static void change_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    if (enter(w, &r) && done(w, keyslot_change(&w->env, &at, &r, r.slot, bytes_of_str(ANN_NEW), &why), &why))
        (void)world_done(w);
    keyring_release(&r);
}

/* Ann takes Ben's slot away; his id is what his own passphrase opens. */
static void remove_run(struct world *w)
{
    struct keyring r = {0}, ben = {0};
    struct why why = {0};
    if (enter(w, &r) && done(w, open_as(w, BEN, &ben, &why), &why) &&
        done(w, keyslot_remove(&w->env, &at, &r, ben.slot, &why), &why))
        (void)world_done(w);
    keyring_release(&r);
    keyring_release(&ben);
}

static void recovery_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    char code[RECOVERY_CODE_CHARS];
    w->code[1][0] = '\0';
    if (enter(w, &r) && done(w, keyslot_recovery(&w->env, &at, &r, code, &why), &why)) {
        memcpy(w->code[1], code, sizeof code);
        (void)world_done(w);
    }
    keyring_release(&r);
}

/* Three changes in a row with one ring. */
static void changes_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    uint8_t id[SLOT_ID_BYTES];
    if (enter(w, &r) && done(w, keyslot_add(&w->env, &at, &r, bytes_of_str(BEN), id, &why), &why) && world_done(w) &&
        done(w, keyslot_change(&w->env, &at, &r, r.slot, bytes_of_str(ANN_NEW), &why), &why) && world_done(w) &&
        done(w, keyslot_remove(&w->env, &at, &r, id, &why), &why))
        (void)world_done(w);
    keyring_release(&r);
}

/* Eight wrong passphrases: whoever pulls the plug gets no try for nothing. */
static void wrong_tries_run(struct world *w)
{
    for (int i = 0; i < 8 && !disk_is_dead(w->disk); i++) {
        struct keyring r = {0};
        struct why why = {0};
        enum err e = open_as(w, "not the passphrase", &r, &why);
        keyring_release(&r);
        if (disk_is_dead(w->disk)) return;
        if (e != ERR_PASSPHRASE) (void)wrong(w, "a wrong passphrase gives error %d", (int)e);
        (void)world_done(w);
    }
}

static void right_after_wrong_run(struct world *w)
{
    struct keyring r = {0};
    struct why why = {0};
    for (int i = 0; i < 2; i++) {
        (void)open_as(w, "not the passphrase", &r, &why);
        keyring_release(&r);
    }
    (void)enter(w, &r);
    keyring_release(&r);
}

/* A new data key: copy, switch; then a row; then the old database goes. */
static void rekey_run(struct world *w)
{
    struct keyring r = {0}, next = {0};
    struct why why = {0};
    bool ok = enter(w, &r) && done(w, keyring_next(&next, &w->env, &r, &why), &why);
    struct secret from = keyring_data_key(&r), to = keyring_data_key(&next);
    ok = ok && done(w,
                    pagevfs_rekey(database_of(r.generation), &from, database_of(next.generation), &to,
                                  disk_vfs_name(w->disk), &why),
                    &why);
    ok = ok && done(w, keyslot_rekey(&w->env, &at, &r, &next, &why), &why);
    ok = ok && done(w, disk_remove_file(w->disk, database_of(r.generation), &why), &why);
    to = keyring_data_key(&next);
    ok = ok && done(w, pagevfs_open(&w->db, database_of(next.generation), disk_vfs_name(w->disk), &to, &why), &why);
    if (ok) (void)world_commit(w, "INSERT INTO t VALUES ('under the new key')");
    keyring_release(&r);
    keyring_release(&next);
}

static const struct script table[] = {
    {.name = "a device secret is made",
     .prepare = nothing_prepare,
     .run = device_run,
     .observe = device_observe,
     .opens = true},
    {.name = "a key file is made", .prepare = device_prepare, .run = make_run, .observe = made_observe, .opens = true},
    {.name = "a person is added to the key file",
     .prepare = ann_prepare,
     .run = add_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "a person changes the passphrase",
     .prepare = ann_and_ben_prepare,
     .run = change_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "a person is removed from the key file",
     .prepare = code_prepare,
     .run = remove_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "a recovery code is made",
     .prepare = ann_prepare,
     .run = recovery_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "a recovery code is made anew",
     .prepare = code_prepare,
     .run = recovery_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "three changes of the key file in a row",
     .prepare = ann_prepare,
     .run = changes_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "wrong passphrases are counted",
     .prepare = ann_prepare,
     .run = wrong_tries_run,
     .observe = wait_observe,
     .opens = true},
    {.name = "the right passphrase after wrong ones",
     .prepare = ann_prepare,
     .run = right_after_wrong_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "the database gets a new data key",
     .prepare = code_prepare,
     .run = rekey_run,
     .observe = keys_observe,
     .opens = true},
    {.name = "a new data key, where one was cut off before",
     .prepare = half_copy_prepare,
     .run = rekey_run,
     .observe = keys_observe,
     .opens = true},
};

struct scripts ops_keys(void)
{
    return (struct scripts){table, sizeof table / sizeof table[0]};
}
