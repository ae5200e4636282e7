/* Parts of tests/e2e/kill.c: the world that is harmed, the two processes in it, and the judgement at the end. Whatever
 * should not happen ends the program with a message: kill_fail. */
#ifndef SPOKE_TESTS_LIB_KILL_H
#define SPOKE_TESTS_LIB_KILL_H

#include "hub/hub.h"
#include "node/node.h"

#include <sys/types.h>

#define KILL_NODES 3u /* unless the world says otherwise */
#define KILL_MOST  64u

struct kill_node {
    char site[32];
    const char *agency;
    char home[400];
};

struct kill_note { /* an edit that was reported as committed */
    size_t who;
    uint64_t seq;
    bool is_record; /* it added the record `id` */
    uint8_t id[16];
};

struct kill_world {
    char hub_home[400];
    char store[1024]; /* where the hub's is: a URL; "": in its home */
    char socket[100];
    size_t n_nodes; /* 0 before kill_set_up: KILL_NODES */
    struct kill_node nodes[KILL_MOST];
    uint64_t random;         /* state of kill_random */
    struct kill_note *notes; /* owned */
    size_t n_notes, cap;
};

enum kill_kind { KILL_OPEN = 1, KILL_COMMITTED = 2 };
struct kill_report { /* child to parent, over a pipe */
    uint32_t kind;
    uint32_t is_record;
    uint64_t seq;
    uint8_t id[16];
};

void kill_fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
void kill_must(enum err e, const char *what, const struct why *why);
struct bytes kill_passphrase(void);
uint64_t kill_random(struct kill_world *w);
bool kill_read(int fd, void *p, size_t n);        /* whole, or false */
bool kill_write(int fd, const void *p, size_t n); /* whole, or false */

/* tests/lib/kill_world.c: a hub, three agencies, enrolled nodes, each with a site of its own, and some shared cases in
 * dir. */
struct hub *kill_open_hub(const struct kill_world *w);
void kill_set_up(struct kill_world *w, const char *dir);
void kill_release(struct kill_world *w);
void kill_note(struct kill_world *w, size_t who, const struct kill_report *r);

/* tests/lib/kill_child.c: never return. */
void kill_hub_main(const struct kill_world *w, int report) __attribute__((noreturn));
void kill_node_main(const struct kill_world *w, size_t who, uint64_t seed, bool lose_answer, int report)
    __attribute__((noreturn));

/* tests/lib/kill_edit.c: one random edit, as people make them; *out says what was committed (seq 0: nothing). */
void kill_edit(struct node *n, struct kill_world *random, struct kill_report *out);
void kill_edit_share(struct node *n, const char *member); /* all cases of this node with another agency */
void kill_edit_new_case(struct node *n, struct kill_world *random);

/* tests/lib/kill_journal.c: a journal and a backup that it goes on from, in dir; the servers are given DIR/far. At the
 * end, when all have ended: a hub is put back from both into `store` (a URL where nothing is) and into a file, and is
 * the same. */
void kill_journal_begin(const struct kill_world *w, const char *dir);
void kill_journal_check(const struct kill_world *w, const char *dir, const char *store);

/* tests/lib/kill_check.c: let everything come to rest, then judge. */
void kill_check(struct kill_world *w);

#endif
