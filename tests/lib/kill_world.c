#include "tests/lib/kill.h"

#include "crypto/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kill_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("kill: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

void kill_must(enum err e, const char *what, const struct why *why)
{
    if (e != ERR_OK) kill_fail("%s: %s: %s %s", what, err_word(e), why->text, why->next);
}

struct bytes kill_passphrase(void)
{
    return bytes_of_str("a passphrase for the kill test");
}

uint64_t kill_random(struct kill_world *w) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t x = w->random += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

bool kill_read(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *)p + at, n - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

bool kill_write(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t put = write(fd, (const char *)p + at, n - at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += (size_t)put;
    }
    return true;
}

static void enrol(struct kill_world *w, struct hub *h, size_t who, const char *user)
{
    struct why why = {0};
    const struct env *env = env_posix();
    struct kill_node *n = &w->nodes[who];
    struct buf code, request, answer;
    struct invitation invitation;
    uint8_t keys[PUBLIC_BYTES];
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(h), keys);
    kill_must(hub_invite(h, n->site, "http://127.0.0.1:1", 3600000, &code, &why), "invite", &why);
    kill_must(invitation_get(buf_bytes(&code), &invitation, &why), "invitation", &why);
    kill_must(node_enrol_begin(env, n->home, kill_passphrase(), &invitation, bytes_of(keys, sizeof keys), user,
                               &request, &why),
              "enrol", &why);
    kill_must(hub_enrol(h, buf_bytes(&request), &answer, &why), "enrol at the hub", &why);
    kill_must(node_enrol_finish(env, n->home, kill_passphrase(), buf_bytes(&answer), &why), "enrol", &why);
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

static const struct {
    const char *agency, *kind, *site, *site_kind, *person;
} kinds[] = {{"a", "social_care", "a-mash", "mash", "Ann"},
             {"b", "probation", "b-site", "partner", "Bob"},
             {"c", "health", "c-site", "partner", "Cid"}};

static void people(const struct kill_world *w, struct hub *h)
{
    static const char *const areas[] = {"north"};
    struct why why = {0};
    uint8_t id[16];
    for (size_t i = 0; i < w->n_nodes; i++) {
        size_t k = i % KILL_NODES;
        struct hub_site s = {w->nodes[i].site, w->nodes[i].agency, w->nodes[i].site, kinds[k].site_kind, NULL, areas, 1};
        if (i == k) kill_must(hub_add_agency(h, kinds[k].agency, kinds[k].agency, kinds[k].kind, &why), "agency", &why);
        kill_must(hub_add_site(h, &s, &why), "site", &why);
        kill_must(hub_add_practitioner(h, w->nodes[i].site, kinds[k].person, NULL, id, &why), "practitioner", &why);
        if (i > 0) continue;
        kill_must(hub_add_duty(h, id, "north", "manager", &why), "duty", &why);
        kill_must(hub_add_duty(h, id, "north", "social_care", &why), "duty", &why);
    }
}

struct hub *kill_open_hub(const struct kill_world *w)
{
    struct why why = {0};
    struct hub *h = NULL;
    const struct hub_place at = {w->hub_home, w->store[0] != '\0' ? w->store : NULL};
    kill_must(hub_open_at(&h, env_posix(), &at, kill_passphrase(), NULL, &why), "open the hub", &why);
    return h;
}

static void first_cases(struct kill_world *w)
{
    struct why why = {0};
    struct node *n = NULL;
    kill_must(node_open(&n, env_posix(), w->nodes[0].home, kill_passphrase(), &why), "open", &why);
    for (int i = 0; i < 12; i++) kill_edit_new_case(n, w);
    kill_edit_share(n, "b");
    kill_edit_share(n, "c");
    node_close(n);
}

void kill_set_up(struct kill_world *w, const char *dir)
{
    struct why why = {0};
    const struct env *env = env_posix();
    kill_must(secret_start(&why), "start", &why);
    kill_must(path_join(w->hub_home, sizeof w->hub_home, dir, "hub", &why), "path", &why);
    kill_must(path_join(w->socket, sizeof w->socket, dir, "s", &why), "path", &why);
    const struct hub_place at = {w->hub_home, w->store[0] != '\0' ? w->store : NULL};
    kill_must(hub_init_at(env, &at, "Kill", kill_passphrase(), &why), "init", &why);
    if (w->n_nodes == 0) w->n_nodes = KILL_NODES;
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct kill_node *n = &w->nodes[i];
        char name[40];
        (void)snprintf(n->site, sizeof n->site, i < KILL_NODES ? "%s" : "%s-%zu", kinds[i % KILL_NODES].site, i);
        (void)snprintf(name, sizeof name, i < KILL_NODES ? "%s" : "%s%zu", kinds[i % KILL_NODES].agency, i);
        n->agency = kinds[i % KILL_NODES].agency;
        kill_must(path_join(n->home, sizeof n->home, dir, name, &why), "path", &why);
    }
    struct hub *h = kill_open_hub(w);
    people(w, h);
    for (size_t i = 0; i < w->n_nodes; i++) enrol(w, h, i, kinds[i % KILL_NODES].person);
    hub_close(h);
    first_cases(w);
}

void kill_release(struct kill_world *w)
{
    free(w->notes);
    w->notes = NULL;
}

void kill_note(struct kill_world *w, size_t who, const struct kill_report *r)
{
    if (w->n_notes == w->cap) {
        w->cap = w->cap != 0 ? w->cap * 2 : 256;
        w->notes = realloc(w->notes, w->cap * sizeof *w->notes);
        if (w->notes == NULL) kill_fail("no memory");
    }
    struct kill_note *n = &w->notes[w->n_notes++];
    *n = (struct kill_note){.who = who, .seq = r->seq, .is_record = r->is_record != 0};
    memcpy(n->id, r->id, 16);
}
