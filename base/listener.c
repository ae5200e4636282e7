#include "base/listener.h"

#include "base/local.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "host:port" with a numeric host, an IPv6 one in brackets, or "localhost". */
static enum err parse_listen(const char *listen_at, struct addrinfo **out, struct why *why)
{
    char host[64];
    const char *colon = strrchr(listen_at, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - listen_at);
    const char *from = listen_at;
    bool bracketed = n >= 2 && from[0] == '[' && from[n - 1] == ']';
    if (bracketed) {
        from++;
        n -= 2;
    }
    struct addrinfo want = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    want.ai_family = bracketed ? AF_INET6 : AF_INET;
    if (n == 0 || n >= sizeof host || strspn(colon + 1, "0123456789") != strlen(colon + 1) || colon[1] == '\0' ||
        strlen(colon + 1) > 5 || atoi(colon + 1) > 65535)
        goto bad;
    memcpy(host, from, n);
    host[n] = '\0';
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, colon + 1, &want, out) == 0) return ERR_OK;
bad:
    (void)why_set(why, ERR_USAGE, "%.64s is no address to listen at", listen_at);
    return why_next(why, ERR_USAGE, "Give an IP address and a port, for example 127.0.0.1:8470 or [::1]:8470.");
}

static enum err listen_why(const char *listen_at, struct why *why)
{
    int code = errno;
    if (code == EADDRINUSE) {
        (void)why_set(why, ERR_BUSY, "another program is already listening at %.64s", listen_at);
        return why_next(why, ERR_BUSY, "Stop the other program, or choose another port with --listen.");
    }
    if (code == EADDRNOTAVAIL) return why_set(why, ERR_USAGE, "%.64s is not an address of this computer", listen_at);
    return why_set(why, ERR_IO, "cannot listen at %.64s: %s", listen_at, strerror(code));
}

enum err listener_open(const char *listen_at, int *out_fd, unsigned *out_port, struct why *why)
{
    struct addrinfo *ai = NULL;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {0};
    socklen_t len = sizeof at;
    int one = 1;
    enum err err = parse_listen(listen_at, &ai, why);
    if (err != ERR_OK) return err;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, &at.any, &len) != 0) {
        err = listen_why(listen_at, why);
        if (fd >= 0) (void)close(fd);
    } else {
        *out_fd = fd;
        *out_port = ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
    }
    freeaddrinfo(ai);
    return err;
}

/* ---- in the file system */

const char *listener_path(const char *listen_at)
{
    return strncmp(listen_at, "unix:", 5) == 0 ? listen_at + 5 : NULL;
}

static enum err path_why(const char *path, int code, struct why *why)
{
    if (code == ENOENT || code == ENOTDIR || code == ENAMETOOLONG) {
        (void)why_set(why, ERR_USAGE, "there is no place for a socket at %.200s", path);
        return why_next(why, ERR_USAGE, "Give the path of a socket in a folder that is there, for example "
                                        "unix:/run/spoke-hub/hub.sock.");
    }
    return why_set(why, ERR_IO, "cannot listen at %.200s: %s", path, strerror(code));
}

/* What a server left that was killed. A connection that is refused proves that nobody listens. */
static enum err clear_place(const char *path, struct why *why)
{
    struct stat there;
    if (lstat(path, &there) != 0) return errno == ENOENT ? ERR_OK : path_why(path, errno, why);
    if (!S_ISSOCK(there.st_mode)) {
        (void)why_set(why, ERR_EXISTS, "something that is no socket stands at %.200s already", path);
        return why_next(why, ERR_EXISTS, "Choose another path with --listen, or move it away.");
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return path_why(path, errno, why);
    int got = local_at(fd, path, local_connect), code = errno;
    (void)close(fd);
    if (got != 0 && code == ECONNREFUSED)
        return unlink(path) == 0 || errno == ENOENT ? ERR_OK : path_why(path, errno, why);
    if (got != 0 && code == ENOENT) return ERR_OK;
    if (got != 0 && code != EAGAIN && code != EINPROGRESS) return path_why(path, code, why);
    (void)why_set(why, ERR_BUSY, "another program is already listening at %.200s", path);
    return why_next(why, ERR_BUSY, "Stop the other program, or choose another path with --listen.");
}

enum err listener_open_path(const char *path, int *out_fd, struct stat *out_made, struct why *why)
{
    if (path[0] != '/') return path_why(path, ENOENT, why);
    enum err err = clear_place(path, why);
    if (err != ERR_OK) return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || local_at(fd, path, local_bind_group) != 0 || listen(fd, SOMAXCONN) != 0 || lstat(path, out_made) != 0) {
        err = path_why(path, errno, why);
        if (fd >= 0) (void)close(fd);
        return err;
    }
    *out_fd = fd;
    return ERR_OK;
}
