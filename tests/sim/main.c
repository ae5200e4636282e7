/* sim: runs worlds. README.md beside this file says what they are. */
#include "tests/sim/jobs.h"
#include "tests/sim/seer.h"
#include "tests/sim/shrink.h"
#include "tests/sim/sim.h"

#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const sim_count_names[COUNTS] = {
    [COUNT_EVENTS] = "events",
    [COUNT_EDITS] = "edits",
    [COUNT_DENIED] = "edits refused at the device",
    [COUNT_SYNCS] = "complete syncs",
    [COUNT_BROKEN] = "syncs broken off",
    [COUNT_PARCELS] = "parcels by courier",
    [COUNT_HELD] = "envelopes held",
    [COUNT_CONFLICTS] = "conflicts heard of at devices",
    [COUNT_DISPUTED] = "worlds with conflicts",
    [COUNT_DROPPED] = "rows dropped at devices",
    [COUNT_JUDGED] = "held work decided",
    [COUNT_RESENT] = "envelopes sent again by their authors",
    [COUNT_MERGED] = "envelopes merged",
    [COUNT_WAITS] = "envelopes waiting",
    [COUNT_HOSTILE] = "forged envelopes",
    [COUNT_FAULTS] = "envelopes that are faults",
    [COUNT_CRASHES] = "power failures",
    [COUNT_TORN] = "unsynced writes lost or torn",
    [COUNT_TOGETHER] = "requests that the hub took in one commit with others",
    [COUNT_BAGS] = "requests brought with others of other devices, all of them whole",
    [COUNT_UNDONE] = "commits of several requests that came to nothing",
    [COUNT_ROTS] = "disks with flipped bits",
    [COUNT_ROTS_NOTICED] = "of them noticed",
    [COUNT_SPOILT] = "unsent envelopes with flipped bits",
    [COUNT_GAPS] = "gaps in chains",
    [COUNT_REFUSED] = "requests refused",
    [COUNT_STUCK] = "devices barred",
    [COUNT_REJOINED] = "of them enrolled anew",
    [COUNT_RESCUED] = "envelopes rescued",
    [COUNT_KNOWN] = "of them known to the hub",
    [COUNT_EVICTIONS] = "evictions ordered",
    [COUNT_REPLIES] = "questions replied to, as kept at rest",
    [COUNT_REKEYED] = "stores given new keys",
    [COUNT_WIPED] = "devices wiped by order",
    [COUNT_LOCKED] = "people refused, because the lease was over",
    [COUNT_SCANS] = "disks searched",
    [COUNT_DECISIONS] = "visibility decisions",
    [COUNT_DAYS] = "simulated days",
    [COUNT_STOPPED] = "rounds at whose end the device may hold no more",
    [COUNT_MISCOUNTED] = "devices of which the hub's count was a little off",
    [COUNT_DISASTERS] = "hubs destroyed and put back",
    [COUNT_GONE] = "devices lost with them",
    [COUNT_GHOSTS] = "devices that met the hub of before",
    [COUNT_COMPARED] = "verdicts compared with those of before",
    [COUNT_SEEN_AGAIN] = "rows that a device had lost, seen again for their withdrawal was not acknowledged",
    [COUNT_LIES] = "devices that a hub lied to about its log, and that found out",
};

struct settings {
    uint64_t first, seeds, replay, shrink;
    unsigned events, jobs;
    bool one, shorten, oracle, twice;
    uint64_t twins; /* every so many seeds a pair of worlds of each kind; 0: never */
};

static _Noreturn void usage(int code)
{
    fprintf(code == 0 ? stdout : stderr,
            "Usage: sim [--seeds N] [--first S] [--events E]     run worlds S to S+N-1 (500 from 1)\n"
            "       sim --replay S [--events E]                  run one world and tell it as it goes\n"
            "       sim --shrink S [--events E]                  find a shorter run that breaks the same promise\n"
            "       --no-oracle   nobody judges who sees what\n"
            "       --twice       each world twice: the traces must agree\n"
            "       --jobs N      so many processes at once (1)\n"
            "       --twins N     every Nth seed also lives in pairs of worlds that must agree (20; 0: never)\n");
    exit(code);
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0') usage(64);
    return v;
}

static void parse(int argc, char **argv, struct settings *o)
{
    static const struct option known[] = {{"seeds", required_argument, NULL, 'n'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"replay", required_argument, NULL, 'r'},
                                          {"shrink", required_argument, NULL, 's'},
                                          {"events", required_argument, NULL, 'e'},
                                          {"no-oracle", no_argument, NULL, 'o'},
                                          {"twice", no_argument, NULL, 't'},
                                          {"twins", required_argument, NULL, 'w'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *o = (struct settings){.first = 1, .seeds = 500, .oracle = true, .twins = 20, .jobs = 1};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'n': o->seeds = number(optarg); break;
        case 'f': o->first = number(optarg); break;
        case 'r': o->one = true, o->replay = number(optarg); break;
        case 's': o->shorten = true, o->shrink = number(optarg); break;
        case 'e': o->events = (unsigned)number(optarg); break;
        case 'o': o->oracle = false; break;
        case 't': o->twice = true; break;
        case 'w': o->twins = number(optarg); break;
        case 'j': o->jobs = (unsigned)number(optarg); break;
        case 'h': usage(0);
        default: usage(64);
        }
    }
    if (optind != argc || o->jobs == 0 || o->jobs > JOBS_MOST) usage(64);
}

static uint64_t run_one(uint64_t seed, const struct sim_options *opt, uint64_t counts[COUNTS])
{
    struct sim *s = sim_new(seed, opt);
    sim_run(s);
    uint64_t hash = trace_hash(s->trace);
    for (size_t i = 0; i < COUNTS; i++) counts[i] += s->counts[i];
    sim_free(s);
    return hash;
}

static double seconds(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) abort();
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void summary(const struct settings *o, const uint64_t counts[COUNTS], double took)
{
    printf(
        "sim: %llu worlds from seed %llu, %.1f simulated years, %.1f s: %.1f worlds a second; no promise was broken\n",
        (unsigned long long)o->seeds, (unsigned long long)o->first, (double)counts[COUNT_DAYS] / 365.25, took,
        (double)o->seeds / took);
    printf("sim: %llu visibility decisions against the oracle, %.0f a second\n",
           (unsigned long long)counts[COUNT_DECISIONS], (double)counts[COUNT_DECISIONS] / took);
    printf("sim: worlds with conflicts: %llu of %llu\n", (unsigned long long)counts[COUNT_DISPUTED],
           (unsigned long long)o->seeds);
    for (size_t i = 0; i < COUNTS; i++) printf("  %12llu %s\n", (unsigned long long)counts[i], sim_count_names[i]);
}

static _Noreturn void fail(uint64_t seed, unsigned invariant, const char *what)
{
    fprintf(stderr, "sim: seed %llu, event 0: invariant %u: %s\n", (unsigned long long)seed, invariant, what);
    exit(3);
}

static void run_seed(const struct settings *o, uint64_t seed, int oracle_fd, uint64_t counts[COUNTS])
{
    uint64_t ignored[COUNTS] = {0};
    const struct sim_options opt = {.n_events = o->events, .oracle_fd = oracle_fd, .loud = o->one};
    const struct sim_options again = {.n_events = o->events, .oracle_fd = -1};
    uint64_t hash = run_one(seed, &opt, counts);
    if (o->twice && run_one(seed, &again, ignored) != hash) fail(seed, 0, "the same seed gave another trace");
    if (o->one) printf("sim: trace %016llx\n", (unsigned long long)hash);
    if (o->twins != 0 && seed % o->twins == 0) {
        twin_hidden(seed, o->one);
        twin_clocks(seed, o->one);
    }
    if (sqlite3_memory_used() != 0) fail(seed, 7, "memory of SQLite's is left behind");
}

/* With an oracle of its own. */
static void run_range(void *ctx, uint64_t first, uint64_t n, uint64_t *counts)
{
    const struct settings *o = ctx;
    struct seer seer = {.in = -1};
    if (o->oracle && seer_start(&seer) != 0) exit(2);
    for (uint64_t seed = first; seed < first + n; seed++) {
        run_seed(o, seed, o->oracle ? seer.in : -1, counts);
        seer_listen(&seer, false);
    }
    seer_listen(&seer, o->oracle);
    counts[COUNT_DECISIONS] += seer.decisions;
    if (o->oracle && seer.worlds != n) fail(0, 0, "the oracle did not judge all worlds");
    templates_free();
}

static void campaign(struct settings *o)
{
    uint64_t counts[COUNTS] = {0};
    const struct jobs_work work = {.ctx = o, .run = run_range, .n_numbers = COUNTS};
    double from = seconds();
    jobs_run(&work, o->jobs, (const uint64_t[2]){o->first, o->seeds}, counts);
    summary(o, counts, seconds() - from);
}

int main(int argc, char **argv)
{
    struct settings o;
    parse(argc, argv, &o);
    machine_start();
    struct why why = {0};
    if (secret_start(&why) != ERR_OK) {
        fprintf(stderr, "sim: %s\n", why.text);
        return 2;
    }
    if (o.one) {
        o.first = o.replay;
        o.seeds = 1;
    }
    if (o.shorten) return shrink(o.shrink, o.events, o.oracle);
    campaign(&o);
    return 0;
}
