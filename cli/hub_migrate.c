/* spoke-hub migrate: the hub's store moves from a file to PostgreSQL, or back. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_pipe.h"
#include "cli/hub_turn.h"
#include "cli/secretin.h"
#include "hub/move.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct moving {
    struct cli *c;
    bool from_file; /* then a server beside us has to give it up */
};

static enum err ask_turn(void *ctx, struct hub_clock *clock, struct why *why)
{
    struct moving *m = ctx;
    return m->from_file ? hub_turn_ask(m->c->home, &m->c->hub_turn, clock, why) : ERR_OK;
}

/* Nobody may have the file open into which it is moved: it may be an old store that is removed. */
static enum err nobody_serves_file(struct cli *c, bool to_file, struct why *why)
{
    return to_file ? hub_turn_nobody(c->home, why) : ERR_OK;
}

static enum err say(struct cli *c, const char *to, const struct dump_sum *sum, struct why *why)
{
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "store", to);
        json_set_int(o, "tables", (int64_t)sum->n);
        json_set_int(o, "rows", (int64_t)sum->rows);
        return show_json(o, why);
    }
    printf("Moved %" PRIu64 " rows of %zu tables, read them again, and they are the same.\n", sum->rows, sum->n);
    printf(
        "The hub's store is now %s; its folder remembers that. The old one is marked, and nothing opens it any more.\n",
        to);
    puts("Start the server again. Make a backup now; the old store can be deleted when you have one.");
    return ERR_OK;
}

static enum err run_migrate(struct cli *c, struct why *why)
{
    const char *from = NULL, *to = NULL;
    struct secret pass = {0};
    struct dump_sum sum;
    const struct hub_pipe pipe = hub_pipe();
    enum err e = cli_need(c, "from", &from, why);
    if (e == ERR_OK) e = cli_need(c, "to", &to, why);
    if (e != ERR_OK) return e;
    struct moving m = {.c = c, .from_file = strcmp(from, "sqlite:") == 0};
    e = hub_home_there(c, why);
    if (e == ERR_OK) e = nobody_serves_file(c, strcmp(to, "sqlite:") == 0, why);
    if (e == ERR_OK) e = secretin_passphrase(c, false, &pass, why);
    if (e == ERR_OK)
        e = hub_move(c->env, &(struct hub_place){c->home, from}, &(struct hub_place){c->home, to},
                     bytes_of(pass.p, pass.n), ask_turn, &m, &pipe, &sum, why);
    secret_release(&pass);
    hub_turn_give(c->hub_turn, NULL);
    c->hub_turn = -1;
    return e == ERR_OK ? say(c, to, &sum, why) : e;
}

static const struct flag migrate_flags[] = {
    {"from", "STORE", "where the hub's store is: sqlite: (the file in its folder) or postgres://…"},
    {"to", "STORE", "where it is to be"},
    {0}};

const struct command hub_migrate_commands[] = {
    {"migrate", "", 0, 0,
     "Move the hub's store to PostgreSQL, or back to a file, and prove that it is the same there row by row. Devices "
     "wait meanwhile, and lose nothing. A server that runs beside it ends when the store has moved: start it again. "
     "The old store stays, marked so that nothing opens it any more; when it was cut off, give the same command again.",
     "spoke-hub migrate --from sqlite: --to 'postgres://hub@db.example/spoke?schema=north'", migrate_flags,
     run_migrate},
    {0}};
