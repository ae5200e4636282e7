/* Images of a whole disk, and bits that rot on it. */
#include "tests/sim/disk_internal.h"

#include <stdlib.h>
#include <string.h>

#define ROT_SECTOR 512u

struct picture {
    char *name;    /* owned */
    uint8_t *data; /* owned */
    size_t n;
};

struct disk_image {
    struct picture *files; /* owned */
    size_t n;
};

static struct disk_image *image_new(size_t n)
{
    struct disk_image *i = calloc(1, sizeof *i);
    disk_must(i != NULL);
    i->files = calloc(n + 1, sizeof *i->files);
    disk_must(i->files != NULL);
    return i;
}

static void image_add(struct disk_image *i, const char *name, const uint8_t *p, size_t n)
{
    struct picture *f = &i->files[i->n++];
    f->name = strdup(name);
    f->data = malloc(n + 1);
    disk_must(f->name != NULL && f->data != NULL);
    f->n = n;
    if (n > 0) memcpy(f->data, p, n);
}

struct disk_image *disk_image_take(const struct disk *d)
{
    struct disk_image *i = image_new(d->n_names);
    for (size_t k = 0; k < d->n_names; k++) {
        const struct inode *f = d->names[k]->now;
        if (f != NULL) image_add(i, d->names[k]->path, f->now.p, f->now.len);
    }
    return i;
}

struct disk_image *disk_image_copy(const struct disk_image *from)
{
    struct disk_image *i = image_new(from->n);
    for (size_t k = 0; k < from->n; k++) image_add(i, from->files[k].name, from->files[k].data, from->files[k].n);
    return i;
}

void disk_image_free(struct disk_image *i)
{
    if (i == NULL) return;
    for (size_t k = 0; k < i->n; k++) {
        free(i->files[k].name);
        free(i->files[k].data);
    }
    free(i->files);
    free(i);
}

void disk_put_back(struct disk *d, const struct disk_image *i)
{
    disk_must(d->open == 0);
    names_clear(d);
    for (size_t k = 0; k < i->n; k++) {
        struct inode *f = inode_new();
        inode_fill(f, bytes_of(i->files[k].data, i->files[k].n));
        names_add(d, i->files[k].name, f);
    }
}

/* ---- rot ---- */

static bool has_suffix(const struct name *n, const char *suffix)
{
    size_t path = strlen(n->path), tail = suffix == NULL ? 0 : strlen(suffix);
    return n->now != NULL && path >= tail && (tail == 0 || strcmp(n->path + path - tail, suffix) == 0);
}

static size_t sectors_of(const struct inode *f)
{
    return (f->now.len + ROT_SECTOR - 1) / ROT_SECTOR;
}

/* Nothing was ever written there: all zeros. */
static bool is_hole(const struct inode *f, size_t sector)
{
    size_t at = sector * ROT_SECTOR;
    size_t n = f->now.len - at < ROT_SECTOR ? f->now.len - at : ROT_SECTOR;
    return f->now.p[at] == 0 && memcmp(f->now.p + at, f->now.p + at + 1, n - 1) == 0;
}

static bool has_bytes(const struct inode *f)
{
    for (size_t i = 0; i < sectors_of(f); i++)
        if (!is_hole(f, i)) return true;
    return false;
}

static const struct name *draw_name(const struct disk *d, struct draw *by, const char *suffix)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_names; i++) n += has_suffix(d->names[i], suffix) && has_bytes(d->names[i]->now);
    size_t chosen = n == 0 ? 0 : draw_below(by, n);
    for (size_t i = 0; i < d->n_names; i++)
        if (has_suffix(d->names[i], suffix) && has_bytes(d->names[i]->now) && chosen-- == 0) return d->names[i];
    return NULL;
}

void disk_flip(struct disk *d, const char *path, size_t at, uint8_t bits)
{
    struct name *n = names_find(d, path);
    disk_must(n != NULL && n->now != NULL && at < n->now->now.len);
    inode_flip(n->now, at, bits);
}

bool disk_rot(struct disk *d, struct draw *by, const char *suffix, const char **out_name, uint64_t *out_at)
{
    const struct name *n = draw_name(d, by, suffix);
    if (n == NULL) return false;
    size_t sector = draw_below(by, sectors_of(n->now));
    while (is_hole(n->now, sector)) sector = (sector + 1) % sectors_of(n->now);
    size_t at = sector * ROT_SECTOR;
    at += draw_below(by, n->now->now.len - at < ROT_SECTOR ? n->now->now.len - at : ROT_SECTOR);
    uint8_t bits = 0;
    for (uint64_t left = 1 + draw_below(by, 3); left > 0; left--) bits |= (uint8_t)(1u << draw_below(by, 8));
    inode_flip(n->now, at, bits);
    if (out_name != NULL) *out_name = n->path;
    if (out_at != NULL) *out_at = at;
    return true;
}
