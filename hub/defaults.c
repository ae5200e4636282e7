#include "hub/defaults.h"

#include "hub/sight.h"

#include "crypto/hash.h"

#include <string.h>

/* Children in Need census, CIN_schema_2024 (Department for Education); contact and referral outcomes as in the
 * safeguarding data standard. ../shared/notes/ecosystem.md §7. Working hours and bank holidays: web/API.md, Clocks;
 * the holidays are those of England and Wales (Banking and Financial Dealings Act 1971), with a day in lieu where one
 * falls on a weekend. `spoke-hub holiday add` brings in what comes later. */
struct code {
    const char *list, *code, *label;
};
static const struct code codes[] = {
    {"referral_source", "1A", "Individual: family member, relative or carer"},
    {"referral_source", "1B", "Individual: acquaintance"},
    {"referral_source", "1C", "Individual: self"},
    {"referral_source", "1D", "Individual: other"},
    {"referral_source", "2A", "Schools"},
    {"referral_source", "2B", "Education services"},
    {"referral_source", "3A", "Health services: GP"},
    {"referral_source", "3B", "Health services: health visitor"},
    {"referral_source", "3C", "Health services: school nurse"},
    {"referral_source", "3D", "Health services: other primary health services"},
    {"referral_source", "3E", "Health services: A&E"},
    {"referral_source", "3F", "Health services: other"},
    {"referral_source", "4", "Housing"},
    {"referral_source", "5A", "Local authority: social care"},
    {"referral_source", "5B", "Local authority: other internal"},
    {"referral_source", "5C", "Local authority: external"},
    {"referral_source", "5D", "Local authority: early help"},
    {"referral_source", "6", "Police"},
    {"referral_source", "7", "Other legal: courts, probation, immigration, CAFCASS, prison"},
    {"referral_source", "8", "Other"},
    {"referral_source", "9", "Anonymous"},
    {"referral_source", "10", "Unknown"},
    {"primary_need", "N1", "Abuse or neglect"},
    {"primary_need", "N2", "Child's disability"},
    {"primary_need", "N3", "Parental illness or disability"},
    {"primary_need", "N4", "Family in acute stress"},
    {"primary_need", "N5", "Family dysfunction"},
    {"primary_need", "N6", "Socially unacceptable behaviour"},
    {"primary_need", "N7", "Low income"},
    {"primary_need", "N8", "Absent parenting"},
    {"primary_need", "N9", "Cases other than children in need"},
    {"primary_need", "N0", "Not stated"},
    {"closure_reason", "RC1", "Adopted"},
    {"closure_reason", "RC2", "Died"},
    {"closure_reason", "RC3", "Child arrangements order"},
    {"closure_reason", "RC4", "Special guardianship order"},
    {"closure_reason", "RC5", "Transferred to another local authority"},
    {"closure_reason", "RC6", "Transferred to adult social care"},
    {"closure_reason", "RC7", "Any other reason"},
    {"closure_reason", "RC8", "Case closed after assessment, no further action"},
    {"closure_reason", "RC9", "Case closed after assessment, referred to early help"},
    {"assessment_factor", "1A", "Alcohol misuse: child"},
    {"assessment_factor", "1B", "Alcohol misuse: parent or carer"},
    {"assessment_factor", "1C", "Alcohol misuse: other person in the household"},
    {"assessment_factor", "2A", "Drug misuse: child"},
    {"assessment_factor", "2B", "Drug misuse: parent or carer"},
    {"assessment_factor", "2C", "Drug misuse: other person in the household"},
    {"assessment_factor", "3A", "Domestic abuse: child"},
    {"assessment_factor", "3B", "Domestic abuse: parent or carer"},
    {"assessment_factor", "3C", "Domestic abuse: other person in the household"},
    {"assessment_factor", "4A", "Mental health: child"},
    {"assessment_factor", "4B", "Mental health: parent or carer"},
    {"assessment_factor", "4C", "Mental health: other person in the household"},
    {"assessment_factor", "5A", "Learning disability: child"},
    {"assessment_factor", "5B", "Learning disability: parent or carer"},
    {"assessment_factor", "5C", "Learning disability: other person in the household"},
    {"assessment_factor", "6A", "Physical disability or illness: child"},
    {"assessment_factor", "6B", "Physical disability or illness: parent or carer"},
    {"assessment_factor", "6C", "Physical disability or illness: other person in the household"},
    {"assessment_factor", "7A", "Young carer"},
    {"assessment_factor", "8B", "Private fostering"},
    {"assessment_factor", "8C", "Private fostering"},
    {"assessment_factor", "8D", "Private fostering"},
    {"assessment_factor", "8E", "Private fostering"},
    {"assessment_factor", "8F", "Private fostering"},
    {"assessment_factor", "9A", "Unaccompanied asylum-seeking child"},
    {"assessment_factor", "10A", "Going missing"},
    {"assessment_factor", "11A", "Child sexual exploitation"},
    {"assessment_factor", "12A", "Trafficking"},
    {"assessment_factor", "13A", "Gangs"},
    {"assessment_factor", "14A", "Socially unacceptable behaviour"},
    {"assessment_factor", "15A", "Self-harm"},
    {"assessment_factor", "16A", "Abuse or neglect: neglect"},
    {"assessment_factor", "17A", "Abuse or neglect: emotional abuse"},
    {"assessment_factor", "18B", "Abuse or neglect: physical abuse, child on child"},
    {"assessment_factor", "18C", "Abuse or neglect: physical abuse, adult on child"},
    {"assessment_factor", "19B", "Abuse or neglect: sexual abuse, child on child"},
    {"assessment_factor", "19C", "Abuse or neglect: sexual abuse, adult on child"},
    {"assessment_factor", "20", "Other"},
    {"assessment_factor", "21", "No factors identified"},
    {"assessment_factor", "22A", "Female genital mutilation"},
    {"assessment_factor", "23A", "Abuse linked to faith or belief"},
    {"assessment_factor", "24A", "Child criminal exploitation"},
    {"abuse_category", "NEG", "Neglect"},
    {"abuse_category", "PHY", "Physical abuse"},
    {"abuse_category", "SAB", "Sexual abuse"},
    {"abuse_category", "EMO", "Emotional abuse"},
    {"abuse_category", "MUL", "Multiple (not recommended)"},
    {"contact_outcome", "NFA", "No further action"},
    {"contact_outcome", "IA", "Information and advice"},
    {"contact_outcome", "EH", "Early help referral"},
    {"contact_outcome", "CIN", "Children in need referral"},
    {"referral_outcome", "NFA", "No further action"},
    {"referral_outcome", "ADVICE", "Advice or signposting"},
    {"referral_outcome", "EH", "Step-down to early help"},
    {"referral_outcome", "ASSESS", "Assessment required"},
    {"referral_outcome", "S47", "Strategy discussion or section 47"},
    {"referral_outcome", "OTHER", "Other"},
    {"sex", "0", "Unborn or not recorded"},
    {"sex", "1", "Male"},
    {"sex", "2", "Female"},
    {"sex", "9", "Indeterminate"},
    {"upn_unknown", "UN1", "No number: reason UN1 of the census"},
    {"upn_unknown", "UN2", "No number: reason UN2 of the census"},
    {"upn_unknown", "UN3", "No number: reason UN3 of the census"},
    {"upn_unknown", "UN4", "No number: reason UN4 of the census"},
    {"upn_unknown", "UN5", "No number: reason UN5 of the census"},
    {"upn_unknown", "UN6", "No number: reason UN6 of the census"},
    {"upn_unknown", "UN7", "No number: reason UN7 of the census"},
    {"working_hours", "mon", "09:00-17:00"},
    {"working_hours", "tue", "09:00-17:00"},
    {"working_hours", "wed", "09:00-17:00"},
    {"working_hours", "thu", "09:00-17:00"},
    {"working_hours", "fri", "09:00-17:00"},
    {"bank_holiday", "2026-01-01", "New Year's Day"},
    {"bank_holiday", "2026-04-03", "Good Friday"},
    {"bank_holiday", "2026-04-06", "Easter Monday"},
    {"bank_holiday", "2026-05-04", "Early May bank holiday"},
    {"bank_holiday", "2026-05-25", "Spring bank holiday"},
    {"bank_holiday", "2026-08-31", "Summer bank holiday"},
    {"bank_holiday", "2026-12-25", "Christmas Day"},
    {"bank_holiday", "2026-12-28", "Boxing Day (substitute day)"},
    {"bank_holiday", "2027-01-01", "New Year's Day"},
    {"bank_holiday", "2027-03-26", "Good Friday"},
    {"bank_holiday", "2027-03-29", "Easter Monday"},
    {"bank_holiday", "2027-05-03", "Early May bank holiday"},
    {"bank_holiday", "2027-05-31", "Spring bank holiday"},
    {"bank_holiday", "2027-08-30", "Summer bank holiday"},
    {"bank_holiday", "2027-12-27", "Christmas Day (substitute day)"},
    {"bank_holiday", "2027-12-28", "Boxing Day (substitute day)"},
    {"bank_holiday", "2028-01-03", "New Year's Day (substitute day)"},
    {"bank_holiday", "2028-04-14", "Good Friday"},
    {"bank_holiday", "2028-04-17", "Easter Monday"},
    {"bank_holiday", "2028-05-01", "Early May bank holiday"},
    {"bank_holiday", "2028-05-29", "Spring bank holiday"},
    {"bank_holiday", "2028-08-28", "Summer bank holiday"},
    {"bank_holiday", "2028-12-25", "Christmas Day"},
    {"bank_holiday", "2028-12-26", "Boxing Day"},
};

/* Elapsed minutes, as most MASHs count: a decision on red within 4 hours, amber one day, green three, and what it needs
 * before that in time for it. A blue enquiry is only information: nothing of it is due. */
struct due {
    const char *rag, *what;
    int64_t minutes;
};
static const struct due dues[] = {
    {"red", "reply", 120},    {"amber", "reply", 360},     {"green", "reply", 1440},
    {"red", "meeting", 180},  {"amber", "meeting", 1080},  {"green", "meeting", 2880},
    {"red", "decision", 240}, {"amber", "decision", 1440}, {"green", "decision", 4320},
};

/* Ids of defaults are derived, so that two hubs give one code the same id. */
static void derived_id(uint8_t out[16], const char *kind, const char *a, const char *b)
{
    uint8_t hash[HASH_BYTES];
    struct buf name;
    buf_init(&name, 1024);
    buf_printf(&name, "%s|%s|%s", kind, a, b);
    hash_labelled(hash, "spoke/default/1", buf_bytes(&name));
    buf_release(&name);
    memcpy(out, hash, 16);
}

static enum err put_code(struct hub *h, const struct code *c, struct why *why)
{
    static const struct actor hub = {0};
    uint8_t id[16];
    derived_id(id, "code_list", c->list, c->code);
    struct row row = {.table = rules_table((size_t)rules_table_index(bytes_of_str("code_list")))};
    row.v[0] = value_id(id);
    row.v[1] = value_str(c->list);
    row.v[2] = value_str(c->code);
    row.v[3] = value_str(c->label);
    return sight_insert(h, &row, &hub, why);
}

static enum err put_due(struct hub *h, const struct due *d, struct why *why)
{
    static const struct actor hub = {0};
    uint8_t id[16];
    derived_id(id, "timescale", d->rag, d->what);
    struct row row = {.table = rules_table((size_t)rules_table_index(bytes_of_str("timescale")))};
    row.v[0] = value_id(id);
    row.v[1] = value_str(d->rag);
    row.v[2] = value_str(d->what);
    row.v[3] = value_null(); /* children and adults alike */
    row.v[4] = value_int(d->minutes);
    row.v[5] = value_str("elapsed");
    return sight_insert(h, &row, &hub, why);
}

enum err defaults_put(struct hub *h, struct why *why)
{
    enum err e = sight_step(h, why);
    for (size_t i = 0; e == ERR_OK && i < sizeof codes / sizeof codes[0]; i++) e = put_code(h, &codes[i], why);
    for (size_t i = 0; e == ERR_OK && i < sizeof dues / sizeof dues[0]; i++) e = put_due(h, &dues[i], why);
    if (e == ERR_OK) e = sight_settle(h, why);
    return e;
}
