/* Inside of the disk in memory, shared by tests/sim/disk*.c only. disk_inode.c: the bytes of one file and what becomes
 * of them; disk_names.c: names and folders; disk_step.c: the steps that change anything, where faults strike;
 * disk_files.c: the file functions of struct env; disk_vfs.c: those of SQLite; disk_image.c: images and rot;
 * disk_state.c: whole disks with what is not synced; disk.c: the rest. */
#ifndef SPOKE_TESTS_SIM_DISK_INTERNAL_H
#define SPOKE_TESTS_SIM_DISK_INTERNAL_H

#include "tests/sim/disk.h"

#include <sqlite3.h>

#define DISK_PATH 512u /* longest name, with its NUL */

/* Bytes that may become longer. What a cut gives up stays allocated. */
struct layer {
    uint8_t *p; /* owned */
    size_t len, cap;
};

/* A write or truncation that was not synced yet. */
struct change {
    bool cut;  /* to `at` bytes; else a write of n bytes at `at` */
    bool torn; /* the power failed in it: it is not kept whole */
    uint64_t at;
    size_t n;
    size_t where; /* of its bytes, in inode.unsynced */
};

/* A file without its name. now = safe + changes, always. */
struct inode {
    unsigned refs;          /* names, namings and open files */
    struct layer now;       /* as the running computer sees it */
    struct layer safe;      /* as it is sure to be after a power failure */
    struct layer unsynced;  /* the bytes of all changes, one behind the other */
    struct change *changes; /* owned; in the order in which they were made */
    size_t n_changes, cap_changes;
    int lock;         /* the highest SQLite lock that an open file has on it */
    unsigned sharers; /* open files with any lock */
};

struct name {
    char *path;    /* owned */
    size_t folder; /* bytes of path that are its folder */
    struct inode *now, *safe;
};

/* A name that was made, removed or renamed, not durable yet. */
struct naming {
    struct name *name;
    struct inode *file; /* what it names from then on; NULL: nothing */
    struct name *from;  /* a rename: this one names nothing any more; else NULL */
};

struct disk {
    sqlite3_vfs vfs; /* pAppData points back here */
    char vfs_name[40];
    struct name **names; /* owned; sorted by path */
    size_t n_names, cap_names;
    struct naming *namings; /* owned; in the order in which they were made */
    size_t n_namings, cap_namings;
    struct disk_faults faults; /* counting down */
    bool dead;
    bool full; /* full_after was set and is used up */
    uint64_t steps;
    unsigned open;      /* files that SQLite has open */
    int sector;         /* what SQLite is told */
    bool scatter;       /* writes are torn into single sectors, too */
    struct draw random; /* for xRandomness */
};

/* How a power failure goes, per mille. */
struct luck {
    unsigned names; /* of the namings are kept */
    unsigned keep;  /* of the writes and truncations are kept */
    unsigned tear;  /* of the other writes are torn, not lost */
    unsigned scatter; /* of the torn ones are so sector by sector */
    unsigned zeros; /* of those that made a file longer leave that length behind, and zeros: a file system that writes
                     * down lengths before data */
};

void disk_must(bool ok);                                        /* ends the process: a bug of the simulator itself */
void *disk_room(void *p, size_t *cap, size_t need, size_t one); /* realloc by doubling; never fails */

/* disk_inode.c */
struct inode *inode_new(void);
struct inode *inode_hold(struct inode *f);
void inode_drop(struct inode *f);                       /* NULL is fine */
void inode_set(struct inode **slot, struct inode *f);   /* holds the new one, drops the old one; both may be NULL */
void inode_fill(struct inode *f, struct bytes content); /* all of it, durable */
void inode_write(struct inode *f, uint64_t at, struct bytes v, bool torn);
void inode_cut(struct inode *f, uint64_t size);
void inode_sync(struct inode *f);
/* Returns how many writes were not kept whole. */
uint64_t inode_lose(struct inode *f, struct draw *by, const struct luck *luck);
void inode_flip(struct inode *f, uint64_t at, uint8_t bits); /* on the medium, in whatever layer the byte stands */

/* disk_names.c. What changes names here is pending until names_sync. */
struct name *names_find(const struct disk *d, const char *path); /* NULL: never heard of, or long gone */
struct inode *names_file(const struct disk *d, const char *path);
void names_put(struct disk *d, const char *path, struct inode *f); /* f NULL: removed */
void names_move(struct disk *d, const char *from, const char *to);
void names_sync(struct disk *d, const char *path); /* the folder that path lies in */
void names_sync_all(struct disk *d);
void names_lose(struct disk *d, struct draw *by, const struct luck *luck);
void names_clear(struct disk *d);
void names_add(struct disk *d, const char *path, struct inode *f); /* durable at once; the path must be new */

/* disk_step.c: each is one step. ERR_FULL, ERR_IO. */
enum err step_make(struct disk *d, const char *path, struct inode **out); /* *out is borrowed */
enum err step_remove(struct disk *d, const char *path);
enum err step_move(struct disk *d, const char *from, const char *to);
enum err step_write(struct disk *d, struct inode *f, uint64_t at, struct bytes v);
enum err step_cut(struct disk *d, struct inode *f, uint64_t size);
enum err step_sync(struct disk *d, struct inode *f);
enum err step_sync_folder(struct disk *d, const char *path);
enum err disk_may_read(struct disk *d); /* no step; counts reads */

/* disk_vfs.c */
void disk_vfs_start(struct disk *d);
void disk_vfs_end(struct disk *d);

#endif
