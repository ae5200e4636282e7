/* How the journal stands, for who looks after the hub. */
#include "hub/redo.h"

#include "hub/internal.h"

#include <string.h>

enum err hub_redo_fault(struct hub *h, const char *words, struct why *why)
{
    char text[REDO_FAULT_BYTES];
    struct stmt *s;
    size_t n = strlen(words) < sizeof text - 1 ? strlen(words) : sizeof text - 1;
    memcpy(text, words, n);
    text[n] = '\0';
    enum err e = db_prepare(h->db, "UPDATE h_redo_state SET fault = $1 WHERE one = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, text);
    return db_run(s, why);
}

enum err hub_redo_state(struct hub *h, struct hub_redo_state *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t noted = 0;
    struct hub_redo_state x = {0};
    enum err e = db_prepare(
        h->db,
        "SELECT id, made, written, part, pending, began_at, gave_up, fault, (SELECT count(*) FROM h_redo), (SELECT min(at) FROM "
        "h_redo), (SELECT count(*) FROM h_redo_part), CASE WHEN EXISTS(SELECT 1 FROM h_redo_backup b WHERE b.id = s.id) THEN 1 "
        "ELSE 0 END FROM h_redo_state s WHERE one = 1",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes fault = db_bytes(s, 7);
        x.on = true;
        (void)db_id(s, 0, x.id);
        x.made = db_int(s, 1);
        x.written = db_int(s, 2);
        x.part = db_int(s, 3);
        x.pending = db_int(s, 4);
        x.began_at = db_int(s, 5);
        x.gave_up = db_int(s, 6);
        memcpy(x.fault, fault.p == NULL ? (const uint8_t *)"" : fault.p,
               fault.n < sizeof x.fault ? fault.n : sizeof x.fault - 1);
        x.waiting = db_int(s, 8);
        x.waiting_since = db_int(s, 9);
        x.parts = db_int(s, 10);
        x.joined = db_int(s, 11) != 0;
    }
    db_done(s);
    if (e == ERR_OK && x.on) e = redo_noted(h, &noted, why);
    if (noted != 0) { /* what the database noted will be one more */
        x.waiting++;
        if (x.waiting_since == 0 || noted < x.waiting_since) x.waiting_since = noted;
    }
    if (e == ERR_OK) *out = x;
    return e;
}
