#include "tests/lib/wiped_home.h"

#include "tests/lib/intake_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int is_left(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    if (flag == FTW_F && strcmp(path + ftw->base, "wipe") != 0) fail_msg("%s is left", path);
    return 0;
}

void home_is_gone(const char *home)
{
    assert_int_equal(nftw(home, is_left, 16, FTW_PHYS), 0);
    assert_non_null(home_has(home, "wipe"));
}

const char *home_has(const char *home, const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", home, name);
    return access(path, F_OK) == 0 ? path : NULL;
}

/* ------------------------------------------------------------------------------------------------------- faults */

/* Shall this change be made, and shall it seem to have been? */
static bool make(struct faulty *f, bool *seems)
{
    f->n++;
    bool cut = f->kind != HOME_FAIL;
    *seems = f->at == 0 || f->n < f->at || (!cut && f->n > f->at);
    return *seems || (f->kind == HOME_CUT_AFTER && f->n == f->at);
}

static enum err end(enum err e, bool seems, struct why *why)
{
    return seems ? e : why_set(why, ERR_IO, "The disk failed.");
}

static int64_t now_ms(void *ctx)
{
    struct faulty *f = ctx;
    return f->real.now_ms(f->real.ctx);
}

static void draw(void *ctx, void *out, size_t n)
{
    struct faulty *f = ctx;
    f->real.random(f->real.ctx, out, n);
}

static enum err read_file(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    struct faulty *f = ctx;
    return f->real.read_file(f->real.ctx, path, max, out, why);
}

static enum err file_size(void *ctx, const char *path, uint64_t *out, struct why *why)
{
    struct faulty *f = ctx;
    return f->real.file_size(f->real.ctx, path, out, why);
}

static enum err write_file(void *ctx, const char *path, struct bytes content, struct why *why)
{
    struct faulty *f = ctx;
    bool seems = false;
    enum err e = make(f, &seems) ? f->real.write_file(f->real.ctx, path, content, why) : ERR_OK;
    return end(e, seems, why);
}

static enum err append_file(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                            struct why *why)
{
    struct faulty *f = ctx;
    bool seems = false;
    enum err e = make(f, &seems) ? f->real.append_file(f->real.ctx, path, offset, content, sync, why) : ERR_OK;
    return end(e, seems, why);
}

static bool is_stubborn(const struct faulty *f, const char *path)
{
    const char *name = strrchr(path, '/');
    return f->stubborn != NULL && name != NULL && strcmp(name + 1, f->stubborn) == 0;
}

static enum err remove_file(void *ctx, const char *path, struct why *why)
{
    struct faulty *f = ctx;
    bool seems = false;
    if (is_stubborn(f, path)) return end(ERR_IO, false, why);
    enum err e = make(f, &seems) ? f->real.remove_file(f->real.ctx, path, why) : ERR_OK;
    return end(e, seems, why);
}

static enum err shred_file(void *ctx, const char *path, struct why *why)
{
    static const char noise[] = "no bytes of before";
    struct faulty *f = ctx;
    bool seems = false;
    if (is_stubborn(f, path)) return end(ERR_IO, false, why);
    enum err e = make(f, &seems) ? f->real.shred_file(f->real.ctx, path, why) : ERR_OK;
    if (f->kind == HOME_CUT_WITHIN && f->n == f->at && access(path, F_OK) == 0)
        e = f->real.append_file(f->real.ctx, path, 0, bytes_of(noise, sizeof noise), true, why);
    return end(e, seems, why);
}

static enum err make_dir(void *ctx, const char *path, struct why *why)
{
    struct faulty *f = ctx;
    return f->real.make_dir(f->real.ctx, path, why);
}

void faulty_start(struct faulty *f, struct env *env, enum home_fault kind, uint64_t at)
{
    *f = (struct faulty){.real = *env, .kind = kind, .at = at};
    env->ctx = f;
    env->now_ms = now_ms;
    env->random = draw;
    env->read_file = read_file;
    env->write_file = write_file;
    env->append_file = append_file;
    env->file_size = file_size;
    env->remove_file = remove_file;
    env->shred_file = shred_file;
    env->make_dir = make_dir;
}

void faulty_stop(struct faulty *f, struct env *env)
{
    *env = f->real;
}

/* -------------------------------------------------------------------------------------------------------- the door */

static enum err post(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why)
{
    struct real_door *d = ctx;
    assert_string_equal(address, "http://127.0.0.1:8470");
    d->visits++;
    if (d->down) return why_set(why, ERR_UNREACHABLE, "Nobody answers.");
    enum err e = hub_door(hub->hub, request, answer, why);
    buf_reset(&d->answer);
    buf_put_bytes(&d->answer, buf_bytes(answer));
    return e;
}

struct door_way real_door(struct real_door *d)
{
    *d = (struct real_door){0};
    buf_init(&d->answer, 1u << 20);
    return (struct door_way){.ctx = d, .post = post};
}

/* ---------------------------------------------------------------------------------------------------- a device */

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* A device of the school; its key id. */
void home_join(struct real_device *d, uint8_t kid[KID_BYTES])
{
    struct why why = {0};
    struct node_info i;
    real_join(d, "school-1", "school", "Tina");
    (void)real_sync(d, ERR_OK);
    MUST(node_get_info(d->n, &i, &why));
    memcpy(kid, i.self.kid, KID_BYTES);
}

void home_order_wipe(const uint8_t kid[KID_BYTES], bool at_once)
{
    struct why why = {0};
    MUST(hub_wipe(hub->hub, kid, "left on a train", at_once, &why));
}

void home_is_state(const uint8_t kid[KID_BYTES], const char *want)
{
    char state[16];
    assert_string_equal(real_state(kid, state), want);
}

void home_open_for_hub(struct real_device *d)
{
    struct why why = {0};
    const struct node_key key = {.passphrase = bytes_of_str(REAL_PASSPHRASE)};
    MUST(node_open_as(&d->n, &d->env, d->home, &key, NODE_FOR_HUB, &why));
}

/* The hub learns that it is done, and says so. */
void home_report(struct real_device *d, const uint8_t kid[KID_BYTES])
{
    struct real_door door;
    struct knock_result r;
    struct why why = {0};
    const struct door_way via = real_door(&door);
    assert_int_equal(node_knock(&d->env, d->home, &via, &r, &why), ERR_REFUSED);
    assert_true(r.wiped && r.recorded);
    home_is_state(kid, "wiped");
    assert_int_equal(node_knock(&d->env, d->home, &via, &r, &why), ERR_REFUSED);
    assert_true(r.wiped && r.recorded && door.visits == 1); /* once is enough */
    assert_non_null(strstr(why.text, "was wiped"));
    assert_non_null(strstr(why.next, "enrol"));
    buf_release(&door.answer);
}

/* A carrier that reaches the hub so many times. */
struct link {
    unsigned left;
};
static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct link *l = ctx;
    struct buf answer;
    (void)from;
    (void)wait_ms;
    if (l->left == 0) return why_set(why, ERR_UNREACHABLE, "The link broke.");
    l->left--;
    buf_init(&answer, BUNDLE_MAX);
    enum err e = hub_exchange(hub->hub, request, false, &answer, NULL, why);
    if (e == ERR_OK) e = sink(sink_ctx, buf_bytes(&answer), why);
    buf_release(&answer);
    return e;
}

enum err home_sync_over(struct real_device *d, unsigned exchanges)
{
    struct link l = {exchanges};
    const struct carrier via = {.ctx = &l, .exchange = exchange};
    struct round_result r;
    d->why = (struct why){0};
    return node_sync(d->n, &via, NULL, &r, &d->why);
}
