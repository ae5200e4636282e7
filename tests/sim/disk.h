/* A disk in memory, with what real ones do to people: what was written but not synced may be lost in part, torn, or out
 * of order when the power fails; a name may be lost; bits rot; it fills up; it lies. The files of one simulated
 * computer.
 *
 * A file has its current bytes, which the running computer reads, and its durable bytes, which are sure to be there
 * after a power failure; between them lies a list of writes and truncations not yet synced. The same for names: made,
 * renamed and removed files become durable when the folder is synced. SQLite's unix VFS syncs the folder when it first
 * syncs a log that it made, and after removing a file when asked to; it does not for a database file. This one does the
 * same. */
#ifndef SPOKE_TESTS_SIM_DISK_H
#define SPOKE_TESTS_SIM_DISK_H

#include "base/env.h"
#include "tests/sim/draw.h"

struct disk; /* opaque */

/* A step is a write, a sync, a truncation, a rename, or the making or removal of a name. */
struct disk_faults {
    uint64_t die_after;  /* the power fails in the n-th step from now (1: the next), half done; 0: it does not */
    uint64_t full_after; /* there is room for n steps that need any; 0: for all */
    uint64_t read_error; /* the n-th read from now fails, once; 0: none */
    bool lie;            /* syncs say "done" and do nothing */
};

/* An empty disk. Registers a VFS of its own with SQLite, iVersion 1, not as the default; disk_free takes it back (no
 * file of it may be open). */
struct disk *disk_new(void);
void disk_free(struct disk *d);
const char *disk_vfs_name(const struct disk *d); /* for struct env: vfs */
/* What SQLite is told of sectors: 4096 bytes, to begin with, and that a write leaves its neighbours alone; or 512 and
 * nothing, so that it writes its logs in pieces. */
void disk_set_sector(struct disk *d, int bytes);

/* Power failures tear some writes into sectors of which each is kept or lost by itself: one write may be long. Not to
 * begin with. */
void disk_set_scatter(struct disk *d, bool scatter);

/* The file functions of struct env, with the disk as ctx, to be called by the machine's own. Like env_posix: write_file
 * is a temporary, its sync, a rename and a sync of the folder, each a step that the power may fail in; append_file
 * writes, and syncs when asked; remove_file is durable when it returns; folders are implied by names and need no
 * making. */
enum err disk_read_file(struct disk *d, const char *path, size_t max, struct buf *out, struct why *why);
enum err disk_write_file(struct disk *d, const char *path, struct bytes content, struct why *why);
enum err disk_append_file(struct disk *d, const char *path, uint64_t offset, struct bytes content, bool sync,
                          struct why *why);
enum err disk_file_size(struct disk *d, const char *path, uint64_t *out_size, struct why *why);
enum err disk_remove_file(struct disk *d, const char *path, struct why *why);
enum err disk_read_at(struct disk *d, const char *path, uint64_t offset, size_t n, struct buf *out, struct why *why);
enum err disk_move_file(struct disk *d, const char *from, const char *to, struct why *why);
enum err disk_shred_file(struct disk *d, const char *path, struct why *why); /* written over, synced, removed */

void disk_set_faults(struct disk *d, const struct disk_faults *f); /* replaces all; NULL: none */
/* Has the power failed (die_after)? From then on every step and read fails with an I/O error until disk_power_off. */
bool disk_is_dead(const struct disk *d);
/* The power fails now, or has failed: current becomes what survives. Every unsynced write of a file is kept, lost or
 * torn (a prefix, a suffix or a hole of whole sectors of 512 or 4096 bytes, drawn), in any combination; so are
 * truncations and names. Files open at SQLite must be closed first. Faults end. Returns how many unsynced writes were
 * not kept whole. */
uint64_t disk_power_off(struct disk *d, struct draw *by);
/* An orderly shutdown: everything becomes durable. */
void disk_settle(struct disk *d);

/* All files as they are now, durable; independent of the disk. */
struct disk_image; /* opaque */
struct disk_image *disk_image_take(const struct disk *d);
struct disk_image *disk_image_copy(const struct disk_image *i);
void disk_image_free(struct disk_image *i);
void disk_put_back(struct disk *d, const struct disk_image *i); /* no file may be open at SQLite */

/* All files between two steps: durable or not, and whether the power has failed. No file may be open at SQLite. */
struct disk_state; /* opaque */
struct disk_state *disk_state_take(const struct disk *d);
void disk_state_put_back(struct disk *d, const struct disk_state *s);
void disk_state_free(struct disk_state *s);

/* Flip one to three bits of one file whose name ends with `suffix` (NULL: any), of a byte that is not a hole.
 * false: there is no such file with any byte. *out_name, *out_at say where (may be NULL). */
bool disk_rot(struct disk *d, struct draw *by, const char *suffix, const char **out_name, uint64_t *out_at);

/* Flip these bits of the byte at that place of a file that is there. */
void disk_flip(struct disk *d, const char *path, size_t at, uint8_t bits);

/* Every file as the running computer sees it, by name. Borrowed until the next change. */
void disk_each(const struct disk *d, void (*each)(void *ctx, const char *name, struct bytes content), void *ctx);
struct bytes disk_file(const struct disk *d, const char *name); /* empty when there is none */
uint64_t disk_steps(const struct disk *d);                      /* taken since disk_new */

#endif
