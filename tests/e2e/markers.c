/* markers: secrets of a test, planted in what people write, and the search for them where they must never be.
 *   new N                         N fresh secrets of 26 letters, one a line
 *   files LIST DIR... [option]    is one of the strings of LIST (one a line) in a file below the folders? Also in
 *                                 UTF-16, hexadecimal and base64.  --newer FILE: only in files changed after FILE was.
 *                                 --not PATH: not in this one, or below it
 *   live LIST BIN PLACE [option]  … in the memory of a live process whose program lies in BIN and whose arguments or
 *                                 environment name PLACE, where that memory may be written to swap, or in its open
 *                                 files; and may it leave a core file?  --keys HOME PASSFILE: also a home's data key
 *   hold LIST [--locked]          for `live` to find: a process that has the strings in memory that may swap (or may
 *                                 not), says "ready", and waits for the end of standard input
 *   plain FILE LIST               for `files` to find: a database that is not encrypted, with the strings in it
 *   peek PID                      may a process of the same user, without any privilege, read the memory of PID?
 * files, live and peek exit 1 when they found something, 0 when not, 77 when the system does not let them look. What
 * they print names the line of LIST, never the secret. */
#include "tests/lib/home.h"
#include "tests/lib/needles.h"
#include "tests/lib/proc.h"

#include "crypto/keyslot.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/capability.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A build with sanitizers keeps copies of everything, locks no memory, and lets its leak checker look into itself. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define PIECE      (1u << 20)
#define WORDS_MAX  16u
#define MARK_CHARS 26u /* 130 bits */
#define CANNOT     77

struct search {
    struct needles needles;
    size_t lines;     /* strings searched for */
    size_t too_short; /* of the list, left out */
    size_t files, open_files, processes, maps, locked;
    uint64_t bytes;
    size_t found;
    const char *where; /* what is looked at */
    uint8_t *room;     /* owned: a piece, and the end of the one before */
    const char *skip[WORDS_MAX];
    size_t n_skip;
    struct timespec newer; /* zeros: all */
    pid_t pid;
    int mem;
    bool blind; /* something could not be read */
};

static void fail(const char *what)
{
    fprintf(stderr, "markers: %s: %s\n", what, strerror(errno));
    exit(70);
}

/* ------------------------------------------------------------------------------------------------ what to find */
static void each_line(const char *file, void (*each)(void *ctx, size_t no, struct bytes line), void *ctx)
{
    struct buf text;
    size_t no = 0;
    buf_init(&text, 64u << 20);
    home_read(file, &text);
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t n = (end != NULL ? (size_t)(end - text.data) : text.len) - at;
        each(ctx, ++no, bytes_of(text.data + at, n));
        at += n + 1;
    }
    explicit_bzero(text.data, text.len);
    buf_release(&text);
}

static void add_line(void *ctx, size_t no, struct bytes line)
{
    struct search *s = ctx;
    char name[60];
    (void)snprintf(name, sizeof name, "line %zu of the list", no);
    if (needles_add(&s->needles, name, line))
        s->lines++;
    else
        s->too_short++;
}

static void search_init(struct search *s, const char *list)
{
    *s = (struct search){.mem = -1};
    needles_init(&s->needles);
    each_line(list, add_line, s);
    if (s->lines == 0) {
        fprintf(stderr, "markers: nothing in %s is long enough to be searched for\n", list);
        exit(64);
    }
    s->room = malloc(PIECE + NEEDLE_MAX);
    if (s->room == NULL) abort();
}

/* The data key of a home, without opening its store, which another program may have open. */
static void add_keys(struct search *s, const char *home, const char *pass_file)
{
    struct why why = {0};
    struct keyring ring = {0};
    struct secret pass = home_passphrase(pass_file);
    char path[4096], device[4096];
    home_must(path_join(path, sizeof path, home, "hub.key", &why), &why);
    bool hub = access(path, F_OK) == 0;
    home_must(path_join(path, sizeof path, home, hub ? "hub.key" : "replica.key", &why), &why);
    home_must(path_join(device, sizeof device, home, "device.secret", &why), &why);
    const struct keyfile at = {path, hub ? NULL : device};
    home_must(keyslot_open(env_posix(), &at, bytes_of(pass.p, pass.n), &ring, &why), &why);
    struct secret key = keyring_data_key(&ring);
    if (!needles_add(&s->needles, "the data key of a home", bytes_of(key.p, key.n))) abort();
    if (needles_add(&s->needles, "a passphrase", bytes_of(pass.p, pass.n))) s->lines++;
    s->lines++;
    keyring_release(&ring);
    secret_release(&pass);
}

/* ------------------------------------------------------------------------------------------------------- looking */
static void found(void *ctx, const struct needle *x, size_t at)
{
    struct search *s = ctx;
    (void)at;
    s->found++;
    if (s->found <= 40) printf("%s, %s, is in %s\n", x->what, x->form, s->where);
}

/* From `from` to `to`, or to the end, piece by piece; each begins with the end of the one before. */
static void look_at(struct search *s, int fd, uint64_t from, uint64_t to)
{
    size_t kept = 0;
    while (from < to) {
        size_t want = to - from < PIECE ? (size_t)(to - from) : PIECE;
        ssize_t got = pread(fd, s->room + kept, want, (off_t)from);
        if (got <= 0) return; /* the end, or memory that is gone or holds nothing */
        size_t n = kept + (size_t)got;
        needles_look(&s->needles, bytes_of(s->room, n), found, s);
        s->bytes += (uint64_t)got;
        from += (uint64_t)got;
        kept = n < s->needles.longest - 1 ? n : s->needles.longest - 1;
        memmove(s->room, s->room + n - kept, kept);
    }
}

static bool skipped(const struct search *s, const char *path)
{
    for (size_t i = 0; i < s->n_skip; i++) {
        size_t n = strlen(s->skip[i]);
        if (strncmp(path, s->skip[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) return true;
    }
    return false;
}

static bool is_newer(const struct search *s, const struct stat *st)
{
    if (st->st_mtim.tv_sec != s->newer.tv_sec) return st->st_mtim.tv_sec > s->newer.tv_sec;
    return st->st_mtim.tv_nsec >= s->newer.tv_nsec;
}

static void look_at_file(struct search *s, const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return; /* of another test, and gone; or of another user */
    s->files++;
    s->where = path;
    look_at(s, fd, 0, UINT64_MAX);
    (void)close(fd);
}

static void walk(struct search *s, char *dir)
{
    char *const roots[] = {dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *f = NULL;
    if (tree == NULL) fail(dir);
    while ((f = fts_read(tree)) != NULL) {
        if (f->fts_info == FTS_D && skipped(s, f->fts_path)) (void)fts_set(tree, f, FTS_SKIP);
        if (f->fts_info == FTS_F && !skipped(s, f->fts_path) && is_newer(s, f->fts_statp)) look_at_file(s, f->fts_path);
    }
    (void)fts_close(tree);
}

static int files(int argc, char **argv)
{
    struct search s;
    struct stat st;
    search_init(&s, argv[2]);
    for (int i = 3; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--not") == 0 && s.n_skip < WORDS_MAX) {
            s.skip[s.n_skip++] = argv[++i];
            argv[i] = argv[i - 1] = NULL;
        } else if (i + 1 < argc && strcmp(argv[i], "--newer") == 0) {
            if (stat(argv[i + 1], &st) != 0) fail(argv[i + 1]);
            s.newer = st.st_mtim;
            argv[i] = argv[i + 1] = NULL;
            i++;
        }
    }
    for (int i = 3; i < argc; i++)
        if (argv[i] != NULL) walk(&s, argv[i]);
    printf("%zu strings, %zu files, %llu KiB, %zu found\n", s.lines, s.files, (unsigned long long)(s.bytes >> 10),
           s.found);
    needles_release(&s.needles);
    free(s.room);
    return s.found != 0;
}

/* ----------------------------------------------------------------------------------------------- live processes */
static void look_at_map(void *ctx, const struct proc_map *m)
{
    struct search *s = ctx;
    char where[300];
    s->maps++;
    s->locked += m->locked;
    if (m->locked || !m->readable || m->kernels) return;
    (void)snprintf(where, sizeof where, "process %d, %s", (int)s->pid, m->name[0] != '\0' ? m->name : "its memory");
    s->where = where;
    look_at(s, s->mem, m->from, m->to);
}

/* What it has open, also when that has no name any more. Its standard streams are the test's own files. */
static void look_at_open_files(struct search *s)
{
    for (int i = 3; i < 1024; i++) {
        char name[40], where[60];
        struct stat st;
        (void)snprintf(name, sizeof name, "fd/%d", i);
        (void)snprintf(where, sizeof where, "open file %d of process %d", i, (int)s->pid);
        int fd = proc_open(s->pid, name);
        if (fd < 0) continue;
        s->where = where;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
            uint64_t of_memory = s->bytes;
            look_at(s, fd, 0, UINT64_MAX);
            s->bytes = of_memory;
            s->open_files++;
        }
        (void)close(fd);
    }
}

static void look_at_process(void *ctx, pid_t pid, const char *program)
{
    struct search *s = ctx;
    s->pid = pid;
    s->mem = proc_open(pid, "mem");
    bool seen = s->mem >= 0 && !SANITIZED && proc_maps(pid, look_at_map, s);
    if (!seen && proc_alive(pid)) s->blind = true;
    if (s->mem >= 0) {
        s->processes++;
        look_at_open_files(s);
        (void)close(s->mem);
    }
    if (!proc_no_core(pid) && proc_alive(pid)) {
        printf("%s (process %d) may leave a core file\n", program, (int)pid);
        s->found++;
    }
}

static int live(int argc, char **argv)
{
    struct search s;
    if (argc < 5) return 64;
    search_init(&s, argv[2]);
    for (int i = 5; i + 2 < argc; i += 3)
        if (strcmp(argv[i], "--keys") == 0) add_keys(&s, argv[i + 1], argv[i + 2]);
    proc_each(argv[3], argv[4], look_at_process, &s);
    printf("%zu strings, %zu live processes, %zu mappings of which %zu are locked, %llu KiB that may swap, "
           "%zu open files, %zu found\n",
           s.lines, s.processes, s.maps, s.locked, (unsigned long long)(s.bytes >> 10), s.open_files, s.found);
    if (s.blind)
        printf("the memory of a process %s\n", SANITIZED ? "with sanitizers tells nothing" : "may not be read here");
    needles_release(&s.needles);
    free(s.room);
    return s.found != 0 ? 1 : s.blind ? CANNOT : 0;
}

/* A process of root is guarded by its privileges too, so both must be without any for this to tell of the guard that is
 * meant: PR_SET_DUMPABLE (ptrace(2), "Ptrace access mode checking"). */
static int peek(int argc, char **argv)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (argc != 3) return 64;
    if (SANITIZED) {
        puts("a build with sanitizers lets itself be looked into");
        return CANNOT;
    }
    pid_t pid = (pid_t)strtol(argv[2], NULL, 10);
    if (syscall(SYS_capset, &head, none) != 0) return CANNOT;
    int fd = proc_open(pid, "mem");
    if (fd < 0) {
        printf("the memory of process %d is closed to others of its user: %s\n", (int)pid, strerror(errno));
        return errno == EACCES || errno == EPERM ? 0 : CANNOT;
    }
    (void)close(fd);
    printf("the memory of process %d is open to every process of its user\n", (int)pid);
    return 1;
}

/* -------------------------------------------------------------------------------------- what the search must find */
static void keep(void *ctx, size_t no, struct bytes line)
{
    (void)no;
    buf_put(ctx, line.p, line.n);
}

static int hold(int argc, char **argv)
{
    struct buf held;
    char byte = 0;
    if (argc < 3) return 64;
    buf_init(&held, 64u << 20);
    each_line(argv[2], keep, &held);
    /* In pages of its own, so that locking them is all that the two kinds differ in. */
    void *p = mmap(NULL, held.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    if (argc > 3 && strcmp(argv[3], "--locked") == 0 && mlock(p, held.len) != 0) return CANNOT;
    memcpy(p, held.data, held.len);
    explicit_bzero(held.data, held.len);
    if (puts("ready") < 0 || fflush(stdout) != 0) fail("standard output");
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
    (void)munmap(p, held.len);
    buf_release(&held);
    return 0;
}

static void insert(void *ctx, size_t no, struct bytes line)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(ctx, "INSERT INTO note VALUES($1, $2)", -1, &st, NULL) != SQLITE_OK) abort();
    sqlite3_bind_int64(st, 1, (sqlite3_int64)no);
    sqlite3_bind_text(st, 2, (const char *)line.p, (int)line.n, SQLITE_TRANSIENT);
    if (sqlite3_step(st) != SQLITE_DONE) abort();
    sqlite3_finalize(st);
}

static int plain(int argc, char **argv)
{
    sqlite3 *db = NULL;
    if (argc != 4) return 64;
    if (sqlite3_open(argv[2], &db) != SQLITE_OK) fail(argv[2]);
    if (sqlite3_exec(db, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT)", NULL, NULL, NULL) != SQLITE_OK)
        fail(argv[2]);
    each_line(argv[3], insert, db);
    return sqlite3_close(db) == SQLITE_OK ? 0 : 70;
}

static int new_ones(int argc, char **argv)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (unsigned long left = argc == 3 ? strtoul(argv[2], NULL, 10) : 0; left > 0; left--) {
        uint8_t random[MARK_CHARS];
        char text[MARK_CHARS + 1] = "";
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) fail("getrandom");
        for (size_t i = 0; i < MARK_CHARS; i++) text[i] = letters[random[i] & 31];
        puts(text);
    }
    return argc == 3 && fflush(stdout) == 0 ? 0 : 64;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } all[] = {{"new", new_ones}, {"files", files}, {"live", live}, {"hold", hold}, {"plain", plain}, {"peek", peek}};
    for (size_t i = 0; argc >= 3 && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(argv[1], all[i].name) == 0) return all[i].run(argc, argv);
    fputs("markers new|files|live|hold|plain|peek …; see the head of its source\n", stderr);
    return 64;
}
