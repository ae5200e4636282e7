/* How long this device may be opened without contact with the hub. A stolen one shows nothing after that; whoever
 * has it rightly loses nothing: it stays open to contact. Three measures, so that no play with the clock helps: the
 * wall clock, the highest it was ever seen at, and the time that the computer ran. All begin anew with the hub's
 * own time, which also mends a mark that a fast clock left. */
#include "node/internal.h"
#include "node/trouble.h"

#define DAY_MS     INT64_C(86400000)
#define USUAL_DAYS 30u
#define NOTE_MS    INT64_C(60000) /* so much may be forgotten by a crash: a command that only reads syncs no disk */

static int64_t wall(const struct node *n)
{
    int64_t now = env_now(n->env);
    return now < 0 ? 0 : now;
}

/* Without a clock that nobody sets, time that ran cannot be told from time that was set. */
static int64_t steady(const struct env *env)
{
    return env->steady_ms == NULL ? 0 : env_steady(env);
}

static enum err read(struct node *n, struct why *why)
{
    struct lease *l = &n->lease;
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db,
                   "SELECT max(iif(name = 'lease_days', value, NULL)), max(iif(name = 'lease_contact', value, NULL)),"
                   " max(iif(name = 'lease_high', value, NULL)), max(iif(name = 'lease_ran', value, NULL)),"
                   " max(iif(name = 'lease_steady', value, NULL)) FROM n_number WHERE name IN"
                   " ('lease_days', 'lease_contact', 'lease_high', 'lease_ran', 'lease_steady')",
                   &s, why);
    if (e == ERR_OK) e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        l->noted = (struct lease_mark){.high = db_int(s, 2), .ran = db_int(s, 3), .steady = db_int(s, 4)};
        l->now = l->noted;
        l->days = db_int(s, 0) != 0 ? (unsigned)db_int(s, 0) : USUAL_DAYS;
        l->contact = db_int(s, 1);
        l->known = true;
    }
    db_done(s);
    return e;
}

/* The steady clock goes back only with a new start of the computer: then all of it is new. */
static enum err follow(struct node *n, struct why *why)
{
    struct lease_mark *m = &n->lease.now;
    enum err e = n->lease.known ? ERR_OK : read(n, why);
    if (e != ERR_OK) return e;
    int64_t at = steady(n->env), clock = wall(n);
    m->ran += at >= m->steady ? at - m->steady : at;
    m->steady = at;
    if (clock > m->high) m->high = clock;
    return ERR_OK;
}

static bool worth_noting(const struct lease *l)
{
    return l->contact != 0 && (l->now.high - l->noted.high > NOTE_MS || l->now.ran - l->noted.ran > NOTE_MS ||
                               l->now.steady < l->noted.steady);
}

static enum err note(struct node *n, struct why *why)
{
    struct lease *l = &n->lease;
    const int64_t v[] = {l->now.high, l->now.ran, l->now.steady};
    if (!worth_noting(l)) return ERR_OK;
    enum err e = state_run(n->db,
                           "INSERT OR REPLACE INTO n_number(name, value) VALUES('lease_high', $1), ('lease_ran', $2),"
                           " ('lease_steady', $3)",
                           v, 3, why);
    if (e == ERR_OK) l->noted = l->now;
    return e;
}

static int64_t used(const struct lease *l)
{
    int64_t by_clock = l->now.high - l->contact;
    return by_clock > l->now.ran ? by_clock : l->now.ran;
}

static enum err judge(struct node *n, const char *kept, struct why *why)
{
    const struct lease *l = &n->lease;
    if (n->what_for == NODE_FOR_HUB || l->contact == 0 || used(l) <= l->days * DAY_MS) return ERR_OK;
    long long days = (used(l) + DAY_MS - 1) / DAY_MS; /* of 30 days and an hour people say: not 30, more */
    (void)why_set(why, ERR_REFUSED,
                  "This device has had no contact with the MASH for %lld days; %u %s allowed, so it is locked. %s",
                  days, l->days, l->days == 1 ? "is" : "are", kept);
    return why_next(
        why, ERR_REFUSED,
        "Connect it and try the contact again, or carry the changes on a USB stick. If the date on this device is "
        "wrong, set it right as well. " TROUBLE_DETAIL "spoke sync, spoke bundle export");
}

enum err lease_look(struct node *n, struct why *why)
{
    enum err e = follow(n, why);
    if (e != ERR_OK) return e;
    /* A disk that is full or failing must keep nobody from his records; what is known of the lease stays in memory. */
    (void)!note(n, NULL);
    return judge(n, "Nothing is lost.", why);
}

enum err lease_allows(struct node *n, struct why *why)
{
    enum err e = follow(n, why);
    return e == ERR_OK ? judge(n, "This change was not saved; all before it is kept.", why) : e;
}

enum err lease_start(struct db *db, const struct env *env, uint64_t hub_ms, struct why *why)
{
    int64_t hub = hub_ms == 0 ? 1 : hub_ms > INT64_MAX ? INT64_MAX : (int64_t)hub_ms; /* 0 would be no contact */
    const int64_t v[] = {hub, steady(env)};
    return state_run(db,
                     "INSERT OR REPLACE INTO n_number(name, value) VALUES('lease_contact', $1), ('lease_high', $1),"
                     " ('lease_ran', 0), ('lease_steady', $2)",
                     v, 2, why);
}

enum err lease_renew(struct node *n, uint64_t hub_ms, struct why *why)
{
    n->lease.known = false; /* read anew, also when the caller's transaction comes to nothing */
    return lease_start(n->db, n->env, hub_ms, why);
}

enum err lease_set(struct node *n, uint64_t days, struct why *why)
{
    if (days == 0 || days > LEASE_MAX_DAYS)
        return why_set(why, ERR_LIMIT, "A device may be opened without contact for 1 to %u days.", LEASE_MAX_DAYS);
    n->lease.known = false;
    return state_set_number(n->db, "lease_days", days, why);
}

enum err lease_info(struct node *n, unsigned *out_days, int64_t *out_until_ms, struct why *why)
{
    const struct lease *l = &n->lease;
    enum err e = follow(n, why);
    if (e != ERR_OK) return e;
    *out_days = l->days;
    *out_until_ms = l->contact == 0 ? 0 : wall(n) + l->days * DAY_MS - used(l);
    return ERR_OK;
}
