/* spokevfs-preload.so: for programs that cannot be told to load an extension. LD_PRELOAD it, with SPOKE_VFS_KEYFILE and
 * SPOKE_VFS_PASSPHRASE_FILE set; without SPOKE_VFS_KEYFILE it does nothing. */
#include "crypto/spokevfs.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wanted(void)
{
    const char *keyfile = secure_getenv("SPOKE_VFS_KEYFILE");
    return keyfile && *keyfile;
}

/* In the place of the library's own, which SQLite calls whenever it begins, also anew after a shutdown: there it
 * registers its own VFSes and makes one of them the default (T10). */
__attribute__((visibility("default"))) int sqlite3_os_init(void)
{
    struct spokevfs *home = NULL;
    int (*next)(void) = NULL;
    *(void **)(void *)&next = dlsym(RTLD_NEXT, "sqlite3_os_init");
    int rc = next ? next() : SQLITE_ERROR;
    return rc == SQLITE_OK && wanted() ? spokevfs_register(&home) : rc;
}

/* Where that is not called in our place, the program would write in clear what was meant to be encrypted. Afterwards
 * SQLite is as if it had never begun: programs may still configure it. */
__attribute__((constructor)) static void start(void)
{
    if (!wanted()) return;
    sqlite3_vfs *first = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;
    if (!first || strcmp(first->zName, "spoke") != 0) {
        (void)fputs(
            "spokevfs-preload.so cannot get between this program and its SQLite, so it was stopped: it would have "
            "written unencrypted files.\n",
            stderr);
        abort();
    }
    (void)sqlite3_shutdown();
}
