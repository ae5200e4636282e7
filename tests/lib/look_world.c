#include "tests/lib/look_world.h"

#include "base/when.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t clock_ms; /* of the one world that a test has */

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

static int64_t noon(void)
{
    int64_t ms = 0;
    assert_int_equal(when_read_rfc3339(LOOK_NOW, &ms, NULL), ERR_OK);
    return ms;
}

void look_world_at(struct look_world *l, const char *rfc3339)
{
    assert_int_equal(when_read_rfc3339(rfc3339, &clock_ms, NULL), ERR_OK);
    l->w.env.now_ms = now_ms;
}

/* UUIDv7 of the day before, so that what ids say of time is known. */
void look_id(unsigned n, uint8_t out[16])
{
    uint64_t ms = (uint64_t)noon() - 86400000;
    memset(out, 0, 16);
    for (int i = 0; i < 6; i++) out[i] = (uint8_t)(ms >> (40 - 8 * i));
    out[6] = 0x70;
    out[8] = 0x80;
    out[14] = (uint8_t)(n >> 8);
    out[15] = (uint8_t)n;
}

void look_id_text(unsigned n, char out[37])
{
    uint8_t id[16];
    look_id(n, id);
    uuid_format(id, out);
}

void look_sql(struct look_world *l, const char *sql)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (const char *p = sql; *p != '\0';) {
        char hex[33], *end = NULL;
        uint8_t id[16];
        if (strncmp(p, "@me", 3) == 0 || (*p == '@' && isdigit((unsigned char)p[1]))) {
            bool me = p[1] == 'm';
            if (!me) look_id((unsigned)strtoul(p + 1, &end, 10), id);
            hex_encode(hex, me ? l->user : id, 16);
            buf_printf(&b, "x'%s'", hex);
            p = me ? p + 3 : end;
        } else if (*p == '#' && (p[1] == '-' || isdigit((unsigned char)p[1]))) {
            buf_printf(&b, "%lld", (long long)(noon() + strtoll(p + 1, &end, 10) * 60000));
            p = end;
        } else {
            buf_put(&b, p++, 1);
        }
    }
    if (db_exec(node_db(l->n), buf_cstr(&b), &l->why) != ERR_OK) fail_msg("%s", l->why.text);
    buf_release(&b);
}

static const char rows[] =
    "INSERT INTO agency(id, code, name, kind) VALUES(@900, 'health', 'Health', 'health'),"
    " (@901, 'care', 'Social care', 'social_care'), (@902, 'police', 'Police', 'police'),"
    " (@903, 'school', 'School', 'education');"
    "INSERT INTO site(id, code, agency, name, kind) VALUES(@905, 'llanidloes', 'health', 'Llanidloes', 'partner'),"
    " (@906, 'room', 'care', 'The room', 'mash');"
    "INSERT INTO coverage(id, site, area) VALUES(@907, 'llanidloes', '*'), (@908, 'room', '*');"
    "INSERT INTO practitioner(id, site, name, active) VALUES(@me, 'llanidloes', 'Mair Evans', 1),"
    " (@910, 'room', 'Ann Rees', 1);"
    "INSERT INTO timescale(id, rag, what, minutes, clock) SELECT randomblob(16), r.column1, w.column1, w.column2,"
    " CASE r.column1 WHEN 'red' THEN 'elapsed' ELSE 'working' END FROM (VALUES('red'), ('amber'), ('green')) r,"
    " (VALUES('reply', 120), ('meeting', 240), ('decision', 480)) w;"
    "INSERT INTO case_file(id, case_id, agency, reference, area, subject_kind, rag, status, lead_agency, received_at)"
    " VALUES(@1, @1, 'care', 'C-AAAAAAAA', 'north', 'child', 'amber', 'gathering', 'care', #-60);"
    "INSERT INTO brief(id, case_id, agency, primary_need, summary) VALUES(@1, @1, 'care', 'N1', 'Bruise seen');"
    "INSERT INTO participant(id, case_id, agency, member, site, access) VALUES"
    "(@2, @1, 'care', 'health', '', 'contribute'), (@3, @1, 'care', 'police', '', 'contribute');"
    "INSERT INTO person(id, case_id, agency, role, family_name, given_names, born_on) VALUES"
    "(@10, @1, 'care', 'child', 'Wren', 'Ada', '2019-03-02');";

void look_world_new(struct look_world *l)
{
    struct node_info info;
    memset(l, 0, sizeof *l);
    mock_world_new(&l->w);
    l->n = l->w.node;
    assert_int_equal(node_get_info(l->n, &info, NULL), ERR_OK);
    memcpy(l->user, info.user, 16);
    look_world_at(l, LOOK_NOW);
    look_sql(l, rows);
}

void look_world_free(struct look_world *l)
{
    l->w.env.now_ms = env_posix()->now_ms;
    mock_world_free(&l->w);
}

/* -------------------------------------------------------------------------------------------------------- answers */
struct json *look_got(struct look_world *l, enum err e, struct json *got)
{
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), l->why.text);
    assert_non_null(got);
    return got;
}

struct json *look_at(struct json *j, const char *path)
{
    while (j != NULL && *path != '\0') {
        char part[64];
        size_t n = strcspn(path, ".");
        assert_true(n < sizeof part);
        memcpy(part, path, n);
        part[n] = '\0';
        j = isdigit((unsigned char)part[0]) ? json_at(j, strtoul(part, NULL, 10)) : json_get(j, part);
        path += n + (path[n] == '.');
    }
    return j;
}

const char *look_text(struct json *j, const char *path)
{
    const char *s = json_as_str(look_at(j, path));
    return s != NULL ? s : "-";
}

int64_t look_int(struct json *j, const char *path)
{
    return json_as_int(look_at(j, path), -999);
}

bool look_true(struct json *j, const char *path)
{
    char parent[128];
    const char *dot = strrchr(path, '.'), *key = dot != NULL ? dot + 1 : path;
    (void)snprintf(parent, sizeof parent, "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
    struct json *o = look_at(j, parent);
    bool one = json_get_bool(o, key, true), other = json_get_bool(o, key, false);
    if (one != other) fail_msg("%s is neither true nor false", path);
    return one;
}

size_t look_count_text(struct json *j, const char *text)
{
    struct buf b;
    size_t n = 0;
    buf_init(&b, 64u << 20);
    assert_int_equal(json_write(j, &b, NULL), ERR_OK);
    for (const char *p = buf_cstr(&b); (p = strstr(p, text)) != NULL; p += strlen(text)) n++;
    buf_release(&b);
    return n;
}
