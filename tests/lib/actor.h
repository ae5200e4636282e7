/* Processes that share a database, for tests. Each starts SQLite anew, with sharedb_start; the test itself never
 * does. */
#ifndef SPOKE_TESTS_LIB_ACTOR_H
#define SPOKE_TESTS_LIB_ACTOR_H

#include "tests/lib/sharedb.h"

#include <stdio.h>
#include <unistd.h>

/* In an actor: an exit code tells the line. */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                      \
            _exit(2);                                                                                                  \
        }                                                                                                              \
    } while (0)

struct actor {
    pid_t pid;
    int says; /* read what it says */
    int told; /* write: go on */
};

typedef void (*act_fn)(struct sharedb *s, void *arg, int out, int in);

struct actor actor_start(struct sharedb *s, act_fn act, void *arg);
void actor_hear(struct actor *a);                         /* wait for one word */
void actor_end(struct actor *a, int sig);                 /* by a signal; 0: tell it to go on, and it has to end well */
void actor_wait(struct actor *a);                         /* it ends well by itself */
void actor_run(struct sharedb *s, act_fn act, void *arg); /* start, and wait */

/* In an actor. */
void actor_say_and_wait(int out, int in);
sqlite3 *actor_open(struct sharedb *s); /* starts SQLite */

#endif
