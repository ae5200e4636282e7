/* open: this device's pages in a browser, without typing the passphrase there. */
#include "cli/node_agent.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/secretin.h"
#include "cli/serve_gate.h"
#include "cli/serve_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whoever keeps it unlocked lets the browser in; where nobody does, this person does from now on. */
static enum err keep_unlocked(struct cli *c, struct why *why)
{
    struct node_agent_state s;
    struct secret pass = {0};
    struct keyring ring = {0};
    enum err e = secretin_is_given(c) ? ERR_NOTFOUND : node_agent_state(c->home, &s, why);
    if (e != ERR_NOTFOUND) return e;
    e = secretin_passphrase(c, false, &pass, why);
    if (e == ERR_OK) e = node_unlock(c->env, c->home, bytes_of(pass.p, pass.n), &ring, why);
    secret_release(&pass); /* before the agent is made, which would have a copy of it */
    if (e == ERR_OK) e = node_agent_start(c->home, &ring, NODE_AGENT_IDLE_MINUTES * 60000, why);
    keyring_release(&ring);
    return e;
}

/* A page of this user's own that leads there: what stands in a command line is seen by everybody on this computer, and
 * whoever is quicker than the browser would be let in. serve_launch_take removes it. */
static enum err leave_page(struct cli *c, const char *url, char path[1200], struct why *why)
{
    struct buf page;
    enum err e = path_join(path, 1200, c->home, LAUNCH_PAGE, why);
    if (e != ERR_OK) return e;
    buf_init(&page, 4096);
    buf_printf(&page,
               "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Spoke</title>"
               "<meta http-equiv=\"refresh\" content=\"0; url=%s\"><p><a href=\"%s\">Open Spoke</a></html>\n",
               url, url);
    e = page.err == ERR_OK ? c->env->write_file(c->env->ctx, path, buf_bytes(&page), why)
                           : why_set(why, page.err, "There is not enough memory.");
    buf_release(&page);
    return e;
}

static enum err start_browser(struct cli *c, const char *url, struct why *why)
{
    extern char **environ;
    char page[1200], program[] = "xdg-open", *argv[] = {program, page, NULL};
    enum err e = leave_page(c, url, page, why);
    if (e != ERR_OK) return e;
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    int status = 0;
    int got = posix_spawn_file_actions_init(&files);
    if (got == 0) got = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (got == 0) got = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (got == 0) got = posix_spawnp(&pid, program, &files, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    while (got == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (got == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return ERR_OK;
    (void)why_set(why, ERR_FAILED, "No browser could be started from here.");
    return why_next(why, ERR_FAILED, "Type: spoke open --print, and open the address that it shows in your browser.");
}

static enum err say(struct cli *c, const char *url, struct why *why)
{
    if (!c->json) {
        printf("%s\n", url);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "open", url);
    return show_json(o, why);
}

static enum err run_open(struct cli *c, struct why *why)
{
    char address[SERVE_ADDRESS_MAX], token[LAUNCH_CHARS], url[SERVE_ADDRESS_MAX + LAUNCH_CHARS + 16];
    enum err e = work_has_home(c, why);
    if (e == ERR_OK) e = serve_gate_where(c->home, address, why);
    if (e == ERR_OK) e = keep_unlocked(c, why);
    if (e == ERR_OK) e = serve_launch_leave(c->env, c->home, token, why);
    if (e != ERR_OK) return e;
    (void)snprintf(url, sizeof url, "%s/launch#%s", address, token);
    e = cli_has(c, "print") || c->json ? say(c, url, why) : start_browser(c, url, why);
    secret_wipe(token, sizeof token);
    secret_wipe(url, sizeof url);
    return e;
}

static const struct flag open_flags[] = {
    {"print", NULL, "print the address instead; it lets in whoever opens it first, once, within a minute"}, {0}};

const struct command node_open_commands[] = {
    {"open", "", 0, 0,
     "Open this device's pages in your browser, signed in as you. The passphrase is asked where nothing keeps the device "
     "unlocked. Something has to serve the pages: spoke serve.",
     "spoke open", open_flags, run_open},
    {0}};
