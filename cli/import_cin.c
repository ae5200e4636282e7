/* The XML side of the census reader: libxml2's SAX interface, so that memory is bounded by what we keep. A return comes
 * from another system: no network, no document type, no entities (expansion bombs, files of this machine read through
 * external entities), none of libxml2's "huge" switches; its own depth limit of 256 holds. */
#include "cli/import_cin_build.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <string.h>

struct reader {
    xmlParserCtxtPtr xml;
    struct cin_build *build;
    bool doctype; /* there was a document type or an entity */
    int line;     /* where */
};

static int line_of(const struct reader *r)
{
    return xmlSAX2GetLineNumber(r->xml);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attr, int n_default, const xmlChar **attr)
{
    struct reader *r = ctx;
    (void)prefix, (void)uri, (void)n_ns, (void)ns, (void)n_attr, (void)n_default, (void)attr;
    if (!cin_build_open(r->build, (const char *)name, line_of(r))) xmlStopParser(r->xml);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct reader *r = ctx;
    (void)name, (void)prefix, (void)uri;
    if (!cin_build_close(r->build)) xmlStopParser(r->xml);
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
    struct reader *r = ctx;
    if (!cin_build_text(r->build, (const char *)text, (size_t)n)) xmlStopParser(r->xml);
}

/* Called before anything of the document type is read. */
static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    struct reader *r = ctx;
    (void)name, (void)external, (void)system;
    r->doctype = true;
    r->line = line_of(r);
    xmlStopParser(r->xml);
}

static void on_reference(void *ctx, const xmlChar *name)
{
    struct reader *r = ctx;
    (void)name;
    r->doctype = true;
    r->line = line_of(r);
    xmlStopParser(r->xml);
}

/* The library's own messages quote the file. */
static void on_error(void *ctx, xmlErrorPtr error)
{
    (void)ctx, (void)error;
}

static bool parse(struct reader *r, struct bytes in)
{
    *r->xml->sax = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .internalSubset = on_doctype,
        .externalSubset = on_doctype,
        .reference = on_reference,
        .serror = on_error,
    };
    r->xml->userData = r;
    if (xmlCtxtUseOptions(r->xml, XML_PARSE_NONET) != 0 || in.n == 0) return false;
    return xmlParseDocument(r->xml) == 0 && r->xml->wellFormed;
}

enum err cin_read(struct bytes xml, struct cin_census *out, struct why *why)
{
    if (xml.n > CIN_MAX_FILE)
        return why_set(why, ERR_LIMIT, "The file is larger than %u MiB. A census return never is.", CIN_MAX_FILE >> 20);
    struct reader r = {0};
    enum err e = cin_build_new(&r.build, why);
    if (e != ERR_OK) return e;
    xmlInitParser();
    xmlSetStructuredErrorFunc(NULL, on_error); /* what goes wrong below the parser, such as in its decoders */
    r.xml = xmlCreateMemoryParserCtxt(xml.n != 0 ? (const char *)xml.p : " ", xml.n != 0 ? (int)xml.n : 1);
    if (r.xml == NULL) {
        e = why_set(why, ERR_NOMEM, "There is not enough memory to read the file.");
        goto out;
    }
    bool whole = parse(&r, xml);
    if (r.doctype) {
        (void)why_set(why, ERR_FORMAT,
                      "Line %d: the file has a document type or entities of its own, which a census "
                      "return never has and which can do harm. Nothing was taken.",
                      r.line);
        e = why_next(why, ERR_FORMAT, "Ask whoever made the file for a plain census return.");
        goto out;
    }
    e = cin_build_end(r.build, whole, line_of(&r), out, why);
out:
    xmlFreeParserCtxt(r.xml);
    cin_build_free(r.build);
    return e;
}
