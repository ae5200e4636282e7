/* base/env.h: the real world's clock, randomness and files. */
#include "base/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[128];
    struct buf b;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    if (p == NULL || snprintf(p->dir, sizeof p->dir, "%s/spoke-env-XXXXXX", tmp == NULL ? "/tmp" : tmp) < 0 ||
        mkdtemp(p->dir) == NULL)
        return -1;
    buf_init(&p->b, 1 << 20);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    char command[160];
    buf_release(&p->b);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    int rc = system(command);
    free(p);
    return rc;
}

static const char *in(const struct place *p, const char *name, char *out)
{
    assert_int_equal(path_join(out, PATH_MAX, p->dir, name, NULL), ERR_OK);
    return out;
}

static size_t files_in(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void assert_content(struct place *p, const char *path, const char *want)
{
    const struct env *e = env_posix();
    buf_reset(&p->b);
    assert_int_equal(e->read_file(e->ctx, path, 1 << 20, &p->b, NULL), ERR_OK);
    assert_string_equal(buf_cstr(&p->b), want);
}

static void env_write_replaces_whole_and_private(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX];
    (void)in(p, "replaced", path);
    mode_t before = umask(0);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("first"), NULL), ERR_OK);
    assert_content(p, path, "first");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("2nd"), NULL), ERR_OK);
    assert_content(p, path, "2nd");
    assert_int_equal(e->write_file(e->ctx, path, bytes_of(NULL, 0), NULL), ERR_OK);
    assert_content(p, path, "");
    (void)umask(before);
    assert_int_equal(files_in(p->dir), 1); /* no temporary left */
    assert_int_equal(e->remove_file(e->ctx, path, NULL), ERR_OK);
    assert_int_equal(e->remove_file(e->ctx, path, NULL), ERR_OK); /* a missing file is fine */
}

/* A limit on file sizes stands for a full disk: the write fails in the middle. */
static void env_failed_write_leaves_the_old_content(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    struct rlimit was, small = {.rlim_cur = 1000};
    char path[PATH_MAX];
    uint8_t big[5000] = {0};
    struct why why = {0};
    (void)in(p, "kept", path);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("old"), NULL), ERR_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err replaced = e->write_file(e->ctx, path, bytes_of(big, sizeof big), &why);
    enum err appended = e->append_file(e->ctx, path, 3, bytes_of(big, sizeof big), true, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(replaced, ERR_IO);
    assert_int_equal(appended, ERR_IO);
    assert_true(strlen(why.text) > 0);
    assert_content(p, path, "old");
    assert_int_equal(files_in(p->dir), 1);
    assert_int_equal(e->remove_file(e->ctx, path, NULL), ERR_OK);
}

static void env_full_disk_has_its_own_error(void **state)
{
    (void)state;
    const struct env *e = env_posix();
    struct why why = {0};
    if (access("/dev/full", W_OK) != 0) skip();
    assert_int_equal(e->append_file(e->ctx, "/dev/full", 0, bytes_of_str("x"), false, &why), ERR_FULL);
    assert_true(strlen(why.next) > 0);
}

static void env_write_into_a_missing_folder_is_an_io_error(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX];
    (void)in(p, "no/such/file", path);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("x"), NULL), ERR_IO);
    assert_int_equal(e->append_file(e->ctx, path, 0, bytes_of_str("x"), false, NULL), ERR_IO);
}

static void env_read_refuses_missing_large_and_odd_files(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX];
    (void)in(p, "read", path);
    buf_reset(&p->b);
    buf_put_str(&p->b, "kept");
    assert_int_equal(e->read_file(e->ctx, path, 10, &p->b, NULL), ERR_NOTFOUND);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("12345"), NULL), ERR_OK);
    assert_int_equal(e->read_file(e->ctx, path, 4, &p->b, NULL), ERR_LIMIT);
    assert_int_equal(e->read_file(e->ctx, p->dir, 10, &p->b, NULL), ERR_IO); /* a folder */
    assert_string_equal(buf_cstr(&p->b), "kept");
    assert_int_equal(e->read_file(e->ctx, path, 5, &p->b, NULL), ERR_OK); /* appends */
    assert_string_equal(buf_cstr(&p->b), "kept12345");
    struct buf small;
    buf_init(&small, 3);
    assert_int_equal(e->read_file(e->ctx, path, 100, &small, NULL), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    buf_release(&small);
    assert_int_equal(e->remove_file(e->ctx, path, NULL), ERR_OK);
}

static void env_read_takes_a_pipe_too(void **state)
{
    struct place *p = *state;
    int fd[2];
    char path[64];
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], "from a pipe", 11), 11);
    (void)close(fd[1]);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", fd[0]);
    assert_content(p, path, "from a pipe");
    (void)close(fd[0]);
}

static void env_append_keeps_to_the_offset(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX];
    uint64_t size = 99;
    (void)in(p, "log", path);
    assert_int_equal(e->file_size(e->ctx, path, &size, NULL), ERR_NOTFOUND);
    assert_int_equal(size, 99);
    assert_int_equal(e->append_file(e->ctx, path, 0, bytes_of_str("abc"), true, NULL), ERR_OK);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(e->append_file(e->ctx, path, 3, bytes_of_str("def"), false, NULL), ERR_OK);
    assert_int_equal(e->file_size(e->ctx, path, &size, NULL), ERR_OK);
    assert_int_equal(size, 6);
    assert_int_equal(e->append_file(e->ctx, path, 3, bytes_of_str("X"), false, NULL), ERR_IO);
    assert_int_equal(e->append_file(e->ctx, path, 7, bytes_of_str("X"), false, NULL), ERR_IO);
    assert_content(p, path, "abcdef");
    assert_int_equal(e->append_file(e->ctx, path, 0, bytes_of_str("new"), true, NULL), ERR_OK);
    assert_content(p, path, "new");
    assert_int_equal(e->remove_file(e->ctx, path, NULL), ERR_OK);
}

static void env_makes_folders_with_their_parents(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX], file[PATH_MAX];
    mode_t before = umask(0);
    (void)in(p, "a/b/c", path);
    assert_int_equal(e->make_dir(e->ctx, path, NULL), ERR_OK);
    assert_int_equal(e->make_dir(e->ctx, path, NULL), ERR_OK); /* again is fine */
    (void)umask(before);
    assert_int_equal(mode_of(path), 0700);
    (void)in(p, "a", path);
    assert_int_equal(mode_of(path), 0700);
    (void)in(p, "a/", path);
    assert_int_equal(e->make_dir(e->ctx, path, NULL), ERR_OK);
    (void)in(p, "a/file", file);
    assert_int_equal(e->write_file(e->ctx, file, bytes_of_str("x"), NULL), ERR_OK);
    assert_int_equal(e->make_dir(e->ctx, file, NULL), ERR_IO); /* a file is in the way */
    (void)in(p, "a/file/d", path);
    assert_int_equal(e->make_dir(e->ctx, path, NULL), ERR_IO);
    assert_int_equal(e->make_dir(e->ctx, "", NULL), ERR_LIMIT);
}

/* A second name of the file shows what became of its bytes. */
static void env_shred_overwrites_the_bytes_where_they_lie(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX], twin[PATH_MAX];
    static const size_t sizes[] = {0, 1, 40, 16384, 50001};
    static uint8_t old[50001];
    memset(old, 0x5e, sizeof old);
    (void)in(p, "shredded", path);
    (void)in(p, "twin", twin);
    size_t before = files_in(p->dir);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(e->write_file(e->ctx, path, bytes_of(old, sizes[i]), NULL), ERR_OK);
        assert_int_equal(link(path, twin), 0);
        assert_int_equal(e->shred_file(e->ctx, path, NULL), ERR_OK);
        assert_int_equal(access(path, F_OK), -1);
        buf_reset(&p->b);
        assert_int_equal(e->read_file(e->ctx, twin, 1 << 20, &p->b, NULL), ERR_OK);
        assert_int_equal(p->b.len, sizes[i]);
        for (size_t at = 0; at + 40 <= sizes[i]; at += 40) assert_memory_not_equal(p->b.data + at, old, 40);
        if (sizes[i] >= 40) assert_memory_not_equal(p->b.data + sizes[i] - 40, old, 40);
        assert_int_equal(unlink(twin), 0);
    }
    assert_int_equal(e->shred_file(e->ctx, path, NULL), ERR_OK); /* a missing file is fine */
    assert_int_equal(files_in(p->dir), before);
}

/* write_file of "secret" whose power failed leaves secret.tmp-…: as good as the secret. Others' stay. */
static void env_shred_takes_what_a_write_that_was_cut_off_left(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX], half[PATH_MAX], other[PATH_MAX];
    (void)in(p, "secret", path);
    (void)in(p, "secret.tmp-a1B2c3", half);
    (void)in(p, "secretary.tmp-a1B2c3", other);
    size_t before = files_in(p->dir);
    for (int i = 0; i < 2; i++) { /* with the file itself, and without it */
        if (i == 0) assert_int_equal(e->write_file(e->ctx, path, bytes_of("whole", 5), NULL), ERR_OK);
        assert_int_equal(e->write_file(e->ctx, half, bytes_of("half", 4), NULL), ERR_OK);
        assert_int_equal(e->write_file(e->ctx, other, bytes_of("other", 5), NULL), ERR_OK);
        assert_int_equal(e->shred_file(e->ctx, path, NULL), ERR_OK);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(access(half, F_OK), -1);
        assert_int_equal(access(other, F_OK), 0);
    }
    assert_int_equal(unlink(other), 0);
    assert_int_equal(files_in(p->dir), before);
}

static void env_shred_takes_what_may_not_be_written_and_what_a_link_leads_to(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX], link_path[PATH_MAX];
    (void)in(p, "read-only", path);
    (void)in(p, "link", link_path);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of_str("a secret of the machine"), NULL), ERR_OK);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(e->shred_file(e->ctx, link_path, NULL), ERR_OK);
    struct stat st;
    assert_int_equal(lstat(link_path, &st), -1);
    buf_reset(&p->b);
    assert_int_equal(e->read_file(e->ctx, path, 1 << 20, &p->b, NULL), ERR_OK);
    assert_int_equal(p->b.len, 23);
    assert_memory_not_equal(p->b.data, "a secret of the machine", 23);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(e->shred_file(e->ctx, path, NULL), ERR_OK);
    assert_int_equal(symlink(path, link_path), 0); /* it leads nowhere */
    assert_int_equal(e->shred_file(e->ctx, link_path, NULL), ERR_OK);
    assert_int_equal(lstat(link_path, &st), -1);
}

/* Who can write the folder, and no more, must not lead us to other files, nor keep us from the end. */
static void env_shred_follows_nothing_that_only_looks_like_a_cut_off_write(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX], others[PATH_MAX], planted[PATH_MAX], pipe_path[PATH_MAX];
    (void)in(p, "secret", path);
    (void)in(p, "somebody's thesis", others);
    (void)in(p, "secret.tmp-linked", planted);
    (void)in(p, "secret.tmp-piped", pipe_path);
    assert_int_equal(e->write_file(e->ctx, path, bytes_of("whole", 5), NULL), ERR_OK);
    assert_int_equal(e->write_file(e->ctx, others, bytes_of("years of work", 13), NULL), ERR_OK);
    assert_int_equal(symlink(others, planted), 0);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(e->shred_file(e->ctx, path, NULL), ERR_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(e->shred_file(e->ctx, pipe_path, NULL), ERR_IO); /* and does not wait for a reader */
    buf_reset(&p->b);
    assert_int_equal(e->read_file(e->ctx, others, 1 << 20, &p->b, NULL), ERR_OK);
    assert_int_equal(p->b.len, 13);
    assert_memory_equal(p->b.data, "years of work", 13);
    assert_int_equal(unlink(planted) | unlink(pipe_path) | unlink(others), 0);
}

static void env_shred_refuses_what_is_no_file(void **state)
{
    struct place *p = *state;
    const struct env *e = env_posix();
    char path[PATH_MAX];
    struct why why = {0};
    (void)in(p, "a folder", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(e->shred_file(e->ctx, path, &why), ERR_IO);
    assert_true(why.text[0] != '\0');
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(e->shred_file(e->ctx, "/dev/null", NULL), ERR_IO);
    assert_int_equal(access("/dev/null", F_OK), 0);
}

static void env_ids_are_uuid_version_7_and_differ(void **state)
{
    (void)state;
    const struct env *e = env_posix();
    uint8_t a[16], b[16];
    int64_t before = env_now(e);
    env_new_id(e, a);
    env_new_id(e, b);
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | a[i];
    assert_true(ms >= before && ms <= env_now(e));
    assert_int_equal(a[6] >> 4, 7);
    assert_int_equal(a[8] >> 6, 2);
    assert_memory_not_equal(a, b, 16);
    assert_true(llabs((long long)before / 1000 - (long long)time(NULL)) <= 2);
}

static int64_t clock_before_1970(void *ctx)
{
    (void)ctx;
    return -1;
}

static void ones(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0xff, n);
}

static void env_id_of_a_broken_clock_is_still_an_id(void **state)
{
    (void)state;
    const struct env e = {.now_ms = clock_before_1970, .random = ones};
    uint8_t id[16];
    static const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    env_new_id(&e, id);
    assert_memory_equal(id, want, 16);
}

static void env_steady_clock_never_goes_back_and_is_not_the_wall_clock(void **state)
{
    (void)state;
    const struct env *e = env_posix();
    const struct env without = {.now_ms = clock_before_1970};
    int64_t before = env_steady(e), wall = env_now(e);
    assert_true(before > 0 && before < wall);
    for (int i = 0; i < 1000; i++) {
        int64_t now = env_steady(e);
        assert_true(now >= before);
        before = now;
    }
    assert_int_equal(env_steady(&without), env_now(&without));
}

static void path_join_refuses_what_does_not_fit(void **state)
{
    (void)state;
    char out[6] = "same";
    assert_int_equal(path_join(out, sizeof out, "abc", "de", NULL), ERR_LIMIT);
    assert_int_equal(path_join(out, sizeof out, "abcdefgh", "", NULL), ERR_LIMIT);
    assert_int_equal(path_join(out, sizeof out, "", "abcdefgh", NULL), ERR_LIMIT);
    assert_int_equal(path_join(out, 0, "", "", NULL), ERR_LIMIT);
    assert_string_equal(out, "same");
    assert_int_equal(path_join(out, sizeof out, "ab", "de", NULL), ERR_OK);
    assert_string_equal(out, "ab/de");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(env_write_replaces_whole_and_private),
        cmocka_unit_test(env_failed_write_leaves_the_old_content),
        cmocka_unit_test(env_full_disk_has_its_own_error),
        cmocka_unit_test(env_write_into_a_missing_folder_is_an_io_error),
        cmocka_unit_test(env_read_refuses_missing_large_and_odd_files),
        cmocka_unit_test(env_read_takes_a_pipe_too),
        cmocka_unit_test(env_append_keeps_to_the_offset),
        cmocka_unit_test(env_makes_folders_with_their_parents),
        cmocka_unit_test(env_shred_overwrites_the_bytes_where_they_lie),
        cmocka_unit_test(env_shred_takes_what_a_write_that_was_cut_off_left),
        cmocka_unit_test(env_shred_takes_what_may_not_be_written_and_what_a_link_leads_to),
        cmocka_unit_test(env_shred_follows_nothing_that_only_looks_like_a_cut_off_write),
        cmocka_unit_test(env_shred_refuses_what_is_no_file),
        cmocka_unit_test(env_ids_are_uuid_version_7_and_differ),
        cmocka_unit_test(env_id_of_a_broken_clock_is_still_an_id),
        cmocka_unit_test(env_steady_clock_never_goes_back_and_is_not_the_wall_clock),
        cmocka_unit_test(path_join_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
