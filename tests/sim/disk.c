#include "tests/sim/disk.h"

#include "tests/sim/disk_internal.h"

#include <stdlib.h>
#include <string.h>

#define SQLITE_SECTOR 4096 /* what SQLite's unix VFS says */

void disk_must(bool ok)
{
    if (!ok) abort();
}

void *disk_room(void *p, size_t *cap, size_t need, size_t one)
{
    size_t n = *cap == 0 ? 16 : *cap;
    if (need <= *cap) return p;
    disk_must(need < ((size_t)1 << 40) / one); /* a file of a terabyte is a bug */
    while (n < need) n *= 2;
    p = realloc(p, n * one);
    disk_must(p != NULL);
    *cap = n;
    return p;
}

struct disk *disk_new(void)
{
    struct disk *d = calloc(1, sizeof *d);
    disk_must(d != NULL);
    d->sector = SQLITE_SECTOR;
    d->random = draw_stream(1, 1, 1);
    disk_vfs_start(d);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL) return;
    disk_must(d->open == 0);
    disk_vfs_end(d);
    names_clear(d);
    free(d->names);
    free(d->namings);
    free(d);
}

const char *disk_vfs_name(const struct disk *d)
{
    return d->vfs_name;
}

void disk_set_sector(struct disk *d, int bytes)
{
    disk_must(bytes == 512 || bytes == SQLITE_SECTOR);
    d->sector = bytes;
}

void disk_set_scatter(struct disk *d, bool scatter)
{
    d->scatter = scatter;
}

void disk_set_faults(struct disk *d, const struct disk_faults *f)
{
    d->faults = f == NULL ? (struct disk_faults){0} : *f;
    d->full = false;
}

bool disk_is_dead(const struct disk *d)
{
    return d->dead;
}

/* Now and then everything survives, or nothing; and names have a fortune of their own: file systems keep a journal for
 * them, or just do not. */
static struct luck draw_luck(struct draw *by)
{
    static const unsigned keep[] = {0, 0, 150, 500, 850, 1000}, tear[] = {0, 500, 1000}, zeros[] = {0, 0, 500};
    return (struct luck){
        .names = keep[draw_below(by, 6)],
        .keep = keep[draw_below(by, 6)],
        .tear = tear[draw_below(by, 3)],
        .zeros = zeros[draw_below(by, 3)],
    };
}

uint64_t disk_power_off(struct disk *d, struct draw *by)
{
    uint64_t lost = 0;
    disk_must(d->open == 0);
    struct luck luck = draw_luck(by);
    if (d->scatter) luck.scatter = (unsigned)draw_below(by, 3) * 500;
    names_lose(d, by, &luck);
    for (size_t i = 0; i < d->n_names; i++) lost += inode_lose(d->names[i]->now, by, &luck);
    disk_set_faults(d, NULL);
    d->dead = false;
    return lost;
}

void disk_settle(struct disk *d)
{
    disk_must(!d->dead);
    names_sync_all(d);
    for (size_t i = 0; i < d->n_names; i++) inode_sync(d->names[i]->now);
}

void disk_each(const struct disk *d, void (*each)(void *ctx, const char *name, struct bytes content), void *ctx)
{
    for (size_t i = 0; i < d->n_names; i++) {
        const struct inode *f = d->names[i]->now;
        if (f != NULL) each(ctx, d->names[i]->path, bytes_of(f->now.p, f->now.len));
    }
}

struct bytes disk_file(const struct disk *d, const char *name)
{
    const struct inode *f = names_file(d, name);
    return f == NULL ? (struct bytes){0} : bytes_of(f->now.p, f->now.len);
}

uint64_t disk_steps(const struct disk *d)
{
    return d->steps;
}
