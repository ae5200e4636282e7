#include <sys/resource.h>

#include "tests/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 30
#define PACE_MS    60 /* a device may ask 20 times a second */

static pid_t running; /* the server, for exit */

static void kill_server(void)
{
    if (running > 0) (void)kill(running, SIGKILL);
}

void load_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "FAILED ");
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

double load_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void tick(struct load *l)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    l->hub.now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------------- the hub */

static void make_others(struct load *l, size_t n, size_t n_police)
{
    l->others = calloc(n, sizeof *l->others);
    if (l->others == NULL) load_fail("no memory");
    l->n_others = n;
    l->n_police = n_police;
    for (size_t i = 0; i < n; i++) {
        bool police = i < n_police;
        fake_node_enrol(&l->others[i], &l->hub, police ? "police-hq" : "school-1", police ? "police" : "school", "Cid");
        fake_node_pull(&l->others[i]);
    }
}

void load_start(struct load *l, const char *self, size_t n_others, size_t n_police)
{
    static const char *const members[] = {"police:contribute", NULL};
    memset(l, 0, sizeof *l);
    char *end = realpath(self, l->bin) != NULL ? strrchr(l->bin, '/') : NULL;
    if (end == NULL) load_fail("where this program lies is not known");
    *end = '\0';
    (void)atexit(kill_server);
    fake_hub_start(&l->hub);
    tick(l);
    fake_hub_people(&l->hub);
    fake_node_enrol(&l->witness, &l->hub, "care-mash", "care", "Ann");
    fake_node_pull(&l->witness);
    fake_case(&l->witness, l->case_id, "care", members);
    fake_node_pull(&l->witness);
    make_others(l, n_others, n_police);
    (void)snprintf(l->pass, sizeof l->pass, "%s.pass", l->hub.dir);
    FILE *f = fopen(l->pass, "w");
    if (f == NULL || fputs("correct horse battery\n", f) < 0 || fclose(f) != 0) load_fail("no file for the passphrase");
}

static void become_server(struct load *l, int out)
{
    char program[PATH_MAX + 20], log[400];
    (void)snprintf(program, sizeof program, "%s/spoke-hub", l->bin);
    (void)snprintf(log, sizeof log, "%s.log", l->hub.dir);
    if (l->file_limit > 0) { /* the kernel's signal would be its end, where a full disk only is an error */
        struct rlimit limit = {l->file_limit, RLIM_INFINITY};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
    }
    if (l->shim != NULL) (void)setenv("LD_PRELOAD", l->shim, 1);
    if (dup2(out, STDOUT_FILENO) < 0 || freopen(log, "a", stderr) == NULL) _exit(126);
    (void)execl(program, program, "--home", l->hub.dir, "--passphrase-file", l->pass, "--no-input", "serve", "--listen",
                "127.0.0.1:0", l->file_limit > 0 ? "--quiet" : NULL, NULL);
    _exit(127);
}

void load_serve(struct load *l)
{
    char line[200] = "";
    int ends[2];
    if (l->server != 0) return;
    hub_pause(l->hub.hub);
    if (pipe(ends) != 0) load_fail("no pipe");
    l->server = running = fork();
    if (l->server == 0) become_server(l, ends[1]);
    (void)close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL || strrchr(line, ':') == NULL) load_fail("the hub did not start");
    l->port = (unsigned)strtoul(strrchr(line, ':') + 1, NULL, 10);
    (void)fclose(f);
}

void load_kill_server(struct load *l)
{
    int status = 0;
    (void)kill(l->server, SIGKILL);
    if (waitpid(l->server, &status, 0) != l->server) load_fail("the server cannot be waited for");
    l->server = running = 0;
}

void load_stop_server(struct load *l)
{
    struct why why = {0};
    int status = 0;
    if (l->server == 0) return;
    (void)kill(l->server, SIGTERM);
    if (waitpid(l->server, &status, 0) != l->server || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        load_fail("the server did not end well: status %x", status);
    l->server = running = 0;
    tick(l);
    if (hub_resume(l->hub.hub, &why) != ERR_OK) load_fail("the store does not open again: %s", why.text);
}

void load_end(struct load *l)
{
    struct why why = {0};
    char log[400];
    load_stop_server(l);
    int64_t there = fake_hub_int(&l->hub, "SELECT count(*) FROM person WHERE family_name = 'Witness'");
    printf("  acknowledged %zu, in the store %lld\n", l->acknowledged, (long long)there);
    if (there < (int64_t)l->acknowledged || there > (int64_t)l->acknowledged + (l->pending ? 1 : 0))
        load_fail("the store does not hold what was acknowledged");
    if (hub_verify(l->hub.hub, &why) != ERR_OK) load_fail("the store is not whole: %s", why.text);
    fake_node_release(&l->witness);
    for (size_t i = 0; i < l->n_others; i++) fake_node_release(&l->others[i]);
    free(l->others);
    fake_hub_stop(&l->hub);
    (void)unlink(l->pass);
    (void)snprintf(log, sizeof log, "%s.log", l->hub.dir);
    (void)unlink(log);
}

size_t load_rss_kb(const struct load *l, const char *field)
{
    char path[64], line[200];
    size_t kb = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)l->server);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) kb = (size_t)strtoul(line + strlen(field), NULL, 10);
    if (f != NULL) (void)fclose(f);
    return kb;
}

double load_cpu_ms(const struct load *l)
{
    char path[64], line[1000] = "";
    unsigned long user = 0, kernel = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)l->server);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL || strrchr(line, ')') == NULL ||
        sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        load_fail("what the server has worked is not known");
    (void)fclose(f);
    return (double)(user + kernel) * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

/* ------------------------------------------------------------------------------------------------------- the wire */

int load_dial(const struct load *l)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        load_fail("no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    (void)close(fd);
    return -1;
}

bool load_say(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t put = send(fd, at, n, MSG_NOSIGNAL);
        if (put <= 0) return false;
        at += put;
        n -= (size_t)put;
    }
    return true;
}

int load_hear(int fd, struct buf *out)
{
    char head[2048] = "", piece[16384];
    size_t n = 0, left;
    int status = 0;
    while (strstr(head, "\r\n\r\n") == NULL) {
        if (n >= sizeof head - 1 || recv(fd, head + n, 1, 0) != 1) return 0;
        head[++n] = '\0';
    }
    const char *length = strcasestr(head, "\r\ncontent-length:");
    left = length == NULL ? 0 : (size_t)strtoul(length + 17, NULL, 10);
    while (left > 0) {
        ssize_t got = recv(fd, piece, left < sizeof piece ? left : sizeof piece, 0);
        if (got <= 0) return 0;
        if (out != NULL) buf_put(out, piece, (size_t)got);
        left -= (size_t)got;
    }
    return sscanf(head, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

void load_head(char out[300], const char *path, size_t length, unsigned wait_s)
{
    char wait[40] = "";
    if (wait_s > 0) (void)snprintf(wait, sizeof wait, "Prefer: wait=%u\r\n", wait_s);
    (void)snprintf(out, 300, "POST %s HTTP/1.1\r\nHost: hub\r\nContent-Type: application/octet-stream\r\n%sContent-Length: %zu\r\n\r\n",
                   path, wait, length);
}

/* ------------------------------------------------------------------------------------------------------ the witness */

static void next_request(struct load *l)
{
    struct fake_edit edit;
    uint8_t id[16];
    tick(l);
    env_new_id(&l->hub.env, id);
    fake_edit_start(&edit);
    struct op person = fake_person(&l->witness, id, l->case_id, "Witness");
    fake_put(&edit, &person);
    (void)fake_commit(&l->witness, &edit);
    fake_node_pack(&l->witness);
    l->pending = true;
}

bool load_round(struct load *l)
{
    struct fake_node *n = &l->witness;
    char head[300];
    if (!l->pending) next_request(l);
    double began = load_now_ms();
    buf_reset(&n->got);
    load_head(head, "/v1/exchange", n->sent.len, 0);
    int fd = load_dial(l), status = 0;
    if (fd >= 0 && load_say(fd, head, strlen(head)) && load_say(fd, n->sent.data, n->sent.len)) status = load_hear(fd, &n->got);
    if (fd >= 0) (void)close(fd);
    if (status != 200) {
        l->n_refused++;
        if (status != 0 && status != 503 && status != 429) load_fail("the witness was answered %d", status);
        return false;
    }
    fake_node_read(n);
    l->pending = false;
    if (n->n_verdicts != 1 || n->verdicts[0].verdict != VERDICT_APPLIED) load_fail("an edit of the witness was not applied");
    l->acknowledged++;
    if (l->n_took < LOAD_MAX_ROUNDS) l->took[l->n_took++] = load_now_ms() - began;
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void load_witness(struct load *l, const char *when, double seconds, double at_most_ms)
{
    double until = load_now_ms() + seconds * 1000;
    l->n_took = l->n_refused = 0;
    while (load_now_ms() < until || l->n_took == 0) {
        double began = load_now_ms();
        (void)load_round(l);
        double left = began + PACE_MS - load_now_ms();
        if (left > 0) (void)usleep((useconds_t)(left * 1000));
        if (load_now_ms() > until + 60000) load_fail("%s: the other device is not answered any more", when);
    }
    qsort(l->took, l->n_took, sizeof l->took[0], ascending);
    double median = l->took[l->n_took / 2];
    printf("  %-44s %5zu rounds, median %6.1f ms, longest %7.1f ms, %zu put off; server %zu MB\n", when, l->n_took, median,
           l->took[l->n_took - 1], l->n_refused, load_rss_kb(l, "VmRSS:") / 1024);
    (void)fflush(stdout);
    if (median > at_most_ms) load_fail("%s: a round takes more than %.0f ms", when, at_most_ms);
}
