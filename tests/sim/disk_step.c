/* The steps that change anything on a disk: each is counted, and here the faults strike. */
#include "tests/sim/disk_internal.h"

enum fate { FATE_DONE, FATE_DIES, FATE_DEAD };

static enum fate begin(struct disk *d)
{
    if (d->dead) return FATE_DEAD;
    d->steps++;
    if (d->faults.die_after == 0 || --d->faults.die_after > 0) return FATE_DONE;
    d->dead = true;
    return FATE_DIES;
}

/* The step in which the power fails is begun, like one that was done and not synced; disk_power_off decides what became
 * of it. For a sync that means nothing: part of what it would have made durable may be so anyway. */
static enum err end(enum fate fate)
{
    return fate == FATE_DONE ? ERR_OK : ERR_IO;
}

static bool has_room(struct disk *d, const struct inode *f, uint64_t end_of_file)
{
    if (end_of_file <= f->now.len) return true;
    if (d->full) return false;
    if (d->faults.full_after > 0) d->full = --d->faults.full_after == 0;
    return true;
}

enum err step_make(struct disk *d, const char *path, struct inode **out)
{
    enum fate fate = begin(d);
    if (fate == FATE_DEAD) return ERR_IO;
    struct inode *f = inode_new();
    names_put(d, path, f);
    *out = f;
    return end(fate);
}

enum err step_remove(struct disk *d, const char *path)
{
    enum fate fate = begin(d);
    if (fate != FATE_DEAD) names_put(d, path, NULL);
    return end(fate);
}

enum err step_move(struct disk *d, const char *from, const char *to)
{
    enum fate fate = begin(d);
    if (fate != FATE_DEAD) names_move(d, from, to);
    return end(fate);
}

enum err step_write(struct disk *d, struct inode *f, uint64_t at, struct bytes v)
{
    enum fate fate = begin(d);
    if (fate == FATE_DEAD) return ERR_IO;
    if (!has_room(d, f, at + v.n)) return fate == FATE_DONE ? ERR_FULL : ERR_IO;
    inode_write(f, at, v, fate == FATE_DIES);
    return end(fate);
}

enum err step_cut(struct disk *d, struct inode *f, uint64_t size)
{
    enum fate fate = begin(d);
    if (fate == FATE_DEAD) return ERR_IO;
    if (!has_room(d, f, size)) return fate == FATE_DONE ? ERR_FULL : ERR_IO;
    inode_cut(f, size);
    return end(fate);
}

enum err step_sync(struct disk *d, struct inode *f)
{
    enum fate fate = begin(d);
    if (fate == FATE_DONE && !d->faults.lie) inode_sync(f);
    return end(fate);
}

enum err step_sync_folder(struct disk *d, const char *path)
{
    enum fate fate = begin(d);
    if (fate == FATE_DONE && !d->faults.lie) names_sync(d, path);
    return end(fate);
}

enum err disk_may_read(struct disk *d)
{
    if (d->dead) return ERR_IO;
    return d->faults.read_error == 0 || --d->faults.read_error > 0 ? ERR_OK : ERR_IO;
}
