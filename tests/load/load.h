/* A real `spoke-hub serve` under load and bad input, and one device that must go on meanwhile: the witness writes an
 * edit with each of its rounds, and what was acknowledged is counted against the store at the end. Devices are made by
 * hand (tests/lib/fake_node.h), before the server has the store. What goes wrong ends the program. */
#ifndef SPOKE_TESTS_LOAD_LOAD_H
#define SPOKE_TESTS_LOAD_LOAD_H

#include "tests/lib/fake_node.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define LOAD_MAX_ROUNDS 100000

struct load {
    struct fake_hub hub;       /* paused while the server has the store */
    char bin[PATH_MAX], pass[300]; /* folder of the programs; file of the passphrase */
    pid_t server;              /* 0: none */
    unsigned port;
    struct fake_node witness;  /* at the MASH room */
    uint8_t case_id[16];       /* seen by the police, not by the school */
    size_t acknowledged;       /* edits of the witness that the hub called applied */
    double took[LOAD_MAX_ROUNDS]; /* ms of its rounds that were answered */
    size_t n_took, n_refused;  /* refused: told to come later, or cut */
    bool pending;              /* its last request is unanswered: it goes again as it is */
    struct fake_node *others;  /* police first, then of the school: they have what they may see */
    size_t n_others, n_police;
    const char *shim;          /* LD_PRELOAD of the server; NULL */
    rlim_t file_limit;         /* soft RLIMIT_FSIZE of the server; 0: none */
};
void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Hub, people, the witness and its case, other devices; no server yet. */
void load_start(struct load *l, const char *self, size_t n_others, size_t n_police);
void load_serve(struct load *l); /* where it does not run yet */
void load_stop_server(struct load *l); /* and have the store again */
void load_kill_server(struct load *l); /* SIGKILL */
void load_end(struct load *l);         /* what was acknowledged is there; hub_verify; removes everything */
double load_now_ms(void);
size_t load_rss_kb(const struct load *l, const char *field); /* "VmRSS:", "VmHWM:" */

double load_cpu_ms(const struct load *l); /* of the server, so far */

/* One round of the witness with an edit; true: acknowledged. Otherwise the same request goes again the next time. */
bool load_round(struct load *l);
/* Rounds for so long; prints their number, median and longest under `when`. Fails where none is answered, or the median
 * exceeds `at_most_ms`. */
void load_witness(struct load *l, const char *when, double seconds, double at_most_ms);

/* HTTP by hand. -1: refused. */
int load_dial(const struct load *l);
bool load_say(int fd, const void *p, size_t n);
/* Status of the answer, its body to out (may be NULL); 0: none came, or it was cut off. */
int load_hear(int fd, struct buf *out);
void load_head(char out[300], const char *path, size_t length, unsigned wait_s);

/* The scenes; `full`: in their whole size. */
void scene_loris(struct load *l, bool full);
void scene_parked(struct load *l, bool full);
void scene_giant(struct load *l, bool full);
void scene_flood(struct load *l, bool full);
void scene_away(struct load *l, bool full);
void scene_disk(struct load *l, bool full);
void scene_clock(struct load *l, bool full);
void scene_crowd(struct load *l, bool full);

#endif
