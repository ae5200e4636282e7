#include "cli/import_cin_census.h"

#include <stdlib.h>
#include <string.h>

/* Check letter of a unique pupil number (Department for Education, UPN guide): digits 2 to 13 weighted 2 to 13; the
 * sum modulo 23 picks a letter from the alphabet without I, O and S. In a temporary number the last place is a letter
 * and counts as its position in the same alphabet. */
bool cin_upn_ok(const char *upn)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRTUVWXYZ";
    if (strlen(upn) != 13) return false;
    unsigned sum = 0;
    for (unsigned i = 1; i < 13; i++) {
        unsigned value;
        const char *p = strchr(letters, upn[i]);
        if (upn[i] >= '0' && upn[i] <= '9')
            value = (unsigned)(upn[i] - '0');
        else if (i == 12 && p != NULL)
            value = (unsigned)(p - letters);
        else
            return false;
        sum += value * (i + 1);
    }
    return upn[0] == letters[sum % 23];
}

const char *cin_kind_word(enum cin_kind k)
{
    switch (k) {
    case CIN_CONFERENCE: return "initial_conference";
    case CIN_ASSESSMENT: return "assessment";
    case CIN_SECTION_47: return "section_47";
    case CIN_PLAN: return "plan";
    case CIN_PLAN_REVIEW: return "plan_review";
    case CIN_CIN_PLAN: return "cin_plan";
    }
    return "";
}

void cin_release(struct cin_census *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct cin_child *child = &c->children[i];
        for (size_t k = 0; k < child->n; k++) {
            for (size_t m = 0; m < child->referrals[k].n; m++) free(child->referrals[k].episodes[m].factors.v);
            free(child->referrals[k].episodes);
        }
        free(child->referrals);
        free(child->disabilities.v);
    }
    free(c->children);
    free(c->left_out.v);
    free(c->warnings.v);
    *c = (struct cin_census){0};
}
