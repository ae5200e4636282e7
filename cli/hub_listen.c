#include "cli/hub_listen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AGAIN_MS 250 /* a database that is away is looked for again: db_wait itself does so at its own pace */

struct hub_listen {
    struct hub_listen_options opt;
    struct db *db;
    char own[40]; /* what this process says: its server has heard it already */
    int stop;     /* an eventfd */
    pthread_t thread;
    bool told; /* by the running db_wait */
};

static void note(const struct hub_listen *l, const char *what, enum err e)
{
    struct logline line;
    logline_begin(&line, l->opt.log, l->opt.log_format, l->opt.env, e == ERR_OK ? "info" : "error", "store");
    logline_str(&line, "hearing", what);
    if (e != ERR_OK) logline_str(&line, "error", err_word(e));
    logline_end(&line);
}

static void take(void *ctx, const char *channel, const char *payload)
{
    struct hub_listen *l = ctx;
    if (channel == NULL || strcmp(payload, l->own) != 0) l->told = true;
}

static bool stopping(const struct hub_listen *l, int wait_ms)
{
    struct pollfd p = {.fd = l->stop, .events = POLLIN};
    int got;
    while ((got = poll(&p, 1, wait_ms)) < 0 && errno == EINTR) continue;
    return got > 0;
}

static void *hear(void *ctx)
{
    struct hub_listen *l = ctx;
    bool away = false;
    while (!stopping(l, away ? AGAIN_MS : 0)) {
        l->told = false;
        enum err e = db_wait(l->db, away ? 0 : -1, l->stop, take, l, NULL);
        if (away != (e != ERR_OK)) note(l, e != ERR_OK ? "stopped" : "again", e);
        away = e != ERR_OK;
        if (l->told) l->opt.moved(l->opt.ctx);
    }
    return NULL;
}

static void release(struct hub_listen *l)
{
    db_close(l->db);
    if (l->stop >= 0) (void)close(l->stop);
    free(l);
}

static enum err begin(struct hub_listen *l, struct why *why)
{
    enum err e = hub_open_beside(l->opt.hub, &l->db, why);
    if (e == ERR_OK) e = hub_hear(l->db, why);
    if (e != ERR_OK) return e;
    memcpy(l->own, hub_teller(l->opt.hub), strlen(hub_teller(l->opt.hub)) + 1);
    l->stop = eventfd(0, EFD_CLOEXEC);
    if (l->stop < 0) return why_set(why, ERR_IO, "This computer has no files left to open: %s.", strerror(errno));
    int rc = pthread_create(&l->thread, NULL, hear, l);
    return rc == 0 ? ERR_OK : why_set(why, ERR_IO, "The system has no thread to spare: %s.", strerror(rc));
}

enum err hub_listen_start(struct hub_listen **out, const struct hub_listen_options *opt, struct why *why)
{
    struct hub_listen *l = calloc(1, sizeof *l);
    if (l == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    l->opt = *opt;
    l->stop = -1;
    enum err e = begin(l, why);
    if (e == ERR_OK)
        *out = l;
    else
        release(l);
    return e;
}

void hub_listen_end(struct hub_listen *l)
{
    static const uint64_t one = 1;
    if (l == NULL) return;
    /* An eventfd that nobody else writes takes a number at once. */
    if (write(l->stop, &one, sizeof one) != (ssize_t)sizeof one) abort();
    (void)pthread_join(l->thread, NULL);
    release(l);
}
