/* user: who can open this device, each with a passphrase of their own. */
#include "cli/confirm.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "cli/secretin.h"

#include <ctype.h>
#include <string.h>

struct person {
    uint8_t id[16];
    char name[128];
    bool self;
};

/* ------------------------------------------------------------------------------------------------------- picking */
/* The hex digits of an id or its beginning, 8 at least; false: it is a name. */
static bool as_hex(const char *typed, char out[33])
{
    size_t k = 0;
    for (const char *p = typed; *p != '\0'; p++) {
        if (*p == '-') continue;
        if (!isxdigit((unsigned char)*p) || k == 32) return false;
        out[k++] = (char)tolower((unsigned char)*p);
    }
    out[k] = '\0';
    return k >= 8;
}

static bool is_meant(const char *typed, const uint8_t id[16], const char *name)
{
    char hex[33], whole[33];
    if (strcmp(typed, name) == 0) return true;
    hex_encode(whole, id, 16);
    return as_hex(typed, hex) && strncmp(whole, hex, strlen(hex)) == 0;
}

/* One of those who are asked about one by one. */
struct pick {
    const char *typed; /* NULL: whoever has it open */
    struct person found;
    size_t n;
};

static void consider(struct pick *p, const uint8_t id[16], const char *name, bool self)
{
    if (p->typed != NULL ? !is_meant(p->typed, id, name) : !self) return;
    if (p->n++ > 0) return;
    memcpy(p->found.id, id, 16);
    (void)snprintf(p->found.name, sizeof p->found.name, "%s", name);
    p->found.self = self;
}

static enum err picked(const struct pick *p, struct person *out, struct why *why)
{
    if (p->n > 1) {
        (void)why_set(why, ERR_USAGE, "Several people are called so, or have an id that begins so.");
        return why_next(why, ERR_USAGE, "Type more of the id, as spoke user list or the MASH has it.");
    }
    *out = p->found;
    return p->n == 1 ? ERR_OK : ERR_NOTFOUND;
}

static enum err consider_person(void *ctx, const struct node_person *p, struct why *why)
{
    static const uint8_t nobody[16];
    (void)why;
    if (memcmp(p->id, nobody, sizeof nobody) != 0) consider(ctx, p->id, p->name, p->self);
    return ERR_OK;
}

/* Somebody who has a passphrase here. */
static enum err pick_person(struct work *w, const char *typed, struct person *out, struct why *why)
{
    struct pick p = {.typed = typed};
    enum err e = node_people(w->node, consider_person, &p, why);
    if (e == ERR_OK) e = picked(&p, out, why);
    if (e != ERR_NOTFOUND) return e;
    (void)why_set(why, e, "Nobody of that name or id has a passphrase on this device.");
    return why_next(why, e, "See who has: spoke user list");
}

/* Somebody whom the hub has at this site. */
static enum err pick_practitioner(struct work *w, const char *typed, struct person *out, struct why *why)
{
    struct pick p = {.typed = typed};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        w->db, "SELECT id, name FROM practitioner WHERE site = $1 AND active IS NOT 0 ORDER BY name, id", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, w->info.site);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t id[16];
        char name[128];
        struct bytes v = db_bytes(s, 1);
        (void)snprintf(name, sizeof name, "%.*s", (int)v.n, (const char *)v.p);
        if (db_id(s, 0, id)) consider(&p, id, name, false);
    }
    db_done(s);
    if (e == ERR_OK) e = picked(&p, out, why);
    if (e != ERR_NOTFOUND) return e;
    (void)why_set(why, e, "The MASH has nobody of that name or id at this site (%s).", w->info.site);
    return why_next(why, e, "Ask its administrator: spoke-hub practitioner add %s NAME. Then type: spoke sync",
                    w->info.site);
}

/* --------------------------------------------------------------------------------------------------------- words */
static enum err say(struct work *w, const struct person *p, const char *sentence, struct why *why)
{
    char text[140];
    if (!w->c->json) {
        plain_text(text, sizeof text, bytes_of_str(p->name));
        printf("%s %s\n", text, sentence);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    uuid_format(p->id, text);
    json_set_str(o, "id", text);
    json_set_str(o, "name", p->name);
    return show_json(o, why);
}

static enum err new_passphrase(const struct cli *c, struct secret *out, struct why *why)
{
    static const struct secretin from = {"new-passphrase-file", "new-passphrase-fd", "New passphrase", true};
    return secretin_read(c, &from, out, why);
}

/* ------------------------------------------------------------------------------------------------------ commands */
static enum err do_add(struct work *w, struct why *why)
{
    struct person p;
    struct secret pass = {0};
    enum err e = pick_practitioner(w, w->c->args[0], &p, why);
    if (e == ERR_OK) e = new_passphrase(w->c, &pass, why);
    if (e == ERR_OK) e = node_person_add(w->node, p.id, bytes_of(pass.p, pass.n), why);
    secret_release(&pass);
    return e == ERR_OK
               ? say(w, &p,
                     "can open this device now, with a passphrase of their own. What they do is noted under their "
                     "name.",
                     why)
               : e;
}
static enum err run_add(struct cli *c, struct why *why)
{
    return work_afresh(c, do_add, why);
}

struct listing {
    struct json *array; /* NULL: as text */
};

static enum err list_one(void *ctx, const struct node_person *p, struct why *why)
{
    static const uint8_t nobody[16];
    struct listing *l = ctx;
    char t[64] = "", id[37] = "", name[160];
    bool known = memcmp(p->id, nobody, sizeof nobody) != 0;
    (void)why;
    if (known) uuid_format(p->id, id);
    if (l->array == NULL) {
        plain_text(name, sizeof name, bytes_of_str(known ? p->name : "(nobody is noted for this passphrase)"));
        if (p->added_ms != 0) show_time(p->added_ms, t, sizeof t);
        printf("%-30s %-22s %s%s\n", name, t, id, p->self ? "  (you)" : "");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    show_rfc3339(p->added_ms, t, sizeof t);
    json_set_str(o, "id", known ? id : NULL);
    json_set_str(o, "name", known ? p->name : NULL);
    json_set_str(o, "added_at", p->added_ms != 0 ? t : NULL);
    json_set_bool(o, "self", p->self);
    json_append(l->array, o);
    return ERR_OK;
}

static enum err do_list(struct work *w, struct why *why)
{
    struct listing l = {.array = w->c->json ? json_array_new() : NULL};
    enum err e = node_people(w->node, list_one, &l, why);
    if (e == ERR_OK && w->c->json) return show_json(l.array, why);
    json_free(l.array);
    return e;
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

#define SHUTS_OUT                                                                                                       \
    "Their passphrase is worth nothing here any more. But with a copy of the key file from before it still opens what " \
    "lies here: only 'spoke rekey' shuts that out. If they have seen the recovery code, make another one first: "        \
    "spoke user recovery-code."

static enum err ask_to_remove(const struct cli *c, const struct person *p, struct why *why)
{
    char name[140], question[400];
    plain_text(name, sizeof name, bytes_of_str(p->name));
    (void)snprintf(question, sizeof question,
                   "Take %s passphrase on this device away from %s? What they wrote stays. Type yes:",
                   p->self ? "your own" : "the", name);
    enum err e = confirm_yes(c, question, "Nothing was changed.", why);
    return e == ERR_USAGE ? why_next(why, e, "Type the command again with --yes.") : e;
}

static enum err do_remove(struct work *w, struct why *why)
{
    struct person p;
    enum err e = pick_person(w, w->c->args[0], &p, why);
    if (e == ERR_OK) e = ask_to_remove(w->c, &p, why);
    if (e == ERR_OK) e = node_person_remove(w->node, p.id, why);
    return e == ERR_OK ? say(w, &p, "cannot open this device any more. " SHUTS_OUT, why) : e;
}
static enum err run_remove(struct cli *c, struct why *why)
{
    return work_afresh(c, do_remove, why);
}

static enum err do_passwd(struct work *w, struct why *why)
{
    struct person p;
    struct secret pass = {0};
    enum err e = pick_person(w, w->c->n_args > 0 ? w->c->args[0] : NULL, &p, why);
    if (e == ERR_OK) e = new_passphrase(w->c, &pass, why);
    if (e == ERR_OK) e = node_person_passphrase(w->node, p.id, bytes_of(pass.p, pass.n), why);
    secret_release(&pass);
    return e == ERR_OK ? say(w, &p,
                               "has another passphrase now. The one before opens nothing here any more. But with a copy of "
                               "the key file from before it still does: only 'spoke rekey' shuts that out.",
                               why)
                       : e;
}
static enum err run_passwd(struct cli *c, struct why *why)
{
    return work_afresh(c, do_passwd, why);
}

void node_say_recovery_code(const char *code)
{
    printf(
        "\nRecovery code      %s\n"
        "Whoever has this code and this device can open it without any passphrase. It is shown this once. Write it down, and "
        "keep it where your manager keeps such things: not with the device, and not on it.\n\n",
        code);
}

static enum err do_code(struct work *w, struct why *why)
{
    char code[RECOVERY_CODE_CHARS];
    enum err e = node_recovery_code(w->node, code, why);
    if (e != ERR_OK) return e;
    if (w->c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "recovery_code", code);
        e = show_json(o, why);
    } else {
        node_say_recovery_code(code);
        puts(
            "A code from before is worth nothing here any more. But with a copy of the key file from before it still opens "
            "what lies here: only 'spoke rekey' shuts that out.");
    }
    secret_wipe(code, sizeof code);
    return e;
}
static enum err run_code(struct cli *c, struct why *why)
{
    return work_afresh(c, do_code, why);
}

static enum err run_recover(struct cli *c, struct why *why)
{
    static const struct secretin from = {"code-file", NULL, "Recovery code", false};
    const char *name = c->n_args > 0 ? c->args[0] : NULL;
    struct secret code = {0}, pass = {0};
    enum err e = work_has_home(c, why);
    if (e == ERR_OK) e = secretin_read(c, &from, &code, why);
    if (e == ERR_OK) e = new_passphrase(c, &pass, why);
    if (e == ERR_OK) e = node_recover(c->env, c->home, bytes_of(code.p, code.n), name, bytes_of(pass.p, pass.n), why);
    secret_release(&code);
    secret_release(&pass);
    if (e != ERR_OK) return e;
    if (!c->json) {
        puts(
            "The new passphrase opens this device now. The recovery code goes on working: if somebody else has seen it, make "
            "another with 'spoke user recovery-code'.");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_bool(o, "recovered", true);
    json_set_str(o, "name", name);
    return show_json(o, why);
}

#define NEW_PASSPHRASE_FLAGS                                                                                           \
    {"new-passphrase-file", "FILE",                                                                                    \
     "read the new passphrase from the first line of FILE (default: asked on the terminal)"},                          \
        {"new-passphrase-fd", "N", "read it from descriptor N"}, CLI_UNLOCK_TIME_FLAG

static const struct flag passphrase_flags[] = {NEW_PASSPHRASE_FLAGS, {0}};
static const struct flag remove_flags[] = {{"yes", NULL, "do not ask"}, {0}};
static const struct flag recover_flags[] = {
    {"code-file", "FILE", "read the recovery code from the first line of FILE (default: asked on the terminal)"},
    NEW_PASSPHRASE_FLAGS,
    {0}};

const struct command node_user_commands[] = {
    {"user add", "NAME|ID", 1, 1,
     "Let another person of your site use this device, with a passphrase of their own. The MASH must know them; seven people can "
     "use a device.",
     "spoke user add \"Ines Varga\"", passphrase_flags, run_add},
    {"user list", "", 0, 0, "Who can open this device.", "spoke user list", NULL, run_list},
    {"user remove", "NAME|ID", 1, 1,
     "Take somebody's passphrase on this device away. Who has a copy of the key file as it was is shut out by 'spoke rekey' alone.",
     "spoke user remove \"Ines Varga\"", remove_flags, run_remove},
    {"user passwd", "[NAME|ID]", 0, 1, "Set another passphrase, for yourself or for somebody who forgot theirs.",
     "spoke user passwd", passphrase_flags, run_passwd},
    {"user recovery-code", "", 0, 0,
     "Make a new recovery code, for the day when nobody remembers a passphrase. It is shown once, and the one before is worth "
     "nothing then.",
     "spoke user recovery-code", NULL, run_code},
    {"user recover", "[NAME]", 0, 1,
     "Open this device with its recovery code, and set a new passphrase for the person of this name (it may be left out where "
     "only one uses the device). It also helps when the file of the device secret was lost.",
     "spoke user recover \"Sam Okafor\"", recover_flags, run_recover},
    {0}};
