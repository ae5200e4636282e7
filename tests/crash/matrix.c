/* A power failure at every step of every operation, and for each many outcomes of what was not synced. A case is a disk
 * that came of it, looked at once: outcomes of one step that leave the same bytes count as one. */
#include "tests/crash/crash.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OPS     240
#define LONG_SECTOR 4096
#define MAX_SEEN    4096 /* disks of one step */
#define AGAIN       8    /* in one case of so many the power fails a second time, in recovery */
#define IN_VAIN     30
#define GO_ON       4 /* in one case of so many a transaction follows */

/* What became of one operation. In memory that the processes share. */
struct tally {
    uint64_t steps, cases, twice, lost, again;
    bool failed;
};

struct shared {
    _Atomic size_t next; /* job that nobody has begun */
    struct tally tally[MAX_OPS];
};

/* One operation on one kind of disk. */
struct job {
    const struct script *op;
    int sector;
    uint64_t aim; /* cases */
};

struct run {
    const struct matrix_options *o;
    struct job jobs[MAX_OPS];
    size_t n;
    struct shared *shared;
};

/* What is tried with one operation. */
struct trial {
    struct world *w;
    const struct job *job;
    struct disk_image *before;
    struct tally *t;
    uint64_t seed, every, step, steps;
    uint64_t seen[MAX_SEEN];
    size_t n_seen;
};

/* ---- one run of an operation ---- */

static void begin(struct trial *r)
{
    struct world *w = r->w;
    world_close(w);
    disk_put_back(w->disk, r->before);
    w->at = w->floor = 0;
    w->weak = false;
    w->now = NOON;
    if (r->job->op->opens) return;
    must(world_open(w), r->job->op->name);
    if (r->job->op->setup != NULL) must(world_sql(w, r->job->op->setup), w->fault);
}

static void run(struct trial *r)
{
    const struct script *op = r->job->op;
    if (op->run != NULL) {
        op->run(r->w);
        return;
    }
    for (size_t i = 0; i < MAX_LIST && op->list[i] != NULL; i++) {
        const char *sql = op->list[i];
        if (!(sql[0] == '=' ? world_same(r->w, sql + 1) : world_commit(r->w, sql))) return;
    }
}

static bool observe(struct world *w, uint64_t *out)
{
    return w->op->observe == NULL ? world_observe(w, out) : w->op->observe(w, out);
}

static void prepare(struct trial *r)
{
    struct world *w = r->w;
    world_clear(w);
    w->op = r->job->op;
    disk_set_sector(w->disk, r->job->sector);
    if (w->op->prepare == NULL)
        rows_prepare(w);
    else
        w->op->prepare(w);
    must(w->fault[0] == '\0', w->fault);
    disk_settle(w->disk); /* what is open stays so: its log is left on the disk */
    r->before = disk_image_take(w->disk);
}

/* The run without faults: which states there are, and how many steps. */
static void rehearse(struct trial *r)
{
    struct world *w = r->w;
    begin(r);
    must(world_look(w, &w->states[0]) && world_intact(w), w->fault);
    if (r->job->op->opens) begin(r); /* that was looking, which opened it */
    w->recording = true;
    w->n_states = 1;
    run(r);
    w->recording = false;
    must(w->fault[0] == '\0', w->fault);
    begin(r);
    uint64_t from = disk_steps(w->disk);
    run(r);
    r->steps = disk_steps(w->disk) - from;
    must(w->at + 1 == w->n_states && r->steps > 0, w->op->name);
}

/* The power fails in step r->step, or after the last. Leaves the disk dead, with what is not synced. */
static struct disk_state *die(struct trial *r)
{
    struct world *w = r->w;
    begin(r);
    disk_set_faults(w->disk, &(struct disk_faults){.die_after = r->step});
    run(r);
    if (!disk_is_dead(w->disk)) disk_set_faults(w->disk, &(struct disk_faults){.die_after = 1});
    world_close(w);
    return disk_state_take(w->disk);
}

/* ---- what came of it ---- */

static void mix_file(void *ctx, const char *name, struct bytes content)
{
    uint64_t *h = ctx;
    *h = mix_bytes(mix_bytes(*h, name, strlen(name)), content.p, content.n);
}

static bool is_new(struct trial *r)
{
    uint64_t h = 3;
    disk_each(r->w->disk, mix_file, &h);
    for (size_t i = 0; i < r->n_seen; i++)
        if (r->seen[i] == h) return false;
    if (r->n_seen < MAX_SEEN) r->seen[r->n_seen++] = h;
    return true;
}

/* The computer starts, and the power fails again while it reads the log and moves it into the database. */
static void fail_again(struct trial *r, struct draw *by)
{
    struct world *w = r->w;
    uint64_t ignored;
    disk_set_faults(w->disk, &(struct disk_faults){.die_after = 1 + draw_below(by, 12)});
    if (observe(w, &ignored)) (void)world_sql(w, "PRAGMA wal_checkpoint(TRUNCATE)");
    world_close(w);
    (void)disk_power_off(w->disk, by);
    w->fault[0] = '\0';
    r->t->again++;
}

/* It can be worked with, and what is written is there the next day. */
static bool goes_on(struct world *w)
{
    uint64_t before, after;
    if (w->db == NULL) return true;
    if (!world_sql(w,
                   "BEGIN; CREATE TABLE IF NOT EXISTS later(x); INSERT INTO later VALUES (zeroblob(9000)); COMMIT") ||
        !observe(w, &before))
        return false;
    world_close(w);
    disk_settle(w->disk);
    if (!observe(w, &after) || !world_intact(w)) return false;
    return before == after || wrong(w, "what was written after the recovery is not there");
}

static bool look(struct trial *r, struct draw *by)
{
    struct world *w = r->w;
    uint64_t state;
    if (!observe(w, &state)) return false;
    size_t i = w->floor, last = w->at + 1 < w->n_states ? w->at + 1 : w->n_states - 1;
    while (i <= last && w->states[i] != state) i++;
    if (i > last) {
        size_t other = 0;
        while (other < w->n_states && w->states[other] != state) other++;
        if (other < w->n_states) return wrong(w, "state %zu is there, and %zu was committed", other, w->floor);
        return wrong(w, "what is there is not the state after any transaction (%zu were committed)", w->floor);
    }
    return world_intact(w) && (!draw_chance(by, 1000 / GO_ON) || goes_on(w));
}

static void report(struct trial *r, uint64_t seed)
{
    (void)printf("FAILED: %s: sectors of %d bytes, step %llu of %llu, outcome %llu: %s\n", r->job->op->name,
                 r->job->sector, (unsigned long long)r->step, (unsigned long long)r->steps, (unsigned long long)seed,
                 r->w->fault);
    r->t->failed = true;
}

/* One outcome. false: it was seen before at this step. */
static bool outcome(struct trial *r, const struct disk_state *dead, uint64_t number)
{
    struct world *w = r->w;
    uint64_t seed = r->seed * 1000003 + number;
    struct draw by = draw_stream(seed, r->step, (uint64_t)r->job->sector);
    disk_state_put_back(w->disk, dead);
    w->now = NOON;
    uint64_t lost = disk_power_off(w->disk, &by);
    if (!is_new(r)) return false;
    r->t->lost += lost;
    r->t->cases++;
    if (draw_chance(&by, 1000 / AGAIN)) fail_again(r, &by);
    if (!look(r, &by)) report(r, number);
    w->fault[0] = '\0';
    world_close(w);
    return true;
}

static void try_step(struct trial *r, uint64_t quota)
{
    struct disk_state *dead = die(r);
    r->n_seen = 0;
    if (r->w->fault[0] != '\0') report(r, 0);
    r->w->fault[0] = '\0';
    unsigned in_vain = 0; /* outcomes in a row that were seen before: there are hardly any more */
    for (uint64_t i = 0, found = 0; found < quota && in_vain < IN_VAIN && !r->t->failed; i++) {
        bool is = outcome(r, dead, i);
        found += is;
        r->t->twice += !is;
        in_vain = is ? 0 : in_vain + 1;
    }
    world_close(r->w);
    disk_state_free(dead);
}

static void try_all(struct trial *r)
{
    must(r->t->steps > 0, "an operation without steps");
    uint64_t every = r->every;
    for (r->step = 1 + r->seed % every; r->step <= r->steps + 1 && !r->t->failed; r->step += every) {
        uint64_t left = (r->steps + 1 - r->step) / every + 1, done = r->t->cases;
        uint64_t quota = r->job->aim > done ? (r->job->aim - done + left - 1) / left : 1;
        try_step(r, quota);
    }
}

/* ---- all of them ---- */

static void work(struct run *m, bool counting)
{
    struct trial *r = calloc(1, sizeof *r);
    must(r != NULL, "memory");
    r->w = world_new();
    r->seed = m->o->seed;
    r->every = m->o->every;
    for (size_t i; (i = atomic_fetch_add(&m->shared->next, 1)) < m->n;) {
        r->job = &m->jobs[i];
        r->t = &m->shared->tally[i];
        prepare(r);
        rehearse(r);
        r->t->steps = r->steps;
        if (!counting) try_all(r);
        disk_image_free(r->before);
        world_clear(r->w);
    }
    world_free(r->w);
    free(r);
}

static bool workers(struct run *m, bool counting)
{
    bool ok = true;
    atomic_store(&m->shared->next, 0);
    (void)fflush(stdout);
    for (unsigned i = 0; i < m->o->workers; i++) {
        pid_t pid = fork();
        must(pid >= 0, "no second process");
        if (pid > 0) continue;
        work(m, counting);
        (void)fflush(stdout);
        _exit(0);
    }
    for (unsigned i = 0; i < m->o->workers; i++) {
        int status = 0;
        must(wait(&status) > 0, "a process is lost");
        ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return ok;
}

static void add_jobs(struct run *m, struct scripts ops, int sector)
{
    for (size_t i = 0; i < ops.n; i++) {
        if (m->o->only != NULL && strstr(ops.p[i].name, m->o->only) == NULL) continue;
        if (ops.p[i].slow && sector != LONG_SECTOR) continue;
        must(m->n < MAX_OPS, "too many operations");
        m->jobs[m->n++] = (struct job){.op = &ops.p[i], .sector = sector};
    }
}

/* Cases are shared out by steps. */
static uint64_t weight(const struct run *m, size_t i)
{
    uint64_t steps = m->shared->tally[i].steps + 1;
    return m->jobs[i].op->slow ? steps / 32 + 1 : steps;
}

static void share_out(struct run *m)
{
    uint64_t all = 0;
    for (size_t i = 0; i < m->n; i++) all += weight(m, i);
    for (size_t i = 0; i < m->n; i++) m->jobs[i].aim = m->o->cases * weight(m, i) / all + 1;
}

static bool sums(const struct run *m)
{
    struct tally all = {0};
    size_t failed = 0, names = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct tally *t = &m->shared->tally[i];
        (void)printf("%-66s %4d %6llu steps %8llu cases%s\n", m->jobs[i].op->name, m->jobs[i].sector,
                     (unsigned long long)t->steps, (unsigned long long)t->cases, t->failed ? "  FAILED" : "");
        all.steps += t->steps;
        all.cases += t->cases;
        all.twice += t->twice;
        all.lost += t->lost;
        all.again += t->again;
        failed += t->failed;
        names += m->jobs[i].sector == LONG_SECTOR;
    }
    (void)printf(
        "%zu operations, on sectors of 4096 bytes and all but those of whole devices on 512, too: %llu steps, a "
        "power failure at %s of them; %llu cases, %llu outcomes left out because they left the same bytes; %llu "
        "writes lost or torn; %llu second failures in recovery; %zu failed\n",
        names, (unsigned long long)all.steps, m->o->every == 1 ? "each" : "some", (unsigned long long)all.cases,
        (unsigned long long)all.twice, (unsigned long long)all.lost, (unsigned long long)all.again, failed);
    return failed == 0;
}

bool matrix_run(const struct matrix_options *o)
{
    static const int sectors[] = {LONG_SECTOR, 512};
    struct run m = {.o = o};
    m.shared = mmap(NULL, sizeof *m.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(m.shared != MAP_FAILED, "memory");
    for (size_t i = 0; i < 2; i++) {
        add_jobs(&m, ops_rows(), sectors[i]);
        add_jobs(&m, ops_schema(), sectors[i]);
        add_jobs(&m, ops_log(), sectors[i]);
        add_jobs(&m, ops_keys(), sectors[i]);
        add_jobs(&m, ops_node(), sectors[i]);
    }
    must(m.n > 0, "no operation has such a name");
    bool ok = workers(&m, true);
    if (ok) {
        share_out(&m);
        ok = workers(&m, false);
        ok = sums(&m) && ok;
    }
    (void)munmap(m.shared, sizeof *m.shared);
    return ok;
}
