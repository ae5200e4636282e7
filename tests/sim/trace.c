/* What happened: the last notes for people, a hash of everything, and the oracle's lines. */
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTES      60u
#define NOTE_BYTES 300u
#define LINES_MAX  ((size_t)1 << 30)
#define FLUSH_AT   ((size_t)1 << 16)

struct trace {
    char note[NOTES][NOTE_BYTES]; /* a ring */
    size_t n;                     /* notes so far */
    uint64_t hash;
    struct buf lines; /* for the oracle, not yet written */
    int fd;           /* -1: nobody listens */
    bool loud;
    uint32_t told;           /* event that the oracle was told last */
    struct traffic *traffic; /* owned */
    size_t n_traffic, cap_traffic;
};

struct trace *trace_new(int oracle_fd, bool loud)
{
    struct trace *t = calloc(1, sizeof *t);
    if (t == NULL) abort();
    t->fd = oracle_fd;
    t->loud = loud;
    t->told = UINT32_MAX;
    buf_init(&t->lines, LINES_MAX);
    return t;
}

static void flush(struct trace *t)
{
    size_t at = 0;
    while (t->fd >= 0 && at < t->lines.len) {
        ssize_t n = write(t->fd, t->lines.data + at, t->lines.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            fprintf(stderr, "sim: the oracle is gone: %s\n", strerror(errno));
            exit(2);
        }
        at += (size_t)n;
    }
    t->lines.len = 0;
}

void trace_free(struct trace *t)
{
    flush(t);
    buf_release(&t->lines);
    free(t->traffic);
    free(t);
}

/* Not for enemies: it need only differ when anything differs. */
static void mix(struct trace *t, const void *p, size_t n)
{
    const uint8_t *at = p;
    uint64_t x, h = t->hash ^ n;
    for (; n >= sizeof x; n -= sizeof x, at += sizeof x) {
        memcpy(&x, at, sizeof x);
        h = (h ^ x) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    x = 0;
    memcpy(&x, at, n);
    h = (h ^ x) * 0xBF58476D1CE4E5B9u;
    t->hash = h ^ h >> 29;
}

uint64_t trace_hash(const struct trace *t)
{
    return t->hash;
}

/* "day 12 03:04:05" of the world */
static int when(const struct sim *s, char *out, size_t n)
{
    int64_t sec = (s->clock - SIM_START) / 1000;
    return snprintf(out, n, "%4u  day %lld %02lld:%02lld:%02lld  ", s->event_no, (long long)(sec / 86400),
                    (long long)(sec / 3600 % 24), (long long)(sec / 60 % 60), (long long)(sec % 60));
}

void sim_note(struct sim *s, const char *fmt, ...)
{
    struct trace *t = s->trace;
    char *line = t->note[t->n++ % NOTES];
    int at = when(s, line, NOTE_BYTES);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line + at, NOTE_BYTES - (size_t)at, fmt, ap);
    va_end(ap);
    mix(t, line, strlen(line));
    if (t->loud) printf("%s\n", line);
}

static void put_line(struct trace *t, struct bytes b)
{
    mix(t, b.p, b.n);
    if (t->fd < 0) return;
    buf_put_bytes(&t->lines, b);
    buf_put(&t->lines, "\n", 1);
    if (t->lines.err != ERR_OK) abort();
    if (t->lines.len >= FLUSH_AT) flush(t);
}

void sim_tell(struct sim *s, struct buf *line)
{
    struct trace *t = s->trace;
    char event[32];
    if (line->err != ERR_OK) abort();
    if (t->told == UINT32_MAX) {
        (void)snprintf(event, sizeof event, "world %llu", (unsigned long long)s->seed);
        put_line(t, bytes_of_str(event));
    }
    if (t->told != s->event_no) {
        t->told = s->event_no;
        (void)snprintf(event, sizeof event, "event %u", s->event_no);
        put_line(t, bytes_of_str(event));
    }
    put_line(t, buf_bytes(line));
    line->len = 0;
}

void sim_traffic(struct sim *s, const struct device *d, bool up, struct bytes b)
{
    struct trace *t = s->trace;
    uint64_t before = t->hash;
    t->hash = 0;
    mix(t, b.p, b.n);
    if (t->n_traffic == t->cap_traffic) {
        t->cap_traffic = t->cap_traffic * 2 + 64;
        t->traffic = realloc(t->traffic, t->cap_traffic * sizeof *t->traffic);
        if (t->traffic == NULL) abort();
    }
    t->traffic[t->n_traffic++] =
        (struct traffic){.device = d->no, .up = up, .n = b.n, .hash = t->hash, .event = s->event_no};
    uint64_t all[] = {before, t->hash, (uint64_t)d->no << 1 | up};
    mix(t, all, sizeof all);
}

const struct traffic *trace_traffic(const struct trace *t, size_t *out_n)
{
    *out_n = t->n_traffic;
    return t->traffic;
}

static void print_notes(const struct trace *t)
{
    size_t from = t->n > NOTES ? t->n - NOTES : 0;
    for (size_t i = from; i < t->n; i++) fprintf(stderr, "    %s\n", t->note[i % NOTES]);
}

void sim_fail(struct sim *s, unsigned invariant, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "sim: the last things that happened:\n");
    print_notes(s->trace);
    fprintf(stderr, "sim: seed %llu, event %u: invariant %u: %s\n", (unsigned long long)s->seed, s->event_no, invariant,
            text);
    fprintf(stderr, "sim: commit %s; see it with: sim --replay %llu --events %u; shorten it with: sim --shrink %llu\n",
            SIM_COMMIT, (unsigned long long)s->seed, s->plan.n_events, (unsigned long long)s->seed);
    fflush(stdout);
    exit(3);
}

void sim_must(struct sim *s, enum err e, const char *what, const struct why *why)
{
    if (e != ERR_OK) sim_fail(s, 0, "%s: %s: %s", what, err_word(e), why->text);
}
