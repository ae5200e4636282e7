/* A lower VFS for tests over the default one: counts and watches writes, runs out of disk, and dies in the middle of
 * one. Registered as "fault" while it exists; one at a time. */
#ifndef SPOKE_TESTS_LIB_FAULTVFS_H
#define SPOKE_TESTS_LIB_FAULTVFS_H

#include <sqlite3.h>

struct faultvfs {
    int traits;      /* what xDeviceCharacteristics answers; -1: as the file below */
    int sector;      /* what xSectorSize answers; 0: as the file below */
    int full_after;  /* writes until SQLITE_FULL; -1: never */
    int die_after;   /* writes until half a write is done and the process exits with 42; -1: never */
    int fail_read;   /* reads until one fails, once; -1: never, or it has failed */
    int torn_read;   /* reads until one is wrong in the middle, once; -1: never, or it was */
    int writes;      /* since faultvfs_new */
    int reads;       /* likewise */
    int pieces;      /* writes to a log of another size than its header (32), a frame's header (24) or a page */
    int opens;       /* files opened that are neither database nor log */
};

struct faultvfs *faultvfs_new(void); /* asserts; no faults to begin with */
void faultvfs_free(struct faultvfs *v);

#endif
