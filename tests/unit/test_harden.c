#include "cli/harden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, so that nothing of it stays: 0 when `claim` holds. */
static void must_hold_in_a_child(bool (*claim)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(claim() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---------------------------------------------------------------------------------------------------------- start */
static bool makes_private_files(void)
{
    char dir[] = "/tmp/spoke-harden-XXXXXX", path[60];
    struct stat st;
    (void)umask(0);
    if (harden_start(NULL) != ERR_OK || mkdtemp(dir) == NULL) return false;
    (void)snprintf(path, sizeof path, "%s/new", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600;
    (void)unlink(path);
    (void)rmdir(dir);
    return ok;
}
static void new_files_are_their_owners_alone(void **state)
{
    (void)state;
    must_hold_in_a_child(makes_private_files);
}

static bool opens_what_is_closed(void)
{
    (void)close(0);
    (void)close(1);
    (void)close(2);
    if (harden_start(NULL) != ERR_OK) return false;
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0) return false;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return next > 2; /* a replica opened as descriptor 2 would be written into by the next message */
}
static void a_program_started_without_output_writes_its_messages_into_no_file(void **state)
{
    (void)state;
    must_hold_in_a_child(opens_what_is_closed);
}

/* --------------------------------------------------------------------------------------------------------- memory */
static long locked_kib(void)
{
    char line[200];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmLck: %ld kB", &kib) == 1) break;
    if (f != NULL) (void)fclose(f);
    return kib;
}

static bool locks_what_comes_later(void)
{
    if (!harden_memory()) return false;
    long before = locked_kib();
    void *p = mmap(NULL, 8u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && before > 0 && locked_kib() >= before + 8192;
}
static void where_it_is_allowed_all_memory_is_kept_off_the_disk(void **state)
{
    (void)state;
    struct rlimit l;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &l), 0);
    if (geteuid() != 0 && l.rlim_max != RLIM_INFINITY) skip();
    must_hold_in_a_child(locks_what_comes_later);
}

static bool works_on_with_little(void)
{
    struct rlimit l = {.rlim_cur = 32768, .rlim_max = 65536};
    if (setrlimit(RLIMIT_MEMLOCK, &l) != 0) return false;
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
        return false;
    if (harden_memory()) return false; /* with a limit nothing is promised */
    if (getrlimit(RLIMIT_MEMLOCK, &l) != 0 || l.rlim_cur != 65536)
        return false; /* but all of it is there for the keys */
    void *p = malloc(32u << 20);
    if (p == NULL) return false;
    memset(p, 1, 32u << 20);
    free(p);
    return locked_kib() == 0;
}
static void under_a_limit_no_allocation_fails_for_it(void **state)
{
    (void)state;
    must_hold_in_a_child(works_on_with_little);
}

/* ----------------------------------------------------------------------------------------------------------- swap */
#define HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

struct asked {
    const char *safe; /* the one that is */
    char names[400];
};
static bool is_safe(void *ctx, const char *path)
{
    struct asked *a = ctx;
    strcat(strcat(a->names, path), ";");
    return a->safe != NULL && strcmp(a->safe, path) == 0;
}

static void no_swap_is_no_danger(void **state)
{
    struct asked a = {.safe = NULL};
    (void)state;
    assert_false(harden_swap_is_plain(bytes_of_str(HEADING), is_safe, &a));
    assert_false(harden_swap_is_plain(bytes_of_str(""), is_safe, &a));
    assert_string_equal(a.names, "");
}

static void one_plain_swap_among_encrypted_ones_is_a_danger(void **state)
{
    struct asked a = {.safe = "/dev/dm-1"};
    static const char both[] = HEADING "/dev/dm-1                               partition\t999\t0\t-2\n"
                                       "/swapfile                               file\t\t999\t0\t-3\n";
    static const char one[] = HEADING "/dev/dm-1                               partition\t999\t0\t-2";
    (void)state;
    assert_true(harden_swap_is_plain(bytes_of_str(both), is_safe, &a));
    assert_string_equal(a.names, "/dev/dm-1;/swapfile;");
    assert_false(harden_swap_is_plain(bytes_of_str(one), is_safe, &a));
}

static void a_swap_file_with_a_blank_in_its_name_is_found(void **state)
{
    struct asked a = {.safe = "/var/my swap\\file"};
    (void)state;
    assert_false(
        harden_swap_is_plain(bytes_of_str(HEADING "/var/my\\040swap\\134file file\t\t999\t0\t-3\n"), is_safe, &a));
    assert_string_equal(a.names, "/var/my swap\\file;");
}

/* ----------------------------------------------------------------------------------------------------------- home */
static void a_home_that_others_may_read_write_or_enter_is_refused(void **state)
{
    char home[] = "/tmp/spoke-harden-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(home));
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        struct why why = {0};
        assert_int_equal(chmod(home, 0700 | bit), 0);
        assert_int_equal(harden_home(home, "spoke", &why), ERR_DENIED);
        assert_non_null(strstr(why.text, home));
        assert_non_null(strstr(why.next, "chmod 700"));
        assert_non_null(strstr(why.next, home));
    }
    assert_int_equal(chmod(home, 0700), 0);
    assert_int_equal(harden_home(home, "spoke", NULL), ERR_OK);
    assert_int_equal(chmod(home, 0500), 0);
    assert_int_equal(harden_home(home, "spoke", NULL), ERR_OK); /* a medium that cannot be written */
    assert_int_equal(rmdir(home), 0);
}

static void another_users_home_is_refused_and_whose_it_is_is_said(void **state)
{
    char home[] = "/tmp/spoke-harden-XXXXXX";
    struct why why = {0};
    (void)state;
    if (geteuid() != 0) skip();
    assert_non_null(mkdtemp(home));
    assert_int_equal(chown(home, 65534, 65534), 0);
    assert_int_equal(harden_home(home, "spoke-hub", &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "another user"));
    assert_non_null(strstr(why.next, "--home"));
    assert_int_equal(chown(home, 1999999, 65534), 0); /* of nobody who has a name here */
    assert_int_equal(harden_home(home, "spoke-hub", &why), ERR_DENIED);
    assert_non_null(strstr(why.next, "--home"));
    assert_int_equal(rmdir(home), 0);
}

static void a_home_that_is_not_there_yet_is_for_others_to_judge(void **state)
{
    (void)state;
    assert_int_equal(harden_home("/tmp/spoke-harden-none/home", "spoke", NULL), ERR_OK);
    assert_int_equal(harden_home("/dev/null", "spoke", NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_files_are_their_owners_alone),
        cmocka_unit_test(a_program_started_without_output_writes_its_messages_into_no_file),
        cmocka_unit_test(where_it_is_allowed_all_memory_is_kept_off_the_disk),
        cmocka_unit_test(under_a_limit_no_allocation_fails_for_it),
        cmocka_unit_test(no_swap_is_no_danger),
        cmocka_unit_test(one_plain_swap_among_encrypted_ones_is_a_danger),
        cmocka_unit_test(a_swap_file_with_a_blank_in_its_name_is_found),
        cmocka_unit_test(a_home_that_others_may_read_write_or_enter_is_refused),
        cmocka_unit_test(another_users_home_is_refused_and_whose_it_is_is_said),
        cmocka_unit_test(a_home_that_is_not_there_yet_is_for_others_to_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
