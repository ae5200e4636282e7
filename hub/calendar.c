/* Times by which things are due, and the days on which working hours stand still. Both are rows of reference data,
 * which go to every site; web/API.md (Clocks) says how they are read. */
#include "hub/admins.h"
#include "hub/people.h"
#include "hub/sight.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES  200u
#define MAX_MINUTES (366 * 24 * 60)

static const struct actor the_hub = {0};

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* A row with the same first words, or a new one; `n_key` columns after the id say which. */
static enum err put(struct hub *h, struct row *r, const char *find, size_t n_key, const char *seed, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t id[16], hash[HASH_BYTES];
    bool found = false;
    enum err e = db_prepare(h->db, find, &s, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < n_key; i++) db_bind_value(s, (int)i + 1, r->v[i + 1]);
    e = db_step(s, &found, why);
    if (e == ERR_OK && found && !db_id(s, 0, id)) e = why_set(why, ERR_TAMPERED, "A row of the hub has no id.");
    db_done(s);
    if (e != ERR_OK) return e;
    if (!found) {
        hash_labelled(hash, "spoke/calendar/1", bytes_of_str(seed));
        memcpy(id, hash, 16);
    }
    r->v[0] = value_id(id);
    e = sight_step(h, why);
    if (e == ERR_OK && !found) e = sight_insert(h, r, &the_hub, why);
    for (size_t c = n_key + 1; e == ERR_OK && found && c < r->table->n_columns; c++)
        e = sight_set(h, r->table, id, c, r->v[c], &the_hub, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* ------------------------------------------------------------------------------------------------------ time scales */
static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0) return true;
    return false;
}

static enum err check_scale(const struct hub_timescale *t, struct why *why)
{
    static const char *const rags[] = {"red", "amber", "green", "blue", NULL};
    static const char *const whats[] = {"reply", "meeting", "decision", NULL};
    static const char *const subjects[] = {"child", "adult", NULL};
    static const char *const clocks[] = {"elapsed", "working", NULL};
    if (!is_one_of(t->rag, rags)) return why_set(why, ERR_USAGE, "A rating is red, amber, green or blue.");
    if (!is_one_of(t->what, whats)) return why_set(why, ERR_USAGE, "What is due is a reply, a meeting or a decision.");
    if (t->subject_kind != NULL && !is_one_of(t->subject_kind, subjects))
        return why_set(why, ERR_USAGE, "A time scale is for a child, for an adult, or for both.");
    if (!is_one_of(t->clock, clocks)) return why_set(why, ERR_USAGE, "A clock is elapsed or working.");
    if (strcmp(t->rag, "red") == 0 && strcmp(t->clock, "working") == 0)
        return why_set(why, ERR_USAGE,
                       "Red is always counted by the clock on the wall: a child cannot wait until Monday.");
    if (t->minutes < 0 || t->minutes > MAX_MINUTES)
        return why_set(why, ERR_USAGE, "A time scale has at most a year; 0 means that nothing is due.");
    return ERR_OK;
}

static enum err set_timescale(struct hub *h, const struct hub_timescale *t, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("timescale")))};
    char about[128], minutes[32];
    (void)snprintf(about, sizeof about, "timescale|%s|%s|%s", t->rag, t->what,
                   t->subject_kind != NULL ? t->subject_kind : "");
    (void)snprintf(minutes, sizeof minutes, "%lld %s", (long long)t->minutes, t->clock);
    r.v[1] = value_str(t->rag);
    r.v[2] = value_str(t->what);
    r.v[3] = value_str(t->subject_kind);
    r.v[4] = value_int(t->minutes);
    r.v[5] = value_str(t->clock);
    enum err e = put(h, &r,
                     "SELECT id FROM timescale WHERE rag = $1 AND what = $2 AND subject_kind IS NOT DISTINCT FROM $3"
                     " ORDER BY id LIMIT 1",
                     3, about, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "timescale set", about + strlen("timescale|"), minutes, why) : e;
}

enum err hub_set_timescale(struct hub *h, const struct hub_timescale *t, struct why *why)
{
    enum err e = check_scale(t, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, set_timescale(h, t, why), why) : e;
}

/* --------------------------------------------------------------------------------------------------- bank holidays */
static enum err set_holiday(struct hub *h, const char *date, const char *name, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("code_list")))};
    char seed[64];
    (void)snprintf(seed, sizeof seed, "bank_holiday|%s", date);
    r.v[1] = value_str("bank_holiday");
    r.v[2] = value_str(date);
    r.v[3] = value_str(name);
    enum err e = put(h, &r, "SELECT id FROM code_list WHERE list = $1 AND code = $2 ORDER BY id LIMIT 1", 2, seed, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, name != NULL ? "holiday add" : "holiday remove", date, name, why) : e;
}

static enum err holiday_there(struct hub *h, const char *date, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM code_list WHERE list = 'bank_holiday' AND code = $1"
                            " AND coalesce(label, '') <> ''",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, date);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err hub_set_holiday(struct hub *h, const char *date, const char *name, struct why *why)
{
    bool there = false;
    struct bytes n = bytes_of_str(name == NULL ? "" : name);
    if (!rules_date_ok(bytes_of_str(date))) return why_set(why, ERR_USAGE, "A day is written like 2029-12-25.");
    if (name != NULL && (n.n == 0 || n.n > NAME_BYTES || !utf8_valid(n)))
        return why_set(why, ERR_USAGE, "A holiday's name has 1 to %u bytes.", NAME_BYTES);
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = holiday_there(h, date, &there, why);
    if (e == ERR_OK && !there && name == NULL) e = why_set(why, ERR_NOTFOUND, "That day is no bank holiday.");
    return finish(h, e == ERR_OK ? set_holiday(h, date, name, why) : e, why);
}
