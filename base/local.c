#include "base/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int local_connect(int fd, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    return connect(fd, (const struct sockaddr *)&at, sizeof at);
}

static int bind_for(int fd, const char *path, mode_t nobody)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, path, strlen(path) + 1);
    mode_t before = umask(nobody);
    int got = bind(fd, (const struct sockaddr *)&at, sizeof at);
    (void)umask(before);
    return got;
}

int local_bind(int fd, const char *path)
{
    return bind_for(fd, path, 0177);
}

int local_bind_group(int fd, const char *path)
{
    return bind_for(fd, path, 0117);
}

int local_at(int fd, const char *path, int (*call)(int fd, const char *path))
{
    char folder[PATH_MAX], brief[sizeof((struct sockaddr_un *)NULL)->sun_path];
    if (strlen(path) < sizeof brief) return call(fd, path);
    /* The kernel takes 107 bytes; a home may lie deeper. */
    const char *name = strrchr(path, '/') + 1;
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), got = -1;
    if (dir < 0) return -1;
    if (snprintf(brief, sizeof brief, "/proc/self/fd/%d/%s", dir, name) < (int)sizeof brief)
        got = call(fd, brief);
    else
        errno = ENAMETOOLONG;
    int saved = errno;
    (void)close(dir);
    errno = saved;
    return got;
}
