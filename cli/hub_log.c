/* spoke-hub log: the transparency logs, for auditors (hub/LOG.md). */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "crypto/note.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KID_SQL "SELECT kid FROM h_node WHERE kid >= $1 AND kid <= $2"

/* --node ID; *out NULL: the hub's own log. */
static enum err whose(struct cli *c, struct hub *h, uint8_t kid[16], const uint8_t **out, struct why *why)
{
    const char *typed = cli_flag(c, "node");
    *out = NULL;
    if (typed == NULL) return ERR_OK;
    enum err e = hub_home_pick(h, KID_SQL, typed, "device", kid, why);
    *out = kid;
    return e;
}

/* A text for other programs: as it is, or as the one member of an object. */
static enum err say(struct cli *c, const char *name, struct buf *text, struct why *why)
{
    if (c->json) {
        struct json *o = json_object_new();
        json_set_text(o, name, buf_bytes(text));
        return show_json(o, why);
    }
    if (fwrite(text->data, 1, text->len, stdout) == text->len) return ERR_OK;
    return why_set(why, ERR_IO, "It could not be printed.");
}

static enum err key(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    const uint8_t *of;
    struct buf out;
    buf_init(&out, NOTE_MAX);
    enum err e = whose(c, h, kid, &of, why);
    if (e == ERR_OK) e = hub_log_key(h, of, &out, why);
    if (e == ERR_OK) e = say(c, "key", &out, why);
    buf_release(&out);
    return e;
}

static enum err checkpoint(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    const uint8_t *of;
    struct buf out;
    buf_init(&out, NOTE_MAX);
    enum err e = whose(c, h, kid, &of, why);
    if (e == ERR_OK) e = hub_log_checkpoint(h, of, &out, why);
    if (e == ERR_OK) e = say(c, "checkpoint", &out, why);
    buf_release(&out);
    return e;
}

static enum err proof(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    const uint8_t *of;
    char *end = NULL;
    struct buf out;
    errno = 0;
    unsigned long long n = strtoull(c->args[0], &end, 10);
    if (c->args[0][0] < '0' || c->args[0][0] > '9' || *end != '\0' || errno != 0)
        return why_set(why, ERR_USAGE, "An entry of a log is a number, from 0.");
    buf_init(&out, 2 * LOG_LINE_MAX);
    enum err e = whose(c, h, kid, &of, why);
    if (e == ERR_OK) e = hub_log_proof(h, of, n, &out, why);
    if (e == ERR_OK) e = say(c, "proof", &out, why);
    buf_release(&out);
    return e;
}

/* ----------------------------------------------------------------------------------------------------------- export */
struct file {
    const struct env *env;
    const char *path;
    uint64_t at;
};

static enum err write_on(void *ctx, struct bytes text, struct why *why)
{
    struct file *f = ctx;
    enum err e = f->env->append_file(f->env->ctx, f->path, f->at, text, false, why);
    f->at += text.n;
    return e;
}

static enum err export(struct cli *c, struct hub *h, struct why *why)
{
    struct file f = {c->env, c->args[0], 0};
    uint64_t size = 0;
    if (c->env->file_size(c->env->ctx, f.path, &size, NULL) != ERR_NOTFOUND) {
        (void)why_set(why, ERR_EXISTS, "There is a file of this name already. Nothing was written.");
        return why_next(why, ERR_EXISTS, "Choose another name.");
    }
    enum err e = hub_log_export(h, write_on, &f, why);
    if (e == ERR_OK) e = c->env->append_file(c->env->ctx, f.path, f.at, bytes_of("", 0), true, why); /* to the disk */
    if (e != ERR_OK) {
        (void)c->env->remove_file(c->env->ctx, f.path, NULL); /* half an export would be taken for a log that was cut */
        return e;
    }
    if (c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "bytes", (int64_t)f.at);
        return show_json(o, why);
    }
    printf("All logs are in %s (%" PRIu64 " bytes). Whoever has it can check it: spoke-hub log verify FILE\n", f.path, f.at);
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------------- verify */
static enum err keep(struct cli *c, struct log_audit *a, struct why *why)
{
    const char *path;
    enum err e = ERR_OK;
    for (int i = 0; e == ERR_OK && (path = cli_flag_at(c, "checkpoint", i)) != NULL; i++) {
        struct buf note;
        buf_init(&note, NOTE_MAX);
        e = c->env->read_file(c->env->ctx, path, NOTE_MAX, &note, why);
        if (e == ERR_OK) e = log_audit_keep(a, buf_bytes(&note), why);
        buf_release(&note);
    }
    return e;
}

/* The next line into `line`, without its newline; *out_end: there is none. Never more than LOG_LINE_MAX bytes of it. */
static enum err next_line(FILE *in, struct buf *line, bool *out_end, struct why *why)
{
    int c;
    line->len = 0;
    while ((c = getc(in)) != EOF && c != '\n') {
        if (line->len == LOG_LINE_MAX)
            return why_set(why, ERR_FORMAT, "This is no export of a hub's logs, and no proof from one.");
        buf_put_u8(line, (uint8_t)c);
        if (line->err != ERR_OK) return why_set(why, line->err, "There is not enough memory to check these logs.");
    }
    if (ferror(in)) return why_set(why, ERR_IO, "The file could not be read: %s.", strerror(errno));
    *out_end = c == EOF;
    return c == EOF && line->len > 0 ? why_set(why, ERR_TAMPERED, "The file ends early: something of it is missing.") : ERR_OK;
}

static enum err each_line(FILE *in, struct log_audit *a, struct why *why)
{
    struct buf line;
    bool end = false;
    buf_init(&line, LOG_LINE_MAX);
    enum err e = next_line(in, &line, &end, why);
    while (e == ERR_OK && !end) {
        e = log_audit_line(a, buf_bytes(&line), why);
        if (e == ERR_OK) e = next_line(in, &line, &end, why);
    }
    buf_release(&line);
    return e;
}

static enum err read_export(struct cli *c, struct log_audit_sum *out, struct why *why)
{
    struct log_audit *a = NULL;
    FILE *in = fopen(c->args[0], "re");
    if (in == NULL) return why_set(why, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "The file could not be opened: %s.", strerror(errno));
    enum err e = log_audit_new(&a, why);
    if (e == ERR_OK) e = keep(c, a, why);
    if (e == ERR_OK) e = each_line(in, a, why);
    if (e == ERR_OK) e = log_audit_end(a, out, why);
    log_audit_free(a);
    (void)fclose(in);
    return e;
}

static const char *kind_words(unsigned kind)
{
    static const char *const words[] = {
        [0] = "something whose content was erased, or that a newer Spoke writes", [1] = "a device was enrolled",
        [2] = "a change came",         [3] = "a change was judged", [4] = "a device lost a change of its own",
        [5] = "rows were sent",        [6] = "rows were to be forgotten", [7] = "that was confirmed",
        [8] = "somebody opened a record", [9] = "a device was wiped", [32] = "how far a device's log has come",
        [33] = "an administrator's act", [34] = "a policy"};
    return kind < sizeof words / sizeof words[0] && words[kind] != NULL ? words[kind] : words[0];
}

/* The fingerprint first: all else in a file is its own word. */
static enum err say_good(struct cli *c, const struct log_audit_sum *s, struct why *why)
{
    char spoken[48];
    identity_spoken(s->hub.kid, spoken, sizeof spoken);
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "hub", spoken);
        json_set_str(o, "name", s->name);
        json_set_int(o, "logs", (int64_t)s->logs);
        json_set_int(o, "entries", (int64_t)s->leaves);
        json_set_int(o, "erased", (int64_t)s->erased);
        json_set_int(o, "checkpoints", (int64_t)s->kept);
        if (s->proof) {
            json_set_str(o, "log", s->origin);
            json_set_int(o, "entry", (int64_t)s->index);
            json_set_int(o, "size", (int64_t)s->size);
            json_set_str(o, "says", kind_words(s->kind));
        }
        return show_json(o, why);
    }
    printf("Fingerprint of the hub: %s\nCompare it with the one that you know. The file calls the hub \"%s\".\n", spoken, s->name);
    if (s->proof)
        printf("The proof holds: entry %" PRIu64 " is in the log %s, which had %" PRIu64 " entries. It says: %s.\n", s->index,
               s->origin, s->size, kind_words(s->kind));
    else
        printf("The logs hold together: %" PRIu64 " of them, %" PRIu64 " entries, the content of %" PRIu64
               " erased. Checkpoints that were kept and fit: %" PRIu64 ".\n",
               s->logs, s->leaves, s->erased, s->kept);
    return ERR_OK;
}

static enum err verify_own(struct cli *c, struct hub *h, struct why *why)
{
    struct log_audit_sum sum;
    enum err e = hub_log_verify(h, &sum, why);
    return e == ERR_OK ? say_good(c, &sum, why) : e;
}

static enum err run_key(struct cli *c, struct why *why)
{
    return hub_home_run(c, key, why);
}
static enum err run_checkpoint(struct cli *c, struct why *why)
{
    return hub_home_run(c, checkpoint, why);
}
static enum err run_proof(struct cli *c, struct why *why)
{
    return hub_home_run(c, proof, why);
}
static enum err run_export(struct cli *c, struct why *why)
{
    return hub_home_run(c, export, why);
}
static enum err run_verify(struct cli *c, struct why *why)
{
    struct log_audit_sum sum;
    if (c->n_args == 0 && cli_has(c, "checkpoint"))
        return why_set(why, ERR_USAGE, "Checkpoints that were kept are held against an export: name its file too.");
    if (c->n_args == 0) return hub_home_run(c, verify_own, why);
    enum err e = read_export(c, &sum, why);
    return e == ERR_OK ? say_good(c, &sum, why) : e;
}

static const struct flag node_flags[] = {{"node", "ID", "the log of this device, not the hub's own"}, {0}};
static const struct flag verify_flags[] = {
    {"checkpoint", "FILE", "a checkpoint that you kept, which the logs must go on from; may be given often"}, {0}};

const struct command hub_log_commands[] = {
    {"log checkpoint", "", 0, 0,
     "Print what a log is at this moment, as one number that the hub signs (C2SP tlog-checkpoint). Keep it elsewhere: "
     "whatever is changed in the log afterwards, other than adding to it, shows when it is held against that.",
     "spoke-hub log checkpoint > log-2026-11-03.txt", node_flags, run_checkpoint},
    {"log key", "", 0, 0, "Print the key that checkpoints are verified with, as other programs take it (C2SP signed-note).",
     "spoke-hub log key", node_flags, run_key},
    {"log proof", "N", 1, 1, "Print a proof that entry N, counted from 0, is in the log.", "spoke-hub log proof 17 > proof.txt",
     node_flags, run_proof},
    {"log export", "FILE", 1, 1, "Write all logs into a file that an auditor can check without this hub.",
     "spoke-hub log export logs.txt", NULL, run_export},
    {"log verify", "[FILE]", 0, 1,
     "Check an export or a proof: every entry, every checkpoint. It needs nothing but the file. Without one: this hub's own "
     "logs, also against the changes and acts that it keeps.",
     "spoke-hub log verify logs.txt --checkpoint log-2026-11-03.txt", verify_flags, run_verify},
    {0}};
