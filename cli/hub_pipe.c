#include "cli/hub_pipe.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct half {
    int fd;
    enum err (*write)(void *arg, const struct dump_sink *sink, struct why *why);
    void *arg;
    enum err err;
    struct why why;
    bool hung_up; /* the other half read no further */
};

static enum err put(void *ctx, struct bytes piece, struct why *why)
{
    struct half *h = ctx;
    while (piece.n > 0) {
        ssize_t n = send(h->fd, piece.p, piece.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        h->hung_up = n < 0 && (errno == EPIPE || errno == ECONNRESET);
        if (n < 0) return why_set(why, ERR_IO, "The copy could not be handed on: %s.", strerror(errno));
        piece = bytes_of(piece.p + n, piece.n - (size_t)n);
    }
    return ERR_OK;
}

static void *write_half(void *ctx)
{
    struct half *h = ctx;
    struct dump_sink sink = {h, put};
    h->err = h->write(h->arg, &sink, &h->why);
    (void)shutdown(h->fd, SHUT_WR); /* the end, whole or not: the stream itself says which */
    return NULL;
}

static enum err get(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = recv(*(int *)ctx, out + got, n - got, 0);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return why_set(why, ERR_IO, "The copy could not be taken: %s.", strerror(errno));
        if (k == 0) break;
        got += (size_t)k;
    }
    *out_got = got;
    return ERR_OK;
}

static enum err run(void *ctx, enum err (*write)(void *arg, const struct dump_sink *sink, struct why *why),
                    enum err (*read)(void *arg, const struct dump_source *source, struct why *why), void *arg,
                    struct why *why)
{
    (void)ctx;
    int ends[2];
    pthread_t thread;
    struct half h = {.write = write, .arg = arg};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    h.fd = ends[0];
    int rc = pthread_create(&thread, NULL, write_half, &h);
    enum err e = ERR_OK;
    if (rc != 0) {
        e = why_set(why, ERR_IO, "The system has no thread to spare: %s.", strerror(rc));
    } else {
        struct dump_source source = {&ends[1], get};
        e = read(arg, &source, why);
        (void)shutdown(ends[1], SHUT_RDWR);
        (void)pthread_join(thread, NULL);
        if (h.err != ERR_OK && !(h.hung_up && e != ERR_OK)) {
            e = h.err;
            if (why != NULL) *why = h.why;
        }
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return e;
}

struct hub_pipe hub_pipe(void)
{
    return (struct hub_pipe){.run = run};
}
