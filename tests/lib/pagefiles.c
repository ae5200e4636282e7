#include "tests/lib/pagefiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static sqlite3_file *open_file(struct pagefiles *f, const char *name, int flags)
{
    int got = 0;
    sqlite3_file *file = calloc(1, (size_t)f->v->vfs.szOsFile);
    assert_non_null(file);
    assert_int_equal(f->v->vfs.xOpen(&f->v->vfs, name, file, flags | SQLITE_OPEN_READWRITE, &got), SQLITE_OK);
    return file;
}

static void close_file(sqlite3_file **file)
{
    if (*file != NULL) assert_int_equal((*file)->pMethods->xClose(*file), SQLITE_OK);
    free(*file);
    *file = NULL;
}

int pagefiles_setup(void **state)
{
    struct pagefiles *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->p = pagedb_new(NULL);
    f->fault = faultvfs_new();
    assert_int_equal(pagevfs_vfs_new(&f->v, "fault", &f->p->key, NULL), ERR_OK);
    f->names = sqlite3_create_filename(f->p->path, "", f->p->wal, 0, NULL);
    f->db = open_file(f, f->names, SQLITE_OPEN_MAIN_DB);
    f->log = open_file(f, sqlite3_filename_wal(f->names), SQLITE_OPEN_WAL | SQLITE_OPEN_CREATE);
    *state = f;
    return 0;
}

int pagefiles_teardown(void **state)
{
    struct pagefiles *f = *state;
    pagedb_close(f->p); /* over "fault" */
    close_file(&f->log);
    close_file(&f->db);
    pagevfs_vfs_free(f->v);
    sqlite3_free_filename((char *)(uintptr_t)f->names);
    faultvfs_free(f->fault);
    pagedb_free(f->p);
    free(f);
    return 0;
}

void pagefiles_close(struct pagefiles *f)
{
    close_file(&f->log);
    close_file(&f->db);
    f->fault->writes = f->fault->reads = 0;
}

void pagefiles_reopen_log(struct pagefiles *f)
{
    uint8_t head[WAL_HEAD_BYTES];
    close_file(&f->log);
    f->log = open_file(f, sqlite3_filename_wal(f->names), SQLITE_OPEN_WAL);
    assert_int_equal(f->log->pMethods->xRead(f->log, head, sizeof head, 0), SQLITE_OK);
}

void pagefiles_make(uint8_t page[PAGE_BYTES], char fill)
{
    memset(page, fill, PAGE_CONTENT);
    memset(page + PAGE_CONTENT, 0, PAGE_RESERVE);
}
