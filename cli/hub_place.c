/* spoke-hub init, agency, site, practitioner, duty: the hub, its partners and their people. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/secretin.h"
#include "hub/admins.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------------------------------------------- init */
static enum err run_init(struct cli *c, struct why *why)
{
    const char *name = NULL, *admin = cli_flag(c, "admin");
    struct secret pass = {0};
    struct hub *h = NULL;
    enum err e = cli_need(c, "name", &name, why);
    if (e == ERR_OK) e = secretin_passphrase(c, true, &pass, why);
    const struct hub_place at = {.home = c->home, .store = c->store};
    if (e == ERR_OK) e = hub_init_at(c->env, &at, name, bytes_of(pass.p, pass.n), why);
    if (e == ERR_OK) e = hub_open_at(&h, c->env, &at, bytes_of(pass.p, pass.n), NULL, why);
    if (e == ERR_OK && admin != NULL && strcmp(admin, "admin") != 0) e = hub_admin_rename(h, admin, why);
    secret_release(&pass);
    if (e != ERR_OK) {
        hub_close(h);
        return e;
    }
    char spoken[48];
    identity_spoken(hub_identity(h)->kid, spoken, sizeof spoken);
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "name", hub_name(h));
        json_set_str(o, "fingerprint", spoken);
        json_set_str(o, "home", c->home);
        e = show_json(o, why);
    } else {
        printf("The hub is ready in %s.\nIts fingerprint is %s.\n", c->home, spoken);
        puts("Keep the passphrase where two people can find it: without it nobody can open the hub again.");
        puts("Next: spoke-hub agency add CODE NAME, then spoke-hub site add.");
    }
    hub_close(h);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- adding */
static enum err add_agency(struct cli *c, struct hub *h, struct why *why)
{
    enum err e = hub_add_agency(h, c->args[0], c->args[1], cli_flag(c, "kind"), why);
    return e == ERR_OK ? hub_home_said(c, "code", c->args[0], "The agency is added.", why) : e;
}

static enum err add_site(struct cli *c, struct hub *h, struct why *why)
{
    const char *areas[CLI_MAX_FLAGS * 4];
    struct hub_site s = {.code = c->args[0], .agency = c->args[1], .name = c->args[2], .areas = areas};
    const char *kind = cli_flag(c, "kind");
    s.kind = kind != NULL ? kind : "partner";
    s.phone = cli_flag(c, "phone");
    while (s.n_areas < COUNT(areas) && (areas[s.n_areas] = cli_flag_at(c, "area", (int)s.n_areas)) != NULL) s.n_areas++;
    enum err e = hub_add_site(h, &s, why);
    if (e != ERR_OK) return e;
    return hub_home_said(c, "code", s.code,
                         s.n_areas > 0 ? "The site is added." : "The site is added. It covers all areas.", why);
}

static enum err add_practitioner(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t id[16];
    char uuid[37], sentence[80];
    enum err e = hub_add_practitioner(h, c->args[0], c->args[1], cli_flag(c, "role"), id, why);
    if (e != ERR_OK) return e;
    uuid_format(id, uuid);
    snprintf(sentence, sizeof sentence, "The person is added: %s", uuid);
    return hub_home_said(c, "id", uuid, sentence, why);
}

static enum err add_duty(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t id[16];
    char uuid[37];
    enum err e = hub_home_pick(h, "SELECT id FROM practitioner WHERE id >= $1 AND id <= $2", c->args[0],
                               "practitioner", id, why);
    if (e == ERR_OK) e = hub_add_duty(h, id, c->args[1], c->args[2], why);
    if (e != ERR_OK) return e;
    uuid_format(id, uuid);
    return hub_home_said(c, "practitioner", uuid, "The duty is added.", why);
}

/* ------------------------------------------------------------------------------------------------------ lists */
static enum err list_agencies(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {
        {"code", "Code", SHOW_TEXT}, {"name", "Name", SHOW_TEXT}, {"kind", "Kind", SHOW_TEXT}};
    return hub_home_list(c, h, "SELECT code, name, kind FROM agency ORDER BY code", cols, COUNT(cols),
                         "There is no agency yet.", why);
}

static const struct show_column site_columns[] = {{"code", "Code", SHOW_TEXT},   {"agency", "Agency", SHOW_TEXT},
                                                  {"name", "Name", SHOW_TEXT},   {"kind", "Kind", SHOW_TEXT},
                                                  {"phone", "Phone", SHOW_TEXT}, {"area", "Area", SHOW_TEXT}};
/* A line for each area of each site. */
static const char site_question[] =
    "SELECT s.code, s.agency, s.name, s.kind, s.phone, v.area FROM site s LEFT JOIN coverage v ON v.site = s.code "
    "ORDER BY s.code, v.area";

static void end_site(struct json *list, struct json *site, struct json *areas)
{
    json_set_obj(site, "areas", areas);
    json_append(list, site);
}

/* For programs an object a site, with its areas as an array. */
static enum err list_sites(struct cli *c, struct hub *h, struct why *why)
{
    if (!c->json)
        return hub_home_list(c, h, site_question, site_columns, COUNT(site_columns), "There is no site yet.", why);
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h), site_question, &s, why);
    if (e != ERR_OK) return e;
    struct json *list = json_array_new(), *site = NULL, *areas = NULL;
    bool row = false;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes code = db_bytes(s, 0);
        const char *last = json_get_str(site, "code");
        if (last == NULL || !bytes_equal(code, bytes_of_str(last))) {
            if (last != NULL) end_site(list, site, areas);
            site = show_object(s, site_columns, COUNT(site_columns) - 1);
            areas = json_array_new();
        }
        struct bytes area = db_bytes(s, 5);
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)area.n, area.n > 0 ? (const char *)area.p : "");
        json_append_str(areas, text);
    }
    if (site != NULL) end_site(list, site, areas);
    db_done(s);
    if (e == ERR_OK) return show_json(list, why);
    json_free(list);
    return e;
}

static enum err list_practitioners(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"id", "Id", SHOW_ID},
                                              {"name", "Name", SHOW_TEXT},
                                              {"site", "Site", SHOW_TEXT},
                                              {"role", "Role", SHOW_TEXT},
                                              {"active", "Active", SHOW_BOOL}};
    return hub_home_list(c, h,
                         "SELECT id, name, site, role, coalesce(active, 1) FROM practitioner ORDER BY site, name, id",
                         cols, COUNT(cols), "There is nobody yet.", why);
}

static enum err list_duties(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"practitioner", "Person's id", SHOW_ID},
                                              {"name", "Name", SHOW_TEXT},
                                              {"site", "Site", SHOW_TEXT},
                                              {"area", "Area", SHOW_TEXT},
                                              {"duty", "Duty", SHOW_TEXT}};
    static const char sql[] = "SELECT d.practitioner, p.name, p.site, d.area, d.duty FROM duty d "
                              "LEFT JOIN practitioner p ON p.id = d.practitioner ORDER BY d.area, d.duty, p.name";
    return hub_home_list(c, h, sql, cols, COUNT(cols), "Nobody has a duty yet.", why);
}

/* ------------------------------------------------------------------------------------------------ the commands */
static enum err run_agency_add(struct cli *c, struct why *why)
{
    return hub_home_run(c, add_agency, why);
}
static enum err run_agency_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_agencies, why);
}
static enum err run_site_add(struct cli *c, struct why *why)
{
    return hub_home_run(c, add_site, why);
}
static enum err run_site_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_sites, why);
}
static enum err run_practitioner_add(struct cli *c, struct why *why)
{
    return hub_home_run(c, add_practitioner, why);
}
static enum err run_practitioner_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_practitioners, why);
}
static enum err run_duty_add(struct cli *c, struct why *why)
{
    return hub_home_run(c, add_duty, why);
}
static enum err run_duty_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_duties, why);
}

static const struct flag init_flags[] = {
    {"name", "NAME", "what partners read on their screens"},
    {"admin", "NAME", "who you are: the first security administrator (default: admin)"},
    {0}};
static const struct flag agency_flags[] = {
    {"kind", "KIND", "what sort of organisation: police, health, education, housing, probation, social_care, ..."},
    {0}};
static const struct flag site_flags[] = {
    {"kind", "KIND", "partner (default), mash (the room that pools what partners know) or out_of_hours"},
    {"area", "AREA", "an area that it covers; may be given several times; without it, all areas"},
    {"phone", "NUMBER", "where to reach it"},
    {0}};
static const struct flag practitioner_flags[] = {{"role", "ROLE", "what the person does there"}, {0}};

const struct command hub_place_commands[] = {
    {"init", "", 0, 0,
     "Make a hub. Its keys and its encrypted store go into the home, under a new passphrase that is asked for.",
     "spoke-hub --home /var/lib/spoke-hub init --name \"Westshire MASH\"", init_flags, run_init},
    {"agency add", "CODE NAME", 2, 2, "Add a partner organisation.",
     "spoke-hub agency add police \"Westshire Police\" --kind police", agency_flags, run_agency_add},
    {"agency list", "", 0, 0, "List the partner organisations.", "spoke-hub agency list", NULL, run_agency_list},
    {"site add", "CODE AGENCY NAME", 3, 3, "Add a place of an agency, where its devices stand.",
     "spoke-hub site add csc-mash csc \"MASH room\" --kind mash --area north --area south", site_flags, run_site_add},
    {"site list", "", 0, 0, "List the places and the areas that they cover.", "spoke-hub site list", NULL,
     run_site_list},
    {"practitioner add", "SITE NAME", 2, 2, "Add a person who works at a site.",
     "spoke-hub practitioner add csc-mash \"Ann Example\" --role \"team manager\"", practitioner_flags,
     run_practitioner_add},
    {"practitioner list", "", 0, 0, "List the people and their ids.", "spoke-hub practitioner list", NULL,
     run_practitioner_list},
    {"duty add", "PRACTITIONER AREA DUTY", 3, 3,
     "Give a person a duty in an area. The duty is manager, social_care or caldicott; the area * stands for all areas.",
     "spoke-hub duty add 0192f0c4 north manager", NULL, run_duty_add},
    {"duty list", "", 0, 0, "List who has which duty where.", "spoke-hub duty list", NULL, run_duty_list},
    {0}};
