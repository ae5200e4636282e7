#include "hub/people.h"

#include "hub/log.h"
#include "hub/sight.h"

#include "base/cbor.h"

#include <string.h>

#define NAME_BYTES 200u

static enum err put_by(struct hub *h, int64_t act_no, const struct act_by *by, struct why *why)
{
    struct stmt *s;
    if (by == NULL) return ERR_OK;
    enum err e = db_prepare(h->db, "INSERT INTO h_act_by(act_no, who, second) VALUES($1, $2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, act_no);
    db_bind_str(s, 2, by->who);
    db_bind_str(s, 3, by->second);
    return db_run(s, why);
}

enum err people_act(struct hub *h, const char *act, const char *about, const char *reason, struct why *why)
{
    return people_act_by(h, act, about, reason, NULL, why);
}

enum err people_act_by(struct hub *h, const char *act, const char *about, const char *reason, const struct act_by *by,
                       struct why *why)
{
    struct stmt *s;
    int64_t no = 0;
    bool row = false;
    enum err e =
        db_prepare(h->db, "INSERT INTO h_act(at, act, about, reason) VALUES($1, $2, $3, $4) RETURNING no", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_str(s, 2, act);
    db_bind_str(s, 3, about);
    db_bind_str(s, 4, reason);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) no = db_int(s, 0);
    db_done(s);
    if (e == ERR_OK) e = put_by(h, no, by, why);
    return e == ERR_OK ? log_act(h, no, act, why) : e;
}

enum err people_find(struct hub *h, const char *site, const char *name, uint8_t out_id[16], bool *out_found,
                     struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT id FROM practitioner WHERE site = $1 AND name = $2 AND coalesce(active, 1) = 1 "
                            "ORDER BY id LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, site);
    db_bind_str(s, 2, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out_found = row && db_id(s, 0, out_id);
    db_done(s);
    return e;
}

enum err people_add(struct hub *h, const char *site, const char *name, const char *role, uint8_t out_id[16],
                    struct why *why)
{
    static const struct actor hub = {0};
    struct bytes n = bytes_of_str(name);
    uint8_t id[16];
    if (n.n == 0 || n.n > NAME_BYTES || !utf8_valid(n))
        return why_set(why, ERR_USAGE, "A person's name has 1 to %u bytes.", NAME_BYTES);
    env_new_id(h->env, id);
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("practitioner")))};
    r.v[0] = value_id(id);
    r.v[1] = value_str(site);
    r.v[2] = value_str(name);
    r.v[3] = value_str(role);
    r.v[4] = value_null();
    r.v[5] = value_int(1);
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = sight_insert(h, &r, &hub, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

enum err people_find_or_add(struct hub *h, const char *site, const char *name, uint8_t out_id[16], struct why *why)
{
    bool found = false;
    enum err e = people_find(h, site, name, out_id, &found, why);
    return e == ERR_OK && !found ? people_add(h, site, name, NULL, out_id, why) : e;
}
