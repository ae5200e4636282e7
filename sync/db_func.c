/* SQL functions for a person's convenience: an id is typed and read as text, and made from env. */
#include "sync/db_sqlite.h"

static void fn_spoke_id(sqlite3_context *c, int argc, sqlite3_value **argv)
{
    uint8_t id[16];
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    const void *text = sqlite3_value_text(argv[0]);
    if (text == NULL || !uuid_parse(id, bytes_of(text, (size_t)sqlite3_value_bytes(argv[0]))))
        sqlite3_result_error(c, "spoke_id needs a UUID such as 01234567-89ab-7def-8123-456789abcdef", -1);
    else
        sqlite3_result_blob(c, id, sizeof id, SQLITE_TRANSIENT);
}

static void fn_spoke_uuid(sqlite3_context *c, int argc, sqlite3_value **argv)
{
    char text[37];
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    const void *id = sqlite3_value_blob(argv[0]);
    if (sqlite3_value_type(argv[0]) != SQLITE_BLOB || sqlite3_value_bytes(argv[0]) != 16) {
        sqlite3_result_error(c, "spoke_uuid needs an id of 16 bytes", -1);
        return;
    }
    uuid_format(id, text);
    sqlite3_result_text(c, text, 36, SQLITE_TRANSIENT);
}

static void fn_new_id(sqlite3_context *c, int argc, sqlite3_value **argv)
{
    const struct env *env = sqlite3_user_data(c);
    uint8_t id[16];
    (void)argc;
    (void)argv;
    env_new_id(env, id);
    sqlite3_result_blob(c, id, sizeof id, SQLITE_TRANSIENT);
}

static void fn_now_ms(sqlite3_context *c, int argc, sqlite3_value **argv)
{
    const struct env *env = sqlite3_user_data(c);
    (void)argc;
    (void)argv;
    sqlite3_result_int64(c, env_now(env));
}

enum err db_register_functions(struct db_sqlite *db, struct why *why)
{
    static const struct {
        const char *name;
        int n_args;
        int flags;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } all[] = {
        {"spoke_id", 1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, fn_spoke_id},
        {"spoke_uuid", 1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, fn_spoke_uuid},
        {"new_id", 0, SQLITE_DIRECTONLY, fn_new_id},
        {"now_ms", 0, SQLITE_DIRECTONLY, fn_now_ms},
    };
    union {
        const struct env *env;
        void *ctx; /* SQLite's user data is not const; the functions above only read it */
    } user = {.env = db->base.env};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int rc = sqlite3_create_function_v2(db->sql, all[i].name, all[i].n_args, SQLITE_UTF8 | all[i].flags, user.ctx,
                                            all[i].fn, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return db_sqlite_fault(db, rc, "CREATE", why);
    }
    return ERR_OK;
}
