/* enrol, status, sync, bundle, outbox: the node as a whole. */
#include "cli/node_agent.h"
#include "cli/node_commands.h"
#include "cli/node_orders.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "cli/secretin.h"

#include "node/door.h"
#include "node/trust.h"
#include "sync/bundle.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void say_fingerprint(struct cli *c, struct json *o, const char *key, const char *title,
                            const struct identity *id)
{
    char spoken[64];
    identity_spoken(id->kid, spoken, sizeof spoken);
    if (c->json)
        json_set_str(o, key, spoken);
    else
        printf("%-18s %s\n", title, spoken);
}

/* ------------------------------------------------------------------------------------------------------- enrol */
static enum err read_code(struct cli *c, struct invitation *out, struct why *why)
{
    const char *path = cli_flag(c, "code-file");
    struct buf text;
    buf_init(&text, 4096);
    enum err e = c->env->read_file(c->env->ctx, path != NULL ? path : "/dev/stdin", 4096, &text, why);
    if (e == ERR_OK) e = invitation_get(buf_bytes(&text), out, why);
    buf_release(&text);
    return e;
}

static enum err stays_as_it_is(struct why *why)
{
    struct why said = *why;
    (void)why_set(why, ERR_REFUSED, "%s Nothing was changed here.", said.text);
    return why_next(why, ERR_REFUSED,
                    "Check the code; one used in an earlier try is to be used again. If another copy of this device was set "
                    "up anew before, ask for a code that is given after that.");
}

static enum err ask_hub(struct cli *c, const struct invitation *code, struct bytes pass, const char *user, bool *out_waits,
                        struct why *why)
{
    struct carrier_http *http = NULL;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    bool again = cli_has(c, "again");
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    enum err e = carrier_http_new(&http, code->address, why);
    if (e == ERR_OK) e = carrier_http_hub(http, keys, why);
    if (e == ERR_OK)
        e = (again ? node_enrol_again : node_enrol_begin)(c->env, c->home, pass, code, bytes_of(keys, sizeof keys), user,
                                                          &request, why);
    if (e == ERR_OK && request.len > 0) { /* else this code has done its work */
        e = carrier_http_enrol(http, buf_bytes(&request), &answer, why);
        if (e == ERR_REFUSED && again) e = stays_as_it_is(why);
        *out_waits = carrier_http_waits(http);
        if (e == ERR_OK) e = node_enrol_finish(c->env, c->home, pass, buf_bytes(&answer), why);
    }
    carrier_http_free(http);
    buf_release(&request);
    buf_release(&answer);
    return e;
}

static void say_rescued(const struct cli *c, const struct node_info *i)
{
    bool ends = node_check(c->env, c->home, NODE_FOR_PEOPLE, NULL) == ERR_REFUSED;
    puts(ends ? "It was set up anew to bring what it had not sent, and is still to be wiped by order of the MASH."
              : "It was set up anew: its records come again with the next contact.");
    if (i->rescued != 0)
        printf("%llu %s not sent before %s kept. They go with the next contact, and a manager decides on each.\n",
               (unsigned long long)i->rescued, i->rescued == 1 ? "change that was" : "changes that were",
               i->rescued == 1 ? "is" : "are");
}

static enum err find_code(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    bool *found = ctx;
    (void)id;
    (void)why;
    *found = *found || kind == SLOT_RECOVERY;
    return ERR_OK;
}

/* Nobody shall have to ask for it on the day when the passphrase is forgotten. A device that is set up anew keeps the
 * one it has; out[0] is 0 then. */
static enum err first_code(struct cli *c, struct node *n, char out[RECOVERY_CODE_CHARS], struct why *why)
{
    char key[1100];
    bool has = false;
    const struct keyfile at = {.path = key};
    out[0] = '\0';
    enum err e = path_join(key, sizeof key, c->home, "replica.key", why);
    if (e == ERR_OK && cli_has(c, "again")) e = keyslot_each(c->env, &at, find_code, &has, why);
    if (e == ERR_OK && !has) e = node_recovery_code(n, out, why);
    if (e == ERR_OK) return e;
    struct why said = *why;
    (void)why_set(why, e, "This device has joined, but no recovery code could be made: %s", said.text);
    return why_next(why, e, "Mend that, then type: spoke user recovery-code");
}

static enum err say_enrolled(struct cli *c, const struct node_info *info, const char *code, bool waits, struct why *why)
{
    struct json *o = c->json ? json_object_new() : NULL;
    if (c->json)
        json_set_str(o, "site", info->site);
    else
        printf("This device now belongs to %s and serves %s.\n", info->site, info->hub_name);
    say_fingerprint(c, o, "device", "This device", &info->self);
    say_fingerprint(c, o, "hub", "The MASH server", &info->hub);
    if (c->json) {
        json_set_int(o, "rescued", (int64_t)info->rescued);
        json_set_bool(o, "waiting", waits);
        if (code[0] != '\0') json_set_str(o, "recovery_code", code);
        return show_json(o, why);
    }
    puts(waits ? "It waits for approval: read these groups to the hub's administrator, who has to see the same."
               : "Read both aloud to the hub's administrator: they must be the same there."); /* and not the code below */
    if (code[0] != '\0') node_say_recovery_code(code);
    if (cli_has(c, "again")) say_rescued(c, info);
    puts(waits ? "Once it is approved, type: spoke sync" : "Now type: spoke sync");
    return ERR_OK;
}

static enum err enrol(struct cli *c, const char *user, struct node **out, bool *out_waits, struct why *why)
{
    struct invitation code;
    struct secret pass = {0};
    enum err e = read_code(c, &code, why);
    if (e == ERR_OK) e = secretin_passphrase(c, !cli_has(c, "again"), &pass, why);
    if (e == ERR_OK) e = ask_hub(c, &code, bytes_of(pass.p, pass.n), user, out_waits, why);
    const struct node_key key = {.passphrase = bytes_of(pass.p, pass.n)};
    enum node_for what_for = cli_has(c, "again") ? NODE_FOR_HUB : NODE_FOR_PEOPLE; /* it may be to be wiped, and closed */
    if (e == ERR_OK) e = node_open_as(out, c->env, c->home, &key, what_for, why);
    secret_release(&pass);
    return e;
}

static enum err run_enrol(struct cli *c, struct why *why)
{
    const char *user = cli_flag(c, "user");
    char recovery[RECOVERY_CODE_CHARS] = "";
    struct node *n = NULL;
    struct node_info info;
    enum err e = cli_has(c, "again") ? ERR_OK : cli_need(c, "user", &user, why);
    bool waits = false;
    if (e == ERR_OK) e = enrol(c, user, &n, &waits, why);
    if (e == ERR_OK) e = node_get_info(n, &info, why);
    if (e == ERR_OK) e = first_code(c, n, recovery, why);
    node_close(n);
    if (e == ERR_OK) e = say_enrolled(c, &info, recovery, waits, why);
    c->attention = waits;
    secret_wipe(recovery, sizeof recovery);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ status */
static void status_json(const struct node_info *i, struct json *o)
{
    char t[40];
    json_set_str(o, "hub", i->hub_name);
    json_set_str(o, "site", i->site);
    json_set_str(o, "agency", i->agency);
    json_set_str(o, "user", i->user_name);
    show_rfc3339(i->last_contact_ms, t, sizeof t);
    json_set_str(o, "last_contact", i->last_contact_ms != 0 ? t : NULL);
    json_set_int(o, "unsent", (int64_t)i->unsent);
    show_rfc3339(i->oldest_unsent_ms, t, sizeof t);
    json_set_str(o, "oldest_unsent", i->oldest_unsent_ms != 0 ? t : NULL);
    json_set_int(o, "rescued", (int64_t)i->rescued);
    json_set_int(o, "held", (int64_t)i->held);
    json_set_int(o, "waiting", (int64_t)i->waiting);
    json_set_int(o, "conflicts", (int64_t)i->conflicts);
    json_set_int(o, "rows", (int64_t)i->rows);
    json_set_str(o, "room", i->rows_stopped ? "stopped" : i->rows_most != 0 ? "alarm" : "ok");
    if (i->rows_most != 0) json_set_int(o, "rows_allowed", (int64_t)i->rows_most);
    json_set_int(o, "hidden", (int64_t)i->hidden);
    json_set_int(o, "receipts_due", (int64_t)i->receipts_due);
    json_set_bool(o, "revoked", i->revoked);
    json_set_int(o, "lease_days", i->lease_days);
    show_rfc3339(i->lease_until_ms, t, sizeof t);
    json_set_str(o, "lease_until", i->lease_until_ms != 0 ? t : NULL);
}

/* Until when it stays unlocked if nothing is done; 0: it is not unlocked, or nobody can tell. */
static int64_t unlocked_until(const struct work *w)
{
    struct node_agent_state s;
    return node_agent_state(w->c->home, &s, NULL) == ERR_OK ? w->now + s.left_ms : 0;
}

/* "24 December 2026" */
static void day_text(int64_t ms, char *out, size_t n)
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (localtime_r(&t, &tm) == NULL)
        (void)snprintf(out, n, "?");
    else
        (void)snprintf(out, n, "%d %s %d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
}

static void lease_text(const struct work *w)
{
    const struct node_info *i = &w->info;
    char t[64];
    int64_t until = unlocked_until(w);
    if (i->lease_until_ms != 0) {
        day_text(i->lease_until_ms, t, sizeof t);
        printf("%-18s Connect by %s, or this device locks\n", "Contact needed", t);
    }
    if (until == 0) return;
    show_time(until, t, sizeof t);
    printf("%-18s until %s, if nothing is done\n", "Unlocked", t);
}

/* What the hub says of the rows that may be here. */
static void room_text(const struct node_info *i)
{
    if (i->rows_stopped)
        printf("%-18s This device holds as many rows as it may (%llu), so nothing new comes from the MASH.\n%-18s What you write is "
               "still sent. Phone the MASH's administrator: give this device more room, or end\n%-18s your part in cases that are "
               "over.\n",
               "Stopped", (unsigned long long)i->rows_most, "", "");
    else if (i->rows_most != 0)
        printf("%-18s This device holds %llu rows of the %llu that it may; then nothing new would come. Tell the MASH's "
               "administrator.\n",
               "Nearly full", (unsigned long long)i->rows_held, (unsigned long long)i->rows_most);
}

static void status_text(const struct node_info *i, int64_t now)
{
    char t[64], span[64], hub[sizeof i->hub_name], user[sizeof i->user_name];
    plain_text(hub, sizeof hub, bytes_of_str(i->hub_name));
    plain_text(user, sizeof user, bytes_of_str(i->user_name));
    printf("%-18s %s\n%-18s %s (%s)\n%-18s %s\n", "MASH server", hub, "Site", i->site, i->agency, "User", user);
    show_time(i->last_contact_ms, t, sizeof t);
    printf("%-18s %s\n", "Last contact", i->last_contact_ms != 0 ? t : "never");
    show_span(now - i->oldest_unsent_ms, span, sizeof span);
    printf("%-18s %llu%s%s\n", "Not sent yet", (unsigned long long)i->unsent, i->unsent != 0 ? ", the oldest for " : "",
           i->unsent != 0 ? span : "");
    if (i->rescued != 0)
        printf("%-18s %llu, from before this device was set up anew\n", "  of these", (unsigned long long)i->rescued);
    printf("%-18s %llu\n%-18s %llu\n", "Not accepted yet", (unsigned long long)(i->held + i->waiting), "Two versions",
           (unsigned long long)i->conflicts);
    printf("%-18s %llu\n", "Rows held here", (unsigned long long)i->rows);
    room_text(i);
    if (i->hidden != 0)
        printf("%-18s %llu %s come to the end of the time for which %s shared; %s back if the MASH extends it\n",
               "Not shown any more", (unsigned long long)i->hidden, i->hidden == 1 ? "row has" : "rows have",
               i->hidden == 1 ? "it was" : "they were", i->hidden == 1 ? "it comes" : "they come");
}

static enum err do_status(struct work *w, struct why *why)
{
    struct node_trust trust;
    enum err e = node_trust(w->node, &trust, why);
    if (e != ERR_OK) return e;
    w->c->attention = w->info.rows_stopped || w->info.held + w->info.waiting + w->info.conflicts > 0 || w->info.revoked || trust.distrusts;
    if (!w->c->json) {
        status_text(&w->info, w->now);
        lease_text(w);
        node_trust_text(&trust);
        if (w->info.revoked) puts("The hub has cut this device off. Phone its administrator.");
        return ERR_OK;
    }
    char t[40];
    int64_t until = unlocked_until(w);
    struct json *o = json_object_new();
    status_json(&w->info, o);
    show_rfc3339(until, t, sizeof t);
    json_set_str(o, "unlocked_until", until != 0 ? t : NULL);
    node_trust_json(&trust, o);
    return show_json(o, why);
}
static enum err run_status(struct cli *c, struct why *why)
{
    return work_read(c, do_status, why);
}

/* -------------------------------------------------------------------------------------------------------- sync */
static enum err say_round(struct cli *c, const struct round_result *r, struct why *why)
{
    const struct {
        const char *key;
        uint64_t n;
    } f[] = {{"rounds", r->rounds},
             {"rows_in", r->rows_in},
             {"rows_dropped", r->rows_dropped},
             {"sent", r->sent},
             {"applied", r->applied},
             {"merged", r->merged},
             {"held", r->held},
             {"waits", r->waits},
             {"fault", r->fault},
             {"receipts", r->receipts},
             {"conflicts_new", r->conflicts_new},
             {"bytes_out", r->bytes_out},
             {"bytes_in", r->bytes_in}};
    c->attention = r->held + r->waits + r->fault + r->conflicts_new > 0;
    if (c->json) {
        struct json *o = json_object_new();
        for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) json_set_int(o, f[i].key, (int64_t)f[i].n);
        return show_json(o, why);
    }
    printf("In step with the MASH: %llu rows came, %llu were removed here; %llu changes sent",
           (unsigned long long)r->rows_in, (unsigned long long)r->rows_dropped, (unsigned long long)r->sent);
    if (r->sent != 0)
        printf(" (%llu taken, %llu taken in part, %llu not accepted yet)", (unsigned long long)r->applied,
               (unsigned long long)r->merged, (unsigned long long)(r->held + r->waits + r->fault));
    printf("; %llu bytes out, %llu in.\n", (unsigned long long)r->bytes_out, (unsigned long long)r->bytes_in);
    if (r->conflicts_new != 0)
        printf("%llu with two versions: see 'spoke conflict list'.\n", (unsigned long long)r->conflicts_new);
    if (r->held + r->waits + r->fault != 0) puts("Some changes are not accepted yet: see 'spoke outbox list'.");
    return ERR_OK;
}

static enum err do_sync(struct work *w, struct why *why)
{
    struct carrier_http *http = NULL;
    struct round_options opt = {0};
    struct round_result r = {0};
    const char *wait = cli_flag(w->c, "wait");
    enum err e = ERR_OK;
    if (wait != NULL) {
        char *end = NULL;
        unsigned long long s = strtoull(wait, &end, 10);
        if (*wait == '\0' || *end != '\0' || s > 3600)
            return why_set(why, ERR_USAGE, "--wait takes a number of seconds, at most 3600.");
        opt.wait_ms = s * 1000;
    }
    e = carrier_http_new(&http, w->info.hub_address, why);
    if (e == ERR_OK) {
        struct carrier via = carrier_http(http);
        e = node_sync(w->node, &via, &opt, &r, why);
    }
    carrier_http_free(http);
    return e == ERR_OK ? say_round(w->c, &r, why) : e;
}
static enum err run_sync(struct cli *c, struct why *why)
{
    return node_orders_after(c, work_contact(c, do_sync, why), why);
}

/* ------------------------------------------------------------------------------------------------------ bundle */
static enum err do_export(struct work *w, struct why *why)
{
    struct buf b;
    buf_init(&b, BUNDLE_MAX);
    enum err e = node_bundle_export(w->node, &b, why);
    if (e == ERR_OK) e = w->c->env->write_file(w->c->env->ctx, w->c->args[0], buf_bytes(&b), why);
    if (e == ERR_OK && w->c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "bytes", (int64_t)b.len);
        e = show_json(o, why);
    } else if (e == ERR_OK) {
        printf("Written, %zu bytes, sealed to the MASH server alone. Bring it there; its answer goes in with 'spoke bundle "
               "import'.\n", b.len);
    }
    buf_release(&b);
    return e;
}
static enum err run_export(struct cli *c, struct why *why)
{
    return work_contact(c, do_export, why);
}

/* What went beside a request that was answered before has its answer with the next one (sync/FORMAT.md §4.3). */
static enum err say_unanswered(struct node *n, struct why *why)
{
    struct node_info i;
    enum err e = node_get_info(n, &i, why);
    if (e == ERR_OK && i.unsent > 0)
        printf("%llu of your changes %s no answer yet. What was in that file is at the MASH, which says so with the next contact "
               "or file; for what was written after it: spoke bundle export FILE\n",
               (unsigned long long)i.unsent, i.unsent == 1 ? "has" : "have");
    return e;
}

static enum err do_import(struct work *w, struct why *why)
{
    struct buf b;
    struct round_result r = {0};
    buf_init(&b, BUNDLE_MAX);
    enum err e = w->c->env->read_file(w->c->env->ctx, w->c->args[0], BUNDLE_MAX, &b, why);
    if (e == ERR_OK) e = node_bundle_import(w->node, buf_bytes(&b), &r, why);
    buf_release(&b);
    if (e == ERR_OK && r.revoked) {
        (void)why_set(why, ERR_REFUSED,
                      "The MASH no longer accepts this device. What you sent is kept there for a manager to decide; "
                      "nothing new reaches this device.");
        return why_next(why, ERR_REFUSED, "Ask your MASH's administrator.");
    }
    if (e == ERR_OK) e = say_round(w->c, &r, why);
    return e == ERR_OK && !w->c->json ? say_unanswered(w->node, why) : e;
}
static enum err run_bundle_import(struct cli *c, struct why *why)
{
    return work_contact(c, do_import, why);
}

/* ------------------------------------------------------------------------------------------------------ outbox */
struct outbox_list {
    struct json *array; /* NULL when printed as text */
    size_t n;
    bool sealed; /* of one a sealed copy is here */
};

/* Whether a copy of its text is still here, where that is not plain from its not being sent. */
static const char *kept_words(const struct outbox_item *i)
{
    if (strcmp(i->state, "unsent") == 0) return "";
    if (strcmp(i->kept, "sealed") == 0) return " [sealed copy kept]";
    return strcmp(i->kept, "text") == 0 ? " [text kept]" : " [no copy kept]";
}

static enum err outbox_each(void *ctx, const struct outbox_item *i, struct why *why)
{
    struct outbox_list *l = ctx;
    char t[64], reason[400];
    (void)why;
    l->n++;
    if (l->array == NULL) {
        show_time(i->written_ms, t, sizeof t);
        plain_text(reason, sizeof reason, bytes_of_str(i->reason != NULL ? i->reason : ""));
        l->sealed = l->sealed || strcmp(i->kept, "sealed") == 0;
        printf("%6llu  %-22s %-8s %s%s%s%s%s\n", (unsigned long long)i->seq, t, i->state, i->what,
               i->parked ? " (the case was taken away meanwhile)" : "", i->reason != NULL ? ": " : "", reason,
               kept_words(i));
        return ERR_OK;
    }
    struct json *o = json_object_new();
    show_rfc3339(i->written_ms, t, sizeof t);
    json_set_int(o, "seq", (int64_t)i->seq);
    json_set_str(o, "written_at", t);
    json_set_str(o, "what", i->what);
    json_set_str(o, "state", i->state);
    json_set_str(o, "reason", i->reason);
    json_set_bool(o, "parked", i->parked);
    json_set_str(o, "kept", i->kept);
    json_set_int(o, "bytes", (int64_t)i->bytes);
    json_append(l->array, o);
    return ERR_OK;
}

static enum err do_outbox(struct work *w, struct why *why)
{
    struct outbox_list l = {.array = w->c->json ? json_array_new() : NULL};
    enum err e = node_outbox(w->node, outbox_each, &l, why);
    if (e == ERR_OK && w->c->json) return show_json(l.array, why);
    if (e == ERR_OK && l.n == 0) puts("Nothing was written on this device yet.");
    if (e == ERR_OK && l.sealed)
        fputs("Sealed copy kept: nobody can read it on this device. It goes once the MASH's backup has that change.\n", stderr);
    json_free(l.array);
    return e;
}
static enum err run_outbox(struct cli *c, struct why *why)
{
    return work_read(c, do_outbox, why);
}

static const struct flag enrol_flags[] = {
    {"code-file", "FILE", "the invitation (default: standard input)"},
    {"user", "NAME", "who will use this device, as the hub's administrator wrote it"},
    {"again", NULL,
     "set up anew a device that was put back from an old copy: it gets new keys and all records again; what it has not "
     "sent is kept and goes to a manager"},
    CLI_UNLOCK_TIME_FLAG,
    {0}};
static const struct flag sync_flags[] = {{"wait", "SECONDS", "stay so long for news when there is none yet"}, {0}};

const struct command node_home_commands[] = {
    {"enrol", "", 0, 0,
     "Make this device a node of your site, from the invitation that the hub's administrator gave you. With --again: set up "
     "anew a device that has joined, when the MASH server does not accept its requests any more because it was put back "
     "from an old copy.",
     "spoke enrol --code-file invitation.txt --user \"Sam Okafor\"", enrol_flags, run_enrol},
    {"status", "", 0, 0, "How this device stands: last contact, what waits here, what wants a person.", "spoke status",
     NULL, run_status},
    {"sync", "", 0, 0, "Exchange changes with the MASH until both sides have everything.", "spoke sync", sync_flags,
     run_sync},
    {"bundle export", "FILE", 1, 1, "Write the same exchange to a file, for a USB stick or any courier.",
     "spoke bundle export /media/usb/to-mash.spoke", NULL, run_export},
    {"bundle import", "FILE", 1, 1, "Take the hub's answer from a file.",
     "spoke bundle import /media/usb/from-mash.spoke", NULL, run_bundle_import},
    {"outbox list", "", 0, 0, "Every change written on this device and what became of it.", "spoke outbox list", NULL,
     run_outbox},
    {0}};
