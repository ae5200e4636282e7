/* A census return: whatever is read of it becomes rows that the synced tables can hold. */
#include "cli/import_cin_census.h"
#include "cli/import_cin_write.h"
#include "tests/fuzz/fuzz.h"

/* In the place of db_row_put, at link time: rows are judged, not kept. */
enum err __wrap_db_row_put(struct db *db, const struct row *r, struct why *why);

enum err __wrap_db_row_put(struct db *db, const struct row *r, struct why *why)
{
    (void)db, (void)why;
    for (size_t c = 0; c < r->table->n_columns; c++) {
        struct why fault = {0};
        if (value_check(r->table, c, r->v[c], &fault) != ERR_OK) {
            fprintf(stderr, "%s\n", fault.text);
            abort();
        }
    }
    return ERR_OK;
}

static void write_all(const struct cin_census *c)
{
    struct fuzz_file none = {0};
    struct env env = fuzz_env(&none);
    struct cin_writer w = {.env = &env, .agency = "care", .area = "north"};
    size_t referrals = 0;
    for (size_t i = 0; i < c->n; i++) {
        const struct cin_child *k = &c->children[i];
        char ref[80];
        HOLDS(k->la_id[0] != '\0');
        for (size_t r = 0; r < k->n; r++, referrals++) {
            HOLDS(k->referrals[r].n <= CIN_MAX_EVENTS);
            HOLDS(snprintf(ref, sizeof ref, "%s/%s", k->la_id, k->referrals[r].received.iso) < (int)sizeof ref);
            HOLDS(cin_write_case(&w, k, &k->referrals[r], ref, NULL) == ERR_OK);
        }
    }
    HOLDS(referrals == c->referrals);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cin_census c = {0};
    struct why why = {0};
    fuzz_start();
    enum err e = cin_read(bytes_of(data, size), &c, &why);
    HOLDS(e == ERR_OK || (e == ERR_FORMAT && why.text[0] != '\0'));
    if (e == ERR_OK) write_all(&c);
    cin_release(&c);
    return 0;
}
