/* What a hub bears: many devices, each with little. In one process, so without HTTP; every other duty is on. Beside the intake, the
 * same rows by prepared INSERT into an encrypted store of the same kind, one commit each, measured alternately.
 *
 * bench_hub intake [repeats] | pull [devices] | many [devices] [cases] */
#include "tests/lib/bench.h"
#include "tests/lib/fake_node.h"

#include "sync/schema_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SENDERS 100u
#define CHANGE  100u /* rows of the change that is pulled */
#define IN_ONE  500u /* cases in one envelope */

static struct fake_hub hub;
static struct fake_node author;
static uint8_t common[16]; /* a case that the police see */

static struct fake_node *devices(size_t n)
{
    struct fake_node *v = calloc(n, sizeof *v);
    if (v == NULL) bench_fail("no memory");
    for (size_t i = 0; i < n; i++) {
        fake_node_enrol(&v[i], &hub, "police-hq", "police", "Bob");
        fake_node_pull(&v[i]);
    }
    return v;
}

static void release(struct fake_node *v, size_t n)
{
    for (size_t i = 0; i < n; i++) fake_node_release(&v[i]);
    free(v);
}

static void start(void)
{
    static const char *const members[] = {"police:contribute", NULL};
    fake_hub_start(&hub);
    fake_hub_people(&hub);
    fake_node_enrol(&author, &hub, "care-mash", "care", "Ann");
    fake_node_pull(&author);
    fake_case(&author, common, "care", members);
    fake_node_pull(&author);
}

static void person(struct fake_node *n, struct fake_edit *e, const uint8_t case_id[16])
{
    uint8_t id[16];
    env_new_id(&hub.env, id);
    struct op op = fake_person(n, id, case_id, "Anybody");
    fake_put(e, &op);
}

static void exchange(struct fake_node *n)
{
    struct why why = {0};
    buf_reset(&n->got);
    BENCH_MUST(hub_exchange(hub.hub, buf_bytes(&n->sent), false, &n->got, &n->result, &why));
}

/* ------------------------------------------------------------------------------------------------------- intake */

static struct db *raw_open(char path[160])
{
    struct why why = {0};
    struct secret key = {0};
    struct db *raw = NULL;
    (void)snprintf(path, 160, "%s/raw.db", hub.dir);
    BENCH_MUST(secret_new(&key, 32, &why));
    env_random(&hub.env, key.p, key.n);
    BENCH_MUST(db_create(&hub.env, path, &key, sync_schema_sql, &why));
    BENCH_MUST(db_open(&raw, &hub.env, path, &key, &why));
    secret_release(&key);
    return raw;
}

static void raw_row(struct db *raw)
{
    struct why why = {0};
    struct stmt *s;
    uint8_t id[16];
    env_new_id(&hub.env, id);
    BENCH_MUST(db_begin(raw, &why));
    BENCH_MUST(db_prepare(raw, "INSERT INTO person(id, case_id, agency, family_name) VALUES ($1, $2, 'police', 'Anybody')", &s, &why));
    db_bind_id(s, 1, id);
    db_bind_id(s, 2, common);
    BENCH_MUST(db_run(s, &why));
    BENCH_MUST(db_commit(raw, &why));
}

static void intake(size_t repeats)
{
    static struct bench_pair pair;
    char path[160], wal[170];
    struct fake_node *n = devices(SENDERS);
    struct db *raw = raw_open(path);
    pair.n = repeats;
    for (size_t i = 0; i < repeats; i++) {
        for (size_t k = 0; k < SENDERS; k++) {
            struct fake_edit e;
            fake_edit_start(&e);
            person(&n[k], &e, common);
            (void)fake_commit(&n[k], &e);
            n[k].budget = 1; /* the answer that matters here is the verdict */
            fake_node_pack(&n[k]);
        }
        struct bench_time at = bench_now();
        for (size_t k = 0; k < SENDERS; k++) exchange(&n[k]);
        pair.ours[i] = bench_since(at);
        at = bench_now();
        for (size_t k = 0; k < SENDERS; k++) raw_row(raw);
        pair.raw[i] = bench_since(at);
        for (size_t k = 0; k < SENDERS; k++) fake_node_read(&n[k]);
        for (size_t k = 0; k < SENDERS; k++) {
            n[k].budget = 0;
            fake_node_pull(&n[k]);
        }
    }
    bench_print_syncs(hub.dir);
    bench_print("one edit from each of 100 devices, a request and a commit each", &pair, 0.5);
    bench_print_syncs(hub.dir);
    db_close(raw);
    (void)unlink(path);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    (void)unlink(wal);
    release(n, SENDERS);
}

/* ------------------------------------------------------------------------------------------------------- pull */

static void pull(size_t count)
{
    struct fake_node *n = devices(count);
    struct fake_edit e;
    fake_edit_start(&e);
    for (size_t i = 0; i < CHANGE; i++) person(&author, &e, common);
    (void)fake_send(&author, &e);
    for (size_t i = 0; i < count; i++) fake_node_pack(&n[i]);
    bench_print_syncs(hub.dir);
    struct bench_time at = bench_now();
    for (size_t i = 0; i < count; i++) exchange(&n[i]);
    struct bench_time took = bench_since(at);
    for (size_t i = 0; i < count; i++) {
        fake_node_read(&n[i]);
        if (n[i].n_rows != CHANGE) bench_fail("a device did not get the change");
    }
    printf("%zu devices fetch the same change of %u rows: %.0f exchanges a second (aim 2000), %.0f by the processor alone\n", count,
           CHANGE, (double)count * 1e3 / took.wall, (double)count * 1e3 / took.cpu);
    bench_print_syncs(hub.dir);
    release(n, count);
}

/* ------------------------------------------------------------------------------------------------------- many */

static size_t rss_mb(void)
{
    char line[200];
    size_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0) kb = (size_t)strtoul(line + 6, NULL, 10);
    if (f != NULL) (void)fclose(f);
    return kb / 1024;
}

/* Of single exchanges: one edit in, nothing else. */
static double median_exchange(struct fake_node *n)
{
    struct bench_time v[BENCH_MAX_REPEATS];
    for (size_t i = 0; i < BENCH_MAX_REPEATS; i++) {
        struct fake_edit e;
        fake_edit_start(&e);
        person(n, &e, common);
        (void)fake_commit(n, &e);
        fake_node_pack(n);
        struct bench_time at = bench_now();
        exchange(n);
        v[i] = bench_since(at);
        fake_node_read(n);
    }
    return bench_median(v, BENCH_MAX_REPEATS).wall;
}

static void one_case(struct buf *content)
{
    struct changeset_writer w;
    uint8_t id[16];
    env_new_id(&hub.env, id);
    struct op file = fake_new(&author, "case_file", id, id);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "rag", value_str("green"));
    fake_value(&file, "status", value_str("new"));
    fake_value(&file, "lead_agency", value_str("care"));
    buf_init(content, 1u << 16);
    changeset_writer_init(&w, content, false, rules_schema_newest());
    changeset_put(&w, &file);
}

static void send_parts(struct part *parts, size_t n)
{
    struct why why = {0};
    struct envelope_header h = {.epoch = 1, .seq = ++author.seq, .schema = rules_schema_newest(), .hlc = (uint64_t)++hub.now << 16};
    struct buf cose, item;
    memcpy(h.hub, hub_identity(hub.hub)->kid, KID_BYTES);
    memcpy(h.base_cut, author.cursor, 16);
    memcpy(h.prev, author.prev, 32);
    memcpy(h.user, author.user, 16);
    buf_init(&cose, 4u << 20);
    buf_init(&item, 64u << 20);
    BENCH_MUST(envelope_sign(&author.id, &h, parts, n, &cose, &why));
    message_put_envelope(&item, buf_bytes(&cose), parts, n);
    fake_node_queue(&author, buf_bytes(&item));
    envelope_hash(buf_bytes(&cose), author.prev);
    buf_release(&cose);
    buf_release(&item);
    fake_node_round(&author);
    if (author.n_verdicts != 1 || author.verdicts[0].verdict != VERDICT_APPLIED) bench_fail("cases were refused");
}

static void make_cases(size_t count)
{
    static struct part parts[IN_ONE];
    static struct buf contents[IN_ONE];
    for (size_t done = 0; done < count; done += IN_ONE) {
        size_t n = count - done < IN_ONE ? count - done : IN_ONE;
        for (size_t i = 0; i < n; i++) {
            one_case(&contents[i]);
            parts[i] = (struct part){.content = buf_bytes(&contents[i])};
            env_random(&hub.env, parts[i].salt, sizeof parts[i].salt);
        }
        send_parts(parts, n);
        for (size_t i = 0; i < n; i++) buf_release(&contents[i]);
    }
}

static void many(size_t n_devices, size_t n_cases)
{
    struct fake_node n = {0};
    for (int i = 0; i < 10; i++) {
        fake_node_release(&n);
        fake_node_enrol(&n, &hub, "police-hq", "police", "Bob");
        fake_node_pull(&n);
    }
    double few = median_exchange(&n);
    size_t before = rss_mb();
    make_cases(n_cases);
    for (size_t i = 10; i < n_devices; i++) {
        struct fake_node other = {0};
        fake_node_enrol(&other, &hub, "school-1", "school", "Cid");
        fake_node_round(&other);
        fake_node_release(&other);
    }
    double much = median_exchange(&n);
    fake_hub_reopen(&hub);
    double fresh = median_exchange(&n);
    printf("10 devices, 1 case: %.2f ms an exchange, %zu MB; %zu devices, %zu cases: %.2f ms (%.2fx), after opening %.2f ms (%.2fx; aim "
           "1.20x), %zu MB with the makers of it all (aim 400)\n",
           few, before, n_devices, n_cases, much, much / few, fresh, fresh / few, rss_mb());
    fake_node_release(&n);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "intake";
    size_t first = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0, second = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 0;
    start();
    if (strcmp(what, "pull") == 0)
        pull(first > 0 ? first : 1000);
    else if (strcmp(what, "many") == 0)
        many(first > 0 ? first : 10000, second > 0 ? second : 100000);
    else
        intake(first > 0 && first < BENCH_MAX_REPEATS ? first : 7);
    fake_node_release(&author);
    fake_hub_stop(&hub);
    return 0;
}
