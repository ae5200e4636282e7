/* A whole disk between two steps, with what is not synced: one power failure, many outcomes. */
#include "tests/sim/disk_internal.h"

#include <stdlib.h>
#include <string.h>

struct disk_state {
    struct disk d; /* names, namings and dead alone mean something */
};

/* A file of one disk and its double on the other. */
struct twin {
    const struct inode *from;
    struct inode *to; /* held */
};

struct twins {
    struct twin *p; /* owned */
    size_t n, cap;
};

static void layer_copy(struct layer *to, const struct layer *from)
{
    to->p = disk_room(to->p, &to->cap, from->len, 1);
    if (from->len > 0) memcpy(to->p, from->p, from->len);
    to->len = from->len;
}

static struct inode *inode_copy(const struct inode *from)
{
    struct inode *f = inode_new();
    layer_copy(&f->now, &from->now);
    layer_copy(&f->safe, &from->safe);
    layer_copy(&f->unsynced, &from->unsynced);
    f->changes = disk_room(f->changes, &f->cap_changes, from->n_changes, sizeof *f->changes);
    if (from->n_changes > 0) memcpy(f->changes, from->changes, from->n_changes * sizeof *f->changes);
    f->n_changes = from->n_changes;
    return f;
}

/* A file may have several names, and be in namings: it stays one. NULL for NULL. */
static struct inode *twin_of(struct twins *t, const struct inode *from)
{
    if (from == NULL) return NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->p[i].from == from) return t->p[i].to;
    t->p = disk_room(t->p, &t->cap, t->n + 1, sizeof *t->p);
    t->p[t->n] = (struct twin){.from = from, .to = inode_hold(inode_copy(from))};
    return t->p[t->n++].to;
}

static struct name *name_copy(const struct name *from, struct twins *t)
{
    struct name *n = calloc(1, sizeof *n);
    disk_must(n != NULL);
    n->path = strdup(from->path);
    disk_must(n->path != NULL);
    n->folder = from->folder;
    inode_set(&n->now, twin_of(t, from->now));
    inode_set(&n->safe, twin_of(t, from->safe));
    return n;
}

static void naming_copy(struct disk *to, const struct naming *from, struct twins *t)
{
    struct inode *f = twin_of(t, from->file);
    to->namings[to->n_namings++] = (struct naming){
        .name = names_find(to, from->name->path),
        .file = f == NULL ? NULL : inode_hold(f),
        .from = from->from == NULL ? NULL : names_find(to, from->from->path),
    };
}

static void copy(struct disk *to, const struct disk *from)
{
    struct twins t = {0};
    disk_must(to->open == 0 && from->open == 0);
    names_clear(to);
    to->names = disk_room(to->names, &to->cap_names, from->n_names, sizeof(struct name *));
    for (size_t i = 0; i < from->n_names; i++) to->names[to->n_names++] = name_copy(from->names[i], &t);
    to->namings = disk_room(to->namings, &to->cap_namings, from->n_namings, sizeof *to->namings);
    for (size_t i = 0; i < from->n_namings; i++) naming_copy(to, &from->namings[i], &t);
    to->dead = from->dead;
    for (size_t i = 0; i < t.n; i++) inode_drop(t.p[i].to);
    free(t.p);
}

struct disk_state *disk_state_take(const struct disk *d)
{
    struct disk_state *s = calloc(1, sizeof *s);
    disk_must(s != NULL);
    copy(&s->d, d);
    return s;
}

void disk_state_put_back(struct disk *d, const struct disk_state *s)
{
    copy(d, &s->d);
}

void disk_state_free(struct disk_state *s)
{
    if (s == NULL) return;
    names_clear(&s->d);
    free(s->d.names);
    free(s->d.namings);
    free(s);
}
