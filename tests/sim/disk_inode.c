/* The bytes of one file: what the running computer sees, what is durable, and the changes between the two. */
#include "tests/sim/disk_internal.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR      512u
#define LONG_SECTOR 4096u
#define ROOM        (256u << 10) /* of a layer that has any */

/* Most files grow to some hundred kilobytes, and copying them at each doubling costs more than room does. */
static void layer_reserve(struct layer *l, size_t need)
{
    if (need > l->cap && need < ROOM) need = ROOM;
    l->p = disk_room(l->p, &l->cap, need, 1);
}

static void layer_cut(struct layer *l, uint64_t size)
{
    if (size > l->len) {
        layer_reserve(l, size);
        memset(l->p + l->len, 0, size - l->len);
    }
    l->len = size;
}

static void layer_write(struct layer *l, uint64_t at, const uint8_t *p, size_t n)
{
    if (n == 0) return;
    if (at > l->len) layer_cut(l, at);
    layer_reserve(l, at + n);
    memcpy(l->p + at, p, n);
    if (at + n > l->len) l->len = at + n;
}

struct inode *inode_new(void)
{
    struct inode *f = calloc(1, sizeof *f);
    disk_must(f != NULL);
    return f;
}

struct inode *inode_hold(struct inode *f)
{
    f->refs++;
    return f;
}

void inode_drop(struct inode *f)
{
    if (f == NULL || --f->refs > 0) return;
    free(f->now.p);
    free(f->safe.p);
    free(f->unsynced.p);
    free(f->changes);
    free(f);
}

void inode_set(struct inode **slot, struct inode *f)
{
    struct inode *old = *slot;
    *slot = f == NULL ? NULL : inode_hold(f);
    inode_drop(old);
}

void inode_fill(struct inode *f, struct bytes content)
{
    f->n_changes = f->unsynced.len = f->now.len = f->safe.len = 0;
    layer_write(&f->now, 0, content.p, content.n);
    layer_write(&f->safe, 0, content.p, content.n);
}

static struct change *new_change(struct inode *f)
{
    f->changes = disk_room(f->changes, &f->cap_changes, f->n_changes + 1, sizeof *f->changes);
    struct change *c = &f->changes[f->n_changes++];
    *c = (struct change){.where = f->unsynced.len};
    return c;
}

void inode_write(struct inode *f, uint64_t at, struct bytes v, bool torn)
{
    struct change *c = new_change(f);
    c->at = at;
    c->n = v.n;
    c->torn = torn;
    layer_write(&f->unsynced, f->unsynced.len, v.p, v.n);
    layer_write(&f->now, at, v.p, v.n);
}

void inode_cut(struct inode *f, uint64_t size)
{
    struct change *c = new_change(f);
    c->cut = true;
    c->at = size;
    layer_cut(&f->now, size);
}

static void forget_changes(struct inode *f)
{
    f->n_changes = 0;
    f->unsynced.len = 0;
}

static void keep(struct inode *f, const struct change *c)
{
    if (c->cut)
        layer_cut(&f->safe, c->at);
    else
        layer_write(&f->safe, c->at, f->unsynced.p + c->where, c->n);
}

void inode_sync(struct inode *f)
{
    for (size_t i = 0; i < f->n_changes; i++) keep(f, &f->changes[i]);
    forget_changes(f);
}

static uint64_t sectors(const struct change *c, uint64_t size)
{
    return (c->at + c->n - 1) / size - c->at / size + 1;
}

/* Which part of a write is lost: its end, its beginning or a piece within, cut where sectors meet. false: it lies in
 * one sector, which a disk writes whole or not at all. */
static bool tear(const struct change *c, struct draw *by, uint64_t *from, uint64_t *to)
{
    uint64_t size = draw_chance(by, 500) ? LONG_SECTOR : SECTOR;
    if (sectors(c, size) < 2) size = SECTOR;
    uint64_t n = sectors(c, size), first = c->at / size;
    if (n < 2) return false;
    uint64_t a = 1 + draw_below(by, n - 1), b = 1 + draw_below(by, n - 1);
    *from = c->at;
    *to = c->at + c->n;
    switch (draw_below(by, a == b ? 2 : 3)) {
    case 0: *from = (first + a) * size; break;
    case 1: *to = (first + a) * size; break;
    default: *from = (first + (a < b ? a : b)) * size; *to = (first + (a < b ? b : a)) * size;
    }
    return true;
}

/* Every sector that the write touches is kept or lost by itself. */
static void scatter(struct inode *f, const struct change *c, struct draw *by)
{
    uint64_t size = draw_chance(by, 500) ? LONG_SECTOR : SECTOR, end = c->at + c->n;
    unsigned keep = 100 + (unsigned)draw_below(by, 9) * 100;
    for (uint64_t at = c->at, next; at < end; at = next) {
        next = (at / size + 1) * size < end ? (at / size + 1) * size : end;
        if (draw_chance(by, keep)) layer_write(&f->safe, at, f->unsynced.p + c->where + (at - c->at), next - at);
    }
}

static void lose(struct inode *f, const struct change *c, struct draw *by, const struct luck *luck)
{
    uint64_t from = c->at, to = c->at + c->n, end = to;
    const uint8_t *p = f->unsynced.p + c->where;
    if (luck->scatter > 0 && draw_chance(by, luck->tear) && draw_chance(by, luck->scatter)) {
        scatter(f, c, by);
    } else if (draw_chance(by, luck->tear) && tear(c, by, &from, &to)) {
        layer_write(&f->safe, c->at, p, from - c->at);
        layer_write(&f->safe, to, p + (to - c->at), end - to);
    }
    if (end > f->safe.len && draw_chance(by, luck->zeros)) layer_cut(&f->safe, end);
}

uint64_t inode_lose(struct inode *f, struct draw *by, const struct luck *luck)
{
    uint64_t lost = 0;
    if (f->n_changes == 0) return 0;
    for (size_t i = 0; i < f->n_changes; i++) {
        const struct change *c = &f->changes[i];
        if (draw_chance(by, luck->keep) && !c->torn)
            keep(f, c);
        else if (!c->cut) {
            lose(f, c, by, luck);
            lost++;
        }
    }
    forget_changes(f);
    f->now.len = 0;
    layer_write(&f->now, 0, f->safe.p, f->safe.len);
    return lost;
}

void inode_flip(struct inode *f, uint64_t at, uint8_t bits)
{
    f->now.p[at] ^= bits;
    if (at < f->safe.len) f->safe.p[at] ^= bits;
    for (size_t i = 0; i < f->n_changes; i++) {
        const struct change *c = &f->changes[i];
        if (!c->cut && at >= c->at && at - c->at < c->n) f->unsynced.p[c->where + (at - c->at)] ^= bits;
    }
}
