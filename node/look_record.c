/* A record of this agency as it stands, for whoever would change it: all of it, what binds a change to having seen it,
 * and for each way in which it could be marked who would see it then. */
#include "node/act_case.h"
#include "node/look_case.h"

static const char *const sight_words[] = {[ACT_ALL] = "all",
                                          [ACT_ROOM] = "room",
                                          [ACT_NOBODY_CONSENT] = "nobody_consent",
                                          [ACT_NOBODY_RESTRICTED] = "nobody_restricted",
                                          [ACT_NOBODY_VOIDED] = "nobody_voided"};

static enum err put_row(struct node *n, const uint8_t record[16], struct json *o, struct why *why)
{
    static const struct look_column more[] = {{"unsent", LOOK_BOOL}};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT t.*, " LOOK_UNSENT("t") " FROM record t WHERE t.id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, record);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "There is no record with that id on this device.");
    if (e == ERR_OK) e = look_fill(n, o, s, "record", more, 1, why);
    db_done(s);
    return e;
}

/* `says` is null where nobody gains or loses it. */
static struct json *choices(const struct act_record_now *now)
{
    static const char *const words[] = {"open", "sensitive", "restricted"};
    struct json *list = json_array_new();
    char said[ACT_SIGHT_CHARS];
    for (size_t i = 0; i < 2 * sizeof words / sizeof words[0]; i++) {
        const bool consent = i % 2 != 0;
        const enum act_sight sight = act_sight_of(words[i / 2], consent, now->kept);
        struct json *o = json_object_new();
        act_sight_change(now->sight, sight, said);
        json_set_str(o, "sensitivity", words[i / 2]);
        json_set_bool(o, "needs_consent", consent);
        json_set_str(o, "seen_by", sight_words[sight]);
        json_set_str(o, "says", said[0] != '\0' ? said : NULL);
        json_append(list, o);
    }
    return list;
}

enum err look_record(struct node *n, const uint8_t record[16], struct json **out, struct why *why)
{
    struct act_record_now now;
    char shown[2 * HASH_BYTES + 1];
    *out = NULL;
    enum err e = act_record_now(n, record, &now, why);
    if (e == ERR_OK) e = node_note_view(n, rules_table_index(bytes_of_str("record")), record, why);
    if (e != ERR_OK) return e;
    struct json *o = json_object_new(), *row = json_object_new(), *notes = json_array_new();
    e = put_row(n, record, row, why);
    hex_encode(shown, now.shown, sizeof now.shown);
    if (now.told) json_append_str(notes, ACT_RECORD_TOLD);
    json_set_obj(o, "record", row);
    json_set_str(o, "shown", shown);
    json_set_str(o, "seen_by", sight_words[now.sight]);
    json_set_obj(o, "choices", choices(&now));
    json_set_obj(o, "notes", notes);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this answer.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}
