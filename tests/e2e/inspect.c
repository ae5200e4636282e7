/* inspect: what tests ask of a home that people never do. The home must not be in use.
 *     inspect hash node|hub HOME PASSFILE     content hash of the synced tables
 *     inspect rows node HOME PASSFILE         every synced row: table, id, hash of the whole row
 *     inspect rows hub HOME PASSFILE SITE     the same of every row that the site may see
 *     inspect verdicts HUB PASSFILE           every envelope the hub has: number, verdict, reason
 *     inspect authors HUB PASSFILE            who wrote each envelope, and who looked at what: a line each
 *     inspect verify HUB PASSFILE             do the hub's masks say what its views say? */
#include "tests/lib/home.h"

#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err print_row(void *ctx, const struct row *r, struct why *why)
{
    struct buf b;
    uint8_t hash[HASH_BYTES];
    char id[33], hex[65];
    (void)ctx;
    buf_init(&b, 64u << 20);
    row_put_cbor(&b, r);
    enum err e = b.err;
    hash_blake2b(hash, buf_bytes(&b));
    buf_release(&b);
    if (e != ERR_OK) return why_set(why, e, "the row is too large");
    hex_encode(id, r->v[0].s.p, 16);
    hex_encode(hex, hash, sizeof hash);
    printf("%s %s %s\n", r->table->name, id, hex);
    return ERR_OK;
}

static enum err rows_of_table(struct db *db, const struct table_rule *t, struct why *why)
{
    char sql[128];
    struct stmt *s = NULL;
    bool row = false;
    (void)snprintf(sql, sizeof sql, "SELECT id FROM %s ORDER BY id", t->name);
    enum err e = db_prepare(db, sql, &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct row r;
        struct buf store;
        uint8_t id[16];
        bool found = false;
        buf_init(&store, 64u << 20);
        db_id(s, 0, id);
        e = db_row_get(db, t, id, &store, &r, &found, why);
        if (e == ERR_OK) e = print_row(NULL, &r, why);
        buf_release(&store);
    }
    db_done(s);
    return e;
}

static enum err node_rows(struct node *n, struct why *why)
{
    size_t count = 0;
    const struct table_rule *all = rules_tables(&count);
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++) e = rows_of_table(node_db(n), &all[i], why);
    return e;
}

static enum err print_hash(struct db *db, struct why *why)
{
    uint8_t hash[32];
    char hex[65];
    enum err e = db_content_hash(db, hash, why);
    if (e == ERR_OK) {
        hex_encode(hex, hash, sizeof hash);
        puts(hex);
    }
    return e;
}

static enum err verdicts(struct hub *h, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT seq, verdict, reason FROM h_envelope ORDER BY node_no, seq", &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row)
        printf("%lld %s %.*s\n", (long long)db_int(s, 0), verdict_word((enum verdict)db_int(s, 1)),
               (int)db_bytes(s, 2).n, (const char *)db_bytes(s, 2).p);
    db_done(s);
    return e;
}

static enum err authors(struct hub *h, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT user, NULL FROM h_envelope UNION ALL SELECT user, id FROM h_view", &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t user[16], id[16];
        char by[33], of[33];
        (void)db_id(s, 0, user);
        hex_encode(by, user, sizeof user);
        bool looked = db_id(s, 1, id);
        hex_encode(of, id, sizeof id);
        printf("%s %s%s%s\n", looked ? "looked" : "wrote", by, looked ? " " : "", looked ? of : "");
    }
    db_done(s);
    return e;
}

static enum err of_node(const char *what, char **argv, struct why *why)
{
    struct node *n = home_node(argv[0], argv[1]);
    enum err e = strcmp(what, "hash") == 0 ? print_hash(node_db(n), why) : node_rows(n, why);
    node_close(n);
    return e;
}

static enum err of_hub(const char *what, char **argv, const char *site, struct why *why)
{
    struct hub *h = home_hub(argv[0], argv[1]);
    enum err e = ERR_OK;
    if (strcmp(what, "hash") == 0)
        e = print_hash(hub_db(h), why);
    else if (strcmp(what, "rows") == 0)
        e = hub_site_rows(h, site, print_row, NULL, why);
    else if (strcmp(what, "verdicts") == 0)
        e = verdicts(h, why);
    else if (strcmp(what, "authors") == 0)
        e = authors(h, why);
    else
        e = hub_verify(h, why);
    hub_close(h);
    return e;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    enum err e = ERR_USAGE;
    const char *what = argc > 1 ? argv[1] : "";
    const char *whose = argc > 2 ? argv[2] : "";
    if (argc == 5 && (strcmp(what, "hash") == 0 || strcmp(what, "rows") == 0) && strcmp(whose, "node") == 0)
        e = of_node(what, argv + 3, &why);
    else if (argc == (strcmp(what, "rows") == 0 ? 6 : 5) && strcmp(whose, "hub") == 0)
        e = of_hub(what, argv + 3, argc == 6 ? argv[5] : NULL, &why);
    else if (argc == 4 && (strcmp(what, "verdicts") == 0 || strcmp(what, "authors") == 0 || strcmp(what, "verify") == 0))
        e = of_hub(what, argv + 2, NULL, &why);
    else
        (void)why_set(&why, e, "see the head of tests/e2e/inspect.c");
    home_must(e, &why);
    return fflush(stdout) == 0 ? 0 : 1;
}
