/* What a person reads when a contact fails: each kind of failure, at the place where it comes from. */
#include "node/trouble.h"

#include "base/httpd.h"
#include "tests/lib/mock_hub.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

/* Does the word stand in the text, whatever its case? A short one must not be the middle of another. */
static bool has_word(const char *text, size_t n, const char *word)
{
    size_t w = strlen(word);
    for (size_t i = 0; i + w <= n; i++) {
        if (strncasecmp(text + i, word, w) != 0) continue;
        bool begins = i == 0 || isalpha((unsigned char)text[i - 1]) == 0;
        bool ends = i + w == n || isalpha((unsigned char)text[i + w]) == 0;
        if (begins && ends) return true;
    }
    return false;
}

/* Whole sentences without a word of the trade; the detail stands behind them and nowhere else. */
static void reads_well(const struct why *why, const char *detail)
{
    static const char *const trade[] = {"HTTP",   "TLS",    "SSL",    "curl",     "sync",   "node", "hub",
                                        "host",   "SQLite", "socket", "DNS",      "server", "peer", "errno",
                                        "status", "bundle", "spoke",  "exchange", "proxy"};
    const size_t advice = trouble_advice(why->next);
    assert_true(isupper((unsigned char)why->text[0]) && why->text[strlen(why->text) - 1] == '.');
    assert_true(advice > 0 && isupper((unsigned char)why->next[0]) && why->next[advice - 1] == '.');
    for (size_t i = 0; i < sizeof trade / sizeof trade[0]; i++) {
        bool brand = strcmp(trade[i], "spoke") == 0; /* the product has its name */
        if (!brand && has_word(why->text, strlen(why->text), trade[i])) fail_msg("'%s': %s", trade[i], why->text);
        if (!brand && has_word(why->next, advice, trade[i])) fail_msg("'%s': %s", trade[i], why->next);
    }
    assert_null(strstr(why->text, TROUBLE_DETAIL));
    if (detail != NULL && (trouble_detail(why->next) == NULL || strstr(trouble_detail(why->next), detail) == NULL))
        fail_msg("no '%s' in: %s", detail, why->next);
}

static void each_kind_says_what_happened_and_what_to_do(void **state)
{
    static const struct {
        const char *text, *next;
    } says[TROUBLES] = {
        [TROUBLE_NO_NETWORK] = {"has no network", "Connect it to a network"},
        [TROUBLE_NO_NAME] = {"could not be found", "whether other pages open"},
        [TROUBLE_REFUSED] = {"does not answer", "in a few minutes"},
        [TROUBLE_TIMEOUT] = {"did not answer in time", "Try again"},
        [TROUBLE_CERTIFICATE] = {"nothing was sent", "date and time on this computer are right"},
        [TROUBLE_BROKE] = {"broke off", "goes on where it stopped"},
        [TROUBLE_BUSY] = {"may be busy", "in a few minutes"},
        [TROUBLE_STRANGER] = {"Something else answers", "Sign in to this network"},
        [TROUBLE_ADDRESS] = {"address", "Tell whoever looks after"},
        [TROUBLE_OTHER] = {"could not be reached", "ring the MASH"},
    };
    (void)state;
    for (enum trouble t = TROUBLE_NO_NETWORK; t < TROUBLES; t++) {
        struct why why = {0};
        assert_int_equal(trouble_say(t, "Could not resolve host (6)", &why), ERR_UNREACHABLE);
        reads_well(&why, "Could not resolve host (6)");
        assert_true(strlen(why.text) <= 200); /* what waits here is said behind it */
        if (strstr(why.text, says[t].text) == NULL) fail_msg("no '%s' in: %s", says[t].text, why.text);
        if (strstr(why.next, says[t].next) == NULL) fail_msg("no '%s' in: %s", says[t].next, why.next);
        assert_int_equal(trouble_say(t, NULL, &why), ERR_UNREACHABLE);
        assert_null(trouble_detail(why.next));
    }
}

/* ------------------------------------------------------------------------------------------- over a real network */
struct site {
    struct httpd *httpd;
    char address[64];
    int status;
    const char *type, *body;
};

static void serve(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct site *s = ctx;
    (void)req;
    reply->status = s->status;
    reply->type = s->type;
    buf_put_str(&reply->body, s->body);
}

static void site_start(struct site *s, int status, const char *type, const char *body)
{
    struct why why = {0};
    *s = (struct site){.status = status, .type = type, .body = body};
    struct httpd_options opt = {
        .listen = "127.0.0.1:0", .max_body = 1u << 20, .max_clients = 4, .idle_seconds = 5, .handler = serve, .ctx = s};
    assert_int_equal(httpd_start(&s->httpd, &opt, &why), ERR_OK);
    (void)snprintf(s->address, sizeof s->address, "http://127.0.0.1:%u", httpd_port(s->httpd));
}

/* A contact of a device with one unsent change, with whatever is at this address. */
static enum err contact(const char *address, struct why *why)
{
    struct mock_world w;
    struct carrier_http *http = NULL;
    struct round_result r;
    uint8_t id[16];
    mock_world_new(&w);
    mock_id(id, 1);
    struct row c = mock_case(id);
    (void)mock_put(w.node, &c, 1);
    assert_int_equal(carrier_http_new(&http, address, why), ERR_OK);
    struct carrier via = carrier_http(http);
    *why = (struct why){0};
    enum err e = node_sync(w.node, &via, NULL, &r, why);
    carrier_http_free(http);
    mock_world_free(&w);
    return e;
}

/* The person is told that nothing is lost and of the other way, and support what the network said. */
static void is_out_of_reach(const char *address, const char *text, const char *detail)
{
    struct why why = {0};
    assert_int_equal(contact(address, &why), ERR_UNREACHABLE);
    reads_well(&why, detail);
    if (strstr(why.text, text) == NULL) fail_msg("no '%s' in: %s", text, why.text);
    assert_non_null(strstr(why.text, "Nothing is lost: 1 change waits here and goes with the next contact."));
    assert_non_null(strstr(why.next, "Or carry the changes on a USB stick."));
    assert_non_null(strstr(trouble_detail(why.next), "spoke bundle export"));
}

static void a_computer_without_a_hub_does_not_answer(void **state)
{
    struct site s;
    (void)state;
    site_start(&s, 200, "text/plain", "");
    httpd_stop(s.httpd); /* its port is free again */
    is_out_of_reach(s.address, "it does not answer just now", "(7)");
}

static void a_name_that_nobody_knows_is_not_found(void **state)
{
    struct why why = {0};
    (void)state;
    assert_int_equal(contact("http://mash.invalid:1", &why), ERR_UNREACHABLE); /* RFC 2606: never a name */
    reads_well(&why, "(6)");
    assert_true(strstr(why.text, "could not be found") != NULL || strstr(why.text, "has no network") != NULL);
}

static void who_does_not_prove_to_be_the_hub_is_told_nothing(void **state)
{
    struct site s;
    char address[120];
    (void)state;
    site_start(&s, 200, "text/plain", "");
    (void)snprintf(address, sizeof address, "https%.60s", s.address + 4);
    is_out_of_reach(address, "could not make sure that it is the MASH", "(35)");
    httpd_stop(s.httpd);
}

static void a_hub_that_is_busy_says_so(void **state)
{
    struct site s;
    (void)state;
    site_start(&s, 503, "application/json", "{\"error\":{\"code\":\"busy\",\"message\":\"SQLite is busy\"}}");
    is_out_of_reach(s.address, "It may be busy", "HTTP status 503");
    httpd_stop(s.httpd);
}

static void the_page_of_a_guest_network_is_not_the_mash(void **state)
{
    static const int statuses[] = {200, 302, 404};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct site s;
        char detail[32];
        (void)snprintf(detail, sizeof detail, "HTTP status %d", statuses[i]);
        site_start(&s, statuses[i], "text/html", "<html>Welcome to the train</html>");
        is_out_of_reach(s.address, "Something else answers in the MASH's place", detail);
        httpd_stop(s.httpd);
    }
}

static void a_device_that_the_hub_does_not_know_is_told_what_to_ask_for(void **state)
{
    struct site s;
    struct why why = {0};
    (void)state;
    site_start(&s, 403, "application/json", "{\"error\":{\"code\":\"refused\",\"message\":\"It is not accepted.\"}}");
    assert_int_equal(contact(s.address, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "It is not accepted."));
    assert_non_null(strstr(why.next, "ask your administrator for a new invitation"));
    assert_string_equal(trouble_detail(why.next), "spoke enrol --again --code-file FILE");
    httpd_stop(s.httpd);
}

/* --------------------------------------------------------------------------------------------- what the hub says */
static enum err synced(struct mock_world *w, const struct carrier *via, struct why *why)
{
    struct round_result r;
    struct carrier usual = mock_hub_carrier(&w->hub);
    *why = (struct why){0};
    return node_sync(w->node, via != NULL ? via : &usual, NULL, &r, why);
}

static void cut_off(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    (void)r;
    (void)ctx;
    a->hello.revoked = true;
}

static void a_device_that_was_cut_off_is_told_so(void **state)
{
    struct mock_world w;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    w.hub.script = cut_off;
    assert_int_equal(synced(&w, NULL, &why), ERR_REFUSED);
    reads_well(&why, NULL);
    assert_non_null(strstr(why.text, "no longer accepts this device"));
    mock_world_free(&w);
}

/* Bytes that are no answer: `ctx` is what they are. */
static enum err rubbish(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                        enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                        struct why *why)
{
    (void)request;
    (void)from;
    (void)wait_ms;
    return sink(sink_ctx, bytes_of_str(ctx), why);
}

static void an_answer_that_cannot_be_read_changes_nothing_and_says_so(void **state)
{
    static char bytes[2000];
    struct mock_world w;
    struct why why = {0};
    (void)state;
    memset(bytes, 'x', sizeof bytes - 1);
    mock_world_new(&w);
    const struct carrier via = {.ctx = bytes, .exchange = rubbish};
    enum err e = synced(&w, &via, &why);
    assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
    reads_well(&why, "bundle");
    assert_non_null(strstr(why.text, "could not be read"));
    assert_non_null(strstr(why.text, "nothing is lost"));
    mock_world_free(&w);
}

static enum err no_room(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync, struct why *why)
{
    (void)ctx;
    (void)offset;
    (void)content;
    (void)sync;
    return why_set(why, ERR_FULL, "the disk is full: %s could not be written; nothing was lost", path);
}

static void a_full_disk_is_said_in_a_whole_sentence(void **state)
{
    struct mock_world w;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    enum err (*append)(void *, const char *, uint64_t, struct bytes, bool, struct why *) = w.env.append_file;
    w.env.append_file = no_room;
    assert_int_equal(synced(&w, NULL, &why), ERR_FULL);
    reads_well(&why, "the disk is full");
    assert_non_null(strstr(why.text, "disk of this computer is full"));
    assert_non_null(strstr(why.next, "Free some space"));
    w.env.append_file = append;
    assert_int_equal(synced(&w, NULL, &why), ERR_OK);
    mock_world_free(&w);
}

static void words_of_other_layers_become_sentences_by_their_code(void **state)
{
    static const struct {
        enum err e;
        const char *text, *says;
    } all[] = {
        {ERR_IO, "The disk could not be read or written (SQLite code 10); nothing was changed.", "its own disk"},
        {ERR_NOMEM, "there is not enough memory to seal a bundle", "too little memory"},
        {ERR_LIMIT, "This bundle would unpack to more than any bundle should. It was not used.", "could not be read"},
        {ERR_REFUSED, "this bundle was made for another device and cannot be opened here", "could not be read"},
        {ERR_UNREACHABLE, "nobody there", "could not be reached"},
        {ERR_FAILED, "", "was not finished"}};
    struct why why = {0};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)why_set(&why, all[i].e, "%s", all[i].text);
        assert_int_equal(trouble_plain(all[i].e, &why), all[i].e);
        reads_well(&why, all[i].text[0] != '\0' ? "" : NULL);
        if (strstr(why.text, all[i].says) == NULL) fail_msg("no '%s' in: %s", all[i].says, why.text);
    }
    (void)why_set(&why, ERR_VERSION, "The Spoke on this device is too old.");
    (void)why_next(&why, ERR_VERSION, "Ask for an update.");
    assert_int_equal(trouble_plain(ERR_VERSION, &why), ERR_VERSION);
    assert_string_equal(why.text, "The Spoke on this device is too old.");
    assert_string_equal(why.next, "Ask for an update.");
}

/* A path may hold letters of more than one byte, and half a letter is no text. */
static void a_detail_that_is_too_long_is_cut_between_letters(void **state)
{
    char detail[400] = "";
    (void)state;
    for (size_t pad = 0; pad < 3; pad++) {
        struct why why = {0};
        memset(detail, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof detail; i += 3) memcpy(detail + i, "\xe2\x82\xac", 4);
        (void)trouble_say(TROUBLE_OTHER, detail, &why);
        size_t n = strlen(why.next);
        assert_true(n < sizeof why.next && n > sizeof why.next - 8);
        assert_memory_equal(why.next + n - 3, "\xe2\x82\xac", 3);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(each_kind_says_what_happened_and_what_to_do),
        T(a_computer_without_a_hub_does_not_answer),
        T(a_name_that_nobody_knows_is_not_found),
        T(who_does_not_prove_to_be_the_hub_is_told_nothing),
        T(a_hub_that_is_busy_says_so),
        T(the_page_of_a_guest_network_is_not_the_mash),
        T(a_device_that_the_hub_does_not_know_is_told_what_to_ask_for),
        T(a_device_that_was_cut_off_is_told_so),
        T(an_answer_that_cannot_be_read_changes_nothing_and_says_so),
        T(a_full_disk_is_said_in_a_whole_sentence),
        T(words_of_other_layers_become_sentences_by_their_code),
        T(a_detail_that_is_too_long_is_cut_between_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
