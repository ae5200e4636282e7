/* What happens to the server's own computer. */
#include <sys/resource.h>

#include "cli/hub_turn.h"
#include "tests/load/load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* As a command that has the store for so long. */
void scene_away(struct load *l, bool full)
{
    struct why why = {0};
    struct hub_clock clock = {0};
    int fd = -1;
    load_serve(l);
    load_witness(l, "before", 0.15, 1000);
    if (hub_turn_ask(l->hub.dir, &fd, &clock, &why) != ERR_OK || fd < 0) load_fail("the store is not given: %s", why.text);
    double began = load_now_ms(), away = full ? 60000 : 5400;
    l->n_refused = 0;
    while (load_now_ms() - began < away) {
        if (load_round(l)) load_fail("somebody was answered while the store was away");
        (void)usleep(20000);
    }
    printf("  away for %.0f s: %zu requests were put off\n", away / 1000, l->n_refused);
    hub_turn_give(fd, &clock);
    load_witness(l, "when it is back", 0.5, 1000);
}

/* RLIMIT_FSIZE stands for a disk without room: writing fails in the middle of a file, and goes again once it is
 * raised. */
void scene_disk(struct load *l, bool full)
{
    char path[400];
    struct stat st;
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    load_stop_server(l);
    (void)snprintf(path, sizeof path, "%s/hub.db", l->hub.dir);
    if (stat(path, &st) != 0) load_fail("there is no store");
    l->file_limit = (rlim_t)(full ? 1u << 20 : 256u << 10);
    if ((rlim_t)st.st_size + (128u << 10) > l->file_limit) l->file_limit = (rlim_t)st.st_size + (128u << 10);
    load_serve(l);
    l->n_took = l->n_refused = 0;
    while (l->n_refused == 0) {
        (void)load_round(l);
        if (l->n_took >= LOAD_MAX_ROUNDS) load_fail("the disk does not become full");
    }
    printf("  full after %zu rounds\n", l->n_took);
    for (int i = 0; i < 20; i++)
        if (load_round(l)) load_fail("something was acknowledged without room for it");
    if (prlimit(l->server, RLIMIT_FSIZE, &more, NULL) != 0) load_fail("the limit is not raised");
    load_witness(l, "when there is room again", 0.5, 1000);
    load_stop_server(l);
    l->file_limit = 0;
}

/* The server's wall clock by tests/load/shim.c: seconds to add, in a file that it maps. */
void scene_clock(struct load *l, bool full)
{
    static const int64_t jumps[] = {3600, -3600, 400 * 86400, -400 * 86400, 0};
    char path[400], shim[PATH_MAX + 20];
    (void)snprintf(path, sizeof path, "%s.clock", l->hub.dir);
    (void)snprintf(shim, sizeof shim, "%s/libload_shim.so", l->bin);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0) load_fail("no file for the clock");
    int64_t *ahead = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (ahead == MAP_FAILED) load_fail("no memory for the clock");
    load_stop_server(l);
    l->shim = shim;
    (void)setenv("SPOKE_TEST_CLOCK", path, 1);
    load_serve(l);
    load_witness(l, "before", 0.15, 1000);
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        char what[80];
        __atomic_store_n(ahead, jumps[i], __ATOMIC_SEQ_CST);
        (void)snprintf(what, sizeof what, "its clock is %+lld h from the truth", (long long)(jumps[i] / 3600));
        load_witness(l, what, full ? 5 : 0.15, 1000);
    }
    load_stop_server(l);
    (void)munmap(ahead, 4096);
    (void)unlink(path);
    (void)unsetenv("SPOKE_TEST_CLOCK");
    l->shim = NULL;
}
