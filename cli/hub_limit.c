#include "cli/hub_limit.h"

#include <stdlib.h>
#include <string.h>

#define SETS 8192u /* a power of two */
#define WAYS 8u

struct bucket {
    double level;   /* tokens that are gone; 0: full, which says nothing and may be forgotten */
    int64_t at_ms;  /* when that was */
};
struct entry {
    uint8_t kid[16];
    struct bucket b;
    bool used, proven;
};
struct hub_limit {
    const struct env *env;
    struct hub_limit_rates rates;
    uint8_t salt[16]; /* whoever picks ids shall not pick where they lie */
    struct bucket enrol, nobody, door;
    struct entry sets[SETS][WAYS];
};

enum err hub_limit_new(struct hub_limit **out, const struct env *env, const struct hub_limit_rates *rates, struct why *why)
{
    struct hub_limit *l = calloc(1, sizeof *l);
    if (l == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    l->env = env;
    l->rates = *rates;
    env_random(env, l->salt, sizeof l->salt);
    *out = l;
    return ERR_OK;
}

void hub_limit_free(struct hub_limit *l)
{
    free(l);
}

/* --------------------------------------------------------------------------------------------------------- a bucket */

static void refill(struct bucket *b, const struct hub_rate *r, int64_t now_ms)
{
    int64_t past = now_ms - b->at_ms;
    if (past > 0) b->level -= r->per_second * (double)past / 1000;
    if (b->level < 0) b->level = 0;
    b->at_ms = now_ms;
}

static bool has_room(struct bucket *b, const struct hub_rate *r, int64_t now_ms, unsigned *out_wait_s)
{
    if (r->per_second <= 0) return true;
    refill(b, r, now_ms);
    double over = b->level + 1 - r->burst;
    if (over <= 0) return true;
    double wait = over / r->per_second;
    *out_wait_s = wait >= 3600 ? 3600 : (unsigned)wait + 1;
    return false;
}

static void take(struct bucket *b, const struct hub_rate *r, int64_t now_ms)
{
    refill(b, r, now_ms);
    if (b->level < r->burst) b->level += 1;
}

/* ---------------------------------------------------------------------------------------------------------- devices */

static size_t set_of(const struct hub_limit *l, const uint8_t kid[16])
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < 16; i++) h = ((h ^ kid[i]) + l->salt[(i + 8 * round) % 16]) * 0x100000001b3u ^ h >> 29;
    return (size_t)(h & (SETS - 1));
}

static struct entry *find(struct hub_limit *l, const uint8_t kid[16])
{
    struct entry *set = l->sets[set_of(l, kid)];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && memcmp(set[i].kid, kid, 16) == 0) return &set[i];
    return NULL;
}

/* What is forgotten: a free place, else a stranger's, else the fullest bucket. */
static bool rather(const struct entry *a, const struct entry *b)
{
    if (a->used != b->used) return !a->used;
    if (a->proven != b->proven) return !a->proven;
    return a->b.level < b->b.level;
}

/* NULL: nobody who has not proved anything takes the place of a device that has. */
static struct entry *find_or_make(struct hub_limit *l, const uint8_t kid[16], bool proven, int64_t now_ms)
{
    struct entry *set = l->sets[set_of(l, kid)], *e = find(l, kid), *victim = &set[0];
    if (e != NULL) return e;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used) refill(&set[i].b, &l->rates.device, now_ms);
        if (rather(&set[i], victim)) victim = &set[i];
    }
    if (victim->proven && !proven) return NULL;
    *victim = (struct entry){.used = true, .proven = proven, .b.at_ms = now_ms};
    memcpy(victim->kid, kid, 16);
    return victim;
}

bool hub_limit_device(struct hub_limit *l, const uint8_t kid[16], unsigned *out_wait_s)
{
    if (l == NULL) return true;
    int64_t now = env_steady(l->env);
    struct entry *e = find(l, kid);
    if (e == NULL || !e->proven)
        if (!has_room(&l->nobody, &l->rates.nobody, now, out_wait_s)) return false;
    if (l->rates.device.per_second <= 0) return true;
    e = find_or_make(l, kid, false, now);
    if (e == NULL) return true;
    if (!has_room(&e->b, &l->rates.device, now, out_wait_s)) return false;
    take(&e->b, &l->rates.device, now);
    return true;
}

void hub_limit_was(struct hub_limit *l, const uint8_t kid[16], bool good)
{
    if (l == NULL) return;
    int64_t now = env_steady(l->env);
    unsigned wait_s = 0;
    struct entry *e = good ? find_or_make(l, kid, true, now) : find(l, kid);
    if (good) {
        e->proven = true;
        return;
    }
    /* Whose id was claimed pays for it only where strangers have used up what is theirs. */
    if (e != NULL && e->b.level >= 1 && has_room(&l->nobody, &l->rates.nobody, now, &wait_s)) e->b.level -= 1;
    take(&l->nobody, &l->rates.nobody, now);
}

/* ------------------------------------------------------------------------------------------------------------ doors */

bool hub_limit_door(struct hub_limit *l, unsigned *out_wait_s)
{
    if (l == NULL) return true;
    int64_t now = env_steady(l->env);
    if (!has_room(&l->nobody, &l->rates.nobody, now, out_wait_s) || !has_room(&l->door, &l->rates.door, now, out_wait_s)) return false;
    take(&l->door, &l->rates.door, now);
    return true;
}

void hub_limit_door_was(struct hub_limit *l, bool good)
{
    if (l != NULL && !good) take(&l->nobody, &l->rates.nobody, env_steady(l->env));
}

/* ------------------------------------------------------------------------------------------------------- enrolments */

bool hub_limit_enrol(struct hub_limit *l, unsigned *out_wait_s)
{
    return l == NULL || has_room(&l->enrol, &l->rates.enrol, env_steady(l->env), out_wait_s);
}

void hub_limit_enrol_was(struct hub_limit *l, bool good)
{
    if (l != NULL && !good) take(&l->enrol, &l->rates.enrol, env_steady(l->env));
}

/* --------------------------------------------------------------------------------------------------------- settings */

/* Digits with at most one point: no sign, no exponent, nothing that a locale reads otherwise. */
static bool plain(const char *s, const char **out_end, double *out)
{
    double v = 0, unit = 1;
    bool point = false, digit = false;
    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        digit = true;
        if (point) unit /= 10;
        v = point ? v + unit * (*s - '0') : v * 10 + (*s - '0');
        if (v > 1e6) return false;
    }
    *out_end = s;
    *out = v;
    return digit;
}

enum err hub_rate_read(const char *text, struct hub_rate *out, struct why *why)
{
    struct hub_rate r = {0};
    const char *end = NULL;
    bool good = plain(text, &end, &r.per_second);
    r.burst = r.per_second * 10 < 1 ? 1 : r.per_second * 10;
    if (good && *end == '/') good = plain(end + 1, &end, &r.burst) && r.burst >= 1;
    if (!good || *end != '\0')
        return why_set(why, ERR_USAGE, "A rate is a number a second, like 20 or 0.5, or with what may come at once: 20/400. 0: no limit.");
    *out = r;
    return ERR_OK;
}
