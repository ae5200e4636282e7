/* Homes: made once a process as a template, copied for every world. */
#include "crypto/keyslot_internal.h"
#include "tests/lib/sim.h"

#include <ftw.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START 1760000000000

const struct sim_place sim_places[SIM_PLACES] = {
    {"care", "social_care", "care-mash", "mash", "north"},  {"care2", "social_care", "south-mash", "mash", "south"},
    {"prob", "probation", "prob-office", "partner", NULL},  {"health", "health", "gp", "partner", "north"},
    {"health", "health", "ward", "partner", "south"},       {"police", "police", "station", "partner", NULL},
    {"care", "social_care", "night", "out_of_hours", NULL}, {"care", "social_care", "desk", "partner", NULL},
};
const char *const sim_agencies[SIM_AGENCIES] = {"care", "care2", "prob", "health", "police"};
/* Two devices at gp; the last, a second one at the probation office, comes later. */
static const int place_of[SIM_NODES] = {0, 1, 2, 3, 4, 5, 6, 3, 7, 2};
#define LATE (SIM_NODES - 1)

struct bytes sim_passphrase(void)
{
    return bytes_of_str("a passphrase for a small world");
}

static void check(enum err e, const char *what, const struct why *why)
{
    if (e != ERR_OK) fail_msg("%s: %s: %s", what, err_word(e), why->text);
}

/* ---- the world outside ---- */

/* Keys and names that libsodium draws must come from the seed too, or no world could be played again. libsodium takes
 * functions without a context, so this one state is global. */
static uint64_t drawn_from;

static void even_draw(void *out, size_t n)
{
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = drawn_from += 0x9E3779B97F4A7C15u;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        p[i] = (uint8_t)((x ^ x >> 27) >> 24);
    }
}

static uint32_t even_word(void)
{
    uint32_t out;
    even_draw(&out, sizeof out);
    return out;
}

static const char *even_name(void)
{
    return "from the seed of a test";
}

static struct randombytes_implementation even_random = {
    .implementation_name = even_name, .random = even_word, .buf = even_draw};

static int64_t outside_now(void *ctx)
{
    const struct sim_outside *o = ctx;
    return *o->clock + o->skew;
}

static void outside_random(void *ctx, void *out, size_t n)
{
    struct sim_outside *o = ctx;
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = o->rng += 0x9E3779B97F4A7C15u;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
        p[i] = (uint8_t)((x ^ x >> 27) >> 24);
        memmove(o->drawn, o->drawn + 1, sizeof o->drawn - 1);
        o->drawn[sizeof o->drawn - 1] = p[i];
    }
}

struct again { /* the randomness of keyslot_create once more */
    const uint8_t *drawn;
    size_t at;
    const char *path;
};

static void again_random(void *ctx, void *out, size_t n)
{
    struct again *a = ctx;
    assert_true(a->at + n <= sizeof((struct sim_outside *)0)->drawn);
    memcpy(out, a->drawn + a->at, n);
    a->at += n;
}

static enum err no_file(void *ctx, const char *path, uint64_t *out_size, struct why *why)
{
    (void)ctx, (void)path, (void)out_size;
    return why_set(why, ERR_NOTFOUND, "not there");
}

static bool is_full(struct sim_outside *o)
{
    return o->full_after > 0 && --o->full_after == 0;
}

static enum err outside_append(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                               struct why *why)
{
    if (is_full(ctx)) return why_set(why, ERR_FULL, "the disk is full");
    return env_posix()->append_file(NULL, path, offset, content, sync, why);
}

/* Argon2id at the real cost would be most of the time of a test: a key file is replaced by one with the same keys that
 * opens quickly. */
static enum err outside_write(void *ctx, const char *path, struct bytes content, struct why *why)
{
    struct sim_outside *o = ctx;
    if (is_full(o)) return why_set(why, ERR_FULL, "the disk is full");
    if (content.n != KEYFILE_BYTES || memcmp(content.p, "SPKK", 4) != 0)
        return env_posix()->write_file(NULL, path, content, why);
    struct again a = {.drawn = o->drawn, .path = path};
    struct env replay = *env_posix();
    struct secret key = {0};
    replay.ctx = &a;
    replay.random = again_random;
    replay.file_size = no_file;
    enum err e = keyslot_create_cost(&replay, path, sim_passphrase(), (struct keyslot_cost){1, 8}, &key, why);
    secret_release(&key);
    return e;
}

static void outside_init(struct sim_outside *o, const int64_t *clock, uint64_t seed)
{
    *o = (struct sim_outside){.env = *env_posix(), .clock = clock, .rng = seed};
    o->env.ctx = o;
    o->env.now_ms = outside_now;
    o->env.random = outside_random;
    o->env.write_file = outside_write;
    o->env.append_file = outside_append;
}

/* ---- template ---- */
static void enrol(struct hub *h, struct sim_node *n)
{
    struct why why = {0};
    struct buf code, request, answer;
    struct invitation invitation;
    uint8_t keys[PUBLIC_BYTES];
    char user[32];
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(h), keys);
    (void)snprintf(user, sizeof user, "Person %s", n->place->site);
    check(hub_invite(h, n->place->site, "http://127.0.0.1:1", 3600000, &code, &why), "invite", &why);
    check(invitation_get(buf_bytes(&code), &invitation, &why), "read the invitation", &why);
    check(node_enrol_begin(&n->out.env, n->home, sim_passphrase(), &invitation, bytes_of(keys, sizeof keys), user,
                           &request, &why),
          "begin to enrol", &why);
    check(hub_enrol(h, buf_bytes(&request), &answer, &why), "enrol at the hub", &why);
    check(node_enrol_finish(&n->out.env, n->home, sim_passphrase(), buf_bytes(&answer), &why), "finish to enrol", &why);
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

static void fill_hub(struct hub *h)
{
    struct why why = {0};
    uint8_t id[16];
    char user[32];
    for (size_t i = 0; i < SIM_PLACES; i++) {
        const struct sim_place *p = &sim_places[i];
        struct hub_site site = {p->site, p->agency, p->site, p->site_kind, NULL, &p->area, p->area != NULL ? 1 : 0};
        enum err e = hub_add_agency(h, p->agency, p->agency, p->kind, &why);
        if (e != ERR_EXISTS) check(e, "agency", &why);
        check(hub_add_site(h, &site, &why), "site", &why);
        (void)snprintf(user, sizeof user, "Person %s", p->site);
        check(hub_add_practitioner(h, p->site, user, NULL, id, &why), "practitioner", &why);
        if (strcmp(p->site_kind, "mash") == 0) {
            check(hub_add_duty(h, id, p->area, "manager", &why), "duty", &why);
            check(hub_add_duty(h, id, p->area, "social_care", &why), "duty", &why);
        }
    }
}

static void home_of(char *out, size_t n, const char *dir, int no)
{
    (void)snprintf(out, n, "%s/node%d", dir, no);
}

void sim_template(const char *dir)
{
    struct why why = {0};
    int64_t clock = START;
    struct sim_outside out;
    struct hub *h = NULL;
    char home[300];
    outside_init(&out, &clock, 1);
    drawn_from = 1;
    assert_int_equal(randombytes_set_implementation(&even_random), 0);
    check(secret_start(&why), "start", &why);
    (void)snprintf(home, sizeof home, "%s/hub", dir);
    check(hub_init(&out.env, home, "A small MASH", sim_passphrase(), &why), "make the hub", &why);
    check(hub_open(&h, &out.env, home, sim_passphrase(), &why), "open the hub", &why);
    fill_hub(h);
    for (int i = 0; i < (int)LATE; i++) {
        struct sim_node n = {.no = i, .place = &sim_places[place_of[i]]};
        outside_init(&n.out, &clock, 100 + (uint64_t)i);
        home_of(n.home, sizeof n.home, dir, i);
        enrol(h, &n);
    }
    hub_close(h);
}

/* ---- one world ---- */
static void copy_homes(const struct sim *s, const char *template_dir)
{
    struct buf line;
    buf_init(&line, 1u << 16);
    buf_printf(&line, "mkdir '%s' && cp -R '%s/hub'", s->dir, template_dir);
    for (int i = 0; i < (int)LATE; i++)
        if (s->nodes[i].there) buf_printf(&line, " '%s/node%d'", template_dir, i);
    buf_printf(&line, " '%s'", s->dir);
    if (system(buf_cstr(&line)) != 0) fail_msg("the template could not be copied to %s", s->dir);
    buf_release(&line);
}

static void open_node(struct sim *s, struct sim_node *n)
{
    struct why why = {0};
    struct node_info *info = calloc(1, sizeof *info);
    sim_must(s, node_open(&n->n, &n->out.env, n->home, sim_passphrase(), &why), "open a node", &why);
    sim_must(s, node_get_info(n->n, info, &why), "ask a node", &why);
    memcpy(n->user, info->user, 16);
    memcpy(n->kid, info->self.kid, 16);
    free(info);
}

static void node_init(struct sim *s, struct sim_node *n, int no)
{
    n->no = no;
    char dir[sizeof s->dir];
    n->place = &sim_places[place_of[no]];
    memcpy(dir, s->dir, sizeof dir); /* gcc cannot tell that n->home does not overlap it */
    home_of(n->home, sizeof n->home, dir, no);
    outside_init(&n->out, &s->clock, s->seed * 1000 + 10 + (uint64_t)no);
    if (sim_chance(s, 40)) n->out.skew = (int64_t)sim_random(s, 4 * 3600000) - 2 * 3600000;
    buf_init(&n->request, SIM_BUNDLE);
    buf_init(&n->answer, SIM_BUNDLE);
    buf_init(&n->old_request, SIM_BUNDLE);
    buf_init(&n->old_answer, SIM_BUNDLE);
}

struct sim *sim_new(const char *template_dir, const char *dir, uint64_t seed)
{
    struct why why = {0};
    struct sim *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->seed = seed;
    drawn_from = seed;
    s->rng = seed * 0x9E3779B97F4A7C15u + 7;
    s->clock = START + 60000;
    (void)snprintf(s->dir, sizeof s->dir, "%s", dir);
    (void)snprintf(s->hub_home, sizeof s->hub_home, "%s/hub", dir);
    buf_init(&s->trace, 64u << 20);
    outside_init(&s->out, &s->clock, seed * 1000 + 1);
    unsigned many = 3 + (unsigned)sim_random(s, 4);
    for (int i = 0; i < (int)SIM_NODES; i++) node_init(s, &s->nodes[i], i);
    s->crowded = sim_chance(s, 70);
    s->nodes[0].there = true;
    for (unsigned i = 0; i < many;) {
        struct sim_node *n = &s->nodes[1 + sim_random(s, SIM_NODES - 1)];
        i += n->there ? 0 : 1;
        n->there = true;
    }
    copy_homes(s, template_dir);
    sim_must(s, hub_open(&s->hub, &s->out.env, s->hub_home, sim_passphrase(), &why), "open the hub", &why);
    for (int i = 0; i < (int)LATE; i++)
        if (s->nodes[i].there) open_node(s, &s->nodes[i]);
    s->nodes[LATE].late = s->nodes[LATE].there;
    return s;
}

void sim_enrol_late(struct sim *s, struct sim_node *n)
{
    sim_note(s, "node %d (%s) is enrolled", n->no, n->place->site);
    enrol(s->hub, n);
    open_node(s, n);
    n->late = false;
}

void sim_restart_hub(struct sim *s)
{
    struct why why = {0};
    sim_note(s, "the hub restarts");
    hub_close(s->hub);
    s->hub = NULL;
    sim_must(s, hub_open(&s->hub, &s->out.env, s->hub_home, sim_passphrase(), &why), "open the hub again", &why);
}

void sim_restart_node(struct sim *s, struct sim_node *n)
{
    sim_note(s, "node %d restarts", n->no);
    node_close(n->n);
    n->n = NULL;
    open_node(s, n);
}

static int forget(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void sim_remove(const char *dir)
{
    (void)nftw(dir, forget, 16, FTW_DEPTH | FTW_PHYS);
}

void sim_free(struct sim *s)
{
    for (size_t i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &s->nodes[i];
        if (n->n != NULL) node_close(n->n);
        buf_release(&n->request);
        buf_release(&n->answer);
        buf_release(&n->old_request);
        buf_release(&n->old_answer);
        sim_ids_clear(&n->allowed);
        sim_ids_clear(&n->own);
    }
    hub_close(s->hub);
    for (size_t i = 0; i < s->n_ops; i++) {
        free(s->ops[i].value);
        free(s->ops[i].saw);
    }
    free(s->ops);
    buf_release(&s->trace);
    sim_remove(s->dir);
    free(s);
}
