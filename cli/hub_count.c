#include "cli/hub_count.h"

#include "cli/prom.h"
#include "sync/messages.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KINDS    16u
#define STATUSES 16u
#define ERRORS   16u
#define VERDICTS (VERDICT_DISMISSED + 1)

/* Upper ends of the histogram's steps, in microseconds. */
static const int64_t steps[] = {500,    1000,   2500,   5000,    10000,   25000,   50000,
                                100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
#define STEPS (sizeof steps / sizeof steps[0])

struct kind {
    const char *name;
    int status[STATUSES];
    uint64_t n[STATUSES];
    size_t n_statuses;
    uint64_t in, out, parked;
};
struct hub_count {
    pthread_mutex_t lock;
    struct kind kinds[KINDS];
    size_t n_kinds;
    char errors[ERRORS][32];
    uint64_t n_errors[ERRORS];
    size_t errors_known;
    uint64_t verdicts[VERDICTS];
    uint64_t step[STEPS], exchanges;
    int64_t exchange_us;
};

enum err hub_count_new(struct hub_count **out, struct why *why)
{
    struct hub_count *c = calloc(1, sizeof *c);
    if (c == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    (void)pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return ERR_OK;
}

void hub_count_free(struct hub_count *c)
{
    if (c == NULL) return;
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* The last place takes what there is no place for. */
static struct kind *kind_of(struct hub_count *c, const char *name)
{
    for (size_t i = 0; i < c->n_kinds; i++)
        if (strcmp(c->kinds[i].name, name) == 0) return &c->kinds[i];
    if (c->n_kinds == KINDS) return &c->kinds[KINDS - 1];
    c->kinds[c->n_kinds].name = name;
    return &c->kinds[c->n_kinds++];
}

static void count_status(struct kind *k, int status)
{
    for (size_t i = 0; i < k->n_statuses; i++) {
        if (k->status[i] != status) continue;
        k->n[i]++;
        return;
    }
    if (k->n_statuses == STATUSES) return;
    k->status[k->n_statuses] = status;
    k->n[k->n_statuses++] = 1;
}

static void count_error(struct hub_count *c, const char *word)
{
    for (size_t i = 0; i < c->errors_known; i++) {
        if (strcmp(c->errors[i], word) != 0) continue;
        c->n_errors[i]++;
        return;
    }
    if (c->errors_known == ERRORS) return;
    (void)snprintf(c->errors[c->errors_known], sizeof c->errors[0], "%s", word);
    c->n_errors[c->errors_known++] = 1;
}

void hub_count_request(struct hub_count *c, const struct hub_counted *r)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    struct kind *k = kind_of(c, r->kind);
    if (r->status == 0) {
        k->parked++;
    } else {
        count_status(k, r->status);
        k->in += r->in;
        k->out += r->out;
    }
    if (r->error != NULL) count_error(c, r->error);
    if (r->status == 200 && strcmp(r->kind, "exchange") == 0) {
        c->exchanges++;
        c->exchange_us += r->us;
        for (size_t i = 0; i < STEPS; i++) c->step[i] += r->us <= steps[i];
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void hub_count_verdicts(struct hub_count *c, const struct hub_exchange_result *r)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < VERDICTS; i++) c->verdicts[i] += r->verdicts[i];
    (void)pthread_mutex_unlock(&c->lock);
}

static void put_kinds(const struct hub_count *c, struct buf *b)
{
    char code[8];
    prom_family(b, "spoke_requests_total", "counter",
                "Requests answered, by what was asked and by the status of the answer.");
    for (size_t i = 0; i < c->n_kinds; i++) {
        for (size_t k = 0; k < c->kinds[i].n_statuses; k++) {
            (void)snprintf(code, sizeof code, "%d", c->kinds[i].status[k]);
            prom_int(b, "spoke_requests_total",
                     (struct prom_label[]){{"kind", c->kinds[i].name}, {"status", code}, {NULL, NULL}},
                     (int64_t)c->kinds[i].n[k]);
        }
    }
    static const struct {
        const char *name, *help;
        size_t at;
    } each[] = {
        {"spoke_request_bytes_total", "Bytes of the bodies of requests.", offsetof(struct kind, in)},
        {"spoke_response_bytes_total", "Bytes of the bodies of answers.", offsetof(struct kind, out)},
        {"spoke_requests_parked_total", "How often a request was parked because there was nothing to say yet.",
         offsetof(struct kind, parked)},
    };
    for (size_t f = 0; f < sizeof each / sizeof each[0]; f++) {
        prom_family(b, each[f].name, "counter", each[f].help);
        for (size_t i = 0; i < c->n_kinds; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&c->kinds[i] + each[f].at, sizeof value);
            prom_int(b, each[f].name, (struct prom_label[]){{"kind", c->kinds[i].name}, {NULL, NULL}}, (int64_t)value);
        }
    }
}

static void put_histogram(const struct hub_count *c, struct buf *b)
{
    static const char name[] = "spoke_exchange_duration_seconds";
    prom_family(b, name, "histogram",
                "How long exchanges took that were answered, without the time they were parked; those of one commit took as long as it.");
    for (size_t i = 0; i < STEPS; i++)
        buf_printf(b, "%s_bucket{le=\"%g\"} %llu\n", name, (double)steps[i] / 1e6, (unsigned long long)c->step[i]);
    buf_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)c->exchanges);
    prom_fixed(b, "spoke_exchange_duration_seconds_sum", NULL, c->exchange_us, 6);
    prom_int(b, "spoke_exchange_duration_seconds_count", NULL, (int64_t)c->exchanges);
}

void hub_count_put(struct hub_count *c, struct buf *b)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    put_kinds(c, b);
    put_histogram(c, b);
    prom_family(b, "spoke_verdicts_total", "counter", "Changes judged when they came, by verdict.");
    for (size_t i = 0; i < VERDICTS; i++)
        prom_int(b, "spoke_verdicts_total",
                 (struct prom_label[]){{"verdict", verdict_word((enum verdict)i)}, {NULL, NULL}},
                 (int64_t)c->verdicts[i]);
    prom_family(b, "spoke_store_errors_total", "counter",
                "Requests that failed by the hub's own fault, by kind of error.");
    for (size_t i = 0; i < c->errors_known; i++)
        prom_int(b, "spoke_store_errors_total", (struct prom_label[]){{"error", c->errors[i]}, {NULL, NULL}},
                 (int64_t)c->n_errors[i]);
    (void)pthread_mutex_unlock(&c->lock);
}
