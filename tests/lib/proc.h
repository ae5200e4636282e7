/* What can be seen of other processes in /proc (proc(5)). For the tools of tests/e2e. */
#ifndef SPOKE_TESTS_LIB_PROC_H
#define SPOKE_TESTS_LIB_PROC_H

#include "base/buf.h"

#include <sys/types.h>

/* Each live process whose program lies in the folder `bin` and whose arguments or environment name `place`; this one
 * not. */
typedef void (*proc_fn)(void *ctx, pid_t pid, const char *program);
void proc_each(const char *bin, const char *place, proc_fn each, void *ctx);

struct proc_map {
    uint64_t from, to; /* addresses */
    bool readable;
    bool locked;    /* mlock: never written to swap */
    bool kernels;   /* the kernel's own pages in it ([vvar] and the like) */
    char name[200]; /* file, "[heap]", … or "" */
};
/* Its mappings, in their order. false: they may not be read here, or it is gone. */
typedef void (*proc_map_fn)(void *ctx, const struct proc_map *m);
bool proc_maps(pid_t pid, proc_map_fn each, void *ctx);
/* Are soft and hard limit of its core file both 0? */
bool proc_no_core(pid_t pid);
/* /proc/PID/NAME opened for reading, or -1. */
int proc_open(pid_t pid, const char *name);
bool proc_alive(pid_t pid);

#endif
