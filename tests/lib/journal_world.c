#include "tests/lib/journal_world.h"

#include "hub/redo_part.h"
#include "tests/lib/journal_sum.h"
#include "tests/lib/test_store.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";
static char folder[300];
static uint8_t id[REDO_ID_BYTES];
static struct hub_redo_writer *writer;

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

const char *journal_folder(void)
{
    return folder;
}

const char *journal_part(int64_t number)
{
    static char path[4][400];
    static unsigned at;
    struct why why = {0};
    char *p = path[at++ % 4];
    MUST(redo_part_path(p, sizeof path[0], folder, id, (uint64_t)number, &why));
    return p;
}

struct hub_redo_state journal_state(void)
{
    struct why why = {0};
    struct hub_redo_state s;
    MUST(hub_redo_state(ends_hub->hub, &s, &why));
    return s;
}

void journal_remember(void)
{
    memcpy(id, journal_state().id, sizeof id);
}

int journal_start(void **state)
{
    struct why why = {0};
    if (lost_start(state) != 0) return 1;
    (void)snprintf(folder, sizeof folder, "%s", lost_file("journal"));
    if (mkdir(folder, 0700) != 0) return 1;
    MUST(hub_redo_begin(ends_hub->hub, NULL, &why));
    journal_remember();
    return 0;
}

int journal_stop(void **state)
{
    DIR *d = opendir(folder);
    char path[700];
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') (void)unlink(path);
    }
    if (d != NULL) (void)closedir(d);
    (void)rmdir(folder);
    hub_redo_writer_free(writer);
    writer = NULL;
    return lost_stop(state);
}

static void writer_here(bool anew)
{
    struct why why = {0};
    if (anew) {
        hub_redo_writer_free(writer);
        writer = NULL;
    }
    if (writer == NULL) MUST(hub_redo_writer_new(&writer, &ends_hub->env, folder, &why));
}

enum err journal_try_write(struct why *why)
{
    bool more = false;
    writer_here(false);
    enum err e = hub_redo_step(ends_hub->hub, writer, &more, why);
    return e == ERR_OK && more ? hub_redo_put(writer, why) : e;
}

void journal_words(enum err e, const struct why *why, char out[REDO_FAULT_BYTES])
{
    hub_redo_words(writer, e, why, out);
}

enum err journal_try_new(struct why *why)
{
    writer_here(true);
    return journal_try_write(why);
}

void journal_write(bool anew)
{
    struct why why = {0};
    writer_here(anew);
    for (bool more = true; more;) {
        MUST(hub_redo_step(ends_hub->hub, writer, &more, &why));
        if (more) MUST(hub_redo_put(writer, &why));
    }
    assert_int_equal(journal_state().waiting, 0);
    assert_int_equal(journal_state().pending, 0);
}

void journal_noted(void)
{
    struct why why = {0};
    MUST(hub_redo_gather(ends_hub->hub, &why));
}

enum err journal_try(const char *backup, const char *from, bool until_damage, struct hub_restored *told,
                     struct why *why)
{
    char store[TEST_STORE_URL];
    test_store_url(store, sizeof store);
    const struct hub_restore r = {.home = ends_hub->dir,
                                  .store = test_store_is_postgres() ? store : NULL,
                                  .backup = lost_file(backup),
                                  .recovery = lost_file("recovery.key"),
                                  .recovery_passphrase = bytes_of_str(passphrase),
                                  .passphrase = bytes_of_str(passphrase),
                                  .journal = from,
                                  .until_damage = until_damage,
                                  .told = told};
    return hub_restore(&ends_hub->env, &r, why);
}

enum err journal_try_file(const char *backup, const char *from, struct why *why)
{
    const struct hub_restore r = {.home = ends_hub->dir,
                                  .backup = lost_file(backup),
                                  .recovery = lost_file("recovery.key"),
                                  .recovery_passphrase = bytes_of_str(passphrase),
                                  .passphrase = bytes_of_str(passphrase),
                                  .journal = from};
    return hub_restore(&ends_hub->env, &r, why);
}

struct hub_restored journal_restored(const char *backup)
{
    struct why why = {0};
    struct hub_restored told = {0};
    MUST(journal_try(backup, folder, false, &told, &why));
    fake_hub_reopen(ends_hub);
    return told;
}

struct dump_sum journal_sum(void)
{
    struct why why = {0};
    struct dump_sum s;
    MUST(journal_sum_of(ends_hub->hub, &ends_hub->env, &s, &why));
    return s;
}

void journal_same(const struct dump_sum *a, const struct dump_sum *b)
{
    struct why why = {0};
    MUST(journal_sum_same(a, b, &why));
}
