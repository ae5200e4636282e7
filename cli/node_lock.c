/* unlock, lock: a device that stays open for a while; rekey: new keys for all of it. */
#include "cli/node_agent.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/secretin.h"
#include "cli/serve_gate.h"

#include <stdlib.h>

#define MINUTE_MS 60000

static enum err idle_of(const struct cli *c, int64_t *out_ms, struct why *why)
{
    const char *text = cli_flag(c, "idle");
    char *end = NULL;
    long minutes = text != NULL ? strtol(text, &end, 10) : NODE_AGENT_IDLE_MINUTES;
    if (text != NULL && (*text == '\0' || *end != '\0' || minutes < 1 || minutes > NODE_AGENT_IDLE_MINUTES_MAX))
        return why_set(why, ERR_USAGE, "--idle takes a number of minutes, at most %d.", NODE_AGENT_IDLE_MINUTES_MAX);
    *out_ms = minutes * MINUTE_MS;
    return ERR_OK;
}

static enum err say_unlocked(struct cli *c, int64_t idle_ms, struct why *why)
{
    char t[64];
    if (!c->json) {
        show_span(idle_ms, t, sizeof t);
        printf(
            "Unlocked. It locks by itself when nothing is done for %s, and when this computer sleeps. When you leave, type: "
            "spoke lock\n",
            t);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_bool(o, "unlocked", true);
    json_set_int(o, "idle_minutes", idle_ms / MINUTE_MS);
    show_rfc3339(env_now(c->env) + idle_ms, t, sizeof t);
    json_set_str(o, "unlocked_until", t);
    return show_json(o, why);
}

static enum err run_unlock(struct cli *c, struct why *why)
{
    struct secret pass = {0};
    struct keyring ring = {0};
    int64_t idle_ms = 0;
    enum err e = idle_of(c, &idle_ms, why);
    if (e == ERR_OK) e = work_has_home(c, why);
    if (e == ERR_OK) e = secretin_passphrase(c, false, &pass, why);
    if (e == ERR_OK) e = node_unlock(c->env, c->home, bytes_of(pass.p, pass.n), &ring, why);
    secret_release(&pass); /* before the agent is made, which would have a copy of it */
    if (e == ERR_OK) e = node_agent_start(c->home, &ring, idle_ms, why);
    keyring_release(&ring);
    return e == ERR_OK ? say_unlocked(c, idle_ms, why) : e;
}

static enum err run_lock(struct cli *c, struct why *why)
{
    bool was = false, pages = false;
    enum err e = node_agent_lock(c->home, &was, why);
    enum err e_pages = serve_gate_lock(c->home, &pages, e == ERR_OK ? why : NULL); /* whatever became of the other */
    if (e == ERR_OK) e = e_pages;
    if (e != ERR_OK) return e;
    was = was || pages;
    if (!c->json) {
        puts(was ? "Locked. The next command asks for the passphrase." : "It was locked already.");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_bool(o, "was_unlocked", was);
    return show_json(o, why);
}

/* ------------------------------------------------------------------------------------------------------- rekey */
/* Whoever unlocked it goes on working; anybody else's keys are worth nothing now. */
static enum err unlock_again(struct work *w, const struct keyring *ring, bool *out_locked, struct why *why)
{
    struct node_agent_state s = {0};
    bool was = false;
    *out_locked = false;
    if (w->unlocked && node_agent_state(w->c->home, &s, NULL) == ERR_OK)
        return node_agent_start(w->c->home, ring, s.idle_ms, why);
    enum err e = node_agent_lock(w->c->home, &was, why);
    *out_locked = was;
    return e;
}

static enum err do_rekey(struct work *w, struct why *why)
{
    struct keyring ring = {0};
    bool locked = false;
    enum err e = node_rekey(w->node, &ring, why);
    w->node = NULL; /* closed in any case */
    w->db = NULL;
    if (e != ERR_OK) return e;
    uint32_t generation = ring.generation;
    e = unlock_again(w, &ring, &locked, why);
    keyring_release(&ring);
    if (e != ERR_OK) {
        struct why said = *why;
        (void)why_set(why, e, "Everything on this device has new keys. But: %s", said.text);
        return why_next(why, e, "%s", said.next);
    }
    if (!w->c->json) {
        puts(
            "Everything on this device has new keys. Whoever was removed before, and whoever has an old copy of the key file, "
            "cannot open what is here from now on. Everybody's passphrase and the recovery code go on working: if somebody who was "
            "removed has seen that code, make another (spoke user recovery-code) and type spoke rekey once more.");
        if (locked) puts("It was unlocked, and is locked now: type spoke unlock.");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "generation", generation);
    json_set_bool(o, "locked", locked);
    return show_json(o, why);
}
static enum err run_rekey(struct cli *c, struct why *why)
{
    return work_read(c, do_rekey, why);
}

static const struct flag unlock_flags[] = {
    {"idle", "MINUTES", "lock it when nothing is done for so long (default: 15, at most 720)"}, {0}};

const struct command node_lock_commands[] = {
    {"unlock", "", 0, 0,
     "Keep this device open, so that the next commands do not ask for your passphrase. It locks by itself when nothing is done "
     "for a while, and when the computer sleeps. Everything you do is noted under your name.",
     "spoke unlock --idle 30", unlock_flags, run_unlock},
    {"lock", "", 0, 0, "Close this device again: the next command asks for a passphrase. Do it whenever you leave.",
     "spoke lock", NULL, run_lock},
    {"rekey", "", 0, 0,
     "Give everything on this device new keys. That, not removing a person, is what shuts out somebody who has a copy of the key "
     "file as it was. Nobody's passphrase changes. Takes a moment for each hundred megabytes.",
     "spoke rekey", NULL, run_rekey},
    {0}};
