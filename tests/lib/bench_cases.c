#include "tests/lib/bench_cases.h"

#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOCABULARY 60000u
#define PERSONS    4u
#define SEED       88172645463325252u
#define ROUND      50000u /* rows in a transaction, as an answer has */
#define DAY        INT64_C(86400000)
#define SPAN       (2 * 365 * DAY)

static uint64_t next(struct bench_cases *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return b->seed;
}

static unsigned below(struct bench_cases *b, unsigned n)
{
    return (unsigned)(next(b) % n);
}

void bench_cases_new(struct bench_cases *b, unsigned cases, unsigned records)
{
    double sum = 0;
    *b = (struct bench_cases){.cases = cases, .records = records, .seed = SEED};
    b->ids = calloc(cases, 16);
    b->sums = calloc(VOCABULARY, sizeof *b->sums);
    if (b->ids == NULL || b->sums == NULL) bench_fail("memory");
    for (unsigned i = 0; i < VOCABULARY; i++) b->sums[i] = sum += 1.0 / (i + 1);
}

void bench_cases_free(struct bench_cases *b)
{
    free(b->ids);
    free(b->sums);
    *b = (struct bench_cases){0};
}

/* -------------------------------------------------------------------------------------------------------- words */
/* As words are: the second half as often as the first, the third a third as often. */
static unsigned draw_word(struct bench_cases *b)
{
    double x = (double)(next(b) >> 11) / 9007199254740992.0 * b->sums[VOCABULARY - 1];
    unsigned from = 0, to = VOCABULARY - 1;
    while (from < to) {
        unsigned at = (from + to) / 2;
        if (b->sums[at] < x)
            from = at + 1;
        else
            to = at;
    }
    return from;
}

size_t bench_cases_word(char *out, unsigned no)
{
    static const char *const parts[] = {"ba", "ce", "di", "fo", "gu", "ha",   "le",   "mi",   "no",  "pu",
                                        "ra", "se", "ti", "vo", "wy", "chan", "dren", "ster", "lin", "mor"};
    size_t n = 0;
    for (unsigned v = no + 20; v > 0; v /= 20) {
        size_t len = strlen(parts[v % 20]);
        memcpy(out + n, parts[v % 20], len);
        n += len;
    }
    out[n] = '\0';
    return n;
}

static size_t put_text(struct bench_cases *b, char *out, unsigned words)
{
    size_t n = 0;
    for (unsigned i = 0; i < words; i++) {
        n += bench_cases_word(out + n, draw_word(b));
        out[n++] = ' ';
    }
    out[n - 1] = '\0';
    return n - 1;
}

/* --------------------------------------------------------------------------------------------------------- rows */
/* UUIDv7 of when it was written, as all ids are. */
static void new_id(struct bench_cases *b, uint8_t out[16])
{
    uint64_t v[2] = {next(b), next(b)};
    memcpy(out, v, 16);
    for (int i = 0; i < 6; i++) out[i] = (uint8_t)((uint64_t)b->at >> (40 - 8 * i));
    out[6] = (uint8_t)(0x70 | (out[6] & 0x0f));
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3f));
}

static void begin_round(struct bench_cases *b)
{
    struct why why = {0};
    BENCH_MUST(db_begin(node_db(b->n), &why));
    b->in_round = 0;
}

static void end_round(struct bench_cases *b)
{
    struct why why = {0};
    BENCH_MUST(db_commit(node_db(b->n), &why));
}

static void give(struct bench_cases *b, const struct row *row)
{
    struct why why = {0};
    struct op op = {.kind = OP_INSERT, .table = row->table};
    op.table_index = rules_table_index(bytes_of_str(row->table->name));
    memcpy(op.new_, row->v, sizeof op.new_);
    BENCH_MUST(overlay_page(b->n, &op, false, &why));
    if (++b->in_round < ROUND) return;
    end_round(b);
    begin_round(b);
}

static void set(struct row *r, const char *column, struct value v)
{
    int i = rules_column_index(r->table, bytes_of_str(column));
    if (i < 0) bench_fail(column);
    r->v[i] = v;
}

static void set_str(struct row *r, const char *column, const char *text)
{
    set(r, column, value_str(text));
}

/* A row without anything, under a new id that `id` gets. */
static struct row bare(struct bench_cases *b, const char *table, uint8_t id[16])
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    new_id(b, id);
    r.v[0] = value_id(id);
    return r;
}

static struct row of_case(struct bench_cases *b, const char *table, uint8_t id[16], const uint8_t case_id[16])
{
    struct row r = bare(b, table, id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str("care");
    return r;
}

/* --------------------------------------------------------------------------------------------- what all cases share */
static const char *const agencies[][3] = {{"care", "Children's social care", "social_care"},
                                          {"health", "Community health", "health"},
                                          {"police", "Police", "police"},
                                          {"school", "Schools", "education"}};
static const char *const rags[] = {"red", "amber", "green", "blue"};

static void give_agencies(struct bench_cases *b)
{
    static const char *const sites[][4] = {{"room", "care", "MASH room", "mash"},
                                           {"llanidloes", "health", "Health clinic", "partner"}};
    uint8_t id[16];
    for (size_t i = 0; i < 4; i++) {
        struct row r = bare(b, "agency", id);
        set_str(&r, "code", agencies[i][0]);
        set_str(&r, "name", agencies[i][1]);
        set_str(&r, "kind", agencies[i][2]);
        give(b, &r);
    }
    for (size_t i = 0; i < 2; i++) {
        struct row r = bare(b, "site", id);
        set_str(&r, "code", sites[i][0]);
        set_str(&r, "agency", sites[i][1]);
        set_str(&r, "name", sites[i][2]);
        set_str(&r, "kind", sites[i][3]);
        give(b, &r);
        r = bare(b, "coverage", id);
        set_str(&r, "site", sites[i][0]);
        set_str(&r, "area", "*");
        give(b, &r);
    }
}

static void give_scales(struct bench_cases *b)
{
    static const char *const what[] = {"reply", "meeting", "decision"};
    uint8_t id[16];
    struct node_info info;
    struct why why = {0};
    for (size_t i = 0; i < 9; i++) {
        struct row r = bare(b, "timescale", id);
        set_str(&r, "rag", rags[i / 3]);
        set_str(&r, "what", what[i % 3]);
        set(&r, "minutes", value_int((int64_t[]){240, 1440, 4320}[i / 3]));
        set_str(&r, "clock", i < 3 ? "elapsed" : "working");
        give(b, &r);
    }
    BENCH_MUST(node_get_info(b->n, &info, &why));
    struct row r = bare(b, "practitioner", id);
    r.v[0] = value_id(info.user);
    set_str(&r, "site", "llanidloes");
    set_str(&r, "name", "Mair Evans");
    set(&r, "active", value_int(1));
    give(b, &r);
}

/* -------------------------------------------------------------------------------------------------------- cases */
struct made {
    const uint8_t *id;
    unsigned no;
    const char *rag, *status;
    int64_t at; /* received */
};

static void give_sharing(struct bench_cases *b, const struct made *m)
{
    uint8_t id[16];
    for (size_t i = 1; i < 4; i++) {
        struct row r = of_case(b, "participant", id, m->id);
        set_str(&r, "member", agencies[i][0]);
        set_str(&r, "site", "");
        set_str(&r, "access", "contribute");
        give(b, &r);
    }
    for (size_t i = 0; i < 2; i++) {
        bool open = strcmp(m->status, "closed") != 0 && next(b) % 3 == 0;
        struct row r = of_case(b, "request", id, m->id);
        set_str(&r, "to_agency", agencies[1 + (m->no + i) % 3][0]);
        set_str(&r, "question", "What is known of the household?");
        set_str(&r, "rag", m->rag);
        set_str(&r, "state", open ? "open" : "answered");
        if (!open) set_str(&r, "result", "known");
        set(&r, "asked_at", value_int(m->at + 60000));
        set(&r, "due_at", value_int(m->at + 14400000));
        if (!open) set(&r, "answered_at", value_int(m->at + 60000 * (int64_t)(1 + next(b) % 480)));
        give(b, &r);
    }
}

static void give_judgement(struct bench_cases *b, const struct made *m)
{
    uint8_t id[16];
    bool done = strcmp(m->status, "gathering") != 0 && strcmp(m->status, "new") != 0;
    for (size_t i = 0; i < 2; i++) {
        struct row r = of_case(b, "rating", id, m->id);
        if (i == 1 && next(b) % 20 == 0) set_str(&r, "agency", "health");
        set_str(&r, "stage", i == 0 ? "initial" : "review");
        set_str(&r, "rag", i == 0 ? rags[next(b) % 4] : m->rag);
        set(&r, "rated_at", value_int(m->at + (int64_t)i * 3600000));
        give(b, &r);
    }
    if (!done) return;
    struct row r = of_case(b, "meeting", id, m->id);
    set(&r, "held_at", value_int(m->at + 7200000));
    set_str(&r, "kind", "mash");
    give(b, &r);
}

static void give_words(struct bench_cases *b, const struct made *m)
{
    char text[1024];
    uint8_t id[16];
    bool decided = strcmp(m->status, "closed") == 0 || strcmp(m->status, "decided") == 0;
    struct row r = of_case(b, "brief", id, m->id);
    r.v[0] = value_id(m->id);
    (void)put_text(b, text, 40);
    set_str(&r, "summary", text);
    set_str(&r, "primary_need", next(b) % 3 == 0 ? "N1" : "N4");
    if (decided) set_str(&r, "outcome", "assessment");
    if (decided) set(&r, "decided_at", value_int(m->at + 60000 * (int64_t)(60 + next(b) % 2880)));
    give(b, &r);
    r = of_case(b, "referral", id, m->id);
    set_str(&r, "source", next(b) % 2 == 0 ? "3A" : "6");
    set(&r, "received_at", value_int(m->at));
    give(b, &r);
}

/* Four of five are closed; the others stand in all columns of the board. */
static void give_case(struct bench_cases *b, unsigned no, int64_t now)
{
    static const char *const open[] = {"new", "gathering", "gathering", "ready", "decided"};
    char reference[16];
    uint8_t id[16];
    struct made m = {.id = b->ids[no], .no = no, .rag = rags[next(b) % 4]};
    m.status = next(b) % 10 < 8 ? "closed" : open[next(b) % 5];
    m.at = b->at = now - SPAN + SPAN / b->cases * no;
    new_id(b, b->ids[no]);
    struct row r = of_case(b, "case_file", id, m.id);
    r.v[0] = value_id(m.id);
    (void)snprintf(reference, sizeof reference, "C-%08X", no * 2654435761u);
    set_str(&r, "reference", reference);
    set_str(&r, "area", "north");
    set_str(&r, "subject_kind", "child");
    set_str(&r, "rag", m.rag);
    set_str(&r, "status", m.status);
    set_str(&r, "lead_agency", "care");
    set(&r, "received_at", value_int(m.at));
    if (strcmp(m.status, "closed") == 0) set(&r, "closed_at", value_int(m.at + 3 * DAY));
    give(b, &r);
    give_words(b, &m);
    give_sharing(b, &m);
    give_judgement(b, &m);
}

static void give_person(struct bench_cases *b, const uint8_t case_id[16], unsigned no)
{
    char family[64], given[64], born[32], nhs[32];
    uint8_t id[16], number[16];
    struct row r = of_case(b, "person", id, case_id);
    (void)bench_cases_word(family, 3000 + below(b, 9000));
    (void)bench_cases_word(given, 400 + below(b, 600));
    (void)snprintf(born, sizeof born, "%u-%02u-%02u", 1960 + below(b, 60), 1 + below(b, 12), 1 + below(b, 28));
    set_str(&r, "role", no % PERSONS == 0 ? "child" : "adult");
    set_str(&r, "family_name", family);
    set_str(&r, "given_names", given);
    set_str(&r, "born_on", born);
    give(b, &r);
    r = of_case(b, "identifier", number, case_id);
    (void)snprintf(nhs, sizeof nhs, "%010u", 1000000000u + no * 37u);
    set(&r, "person_id", value_id(id));
    set_str(&r, "scheme", "nhs");
    set_str(&r, "value", nhs);
    give(b, &r);
}

static void give_record(struct bench_cases *b, unsigned no, int64_t now)
{
    char title[256], body[2048];
    uint8_t id[16];
    b->at = now - SPAN + SPAN / b->records * no;
    struct row r = of_case(b, "record", id, b->ids[below(b, b->cases)]);
    (void)put_text(b, title, 3);
    size_t n = put_text(b, body, 20 + below(b, 40));
    if (no == b->records / 2) (void)snprintf(body + n, sizeof body - n, " " BENCH_RARE);
    set_str(&r, "title", title);
    set_str(&r, "body", body);
    set_str(&r, "kind", "contribution");
    set_str(&r, "sensitivity", next(b) % 5 == 0 ? "sensitive" : "open");
    set(&r, "occurred_at", value_int(b->at - 3600000));
    set(&r, "written_at", value_int(b->at));
    give(b, &r);
}

struct bench_time bench_cases_fill(struct bench_cases *b, int64_t now)
{
    struct bench_time start = bench_now();
    b->at = now;
    begin_round(b);
    give_agencies(b);
    give_scales(b);
    for (unsigned i = 0; i < b->cases; i++) give_case(b, i, now);
    for (unsigned i = 0; i < b->cases * PERSONS; i++) {
        b->at = now - SPAN + SPAN / b->cases * (i / PERSONS);
        give_person(b, b->ids[i / PERSONS], i);
    }
    for (unsigned i = 0; i < b->records; i++) give_record(b, i, now);
    end_round(b);
    return bench_since(start);
}

void bench_cases_add(struct bench_cases *b, unsigned no, const char *body)
{
    uint8_t id[16];
    begin_round(b);
    struct row r = of_case(b, "record", id, b->ids[no % b->cases]);
    set_str(&r, "body", body);
    give(b, &r);
    end_round(b);
}
