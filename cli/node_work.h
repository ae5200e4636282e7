/* What the commands of a node share: the open replica, rows in the making, ids that people type. */
#ifndef SPOKE_CLI_NODE_WORK_H
#define SPOKE_CLI_NODE_WORK_H

#include "cli/command.h"
#include "cli/show.h"
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

/* Open the replica of --home for people: with the passphrase that was given, else by what keeps it unlocked (cli/node_agent.h),
 * else with a passphrase asked on the terminal. Close with work_close, also after an error. */
MUST_CHECK enum err work_open(struct work *w, struct cli *c, struct why *why);
void work_close(struct work *w);

/* Open, run `act` inside one edit, commit it under the phrase `what`, close. The usual shape of a command that writes. */
MUST_CHECK enum err work_edit(struct cli *c, const char *what, enum err (*act)(struct work *w, struct why *why),
                              struct why *why);
/* The same for a command that only reads. */
MUST_CHECK enum err work_read(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* The same for who may open this device, which outlasts the moment: that it is unlocked is not enough, the passphrase is asked. */
MUST_CHECK enum err work_afresh(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* The same for contact with the hub, which is the way out when the device is closed to people. */
MUST_CHECK enum err work_contact(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);
/* ERR_UNINIT where no node is, before anybody is asked for a passphrase. */
MUST_CHECK enum err work_has_home(const struct cli *c, struct why *why);

/* A new row of a case table with id, case_id and this node's agency set and every other column NULL. `id` NULL draws one. */
void work_row(struct work *w, struct row *out, const char *table, const uint8_t case_id[16], const uint8_t *id,
              uint8_t out_id[16]);
/* By column name, which must be there. Borrowed values must live until work_put. */
void work_set(struct row *r, const char *column, struct value v);
MUST_CHECK enum err work_put(struct work *w, const struct row *r, struct why *why);
/* One column of a row that is there. */
MUST_CHECK enum err work_update(struct work *w, const char *table, const uint8_t id[16], const char *column,
                                struct value v, struct why *why);
/* "COLUMN=VALUE" for one of these tables (the first that has the column). Reads the value as the column's type wants it. */
MUST_CHECK enum err work_assign(struct work *w, const char *const *tables, const uint8_t (*ids)[16], size_t n,
                                const char *text, struct why *why);
MUST_CHECK enum err work_read_value(struct work *w, const struct column_rule *c, const char *text, struct value *out,
                                    struct why *why);
/* Text given as an option, or NULL. */
struct value work_text_flag(const struct work *w, const char *flag);
/* A time given as an option, else `otherwise`. */
MUST_CHECK enum err work_time_flag(struct work *w, const char *flag, struct value otherwise, struct value *out,
                                   struct why *why);

/* What a person types for a row: whole id, unique prefix of 8 or more hex digits, for cases also the reference.
 * ERR_NOTFOUND, ERR_USAGE when several begin so. */
MUST_CHECK enum err work_pick(struct work *w, const char *table, const char *typed, uint8_t out_id[16],
                              struct why *why);
MUST_CHECK enum err work_case_of(struct work *w, const char *table, const uint8_t id[16], uint8_t out_case[16],
                                 struct why *why);
/* Is there a row of this id in the table? */
MUST_CHECK enum err work_has(struct work *w, const char *table, const uint8_t id[16], bool *out, struct why *why);
/* An id that two sites would make alike: first 16 bytes of a labelled hash over parts. */
void work_derived_id(uint8_t out[16], const char *label, const struct bytes *parts, size_t n);
/* A case reference, "C-" and 8 letters and digits: random, never counted. */
void work_reference(struct work *w, char out[16]);
/* A file's content for --body-file and the like: UTF-8, at most 1 MiB; "-" is standard input. */
MUST_CHECK enum err work_file(struct work *w, const char *path, struct value *out, struct why *why);

/* Print {"id": …} or "TITLE ID". */
MUST_CHECK enum err work_say_id(struct work *w, const char *title, const uint8_t id[16], struct why *why);

/* What was just done in a case: will the hub hold it, because this site takes part with less than that asks for? Then it is
 * said on stderr, and the command ends as one that wants a person. `contribute`: else `check` is enough. */
MUST_CHECK enum err node_outlook(struct work *w, const uint8_t case_id[16], bool contribute, bool *out_held,
                                 struct why *why);

/* After a change of consent, or of a record that needs it: what nobody else can see now, said on stderr and put into the
 * JSON object `into` (may be NULL). cli/node_consent.c. */
MUST_CHECK enum err node_consent_effect(struct work *w, const uint8_t case_id[16], struct json *into, struct why *why);

/* Note that the person looks at rows of this table, where looking is to be noted (node_note_view); before they are shown. The
 * question gives their ids; its $1 is `id` (NULL: it has none). cli/node_views.c. */
MUST_CHECK enum err node_viewed(struct work *w, const char *table, const char *sql, const uint8_t id[16],
                                struct why *why);
/* The same of the rows that these conflicts are about, whose versions are shown. Each may be NULL: any. */
MUST_CHECK enum err node_viewed_conflicts(struct work *w, const char *state, const uint8_t *id, struct why *why);

/* Requests and releases in plain words, for lists and for `case show`: SQL over a request q or a release r. `now` is the
 * parameter that holds the time. */
#define WORK_REQUEST_SAYS(now)                                                                                         \
    "CASE q.state WHEN 'answered' THEN CASE q.result WHEN 'known' THEN 'known to them' WHEN 'not_known'"               \
    " THEN 'not known to them' ELSE 'nothing that bears on this' END"                                                  \
    " WHEN 'declined' THEN 'declined: ' || coalesce(q.reason, '') WHEN 'cancelled' THEN 'taken back'"                  \
    " ELSE CASE WHEN q.due_at < " now " THEN 'late: no answer yet' ELSE 'no answer yet' END END"
/* The reason of a refusal, a row beside the question that was refused. */
#define WORK_RELEASE_IS_REASON                                                                                         \
    "(r.state = 'refused' AND r.asked_by IS NULL AND EXISTS (SELECT 1 FROM release k WHERE k.case_id = r.case_id"      \
    " AND k.asked_by IS NOT NULL AND k.state = 'refused' AND k.agency = r.to_agency AND k.to_agency = r.agency"        \
    " AND k.decided_at = r.decided_at))"
#define WORK_RELEASE_SAYS(now)                                                                                         \
    "CASE WHEN r.asked_by IS NOT NULL THEN CASE r.state WHEN 'asked' THEN 'asked: no answer yet'"                      \
    " WHEN 'granted' THEN 'asked: granted' WHEN 'refused' THEN 'asked: refused: ' || coalesce((SELECT k.reason"        \
    " FROM release k WHERE k.case_id = r.case_id AND k.agency = r.to_agency AND k.to_agency = r.agency"                \
    " AND k.state = 'refused' AND k.asked_by IS NULL AND k.decided_at = r.decided_at AND k.voided_at IS NULL), '')"    \
    " ELSE 'asked: taken back' END"                                                                                          \
    " WHEN r.state = 'refused' THEN 'refused' WHEN r.expires_at <= " now " THEN 'told, and over now'"                  \
    " ELSE CASE r.how WHEN 'whole' THEN 'told whole' WHEN 'redacted' THEN 'told in the owner''s words'"                \
    " ELSE 'told in person' END END"

#endif
