/* Many answers at once, from a sheet: each line goes the way of a single answer, all in one change. */
#include "node/act_answers.h"

#include "base/csv.h"
#include "base/when.h"
#include "node/act_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum column {
    REQUEST,
    CASE,
    ASKED_BY,
    QUESTION,
    DUE,
    RESULT,
    REASON,
    TITLE,
    BODY,
    SENSITIVITY,
    NEEDS_CONSENT,
    N_COLUMNS
};
static const char *const names[N_COLUMNS] = {"request", "case",  "asked_by", "question",    "due",          "result",
                                             "reason",  "title", "body",     "sensitivity", "needs_consent"};

struct sheet {
    struct node *n;
    act_answers_fault_fn fault;
    void *ctx;
    struct act_answers_done done;
    int at[N_COLUMNS]; /* which cell; -1: the sheet has no such column */
    bool headed;       /* the heading was read */
    size_t faults;
    struct buf text; /* this line's cells, each with a zero behind it */
    const char *cell[N_COLUMNS];
};

/* ---------------------------------------------------------------------------------------------------- reading */
/* "Not known", "not-known": as the word for it. What is no word stays none. */
static void as_word(const char *text, char out[32])
{
    size_t n = 0;
    while (*text == ' ' || *text == '\t') text++;
    for (; *text != '\0' && n < 31; text++)
        out[n++] = *text == ' ' || *text == '-' ? '_' : (char)tolower((unsigned char)*text);
    while (n > 0 && out[n - 1] == '_') n--;
    out[n] = '\0';
}

static enum err read_heading(struct sheet *s, const struct bytes *cells, size_t n, struct why *why)
{
    for (int c = 0; c < N_COLUMNS; c++) s->at[c] = -1;
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < N_COLUMNS; c++)
            if (cells[i].n == strlen(names[c]) && strncasecmp((const char *)cells[i].p, names[c], cells[i].n) == 0) {
                if (s->at[c] >= 0)
                    return why_set(why, ERR_FORMAT, "The sheet has two columns '%s'. Nothing was changed.", names[c]);
                s->at[c] = (int)i;
            }
    s->headed = true;
    if (s->at[REQUEST] >= 0 && s->at[RESULT] >= 0) return ERR_OK;
    (void)why_set(why, ERR_FORMAT,
                  "The first line does not name the columns 'request' and 'result'. Nothing was changed.");
    return why_next(why, ERR_FORMAT,
                    "Fill in the sheet that you saved here, and keep its first line and first column.");
}

/* Texts of the line's cells; "" where the sheet or the line has none. */
static enum err read_cells(struct sheet *s, const struct bytes *cells, size_t n, struct why *why)
{
    size_t need = 0;
    for (size_t i = 0; i < n; i++) need += cells[i].n + 1;
    buf_reset(&s->text);
    char *p = (char *)buf_grow(&s->text, need + 1);
    if (p == NULL) return why_set(why, s->text.err, "There is not enough memory for this sheet. Nothing was changed.");
    for (int c = 0; c < N_COLUMNS; c++) {
        s->cell[c] = "";
        if (s->at[c] < 0 || (size_t)s->at[c] >= n) continue;
        struct bytes cell = cells[s->at[c]];
        s->cell[c] = p;
        if (cell.n != 0) memcpy(p, cell.p, cell.n);
        p[cell.n] = '\0';
        p += cell.n + 1;
    }
    return ERR_OK;
}

static bool says(const struct sheet *s, enum column c)
{
    return s->cell[c][strspn(s->cell[c], " \t\r\n")] != '\0';
}

/* ---------------------------------------------------------------------------------------------------- writing */
/* Who may see what is told must be said by a person: left empty it would be everybody who takes part. */
static enum err read_sight(const struct sheet *s, bool recorded, char sensitivity[32], bool *needs_consent,
                           struct why *why)
{
    char word[32];
    as_word(s->cell[SENSITIVITY], sensitivity);
    as_word(s->cell[NEEDS_CONSENT], word);
    *needs_consent = strcmp(word, "yes") == 0;
    if (recorded && *sensitivity == '\0')
        return why_set(why, ERR_USAGE,
                       "Say who may see it, in the column 'sensitivity': open (all who take part), sensitive (only the"
                       " MASH) or restricted (only your agency).");
    if (*word != '\0' && !*needs_consent && strcmp(word, "no") != 0)
        return why_set(why, ERR_USAGE, "needs_consent is yes or no; empty is no.");
    if (*needs_consent && !recorded)
        return why_set(why, ERR_USAGE, "needs_consent goes with a title and a text alone.");
    return ERR_OK;
}

static enum err answer_line(struct sheet *s, const uint8_t request[16], const char *result, struct why *why)
{
    char sensitivity[32];
    bool recorded = says(s, TITLE) || says(s, BODY), needs_consent = false;
    if (says(s, REASON))
        return why_set(why, ERR_USAGE, "A reason goes with 'declined' alone. Write what you know into title and body.");
    enum err e = read_sight(s, recorded, sensitivity, &needs_consent, why);
    if (e != ERR_OK) return e;
    const struct act_record r = {.title = says(s, TITLE) ? s->cell[TITLE] : NULL,
                                 .body = says(s, BODY) ? bytes_of_str(s->cell[BODY]) : bytes_of(NULL, 0),
                                 .sensitivity = sensitivity,
                                 .needs_consent = needs_consent};
    const struct act_answer a = {.request = request, .result = result, .add = recorded ? &r : NULL};
    e = act_put_answer(s->n, &a, why);
    if (e == ERR_OK) s->done.answered++;
    if (e == ERR_OK && recorded) s->done.records++;
    return e;
}

static enum err take_line(struct sheet *s, struct why *why)
{
    uint8_t request[16];
    char result[32];
    as_word(s->cell[RESULT], result);
    if (*result == '\0' && !says(s, REASON) && !says(s, TITLE) && !says(s, BODY)) {
        s->done.blank++;
        return ERR_OK;
    }
    if (*result == '\0')
        return why_set(why, ERR_USAGE, "There is no result: known, not_known, nothing_relevant or declined.");
    if (!uuid_parse(request, bytes_of_str(s->cell[REQUEST])))
        return why_set(why, ERR_USAGE, "The column 'request' does not say which question this answers.");
    if (strcmp(result, "declined") != 0) return answer_line(s, request, result, why);
    if (says(s, TITLE) || says(s, BODY))
        return why_set(why, ERR_USAGE,
                       "Who declines tells nothing: take the title and the text out, or answer 'known'.");
    enum err e = act_put_decline(s->n, request, s->cell[REASON], why);
    if (e == ERR_OK) s->done.declined++;
    return e;
}

/* What is wrong with one line is told with that of the others; what is wrong with the device ends it. */
static enum err take_row(void *ctx, unsigned line, const struct bytes *cells, size_t n, struct why *why)
{
    struct sheet *s = ctx;
    struct why said = {0};
    if (!s->headed) return read_heading(s, cells, n, why);
    enum err e = read_cells(s, cells, n, why);
    if (e != ERR_OK) return e;
    e = take_line(s, &said);
    if (e == ERR_USAGE || e == ERR_NOTFOUND || e == ERR_DENIED || e == ERR_EXISTS) {
        s->faults++;
        s->fault(s->ctx, line, said.text);
        return ERR_OK;
    }
    if (e != ERR_OK && why != NULL) *why = said;
    return e;
}

static enum err take_sheet(struct sheet *s, struct bytes csv, struct why *why)
{
    static const struct csv_limits limits = {
        .max_bytes = ANSWERS_MAX_BYTES, .max_rows = ANSWERS_MAX_ROWS + 1, .max_columns = CSV_COLUMNS};
    enum err e = csv_read(csv, &limits, take_row, s, why);
    if (e == ERR_OK && !s->headed) e = why_set(why, ERR_FORMAT, "The sheet is empty. Nothing was changed.");
    if (e == ERR_OK && s->faults != 0) {
        (void)why_set(why, ERR_USAGE, "%zu %s of the sheet cannot be taken. Nothing was changed.", s->faults,
                      s->faults == 1 ? "line" : "lines");
        e = why_next(why, ERR_USAGE, "Mend what is said of each line, and hand in the whole sheet again.");
    }
    return e;
}

enum err act_answers(struct node *n, struct bytes csv, act_answers_fault_fn fault, void *ctx,
                     struct act_answers_done *out, struct why *why)
{
    struct sheet s = {.n = n, .fault = fault, .ctx = ctx};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    buf_init(&s.text, ANSWERS_MAX_BYTES + CSV_COLUMNS + 1);
    e = act_end(n, take_sheet(&s, csv, why), "answered requests from a sheet", why);
    buf_release(&s.text);
    if (e == ERR_OK) *out = s.done;
    return e;
}

/* ------------------------------------------------------------------------------------------------------- form */
static void put_line(struct csv_writer *w, struct stmt *s)
{
    uint8_t id[16];
    char text[37], due[WHEN_RFC3339] = "";
    db_id(s, 0, id);
    uuid_format(id, text);
    csv_put_str(w, text);
    for (int i = 1; i < 4; i++) csv_put(w, db_bytes(s, i));
    if (!db_is_null(s, 4)) when_rfc3339(db_int(s, 4), due);
    csv_put_str(w, due);
    for (int i = RESULT; i < N_COLUMNS; i++) csv_put_str(w, NULL);
    csv_end_row(w);
}

enum err act_answers_form(struct node *n, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    struct csv_writer w = {.out = out};
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT q.id, c.reference, coalesce(a.name, q.agency), q.question, q.due_at FROM request q"
                            " LEFT JOIN case_file c ON c.id = q.case_id LEFT JOIN agency a ON a.code = q.agency"
                            " WHERE q.to_agency = $1 AND q.state = 'open' AND q.voided_at IS NULL"
                            " ORDER BY q.due_at IS NULL, q.due_at, q.asked_at, q.id LIMIT $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, n->agency);
    db_bind_int(s, 2, ANSWERS_MAX_ROWS); /* no more come back in one sheet; the next one has the others */
    for (int i = 0; i < N_COLUMNS; i++) csv_put_str(&w, names[i]);
    csv_end_row(&w);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) put_line(&w, s);
    db_done(s);
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "The sheet would be too large.");
    return e;
}
