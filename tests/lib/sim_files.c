/* After a node is closed: do its files, decrypted, hold the id of any row that its site may not see (any more)? */
#include "crypto/keyslot.h"
#include "crypto/pagevfs.h"
#include "tests/lib/sim.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct search {
    struct sim *s;
    struct sim_node *n;
    struct sim_ids hidden;
    bool first[1 << 16]; /* which pairs of bytes 14, 15 occur in hidden: most places are passed over at once */
    const char *file;
    uint32_t page;
    size_t pages;
};

static void look(struct search *q, const uint8_t *p, size_t n)
{
    char hex[33];
    for (size_t i = 0; i + 16 <= n; i++)
        if (q->first[p[i + 14] << 8 | p[i + 15]] && sim_ids_has(&q->hidden, p + i))
            sim_fail(q->s, "LEAK: %s of node %d (%s), page %u, holds the id %s of a row it may not see", q->file,
                     q->n->no, q->n->place->site, q->page, sim_hex(p + i, hex));
}

static enum err look_page(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    struct search *q = ctx;
    q->page = pgno;
    q->pages++;
    look(q, page, 4096);
    return ERR_OK;
}

/* A row that the site sees may point at one that it does not: a conflict at its row, a release at its source. */
static void mentioned(struct sim_ids *out, const struct sim_row *r)
{
    for (size_t c = 0; c < r->r.table->n_columns; c++)
        if (r->r.v[c].kind == VALUE_BLOB && r->r.v[c].s.n == 16) sim_ids_add(out, r->r.v[c].s.p);
}

static void what_is_hidden(struct search *q)
{
    struct sim_rows hub;
    struct sim_ids named = {0};
    sim_rows_read(&hub, hub_db(q->s->hub));
    for (size_t i = 0; i < hub.n; i++)
        if (sim_sees(&hub, q->n->place, &hub.v[i], q->s->clock)) mentioned(&named, &hub.v[i]);
    for (size_t i = 0; i < hub.n; i++) {
        const uint8_t *id = hub.v[i].id;
        if (sim_ids_has(&named, id)) continue;
        sim_ids_add(&q->hidden, id);
        q->first[id[14] << 8 | id[15]] = true;
    }
    sim_ids_clear(&named);
    sim_rows_free(&hub);
}

static void search_file(struct search *q, const char *path, const struct secret *key)
{
    struct why why = {0};
    struct buf raw;
    q->file = path;
    q->page = 0;
    buf_init(&raw, SIM_BUNDLE);
    sim_must(q->s, env_posix()->read_file(NULL, path, SIM_BUNDLE, &raw, &why), "read a file", &why);
    look(q, raw.data, raw.len);
    buf_release(&raw);
    size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".db") == 0)
        sim_must(q->s, pagevfs_scan(path, key, look_page, q, &why), "scan a store", &why);
}

static void search_folder(struct search *q, const char *folder, const struct secret *key)
{
    struct dirent *entry;
    char path[900];
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR)
            search_folder(q, path, key);
        else
            search_file(q, path, key);
    }
    (void)closedir(dir);
}

void sim_check_files(struct sim *s, struct sim_node *n)
{
    struct why why = {0};
    struct secret key = {0};
    char path[400];
    struct search *q = calloc(1, sizeof *q);
    assert_non_null(q);
    q->s = s;
    q->n = n;
    what_is_hidden(q);
    node_close(n->n);
    n->n = NULL;
    (void)snprintf(path, sizeof path, "%s/replica.key", n->home);
    sim_must(s, keyslot_open(env_posix(), path, sim_passphrase(), &key, &why), "open the key file", &why);
    search_folder(q, n->home, &key);
    if (q->pages == 0) sim_fail(s, "node %d: no store in its home", n->no);
    secret_release(&key);
    sim_ids_clear(&q->hidden);
    free(q);
}
