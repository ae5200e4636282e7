/* Pages: what a node needs to stand where its site may see. */
#include "hub/budget.h"

#include "hub/log.h"

#include "sync/envelope.h"

#include <stdlib.h>
#include <string.h>

#define SERVE_MAX_BATCH 50000u /* rows looked for at once */
#define SERVE_MIN_ROW   48u    /* bytes that hardly any operation comes below */
#define SERVE_MAX_ITEMS ((size_t)256 << 20)

/* Rows above `start` of which something moved since `base`. */
struct span {
    struct serve_since since;
    int64_t start;
    int64_t last;   /* out: rows up to here are dealt with */
    bool exhausted; /* out: and there are no others */
};

static enum err fill_rows(struct page *p, struct span *span, int64_t upto, struct why *why)
{
    size_t wanted = p->budget / SERVE_MIN_ROW + 2;
    struct serve_list list = {0};
    bool full = false;
    enum err e;
    span->last = span->start;
    do {
        list.limit = wanted < SERVE_MAX_BATCH ? wanted : SERVE_MAX_BATCH;
        wanted = list.limit * 2; /* rows that the device wrote itself fill nothing, and each look reads all that changed */
        e = serve_collect(p->h, p->n, &span->since, span->last, &list, why);
        for (size_t i = 0; e == ERR_OK && i < list.n && list.rows[i].no <= upto; i++) {
            e = page_add(p, &list.rows[i], &span->since, &full, why);
            if (e != ERR_OK || full) break;
            span->last = list.rows[i].no;
        }
    } while (e == ERR_OK && !full && list.cut_short && list.rows[list.n - 1].no <= upto);
    if (!full && upto != INT64_MAX) span->last = upto;
    span->exhausted = !full && upto == INT64_MAX;
    serve_list_release(&list);
    return e;
}

/* The rows of the span, and the ends of as many. */
static enum err fill(struct page *p, struct span *span, struct why *why)
{
    struct ends_span ends = {.base = span->since.base, .start = span->start};
    size_t budget = p->budget, bytes = 0;
    enum err e = serve_ends_limit(p->h, p->n, &ends, budget, &bytes, why);
    p->budget -= bytes;
    if (e == ERR_OK) e = fill_rows(p, span, ends.upto, why);
    p->budget = budget;
    ends.upto = span->exhausted ? INT64_MAX : span->last;
    return e == ERR_OK && !ends.none ? serve_ends_collect(p->h, p->n, &ends, &p->ends, why) : e;
}

/* What `fill` would find. */
struct news {
    bool rows; /* something for a page, an end too; it was not looked further */
    bool own;  /* something that the node wrote itself */
};

static enum err has_rows(struct hub *h, const struct hub_node *n, int64_t base, int64_t start, struct news *out,
                         struct why *why)
{
    const struct serve_since since = {.base = base, .schema = n->schema};
    const struct ends_span ends = {.base = base, .start = start};
    struct serve_list list = {.limit = SERVE_MAX_BATCH};
    struct news news = {0};
    bool columns[RULES_MAX_COLUMNS];
    enum serve_how how = SERVE_NOTHING;
    enum err e;
    do {
        e = serve_collect(h, n, &since, start, &list, why);
        for (size_t i = 0; e == ERR_OK && !news.rows && i < list.n; i++) {
            e = serve_how(h, n, &list.rows[i], base, &how, columns, why);
            news.own |= how == SERVE_OWN;
            news.rows = how == SERVE_ROW || how == SERVE_COLUMNS;
            start = list.rows[i].no;
        }
    } while (e == ERR_OK && !news.rows && list.cut_short);
    serve_list_release(&list);
    if (e == ERR_OK && !news.rows) e = serve_ends_any(h, n, &ends, &news.rows, why);
    if (e == ERR_OK) *out = news;
    return e;
}

static enum err store_cut(struct hub *h, const struct hub_node *n, const struct cut *c, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_cut(name, node_no, lo, hi, pos, pos_from, at, served_at, schema, schema_lo)"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, c->name);
    db_bind_int(s, 2, n->no);
    db_bind_int(s, 3, c->lo);
    db_bind_int(s, 4, c->hi);
    db_bind_int(s, 5, c->pos);
    db_bind_int(s, 6, c->pos_from);
    db_bind_int(s, 7, c->at);
    db_bind_int(s, 8, h->now_ms);
    db_bind_int(s, 9, (int64_t)c->schema);
    db_bind_int(s, 10, (int64_t)c->schema_lo);
    return db_run(s, why);
}

static void put_framed(struct buf *items, struct bytes origin, struct buf *item)
{
    if (item->err != ERR_OK && items->err == ERR_OK) items->err = item->err;
    buf_put_be32(items, (uint32_t)origin.n);
    buf_put_bytes(items, origin);
    buf_put_be32(items, (uint32_t)item->len);
    buf_put_bytes(items, buf_bytes(item));
    buf_reset(item);
}

static enum err sign_page(struct hub *h, const struct hub_node *n, const struct cut *from, const struct cut *to,
                          const struct page_part *parts, size_t n_parts, struct buf *cose, struct why *why)
{
    struct page_header header = {.epoch = h->epoch, .schema = n->schema};
    struct part *plain = calloc(n_parts + 1, sizeof *plain);
    if (plain == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    memcpy(header.node, n->id.kid, sizeof header.node);
    memcpy(header.from_cut, from->name, sizeof header.from_cut);
    memcpy(header.to_cut, to->name, sizeof header.to_cut);
    for (size_t i = 0; i < n_parts; i++) plain[i] = parts[i].part;
    enum err e = page_sign(&h->id, &header, plain, n_parts, cose, why);
    free(plain);
    return e;
}

static enum err put_items(struct hub *h, const struct hub_node *n, const struct cut *from, const struct cut *to,
                          struct page *p, struct served *out, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct buf content, cose, item;
    struct page_part *parts = NULL;
    size_t n_parts = 0;
    buf_init(&content, SERVE_MAX_ITEMS);
    buf_init(&cose, SERVE_MAX_ITEMS);
    buf_init(&item, SERVE_MAX_ITEMS);
    enum err e = page_parts(p, &content, &parts, &n_parts, why);
    if (e == ERR_OK) e = sign_page(h, n, from, to, parts, n_parts, &cose, why);
    if (e != ERR_OK) goto out;
    hash_blake2b(hash, buf_bytes(&cose));
    e = log_note(h, n->no, LOG_PAGE, n->last_request + 1, bytes_of(hash, sizeof hash), why);
    if (e != ERR_OK) goto out;
    message_put_page(&item, buf_bytes(&cose), n_parts);
    put_framed(&out->items, bytes_of("", 0), &item);
    for (size_t i = 0; i < n_parts; i++) {
        message_put_part(&item, &parts[i].part);
        put_framed(&out->items, parts[i].origin, &item);
    }
    out->n_parts = n_parts;
    if (out->items.err != ERR_OK) e = why_set(why, out->items.err, "There is not enough memory to answer.");
out:
    free(parts);
    buf_release(&item);
    buf_release(&cose);
    buf_release(&content);
    return e;
}

/* Was any row of the cut told in an earlier schema version than its node has now? */
static bool told_less(const struct cut *c, const struct hub_node *n)
{
    return c->hi > 0 && (c->schema < n->schema || (c->pos != INT64_MAX && c->schema_lo < n->schema));
}

/* Go on with the series that `from` stands in; where nothing is left of it, or there is none, begin a new one up to
 * now. A node that came to a later schema version begins one over all rows, from where the series that it may be in the
 * middle of began: what is told twice does no harm. */
static enum err fill_series(struct page *p, const struct cut *from, int64_t version, struct cut *to, struct why *why)
{
    uint64_t schema = p->n->schema;
    bool anew = from->hi > 0 && from->schema < schema;
    struct span span = {.since = {from->lo, from->schema_lo}, .start = from->pos, .exhausted = true};
    enum err e = ERR_OK;
    *to = (struct cut){.lo = from->lo, .hi = from->hi, .pos_from = from->pos, .schema_lo = from->schema_lo};
    p->once_more_at = from->hi;
    if (from->pos != INT64_MAX && !anew) e = fill(p, &span, why);
    if (e == ERR_OK && p->n_ops == 0 && p->ends.n == 0 && !p->stopped) {
        p->rows->added -= p->once_more;
        p->once_more_at = 0;
        *to = anew ? (struct cut){.lo = from->lo, .schema_lo = from->schema_lo}
                   : (struct cut){.lo = from->hi, .schema_lo = schema};
        to->hi = version;
        span = (struct span){.since = {to->lo, to->schema_lo}};
        e = fill(p, &span, why);
    }
    to->at = version;
    to->schema = schema;
    if (to->schema_lo > schema) to->schema_lo = schema;
    to->pos = span.exhausted ? INT64_MAX : span.last;
    if (span.exhausted) {
        to->lo = to->hi;
        to->schema_lo = schema;
    }
    return e;
}

static enum err finish(struct hub *h, const struct hub_node *n, const struct cut *from, struct page *p,
                       struct served *out, struct why *why)
{
    struct cut *to = &out->cut;
    env_random(h->env, to->name, sizeof to->name);
    struct news later = {0};
    out->any = true;
    out->more = to->pos != INT64_MAX && !p->stopped;
    enum err e = store_cut(h, n, to, why);
    if (e == ERR_OK) e = put_items(h, n, from, to, p, out, why);
    /* The series is told to its end, but it began a while ago. What the node wrote meanwhile is to be under its cut
     * too: what it may do next is judged by what it knew. */
    if (e == ERR_OK && !out->more && !p->stopped && to->hi < to->at) {
        e = has_rows(h, n, to->hi, 0, &later, why);
        out->more = later.rows || later.own;
    }
    return e;
}

enum err serve_page(struct hub *h, const struct hub_node *n, const struct cut *from, uint64_t budget,
                    struct served *out, struct why *why)
{
    struct served s = {.cut = *from};
    struct budget rows = {0};
    struct page page;
    int64_t version = 0;
    buf_init(&s.items, SERVE_MAX_ITEMS);
    enum err e = page_init(&page, h, n, budget, why);
    page.from = from;
    page.rows = &rows;
    if (e == ERR_OK) e = budget_load(h, n, from, &rows, why);
    if (e == ERR_OK) e = sight_version(h, &version, why);
    if (e == ERR_OK) e = fill_series(&page, from, version, &s.cut, why);
    /* Nothing for this site: the node stays where it is, so that writes it may not see move nothing that it can see.
     * Its own work moves it, with an empty page: that is no news to it. So does a later schema version with no value
     * for it, or every round would look all rows through again. */
    if (e == ERR_OK && page.n_ops == 0 && page.ends.n == 0 && !page.own && (page.stopped || !told_less(from, n)))
        s.cut = *from;
    else if (e == ERR_OK)
        e = finish(h, n, from, &page, &s, why);
    if (e == ERR_OK) e = budget_save(h, n, &rows, page.stopped, why);
    s.held = (uint64_t)(rows.held + rows.added);
    s.most = (uint64_t)rows.most;
    s.stopped = page.stopped;
    s.ends = page.ends.v;
    s.n_ends = page.ends.n;
    page.ends = (struct ends_list){0};
    page_release(&page);
    if (e != ERR_OK) {
        served_release(&s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void served_release(struct served *s)
{
    if (s == NULL) return;
    buf_release(&s->items);
    free(s->ends);
    s->ends = NULL;
}

/* ---------------------------------------------------------------------------------------------------------- pending */

static enum err any_of(struct hub *h, const char *sql, int64_t node_no, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(s);
    return e;
}

enum err serve_pending(struct hub *h, const struct hub_node *n, const struct cut *from, bool *out, struct why *why)
{
    struct news news = {0};
    bool any = false, stopped = false;
    enum err e = any_of(h, "SELECT 1 FROM h_drop WHERE node_no = $1 AND request IS NULL LIMIT 1", n->no, &any, why);
    if (e == ERR_OK && !any)
        e = any_of(h, "SELECT 1 FROM h_envelope WHERE told = 0 AND node_no = $1 LIMIT 1", n->no, &any, why);
    if (e == ERR_OK && !any) e = budget_is_stopped(h, n, &stopped, why);
    if (e != ERR_OK || stopped) {
        *out = any;
        return e;
    }
    any |= told_less(from, n);
    if (!any && from->pos != INT64_MAX) e = has_rows(h, n, from->lo, from->pos, &news, why);
    if (e == ERR_OK && !any && !news.rows) e = has_rows(h, n, from->hi, 0, &news, why);
    if (e == ERR_OK) *out = any || news.rows; /* its own work wakes nobody */
    return e;
}
