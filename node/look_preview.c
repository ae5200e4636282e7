/* What an agency would see of a case, or lose, before it is shared or the sharing ends. */
#include "node/look_preview.h"

#include "node/look_reply.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- counting */
void look_preview_count(struct buf *out, struct bytes table, long long n)
{
    static const struct {
        const char *table, *one, *many;
    } words[] = {
        {"action", "action", "actions"},
        {"allocation", "person who works on it", "people who work on it"},
        {"attendance", "name of who was at a meeting", "names of who was at a meeting"},
        {"brief", "summary of the case with its decision", "summaries of cases with their decisions"},
        {"case_file", "case with its area, rating and times", "cases with their areas, ratings and times"},
        {"challenge", "dispute", "disputes"},
        {"coded", "coded fact", "coded facts"},
        {"conflict", "value with two versions", "values with two versions"},
        {"consent", "note about consent", "notes about consent"},
        {"contact", "address or telephone number", "addresses or telephone numbers"},
        {"episode", "plan", "plans"},
        {"feedback", "message about the outcome", "messages about the outcome"},
        {"held", "change that is not accepted yet", "changes that are not accepted yet"},
        {"identifier", "number, such as an NHS number", "numbers, such as an NHS number"},
        {"kinship", "family tie", "family ties"},
        {"link", "link to another case", "links to other cases"},
        {"meeting", "meeting", "meetings"},
        {"participant", "agency that takes part", "agencies that take part"},
        {"person", "person", "people"},
        {"pointer", "word that an agency holds something", "words that an agency holds something"},
        {"rating", "rating with its reason", "ratings with their reasons"},
        {"record", "record", "records"},
        {"referral", "referral", "referrals"},
        {"release", "question or answer about permission to share", "questions or answers about permission to share"},
        {"release_source", "note of what was told to whom", "notes of what was told to whom"},
        {"request", "question to an agency", "questions to agencies"},
        {"warning", "warning", "warnings"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (bytes_equal(table, bytes_of_str(words[i].table))) {
            buf_printf(out, "%lld %s", n, n == 1 ? words[i].one : words[i].many);
            return;
        }
    buf_put_bytes(out, table);
    buf_printf(out, ": %lld", n);
}

/* ----------------------------------------------------------------------------------------------------- by the rules */
#define OWN "They see what they wrote themselves, what they are asked, and what they are told by permission."
const char *const *look_preview_rule(const struct look_preview *in)
{
    static const char *const check[] = {
        "They see who the case is about and who belongs to the family, the warnings and the rating, and which agencies say"
        " that they hold something.",
        OWN,
        "They see no record of another agency, no summary, no decision, no address and no telephone number.",
        NULL,
    };
    static const char *const view[] = {
        "They see who the case is about and who belongs to the family, the warnings, and addresses and telephone numbers that"
        " are not protected.",
        "They see the summary, ratings and decision, meetings, plans and actions, what was said about consent, and who takes"
        " part.",
        "They see each record that is not sensitive, unless it waits for consent.",
        OWN,
        "They see no sensitive record, no protected address, and nothing that an agency keeps for itself. They have to ask the"
        " owner, who decides.",
        NULL,
    };
    static const char *const stop[] = {
        "What others wrote leaves their devices: people, warnings, records, ratings, the decision.",
        "They keep what they wrote themselves, what they were asked, what they were told by permission, and the outcome.",
        NULL,
    };
    if (in->unshare) return stop;
    return in->access != NULL && strcmp(in->access, "check") == 0 ? check : view;
}

/* ----------------------------------------------------------------------------------------------------------- asking */
enum err look_preview_question(const struct look_preview *in, char text[LOOK_PREVIEW_CHARS], struct node_question *out,
                               struct why *why)
{
    const char *access = in->access != NULL ? in->access : "contribute";
    text[0] = '\0';
    if (in->agency == NULL || in->agency[0] == '\0') return why_set(why, ERR_USAGE, "Say which agency.");
    if (!in->unshare && strcmp(access, "check") != 0 && strcmp(access, "view") != 0 &&
        strcmp(access, "contribute") != 0)
        return why_set(why, ERR_USAGE, "What they may do is one of: check, view or contribute.");
    *out = (struct node_question){.kind = in->unshare ? QUESTION_UNSHARE : QUESTION_SHARE,
                                  .table_index = rules_table_index(bytes_of_str("case_file")),
                                  .agency = in->agency,
                                  .text = text};
    memcpy(out->id, in->case_id, sizeof out->id);
    if (in->unshare) return ERR_OK;
    const bool one = in->site != NULL && in->site[0] != '\0';
    int n = snprintf(text, LOOK_PREVIEW_CHARS, "%s%s%s", access, one ? "\n" : "", one ? in->site : "");
    return n >= 0 && n < LOOK_PREVIEW_CHARS ? ERR_OK : why_set(why, ERR_USAGE, "There is no site of so long a name.");
}

enum err look_preview(struct node *n, const struct look_preview *in, bool ask, struct json **out, struct why *why)
{
    struct node_question q;
    char text[LOOK_PREVIEW_CHARS];
    *out = NULL;
    enum err e = look_preview_question(in, text, &q, why);
    if (e == ERR_OK) e = look_reply_to(n, &q, ask, out, why);
    if (e != ERR_OK) return e;
    struct json *rule = json_array_new();
    for (const char *const *one = look_preview_rule(in); *one != NULL; one++) json_append_str(rule, *one);
    json_set_obj(*out, "rule", rule);
    return ERR_OK;
}
