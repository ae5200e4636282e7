#include "sync/rules.h"

#include "sync/rules_tables.h"

#include <string.h>

const struct table_rule *rules_tables(size_t *out_n)
{
    *out_n = rules_count;
    return rules_all;
}

const struct table_rule *rules_table(size_t index)
{
    return index < rules_count ? &rules_all[index] : NULL;
}

uint64_t rules_schema_newest(void)
{
    return rules_newest;
}

size_t rules_columns_at(const struct table_rule *t, uint64_t schema)
{
    size_t n = t->n_columns;
    while (n > 0 && t->columns[n - 1].since > schema)
        n--;
    return n;
}

static bool named(const char *name, struct bytes want)
{
    size_t n = strlen(name);
    return n == want.n && memcmp(name, want.p, n) == 0; /* no name is empty, so want.p is there when lengths agree */
}

int rules_table_index(struct bytes name)
{
    for (size_t i = 0; i < rules_count; i++) {
        if (named(rules_all[i].name, name))
            return (int)i;
    }
    return -1;
}

int rules_column_index(const struct table_rule *t, struct bytes name)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (named(t->columns[i].name, name))
            return (int)i;
    }
    return -1;
}

/* Position of `word` in "a|b|c"; -1 when absent. The empty word is never there, nor is one with a separator in it. */
static int position(const char *list, char separator, struct bytes word)
{
    if (word.n == 0)
        return -1;
    int at = 0;
    for (const char *p = list;; at++) {
        const char *end = strchrnul(p, separator);
        if ((size_t)(end - p) == word.n && memcmp(p, word.p, word.n) == 0)
            return at;
        if (*end == '\0')
            return -1;
        p = end + 1;
    }
}

bool rules_word_ok(const struct column_rule *c, struct bytes word)
{
    return c->words == NULL || position(c->words, '|', word) >= 0;
}

static bool digits(const uint8_t *p, size_t n, unsigned *out)
{
    unsigned v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    *out = v;
    return true;
}

bool rules_date_ok(struct bytes d)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (d.n != 10 || d.p[4] != '-' || d.p[7] != '-')
        return false;
    if (!digits(d.p, 4, &year) || !digits(d.p + 5, 2, &month) || !digits(d.p + 8, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

int rules_order(const char *arg, struct bytes word)
{
    return arg == NULL ? -1 : position(arg, '<', word);
}

static const char *const policy_words[] = {
    [MERGE_LWW] = "lww",
    [MERGE_MAX] = "max",
    [MERGE_STRICTEST] = "strictest",
    [MERGE_AUTHORITY] = "authority",
    [MERGE_ESCALATE] = "escalate",
};

const char *rules_policy_word(enum merge_policy p)
{
    return policy_words[p];
}

bool rules_policy_from_word(struct bytes word, enum merge_policy *out)
{
    for (size_t i = 0; i < sizeof policy_words / sizeof policy_words[0]; i++) {
        if (named(policy_words[i], word)) {
            *out = (enum merge_policy)i;
            return true;
        }
    }
    return false;
}
