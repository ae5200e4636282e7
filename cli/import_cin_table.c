/* Names, order and codes: CIN_schema_2024 (Department for Education). */
#include "cli/import_cin_table.h"

#include <stddef.h>
#include <string.h>

static const struct { enum place in, is; const char *name; } places[] = {
    {TOP, MESSAGE, "Message"},
    {MESSAGE, HEADER, "Header"},
    {HEADER, COLLECTION, "CollectionDetails"},
    {MESSAGE, CHILDREN, "Children"},
    {CHILDREN, CHILD, "Child"},
    {CHILD, IDS, "ChildIdentifiers"},
    {CHILD, TRAITS, "ChildCharacteristics"},
    {TRAITS, DISABILITIES, "Disabilities"},
    {CHILD, REFERRAL, "CINdetails"},
    {REFERRAL, ASSESSMENT, "Assessments"},
    {ASSESSMENT, FACTORS, "FactorsIdentifiedAtAssessment"},
    {REFERRAL, CIN_PLANS, "CINPlanDates"},
    {REFERRAL, SECTION_47, "Section47"},
    {REFERRAL, PLAN, "ChildProtectionPlans"},
    {PLAN, REVIEWS, "Reviews"},
};

static const char source_codes[] = "|1A|1B|1C|1D|2A|2B|3A|3B|3C|3D|3E|3F|4|5A|5B|5C|5D|6|7|8|9|10|";
static const char need_codes[] = "|N0|N1|N2|N3|N4|N5|N6|N7|N8|N9|";
static const char closure_codes[] = "|RC1|RC2|RC3|RC4|RC5|RC6|RC7|RC8|RC9|";
static const char ethnicity_codes[] =
    "|WBRI|WIRI|WIRT|WOTH|WROM|MWBC|MWBA|MWAS|MOTH|AIND|APKN|ABAN|AOTH|BCRB|BAFR|BOTH|CHNE|OOTH|REFU|NOBT|";
static const char disability_codes[] = "|NONE|MOB|HAND|PC|INC|COMM|LD|HEAR|VIS|BEH|CON|AUT|DDA|";
/* 8A, 18A and 19A stand in older returns. */
static const char factor_codes[] =
    "|1A|1B|1C|2A|2B|2C|3A|3B|3C|4A|4B|4C|5A|5B|5C|6A|6B|6C|7A|8A|8B|8C|8D|8E|8F|9A|10A|11A|12A|13A|14A|15A|16A|17A|"
    "18A|18B|18C|19A|19B|19C|20|21|22A|23A|24A|";
static const char abuse_codes[] = "|NEG|PHY|SAB|EMO|MUL|";
static const char unknown_upn_codes[] = "|UN1|UN2|UN3|UN4|UN5|UN6|UN7|";
static const char sex_codes[] = "|0|1|2|9|M|F|U|I|";

#define CHILD_AT(f) offsetof(struct cin_child, f)
#define REF_AT(f) offsetof(struct cin_referral, f)
#define EP_AT(f) offsetof(struct cin_episode, f)
static const struct leaf leaves[] = {
    {COLLECTION, "Collection", LEAF_COLLECTION, 0, NULL, NULL},
    {IDS, "LAchildID", LEAF_ID, CHILD_AT(la_id), NULL, NULL},
    {IDS, "UPN", LEAF_UPN, CHILD_AT(upn), NULL,
     "the UPN is longer than a UPN can be; it is left out"},
    {IDS, "FormerUPN", LEAF_UPN, CHILD_AT(former_upn), NULL,
     "the former UPN is longer than a UPN can be; it is left out"},
    {IDS, "UPNunknown", LEAF_CODE, CHILD_AT(upn_unknown), unknown_upn_codes,
     "the reason for an unknown UPN is no code of the census; it is left out"},
    {IDS, "PersonBirthDate", LEAF_DATE, CHILD_AT(born), NULL,
     "the date of birth is no date; it is left out"},
    {IDS, "ExpectedPersonBirthDate", LEAF_DATE, CHILD_AT(expected), NULL,
     "the expected date of birth is no date; it is left out"},
    {IDS, "GenderCurrent", LEAF_SEX, CHILD_AT(sex), sex_codes,
     "the sex is no code of the census; it is left out"},
    {IDS, "Sex", LEAF_SEX, CHILD_AT(sex), sex_codes,
     "the sex is no code of the census; it is left out"},
    {IDS, "PersonDeathDate", LEAF_DATE, CHILD_AT(died), NULL,
     "the date of death is no date; it is left out"},
    {TRAITS, "Ethnicity", LEAF_CODE, CHILD_AT(ethnicity), ethnicity_codes,
     "the ethnicity is no code of the census; it is left out"},
    {DISABILITIES, "Disability", LEAF_CODES, CHILD_AT(disabilities), disability_codes,
     "a disability is no code of the census; it is left out"},
    {REFERRAL, "CINreferralDate", LEAF_DATE, REF_AT(received), NULL, NULL},
    {REFERRAL, "ReferralSource", LEAF_CODE, REF_AT(source), source_codes,
     "the source of the referral is no code of the census; it is left out"},
    {REFERRAL, "PrimaryNeedCode", LEAF_CODE, REF_AT(need), need_codes,
     "the primary need is no code of the census; it is left out"},
    {REFERRAL, "CINclosureDate", LEAF_DATE, REF_AT(closed), NULL,
     "the closure date is no date; the case is taken as open"},
    {REFERRAL, "ReasonForClosure", LEAF_CODE, REF_AT(closure), closure_codes,
     "the reason for closure is no code of the census; it is left out"},
    {REFERRAL, "DateOfInitialCPC", LEAF_DATE, REF_AT(conference), NULL,
     "the date of the initial conference is no date; it is left out"},
    {REFERRAL, "ReferralNFA", LEAF_ANSWER, REF_AT(nfa), NULL,
     "whether there was no further action is neither true nor false; it is left out"},
    {ASSESSMENT, "AssessmentActualStartDate", LEAF_DATE, EP_AT(start), NULL, NULL},
    {ASSESSMENT, "AssessmentInternalReviewDate", LEAF_DATE, EP_AT(target), NULL,
     "the review date of an assessment is no date; it is left out"},
    {ASSESSMENT, "AssessmentAuthorisationDate", LEAF_DATE, EP_AT(end), NULL,
     "the authorisation date of an assessment is no date; it is left out"},
    {FACTORS, "AssessmentFactors", LEAF_CODES, EP_AT(factors), factor_codes,
     "a factor of an assessment is no code of the census; it is left out"},
    {CIN_PLANS, "CINPlanStartDate", LEAF_DATE, EP_AT(start), NULL, NULL},
    {CIN_PLANS, "CINPlanEndDate", LEAF_DATE, EP_AT(end), NULL,
     "the end of a children in need plan is no date; it is left out"},
    {SECTION_47, "S47ActualStartDate", LEAF_DATE, EP_AT(start), NULL, NULL},
    {SECTION_47, "InitialCPCtarget", LEAF_DATE, EP_AT(target), NULL,
     "the target date of a conference is no date; it is left out"},
    {SECTION_47, "DateOfInitialCPC", LEAF_DATE, EP_AT(end), NULL,
     "the date of the initial conference is no date; it is left out"},
    {SECTION_47, "ICPCnotRequired", LEAF_ANSWER, EP_AT(no_conference), NULL,
     "whether no conference was required is neither true nor false; it is left out"},
    {PLAN, "CPPstartDate", LEAF_DATE, EP_AT(start), NULL, NULL},
    {PLAN, "CPPendDate", LEAF_DATE, EP_AT(end), NULL,
     "the end of a child protection plan is no date; it is left out"},
    {PLAN, "InitialCategoryOfAbuse", LEAF_CODE, EP_AT(first_abuse), abuse_codes,
     "a category of abuse is no code of the census; it is left out"},
    {PLAN, "LatestCategoryOfAbuse", LEAF_CODE, EP_AT(last_abuse), abuse_codes,
     "a category of abuse is no code of the census; it is left out"},
    {PLAN, "NumberOfPreviousCPP", LEAF_COUNT, EP_AT(previous), NULL,
     "the number of earlier plans is no number; it is left out"},
    {REVIEWS, "CPPreviewDate", LEAF_REVIEW, 0, NULL,
     "the date of a plan's review is no date; it is left out"},
};

enum place cin_place(enum place in, const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i].in == in && strcmp(places[i].name, name) == 0)
            return places[i].is;
    return TOP;
}

const struct leaf *cin_leaf(enum place in, const char *name)
{
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++)
        if (leaves[i].in == in && strcmp(leaves[i].name, name) == 0)
            return &leaves[i];
    return NULL;
}
