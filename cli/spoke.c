/* spoke: a node at a partner's site. */
#include "cli/node_commands.h"

static const struct command *const groups[] = {node_home_commands,
                                               node_trust_commands,
                                               node_lock_commands,
                                               node_user_commands,
                                               node_orders_commands,
                                               node_case_commands,
                                               node_person_commands,
                                               node_record_commands,
                                               node_request_commands,
                                               node_request_csv_commands,
                                               node_release_commands,
                                               node_consent_commands,
                                               node_conflict_commands,
                                               node_judge_commands,
                                               node_decide_commands,
                                               node_feedback_commands,
                                               node_meeting_commands,
                                               node_outbox_commands,
                                               node_ask_commands,
                                               node_search_commands,
                                               node_report_commands,
                                               node_summary_commands,
                                               node_data_commands,
                                               serve_commands,
                                               node_open_commands,
                                               NULL};

int main(int argc, char **argv)
{
    static const struct program spoke = {
        .name = "spoke",
        .about = "Spoke: take part in a safeguarding hub from where you are, with or without a network.",
        .home_env = "SPOKE_HOME",
        .groups = groups,
        .device_secret = true,
    };
    return cli_main(&spoke, argc, argv);
}
