/* What the commands of a node share: the open replica, rows in the making, ids that people type. */
#ifndef SPOKE_CLI_NODE_WORK_H
#define SPOKE_CLI_NODE_WORK_H

#include "cli/command.h"
#include "cli/show.h"
#include "node/act_case.h"
#include "node/look_words.h"
#include "node/node.h"

struct work {
    struct cli *c;
    struct node *node;
    struct db *db;
    struct node_info info;
    int64_t now;        /* Unix milliseconds when the command began */
    struct buf scratch; /* what a value just read borrows from, until the next one */
    struct buf file;    /* what work_file read last */
    bool unlocked;      /* opened by what 'spoke unlock' keeps, not by a passphrase */
};

/* Open the replica of --home for people: with the passphrase that was given, else by what keeps it unlocked
 * (cli/node_agent.h), else with a passphrase asked on the terminal. Close with work_close, also after an error. */
MUST_CHECK enum err work_open(struct work *w, struct cli *c, struct why *why);
void work_close(struct work *w);

/* Open, run `act` inside one edit, commit it under the phrase `what`, close. The usual shape of a command that
 * writes. */
MUST_CHECK enum err work_edit(struct cli *c, const char *what, enum err (*act)(struct work *w, struct why *why),
                              struct why *why);
/* The same for a command that only reads. */
MUST_CHECK enum err work_read(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* The same for who may open this device, which outlasts the moment: that it is unlocked is not enough, the passphrase
 * is asked. */
MUST_CHECK enum err work_afresh(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* The same for contact with the hub, which is the way out when the device is closed to people. */
MUST_CHECK enum err work_contact(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* ERR_UNINIT where no node is, before anybody is asked for a passphrase. */
MUST_CHECK enum err work_has_home(const struct cli *c, struct why *why);

/* The arguments after the first as "COLUMN=VALUE": columns of these tables, or these words besides (may be NULL); both
 * lists end with NULL. Values are read as the column's type wants them, and borrow from the arguments. */
MUST_CHECK enum err work_changes(struct work *w, const char *const *tables, const char *const *besides,
                                 struct act_change out[CLI_MAX_ARGS], size_t *out_n, struct why *why);
/* What a person should look at again, on stderr; the command then ends as one that wants a person. */
void work_say_notes(struct work *w, const struct act_notes *notes);
/* Likewise that the hub will keep this back. */
void work_say_held(struct work *w, bool held);
MUST_CHECK enum err work_read_value(struct work *w, const struct column_rule *c, const char *text, struct value *out,
                                    struct why *why);
/* A time given as an option, else `otherwise`. */
MUST_CHECK enum err work_time_flag(struct work *w, const char *flag, struct value otherwise, struct value *out,
                                   struct why *why);

/* What a person types for a row: whole id, unique prefix of 8 or more hex digits, for cases also the reference.
 * ERR_NOTFOUND, ERR_USAGE when several begin so. */
MUST_CHECK enum err work_pick(struct work *w, const char *table, const char *typed, uint8_t out_id[16],
                              struct why *why);
MUST_CHECK enum err work_case_of(struct work *w, const char *table, const uint8_t id[16], uint8_t out_case[16],
                                 struct why *why);
/* A file's content for --body-file and the like: UTF-8, at most 1 MiB; "-" is standard input. */
MUST_CHECK enum err work_file(struct work *w, const char *path, struct value *out, struct why *why);

/* Print {"id": …} or "TITLE ID". */
MUST_CHECK enum err work_say_id(struct work *w, const char *title, const uint8_t id[16], struct why *why);

/* What was just done in a case: will the hub hold it, because this site takes part with less than that asks for? Then
 * it is said on stderr, and the command ends as one that wants a person. `contribute`: else `check` is enough. */
MUST_CHECK enum err node_outlook(struct work *w, const uint8_t case_id[16], bool contribute, bool *out_held,
                                 struct why *why);

/* After a change of consent, or of a record that needs it: what nobody else can see now, said on stderr and put into
 * the JSON object `into` (may be NULL). cli/node_consent.c. */
MUST_CHECK enum err node_consent_effect(struct work *w, const uint8_t case_id[16], struct json *into, struct why *why);

/* Note that the person looks at rows of this table, where looking is to be noted (node_note_view); before they are
 * shown. The question gives their ids; its $1 is `id` (NULL: it has none). cli/node_views.c. */
MUST_CHECK enum err node_viewed(struct work *w, const char *table, const char *sql, const uint8_t id[16],
                                struct why *why);
/* The same of the rows that these conflicts are about, whose versions are shown. Each may be NULL: any. */
MUST_CHECK enum err node_viewed_conflicts(struct work *w, const char *state, const uint8_t *id, struct why *why);

/* Requests and releases in plain words, as the pages have them (node/look_words.h). */
#define WORK_REQUEST_SAYS      LOOK_REQUEST_SAYS
#define WORK_RELEASE_IS_REASON LOOK_RELEASE_IS_REASON
#define WORK_RELEASE_SAYS      LOOK_RELEASE_SAYS

#endif
