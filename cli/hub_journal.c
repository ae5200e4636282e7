#include "cli/hub_journal.h"

#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/show.h"
#include "hub/redo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_MS   200   /* how often it looks for something to write: with what writing takes, the lag */
#define GATHER_MS 2000  /* and for what nobody gathered, because whoever writes hangs in a folder or is gone */
#define BORROW_MS 2000  /* it waits so long for the store */
#define AGAIN_MS  1000  /* after a fault, and twice as long after each further one, up to */
#define LAST_MS   30000
#define STOP_MS   5000  /* a folder that hangs does not keep the server from ending */

struct hub_journal {
    struct hub_route *route;
    struct hub_redo_writer *writer; /* NULL: others write, if anybody does */
    pthread_t writing, gathering;
    bool gathers; /* the second thread is there */
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool stop, ended;
    bool abandoned; /* nobody waits for it any more: nothing but itself may be touched */
    unsigned faults; /* one after the other */
    int64_t again_ms;
    bool unsaid;     /* the store does not have the words of the first one yet */
    bool rests;      /* another server is to be let try */
    char words[REDO_FAULT_BYTES];
};

static void note(const struct hub_journal *j, enum err e, const struct why *why)
{
    struct logline line;
    logline_begin(&line, j->route->log, j->route->log_format, j->route->env, e == ERR_OK ? "info" : "error", "journal");
    logline_str(&line, "folder", e == ERR_OK ? "again" : "stopped");
    if (e != ERR_OK) logline_str(&line, "error", err_word(e));
    if (e != ERR_OK) logline_str(&line, "why", why->text);
    logline_end(&line);
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

/* True: it is to end. */
static bool pause_for(struct hub_journal *j, int64_t ms)
{
    struct timespec until = in_ms(ms);
    int rc = 0;
    (void)pthread_mutex_lock(&j->lock);
    while (!j->stop && rc != ETIMEDOUT) rc = pthread_cond_clockwait(&j->change, &j->lock, CLOCK_MONOTONIC, &until);
    bool stop = j->stop;
    (void)pthread_mutex_unlock(&j->lock);
    return stop;
}

/* Under the lock from here, so that nobody takes the hub away meanwhile. False: it is to end at once, or a command
 * has the store. */
static bool borrow(struct hub_journal *j)
{
    (void)pthread_mutex_lock(&j->lock);
    if (!j->abandoned && hub_route_borrow(j->route, BORROW_MS)) return true;
    (void)pthread_mutex_unlock(&j->lock);
    return false;
}

static void give_back(struct hub_journal *j)
{
    hub_route_return(j->route);
    (void)pthread_mutex_unlock(&j->lock);
}

/* One line of the log, also while a command has the store. */
static void note_now(struct hub_journal *j, enum err e, const struct why *why)
{
    (void)pthread_mutex_lock(&j->lock);
    if (!j->abandoned) note(j, e, why);
    (void)pthread_mutex_unlock(&j->lock);
}

/* With the store, so that other commands can say it. Where that fails it is tried again after the next fault. */
static void say_fault(struct hub_journal *j)
{
    struct why detail = {0};
    enum err e = hub_redo_fault(j->route->hub, j->words, &detail);
    j->unsaid = e != ERR_OK;
    if (e != ERR_OK) note(j, e, &detail);
}

/* Once for each fault. Another server may have the folder where this one does not: it is let try after the first fault,
 * the second, the fourth, and so on. While the store is not to be had, either is done after the next one. */
static void remember_fault(struct hub_journal *j, enum err e, const struct why *why)
{
    bool first = j->faults++ == 0;
    j->rests = j->rests || (j->faults & (j->faults - 1)) == 0;
    j->again_ms = j->again_ms == 0 ? AGAIN_MS : j->again_ms * 2 > LAST_MS ? LAST_MS : j->again_ms * 2;
    if (first) {
        note_now(j, e, why);
        hub_redo_words(j->writer, e, why, j->words);
        j->unsaid = true;
    }
    if ((!j->rests && !j->unsaid) || !borrow(j)) return;
    if (j->unsaid) say_fault(j);
    if (j->rests) hub_redo_rest(j->route->hub);
    j->rests = false;
    give_back(j);
}

/* Until nothing is left. The store is asked between two writes alone. *out_done: nothing is; else a command has the
 * store, and what it does is written after it. */
static enum err write_all(struct hub_journal *j, bool *out_done, struct why *why)
{
    bool more = true;
    enum err e = ERR_OK;
    *out_done = false;
    while (e == ERR_OK && more) {
        if (!borrow(j)) return ERR_OK;
        e = hub_redo_step(j->route->hub, j->writer, &more, why);
        give_back(j);
        if (e == ERR_OK && more) e = hub_redo_put(j->writer, why);
    }
    *out_done = e == ERR_OK;
    return e;
}

static void *keep(void *ctx)
{
    struct hub_journal *j = ctx;
    bool stop = false, done = false;
    while (!stop) {
        struct why why = {0};
        stop = pause_for(j, j->faults > 0 ? j->again_ms : LOOK_MS);
        if (stop && j->faults > 0) break;
        enum err e = write_all(j, &done, &why);
        if (e != ERR_OK) {
            remember_fault(j, e, &why);
        } else if (j->faults > 0 && done) {
            note_now(j, ERR_OK, &why);
            j->faults = 0;
            j->again_ms = 0;
            j->unsaid = j->rests = false;
        }
    }
    (void)pthread_mutex_lock(&j->lock);
    j->ended = true;
    (void)pthread_cond_broadcast(&j->change);
    (void)pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Whether or not this server writes the folder, and while it hangs there: what the database notes does not heap up. */
static void *gather(void *ctx)
{
    struct hub_journal *j = ctx;
    bool faulty = false;
    while (!pause_for(j, GATHER_MS)) {
        struct why why = {0};
        if (!borrow(j)) continue;
        enum err e = hub_redo_gather(j->route->hub, &why);
        if (e != ERR_OK && !faulty) note(j, e, &why);
        faulty = e != ERR_OK;
        give_back(j);
    }
    return NULL;
}

static enum err folder_there(const char *dir, struct why *why)
{
    struct stat st;
    if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode)) return ERR_OK;
    (void)why_set(why, ERR_NOTFOUND, "The journal's folder %.200s is not there.", dir);
    return why_next(why, ERR_NOTFOUND, "It is never made, because a disk that is not mounted would look like it. Mount or make it.");
}

static enum err begin_journal(struct hub_journal *j, const char *dir, struct why *why)
{
    enum err e = folder_there(dir, why);
    if (e == ERR_OK) e = hub_redo_writer_new(&j->writer, j->route->env, dir, why);
    if (e != ERR_OK) return e;
    if (!hub_route_borrow(j->route, TURN_ASK_MS))
        return why_set(why, ERR_BUSY, "A command has the hub's store for long.");
    e = hub_redo_begin(j->route->hub, NULL, why);
    hub_route_return(j->route);
    return e;
}

static enum err start_thread(pthread_t *out, void *(*run)(void *), struct hub_journal *j, struct why *why)
{
    int rc = pthread_create(out, NULL, run, j);
    return rc == 0 ? ERR_OK : why_set(why, ERR_IO, "The system has no thread to spare: %s.", strerror(rc));
}

enum err hub_journal_start(struct hub_journal **out, struct hub_route *route, const char *dir, struct why *why)
{
    struct hub_journal *j = calloc(1, sizeof *j);
    if (j == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    j->route = route;
    j->ended = true; /* nothing runs yet */
    (void)pthread_mutex_init(&j->lock, NULL);
    (void)pthread_cond_init(&j->change, NULL);
    enum err e = dir != NULL ? begin_journal(j, dir, why) : ERR_OK;
    if (e == ERR_OK && hub_is_shared(route->hub)) {
        e = start_thread(&j->gathering, gather, j, why);
        j->gathers = e == ERR_OK;
    }
    if (e == ERR_OK && dir != NULL) {
        j->ended = false;
        e = start_thread(&j->writing, keep, j, why);
        if (e != ERR_OK) j->ended = true;
    }
    if (e == ERR_OK)
        *out = j;
    else
        hub_journal_stop(j);
    return e;
}

void hub_journal_stop(struct hub_journal *j)
{
    if (j == NULL) return;
    struct timespec until = in_ms(STOP_MS);
    int rc = 0;
    (void)pthread_mutex_lock(&j->lock);
    j->stop = true;
    bool writes = !j->ended;
    (void)pthread_cond_broadcast(&j->change);
    while (!j->ended && rc != ETIMEDOUT) rc = pthread_cond_clockwait(&j->change, &j->lock, CLOCK_MONOTONIC, &until);
    bool ended = j->ended;
    j->abandoned = !ended;
    (void)pthread_mutex_unlock(&j->lock);
    if (j->gathers) (void)pthread_join(j->gathering, NULL);
    if (!ended) return; /* it hangs in the folder, and ends with the process: what it has is not freed */
    if (writes) (void)pthread_join(j->writing, NULL);
    hub_redo_writer_free(j->writer);
    (void)pthread_cond_destroy(&j->change);
    (void)pthread_mutex_destroy(&j->lock);
    free(j);
}

/* --------------------------------------------------------------------------------------------------------- commands */

static void put_time(struct json *o, const char *name, int64_t at_ms)
{
    char stamp[40];
    show_rfc3339(at_ms, stamp, sizeof stamp);
    json_set_str(o, name, at_ms != 0 ? stamp : NULL);
}

static enum err journal_json(const struct hub_redo_state *s, struct why *why)
{
    struct json *o = json_object_new();
    char hex[2 * REDO_ID_BYTES + 1];
    json_set_bool(o, "on", s->on);
    if (s->on) {
        hex_encode(hex, s->id, sizeof s->id);
        json_set_str(o, "id", hex);
        json_set_int(o, "entries", s->made);
        json_set_int(o, "written", s->written);
        json_set_int(o, "waiting", s->waiting);
        put_time(o, "waiting_since", s->waiting_since);
        json_set_int(o, "waiting_bytes", s->pending);
        json_set_int(o, "parts", s->parts);
        put_time(o, "began_at", s->began_at);
        put_time(o, "gave_up_at", s->gave_up);
        json_set_bool(o, "joined", s->joined);
        json_set_str(o, "fault", s->fault[0] != '\0' ? s->fault : NULL);
    }
    return show_json(o, why);
}

static enum err show(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_redo_state s;
    char hex[2 * REDO_ID_BYTES + 1], when[64];
    enum err e = hub_redo_state(h, &s, why);
    if (e != ERR_OK) return e;
    c->attention = s.on && (!s.joined || s.fault[0] != '\0');
    if (c->json) return journal_json(&s, why);
    if (!s.on) {
        puts("This hub keeps no journal. It begins with spoke-hub serve --journal FOLDER.");
        return ERR_OK;
    }
    hex_encode(hex, s.id, sizeof s.id);
    show_time(s.began_at, when, sizeof when);
    printf("The journal %s was begun %s.\n%" PRId64 " entries are in its folder, in %" PRId64 " parts.\n", hex, when,
           s.written, s.parts);
    if (s.waiting > 0) {
        show_time(s.waiting_since, when, sizeof when);
        printf("%" PRId64 " entries (%" PRId64 " bytes) wait, the oldest since %s.\n", s.waiting, s.pending, when);
    }
    if (s.fault[0] != '\0') printf("The folder: %s\n", s.fault);
    if (s.gave_up != 0) {
        show_time(s.gave_up, when, sizeof when);
        printf("It was given up and begun anew %s.\n", when);
    }
    if (!s.joined) puts("There is no backup yet that it goes on from. Make one: spoke-hub backup FILE");
    return ERR_OK;
}

static enum err begin(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = hub_redo_begin(h, reason, why);
    return e == ERR_OK ? hub_home_said(c, "journal", "begun",
                                       "A new journal is begun. It goes on from the next backup: make one now (spoke-hub backup FILE). Parts of "
                                       "the former one are needed for older backups alone.",
                                       why)
                       : e;
}

static enum err end(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = hub_redo_end(h, reason, why);
    return e == ERR_OK ? hub_home_said(c, "journal", "ended",
                                       "No journal is kept any more. Its parts stay in the folder; remove them when the last backup that "
                                       "they belong to is gone. A server that was started with --journal begins a new one when it starts again.",
                                       why)
                       : e;
}

static enum err run_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, show, why);
}
static enum err run_begin(struct cli *c, struct why *why)
{
    return hub_home_run(c, begin, why);
}
static enum err run_end(struct cli *c, struct why *why)
{
    return hub_home_run(c, end, why);
}

static const struct flag reason_flags[] = {{"reason", "TEXT", "why"}, {0}};

const struct command hub_journal_commands[] = {
    {"journal begin", "", 0, 0,
     "Begin a new journal, in the place of one whose folder was lost. It goes on from the next backup.",
     "spoke-hub journal begin --reason \"the disk of the other machine was replaced\"", reason_flags, run_begin},
    {"journal end", "", 0, 0, "Keep no journal any more.", "spoke-hub journal end --reason \"the other machine is given up\"",
     reason_flags, run_end},
    {"journal", "", 0, 0,
     "Say how the journal stands: how many entries are in its folder, how many wait and since when, and whether there is a backup that it goes on from.",
     "spoke-hub journal", NULL, run_show},
    {0}};
