/* Errors: the one idiom of the whole tree.
 *
 * Every function that can fail returns `enum err` (ERR_OK is 0) and is marked MUST_CHECK. Detail for a person goes into
 * a caller-owned `struct why`, always the last parameter; NULL is allowed there. Foreign codes (SQLite, libsodium,
 * curl, errno) are translated where they enter. Messages never hold key bytes, row values, names or texts of cases. */
#ifndef SPOKE_BASE_ERR_H
#define SPOKE_BASE_ERR_H

#include <stdbool.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* X(name, exit code of the programs (cli.md), word used in --json errors) */
#define ERR_TABLE(X)                                                                                                   \
    X(OK, 0, "ok")                                                                                                     \
    X(FAILED, 1, "failed")           /* anything with no code of its own */                                            \
    X(NOMEM, 1, "out_of_memory")     /* allocation refused */                                                          \
    X(IO, 1, "io")                   /* the operating system refused a read, write or rename */                        \
    X(FULL, 1, "disk_full")          /* no space left; nothing was half done */                                        \
    X(LIMIT, 1, "limit")             /* a ceiling of ours would be passed */                                           \
    X(NOTFOUND, 1, "not_found")      /* no such row, file, command object */                                           \
    X(EXISTS, 1, "exists")           /* it is there already */                                                         \
    X(DENIED, 1, "denied")           /* a rule of ours says no (local refusal) */                                      \
    X(BUSY, 1, "busy")               /* another process holds the lock */                                              \
    X(VERSION, 1, "version")         /* library, format or schema version that we do not speak */                      \
    X(UNINIT, 10, "not_initialised") /* no home here yet */                                                            \
    X(LOCKED, 11, "locked")          /* a passphrase is needed and none was given */                                   \
    X(PASSPHRASE, 12, "wrong_passphrase")                                                                              \
    X(REFUSED, 13, "refused")         /* the hub said no: revoked, fork, rollback, bad invitation */                   \
    X(UNREACHABLE, 14, "unreachable") /* no hub at the other end; the work stays queued */                             \
    X(TAMPERED, 15, "tampered")       /* failed authentication of any kind: one undifferentiated code */               \
    X(FORMAT, 15, "corrupt")          /* bytes that are not what they should be */                                     \
    X(USAGE, 64, "usage")                                                                                              \
    X(INTERRUPTED, 130, "interrupted")

enum err {
#define ERR_ENUM(name, code, word) ERR_##name,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

/* What happened and what to do next, in plain English, for a person. Caller-owned; zero it with `= {0}`. */
struct why {
    char text[320]; /* what happened and what it means */
    char next[240]; /* what to do next; may be empty */
};

/* Write the message (printf-like) into `why` unless it is NULL, clear `next`, and return `e`:
 *     return why_set(why, ERR_FORMAT, "the bundle ends early"); */
enum err why_set(struct why *why, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Add the advice line to a `why` already set. Returns `e`. */
enum err why_next(struct why *why, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Exit code of cli.md for an error. */
int err_exit_code(enum err e);

/* Stable word for --json ("tampered"). Static storage. */
const char *err_word(enum err e);

#endif
