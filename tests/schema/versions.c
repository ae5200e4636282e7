#include "tests/schema/versions.h"

#include <string.h>

#define rules_all    product_all
#define rules_count  product_count
#define rules_newest product_newest
#include "sync/rules_tables.c"
#undef rules_all
#undef rules_count
#undef rules_newest

#define MOST_TABLES 64

/* What sync/rules.c reads. */
struct table_rule rules_all[MOST_TABLES];
size_t rules_count;
uint64_t rules_newest;

struct addition {
    const char *table;
    struct column_rule column;
};
static const struct addition added[] = {
    {"site", {"map_ref", COL_TEXT, false, WRITE_HUB, MERGE_LWW, NULL, NULL, NULL, 2}},
    {"person", {"nickname", COL_TEXT, false, WRITE_CONTRIBUTE, MERGE_ESCALATE, NULL, NULL, NULL, 2}},
    {"record", {"score", COL_REAL, false, WRITE_OWN, MERGE_LWW, NULL, NULL, NULL, 2}},
    {"case_file", {"urgency", COL_WORD, false, WRITE_LEAD, MERGE_MAX, "low<high", "low|high", NULL, 3}},
    {"person", {"height", COL_INT, false, WRITE_CONTRIBUTE, MERGE_LWW, NULL, NULL, NULL, 3}},
    {"brief", {"next_step", COL_TEXT, false, WRITE_LEAD, MERGE_ESCALATE, NULL, NULL, NULL, 4}},
    {"person", {"shoe_size", COL_INT, false, WRITE_CONTRIBUTE, MERGE_LWW, NULL, NULL, NULL, 4}},
};

static struct column_rule grown[MOST_TABLES][RULES_MAX_COLUMNS];

void versions_speak(uint64_t newest)
{
    for (size_t t = 0; t < product_count; t++) {
        size_t n = rules_columns_at(&product_all[t], newest);
        memcpy(grown[t], product_all[t].columns, n * sizeof grown[t][0]);
        for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) {
            if (added[i].column.since <= newest && strcmp(added[i].table, product_all[t].name) == 0)
                grown[t][n++] = added[i].column;
        }
        rules_all[t] = product_all[t];
        rules_all[t].columns = grown[t];
        rules_all[t].n_columns = n;
    }
    rules_count = product_count;
    rules_newest = newest;
}

/* A whole program of one version: spoke-v2 and the like. */
#ifdef VERSIONS_FIXED
__attribute__((constructor)) static void speak_at_once(void)
{
    versions_speak(VERSIONS_FIXED);
}
#endif
