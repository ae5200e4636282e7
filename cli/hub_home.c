#include "cli/hub_home.h"

#include "cli/hub_role.h"
#include "cli/hub_turn.h"
#include "cli/secretin.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err hub_home_there(const struct cli *c, struct why *why)
{
    char key[1100];
    uint64_t size = 0;
    enum err e = path_join(key, sizeof key, c->home, "hub.key", why);
    if (e == ERR_OK && c->env->file_size(c->env->ctx, key, &size, NULL) == ERR_NOTFOUND) {
        (void)why_set(why, ERR_UNINIT, "There is no hub in this folder yet.");
        return why_next(why, ERR_UNINIT, "Make one: spoke-hub init --name NAME, or name its folder with --home.");
    }
    return e;
}

/* A store that several processes have open at once is had without waiting for a turn. */
static enum err is_shared(const struct cli *c, bool *out, struct why *why)
{
    const struct hub_place at = {.home = c->home, .store = c->store};
    struct buf url;
    buf_init(&url, 4096);
    enum err e = hub_place_store(c->env, &at, &url, why);
    *out = url.len > 0;
    buf_release(&url);
    return e;
}

/* patience: NULL, or what is asked when the store was not to be had (struct hub_opening). */
static enum err open_in_turn(struct cli *c, hub_turn_fn turn, bool (*patience)(void *), void *ctx, struct hub **out,
                             struct why *why)
{
    const struct hub_place at = {.home = c->home, .store = c->store};
    struct hub_opening how = {.turn = turn, .ctx = c, .again = patience, .again_ctx = ctx};
    struct secret pass = {0};
    bool shared = false;
    enum err e = hub_home_there(c, why);
    if (e == ERR_OK) e = is_shared(c, &shared, why);
    if (shared) how.turn = NULL;
    if (e == ERR_OK) e = secretin_passphrase(c, false, &pass, why);
    if (e == ERR_OK) e = hub_open_at(out, c->env, &at, bytes_of(pass.p, pass.n), &how, why);
    secret_release(&pass);
    return e;
}

/* A store that nobody has open may be one that a command is about to give back to its server. */
static enum err ask_nobody(void *ctx, struct hub_clock *clock, struct why *why)
{
    const struct cli *c = ctx;
    (void)clock;
    return hub_turn_nobody(c->home, why);
}

#define AGAIN_MS 1000 /* between two tries: also a database with too many connections says that it is busy, at once */

struct patience {
    const struct cli *c;
    bool said;
};

/* A server that is started while a command is at work, or, on PostgreSQL, while another server is at something long,
 * begins when that has ended: nobody has to start it once more. A signal ends it as any program. */
static bool wait_on(void *ctx)
{
    struct patience *p = ctx;
    if (!p->said && !cli_has(p->c, "quiet"))
        fprintf(stderr, "spoke-hub: Another program is at work with this hub's store. The server waits, and begins when that has ended.\n");
    p->said = true;
    (void)poll(NULL, 0, AGAIN_MS);
    return true;
}

enum err hub_home_open(struct cli *c, struct hub **out, struct why *why)
{
    struct patience patience = {.c = c};
    bool shared = false;
    enum err e = open_in_turn(c, ask_nobody, wait_on, &patience, out, why);
    if (e == ERR_BUSY) (void)is_shared(c, &shared, NULL); /* then others may be at work beside us: its own words say it */
    if (e == ERR_OK) {
        e = hub_role_check(c, *out, why);
        if (e == ERR_OK) return e;
        hub_close(*out);
        *out = NULL;
    }
    if (e == ERR_BUSY && !shared) {
        (void)why_set(why, e, "This hub is served already, or another command is at work with its store. Nothing was changed.");
        (void)why_next(why, e, "Stop the other server first, or wait until the command has finished.");
    }
    return e;
}

static enum err ask_turn(void *ctx, struct hub_clock *clock, struct why *why)
{
    struct cli *c = ctx;
    return hub_turn_ask(c->home, &c->hub_turn, clock, why);
}

static void give_turn(struct cli *c, const struct hub_clock *clock)
{
    hub_turn_give(c->hub_turn, clock);
    c->hub_turn = -1;
}

enum err hub_home_breathe(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_clock clock;
    if (c->hub_turn < 0) return ERR_OK;
    hub_clock_get(h, &clock);
    hub_pause(h);
    give_turn(c, &clock);
    enum err e = ask_turn(c, &clock, why);
    hub_clock_set(h, &clock);
    if (e == ERR_OK) e = hub_resume(h, why);
    if (e != ERR_BUSY) return e;
    (void)why_set(why, e,
                  "The policy is recorded, and partly carried out. Then the store could not be had again: another command is "
                  "at work with it, or the server of this hub hangs.");
    return why_next(why, e, "A server goes on with it by itself whenever a device comes. Or: spoke-hub policy continue");
}

/* What a command says while it has the store of a server waits in memory until that has it back: whoever reads it may
 * be slow, or stop reading. Not in a file: what is printed may be about a person. `stdout` is a variable of the C
 * library. */
struct held_back {
    FILE *real; /* NULL: nothing is held back */
    FILE *memory;
    char *text;
    size_t n;
};

static enum err hold_back(struct held_back *o, struct why *why)
{
    o->memory = open_memstream(&o->text, &o->n);
    if (o->memory == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to hold what is to be printed.");
    o->real = stdout;
    stdout = o->memory;
    return ERR_OK;
}

/* What could not be written then is found as ever, at the end of the program. */
static enum err let_go(struct held_back *o, enum err e, struct why *why)
{
    if (o->real == NULL) return e;
    stdout = o->real;
    bool whole = ferror(o->memory) == 0;
    if (fclose(o->memory) != 0) whole = false;
    if (whole && o->n > 0) (void)fwrite(o->text, 1, o->n, stdout);
    free(o->text);
    return whole || e != ERR_OK ? e : why_set(why, ERR_NOMEM, "There is not enough memory to hold what is to be printed.");
}

static void give_back(struct cli *c, struct hub *h)
{
    struct hub_clock clock;
    bool open = h != NULL;
    if (open) hub_clock_get(h, &clock);
    hub_close(h);
    give_turn(c, open ? &clock : NULL);
}

enum err hub_home_run(struct cli *c, enum err (*act)(struct cli *c, struct hub *h, struct why *why), struct why *why)
{
    struct hub *h = NULL;
    struct held_back said = {0};
    enum err e = open_in_turn(c, ask_turn, NULL, NULL, &h, why);
    if (e == ERR_OK) e = hub_role_check(c, h, why);
    if (e == ERR_OK && c->hub_turn >= 0) e = hold_back(&said, why);
    if (e == ERR_OK) e = act(c, h, why);
    give_back(c, h);
    return let_go(&said, e, why);
}

enum err hub_home_list(struct cli *c, struct hub *h, const char *sql, const struct show_column *cols, size_t n,
                       const char *none, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h), sql, &s, why);
    return e == ERR_OK ? show_list(c, s, cols, n, none, NULL, why) : e;
}

/* Digit k of the first and of the last id that begin like that. */
static void put_digit(uint8_t first[16], uint8_t last[16], size_t k, char c)
{
    unsigned digit = isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a') + 10;
    unsigned shift = k % 2 == 0 ? 4 : 0;
    first[k / 2] = (uint8_t)(first[k / 2] | digit << shift);
    last[k / 2] = (uint8_t)((last[k / 2] & ~(0xfu << shift)) | digit << shift);
}

enum err hub_home_pick(struct hub *h, const char *sql, const char *typed, const char *what, uint8_t out_id[16],
                       struct why *why)
{
    uint8_t first[16] = {0}, last[16];
    size_t k = 0;
    bool plain = true;
    memset(last, 0xff, sizeof last);
    for (const char *p = typed; *p != '\0' && plain; p++) {
        if (*p == '-' || *p == ' ') continue;
        plain = isxdigit((unsigned char)*p) && k < 32;
        if (plain) put_digit(first, last, k++, *p);
    }
    if (!plain || k < 8)
        return why_set(why, ERR_USAGE, "The id of a %s is typed as the list shows it, or its first 8 or more letters.",
                       what);
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h), sql, &s, why);
    if (e != ERR_OK) return e;
    uint8_t id[16] = {0};
    bool row = false;
    int n = 0;
    db_bind_id(s, 1, first);
    db_bind_id(s, 2, last);
    while (n < 2 && (e = db_step(s, &row, why)) == ERR_OK && row)
        if (n++ == 0) (void)db_id(s, 0, id);
    db_done(s);
    if (e != ERR_OK) return e;
    if (n == 0) return why_set(why, ERR_NOTFOUND, "There is no %s whose id begins like that.", what);
    if (n > 1) return why_set(why, ERR_USAGE, "Several ids begin like that. Type more of it.");
    memcpy(out_id, id, 16);
    return ERR_OK;
}

enum err hub_home_said(struct cli *c, const char *key, const char *value, const char *sentence, struct why *why)
{
    if (!c->json) {
        puts(sentence);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, key, value);
    return show_json(o, why);
}
