/* What is synced, as data: tables, columns, their types, who may write them and how two values are settled.
 *
 * This is the one place that says which bytes a changeset may hold: decoder, capture, intake, merge and pages all read
 * it. Table and column numbers are positions in these arrays: they stand in stores and must never be reordered.
 *
 * The tables have a schema version (FORMAT.md §6). A later version only adds columns at the end of tables: a table of
 * an earlier one is a prefix, as long as rules_columns_at says. schema.sql creates version 1 for ever (a test holds the
 * two together); db_migrate adds the columns of the later versions, made from these rules. */
#ifndef SPOKE_SYNC_RULES_H
#define SPOKE_SYNC_RULES_H

#include "base/buf.h"

#define RULES_SCHEMA_BEHIND 2u         /* a hub serves nodes up to so many versions behind its own */
#define RULES_MAX_COLUMNS   24u        /* of any table */
#define RULES_MAX_VALUE     (1u << 20) /* bytes of one text or blob */

enum column_type {
    COL_ID,   /* BLOB, exactly 16 bytes */
    COL_TEXT, /* UTF-8 without NUL, at most RULES_MAX_VALUE bytes */
    COL_WORD, /* TEXT, one of `words` */
    COL_DATE, /* TEXT, "YYYY-MM-DD" */
    COL_TIME, /* INTEGER, Unix milliseconds UTC */
    COL_BOOL, /* INTEGER 0 or 1 */
    COL_INT,  /* INTEGER */
    COL_REAL, /* REAL, any but NaN, which SQLite takes for NULL; no table has one yet */
};

enum table_kind { TABLE_REFERENCE, TABLE_CASE };

/* Who may put a new row into a table. */
enum insert_rule {
    INSERT_HUB,        /* hub only (reference tables; conflict, held) */
    INSERT_NEW_CASE,   /* case_file: any agency, for a case that is new */
    INSERT_WITH_CASE,  /* brief, referral: with the new case in the same envelope, or the lead later */
    INSERT_LEAD,       /* lead agency, or a person with duty manager or social_care for the area */
    INSERT_CONTRIBUTE, /* a participant with `contribute`, the lead, the MASH room */
    INSERT_CHECK,      /* any participant with `check` or more (own answers, records, ratings) */
};

/* Who may change a column of a row that is there. */
enum write_rule {
    WRITE_NEVER, /* id, case_id, agency, ends of the row */
    WRITE_HUB,
    WRITE_OWN,        /* the agency that wrote the row */
    WRITE_LEAD,       /* lead agency, or duty manager or social_care for the area */
    WRITE_DUTY,       /* only a person with duty manager or social_care for the area */
    WRITE_CONTRIBUTE, /* any agency with `contribute`, the lead, the MASH room */
    WRITE_ASKED,      /* the agency in the row's to_agency */
    WRITE_RELEASE,    /* release: the asked agency its answer; all else the agency that wrote the row */
    WRITE_JUDGE,      /* a manager for the area, at a MASH node */
    WRITE_SETTLE,     /* conflict: whoever may write the column it is about */
};

enum merge_policy { MERGE_LWW, MERGE_MAX, MERGE_STRICTEST, MERGE_AUTHORITY, MERGE_ESCALATE };

struct column_rule {
    const char *name;
    enum column_type type;
    bool required; /* NOT NULL */
    enum write_rule write;
    enum merge_policy policy; /* default; the synced table column_policy may say otherwise */
    const char *arg;          /* MAX, STRICTEST: "weak<strong" words; AUTHORITY: "social_care" or "lead"; else NULL */
    const char *words;        /* COL_WORD: "open|sensitive|restricted"; else NULL */
    const char *parent;       /* COL_ID that points at a row of this table within the same case; else NULL */
    uint32_t since;           /* schema version that added it; after 1 it is not `required` */
};

struct table_rule {
    const char *name;
    enum table_kind kind;
    enum insert_rule insert;
    const struct column_rule *columns; /* columns[0] is always `id`; TABLE_CASE: [1] case_id, [2] agency */
    size_t n_columns;
};

/* All synced tables; parents come before children, but for record.request_id. */
const struct table_rule *rules_tables(size_t *out_n);
const struct table_rule *rules_table(size_t index);                    /* NULL past the end */
/* The version of these tables. */
uint64_t rules_schema_newest(void);
/* How many columns the table has in a schema version: none in version 0. */
size_t rules_columns_at(const struct table_rule *t, uint64_t schema);
int rules_table_index(struct bytes name);                              /* -1: not synced */
int rules_column_index(const struct table_rule *t, struct bytes name); /* -1: none */
/* Does the value's content fit the column (words, dates, 0/1, UTF-8, size)? Type and NULL are the changeset
 * decoder's. */
bool rules_word_ok(const struct column_rule *c, struct bytes word);
bool rules_date_ok(struct bytes iso_date);
/* Position of `word` in a "weak<strong" order; -1 when absent. */
int rules_order(const char *arg, struct bytes word);
const char *rules_policy_word(enum merge_policy p); /* "lww", ... */
bool rules_policy_from_word(struct bytes word, enum merge_policy *out);

#endif
