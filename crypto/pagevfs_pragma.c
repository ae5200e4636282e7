#include "crypto/pagevfs_internal.h"

#include <string.h>

/* Settings that keep plaintext off the disk and other processes out. Asking for one is fine, changing it is not. */
struct fixed {
    const char *pragma;
    const char *allowed[4]; /* the values that change nothing */
};

static const struct fixed fixed_pragmas[] = {
    {"journal_mode", {"wal"}},                        /* a rollback journal would hold plaintext checksums (T7) */
    {"locking_mode", {"exclusive"}},                  /* a shared log index would be a file in clear (T7) */
    {"temp_store", {"memory", "2"}},                  /* T11 */
    {"temp_store_directory", {NULL}},                 /* the same */
    {"secure_delete", {"on", "1", "true", "yes"}},    /* what is forgotten is overwritten */
    {"page_size", {"4096"}},                          /* a page fits its seal exactly */
    {"mmap_size", {"0"}},                             /* mapped pages would be ciphertext */
    {"auto_vacuum", {"0", "none"}},                   /* the geometry is constant (pagevfs_file.c) */
    {"cell_size_check", {"on", "1", "true", "yes"}},
    {"trusted_schema", {"off", "0", "false", "no"}},
    {"writable_schema", {"off", "0", "false", "no"}},
};

static bool value_allowed(const struct fixed *f, const char *value)
{
    for (size_t i = 0; i < sizeof f->allowed / sizeof f->allowed[0] && f->allowed[i]; i++)
        if (sqlite3_stricmp(f->allowed[i], value) == 0)
            return true;
    return false;
}

/* Settings that are what they are, and how they are told. */
struct constant {
    const char *pragma;
    const char *answer; /* NULL: SQLite answers nothing when it is set */
};

static const struct constant constants[] = {
    {"journal_mode", "wal"}, {"mmap_size", "0"}, {"page_size", NULL}, {"auto_vacuum", NULL},
    {"temp_store_directory", NULL}, {"data_store_directory", NULL},
};

int pagevfs_pragma_shared(char **args)
{
    if (!args[2])
        return SQLITE_NOTFOUND;
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (sqlite3_stricmp(constants[i].pragma, args[1]) != 0)
            continue;
        if (constants[i].answer)
            args[0] = sqlite3_mprintf("%s", constants[i].answer);
        return SQLITE_OK;
    }
    return SQLITE_NOTFOUND;
}

/* sqlite3_file_control, SQLITE_FCNTL_PRAGMA: args are {out: message, name, value or NULL}. */
int pagevfs_pragma(char **args)
{
    if (!args[2])
        return SQLITE_NOTFOUND;
    for (size_t i = 0; i < sizeof fixed_pragmas / sizeof fixed_pragmas[0]; i++) {
        const struct fixed *f = &fixed_pragmas[i];
        if (sqlite3_stricmp(f->pragma, args[1]) != 0 || value_allowed(f, args[2]))
            continue;
        args[0] = sqlite3_mprintf("%s is fixed for an encrypted database", f->pragma);
        return SQLITE_ERROR;
    }
    return SQLITE_NOTFOUND;
}
