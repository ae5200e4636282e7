#include "cli/node_work.h"

#include "base/cbor.h"
#include "cli/node_agent.h"
#include "cli/secretin.h"
#include "node/act.h"
#include "node/door.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_MAX (8u << 20)

enum err work_has_home(const struct cli *c, struct why *why)
{
    uint64_t size = 0;
    char key[1100];
    enum err e = node_check(c->env, c->home, NODE_FOR_HUB, why); /* of one that was wiped nothing else is there */
    if (e == ERR_OK) e = path_join(key, sizeof key, c->home, "replica.key", why);
    if (e != ERR_OK || c->env->file_size(c->env->ctx, key, &size, NULL) != ERR_NOTFOUND) return e;
    (void)why_set(why, ERR_UNINIT, "There is no Spoke node in this home yet.");
    return why_next(why, ERR_UNINIT, "Ask the MASH for an invitation, then type: spoke enrol --user NAME");
}

/* What keeps this home unlocked is no use, and why: asked for the passphrase next, a person should know. */
static enum err no_use(const struct cli *c, const struct why *said, struct why *why)
{
    if (!c->no_input) {
        fprintf(stderr, "%s: %s\n", c->program->name, said->text);
        return ERR_NOTFOUND;
    }
    (void)why_set(why, ERR_LOCKED, "%s", said->text);
    return why_next(why, ERR_LOCKED, "%s", said->next);
}

/* ERR_NOTFOUND: nothing keeps it unlocked. */
static enum err open_unlocked(struct work *w, enum node_for what_for, struct why *why)
{
    struct cli *c = w->c;
    struct keyring ring = {0};
    struct why said = {0};
    bool was = false;
    enum err e = node_agent_ring(c->home, what_for == NODE_FOR_PEOPLE, &ring, &said);
    if (e == ERR_NOTFOUND) return e;
    if (e != ERR_OK) return no_use(c, &said, why);
    const struct node_key key = {.ring = &ring};
    e = node_open_as(&w->node, c->env, c->home, &key, what_for, &said);
    keyring_release(&ring);
    w->unlocked = e == ERR_OK;
    if (e == ERR_LOCKED) { /* of before a rekey, or of somebody who was removed: worth nothing any more */
        if (node_agent_lock(c->home, &was, NULL) == ERR_OK) return no_use(c, &said, why);
    }
    if (e == ERR_TAMPERED && said.next[0] == '\0')
        (void)why_next(&said, e, "If files were put in the place of others here while it was unlocked, type: spoke lock. Else "
                                 "stop here, and ask your administrator.");
    if (why != NULL) *why = said;
    return e;
}

static enum err open_with_passphrase(struct work *w, enum node_for what_for, struct why *why)
{
    struct secret pass = {0};
    enum err e = secretin_passphrase(w->c, false, &pass, why);
    if (e == ERR_LOCKED && !secretin_is_given(w->c))
        e = why_next(why, e, "Give --passphrase-file FILE or --passphrase-fd N, or type first: spoke unlock");
    const struct node_key key = {.passphrase = bytes_of(pass.p, pass.n)};
    if (e == ERR_OK) e = node_open_as(&w->node, w->c->env, w->c->home, &key, what_for, why);
    secret_release(&pass);
    return e;
}

static enum err work_open_for(struct work *w, struct cli *c, enum node_for what_for, bool afresh, struct why *why)
{
    *w = (struct work){.c = c};
    buf_init(&w->scratch, SCRATCH_MAX);
    buf_init(&w->file, SCRATCH_MAX);
    enum err e = work_has_home(c, why);
    if (e == ERR_OK) e = afresh || secretin_is_given(c) ? ERR_NOTFOUND : open_unlocked(w, what_for, why);
    if (e == ERR_NOTFOUND) e = open_with_passphrase(w, what_for, why);
    if (e == ERR_OK) e = node_get_info(w->node, &w->info, why);
    if (e == ERR_OK) {
        w->db = node_db(w->node);
        w->now = env_now(c->env);
    }
    return e;
}

enum err work_open(struct work *w, struct cli *c, struct why *why)
{
    return work_open_for(w, c, NODE_FOR_PEOPLE, false, why);
}

void work_close(struct work *w)
{
    node_close(w->node);
    w->node = NULL;
    buf_release(&w->scratch);
    buf_release(&w->file);
}

enum err work_read(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why)
{
    struct work w;
    enum err e = work_open(&w, c, why);
    if (e == ERR_OK) e = act(&w, why);
    work_close(&w);
    return e;
}

enum err work_afresh(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why)
{
    struct work w;
    enum err e = work_open_for(&w, c, NODE_FOR_PEOPLE, true, why);
    if (e == ERR_OK) e = act(&w, why);
    work_close(&w);
    return e;
}

enum err work_contact(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why)
{
    struct work w;
    enum err e = work_open_for(&w, c, NODE_FOR_HUB, false, why);
    if (e == ERR_OK) e = act(&w, why);
    work_close(&w);
    return e;
}

/* One edit. What `act` prints is kept back until the change stands: nobody may read "Shared" of what a full disk
 * undid. */
static enum err edit(struct work *w, const char *what, enum err (*act)(struct work *w, struct why *why),
                     struct why *why)
{
    char *said = NULL;
    size_t n = 0;
    FILE *out = stdout, *kept = open_memstream(&said, &n);
    if (kept == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this change. Nothing was saved.");
    enum err e = node_edit_begin(w->node, why);
    if (e == ERR_OK) {
        stdout = kept; /* a variable in glibc, made to be set */
        e = act(w, why);
        stdout = out;
        if (e == ERR_OK)
            e = node_edit_commit(w->node, what, &(uint64_t){0}, why);
        else
            node_edit_cancel(w->node);
    }
    bool whole = fclose(kept) == 0;
    if (e == ERR_OK && (!whole || fwrite(said, 1, n, stdout) != n))
        e = why_set(why, ERR_IO, "The change is saved, but what is to be said of it could not be written.");
    if (said != NULL) explicit_bzero(said, n);
    free(said);
    return e;
}

enum err work_edit(struct cli *c, const char *what, enum err (*act)(struct work *w, struct why *why), struct why *why)
{
    struct work w;
    enum err e = work_open(&w, c, why);
    if (e == ERR_OK) e = edit(&w, what, act, why);
    work_close(&w);
    return e;
}

static const struct table_rule *table_named(const char *name)
{
    int i = rules_table_index(bytes_of_str(name));
    assert(i >= 0);
    return rules_table((size_t)i);
}

static enum err read_bool(const char *text, struct value *out, struct why *why)
{
    if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
        *out = value_int(1);
    else if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
        *out = value_int(0);
    else
        return why_set(why, ERR_USAGE, "This takes yes or no.");
    return ERR_OK;
}

enum err work_read_value(struct work *w, const struct column_rule *c, const char *text, struct value *out,
                         struct why *why)
{
    int64_t ms = 0;
    enum err e = ERR_OK;
    if (*text == '\0') {
        *out = value_null();
        return ERR_OK;
    }
    switch (c->type) {
    case COL_BOOL: return read_bool(text, out, why);
    case COL_TIME:
        e = show_read_time(text, w->now, &ms, why);
        if (e == ERR_OK) *out = value_int(ms);
        return e;
    case COL_ID:
    case COL_INT:
    case COL_REAL:
        return value_from_text(c, bytes_of_str(text), &w->scratch, out) == ERR_OK
                   ? ERR_OK
                   : why_set(why, ERR_USAGE, "'%s' does not take that.", c->name);
    case COL_WORD:
        if (!rules_word_ok(c, bytes_of_str(text)))
            return why_set(why, ERR_USAGE, "'%s' takes one of: %s.", c->name, c->words);
        break;
    case COL_DATE:
        if (!rules_date_ok(bytes_of_str(text)))
            return why_set(why, ERR_USAGE, "'%s' takes a date like 2017-03-24.", c->name);
        break;
    case COL_TEXT: break;
    }
    *out = value_str(text);
    return ERR_OK;
}

/* The column that is named before the sign: of one of these tables, or one of the words besides. */
static enum err read_change(struct work *w, const char *const *tables, const char *const *besides, const char *text,
                            struct act_change *out, struct why *why)
{
    const char *eq = strchr(text, '=');
    if (eq == NULL || eq == text) return why_set(why, ERR_USAGE, "A change is written COLUMN=VALUE, like rag=red.");
    struct bytes name = bytes_of(text, (size_t)(eq - text));
    for (; *tables != NULL; tables++) {
        const struct table_rule *t = table_named(*tables);
        int i = rules_column_index(t, name);
        if (i < 3) continue;
        out->column = t->columns[i].name;
        return work_read_value(w, &t->columns[i], eq + 1, &out->v, why);
    }
    for (; besides != NULL && *besides != NULL; besides++)
        if (bytes_equal(name, bytes_of_str(*besides))) {
            *out = (struct act_change){*besides, value_str(eq + 1)};
            return ERR_OK;
        }
    return why_set(why, ERR_USAGE, "There is nothing called '%.*s' to change here.", (int)name.n, text);
}

enum err work_changes(struct work *w, const char *const *tables, const char *const *besides,
                      struct act_change out[CLI_MAX_ARGS], size_t *out_n, struct why *why)
{
    enum err e = ERR_OK;
    *out_n = 0;
    for (int i = 1; i < w->c->n_args && e == ERR_OK; i++)
        e = read_change(w, tables, besides, w->c->args[i], &out[(*out_n)++], why);
    return e;
}

void work_say_notes(struct work *w, const struct act_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) fprintf(stderr, "%s\n", notes->text[i]);
    if (notes->n != 0) w->c->attention = true;
}

void work_say_held(struct work *w, bool held)
{
    if (!held) return;
    fprintf(stderr, "This is not for you alone to decide. The MASH keeps this back until a manager accepts it; nothing"
                    " changes for others until then.\n");
    w->c->attention = true;
}

enum err work_time_flag(struct work *w, const char *flag, struct value otherwise, struct value *out, struct why *why)
{
    const char *text = cli_flag(w->c, flag);
    int64_t ms = 0;
    if (text == NULL) {
        *out = otherwise;
        return ERR_OK;
    }
    enum err e = show_read_time(text, w->now, &ms, why);
    if (e == ERR_OK) *out = value_int(ms);
    return e;
}

enum err work_file(struct work *w, const char *path, struct value *out, struct why *why)
{
    const char *name = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    buf_reset(&w->file);
    enum err e = w->c->env->read_file(w->c->env->ctx, name, RULES_MAX_VALUE, &w->file, why);
    if (e == ERR_LIMIT) return why_set(why, ERR_LIMIT, "The file is longer than 1 MiB; a record takes no more.");
    if (e != ERR_OK) return e;
    *out = value_text(buf_bytes(&w->file));
    if (!utf8_valid(out->s)) return why_set(why, ERR_USAGE, "The file is not plain text (UTF-8).");
    return ERR_OK;
}

enum err work_say_id(struct work *w, const char *title, const uint8_t id[16], struct why *why)
{
    char text[37];
    uuid_format(id, text);
    if (!w->c->json) {
        printf("%s %s\n", title, text);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "id", text);
    return show_json(o, why);
}
