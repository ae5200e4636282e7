#include "cli/hub_home.h"

#include "cli/hub_turn.h"
#include "cli/secretin.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum err open_in_turn(struct cli *c, hub_turn_fn turn, struct hub **out, struct why *why)
{
    struct secret pass = {0};
    char key[1100];
    uint64_t size = 0;
    enum err e = path_join(key, sizeof key, c->home, "hub.key", why);
    if (e == ERR_OK && c->env->file_size(c->env->ctx, key, &size, NULL) == ERR_NOTFOUND) {
        (void)why_set(why, ERR_UNINIT, "There is no hub in this folder yet.");
        return why_next(why, ERR_UNINIT, "Make one: spoke-hub init --name NAME, or name its folder with --home.");
    }
    if (e == ERR_OK) e = secretin_passphrase(c, false, &pass, why);
    if (e == ERR_OK) e = hub_open_in_turn(out, c->env, c->home, bytes_of(pass.p, pass.n), turn, c, why);
    secret_release(&pass);
    return e;
}

enum err hub_home_open(struct cli *c, struct hub **out, struct why *why)
{
    enum err e = open_in_turn(c, NULL, out, why);
    if (e == ERR_BUSY) {
        (void)why_set(why, e, "This hub is served already, or another command is at work with its store. Nothing was changed.");
        (void)why_next(why, e, "Stop the other server first, or wait until the command has finished.");
    }
    return e;
}

static enum err ask_turn(void *ctx, struct why *why)
{
    struct cli *c = ctx;
    return hub_turn_ask(c->home, &c->hub_turn, why);
}

static void give_turn(struct cli *c)
{
    if (c->hub_turn >= 0) (void)close(c->hub_turn);
    c->hub_turn = -1;
}

enum err hub_home_breathe(struct cli *c, struct hub *h, struct why *why)
{
    if (c->hub_turn < 0) return ERR_OK;
    hub_pause(h);
    give_turn(c);
    enum err e = ask_turn(c, why);
    return e == ERR_OK ? hub_resume(h, why) : e;
}

enum err hub_home_run(struct cli *c, enum err (*act)(struct cli *c, struct hub *h, struct why *why), struct why *why)
{
    struct hub *h = NULL;
    enum err e = open_in_turn(c, ask_turn, &h, why);
    if (e == ERR_OK) e = act(c, h, why);
    hub_close(h);
    give_turn(c);
    return e;
}

enum err hub_home_list(struct cli *c, struct hub *h, const char *sql, const struct show_column *cols, size_t n,
                       const char *none, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h), sql, &s, why);
    return e == ERR_OK ? show_list(c, s, cols, n, none, NULL, why) : e;
}

enum err hub_home_pick(struct hub *h, const char *sql, const char *typed, const char *what, uint8_t out_id[16],
                       struct why *why)
{
    char hex[33];
    size_t k = 0;
    bool plain = true;
    for (const char *p = typed; *p != '\0' && plain; p++) {
        if (*p == '-' || *p == ' ') continue;
        plain = isxdigit((unsigned char)*p) && k < 32;
        if (plain) hex[k++] = (char)toupper((unsigned char)*p);
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
    db_bind_text(s, 1, bytes_of(hex, k));
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
