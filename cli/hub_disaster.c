/* spoke-hub backup, restore: a way back from any disaster (hub/DISASTER.md). */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/secretin.h"
#include "hub/backup.h"
#include "hub/redo.h"
#include "hub/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_time(struct json *o, const char *name, int64_t at_ms)
{
    char stamp[40];
    show_rfc3339(at_ms, stamp, sizeof stamp);
    json_set_str(o, name, stamp);
}

static enum err backup(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_backup b;
    char stamp[40];
    enum err e = hub_backup(h, c->args[0], &b, why);
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "file", c->args[0]);
        json_set_int(o, "bytes", (int64_t)b.bytes);
        json_set_int(o, "rows", (int64_t)b.rows);
        put_time(o, "at", b.at_ms);
        return show_json(o, why);
    }
    show_time(b.at_ms, stamp, sizeof stamp);
    printf("%s holds everything as of %s (%" PRIu64 " bytes), was read back, and is the same.\n", c->args[0], stamp,
           b.bytes);
    puts(
        "Keep it on another machine. Only recovery.key opens it, with its passphrase: keep both apart from it, and from this machine.");
    return ERR_OK;
}

static const struct secretin recovery_from = {.file_flag = "recovery-passphrase-file",
                                              .prompt = "Passphrase of the recovery key: "};

static enum err recovery_passphrase(struct cli *c, const struct secret *pass, struct secret *out, struct why *why)
{
    if (cli_has(c, "recovery-passphrase-file") || !secretin_is_given(c)) return secretin_read(c, &recovery_from, out, why);
    enum err e = secret_new(out, pass->n, why);
    if (e == ERR_OK) memcpy(out->p, pass->p, pass->n);
    return e;
}

static void say_journal(const struct hub_restored *told)
{
    char when[64];
    if (told->until_ms == 0) {
        puts("The journal had nothing that the backup does not have.");
        return;
    }
    show_time(told->until_ms, when, sizeof when);
    printf("The journal goes to %s: %" PRIu64 " transactions were put back from it, acts of administrators among them.%s\n", when,
           told->transactions, told->damaged ? " There it is damaged: what was behind is not known here." : "");
}

static enum err say_restored(struct cli *c, const struct hub_restored *told, struct why *why)
{
    const bool journal = cli_flag(c, "journal") != NULL;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_bool(o, "restored", true);
        if (journal) {
            json_set_int(o, "journal_transactions", (int64_t)told->transactions);
            json_set_bool(o, "journal_damaged", told->damaged);
        }
        if (journal && told->until_ms != 0) put_time(o, "journal_until", told->until_ms);
        return show_json(o, why);
    }
    puts(journal ? "The hub is back from its backup and its journal, under the passphrase that you gave now."
                 : "The hub is back as it was when the backup was made, under the passphrase that you gave now.");
    if (journal) say_journal(told);
    puts(
        "It gathers: start the server (spoke-hub serve). Every device returns with its next contact what is not here, and until "
        "all have, nobody is shown anything new. spoke-hub restore status says who is missing.");
    puts(told->until_ms != 0 ?
        "Not known here is what administrators did after that: look at your notes, and do it again. Other administrators are to be named again "
        "(spoke-hub admin add). A new journal begins with serve --journal, and goes on from the next backup: make one." :
        "Not known here is what administrators did since the backup: look at your notes for devices that were revoked and policies that "
        "were changed, and do it again. Other administrators are to be named again (spoke-hub admin add).");
    puts("The old server must never run again.");
    return ERR_OK;
}

static enum err run_restore(struct cli *c, struct why *why)
{
    const char *recovery = NULL;
    struct secret pass = {0}, rescue = {0};
    struct hub_restored told = {0};
    enum err e = cli_need(c, "recovery", &recovery, why);
    if (e == ERR_OK) e = secretin_passphrase(c, true, &pass, why);
    if (e == ERR_OK) e = recovery_passphrase(c, &pass, &rescue, why);
    if (e == ERR_OK) {
        struct env env = *c->env;
        if (env.unlock_ms == 0) env.unlock_ms = CLI_UNLOCK_MS;
        const struct hub_restore r = {.home = c->home,
                                      .store = c->store,
                                      .backup = c->args[0],
                                      .recovery = recovery,
                                      .recovery_passphrase = bytes_of(rescue.p, rescue.n),
                                      .passphrase = bytes_of(pass.p, pass.n),
                                      .journal = cli_flag(c, "journal"),
                                      .until_damage = cli_has(c, "until-damage"),
                                      .told = &told};
        e = hub_restore(&env, &r, why);
    }
    secret_release(&pass);
    secret_release(&rescue);
    return e == ERR_OK ? say_restored(c, &told, why) : e;
}

/* ----------------------------------------------------------------------------------------------------------- status */

struct telling {
    struct json *list; /* NULL: in words */
};

static enum err tell_missing(void *ctx, const struct hub_missing *m, struct why *why)
{
    const struct telling *t = ctx;
    char id[40]; /* 36 characters */
    (void)why;
    uuid_format(m->kid, id);
    if (t->list == NULL) {
        printf("  %s, %s: %s\n", m->site, id, m->words);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "node", id);
    json_set_str(o, "site", m->site);
    json_set_str(o, "missing", m->words);
    json_append(t->list, o);
    return ERR_OK;
}

static const char *state_words(const char *state)
{
    if (strcmp(state, "gathering") == 0)
        return "The hub was put back from a backup, and waits until its devices have returned their work. Nothing new is shown to anybody.";
    if (strcmp(state, "applying") == 0)
        return "Everything that was waited for is here, and is being carried out again in its old order.";
    if (strcmp(state, "open") == 0 || strcmp(state, "late") == 0)
        return "The hub was opened before all of its devices had returned their work.";
    return "The hub was put back from a backup, and all of its devices have returned their work.";
}

static enum err status_json(struct hub *h, const struct hub_restore_status *s, struct why *why)
{
    struct json *o = json_object_new(), *list = json_array_new();
    struct telling t = {.list = list};
    json_set_str(o, "state", s->restored ? s->state : "never");
    if (s->restored) {
        json_set_int(o, "epoch", (int64_t)s->epoch);
        put_time(o, "restored_at", s->at_ms);
        put_time(o, "backup_at", s->backup_at_ms);
        if (s->journal_at_ms != 0) put_time(o, "journal_at", s->journal_at_ms);
        json_set_int(o, "devices", (int64_t)s->devices);
        json_set_int(o, "reported", (int64_t)s->reported);
        json_set_int(o, "sealed", (int64_t)s->sealed);
        json_set_int(o, "lost", (int64_t)s->lost);
        json_set_int(o, "strange", (int64_t)s->strange);
    }
    enum err e = hub_restore_missing(h, tell_missing, &t, why);
    json_set_obj(o, "missing", list);
    if (e == ERR_OK) return show_json(o, why);
    json_free(o);
    return e;
}

static enum err status(struct cli *c, struct hub *h, struct why *why)
{
    struct telling t = {0};
    struct hub_restore_status s;
    char at[40], from[40];
    enum err e = hub_restore_status(h, &s, why);
    if (e != ERR_OK) return e;
    c->attention = s.restored && (strcmp(s.state, "done") != 0 || s.sealed > 0 || s.lost > 0 || s.strange > 0);
    if (c->json) return status_json(h, &s, why);
    if (!s.restored) {
        puts("This hub was never put back from a backup.");
        return ERR_OK;
    }
    show_time(s.at_ms, at, sizeof at);
    show_time(s.backup_at_ms, from, sizeof from);
    puts(state_words(s.state));
    printf("Put back %s, from a backup of %s.", at, from);
    if (s.journal_at_ms != 0) {
        show_time(s.journal_at_ms, from, sizeof from);
        printf(" Its journal was put back too, up to %s.", from);
    }
    puts(" Acts of administrators between the last of these and the first are not known here.");
    if (strcmp(s.state, "gathering") == 0)
        puts("Cases that were erased between the two are here again. Erase them again now, before the hub opens: spoke-hub erase --again --list "
             "FILE --reason TEXT; spoke-hub erase --again says more.");
    printf("%" PRIu64 " of %" PRIu64 " devices have returned everything.\n", s.reported, s.devices);
    if (s.reported < s.devices || s.sealed > 0) puts("Missing:");
    e = hub_restore_missing(h, tell_missing, &t, why);
    if (s.lost > 0)
        printf("%" PRIu64 " changes came back without what they say: a newer backup than that one has them.\n", s.lost);
    if (s.strange > 0)
        printf(
            "%" PRIu64
            " entries stand on devices and are not known here: they came from devices that returned nothing. They are kept "
            "where they are.\n",
            s.strange);
    return e;
}

static enum err release(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    bool done = false;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = hub_restore_release(h, reason, why);
    while (e == ERR_OK && !done) e = hub_restore_continue(h, 1000, &done, why);
    return e == ERR_OK
               ? hub_home_said(
                     c, "released", reason,
                     "The hub is open. What missing devices withdrew since the backup may be shown again until they come; what "
                     "they return is carried out then.",
                     why)
               : e;
}

static enum err unseal(struct cli *c, struct hub *h, struct why *why)
{
    const char *recovery = NULL;
    struct secret pass = {0};
    uint64_t n = 0;
    bool done = false;
    struct env env = *c->env;
    if (env.unlock_ms == 0) env.unlock_ms = CLI_UNLOCK_MS;
    enum err e = cli_need(c, "recovery", &recovery, why);
    if (e == ERR_OK) e = secretin_read(c, &recovery_from, &pass, why);
    if (e == ERR_OK) e = hub_restore_unseal(h, &env, recovery, bytes_of(pass.p, pass.n), &n, why);
    secret_release(&pass);
    while (e == ERR_OK && !done) e = hub_restore_continue(h, 1000, &done, why);
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "opened", (int64_t)n);
        return show_json(o, why);
    }
    printf("%" PRIu64 " %s opened, and carried out again under what the hub had decided of %s.\n", n,
           n == 1 ? "change was" : "changes were", n == 1 ? "it" : "them");
    return ERR_OK;
}

static enum err run_unseal(struct cli *c, struct why *why)
{
    return hub_home_run(c, unseal, why);
}
static enum err run_backup(struct cli *c, struct why *why)
{
    return hub_home_run(c, backup, why);
}
static enum err run_status(struct cli *c, struct why *why)
{
    return hub_home_run(c, status, why);
}
static enum err run_release(struct cli *c, struct why *why)
{
    return hub_home_run(c, release, why);
}

static const struct flag restore_flags[] = {
    {"recovery", "FILE", "recovery.key of the hub that was lost; it is copied into the new home"},
    {"recovery-passphrase-file", "FILE", "its passphrase, if it is not that of the new hub"},
    {"journal", "FOLDER", "what the hub wrote there after the backup is put back too (spoke-hub serve --journal)"},
    {"until-damage", NULL, "where the journal is damaged or a part is missing, take what is whole before that"},
    CLI_UNLOCK_TIME_FLAG,
    {0}};
static const struct flag unseal_flags[] = {
    {"recovery", "FILE", "recovery.key of this hub"},
    {"recovery-passphrase-file", "FILE", "its passphrase; asked for otherwise"},
    CLI_UNLOCK_TIME_FLAG,
    {0}};
static const struct flag release_flags[] = {{"reason", "TEXT", "why it is not waited any longer"}, {0}};

const struct command hub_disaster_commands[] = {
    {"backup", "FILE", 1, 1,
     "Write everything that the hub has into one file, read it back and compare. Only recovery.key opens it. Devices then let go of the copies "
     "of their work that they keep for a hub that is lost.",
     "spoke-hub backup /media/safe/hub-2026-11-03.backup", NULL, run_backup},
    {"restore status", "", 0, 0,
     "Say whether this hub was put back from a backup, and which devices have not returned their work yet.",
     "spoke-hub restore status", NULL, run_status},
    {"restore release", "", 0, 0,
     "Open a hub that was put back before all of its devices have returned their work. What a missing device withdrew since the backup may be "
     "shown again until it comes.",
     "spoke-hub restore release --reason \"the school's laptop was in the fire\"", release_flags, run_release},
    {"restore unseal", "", 0, 0,
     "Give the recovery key once more, when a device that had been cut off came back after all others: what it returns, and the hub of before had "
     "taken in, is carried out again. The device itself is shown nothing.",
     "spoke-hub restore unseal --recovery /media/safe/recovery.key", unseal_flags, run_unseal},
    {"restore", "FILE", 1, 1,
     "Make a hub in an empty home from a backup. It begins a new epoch, which the recovery key signs: devices return what the backup does not "
     "have, and until all have, nobody is shown anything new.",
     "spoke-hub --home /var/lib/spoke-hub restore hub-2026-11-03.backup --recovery recovery.key", restore_flags,
     run_restore},
    {0}};
