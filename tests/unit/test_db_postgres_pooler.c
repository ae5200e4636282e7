/* A pooler of connections between us and PostgreSQL is refused (sync/db_postgres.h): it hands the sessions of one
 * client to others, with the views and prepared statements in them. One is played here, as PgBouncer and its like do
 * it: a program on a socket of its own that passes on what is said, but tells each client a process number and a key of
 * its own, by which a cancelled question could find its way back to whichever session it runs in. */
#include "sync/db_postgres.h"

#include "tests/lib/db_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SOCKET "%s/.s.PGSQL.5432"

struct between {
    char dir[200], url[700];
    pid_t pid;
};

/* ---- what stands between */

static bool read_whole(int fd, uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got = read(fd, out, n);
        if (got <= 0) return false;
        out += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_whole(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, bytes, n, MSG_NOSIGNAL);
        if (put <= 0) return false;
        bytes += put;
        n -= (size_t)put;
    }
    return true;
}

static bool pass_on(int from, int to)
{
    uint8_t bytes[8192];
    ssize_t n = read(from, bytes, sizeof bytes);
    return n > 0 && write_whole(to, bytes, (size_t)n);
}

/* One message of the server: a letter, the length with itself, the rest. BackendKeyData is K. */
static bool pass_message(int server, int client, bool own_numbers, bool *out_ready)
{
    uint8_t head[5], body[8192];
    if (!read_whole(server, head, sizeof head)) return false;
    size_t n = ((size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4]) - 4;
    if (n > sizeof body || !read_whole(server, body, n)) return false;
    if (head[0] == 'K' && own_numbers) body[3] ^= 1;
    *out_ready = head[0] == 'Z';
    return write_whole(client, head, sizeof head) && write_whole(client, body, n);
}

/* The first word of the client is its greeting; with --auth=trust the server needs no other before it is ready. */
static void serve(int client, int server, bool own_numbers)
{
    bool ready = false;
    if (!pass_on(client, server)) return;
    while (!ready)
        if (!pass_message(server, client, own_numbers, &ready)) return;
    for (;;) {
        struct pollfd p[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(p, 2, -1) < 0) return;
        if (p[0].revents != 0 && !pass_on(client, server)) return;
        if (p[1].revents != 0 && !pass_on(server, client)) return;
    }
}

static int at_socket(const char *dir, struct sockaddr_un *out)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (snprintf(out->sun_path, sizeof out->sun_path, SOCKET, dir) >= (int)sizeof out->sun_path) return -1;
    return fd;
}

/* One client after the other, which is as many as there are. */
static void stand_between(int listening, bool own_numbers)
{
    struct sockaddr_un real;
    for (;;) {
        int client = accept(listening, NULL, NULL), server = at_socket(getenv("SPOKE_TEST_POSTGRES_DIR"), &real);
        if (client < 0 || server < 0 || connect(server, (struct sockaddr *)&real, sizeof real) != 0) _exit(1);
        serve(client, server, own_numbers);
        (void)close(client);
        (void)close(server);
    }
}

static void begin(struct between *b, const struct db_fixture *f, bool own_numbers)
{
    struct sockaddr_un here;
    assert_non_null(getenv("SPOKE_TEST_POSTGRES_DIR"));
    (void)snprintf(b->dir, sizeof b->dir, "/tmp/spoke-pooler.XXXXXX"); /* a short name: a socket's has at most 107 bytes */
    assert_non_null(mkdtemp(b->dir));
    int fd = at_socket(b->dir, &here);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(fd, 8), 0);
    const char *host = strstr(f->url, "host="), *rest = host == NULL ? NULL : strchr(host, '&');
    assert_non_null(rest);
    (void)snprintf(b->url, sizeof b->url, "%.*shost=%s%s", (int)(host - f->url), f->url, b->dir, rest);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(1);
        stand_between(fd, own_numbers);
    }
    (void)close(fd);
}

static void end(struct between *b)
{
    char path[240];
    (void)kill(b->pid, SIGKILL);
    assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
    (void)snprintf(path, sizeof path, SOCKET, b->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(b->dir), 0);
}

/* ---- claims */

static void what_only_passes_on_is_no_pooler(void **state)
{
    struct db_fixture *f = *state;
    struct between b;
    struct db *db = NULL;
    struct why why = {0};
    begin(&b, f, false);
    enum err e = db_open_postgres(&db, env_posix(), b.url, f->schema, &why);
    if (e != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(db_fixture_number(db, "SELECT count(*) FROM note"), 0);
    db_close(db);
    end(&b);
}

static void a_pooler_of_connections_is_refused_before_anything_is_asked(void **state)
{
    struct db_fixture *f = *state;
    struct between b;
    struct db *db = NULL;
    struct why why = {0};
    char schema[64];
    begin(&b, f, true);
    assert_int_equal(db_open_postgres(&db, env_posix(), b.url, f->schema, &why), ERR_FAILED);
    assert_non_null(strstr(why.text, "pooler"));
    assert_non_null(strstr(why.next, "PostgreSQL itself"));
    assert_null(db);
    db_fixture_new_schema(schema); /* nor does a hub begin behind one */
    assert_int_equal(db_create_postgres(env_posix(), b.url, schema, "CREATE TABLE a(b INTEGER)", NULL), ERR_FAILED);
    assert_int_equal(db_open_postgres(&db, env_posix(), f->url, schema, NULL), ERR_UNINIT);
    end(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, db_fixture_set_up_bare, db_fixture_tear_down_postgres)
    const struct CMUnitTest tests[] = {
        T(what_only_passes_on_is_no_pooler),
        T(a_pooler_of_connections_is_refused_before_anything_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
