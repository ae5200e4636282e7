/* The journal folder of servers that are killed: begun before anything is harmed, with a backup, and at the end a hub
 * is made of the two, into PostgreSQL and into a file: both must be what the servers left, row for row. */
#include "tests/lib/kill.h"

#include "hub/backup.h"
#include "hub/log_audit.h"
#include "hub/redo.h"
#include "hub/restore.h"
#include "tests/lib/journal_sum.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 500

static void path_of(char out[PATH_BYTES], const char *dir, const char *name)
{
    struct why why = {0};
    kill_must(path_join(out, PATH_BYTES, dir, name, &why), "path", &why);
}

void kill_journal_begin(const struct kill_world *w, const char *dir)
{
    struct why why = {0};
    struct hub_backup made;
    char far[PATH_BYTES], file[PATH_BYTES];
    const struct env *env = env_posix();
    path_of(far, dir, "far");
    path_of(file, dir, "old.backup");
    kill_must(env->make_dir(env->ctx, far, &why), "the journal's folder", &why);
    struct hub *h = kill_open_hub(w);
    kill_must(hub_redo_begin(h, NULL, &why), "begin the journal", &why);
    kill_must(hub_backup(h, file, &made, &why), "backup", &why);
    hub_close(h);
}

/* What is left, as by a server that starts: all servers have ended. */
static void write_rest(struct hub *h, const char *far)
{
    struct why why = {0};
    struct hub_redo_writer *writer = NULL;
    struct hub_redo_state s;
    kill_must(hub_redo_writer_new(&writer, env_posix(), far, &why), "the journal's writer", &why);
    for (bool more = true; more;) {
        kill_must(hub_redo_step(h, writer, &more, &why), "the journal", &why);
        if (more) kill_must(hub_redo_put(writer, &why), "the journal's folder", &why);
    }
    hub_redo_writer_free(writer);
    kill_must(hub_redo_state(h, &s, &why), "the journal's state", &why);
    if (s.waiting != 0 || s.gave_up != 0 || s.fault[0] != '\0')
        kill_fail("%lld entries wait, given up at %lld: %s", (long long)s.waiting, (long long)s.gave_up, s.fault);
    printf("the journal: %lld entries, %lld parts begun, %lld of them kept\n", (long long)s.written, (long long)s.part,
           (long long)s.parts);
}

static void comes_back(const struct kill_world *w, const char *dir, const char *home, const char *store,
                       const struct dump_sum *want)
{
    struct why why = {0};
    struct dump_sum is;
    struct hub_restored told = {0};
    struct log_audit_sum audit;
    struct hub *h = NULL;
    char far[PATH_BYTES], file[PATH_BYTES], key[PATH_BYTES], at[PATH_BYTES];
    path_of(far, dir, "far");
    path_of(file, dir, "old.backup");
    path_of(key, w->hub_home, "recovery.key");
    path_of(at, dir, home);
    const struct hub_restore r = {.home = at,
                                  .store = store,
                                  .backup = file,
                                  .recovery = key,
                                  .recovery_passphrase = kill_passphrase(),
                                  .passphrase = kill_passphrase(),
                                  .journal = far,
                                  .told = &told};
    kill_must(hub_restore(env_posix(), &r, &why), home, &why);
    kill_must(hub_open(&h, env_posix(), at, kill_passphrase(), &why), home, &why);
    kill_must(journal_sum_of(h, env_posix(), &is, &why), home, &why);
    kill_must(journal_sum_same(want, &is, &why), home, &why);
    kill_must(hub_verify(h, &why), home, &why);
    kill_must(hub_log_verify(h, &audit, &why), home, &why);
    hub_close(h);
    printf("%s: %llu rows of %zu tables are the same, with %llu transactions of the journal\n", home,
           (unsigned long long)is.rows, is.n, (unsigned long long)told.transactions);
}

void kill_journal_check(const struct kill_world *w, const char *dir, const char *store)
{
    struct why why = {0};
    struct dump_sum want;
    char far[PATH_BYTES];
    path_of(far, dir, "far");
    struct hub *h = kill_open_hub(w);
    write_rest(h, far);
    kill_must(journal_sum_of(h, env_posix(), &want, &why), "the hub", &why);
    hub_close(h);
    comes_back(w, dir, "back-in-postgres", store, &want);
    comes_back(w, dir, "back-in-a-file", NULL, &want);
}
