/* Keeping everybody from a database without its key. */
#include "crypto/pagevfs.h"
#include "crypto/pagevfs_raw.h"

#include <stdlib.h>

struct pagevfs_hold {
    struct raw file;
};

enum err pagevfs_hold(struct pagevfs_hold **out, const char *path, const char *lower, struct why *why)
{
    bool exists = false;
    struct pagevfs_hold *h = calloc(1, sizeof *h);
    *out = NULL;
    if (!h) return why_set(why, ERR_NOMEM, "there is not enough memory for the database");
    int rc = pagevfs_raw_init(&h->file, path, sqlite3_vfs_find(lower));
    if (rc == SQLITE_OK) rc = pagevfs_raw_exists(&h->file, h->file.db, &exists);
    if (rc == SQLITE_OK && exists)
        rc = pagevfs_raw_open(&h->file, h->file.db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK && exists) rc = pagevfs_raw_lock(&h->file);
    if (rc == SQLITE_OK && exists) {
        *out = h;
        return ERR_OK;
    }
    pagevfs_let_go(h);
    return rc == SQLITE_OK ? ERR_OK : pagevfs_raw_failed(rc, why);
}

void pagevfs_let_go(struct pagevfs_hold *h)
{
    if (!h) return;
    pagevfs_raw_release(&h->file);
    free(h);
}
