/* spoke-hub: the hub of a MASH and its administrators. */
#include "cli/hub_commands.h"
#include "cli/hub_role.h"

static const struct command *const groups[] = {hub_place_commands, hub_invite_commands, hub_device_commands, hub_node_act_commands, hub_admins_commands, hub_proposal_commands, hub_store_commands,
                                               hub_policy_commands, hub_calendar_commands, hub_serve_commands, hub_preview_commands, hub_metrics_commands, hub_doctor_commands, hub_log_commands, hub_saw_commands, hub_migrate_commands, hub_retention_commands, hub_disaster_commands, hub_journal_commands, NULL};

int main(int argc, char **argv)
{
    static const struct program spoke_hub = {
        .name = "spoke-hub",
        .about = "Spoke hub: the one place of a MASH that judges every change and decides who sees what.",
        .home_env = "SPOKE_HUB_HOME",
        .groups = groups,
        .who = hub_role_help,
    };
    return cli_main(&spoke_hub, argc, argv);
}
