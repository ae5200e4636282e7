#include "tests/lib/writers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void writers_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("kill_writers: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

void writers_must(enum err e, const char *what, const struct why *why)
{
    if (e != ERR_OK) writers_fail("%s: %s: %s %s", what, err_word(e), why->text, why->next);
}

uint64_t writers_mix(uint64_t x) /* the finaliser of splitmix64 (Steele, Lea, Flood 2014) */
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* ------------------------------------------------------------------------------------------------------ content */
static uint64_t seed_of(const struct writers *w, unsigned who, unsigned group, unsigned row)
{
    return writers_mix(writers_mix(w->run ^ who) ^ (uint64_t)group << 20 ^ row);
}

unsigned writers_rows(const struct writers *w, unsigned who, unsigned group)
{
    return 1 + (unsigned)(seed_of(w, who, group, 0xFFFFF) % 6);
}

void writers_id(const struct writers *w, unsigned who, unsigned group, unsigned row, uint8_t out[16])
{
    uint64_t a = seed_of(w, who, group, row), b = writers_mix(a ^ 1);
    memcpy(out, &a, 8);
    memcpy(out + 8, &b, 8);
}

/* Mostly a line or two, now and then more than a page holds. */
size_t writers_text(const struct writers *w, unsigned who, unsigned group, unsigned row, char out[WRITERS_TEXT_MAX])
{
    uint64_t x = seed_of(w, who, group, row);
    size_t most = x % 16 == 0 ? WRITERS_TEXT_MAX : 300;
    size_t n = (size_t)snprintf(out, WRITERS_TEXT_MAX, "writer %u, group %u, row %u: ", who, group, row);
    for (size_t end = n + 1 + (size_t)(x >> 8) % (most - n - 1); n < end; n++) {
        x = writers_mix(x);
        out[n] = (char)('a' + x % 26);
    }
    return n;
}

/* ------------------------------------------------------------------------------------------------------- judging */
bool writers_whole(void *store, const struct writers *w, unsigned who, unsigned group)
{
    unsigned rows = writers_rows(w, who, group), there = 0;
    for (unsigned row = 0; row < rows; row++) {
        char wanted[WRITERS_TEXT_MAX];
        uint8_t id[16];
        struct buf text;
        buf_init(&text, 1u << 20);
        writers_id(w, who, group, row, id);
        if (w->way->get(store, id, &text)) {
            size_t n = writers_text(w, who, group, row, wanted);
            if (text.len != n || memcmp(text.data, wanted, n) != 0)
                writers_fail("row %u of group %u of writer %u says something else than was written", row, group, who);
            there++;
        }
        buf_release(&text);
    }
    if (there != 0 && there != rows)
        writers_fail("of group %u of writer %u %u rows of %u are there", group, who, there, rows);
    return there != 0;
}

/* The last group that is there: the last acknowledged or a later one, which was committed and not yet told. */
static unsigned top_of(void *store, const struct writers *w, unsigned who)
{
    unsigned top = w->acked[who];
    if (top != 0 && !writers_whole(store, w, who, top))
        writers_fail("LOST: group %u of writer %u was acknowledged and is not there", top, who);
    while (writers_whole(store, w, who, top + 1)) top++;
    return top;
}

void writers_check(const struct writers *w, unsigned out_top[WRITERS])
{
    uint64_t rows = 0;
    void *store = w->way->open(w);
    if (store == NULL) writers_fail("the database cannot be had for a check");
    if (w->way->hold != NULL) w->way->hold(store);
    for (unsigned who = 0; who < WRITERS; who++) {
        out_top[who] = top_of(store, w, who);
        for (unsigned group = 1; group <= out_top[who]; group++) {
            if (!writers_whole(store, w, who, group))
                writers_fail("LOST: group %u of writer %u was acknowledged and is not there", group, who);
            rows += writers_rows(w, who, group);
        }
    }
    uint64_t there = w->way->count(store);
    if (there != rows)
        writers_fail("%llu rows are there, and %llu were written", (unsigned long long)there, (unsigned long long)rows);
    w->way->check(store);
    w->way->close(store);
}

/* ------------------------------------------------------------------------------------------------------ a writer */
static void tell(int report, enum writer_news news, unsigned group)
{
    const struct writer_ack a = {(uint32_t)news, group};
    if (write(report, &a, sizeof a) != (ssize_t)sizeof a) _exit(0); /* the parent has ended */
}

static void nap(uint64_t us)
{
    const struct timespec t = {.tv_nsec = (long)us * 1000};
    nanosleep(&t, NULL);
}

static void *open_store(const struct writers *w, _Atomic unsigned *doing)
{
    void *store = NULL;
    *doing = WRITER_OPENS;
    while (w->board->checking && w->way->hold == NULL) nap(1000);
    while ((store = w->way->open(w)) == NULL) w->board->busy++;
    return store;
}

static void write_one(void *store, struct writers *w, unsigned who, unsigned group, int report)
{
    _Atomic unsigned *doing = &w->board->doing[who];
    *doing = WRITER_WRITES;
    w->way->write(store, w, who, group);
    if (w->early) tell(report, WRITER_WROTE, group);
    *doing = WRITER_COMMITS;
    w->way->commit(store);
    *doing = WRITER_TELLS;
    if (!w->early) tell(report, WRITER_WROTE, group);
    if (w->board->checking) nap(20000); /* a log is not cut while a check reads: at full speed it would only grow */
}

void writers_main(struct writers *w, unsigned who, uint64_t seed, int report)
{
    _Atomic unsigned *doing = &w->board->doing[who];
    void *store = open_store(w, doing);
    unsigned group = top_of(store, w, who);
    if (group > w->acked[who] + 1) writers_fail("writer %u told nobody of more than its last group", who);
    tell(report, WRITER_FOUND, group);
    for (;;) {
        seed = writers_mix(seed);
        for (uint64_t left = 1 + seed % w->way->stay; left > 0; left--) write_one(store, w, who, ++group, report);
        *doing = WRITER_CLOSES;
        w->way->close(store);
        nap(writers_mix(seed ^ 7) % 3000); /* people type between two commands; it is what lets the others in */
        store = open_store(w, doing);
    }
}
