#include "tests/lib/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void proc_path(char out[300], pid_t pid, const char *name)
{
    (void)snprintf(out, 300, "/proc/%d/%s", (int)pid, name);
}

int proc_open(pid_t pid, const char *name)
{
    char path[300];
    proc_path(path, pid, name);
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

bool proc_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* Does this file of /proc, whose strings end with zeros, name the place? */
static bool names(pid_t pid, const char *file, const char *place)
{
    char text[65536];
    size_t n = 0;
    int fd = proc_open(pid, file);
    for (ssize_t got = 1; fd >= 0 && got > 0 && n < sizeof text; n += (size_t)got) {
        got = read(fd, text + n, sizeof text - n);
        if (got < 0) got = 0;
    }
    if (fd >= 0) (void)close(fd);
    return n > 0 && memmem(text, n, place, strlen(place)) != NULL;
}

void proc_each(const char *bin, const char *place, proc_fn each, void *ctx)
{
    DIR *all = opendir("/proc");
    size_t n_bin = strlen(bin);
    for (struct dirent *e = all != NULL ? readdir(all) : NULL; e != NULL; e = readdir(all)) {
        char link[300], program[4096];
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (!isdigit((unsigned char)e->d_name[0]) || pid == getpid()) continue;
        proc_path(link, pid, "exe");
        ssize_t n = readlink(link, program, sizeof program - 1);
        /* One that is closed to us tells its arguments, not its program. */
        bool ours = n < 0 && (errno == EACCES || errno == EPERM);
        if (n > 0) {
            program[n] = '\0';
            ours = strncmp(program, bin, n_bin) == 0 && program[n_bin] == '/';
        }
        if (ours && (names(pid, "cmdline", place) || names(pid, "environ", place)))
            each(ctx, pid, n > 0 ? program + n_bin + 1 : "a program");
    }
    if (all != NULL) (void)closedir(all);
}

/* "55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0    [heap]" */
static bool read_head(const char *line, struct proc_map *m)
{
    unsigned long long from = 0, to = 0;
    char allowed[8] = "";
    int name = 0;
    *m = (struct proc_map){0};
    if (sscanf(line, "%llx-%llx %7s %*x %*x:%*x %*u %n", &from, &to, allowed, &name) != 3 || name == 0) return false;
    m->from = from;
    m->to = to;
    m->readable = allowed[0] == 'r';
    (void)snprintf(m->name, sizeof m->name, "%s", line + name);
    m->name[strcspn(m->name, "\n")] = '\0';
    m->kernels = strncmp(m->name, "[v", 2) == 0;
    return true;
}

bool proc_maps(pid_t pid, proc_map_fn each, void *ctx)
{
    char *line = NULL;
    size_t room = 0;
    bool any = false;
    struct proc_map m = {0};
    int fd = proc_open(pid, "smaps");
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    while (f != NULL && getline(&line, &room, f) > 0) {
        if (strncmp(line, "VmFlags:", 8) == 0) { /* the last line of each mapping */
            m.locked = strstr(line, " lo") != NULL;
            each(ctx, &m);
            any = true;
        } else if (line[0] < 'A' || line[0] > 'Z') {
            (void)read_head(line, &m);
        }
    }
    free(line);
    if (f != NULL) (void)fclose(f);
    return any;
}

bool proc_no_core(pid_t pid)
{
    char *line = NULL;
    size_t room = 0;
    bool none = false;
    int fd = proc_open(pid, "limits");
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    while (f != NULL && getline(&line, &room, f) > 0) {
        char soft[32] = "", hard[32] = "";
        if (sscanf(line, "Max core file size %31s %31s", soft, hard) == 2)
            none = strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
    }
    free(line);
    if (f != NULL) (void)fclose(f);
    return none;
}
