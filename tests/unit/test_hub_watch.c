/* What a server says to those who watch it, and its log: the formats hold whatever is put into them. */
#include "base/json.h"
#include "cli/hub_watch.h"
#include "cli/prom.h"
#include "tests/lib/fake_node.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MUST(call) assert_int_equal((call), ERR_OK)

/* ----------------------------------------------------------------------- the text exposition format, read strictly */

static const char *name(const char *p, bool colon)
{
    if (!isalpha((unsigned char)*p) && *p != '_') return NULL;
    while (isalnum((unsigned char)*p) || *p == '_' || (colon && *p == ':')) p++;
    return p;
}

/* {a="b",c="d"} */
static const char *labels(const char *p)
{
    if (*p != '{') return p;
    do {
        p = name(p + 1, false);
        if (p == NULL || p[0] != '=' || p[1] != '"') return NULL;
        for (p += 2; *p != '"'; p++) {
            if (*p == '\0' || *p == '\n') return NULL;
            if (*p == '\\' && (*++p == '\0' || strchr("\\\"n", *p) == NULL)) return NULL;
        }
        p++;
    } while (*p == ',');
    return *p == '}' ? p + 1 : NULL;
}

/* Each family begins with HELP and TYPE, comes once, and has only its own samples until the next; each sample is there
 * once. Returns how many samples there are. */
static size_t read_strictly(char *text)
{
    char family[128] = "", *seen[2048];
    size_t n = 0, families = 0;
    char *known[256];
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            const char *end = name(line + 7, true);
            assert_true(end != NULL && *end == ' ' && end[1] != '\0');
            (void)snprintf(family, sizeof family, "%.*s", (int)(end - line - 7), line + 7);
            for (size_t i = 0; i < families; i++) assert_string_not_equal(known[i], family);
            known[families] = strdup(family);
            assert_non_null(known[families++]);
            line = strtok(NULL, "\n");
            assert_non_null(line);
            assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
            const char *type = line + 7 + strlen(family);
            assert_true(strcmp(type, " counter") == 0 || strcmp(type, " gauge") == 0 ||
                        strcmp(type, " histogram") == 0);
            continue;
        }
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
        const char *end = name(line, true);
        assert_non_null(end);
        end = labels(end);
        assert_true(end != NULL && *end == ' ');
        char *rest = NULL;
        (void)strtod(end + 1, &rest);
        assert_true(rest != end + 1 && *rest == '\0');
        for (size_t i = 0; i < n; i++) assert_false(strncmp(seen[i], line, (size_t)(end - line) + 1) == 0);
        assert_true(n < sizeof seen / sizeof seen[0]);
        seen[n++] = line;
    }
    for (size_t i = 0; i < families; i++) free(known[i]);
    return n;
}

static void labels_hold_whatever_somebody_named_a_site(void **state)
{
    static const char *const hostile[] = {
        "a\"b",     "a\\", "\n# TYPE x gauge\nx 1", "\"} 1\nspoke_x{a=\"", "\xff\xfe", "Ynys M\xc3\xb4n",
        "\x01\x02", "",    "\xed\xa0\x80"};
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 16);
    prom_family(&b, "spoke_x", "gauge", "A test.");
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        prom_int(&b, "spoke_x", (struct prom_label[]){{"site", hostile[i]}, {NULL, NULL}}, (int64_t)i);
    prom_fixed(&b, "spoke_x", NULL, -5, 3);
    char *text = strdup(buf_cstr(&b));
    assert_non_null(text);
    assert_int_equal(read_strictly(text), sizeof hostile / sizeof hostile[0] + 1);
    assert_non_null(strstr(buf_cstr(&b), "spoke_x{site=\"\xef\xbf\xbd\xef\xbf\xbd\"} 4\n"));
    assert_non_null(strstr(buf_cstr(&b), "spoke_x -0.005\n"));
    free(text);
    buf_release(&b);
}

/* ---------------------------------------------------------------------------------------------------------- the log */

static int64_t noon(void *ctx)
{
    (void)ctx;
    return 1795435199123; /* 2026-11-23T11:59:59.123Z */
}

static char *written(enum log_format format, const char *value)
{
    struct env env = *env_posix();
    char *text = NULL;
    size_t n = 0;
    struct logline l;
    env.now_ms = noon;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    logline_begin(&l, f, format, &env, "info", "test");
    logline_str(&l, "value", value);
    logline_int(&l, "n", -7);
    logline_end(&l);
    (void)fclose(f);
    return text;
}

static void a_line_of_the_log_is_one_line_whatever_is_in_it(void **state)
{
    static const char *const hostile[] = {"plain",         "two words", "a=b",  "\"", "\\",
                                          "\nlevel=error", "\x1b[31m",  "\xff", ""};
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        char *fmt = written(LOG_LOGFMT, hostile[i]), *js = written(LOG_JSON, hostile[i]);
        struct json *o = NULL;
        assert_int_equal(strchr(fmt, '\n') - fmt, (ptrdiff_t)strlen(fmt) - 1);
        assert_null(strchr(fmt, 0x1b));
        assert_int_equal(strncmp(fmt, "time=2026-11-23T11:59:59.123Z level=info event=test value=", 57), 0);
        assert_int_equal(strchr(js, '\n') - js, (ptrdiff_t)strlen(js) - 1);
        MUST(json_parse(bytes_of(js, strlen(js) - 1), &o, NULL));
        assert_int_equal(json_get_int(o, "n", 0), -7);
        assert_string_equal(json_get_str(o, "time"), "2026-11-23T11:59:59.123Z");
        if ((unsigned char)hostile[i][0] < 0x80) assert_string_equal(json_get_str(o, "value"), hostile[i]);
        json_free(o);
        free(fmt);
        free(js);
    }
}

static void a_line_that_is_too_long_loses_whole_keys_and_stays_a_line(void **state)
{
    char value[3000];
    (void)state;
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    char *js = written(LOG_JSON, value);
    struct json *o = NULL;
    MUST(json_parse(bytes_of(js, strlen(js) - 1), &o, NULL));
    assert_null(json_get_str(o, "value"));
    assert_int_equal(json_get_int(o, "n", 0), -7);
    json_free(o);
    free(js);
}

/* -------------------------------------------------------------------------------------------- a hub that is watched */

struct world {
    struct fake_hub hub;
    struct fake_node care;
    struct hub_route route;
    struct hub_watch *watch;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    fake_hub_start(&w->hub);
    fake_hub_people(&w->hub);
    fake_node_enrol(&w->care, &w->hub, "care-mash", "care", "Ann");
    fake_node_pull(&w->care);
    w->route.env = &w->hub.env;
    w->route.hub = w->hub.hub;
    (void)pthread_mutex_init(&w->route.one, NULL);
    MUST(hub_count_new(&w->route.count, NULL));
    MUST(hub_watch_new(&w->watch, &(struct hub_watch_options){.home = w->hub.dir, .route = &w->route, .fresh_ms = 1},
                       NULL));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    hub_watch_stop(w->watch);
    hub_count_free(w->route.count);
    (void)pthread_mutex_destroy(&w->route.one);
    fake_node_release(&w->care);
    fake_hub_stop(&w->hub);
    free(w);
    return 0;
}

static int get(struct world *w, const char *method, const char *path, struct buf *out)
{
    struct http_request req = {.method = method, .path = path};
    struct http_reply reply = {0};
    buf_init(&reply.body, 4096);
    hub_watch_answer(w->watch, &req, &reply);
    *out = reply.body;
    return reply.status;
}

static void metrics_are_in_the_format_and_hold_the_devices(void **state)
{
    struct world *w = *state;
    struct buf b;
    struct hub_exchange_result r = {.verdicts = {3, 1}};
    hub_count_verdicts(w->route.count, &r);
    hub_count_request(w->route.count,
                      &(struct hub_counted){.kind = "exchange", .status = 200, .in = 10, .out = 20, .us = 700});
    hub_count_request(w->route.count, &(struct hub_counted){.kind = "exchange", .status = 503, .error = "busy"});
    hub_count_request(w->route.count, &(struct hub_counted){.kind = "exchange"});
    assert_int_equal(get(w, "GET", "/metrics", &b), 200);
    const char *text = buf_cstr(&b);
    assert_non_null(strstr(text, "site=\"care-mash\"} "));
    assert_non_null(strstr(text, "spoke_verdicts_total{verdict=\"applied\"} 3\n"));
    assert_non_null(strstr(text, "spoke_exchange_duration_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(text, "spoke_exchange_duration_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "spoke_requests_total{kind=\"exchange\",status=\"503\"} 1\n"));
    assert_non_null(strstr(text, "spoke_requests_parked_total{kind=\"exchange\"} 1\n"));
    assert_non_null(strstr(text, "spoke_store_errors_total{error=\"busy\"} 1\n"));
    assert_non_null(strstr(text, "spoke_store_readable 1\n"));
    assert_null(strstr(text, "Ann"));
    char *copy = strdup(text);
    assert_true(read_strictly(copy) > 50);
    free(copy);
    buf_release(&b);
}

static void who_watches_never_waits_for_who_has_the_hub(void **state)
{
    struct world *w = *state;
    struct buf b;
    (void)pthread_mutex_lock(&w->route.one); /* a request that takes for ever */
    assert_int_equal(get(w, "GET", "/metrics", &b), 200);
    assert_non_null(strstr(buf_cstr(&b), "spoke_store_readable 0\n"));
    buf_release(&b);
    assert_int_equal(get(w, "GET", "/readyz", &b), 503);
    buf_release(&b);
    assert_int_equal(get(w, "GET", "/healthz", &b), 200);
    buf_release(&b);
    (void)pthread_mutex_unlock(&w->route.one);
    assert_int_equal(get(w, "GET", "/readyz", &b), 200);
    buf_release(&b);
}

static void nothing_else_is_answered_there(void **state)
{
    struct world *w = *state;
    struct buf b;
    static const char *const paths[] = {"/", "/v1/hub", "/v1/exchange", "/metrics/", "/Metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(get(w, "GET", paths[i], &b), 404);
        buf_release(&b);
    }
    assert_int_equal(get(w, "POST", "/metrics", &b), 405);
    buf_release(&b);
}

static void it_listens_on_this_computer_alone(void **state)
{
    struct world *w = *state;
    static const char *const addresses[] = {"0.0.0.0:9471", "[::]:9471", "10.0.0.1:9471", ":9471", "example.org:9471"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct hub_watch *out = NULL;
        struct hub_watch_options opt = {.listen = addresses[i], .home = w->hub.dir, .route = &w->route};
        assert_int_equal(hub_watch_start(&out, &opt, NULL), ERR_USAGE);
        assert_null(out);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_hold_whatever_somebody_named_a_site),
        cmocka_unit_test(a_line_of_the_log_is_one_line_whatever_is_in_it),
        cmocka_unit_test(a_line_that_is_too_long_loses_whole_keys_and_stays_a_line),
        TEST(metrics_are_in_the_format_and_hold_the_devices),
        TEST(who_watches_never_waits_for_who_has_the_hub),
        TEST(nothing_else_is_answered_there),
        TEST(it_listens_on_this_computer_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
