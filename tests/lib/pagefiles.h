/* An encrypted database and its log, opened as SQLite opens them and without SQLite over them, for the tests of
 * crypto/pagevfs. Every function asserts. */
#ifndef SPOKE_TESTS_LIB_PAGEFILES_H
#define SPOKE_TESTS_LIB_PAGEFILES_H

#include "crypto/pagevfs_internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/pagedb.h"

struct pagefiles {
    struct pagedb *p;
    struct faultvfs *fault; /* below */
    struct pagevfs *v;
    const char *names;
    sqlite3_file *db, *log; /* NULL while closed */
};

int pagefiles_setup(void **state); /* of cmocka: *state is a struct pagefiles */
int pagefiles_teardown(void **state);
void pagefiles_close(struct pagefiles *f);      /* both, so that SQLite may open them over "fault" */
void pagefiles_reopen_log(struct pagefiles *f); /* and read its header */
/* Content of one letter and a reserve of zeros. */
void pagefiles_make(uint8_t page[PAGE_BYTES], char fill);

#endif
