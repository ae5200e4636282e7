/* HOME/spool/answer: the sealed answer as it arrives, so that a broken link resumes. Nothing here is readable without
 * this device's keys, and all of it may be lost: the hub gives the same answer again. */
#include "node/internal.h"

#include "sync/bundle.h"

static enum err answer_path(const struct node *n, char out[NODE_PATH_MAX], struct why *why)
{
    char dir[NODE_PATH_MAX];
    enum err e = path_join(dir, sizeof dir, n->home, "spool", why);
    return e == ERR_OK ? path_join(out, NODE_PATH_MAX, dir, "answer", why) : e;
}

enum err spool_answer_size(struct node *n, uint64_t *out, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = answer_path(n, path, why);
    if (e != ERR_OK) return e;
    e = n->env->file_size(n->env->ctx, path, out, NULL);
    if (e == ERR_NOTFOUND) {
        *out = 0;
        return ERR_OK;
    }
    return e == ERR_OK ? ERR_OK : why_set(why, e, "What was fetched of the MASH server's answer cannot be read.");
}

/* Not made durable: what a crash takes is fetched again, and what it garbles does not authenticate. The folder may have
 * been tidied away by somebody. */
enum err spool_put_answer(struct node *n, uint64_t at, struct bytes piece, struct why *why)
{
    char dir[NODE_PATH_MAX], path[NODE_PATH_MAX];
    if (piece.n > BUNDLE_MAX || at > BUNDLE_MAX - piece.n)
        return why_set(why, ERR_LIMIT, "The MASH server's answer is larger than any that this device takes.");
    enum err e = answer_path(n, path, why);
    if (e == ERR_OK && at == 0) e = path_join(dir, sizeof dir, n->home, "spool", why);
    if (e == ERR_OK && at == 0) e = n->env->make_dir(n->env->ctx, dir, why);
    return e == ERR_OK ? n->env->append_file(n->env->ctx, path, at, piece, false, why) : e;
}

enum err spool_get_answer(struct node *n, struct buf *out, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = answer_path(n, path, why);
    return e == ERR_OK ? n->env->read_file(n->env->ctx, path, BUNDLE_MAX, out, why) : e;
}

enum err spool_drop_answer(struct node *n, struct why *why)
{
    char path[NODE_PATH_MAX];
    enum err e = answer_path(n, path, why);
    return e == ERR_OK ? n->env->remove_file(n->env->ctx, path, why) : e;
}
