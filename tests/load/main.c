/* load NAME | short | full: bad input and load against a real server (load.h). `short` is what the check runs. */
#include <sys/resource.h>

#include "tests/load/load.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *what;
    void (*run)(struct load *l, bool full);
} scenes[] = {
    {"crowd", "a hundred devices that send an edit at one moment, and a server that is killed meanwhile", scene_crowd},
    {"loris", "2,000 connections that never bring a request", scene_loris},
    {"parked", "10,000 devices that wait for news", scene_parked},
    {"giant", "a device that sends 1 GB, and many that send much at once", scene_giant},
    {"flood", "a device that sends as many bundles as it can", scene_flood},
    {"away", "the store is away for a minute and comes back", scene_away},
    {"disk", "the disk is full, and has room again", scene_disk},
    {"clock", "the clock of the server jumps", scene_clock},
};

int main(int argc, char **argv)
{
    static struct load l;
    const char *name = argc > 1 ? argv[1] : "short";
    bool brief = strcmp(name, "short") == 0, all = strcmp(name, "full") == 0, any = false;
    struct rlimit files;
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (!brief && !all && strcmp(name, scenes[i].name) != 0) continue;
        any = true;
        printf("%s: %s%s\n", scenes[i].name, scenes[i].what, brief ? " (a few of them)" : "");
        (void)fflush(stdout);
        bool many = all || strcmp(name, "parked") == 0, crowd = strcmp(name, "crowd") == 0;
        if (l.others == NULL) load_start(&l, "/proc/self/exe", many ? 10000 : crowd ? 101 : 300, many || crowd ? 100 : 20);
        scenes[i].run(&l, !brief);
    }
    if (any) load_end(&l);
    if (!any) load_fail("load short | full | one of: crowd loris parked giant flood away disk clock");
    return 0;
}
