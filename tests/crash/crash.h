/* Scripted operations on an encrypted database and its key file, with a power failure at every step of each, and flips
 * of single bits. The disk is a model (tests/sim/disk.h); the program `crash` (tests/crash/main.c) runs it all. */
#ifndef SPOKE_TESTS_CRASH_CRASH_H
#define SPOKE_TESTS_CRASH_CRASH_H

#include "base/env.h"
#include "crypto/keyslot.h"
#include "tests/sim/disk.h"

#include <sqlite3.h>

#define HOME       "home"
#define MAIN_DB    HOME "/a.db"
#define SECOND_DB  HOME "/b.db"
#define MAX_STATES 40
#define MAX_LIST   10
#define NOON       1790000000000 /* Unix ms: when every operation begins */

struct device; /* tests/crash/ops_node.c */
struct script;

/* One computer with one database. What is committed is known by digests of all that a reader sees: state 0 is what the
 * operation begins with, state n what there is after its n-th transaction. */
struct world {
    struct disk *disk;
    struct env env; /* files on the disk; its clock is now */
    int64_t now;    /* Unix milliseconds */
    struct draw random;
    struct secret key;       /* data key */
    sqlite3 *db, *other;     /* NULL: not open. `other` is SECOND_DB */
    struct device *device;   /* NULL: none */
    const struct script *op; /* borrowed */
    bool recording;          /* the run without faults, which notes the states */
    bool weak;               /* commits are not synced: the power may take them, from the last on */
    uint64_t states[MAX_STATES];
    size_t n_states;                   /* known */
    size_t at;                         /* state that this run is in */
    size_t floor;                      /* state that nothing may take from it any more */
    char code[2][RECOVERY_CODE_CHARS]; /* recovery codes that were made: before the operation, in it */
    char fault[300];                   /* what is wrong; empty: nothing */
};

/* A scripted operation. Where `run` is NULL its transactions are `list`, each a text of SQL: one commit, unless it
 * begins with '=': then nothing that a reader sees changes. */
struct script {
    const char *name;                 /* a sentence */
    void (*prepare)(struct world *w); /* makes the disk that the operation finds; NULL: rows_prepare */
    const char *setup;                /* SQL on the open connection before steps count; NULL: none */
    void (*run)(struct world *w);     /* returns when done, or when the power failed */
    const char *list[MAX_LIST];       /* NULL at the end */
    bool (*observe)(struct world *w, uint64_t *out_state); /* NULL: world_observe */
    bool opens;                                            /* run opens the database itself */
    bool slow; /* a case takes ten times as long: it has fewer of them, on sectors of 4096 bytes alone */
};

/* How the tables are handed out. */
struct scripts {
    const struct script *p;
    size_t n;
};
struct scripts ops_rows(void);
struct scripts ops_schema(void);
struct scripts ops_log(void);
struct scripts ops_keys(void);
struct scripts ops_node(void);

struct world *world_new(void);
void world_free(struct world *w);
void world_close(struct world *w);
void device_free(struct world *w);
void world_clear(struct world *w); /* an empty disk; no states */

/* false, and w->fault says what: something is wrong that a power failure does not explain. */
bool wrong(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool world_create(struct world *w, const char *path); /* an empty database; there may be none */
bool world_open(struct world *w);
bool world_open_other(struct world *w);
bool world_sql(struct world *w, const char *sql); /* on w->db */

/* In an operation: a transaction was committed, and this is the next state. */
bool world_done(struct world *w);
/* What a commit at synchronous=NORMAL left to chance is durable now. */
void world_durable(struct world *w);
/* SQL that is one transaction; SQL that changes nothing. */
bool world_commit(struct world *w, const char *sql);
bool world_same(struct world *w, const char *sql);

/* Everything that a reader of this connection sees: schema, rows, user_version. */
bool db_digest(struct world *w, sqlite3 *db, uint64_t *out);
/* Opens the database and the second one if there is one, looks at all of it, and leaves it open. A database that is not
 * there, or whose creation was cut off, is a state too. false: wrong. */
bool world_observe(struct world *w, uint64_t *out);
/* The same without closing what is open. */
bool world_look(struct world *w, uint64_t *out);
bool world_intact(struct world *w); /* integrity_check of what is open */
uint64_t mix(uint64_t h, uint64_t v);
uint64_t mix_bytes(uint64_t h, const void *p, size_t n);

/* What many operations begin with: some twenty pages of rows, all in the database, nothing in the log. */
void rows_prepare(struct world *w);
void must(bool ok, const char *what); /* ends the program: without faults, too, it does not work */

struct matrix_options {
    uint64_t cases;   /* to aim at, of all operations */
    uint64_t seed;    /* of all outcomes */
    uint64_t every;   /* one step of so many is tried; 1: each */
    unsigned workers; /* processes */
    const char *only; /* part of a name; NULL: all */
};
/* Prints a line an operation and the sums. false: something was wrong. */
bool matrix_run(const struct matrix_options *o);

struct flip_options {
    uint64_t pages;   /* of the database */
    uint64_t sample;  /* bits that are flipped, drawn; 0: all */
    uint64_t seed;    /* of the sample */
    unsigned workers; /* processes */
    bool log;         /* with a log that is not in the database yet */
};
bool flips_run(const struct flip_options *o);

#endif
