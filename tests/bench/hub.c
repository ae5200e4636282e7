/* What a hub bears: many devices, each with little. In one process, so without HTTP; every other duty is on. Beside the
 * intake, the same rows by prepared INSERT into an encrypted store of the same kind, one commit each, measured
 * alternately. On PostgreSQL by `tests/postgres/run`, whose server makes durable what it commits (--fast would not);
 * the raw limit is then libpq alone there.
 *
 * bench_hub intake [repeats] | pull [devices] | many [devices] [cases]
 *
 * `many` makes its devices and cases by the same ways as anybody: on a disk that syncs 150 times a second that takes an
 * hour, in a folder in memory (TMPDIR) some minutes. */
#include "tests/lib/bench.h"
#include "tests/lib/bench_libpq.h"
#include "tests/lib/fake_node.h"
#include "tests/lib/test_store.h"

#include "crypto/cose.h"
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
#define KEY_TIMES 2000u

/* A hub and what stands on it. `many` has a small one beside the large one. */
struct world {
    struct fake_hub hub;
    struct fake_node author;
    uint8_t common[16];     /* a case that the police see */
    struct fake_node probe; /* of `many` */
};
static struct world worlds[2];
static struct world *w = &worlds[0];

static struct fake_node *devices(size_t n)
{
    struct fake_node *v = calloc(n, sizeof *v);
    if (v == NULL) bench_fail("no memory");
    for (size_t i = 0; i < n; i++) {
        fake_node_enrol(&v[i], &w->hub, "police-hq", "police", "Bob");
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
    fake_hub_start(&w->hub);
    fake_hub_people(&w->hub);
    fake_node_enrol(&w->author, &w->hub, "care-mash", "care", "Ann");
    fake_node_pull(&w->author);
    fake_case(&w->author, w->common, "care", members);
    fake_node_pull(&w->author);
}

static void person(struct fake_node *n, struct fake_edit *e, const uint8_t case_id[16])
{
    uint8_t id[16];
    env_new_id(&w->hub.env, id);
    struct op op = fake_person(n, id, case_id, "Anybody");
    fake_put(e, &op);
}

static void exchange(struct fake_node *n)
{
    struct why why = {0};
    buf_reset(&n->got);
    BENCH_MUST(hub_exchange(w->hub.hub, buf_bytes(&n->sent), false, &n->got, &n->result, &why));
}

/* As `spoke-hub serve` does with what is ready at one moment. */
static void exchange_all(struct fake_node *n, size_t count)
{
    struct hub_asked v[HUB_TOGETHER];
    for (size_t at = 0, k; at < count; at += k) {
        size_t ready = count - at < HUB_TOGETHER ? count - at : HUB_TOGETHER;
        for (size_t i = 0; i < ready; i++) {
            buf_reset(&n[at + i].got);
            v[i] = (struct hub_asked){.request = buf_bytes(&n[at + i].sent), .out = &n[at + i].got};
        }
        k = hub_exchange_all(w->hub.hub, v, ready);
        for (size_t i = 0; i < k; i++) bench_must(v[i].e, &v[i].why, __FILE__, __LINE__);
    }
}

/* ------------------------------------------------------------------------------------------------------- intake */

struct raw {
    struct bench_libpq *server; /* on PostgreSQL; else: */
    struct db *file;
    char path[160];
};

static void raw_open(struct raw *raw)
{
    struct why why = {0};
    struct secret key = {0};
    memset(raw, 0, sizeof *raw);
    if (test_store_is_postgres()) {
        raw->server = bench_libpq_open(&w->hub.env);
        return;
    }
    (void)snprintf(raw->path, sizeof raw->path, "%s/raw.db", w->hub.dir);
    BENCH_MUST(secret_new(&key, 32, &why));
    env_random(&w->hub.env, key.p, key.n);
    BENCH_MUST(db_create(&w->hub.env, raw->path, &key, sync_schema_sql, &why));
    BENCH_MUST(db_open(&raw->file, &w->hub.env, raw->path, &key, &why));
    secret_release(&key);
}

static void raw_close(struct raw *raw)
{
    char wal[170];
    if (raw->server != NULL) {
        bench_libpq_close(raw->server);
        return;
    }
    db_close(raw->file);
    (void)unlink(raw->path);
    (void)snprintf(wal, sizeof wal, "%s-wal", raw->path);
    (void)unlink(wal);
}

static void raw_row(struct raw *raw)
{
    struct why why = {0};
    struct stmt *s;
    uint8_t id[16];
    env_new_id(&w->hub.env, id);
    if (raw->server != NULL) {
        bench_libpq_person(raw->server, id, w->common);
        return;
    }
    BENCH_MUST(db_begin(raw->file, &why));
    BENCH_MUST(db_prepare(raw->file, "INSERT INTO person(id, case_id, agency, family_name) VALUES ($1, $2, 'police', 'Anybody')", &s, &why));
    db_bind_id(s, 1, id);
    db_bind_id(s, 2, w->common);
    BENCH_MUST(db_run(s, &why));
    BENCH_MUST(db_commit(raw->file, &why));
}

static void intake(size_t repeats, bool together)
{
    static struct bench_pair pair;
    struct fake_node *n = devices(SENDERS);
    struct raw raw;
    raw_open(&raw);
    pair.n = repeats;
    for (size_t i = 0; i < repeats; i++) {
        for (size_t k = 0; k < SENDERS; k++) {
            struct fake_edit e;
            fake_edit_start(&e);
            person(&n[k], &e, w->common);
            (void)fake_commit(&n[k], &e);
            n[k].budget = 1; /* the answer that matters here is the verdict */
            fake_node_pack(&n[k]);
        }
        struct bench_time at = bench_now();
        if (together)
            exchange_all(n, SENDERS);
        else
            for (size_t k = 0; k < SENDERS; k++) exchange(&n[k]);
        pair.ours[i] = bench_since(at);
        at = bench_now();
        for (size_t k = 0; k < SENDERS; k++) raw_row(&raw);
        pair.raw[i] = bench_since(at);
        for (size_t k = 0; k < SENDERS; k++) fake_node_read(&n[k]);
        for (size_t k = 0; k < SENDERS; k++) {
            n[k].budget = 0;
            fake_node_pull(&n[k]);
        }
    }
    bench_print_syncs(w->hub.dir);
    bench_print(together ? "one edit from each of 100 devices at once, a request each" : "the same one by one, a commit each", &pair,
                together ? 0.5 : 0);
    bench_print_syncs(w->hub.dir);
    raw_close(&raw);
    release(n, SENDERS);
}

/* ------------------------------------------------------------------------------------------------------- pull */

/* What no exchange can do without, in ms of the processor: the request's box opened, its hello verified, hello and page
 * of the answer signed, and its box made. */
static double keys_alone(const struct fake_node *n)
{
    static const uint8_t words[300];
    struct why why = {0};
    struct buf cose, box, key;
    struct cose_parts parts;
    struct bench_time at = bench_now();
    buf_init(&cose, 4096);
    buf_init(&box, 4096);
    buf_init(&key, 4096);
    for (size_t i = 0; i < KEY_TIMES; i++) {
        for (int k = 0; k < 2; k++) {
            cose.len = box.len = key.len = 0;
            BENCH_MUST(cose_sign(&n->id, 0, (struct bytes){0}, (struct bytes){0}, bytes_of(words, sizeof words), &cose, &why));
        }
        BENCH_MUST(cose_verify(buf_bytes(&cose), &n->id.pub, (struct bytes){0}, &parts, &why));
        BENCH_MUST(seal_box(bytes_of(words, 32), n->id.pub.box_pk, &box, &why));
        BENCH_MUST(seal_box_open(buf_bytes(&box), &n->id, &key, &why));
    }
    double took = bench_since(at).cpu / KEY_TIMES;
    buf_release(&cose);
    buf_release(&box);
    buf_release(&key);
    return took;
}

static void pull(size_t count, bool together)
{
    struct fake_node *n = devices(count);
    struct fake_edit e;
    fake_edit_start(&e);
    for (size_t i = 0; i < CHANGE; i++) person(&w->author, &e, w->common);
    (void)fake_send(&w->author, &e);
    for (size_t i = 0; i < count; i++) fake_node_pack(&n[i]);
    bench_print_syncs(w->hub.dir);
    struct bench_time at = bench_now();
    if (together)
        exchange_all(n, count);
    else
        for (size_t i = 0; i < count; i++) exchange(&n[i]);
    struct bench_time took = bench_since(at);
    for (size_t i = 0; i < count; i++) {
        fake_node_read(&n[i]);
        if (n[i].n_rows != CHANGE) bench_fail("a device did not get the change");
    }
    double ms = took.cpu / (double)count, keys = keys_alone(&n[0]);
    printf("%zu devices fetch the same change of %u rows, %s: %.0f exchanges a second, %.0f by the processor alone (aim 2000)\n", count, CHANGE,
           together ? "all at once" : "one by one", (double)count * 1e3 / took.wall, 1e3 / ms);
    printf("  %.3f ms of the processor each, of which the keys alone take %.3f ms: %.1fx\n", ms, keys, ms / keys);
    bench_print_syncs(w->hub.dir);
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

/* Medians of single exchanges of one device: an edit of its own in, with nothing new for it; nothing either way; a new
 * row of somebody else's out. */
struct kinds {
    struct bench_time edit, nothing, news;
};

static void an_edit(struct fake_node *n)
{
    struct fake_edit e;
    fake_edit_start(&e);
    person(n, &e, w->common);
    (void)fake_commit(n, &e);
}

static struct bench_time timed(struct fake_node *n)
{
    fake_node_pack(n);
    struct bench_time at = bench_now();
    exchange(n);
    struct bench_time took = bench_since(at);
    fake_node_read(n);
    return took;
}

/* Of both hubs, in turns, so that whatever else this machine does meets both alike. */
static void measure(struct kinds out[2])
{
    static struct bench_time edit[2][BENCH_MAX_REPEATS], nothing[2][BENCH_MAX_REPEATS], news[2][BENCH_MAX_REPEATS];
    for (size_t i = 0; i < 2 * BENCH_MAX_REPEATS; i++) {
        size_t k = i % 2;
        w = &worlds[k];
        an_edit(&w->probe);
        edit[k][i / 2] = timed(&w->probe);
        nothing[k][i / 2] = timed(&w->probe);
        an_edit(&w->author);
        fake_node_pull(&w->author);
        news[k][i / 2] = timed(&w->probe);
        if (w->probe.n_rows != 1) bench_fail("the device did not get the new row alone");
    }
    for (size_t k = 0; k < 2; k++)
        out[k] = (struct kinds){bench_median(edit[k], BENCH_MAX_REPEATS), bench_median(nothing[k], BENCH_MAX_REPEATS),
                                bench_median(news[k], BENCH_MAX_REPEATS)};
}

static void catch_up(struct fake_node *n)
{
    n->budget = 100000; /* so that an answer has no more rows than a fake device holds */
    fake_node_pull(n);
    n->budget = 0;
}

/* The first contact of a new device, with a page as small as there is. */
static double first_contact(struct fake_node *n, const char *site, const char *agency)
{
    fake_node_enrol(n, &w->hub, site, agency, "Cid");
    n->budget = 1;
    return timed(n).cpu;
}

static void one_case(struct buf *content)
{
    struct changeset_writer out;
    uint8_t id[16];
    env_new_id(&w->hub.env, id);
    struct op file = fake_new(&w->author, "case_file", id, id);
    fake_value(&file, "area", value_str("north"));
    fake_value(&file, "rag", value_str("green"));
    fake_value(&file, "status", value_str("new"));
    fake_value(&file, "lead_agency", value_str("care"));
    buf_init(content, 1u << 16);
    changeset_writer_init(&out, content, false, rules_schema_newest());
    changeset_put(&out, &file);
}

static void send_parts(struct part *parts, size_t n)
{
    struct why why = {0};
    struct envelope_header h = {.epoch = 1, .seq = ++w->author.seq, .schema = rules_schema_newest(), .hlc = (uint64_t)++w->hub.now << 16};
    struct buf cose, item;
    memcpy(h.hub, hub_identity(w->hub.hub)->kid, KID_BYTES);
    memcpy(h.base_cut, w->author.cursor, 16);
    memcpy(h.prev, w->author.prev, 32);
    memcpy(h.user, w->author.user, 16);
    buf_init(&cose, 4u << 20);
    buf_init(&item, 64u << 20);
    BENCH_MUST(envelope_sign(&w->author.id, &h, parts, n, &cose, &why));
    message_put_envelope(&item, buf_bytes(&cose), parts, n);
    fake_node_queue(&w->author, buf_bytes(&item));
    envelope_hash(buf_bytes(&cose), w->author.prev);
    buf_release(&cose);
    buf_release(&item);
    fake_node_round(&w->author);
    if (w->author.n_verdicts != 1 || w->author.verdicts[0].verdict != VERDICT_APPLIED) bench_fail("cases were refused");
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
            env_random(&w->hub.env, parts[i].salt, sizeof parts[i].salt);
        }
        send_parts(parts, n);
        for (size_t i = 0; i < n; i++) buf_release(&contents[i]);
    }
}

static void print_kind(const char *what, struct bench_time small, struct bench_time large)
{
    printf("  %-12s %6.2f ms %6.2f ms %5.2fx   by the processor %6.2f ms %6.2f ms %5.2fx   (aim 1.20x)\n", what, small.wall, large.wall,
           large.wall / small.wall, small.cpu, large.cpu, large.cpu / small.cpu);
}

static void print_kinds(const char *when)
{
    struct kinds k[2];
    measure(k);
    printf("%s: 10 devices and 1 case, and all these\n", when);
    print_kind("an edit in", k[0].edit, k[1].edit);
    print_kind("nothing", k[0].nothing, k[1].nothing);
    print_kind("a row out", k[0].news, k[1].news);
}

static void ten_devices(void)
{
    for (int i = 0; i < 10; i++) {
        fake_node_release(&w->probe);
        fake_node_enrol(&w->probe, &w->hub, "police-hq", "police", "Bob");
        fake_node_pull(&w->probe);
    }
    catch_up(&w->author);
}

static void many(size_t n_devices, size_t n_cases)
{
    struct fake_node other = {0};
    ten_devices();
    w = &worlds[1];
    start();
    ten_devices();
    size_t before = rss_mb();
    print_kinds("two alike");
    w = &worlds[1];
    struct bench_time at = bench_now();
    make_cases(n_cases);
    printf("%zu cases made in %.0f s\n", n_cases, bench_since(at).wall / 1e3);
    at = bench_now();
    for (size_t i = 10; i < n_devices; i++) {
        fake_node_release(&other);
        (void)first_contact(&other, "school-1", "school");
    }
    printf("%zu devices enrolled in %.0f s\n", n_devices, bench_since(at).wall / 1e3);
    catch_up(&w->probe);
    catch_up(&w->author);
    print_kinds("with all these");
    size_t grown = rss_mb();
    w = &worlds[1];
    fake_hub_reopen(&w->hub);
    print_kinds("opened anew");
    printf("memory: %zu MB before, with both hubs and their devices; %zu MB after; %zu MB opened anew (aim 400)\n", before, grown, rss_mb());
    fake_node_release(&other);
    for (size_t k = 0; k < 2; k++) {
        w = &worlds[k];
        double first = first_contact(&other, "school-1", "school");
        printf("a new device's first contact: %.2f ms of the processor\n", first);
        fake_node_release(&other);
        fake_node_release(&w->probe);
    }
    fake_node_release(&w->author);
    fake_hub_stop(&w->hub);
    w = &worlds[0];
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "intake";
    size_t first = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0, second = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 0;
    start();
    if (strcmp(what, "pull") == 0)
        for (int together = 1; together >= 0; together--) pull(first > 0 ? first : 1000, together != 0);
    else if (strcmp(what, "many") == 0)
        many(first > 0 ? first : 10000, second > 0 ? second : 100000);
    else
        for (int together = 1; together >= 0; together--) intake(first > 0 && first < BENCH_MAX_REPEATS ? first : 7, together != 0);
    fake_node_release(&w->author);
    fake_hub_stop(&w->hub);
    return 0;
}
