/* The census reader: what it takes, what it leaves out and says, and what it refuses as a whole. */
#include "cli/import_cin_census.h"

#include "base/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BEGIN          "<Message>\n<Children>\n"
#define END            "</Children>\n</Message>\n"
#define IDS            "<ChildIdentifiers><LAchildID>LA1</LAchildID></ChildIdentifiers>\n"
#define CHILD(details) BEGIN "<Child>\n" IDS details "</Child>\n" END
#define DETAILS(more)  "<CINdetails>\n<CINreferralDate>2021-03-04</CINreferralDate>\n" more "</CINdetails>\n"

static struct cin_census take(const char *xml)
{
    struct cin_census c = {0};
    struct why why = {0};
    if (cin_read(bytes_of_str(xml), &c, &why) != ERR_OK) fail_msg("%s", why.text);
    return c;
}

static void refuse_bytes(struct bytes xml, enum err want)
{
    struct cin_census c = {.referrals = 77};
    struct why why = {0};
    assert_int_equal(cin_read(xml, &c, &why), want);
    assert_int_equal(c.referrals, 77); /* untouched */
    assert_int_not_equal(why.text[0], 0);
}

static void refuse(const char *xml)
{
    refuse_bytes(bytes_of_str(xml), ERR_FORMAT);
}

/* Exactly these lines were left out. */
static void assert_left_out(const struct cin_census *c, const int *lines, size_t n)
{
    for (size_t i = 0; i < c->left_out.n; i++)
        print_message("  left out, line %d: %s\n", c->left_out.v[i].line, c->left_out.v[i].what);
    assert_int_equal(c->left_out.n, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(c->left_out.v[i].line, lines[i]);
}

static void census_takes_a_whole_referral(void **state)
{
    (void)state;
    struct cin_census c = take(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Message><Header><CollectionDetails>"
        "<Collection>CIN</Collection>"
        "<Year>2024</Year></CollectionDetails><Source><LEA>999</LEA></Source></Header><Children><Child>"
        "<ChildIdentifiers><LAchildID> A/17 </LAchildID>"
        "<UPN>A123456789012</UPN>"
        "<FormerUPN>X98765432123B</FormerUPN><UPNunknown>UN3</UPNunknown><PersonBirthDate>2011-04-27</PersonBirthDate>"
        "<ExpectedPersonBirthDate>2011-05-01</ExpectedPersonBirthDate><GenderCurrent>2</GenderCurrent>"
        "<PersonDeathDate>2020-02-29</PersonDeathDate></ChildIdentifiers>"
        "<ChildCharacteristics><Ethnicity>WBRI</Ethnicity>"
        "<Disabilities><Disability>VIS</Disability><Disability>MOB</Disability></Disabilities></ChildCharacteristics>"
        "<CINdetails><CINreferralDate>1970-01-02</CINreferralDate><ReferralSource>3E</ReferralSource>"
        "<PrimaryNeedCode>N4</PrimaryNeedCode><CINclosureDate>1970-03-01</CINclosureDate>"
        "<ReasonForClosure>RC9</ReasonForClosure><DateOfInitialCPC>1970-02-01</DateOfInitialCPC>"
        "<ReferralNFA>false</ReferralNFA></CINdetails></Child>" END);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.referrals, 1);
    assert_left_out(&c, NULL, 0);
    const struct cin_child *k = &c.children[0];
    assert_string_equal(k->la_id, "A/17");
    assert_string_equal(k->upn, "A123456789012");
    assert_string_equal(k->former_upn, "X98765432123B");
    assert_string_equal(k->upn_unknown.v, "UN3");
    assert_string_equal(k->born.iso, "2011-04-27");
    assert_string_equal(k->expected.iso, "2011-05-01");
    assert_string_equal(k->died.iso, "2020-02-29");
    assert_string_equal(k->sex.v, "2");
    assert_string_equal(k->ethnicity.v, "WBRI");
    assert_int_equal(k->disabilities.n, 2);
    assert_string_equal(k->disabilities.v[1].v, "MOB");
    const struct cin_referral *r = &k->referrals[0];
    assert_int_equal(r->received.ms, 86400000);
    assert_int_equal(r->closed.ms, 59LL * 86400000);
    assert_string_equal(r->conference.iso, "1970-02-01");
    assert_string_equal(r->source.v, "3E");
    assert_string_equal(r->need.v, "N4");
    assert_string_equal(r->closure.v, "RC9");
    assert_int_equal(r->nfa, CIN_NO);
    cin_release(&c);
}

static void census_takes_assessments_enquiries_and_plans_in_order(void **state)
{
    (void)state;
    struct cin_census c = take(CHILD(DETAILS(
        "<Assessments><AssessmentActualStartDate>2021-03-05</AssessmentActualStartDate>"
        "<AssessmentInternalReviewDate>2021-03-20</AssessmentInternalReviewDate>"
        "<AssessmentAuthorisationDate>2021-04-10</AssessmentAuthorisationDate><FactorsIdentifiedAtAssessment>"
        "<AssessmentFactors>3B</AssessmentFactors><AssessmentFactors>4B</AssessmentFactors>"
        "</FactorsIdentifiedAtAssessment></Assessments>"
        "<CINPlanDates><CINPlanStartDate>2021-04-11</CINPlanStartDate>"
        "<CINPlanEndDate>2021-06-01</CINPlanEndDate></CINPlanDates>"
        "<Section47><S47ActualStartDate>2021-06-02</S47ActualStartDate><InitialCPCtarget>2021-06-23</InitialCPCtarget>"
        "<DateOfInitialCPC>2021-06-20</DateOfInitialCPC><ICPCnotRequired>0</ICPCnotRequired></Section47>"
        "<ReferralNFA>0</ReferralNFA>"
        "<ChildProtectionPlans><CPPstartDate>2021-06-20</CPPstartDate><CPPendDate>2022-01-01</CPPendDate>"
        "<InitialCategoryOfAbuse>NEG</InitialCategoryOfAbuse><LatestCategoryOfAbuse>EMO</LatestCategoryOfAbuse>"
        "<NumberOfPreviousCPP>2</NumberOfPreviousCPP><Reviews><CPPreviewDate>2021-09-01</CPPreviewDate>"
        "<CPPreviewDate>2021-12-01</CPPreviewDate></Reviews></ChildProtectionPlans>")));
    const struct cin_referral *r = &c.children[0].referrals[0];
    static const struct {
        enum cin_kind kind;
        const char *start, *target, *end;
    } want[] = {
        {CIN_ASSESSMENT, "2021-03-05", "2021-03-20", "2021-04-10"},
        {CIN_CIN_PLAN, "2021-04-11", "", "2021-06-01"},
        {CIN_SECTION_47, "2021-06-02", "2021-06-23", "2021-06-20"},
        {CIN_PLAN, "2021-06-20", "", "2022-01-01"},
        {CIN_PLAN_REVIEW, "2021-09-01", "", ""},
        {CIN_PLAN_REVIEW, "2021-12-01", "", ""},
    };
    assert_int_equal(r->n, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < r->n; i++) {
        assert_int_equal(r->episodes[i].kind, want[i].kind);
        assert_string_equal(r->episodes[i].start.iso, want[i].start);
        assert_string_equal(r->episodes[i].target.iso, want[i].target);
        assert_string_equal(r->episodes[i].end.iso, want[i].end);
    }
    assert_int_equal(r->episodes[0].factors.n, 2);
    assert_string_equal(r->episodes[0].factors.v[0].v, "3B");
    assert_int_equal(r->episodes[2].no_conference, CIN_NO);
    assert_string_equal(r->episodes[3].first_abuse.v, "NEG");
    assert_string_equal(r->episodes[3].last_abuse.v, "EMO");
    assert_string_equal(r->episodes[3].previous.v, "2");
    assert_left_out(&c, NULL, 0);
    cin_release(&c);
}

static void census_without_children_is_empty(void **state)
{
    (void)state;
    struct cin_census c = take("<Message><Children/></Message>");
    assert_int_equal(c.n, 0);
    assert_int_equal(c.referrals, 0);
    cin_release(&c);
}

static void census_leaves_out_a_referral_without_a_date(void **state)
{
    (void)state;
    struct cin_census c = take(CHILD("<CINdetails><ReferralSource>1A</ReferralSource></CINdetails>\n" DETAILS("")));
    assert_int_equal(c.referrals, 1);
    assert_left_out(&c, (const int[]){5}, 1);
    cin_release(&c);
    c = take(CHILD("<CINdetails><CINreferralDate>2021-02-29</CINreferralDate></CINdetails>\n" DETAILS("")));
    assert_int_equal(c.referrals, 1);
    assert_left_out(&c, (const int[]){5}, 1);
    cin_release(&c);
}

static void census_leaves_out_a_child_without_a_number(void **state)
{
    (void)state;
    struct cin_census c =
        take(BEGIN "<Child><ChildIdentifiers><LAchildID> </LAchildID></ChildIdentifiers>\n" DETAILS("") "</Child>" END);
    assert_int_equal(c.n, 0);
    assert_left_out(&c, (const int[]){4}, 1);
    cin_release(&c);
}

static void census_leaves_out_what_is_no_date(void **state)
{
    (void)state;
    static const char *const bad[] = {"yesterday",           "2021-13-01",          "2021-1-1",
                                      "04/03/2021",          "2021-03-04T00:00:00", "2021-03-04x",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char xml[600];
        snprintf(xml, sizeof xml,
                 CHILD(DETAILS("<CINclosureDate>%s</CINclosureDate>\n<DateOfInitialCPC>%s</DateOfInitialCPC>")), bad[i],
                 bad[i]);
        struct cin_census c = take(xml);
        assert_int_equal(c.referrals, 1);
        assert_string_equal(c.children[0].referrals[0].closed.iso, "");
        assert_left_out(&c, (const int[]){7, 8}, 2);
        cin_release(&c);
    }
}

static void census_leaves_out_unknown_codes_and_elements(void **state)
{
    (void)state;
    struct cin_census c =
        take(CHILD(DETAILS("<ReferralSource>99</ReferralSource>\n<PrimaryNeedCode>N1|N2</PrimaryNeedCode>\n"
                           "<ReferralNFA>maybe</ReferralNFA>\n<Surprise><CINreferralDate>2000-01-01"
                           "</CINreferralDate></Surprise>\n")));
    assert_string_equal(c.children[0].referrals[0].source.v, "");
    assert_string_equal(c.children[0].referrals[0].need.v, "");
    assert_string_equal(c.children[0].referrals[0].received.iso, "2021-03-04");
    assert_left_out(&c, (const int[]){7, 8, 9, 10}, 4);
    cin_release(&c);
}

static void census_keeps_the_first_of_two_values(void **state)
{
    (void)state;
    struct cin_census c = take(CHILD(DETAILS("<CINreferralDate>1999-01-01</CINreferralDate>\n")));
    assert_string_equal(c.children[0].referrals[0].received.iso, "2021-03-04");
    assert_left_out(&c, (const int[]){7}, 1);
    cin_release(&c);
}

static void census_leaves_out_an_enquiry_without_a_start(void **state)
{
    (void)state;
    struct cin_census c =
        take(CHILD(DETAILS("<Section47><InitialCPCtarget>2021-06-23</InitialCPCtarget></Section47>\n"
                           "<Assessments><AssessmentActualStartDate>soon</AssessmentActualStartDate>"
                           "<FactorsIdentifiedAtAssessment><AssessmentFactors>1A</AssessmentFactors>"
                           "</FactorsIdentifiedAtAssessment></Assessments>\n"
                           "<CINPlanDates><CINPlanStartDate>2021-04-11</CINPlanStartDate></CINPlanDates>")));
    assert_int_equal(c.children[0].referrals[0].n, 1);
    assert_int_equal(c.children[0].referrals[0].episodes[0].kind, CIN_CIN_PLAN);
    assert_left_out(&c, (const int[]){7, 8}, 2);
    cin_release(&c);
}

static void census_bounds_the_events_of_a_referral(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_put_str(&b, BEGIN "<Child>" IDS "<CINdetails><CINreferralDate>2021-03-04</CINreferralDate>");
    for (unsigned i = 0; i < CIN_MAX_EVENTS + 5; i++)
        buf_put_str(&b, "<CINPlanDates><CINPlanStartDate>2021-04-11</CINPlanStartDate></CINPlanDates>");
    buf_put_str(&b, "</CINdetails></Child>" END);
    struct cin_census c = take(buf_cstr(&b));
    assert_int_equal(c.children[0].referrals[0].n, CIN_MAX_EVENTS);
    assert_int_equal(c.left_out.n, 5);
    cin_release(&c);
    buf_release(&b);
}

static void census_refuses_a_file_cut_anywhere(void **state)
{
    (void)state;
    const char *whole = CHILD(DETAILS("<ReferralSource>1A</ReferralSource>"));
    for (size_t n = 0; n < strlen(whole) - 1; n++) refuse_bytes(bytes_of(whole, n), ERR_FORMAT);
}

static void census_refuses_other_documents(void **state)
{
    (void)state;
    refuse("");
    refuse("not XML at all");
    refuse("{\"children\": []}");
    refuse("<html><body/></html>");
    refuse("<Children><Child/></Children>");
    refuse("<Message><Header/></Message>");
    refuse(
        "<Message><Header><CollectionDetails><Collection>SSDA903</Collection></CollectionDetails>"
        "</Header><Children/></Message>");
    refuse(CHILD(DETAILS("")) "<Message/>");
    refuse(BEGIN "<Child></Children></Child></Message>");
    refuse_bytes(bytes_of("<Message>\0<Children/></Message>", 32), ERR_FORMAT);
    refuse("<Message><Children><Child>\xff\xfe</Child></Children></Message>");
}

static void census_refuses_entity_bombs(void **state)
{
    (void)state;
    refuse(
        "<?xml version=\"1.0\"?><!DOCTYPE Message [<!ENTITY a \"aaaaaaaaaa\">"
        "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
        "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;\">]>"
        "<Message><Children><Child>&d;</Child></Children></Message>");
}

static void census_refuses_external_entities_and_document_types(void **state)
{
    (void)state;
    refuse(
        "<!DOCTYPE Message [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
        "<Message><Children><Child><ChildIdentifiers><LAchildID>&x;</LAchildID>"
           "</ChildIdentifiers></Child></Children></Message>");
    refuse("<!DOCTYPE Message SYSTEM \"http://127.0.0.1:1/x.dtd\"><Message><Children/></Message>");
    refuse("<!DOCTYPE Message><Message><Children/></Message>");
    refuse("<Message><Children>&unknown;</Children></Message>");
}

static void census_allows_the_entities_that_xml_itself_has(void **state)
{
    (void)state;
    struct cin_census c = take(
        BEGIN "<Child><ChildIdentifiers><LAchildID>A&amp;B&#67;<![CDATA[<D>]]></LAchildID>"
                               "</ChildIdentifiers>" DETAILS(
            "") "</Child>" END);
    assert_string_equal(c.children[0].la_id, "A&BC<D>");
    cin_release(&c);
}

/* Found by the fuzzer: the XML library printed four bytes of the file. */
static void census_that_is_wrongly_encoded_is_refused_without_a_word_of_the_library(void **state)
{
    static const char utf16[] = "\xff\xfe<\0M\0>\0\x00\xd8\x00\xd8"; /* half a surrogate pair, twice */
    static const char *const others[] = {"<?xml version=\"1.0\" encoding=\"EUC-JP\"?><Message>\xff\xff\x8e</Message>",
                                         "<?xml version=\"1.0\" encoding=\"of our own\"?><Message/>"};
    char said[256];
    FILE *out = tmpfile();
    int kept = dup(STDERR_FILENO);
    (void)state;
    assert_non_null(out);
    assert_true(kept >= 0 && dup2(fileno(out), STDERR_FILENO) >= 0);
    struct cin_census c = {0};
    enum err e[] = {cin_read(bytes_of(utf16, sizeof utf16 - 1), &c, NULL), cin_read(bytes_of_str(others[0]), &c, NULL),
                    cin_read(bytes_of_str(others[1]), &c, NULL)};
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0 && close(kept) == 0);
    rewind(out);
    size_t n = fread(said, 1, sizeof said - 1, out);
    said[n] = '\0';
    (void)fclose(out);
    assert_string_equal(said, "");
    for (size_t i = 0; i < 3; i++) assert_int_equal(e[i], ERR_FORMAT);
}

static void census_refuses_deep_nesting(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8u << 20);
    buf_put_str(&b, BEGIN);
    for (int i = 0; i < 100000; i++) buf_put_str(&b, "<x>");
    for (int i = 0; i < 100000; i++) buf_put_str(&b, "</x>");
    buf_put_str(&b, END);
    assert_int_equal(b.err, ERR_OK);
    refuse_bytes(buf_bytes(&b), ERR_FORMAT);
    buf_release(&b);
}

static void census_refuses_more_than_its_ceiling(void **state)
{
    (void)state;
    static const char one[] = "<";
    refuse_bytes((struct bytes){(const uint8_t *)one, CIN_MAX_FILE + 1},
                 ERR_LIMIT); /* refused before it is looked at */
}

static void census_leaves_out_overlong_text(void **state)
{
    (void)state;
    char xml[4000], text[900];
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(xml, sizeof xml, CHILD(DETAILS("<ReferralSource>%s</ReferralSource>")), text);
    struct cin_census c = take(xml);
    assert_left_out(&c, (const int[]){7}, 1);
    cin_release(&c);
    snprintf(xml, sizeof xml,
             BEGIN "<Child><ChildIdentifiers><UPN>%s</UPN><LAchildID>%s</LAchildID></ChildIdentifiers>" DETAILS(
                 "") "</Child>" END,
             text, text);
    c = take(xml);
    assert_int_equal(c.referrals, 0);
    assert_int_equal(c.left_out.n, 2);
    cin_release(&c);
}

static void upn_check_letter_is_the_departments(void **state)
{
    (void)state;
    /* 2·1+3·2+4·3+…: worked by hand. 0000 0000 0000 has sum 0: A. */
    assert_true(cin_upn_ok("A000000000000"));
    assert_true(cin_upn_ok("C100000000000")); /* 2 */
    assert_true(cin_upn_ok("P000000000001")); /* 13 */
    assert_true(cin_upn_ok("P00000000000B")); /* temporary: B counts 1 */
    assert_true(cin_upn_ok("L00000000000Z")); /* Z counts 22: 286 mod 23 = 10 */
    assert_false(cin_upn_ok("B000000000000"));
}

static void upn_of_wrong_shape_fails(void **state)
{
    (void)state;
    assert_false(cin_upn_ok(""));
    assert_false(cin_upn_ok("A00000000000"));
    assert_false(cin_upn_ok("A0000000000000"));
    assert_false(cin_upn_ok("A00000B000000"));
    assert_false(cin_upn_ok("A00000000000I"));
    assert_false(cin_upn_ok("1000000000000"));
}

static void census_warns_of_a_upn_and_takes_it(void **state)
{
    (void)state;
    struct cin_census c = take(
        BEGIN "<Child><ChildIdentifiers><LAchildID>1</LAchildID>\n<UPN>B000000000000</UPN></ChildIdentifiers>" DETAILS(
            "") "</Child>" END);
    assert_string_equal(c.children[0].upn, "B000000000000");
    assert_int_equal(c.warnings.n, 1);
    assert_int_equal(c.warnings.v[0].line, 4);
    assert_left_out(&c, NULL, 0);
    cin_release(&c);
}

/* The synthetic return of csc-validator-be-cin: counted with other tools. */
static void census_takes_the_synthetic_return_whole(void **state)
{
    (void)state;
    const struct env *env = env_posix();
    struct buf b;
    buf_init(&b, CIN_MAX_FILE);
    enum err e = ERR_NOTFOUND;
    static const char *const places[] = {"../shared/data/cin/fake_CIN_data.xml",
                                         "../../../shared/data/cin/fake_CIN_data.xml",
                                         "../../../../shared/data/cin/fake_CIN_data.xml"};
    for (size_t i = 0; i < sizeof places / sizeof places[0] && e != ERR_OK; i++)
        e = env->read_file(env->ctx, places[i], CIN_MAX_FILE, &b, NULL);
    if (e != ERR_OK) {
        print_message("  skipped: the folder shared/data is not beside the repository\n");
        buf_release(&b);
        skip();
    }
    struct cin_census c = {0};
    struct why why = {0};
    assert_int_equal(cin_read(buf_bytes(&b), &c, &why), ERR_OK);
    assert_int_equal(c.n, 332);
    assert_int_equal(c.referrals, 402);
    assert_int_equal(c.warnings.n, 320);
    assert_left_out(&c, NULL, 0);
    size_t closed = 0, conferences = 0;
    for (size_t i = 0; i < c.n; i++)
        for (size_t k = 0; k < c.children[i].n; k++) {
            closed += c.children[i].referrals[k].closed.iso[0] != '\0';
            conferences += c.children[i].referrals[k].conference.iso[0] != '\0';
        }
    assert_int_equal(closed, 252);
    assert_int_equal(conferences, 350);
    cin_release(&c);
    refuse_bytes(bytes_of(b.data, b.len / 2), ERR_FORMAT);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(census_takes_a_whole_referral),
        cmocka_unit_test(census_takes_assessments_enquiries_and_plans_in_order),
        cmocka_unit_test(census_without_children_is_empty),
        cmocka_unit_test(census_leaves_out_a_referral_without_a_date),
        cmocka_unit_test(census_leaves_out_a_child_without_a_number),
        cmocka_unit_test(census_leaves_out_what_is_no_date),
        cmocka_unit_test(census_leaves_out_unknown_codes_and_elements),
        cmocka_unit_test(census_keeps_the_first_of_two_values),
        cmocka_unit_test(census_leaves_out_an_enquiry_without_a_start),
        cmocka_unit_test(census_bounds_the_events_of_a_referral),
        cmocka_unit_test(census_leaves_out_overlong_text),
        cmocka_unit_test(census_refuses_a_file_cut_anywhere),
        cmocka_unit_test(census_refuses_other_documents),
        cmocka_unit_test(census_refuses_entity_bombs),
        cmocka_unit_test(census_refuses_external_entities_and_document_types),
        cmocka_unit_test(census_allows_the_entities_that_xml_itself_has),
        cmocka_unit_test(census_that_is_wrongly_encoded_is_refused_without_a_word_of_the_library),
        cmocka_unit_test(census_refuses_deep_nesting),
        cmocka_unit_test(census_refuses_more_than_its_ceiling),
        cmocka_unit_test(upn_check_letter_is_the_departments),
        cmocka_unit_test(upn_of_wrong_shape_fails),
        cmocka_unit_test(census_warns_of_a_upn_and_takes_it),
        cmocka_unit_test(census_takes_the_synthetic_return_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
