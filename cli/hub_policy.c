/* spoke-hub policy: who sees what, in plain words; and which of two people's values stands. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_proposal.h"
#include "hub/policy_check.h"
#include "hub/policy_text.h"
#include "sync/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 46

/* ---------------------------------------------------------------------------------------------- two people's values */
/* What holds for a column: the hub's own rule, else the default of the schema. */
static enum err policy_of(struct hub *h, const struct table_rule *t, const struct column_rule *col, char policy[16],
                          char arg[256], bool *out_own, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT policy, arg FROM column_policy WHERE tbl = $1 AND col = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, t->name);
    db_bind_str(s, 2, col->name);
    e = db_step(s, &row, why);
    snprintf(policy, 16, "%s", rules_policy_word(col->policy));
    snprintf(arg, 256, "%s", col->arg != NULL ? col->arg : "");
    *out_own = false;
    if (e == ERR_OK && row && !db_is_null(s, 0)) {
        struct bytes p = db_bytes(s, 0), a = db_bytes(s, 1);
        *out_own = !bytes_equal(p, bytes_of_str(policy)) || !bytes_equal(a, bytes_of_str(arg));
        snprintf(policy, 16, "%.*s", (int)p.n, (const char *)p.p);
        snprintf(arg, 256, "%.*s", (int)a.n, a.n > 0 ? (const char *)a.p : "");
    }
    db_done(s);
    return e;
}

static enum err show_policy(struct cli *c, struct hub *h, struct json *list, const struct table_rule *t,
                            const struct column_rule *col, struct why *why)
{
    char policy[16], arg[256];
    bool own = false;
    enum err e = policy_of(h, t, col, policy, arg, &own, why);
    if (e != ERR_OK) return e;
    if (!c->json) {
        printf("%-14s %-16s %s%s%s%s\n", t->name, col->name, policy, arg[0] != '\0' ? " " : "", arg,
               own ? "  (set by this hub)" : "");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "tbl", t->name);
    json_set_str(o, "col", col->name);
    json_set_str(o, "policy", policy);
    json_set_str(o, "arg", arg[0] != '\0' ? arg : NULL);
    json_set_bool(o, "own", own);
    json_append(list, o);
    return ERR_OK;
}

static enum err policy_show(struct cli *c, struct hub *h, struct why *why)
{
    struct json *list = c->json ? json_array_new() : NULL;
    const char *only = c->n_args > 0 ? c->args[0] : NULL;
    size_t n = 0, shown = 0;
    const struct table_rule *t = rules_tables(&n);
    enum err e = ERR_OK;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < t[i].n_columns && e == ERR_OK; k++) {
            const struct column_rule *col = &t[i].columns[k];
            if (t[i].kind != TABLE_CASE || col->write == WRITE_NEVER || col->write == WRITE_HUB ||
                (only != NULL && strcmp(only, t[i].name) != 0))
                continue;
            e = show_policy(c, h, list, &t[i], col, why);
            shown++;
        }
    if (e == ERR_OK && only != NULL && shown == 0)
        e = why_set(why, ERR_NOTFOUND, "There is no table of cases with that name.");
    if (e == ERR_OK && c->json) return show_json(list, why);
    json_free(list);
    return e;
}

static enum err policy_set(struct cli *c, struct hub *h, struct why *why)
{
    char both[200], says[400];
    bool two = false;
    const char *arg = c->n_args > 3 ? c->args[3] : NULL;
    const struct hub_proposal p = {
        .kind = PROPOSE_COLUMN, .text = bytes_of_str(c->args[0]), .text2 = c->args[1], .text3 = c->args[2], .text4 = arg};
    enum err e = hub_takes_two(h, &p, &two, why);
    (void)snprintf(says, sizeof says, "Where two people's values meet in %.60s.%.60s, the rule is %.60s%s%.100s.", c->args[0], c->args[1],
                   c->args[2], arg != NULL ? " " : "", arg != NULL ? arg : "");
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK) e = hub_set_policy(h, c->args[0], c->args[1], c->args[2], arg, why);
    if (e != ERR_OK) return e;
    snprintf(both, sizeof both, "%s.%s", c->args[0], c->args[1]);
    return hub_home_said(c, "column", both, "The rule holds for every change from now on.", why);
}

/* ---------------------------------------------------------------------------------------------------- who sees what */
static const char *cell(const struct policy_line *l, enum policy_way w)
{
    bool open = (l->open & 1u << w) != 0, closed = (l->closed & 1u << w) != 0;
    return open && closed ? "yes" : open ? "open" : closed ? "closed" : "-";
}

static bool same_cells(const struct policy_line *a, const struct policy_line *b)
{
    return a->open == b->open && a->closed == b->closed && a->kinds == b->kinds;
}

/* Tables of which there is nothing else to say share a line: reference lists, and rows that were voided. */
static bool shares(const struct policy_line *l)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(l->table)));
    return t->kind == TABLE_REFERENCE || strcmp(l->state, "voided") == 0;
}

static bool shared_before(const struct policy_check *p, size_t i)
{
    for (size_t k = 0; k < i && shares(&p->lines[i]); k++)
        if (shares(&p->lines[k]) && strcmp(p->lines[k].state, p->lines[i].state) == 0 &&
            same_cells(&p->lines[k], &p->lines[i]))
            return true;
    return false;
}

static void label(const struct policy_check *p, size_t i, struct buf *out)
{
    const struct policy_line *l = &p->lines[i];
    if (shares(l) && l->state[0] != '\0') buf_printf(out, "%s: ", l->state);
    buf_put_str(out, l->table);
    if (!shares(l) && l->state[0] != '\0') buf_printf(out, ", %s", l->state);
    for (size_t k = i + 1; k < p->n && shares(l); k++)
        if (shares(&p->lines[k]) && strcmp(p->lines[k].state, l->state) == 0 && same_cells(&p->lines[k], l))
            buf_printf(out, ", %s", p->lines[k].table);
}

/* As much of the text as fits on a line, broken at a blank. */
static size_t fits(const char *text)
{
    size_t n = strlen(text), at = n;
    if (n <= LABEL_WIDTH) return n;
    for (at = LABEL_WIDTH; at > 0 && text[at] != ' ';) at--;
    return at > 0 ? at : LABEL_WIDTH;
}

static enum err print_line(const struct policy_check *p, size_t i, struct why *why)
{
    struct buf words;
    buf_init(&words, 1u << 16);
    label(p, i, &words);
    const char *text = buf_cstr(&words);
    for (bool first = true; text != NULL && (first || *text != '\0'); first = false) {
        size_t n = fits(text);
        printf("%-*.*s", LABEL_WIDTH + 1, (int)n, text);
        for (enum policy_way w = 0; first && w < POLICY_WAYS; w++)
            printf(" %-*s", (int)strlen(policy_way_word(w)), cell(&p->lines[i], w));
        for (size_t k = 0; first && k < p->n_kinds; k++)
            if ((p->lines[i].kinds & 1u << k) != 0 && (p->lines[i].open & 1u << WAY_CHECK) == 0)
                printf(" %s", p->kinds[k]);
        puts("");
        text += n;
        text += strspn(text, " ");
    }
    enum err e = words.err;
    buf_release(&words);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "There is not enough memory to show the policy.");
}

static enum err print_matrix(const struct policy_check *p, struct why *why)
{
    enum err e = ERR_OK;
    puts(
        "Who sees what. A row is seen by sites that take part with check, view or contribute, by the MASH room of the\n"
        "area, by out-of-hours teams (night), by the agency that wrote it when its part is over, by the agency that it\n"
        "is addressed to, by others. \"open\": only while the case is open. At the end: kinds of agency that see it too.\n");
    printf("%-*s", LABEL_WIDTH + 1, "");
    for (enum policy_way w = 0; w < POLICY_WAYS; w++) printf(" %s", policy_way_word(w));
    puts("");
    for (size_t i = 0; e == ERR_OK && i < p->n; i++)
        if (!shared_before(p, i)) e = print_line(p, i, why);
    return e;
}

static enum err print_sentences(const struct policy_check *p, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    struct buf words;
    enum err e = ERR_OK;
    buf_init(&words, 1u << 20);
    buf_put_str(&words, "\n");
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = policy_check_sentence(p, t[i].name, &words, why);
        buf_put_str(&words, "\n");
    }
    buf_put_str(&words, "\n");
    policy_check_voided(p, &words);
    buf_put_str(&words, "\n");
    policy_check_restricted(p, &words);
    const char *text = buf_cstr(&words);
    if (e == ERR_OK && text == NULL) e = why_set(why, words.err, "There is not enough memory to show the policy.");
    if (e == ERR_OK) puts(text);
    buf_release(&words);
    for (size_t i = 0; e == ERR_OK && i < p->n_warnings; i++) printf("Warning: %s\n", p->warnings[i]);
    return e;
}

static struct json *line_json(const struct policy_check *p, const struct policy_line *l)
{
    struct json *o = json_object_new(), *kinds = json_array_new(), *named = json_array_new();
    json_set_str(o, "table", l->table);
    json_set_str(o, "state", l->state);
    for (enum policy_way w = 0; w < POLICY_WAYS; w++) {
        json_set_str(o, policy_way_word(w), cell(l, w));
        if ((l->named & 1u << w) != 0) json_append_str(named, policy_way_word(w));
    }
    for (size_t k = 0; k < p->n_kinds; k++)
        if ((l->kinds & 1u << k) != 0) json_append_str(kinds, p->kinds[k]);
    json_set_obj(o, "kinds", kinds);
    json_set_obj(o, "restricted", named);
    return o;
}

static void add_sentence(struct json *list, const char *table, const struct buf *words)
{
    struct json *o = json_object_new();
    json_set_str(o, "table", table);
    json_set_text(o, "sentence", buf_bytes(words));
    json_append(list, o);
}

/* One a table; those that belong to none at the end. */
static enum err sentences_json(const struct policy_check *p, struct json *list, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    struct buf words;
    enum err e = ERR_OK;
    buf_init(&words, 1u << 16);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = policy_check_sentence(p, t[i].name, &words, why);
        add_sentence(list, t[i].name, &words);
        buf_reset(&words);
    }
    policy_check_voided(p, &words);
    add_sentence(list, NULL, &words);
    buf_reset(&words);
    policy_check_restricted(p, &words);
    add_sentence(list, NULL, &words);
    buf_release(&words);
    return e;
}

static enum err check_json(const struct policy_check *p, struct why *why)
{
    struct json *o = json_object_new(), *lines = json_array_new(), *sentences = json_array_new(),
                *warnings = json_array_new();
    for (size_t i = 0; i < p->n; i++) json_append(lines, line_json(p, &p->lines[i]));
    enum err e = sentences_json(p, sentences, why);
    for (size_t i = 0; i < p->n_warnings; i++) json_append_str(warnings, p->warnings[i]);
    json_set_obj(o, "matrix", lines);
    json_set_obj(o, "sentences", sentences);
    json_set_obj(o, "warnings", warnings);
    if (e == ERR_OK) return show_json(o, why);
    json_free(o);
    return e;
}

static enum err check_text(struct cli *c, struct bytes text, struct why *why)
{
    struct policy_check *p = calloc(1, sizeof *p);
    if (p == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check a policy.");
    enum err e = policy_check(c->env, text, p, why);
    if (e == ERR_OK && p->n_warnings > 0) c->attention = true;
    if (e == ERR_OK && c->json) {
        e = check_json(p, why);
    } else if (e == ERR_OK) {
        e = print_matrix(p, why);
        if (e == ERR_OK) e = print_sentences(p, why);
    }
    free(p);
    return e;
}

static enum err check_in_force(struct cli *c, struct hub *h, struct why *why)
{
    struct buf text;
    int64_t gen = 0;
    buf_init(&text, POLICY_TEXT_MAX + 1);
    enum err e = policy_text_in_force(hub_db(h), &text, &gen, why);
    if (e == ERR_OK) e = check_text(c, buf_bytes(&text), why);
    buf_release(&text);
    return e;
}

/* A file is checked without the hub, on any computer. */
static enum err check_file(struct cli *c, struct why *why)
{
    struct buf text;
    buf_init(&text, POLICY_TEXT_MAX + 1);
    enum err e = c->env->read_file(c->env->ctx, c->args[0], POLICY_TEXT_MAX, &text, why);
    if (e == ERR_OK) e = check_text(c, buf_bytes(&text), why);
    buf_release(&text);
    return e;
}

static enum err policy_text(struct cli *c, struct hub *h, struct why *why)
{
    struct buf text;
    int64_t gen = 0;
    buf_init(&text, POLICY_TEXT_MAX + 1);
    enum err e = policy_text_in_force(hub_db(h), &text, &gen, why);
    if (e == ERR_OK && c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "number", gen);
        json_set_text(o, "text", buf_bytes(&text));
        e = show_json(o, why);
    } else if (e == ERR_OK) {
        (void)fwrite(text.data, 1, text.len, stdout);
    }
    buf_release(&text);
    return e;
}

static enum err run_check(struct cli *c, struct why *why)
{
    return c->n_args > 0 ? check_file(c, why) : hub_home_run(c, check_in_force, why);
}
static enum err run_text(struct cli *c, struct why *why)
{
    return hub_home_run(c, policy_text, why);
}
static enum err run_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, policy_show, why);
}
static enum err run_set(struct cli *c, struct why *why)
{
    return hub_home_run(c, policy_set, why);
}

const struct command hub_policy_commands[] = {
    {"policy check", "[FILE]", 0, 1,
     "Show who sees what under the policy in force, or under the one in FILE: a table of every kind of row and every way of "
     "taking part, and one sentence a table. The policy itself is asked, about cases made up for this. Warns of rows that "
     "nobody would see. Nothing is changed.",
     "spoke-hub policy check new-policy.sql", NULL, run_check},
    {"policy text", "", 0, 0, "Print the text of the policy in force: the place to begin when it is to be changed.",
     "spoke-hub policy text", NULL, run_text},
    {"policy show", "[TABLE]", 0, 1, "Show which of two people's values stands, column by column.",
     "spoke-hub policy show case_file", NULL, run_show},
    {"policy set", "TABLE COLUMN POLICY [ARG]", 3, 4,
     "Change which value stands in a column when two people wrote it at once. POLICY is lww, max, "
     "strictest, authority or escalate; max and strictest take an order such as \"blue<green<amber<red\", authority "
     "takes social_care or lead.",
     "spoke-hub policy set case_file due_at escalate", NULL, run_set},
    {0}};
