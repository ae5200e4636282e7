/* HOME/spool: the sealed request that waits for its answer, and the sealed answer as it arrives, so that a broken link
 * resumes. Nothing here is readable without the keys of the recipient. */
#include "node/internal.h"

#include "sync/bundle.h"

static enum err spool_path(const struct node *n, const char *name, char out[NODE_PATH_MAX], struct why *why)
{
    char dir[NODE_PATH_MAX];
    enum err e = path_join(dir, sizeof dir, n->home, "spool", why);
    return e == ERR_OK ? path_join(out, NODE_PATH_MAX, dir, name, why) : e;
}

static enum err read_spool(struct node *n, const char *name, struct buf *out, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = spool_path(n, name, path, why);
    return e == ERR_OK ? n->env->read_file(n->env->ctx, path, BUNDLE_MAX, out, why) : e;
}

static enum err remove_spool(struct node *n, const char *name, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = spool_path(n, name, path, why);
    return e == ERR_OK ? n->env->remove_file(n->env->ctx, path, why) : e;
}

enum err spool_put_request(struct node *n, struct bytes request, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = path_join(path, sizeof path, n->home, "spool", why);
    if (e == ERR_OK) e = n->env->make_dir(n->env->ctx, path, why); /* people tidy up */
    if (e == ERR_OK) e = spool_path(n, "request", path, why);
    return e == ERR_OK ? n->env->write_file(n->env->ctx, path, request, why) : e;
}

enum err spool_get_request(struct node *n, struct buf *out, struct why *why)
{
    return read_spool(n, "request", out, why);
}

enum err spool_answer_size(struct node *n, uint64_t *out, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = spool_path(n, "answer", path, why);
    if (e != ERR_OK) return e;
    e = n->env->file_size(n->env->ctx, path, out, NULL);
    if (e == ERR_NOTFOUND) {
        *out = 0;
        return ERR_OK;
    }
    return e == ERR_OK ? ERR_OK : why_set(why, e, "What was fetched of the MASH server's answer cannot be read.");
}

/* Not made durable: what a crash takes is fetched again, and what it garbles does not authenticate. */
enum err spool_put_answer(struct node *n, uint64_t at, struct bytes piece, struct why *why)
{
    char path[NODE_PATH_MAX];
    if (piece.n > BUNDLE_MAX || at > BUNDLE_MAX - piece.n)
        return why_set(why, ERR_LIMIT, "The MASH server's answer is larger than any that this device takes.");
    enum err e = spool_path(n, "answer", path, why);
    return e == ERR_OK ? n->env->append_file(n->env->ctx, path, at, piece, false, why) : e;
}

enum err spool_get_answer(struct node *n, struct buf *out, struct why *why)
{
    return read_spool(n, "answer", out, why);
}

enum err spool_drop_answer(struct node *n, struct why *why)
{
    return remove_spool(n, "answer", why);
}

enum err spool_clear(struct node *n, struct why *why)
{
    enum err e = remove_spool(n, "answer", why);
    return e == ERR_OK ? remove_spool(n, "request", why) : e;
}
