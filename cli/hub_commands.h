/* The command tables of spoke-hub; each ends with an empty entry. */
#ifndef SPOKE_CLI_HUB_COMMANDS_H
#define SPOKE_CLI_HUB_COMMANDS_H

#include "cli/command.h"

extern const struct command hub_place_commands[];  /* init, agency, site, practitioner, duty */
extern const struct command hub_invite_commands[];
extern const struct command hub_admins_commands[];   /* admin, rule */
extern const struct command hub_proposal_commands[]; /* proposal, approve, refuse */
extern const struct command hub_device_commands[]; /* node list, show, lease */
extern const struct command hub_node_act_commands[]; /* what cuts devices off */
extern const struct command hub_store_commands[];  /* bundle, held, conflict, act, verify */
extern const struct command hub_saw_commands[];    /* who-saw, emergency */
extern const struct command hub_policy_commands[]; /* policy */
extern const struct command hub_calendar_commands[]; /* timescale, holiday */
extern const struct command hub_serve_commands[];  /* serve */
extern const struct command hub_preview_commands[]; /* policy apply, policy continue, preview */
extern const struct command hub_metrics_commands[];
extern const struct command hub_doctor_commands[]; /* doctor, status */
extern const struct command hub_disaster_commands[]; /* backup, restore */
extern const struct command hub_journal_commands[]; /* journal */
extern const struct command hub_log_commands[]; /* log */
extern const struct command hub_retention_commands[]; /* retention, erase */
extern const struct command hub_migrate_commands[];

#endif
