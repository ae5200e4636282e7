/* Parts of tests/e2e/kill_writers.c: three processes that write into one database and are killed, and what may be
 * found in it afterwards. A writer writes groups, numbered from 1 without a gap; a group is one transaction of several
 * rows whose content follows from its number, and is acknowledged when its commit has returned. Whatever should not
 * happen ends the program with a message. */
#ifndef SPOKE_TESTS_LIB_WRITERS_H
#define SPOKE_TESTS_LIB_WRITERS_H

#include "base/buf.h"

#include <stdatomic.h>

#define WRITERS          3u
#define WRITERS_TEXT_MAX 6000u

enum writer_doing { WRITER_OPENS, WRITER_WRITES, WRITER_COMMITS, WRITER_TELLS, WRITER_CLOSES, WRITER_DOINGS };

/* In memory that all processes share, so that it can be said what a kill interrupted. */
struct writers_board {
    _Atomic unsigned doing[WRITERS];
    _Atomic bool checking; /* leave the database to a check, or write slowly */
    _Atomic unsigned busy; /* how often a writer found the database taken for too long */
};

enum writer_news { WRITER_FOUND = 1, WRITER_WROTE = 2 };
struct writer_ack { /* writer to parent, over a pipe, in one piece */
    uint32_t news;
    uint32_t group; /* found: the last that is there; wrote: this one */
};

struct writers;
/* A way of writing. `store`: an open database. */
struct writers_way {
    const char *name;
    unsigned stay;                          /* transactions for which a writer keeps it open, at most */
    void (*make)(struct writers *w);        /* an empty one, in w->dir */
    void *(*open)(const struct writers *w); /* waits for the others; NULL: they took too long */
    void (*write)(void *store, const struct writers *w, unsigned who, unsigned group); /* all but the commit */
    void (*commit)(void *store);
    bool (*get)(void *store, const uint8_t id[16], struct buf *out_text); /* one row; false: not there */
    uint64_t (*count)(void *store);                                       /* of all rows that writers wrote */
    void (*hold)(void *store);  /* see from now on what is there now; NULL: nobody else writes anyway */
    void (*check)(void *store); /* everything else that must be so */
    void (*close)(void *store);
    void (*release)(struct writers *w); /* forget what make made; the files stay */
};
extern const struct writers_way writers_of_node;   /* tests/lib/writers_node.c: the product */
extern const struct writers_way writers_of_pages;  /* tests/lib/writers_pages.c: crypto/pagevfs, plain tables */
extern const struct writers_way writers_of_shared; /* the same with crypto/spokevfs, all at the same time */

struct writers {
    const struct writers_way *way;
    char dir[400];
    uint64_t run;                /* what all content follows from */
    struct writers_board *board; /* shared */
    void *world;                 /* of the way */
    bool early;                  /* for the test of this test: acknowledge before the commit */
    unsigned acked[WRITERS];     /* the last group of each that was acknowledged */
};

void writers_fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
void writers_must(enum err e, const char *what, const struct why *why);
uint64_t writers_mix(uint64_t x);

unsigned writers_rows(const struct writers *w, unsigned who, unsigned group); /* how many rows a group has, 1 or more */
void writers_id(const struct writers *w, unsigned who, unsigned group, unsigned row, uint8_t out[16]);
size_t writers_text(const struct writers *w, unsigned who, unsigned group, unsigned row, char out[WRITERS_TEXT_MAX]);

/* A writer; never returns. `from`: the last group that it acknowledged before. */
void writers_main(struct writers *w, unsigned who, uint64_t seed, int report) __attribute__((noreturn));
/* Is the group there, whole? false: nothing of it is. Anything else ends the program. */
bool writers_whole(void *store, const struct writers *w, unsigned who, unsigned group);
/* Everything that was acknowledged is there, nothing is there in part, nothing else is there, and the database is
 * sound. out_top: the last group of each. */
void writers_check(const struct writers *w, unsigned out_top[WRITERS]);

#endif
