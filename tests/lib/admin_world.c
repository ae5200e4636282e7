#include "tests/lib/admin_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_hub *admin_hub;

#define MUST(call)                                                          \
    do {                                                                    \
        struct why why_ = {0}, *const why = &why_;                          \
        if ((call) != ERR_OK) fail_msg("%s: %s", #call, why_.text);         \
    } while (0)

int admin_start(void **state)
{
    (void)state;
    admin_hub = calloc(1, sizeof *admin_hub);
    assert_non_null(admin_hub);
    fake_hub_start(admin_hub);
    fake_hub_people(admin_hub);
    return 0;
}

int admin_stop(void **state)
{
    (void)state;
    fake_hub_stop(admin_hub);
    free(admin_hub);
    return 0;
}

struct bytes admin_pass(const char *name)
{
    static const struct {
        const char *name, *pass;
    } known[] = {{"admin", "correct horse battery"}, {"Ines", "Ines has a long one"}, {"Omar", "Omar has another one"},
                 {"Vera", "Vera looks and looks"},   {"robot", "robot serves all day"}, {"Sam", "Sam has yet another"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0) return bytes_of_str(known[i].pass);
    fail_msg("nobody is called %s", name);
    return bytes_of_str("");
}

void admin_add(const char *name, enum hub_role role)
{
    MUST(hub_admin_add(admin_hub->hub, name, role, admin_pass(name), why));
}

enum err admin_try_as(const char *name, struct why *why)
{
    hub_close(admin_hub->hub);
    admin_hub->hub = NULL;
    return hub_open(&admin_hub->hub, &admin_hub->env, admin_hub->dir, admin_pass(name), why);
}

void admin_as(const char *name)
{
    MUST(admin_try_as(name, why));
}

static void copy(char out[80], struct bytes v)
{
    (void)snprintf(out, 80, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
}

void admin_last_act(const char *act, char who[80], char second[80])
{
    struct stmt *s = NULL;
    bool row = false;
    who[0] = second[0] = '\0';
    MUST(db_prepare(hub_db(admin_hub->hub),
                    "SELECT b.who, b.second FROM h_act a LEFT JOIN h_act_by b ON b.act_no = a.no WHERE a.act = $1 ORDER BY a.no DESC "
                    "LIMIT 1",
                    &s, why));
    db_bind_str(s, 1, act);
    MUST(db_step(s, &row, why));
    if (row) {
        copy(who, db_bytes(s, 0));
        copy(second, db_bytes(s, 1));
    }
    db_done(s);
}

int64_t admin_acts(const char *act)
{
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(hub_db(admin_hub->hub), "SELECT count(*) FROM h_act WHERE act = $1", &s, why));
    db_bind_str(s, 1, act);
    MUST(db_step(s, &row, why));
    int64_t n = row ? db_int(s, 0) : 0;
    db_done(s);
    return n;
}

void admin_log_holds(void)
{
    struct log_audit_sum sum;
    MUST(hub_log_verify(admin_hub->hub, &sum, why));
}
