/* Who was an administrator, and with which role, as the acts in the hub's own log say: the table has to say the
 * same. */
#include "hub/admins.h"
#include "hub/log.h"

#include <stdlib.h>
#include <string.h>

struct one {
    char name[ADMIN_NAME_BYTES + 1];
    char by[ADMIN_NAME_BYTES + 1]; /* "": appointed by nobody, as the first of all is */
    enum hub_role role;
    bool removed;
};
struct all {
    struct one *v;
    size_t n, cap;
};

static enum err unlike(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "The hub's administrators are not those, or not with the roles, that its logs tell of.");
}

static bool copy(char out[ADMIN_NAME_BYTES + 1], struct bytes name)
{
    if (name.n > ADMIN_NAME_BYTES) return false;
    if (name.n > 0) memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return true;
}

static struct one *find(struct all *a, struct bytes name)
{
    for (size_t i = 0; i < a->n; i++)
        if (bytes_equal(bytes_of_str(a->v[i].name), name)) return &a->v[i];
    return NULL;
}

/* The word before the reason: "operator: she is back". */
static bool role_of(struct bytes text, enum hub_role *out)
{
    char word[16] = "";
    const uint8_t *end = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    size_t n = end == NULL ? text.n : (size_t)(end - text.p);
    if (n == 0 || n >= sizeof word) return false;
    memcpy(word, text.p, n);
    return hub_role_from_word(word, out);
}

static enum err add(struct all *a, struct bytes name, struct bytes role, struct bytes by, struct why *why)
{
    struct one x = {0};
    if (bytes_equal(name, by)) a->n = 0; /* in their own name: there was nobody (hub/admins.c), and this act says so for good */
    if (find(a, name) != NULL || !copy(x.name, name) || !role_of(role, &x.role)) return unlike(why);
    if (!bytes_equal(name, by) && !copy(x.by, by)) return unlike(why);
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 16 : 2 * a->cap;
        struct one *grown = reallocarray(a->v, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check these logs.");
        a->v = grown;
        a->cap = cap;
    }
    a->v[a->n++] = x;
    return ERR_OK;
}

/* One act about administrators. */
static enum err follow(struct all *a, struct bytes act, struct bytes about, struct bytes reason, struct bytes by, struct why *why)
{
    if (bytes_equal(act, bytes_of_str("restore"))) { /* the new key file has nobody's slots of before */
        a->n = 0;
        return ERR_OK;
    }
    if (bytes_equal(act, bytes_of_str("admin add"))) return add(a, about, reason, by, why);
    struct one *x = find(a, about);
    if (x == NULL || x->removed) return unlike(why);
    if (bytes_equal(act, bytes_of_str("admin remove")))
        x->removed = true;
    else if (bytes_equal(act, bytes_of_str("admin name")))
        return find(a, reason) == NULL && copy(x->name, reason) ? ERR_OK : unlike(why);
    else if (!role_of(reason, &x->role))
        return unlike(why);
    return ERR_OK;
}

static enum err follow_all(struct hub *h, struct all *a, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = db_prepare(h->db,
                            "SELECT a.act, a.about, a.reason, b.who FROM h_act a LEFT JOIN h_act_by b ON b.act_no = a.no WHERE "
                            "a.act IN ('restore', 'admin add', 'admin role', 'admin remove', 'admin name') ORDER BY a.no",
                            &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = follow(a, db_bytes(s, 0), db_bytes(s, 1), db_bytes(s, 2), db_bytes(s, 3), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err log_check_admins(struct hub *h, struct why *why)
{
    struct all a = {0};
    struct stmt *s;
    bool row = true;
    size_t n = 0;
    enum err e = follow_all(h, &a, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT name, role, added_by, removed_at FROM h_admin", &s, why);
    if (e != ERR_OK) {
        free(a.v);
        return e;
    }
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        const struct one *x = find(&a, db_bytes(s, 0));
        n++;
        if (x == NULL || !bytes_equal(db_bytes(s, 1), bytes_of_str(hub_role_word(x->role))) || x->removed == db_is_null(s, 3) ||
            !bytes_equal(db_bytes(s, 2), bytes_of_str(x->by)))
            e = unlike(why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    if (e == ERR_OK && n != a.n) e = unlike(why);
    free(a.v);
    return e;
}
