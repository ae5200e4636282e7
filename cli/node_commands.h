/* The command tables of spoke; each ends with an empty entry. */
#ifndef SPOKE_CLI_NODE_COMMANDS_H
#define SPOKE_CLI_NODE_COMMANDS_H

#include "cli/command.h"

extern const struct command node_home_commands[];   /* enrol, status, sync, bundle, outbox */
extern const struct command node_trust_commands[];  /* verify, log */
extern const struct command node_user_commands[];   /* user */
extern const struct command node_lock_commands[];   /* unlock, lock, rekey */
extern const struct command node_orders_commands[]; /* orders */
extern const struct command node_case_commands[];   /* case … */
extern const struct command node_person_commands[]; /* person, kin, contact, warning */
extern const struct command node_record_commands[]; /* record */
extern const struct command node_request_commands[]; /* request */
extern const struct command node_request_csv_commands[]; /* request export, import */
extern const struct command node_release_commands[]; /* release, pointer */
extern const struct command node_consent_commands[]; /* consent, record override, void */
extern const struct command node_conflict_commands[]; /* conflict */
extern const struct command node_decide_commands[];  /* rate, decide, dispute */
extern const struct command node_feedback_commands[]; /* feedback */
extern const struct command node_meeting_commands[]; /* meeting, plan, action, allocate, request chase */
extern const struct command node_outbox_commands[]; /* outbox show, send-again, discard */
extern const struct command node_judge_commands[];  /* held */
extern const struct command node_ask_commands[];    /* explain, who-saw, preview, break-glass */
extern const struct command node_search_commands[]; /* search */
extern const struct command node_report_commands[]; /* report, audit */
extern const struct command node_summary_commands[]; /* summary */
extern const struct command node_data_commands[];   /* import, sql */
extern const struct command serve_commands[];       /* serve */
extern const struct command node_open_commands[];   /* open */

enum err node_case_show(struct cli *c, struct why *why); /* case show, in a file of its own */
extern const struct flag node_release_list_flags[];
enum err node_release_list(struct cli *c, struct why *why); /* release list and show likewise */
enum err node_release_show(struct cli *c, struct why *why);
/* What the device thinks of its hub, in status (cli/node_trust.c). */
struct node_trust;
struct json;
void node_trust_text(const struct node_trust *t);
void node_trust_json(const struct node_trust *t, struct json *o);
/* The code in groups, what it is and where it belongs: printed once, when it is made (cli/node_user.c). */
void node_say_recovery_code(const char *code);

#endif
