#include "tests/lib/ends_scan.h"

#include "crypto/keyslot.h"
#include "crypto/pagevfs.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";

struct needles {
    const struct bytes *what;
    size_t n;
    size_t *found;
};

static void look(const struct needles *x, const void *p, size_t n)
{
    for (size_t i = 0; i < x->n; i++) x->found[i] += memmem(p, n, x->what[i].p, x->what[i].n) != NULL;
}

static enum err look_at_page(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    (void)pgno;
    look(ctx, page, 4096);
    return ERR_OK;
}

static void look_at_file(const struct needles *x, const char *path)
{
    struct buf all;
    FILE *f = fopen(path, "rb");
    uint8_t piece[65536];
    assert_non_null(f);
    buf_init(&all, (size_t)64 << 20);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_put(&all, piece, n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(all.err, ERR_OK);
    if (all.len > 0) look(x, all.data, all.len);
    buf_release(&all);
}

static void look_at_folder(const struct needles *x, const char *folder)
{
    char path[512];
    struct stat st;
    struct dirent *d;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        assert_int_equal(lstat(path, &st), 0);
        if (S_ISDIR(st.st_mode))
            look_at_folder(x, path);
        else if (S_ISREG(st.st_mode))
            look_at_file(x, path);
    }
    (void)closedir(dir);
}

void ends_find(struct ends_node *n, const struct bytes *what, size_t n_what, size_t *found)
{
    struct needles x = {.what = what, .n = n_what, .found = found};
    struct why why = {0};
    struct keyring ring = {0};
    char path[160], device[160];
    memset(found, 0, n_what * sizeof *found);
    assert_int_equal(db_truncate_log(node_db(n->n), &why), ERR_OK); /* the scan reads no log */
    node_close(n->n);
    look_at_folder(&x, n->home);
    (void)snprintf(path, sizeof path, "%s/replica.key", n->home);
    (void)snprintf(device, sizeof device, "%s/device.secret", n->home);
    const struct keyfile at = {path, device};
    assert_int_equal(keyslot_open(&n->f->env, &at, bytes_of_str(passphrase), &ring, &why), ERR_OK);
    struct secret key = keyring_data_key(&ring);
    (void)snprintf(path, sizeof path, "%s/replica.db", n->home);
    if (pagevfs_scan(path, &key, look_at_page, &x, &why) != ERR_OK) fail_msg("%s: %s", n->site, why.text);
    keyring_release(&ring);
    const struct node_key again = {.passphrase = bytes_of_str(passphrase)}; /* its lease may be over */
    assert_int_equal(node_open_as(&n->n, &n->f->env, n->home, &again, NODE_FOR_HUB, &why), ERR_OK);
}

struct round_result ends_by_usb(struct ends_node *n)
{
    struct round_result all = {0};
    struct why why = {0};
    struct node_info info;
    for (bool more = true; more;) {
        struct buf stick;
        if (all.rounds >= 20) fail_msg("%s is never done", n->site);
        buf_init(&stick, (size_t)64 << 20);
        ends_export(n, &stick);
        struct round_result r = ends_import(n, buf_bytes(&stick));
        buf_release(&stick);
        assert_int_equal(node_get_info(n->n, &info, &why), ERR_OK);
        more = info.unsent > 0 || info.receipts_due > 0 || r.rows_in + r.rows_dropped + r.receipts > 0;
        all.rounds++;
        all.rows_in += r.rows_in;
        all.rows_dropped += r.rows_dropped;
        all.applied += r.applied;
        all.merged += r.merged;
        all.held += r.held;
        all.receipts += r.receipts;
    }
    return all;
}

static int64_t count(struct db *db, const char *sql, const uint8_t id[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(db, sql, &s, &why), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_true(row);
    int64_t n = db_int(s, 0);
    db_done(s);
    return n;
}

int64_t ends_drops(struct ends_node *n, bool confirmed)
{
    return count(hub_db(n->f->hub),
                 confirmed ? "SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no"
                             " WHERE n.kid = $1 AND d.receipt_at IS NOT NULL"
                           : "SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no"
                             " WHERE n.kid = $1 AND d.receipt_at IS NULL",
                 n->kid);
}

bool ends_has(struct ends_node *n, const char *table, const uint8_t id[16])
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\" WHERE id = $1", table);
    return count(node_db(n->n), sql, id) == 1;
}
