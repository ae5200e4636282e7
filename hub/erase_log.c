/* What logs and acts say of an erased case: their content goes, their commitments stay. hub/RETENTION.md,
 * hub/LOG.md. */
#include "hub/log.h"
#include "hub/retention_internal.h"

#include "base/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct numbers {
    int64_t *v;
    size_t n, cap;
};

static enum err add(struct numbers *l, int64_t v, struct why *why)
{
    enum err e = sight_grow(&l->v, &l->cap, l->n, sizeof *l->v, why);
    if (e == ERR_OK) l->v[l->n++] = v;
    return e;
}

/* ------------------------------------------------------------------------------------------------------------ looks */

/* [8, time, who, table, row, when]: is the row one of the case? */
static enum err is_of_case(struct hub *h, const struct erasing *x, struct bytes content, bool *out, struct why *why)
{
    struct cbor_reader r;
    struct stmt *s;
    uint8_t id[16];
    *out = false;
    cbor_reader_init(&r, content);
    (void)cbor_get_array(&r, 6);
    (void)cbor_get_uint(&r);
    (void)cbor_get_uint(&r);
    (void)cbor_get_bytes(&r);
    int table = rules_table_index(cbor_get_text(&r));
    cbor_get_fixed(&r, id, sizeof id);
    if (r.err != ERR_OK || table < 0) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_row WHERE id = $1 AND tbl = $2 AND case_no = $3", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, table);
    db_bind_int(s, 3, x->case_no);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err find_looks(struct hub *h, const struct erasing *x, int64_t log_no, struct numbers *out, struct why *why)
{
    static const uint8_t head[] = {0x86, LOG_LOOK};
    struct stmt *s;
    bool row = false, it = false;
    enum err e = db_prepare(h->db, "SELECT n, content FROM h_leaf WHERE log_no = $1 AND substr(content, 1, 2) = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_blob(s, 2, bytes_of(head, sizeof head));
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = is_of_case(h, x, db_bytes(s, 1), &it, why);
        if (e == ERR_OK && it) e = add(out, db_int(s, 0), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

static enum err empty_leaf(struct hub *h, int64_t log_no, int64_t n, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_leaf SET salt = NULL, content = NULL WHERE log_no = $1 AND n = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, log_no);
    db_bind_int(s, 2, n);
    return db_run(s, why);
}

static enum err erase_looks_in(struct hub *h, const struct erasing *x, int64_t log_no, struct why *why)
{
    struct numbers leaves = {0};
    enum err e = find_looks(h, x, log_no, &leaves, why);
    for (size_t i = 0; e == ERR_OK && i < leaves.n; i++) e = empty_leaf(h, log_no, leaves.v[i], why);
    free(leaves.v);
    return e;
}

/* Only logs of devices that told of looks at it are read through. */
enum err erase_looks(struct hub *h, const struct erasing *x, struct why *why)
{
    struct numbers logs = {0};
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT DISTINCT v.node_no FROM h_row r JOIN h_view v ON v.id = r.id AND v.tbl = r.tbl WHERE r.case_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, x->case_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if ((e = add(&logs, db_int(s, 0), why)) != ERR_OK) break;
    db_done(s);
    for (size_t i = 0; e == ERR_OK && i < logs.n; i++) e = erase_looks_in(h, x, logs.v[i], why);
    free(logs.v);
    return e;
}

/* ------------------------------------------------------------------------------------------------------------ words */

/* What a manager gave as reason when he broke the glass (hub/emergency.c): ", REFERENCE: " stands in it. */
static bool names(struct bytes said, const char *reference)
{
    char mark[80];
    int n = snprintf(mark, sizeof mark, ", %s: ", reference);
    return said.n > 0 && n > 0 && (size_t)n < sizeof mark && memmem(said.p, said.n, mark, (size_t)n) != NULL;
}

static enum err unsay(struct hub *h, int64_t act_no, struct why *why)
{
    static const char *const sql[] = {"UPDATE h_act SET about = NULL, reason = NULL WHERE no = $1",
                                      "DELETE FROM h_act_salt WHERE act_no = $1"};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < 2; i++) {
        struct stmt *s;
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, act_no);
        e = db_run(s, why);
    }
    return e;
}

enum err erase_words(struct hub *h, const struct erasing *x, struct why *why)
{
    struct numbers acts = {0};
    struct stmt *s;
    bool row = false;
    if (x->reference[0] == '\0') return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT no, reason FROM h_act WHERE act = 'emergency' AND reason IS NOT NULL", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (names(db_bytes(s, 1), x->reference) && (e = add(&acts, db_int(s, 0), why)) != ERR_OK) break;
    db_done(s);
    for (size_t i = 0; e == ERR_OK && i < acts.n; i++) e = unsay(h, acts.v[i], why);
    free(acts.v);
    return e;
}
