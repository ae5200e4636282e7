/* The sections of the summary, from what the case's page and its chronology say. */
#include "node/look_summary.h"

#include <string.h>

static const char *get(struct json *o, const char *key)
{
    return json_get_str(o, key);
}

/* Names beside codes; the code where the hub has no name for it. */
static const char *agency(struct json *o, const char *key)
{
    char name_key[64];
    (void)snprintf(name_key, sizeof name_key, "%s_name", key);
    const char *name = get(o, name_key);
    return name != NULL ? name : get(o, key);
}

/* ----------------------------------------------------------------------------------------------- what it is about */
static const char *rating_text(struct json *file, char out[160])
{
    char rag[80], shown[80];
    if (get(file, "rag") == NULL) return "Not rated yet";
    look_word(get(file, "rag"), rag);
    look_word(get(file, "shown_rag"), shown);
    if (!json_get_bool(file, "disputed", false))
        (void)snprintf(out, 160, "%s", rag);
    else if (strcmp(rag, shown) == 0)
        (void)snprintf(out, 160, "%s, and that is disputed", rag);
    else
        (void)snprintf(out, 160, "%s; disputed: rated %s by another agency", rag, get(file, "shown_rag"));
    return out;
}

static void put_file(struct look_written *w)
{
    struct look_section s;
    struct json *file = json_get(w->c, "case");
    char text[160], word[80], when[LOOK_TIME_TEXT];
    look_section_begin(&s, "The case", "facts");
    look_section_fact(&s, "Reference", get(file, "reference"));
    look_section_fact(&s, "Area", get(file, "area"));
    look_section_fact(&s, "About", look_word(get(file, "subject_kind"), word));
    look_section_fact(&s, "Rating", rating_text(file, text));
    look_section_fact(&s, "Rating before", look_word(get(w->c, "rating_before"), word));
    look_section_fact(&s, "Rating after", look_word(get(w->c, "rating_after"), word));
    look_section_fact(&s, "Status", look_word(get(file, "status"), word));
    look_section_fact(&s, "Led by", agency(file, "lead_agency"));
    look_section_fact(&s, "Received", look_when(get(file, "received_at"), when));
    if (get(file, "due_at") != NULL) {
        (void)snprintf(text, sizeof text, "%s %s%s", look_word(get(file, "due_what"), word),
                       look_when(get(file, "due_at"), when), json_get_bool(file, "overdue", false) ? ", late" : "");
        look_section_fact(&s, "Due next", text);
    }
    if (json_get_bool(file, "restricted", false))
        look_section_fact(&s, "Restricted", "Only the places named in it see it");
    look_section_end(&s, w->sections, NULL);
}

static enum err put_brief(struct look_written *w, struct why *why)
{
    struct look_section s;
    struct json *b = json_get(w->c, "brief");
    struct buf need;
    buf_init(&need, 1u << 20);
    enum err e = look_label(w->n, "primary_need", get(b, "primary_need"), &need, why);
    look_section_begin(&s, "In brief", "facts");
    look_section_fact(&s, "Primary need", buf_cstr(&need));
    look_section_fact(&s, "Presenting issue", get(b, "presenting_issue"));
    look_section_fact(&s, "Summary", get(b, "summary"));
    look_section_fact(&s, "Why rated so", get(b, "rag_reason"));
    look_section_fact(&s, "Basis for sharing", get(b, "basis"));
    look_section_end(&s, w->sections, "No summary has been written that your agency may see.");
    buf_release(&need);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ household */
static struct json *person(struct look_written *w, const char *id)
{
    struct json *people = json_get(w->c, "people");
    for (size_t i = 0; id != NULL && i < json_len(people); i++) {
        const char *here = get(json_at(people, i), "id");
        if (here != NULL && strcmp(here, id) == 0) return json_at(people, i);
    }
    return NULL;
}

static void put_relative(struct buf *out, const char *kind, const char *between, const char *name)
{
    if (out->len != 0) buf_put_str(out, "; ");
    for (const char *p = kind != NULL ? kind : "relative"; *p != '\0'; p++) buf_put(out, *p == '_' ? " " : p, 1);
    buf_put_str(out, between);
    buf_put_str(out, name);
}

/* Both ends of each: "mother: Eve Wren; brother of Tom Wren" */
static const char *relatives(struct look_written *w, const char *id, struct buf *out)
{
    struct json *kin = json_get(w->c, "kinship");
    buf_reset(out);
    for (size_t i = 0; id != NULL && i < json_len(kin); i++) {
        struct json *k = json_at(kin, i);
        const char *of = get(k, "person_id"), *is = get(k, "relative_id");
        const char *theirs = get(person(w, is), "name"), *own = get(person(w, of), "name");
        if (of != NULL && theirs != NULL && strcmp(of, id) == 0)
            put_relative(out, get(k, "kind"), ": ", theirs);
        else if (is != NULL && own != NULL && strcmp(is, id) == 0)
            put_relative(out, get(k, "kind"), " of ", own);
    }
    return buf_cstr(out);
}

/* A person's part as the pages say it: nobody is called a perpetrator whom no court has called one. */
static const char *part_word(const char *role, char out[80])
{
    if (role != NULL && strcmp(role, "perpetrator") == 0) return "Alleged perpetrator";
    if (role != NULL && strcmp(role, "sibling") == 0) return "Brother or sister";
    if (role != NULL && strcmp(role, "other") == 0) return "Other person";
    return look_word(role, out);
}

static void put_household(struct look_written *w)
{
    static const char *const columns[] = {"Name", "Part", "Born", "Related to"};
    struct look_section s;
    struct json *people = json_get(w->c, "people");
    struct buf kin;
    buf_init(&kin, 8u << 20);
    look_section_begin(&s, "Household and others", "table");
    look_section_columns(&s, columns, 4);
    for (size_t i = 0; i < json_len(people); i++) {
        struct json *p = json_at(people, i);
        char part[80], born[LOOK_TIME_TEXT], text[LOOK_TIME_TEXT + 32];
        look_born(get(p, "born_on"), born);
        (void)snprintf(text, sizeof text, "%s", born);
        if (get(p, "born_on") == NULL && get(p, "expected_on") != NULL)
            (void)snprintf(text, sizeof text, "expected %s", look_born(get(p, "expected_on"), born));
        else if (get(p, "died_on") != NULL)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), ", died");
        const char *const cells[] = {get(p, "name"), part_word(get(p, "role"), part), text,
                                     relatives(w, get(p, "id"), &kin)};
        look_section_row(&s, cells, 4);
    }
    look_section_end(&s, w->sections, "Nobody is named in this case.");
    buf_release(&kin);
}

static void put_warning(struct look_section *s, struct json *warning, const char *whom)
{
    struct buf text;
    char word[80];
    buf_init(&text, 8u << 20);
    buf_put_str(&text, look_word(get(warning, "kind"), word));
    if (whom != NULL && *whom != '\0') {
        buf_put_str(&text, " (");
        buf_put_str(&text, whom);
        buf_put_str(&text, ")");
    }
    if (get(warning, "note") != NULL) {
        buf_put_str(&text, text.len != 0 ? ": " : "");
        buf_put_str(&text, get(warning, "note"));
    }
    look_section_note(s, buf_cstr(&text));
    buf_release(&text);
}

static void put_warnings(struct look_written *w)
{
    struct look_section s;
    struct json *list = json_get(w->c, "warnings"), *people = json_get(w->c, "people");
    look_section_begin(&s, "Warnings", "notes");
    for (size_t i = 0; i < json_len(list); i++) put_warning(&s, json_at(list, i), NULL);
    for (size_t i = 0; i < json_len(people); i++) {
        struct json *p = json_at(people, i), *own = json_get(p, "warnings");
        for (size_t k = 0; k < json_len(own); k++) put_warning(&s, json_at(own, k), get(p, "name"));
    }
    look_section_end(&s, w->sections, NULL);
}

static void put_plans(struct look_written *w)
{
    static const char *const columns[] = {"Plan", "For", "Began", "Ended", "Result"};
    struct look_section s;
    struct json *list = json_get(w->c, "plans");
    look_section_begin(&s, "Plans", "table");
    look_section_columns(&s, columns, 5);
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *p = json_at(list, i);
        char kind[80], began[LOOK_TIME_TEXT], ended[LOOK_TIME_TEXT];
        const char *const cells[] = {look_word(get(p, "kind"), kind), get(person(w, get(p, "person_id")), "name"),
                                     look_when(get(p, "started_at"), began), look_when(get(p, "ended_at"), ended),
                                     get(p, "result")};
        look_section_row(&s, cells, 5);
    }
    look_section_end(&s, w->sections, NULL);
}

static void put_consents(struct look_written *w)
{
    static const char *const columns[] = {"Person", "For records of", "Consent", "What it does"};
    struct look_section s;
    struct json *people = json_get(w->c, "people");
    look_section_begin(&s, "Consent", "table");
    look_section_columns(&s, columns, 4);
    for (size_t i = 0; i < json_len(people); i++) {
        struct json *p = json_at(people, i), *list = json_get(p, "consents");
        for (size_t k = 0; k < json_len(list); k++) {
            struct json *c = json_at(list, k);
            char says[80];
            const char *scope = get(c, "scope");
            const char *const cells[] = {get(p, "name"),
                                         scope != NULL && strcmp(scope, "all") == 0 ? "all agencies" : scope,
                                         look_word(get(c, "says"), says), get(c, "effect")};
            look_section_row(&s, cells, 4);
        }
    }
    look_section_end(&s, w->sections, NULL);
}

/* -------------------------------------------------------------------------------------------------- what was said */
static void put_requests(struct look_written *w)
{
    static const char *const columns[] = {"Asked", "Question", "By", "Due", "Answer"};
    struct look_section s;
    struct json *list = json_get(w->c, "requests");
    look_section_begin(&s, "Who was asked", "table");
    look_section_columns(&s, columns, 5);
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *q = json_at(list, i);
        char due[LOOK_TIME_TEXT];
        const char *const cells[] = {agency(q, "to_agency"), get(q, "question"), agency(q, "agency"),
                                     look_when(get(q, "due_at"), due), get(q, "says")};
        look_section_row(&s, cells, 5);
    }
    look_section_end(&s, w->sections, "Nobody was asked, as far as this device may know.");
}

/* Text, and how it may be used, in one cell. */
static const char *body(struct json *e, struct buf *out)
{
    buf_reset(out);
    if (get(e, "body") != NULL) buf_put_str(out, get(e, "body"));
    if (get(e, "handling") != NULL) {
        if (out->len != 0) buf_put_str(out, "\n");
        buf_put_str(out, "How it may be used: ");
        buf_put_str(out, get(e, "handling"));
    }
    return buf_cstr(out);
}

static const char *seen_by(const char *sensitivity)
{
    if (sensitivity == NULL) return NULL;
    if (strcmp(sensitivity, "open") == 0) return "All who take part";
    return strcmp(sensitivity, "sensitive") == 0 ? "The MASH and its own agency" : "Its own agency alone";
}

/* A page that shows some days must not be taken for the whole. */
static void note_days(struct look_section *s, int64_t outside)
{
    char note[240];
    (void)snprintf(
        note, sizeof note,
        "Only these days are shown. %lld %s before or after them. What does not say when it happened goes by the "
        "day on which it was written.",
        (long long)outside, outside == 1 ? "entry lies" : "entries lie");
    look_section_note(s, note);
}

static void put_chronology(struct look_written *w)
{
    static const char *const columns[] = {"When", "Written", "Agency", "What", "Text", "Who may see it"};
    struct look_section s;
    struct json *list = json_get(w->chronology, "entries");
    const int64_t total = json_get_int(w->chronology, "total", 0);
    struct buf text;
    char days[LOOK_DAYS_TEXT], heading[sizeof days + 16];
    buf_init(&text, 8u << 20);
    look_days_text(w->days, days);
    (void)snprintf(heading, sizeof heading, "Chronology%s%s", days[0] != '\0' ? ", " : "", days);
    look_section_begin(&s, heading, "table");
    look_section_columns(&s, columns, 6);
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *e = json_at(list, i);
        char at[LOOK_TIME_TEXT], written[LOOK_TIME_TEXT];
        const char *const cells[] = {look_when(get(e, "at"), at),
                                     look_when(get(e, "written_at"), written),
                                     agency(e, "agency"),
                                     get(e, "title") != NULL ? get(e, "title") : get(e, "kind"),
                                     body(e, &text),
                                     seen_by(get(e, "sensitivity"))};
        look_section_row(&s, cells, 6);
    }
    if (total > (int64_t)json_len(list)) {
        char more[120];
        (void)snprintf(more, sizeof more, "These are the first %zu of %lld entries.", json_len(list), (long long)total);
        look_section_note(&s, more);
    }
    if (days[0] != '\0') note_days(&s, json_get_int(w->chronology, "outside", 0));
    look_section_end(&s, w->sections, "Nothing has been written yet that your agency may see.");
    buf_release(&text);
}

static void put_withheld(struct look_written *w)
{
    struct look_section s;
    struct json *list = json_get(w->c, "withheld"), *pointers = json_get(w->c, "pointers");
    struct buf text;
    buf_init(&text, 8u << 20);
    look_section_begin(&s, "Not shown here: ask whoever holds it", "notes");
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *h = json_at(list, i);
        int64_t count = json_get_int(h, "count", 0);
        buf_reset(&text);
        buf_put_str(&text, agency(h, "agency"));
        buf_printf(&text, " holds %lld %s that it has not shared.", (long long)count, count == 1 ? "item" : "items");
        for (size_t k = 0; k < json_len(pointers); k++) {
            struct json *p = json_at(pointers, k);
            if (get(p, "agency") == NULL || strcmp(get(p, "agency"), get(h, "agency")) != 0) continue;
            buf_put_str(&text, " ");
            buf_put_str(&text, get(p, "note") != NULL ? get(p, "note") : "");
            if (get(p, "contact") != NULL) {
                buf_put_str(&text, " Ask: ");
                buf_put_str(&text, get(p, "contact"));
                buf_put_str(&text, ".");
            }
        }
        look_section_note(&s, buf_cstr(&text));
    }
    look_section_note(&s,
                      "An agency may hold more than it says here. This is what your agency may see, not all there is.");
    look_section_end(&s, w->sections, NULL);
    buf_release(&text);
}

/* ----------------------------------------------------------------------------------------------- what came of it */
static void put_meeting_text(struct json *m, struct buf *out)
{
    struct json *list = json_get(m, "attendance");
    char kind[80], at[LOOK_TIME_TEXT];
    buf_reset(out);
    buf_printf(out, "%s %s.", get(m, "kind") != NULL ? look_word(get(m, "kind"), kind) : "Meeting",
               look_when(get(m, "held_at"), at));
    if (get(m, "chair") != NULL) {
        buf_put_str(out, " Chair: ");
        buf_put_str(out, get(m, "chair"));
        buf_put_str(out, ".");
    }
    if (get(m, "outcome") != NULL) {
        buf_put_str(out, " ");
        buf_put_str(out, get(m, "outcome"));
    }
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *a = json_at(list, i);
        const char *name = get(json_get(a, "practitioner"), "name");
        buf_put_str(out, "\n");
        buf_put_str(out, name != NULL ? name : "Somebody whom the MASH does not list");
        buf_put_str(out, json_get_bool(a, "present", false) ? ": there" : ": not there");
        if (get(a, "dissent") == NULL) continue;
        buf_put_str(out, ". Did not agree: ");
        buf_put_str(out, get(a, "dissent"));
    }
}

static void put_meetings(struct look_written *w)
{
    struct look_section s;
    struct json *list = json_get(w->c, "meetings");
    struct buf text;
    buf_init(&text, 8u << 20);
    look_section_begin(&s, "Meetings", "notes");
    for (size_t i = 0; i < json_len(list); i++) {
        put_meeting_text(json_at(list, i), &text);
        look_section_note(&s, buf_cstr(&text));
    }
    look_section_end(&s, w->sections, NULL);
    buf_release(&text);
}

/* A code of one of two lists. */
static enum err outcome_label(struct node *n, const char *code, struct buf *out, struct why *why)
{
    enum err e = look_label(n, "referral_outcome", code, out, why);
    if (e != ERR_OK || code == NULL || !bytes_equal(buf_bytes(out), bytes_of_str(code))) return e;
    buf_reset(out);
    return look_label(n, "contact_outcome", code, out, why);
}

static enum err put_decision(struct look_written *w, struct why *why)
{
    struct look_section s;
    struct json *b = json_get(w->c, "brief");
    struct buf outcome, closed;
    char when[LOOK_TIME_TEXT];
    buf_init(&outcome, 1u << 20);
    buf_init(&closed, 1u << 20);
    enum err e = outcome_label(w->n, get(b, "outcome"), &outcome, why);
    if (e == ERR_OK) e = look_label(w->n, "closure_reason", get(b, "closure_reason"), &closed, why);
    look_section_begin(&s, "Decision and outcome", "facts");
    look_section_fact(&s, "Decision", get(b, "decision"));
    look_section_fact(&s, "Outcome", buf_cstr(&outcome));
    look_section_fact(&s, "Decided", look_when(get(b, "decided_at"), when));
    if (json_get_bool(b, "nfa", false)) look_section_fact(&s, "After that", "No further action");
    look_section_fact(&s, "Closed because", buf_cstr(&closed));
    look_section_end(&s, w->sections, "Nothing is decided yet, as far as this device may know.");
    buf_release(&outcome);
    buf_release(&closed);
    return e;
}

enum err look_summary_parts(struct look_written *w, struct why *why)
{
    put_file(w);
    put_warnings(w);
    enum err e = put_brief(w, why);
    put_household(w);
    put_plans(w);
    put_requests(w);
    put_consents(w);
    put_chronology(w);
    put_withheld(w);
    put_meetings(w);
    return e == ERR_OK ? put_decision(w, why) : e;
}
