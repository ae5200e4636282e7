#include "tests/lib/journal_sum.h"

#include "hub/internal.h"
#include "hub/move.h"

#include <string.h>

static bool compared(const char *table)
{
    static const char *const not [] = {
        "h_act",      "h_act_by",    "h_act_salt",  "h_admin",     "h_answer",     "h_awaited",   "h_counter",
        "h_cut_back", "h_done",      "h_epoch",     "h_held_rows", "h_holds",      "h_leaf",      "h_log",
        "h_outcome",  "h_probe",     "h_returned",  "h_return_load", "h_sealed",   "h_redo",      "h_redo_state",
        "h_redo_part", "h_redo_backup", "h_state",  "h_statement", "h_step_time",  "h_tree",      "policy_now",
        "h_clock"};
    for (size_t i = 0; i < sizeof not / sizeof not [0]; i++)
        if (strcmp(table, not [i]) == 0) return false;
    return true;
}

enum err journal_sum_of(struct hub *h, const struct env *env, struct dump_sum *out, struct why *why)
{
    struct dump_sum all;
    struct secret key = keyring_data_key(&h->keys);
    struct dump_keeper keeper = move_keeper(h->db, &key);
    *out = (struct dump_sum){0};
    enum err e = db_begin_read(h->db, why);
    if (e != ERR_OK) return e;
    e = dump_digest(env, h->db, &keeper, &all, why);
    db_rollback(h->db);
    for (size_t i = 0; e == ERR_OK && i < all.n; i++)
        if (compared(all.table[i].name)) {
            out->table[out->n++] = all.table[i];
            out->rows += all.table[i].rows;
        }
    return e;
}

enum err journal_sum_same(const struct dump_sum *a, const struct dump_sum *b, struct why *why)
{
    if (a->n != b->n || a->n == 0) return why_set(why, ERR_FAILED, "%zu tables and %zu", a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->table[i].name, b->table[i].name) != 0 ||
            memcmp(a->table[i].hash, b->table[i].hash, sizeof a->table[i].hash) != 0)
            return why_set(why, ERR_FAILED, "%s differs: %llu rows, %llu rows", a->table[i].name,
                           (unsigned long long)a->table[i].rows, (unsigned long long)b->table[i].rows);
    return ERR_OK;
}
