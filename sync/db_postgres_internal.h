/* PostgreSQL's side of a connection, for sync/db_postgres*.c only. */
#ifndef SPOKE_SYNC_DB_POSTGRES_INTERNAL_H
#define SPOKE_SYNC_DB_POSTGRES_INTERNAL_H

#include "crypto/hash.h"
#include "sync/db_internal.h"
#include "sync/db_postgres.h"

#include <libpq-fe.h>

#define PG_SAVEPOINTS   64         /* nested ones of one transaction */
#define PG_VARIANTS     8          /* prepared for one text, by the types of what was bound */
#define PG_CHANNELS     8          /* that one connection listens to */
#define PG_CHUNK_BYTES  (1u << 20) /* rows of a SELECT in memory at a time, unless one alone is longer */
#define PG_CHUNK_ROWS   4096
#define PG_FIRST_FETCH  16   /* rows of a cursor's first chunk */
#define PG_MOST_FETCH   128  /* and of any */
#define PG_CONNECT_S    "10" /* seconds to wait for a server that does not answer */
#define PG_PAUSE_MIN_MS 100  /* between two tries to connect: doubled each time */
#define PG_PAUSE_MAX_MS 5000
#define PG_NAME_MAX     80
#define PG_TABLES       256  /* and views of a schema; of one with more nothing is kept (sync/db_postgres_kept.c) */
#define PG_ANSWER_SLOTS 1024
#define PG_SET_MAX      16 /* columns of an UPDATE that is looked at column by column */
#define PG_COLUMN_CLOCKS 16
#define PG_IN_FLIGHT    64 /* statements that nobody has waited for; their answers, some 50 bytes each, find room on the way back */

/* PostgreSQL's numbers of its own types (src/include/catalog/pg_type.dat), which never change. */
enum pg_type {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_NAME = 19,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_OID = 26,
    PG_FLOAT8 = 701,
    PG_UNKNOWN = 705,
    PG_BPCHAR = 1042,
    PG_VARCHAR = 1043,
    PG_NUMERIC = 1700,
};

struct pg_savepoint {
    char name[PG_NAME_MAX];
    uint64_t at; /* db_pg.moment when it was set */
};

struct pg_set {
    uint64_t bits[PG_TABLES / 64];
};

/* What a statement names (sync/db_postgres_named.c). */
struct pg_named {
    uint64_t shape;       /* pg_kept.shape that it was found by; 0: not looked yet */
    bool keepable;        /* a question about tables of db_keep, and nothing else */
    struct pg_set tables; /* that it asks, or that it may write to */
    uint64_t *words;      /* owned: hashes of all words of a question */
    size_t n_words;
    int one; /* it is an UPDATE of this table, and of these columns; else -1 */
    uint64_t set[PG_SET_MAX];
    size_t n_set;
};

/* A table or view of the schema. Moments are of pg_kept.clock. */
struct pg_table {
    char name[PG_NAME_MAX];
    bool keep;        /* answers about it may be kept */
    bool calm;        /* and between transactions: it has a stamp */
    uint64_t changed; /* when it may have changed last, any column */
    uint64_t mine;    /* pg_kept.tx that wrote to it last */
    char stamp[80];
    struct {
        uint64_t word, changed;
    } column[PG_COLUMN_CLOCKS];
    size_t n_columns;
};

struct pg_answer; /* sync/db_postgres_kept.c */

struct pg_kept {
    const char *const *within, *const *between; /* db_keep; borrowed */
    bool on;                                    /* the running transaction has the lock, and the tables are known */
    bool any_calm;
    uint64_t shape, n_shapes; /* of the list of tables; 0: not known */
    uint64_t prepared;        /* generation of the connection that has the question for stamps */
    uint64_t clock, tx;       /* counts moments, and transactions */
    struct pg_table *tables;  /* owned, by name; without them nothing is kept */
    size_t n_tables;
    struct pg_answer *answers[PG_ANSWER_SLOTS]; /* owned */
    size_t bytes;
    uint8_t secret[HASH_TABLE_KEY_BYTES]; /* of where an answer is: devices choose the ids that are asked for */
};

struct db_pg {
    struct db base;
    PGconn *conn;        /* NULL: there is none just now */
    uint64_t generation; /* counts connections */
    char *url;           /* owned; may hold a password */
    char schema[DB_POSTGRES_SCHEMA_MAX + 1];
    int64_t lock;    /* the advisory lock of this schema */
    Oid any_type;    /* number of the type spoke_any in this schema */
    bool tx_open;    /* a transaction of ours is open at the server: base.in_tx, or one statement's own */
    enum err tx_err; /* why nothing of the transaction can go on; ERR_OK while it can */
    uint64_t moment; /* counts savepoints and cursors of this connection */
    struct pg_savepoint savepoints[PG_SAVEPOINTS];
    size_t n_savepoints;
    uint64_t n_names;        /* prepared statements and cursors named so far */
    struct stmt_pg *cursors; /* statements with an open cursor */
    struct buf doomed;       /* DEALLOCATE of prepared statements that nobody has any more, for the next db_begin */
    int64_t changes;         /* rows changed by the last statement that changes rows, of those that have landed */
    char flying[PG_IN_FLIGHT][16]; /* db_kind_of each statement that was sent and not waited for (sync/db_postgres_flight.c) */
    unsigned n_flying, landed;
    int64_t pause_ms;        /* until the next try to connect, when this one fails; 0: the last one did not */
    int64_t failed_at;       /* env's steady clock at the last try that failed */
    char channels[PG_CHANNELS][24]; /* db_listen */
    size_t n_channels;
    bool told_all; /* a new connection listens: anything may have been told since the old one */
    char claim[24];          /* db_claim */
    uint64_t claimed;        /* by the connection of this generation; 0: by none */
    struct track_set *noted; /* what pg_note_take told last; NULL: nothing yet */
    struct pg_kept kept;
};

struct pg_variant {
    uint64_t name;       /* of the prepared statement: "s" and this number */
    uint64_t generation; /* connection that it belongs to */
    Oid types[DB_MAX_PARAMS];
};

struct pg_param {
    struct value v; /* VALUE_NONE: nothing was bound, which is NULL */
    uint8_t be[8];  /* a number as it is sent */
};

/* What a text is, as the translation found it. */
struct pg_facts {
    int n_params; /* the highest $n */
    bool select;  /* asks and changes nothing: it can be run again, and through a cursor */
    bool empty;   /* no statement: blanks and comments */
};

struct pg_scrap {
    struct pg_scrap *next;
    char bytes[];
};

struct stmt_pg {
    struct stmt base;
    char *source; /* owned: as it was asked for */
    char *sql;    /* owned: translated */
    struct pg_facts facts;
    bool large; /* its rows were more than a chunk: through a cursor at once */
    bool mute;  /* it ran, and has no rows to give: it need not be waited for */
    enum err bind_err;
    struct pg_param *param;      /* owned: n_params */
    struct pg_variant *variants; /* owned */
    size_t n_variants;
    /* while it runs */
    bool running;       /* stands on a row, or before the first */
    PGresult **results; /* owned: rows that came and were not passed yet */
    size_t n_results, cap_results;
    size_t at;               /* of them, the one that holds the row it stands on */
    int row;                 /* in that; -1 before the first */
    PGresult *shape;         /* owned: of its last run, for the names of columns; no rows */
    struct pg_scrap *scraps; /* owned: what was made of columns of this row */
    bool out_of_memory;      /* one of them could not be made: the next step says so */
    uint64_t cursor;         /* name of the open cursor, "c" and this number; 0 none */
    bool held;               /* the cursor outlives transactions */
    bool dead;               /* the cursor went with its transaction or savepoint */
    uint64_t opened;         /* moment at which it was opened */
    int fetch;               /* rows of the next chunk */
    struct stmt_pg *next_cursor;
    struct pg_named named;
    struct pg_answer *given; /* its rows are of an answer that is kept, and not its own; NULL: its own */
};

extern const struct db_engine db_postgres_engine;

static inline struct db_pg *pg_of(struct db *db)
{
    return (struct db_pg *)db;
}
static inline struct stmt_pg *pg_stmt(struct stmt *s)
{
    return (struct stmt_pg *)s;
}

/* ---- db_postgres_text.c */
/* The next statement of *sql, translated, into *out, which is emptied first; *sql is moved behind it. out_facts->empty
 * at the end. ERR_FAILED: a token that neither engine's subset has; ERR_NOMEM. */
MUST_CHECK enum err pg_translate(const char **sql, const char *schema, struct buf *out, struct pg_facts *out_facts,
                                 struct why *why);

/* ---- db_postgres_connect.c */
/* What the server said, or the connection, in our words. Of a broken connection it is freed. Within a transaction it is
 * remembered: nothing else of it works. `sql` as in db_kind_of. `r` may be NULL, and stays the caller's. */
enum err pg_fault(struct db_pg *db, const PGresult *r, const char *sql, struct why *why);
/* A fault of our own before anything was sent: the same way. */
enum err pg_refuse(struct db_pg *db, enum err e);
/* May a statement be sent? Connects anew where there is no connection and no transaction. */
MUST_CHECK enum err pg_able(struct db_pg *db, struct why *why);
/* The same, and with an answer to wait for alone: whatever flew has landed. */
MUST_CHECK enum err pg_ready(struct db_pg *db, struct why *why);
/* Allocated with nothing connected. ERR_USAGE, ERR_NOMEM. */
MUST_CHECK enum err pg_new(struct db_pg **out, const struct env *env, const char *url, const char *schema,
                           struct why *why);
/* Connect if there is no connection, but for the schema, which may not be there yet. */
MUST_CHECK enum err pg_connect(struct db_pg *db, struct why *why);
/* Is the schema there, and one of ours? ERR_UNINIT. Learns db->any_type. */
MUST_CHECK enum err pg_learn(struct db_pg *db, struct why *why);
void pg_disconnect(struct db_pg *db);
/* One text without parameters and without an answer that matters; several statements are fine. What flew lands
 * first. */
MUST_CHECK enum err pg_run(struct db_pg *db, const char *sql, struct why *why);
/* One number; *out_null: it was NULL, or no row. */
MUST_CHECK enum err pg_number(struct db_pg *db, const char *sql, const char *param, int64_t *out, bool *out_null,
                              struct why *why);

/* ---- db_postgres.c */
MUST_CHECK enum err pg_begin(struct db *db, struct why *why);
MUST_CHECK enum err pg_commit(struct db *db, struct why *why);
void pg_rollback(struct db *db);

/* ---- db_postgres_exec.c */
enum err pg_exec(struct db *db, const char *sql, struct why *why);
enum err pg_view_create(struct db *db, const char *sql, struct db_view_fault *fault, struct why *why);

/* ---- db_postgres_stmt.c, db_postgres_run.c, db_postgres_column.c */
enum err pg_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why);
void pg_stmt_free(struct stmt *s);
void pg_bind(struct stmt *s, int n, struct value v);
enum err pg_step(struct stmt *s, bool *out_row, struct why *why);
void pg_done(struct stmt *s);
/* What is bound, as PQexecPrepared takes it; arrays of n_params, borrowed from s. ERR_LIMIT, ERR_FORMAT, ERR_FAILED. */
struct pg_sent {
    const char *values[DB_MAX_PARAMS];
    int lengths[DB_MAX_PARAMS];
    int formats[DB_MAX_PARAMS];
    Oid types[DB_MAX_PARAMS];
};
MUST_CHECK enum err pg_params(struct stmt_pg *s, struct pg_sent *out, struct why *why);
/* Prepared at the server for parameters of these types. *out borrowed. */
MUST_CHECK enum err pg_prepared(struct stmt_pg *s, const struct pg_sent *sent, struct pg_variant **out,
                                struct why *why);
/* Rows that are somebody else's, in place of its own. False: no memory. */
bool pg_give(struct stmt_pg *s, PGresult *const *results, size_t n);
/* No rows, no cursor: as before the first step. */
void pg_reset(struct stmt_pg *s);
/* Cursors opened after `moment` went with the savepoint or (0) the transaction; `held`: all, with the connection. */
void pg_cursors_gone(struct db_pg *db, uint64_t moment, bool held);
/* Of every column of the row that it stands on: can it be read? */
MUST_CHECK enum err pg_check_row(struct stmt_pg *s, bool first, struct why *why);
int64_t pg_int(struct stmt *s, int col);
bool pg_is_null(struct stmt *s, int col);
struct bytes pg_bytes(struct stmt *s, int col);
struct value pg_value(struct stmt *s, int col);
int pg_columns(struct stmt *s);
const char *pg_column_name(struct stmt *s, int col);

/* ---- db_postgres_flight.c */
/* One result of a statement, taken over. */
typedef enum err (*pg_take_fn)(void *ctx, PGresult *r, struct why *why);
/* Send a mute statement of an open transaction, and do not wait for it. */
MUST_CHECK enum err pg_fly(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent, struct why *why);
/* Wait for all that flew, if anything did; the first fault. */
MUST_CHECK enum err pg_land(struct db_pg *db, struct why *why);
/* Something flies, and behind it the caller sent (PQsendQuery…) one statement that is waited for: each of its results
 * goes to `take`. The first fault, of all of them; the statement was not done if one before it failed. */
MUST_CHECK enum err pg_fly_and_land(struct db_pg *db, bool rows_one_by_one, pg_take_fn take, void *ctx, struct why *why);
/* One statement without rows, in the same flight as what flies already. */
MUST_CHECK enum err pg_say(struct db_pg *db, const char *sql, pg_take_fn take, void *ctx, struct why *why);

/* Begin a flight with a text that answers nothing. */
MUST_CHECK enum err pg_fly_text(struct db_pg *db, const char *sql, struct why *why);

/* ---- db_postgres_named.c */
/* What the translated text names, of the tables in db->kept. */
void pg_name(const struct db_pg *db, const char *sql, bool select, struct pg_named *out);
void pg_named_release(struct pg_named *n);

/* ---- db_postgres_kept.c */
/* Within a transaction: an answer that still stands, if there is one; s stands before its first row. */
bool pg_kept_find(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent);
/* The rows that it has are all of the answer: they are kept, if they may be. */
void pg_kept_put(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent);
void pg_kept_wrote(struct stmt_pg *s); /* when a statement that is no question is sent */
void pg_kept_given_back(struct stmt_pg *s);
void pg_kept_began(struct db_pg *db, const PGresult *stamps); /* NULL: there are none */
void pg_kept_ended(struct db_pg *db);                         /* the transaction, either way */
void pg_kept_undone(struct db_pg *db);                        /* back to a savepoint */
void pg_kept_forget(struct db_pg *db); /* anything may have changed, or the connection is another: until the next one */
void pg_kept_release(struct db_pg *db);

/* ---- db_postgres_stamp.c */
enum err pg_keep(struct db *db, const char *const *within, const char *const *between, struct why *why);
/* What is added to the text that begins a transaction, so that its last answer is the stamps; "": none are known. */
const char *pg_stamps_sql(const struct db_pg *db);
/* Within a transaction: which tables are there, and their stamps. */
MUST_CHECK enum err pg_stamps_learn(struct db_pg *db, struct why *why);

/* ---- db_postgres_claim.c */
enum err pg_claim(struct db *db, const char *what, bool *out_mine, struct why *why);
void pg_unclaim(struct db *db);

/* ---- db_postgres_note.c */
enum err pg_note_lay(struct db *db, const struct db_note_options *opt, size_t *out_laid, struct why *why);
enum err pg_note_lift(struct db *db, struct why *why);
enum err pg_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why);
enum err pg_note_waits(struct db *db, int64_t *out_since_ms, struct why *why);
enum err pg_note_take(struct db *db, db_track_fn each, void *ctx, struct why *why);
void pg_note_release(struct db_pg *db);

/* ---- db_postgres_told.c */
enum err pg_notify(struct db *db, const char *channel, const char *payload, struct why *why);
enum err pg_listen(struct db *db, const char *channel, struct why *why);
enum err pg_wait(struct db *db, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why);
/* All channels anew, on a new connection. */
MUST_CHECK enum err pg_listen_again(struct db_pg *db, struct why *why);

/* Make room for a statement with the names of the schema; sizes checked by the caller's buffer. */
#define PG_SQL 512

#endif
