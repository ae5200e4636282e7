/* How fast the hub takes work in. Beside each time stands a raw limit, measured alternately in the same run: the same
 * rows by prepared INSERT (or the same columns by prepared UPDATE) into an encrypted store of the same kind, in one
 * transaction, nothing else. Prints medians, the processor's share of them, their ratio, and how often the disk syncs
 * in a second, because neither number means anything without that. Not a test: nothing here fails for being slow.
 *
 * bench_intake [rounds] [only] — `only`: the first letters of one kind of work. */
#include "tests/lib/fake_node.h"

#include "sync/schema_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_ROUNDS 32

struct work {
    const char *name;
    const char *what;
    size_t envelopes, cases, rows; /* rows of each case of each envelope */
    bool makes_cases, edits;
};
static const struct work works[] = {
    {"inserts", "1,000 new rows in one case, one envelope", 1, 1, 1000, false, false},
    {"spread", "1,000 new rows in 100 cases, one envelope", 1, 100, 10, false, false},
    {"edits", "1,000 edits in 100 cases, one envelope", 1, 100, 10, false, true},
    {"single", "1,000 envelopes of one edit, one request", 1000, 1, 1, false, true},
    {"import", "10,000 rows in 1,000 new cases, one envelope", 1, 1000, 10, true, false},
};
#define CASES 1000
#define EDITED 1000

struct rows {
    struct op *ops;
    size_t n;
};
struct bench {
    struct fake_hub hub;
    struct fake_node node;
    uint8_t cases[CASES][16];
    struct db *raw;
    char raw_path[128];
    struct rows rows;      /* of the running work */
    const uint8_t *edited[EDITED]; /* actions in the first hundred cases, ten each */
    const uint8_t *person; /* put last */
    unsigned turn;         /* each edit writes another text */
    uint8_t (*ids)[16];    /* what the ops point to */
    size_t n_ids, cap_ids; /* never moved: reserved at the start */
};
struct sample {
    double wall, cpu;
};

static void must_line(enum err e, const struct why *why, int line)
{
    if (e == ERR_OK) return;
    (void)fprintf(stderr, "bench_intake: line %d: %s: %s\n", line, err_word(e), why->text);
    exit(1);
}
#define MUST(call) must_line(call, &why, __LINE__)

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct sample now(void)
{
    return (struct sample){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct sample since(struct sample start)
{
    struct sample s = now();
    return (struct sample){s.wall - start.wall, s.cpu - start.cpu};
}

/* ------------------------------------------------------------------------------------------------- rows to write */

static const uint8_t *new_id(struct bench *b)
{
    if (b->n_ids == b->cap_ids) exit(2);
    env_new_id(&b->hub.env, b->ids[b->n_ids]);
    return b->ids[b->n_ids++];
}

static void put_op(struct rows *r, const struct op *op)
{
    struct op *grown = r->n % 1024 == 0 ? realloc(r->ops, (r->n + 1024) * sizeof *grown) : r->ops;
    if (grown == NULL) exit(2);
    r->ops = grown;
    r->ops[r->n++] = *op;
}

/* What a case is mostly made of, operations of one table together. */
static void content_row(struct bench *b, const uint8_t case_id[16], size_t i, size_t n)
{
    static const char *const tables[] = {"person", "record", "contact", "action"};
    const char *table = tables[i * 4 / n];
    struct op op = fake_new(&b->node, table, new_id(b), case_id);
    if (strcmp(table, "person") == 0) {
        b->person = op_row_id(&op);
        fake_value(&op, "role", value_str("child"));
        fake_value(&op, "family_name", value_str("Nobody"));
        fake_value(&op, "given_names", value_str("Anybody"));
    } else if (strcmp(table, "record") == 0) {
        fake_value(&op, "sensitivity", value_str(i % 3 == 0 ? "sensitive" : "open"));
        fake_value(&op, "body", value_str("Seen at home. Nothing to report but the weather and the state of the garden."));
    } else if (strcmp(table, "contact") == 0) {
        fake_value(&op, "person_id", value_id(b->person));
        fake_value(&op, "value", value_str("01632 960123"));
    } else {
        fake_value(&op, "title", value_str("Visit the family and hear how things stand since the last meeting."));
    }
    put_op(&b->rows, &op);
}

static void new_case_rows(struct bench *b, const uint8_t case_id[16])
{
    static const char *const members[] = {"police", "school"};
    struct op file = fake_new(&b->node, "case_file", case_id, case_id);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "rag", value_str("green"));
    fake_value(&file, "status", value_str("new"));
    fake_value(&file, "lead_agency", value_str("care"));
    put_op(&b->rows, &file);
    struct op brief = fake_new(&b->node, "brief", case_id, case_id);
    fake_value(&brief, "summary", value_str("as told"));
    put_op(&b->rows, &brief);
    for (size_t i = 0; i < 2; i++) {
        struct op p = fake_new(&b->node, "participant", new_id(b), case_id);
        fake_value(&p, "member", value_str(members[i]));
        fake_value(&p, "site", value_str(""));
        fake_value(&p, "access", value_str("contribute"));
        put_op(&b->rows, &p);
    }
}

static void edit_row(struct bench *b, size_t at)
{
    static const char *const texts[] = {"Done so far: one visit, no answer.", "Done so far: two visits, all well."};
    struct op op = fake_change("action", b->edited[at]);
    struct value old = b->turn == 0 ? value_null() : value_str(texts[(b->turn + 1) % 2]);
    fake_from(&op, "note", old, value_str(texts[b->turn % 2]));
    put_op(&b->rows, &op);
}

/* Operations of one case of one envelope. */
static void case_rows(struct bench *b, const struct work *w, size_t envelope, size_t at)
{
    if (w->edits) {
        for (size_t i = 0; i < w->rows; i++) edit_row(b, (envelope + at) * w->rows + i);
        return;
    }
    const uint8_t *case_id = w->makes_cases ? new_id(b) : b->cases[at];
    if (w->makes_cases) new_case_rows(b, case_id);
    size_t n = w->makes_cases ? w->rows - 4 : w->rows;
    for (size_t i = 0; i < n; i++) content_row(b, case_id, i, n);
}

/* ------------------------------------------------------------------------------------------------------- at the hub */

static void sign_parts(struct bench *b, const struct part *parts, size_t n)
{
    struct why why = {0};
    struct fake_node *node = &b->node;
    struct envelope_header h = {
        .epoch = 1, .seq = ++node->seq, .schema = rules_schema_newest(), .hlc = (uint64_t)++b->hub.now << 16};
    struct buf cose, item;
    memcpy(h.hub, hub_identity(b->hub.hub)->kid, KID_BYTES);
    memcpy(h.base_cut, node->cursor, 16);
    memcpy(h.prev, node->prev, 32);
    memcpy(h.user, node->user, 16);
    buf_init(&cose, 4u << 20);
    buf_init(&item, 64u << 20);
    MUST(envelope_sign(&node->id, &h, parts, n, &cose, &why));
    message_put_envelope(&item, buf_bytes(&cose), parts, n);
    fake_node_queue(node, buf_bytes(&item));
    envelope_hash(buf_bytes(&cose), node->prev);
    buf_release(&cose);
    buf_release(&item);
}

static void queue_envelope(struct bench *b, const struct work *w, size_t envelope)
{
    struct part *parts = calloc(w->cases, sizeof *parts);
    struct buf *contents = calloc(w->cases, sizeof *contents);
    if (parts == NULL || contents == NULL) exit(2);
    for (size_t i = 0; i < w->cases; i++) {
        struct changeset_writer c;
        size_t from = b->rows.n;
        case_rows(b, w, envelope, i);
        buf_init(&contents[i], 16u << 20);
        changeset_writer_init(&c, &contents[i], false, rules_schema_newest());
        for (size_t k = from; k < b->rows.n; k++) changeset_put(&c, &b->rows.ops[k]);
        env_random(&b->hub.env, parts[i].salt, SALT_BYTES);
        parts[i].content = buf_bytes(&contents[i]);
    }
    sign_parts(b, parts, w->cases);
    for (size_t i = 0; i < w->cases; i++) buf_release(&contents[i]);
    free(contents);
    free(parts);
}

static enum err count_verdict(void *ctx, const struct verdict_item *v, struct why *why)
{
    size_t *n = ctx;
    if (v->verdict != VERDICT_APPLIED)
        return why_set(why, ERR_FAILED, "an envelope was not applied: %.*s", (int)v->reason.n, (const char *)v->reason.p);
    ++*n;
    return ERR_OK;
}

/* Reads of the answer what the next request needs. Returns how many envelopes were applied. */
static size_t read_answer(struct bench *b)
{
    struct why why = {0};
    struct fake_node *n = &b->node;
    const struct identity *hub = hub_identity(b->hub.hub);
    struct bundle_reader *r = NULL;
    struct seal_header head;
    struct bytes item;
    uint8_t binding[32];
    size_t applied = 0;
    bool end = false;
    MUST(bundle_reader_new(&r, buf_bytes(&n->got), &n->id, &head, binding, &why));
    MUST(bundle_next(r, &item, &end, &why));
    MUST(message_get_hub_hello(item, hub, &n->hello, &why));
    n->request++;
    while (!end) {
        MUST(bundle_next(r, &item, &end, &why));
        if (!end && message_type(item) == MSG_VERDICTS)
            MUST(message_get_verdicts(item, hub, n->id.pub.kid, n->request, count_verdict, &applied, &why));
    }
    bundle_reader_free(r);
    buf_reset(&n->queue);
    memcpy(n->cursor, n->hello.cut, 16);
    hash_blake2b(n->last_answer, buf_bytes(&n->got));
    return applied;
}

static struct sample exchange(struct bench *b, size_t *out_applied)
{
    struct why why = {0};
    struct fake_node *n = &b->node;
    fake_node_pack(n);
    buf_reset(&n->got);
    struct sample start = now();
    MUST(hub_exchange(b->hub.hub, buf_bytes(&n->sent), false, &n->got, &n->result, &why));
    struct sample took = since(start);
    *out_applied = read_answer(b);
    return took;
}

/* What waits for the device is fetched outside the time taken, so that each round begins alike. */
static void pull(struct bench *b)
{
    size_t applied;
    do {
        (void)exchange(b, &applied);
    } while (b->node.hello.more);
}

static struct sample at_hub(struct bench *b, const struct work *w)
{
    size_t applied = 0;
    b->rows.n = 0;
    for (size_t i = 0; i < w->envelopes; i++) queue_envelope(b, w, i);
    struct sample took = exchange(b, &applied);
    if (applied != w->envelopes) {
        (void)fprintf(stderr, "bench_intake: %zu of %zu envelopes were applied.\n", applied, w->envelopes);
        exit(1);
    }
    return took;
}

/* -------------------------------------------------------------------------------------------------- the raw limit */

static struct sample at_raw(struct bench *b)
{
    struct why why = {0};
    struct sample start = now();
    MUST(db_begin(b->raw, &why));
    for (size_t i = 0; i < b->rows.n; i++) {
        const struct op *op = &b->rows.ops[i];
        struct row row = {.table = op->table};
        memcpy(row.v, op->new_, sizeof row.v);
        if (op->kind == OP_INSERT) {
            MUST(db_row_put(b->raw, &row, &why));
            continue;
        }
        for (size_t c = 1; c < op->table->n_columns; c++)
            if (op->new_[c].kind != VALUE_NONE)
                MUST(db_row_set(b->raw, op->table, op_row_id(op), c, op->new_[c], &why));
    }
    MUST(db_commit(b->raw, &why));
    return since(start);
}

static double syncs_per_second(const char *dir)
{
    char path[160];
    uint8_t page[4096] = {1};
    int n = 0;
    (void)snprintf(path, sizeof path, "%s/sync", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    double start = clock_ms(CLOCK_MONOTONIC), ms = 0;
    while (fd >= 0 && n < 200 && ms < 500) {
        if (pwrite(fd, page, sizeof page, (off_t)n * 4096) != (ssize_t)sizeof page || fdatasync(fd) != 0) break;
        n++;
        ms = clock_ms(CLOCK_MONOTONIC) - start;
    }
    if (fd >= 0) (void)close(fd);
    (void)unlink(path);
    return ms > 0 ? n * 1e3 / ms : 0;
}

/* --------------------------------------------------------------------------------------------------------- the run */

static int by_wall(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return x->wall < y->wall ? -1 : x->wall > y->wall;
}

static struct sample median(struct sample *s, size_t n)
{
    qsort(s, n, sizeof *s, by_wall);
    return s[n / 2];
}

static void run(struct bench *b, const struct work *w, size_t rounds)
{
    struct sample hub[MAX_ROUNDS], raw[MAX_ROUNDS];
    for (size_t i = 0; i < rounds; i++) {
        hub[i] = at_hub(b, w);
        raw[i] = at_raw(b);
        b->turn++;
        pull(b);
    }
    struct sample h = median(hub, rounds), r = median(raw, rounds);
    (void)printf("%-8s %8.1f %8.1f %8.1f %8.1f %7.1f %8.0f  %s\n", w->name, h.wall, h.cpu, r.wall, r.cpu,
                 h.wall / r.wall, syncs_per_second(b->hub.dir), w->what);
    (void)fflush(stdout);
}

static void start(struct bench *b)
{
    struct why why = {0};
    struct secret key = {0};
    fake_hub_start(&b->hub);
    fake_hub_people(&b->hub);
    fake_node_enrol(&b->node, &b->hub, "care-mash", "care", "Carla");
    b->cap_ids = 2000000;
    b->ids = calloc(b->cap_ids, 16);
    if (b->ids == NULL) exit(2);
    (void)snprintf(b->raw_path, sizeof b->raw_path, "%s/raw.db", b->hub.dir);
    MUST(secret_new(&key, 32, &why));
    env_random(&b->hub.env, key.p, key.n);
    MUST(db_create(&b->hub.env, b->raw_path, &key, sync_schema_sql, &why));
    MUST(db_open(&b->raw, &b->hub.env, b->raw_path, &key, &why));
    secret_release(&key);
}

/* A hub is never empty: the cases that work lands in, and a thousand actions to be edited. */
static void fill(struct bench *b)
{
    const struct work cases = {.cases = 1000, .rows = 4, .envelopes = 1, .makes_cases = true};
    const struct work actions = {.cases = 100, .rows = 10, .envelopes = 1}; /* two of ten rows are actions */
    size_t n = 0;
    (void)at_hub(b, &cases);
    for (size_t i = 0; i < b->rows.n; i++)
        if (strcmp(b->rows.ops[i].table->name, "case_file") == 0) memcpy(b->cases[n++], op_row_id(&b->rows.ops[i]), 16);
    (void)at_raw(b);
    pull(b);
    for (size_t i = 0; i < 5; i++) {
        (void)at_hub(b, &actions);
        n = 0;
        for (size_t k = 0; k < b->rows.n; k++) {
            if (strcmp(b->rows.ops[k].table->name, "action") != 0) continue;
            b->edited[n / 2 * 10 + i * 2 + n % 2] = op_row_id(&b->rows.ops[k]);
            n++;
        }
        (void)at_raw(b);
        pull(b);
    }
}

static void stop(struct bench *b)
{
    struct why why = {0};
    char wal[160];
    MUST(hub_verify(b->hub.hub, &why));
    db_close(b->raw);
    (void)unlink(b->raw_path);
    (void)snprintf(wal, sizeof wal, "%s-wal", b->raw_path);
    (void)unlink(wal);
    fake_node_release(&b->node);
    fake_hub_stop(&b->hub);
    free(b->rows.ops);
    free(b->ids);
}

int main(int argc, char **argv)
{
    static struct bench b;
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    const char *only = argc > 2 ? argv[2] : "";
    if (rounds < 1 || rounds > MAX_ROUNDS) rounds = 5;
    start(&b);
    fill(&b);
    (void)printf("medians of %ld, ms    hub            raw limit    ratio  syncs/s\n", rounds);
    (void)printf("%-8s %8s %8s %8s %8s\n", "", "wall", "cpu", "wall", "cpu");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strncmp(works[i].name, only, strlen(only)) == 0) run(&b, &works[i], (size_t)rounds);
    stop(&b);
    return 0;
}
