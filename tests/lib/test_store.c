#include "tests/lib/test_store.h"

#include "base/env.h"
#include "sync/db_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STORES 4096 /* in one process */

static const char *server(void)
{
    const char *url = getenv("SPOKE_TEST_POSTGRES");
    return url == NULL || url[0] == '\0' ? NULL : url;
}

bool test_store_is_postgres(void)
{
    return server() != NULL;
}

/* What this process made; a child that it forked removes nothing of it. */
static struct made {
    pid_t pid;
    unsigned n;
} made;

static void url_of(unsigned i, char *out, size_t n)
{
    const char *url = server();
    (void)snprintf(out, n, "%s%cschema=t%ld_%u", url, strchr(url, '?') == NULL ? '?' : '&', (long)made.pid, i);
}

static void remove_all(void)
{
    char url[TEST_STORE_URL];
    if (made.pid != getpid()) return;
    for (unsigned i = 0; i < made.n; i++) {
        struct why why = {0};
        url_of(i, url, sizeof url);
        if (db_drop_postgres(env_posix(), url, NULL, &why) != ERR_OK)
            (void)fprintf(stderr, "A schema of a test was left behind: %s\n", why.text);
    }
}

void test_store_url(char *out, size_t n)
{
    out[0] = '\0';
    if (server() == NULL) return;
    if (made.pid != getpid()) {
        made = (struct made){.pid = getpid()};
        (void)atexit(remove_all);
    }
    if (made.n == MAX_STORES || n < TEST_STORE_URL) abort();
    url_of(made.n++, out, n);
}

bool test_store_file_only(const char *why)
{
    if (test_store_is_postgres()) printf("Only on a file: %s\n", why);
    return test_store_is_postgres();
}

const char *test_store_sql(const char *sqlite, const char *postgres)
{
    return test_store_is_postgres() ? postgres : sqlite;
}
