#include "cli/html.h"

#include "base/when.h"
#include "cli/show.h"

#include <libxml/xmlwriter.h>
#include <string.h>

/* Our own words, without any character that would have to be escaped. Text may be written in either direction: each
 * piece is kept apart, so that none turns round what stands beside it. */
static const char style[] =
    "body{font:11pt/1.4 Arial,sans-serif;color:#0b0c0c;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "h1{font-size:18pt}h2{font-size:13pt;margin:1.5rem 0 .4rem;border-bottom:2px solid #0b0c0c}"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #505a5f;padding:.25rem .5rem .25rem 0;"
    "text-align:left;vertical-align:top;white-space:pre-line;unicode-bidi:isolate;overflow-wrap:anywhere}"
    ".facts th{width:12rem}li{white-space:pre-line;unicode-bidi:isolate;overflow-wrap:anywhere}"
    "p{margin:.4rem 0}@page{margin:15mm}@media print{body{margin:0;max-width:none;font-size:10pt}"
    "h2{break-after:avoid}tr,li{break-inside:avoid}thead{display:table-header-group}}";

/* Sticky: after the first failure nothing is written any more. */
struct page {
    xmlTextWriterPtr w;
    bool failed;
};

static const xmlChar *x(const char *s)
{
    return (const xmlChar *)s;
}

static void note(struct page *p, int rc)
{
    p->failed = p->failed || rc < 0;
}

static void begin(struct page *p, const char *tag)
{
    if (!p->failed) note(p, xmlTextWriterStartElement(p->w, x(tag)));
}

/* With an end tag of its own: an HTML reader takes <td/> for one that was left open. */
static void end(struct page *p)
{
    if (!p->failed) note(p, xmlTextWriterFullEndElement(p->w));
}

static void attribute(struct page *p, const char *name, const char *value)
{
    if (!p->failed) note(p, xmlTextWriterWriteAttribute(p->w, x(name), x(value)));
}

/* Control characters mean nothing on paper, and XML has none of them: they become blanks. */
static void text(struct page *p, const char *s)
{
    char piece[512];
    while (s != NULL && *s != '\0' && !p->failed) {
        size_t n = strnlen(s, sizeof piece - 1);
        if (n == sizeof piece - 1) /* never within a character */
            while (n > 1 && ((unsigned char)s[n] & 0xC0) == 0x80) n--;
        memcpy(piece, s, n);
        piece[n] = '\0';
        for (size_t i = 0; i < n; i++)
            if (((unsigned char)piece[i] < ' ' && piece[i] != '\n' && piece[i] != '\t') || piece[i] == 0x7f)
                piece[i] = ' ';
        note(p, xmlTextWriterWriteString(p->w, x(piece)));
        s += n;
    }
}

static void element(struct page *p, const char *tag, const char *s)
{
    begin(p, tag);
    text(p, s);
    end(p);
}

static void meta(struct page *p, const char *name, const char *value, const char *content)
{
    begin(p, "meta");
    attribute(p, name, value);
    if (content != NULL) attribute(p, "content", content);
    if (!p->failed) note(p, xmlTextWriterEndElement(p->w)); /* has no content and no end tag in HTML */
}

static void head(struct page *p, const char *title)
{
    begin(p, "head");
    meta(p, "charset", "utf-8", NULL);
    meta(p, "http-equiv", "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    meta(p, "name", "referrer", "no-referrer");
    meta(p, "name", "viewport", "width=device-width, initial-scale=1");
    element(p, "title", title);
    begin(p, "style");
    if (!p->failed) note(p, xmlTextWriterWriteRaw(p->w, x(style)));
    end(p);
    end(p);
}

/* ------------------------------------------------------------------------------------------------------ sections */
static void facts(struct page *p, struct json *list)
{
    if (json_len(list) == 0) return;
    begin(p, "table");
    attribute(p, "class", "facts");
    begin(p, "tbody");
    for (size_t i = 0; i < json_len(list); i++) {
        begin(p, "tr");
        begin(p, "th");
        attribute(p, "scope", "row");
        text(p, json_get_str(json_at(list, i), "label"));
        end(p);
        element(p, "td", json_get_str(json_at(list, i), "value"));
        end(p);
    }
    end(p);
    end(p);
}

static void rows(struct page *p, struct json *columns, struct json *list)
{
    if (json_len(list) == 0) return;
    begin(p, "table");
    begin(p, "thead");
    begin(p, "tr");
    for (size_t i = 0; i < json_len(columns); i++) {
        begin(p, "th");
        attribute(p, "scope", "col");
        text(p, json_as_str(json_at(columns, i)));
        end(p);
    }
    end(p);
    end(p);
    begin(p, "tbody");
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *row = json_at(list, i);
        begin(p, "tr");
        for (size_t k = 0; k < json_len(row); k++) element(p, "td", json_as_str(json_at(row, k)));
        end(p);
    }
    end(p);
    end(p);
}

static void notes(struct page *p, struct json *list)
{
    if (json_len(list) == 0) return;
    begin(p, "ul");
    for (size_t i = 0; i < json_len(list); i++) element(p, "li", json_as_str(json_at(list, i)));
    end(p);
}

static void made(struct page *p, struct json *summary)
{
    const char *who = json_get_str(json_get(summary, "made_by"), "name"), *at = json_get_str(summary, "made_at");
    char when[64] = "";
    int64_t ms = 0;
    if (at != NULL && when_read_rfc3339(at, &ms, NULL) == ERR_OK) show_time(ms, when, sizeof when);
    begin(p, "p");
    text(p, "Made ");
    text(p, when);
    if (who != NULL) {
        text(p, " by ");
        text(p, who);
    }
    text(p, ". Confidential: what your agency may see of this case at that moment, and no more.");
    end(p);
}

static void body(struct page *p, struct json *summary)
{
    struct json *sections = json_get(summary, "sections");
    begin(p, "body");
    element(p, "h1", json_get_str(summary, "title"));
    made(p, summary);
    for (size_t i = 0; i < json_len(sections); i++) {
        struct json *s = json_at(sections, i);
        begin(p, "section");
        element(p, "h2", json_get_str(s, "heading"));
        facts(p, json_get(s, "facts"));
        rows(p, json_get(s, "columns"), json_get(s, "rows"));
        notes(p, json_get(s, "notes"));
        end(p);
    }
    end(p);
}

enum err html_summary(struct json *summary, struct buf *out, struct why *why)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    struct page p = {.w = buffer != NULL ? xmlNewTextWriterMemory(buffer, 0) : NULL};
    p.failed = p.w == NULL;
    if (!p.failed) note(&p, xmlTextWriterWriteDTD(p.w, x("html"), NULL, NULL, NULL));
    begin(&p, "html");
    attribute(&p, "lang", "en-GB");
    head(&p, json_get_str(summary, "title"));
    body(&p, summary);
    end(&p);
    if (!p.failed) note(&p, xmlTextWriterFlush(p.w));
    xmlFreeTextWriter(p.w);
    if (!p.failed) {
        buf_put(out, xmlBufferContent(buffer), (size_t)xmlBufferLength(buffer));
        buf_put_u8(out, '\n');
    }
    xmlBufferFree(buffer);
    if (p.failed) return why_set(why, ERR_NOMEM, "There is not enough memory for this page.");
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "This summary is too long for one page.");
}
