/* A way in for who has the recovery code and no passphrase any more, also when the device secret was lost. */
#include "node/wipe.h"

#include "crypto/device.h"
#include "node/wipe.h"

#include <string.h>

/* Whose passphrase is to be another: of this name, or the only one's. */
static enum err find_person(struct node *n, const char *name, struct key_act *a, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false, second = false;
    enum err e = db_prepare(n->db, "SELECT slot, id FROM n_person WHERE $1 IS NULL OR name = $1 LIMIT 2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && (!db_id(s, 0, a->slot) || !db_id(s, 1, a->id)))
        e = why_set(why, ERR_TAMPERED, "What this device notes of its people is damaged.");
    if (e == ERR_OK && row) e = db_step(s, &second, why);
    db_done(s);
    if (e != ERR_OK || (row && !second)) return e;
    if (!second) return why_set(why, ERR_NOTFOUND, "Nobody of that name can open this device.");
    (void)why_set(why, ERR_NOTFOUND, "Several people can open this device.");
    return why_next(why, ERR_NOTFOUND, "Say whose passphrase is to be set anew, by name.");
}

/* Lost or damaged, it opens nobody's slot any more: a new one does no harm. */
static enum err mend_device(const struct env *env, const char *path, struct why *why)
{
    struct secret there = {0};
    enum err e = device_load(env, path, &there, why);
    secret_release(&there);
    if (e == ERR_FORMAT) e = env->remove_file(env->ctx, path, why);
    if (e == ERR_UNINIT) e = ERR_OK;
    return e == ERR_OK ? device_make(env, path, why) : e;
}

static enum err set_anew(struct node *n, const struct replica_files *f, const char *name, struct bytes passphrase,
                         struct why *why)
{
    struct key_act a = {.kind = KEY_RECOVER};
    enum err e = find_person(n, name, &a, why);
    if (e == ERR_OK) e = mend_device(n->env, f->keyfile.device, why);
    if (e == ERR_OK) e = people_begin(n, &f->keyfile, &a, why);
    if (e != ERR_OK) return e;
    e = keyslot_change(n->env, &f->keyfile, &n->ring, a.slot, passphrase, why);
    return people_end(n, &f->keyfile, e, why);
}

enum err node_recover(const struct env *env, const char *home, struct bytes code, const char *name,
                      struct bytes passphrase, struct why *why)
{
    static const struct node_key by_code = {0};
    struct replica_files f;
    struct replica r = {0};
    struct node *n = NULL;
    enum err e = wipe_check(env, home, NODE_FOR_HUB, why);
    if (e == ERR_OK) e = replica_files(&f, env, home, why);
    if (e == ERR_OK) e = keyslot_open_code(env, &f.keyfile, code, &r.ring, why);
    if (e == ERR_OK) e = replica_open_ring(&r, env, home, &by_code, why);
    if (e == ERR_OK)
        e = replica_node(&n, env, home, &r, NODE_FOR_HUB, why);
    else
        replica_close(&r);
    if (e == ERR_OK) e = set_anew(n, &f, name, passphrase, why);
    node_close(n);
    return e;
}
