/* The names of a disk, now and after a power failure. A rename keeps a file in its folder, and a file has one name: so
 * whatever is kept or lost of these, no file ends up under two. */
#include "tests/sim/disk_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

/* Where path stands, or belongs. */
static size_t place_of(const struct disk *d, const char *path)
{
    size_t low = 0, high = d->n_names;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(d->names[mid]->path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct name *names_find(const struct disk *d, const char *path)
{
    size_t at = place_of(d, path);
    return at < d->n_names && strcmp(d->names[at]->path, path) == 0 ? d->names[at] : NULL;
}

struct inode *names_file(const struct disk *d, const char *path)
{
    const struct name *n = names_find(d, path);
    return n == NULL ? NULL : n->now;
}

static struct name *find_or_add(struct disk *d, const char *path)
{
    size_t at = place_of(d, path);
    if (at < d->n_names && strcmp(d->names[at]->path, path) == 0) return d->names[at];
    struct name *n = calloc(1, sizeof *n);
    disk_must(n != NULL);
    n->path = strdup(path);
    disk_must(n->path != NULL);
    n->folder = folder_of(path);
    d->names = disk_room(d->names, &d->cap_names, d->n_names + 1, sizeof(struct name *));
    memmove(d->names + at + 1, d->names + at, (d->n_names - at) * sizeof(struct name *));
    d->names[at] = n;
    d->n_names++;
    return n;
}

static void name_free(struct name *n)
{
    inode_drop(n->now);
    inode_drop(n->safe);
    free(n->path);
    free(n);
}

static void apply(struct naming *g)
{
    inode_set(&g->name->safe, g->file);
    if (g->from != NULL) inode_set(&g->from->safe, NULL);
}

/* Names that stand for nothing any more. Namings point at them. */
static void prune(struct disk *d)
{
    size_t kept = 0;
    if (d->n_namings > 0) return;
    for (size_t i = 0; i < d->n_names; i++) {
        if (d->names[i]->now == NULL && d->names[i]->safe == NULL)
            name_free(d->names[i]);
        else
            d->names[kept++] = d->names[i];
    }
    d->n_names = kept;
}

static void note(struct disk *d, struct name *name, struct inode *f, struct name *from)
{
    d->namings = disk_room(d->namings, &d->cap_namings, d->n_namings + 1, sizeof *d->namings);
    d->namings[d->n_namings++] = (struct naming){.name = name, .file = f == NULL ? NULL : inode_hold(f), .from = from};
    if (from != NULL) inode_set(&from->now, NULL);
    inode_set(&name->now, f);
}

void names_put(struct disk *d, const char *path, struct inode *f)
{
    note(d, find_or_add(d, path), f, NULL);
}

void names_move(struct disk *d, const char *from, const char *to)
{
    struct name *target = find_or_add(d, to), *source = names_find(d, from);
    disk_must(source != NULL && source->now != NULL && source != target);
    struct inode *f = inode_hold(source->now);
    note(d, target, f, source);
    inode_drop(f);
}

void names_add(struct disk *d, const char *path, struct inode *f)
{
    struct name *n = find_or_add(d, path);
    disk_must(n->now == NULL && n->safe == NULL);
    inode_set(&n->now, f);
    inode_set(&n->safe, f);
}

void names_sync(struct disk *d, const char *path)
{
    size_t folder = folder_of(path), left = 0;
    for (size_t i = 0; i < d->n_namings; i++) {
        struct naming g = d->namings[i];
        if (g.name->folder != folder || memcmp(g.name->path, path, folder) != 0) {
            d->namings[left++] = g;
            continue;
        }
        apply(&g);
        inode_drop(g.file);
    }
    d->n_namings = left;
    prune(d);
}

void names_sync_all(struct disk *d)
{
    for (size_t i = 0; i < d->n_namings; i++) {
        apply(&d->namings[i]);
        inode_drop(d->namings[i].file);
    }
    d->n_namings = 0;
    prune(d);
}

void names_lose(struct disk *d, struct draw *by, const struct luck *luck)
{
    for (size_t i = 0; i < d->n_namings; i++) {
        if (draw_chance(by, luck->names)) apply(&d->namings[i]);
        inode_drop(d->namings[i].file);
    }
    d->n_namings = 0;
    for (size_t i = 0; i < d->n_names; i++) inode_set(&d->names[i]->now, d->names[i]->safe);
    prune(d);
}

void names_clear(struct disk *d)
{
    for (size_t i = 0; i < d->n_namings; i++) inode_drop(d->namings[i].file);
    d->n_namings = 0;
    for (size_t i = 0; i < d->n_names; i++) name_free(d->names[i]);
    d->n_names = 0;
}
