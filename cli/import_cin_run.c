#include "cli/import_cin.h"

#include "cli/import_cin_census.h"
#include "cli/import_cin_write.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>

/* One referral of the file and what becomes of it. */
struct plan {
    const struct cin_child *child;
    const struct cin_referral *referral;
    char ref[80]; /* external_ref: the child's number and the referral's date */
    bool here;    /* a referral of this agency has it already */
    bool twice;   /* stands in the file before */
};
struct import {
    struct cli *c;
    struct node *node;
    struct node_info info;
    struct cin_census census;
    char area[64];
    struct plan *plans; /* owned, in the order of the file */
    size_t n;
    uint64_t cases, here, twice, edits;
    int64_t began;
};

static int by_ref(const void *a, const void *b)
{
    const struct plan *x = *(const struct plan *const *)a, *y = *(const struct plan *const *)b;
    int order = strcmp(x->ref, y->ref);
    return order != 0 ? order : (x > y) - (x < y);
}

static int find_ref(const void *key, const void *item)
{
    return strcmp(key, (*(struct plan *const *)item)->ref);
}

/* Mark every plan with this reference. The sorted array holds equal ones side by side. */
static void mark_here(struct plan **sorted, size_t n, const char *ref)
{
    struct plan **hit = n != 0 ? bsearch(ref, sorted, n, sizeof(*sorted), find_ref) : NULL;
    if (hit == NULL) return;
    while (hit > sorted && strcmp(hit[-1]->ref, ref) == 0) hit--;
    for (; hit < sorted + n && strcmp((*hit)->ref, ref) == 0; hit++) (*hit)->here = true;
}

static enum err mark_all_here(struct import *im, struct plan **sorted, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    char ref[80];
    enum err e = db_prepare(
        node_db(im->node), "SELECT external_ref FROM referral WHERE agency = $1 AND external_ref IS NOT NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, im->info.agency);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes v = db_bytes(s, 0);
        if (v.n < sizeof ref) {
            memcpy(ref, v.p, v.n);
            ref[v.n] = '\0';
            mark_here(sorted, im->n, ref);
        }
    }
    db_done(s);
    return e;
}

/* Decide for each referral of the file, before anything is written. */
static enum err plan_all(struct import *im, struct why *why)
{
    im->n = im->census.referrals;
    im->plans = calloc(im->n + 1, sizeof *im->plans);
    struct plan **sorted = calloc(im->n + 1, sizeof *sorted);
    enum err e = ERR_OK;
    if (im->plans == NULL || sorted == NULL) {
        e = why_set(why, ERR_NOMEM, "There is not enough memory for this return.");
        goto out;
    }
    struct plan *p = im->plans;
    for (size_t i = 0; i < im->census.n; i++)
        for (size_t k = 0; k < im->census.children[i].n; k++, p++) {
            p->child = &im->census.children[i];
            p->referral = &p->child->referrals[k];
            snprintf(p->ref, sizeof p->ref, "%s/%s", p->child->la_id, p->referral->received.iso);
            sorted[p - im->plans] = p;
        }
    qsort(sorted, im->n, sizeof(*sorted), by_ref);
    e = mark_all_here(im, sorted, why);
    for (size_t i = 0; i < im->n; i++) {
        sorted[i]->twice = i > 0 && strcmp(sorted[i - 1]->ref, sorted[i]->ref) == 0;
        im->twice += sorted[i]->twice;
        im->here += sorted[i]->here && !sorted[i]->twice;
    }
out:
    free(sorted);
    return e;
}

/* The area of new cases: as asked, else the one area that this site covers; a site that covers all has no area of its
 * own, and its county is meant. */
static enum err choose_area(struct import *im, const char *asked, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    size_t n = 0;
    if (asked != NULL) {
        if (asked[0] == '\0' || snprintf(im->area, sizeof im->area, "%s", asked) >= (int)sizeof im->area)
            return why_set(why, ERR_USAGE, "--area takes the name of an area, up to 63 letters.");
        return ERR_OK;
    }
    enum err e = db_prepare(node_db(im->node),
                            "SELECT DISTINCT area FROM coverage WHERE site = $1 ORDER BY area LIMIT 2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, im->info.site);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes v = db_bytes(s, 0);
        if (n++ == 0 && v.n > 0 && v.n < sizeof im->area) memcpy(im->area, v.p, v.n); /* zeroed before */
    }
    db_done(s);
    if (e == ERR_OK && n > 1) {
        (void)why_set(why, ERR_USAGE, "This site covers several areas, and a census return does not say which.");
        return why_next(why, ERR_USAGE, "Say it: spoke import cin FILE --area AREA");
    }
    if (e == ERR_OK && (im->area[0] == '\0' || strcmp(im->area, "*") == 0))
        snprintf(im->area, sizeof im->area, "county");
    return e;
}

/* One edit from plan `from` on; *out_next is where the next one begins. */
static enum err write_edit(struct import *im, size_t from, size_t *out_next, struct why *why)
{
    struct cin_writer w = {.env = node_env(im->node),
                           .db = node_db(im->node),
                           .agency = im->info.agency,
                           .area = im->area};
    uint64_t cases = 0;
    size_t i = from;
    enum err e = node_edit_begin(im->node, why);
    if (e != ERR_OK) return e;
    for (; i < im->n && e == ERR_OK && cases < CIN_EDIT_CASES && w.rows < CIN_EDIT_ROWS; i++) {
        const struct plan *p = &im->plans[i];
        if (p->here || p->twice) continue;
        e = cin_write_case(&w, p->child, p->referral, p->ref, why);
        cases++;
    }
    if (e != ERR_OK) {
        node_edit_cancel(im->node);
        return e;
    }
    uint64_t seq = 0;
    e = node_edit_commit(im->node, "imported a census return", &seq, why);
    if (e != ERR_OK) return e;
    im->cases += cases;
    im->edits += cases > 0;
    *out_next = i;
    return ERR_OK;
}

static enum err write_all(struct import *im, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t next = 0; next < im->n && e == ERR_OK;) e = write_edit(im, next, &next, why);
    if (e != ERR_OK && im->edits > 0)
        return why_next(why, e, "%llu cases were made before that and stay. Run the same command again for the rest.",
                        (unsigned long long)im->cases);
    return e;
}

/* What was left out and what looks odd: line numbers and our own words, never the content of the file. */
static void tell_notes(const struct import *im)
{
    bool verbose = cli_has(im->c, "verbose");
    const struct cin_notes *left = &im->census.left_out, *warn = &im->census.warnings;
    for (size_t i = 0; i < left->n; i++) fprintf(stderr, "line %d: %s.\n", left->v[i].line, left->v[i].what);
    for (size_t i = 0; i < im->n; i++)
        if (im->plans[i].twice)
            fprintf(stderr, "line %d: the same referral stands in the file before; this one is left out.\n",
                    im->plans[i].referral->line);
    if (warn->n > 0)
        fprintf(stderr, "UPNs that do not fit their check letter, taken as they stand: %zu.%s\n", warn->n,
                verbose ? "" : " --verbose lists the lines.");
    for (size_t i = 0; i < warn->n && verbose; i++) fprintf(stderr, "line %d: %s.\n", warn->v[i].line, warn->v[i].what);
    if (im->edits > 1)
        fprintf(stderr, "The return is long: it was taken in %llu edits, one after the other.\n",
                (unsigned long long)im->edits);
}

static enum err tell_result(const struct import *im, bool dry_run, struct why *why)
{
    uint64_t left_out = im->census.left_out.n + im->twice;
    uint64_t cases = dry_run ? im->n - im->here - im->twice : im->cases;
    double seconds = (double)(env_now(im->c->env) - im->began) / 1000.0;
    if (im->c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "children", (int64_t)im->census.n);
        json_set_int(o, "referrals", (int64_t)im->census.referrals);
        json_set_int(o, "cases", (int64_t)cases);
        json_set_int(o, "already_here", (int64_t)im->here);
        json_set_int(o, "left_out", (int64_t)left_out);
        json_set_int(o, "upn_warnings", (int64_t)im->census.warnings.n);
        json_set_str(o, "area", im->area);
        json_set_bool(o, "dry_run", dry_run);
        json_set_real(o, "seconds", seconds);
        return show_json(o, why);
    }
    char children[48], referrals[48], made[48], here[48], out[48];
    show_count(children, sizeof children, im->census.n, "child", "children");
    show_count(referrals, sizeof referrals, im->census.referrals, "referral", "referrals");
    show_count(made, sizeof made, cases, "case", "cases");
    show_count(here, sizeof here, im->here, "referral", "referrals");
    show_count(out, sizeof out, left_out, "thing", "things");
    printf("The return holds %s with %s.\n", children, referrals);
    if (dry_run)
        printf("It would make %s in the area %s. Nothing was written.\n", made, im->area);
    else
        printf("It made %s in the area %s.\n", made, im->area);
    if (im->here > 0) printf("Already here and left as they are: %s.\n", here);
    if (left_out > 0) printf("Left out, by line above: %s.\n", out);
    if (!dry_run) printf("Took %.1f seconds.\n", seconds);
    return ERR_OK;
}

static enum err load(const struct env *env, const char *file, struct cin_census *out, struct why *why)
{
    struct buf b;
    buf_init(&b, CIN_MAX_FILE);
    enum err e = env->read_file(env->ctx, file, CIN_MAX_FILE, &b, why);
    if (e == ERR_LIMIT)
        (void)why_set(why, e, "The file is larger than %u MiB. A census return never is.", CIN_MAX_FILE >> 20);
    if (e == ERR_OK) e = cin_read(buf_bytes(&b), out, why);
    buf_release(&b);
    return e;
}

enum err import_cin_run(struct cli *c, struct node *n, const char *file, const char *area, bool dry_run,
                        struct why *why)
{
    struct import im = {.c = c, .node = n, .began = env_now(c->env)};
    enum err e = node_get_info(n, &im.info, why);
    if (e == ERR_OK) e = load(c->env, file, &im.census, why);
    if (e == ERR_OK) e = choose_area(&im, area, why);
    if (e == ERR_OK) e = plan_all(&im, why);
    if (e == ERR_OK && !dry_run) e = write_all(&im, why);
    if (e == ERR_OK) {
        tell_notes(&im);
        e = tell_result(&im, dry_run, why);
        c->attention = c->attention || im.census.left_out.n + im.twice > 0;
    }
    free(im.plans);
    cin_release(&im.census);
    return e;
}
