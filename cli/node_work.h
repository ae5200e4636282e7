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
};

/* Open the replica of --home with the passphrase. Close with work_close, also after an error. */
MUST_CHECK enum err work_open(struct work *w, struct cli *c, struct why *why);
void work_close(struct work *w);

/* Open, run `act` inside one edit, commit it under the phrase `what`, close. The usual shape of a command that writes. */
MUST_CHECK enum err work_edit(struct cli *c, const char *what, enum err (*act)(struct work *w, struct why *why),
                              struct why *why);
/* The same for a command that only reads. */
MUST_CHECK enum err work_read(struct cli *c, enum err (*act)(struct work *w, struct why *why), struct why *why);

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

#endif
