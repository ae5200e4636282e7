/* One SQL value, as it travels in changesets and stands in rows. Text and blobs are borrowed. */
#ifndef SPOKE_SYNC_VALUE_H
#define SPOKE_SYNC_VALUE_H

#include "base/buf.h"
#include "sync/rules.h"

enum value_kind {
    VALUE_NONE = 0, /* not there: a column that an UPDATE does not name */
    VALUE_INT = 1,  /* the numbers are SQLite's and stand in the bytes of a changeset */
    VALUE_REAL = 2,
    VALUE_TEXT = 3,
    VALUE_BLOB = 4,
    VALUE_NULL = 5,
};

struct value {
    enum value_kind kind;
    union {
        int64_t i;
        double r;       /* kept bit for bit: -0.0 and subnormals too */
        struct bytes s; /* TEXT, BLOB; borrowed */
    };
};

static inline struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}
static inline struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .i = i};
}
static inline struct value value_text(struct bytes s)
{
    return (struct value){.kind = VALUE_TEXT, .s = s};
}
static inline struct value value_blob(struct bytes s)
{
    return (struct value){.kind = VALUE_BLOB, .s = s};
}
struct value value_str(const char *s); /* NULL gives NULL */
struct value value_id(const uint8_t id[16]);

/* Same kind and same bytes (reals bit for bit). */
bool value_equal(struct value a, struct value b);
/* Does the value fit the column: kind, NULL, size, UTF-8, words, dates, 0/1? ERR_FORMAT names table and column only. */
MUST_CHECK enum err value_check(const struct table_rule *t, size_t column, struct value v, struct why *why);
/* As text for conflict rows (`kept`, `lost`) and back: integers decimal, ids as hyphenated UUIDs, NULL as SQL NULL. */
enum err value_to_text(struct value v, struct buf *out) MUST_CHECK;
MUST_CHECK enum err value_from_text(const struct column_rule *c, struct bytes text, struct buf *scratch,
                                    struct value *out);
/* As a CBOR item (null, int, text, bytes; a real as an array of its 8 bytes). For images and journals. */
void value_put_cbor(struct buf *b, struct value v); /* VALUE_NONE as the simple array [] */

/* A row of a table: values[i] belongs to columns[i] of the rule; VALUE_NONE where absent. */
struct row {
    const struct table_rule *table;
    struct value v[RULES_MAX_COLUMNS];
};
/* One CBOR array of all columns, VALUE_NONE as []; and back (borrows from `in`). Columns of later schema versions that
 * are VALUE_NONE are left out at the end, as they are in what an earlier version wrote; read, they are VALUE_NONE.
 * ERR_FORMAT. */
void row_put_cbor(struct buf *b, const struct row *r);
MUST_CHECK enum err row_from_cbor(struct row *out, const struct table_rule *t, struct bytes in, struct why *why);

/* 16 bytes to "xxxxxxxx-xxxx-…" (37 chars with NUL) and back. */
void uuid_format(const uint8_t id[16], char out[37]);
bool uuid_parse(uint8_t id[16], struct bytes text);

#endif
