/* What a journal costs a hub: two hubs on one server or disk, one that keeps a journal and one that does not, take in
 * the same work by turns. Then what is left for the journal's own thread: to take it down, and to write it into a
 * folder. On PostgreSQL by `tests/postgres/run`, whose server makes durable what it commits (--fast would not).
 *
 * bench_journal [repeats] */
#include "tests/lib/bench.h"
#include "tests/lib/fake_node.h"

#include "hub/redo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SENDERS 50u
#define ROWS    1000u /* of the large change */

struct world {
    struct fake_hub hub;
    struct fake_node author, from[SENDERS];
    uint8_t common[16];
};
static struct world with, without;
static struct hub_redo_writer *writer;
static char folder[200];

static void start(struct world *w)
{
    static const char *const members[] = {"police:contribute", NULL};
    fake_hub_start(&w->hub);
    fake_hub_people(&w->hub);
    fake_node_enrol(&w->author, &w->hub, "care-mash", "care", "Ann");
    fake_node_pull(&w->author);
    fake_case(&w->author, w->common, "care", members);
    for (size_t i = 0; i < SENDERS; i++) {
        fake_node_enrol(&w->from[i], &w->hub, "police-hq", "police", "Bob");
        fake_node_pull(&w->from[i]);
    }
}

static void stop(struct world *w)
{
    for (size_t i = 0; i < SENDERS; i++) fake_node_release(&w->from[i]);
    fake_node_release(&w->author);
    fake_hub_stop(&w->hub);
}

static void pack(struct world *w, struct fake_node *n, size_t rows)
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    for (size_t i = 0; i < rows; i++) {
        env_new_id(&w->hub.env, id);
        struct op op = fake_person(n, id, w->common, "Anybody");
        fake_put(&e, &op);
    }
    (void)fake_commit(n, &e);
    n->budget = 1; /* the answer that matters here is the verdict */
    fake_node_pack(n);
}

static void exchange(struct world *w, struct fake_node *n)
{
    struct why why = {0};
    buf_reset(&n->got);
    BENCH_MUST(hub_exchange(w->hub.hub, buf_bytes(&n->sent), false, &n->got, &n->result, &why));
}

/* What waits is fetched outside the time taken, so that each round begins alike. */
static void pull(struct world *w, size_t senders)
{
    for (size_t i = 0; i < senders; i++) {
        fake_node_read(&w->from[i]);
        w->from[i].budget = 0;
        fake_node_pull(&w->from[i]);
    }
}

/* One edit of each device, a request and a commit each; or one of many rows. */
static struct bench_time take_in(struct world *w, size_t senders, size_t rows)
{
    for (size_t i = 0; i < senders; i++) pack(w, &w->from[i], rows);
    struct bench_time at = bench_now();
    for (size_t i = 0; i < senders; i++) exchange(w, &w->from[i]);
    return bench_since(at);
}

static void write_down(struct bench_time *out_took, struct bench_time *out_wrote)
{
    struct why why = {0};
    struct bench_time at = bench_now();
    bool more = true;
    BENCH_MUST(hub_redo_gather(with.hub.hub, &why));
    *out_took = bench_since(at);
    at = bench_now();
    while (more) {
        BENCH_MUST(hub_redo_step(with.hub.hub, writer, &more, &why));
        if (more) BENCH_MUST(hub_redo_put(writer, &why));
    }
    *out_wrote = bench_since(at);
}

static void compare(const char *name, size_t senders, size_t rows, size_t repeats)
{
    static struct bench_pair pair;
    static struct bench_time took[BENCH_MAX_REPEATS], wrote[BENCH_MAX_REPEATS];
    pair.n = repeats;
    for (size_t i = 0; i < repeats; i++) {
        pair.raw[i] = take_in(&without, senders, rows);
        pair.ours[i] = take_in(&with, senders, rows);
        write_down(&took[i], &wrote[i]);
        pull(&with, senders);
        pull(&without, senders);
        write_down(&(struct bench_time){0}, &(struct bench_time){0}); /* what pulling noted */
    }
    bench_print(name, &pair, 0);
    bench_print_time("  gathered by the journal's thread", took, repeats, 0);
    bench_print_time("  written into the folder", wrote, repeats, 0);
}

int main(int argc, char **argv)
{
    struct why why = {0};
    char command[300];
    size_t repeats = bench_repeats(argc, argv, 9);
    start(&without);
    start(&with);
    (void)snprintf(folder, sizeof folder, "%s/journal", with.hub.dir);
    if (mkdir(folder, 0700) != 0) bench_fail("no folder");
    BENCH_MUST(hub_redo_writer_new(&writer, &with.hub.env, folder, &why));
    struct bench_time at = bench_now();
    BENCH_MUST(hub_redo_begin(with.hub.hub, NULL, &why));
    printf("begun in %.0f ms\n", bench_since(at).wall);
    bench_print_syncs(with.hub.dir);
    compare("50 edits, a request each: with a journal, and (raw) without", SENDERS, 1, repeats);
    compare("1,000 rows in one request: with a journal, and (raw) without", 1, ROWS, repeats);
    hub_redo_writer_free(writer);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) bench_fail("the folder stays");
    stop(&with);
    stop(&without);
    return 0;
}
