#include "tests/lib/mock_hub.h"

#include "sync/bundle.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void must(enum err e, const struct why *why)
{
    if (e != ERR_OK) print_error("%s: %s\n", err_word(e), why->text);
    assert_int_equal(e, ERR_OK);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void mock_world_bare(struct mock_world *w)
{
    struct why why = {0};
    const char *tmp = getenv("TMPDIR");
    memset(w, 0, sizeof *w);
    must(secret_start(&why), &why);
    (void)snprintf(w->dir, sizeof w->dir, "%s/spoke-XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->home, sizeof w->home, "%s/home", w->dir);
    w->env = *env_posix();
    must(identity_generate(&w->hub.id, &why), &why);
    must(identity_generate(&w->hub.recovery, &why), &why);
    memset(w->hub.token, 7, sizeof w->hub.token);
    buf_init(&w->hub.last, BUNDLE_MAX);
}

void mock_world_new(struct mock_world *w)
{
    struct why why = {0};
    struct invitation code;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    struct bytes pass = bytes_of_str(MOCK_PASSPHRASE);
    mock_world_bare(w);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    mock_hub_invite(&w->hub, &code);
    mock_hub_public(&w->hub, keys);
    must(node_enrol_begin(&w->env, w->home, pass, &code, bytes_of(keys, sizeof keys), "Mair Evans", &request, &why),
         &why);
    mock_hub_enrol(&w->hub, buf_bytes(&request), &answer);
    must(node_enrol_finish(&w->env, w->home, pass, buf_bytes(&answer), &why), &why);
    must(node_open(&w->node, &w->env, w->home, pass, &why), &why);
    buf_release(&request);
    buf_release(&answer);
}

void mock_world_reopen(struct mock_world *w)
{
    struct why why = {0};
    node_close(w->node);
    w->node = NULL;
    must(node_open(&w->node, &w->env, w->home, bytes_of_str(MOCK_PASSPHRASE), &why), &why);
}

void mock_world_free(struct mock_world *w)
{
    node_close(w->node);
    identity_release(&w->hub.id);
    identity_release(&w->hub.recovery);
    buf_release(&w->hub.last);
    mock_request_release(&w->hub.seen);
    (void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void mock_world_path(const struct mock_world *w, const char *name, char out[160])
{
    (void)snprintf(out, 160, "%s/%s", w->home, name);
}
