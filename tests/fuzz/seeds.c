/* seeds FOLDER: what each fuzzer begins with, made anew by our own encoders, so that it never falls behind them. One
 * folder each below FOLDER, which must be there. */
#include "crypto/keyslot_internal.h"
#include "sync/bundle.h"
#include "sync/courier.h"
#include "sync/changeset.h"
#include "sync/messages.h"
#include "sync/question.h"
#include "tests/fuzz/seeds.h"

#include <string.h>
#include <sys/stat.h>

void seeds_put(struct seeds *s, int asked, struct bytes v)
{
    char path[512];
    HOLDS(snprintf(path, sizeof path, "%s/%s/%03u", s->folder, s->fuzzer, s->n++) < (int)sizeof path);
    FILE *f = fopen(path, "wb");
    HOLDS(f != NULL);
    if (asked >= 0) HOLDS(fputc(asked, f) == asked);
    HOLDS(fwrite(v.p, 1, v.n, f) == v.n && fclose(f) == 0);
}

void seeds_begin(struct seeds *s, const char *fuzzer)
{
    char path[512];
    s->fuzzer = fuzzer;
    s->n = 0;
    fuzz_start();
    HOLDS(snprintf(path, sizeof path, "%s/%s", s->folder, fuzzer) < (int)sizeof path);
    (void)mkdir(path, 0777);
}

/* ---- rows and changesets ---- */
static const uint8_t some_id[16] = "sixteen bytes id";

static struct value some_value(const struct column_rule *c)
{
    switch (c->type) {
    case COL_ID: return value_id(some_id);
    case COL_WORD: return value_text(bytes_of(c->words, strcspn(c->words, "|")));
    case COL_DATE: return value_str("2024-02-29");
    case COL_BOOL: return value_int(1);
    case COL_TIME: return value_int(1780000000000);
    case COL_INT: return value_int(-5);
    case COL_REAL: return (struct value){.kind = VALUE_REAL, .r = -0.0};
    case COL_TEXT: break;
    }
    return value_str("O\xcc\x81 text");
}

static struct op some_op(size_t table, enum op_kind kind, uint8_t last, bool patchset)
{
    static uint8_t ids[3][16];
    struct op op = {.kind = kind, .table = rules_table(table), .table_index = (int)table};
    size_t n = op.table->n_columns;
    uint8_t *id = ids[last % 3];
    memcpy(id, some_id, 16);
    id[15] = last;
    for (size_t c = 0; c < n; c++) {
        struct value v = c == 0 ? value_id(id) : some_value(&op.table->columns[c]);
        if (kind == OP_INSERT) op.new_[c] = c == n - 1 && !op.table->columns[c].required ? value_null() : v;
        if (kind == OP_DELETE && (c == 0 || !patchset)) op.old[c] = v;
        if (kind != OP_UPDATE || (c != 0 && c + 2 < n)) continue;
        op.old[c] = c == 0 || !patchset ? v : value_none();
        op.new_[c] = c == 0 ? (patchset ? v : value_none()) : v;
    }
    return op;
}

static void changesets(struct seeds *s)
{
    size_t n;
    (void)rules_tables(&n);
    seeds_begin(s, "changeset");
    for (size_t t = 0; t < n; t++) {
        for (int patchset = 0; patchset < 2; patchset++) {
            struct changeset_writer w;
            struct buf out;
            buf_init(&out, 1u << 16);
            changeset_writer_init(&w, &out, patchset != 0, rules_schema_newest());
            for (uint8_t i = 0; i < 3; i++) {
                static const enum op_kind kinds[] = {OP_INSERT, OP_UPDATE, OP_DELETE};
                struct op op = some_op(t, kinds[i], (uint8_t)('a' + i), patchset != 0);
                changeset_put(&w, &op);
            }
            struct op other = some_op((t + 7) % n, OP_UPDATE, 'x', patchset != 0);
            changeset_put(&w, &other);
            HOLDS(out.err == ERR_OK);
            seeds_put(s, patchset | 2, buf_bytes(&out));
            buf_release(&out);
        }
    }
}

/* ---- messages ---- */
typedef void item_fn(void *ctx, struct bytes item);

static void some_parts(struct part parts[2])
{
    memset(parts, 0, 2 * sizeof parts[0]);
    parts[0].content = bytes_of_str("some content");
    parts[1].content = bytes_of_str("more");
    memset(parts[1].salt, 0x5a, SALT_BYTES);
}

static void some_envelope(struct buf *cose, bool page)
{
    struct envelope_header h = {.epoch = 1, .seq = 2, .schema = rules_schema_newest(), .hlc = 1780000000000u << 16};
    struct page_header p = {.epoch = 1, .schema = rules_schema_newest()};
    struct part parts[2];
    some_parts(parts);
    memcpy(h.hub, fuzz_me()->pub.kid, KID_BYTES);
    memcpy(p.node, FUZZ_NODE, KID_BYTES);
    if (page)
        HOLDS(page_sign(fuzz_me(), &p, parts, 2, cose, NULL) == ERR_OK);
    else
        HOLDS(envelope_sign(fuzz_me(), &h, parts, 2, cose, NULL) == ERR_OK);
}

static void give(struct buf *b, item_fn *fn, void *ctx)
{
    HOLDS(b->err == ERR_OK);
    fn(ctx, buf_bytes(b));
    b->len = 0;
}

static void plain_items(struct buf *b, item_fn *fn, void *ctx)
{
    struct part parts[2];
    struct buf cose;
    some_parts(parts);
    buf_init(&cose, 1u << 16);
    some_envelope(&cose, false);
    message_put_envelope(b, buf_bytes(&cose), parts, 2);
    give(b, fn, ctx);
    cose.len = 0;
    some_envelope(&cose, true);
    message_put_page(b, buf_bytes(&cose), 2);
    give(b, fn, ctx);
    message_put_part(b, &parts[1]);
    give(b, fn, ctx);
    buf_release(&cose);
}

static void list_items(struct buf *b, item_fn *fn, void *ctx)
{
    const struct verdict_item v[] = {{.seq = 1, .verdict = VERDICT_APPLIED},
                                     {.seq = 2, .verdict = VERDICT_HELD, .reason = bytes_of_str("Why.")}};
    struct drop_item d[] = {{.table_index = 3}, {.table_index = 9}};
    memcpy(d[1].id, some_id, 16);
    const struct end_item ends[] = {{.table_index = 3, .not_after = 1763769600000}, {.table_index = 9}};
    HOLDS(message_put_verdicts(b, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, v, 2, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_drops(b, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, d, 2, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_ends(b, fuzz_me(), FUZZ_NODE, FUZZ_REQUEST, ends, 2, NULL) == ERR_OK);
    give(b, fn, ctx);
}

static void signed_items(struct buf *b, item_fn *fn, void *ctx)
{
    struct node_hello hello = {.epoch = 1, .request = 7, .schema = rules_schema_newest(), .software = "seeds"};
    struct hub_hello answer = {.epoch = 1, .request = 7, .more = true, .schema = rules_schema_newest()};
    struct receipt receipt = {.request = 7, .rows = 2, .kind = 1};
    struct gap gap = {.seq = 3};
    struct enrol_request ask = {.user = "Carla", .software = "seeds", .schema = rules_schema_newest()};
    struct enrol_answer welcome = {.hub_name = "MASH", .epoch = 1, .site = "care-mash", .agency = "care"};
    struct replaces old = {0};
    identity_to_bytes(&fuzz_me()->pub, ask.node);
    identity_to_bytes(&fuzz_me()->pub, ask.door);
    identity_to_bytes(&fuzz_me()->pub, old.node);
    welcome.schema = rules_schema_newest();
    HOLDS(message_put_node_hello(b, fuzz_me(), &hello, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_hub_hello(b, fuzz_me(), &answer, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_receipt(b, fuzz_me(), &receipt, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_gap(b, fuzz_me(), &gap, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_enrol(b, fuzz_me(), &ask, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_enrolled(b, fuzz_me(), &welcome, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_replaces(b, fuzz_me(), &old, NULL) == ERR_OK);
    give(b, fn, ctx);
}

static void order_items(struct buf *b, item_fn *fn, void *ctx)
{
    struct order order = {.number = 3, .kind = ORDER_LEASE, .value = 14, .at_ms = 5};
    struct wiped wiped = {.number = 4, .at_ms = 6, .unsent = WIPED_UNKNOWN};
    struct knock knock = {.order = 3, .clock_ms = 7};
    struct door_answer door = {.clock_ms = 8, .wiped = 4};
    struct view_item looks[2] = {{.table_index = 1, .at_ms = 9}, {.table_index = 2, .at_ms = 10}};
    HOLDS(message_put_order(b, fuzz_me(), &order, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_wiped(b, fuzz_me(), &wiped, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_knock(b, fuzz_me(), &knock, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_door(b, fuzz_me(), &door, NULL) == ERR_OK);
    give(b, fn, ctx);
    HOLDS(message_put_views(b, fuzz_me(), FUZZ_NODE, looks, 2, NULL) == ERR_OK);
    give(b, fn, ctx);
}

static void log_items(struct buf *b, item_fn *fn, void *ctx)
{
    static const uint8_t proof[96] = {1, 2, 3};
    const struct merkle_head seen = {.size = 300, .root = {7}};
    message_put_seen(b, &seen);
    give(b, fn, ctx);
    message_put_checkpoint(b, &(struct checkpoint_item){bytes_of_str("spoke/a/b\n3\nAAAA\n\n"), bytes_of(proof, sizeof proof)});
    give(b, fn, ctx);
}

static void question_items(struct buf *b, item_fn *fn, void *ctx)
{
    const struct bytes words[] = {bytes_of_str("site"), bytes_of_str("school-1"), bytes_of_str("school")};
    struct question q = {.number = 4, .kind = QUESTION_EMERGENCY, .text = "C-7K2M9QXD\nA child at the door."};
    struct reply r = {.number = 4, .kind = QUESTION_WHO_SAW, .n_lines = 2};
    struct buf lines;
    buf_init(&lines, 1u << 12);
    HOLDS(message_put_question(b, fuzz_me(), &q, NULL) == ERR_OK);
    give(b, fn, ctx);
    reply_put_line(&lines, words, 3);
    reply_put_line(&lines, words, 1);
    r.lines = buf_bytes(&lines);
    HOLDS(message_put_reply(b, fuzz_me(), &r, NULL) == ERR_OK);
    give(b, fn, ctx);
    buf_release(&lines);
}

/* Of each shape one, so that what is cut and joined stays short. */
static void few_items(item_fn *fn, void *ctx)
{
    struct buf b;
    buf_init(&b, 1u << 16);
    list_items(&b, fn, ctx);
    plain_items(&b, fn, ctx);
    buf_release(&b);
}

static void all_items(item_fn *fn, void *ctx)
{
    struct buf b;
    buf_init(&b, 1u << 16);
    signed_items(&b, fn, ctx);
    question_items(&b, fn, ctx);
    log_items(&b, fn, ctx);
    order_items(&b, fn, ctx);
    list_items(&b, fn, ctx);
    plain_items(&b, fn, ctx);
    buf_release(&b);
}

static void put_message(void *ctx, struct bytes item)
{
    seeds_put(ctx, 4, item);
    seeds_put(ctx, 4 | 8, item);
}

static void signed_things(struct seeds *s)
{
    struct invitation i = {.address = "http://127.0.0.1:8470"};
    struct buf b;
    seeds_begin(s, "cose");
    buf_init(&b, 1u << 16);
    for (int page = 0; page < 2; page++) {
        b.len = 0;
        some_envelope(&b, page != 0);
        seeds_put(s, 0, buf_bytes(&b));
        seeds_put(s, 1 + page, buf_bytes(&b));
        seeds_put(s, 9 + page, buf_bytes(&b));
    }
    b.len = 0;
    HOLDS(invitation_put(&b, &i, NULL) == ERR_OK);
    seeds_put(s, 3, buf_bytes(&b));
    buf_release(&b);
    all_items(put_message, s);
    seeds_of_returns(s);
}

/* ---- bundles ---- */
static void join(void *ctx, struct bytes item)
{
    buf_put_bytes(ctx, item);
}

static void put_written(void *ctx, struct bytes item)
{
    HOLDS(bundle_put(ctx, item.n % 2 == 0 ? "care" : "police", item, NULL) == ERR_OK);
}

/* The stream below the seal. */
static void open_seal(struct bytes sealed, struct buf *out)
{
    struct seal_reader *r = NULL;
    struct seal_header h;
    struct bytes plain;
    uint8_t binding[32];
    bool end = false;
    HOLDS(seal_reader_new(&r, sealed, fuzz_me(), &h, binding, NULL) == ERR_OK);
    while (!end) {
        HOLDS(seal_read(r, &plain, &end, NULL) == ERR_OK);
        buf_put_bytes(out, plain);
    }
    seal_reader_free(r);
}

static void bundles(struct seeds *s)
{
    struct bundle_writer *w = NULL;
    struct seal_header h = {.version = 1, .kind = 1};
    struct buf sealed, open, items;
    uint8_t binding[32];
    seeds_begin(s, "bundle");
    buf_init(&sealed, 1u << 20);
    buf_init(&open, 1u << 20);
    buf_init(&items, 1u << 20);
    memcpy(h.recipient, fuzz_me()->pub.kid, KID_BYTES);
    HOLDS(bundle_writer_new(&w, &h, &fuzz_me()->pub, &sealed, binding, NULL) == ERR_OK);
    few_items(put_written, w);
    HOLDS(bundle_finish(w, NULL) == ERR_OK);
    bundle_writer_free(w);
    seeds_put(s, 3, buf_bytes(&sealed));
    courier_put(&open, bytes_of(sealed.data, 40), bytes_of(sealed.data, 60));
    seeds_put(s, 3, buf_bytes(&open));
    open.len = 0;
    open_seal(buf_bytes(&sealed), &open);
    for (int piece = 0; piece < 3; piece++) seeds_put(s, piece > 0 ? 128 + 36 * piece : 64, buf_bytes(&open));
    buf_put_u8(&items, 30); /* where frames are cut */
    few_items(join, &items);
    seeds_put(s, 1 | 64, buf_bytes(&items));
    seeds_put(s, 1 | 128, buf_bytes(&items));
    seeds_put(s, 2, bytes_of(items.data + 1, items.len - 1));
    buf_release(&sealed);
    buf_release(&open);
    buf_release(&items);
}

/* ---- items, rows, values ---- */
static void put_item(void *ctx, struct bytes item)
{
    seeds_put(ctx, 0, item);
    seeds_put(ctx, 1 | 20, item);
}

static void items(struct seeds *s)
{
    static const char every_kind[] = "\x87\x18\x2a\x38\x2a\x42hi\x63key\xa2\x01\xf5\x02\xf6\xd2\x80\x1b\x7f\xff\xff\xff"
                                     "\xff\xff\xff\xff";
    static const char *const texts[] = {"-17", "2024-02-29", "0", "red", "73697874-6565-6e20-6279-746573206964"};
    size_t n;
    (void)rules_tables(&n);
    seeds_begin(s, "cbor");
    seeds_put(s, 0, bytes_of(every_kind, sizeof every_kind - 1));
    all_items(put_item, s);
    for (size_t t = 0; t < n; t++) {
        struct row row = {.table = rules_table(t)};
        struct buf b;
        buf_init(&b, 1u << 16);
        for (size_t c = 0; c < row.table->n_columns; c++)
            row.v[c] = c % 5 == 4 ? value_none() : some_value(&row.table->columns[c]);
        row_put_cbor(&b, &row);
        HOLDS(b.err == ERR_OK);
        seeds_put(s, 2 | (int)t << 2, buf_bytes(&b));
        buf_release(&b);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[64];
        for (size_t c = 3; c < 12; c++)
            seeds_put(s, 3 | 9 << 2, bytes_of(text, (size_t)snprintf(text, sizeof text, "%c%s", (int)c, texts[i])));
    }
}

/* ---- key file and census ---- */
static void keyfiles(struct seeds *s)
{
    static const uint8_t tries[] = "SPKT\1\0\0\0\5\0\0\x01\x9e\x70\x44\x88\0";
    struct fuzz_file file = {0};
    struct fuzz_key key;
    seeds_begin(s, "keyfile");
    fuzz_keyfile(&file, &key);
    for (int asked = 0; asked < 8; asked++) seeds_put(s, asked, bytes_of(file.bytes, file.n));
    seeds_put(s, 8, bytes_of(tries, sizeof tries - 1));
    file.bytes[KEYFILE_SLOTS_AT + 2 * KEYFILE_SLOT_BYTES] = 1; /* a third slot, of nothing */
    seeds_put(s, 1, bytes_of(file.bytes, file.n));
    file.bytes[KEYFILE_SLOTS_AT + 2 * KEYFILE_SLOT_BYTES] = 9; /* and of a kind to come */
    seeds_put(s, 2, bytes_of(file.bytes, file.n));
}

#define TAG(name, text) "<" name ">" text "</" name ">"
#define CENSUS(children)                                                                                               \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Message><Header>" TAG("Collection", "CIN") "</Header>\n"             \
                                                                                             "<Children>" children     \
                                                                                             "</Children></Message>\n"
#define CHILD(more)                                                                                                    \
    "<Child><ChildIdentifiers>" TAG("LAchildID", "LA1") TAG("UPN", "A123456789012")                                    \
        TAG("PersonBirthDate", "2011-04-27") TAG("GenderCurrent", "2") "</ChildIdentifiers>" more "</Child>"
#define DETAILS(more)                                                                                                  \
    "<CINdetails>" TAG("CINreferralDate", "2021-03-04") TAG("ReferralSource", "3E") TAG("PrimaryNeedCode", "N4")       \
        more TAG("ReferralNFA", "false") "</CINdetails>\n"

static void census(struct seeds *s)
{
    static const char *const returns[] = {
        CENSUS(CHILD(DETAILS(""))),
        CENSUS(CHILD("<ChildCharacteristics>" TAG("Ethnicity", "WBRI") "<Disabilities>" TAG(
            "Disability",
            "VIS") "</Disabilities></ChildCharacteristics>" DETAILS(TAG("CINclosureDate", "2021-09-01")
                                                                        TAG("ReasonForClosure", "RC9")
                                                                            TAG("DateOfInitialCPC", "2021-04-01")))),
        CENSUS(CHILD(DETAILS(
            "<Assessments>" TAG("AssessmentActualStartDate", "2021-03-05")
                TAG("AssessmentInternalReviewDate", "2021-03-20")
                    TAG("AssessmentAuthorisationDate", "2021-04-05") "<FactorsIdentifiedAtAssessment>" TAG(
                        "AssessmentFactors",
                        "3A") "</FactorsIdentifiedAtAssessment>"
                              "</Assessments><CINPlanDates>" TAG("CINPlanStartDate", "2021-04-10") "</CINPlanDates>"))),
        CENSUS(CHILD(DETAILS(
            "<Section47>" TAG("S47ActualStartDate",
                              "2021-03-06") TAG("InitialCPCtarget", "2021-03-20") TAG("DateOfInitialCPC", "2021-03-21")
                TAG("ICPCnotRequired", "false") "</Section47><ChildProtectionPlans>" TAG("CPPstartDate", "2021-03-21")
                    TAG("InitialCategoryOfAbuse", "NEG") TAG("LatestCategoryOfAbuse", "EMO")
                        TAG("NumberOfPreviousCPP",
                            "1") "<Reviews>" TAG("CPPreviewDate", "2021-06-01") "</Reviews></ChildProtectionPlans>"))),
        "<!DOCTYPE Message [<!ENTITY a \"b\">]><Message>&a;</Message>",
    };
    seeds_begin(s, "cin");
    for (size_t i = 0; i < sizeof returns / sizeof returns[0]; i++) seeds_put(s, -1, bytes_of_str(returns[i]));
}

static void sheets(struct seeds *s)
{
    static const char *const texts[] = {
        "request,result,reason,title,body,sensitivity\r\n0192f3d1-0000-7000-8000-000000000001,known,,Visit,\"a, b\",open\r\n",
        "a,\"say \"\"hi\"\"\",\r\n\"two\nlines\",c\r\n",
        "\xef\xbb\xbf=1+1,+44,-2,@x\n\n\t ,\" \"\n",
        "\"\"\r,\r\n\"",
    };
    seeds_begin(s, "csv");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) seeds_put(s, -1, bytes_of_str(texts[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "use: seeds FOLDER\n");
        return 64;
    }
    struct seeds s = {.folder = argv[1]};
    changesets(&s);
    signed_things(&s);
    bundles(&s);
    items(&s);
    keyfiles(&s);
    census(&s);
    sheets(&s);
    seeds_of_logs(&s);
    seeds_of_stores(&s);
    return 0;
}
