#include "cli/harden.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum err harden_start(struct why *why)
{
    (void)umask(077);
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        /* the lowest number that is free is this one */
        if (open("/dev/null", O_RDWR) != fd)
            return why_set(why, ERR_IO, "The program was started without input or output, and could not mend that.");
    }
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------------- memory */
static bool may_lock_any(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_MEMLOCK, &l) != 0) return false;
    if (l.rlim_cur != l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &l); /* more for the keys, where it is not enough for all */
    }
    if (l.rlim_max == RLIM_INFINITY) return true;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &head, caps) == 0 && (caps[0].effective & (1u << CAP_IPC_LOCK)) != 0;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HARDEN_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HARDEN_SANITIZED 1
#endif

bool harden_memory(void)
{
    bool any = may_lock_any();
#ifdef HARDEN_SANITIZED
    return any; /* its shadow is terabytes of address space, and it counts as
                 memory of ours */
#else
    /* ONFAULT: what is never touched takes no memory for it */
    return any && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
#endif
}

/* ---------------------------------------------------------------------------------------------------------- swap */
static int octal(char c, char most)
{
    return c >= '0' && c <= most ? c - '0' : -1;
}

/* /proc/swaps writes blanks and the like of a name as backslash and three octal digits. */
static void unescape(char *name)
{
    char *to = name;
    for (const char *p = name; *p != '\0'; to++) {
        if (p[0] == '\\' && octal(p[1], '3') >= 0 && octal(p[2], '7') >= 0 && octal(p[3], '7') >= 0) {
            *to = (char)(octal(p[1], '3') * 64 + octal(p[2], '7') * 8 + octal(p[3], '7'));
            p += 4;
        } else {
            *to = *p++;
        }
    }
    *to = '\0';
}

bool harden_swap_is_plain(struct bytes swaps, harden_safe_fn safe, void *ctx)
{
    bool heading = true;
    while (swaps.n > 0) {
        char name[PATH_MAX];
        const uint8_t *end = memchr(swaps.p, '\n', swaps.n);
        size_t line = end != NULL ? (size_t)(end - swaps.p) : swaps.n, n = 0;
        while (n < line && swaps.p[n] != ' ' && swaps.p[n] != '\t') n++;
        if (!heading && n > 0 && n < sizeof name) {
            memcpy(name, swaps.p, n);
            name[n] = '\0';
            unescape(name);
            if (!safe(ctx, name)) return true;
        }
        heading = false;
        line += end != NULL;
        swaps = bytes_of(swaps.p + line, swaps.n - line);
    }
    return false;
}

/* Is the block device of this name under /sys/class/block encrypted, or all that it stands upon? */
static bool block_is_safe(const char *name, int depth)
{
    char path[PATH_MAX], uuid[32] = "";
    if (depth > 8) return false;
    if (strncmp(name, "zram", 4) == 0) return true;
    if (snprintf(path, sizeof path, "/sys/class/block/%s/dm/uuid", name) >= (int)sizeof path) return false;
    FILE *f = fopen(path, "re");
    if (f != NULL) {
        if (fgets(uuid, sizeof uuid, f) == NULL) uuid[0] = '\0';
        (void)fclose(f);
    }
    if (strncmp(uuid, "CRYPT-", 6) == 0) return true;
    if (snprintf(path, sizeof path, "/sys/class/block/%s/slaves", name) >= (int)sizeof path) return false;
    DIR *d = opendir(path);
    bool safe = true;
    size_t below = 0;
    for (struct dirent *e = NULL; d != NULL && safe && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        below++;
        safe = block_is_safe(e->d_name, depth + 1);
    }
    if (d != NULL) (void)closedir(d);
    return below > 0 && safe;
}

/* A partition itself, or the disk below a file. One that nobody can tell of counts as plain. */
static bool swap_is_safe(void *ctx, const char *path)
{
    struct stat st;
    char link[64], real[PATH_MAX];
    (void)ctx;
    if (stat(path, &st) != 0) return false;
    dev_t dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    (void)snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(dev), minor(dev));
    return realpath(link, real) != NULL && block_is_safe(strrchr(real, '/') + 1, 0);
}

bool harden_swaps_in_clear(void)
{
    char text[8192];
    FILE *f = fopen("/proc/swaps", "re");
    if (f == NULL) return false; /* no swap in this kernel */
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    return harden_swap_is_plain(bytes_of(text, n), swap_is_safe, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- home */
static enum err not_ours(const char *home, uid_t owner, const char *program, struct why *why)
{
    const struct passwd *pw = getpwuid(owner);
    (void)why_set(why, ERR_DENIED,
                  "The folder %.200s belongs to another user of this computer%s%.40s. Nothing was read from it and "
                  "nothing written.",
                  home, pw != NULL ? ": " : "", pw != NULL ? pw->pw_name : "");
    if (pw == NULL) return why_next(why, ERR_DENIED, "Name a folder of your own with --home.");
    return why_next(why, ERR_DENIED,
                    "Work as that user (sudo -u %.40s %s ...), or name a folder of your own with --home.", pw->pw_name,
                    program);
}

enum err harden_home(const char *home, const char *program, struct why *why)
{
    struct stat st;
    if (stat(home, &st) != 0 || !S_ISDIR(st.st_mode)) return ERR_OK; /* whoever opens it says so */
    if (st.st_uid != geteuid()) return not_ours(home, st.st_uid, program, why);
    if ((st.st_mode & 077) == 0) return ERR_OK;
    (void)why_set(why, ERR_DENIED,
                  "Other users of this computer may look into the folder %.200s, or change it. Spoke keeps keys "
                  "there, and does not open it like that.",
                  home);
    return why_next(why, ERR_DENIED, "Type: chmod 700 '%.200s'", home);
}
