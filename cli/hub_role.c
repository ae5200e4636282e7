#include "cli/hub_role.h"

#include <stdio.h>
#include <string.h>

#define NO_HUB 0u /* it opens none, or one that is made by it */

static const struct {
    const char *name;
    unsigned may;
} list[] = {
    /* Looking. */
    {"agency list", MAY_VIEW},
    {"site list", MAY_VIEW},
    {"practitioner list", MAY_VIEW},
    {"duty list", MAY_VIEW},
    {"invitation list", MAY_VIEW},
    {"node list", MAY_VIEW},
    {"node show", MAY_VIEW},
    {"held list", MAY_VIEW},
    {"conflict list", MAY_VIEW},
    {"act list", MAY_VIEW},
    {"policy show", MAY_VIEW},
    {"policy text", MAY_VIEW},
    {"policy check", MAY_VIEW},
    {"preview policy", MAY_VIEW},
    {"preview revoke", MAY_VIEW},
    {"timescale list", MAY_VIEW},
    {"holiday list", MAY_VIEW},
    {"log checkpoint", MAY_VIEW},
    {"log key", MAY_VIEW},
    {"log proof", MAY_VIEW},
    {"log export", MAY_VIEW},
    {"log verify", MAY_VIEW},
    {"verify", MAY_VIEW},
    {"who-saw", MAY_VIEW},
    {"retention", MAY_VIEW},
    {"retention holds", MAY_VIEW},
    {"retention erased", MAY_VIEW},
    {"admin list", MAY_VIEW},
    {"rule list", MAY_VIEW},
    {"proposal list", MAY_VIEW},
    {"proposal show", MAY_VIEW},
    /* What timers and monitors run too. */
    {"status", MAY_ANY},
    {"restore status", MAY_ANY},
    {"journal", MAY_ANY},
    {"doctor", MAY_ANY},
    {"metrics", MAY_ANY},
    {"serve", MAY_SERVE},
    {"backup", MAY_SERVE},
    {"bundle exchange", MAY_SERVE},
    /* One's own, whatever the role. */
    {"admin passwd", MAY_ANY},
    {"admin name", MAY_VIEW},
    /* The daily work. */
    {"agency add", MAY_OPERATE},
    {"site add", MAY_OPERATE},
    {"practitioner add", MAY_OPERATE},
    {"duty add", MAY_OPERATE},
    {"invite", MAY_OPERATE},
    {"invitation withdraw", MAY_OPERATE},
    {"node lease", MAY_OPERATE},
    {"node budget", MAY_OPERATE},
    {"node revoke", MAY_OPERATE}, /* of one; a whole site is for security administrators: hub_revoke_site */
    {"node approve", MAY_OPERATE},
    {"node refuse", MAY_OPERATE},
    {"timescale set", MAY_OPERATE},
    {"holiday add", MAY_OPERATE},
    {"holiday remove", MAY_OPERATE},
    {"policy continue", MAY_OPERATE}, /* it was applied already */
    {"retention hold", MAY_OPERATE},
    {"retention run", MAY_OPERATE}, /* it was set already */
    /* What reaches far, or cannot be taken back. */
    {"node wipe", MAY_SECURE},
    {"node lost", MAY_SECURE},
    {"node retire", MAY_SECURE},
    {"policy apply", MAY_SECURE},
    {"policy set", MAY_SECURE},
    {"emergency", MAY_SECURE},
    {"retention set", MAY_SECURE},
    {"retention release", MAY_SECURE},
    {"erase", MAY_SECURE},
    {"rule two-person", MAY_SECURE},
    {"rule approve-devices", MAY_SECURE},
    {"rule returned", MAY_SECURE},
    {"admin add", MAY_SECURE},
    {"admin role", MAY_SECURE},
    {"admin remove", MAY_SECURE},
    {"migrate", MAY_SECURE},
    {"restore", NO_HUB},
    {"restore release", MAY_SECURE},
    {"journal begin", MAY_SECURE},
    {"journal end", MAY_SECURE},
    {"restore unseal", MAY_SECURE},
    {"approve", MAY_SECURE},
    {"refuse", MAY_SECURE},
    {"init", NO_HUB},
};

static bool find(const char *command, unsigned *out)
{
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(list[i].name, command) == 0) {
            *out = list[i].may;
            return true;
        }
    return false;
}

unsigned hub_role_of(const char *command)
{
    unsigned may = MAY_SECURE;
    return find(command, &may) && may != NO_HUB ? may : MAY_SECURE;
}

size_t hub_role_lines(const char *command)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) n += strcmp(list[i].name, command) == 0;
    return n;
}

void hub_role_help(const struct command *command, char *out, size_t n)
{
    char who[160];
    unsigned may = MAY_SECURE;
    out[0] = '\0';
    if (find(command->name, &may) && may == NO_HUB) return;
    hub_role_words(may, who, sizeof who);
    (void)snprintf(out, n, "For %s.", who);
}

enum err hub_role_check(const struct cli *c, struct hub *h, struct why *why)
{
    return hub_admin_may(h, hub_role_of(c->command->name), c->command->name, why);
}
