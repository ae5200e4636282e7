/* The only place that calls sqlite3session_*, and only to record (rule 1: everything in 3.40.1 that reads a changeset
 * has unfixed faults). What it gives is read by our own decoder, like bytes from a stranger. */
#include "node/internal.h"

#include "sync/db_sum.h"

/* sqlite3.h declares the session extension only to those who ask. */
#define SQLITE_ENABLE_SESSION        1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include <sqlite3.h>
#include <stdlib.h>

struct capture {
    sqlite3_session *session; /* owned */
    struct db *db;            /* borrowed */
};

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to note what you change.");
}

/* Reference tables are recorded too: a change there would otherwise stand here for ever and reach nobody. */
static int attach_all(sqlite3_session *session)
{
    size_t n = 0;
    const struct table_rule *t = rules_tables(&n);
    int rc = SQLITE_OK;
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) rc = sqlite3session_attach(session, t[i].name);
    return rc;
}

enum err capture_new(struct capture **out, struct db *db, struct why *why)
{
    struct capture *c = calloc(1, sizeof *c);
    if (c == NULL) return no_memory(why);
    c->db = db;
    db_sum_pause(db); /* the session takes whoever stands in its place for another session */
    int rc = sqlite3session_create(db_sqlite(db), "main", &c->session);
    if (rc == SQLITE_OK) rc = attach_all(c->session);
    if (rc != SQLITE_OK) {
        capture_free(c);
        return rc == SQLITE_NOMEM ? no_memory(why)
                                  : why_set(why, ERR_FAILED, "What you change cannot be noted (code %d).", rc);
    }
    *out = c;
    return ERR_OK;
}

enum err capture_take(struct capture *c, struct buf *out, struct why *why)
{
    void *changes = NULL;
    int n = 0;
    int rc = sqlite3session_changeset(c->session, &n, &changes);
    if (rc != SQLITE_OK)
        return rc == SQLITE_NOMEM ? no_memory(why)
                                  : why_set(why, ERR_FAILED, "What you changed cannot be noted (code %d).", rc);
    buf_put(out, changes, (size_t)n);
    if (changes != NULL) secret_wipe(changes, (size_t)n);
    sqlite3_free(changes);
    if (out->err == ERR_LIMIT) {
        (void)why_set(why, ERR_LIMIT, "This is too much for one change (more than %zu MiB). Nothing was saved.",
                      out->max >> 20);
        return why_next(why, ERR_LIMIT, "Save it in smaller steps.");
    }
    return out->err == ERR_OK ? ERR_OK : no_memory(why);
}

void capture_free(struct capture *c)
{
    if (c == NULL) return;
    if (c->session != NULL) sqlite3session_delete(c->session);
    db_sum_resume(c->db);
    free(c);
}
