#include "tests/lib/bench_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------------- devices */

struct node *bench_world_device(struct bench_world *w)
{
    struct why why = {0};
    struct node *n = NULL;
    struct buf code, request, answer;
    struct invitation invitation;
    uint8_t keys[PUBLIC_BYTES];
    char home[128];
    const struct env *env = &w->hub.env;
    struct bytes passphrase = bytes_of_str(BENCH_PASSPHRASE);
    (void)snprintf(home, sizeof home, "%s/home-%u", w->hub.dir, w->n_homes++);
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(w->hub.hub), keys);
    BENCH_MUST(hub_invite(w->hub.hub, "care-mash", "http://127.0.0.1:1", 3600000, &code, &why));
    BENCH_MUST(invitation_get(buf_bytes(&code), &invitation, &why));
    BENCH_MUST(
        node_enrol_begin(env, home, passphrase, &invitation, bytes_of(keys, sizeof keys), "Carla", &request, &why));
    BENCH_MUST(hub_enrol(w->hub.hub, buf_bytes(&request), &answer, &why));
    BENCH_MUST(node_enrol_finish(env, home, passphrase, buf_bytes(&answer), &why));
    BENCH_MUST(node_open(&n, env, home, passphrase, &why));
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
    return n;
}

/* --------------------------------------------------------------------------------------------------------- rounds */

void bench_ask(struct bench_round *r, struct node *n)
{
    struct why why = {0};
    struct request req;
    struct bench_time start = bench_now();
    BENCH_MUST(request_ready(n, &(struct round_options){0}, &req, &why));
    r->asking = bench_since(start);
    r->request = req.bytes;
    buf_init(&r->answer, BUNDLE_MAX);
}

void bench_answer(struct bench_round *r, struct bench_world *w)
{
    struct why why = {0};
    struct bench_time start = bench_now();
    BENCH_MUST(hub_exchange(w->hub.hub, buf_bytes(&r->request), false, &r->answer, NULL, &why));
    r->hub = bench_since(start);
}

void bench_take(struct bench_round *r, struct node *n)
{
    struct why why = {0};
    r->result = (struct round_result){.bytes_out = r->request.len, .bytes_in = r->answer.len};
    r->taken = (struct taken){0};
    struct bench_time start = bench_now();
    BENCH_MUST(take_answer(n, buf_bytes(&r->answer), &r->result, &r->taken, &why));
    r->taking = bench_since(start);
    if (r->result.held + r->result.waits + r->result.fault > 0) bench_fail("not all was taken in");
    buf_release(&r->request);
    buf_release(&r->answer);
}

void bench_pull(struct bench_world *w, struct node *n, struct bench_round *out)
{
    struct bench_round r, sum = {0};
    do {
        bench_ask(&r, n);
        bench_answer(&r, w);
        bench_take(&r, n);
        sum.asking = bench_sum(sum.asking, r.asking);
        sum.hub = bench_sum(sum.hub, r.hub);
        sum.taking = bench_sum(sum.taking, r.taking);
        sum.result.rounds += r.result.rounds;
        sum.result.rows_in += r.result.rows_in;
        sum.result.bytes_in += r.result.bytes_in;
        sum.result.bytes_out += r.result.bytes_out;
    } while (r.taken.more || r.taken.judged > 0);
    *out = sum;
}

/* ------------------------------------------------------------------------------------------------- what is in it */

static const char *some_text(struct bench_world *w, char out[512], size_t n)
{
    static const char *const words[] = {
        "seen",    "at",    "home",  "with",  "the",     "family",  "said",    "nothing", "to",    "visit",    "school",
        "later",   "worry", "about", "her",   "mother",  "father",  "asked",   "for",     "other", "meeting",  "agreed",
        "doctor",  "nurse", "call",  "back",  "monday",  "report",  "brother", "sister",  "house", "quiet",    "phone",
        "arrived", "late",  "left",  "early", "without", "evening", "morning", "police",  "again", "neighbour"};
    size_t at = 0;
    while (at < n) {
        w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
        const char *word = words[(w->seed >> 33) % (sizeof words / sizeof words[0])];
        at += (size_t)snprintf(out + at, 512 - at, "%s%s", at > 0 ? " " : "", word);
    }
    out[n] = '\0';
    return out;
}

static void set(struct row *r, const char *column, struct value v)
{
    int c = rules_column_index(r->table, bytes_of_str(column));
    if (c < 0) bench_fail(column);
    r->v[c] = v;
}

static struct row new_row(struct bench_world *w, const char *table, uint8_t id[16], const uint8_t case_id[16])
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    if (id != case_id) env_new_id(&w->hub.env, id);
    r.v[0] = value_id(id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str("care");
    return r;
}

static void put(struct node *n, const struct row *r)
{
    struct why why = {0};
    BENCH_MUST(db_row_put(node_db(n), r, &why));
}

static void put_head(struct bench_world *w, struct node *n, uint8_t case_id[16])
{
    static const char *const members[] = {"police", "school"};
    uint8_t id[16];
    char text[512];
    env_new_id(&w->hub.env, case_id);
    struct row file = new_row(w, "case_file", case_id, case_id);
    set(&file, "area", value_str("north"));
    set(&file, "rag", value_str("green"));
    set(&file, "status", value_str("new"));
    set(&file, "lead_agency", value_str("care"));
    put(n, &file);
    struct row brief = new_row(w, "brief", case_id, case_id);
    set(&brief, "summary", value_str(some_text(w, text, 200)));
    put(n, &brief);
    for (size_t i = 0; i < 2; i++) {
        struct row p = new_row(w, "participant", id, case_id);
        set(&p, "member", value_str(members[i]));
        set(&p, "site", value_str(""));
        set(&p, "access", value_str("contribute"));
        put(n, &p);
    }
}

static void put_record(struct bench_world *w, struct node *n, const uint8_t case_id[16], size_t i)
{
    uint8_t id[16];
    char title[512], body[512];
    struct row r = new_row(w, "record", id, case_id);
    set(&r, "sensitivity", value_str(i % 3 == 0 ? "sensitive" : "open"));
    set(&r, "kind", value_str("visit"));
    set(&r, "written_at", value_int(w->hub.now + (int64_t)i));
    set(&r, "title", value_str(some_text(w, title, 41)));
    set(&r, "body", value_str(some_text(w, body, 403)));
    put(n, &r);
}

static void put_action(struct bench_world *w, struct node *n, const uint8_t case_id[16])
{
    uint8_t *id = w->actions[w->n_actions++];
    char title[512];
    struct row r = new_row(w, "action", id, case_id);
    set(&r, "title", value_str(some_text(w, title, 41)));
    set(&r, "state", value_str("open"));
    put(n, &r);
}

/* A hundred rows, most of their bytes in records. */
static void put_case(struct bench_world *w, struct node *n)
{
    uint8_t case_id[16], person[16], id[16];
    char text[512];
    put_head(w, n, case_id);
    for (size_t i = 0; i < 4; i++) {
        struct row p = new_row(w, "person", person, case_id);
        set(&p, "role", value_str("child"));
        set(&p, "family_name", value_str(some_text(w, text, 12)));
        put(n, &p);
    }
    for (size_t i = 0; i < 60; i++) put_record(w, n, case_id, i);
    for (size_t i = 0; i < 16; i++) {
        struct row c = new_row(w, "contact", id, case_id);
        set(&c, "person_id", value_id(person));
        set(&c, "value", value_str("01632 960123"));
        put(n, &c);
    }
    for (size_t i = 0; i < 16; i++) put_action(w, n, case_id);
}

static void fill(struct bench_world *w)
{
    struct why why = {0};
    struct bench_round r;
    uint64_t seq;
    bench_pull(w, w->author, &r);
    for (size_t at = 0; at < BENCH_CASES; at += 50) {
        BENCH_MUST(node_edit_begin(w->author, &why));
        for (size_t i = 0; i < 50; i++) {
            w->hub.now += 60000;
            put_case(w, w->author);
        }
        BENCH_MUST(node_edit_commit(w->author, "filled the bench", &seq, &why));
        bench_pull(w, w->author, &r);
    }
}

const char *bench_world_edit(struct bench_world *w, struct node *n, const unsigned *actions, unsigned n_actions)
{
    struct why why = {0};
    uint64_t seq;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("action")));
    size_t column = (size_t)rules_column_index(t, bytes_of_str("note"));
    (void)snprintf(w->note, sizeof w->note, "visit %04u, nobody in", w->turn++);
    BENCH_MUST(node_edit_begin(n, &why));
    for (unsigned i = 0; i < n_actions; i++)
        BENCH_MUST(db_row_set(node_db(n), t, w->actions[actions[i]], column, value_str(w->note), &why));
    BENCH_MUST(node_edit_commit(n, "noted what was done", &seq, &why));
    return w->note;
}

void bench_world_start(struct bench_world *w)
{
    *w = (struct bench_world){.seed = 1, .actions = calloc(BENCH_ACTIONS, 16)};
    if (w->actions == NULL) bench_fail("no memory");
    fake_hub_start(&w->hub);
    fake_hub_people(&w->hub);
    w->author = bench_world_device(w);
    fill(w);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void bench_world_stop(struct bench_world *w)
{
    node_close(w->author);
    hub_close(w->hub.hub);
    (void)nftw(w->hub.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w->actions);
}
