/* verify, log: is this device sound, and does its MASH server keep to what it did? */
#include "cli/node_commands.h"
#include "cli/node_reply.h"
#include "node/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In groups of four, to be read aloud. */
static void spoken_root(const uint8_t root[MERKLE_HASH_BYTES], char out[2 * MERKLE_HASH_BYTES * 5 / 4 + 1])
{
    char hex[2 * MERKLE_HASH_BYTES + 1], *to = out;
    hex_encode(hex, root, MERKLE_HASH_BYTES);
    for (size_t i = 0; i < 2 * MERKLE_HASH_BYTES; i++) {
        if (i > 0 && i % 4 == 0) *to++ = ' ';
        *to++ = hex[i];
    }
    *to = '\0';
}

/* ------------------------------------------------------------------------------------------------------ in status */
void node_trust_text(const struct node_trust *t)
{
    char at[64];
    if (!t->distrusts && t->explained_ms == 0) return;
    show_time(t->distrusts ? t->found_ms : t->explained_ms, at, sizeof at);
    if (!t->distrusts) {
        printf("%-18s again, since %s: it was put back from a backup, and proved that by the MASH's recovery key.\n"
               "What this device found against the server as it was before is kept, for your information-governance lead:\n"
               "spoke log evidence\n", "MASH trusted", at);
        return;
    }
    printf("%-18s no, since %s. %s\n", "MASH trusted", at, t->reason);
    puts("Nothing new is sent to the MASH server or taken from it, until it is put back from a backup and proves that by\n"
         "the MASH's recovery key. Go on working here: what you write is kept.\n"
         "Keep this computer as it is: delete nothing, do not set it up anew. Tell your administrator and your\n"
         "information-governance lead; they need what 'spoke log evidence' prints.");
}

static void set_time(struct json *o, const char *key, int64_t ms)
{
    char t[40];
    show_rfc3339(ms, t, sizeof t);
    json_set_str(o, key, ms != 0 ? t : NULL);
}

void node_trust_json(const struct node_trust *t, struct json *o)
{
    char root[2 * MERKLE_HASH_BYTES + 1];
    struct json *l = json_object_new();
    hex_encode(root, t->kept.root, sizeof t->kept.root);
    json_set_bool(l, "trusted", !t->distrusts);
    json_set_int(l, "size", (int64_t)t->kept.size);
    json_set_int(l, "untold_contacts", (int64_t)t->untold);
    json_set_str(l, "root", t->kept.size > 0 ? root : NULL);
    set_time(l, "consistent_since", t->since_ms);
    set_time(l, "accepted_at", t->last_ms);
    set_time(l, "distrusted_since", t->distrusts ? t->found_ms : 0);
    set_time(l, "trusted_again_since", t->distrusts ? 0 : t->explained_ms);
    json_set_str(l, "reason", t->distrusts ? t->reason : NULL);
    json_set_int(l, "findings", (int64_t)t->findings);
    json_set_obj(o, "hub_log", l);
}

/* ---------------------------------------------------------------------------------------------------------- verify */
static void say_hub(const struct node_trust *t)
{
    char root[2 * MERKLE_HASH_BYTES * 5 / 4 + 1], since[64], last[64];
    if (t->untold >= NODE_UNTOLD_MANY) {
        printf("Warning: in %llu contacts the MASH server has never told this device what its record is. It is an old server, or one\n"
               "that hides what it does; what it changes afterwards is not found out from here. Tell your administrator.\n",
               (unsigned long long)t->untold);
    } else if (t->kept.size == 0) {
        puts("MASH's record      not told to this device yet");
    } else {
        spoken_root(t->kept.root, root);
        show_time(t->since_ms, since, sizeof since);
        show_time(t->last_ms, last, sizeof last);
        printf("%-18s %llu entries about this device, as of %s\n", "MASH's record", (unsigned long long)t->kept.size,
               t->last_ms != 0 ? last : "its statement");
        printf("%-18s %.39s\n%-18s %.39s\n", "  its hash", root, "", root + 40);
        if (!t->distrusts && t->since_ms != 0)
            printf("%-18s yes: nothing that this device was shown since %s was changed\n", "MASH trusted", since);
    }
    node_trust_text(t);
    if (t->findings > 0 && !t->distrusts)
        printf("%llu %s found against the MASH server earlier, and explained since: spoke log evidence\n",
               (unsigned long long)t->findings, t->findings == 1 ? "thing was" : "things were");
}

static enum err verify_all(struct work *w, struct why *why)
{
    struct verify_result r = {0};
    struct node_trust t;
    enum err e = node_verify(w->node, &r, why);
    if (e == ERR_OK) e = node_trust(w->node, &t, why);
    if (e != ERR_OK) return e;
    w->c->attention = t.distrusts;
    if (!w->c->json) {
        printf(
            "All is sound here: %llu pages, %llu rows, %llu signed changes in one chain, %llu rows with changes not judged yet.\n",
            (unsigned long long)r.pages, (unsigned long long)r.rows, (unsigned long long)r.envelopes,
            (unsigned long long)r.pending_rows);
        say_hub(&t);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "pages", (int64_t)r.pages);
    json_set_int(o, "rows", (int64_t)r.rows);
    json_set_int(o, "envelopes", (int64_t)r.envelopes);
    json_set_int(o, "pending_rows", (int64_t)r.pending_rows);
    node_trust_json(&t, o);
    return show_json(o, why);
}

/* ------------------------------------------------------------------------------------------------- verify --change */
static enum err read_change(struct work *w, int64_t *out, struct why *why)
{
    const char *text = cli_flag(w->c, "change");
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || v == 0 || v > INT64_MAX)
        return why_set(why, ERR_USAGE,
                       "--change takes the number of a change of this device: see 'spoke outbox list'.");
    *out = (int64_t)v;
    return ERR_OK;
}

struct sent {
    uint64_t seq;
    bool found, unsent;
};
static enum err find_change(void *ctx, const struct outbox_item *i, struct why *why)
{
    struct sent *s = ctx;
    (void)why;
    if (i->seq != s->seq) return ERR_OK;
    s->found = true;
    s->unsent = strcmp(i->state, "unsent") == 0;
    return ERR_OK;
}

static enum err was_sent(struct work *w, uint64_t seq, struct why *why)
{
    struct sent s = {.seq = seq};
    enum err e = node_outbox(w->node, find_change, &s, why);
    if (e == ERR_OK && !s.found) e = why_set(why, ERR_NOTFOUND, "This device has no change of that number.");
    if (e == ERR_OK && s.unsent)
        e = why_set(why, ERR_NOTFOUND, "That change is not sent yet, so the MASH cannot have it in its record.");
    return e;
}

static enum err not_proved(struct why *why)
{
    (void)why_set(
        why, ERR_TAMPERED,
        "What the MASH server shows does not prove that it has this change as you wrote it: the entry is another one, or "
        "is not in the record that this device was told of.");
    return why_next(why, ERR_TAMPERED,
                    "Keep this computer as it is. Tell your administrator and your information-governance lead.");
}

static enum err say_logged(struct work *w, int64_t seq, const struct node_logged *l, struct why *why)
{
    if (w->c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "change", seq);
        json_set_bool(o, "found", l->found);
        json_set_bool(o, "proved", l->proved);
        json_set_int(o, "entry", (int64_t)l->entry);
        json_set_int(o, "size", (int64_t)l->size);
        json_set_str(o, "verdict", l->verdict[0] != '\0' ? l->verdict : NULL);
        json_set_int(o, "verdict_entry", (int64_t)l->verdict_entry);
        return show_json(o, why);
    }
    if (!l->found) {
        puts(
            "The MASH server has no entry of this change to show: it is older than its record, it was erased when its time was over, "
            "or it came after this device last heard. Nothing follows from that.");
        return ERR_OK;
    }
    printf("Change %lld is in the MASH's record as you wrote it: entry %llu of %llu.\n", (long long)seq,
           (unsigned long long)l->entry + 1, (unsigned long long)l->size);
    if (l->verdict[0] != '\0')
        printf("What became of it then: %s (entry %llu).\n", l->verdict, (unsigned long long)l->verdict_entry + 1);
    return ERR_OK;
}

static enum err verify_change(struct work *w, struct why *why)
{
    struct node_question q = {.kind = QUESTION_LOGGED};
    struct node_logged l;
    uint64_t number = 0;
    bool replied = false;
    enum err e = read_change(w, &q.at_ms, why);
    if (e == ERR_OK) e = was_sent(w, (uint64_t)q.at_ms, why);
    if (e == ERR_OK) e = node_reply_ask(w, &q, &number, &replied, why);
    if (e != ERR_OK) return e;
    if (!replied) return node_reply_waits(w, number, why);
    e = node_logged(w->node, number, &l, why);
    if (e == ERR_OK && l.found && !l.proved) e = not_proved(why);
    if (e != ERR_OK) return e;
    w->c->attention = !l.found;
    return say_logged(w, q.at_ms, &l, why);
}

static enum err do_verify(struct work *w, struct why *why)
{
    return cli_has(w->c, "change") ? verify_change(w, why) : verify_all(w, why);
}
static enum err run_verify(struct cli *c, struct why *why)
{
    return work_read(c, do_verify, why);
}

/* ------------------------------------------------------------------------------------------------------------- log */
static enum err say_text(struct work *w, enum err (*get)(struct node *n, struct buf *out, struct why *why),
                         const char *key, struct why *why)
{
    struct buf text;
    buf_init(&text, 16u << 20);
    enum err e = get(w->node, &text, why);
    if (e == ERR_OK && w->c->json) {
        struct json *o = json_object_new();
        json_set_text(o, key, buf_bytes(&text));
        e = show_json(o, why);
    } else if (e == ERR_OK && fwrite(text.data, 1, text.len, stdout) != text.len) {
        e = why_set(why, ERR_IO, "This could not be written to where it should go.");
    }
    buf_release(&text);
    return e;
}

static enum err do_checkpoint(struct work *w, struct why *why)
{
    return say_text(w, node_trust_note, "checkpoint", why);
}
static enum err run_checkpoint(struct cli *c, struct why *why)
{
    return work_contact(c, do_checkpoint, why);
}
static enum err do_evidence(struct work *w, struct why *why)
{
    return say_text(w, node_trust_evidence, "evidence", why);
}
static enum err run_evidence(struct cli *c, struct why *why)
{
    return work_contact(c, do_evidence, why);
}

static const struct flag verify_flags[] = {
    {"change", "N", "ask the MASH server to prove that this change of yours is in its record, and what became of it"},
    {"offline", NULL, "with --change: show the last answer, or ask with the next contact"},
    {0}};

const struct command node_trust_commands[] = {
    {"verify", "", 0, 0,
     "Check every page, row and signature on this device, and say whether the MASH server has kept to what it did: the hash can be "
     "read aloud to an auditor.",
     "spoke verify --change 12", verify_flags, run_verify},
    {"log checkpoint", "", 0, 0,
     "Print what the MASH server signed last about its record of this device. An auditor gives it to 'spoke-hub log verify FILE "
     "--checkpoint'.",
     "spoke log checkpoint > checkpoint.txt", NULL, run_checkpoint},
    {"log evidence", "", 0, 0, "Print what this device found against its MASH server, with what the server signed.",
     "spoke log evidence > evidence.txt", NULL, run_evidence},
    {0}};
