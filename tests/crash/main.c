/* crash: what a dead battery and a rotten disk do to a database, tried out. See usage(). */
#include "tests/crash/crash.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct matrix_options matrix;
    struct flip_options flips;
    bool power, bits;
};

static int usage(void)
{
    (void)puts("crash power [--cases N] [--every N] [--seed N] [--only WORDS] [--workers N]\n"
               "    The power fails at every step of every scripted operation, with some N outcomes in all (130,000).\n"
               "    --every: at one step of N. --only: operations with these words in their names.\n"
               "crash flips [--pages N] [--sample N] [--seed N] [--workers N] [--closed]\n"
               "    Single bits are flipped in a database of N pages (64) and its log: N of them, or every one (0).\n"
               "    --closed: the database has no log.");
    return 64;
}

static bool number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

static bool option(struct options *o, const char *name, const char *value)
{
    uint64_t n = 0;
    if (strcmp(name, "--only") == 0) {
        o->matrix.only = value;
        return true;
    }
    if (!number(value, &n)) return false;
    if (strcmp(name, "--cases") == 0)
        o->matrix.cases = n;
    else if (strcmp(name, "--every") == 0 && n >= 1)
        o->matrix.every = n;
    else if (strcmp(name, "--seed") == 0)
        o->matrix.seed = o->flips.seed = n;
    else if (strcmp(name, "--workers") == 0 && n >= 1 && n <= 64)
        o->matrix.workers = o->flips.workers = (unsigned)n;
    else if (strcmp(name, "--pages") == 0 && n >= 16 && n <= 4096)
        o->flips.pages = n;
    else if (strcmp(name, "--sample") == 0)
        o->flips.sample = n;
    else
        return false;
    return true;
}

static bool parse(struct options *o, int n, char **args)
{
    if (n < 2) return false;
    o->power = strcmp(args[1], "power") == 0;
    o->bits = strcmp(args[1], "flips") == 0;
    for (int i = 2; i < n; i++) {
        if (strcmp(args[i], "--closed") == 0) {
            o->flips.log = false;
            continue;
        }
        if (i + 1 == n || !option(o, args[i], args[i + 1])) return false;
        i++;
    }
    return o->power || o->bits;
}

int main(int n, char **args)
{
    struct options o = {
        .matrix = {.cases = 130000, .seed = 1, .every = 1, .workers = 2},
        .flips = {.pages = 64, .sample = 20000, .seed = 1, .workers = 2, .log = true},
    };
    if (!parse(&o, n, args)) return usage();
    /* the same megabytes are taken and given back for each case: they stay; and each process has one thread */
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    bool ok = o.power ? matrix_run(&o.matrix) : flips_run(&o.flips);
    return ok ? 0 : 1;
}
