/* The rows of a store, read with plain SELECTs, and sets of ids. */
#ifndef SPOKE_TESTS_SIM_ROWS_H
#define SPOKE_TESTS_SIM_ROWS_H

#include "sync/db.h"

#define ROWS_TABLES 40u

struct rows_row {
    int tbl;
    struct row r; /* values borrow from the rows' memory */
    uint8_t id[16];
    uint8_t case_id[16]; /* zeros: reference data */
};
struct rows {
    struct rows_row *v; /* owned; by table, then id */
    size_t n, cap;
    size_t start[ROWS_TABLES + 1]; /* rows of table t: start[t] .. start[t + 1] */
    struct rows_block *mem;        /* owned */
};
void rows_read(struct rows *out, struct db *db);       /* all tables */
void rows_read_held(struct rows *out, struct db *device); /* of a device, with those that it hides */
void rows_read_cases(struct rows *out, struct db *db); /* without reference data */
void rows_free(struct rows *rows);
const struct rows_row *rows_find(const struct rows *rows, int tbl, const uint8_t id[16]);
int rows_table(const char *name); /* aborts when there is none */
struct value rows_value(const struct rows_row *r, const char *column);
bool rows_is(const struct rows_row *r, const char *column, const char *text); /* NULL counts as "" */
int64_t rows_int(const struct rows_row *r, const char *column);               /* NULL counts as 0 */
bool rows_null(const struct rows_row *r, const char *column);

struct ids {
    uint8_t (*v)[16]; /* owned; zeros: free */
    size_t n, cap;
};
void ids_add(struct ids *s, const uint8_t id[16]);
void ids_add_all(struct ids *s, const struct ids *of);
bool ids_has(const struct ids *s, const uint8_t id[16]);
void ids_clear(struct ids *s);
const char *ids_hex(const uint8_t id[16], char out[33]);

#endif
