/* Which of the six acts each phrase of the audit tells of. tests/unit/test_look_audit.c walks over the sources, so that
 * no phrase is forgotten here. */
#include "node/look_audit.h"

#include <string.h>

static const char *const words[AUDIT_KINDS] = {"collection", "alteration",  "consultation",
                                               "disclosure", "combination", "erasure"};

const char *audit_kind_word(enum audit_kind kind)
{
    return words[kind];
}

bool audit_kind_from_word(const char *word, enum audit_kind *out)
{
    for (int i = 0; i < AUDIT_KINDS; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (enum audit_kind)i;
            return true;
        }
    return false;
}

/* What is entered is collected; what goes to others, or asks them about somebody, is disclosed: who is asked learns who
 * the case is about. To look is to consult. Marking as a mistake takes nothing away that stands (design.md, Data): it
 * alters. */
static const struct {
    const char *what;
    enum audit_kind kind;
    bool begins; /* the phrase goes on */
} phrases[] = {
    {"opened a case", AUDIT_COLLECTION, false},
    {"added a person", AUDIT_COLLECTION, false},
    {"added a kinship", AUDIT_COLLECTION, false},
    {"added contact details", AUDIT_COLLECTION, false},
    {"added a warning", AUDIT_COLLECTION, false},
    {"added a record", AUDIT_COLLECTION, false},
    {"noted consent given", AUDIT_COLLECTION, false},
    {"noted consent refused", AUDIT_COLLECTION, false},
    {"noted consent withdrawn", AUDIT_COLLECTION, false},
    {"noted that consent was not sought", AUDIT_COLLECTION, false},
    {"noted a meeting", AUDIT_COLLECTION, false},
    {"noted what is to be done", AUDIT_COLLECTION, false},
    {"began a plan", AUDIT_COLLECTION, false},
    {"rated a case", AUDIT_COLLECTION, false},
    {"raised a dispute", AUDIT_COLLECTION, false},
    {"changed a case", AUDIT_ALTERATION, false},
    {"changed a person", AUDIT_ALTERATION, false},
    {"changed contact details", AUDIT_ALTERATION, false},
    {"changed a record", AUDIT_ALTERATION, false},
    {"changed what is to be done", AUDIT_ALTERATION, false},
    {"ended a plan", AUDIT_ALTERATION, false},
    {"allocated a case", AUDIT_ALTERATION, false},
    {"decided a case", AUDIT_ALTERATION, false},
    {"closed a case", AUDIT_ALTERATION, false},
    {"decided about a dispute", AUDIT_ALTERATION, false},
    {"settled two versions", AUDIT_ALTERATION, false},
    {"accepted held work", AUDIT_ALTERATION, false},
    {"dismissed held work", AUDIT_ALTERATION, false},
    {"sent a change again", AUDIT_ALTERATION, false},
    {"voided a row written by mistake", AUDIT_ALTERATION, false},
    {"wrote by SQL", AUDIT_ALTERATION, false},
    {"stopped sharing a case with an agency", AUDIT_ALTERATION, false},
    {"took a request back", AUDIT_ALTERATION, false},
    {"took back a question for a release", AUDIT_ALTERATION, false},
    {"refused to release a record", AUDIT_ALTERATION, false},
    {"acknowledged feedback", AUDIT_ALTERATION, false},
    {"gave somebody a passphrase on this device", AUDIT_ALTERATION, false},
    {"took somebody's passphrase on this device away", AUDIT_ALTERATION, false},
    {"opened this device with its recovery code and set another passphrase", AUDIT_ALTERATION, false},
    {"put all that this device holds under a new key", AUDIT_ALTERATION, false},
    {"set another passphrase", AUDIT_ALTERATION, false},
    {"made a recovery code", AUDIT_ALTERATION, false},
    {"set this device up anew", AUDIT_ALTERATION, false},
    {"stopped trusting the MASH server", AUDIT_ALTERATION, false},
    {"the MASH server was put back from a backup", AUDIT_ALTERATION, false},
    {"looked at ", AUDIT_CONSULTATION, true},
    {"shared a case with an agency", AUDIT_DISCLOSURE, false},
    {"asked an agency what it knows", AUDIT_DISCLOSURE, false},
    {"asked once more for an answer", AUDIT_DISCLOSURE, false},
    {"answered a request", AUDIT_DISCLOSURE, false},
    {"answered requests from a sheet", AUDIT_DISCLOSURE, false},
    {"declined a request", AUDIT_DISCLOSURE, false},
    {"asked an agency for permission to share", AUDIT_DISCLOSURE, false},
    {"released a record to an agency", AUDIT_DISCLOSURE, false},
    {"told a record without consent", AUDIT_DISCLOSURE, false},
    {"said that it holds something", AUDIT_DISCLOSURE, false},
    {"sent feedback", AUDIT_DISCLOSURE, false},
    {"imported a census return", AUDIT_COMBINATION, false},
    {"linked people of two cases", AUDIT_COMBINATION, false},
    {"forgot what was taken away", AUDIT_ERASURE, true},
    {"withdrew a held change", AUDIT_ERASURE, false},
};

enum audit_kind audit_kind_of(struct bytes what, bool *out_known)
{
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        size_t n = strlen(phrases[i].what);
        if (phrases[i].begins ? what.n < n : what.n != n) continue;
        if (memcmp(what.p, phrases[i].what, n) != 0) continue;
        if (out_known != NULL) *out_known = true;
        return phrases[i].kind;
    }
    if (out_known != NULL) *out_known = false;
    return AUDIT_ALTERATION;
}
