/* Words between the processes of one hub: PostgreSQL's NOTIFY. A channel is named by schema and channel, so that hubs
 * in one database do not hear each other. */
#include "sync/db_postgres_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static void channel_name(const struct db_pg *db, const char *channel, char out[PG_NAME_MAX])
{
    (void)snprintf(out, PG_NAME_MAX, "%s.%s", db->schema, channel); /* 40 + 1 + 20 of PostgreSQL's 63 bytes */
}

enum err pg_notify(struct db *base, const char *channel, const char *payload, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char name[PG_NAME_MAX];
    const char *values[] = {name, payload == NULL ? "" : payload};
    if (!db->tx_open)
        return why_set(why, ERR_FAILED, "What changed is told when it is committed: there is no transaction here.");
    enum err e = pg_ready(db, why);
    if (e != ERR_OK) return e;
    channel_name(db, channel, name);
    PGresult *r = PQexecParams(db->conn, "SELECT pg_catalog.pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0);
    e = PQresultStatus(r) == PGRES_TUPLES_OK ? ERR_OK : pg_fault(db, r, "NOTIFY", why);
    PQclear(r);
    return e;
}

static enum err listen_one(struct db_pg *db, const char *channel, struct why *why)
{
    char name[PG_NAME_MAX], sql[PG_SQL];
    channel_name(db, channel, name);
    (void)snprintf(sql, sizeof sql, "LISTEN \"%s\"", name);
    return pg_run(db, sql, why);
}

enum err pg_listen_again(struct db_pg *db, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < db->n_channels; i++) e = listen_one(db, db->channels[i], why);
    if (e == ERR_OK && db->n_channels > 0) db->told_all = true;
    return e;
}

enum err pg_listen(struct db *base, const char *channel, struct why *why)
{
    struct db_pg *db = pg_of(base);
    if (db->tx_open) return why_set(why, ERR_FAILED, "Listening begins outside a transaction.");
    for (size_t i = 0; i < db->n_channels; i++)
        if (strcmp(db->channels[i], channel) == 0) return ERR_OK;
    if (db->n_channels == PG_CHANNELS) return why_set(why, ERR_LIMIT, "A connection cannot listen to more channels.");
    enum err e = pg_ready(db, why);
    if (e == ERR_OK) e = listen_one(db, channel, why);
    if (e != ERR_OK) return e;
    (void)snprintf(db->channels[db->n_channels++], sizeof db->channels[0], "%s", channel);
    return e;
}

/* What has arrived, to `each`. Another hub's words cannot: its channels are not listened to. */
static bool hand_out(struct db_pg *db, db_told_fn each, void *ctx)
{
    bool any = db->told_all;
    PGnotify *word;
    if (db->told_all) each(ctx, NULL, "");
    db->told_all = false;
    while ((word = PQnotifies(db->conn)) != NULL) {
        size_t n = strlen(db->schema) + 1;
        if (strlen(word->relname) > n) each(ctx, word->relname + n, word->extra);
        any = true;
        PQfreemem(word);
    }
    return any;
}

/* Until the connection or wake_fd has something, or the time is over: false. */
static bool something(struct db_pg *db, int64_t until, int wake_fd, bool *out_woken)
{
    struct pollfd fds[2] = {{.fd = PQsocket(db->conn), .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    for (;;) {
        int64_t left = until == INT64_MAX ? -1 : until - env_steady(db->base.env);
        if (until != INT64_MAX && left < 0) left = 0;
        int n = poll(fds, wake_fd >= 0 ? 2 : 1, left > 60000 ? 60000 : (int)left);
        if (n < 0 && errno != EINTR) return false; /* the caller's own descriptors are wrong: as if nothing came */
        *out_woken = n > 0 && wake_fd >= 0 && fds[1].revents != 0;
        if (n > 0) return true;
        if (until != INT64_MAX && env_steady(db->base.env) >= until) return false;
    }
}

enum err pg_wait(struct db *base, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why)
{
    struct db_pg *db = pg_of(base);
    int64_t until = timeout_ms < 0 ? INT64_MAX : env_steady(base->env) + timeout_ms;
    bool woken = false;
    if (db->tx_open) return why_set(why, ERR_FAILED, "Waiting within a transaction would keep everybody else waiting.");
    enum err e = pg_ready(db, why);
    while (e == ERR_OK) {
        if (PQconsumeInput(db->conn) == 0) return pg_fault(db, NULL, NULL, why);
        if (hand_out(db, each, ctx) || woken || !something(db, until, wake_fd, &woken)) return ERR_OK;
    }
    return e;
}
